//! The operator's only way to the API server: plain HTTP in, the API server's own TLS out. It counts writes, and
//! springs a trap at one of them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::point::{Counter, Point, Write};

/// When the operator is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before the write reaches the API server.
    Before,
    /// After the write is done and before its answer arrives.
    After,
}

/// One write, as it went.
#[derive(Clone, Debug)]
pub struct Record {
    /// Which.
    pub point: Point,
    /// When it reached the proxy.
    pub at: Instant,
    /// The status of the answer; none while it is under way, or when it was never sent.
    pub status: Option<StatusCode>,
    /// Whether a delete carried uid and resourceVersion; true for all else.
    pub pinned: bool,
}

impl Record {
    /// Whether an object came into being or was deleted by it. A server-side apply that creates is answered by 201.
    pub fn creates_or_deletes(&self) -> bool {
        self.status == Some(StatusCode::CREATED)
            || (self.point.write.verb == "delete" && self.status.is_some_and(|status| status.is_success()))
    }
}

#[derive(Default)]
struct State {
    /// Which run this is, so that an answer which outlives its run is not taken for another one's.
    run: u64,
    namespace: String,
    counter: Counter,
    records: Vec<Record>,
    trap: Option<(Point, Moment)>,
    victim: Option<Pid>,
    sprung: bool,
    last: Option<Instant>,
}

/// A running proxy; it ends with this value.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Listens on a free port of the loopback device.
    ///
    /// # Errors
    /// No free port.
    pub async fn start(client: Client) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::default()));
        let task = tokio::spawn(serve(listener, client, state.clone()));
        Ok(Self { address, state, task })
    }

    /// Begins a run: counts anew, and springs at `trap`.
    pub fn begin(&self, namespace: &str, trap: Option<(Point, Moment)>) {
        let mut state = self.lock();
        let (victim, run) = (state.victim, state.run + 1);
        *state = State { run, namespace: namespace.into(), trap, victim, ..State::default() };
    }

    /// The process that a trap ends.
    pub fn aim(&self, victim: Option<u32>) {
        self.lock().victim = victim.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    }

    /// Whether the trap was sprung.
    pub fn sprung(&self) -> bool {
        self.lock().sprung
    }

    /// The writes of this run.
    pub fn records(&self) -> Vec<Record> {
        self.lock().records.clone()
    }

    /// When the last counted write came or was answered.
    pub fn last(&self) -> Option<Instant> {
        self.lock().last
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(listener: TcpListener, client: Client, state: Arc<Mutex<State>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let (client, state) = (client.clone(), state.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| forward(request, client.clone(), state.clone()));
            // An end of the operator ends the connection, which is no error here.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// The connection is to end without an answer.
#[derive(Debug)]
struct NoAnswer;

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the operator was ended; it gets no answer")
    }
}

impl std::error::Error for NoAnswer {}

async fn forward(
    request: Request<Incoming>,
    client: Client,
    state: Arc<Mutex<State>>,
) -> Result<Response<Body>, NoAnswer> {
    let (mut head, body) = request.into_parts();
    head.headers.remove(http::header::HOST);
    let bytes = body.collect().await.map_err(|_| NoAnswer)?.to_bytes();
    let place = arrives(&state, &head, &bytes)?;
    // A task of its own: the end of the operator's connection must not take back what was sent on.
    let sending =
        tokio::spawn(async move { client.send(Request::from_parts(head, Body::from(bytes.to_vec()))).await });
    let answer = sending.await.map_err(|_| NoAnswer)?.map_err(|_| NoAnswer)?;
    let Some(place) = place else { return Ok(answer) };
    let (parts, body) = answer.into_parts();
    let whole = body.collect().await.map_err(|_| NoAnswer)?.to_bytes();
    answered(&state, place, parts.status)?;
    Ok(Response::from_parts(parts, Body::from(whole.to_vec())))
}

/// Where a write was noted.
#[derive(Clone, Copy)]
struct Place {
    run: u64,
    index: usize,
}

/// Notes a write; ends the operator instead of sending it on where the trap says so.
fn arrives(
    state: &Mutex<State>,
    head: &http::request::Parts,
    body: &Bytes,
) -> Result<Option<Place>, NoAnswer> {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(write) = Write::of(&head.method, &head.uri, body, &state.namespace) else { return Ok(None) };
    let pinned = write.verb != "delete" || is_pinned(body);
    let point = state.counter.next(write);
    let trapped = state.trap == Some((point.clone(), Moment::Before));
    state.last = Some(Instant::now());
    state.records.push(Record { point, at: Instant::now(), status: None, pinned });
    if trapped {
        spring(&mut state);
        return Err(NoAnswer);
    }
    Ok(Some(Place { run: state.run, index: state.records.len() - 1 }))
}

fn answered(state: &Mutex<State>, Place { run, index }: Place, status: StatusCode) -> Result<(), NoAnswer> {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    if state.run != run {
        return Ok(());
    }
    state.last = Some(Instant::now());
    let Some(record) = state.records.get_mut(index) else { return Ok(()) };
    record.status = Some(status);
    let point = record.point.clone();
    if state.trap == Some((point, Moment::After)) {
        spring(&mut state);
        return Err(NoAnswer);
    }
    Ok(())
}

fn spring(state: &mut State) {
    state.trap = None;
    state.sprung = true;
    if let Some(victim) = state.victim {
        // It may have ended by itself, which the run then shows.
        let _ = kill_process(victim, Signal::KILL);
    }
}

fn is_pinned(body: &[u8]) -> bool {
    let options: Value = serde_json::from_slice(body).unwrap_or_default();
    let has =
        |field: &str| options.pointer(field).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    has("/preconditions/uid") && has("/preconditions/resourceVersion")
}

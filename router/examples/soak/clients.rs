//! The clients: what each kind does again and again, and how often it came out well.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::process::HOST;
use crate::raw::Raw;

/// Between two turns of a client: enough churn, and some of the machine left for others.
const PAUSE: Duration = Duration::from_millis(2);

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Kept,
    Short,
    Upload,
    Http2,
    WebSocket,
    Aborted,
}

/// Each kind, and how many clients of it there are.
const KINDS: [(Kind, usize); 6] = [
    (Kind::Kept, 12),
    (Kind::Short, 6),
    (Kind::Upload, 4),
    (Kind::Http2, 4),
    (Kind::WebSocket, 4),
    (Kind::Aborted, 6),
];

/// What came of it.
#[derive(Default)]
pub struct Counts {
    done: [AtomicU64; KINDS.len()],
    failures: Mutex<Vec<String>>,
}

/// Clients that are at work.
pub struct Load {
    tasks: JoinSet<()>,
    counts: Arc<Counts>,
}

impl Load {
    /// What came of it, when all have ended.
    pub async fn ended(self) -> Arc<Counts> {
        self.tasks.join_all().await;
        self.counts
    }
}

impl Counts {
    fn of(&self, kind: Kind) -> u64 {
        self.done[kind as usize].load(Relaxed)
    }

    fn add(&self, kind: Kind) {
        self.done[kind as usize].fetch_add(1, Relaxed);
    }

    fn fail(&self, failure: String) {
        if let Ok(mut failures) = self.failures.lock() {
            failures.push(failure);
        }
    }

    pub fn failures(&self) -> Vec<String> {
        self.failures.lock().map_or_else(|_| vec!["a client panicked".into()], |failures| failures.clone())
    }

    /// Kinds of clients that never got anywhere.
    pub fn idle(&self) -> Vec<String> {
        let idle = KINDS.iter().filter(|(kind, _)| self.of(*kind) == 0);
        idle.map(|(kind, _)| format!("{kind:?}")).collect()
    }

    pub fn told(&self) -> String {
        format!(
            "{} requests on kept connections, {} on short ones, {} uploads, {} by HTTP/2, {} WebSockets, {} aborted; {} failed",
            self.of(Kind::Kept),
            self.of(Kind::Short),
            self.of(Kind::Upload),
            self.of(Kind::Http2),
            self.of(Kind::WebSocket),
            self.of(Kind::Aborted),
            self.failures().len()
        )
    }
}

/// Starts the clients of all kinds.
pub fn start(address: SocketAddr, end: Instant) -> Load {
    let (mut tasks, counts) = (JoinSet::new(), Arc::<Counts>::default());
    for (kind, count) in KINDS {
        for _ in 0..count {
            tasks.spawn(live(kind, address, end, counts.clone()));
        }
    }
    Load { tasks, counts }
}

async fn live(kind: Kind, address: SocketAddr, end: Instant, counts: Arc<Counts>) {
    let mut turn = 0;
    while Instant::now() < end {
        turn += 1;
        let done = match kind {
            Kind::Kept => kept(address, &counts).await,
            Kind::Short => short(address, &counts).await,
            Kind::Upload => upload(address, turn, &counts).await,
            Kind::Http2 => http2(address, turn, &counts).await,
            Kind::WebSocket => websocket(address, turn, &counts).await,
            Kind::Aborted => aborted(address, turn, &counts).await,
        };
        if let Err(error) = done {
            counts.fail(format!("{kind:?}: {error:#}"));
            // Not a flood of the same.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn kept(address: SocketAddr, counts: &Counts) -> Result<()> {
    let mut raw = Raw::connect(address).await?;
    for _ in 0..50 {
        raw.send("GET /kept", "", b"").await?;
        raw.expect("/kept 0").await?;
        counts.add(Kind::Kept);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn short(address: SocketAddr, counts: &Counts) -> Result<()> {
    let mut raw = Raw::connect(address).await?;
    raw.send("GET /short", "Connection: close\r\n", b"").await?;
    raw.expect("/short 0").await?;
    counts.add(Kind::Short);
    Ok(())
}

/// A body by its length, and one in chunks, of all sizes up to 128 KiB.
async fn upload(address: SocketAddr, turn: usize, counts: &Counts) -> Result<()> {
    let mut raw = Raw::connect(address).await?;
    let length = turn * 7_919 % 131_072;
    let body = vec![b'x'; length];
    raw.send("POST /length", &format!("Content-Length: {length}\r\n"), &body).await?;
    raw.expect(&format!("/length {length}")).await?;
    counts.add(Kind::Upload);
    let half = length / 2 + 1;
    let chunk = format!("{half:x}\r\n{}\r\n", "x".repeat(half));
    raw.send("POST /chunks", "Transfer-Encoding: chunked\r\n", format!("{chunk}{chunk}0\r\n\r\n").as_bytes())
        .await?;
    raw.expect(&format!("/chunks {}", half * 2)).await?;
    counts.add(Kind::Upload);
    Ok(())
}

async fn connect_http2(
    address: SocketAddr,
) -> Result<(SendRequest<Empty<Bytes>>, tokio::task::JoinHandle<()>)> {
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await?;
    let task = tokio::spawn(async {
        let _ = connection.await;
    });
    Ok((sender, task))
}

fn request(path: &str) -> Result<Request<Empty<Bytes>>> {
    Ok(Request::get(format!("http://{HOST}{path}")).body(Empty::new())?)
}

/// Streams side by side, some of which are left; the connection is dropped now and then amid requests.
async fn http2(address: SocketAddr, turn: usize, counts: &Counts) -> Result<()> {
    let (sender, task) = connect_http2(address).await?;
    for _ in 0..10 {
        let mut streams = JoinSet::new();
        for _ in 0..8 {
            let mut sender = sender.clone();
            streams.spawn(async move {
                let answer = sender.send_request(request("/http2")?).await.context("no answer")?;
                ensure!(answer.status() == 200, "status {}", answer.status());
                let body = answer.into_body().collect().await.context("the answer broke off")?.to_bytes();
                ensure!(body == "/http2 0", "another body: {body:?}");
                Ok(())
            });
        }
        for done in streams.join_all().await {
            done?;
            counts.add(Kind::Http2);
        }
        // Left before its answer: the stream is reset.
        let mut leaving = sender.clone();
        let left = tokio::time::timeout(PAUSE, leaving.send_request(request("/slow")?)).await;
        if left.is_err() {
            counts.add(Kind::Aborted);
        }
    }
    if turn.is_multiple_of(2) {
        task.abort();
    }
    Ok(())
}

async fn websocket(address: SocketAddr, turn: usize, counts: &Counts) -> Result<()> {
    let mut raw = Raw::connect(address).await?;
    let fields = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    raw.send("GET /socket", fields, b"").await?;
    let head = raw.head().await?;
    ensure!(head.starts_with("HTTP/1.1 101"), "no WebSocket: {head}");
    for n in 1..20 {
        let message = vec![b'x'; n * turn % 4_096 + 1];
        tokio::io::AsyncWriteExt::write_all(&mut raw.0, &message).await?;
        raw.expect_bytes(&message).await?;
        tokio::time::sleep(PAUSE).await;
    }
    counts.add(Kind::WebSocket);
    Ok(())
}

/// Clients that go away: amid the header, amid a body, before the answer, and with bytes that are no HTTP.
async fn aborted(address: SocketAddr, turn: usize, counts: &Counts) -> Result<()> {
    let mut raw = Raw::connect(address).await?;
    match turn % 5 {
        0 => tokio::io::AsyncWriteExt::write_all(&mut raw.0, b"GET / HTTP/1.1\r\nHo").await?,
        1 => raw.send("POST /half", "Content-Length: 100000\r\n", &[b'x'; 5_000]).await?,
        2 => raw.send("POST /half", "Transfer-Encoding: chunked\r\n", b"ff\r\nhel").await?,
        3 => raw.send("GET /slow", "", b"").await?,
        _ => tokio::io::AsyncWriteExt::write_all(&mut raw.0, b"\x16\x03\x01 no HTTP\r\n\r\n").await?,
    }
    tokio::time::sleep(PAUSE).await;
    counts.add(Kind::Aborted);
    Ok(())
}

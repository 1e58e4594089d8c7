//! Listening, and stopping without losing a request.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};

use crate::exchange;
use crate::headers::Peer;
use crate::log::Form;
use crate::table::Table;
use crate::worker::Worker;

/// A client has so long for the header of a request.
const HEADER: Duration = Duration::from_secs(30);
/// How often idle connections are looked at and log lines written.
const SWEEP: Duration = Duration::from_millis(500);
/// The largest header.
const HEADER_BYTES: usize = 64 * 1024;
/// The most header fields.
const HEADER_FIELDS: usize = 128;

/// What all threads have in common.
#[derive(Clone)]
pub struct Common {
    /// The newest table.
    pub tables: Arc<ArcSwap<Table>>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted: Arc<[IpNet]>,
    /// How log lines are written.
    pub log: Form,
    /// Becomes true when the router stops.
    pub stop: watch::Receiver<bool>,
    /// How long requests under way have to end then.
    pub drain: Duration,
}

/// A socket that listens at `address`, of which every thread has its own: the kernel spreads connections over them.
///
/// # Errors
/// When the address is taken.
pub fn listen(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

/// Serves connections of `listener` on this thread until the router stops, and then until they end or have to.
///
/// # Errors
/// When the system gives no runtime.
pub fn thread(common: Common, listener: std::net::TcpListener, seed: u64) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async move {
        let listener = TcpListener::from_std(listener)?;
        let port = listener.local_addr()?.port();
        let worker = Worker::new(common.tables.clone(), common.log, seed);
        let sweeper = tokio::task::spawn_local(sweep(worker.clone()));
        let mut connections = JoinSet::new();
        accept(&common, &worker, &listener, port, &mut connections).await;
        drop(listener);
        let ended = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(common.drain, ended).await;
        sweeper.abort();
        worker.sweep();
        Ok(())
    })
}

async fn accept(
    common: &Common,
    worker: &Rc<Worker>,
    listener: &TcpListener,
    port: u16,
    connections: &mut JoinSet<()>,
) {
    let mut stop = common.stop.clone();
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    let _ = stream.set_nodelay(true);
                    let peer = Rc::new(Peer::new(address.ip(), port, "http", &common.trusted));
                    connections.spawn_local(connection(worker.clone(), peer, stream, common.stop.clone()));
                }
                // Out of file descriptors, most likely: others end soon.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

async fn connection(worker: Rc<Worker>, peer: Rc<Peer>, stream: TcpStream, mut stop: watch::Receiver<bool>) {
    let service = service_fn(move |request| {
        let answer = exchange::serve(worker.clone(), peer.clone(), request);
        async move { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .max_buf_size(HEADER_BYTES)
        .max_headers(HEADER_FIELDS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        // What a client does wrong is told to it, and is no news to anybody else.
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

async fn sweep(worker: Rc<Worker>) {
    let mut tick = tokio::time::interval(SWEEP);
    loop {
        tick.tick().await;
        worker.sweep();
    }
}

//! Listening, and stopping without losing a request.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};
use tokio_rustls::TlsAcceptor;

use crate::exchange;
use crate::headers::Peer;
use crate::log::Form;
use crate::table::Table;
use crate::tls::Shelf;
use crate::worker::Worker;

/// A client has so long for the header of a request.
const HEADER: Duration = Duration::from_secs(30);
/// How often idle connections are looked at and log lines written.
const SWEEP: Duration = Duration::from_millis(500);
/// The largest header.
const HEADER_BYTES: usize = 64 * 1024;
/// A client has so long for the handshake of TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Requests at a time in one connection of HTTP/2.
const STREAMS: u32 = 256;
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

/// What a listener speaks.
#[derive(Clone)]
pub enum Speaks {
    /// HTTP/1.1, and with `h2c` HTTP/2 too, in clear.
    Clear {
        /// Whether HTTP/2 is understood without encryption.
        h2c: bool,
    },
    /// HTTP/2 and HTTP/1.1 by TLS.
    Tls(TlsAcceptor, Shelf),
}

/// A socket that listens, and what it speaks.
pub struct Door {
    /// The socket.
    pub listener: std::net::TcpListener,
    /// What it speaks.
    pub speaks: Speaks,
}

/// Serves connections of these doors on this thread until the router stops, and then until they end or have to.
///
/// # Errors
/// When the system gives no runtime.
pub fn thread(common: Common, doors: Vec<Door>, seed: u64) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async move {
        let worker = Worker::new(common.tables.clone(), common.log, seed);
        let sweeper = tokio::task::spawn_local(sweep(worker.clone()));
        let mut accepting = JoinSet::new();
        for door in doors {
            let listener = TcpListener::from_std(door.listener)?;
            accepting.spawn_local(accept(common.clone(), worker.clone(), listener, door.speaks));
        }
        while accepting.join_next().await.is_some() {}
        sweeper.abort();
        worker.sweep();
        Ok(())
    })
}

async fn accept(common: Common, worker: Rc<Worker>, listener: TcpListener, speaks: Speaks) {
    let mut connections = JoinSet::new();
    let mut stop = common.stop.clone();
    let port = listener.local_addr().map_or(0, |address| address.port());
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    let _ = stream.set_nodelay(true);
                    let proto = if matches!(speaks, Speaks::Tls(..)) { "https" } else { "http" };
                    let peer = Peer::new(address.ip(), port, proto, &common.trusted);
                    let (worker, stop) = (worker.clone(), common.stop.clone());
                    connections.spawn_local(connection(worker, peer, stream, speaks.clone(), stop));
                }
                // Out of file descriptors, most likely: others end soon.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(common.drain, ended).await;
}

async fn connection(
    worker: Rc<Worker>,
    mut peer: Peer,
    stream: TcpStream,
    speaks: Speaks,
    stop: watch::Receiver<bool>,
) {
    match speaks {
        Speaks::Clear { h2c: true } if begins_with_http2(&stream).await => {
            http2(worker, Rc::new(peer), TokioIo::new(stream), stop).await;
        }
        Speaks::Clear { .. } => http1(worker, Rc::new(peer), TokioIo::new(stream), stop).await,
        Speaks::Tls(acceptor, shelf) => {
            let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await else {
                return;
            };
            let (_, tls) = stream.get_ref();
            let name = tls.server_name().unwrap_or_default().to_ascii_lowercase();
            let is_http2 = tls.alpn_protocol() == Some(b"h2");
            peer.made_for = Some((name, shelf));
            let (peer, stream) = (Rc::new(peer), TokioIo::new(stream));
            if is_http2 {
                http2(worker, peer, stream, stop).await;
            } else {
                http1(worker, peer, stream, stop).await;
            }
        }
    }
}

/// Whether a client begins with the words of HTTP/2 (RFC 9113 §3.4). It has as long as for a header.
async fn begins_with_http2(stream: &TcpStream) -> bool {
    const WORDS: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let look = async {
        let mut seen = [0; WORDS.len()];
        loop {
            match stream.peek(&mut seen).await {
                Ok(n @ 1..) if n < seen.len() && WORDS.starts_with(&seen[..n]) => {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Ok(n) => return n == seen.len() && seen == WORDS,
                Err(_) => return false,
            }
        }
    };
    tokio::time::timeout(HEADER, look).await.unwrap_or(false)
}

async fn http1<I>(worker: Rc<Worker>, peer: Rc<Peer>, io: I, mut stop: watch::Receiver<bool>)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let answer = exchange::serve(worker.clone(), peer.clone(), request);
        async move { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .max_buf_size(HEADER_BYTES)
        .max_headers(HEADER_FIELDS)
        .serve_connection(io, service)
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

async fn http2<I>(worker: Rc<Worker>, peer: Rc<Peer>, io: I, mut stop: watch::Receiver<bool>)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
{
    let service = service_fn(move |request| {
        let answer = exchange::serve(worker.clone(), peer.clone(), request);
        async move { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    // Streams that are opened and reset at once are bounded by h2 itself (max_pending_accept_reset_streams).
    let connection = http2::Builder::new(OnThisThread)
        .timer(TokioTimer::new())
        .keep_alive_interval(HEADER)
        .keep_alive_timeout(HEADER)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(64 * 1024)
        .serve_connection(io, service);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Runs the streams of a connection on the thread that has it.
#[derive(Clone, Copy)]
struct OnThisThread;

impl<F: Future + 'static> hyper::rt::Executor<F> for OnThisThread {
    fn execute(&self, stream: F) {
        tokio::task::spawn_local(async move { drop(stream.await) });
    }
}

async fn sweep(worker: Rc<Worker>) {
    let mut tick = tokio::time::interval(SWEEP);
    loop {
        tick.tick().await;
        worker.sweep();
    }
}

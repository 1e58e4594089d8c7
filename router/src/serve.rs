//! Listening, and stopping without losing a request.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::runtime::LocalOptions;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::connection::connection;
use crate::log::Sink;
use crate::outbox;
use crate::spans::Spans;
use crate::table::Table;
use crate::tls::Shelf;
use crate::worker::Worker;

/// How often idle connections are looked at and log lines written.
const SWEEP: Duration = Duration::from_millis(500);
/// File descriptors that are not for clients and pods: listeners, files, the API server.
const SPARE: u64 = 128;

/// What all threads have in common.
#[derive(Clone)]
pub struct Common {
    /// The newest table.
    pub tables: Arc<ArcSwap<Table>>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted: Arc<[IpNet]>,
    /// Where log lines go.
    pub log: Sink,
    /// Makes a span of each request.
    pub spans: Option<Spans>,
    /// Is true when the router is about to stop: clients are asked to come by another connection.
    pub leaving: Arc<AtomicBool>,
    /// Becomes true when the router stops.
    pub stop: watch::Receiver<bool>,
    /// How long requests under way have to end then.
    pub drain: Duration,
    /// How long clients may take.
    pub patience: Patience,
    /// Connections come from trusted load balancers alone, which say first whose they are.
    pub proxy_protocol: bool,
    /// Clients' connections that each thread has at a time; others wait in the kernel until one ends.
    pub connections: usize,
    /// Requests, WebSockets among them, that one environment may have at a time in all threads.
    pub per_environment: u32,
}

/// How long clients may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the handshake of TLS.
    pub handshake: Duration,
    /// For the header of a request, and between two requests of a connection.
    pub header: Duration,
    /// Without any request on a connection of HTTP/2.
    pub idle: Duration,
    /// To take what was sent to them.
    pub reading: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { handshake: seconds(10), header: seconds(30), idle: seconds(120), reading: seconds(60) }
    }
}

/// How many connections of clients the process has file descriptors for: each may need another one to a pod.
pub fn connections() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(limit.saturating_sub(SPARE).max(16) / 2).unwrap_or(usize::MAX)
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
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    let worker = Worker::new(&common, seed);
    runtime.block_on(async {
        tokio::task::spawn_local(outbox::writer());
        let sweeper = tokio::task::spawn_local(sweep(worker.clone()));
        let (stops, mut stop) = (worker.stops.clone(), common.stop.clone());
        tokio::task::spawn_local(async move {
            // Where nobody is left who could say it, it stops too.
            let _ = stop.wait_for(|stop| *stop).await;
            stops.tell();
        });
        let mut accepting = JoinSet::new();
        for door in doors {
            let listener = TcpListener::from_std(door.listener)?;
            accepting.spawn_local(accept(common.clone(), worker.clone(), listener, door.speaks));
        }
        while accepting.join_next().await.is_some() {}
        let ended = async {
            while worker.open() > 0 {
                worker.closed.notified().await;
            }
        };
        // WebSockets end by themselves when the time for it is over; a moment for their lines in the log.
        let _ = tokio::time::timeout(Duration::from_secs(1) + common.drain, ended).await;
        sweeper.abort();
        std::io::Result::Ok(())
    })?;
    outbox::flush();
    // What is left is ended by this, and recorded.
    drop(runtime);
    worker.sweep();
    Ok(())
}

async fn accept(common: Common, worker: Rc<Worker>, listener: TcpListener, speaks: Speaks) {
    let mut connections = JoinSet::new();
    let mut stop = common.stop.clone();
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            () = worker.closed.notified(), if worker.open() >= common.connections => {}
            accepted = listener.accept(), if worker.open() < common.connections => match accepted {
                Ok((stream, address)) => {
                    let _ = stream.set_nodelay(true);
                    let (worker, common, speaks) = (worker.clone(), common.clone(), speaks.clone());
                    let open = worker.opened();
                    connections.spawn_local(async move {
                        connection(worker, address.ip(), stream, speaks, &common).await;
                        drop(open);
                    });
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

async fn sweep(worker: Rc<Worker>) {
    let mut tick = tokio::time::interval(SWEEP);
    loop {
        tick.tick().await;
        worker.sweep();
    }
}

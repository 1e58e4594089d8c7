//! What one thread of the router has: its view of the table, its connections to pods, its lines of the log.
//!
//! Each thread has a runtime of its own and shares nothing on the way of a request but the table and the counters, so
//! no lock is held and nothing wakes another core.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};

use crate::code::Code;
use crate::endpoint::Endpoint;
use crate::log::Log;
use crate::serve::Common;
use crate::table::Table;
use crate::upload::Outgoing;

/// A connection that nothing used for so long is closed. Below the shortest that is common among servers (5 s, Node.js),
/// because one that the server closes at the same moment costs a retry.
const IDLE: Duration = Duration::from_secs(4);
/// Idle connections that a thread keeps per pod.
const KEPT: usize = 512;

/// A connection to a pod, ready for a request.
pub type Sender = SendRequest<Outgoing>;

/// One thread's things.
pub struct Worker {
    /// The newest table; exchanged by whoever reads the routes.
    pub tables: Arc<ArcSwap<Table>>,
    /// The lines not written yet.
    pub log: RefCell<Log>,
    idle: RefCell<HashMap<u64, Vec<(Sender, Instant)>>>,
    random: Cell<u64>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted: Arc<[IpNet]>,
    /// Clients' connections that are open, WebSockets among them.
    open: Cell<usize>,
    /// Told when one of them ends.
    pub closed: Notify,
    /// Becomes true when the router is about to stop.
    pub leaving: Arc<AtomicBool>,
    /// How long streams have to end then.
    pub drain: Duration,
    /// Becomes true when the router stops.
    pub stop: watch::Receiver<bool>,
}

impl Worker {
    /// A thread's things; `seed` differs from thread to thread.
    pub fn new(common: &Common, seed: u64) -> Rc<Self> {
        Rc::new(Self {
            tables: common.tables.clone(),
            log: RefCell::new(Log::new(common.log.clone())),
            idle: RefCell::default(),
            random: Cell::new(seed | 1),
            trusted: common.trusted.clone(),
            open: Cell::new(0),
            closed: Notify::new(),
            leaving: common.leaving.clone(),
            drain: common.drain,
            stop: common.stop.clone(),
        })
    }

    /// One more connection of a client, until what is returned is dropped.
    pub fn opened(self: &Rc<Self>) -> Open {
        self.open.set(self.open.get() + 1);
        Open(self.clone())
    }

    /// Clients' connections that are open.
    pub fn open(&self) -> usize {
        self.open.get()
    }

    /// The next number of a sequence that spreads well (SplitMix64). It decides nothing that anybody must not guess.
    pub fn draw(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A connection that was used before and is still open.
    pub fn reuse(&self, pod: &Endpoint) -> Option<Sender> {
        let mut idle = self.idle.borrow_mut();
        let connections = idle.get_mut(&pod.id)?;
        loop {
            let (sender, since) = connections.pop()?;
            if since.elapsed() < IDLE && sender.is_ready() {
                return Some(sender);
            }
        }
    }

    /// Keeps a connection whose last answer is complete.
    pub fn keep(&self, pod: &Endpoint, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        let connections = idle.entry(pod.id).or_default();
        if connections.len() < KEPT {
            connections.push((sender, Instant::now()));
        }
    }

    /// Makes a connection.
    ///
    /// # Errors
    /// H19 or H21 where there is no connection, H13 where it broke at once, H99 where the router has no socket to spare.
    pub async fn connect(&self, pod: &Endpoint, within: Duration) -> Result<Sender, Code> {
        let stream = match tokio::time::timeout(within, TcpStream::connect(pod.address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => return Err(Code::H21),
            Ok(Err(error)) if is_own(&error) => return Err(Code::H99),
            Ok(Err(_)) | Err(_) => return Err(Code::H19),
        };
        let _ = stream.set_nodelay(true);
        let handshake = hyper::client::conn::http1::Builder::new().handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|_| Code::H13)?;
        tokio::task::spawn_local(async move {
            // What goes wrong shows where the answer is awaited.
            let _ = connection.with_upgrades().await;
        });
        Ok(sender)
    }

    /// Closes what nothing used for a while; writes the log's lines.
    pub fn sweep(&self) {
        self.log.borrow_mut().flush();
        self.idle.borrow_mut().retain(|_, connections| {
            connections.retain(|(sender, since)| since.elapsed() < IDLE && !sender.is_closed());
            !connections.is_empty()
        });
    }

    /// Idle connections, for tests and metrics.
    pub fn idle_connections(&self) -> usize {
        self.idle.borrow().values().map(Vec::len).sum()
    }
}

/// A client's connection; see [`Worker::opened`].
pub struct Open(Rc<Worker>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.closed.notify_one();
    }
}

/// No file descriptor, port or memory is left here: it says nothing about the pod.
fn is_own(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{AddrNotAvailable, OutOfMemory};
    matches!(error.kind(), AddrNotAvailable | OutOfMemory)
        || error.raw_os_error().is_some_and(|code| {
            [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE, rustix::io::Errno::NOBUFS]
                .iter()
                .any(|errno| errno.raw_os_error() == code)
        })
}

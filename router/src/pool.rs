//! One thread's connections to pods: HTTP/1.1, each for one request at a time, and HTTP/2, shared by many.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::code::Code;
use crate::endpoint::Endpoint;
use crate::route::Protocol;
use crate::upload::Outgoing;

/// A connection that nothing used for so long is closed. Below the shortest that is common among servers (5 s, Node.js),
/// because one that the server closes at the same moment costs a retry.
const IDLE: Duration = Duration::from_secs(4);
/// The same of HTTP/2, where a server says goodbye before it closes.
const IDLE_SHARED: Duration = Duration::from_secs(60);
/// Idle connections that a thread keeps per pod.
const KEPT: usize = 512;
/// Requests at a time on a connection of HTTP/2; common servers allow 100 or more.
const SHARE: u32 = 100;
/// How often a pod on a connection of HTTP/2 with requests is asked for a sign of life, and how long it has to give one.
const ALIVE: Duration = Duration::from_secs(20);
/// What a pod may send ahead, per stream and per connection, in bytes.
const WINDOWS: (u32, u32) = (256 * 1024, 1024 * 1024);

/// A connection to a pod, ready for a request.
pub enum Sender {
    /// For one request at a time.
    Http1(http1::SendRequest<Outgoing>),
    /// A share of a connection.
    Http2(Share),
}

/// A connection of HTTP/2, and how many requests are on it.
#[derive(Clone)]
struct Shared {
    sender: http2::SendRequest<Outgoing>,
    used: Rc<Cell<u32>>,
    last: Rc<Cell<Instant>>,
    settings: Rc<Settings>,
}

/// A request's share of a connection.
pub struct Share(Shared);

impl Share {
    fn of(shared: &Shared) -> Self {
        shared.used.set(shared.used.get() + 1);
        Self(shared.clone())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.used.set(self.0.used.get() - 1);
        self.0.last.set(Instant::now());
    }
}

/// What a pod says to a request.
pub type Said = Result<http::Response<hyper::body::Incoming>, TrySendError<http::Request<Outgoing>>>;

impl Sender {
    /// Sends a request; if nothing of it was written, it comes back with the error.
    pub fn send(&mut self, request: http::Request<Outgoing>) -> Pin<Box<dyn Future<Output = Said>>> {
        match self {
            Self::Http1(sender) => Box::pin(sender.try_send_request(request)),
            Self::Http2(share) => Box::pin(share.0.sender.try_send_request(request)),
        }
    }

    /// Whether it speaks HTTP/2.
    pub fn is_http2(&self) -> bool {
        matches!(self, Self::Http2(_))
    }

    /// Waits until the pod has said that WebSockets may be opened on it (RFC 8441), for at most so long.
    pub async fn allows_websockets(&self, within: Duration) -> bool {
        let Self::Http2(share) = self else { return true };
        let settings = &share.0.settings;
        settings.asked.set(settings.asked.get() + 1);
        // It may be known already.
        settings.look.notify_one();
        let told = async {
            while !settings.websockets.get() {
                settings.told.notified().await;
            }
        };
        let is_told = tokio::time::timeout(within, told).await.is_ok();
        settings.asked.set(settings.asked.get() - 1);
        is_told
    }
}

/// What a pod has said about its connection of HTTP/2.
#[derive(Default)]
struct Settings {
    websockets: Cell<bool>,
    told: Notify,
    /// How many want to know.
    asked: Cell<u32>,
    /// Something came from the pod since.
    look: Notify,
}

/// Runs what belongs to a connection on this thread. A pod's settings are read in a task of hyper's own, and told by
/// nobody: whoever wants to know has to look after each step of it.
#[derive(Clone)]
struct Steps(Rc<Settings>);

impl<F: Future + 'static> hyper::rt::Executor<F> for Steps {
    fn execute(&self, task: F) {
        let (mut task, settings) = (Box::pin(task), self.0.clone());
        tokio::task::spawn_local(std::future::poll_fn(move |cx| {
            let done = task.as_mut().poll(cx).map(drop);
            if settings.asked.get() > 0 {
                settings.look.notify_one();
            }
            done
        }));
    }
}

/// A connection of HTTP/1.1 without a request, and since when.
type Idle = (http1::SendRequest<Outgoing>, Instant);

/// The connections, by the pod's id.
#[derive(Default)]
pub struct Pool {
    idle: RefCell<HashMap<u64, Vec<Idle>>>,
    shared: RefCell<HashMap<u64, Vec<Shared>>>,
}

impl Pool {
    /// A connection that was used before and is still open.
    pub fn reuse(&self, pod: &Endpoint, protocol: Protocol) -> Option<Sender> {
        if protocol == Protocol::H2c {
            let shared = self.shared.borrow();
            let fits = |s: &&Shared| s.used.get() < SHARE && s.sender.is_ready() && !s.sender.is_closed();
            return shared.get(&pod.id)?.iter().find(fits).map(|s| Sender::Http2(Share::of(s)));
        }
        let mut idle = self.idle.borrow_mut();
        let connections = idle.get_mut(&pod.id)?;
        loop {
            let (sender, since) = connections.pop()?;
            if since.elapsed() < IDLE && sender.is_ready() {
                return Some(Sender::Http1(sender));
            }
        }
    }

    /// Keeps a connection whose last answer is complete.
    pub fn keep(&self, pod: &Endpoint, sender: Sender) {
        // One of HTTP/2 is kept already.
        let Sender::Http1(sender) = sender else { return };
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
    pub async fn connect(
        &self,
        pod: &Endpoint,
        protocol: Protocol,
        within: Duration,
    ) -> Result<Sender, Code> {
        let stream = match tokio::time::timeout(within, TcpStream::connect(pod.address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => return Err(Code::H21),
            Ok(Err(error)) if is_own(&error) => return Err(Code::H99),
            Ok(Err(_)) | Err(_) => return Err(Code::H19),
        };
        let _ = stream.set_nodelay(true);
        if protocol == Protocol::H2c { self.http2(pod, stream).await } else { http1(stream).await }
    }

    async fn http2(&self, pod: &Endpoint, stream: TcpStream) -> Result<Sender, Code> {
        let settings = Rc::new(Settings::default());
        let handshake = http2::Builder::new(Steps(settings.clone()))
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOWS.0)
            .initial_connection_window_size(WINDOWS.1)
            .keep_alive_interval(ALIVE)
            .keep_alive_timeout(ALIVE)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, mut connection) = handshake.map_err(|_| Code::H13)?;
        let heard = settings.clone();
        tokio::task::spawn_local(async move {
            loop {
                tokio::select! {
                    // What goes wrong shows where the answer is awaited.
                    _ = &mut connection => return,
                    () = heard.look.notified() => {
                        if connection.is_extended_connect_protocol_enabled() {
                            heard.websockets.set(true);
                            heard.told.notify_waiters();
                        }
                    }
                }
            }
        });
        let last = Rc::new(Cell::new(Instant::now()));
        let shared = Shared { sender, used: Rc::default(), last, settings };
        let share = Share::of(&shared);
        self.shared.borrow_mut().entry(pod.id).or_default().push(shared);
        Ok(Sender::Http2(share))
    }

    /// Closes what nothing used for a while.
    pub fn sweep(&self) {
        self.idle.borrow_mut().retain(|_, connections| {
            connections.retain(|(sender, since)| since.elapsed() < IDLE && !sender.is_closed());
            !connections.is_empty()
        });
        self.shared.borrow_mut().retain(|_, connections| {
            connections.retain(|shared| {
                let is_used = shared.used.get() > 0 || shared.last.get().elapsed() < IDLE_SHARED;
                is_used && !shared.sender.is_closed()
            });
            !connections.is_empty()
        });
    }
}

async fn http1(stream: TcpStream) -> Result<Sender, Code> {
    let handshake = http1::Builder::new().handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|_| Code::H13)?;
    tokio::task::spawn_local(async move {
        // What goes wrong shows where the answer is awaited.
        let _ = connection.with_upgrades().await;
    });
    Ok(Sender::Http1(sender))
}

/// No file descriptor, port or memory is left here: it says nothing about the pod.
fn is_own(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    use std::io::ErrorKind::{AddrNotAvailable, OutOfMemory};
    matches!(error.kind(), AddrNotAvailable | OutOfMemory)
        || error.raw_os_error().is_some_and(|code| {
            [Errno::MFILE, Errno::NFILE, Errno::NOBUFS].iter().any(|errno| errno.raw_os_error() == code)
        })
}

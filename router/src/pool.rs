//! One thread's connections to pods: HTTP/1.1, each for one request at a time, and HTTP/2, shared by many.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::carrier::Carrier;
use crate::code::Code;
use crate::endpoint::Endpoint;
use crate::outbox::Outbox;
use crate::route::Protocol;
use crate::sender::{SHARE, Sender, Settings, Share, Shared, Single, Steps};

/// A connection that nothing used for so long is closed. Below the shortest that is common among servers (5 s, Node.js),
/// because one that the server closes at the same moment costs a retry.
const IDLE: Duration = Duration::from_secs(4);
/// The same of HTTP/2, where a server says goodbye before it closes.
const IDLE_SHARED: Duration = Duration::from_secs(60);
/// Idle connections that a thread keeps per pod.
const KEPT: usize = 512;
/// How often a pod on a connection of HTTP/2 with requests is asked for a sign of life, and how long it has to give one.
/// gRPC's servers end a connection on which they are asked more often than every five minutes.
const ALIVE: (Duration, Duration) = (Duration::from_secs(330), Duration::from_secs(20));
/// The kernel asks a silent host so often, which no server sees, and gives up after three times.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// The largest header of an answer over HTTP/2.
const HEADER_BYTES: u32 = 64 * 1024;
/// What a pod may send ahead, per stream and per connection, in bytes.
const WINDOWS: (u32, u32) = (256 * 1024, 1024 * 1024);

/// A connection of HTTP/1.1 without a request, and since when.
type Idle = (Single, Instant);

/// The connections, by the pod's id.
#[derive(Default)]
pub struct Pool {
    idle: RefCell<BTreeMap<u64, Vec<Idle>>>,
    shared: RefCell<BTreeMap<u64, Vec<Shared>>>,
    /// Connections of HTTP/2 that are being made: others wait for them.
    coming: RefCell<BTreeMap<u64, Rc<Coming>>>,
    /// Connections that are open, and the most that may be.
    open: Rc<Cell<usize>>,
    most: usize,
}

/// A connection that is being made, and why it was not.
#[derive(Default)]
struct Coming {
    done: Notify,
    failed: Cell<Option<Code>>,
}

/// An open connection, counted until this is dropped.
struct Open(Rc<Cell<usize>>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Pool {
    /// An empty one that has at most so many connections.
    pub fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// A connection that was used before and is still open.
    pub fn reuse(&self, pod: &Endpoint, protocol: Protocol, now: Instant) -> Option<Sender> {
        if protocol == Protocol::H2c {
            let shared = self.shared.borrow();
            let fits = |s: &&Shared| s.used.get() < s.settings.requests.get() && s.sender.is_ready();
            return shared.get(&pod.id)?.iter().find(fits).map(|s| Sender::Http2(Share::of(s)));
        }
        let mut idle = self.idle.borrow_mut();
        let connections = idle.get_mut(&pod.id)?;
        loop {
            let (mut single, since) = connections.pop()?;
            if now.saturating_duration_since(since) < IDLE && single.is_ready() {
                return Some(Sender::Http1(single));
            }
        }
    }

    /// Keeps a connection whose last answer is complete.
    pub fn keep(&self, pod: &Endpoint, sender: Sender, now: Instant) {
        // One of HTTP/2 is kept already.
        let Sender::Http1(mut single) = sender else { return };
        if single.is_closed() {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        let connections = idle.entry(pod.id).or_default();
        if connections.len() < KEPT {
            connections.push((single, now));
        }
    }

    /// Makes a connection; of HTTP/2 one at a time per pod, of which all who wait take their share.
    ///
    /// # Errors
    /// H19 or H21 where there is no connection, H13 where it broke at once, H11 where there are too many, H99 where the
    /// system has no socket to spare.
    pub async fn connect(
        &self,
        pod: &Endpoint,
        protocol: Protocol,
        within: Duration,
    ) -> Result<Sender, Code> {
        if protocol == Protocol::Http1 {
            return self.http1(pod, within).await;
        }
        loop {
            if let Some(sender) = self.reuse(pod, protocol, Instant::now()) {
                return Ok(sender);
            }
            let coming = self.coming.borrow().get(&pod.id).cloned();
            match coming {
                Some(coming) => {
                    coming.done.notified().await;
                    if let Some(code) = coming.failed.get() {
                        return Err(code);
                    }
                }
                None => return self.make_shared(pod, within).await,
            }
        }
    }

    async fn make_shared(&self, pod: &Endpoint, within: Duration) -> Result<Sender, Code> {
        let coming = Rc::<Coming>::default();
        self.coming.borrow_mut().insert(pod.id, coming.clone());
        // Also where nobody waits for it any more.
        let _told = Told(self, pod.id, coming.clone());
        let made = async {
            let (stream, open) = self.socket(pod, within).await?;
            let alive = TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE).with_retries(3);
            let _ = SockRef::from(&stream).set_tcp_keepalive(&alive);
            self.http2(pod, stream, open).await
        };
        made.await.inspect_err(|code| coming.failed.set(Some(*code)))
    }

    async fn http1(&self, pod: &Endpoint, within: Duration) -> Result<Sender, Code> {
        let (stream, open) = self.socket(pod, within).await?;
        let outbox = Outbox::new(stream);
        let last = outbox.last();
        let handshake = http1::Builder::new().handshake(outbox).await;
        let (sender, connection) = handshake.map_err(|_| Code::H13)?;
        let carrier = Carrier::new(async move {
            // What goes wrong shows where the answer is awaited.
            let _ = connection.with_upgrades().await;
            drop(open);
        });
        Ok(Sender::Http1(Single { sender, carrier, last }))
    }

    async fn socket(&self, pod: &Endpoint, within: Duration) -> Result<(TcpStream, Open), Code> {
        if self.open.get() >= self.most && !self.evict() {
            return Err(Code::H11);
        }
        self.open.set(self.open.get() + 1);
        let open = Open(self.open.clone());
        let stream = match tokio::time::timeout(within, TcpStream::connect(pod.address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => return Err(Code::H21),
            Ok(Err(error)) if is_own(&error) => return Err(Code::H99),
            Ok(Err(_)) | Err(_) => return Err(Code::H19),
        };
        let _ = stream.set_nodelay(true);
        Ok((stream, open))
    }

    async fn http2(&self, pod: &Endpoint, stream: TcpStream, open: Open) -> Result<Sender, Code> {
        let settings = Rc::new(Settings::new());
        let handshake = http2::Builder::new(Steps(settings.clone()))
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOWS.0)
            .initial_connection_window_size(WINDOWS.1)
            .keep_alive_interval(ALIVE.0)
            .keep_alive_timeout(ALIVE.1)
            .max_header_list_size(HEADER_BYTES)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, mut connection) = handshake.map_err(|_| Code::H13)?;
        let heard = settings.clone();
        tokio::task::spawn_local(async move {
            let _open = open;
            loop {
                tokio::select! {
                    // What goes wrong shows where the answer is awaited.
                    _ = &mut connection => return,
                    () = heard.look.notified() => {
                        let most = u32::try_from(connection.current_max_send_streams()).unwrap_or(SHARE);
                        if heard.requests.get() > 0 {
                            heard.requests.set(most.clamp(1, SHARE));
                        }
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

    /// Closes one connection that nobody uses, if there is any; it is counted until it is closed, a moment later.
    fn evict(&self) -> bool {
        let mut idle = self.idle.borrow_mut();
        if idle.values_mut().any(|connections| connections.pop().is_some()) {
            return true;
        }
        let mut shared = self.shared.borrow_mut();
        shared.values_mut().any(|connections| {
            let unused = connections.iter().position(|connection| connection.used.get() == 0);
            unused.map(|at| connections.swap_remove(at)).is_some()
        })
    }

    /// Closes what nothing used for a while.
    pub fn sweep(&self) {
        self.idle.borrow_mut().retain(|_, connections| {
            connections.retain_mut(|(single, since)| since.elapsed() < IDLE && !single.is_closed());
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

/// Tells those who wait for a connection that it is there, or will not be.
struct Told<'a>(&'a Pool, u64, Rc<Coming>);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.0.coming.borrow_mut().remove(&self.1);
        self.2.done.notify_waiters();
    }
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

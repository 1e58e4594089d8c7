//! A connection to a pod, or a share of one, that a request is sent on.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::client::conn::{TrySendError, http1, http2};
use tokio::sync::Notify;

use crate::carrier::Carrier;
use crate::outbox::Last;
use crate::spare;
use crate::upload::Outgoing;

/// Requests at a time on a connection of HTTP/2; common servers allow 100 or more.
pub(crate) const SHARE: u32 = 100;
/// A pod says within so long what its connection of HTTP/2 allows.
const SETTINGS: Duration = Duration::from_secs(1);

/// A connection to a pod, ready for a request.
pub enum Sender {
    /// For one request at a time.
    Http1(Single),
    /// A share of a connection.
    Http2(Share),
}

/// A connection of HTTP/1.1.
pub struct Single {
    pub(crate) sender: http1::SendRequest<Outgoing>,
    pub(crate) carrier: Carrier,
    /// The request that was sent last.
    pub(crate) last: Last,
}

impl Single {
    /// Whether it can take a request. What the pod did meanwhile is seen to first.
    pub(crate) fn is_ready(&mut self) -> bool {
        self.carrier.catch_up();
        self.sender.is_ready()
    }

    /// Whether it has ended.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.carrier.catch_up();
        self.sender.is_closed()
    }
}

/// A connection of HTTP/2, and how many requests are on it.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) sender: http2::SendRequest<Outgoing>,
    pub(crate) used: Rc<Cell<u32>>,
    pub(crate) last: Rc<Cell<Instant>>,
    pub(crate) settings: Rc<Settings>,
}

/// A request's share of a connection.
pub struct Share(Shared);

impl Share {
    pub(crate) fn of(shared: &Shared) -> Self {
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

/// What a pod has said, or will.
pub type Answering = Pin<Box<dyn Future<Output = Said>>>;

impl Sender {
    /// Sends a request; if nothing of it was written, it comes back with the error. One that goes `both_ways` at once, as a
    /// body or a WebSocket does, gets on whether or not the answer is waited for. One that `may_come_again` is kept.
    pub fn send(
        &mut self,
        request: http::Request<Outgoing>,
        both_ways: bool,
        may_come_again: bool,
    ) -> Answering {
        match self {
            Self::Http1(single) => {
                single.last.begin(may_come_again);
                if both_ways {
                    single.carrier.give_task();
                }
                Box::pin(single.sender.try_send_request(request))
            }
            Self::Http2(share) => Box::pin(share.0.sender.try_send_request(request)),
        }
    }

    /// An answer has come: the request will not be sent again.
    pub fn answered(&self) {
        if let Self::Http1(single) = self {
            single.last.begin(false);
        }
    }

    /// The request is over, and so is this turn's carrying.
    pub fn rest(&mut self) {
        if let Self::Http1(single) = self {
            single.carrier.rest();
        }
    }

    /// The request that was sent last, if it was kept.
    pub fn again(&self) -> Option<http::Request<Outgoing>> {
        match self {
            Self::Http1(single) => spare::read(&single.last.take()?),
            Self::Http2(_) => None,
        }
    }

    /// Looks for what comes on this connection, and carries it where nobody else does.
    pub fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut look: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        match self {
            Self::Http1(single) => single.carrier.poll(cx, look),
            Self::Http2(_) => look(cx),
        }
    }

    /// Whether it is a share of a connection of HTTP/2.
    pub fn is_http2(&self) -> bool {
        matches!(self, Self::Http2(_))
    }

    /// Breaks off what is under way. A stream of HTTP/2 that is stuck cannot be: its connection gets no more requests, and
    /// is closed when those on it are over.
    pub fn abort(self) {
        match self {
            Self::Http1(single) => single.carrier.abort(),
            Self::Http2(share) => share.0.settings.requests.set(0),
        }
    }

    /// Waits until the pod has said that WebSockets may be opened on it (RFC 8441), for at most so long.
    pub async fn allows_websockets(&self, within: Duration) -> bool {
        let Self::Http2(share) = self else { return true };
        let settings = &share.0.settings;
        let _asks = Asks::of(settings);
        // It may be known already.
        settings.look.notify_one();
        let told = async {
            while !settings.websockets.get() {
                settings.told.notified().await;
            }
        };
        tokio::time::timeout(within.min(SETTINGS), told).await.is_ok()
    }
}

/// What a pod has said about its connection of HTTP/2.
pub(crate) struct Settings {
    made: Instant,
    pub(crate) websockets: Cell<bool>,
    /// Requests at a time.
    pub(crate) requests: Cell<u32>,
    pub(crate) told: Notify,
    /// How many want to know.
    asked: Cell<u32>,
    /// Something came from the pod since.
    pub(crate) look: Notify,
}

impl Settings {
    pub(crate) fn new() -> Self {
        let (websockets, asked, requests) = (Cell::new(false), Cell::new(0), Cell::new(SHARE));
        Self { made: Instant::now(), websockets, requests, told: Notify::new(), asked, look: Notify::new() }
    }
}

/// Somebody wants to know what a pod allows, until this is dropped.
struct Asks(Rc<Settings>);

impl Asks {
    fn of(settings: &Rc<Settings>) -> Self {
        settings.asked.set(settings.asked.get() + 1);
        Self(settings.clone())
    }
}

impl Drop for Asks {
    fn drop(&mut self) {
        self.0.asked.set(self.0.asked.get() - 1);
    }
}

/// Runs what belongs to a connection on this thread. A pod's settings are read in a task of hyper's own, and told by
/// nobody: whoever wants to know has to look after each step of it.
#[derive(Clone)]
pub(crate) struct Steps(pub(crate) Rc<Settings>);

impl<F: Future + 'static> hyper::rt::Executor<F> for Steps {
    fn execute(&self, task: F) {
        let (mut task, settings) = (Box::pin(task), self.0.clone());
        tokio::task::spawn_local(std::future::poll_fn(move |cx| {
            let done = task.as_mut().poll(cx).map(drop);
            // The settings come with a pod's first bytes.
            if settings.asked.get() > 0 || settings.made.elapsed() < SETTINGS {
                settings.look.notify_one();
            }
            done
        }));
    }
}

//! A client's body on its way to a pod: passed on piece by piece, never gathered.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::body::Broken;
use crate::code::Code;
use crate::sender::Sender;
use crate::silence::Silence;

/// How far a client's body is, for whoever waits for the answer.
#[derive(Default)]
pub struct Upload {
    ended: Cell<Option<Instant>>,
    /// When the pod took the last piece.
    moved: Cell<Option<Instant>>,
    /// When the last piece of the answer came.
    heard: Cell<Option<Instant>>,
    failed: Cell<Option<Code>>,
    told: Notify,
}

impl Upload {
    /// Waits until the request was sent, or cannot be.
    pub async fn sent(&self) {
        while self.ended.get().is_none() {
            self.told.notified().await;
        }
    }

    /// When it was sent as a whole.
    pub fn ended(&self) -> Option<std::time::Instant> {
        self.ended.get().map(Instant::into_std)
    }

    /// Waits until nothing of it has moved for `limit`. A client that is silent is told of before ([`Silence`]), so it is
    /// the pod that does not read.
    pub async fn stuck(&self, limit: Duration) {
        let begun = Instant::now();
        // A moment later than the client's own limit, which is as long.
        let limit = limit.saturating_add(Duration::from_millis(100));
        loop {
            let until = self.moved.get().unwrap_or(begun) + limit;
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }

    /// A piece of the answer came.
    pub fn heard(&self) {
        self.heard.set(Some(Instant::now()));
    }

    /// When the pod took the last piece.
    pub fn moved(&self) -> Option<Instant> {
        self.moved.get()
    }

    /// The answer is over, and the body is not: it may go on as long as it moves, with `limit` for standstill; at once where
    /// the client `has_left`, except in HTTP/2, where the library ends the stream by itself if it can.
    pub fn end_soon(self: Rc<Self>, sender: Sender, limit: Duration, has_left: bool) {
        let limit = if has_left && !sender.is_http2() { Duration::ZERO } else { limit };
        tokio::task::spawn_local(async move {
            tokio::select! {
                () = self.sent() => {}
                () = self.stuck(limit) => sender.abort(),
            }
        });
    }

    /// Why the client's body ended before its end.
    pub fn failed(&self) -> Option<Code> {
        self.failed.get()
    }

    fn end(&self) {
        self.ended.set(Some(Instant::now()));
        self.told.notify_one();
    }
}

/// A client must send a body of a known length this fast, in bytes per second, or the time for silence is used up. Where
/// no length is told, it may be a stream, which is as slow as it likes.
const SLOWEST: u32 = 1024;

/// What a pod gets besides the header. In a box: most requests have no body, and each is moved some ten times.
pub struct Outgoing(Option<Box<Body>>);

/// A client's body on its way to a pod.
struct Body {
    inner: Incoming,
    upload: Rc<Upload>,
    silence: Silence,
    has_length: bool,
}

impl Outgoing {
    /// No body.
    pub fn empty() -> Self {
        Self(None)
    }

    /// A client's body, which may be silent for `limit`.
    pub fn new(inner: Incoming, upload: Rc<Upload>, limit: Duration) -> Self {
        let has_length = inner.size_hint().exact().is_some();
        Self(Some(Box::new(Body { inner, upload, silence: Silence::new(limit), has_length })))
    }
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Some(me) = &mut self.0 else { return Poll::Ready(None) };
        match Pin::new(&mut me.inner).poll_frame(cx) {
            Poll::Ready(Some(Err(error))) => {
                me.upload.failed.set(Some(Code::H27));
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(frame) => {
                let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
                let bytes = data.map_or(0, |data| u32::try_from(data.len()).unwrap_or(u32::MAX));
                let earned = Duration::from_secs(1) * bytes / SLOWEST;
                me.silence.broken(me.has_length.then_some(earned));
                me.upload.moved.set(Some(Instant::now()));
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                // Of a stream that is answered meanwhile the client may just listen.
                let answered = me.upload.heard.get();
                ready!(me.silence.poll(cx, answered.filter(|_| !me.has_length)));
                me.upload.failed.set(Some(Code::H28));
                Poll::Ready(Some(Err(Broken::Silent)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|body| body.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), |body| body.inner.size_hint())
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.upload.end();
    }
}

//! Bodies on their way through: passed on piece by piece, never gathered, with a limit for silence.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

use crate::code::Code;
use crate::flow::{self, Flow, For};
use crate::record::Record;
use crate::worker::Sender;

/// Why a body ends before its end.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The other side broke off.
    #[error(transparent)]
    Hyper(#[from] hyper::Error),
    /// It was silent for too long.
    #[error("nothing came for too long")]
    Silent,
}

/// Ends a wait that takes too long. The timer is made when there is something to wait for, which most bodies never have.
struct Silence {
    limit: Duration,
    /// What is left of it.
    left: Duration,
    /// Since when it waits.
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    fn new(limit: Duration) -> Self {
        Self { limit, left: limit, since: None, timer: None }
    }

    /// Something came, and earns so much time for the next wait.
    fn broken(&mut self, earned: Duration) {
        if let Some(since) = self.since.take() {
            self.left = self.left.saturating_sub(since.elapsed()).saturating_add(earned).min(self.limit);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_new = self.since.is_none();
        let until = *self.since.get_or_insert_with(Instant::now) + self.left;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if is_new {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(cx)
    }
}

/// How far a client's body is, for whoever waits for the answer.
#[derive(Default)]
pub struct Upload {
    ended: Cell<Option<Instant>>,
    /// When the pod took the last piece.
    moved: Cell<Option<Instant>>,
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

/// A client's body on its way to a pod.
pub struct Outgoing {
    inner: Option<Incoming>,
    upload: Option<Rc<Upload>>,
    silence: Silence,
    has_length: bool,
}

impl Outgoing {
    /// No body.
    pub fn empty() -> Self {
        Self { inner: None, upload: None, silence: Silence::new(Duration::ZERO), has_length: true }
    }

    /// A client's body, which may be silent for `limit`.
    pub fn new(inner: Incoming, upload: Rc<Upload>, limit: Duration) -> Self {
        let has_length = inner.size_hint().exact().is_some();
        Self { inner: Some(inner), upload: Some(upload), silence: Silence::new(limit), has_length }
    }
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let me = &mut *self;
        let Some(inner) = &mut me.inner else { return Poll::Ready(None) };
        let fail = |code| {
            if let Some(upload) = &me.upload {
                upload.failed.set(Some(code));
            }
        };
        match Pin::new(inner).poll_frame(cx) {
            Poll::Ready(Some(Err(error))) => {
                fail(Code::H27);
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(frame) => {
                let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
                let bytes = data.map_or(0, |data| u32::try_from(data.len()).unwrap_or(u32::MAX));
                let earned = Duration::from_secs(1) * bytes / SLOWEST;
                me.silence.broken(if me.has_length { earned } else { me.silence.limit });
                if let Some(upload) = &me.upload {
                    upload.moved.set(Some(Instant::now()));
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                ready!(me.silence.poll(cx));
                fail(Code::H28);
                Poll::Ready(Some(Err(Broken::Silent)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if let Some(upload) = &self.upload {
            upload.end();
        }
    }
}

/// What a client gets.
pub enum Body {
    /// A page of ours.
    Page(Full<Bytes>),
    /// A pod's answer.
    Answer(Box<Answer>),
}

/// A pod's answer on its way to the client. When it ends, the connection is kept and the request is recorded.
pub struct Answer {
    inner: Incoming,
    silence: Silence,
    /// Taken at the end.
    open: Option<(Sender, Record)>,
    /// The client's body, which may still be on its way.
    upload: Option<Rc<Upload>>,
    /// Told what it waits for, where that can be the client.
    flow: Option<Rc<Flow>>,
}

impl Answer {
    /// An answer whose pieces may be `limit` apart.
    pub fn new(
        inner: Incoming,
        sender: Sender,
        upload: Option<Rc<Upload>>,
        record: Record,
        limit: Duration,
    ) -> Self {
        let (silence, flow) = (Silence::new(limit), flow::current());
        Self { inner, silence, open: Some((sender, record)), upload, flow }
    }

    fn end(&mut self, code: Option<Code>) {
        if let Some((sender, record)) = self.open.take() {
            // A connection that still carries a body is of no use to anybody else.
            let is_free = self.upload.as_ref().is_none_or(|upload| upload.ended().is_some());
            if code.is_none() && is_free {
                record.keep(sender);
            }
            record.end(code);
        }
    }

    fn waits(&self, for_what: For) {
        if let Some(flow) = &self.flow {
            flow.waits(for_what);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.silence.broken(self.silence.limit);
                self.waits(For::Client);
                if let (Some(data), Some((_, record))) = (frame.data_ref(), &mut self.open) {
                    record.bytes += data.len() as u64;
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.end(Some(Code::H18));
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                self.end(None);
                Poll::Ready(None)
            }
            Poll::Pending => {
                self.waits(For::Pod);
                ready!(self.silence.poll(cx));
                self.end(Some(Code::H15));
                Poll::Ready(Some(Err(Broken::Silent)))
            }
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // The server does not ask for the end of a body whose length it knows.
        let code = if self.inner.is_end_stream() { None } else { Some(Code::H27) };
        self.end(code);
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut *self {
            Self::Page(page) => {
                Pin::new(page).poll_frame(cx).map(|frame| frame.map(|f| f.map_err(|never| match never {})))
            }
            Self::Answer(answer) => answer.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Page(page) => page.is_end_stream(),
            Self::Answer(answer) => answer.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Page(page) => page.size_hint(),
            Self::Answer(answer) => answer.inner.size_hint(),
        }
    }
}

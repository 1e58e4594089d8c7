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
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    fn new(limit: Duration) -> Self {
        Self { limit, timer: None }
    }

    /// Something came.
    fn broken(&mut self) {
        if let Some(timer) = &mut self.timer {
            timer.as_mut().reset(Instant::now() + self.limit);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit))).as_mut().poll(cx)
    }
}

/// How far a client's body is, for whoever waits for the answer.
#[derive(Default)]
pub struct Upload {
    over: Cell<bool>,
    failed: Cell<Option<Code>>,
    told: Notify,
}

impl Upload {
    /// Waits until the request was sent, or cannot be.
    pub async fn sent(&self) {
        while !self.over.get() {
            self.told.notified().await;
        }
    }

    /// Why the client's body ended before its end.
    pub fn failed(&self) -> Option<Code> {
        self.failed.get()
    }

    fn end(&self) {
        self.over.set(true);
        self.told.notify_one();
    }
}

/// A client's body on its way to a pod.
pub struct Outgoing {
    inner: Option<Incoming>,
    upload: Option<Rc<Upload>>,
    silence: Silence,
}

impl Outgoing {
    /// No body.
    pub fn empty() -> Self {
        Self { inner: None, upload: None, silence: Silence::new(Duration::ZERO) }
    }

    /// A client's body, which may be silent for `limit`.
    pub fn new(inner: Incoming, upload: Rc<Upload>, limit: Duration) -> Self {
        Self { inner: Some(inner), upload: Some(upload), silence: Silence::new(limit) }
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
                me.silence.broken();
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
}

impl Answer {
    /// An answer whose pieces may be `limit` apart.
    pub fn new(inner: Incoming, sender: Sender, record: Record, limit: Duration) -> Self {
        Self { inner, silence: Silence::new(limit), open: Some((sender, record)) }
    }

    fn end(&mut self, code: Option<Code>) {
        if let Some((sender, record)) = self.open.take() {
            if code.is_none() {
                record.keep(sender);
            }
            record.end(code);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.silence.broken();
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

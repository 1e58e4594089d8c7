//! An answer's body on its way to the client: passed on piece by piece, never gathered.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

use crate::code::Code;
use crate::flow::{self, Flow, For};
use crate::record::Record;
use crate::sender::Sender;
use crate::silence::Silence;
use crate::upload::Upload;

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
    /// Bytes that are still to come, where the pod told the length.
    left: Option<u64>,
    /// For silence.
    limit: Duration,
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
        let left = inner.size_hint().exact();
        let answer = Self { inner, silence, open: Some((sender, record)), upload, flow, left, limit };
        // It is asked for its first piece when there is room for it.
        answer.waits(For::Client);
        answer
    }

    fn end(&mut self, code: Option<Code>) {
        if let Some((sender, record)) = self.open.take() {
            let now = Instant::now();
            match self.upload.take().filter(|upload| upload.ended().is_none()) {
                // A connection that still carries a body is of no use to anybody else.
                Some(upload) => {
                    upload.end_soon(sender, self.limit, code.is_some());
                }
                None if code.is_none() => record.keep(sender, now),
                None => {}
            }
            record.end_at(code, now);
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
                self.silence.broken(None);
                self.waits(For::Client);
                if let (Some(data), Some((_, record))) = (frame.data_ref(), &mut self.open) {
                    record.bytes += data.len() as u64;
                    self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
                }
                if let Some(upload) = &self.upload {
                    upload.heard();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                // Where the client broke its body off, the pod cannot help it.
                let of_client = self.upload.as_ref().and_then(|upload| upload.failed());
                self.end(Some(of_client.unwrap_or(Code::H18)));
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                self.end(None);
                Poll::Ready(None)
            }
            Poll::Pending => {
                self.waits(For::Pod);
                let other = self.upload.as_ref().and_then(|upload| upload.moved());
                ready!(self.silence.poll(cx, other));
                self.end(Some(Code::H15));
                Poll::Ready(Some(Err(Broken::Silent)))
            }
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // The server does not ask for the end of a body whose length it knows.
        let is_whole = self.inner.is_end_stream() || self.left == Some(0);
        let code = if is_whole { None } else { Some(Code::H27) };
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

//! An answer's body on its way to the client: passed on piece by piece, never gathered.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
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
    /// All of it: a page of ours, or a small answer that came in one piece.
    Whole(Full<Bytes>),
    /// A pod's answer that comes piece by piece.
    Answer(Box<Answer>),
}

/// What came of a pod's answer: a piece, the end, or why there is no more.
type Come = Option<Result<Frame<Bytes>, hyper::Error>>;

/// Bytes of an answer up to which its first piece is looked for at once.
const SMALL: u64 = 64 * 1024;

/// A pod's answer as its client gets it; its pieces may be `limit` apart. A small one has mostly come as a whole with its
/// header: then the request ends here.
pub fn answer(
    mut inner: Incoming,
    mut sender: Sender,
    upload: Option<Rc<Upload>>,
    mut record: Box<Record>,
    limit: Duration,
) -> Body {
    let is_small = inner.size_hint().exact().is_some_and(|length| (1..=SMALL).contains(&length));
    // Where nothing has come yet, whoever gets the rest asks again, and is told.
    let early = if is_small {
        Pin::new(&mut inner).poll_frame(&mut Context::from_waker(Waker::noop()))
    } else {
        Poll::Pending
    };
    let all = match &early {
        _ if upload.is_some() || !inner.is_end_stream() => None,
        Poll::Ready(Some(Ok(frame))) => frame.data_ref().cloned(),
        // Of HTTP/2 an answer to HEAD has a length and no body.
        Poll::Pending | Poll::Ready(None) => Some(Bytes::new()),
        Poll::Ready(Some(Err(_))) => None,
    };
    let Some(all) = all else {
        return Body::Answer(Box::new(Answer::new(inner, early, sender, upload, record, limit)));
    };
    flow::wait_for_client();
    let now = record.answered.unwrap_or_else(Instant::now);
    record.bytes = all.len() as u64;
    sender.rest();
    record.keep(sender, now);
    record.end_at(None, now);
    Body::Whole(Full::new(all))
}

/// A pod's answer on its way to the client. When it ends, the connection is kept and the request is recorded.
pub struct Answer {
    inner: Incoming,
    /// What came of it before it was asked for.
    early: Poll<Come>,
    silence: Silence,
    /// Taken at the end.
    open: Option<(Sender, Box<Record>)>,
    /// The client's body, which may still be on its way.
    upload: Option<Rc<Upload>>,
    /// Told what it waits for, where that can be the client.
    flow: Option<Rc<Flow>>,
    /// Bytes that are still to come, where the pod told the length.
    left: Option<u64>,
    /// For silence.
    limit: Duration,
    /// It breaks off in the next turn.
    is_breaking: bool,
}

impl Answer {
    fn new(
        inner: Incoming,
        early: Poll<Come>,
        sender: Sender,
        upload: Option<Rc<Upload>>,
        record: Box<Record>,
        limit: Duration,
    ) -> Self {
        let (silence, flow) = (Silence::new(limit), flow::current());
        let come = |early: &Poll<Come>| match early {
            Poll::Ready(Some(Ok(frame))) => frame.data_ref().map_or(0, Bytes::len) as u64,
            _ => 0,
        };
        let left = inner.size_hint().exact().map(|left| left + come(&early));
        let (open, is_breaking) = (Some((sender, record)), false);
        let answer = Self { inner, early, silence, open, upload, flow, left, limit, is_breaking };
        // It is asked for its first piece when there is room for it.
        answer.waits(For::Client);
        answer
    }

    fn is_end_stream(&self) -> bool {
        self.early.is_pending() && self.inner.is_end_stream()
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
        let inner = &mut self.inner;
        let mut look = |cx: &mut Context<'_>| Pin::new(&mut *inner).poll_frame(cx);
        let come = match (std::mem::replace(&mut self.early, Poll::Pending), &mut self.open) {
            (Poll::Ready(early), _) => Poll::Ready(early),
            (Poll::Pending, Some((sender, _))) => sender.poll(cx, look),
            (Poll::Pending, None) => look(cx),
        };
        match come {
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
            Poll::Ready(Some(Err(error))) if !self.is_breaking => {
                // The library throws away what it has not written yet when a body breaks: it gets a turn to write it.
                self.is_breaking = true;
                self.early = Poll::Ready(Some(Err(error)));
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Some(Err(error))) => {
                // Where the client broke its body off, the pod cannot help it.
                let of_client = self.upload.as_ref().and_then(|upload| upload.failed());
                self.end(Some(of_client.unwrap_or(Code::H18)));
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                // HTTP/2 can end a stream well before its length.
                let is_cut = self.left.is_some_and(|left| left > 0);
                self.end(is_cut.then_some(Code::H18));
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
        let is_whole = self.is_end_stream() || self.left == Some(0);
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
            Self::Whole(all) => {
                Pin::new(all).poll_frame(cx).map(|frame| frame.map(|f| f.map_err(|never| match never {})))
            }
            Self::Answer(answer) => answer.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(all) => all.is_end_stream(),
            Self::Answer(answer) => answer.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(all) => all.size_hint(),
            Self::Answer(answer) => {
                answer.left.map_or_else(|| answer.inner.size_hint(), SizeHint::with_exact)
            }
        }
    }
}

//! Clients that do not read.
//!
//! A body is asked for its next piece only when there is room for it, so it cannot tell by itself that nobody takes what
//! it has given. Two places can: the socket, where a write does not get on ([`Reads`]), and with HTTP/2 the task of a
//! stream, where the client opens no window ([`Stream`]).

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::time::{Instant, Sleep};

/// A client's socket. Writing fails when nothing of it gets on for a while.
pub struct Reads<I> {
    io: I,
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<I> Reads<I> {
    /// Writes to it may take so long.
    pub fn new(io: I, limit: Duration) -> Self {
        Self { io, limit, timer: None }
    }

    /// The socket.
    pub fn into_inner(self) -> I {
        self.io
    }

    fn limited<T>(&mut self, cx: &mut Context<'_>, written: Poll<Result<T>>) -> Poll<Result<T>> {
        if written.is_ready() {
            self.timer = None;
            return written;
        }
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        timer.as_mut().poll(cx).map(|()| Err(ErrorKind::TimedOut.into()))
    }
}

impl<I: Read + Unpin> Read for Reads<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<I: Write + Unpin> Write for Reads<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.limited(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.limited(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let shut = Pin::new(&mut self.io).poll_shutdown(cx);
        self.limited(cx, shut)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.limited(cx, written)
    }
}

/// What an answer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// The pod's next piece, or its first.
    Pod,
    /// That the client takes what was given.
    Client,
}

/// What the answer of one stream waits for, and since when.
#[derive(Debug)]
pub struct Flow(Cell<Option<Instant>>);

impl Flow {
    /// It waits for this from now on.
    pub fn waits(&self, for_what: For) {
        self.0.set((for_what == For::Client).then(Instant::now));
    }
}

thread_local! {
    /// The stream whose task runs now: what is made in it has no other way to its stream.
    static CURRENT: RefCell<Option<Rc<Flow>>> = const { RefCell::new(None) };
}

/// The stream whose task runs now, if it is one of HTTP/2.
pub fn current() -> Option<Rc<Flow>> {
    CURRENT.with_borrow(Clone::clone)
}

/// What is answered now waits for room at the client before anything else, if it is on a stream of HTTP/2.
pub fn wait_for_client() {
    if let Some(flow) = current() {
        flow.waits(For::Client);
    }
}

/// The task of one stream of HTTP/2. It ends, and resets the stream, when the client takes nothing for a while.
pub struct Stream<F> {
    task: Pin<Box<F>>,
    flow: Rc<Flow>,
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<F> Stream<F> {
    /// A client may take so long to take a piece.
    pub fn new(task: F, limit: Duration) -> Self {
        Self { task: Box::pin(task), flow: Rc::new(Flow(Cell::new(None))), limit, timer: None }
    }
}

impl<F: Future> Future for Stream<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let me = &mut *self;
        CURRENT.set(Some(me.flow.clone()));
        let done = me.task.as_mut().poll(cx);
        CURRENT.set(None);
        if done.is_ready() {
            return Poll::Ready(());
        }
        loop {
            let Some(until) = me.flow.0.get().map(|since| since + me.limit) else { return Poll::Pending };
            let timer = me.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
            if timer.deadline() != until {
                timer.as_mut().reset(until);
            }
            match timer.as_mut().poll(cx) {
                Poll::Ready(()) if until <= Instant::now() => return Poll::Ready(()),
                Poll::Ready(()) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

//! Small writes wait until the tasks that are ready have had their turn, and then all go out.
//!
//! Whoever waits for one of them is woken by it, which costs as much as the write. Where many go out one after another, a
//! pod or a client that gets several is woken once; it would be asleep again if something else were done in between.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io::{ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// So many bytes of a connection wait; what is more is written at once.
const SMALL: usize = 8 * 1024;
/// Bytes of memory that are kept for the next message.
const IDLE: usize = 2 * 1024;
/// So many connections wait: the first must not wait long for the last.
const MOST: usize = 16;

/// A socket whose small writes wait for the thread's [`writer`].
pub struct Outbox {
    read: TokioIo<OwnedReadHalf>,
    write: Arc<Waiting>,
}

/// The message that was written last, for whoever may have to write it again elsewhere. It outlives the socket.
pub struct Last(Arc<Waiting>);

impl Last {
    /// A message begins, which is one write. Whether it is to be kept.
    pub fn begin(&self, is_kept: bool) {
        let mut state = self.0.lock();
        if state.written == state.bytes.len() {
            state.clear();
        }
        state.is_kept = is_kept && state.bytes.is_empty();
    }

    /// The message, if it was kept.
    pub fn take(&self) -> Option<Vec<u8>> {
        let mut state = self.0.lock();
        let is_kept = std::mem::take(&mut state.is_kept);
        state.written = 0;
        let bytes = std::mem::take(&mut state.bytes);
        is_kept.then_some(bytes)
    }
}

/// What waits to be written.
struct Waiting(Mutex<State>);

struct State {
    /// None when it was handed on.
    socket: Option<OwnedWriteHalf>,
    bytes: Vec<u8>,
    /// So many of them are written already.
    written: usize,
    /// They are kept when they are written.
    is_kept: bool,
    /// Told when the socket takes no more for now, or has failed.
    task: Option<Waker>,
    /// It stands in the thread's list.
    is_listed: bool,
    failed: Option<ErrorKind>,
}

thread_local! {
    static LISTED: RefCell<Vec<Arc<Waiting>>> = const { RefCell::new(Vec::new()) };
    /// The thread's [`writer`].
    static WRITER: RefCell<Option<Waker>> = const { RefCell::new(None) };
}

/// Writes what waits on this thread, whenever something does. It is a task like others: its turn comes after those that were
/// ready before.
pub async fn writer() -> Infallible {
    std::future::poll_fn(|cx| {
        WRITER.set(Some(cx.waker().clone()));
        flush();
        Poll::Pending
    })
    .await
}

/// Writes what waits on this thread.
pub fn flush() {
    let mut listed = LISTED.take();
    for waiting in listed.drain(..) {
        waiting.lock().flush();
    }
    // With its memory; nothing was added meanwhile, because wakers only mark tasks.
    LISTED.set(listed);
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Writes what the socket takes. Whoever waits is woken if that is not all.
    fn flush(&mut self) {
        self.is_listed = false;
        if self.try_write() == 0 {
            return;
        }
        if let Some(task) = &self.task {
            task.wake_by_ref();
        }
    }

    /// Writes what the socket takes; returns how much is left, 1 at least if it has failed.
    fn try_write(&mut self) -> usize {
        let Some(socket) = self.socket.as_ref().filter(|_| self.written < self.bytes.len()) else { return 0 };
        match socket.try_write(&self.bytes[self.written..]) {
            Ok(n) => self.written += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => {
                self.failed = Some(error.kind());
                return 1;
            }
        }
        if self.written == self.bytes.len() && !self.is_kept {
            self.clear();
        }
        self.bytes.len() - self.written
    }

    /// All is written. An idle connection keeps little memory.
    fn clear(&mut self) {
        self.written = 0;
        if self.bytes.capacity() > IDLE {
            self.bytes = Vec::new();
        } else {
            self.bytes.clear();
        }
    }

    fn socket(&mut self) -> Result<&mut OwnedWriteHalf> {
        self.socket.as_mut().ok_or(ErrorKind::NotConnected.into())
    }

    /// Waits until nothing waits any more.
    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            if let Some(kind) = self.failed {
                return Poll::Ready(Err(kind.into()));
            }
            if self.try_write() == 0 {
                return Poll::Ready(Ok(()));
            }
            if self.failed.is_none() {
                ready!(self.socket()?.as_ref().poll_write_ready(cx))?;
            }
        }
    }
}

impl Outbox {
    /// Of this socket.
    pub fn new(socket: TcpStream) -> Self {
        let (read, socket) = socket.into_split();
        let state = State {
            socket: Some(socket),
            bytes: Vec::new(),
            written: 0,
            is_kept: false,
            task: None,
            is_listed: false,
            failed: None,
        };
        Self { read: TokioIo::new(read), write: Arc::new(Waiting(Mutex::new(state))) }
    }

    /// The message that is written last.
    pub fn last(&self) -> Last {
        Last(self.write.clone())
    }

    /// The socket, and what has not been written to it yet.
    ///
    /// # Errors
    /// When a write has failed.
    pub fn into_inner(self) -> Result<(TcpStream, Vec<u8>)> {
        LISTED.with_borrow_mut(|listed| listed.retain(|waiting| !Arc::ptr_eq(waiting, &self.write)));
        let mut state = self.write.lock();
        if let Some(kind) = state.failed {
            return Err(kind.into());
        }
        let socket = state.socket.take().ok_or(ErrorKind::NotConnected)?;
        let whole = self.read.into_inner().reunite(socket).map_err(|_| ErrorKind::InvalidInput)?;
        let written = std::mem::take(&mut state.written);
        Ok((whole, state.bytes.split_off(written)))
    }
}

impl Read for Outbox {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.read).poll_read(cx, buf)
    }
}

impl Write for Outbox {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut state = self.write.lock();
        if state.is_listed { Poll::Ready(Ok(())) } else { state.poll_empty(cx) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut state = self.write.lock();
        ready!(state.poll_empty(cx))?;
        tokio::io::AsyncWrite::poll_shutdown(Pin::new(state.socket()?), cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let mut state = self.write.lock();
        let all: usize = pieces.iter().map(|piece| piece.len()).sum();
        // What is left of an earlier write would not be here if the socket took more.
        let is_free = state.is_listed || state.written == state.bytes.len();
        let fits = state.bytes.len() + all <= SMALL || state.is_kept;
        if state.failed.is_none() && is_free && fits {
            pieces.iter().for_each(|piece| state.bytes.extend_from_slice(piece));
            // The last who wrote sees to the rest.
            match &mut state.task {
                Some(task) => task.clone_from(cx.waker()),
                None => state.task = Some(cx.waker().clone()),
            }
            if !state.is_listed {
                state.is_listed = true;
                drop(state);
                match list(&self.write) {
                    1 => WRITER.with_borrow(|writer| writer.iter().for_each(Waker::wake_by_ref)),
                    n if n >= MOST => flush(),
                    _ => {}
                }
            }
            return Poll::Ready(Ok(all));
        }
        ready!(state.poll_empty(cx))?;
        tokio::io::AsyncWrite::poll_write_vectored(Pin::new(state.socket()?), cx, pieces)
    }
}

/// Puts it into the list; returns how many are in it.
fn list(waiting: &Arc<Waiting>) -> usize {
    LISTED.with_borrow_mut(|listed| {
        listed.push(waiting.clone());
        listed.len()
    })
}

#[cfg(test)]
mod tests;

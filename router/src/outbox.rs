//! Small writes wait until the thread has nothing else to do, and then all go out.
//!
//! Whoever waits for one of them is woken by it, which costs as much as the write. Where many go out one after another, a
//! pod or a client that gets several is woken once; it would be asleep again if something else were done in between.

use std::cell::RefCell;
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
/// So many connections wait: the first must not wait long for the last.
const MOST: usize = 16;

/// A socket whose small writes wait; see [`flush`].
pub struct Outbox {
    read: TokioIo<OwnedReadHalf>,
    write: Arc<Waiting>,
}

/// What waits to be written.
struct Waiting(Mutex<State>);

struct State {
    socket: OwnedWriteHalf,
    bytes: Vec<u8>,
    /// Told when the socket takes no more for now, or has failed.
    task: Option<Waker>,
    /// It stands in the thread's list.
    is_listed: bool,
    failed: Option<ErrorKind>,
}

thread_local! {
    static LISTED: RefCell<Vec<Arc<Waiting>>> = const { RefCell::new(Vec::new()) };
}

/// Writes what waits on this thread. To be called whenever the thread is about to sleep.
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
        if self.bytes.is_empty() {
            return 0;
        }
        match self.socket.try_write(&self.bytes) {
            Ok(n) if n == self.bytes.len() => self.bytes.clear(),
            Ok(n) => drop(self.bytes.drain(..n)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => {
                self.failed = Some(error.kind());
                self.bytes.clear();
                return 1;
            }
        }
        self.bytes.len()
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
                ready!(self.socket.as_ref().poll_write_ready(cx))?;
            }
        }
    }
}

impl Outbox {
    /// Of this socket.
    pub fn new(socket: TcpStream) -> Self {
        let (read, socket) = socket.into_split();
        let state = State { socket, bytes: Vec::new(), task: None, is_listed: false, failed: None };
        Self { read: TokioIo::new(read), write: Arc::new(Waiting(Mutex::new(state))) }
    }

    /// The socket, and what has not been written to it yet.
    ///
    /// # Errors
    /// When a write has failed.
    pub fn into_inner(self) -> Result<(TcpStream, Vec<u8>)> {
        LISTED.with_borrow_mut(|listed| listed.retain(|waiting| !Arc::ptr_eq(waiting, &self.write)));
        let state = Arc::into_inner(self.write).ok_or(ErrorKind::ResourceBusy)?;
        let state = state.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(kind) = state.failed {
            return Err(kind.into());
        }
        let whole = self.read.into_inner().reunite(state.socket).map_err(|_| ErrorKind::InvalidInput)?;
        Ok((whole, state.bytes))
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
        tokio::io::AsyncWrite::poll_shutdown(Pin::new(&mut state.socket), cx)
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
        let is_free = state.is_listed || state.bytes.is_empty();
        if state.failed.is_none() && is_free && state.bytes.len() + all <= SMALL {
            pieces.iter().for_each(|piece| state.bytes.extend_from_slice(piece));
            if !state.is_listed {
                state.is_listed = true;
                match &mut state.task {
                    Some(task) => task.clone_from(cx.waker()),
                    None => state.task = Some(cx.waker().clone()),
                }
                drop(state);
                if list(&self.write) >= MOST {
                    flush();
                }
            }
            return Poll::Ready(Ok(all));
        }
        ready!(state.poll_empty(cx))?;
        tokio::io::AsyncWrite::poll_write_vectored(Pin::new(&mut state.socket), cx, pieces)
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
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (Outbox, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Outbox::new(ours), listener.accept().await.unwrap().0)
    }

    async fn write(outbox: &mut Outbox, pieces: &[&[u8]]) -> usize {
        let pieces: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        poll_fn(|cx| Pin::new(&mut *outbox).poll_write_vectored(cx, &pieces)).await.unwrap()
    }

    #[tokio::test]
    async fn small_writes_go_out_together_and_before_a_large_one() {
        let (mut outbox, mut other) = pair().await;
        assert_eq!(write(&mut outbox, &[b"head", b"", b"body"]).await, 8);
        assert_eq!(write(&mut outbox, &[b", more"]).await, 6);
        let mut seen = [0; 64];
        let early = tokio::time::timeout(Duration::from_millis(20), other.read(&mut seen)).await;
        assert!(early.is_err(), "it waits");
        flush();
        assert_eq!(other.read(&mut seen).await.unwrap(), 14);
        assert_eq!(&seen[..14], b"headbody, more");
        let large = vec![b'x'; SMALL + 1];
        write(&mut outbox, &[b"first "]).await;
        assert!(write(&mut outbox, &[&large]).await > 0);
        assert!(other.read(&mut seen).await.unwrap() > 6);
        assert!(seen.starts_with(b"first x"));
    }

    #[tokio::test]
    async fn whoever_does_not_read_is_waited_for_and_gets_all_of_it_in_order() {
        let (mut outbox, mut other) = pair().await;
        let (mut sent, piece) = (0u32, [7; 4096]);
        // Until the kernel takes no more: then a flush is not at its end.
        let is_flushed = loop {
            let mut marked = piece;
            marked[..4].copy_from_slice(&sent.to_be_bytes());
            let written = write(&mut outbox, &[&marked]).await;
            assert_eq!(written, piece.len());
            sent += 1;
            flush();
            let flushed = poll_fn(|cx| Poll::Ready(Pin::new(&mut outbox).poll_flush(cx))).await;
            if flushed.is_pending() {
                break flushed;
            }
        };
        assert!(is_flushed.is_pending());
        let reads = tokio::spawn(async move {
            let mut all = Vec::new();
            other.read_to_end(&mut all).await.map(|_| all)
        });
        poll_fn(|cx| Pin::new(&mut outbox).poll_flush(cx)).await.unwrap();
        drop(outbox);
        let all = reads.await.unwrap().unwrap();
        assert_eq!(all.len(), sent as usize * piece.len());
        for (n, piece) in all.chunks(piece.len()).enumerate() {
            assert_eq!(piece[..4], u32::try_from(n).unwrap().to_be_bytes());
        }
    }

    #[tokio::test]
    async fn what_waits_goes_out_also_when_the_connection_is_dropped_and_is_handed_on_when_it_is_taken() {
        let (mut outbox, mut other) = pair().await;
        write(&mut outbox, &[b"last words"]).await;
        drop(outbox);
        flush();
        let mut all = Vec::new();
        other.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"last words");
        let (mut outbox, _other) = pair().await;
        write(&mut outbox, &[b"not yet"]).await;
        assert_eq!(outbox.into_inner().unwrap().1, b"not yet");
        flush();
    }

    #[tokio::test]
    async fn a_write_that_fails_is_told_of() {
        let (mut outbox, other) = pair().await;
        drop(other);
        loop {
            let written = poll_fn(|cx| Pin::new(&mut outbox).poll_write(cx, b"x")).await;
            flush();
            if written.is_err() {
                break;
            }
        }
        assert!(poll_fn(|cx| Pin::new(&mut outbox).poll_flush(cx)).await.is_err());
    }
}

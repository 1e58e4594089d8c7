//! Memory for wide rows: a socket in, the same socket out, without the wide rows. The client library receives a row before
//! it hands it over, in a buffer of up to twice its size that outlives it. So a wide row is taken out of the stream here,
//! as soon as no other session of the copy holds one, and an empty row stands in its place.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// A row above this many bytes is wide: only one is in memory at a time.
const WIDE: usize = 8 << 20;

/// Bytes of a message's tag and length.
const HEAD: usize = 5;

/// The empty row that stands for a wide one. Postgres sends none: a text row ends with a line feed, a binary one has a count.
const STAND_IN: [u8; HEAD] = [b'd', 0, 0, 0, 4];

/// The right to hold a wide row, of which the sessions of a copy share one.
pub(crate) type Lane = Arc<Semaphore>;

/// A session's share in the lane: the wide row that it has received and nobody has taken yet.
#[derive(Default)]
pub(crate) struct Pass {
    lane: Option<Lane>,
    parked: Mutex<Option<Bytes>>,
}

impl Pass {
    pub(super) fn new(lane: Option<Lane>) -> Self {
        Self { lane, parked: Mutex::default() }
    }

    fn park(&self, row: BytesMut, permit: Option<OwnedSemaphorePermit>) {
        if let Ok(mut parked) = self.parked.lock() {
            *parked = Some(Bytes::from_owner(Wide { row, _permit: permit }));
        }
    }

    /// The row that a message of COPY stands for. The next wide row is received when the last part of this one is gone.
    pub(crate) fn row(&self, message: Bytes) -> Bytes {
        if !message.is_empty() {
            return message;
        }
        self.parked.lock().ok().and_then(|mut parked| parked.take()).unwrap_or(message)
    }
}

/// A wide row and its right to be there.
struct Wide {
    row: BytesMut,
    _permit: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Wide {
    fn as_ref(&self) -> &[u8] {
        &self.row
    }
}

type Permit = Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>;

/// Where in the server's messages the stream is.
enum At {
    /// Before the first byte.
    Start,
    /// TLS follows, or nobody counts: nothing can be seen.
    Blind,
    /// At a message's head, of which so many bytes are known and were not handed on.
    Head([u8; HEAD], usize),
    /// So many bytes of a message are still to come.
    Body(usize),
    /// Before a wide row of so many bytes, the first of which came along.
    Waiting(Permit, Vec<u8>, usize),
    /// Within a wide row: so many bytes are still to come.
    Parking(Option<OwnedSemaphorePermit>, BytesMut, usize),
    /// Bytes of a head that are to be handed on, and what follows it.
    Out([u8; HEAD], usize, usize),
}

/// Bytes of the body that follows this head, and whether it is a wide row's.
fn body(head: [u8; HEAD]) -> (usize, bool) {
    let [tag, length @ ..] = head;
    let body = (u32::from_be_bytes(length) as usize).saturating_sub(4);
    (body, tag == b'd' && body > WIDE)
}

const fn after(body: usize) -> At {
    if body == 0 { At::Head([0; HEAD], 0) } else { At::Body(body) }
}

/// A stream that takes wide rows out.
pub(super) struct Gate<S> {
    inner: S,
    pass: Arc<Pass>,
    at: At,
}

impl<S> Gate<S> {
    pub(super) fn new(inner: S, pass: Arc<Pass>) -> Self {
        let at = if pass.lane.is_some() { At::Start } else { At::Blind };
        Self { inner, pass, at }
    }

    fn wait(&self, early: &[u8], body: usize) -> At {
        let lane = self.pass.lane.clone();
        let permit = async move { lane?.acquire_owned().await.ok() };
        At::Waiting(Box::pin(permit), early.to_vec(), body)
    }

    /// Walks over new bytes; says how many of them go on. What does not is a part of a head, or a wide row.
    fn walk(&mut self, new: &[u8]) -> usize {
        let mut at = 0;
        while let Some(rest) = new.get(at..).filter(|rest| !rest.is_empty()) {
            match self.at {
                At::Start => {
                    // A server begins with a message about authentication (R), protocol (v) or an error (E). Asked for
                    // TLS, it answers with one byte: N for no; after any other byte the stream is not plain.
                    let first = rest.first().copied().unwrap_or_default();
                    at += usize::from(first == b'N');
                    let plain = matches!(first, b'N' | b'R' | b'v' | b'E');
                    self.at = if plain { At::Head([0; HEAD], 0) } else { At::Blind };
                }
                At::Body(left) => {
                    let here = rest.len().min(left);
                    at += here;
                    self.at = after(left - here);
                }
                At::Head(..) => {
                    let Some(head) = rest.first_chunk::<HEAD>() else {
                        let mut head = [0; HEAD];
                        head.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                        self.at = At::Head(head, rest.len());
                        return at;
                    };
                    let (length, wide) = body(*head);
                    let early = rest.get(HEAD..).unwrap_or_default();
                    // What came whole needs no more memory than it has.
                    if wide && early.len() < length {
                        self.at = self.wait(early, length);
                        return at;
                    }
                    at += HEAD;
                    self.at = after(length);
                }
                _ => return new.len(),
            }
        }
        at
    }
}

impl<S: AsyncRead + Unpin> Gate<S> {
    /// Reads as much as there is. `Ready(true)` if something was handed on or the stream has ended.
    fn bulk(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<bool>> {
        let before = buf.filled().len();
        if let At::Head(head, known) = self.at {
            if buf.remaining() <= known {
                return self.complete(cx);
            }
            buf.put_slice(head.get(..known).unwrap_or_default());
        }
        let start = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        let ended = buf.filled().len() == start;
        if !matches!(read, Poll::Ready(Ok(()))) {
            // The known part of a head stays here.
            buf.set_filled(before);
            return read.map_ok(|()| false);
        }
        if ended {
            return Poll::Ready(Ok(true));
        }
        let on = self.walk(buf.filled().get(before..).unwrap_or_default());
        buf.set_filled(before + on);
        Poll::Ready(Ok(on > 0))
    }

    /// Reads the rest of a head on its own, where the reader has too little room for it.
    fn complete(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<bool>> {
        let At::Head(mut head, known) = self.at else { return Poll::Ready(Ok(false)) };
        let mut rest = ReadBuf::new(head.get_mut(known..).unwrap_or_default());
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut rest))?;
        let more = rest.filled().len();
        self.at = At::Head(head, known + more);
        if known + more == HEAD {
            let (length, wide) = body(head);
            self.at = if wide { self.wait(&[], length) } else { At::Out(head, 0, length) };
        }
        Poll::Ready(Ok(more == 0))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gate<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = &mut *self;
        loop {
            match &mut this.at {
                At::Blind => return Pin::new(&mut this.inner).poll_read(cx, buf),
                At::Waiting(permit, early, body) => {
                    let permit = ready!(permit.as_mut().poll(cx));
                    let mut row = BytesMut::with_capacity(*body);
                    row.extend_from_slice(early);
                    let left = *body - early.len();
                    this.at = At::Parking(permit, row, left);
                }
                At::Parking(permit, row, 0) => {
                    let row = std::mem::take(row);
                    this.pass.park(row, permit.take());
                    this.at = At::Out(STAND_IN, 0, 0);
                }
                At::Parking(_, row, left) => {
                    let mut limited = (&mut this.inner).take(*left as u64);
                    let read = ready!(pin!(limited.read_buf(row)).poll(cx))?;
                    if read == 0 {
                        return Poll::Ready(Err(std::io::ErrorKind::UnexpectedEof.into()));
                    }
                    *left -= read;
                }
                At::Out(head, sent, body) => {
                    let part = head.get(*sent..).unwrap_or_default();
                    let part = part.get(..buf.remaining()).unwrap_or(part);
                    buf.put_slice(part);
                    *sent += part.len();
                    if *sent == HEAD {
                        this.at = after(*body);
                    }
                    return Poll::Ready(Ok(()));
                }
                At::Start | At::Head(..) | At::Body(_) => {
                    if ready!(this.bulk(cx, buf))? {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gate<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Gate<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.inner.channel_binding()
    }
}

/// TLS whose plain side passes a gate.
pub(super) struct GatedTls<T> {
    pub(super) inner: T,
    pub(super) pass: Arc<Pass>,
}

impl<S, T> TlsConnect<S> for GatedTls<T>
where
    T: TlsConnect<S>,
    T::Stream: Unpin,
    T::Future: Send + 'static,
{
    type Stream = Gate<T::Stream>;
    type Error = T::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, Self::Error>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let (connecting, pass) = (self.inner.connect(stream), self.pass);
        Box::pin(async move { Ok(Gate::new(connecting.await?, pass)) })
    }
}

#[cfg(test)]
mod tests;

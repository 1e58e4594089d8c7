//! Small pieces are written together: most answers are a header and a few bytes of body, and most requests a header alone.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};

/// So many bytes are rather copied once more than given to the kernel as several pieces, which costs it more.
const SMALL: usize = 1024;

/// A socket to which small pieces are written as one.
pub struct Together<I>(I);

impl<I> Together<I> {
    /// This socket.
    pub fn new(io: I) -> Self {
        Self(io)
    }

    /// The socket.
    pub fn into_inner(self) -> I {
        self.0
    }
}

impl<I: Read + Unpin> Read for Together<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<I: Write + Unpin> Write for Together<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let io = Pin::new(&mut self.0);
        if let [one] = pieces {
            return io.poll_write(cx, one);
        }
        if pieces.iter().map(|piece| piece.len()).sum::<usize>() > SMALL {
            return io.poll_write_vectored(cx, pieces);
        }
        let (mut all, mut length) = ([0; SMALL], 0);
        for piece in pieces {
            all[length..length + piece.len()].copy_from_slice(piece);
            length += piece.len();
        }
        io.poll_write(cx, &all[..length])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notes what is written, and in how many pieces.
    #[derive(Default)]
    struct Notes(Vec<(usize, Vec<u8>)>);

    impl Write for Notes {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
            self.0.push((1, buf.to_vec()));
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            pieces: &[IoSlice<'_>],
        ) -> Poll<Result<usize>> {
            let all: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
            let length = all.len();
            self.0.push((pieces.len(), all));
            Poll::Ready(Ok(length))
        }
    }

    #[test]
    fn small_pieces_are_one_and_large_ones_are_not_copied() {
        let mut io = Together::new(Notes::default());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let large = [7; SMALL];
        for pieces in [&[&b"head"[..]][..], &[b"head", b"", b"body"], &[b"h", &large]] {
            let slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
            let all: usize = pieces.iter().map(|piece| piece.len()).sum();
            assert!(
                matches!(Pin::new(&mut io).poll_write_vectored(&mut cx, &slices), Poll::Ready(Ok(n)) if n == all)
            );
        }
        let notes = io.into_inner().0;
        assert_eq!(
            notes.iter().map(|(pieces, all)| (*pieces, all.len())).collect::<Vec<_>>(),
            [(1, 4), (1, 8), (2, SMALL + 1)]
        );
        assert_eq!(notes[1].1, b"headbody");
    }
}

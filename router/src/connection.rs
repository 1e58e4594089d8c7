//! One connection of a client: which protocol it speaks, and its requests one after another or side by side.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::body::Body;
use crate::clock::Clock;
use crate::flow::{Reads, Stream};
use crate::outbox::Outbox;
use crate::peer::Peer;
use crate::serve::{Common, Patience, Speaks};
use crate::worker::Worker;
use crate::{exchange, proxy_protocol};

/// The largest header.
const HEADER_BYTES: usize = 64 * 1024;
/// Requests at a time in one connection of HTTP/2.
const STREAMS: u32 = 100;
/// What is held of an answer that a client of HTTP/2 has no window for.
const SEND_BUFFER: usize = 32 * 1024;

/// Serves a connection from this address until it ends.
pub async fn connection(
    worker: Rc<Worker>,
    mut address: IpAddr,
    mut stream: TcpStream,
    speaks: Speaks,
    common: &Common,
) {
    let patience = common.patience;
    if common.proxy_protocol {
        let is_trusted = common.trusted.iter().any(|net| net.contains(&address.to_canonical()));
        let client = tokio::time::timeout(patience.handshake, proxy_protocol::client(&mut stream, address));
        let Some(client) = (if is_trusted { client.await.ok().flatten() } else { None }) else { return };
        address = client;
    }
    let proto = if matches!(speaks, Speaks::Tls(..)) { "https" } else { "http" };
    let mut peer = Peer::new(address, proto, &common.trusted);
    match speaks {
        Speaks::Clear { h2c: true } if begins_with_http2(&stream, patience.header).await => {
            http2(worker, Rc::new(peer), Reads::new(TokioIo::new(stream), patience.reading), patience).await;
        }
        Speaks::Clear { .. } => {
            http1(worker, peer, Reads::new(Outbox::new(stream), patience.reading), patience).await;
        }
        Speaks::Tls(acceptor, shelf) => {
            let Ok(Ok(stream)) = tokio::time::timeout(patience.handshake, acceptor.accept(stream)).await
            else {
                return;
            };
            let (_, tls) = stream.get_ref();
            let name = tls.server_name().unwrap_or_default().to_ascii_lowercase();
            let is_http2 = tls.alpn_protocol() == Some(b"h2");
            peer.made_for = Some((name, shelf));
            let stream = Reads::new(TokioIo::new(stream), patience.reading);
            if is_http2 {
                http2(worker, Rc::new(peer), stream, patience).await;
            } else {
                http1(worker, peer, stream, patience).await;
            }
        }
    }
}

/// Whether a client begins with the words of HTTP/2 (RFC 9113 §3.4). It has as long as for a header.
async fn begins_with_http2(stream: &TcpStream, within: Duration) -> bool {
    const WORDS: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let look = async {
        let (mut seen, mut pause) = ([0; WORDS.len()], Duration::from_millis(1));
        loop {
            match stream.peek(&mut seen).await {
                // A part of it: the kernel tells of more bytes only to those who read.
                Ok(n @ 1..) if n < seen.len() && WORDS.starts_with(&seen[..n]) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_millis(100));
                }
                Ok(n) => return n == seen.len() && seen == WORDS,
                Err(_) => return false,
            }
        }
    };
    tokio::time::timeout(within, look).await.unwrap_or(false)
}

/// Answers the requests of a connection.
fn requests(
    worker: Rc<Worker>,
    peer: Rc<Peer>,
) -> impl Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: 'static> {
    // In a box of its own: the library moves what it gets, and keeps room for it while the connection is idle.
    service_fn(move |request| Box::pin(exchange::serve(worker.clone(), peer.clone(), request)))
}

async fn http1<I>(worker: Rc<Worker>, mut peer: Peer, io: I, patience: Patience)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (clock, stop) = (Clock::begin(), worker.stops.told());
    peer.clock = Some(clock.clone());
    let peer = Rc::new(peer);
    // The library's own limit of 100 header fields: a larger one would cost an allocation per header. It has no timer: its
    // own would be a new one for every header.
    let connection = http1::Builder::new()
        .max_buf_size(HEADER_BYTES)
        .serve_connection(io, requests(worker, peer.clone()))
        .with_upgrades();
    tokio::pin!(connection);
    // What a client does wrong is told to it, and is no news to anybody else.
    let served =
        |cx: &mut Context<'_>, connection: Pin<&mut http1::UpgradeableConnection<I, _>>| match connection
            .poll(cx)
        {
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => match peer.streams.none_since() {
                Some(since) => clock.poll(cx, since + patience.header),
                None => Poll::Pending,
            },
        };
    tokio::select! {
        biased;
        () = poll_fn(|cx| served(cx, connection.as_mut())) => return clock.rest(),
        () = stop => {}
    }
    connection.as_mut().graceful_shutdown();
    poll_fn(|cx| served(cx, connection.as_mut())).await;
    clock.rest();
}

async fn http2<I>(worker: Rc<Worker>, peer: Rc<Peer>, io: I, patience: Patience)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
{
    let stop = worker.stops.told();
    // Streams that are reset before they are seen here are bounded by h2 itself (max_pending_accept_reset_streams).
    let connection = http2::Builder::new(Streams { reading: patience.reading })
        .timer(TokioTimer::new())
        .keep_alive_interval(patience.header)
        .keep_alive_timeout(patience.header)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(64 * 1024)
        .max_send_buf_size(SEND_BUFFER)
        .enable_connect_protocol()
        .serve_connection(io, requests(worker, peer.clone()));
    tokio::pin!(connection);
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = stop => {}
        () = peer.streams.idle(patience.idle) => {}
        () = peer.streams.abused() => return,
    }
    connection.as_mut().graceful_shutdown();
    // It has time to answer; after that what is left is what the client does not take. Answers under way are not idle.
    let unread = async {
        tokio::time::sleep(patience.reading).await;
        peer.streams.idle(patience.reading).await;
    };
    tokio::select! {
        biased;
        _ = connection => {}
        () = unread => {}
        () = peer.streams.abused() => {}
    }
}

/// Runs the streams of a client on the thread that has its connection.
#[derive(Clone, Copy)]
struct Streams {
    /// A client has so long to take a piece of an answer.
    reading: Duration,
}

impl<F: Future + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, stream: F) {
        tokio::task::spawn_local(Stream::new(stream, self.reading));
    }
}

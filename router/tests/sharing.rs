//! Connections of HTTP/2 to pods are shared, and a share is held as long as its request.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use http::{Method, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use router::code::Code;
use support::{Router, route, until};

type Answer = Result<Response<BoxBody<Bytes, Infallible>>, std::io::Error>;

/// A pod that answers so, and how many connections it was given.
async fn pod<F, A>(answer: F) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, connections) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Relaxed);
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .enable_connect_protocol()
                .max_concurrent_streams(100)
                .serve_connection(TokioIo::new(stream), service_fn(answer.clone()));
            tokio::spawn(connection);
        }
    });
    (address, connections)
}

/// Opens WebSockets, answers everything else; its handler of /panic breaks off.
async fn sockets(mut request: Request<Incoming>) -> Answer {
    if request.method() == Method::CONNECT {
        let upgraded = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded.await.unwrap()));
            let _ = tokio::io::copy(&mut read, &mut write).await;
        });
        return Ok(Response::new(Empty::new().boxed()));
    }
    if request.uri().path() == "/panic" {
        return Err(std::io::Error::other("the handler panics"));
    }
    Ok(Response::new(Full::from("ok").boxed()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn websockets_take_their_share_and_others_get_another_connection() {
    let (pod, connections) = pod(sockets).await;
    let router = Router::new(&route("a", pod, ", protocol: h2c"));
    let ask = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    tokio::task::block_in_place(|| {
        let mut open = Vec::new();
        for i in 0..103 {
            let mut stream = router.connect();
            stream.write_all(ask.as_bytes()).unwrap();
            let head = support::head(&mut stream).unwrap_or_default();
            assert!(head.starts_with("HTTP/1.1 101"), "WebSocket {i}: {head}");
            open.push(stream);
        }
        assert_eq!(router.get("a", "/").body(), "ok");
        assert_eq!(connections.load(Relaxed), 2);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_wait_for_one_connection_and_a_handler_that_breaks_off_costs_none() {
    let (pod, connections) = pod(sockets).await;
    let router = Router::new(&route("a", pod, ", protocol: h2c"));
    let stream = tokio::net::TcpStream::connect(router.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let ask = || Request::get("http://a/").body(Empty::<Bytes>::new()).unwrap();
    let asked: Vec<_> = (0..90).map(|_| sender.send_request(ask())).collect();
    let answers = futures::future::join_all(asked).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status() == 200)));
    tokio::task::block_in_place(|| {
        assert!((0..20).all(|_| router.get("a", "/panic").code() == "H13"));
        assert_eq!(connections.load(Relaxed), 1);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_websocket_is_an_ordinary_request_and_says_nothing_about_the_pod() {
    let (pod, _) = pod(sockets).await;
    let router = Router::new(&route("a", pod, ", protocol: h2c"));
    let ask = "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello";
    tokio::task::block_in_place(|| {
        assert!((0..6).all(|_| router.send(ask).body() == "ok"));
    });
    let table = router.tables.load();
    assert!(!table.routes()[0].backends[0][0].is_away(std::time::Instant::now()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_whole_by_its_length_is_whole_before_the_stream_ends() {
    let (pod, _) = pod(|_| async {
        let pieces = futures::stream::iter([Some("hello"), None]).then(|piece| async move {
            if piece.is_none() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok(Frame::data(Bytes::from(piece.unwrap_or_default())))
        });
        let body = BodyExt::boxed(StreamBody::new(pieces));
        Ok(Response::builder().header("content-length", 5).body(body).unwrap())
    })
    .await;
    let router = Router::new(&route("a", pod, ", protocol: h2c"));
    tokio::task::block_in_place(|| {
        assert!((0..5).all(|_| router.get("a", "/").body() == "hello"));
        until("all are over", || router.in_flight("a") == 0);
        assert_eq!(router.counted("a", Code::H27), 0);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_only_listens_is_not_silent() {
    let (pod, _) = pod(|request: Request<Incoming>| async move {
        tokio::spawn(request.into_body().collect());
        let ticks = futures::stream::iter(0..10).then(|_| async {
            tokio::time::sleep(Duration::from_millis(250)).await;
            Ok(Frame::data(Bytes::from("tick ")))
        });
        Ok(Response::new(BodyExt::boxed(StreamBody::new(ticks))))
    })
    .await;
    let router = Router::new(&route("a", pod, ", protocol: h2c, limits: {idle: 1s}"));
    let mut stream = router.connect();
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        .unwrap();
    let heard = tokio::task::block_in_place(|| {
        let (mut heard, mut bytes) = (String::new(), [0; 4096]);
        while !heard.ends_with("0\r\n\r\n") {
            let n = stream.read(&mut bytes).unwrap();
            assert!(n > 0, "broken off after {heard}");
            heard.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
        }
        heard
    });
    assert_eq!(heard.matches("tick ").count(), 10, "{heard}");
}

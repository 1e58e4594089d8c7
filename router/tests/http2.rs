//! HTTP/2 to the client, to the pod, and to both: gRPC with its trailers, WebSockets by extended CONNECT.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::ext::Protocol;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use router::code::Code;
use support::{Router, route, until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

type Body = BoxBody<Bytes, Infallible>;

/// A pod that speaks HTTP/2 alone: echoes bodies with a trailer as gRPC does, echoes WebSockets, tells what it saw.
async fn pod() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .enable_connect_protocol()
                .serve_connection(TokioIo::new(stream), service_fn(answer));
            tokio::spawn(connection);
        }
    });
    address
}

async fn answer(mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    if request.method() == Method::CONNECT {
        let upgraded = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded.await.unwrap()));
            let _ = tokio::io::copy(&mut read, &mut write).await;
        });
        return Ok(Response::new(Empty::new().boxed()));
    }
    if request.method() == Method::HEAD {
        return Ok(Response::builder().header("content-length", 5).body(Empty::new().boxed()).unwrap());
    }
    let seen = format!(
        "{} {} te={:?}",
        request.version().eq(&Version::HTTP_2),
        request.uri(),
        request.headers().get("te")
    );
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
    let frames = [Ok(Frame::data(body)), Ok(Frame::trailers(trailers))];
    let mut response = Response::new(StreamBody::new(futures::stream::iter(frames)).boxed());
    response.headers_mut().insert("x-seen", seen.parse().unwrap());
    Ok(response)
}

async fn connect<B>(router: &Router) -> SendRequest<B>
where
    B: hyper::body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = TcpStream::connect(router.address).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn call(host: &str, body: &'static str) -> Request<Full<Bytes>> {
    Request::post(format!("http://{host}/shop.Cart/Add"))
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .body(Full::from(body))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grpc_reaches_its_pod_and_its_trailers_come_back() {
    let router = Router::new(&route("shop", pod().await, ", protocol: h2c"));
    let mut sender = connect(&router).await;
    let calls = (0..300).map(|_| sender.send_request(call("shop", "hello")));
    let answers = futures::future::join_all(calls.collect::<Vec<_>>()).await;
    assert_eq!(answers.len(), 300);
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(answer.headers()["x-seen"], "true http://shop/shop.Cart/Add te=Some(\"trailers\")");
        let collected = answer.into_body().collect().await.unwrap();
        assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(collected.to_bytes(), "hello");
    }
    tokio::task::block_in_place(|| until("nothing is under way", || router.in_flight("shop") == 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_to_head_has_a_length_and_is_whole_without_a_body() {
    let router = Router::new(&route("shop", pod().await, ", protocol: h2c"));
    tokio::task::block_in_place(|| {
        let answer = router.send("HEAD / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n");
        assert_eq!(answer.header("content-length"), Some("5"), "{answer:?}");
        until("it is counted", || router.in_flight("shop") == 0);
        assert_eq!(router.counted("shop", Code::H27), 0);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_http1_reaches_a_pod_of_http2() {
    let router = Router::new(&route("shop", pod().await, ", protocol: h2c"));
    let answer = tokio::task::block_in_place(|| {
        router.send("POST /x HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
    });
    assert_eq!((answer.status(), answer.header("x-seen")), (200, Some("true http://shop/x te=None")));
    assert!(answer.body().contains("hello"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_of_http2_that_is_gone_has_its_code() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = listener.local_addr().unwrap();
    let router = Router::new(&route("shop", gone, ", protocol: h2c"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    let answer = tokio::task::block_in_place(|| router.get("shop", "/"));
    assert_eq!(answer.code(), "H13", "{answer:?}");
}

/// Opens a WebSocket over HTTP/2 and has a word come back.
async fn echoed(router: &Router) {
    let mut sender = connect::<Empty<Bytes>>(router).await;
    let mut ask = Request::builder().method(Method::CONNECT).uri("http://shop/ws").version(Version::HTTP_2);
    ask = ask.header("sec-websocket-version", "13").extension(Protocol::from_static("websocket"));
    // The router's settings come with its first bytes.
    let mut answer = None;
    for _ in 0..200 {
        let asked = sender.send_request(ask_again(&ask)).await;
        match asked {
            Ok(found) => {
                answer = Some(found);
                break;
            }
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
        }
    }
    let answer = answer.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(
        !answer.headers().contains_key("sec-websocket-accept") && !answer.headers().contains_key("upgrade")
    );
    let mut socket = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
    socket.write_all(b"hello").await.unwrap();
    let mut heard = [0; 5];
    socket.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");
    tokio::task::block_in_place(|| until("it is a stream", || router.streams("shop") == 1));
    drop((socket, sender));
    tokio::task::block_in_place(|| until("its end", || router.streams("shop") == 0));
}

fn ask_again(ask: &http::request::Builder) -> Request<Empty<Bytes>> {
    let (uri, headers) = (ask.uri_ref().unwrap().clone(), ask.headers_ref().unwrap().clone());
    let mut request = Request::new(Empty::new());
    *request.method_mut() = Method::CONNECT;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request.extensions_mut().insert(Protocol::from_static("websocket"));
    request
}

/// A pod that opens WebSockets as HTTP/1.1 does, and wants a key.
fn plain() -> SocketAddr {
    use std::io::{Read as _, Write as _};
    support::pod(|mut stream| {
        let head = support::head(&mut stream).unwrap().to_lowercase();
        let key =
            head.split("sec-websocket-key: ").nth(1).and_then(|rest| rest.lines().next()).unwrap_or_default();
        assert!(head.starts_with("get /ws http/1.1") && key.len() == 24, "{head}");
        let _ = stream.write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
        );
        let mut bytes = [0; 4096];
        while let Ok(n @ 1..) = stream.read(&mut bytes) {
            let _ = stream.write_all(&bytes[..n]);
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_over_http2_reaches_pods_of_both_kinds() {
    echoed(&Router::new(&route("shop", plain(), ""))).await;
    echoed(&Router::new(&route("shop", pod().await, ", protocol: h2c"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_of_http1_reaches_a_pod_of_http2() {
    let router = Router::new(&route("shop", pod().await, ", protocol: h2c"));
    let mut stream = TcpStream::connect(router.address).await.unwrap();
    let ask = "GET /ws HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
               Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        heard.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(heard).unwrap().to_lowercase();
    assert!(
        head.starts_with("http/1.1 101")
            && head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="),
        "{head}"
    );
    stream.write_all(b"hello").await.unwrap();
    let mut word = [0; 5];
    stream.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"hello");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_open_a_websocket_does_not_look_open() {
    let router = Router::new(&route("shop", support::echo("no"), ""));
    let mut sender = connect::<Empty<Bytes>>(&router).await;
    let ask = Request::builder().uri("http://shop/ws");
    let mut status = None;
    for _ in 0..200 {
        match sender.send_request(ask_again(&ask)).await {
            Ok(answer) => {
                status = Some(answer.status());
                break;
            }
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
        }
    }
    assert_eq!(status, Some(StatusCode::BAD_GATEWAY));
    assert_eq!(router.counted("shop", Code::H25), 1);
}

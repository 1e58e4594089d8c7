//! Clients that are slow, silent, gone or hostile cost a bounded amount, and are told of.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use router::code::Code;
use router::serve::{Common, Speaks};
use support::{Answer, Router, echo, head, pod, reply, route, until};

fn patient(routes: &str, set: impl FnOnce(&mut Common)) -> Router {
    Router::with(routes, &[], Speaks::Clear { h2c: true }, set)
}

/// A pod that answers with a body that goes on until nobody takes it.
fn endless() -> std::net::SocketAddr {
    pod(|mut stream| {
        if head(&mut stream).is_some() {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n");
            while stream.write_all(&[b'x'; 8_192]).is_ok() {}
        }
    })
}

async fn http2(router: &Router) -> SendRequest<Full<Bytes>> {
    let stream = tokio::net::TcpStream::connect(router.address).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn ask(host: &str) -> Request<Full<Bytes>> {
    Request::get(format!("http://{host}/")).body(Full::default()).unwrap()
}

#[test]
fn a_client_that_does_not_read_is_ended() {
    let router = patient(&route("a", endless(), ""), |common| {
        common.patience.reading = Duration::from_millis(300);
    });
    let mut stream = router.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    until("H27 is counted", || router.counted("a", Code::H27) == 1);
    until("the pod is free", || router.in_flight("a") == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_http2_that_nobody_reads_is_ended_alone() {
    let router = patient(&(route("a", endless(), "") + &route("b", echo("b"), "")), |common| {
        common.patience.reading = Duration::from_millis(300);
    });
    let mut sender = http2(&router).await;
    let unread = sender.send_request(ask("a")).await.unwrap();
    tokio::task::block_in_place(|| until("H27 is counted", || router.counted("a", Code::H27) == 1));
    let other = sender.send_request(ask("b")).await.unwrap();
    assert!(other.into_body().collect().await.is_ok(), "the connection goes on");
    assert!(unread.into_body().collect().await.is_err(), "a body that was cut does not look whole");
}

#[test]
fn a_body_that_trickles_is_told() {
    let reads = pod(|mut stream| {
        head(&mut stream);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let router = Router::new(&route("a", reads, ", limits: {idle: 400ms}"));
    let mut stream = router.connect();
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut writer = stream.try_clone().unwrap();
    std::thread::spawn(move || {
        while writer.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    assert_eq!(Answer::read(stream).code(), "H28");
}

#[test]
fn a_stream_without_a_length_may_be_slow() {
    let counts = pod(|mut stream| {
        head(&mut stream);
        let mut seen = String::new();
        while !seen.ends_with("0\r\n\r\n") {
            let mut bytes = [0; 64];
            let n = stream.read(&mut bytes).unwrap();
            seen.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
        }
        reply(&mut stream, "all of it");
    });
    let router = Router::new(&route("a", counts, ", limits: {idle: 400ms}"));
    let mut stream = router.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        .unwrap();
    for _ in 0..8 {
        stream.write_all(b"1\r\nx\r\n").unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(Answer::read(stream).body(), "all of it", "a GET may have a body, too");
}

#[test]
fn a_client_that_leaves_is_counted_and_its_work_too() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let (has_it, got) = std::sync::mpsc::channel::<()>();
    let slow = pod(move |mut stream| {
        head(&mut stream);
        has_it.send(()).unwrap();
        let _ = wait.lock().unwrap().recv();
        reply(&mut stream, "late");
    });
    let router = Router::new(&route("a", slow, ""));
    let mut stream = router.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    // Before that it is no work of the pod's.
    got.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(router.in_flight("a"), 1);
    drop(stream);
    until("H27 is counted", || router.counted("a", Code::H27) == 1);
    assert_eq!(router.in_flight("a"), 1, "the pod still works on it");
    go.send(()).unwrap();
    until("the work's end", || router.in_flight("a") == 0);
}

/// A pod that never answers, and how many requests it has seen.
fn silent() -> (std::net::SocketAddr, std::sync::Arc<AtomicU32>) {
    let seen = std::sync::Arc::new(AtomicU32::new(0));
    let count = seen.clone();
    let pod = pod(move |mut stream| {
        if head(&mut stream).is_some() {
            count.fetch_add(1, Relaxed);
        }
        let _ = stream.read_to_end(&mut Vec::new());
    });
    (pod, seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_are_begun_and_left_pile_up_no_work() {
    let (pod, seen) = silent();
    let router = patient(&route("a", pod, ""), |_| {});
    let mut sender = http2(&router).await;
    for i in 0..100 {
        let asked = tokio::spawn(sender.send_request(ask("a")));
        tokio::task::block_in_place(|| until("the pod has it", || seen.load(Relaxed) == i + 1));
        asked.abort();
        sender.ready().await.unwrap();
    }
    tokio::task::block_in_place(|| until("each is counted", || router.counted("a", Code::H27) == 100));
    tokio::task::block_in_place(|| until("64 go on", || router.in_flight("a") == 64));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_all_its_streams_is_sent_away() {
    let (pod, seen) = silent();
    let router = patient(&route("a", pod, ""), |_| {});
    let mut sender = http2(&router).await;
    for i in 0..600 {
        let asked = tokio::spawn(sender.send_request(ask("a")));
        let is_there = || seen.load(Relaxed) > i || sender.is_closed();
        tokio::task::block_in_place(|| until("the pod has it, or it is over", is_there));
        asked.abort();
        if sender.ready().await.is_err() {
            assert!(i >= 490, "after {i} already");
            break;
        }
    }
    assert!(sender.ready().await.is_err(), "the connection goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_of_http2_that_asks_for_nothing_ends() {
    let router = patient(&route("a", echo("a"), ""), |common| {
        common.patience.idle = Duration::from_millis(200);
    });
    let stream = tokio::net::TcpStream::connect(router.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(
        TokioExecutor::new(),
        TokioIo::new(stream),
    )
    .await
    .unwrap();
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(ask("a")).await.unwrap();
    assert!(answer.into_body().collect().await.is_ok());
    // It is told first (GOAWAY): the client's side ends without an error.
    let ended = tokio::time::timeout(Duration::from_secs(10), connection).await;
    assert!(matches!(ended, Ok(Ok(Ok(())))), "{ended:?}");
}

#[test]
fn connections_without_requests_end() {
    let router = patient(&route("a", echo("a"), ""), |common| {
        common.patience.header = Duration::from_millis(200);
        common.patience.idle = Duration::from_millis(200);
    });
    for half in ["", "GET / HTTP/1.1\r\nHost:", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PRI * HT"] {
        let mut stream = router.connect();
        stream.write_all(half.as_bytes()).unwrap();
        let mut read = Vec::new();
        stream.read_to_end(&mut read).unwrap_or_else(|error| panic!("{half:?}: {error}"));
    }
    let mut stream = router.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert!(Answer::read(stream).body().starts_with('a'), "kept for the next request, but not for ever");
}

#[test]
fn more_connections_than_there_is_room_for_wait_for_their_turn() {
    let router = patient(&route("a", echo("a"), ""), |common| common.connections = 2);
    let held: Vec<_> = (0..2).map(|_| router.connect()).collect();
    let ask = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let mut third = router.connect();
    third.write_all(ask.as_bytes()).unwrap();
    third.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(third.read(&mut [0]).is_err(), "it has no turn yet");
    drop(held);
    third.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert_eq!(Answer::read(third).status(), 200);
}

#[test]
fn who_is_allowed_in_maintenance_is_whom_a_trusted_proxy_names() {
    let routes = route("a", echo("a"), ", state: maintenance, allow: [127.0.0.0/8, 203.0.113.0/24]");
    let router = Router::trusting(&routes, &["127.0.0.0/8"]);
    let from = |who: &str| {
        router.send(&format!(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: {who}\r\n\r\n"
        ))
    };
    assert_eq!(from("203.0.113.9").status(), 200);
    assert_eq!(from("198.51.100.1").code(), "H80", "the proxy's own address lets nobody in");
    assert_eq!(from("203.0.113.9, 198.51.100.1").code(), "H80", "what a client says of itself");
}

#[test]
fn an_idle_websocket_holds_no_old_table() {
    let switches = pod(|mut stream| {
        head(&mut stream);
        let _ = stream.write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        );
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let router = Router::new(&route("a", switches, ""));
    let mut stream = router.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .unwrap();
    assert!(head(&mut stream).unwrap().starts_with("HTTP/1.1 101"));
    let old = std::sync::Arc::downgrade(&router.tables.load_full());
    router.route(&(route("a", switches, "") + &route("b", echo("b"), "")));
    until("the old table is let go of", || old.upgrade().is_none());
    assert_eq!(router.tables.load().routes()[0].stats.busy().streams.load(Relaxed), 1);
}

#[test]
fn with_the_proxy_protocol_a_trusted_load_balancer_names_the_client_and_nobody_else_enters() {
    let speaking = |trusted: &str| {
        Router::with(&route("a", echo("a"), ""), &[trusted], Speaks::Clear { h2c: true }, |common| {
            common.proxy_protocol = true;
        })
    };
    let ask = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\nConnection: close\r\n\r\n";
    let router = speaking("127.0.0.0/8");
    let named = router.send(&format!("PROXY TCP4 203.0.113.5 127.0.0.1 4711 80\r\n{ask}"));
    assert!(named.body().to_lowercase().contains("x-forwarded-for: 203.0.113.5\r\n"), "{named:?}");
    assert_eq!(router.send(ask).0, "", "it has to say whose it is");
    let strict = speaking("10.0.0.0/8");
    assert_eq!(strict.send(&format!("PROXY TCP4 203.0.113.5 127.0.0.1 4711 80\r\n{ask}")).0, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_http2_that_opens_no_window_is_sent_away() {
    let large: &'static str = Box::leak("x".repeat(8_000).into_boxed_str());
    let pod = pod(move |mut stream| {
        while head(&mut stream).is_some() {
            reply(&mut stream, large);
        }
    });
    let router = patient(&route("a", pod, ""), |common| {
        common.patience.reading = Duration::from_millis(300);
        common.patience.idle = Duration::from_millis(300);
    });
    // Of a pod's answer and of the router's own page, none or one byte at a time.
    for (host, window) in [("a", 0), ("a", 1), ("nobody", 0), ("nobody", 1)] {
        let stream = tokio::net::TcpStream::connect(router.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(window)
            .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
            .await
            .unwrap();
        let connection = tokio::spawn(connection);
        let _unread = sender.send_request(ask(host)).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(10), connection).await;
        assert!(ended.is_ok(), "{host} with a window of {window} goes on");
    }
}

//! Requests whose meaning is in doubt are refused, or reach the pod in one meaning only.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use support::{Router, echo, route};

/// Each is refused with a 4xx, and no pod sees it.
const REFUSED: &[&str] = &[
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a:999999\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n",
    "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET http://a#b HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX Y: 1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\nxx",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nx",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\nx",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nx",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n",
    "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "G\u{7f}T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /\u{1} HTTP/1.1\r\nHost: a\r\n\r\n",
];

#[test]
fn what_is_in_doubt_is_refused_and_no_pod_sees_it() {
    let router = Router::new(&(route("a", echo("a"), "") + &route("b", echo("b"), "")));
    for request in REFUSED {
        let answer = router.send(&with_close(request));
        assert!((400..500).contains(&answer.status()), "{request:?} got {answer:?}");
    }
    let table = router.tables.load();
    assert!(table.routes().iter().all(|live| live.stats.known().is_none()), "a pod was asked");
}

/// The connection ends after the first request, so that what follows can be told apart.
fn with_close(request: &str) -> String {
    request.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)
}

#[test]
fn a_second_request_hidden_in_a_body_stays_a_body() {
    // Both framings: the chunked one counts (RFC 9112 §6.3), the length does not reach the pod.
    let router = Router::new(&route("a", counting(), ""));
    let smuggled = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = router.send(smuggled);
    // Who stands before us may have read the length: what follows is not read as a request.
    assert_eq!(answer.0.matches("HTTP/1.1 200").count(), 1, "{answer:?}");
    assert!(answer.body().starts_with("POST") && !answer.0.contains("/evil"), "{answer:?}");
    assert!(!answer.body().to_lowercase().contains("content-length"), "{answer:?}");
}

#[test]
fn what_stands_behind_a_refused_request_is_none() {
    let router = Router::new(&route("a", counting(), ""));
    let doubted = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = router.send(doubted);
    assert_eq!((answer.code(), answer.0.matches("HTTP/1.1 ").count()), ("H26", 1), "{answer:?}");
}

/// Answers with the header that it saw, and reads a body by the framing that it was told.
fn counting() -> std::net::SocketAddr {
    use std::io::Read as _;
    support::pod(|mut stream| {
        while let Some(head) = support::head(&mut stream) {
            let lower = head.to_lowercase();
            if lower.contains("transfer-encoding") {
                stream.read_exact(&mut [0; 5]).unwrap();
            } else if let Some(length) = lower.split("content-length: ").nth(1) {
                let length: usize = length.lines().next().unwrap().parse().unwrap();
                stream.read_exact(&mut vec![0; length]).unwrap();
            }
            support::reply(&mut stream, &head);
        }
    })
}

#[test]
fn a_header_without_end_is_bounded() {
    let router = Router::new(&route("a", echo("a"), ""));
    let large = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(300_000));
    assert_eq!(router.send(&large).status(), 431);
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(1_000));
    assert_eq!(router.send(&many).status(), 431);
    // `Host` and `Connection` are two of them.
    for (fields, status) in [(98, 200), (99, 431)] {
        let fields: String = (0..fields).map(|n| format!("X-F{n}: {n}\r\n")).collect();
        let most = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n");
        assert_eq!(router.send(&most).status(), status, "{status}");
    }
}

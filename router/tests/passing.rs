//! What reaches a pod, and what comes back.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use support::{Answer, Router, echo, head, pod, reply, route, until};

#[test]
fn the_most_specific_route_gets_the_request() {
    let item = |name: &str, rest: &str| {
        let pod = echo(Box::leak(name.to_owned().into_boxed_str()));
        format!("- {{name: {name}, {rest}, backends: [{{endpoints: ['{pod}']}}]}}\n")
    };
    let router = Router::new(
        &[
            item("site", "hosts: [shop.example.com]"),
            item("api", "hosts: [shop.example.com], path: /api"),
            item("api2", "hosts: [shop.example.com], path: /api, headers: {X-Version: '2'}"),
            item("preview", "hosts: ['*.example.com']"),
        ]
        .concat(),
    );
    let to =
        |host: &str, path: &str| router.get(host, path).body().lines().next().unwrap_or_default().to_owned();
    assert_eq!(to("shop.example.com", "/"), "site");
    assert_eq!(to("SHOP.example.com.:80", "/apix"), "site");
    assert_eq!(to("shop.example.com", "/api/users?a=/"), "api");
    assert_eq!(to("pr-1.example.com", "/api"), "preview");
    assert_eq!(router.get("a.b.example.com", "/").code(), "H81");
    let version = router
        .send("GET /api HTTP/1.1\r\nHost: shop.example.com\r\nX-Version: 2\r\nConnection: close\r\n\r\n");
    assert!(version.body().starts_with("api2"));
    // A path that the pod may read differently chooses no route.
    assert_eq!(router.get("shop.example.com", "/x/..%2fapi").code(), "H26");
}

#[test]
fn the_pod_learns_who_asks_and_nothing_of_the_hop() {
    let router = Router::new(&route("a", echo("a"), ", noindex: true"));
    let answer = router.send(
        "GET /x?y HTTP/1.1\r\nHost: a\r\nConnection: close, x-hop\r\nX-Hop: 1\r\nTE: trailers\r\nX-Forwarded-For: 9.9.9.9\r\n\
         X-Request-Id: id-1\r\nAccept: */*\r\n\r\n",
    );
    let seen = answer.body().to_lowercase();
    for line in [
        "get /x?y http/1.1",
        "host: a",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-proto: http",
        "x-request-id: id-1",
        "forwarded: for=127.0.0.1;host=a;proto=http",
        "accept: */*",
    ] {
        assert!(seen.contains(&format!("{line}\r\n")), "{line} is missing in {seen}");
    }
    assert!(!seen.contains("x-hop") && !seen.contains("te:") && !seen.contains("9.9.9.9"), "{seen}");
    assert_eq!(answer.header("x-request-id"), Some("id-1"));
    assert_eq!(answer.header("x-robots-tag"), Some("noindex"));
}

#[test]
fn in_clear_is_sent_to_https_unless_a_trusted_proxy_has_seen_to_it() {
    let routes = route("a", echo("a"), ", httpsOnly: true");
    let router = Router::new(&routes);
    let answer = router.get("a:8080", "/x?y=1");
    assert_eq!((answer.status(), answer.header("location")), (308, Some("https://a/x?y=1")));
    let by_proxy = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n";
    assert_eq!(router.send(by_proxy).status(), 308, "a stranger's word");
    assert_eq!(Router::trusting(&routes, &["127.0.0.0/8"]).send(by_proxy).status(), 200);
}

#[test]
fn a_pod_that_closes_idle_connections_costs_no_request() {
    let hasty = pod(|mut stream| {
        // Answers once and closes a moment later, without saying so.
        if head(&mut stream).is_some() {
            reply(&mut stream, "once");
        }
    });
    let router = Router::new(&route("a", hasty, ""));
    for i in 0..200 {
        let answer = router.get("a", "/");
        assert_eq!(answer.body(), "once", "request {i}: {answer:?}");
    }
}

#[test]
fn a_post_is_never_sent_twice() {
    let times = std::sync::Arc::new(AtomicU32::new(0));
    let seen = times.clone();
    let breaks = pod(move |mut stream| {
        while let Some(head) = head(&mut stream) {
            if head.starts_with("POST") {
                seen.fetch_add(1, Relaxed);
                return;
            }
            reply(&mut stream, "ok");
        }
    });
    let router = Router::new(&route("a", breaks, ""));
    assert_eq!(router.get("a", "/").body(), "ok");
    let answer =
        router.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
    assert_eq!((answer.code(), times.load(Relaxed)), ("H13", 1));
}

#[test]
fn large_bodies_pass_both_ways_piece_by_piece() {
    let double = pod(|mut stream| {
        let head = head(&mut stream).unwrap();
        let length = head
            .to_lowercase()
            .split("content-length: ")
            .nth(1)
            .unwrap()
            .lines()
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for piece in body.chunks(70_000) {
            let _ = write!(stream, "{:x}\r\n", piece.len());
            let _ = stream.write_all(piece);
            let _ = stream.write_all(b"\r\n");
        }
        let _ = stream.write_all(b"0\r\n\r\n");
    });
    let router = Router::new(&route("a", double, ""));
    let body = "0123456789".repeat(1_000_000);
    let request = format!("POST / HTTP/1.0\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let answer = router.send(&request);
    assert!(answer.body() == body, "{} bytes came back", answer.body().len());
}

#[test]
fn a_client_that_expects_100_gets_it() {
    let reads = pod(|mut stream| {
        let head = head(&mut stream).unwrap();
        assert!(!head.to_lowercase().contains("expect"));
        stream.read_exact(&mut [0; 5]).unwrap();
        reply(&mut stream, "read");
    });
    let router = Router::new(&route("a", reads, ""));
    let mut stream = router.connect();
    let ask = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
    stream.write_all(ask.as_bytes()).unwrap();
    assert!(head(&mut stream).unwrap().starts_with("HTTP/1.1 100"));
    stream.write_all(b"hello").unwrap();
    assert_eq!(Answer::read(stream).body(), "read");
}

#[test]
fn a_websocket_carries_bytes_both_ways_and_its_end() {
    let switches = pod(|mut stream| {
        let head = head(&mut stream).unwrap().to_lowercase();
        assert!(head.contains("upgrade: websocket") && head.contains("connection: upgrade"), "{head}");
        // The first bytes come with the header, as eager servers do.
        let _ = stream.write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi ",
        );
        let mut bytes = [0; 4096];
        while let Ok(n @ 1..) = stream.read(&mut bytes) {
            let _ = stream.write_all(&bytes[..n]);
        }
    });
    let router = Router::new(&route("a", switches, ""));
    let mut stream = router.connect();
    let ask = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n";
    stream.write_all(ask.as_bytes()).unwrap();
    assert!(head(&mut stream).unwrap().starts_with("HTTP/1.1 101"));
    let busy = |router: &Router| router.tables.load().routes()[0].stats.busy().streams.load(Relaxed);
    until("the stream is counted", || busy(&router) == 1);
    let sent = "x".repeat(3_000_000);
    let reader = stream.try_clone().unwrap();
    let writer = std::thread::spawn({
        let sent = sent.clone();
        move || {
            stream.write_all(sent.as_bytes()).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        }
    });
    let back = Answer::read(reader).0;
    writer.join().unwrap();
    assert!(back == format!("hi {sent}"), "{} bytes came back", back.len());
    until("the stream's end", || busy(&router) == 0);
}

#[test]
fn changing_pods_under_load_fails_no_request() {
    let router = Router::new(&route("a", echo("a"), ""));
    let over = AtomicBool::new(false);
    let (good, bad) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut stream = router.connect();
                while !over.load(Relaxed) {
                    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
                    let head = head(&mut stream).unwrap_or_default().to_lowercase();
                    let length: usize = head
                        .split("content-length: ")
                        .nth(1)
                        .and_then(|l| l.lines().next()?.parse().ok())
                        .unwrap_or(0);
                    let read = stream.read_exact(&mut vec![0; length]);
                    let fine = head.starts_with("http/1.1 200") && read.is_ok();
                    if fine { &good } else { &bad }.fetch_add(1, Relaxed);
                }
            });
        }
        let pods: Vec<_> = ["b", "c", "d"].into_iter().map(echo).collect();
        for i in 0..300 {
            router.route(&route("a", pods[i % 3], ""));
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        over.store(true, Relaxed);
    });
    assert!(good.load(Relaxed) > 100);
    assert_eq!(bad.load(Relaxed), 0);
}

#[test]
fn an_answer_with_two_framings_is_passed_on_with_one() {
    let both = pod(|mut stream| {
        head(&mut stream);
        let _ = stream.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        );
    });
    let answer = Router::new(&route("a", both, "")).get("a", "/");
    assert!(answer.header("content-length").is_none(), "{answer:?}");
    assert!(answer.body().contains("hello"), "{answer:?}");
}

#[test]
fn a_connection_that_still_carries_a_body_is_given_to_nobody_else() {
    // Answers as soon as it has the header, and goes on as if the body were of no interest.
    let hasty = pod(|mut stream| {
        while head(&mut stream).is_some() {
            reply(&mut stream, "early");
        }
    });
    let router = Router::new(&route("a", hasty, ""));
    let mut uploads = router.connect();
    uploads.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nhalf").unwrap();
    assert!(head(&mut uploads).unwrap().starts_with("HTTP/1.1 200"));
    let mut other = router.connect();
    other.set_read_timeout(Some(std::time::Duration::from_secs(3))).unwrap();
    other.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(Answer::read(other).body(), "early");
}

#[test]
fn who_waits_for_a_pod_gets_one_that_is_new() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let busy = pod(move |mut stream| {
        head(&mut stream);
        let _ = wait.lock().unwrap().recv();
        reply(&mut stream, "busy");
    });
    let one = "limits: {perEndpoint: 1}";
    let router = Router::new(&route("a", busy, &format!(", {one}")));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| router.get("a", "/1"));
        until("the first", || router.in_flight("a") == 1);
        let second = scope.spawn(|| router.get("a", "/2"));
        let waiting = || router.tables.load().routes()[0].stats.busy().waiting.load(Relaxed);
        until("the queue", || waiting() == 1);
        let new = echo("new");
        router.route(&format!(
            "- {{name: a, hosts: [a], backends: [{{endpoints: ['{busy}', '{new}']}}], {one}}}\n"
        ));
        assert!(second.join().unwrap().body().starts_with("new"));
        go.send(()).unwrap();
        assert_eq!(first.join().unwrap().body(), "busy");
    });
}

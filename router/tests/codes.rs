//! Each way in which a pod can fail has its code, and none takes the router or its neighbours with it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use router::code::Code;
use support::{Router, echo, head, pod, reply, route, until};

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn code(pod: SocketAddr, more: &str) -> String {
    let router = Router::new(&(route("a", pod, more) + &route("ok", echo("ok"), "")));
    let answer = router.get("a", "/");
    assert_eq!(router.get("ok", "/").status(), 200, "the neighbour suffers");
    assert!(answer.status() >= 400, "{answer:?}");
    answer.code().to_owned()
}

#[test]
fn what_a_pod_does_wrong_has_its_code() {
    assert_eq!(code(nobody(), ""), "H21");
    let closes = pod(|mut stream| drop(head(&mut stream)));
    assert_eq!(code(closes, ""), "H13");
    let babbles = pod(|mut stream| {
        head(&mut stream);
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n");
    });
    assert_eq!(code(babbles, ""), "H17");
    let sleeps = pod(|mut stream| {
        head(&mut stream);
        std::thread::sleep(Duration::from_secs(5));
    });
    assert_eq!(code(sleeps, ", limits: {firstByte: 100ms}"), "H12");
}

#[test]
fn what_an_environment_is_has_its_code_and_its_cause() {
    let with = |more: &str| Router::new(&format!("- {{name: a, hosts: [a]{more}}}")).get("a", "/");
    assert_eq!(with("").code(), "H14");
    assert_eq!(with(", state: maintenance").code(), "H80");
    assert_eq!(with(", state: empty").code(), "H81");
    let crashed = with(", state: crashed, cause: 'web was ended: OOMKilled'");
    assert_eq!(crashed.code(), "H10");
    assert!(crashed.body().contains("OOMKilled"), "{crashed:?}");
    let allowed = Router::new(&route("a", echo("a"), ", state: maintenance, allow: [127.0.0.0/8]"));
    assert_eq!(allowed.get("a", "/").status(), 200, "who is allowed gets an answer in maintenance");
    let router = Router::new("- {name: a, hosts: [a]}");
    let unknown = router.get("b", "/");
    assert_eq!((unknown.status(), unknown.code()), (404, "H81"));
}

#[test]
fn work_goes_on_after_a_timeout_and_is_counted_until_it_ends() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let slow = pod(move |mut stream| {
        head(&mut stream);
        let _ = wait.lock().unwrap().recv();
        reply(&mut stream, "late");
    });
    let router = Router::new(&route("a", slow, ", limits: {firstByte: 50ms}"));
    assert_eq!(router.get("a", "/").code(), "H12");
    let table = router.tables.load_full();
    let busy = table.routes()[0].stats.busy();
    assert_eq!(busy.in_flight.load(Relaxed), 1, "the pod still works on it");
    go.send(()).unwrap();
    until("the work's end", || busy.in_flight.load(Relaxed) == 0);
}

#[test]
fn a_full_queue_is_told_at_once_and_a_free_place_is_used() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let slow = pod(move |mut stream| {
        while head(&mut stream).is_some() {
            let _ = wait.lock().unwrap().recv();
            reply(&mut stream, "done");
        }
    });
    let router = Router::new(&route("a", slow, ", limits: {perEndpoint: 1, queue: 1}"));
    let table = router.tables.load_full();
    let busy = table.routes()[0].stats.busy();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| router.get("a", "/1"));
        until("the first", || busy.in_flight.load(Relaxed) == 1);
        let second = scope.spawn(|| router.get("a", "/2"));
        until("the queue", || busy.waiting.load(Relaxed) == 1);
        assert_eq!(router.get("a", "/3").code(), "H11");
        go.send(()).unwrap();
        go.send(()).unwrap();
        assert_eq!(first.join().unwrap().body(), "done");
        assert_eq!(second.join().unwrap().body(), "done");
    });
}

#[test]
fn an_answer_that_breaks_off_does_not_look_whole() {
    let half = pod(|mut stream| {
        head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    });
    let router = Router::new(&route("a", half, ""));
    let answer = router.get("a", "/");
    assert!(answer.body().contains("hello") && !answer.body().contains("\r\n0\r\n"), "{answer:?}");
    until("H18 is counted", || router.counted("a", Code::H18) == 1);
}

#[test]
fn a_client_that_goes_silent_in_its_body_is_told() {
    let reads = pod(|mut stream| {
        head(&mut stream);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let router = Router::new(&route("a", reads, ", limits: {idle: 200ms}"));
    let answer =
        router.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhalf");
    assert_eq!(answer.code(), "H28", "{answer:?}");
}

#[test]
fn a_silent_answer_ends() {
    let silent = pod(|mut stream| {
        head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
        std::thread::sleep(Duration::from_secs(10));
    });
    let router = Router::new(&route("a", silent, ", limits: {idle: 200ms}"));
    assert_eq!(router.get("a", "/").body(), "hello");
    until("H15 is counted", || router.counted("a", Code::H15) == 1);
}

#[test]
fn a_pod_that_stops_reading_a_request_is_told_of() {
    let deaf = pod(|mut stream| {
        head(&mut stream);
        std::thread::sleep(Duration::from_secs(10));
    });
    let router = Router::new(&route("a", deaf, ", limits: {idle: 300ms, firstByte: 9s}"));
    let mut stream = router.connect();
    let mut writer = stream.try_clone().unwrap();
    let ask = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\nConnection: close\r\n\r\n";
    stream.write_all(ask.as_bytes()).unwrap();
    std::thread::spawn(move || while writer.write_all(&[b'x'; 8_192]).is_ok() {});
    let mut answer = [0; 4096];
    let n = stream.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..n]);
    assert!(answer.to_lowercase().contains("x-keelway-code: h12"), "{answer}");
    until("nothing is under way", || router.in_flight("a") == 0);
}

#[test]
fn what_was_answered_with_nonsense_is_not_sent_again() {
    let times = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let seen = times.clone();
    let babbles = pod(move |mut stream| {
        while head(&mut stream).is_some() {
            if seen.fetch_add(1, Relaxed) == 0 {
                reply(&mut stream, "fine");
            } else {
                let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n");
            }
        }
    });
    let router = Router::new(&route("a", babbles, ""));
    assert_eq!(router.get("a", "/").body(), "fine");
    assert_eq!((router.get("a", "/").code(), times.load(Relaxed)), ("H17", 2));
}

#[test]
fn a_retry_does_not_wait_for_its_own_place() {
    // Answers the first request of a connection, and closes at the second.
    let hasty = pod(|mut stream| {
        if head(&mut stream).is_some() {
            reply(&mut stream, "once");
        }
        head(&mut stream);
    });
    let router = Router::new(&route("a", hasty, ", limits: {perEndpoint: 1, queue: 0}"));
    assert_eq!(router.get("a", "/").body(), "once");
    assert_eq!(router.get("a", "/").body(), "once");
}

#[test]
fn a_pod_that_accepts_and_never_answers_is_left_alone() {
    let hung = pod(|mut stream| {
        head(&mut stream);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let good = echo("good");
    let routes = format!(
        "- {{name: a, hosts: [a], limits: {{firstByte: 100ms}}, backends: [{{endpoints: ['{good}', '{hung}']}}]}}\n"
    );
    let router = Router::new(&routes);
    let late = (0..60).filter(|_| router.get("a", "/").code() == "H12").count();
    assert!(late <= 6, "{late} of 60 went to it");
}

#[test]
fn an_upload_that_nobody_reads_ends_with_its_answer() {
    let (told, ended) = std::sync::mpsc::channel();
    let deaf = pod(move |mut stream| {
        head(&mut stream);
        reply(&mut stream, "early");
        // The rest is read only to see the end.
        std::thread::sleep(Duration::from_millis(800));
        let ended = stream.read_to_end(&mut Vec::new());
        let _ = told.send(ended.map(|n| n < 50_000_000));
    });
    let router = Router::new(&route("a", deaf, ", limits: {idle: 200ms}"));
    let mut stream = router.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n").unwrap();
    let mut writer = stream.try_clone().unwrap();
    std::thread::spawn(move || while writer.write_all(&[b'x'; 8_192]).is_ok() {});
    assert!(head(&mut stream).unwrap().starts_with("HTTP/1.1 200"));
    let ended = ended.recv_timeout(Duration::from_secs(10));
    assert!(!matches!(ended, Ok(Ok(false)) | Err(_)), "the pod was sent all of it: {ended:?}");
}

#[test]
fn one_environment_cannot_take_what_others_need() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let slow = pod(move |mut stream| {
        head(&mut stream);
        let _ = wait.lock().unwrap().recv();
        reply(&mut stream, "slow");
    });
    let routes = route("a", slow, "") + &route("b", echo("b"), "");
    let router = Router::with(&routes, &[], router::serve::Speaks::Clear { h2c: true }, |common| {
        common.per_environment = 2;
    });
    std::thread::scope(|scope| {
        let two: Vec<_> = (0..2).map(|_| scope.spawn(|| router.get("a", "/"))).collect();
        until("two are under way", || router.in_flight("a") == 2);
        assert_eq!(router.get("a", "/").code(), "H11");
        assert_eq!(router.get("b", "/").status(), 200);
        (0..2).for_each(|_| go.send(()).unwrap());
        assert!(two.into_iter().all(|asked| asked.join().unwrap().body() == "slow"));
    });
}

#[test]
fn connections_that_nobody_uses_give_way_to_those_that_are_needed() {
    let pods: String = (0..6).map(|i| route(["a", "b", "c", "d", "e", "f"][i], echo("x"), "")).collect();
    let router = Router::with(&pods, &[], router::serve::Speaks::Clear { h2c: true }, |common| {
        common.connections = 3;
    });
    for host in ["a", "b", "c", "d", "e", "f"] {
        assert_eq!(router.get(host, "/").status(), 200, "{host}");
    }
}

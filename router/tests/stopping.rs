//! A router that stops loses nothing that it has begun, and turns nobody away before others know of it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use router::serve::Speaks;
use support::{Answer, Router, echo, head, pod, reply, route, until};

#[test]
fn what_was_begun_is_finished() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let slow = pod(move |mut stream| {
        head(&mut stream);
        let _ = wait.lock().unwrap().recv();
        reply(&mut stream, "whole");
    });
    let router = Router::new(&route("a", slow, ""));
    let mut stream = router.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    until("the request", || router.in_flight("a") == 1);
    router.stop();
    until("nobody listens", || std::net::TcpStream::connect(router.address).is_err());
    go.send(()).unwrap();
    let answer = Answer::read(stream);
    assert_eq!((answer.body(), answer.header("connection")), ("whole", Some("close")));
    router.join();
}

#[test]
fn about_to_stop_it_answers_and_asks_clients_to_come_by_another_connection() {
    let router = Router::new(&route("a", echo("a"), ""));
    let mut stream = router.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert!(!head(&mut stream).unwrap().to_lowercase().contains("connection: close"));
    router.leave();
    let mut stream = router.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let answer = Answer::read(stream);
    assert_eq!((answer.status(), answer.header("connection")), (200, Some("close")));
    let mut stream = router.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n").unwrap();
    assert_eq!(Answer::read(stream).header("connection"), Some("close"), "its own pages say so too");
}

#[test]
fn a_websocket_has_as_long_as_a_request_and_is_recorded() {
    let switches = pod(|mut stream| {
        head(&mut stream);
        let _ = stream.write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        );
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let router = Router::with(&route("a", switches, ""), &[], Speaks::Clear { h2c: false }, |common| {
        common.drain = Duration::from_millis(300);
    });
    let mut stream = router.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .unwrap();
    assert!(head(&mut stream).unwrap().starts_with("HTTP/1.1 101"));
    let table = router.tables.load_full();
    router.join();
    let busy = table.routes()[0].stats.busy();
    assert_eq!((busy.streams.load(Relaxed), busy.answers[0].load(Relaxed)), (0, 1));
    assert!(busy.codes.iter().all(|code| code.load(Relaxed) == 0), "the router's end is not the client's");
}

#[test]
fn a_websocket_to_a_pod_that_left_has_a_time_of_its_own() {
    let switches = pod(|mut stream| {
        head(&mut stream);
        let _ = stream.write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        );
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let more = ", limits: {drain: 200ms}";
    let router = Router::new(&route("a", switches, more));
    let mut stream = router.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .unwrap();
    assert!(head(&mut stream).unwrap().starts_with("HTTP/1.1 101"));
    router.route(&route("a", switches, &format!("{more}, noindex: true")));
    stream.set_read_timeout(Some(Duration::from_millis(600))).unwrap();
    assert!(stream.read(&mut [0]).is_err(), "its pod is still there");
    // Away for a moment only.
    router.route(&route("a", echo("other"), more));
    router.route(&route("a", switches, more));
    assert!(stream.read(&mut [0]).is_err(), "it came back");
    router.route(&route("a", echo("other"), more));
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "it goes on");
    until("it is over", || router.streams("a") == 0);
}

/// The program, which is killed if a test fails.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn get(address: SocketAddr, path: &str) -> Option<Answer> {
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes())
        .ok()?;
    Some(Answer::read(stream))
}

#[test]
fn the_program_is_first_not_ready_then_closed_then_gone_and_has_written_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let routes = folder.path().join("routes.yaml");
    std::fs::write(&routes, format!("routes:\n{}", route("a", echo("a"), ""))).unwrap();
    let (listen, admin) = (free(), free());
    let child = Command::new(env!("CARGO_BIN_EXE_keelway-router"))
        .args(["--routes", routes.to_str().unwrap(), "--listen", &listen.to_string()])
        .args([
            "--admin",
            &admin.to_string(),
            "--leave-seconds",
            "2",
            "--drain-seconds",
            "5",
            "--threads",
            "1",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut program = Program(child);
    until("it is ready", || get(admin, "/readyz").is_some_and(|answer| answer.status() == 200));
    assert_eq!(get(listen, "/before").unwrap().status(), 200);
    let pid = rustix::process::Pid::from_child(&program.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    until("it is not ready", || get(admin, "/readyz").is_some_and(|answer| answer.status() == 503));
    assert_eq!(get(listen, "/meanwhile").unwrap().status(), 200, "others do not know yet");
    until("it has closed", || get(listen, "/").is_none());
    assert!(program.0.wait().unwrap().success());
    let mut log = String::new();
    program.0.stdout.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("path=\"/before\"") && log.contains("path=\"/meanwhile\""), "{log}");
}

//! A router on this machine, pods that do as a test says, and clients that send the very bytes of a test.
#![allow(dead_code, reason = "each test file uses its own part of it")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use router::code::Code;
use router::log::Sink;
use router::serve::{self, Common, Door, Patience, Speaks};
use router::stats::RouteStats;
use router::table::Table;
use tokio::sync::watch;

/// A router with one thread.
pub struct Router {
    pub address: SocketAddr,
    pub tables: Arc<ArcSwap<Table>>,
    leaving: Arc<AtomicBool>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Router {
    /// A router with these routes, given as the items of the file.
    pub fn new(routes: &str) -> Self {
        Self::trusting(routes, &[])
    }

    pub fn trusting(routes: &str, trusted: &[&str]) -> Self {
        Self::speaking(routes, trusted, Speaks::Clear { h2c: true })
    }

    pub fn speaking(routes: &str, trusted: &[&str], speaks: Speaks) -> Self {
        Self::with(routes, trusted, speaks, |_| {})
    }

    /// A router with other settings.
    pub fn with(routes: &str, trusted: &[&str], speaks: Speaks, set: impl FnOnce(&mut Common)) -> Self {
        let tables = Arc::new(ArcSwap::from_pointee(Table::default()));
        let listener = serve::listen(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let leaving = Arc::new(AtomicBool::new(false));
        let mut common = Common {
            tables: tables.clone(),
            trusted: trusted.iter().map(|net| net.parse().unwrap()).collect(),
            log: Sink::nowhere(),
            spans: None,
            leaving: leaving.clone(),
            stop: stopped,
            drain: Duration::from_secs(5),
            patience: Patience::default(),
            proxy_protocol: false,
            connections: 1_000,
            per_environment: 500,
        };
        set(&mut common);
        let thread =
            std::thread::spawn(move || serve::thread(common, vec![Door { listener, speaks }], 7).unwrap());
        let router = Self { address, tables, leaving, stop, thread: Some(thread) };
        router.route(routes);
        router
    }

    /// Exchanges the table.
    pub fn route(&self, routes: &str) {
        let routes = router::file::parse(&format!("routes:\n{routes}")).unwrap();
        let table = Table::new(routes, &self.tables.load());
        router::table::publish(&self.tables, table);
    }

    /// Is about to stop.
    pub fn leave(&self) {
        self.leaving.store(true, Relaxed);
    }

    /// Begins to stop.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until it has stopped.
    pub fn join(mut self) {
        self.stop();
        self.thread.take().unwrap().join().unwrap();
    }

    /// Sends bytes, reads until the other side closes.
    pub fn send(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        let _ = stream.write_all(request.as_bytes());
        Answer::read(stream)
    }

    /// A plain GET.
    pub fn get(&self, host: &str, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
    }

    /// How many requests of a route ended with this code.
    pub fn counted(&self, route: &str, code: Code) -> u64 {
        self.stats(route).busy().codes[code as usize].load(Relaxed)
    }

    /// Requests of a route that are under way.
    pub fn in_flight(&self, route: &str) -> u32 {
        self.stats(route).busy().in_flight.load(Relaxed)
    }

    /// Its open WebSockets and event streams.
    pub fn streams(&self, route: &str) -> u32 {
        self.stats(route).busy().streams.load(Relaxed)
    }

    fn stats(&self, route: &str) -> Arc<RouteStats> {
        let table = self.tables.load();
        table.routes().iter().find(|live| live.route.name == route).unwrap().stats.clone()
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }
}

/// All that a client read.
#[derive(Debug)]
pub struct Answer(pub String);

impl Answer {
    pub fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        Self(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub fn status(&self) -> u16 {
        self.0.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.0.split("\r\n\r\n").next()?;
        head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub fn code(&self) -> &str {
        self.header("x-keelway-code").unwrap_or_default()
    }

    pub fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}

/// A pod that does this with each connection.
pub fn pod(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Reads a request's header; none when the connection is over.
pub fn head(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        bytes.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Sends an answer with a length.
pub fn reply(stream: &mut TcpStream, body: &str) {
    let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
}

/// A pod that answers each request with `name` and the request's header, and keeps the connection.
pub fn echo(name: &'static str) -> SocketAddr {
    pod(move |mut stream| {
        while let Some(head) = head(&mut stream) {
            reply(&mut stream, &format!("{name}\n{head}"));
        }
    })
}

/// The item of one route with one pod.
pub fn route(name: &str, pod: SocketAddr, more: &str) -> String {
    format!("- {{name: {name}, hosts: [{name}], backends: [{{endpoints: ['{pod}']}}]{more}}}\n")
}

/// Waits until something holds, at most ten seconds.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{what} did not come true");
}

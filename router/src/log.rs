//! One line per request, in the form of Heroku's router, or as JSON.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::code::Code;

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// `at=info method=GET path="/" …`.
    #[default]
    Logfmt,
    /// The same as a JSON object.
    Json,
    /// Nothing, for benchmarks.
    Off,
}

/// What a line tells.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Why the application's answer is missing.
    pub code: Option<Code>,
    /// The method.
    pub method: &'a str,
    /// The path and the query.
    pub path: &'a str,
    /// The host, as the client spelled it.
    pub host: &'a str,
    /// The request's id.
    pub request_id: &'a str,
    /// The client's address.
    pub fwd: &'a str,
    /// The route.
    pub env: &'a str,
    /// The pod, if there was one.
    pub pod: Option<std::net::SocketAddr>,
    /// Until there was a connection, the wait for a pod included.
    pub connect: Duration,
    /// From then to the end.
    pub service: Duration,
    /// What the client got.
    pub status: u16,
    /// Bytes of the body.
    pub bytes: u64,
}

/// Where lines go: to a thread of their own, because whoever reads them may be slow.
#[derive(Clone, Debug)]
pub struct Sink {
    form: Form,
    pieces: Option<SyncSender<String>>,
    lost: Arc<AtomicU64>,
}

/// Pieces of lines that wait to be written; more are left out, and counted.
const PIECES: usize = 256;

impl Sink {
    /// A sink for standard output, and the thread that writes; it ends when all clones of the sink are gone.
    pub fn stdout(form: Form) -> (Self, JoinHandle<()>) {
        Self::to(form, std::io::stdout())
    }

    /// The same for any place.
    pub fn to(form: Form, place: impl std::io::Write + Send + 'static) -> (Self, JoinHandle<()>) {
        let (pieces, written) = sync_channel(PIECES);
        let thread = std::thread::spawn(move || write(&written, place));
        (Self { form, pieces: Some(pieces), lost: Arc::default() }, thread)
    }

    /// For nobody.
    pub fn nowhere() -> Self {
        Self { form: Form::Off, pieces: None, lost: Arc::default() }
    }

    /// Lines that were left out, because nobody read fast enough.
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    fn give(&self, text: String) {
        let Some(pieces) = &self.pieces else { return };
        if let Err(error) = pieces.try_send(text) {
            let (std::sync::mpsc::TrySendError::Full(text)
            | std::sync::mpsc::TrySendError::Disconnected(text)) = error;
            self.lost.fetch_add(text.lines().count() as u64, Relaxed);
        }
    }
}

/// A reader that is gone must not stop the router.
fn write(pieces: &Receiver<String>, mut place: impl std::io::Write) {
    for piece in pieces {
        let _ = place.write_all(piece.as_bytes());
        let _ = place.flush();
    }
}

/// Lines of one thread, given on together.
pub struct Log {
    sink: Sink,
    text: String,
}

/// Written when there is this much.
const FULL: usize = 16 * 1024;

impl Log {
    /// An empty one.
    pub fn new(sink: Sink) -> Self {
        Self { sink, text: String::new() }
    }

    /// Whether lines are wanted.
    pub fn is_on(&self) -> bool {
        self.sink.form != Form::Off
    }

    /// Adds a line.
    pub fn add(&mut self, line: &Line<'_>) {
        match self.sink.form {
            Form::Off => return,
            Form::Logfmt => logfmt(&mut self.text, line),
            Form::Json => json(&mut self.text, line),
        }
        self.text.push('\n');
        if self.text.len() >= FULL {
            self.flush();
        }
    }

    /// Gives on what there is.
    pub fn flush(&mut self) {
        if !self.text.is_empty() {
            self.sink.give(std::mem::take(&mut self.text));
        }
    }
}

fn logfmt(out: &mut String, l: &Line<'_>) {
    let _ = match l.code {
        Some(code) => write!(out, "at=error code={} desc=\"{}\"", code.as_str(), code.words()),
        None => write!(out, "at=info"),
    };
    let _ = write!(
        out,
        " method={} path={} host={} request_id={}",
        l.method,
        Quoted(l.path),
        Quoted(l.host),
        l.request_id
    );
    let _ = write!(out, " fwd=\"{}\" env={}", l.fwd, Quoted(l.env));
    if let Some(pod) = l.pod {
        let _ = write!(out, " pod={pod}");
    }
    let (connect, service) = (l.connect.as_millis(), l.service.as_millis());
    let _ = write!(out, " connect={connect}ms service={service}ms status={} bytes={}", l.status, l.bytes);
}

fn json(out: &mut String, l: &Line<'_>) {
    let value = serde_json::json!({
        "at": if l.code.is_some() { "error" } else { "info" },
        "code": l.code.map(Code::as_str), "desc": l.code.map(Code::words),
        "method": l.method, "path": l.path, "host": l.host, "request_id": l.request_id, "fwd": l.fwd, "env": l.env,
        "pod": l.pod.map(|pod| pod.to_string()),
        "connect_ms": l.connect.as_secs_f64() * 1e3, "service_ms": l.service.as_secs_f64() * 1e3,
        "status": l.status, "bytes": l.bytes,
    });
    let _ = write!(out, "{value}");
}

/// A value in quotes that cannot end them or begin a line.
struct Quoted<'a>(&'a str);

impl std::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_char('"')?;
        if self.0.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\' && b != 0x7f) {
            f.write_str(self.0)?;
        } else {
            for c in self.0.chars() {
                if c == '"' || c == '\\' || c.is_control() {
                    write!(f, "{}", c.escape_default())?;
                } else {
                    f.write_char(c)?;
                }
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(path: &str, code: Option<Code>) -> Line<'_> {
        Line {
            code,
            method: "GET",
            path,
            host: "shop.example.com",
            request_id: "abc",
            fwd: "192.0.2.7",
            env: "shop/production",
            pod: Some(([10, 0, 0, 1], 8080).into()),
            connect: Duration::from_millis(1),
            service: Duration::from_millis(30_000),
            status: 503,
            bytes: 0,
        }
    }

    #[test]
    fn the_line_has_herokus_words() {
        let mut text = String::new();
        logfmt(&mut text, &line("/a?b=c", Some(Code::H12)));
        assert_eq!(
            text,
            "at=error code=H12 desc=\"Request timeout\" method=GET path=\"/a?b=c\" host=\"shop.example.com\" \
             request_id=abc fwd=\"192.0.2.7\" env=\"shop/production\" pod=10.0.0.1:8080 connect=1ms service=30000ms \
             status=503 bytes=0"
        );
    }

    /// A reader that takes nothing until it is let.
    struct Blocked(std::sync::mpsc::Receiver<()>);

    impl std::io::Write for Blocked {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_is_stuck_costs_lines_and_stops_nobody() {
        let (let_go, blocked) = std::sync::mpsc::channel();
        let (sink, thread) = Sink::to(Form::Logfmt, Blocked(blocked));
        let mut log = Log::new(sink.clone());
        for _ in 0..PIECES + 10 {
            log.add(&line("/", None));
            log.flush();
        }
        // One piece may be in the writer's hands.
        assert!((9..=10).contains(&sink.lost()), "{}", sink.lost());
        drop((let_go, log, sink));
        thread.join().unwrap();
    }

    #[test]
    fn a_path_cannot_forge_a_line() {
        let mut text = String::new();
        logfmt(&mut text, &line("/\" at=info\n", None));
        assert!(text.contains(r#"path="/\" at=info\n""#) && !text.contains('\n'), "{text}");
    }
}

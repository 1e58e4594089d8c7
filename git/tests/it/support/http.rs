//! A small HTTPS server: `git http-backend` behind real TLS, with keep-alive, a log of requests, and answers that a test
//! may put in its place.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;

/// One request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether `text` is part of the question.
    pub(crate) fn asks(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.body).contains(text)
    }
}

/// What the server does with a request.
pub(crate) enum Answer {
    /// Hands it to git.
    Git,
    /// Hands it to git as if it had asked for no protocol version.
    OldGit,
    /// A status, headers and a body.
    Canned(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Accepts and never answers.
    Never,
    /// Headers, then the same bytes again and again without end.
    Endless(Vec<(&'static str, String)>, Vec<u8>),
    /// Git's answer, one byte at a time with a pause before each.
    Slow(std::time::Duration),
    /// Closes the connection without an answer.
    HangUp,
}

/// Status, headers and body.
type Reply = (u16, Vec<(String, String)>, Vec<u8>);

type Hook = dyn Fn(&Seen) -> Answer + Send + Sync;

/// A running server; its root folder holds the repositories.
pub(crate) struct Server {
    root: TempDir,
    port: u16,
    ca: String,
    tls: bool,
    shared: Arc<Shared>,
}

struct Shared {
    root: PathBuf,
    hook: Box<Hook>,
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    sent: AtomicUsize,
    config: Option<Arc<rustls::ServerConfig>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(|_| Answer::Git)
    }

    pub(crate) fn with(hook: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        Self::build(true, Box::new(hook))
    }

    pub(crate) fn plain(hook: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        Self::build(false, Box::new(hook))
    }

    /// A server too old to know protocol version 2.
    pub(crate) fn without_protocol_header() -> Self {
        Self::with(|_| Answer::OldGit)
    }

    fn build(tls: bool, hook: Box<Hook>) -> Self {
        let root = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (ca, config) = certificate();
        let shared = Arc::new(Shared {
            root: root.path().to_owned(),
            hook,
            seen: Mutex::default(),
            connections: AtomicUsize::new(0),
            sent: AtomicUsize::new(0),
            config: tls.then_some(config),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                shared.connections.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Self { root, port, ca, tls, shared }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn ca(&self) -> &str {
        &self.ca
    }

    pub(crate) fn url(&self, repo: &str) -> String {
        self.url_at("git.test", repo)
    }

    pub(crate) fn url_at(&self, host: &str, repo: &str) -> String {
        format!("{}://{host}:{}/{repo}", if self.tls { "https" } else { "http" }, self.port)
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Bytes of bodies sent so far.
    pub(crate) fn sent(&self) -> usize {
        self.shared.sent.load(Ordering::SeqCst)
    }
}

fn certificate() -> (String, Arc<rustls::ServerConfig>) {
    let made =
        rcgen::generate_simple_self_signed(vec!["git.test".to_owned(), "other.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let chain = vec![CertificateDer::from(made.cert.der().to_vec())];
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    (made.cert.pem(), Arc::new(config))
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Shared {
    fn serve(&self, tcp: TcpStream) {
        tcp.set_nodelay(true).unwrap();
        let stream: Box<dyn Stream> = match &self.config {
            Some(config) => {
                let connection = rustls::ServerConnection::new(Arc::clone(config)).unwrap();
                Box::new(rustls::StreamOwned::new(connection, tcp))
            }
            None => Box::new(tcp),
        };
        let mut stream = BufReader::new(stream);
        while let Ok(Some(request)) = read_request(&mut stream) {
            self.seen.lock().unwrap().push(request.clone());
            let answer = (self.hook)(&request);
            if self.answer(&request, answer, stream.get_mut()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: &Seen, answer: Answer, out: &mut Box<dyn Stream>) -> io::Result<()> {
        let owned = |headers: Vec<(&str, String)>| -> Vec<(String, String)> {
            headers.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
        };
        match answer {
            Answer::Git => self.send(out, backend(&self.root, request)),
            Answer::OldGit => {
                let mut request = request.clone();
                request.headers.retain(|(key, _)| key != "git-protocol");
                self.send(out, backend(&self.root, &request))
            }
            Answer::Canned(status, headers, body) => self.send(out, (status, owned(headers), body)),
            Answer::Never => {
                std::thread::sleep(std::time::Duration::from_mins(1));
                Err(io::ErrorKind::Other.into())
            }
            Answer::HangUp => Err(io::ErrorKind::Other.into()),
            Answer::Endless(headers, bytes) => {
                out.write_all(head(200, None, &owned(headers)).as_bytes())?;
                loop {
                    out.write_all(&bytes)?;
                    self.sent.fetch_add(bytes.len(), Ordering::SeqCst);
                }
            }
            Answer::Slow(pause) => {
                let (status, headers, body) = backend(&self.root, request);
                out.write_all(head(status, Some(body.len()), &headers).as_bytes())?;
                for byte in body {
                    std::thread::sleep(pause);
                    out.write_all(&[byte])?;
                    out.flush()?;
                }
                Ok(())
            }
        }
    }

    fn send(&self, out: &mut Box<dyn Stream>, (status, headers, body): Reply) -> io::Result<()> {
        self.sent.fetch_add(body.len(), Ordering::SeqCst);
        out.write_all(&[head(status, Some(body.len()), &headers).as_bytes(), &body].concat())?;
        out.flush()
    }
}

fn head(status: u16, length: Option<usize>, headers: &[(String, String)]) -> String {
    let length = length.map(|length| format!("content-length: {length}\r\n")).unwrap_or_default();
    let lines: Vec<String> = headers.iter().map(|(key, value)| format!("{key}: {value}\r\n")).collect();
    format!("HTTP/1.1 {status} x\r\n{length}{}\r\n", lines.concat())
}

fn read_request(stream: &mut impl BufRead) -> io::Result<Option<Seen>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((key, value)) = line.split_once(':') else { break };
        headers.push((key.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut seen = Seen { method, target, headers, body: Vec::new() };
    let length = seen.header("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
    seen.body = vec![0; length];
    stream.read_exact(&mut seen.body)?;
    Ok(Some(seen))
}

/// Runs git's own HTTP server program (CGI).
fn backend(root: &Path, request: &Seen) -> Reply {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("HOME", root)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", &request.method)
        .env("CONTENT_TYPE", request.header("content-type").unwrap_or_default())
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("GIT_PROTOCOL", request.header("git-protocol").unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&request.body).ok();
    let output = child.wait_with_output().unwrap().stdout;
    let end = output.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(0);
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let mut status = 200;
    let mut headers = Vec::new();
    for (key, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        if key.eq_ignore_ascii_case("status") {
            status = value.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(500);
        } else {
            headers.push((key.to_owned(), value.to_owned()));
        }
    }
    (status, headers, output.get(end + 4..).unwrap_or_default().to_vec())
}

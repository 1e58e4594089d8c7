//! A backend that notes each request that it sees, and reads it as strictly as RFC 9112 has it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::until;

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The request line and the fields, with the empty line.
    pub head: Vec<u8>,
    /// The body, without the marks of chunks.
    pub body: Vec<u8>,
    /// The fields behind the last chunk.
    pub trailers: Vec<u8>,
    /// Whether it came to its end.
    pub whole: bool,
}

impl Seen {
    /// The request line's parts.
    pub fn line(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.head);
        text.split("\r\n").next().unwrap_or_default().split(' ').map(str::to_owned).collect()
    }

    pub fn target(&self) -> String {
        self.line().get(1).cloned().unwrap_or_default()
    }

    /// The values of a field.
    pub fn values(&self, name: &str) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.head);
        let fields = text.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim().to_owned()).collect()
    }
}

/// The backend of one proxy.
pub struct Backend {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    open: Mutex<Vec<Arc<Connection>>>,
}

struct Connection {
    stream: TcpStream,
    /// Between two requests. What came already is still in the socket then.
    waits: AtomicBool,
    over: AtomicBool,
}

impl Connection {
    fn is_quiet(&self) -> bool {
        let waits = || self.waits.load(SeqCst);
        self.over.load(SeqCst)
            || (waits() && rustix::io::ioctl_fionread(&self.stream).is_ok_and(|bytes| bytes == 0) && waits())
    }
}

impl Backend {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let of_thread = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (waits, over) = (AtomicBool::new(false), AtomicBool::new(false));
                let connection = Arc::new(Connection { stream, waits, over });
                of_thread.open.lock().unwrap().push(connection.clone());
                let shared = of_thread.clone();
                std::thread::spawn(move || serve(&shared, &connection));
            }
        });
        Self { address, shared }
    }

    /// What it saw since it was last asked, when everything that was sent to it has been read.
    pub fn take(&self) -> Vec<Seen> {
        // Connections are accepted in their order, so those before this one are known after it.
        let mut probe = TcpStream::connect(self.address).unwrap();
        probe.write_all(b"GET /probe HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        probe.read_exact(&mut [0; 12]).unwrap();
        drop(probe);
        let quiet = || self.shared.open.lock().unwrap().iter().all(|connection| connection.is_quiet());
        until("all that was sent to the backend is read", quiet);
        self.shared.open.lock().unwrap().retain(|connection| !connection.over.load(SeqCst));
        let mut seen = std::mem::take(&mut *self.shared.seen.lock().unwrap());
        seen.retain(|seen| seen.target() != "/probe");
        seen
    }
}

fn serve(shared: &Shared, connection: &Connection) {
    let mut stream = &connection.stream;
    let _ = stream.set_read_timeout(Some(Duration::from_secs(8)));
    loop {
        connection.waits.store(true, SeqCst);
        if !matches!(stream.peek(&mut [0]), Ok(1)) {
            break;
        }
        connection.waits.store(false, SeqCst);
        let mut seen = Seen::default();
        seen.whole = read(stream, &mut seen).is_some();
        let (line, whole) = (seen.line(), seen.whole);
        shared.seen.lock().unwrap().push(seen);
        if !whole {
            break;
        }
        let body = line.get(1).cloned().unwrap_or_default();
        let sent = if line[0] == "HEAD" { "" } else { &body };
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{sent}", body.len());
    }
    connection.over.store(true, SeqCst);
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

fn read(stream: &TcpStream, seen: &mut Seen) -> Option<()> {
    seen.head = until_end(stream, b"\r\n\r\n")?;
    if seen.values("transfer-encoding").iter().any(|value| value.to_lowercase().contains("chunked")) {
        return chunks(stream, seen);
    }
    let length = seen.values("content-length").first().map_or(Some(0), |value| value.parse().ok())?;
    stream.take(length).read_to_end(&mut seen.body).ok()?;
    (seen.body.len() as u64 == length).then_some(())
}

fn chunks(stream: &TcpStream, seen: &mut Seen) -> Option<()> {
    loop {
        let line = until_end(stream, b"\r\n")?;
        let text = String::from_utf8_lossy(&line).into_owned();
        let size = u64::from_str_radix(text.trim_end().split(';').next()?, 16).ok()?;
        if size == 0 {
            break;
        }
        let mut chunk = Vec::new();
        stream.take(size.saturating_add(2)).read_to_end(&mut chunk).ok()?;
        seen.body.extend_from_slice(chunk.strip_suffix(b"\r\n")?);
    }
    loop {
        let line = until_end(stream, b"\r\n")?;
        if line.len() == 2 {
            return Some(());
        }
        seen.trailers.extend(line);
    }
}

/// Bytes up to these, with them; none where the connection ends before.
fn until_end(mut stream: &TcpStream, end: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(end) {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        bytes.push(byte[0]);
    }
    Some(bytes)
}

//! Visitors of a site: each request comes on a connection of its own.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// What visitors saw.
#[derive(Default)]
pub struct Seen {
    /// Good answers.
    pub answers: u64,
    /// What went wrong, in words.
    pub failures: Vec<String>,
    /// The different answers.
    pub texts: BTreeSet<String>,
}

/// Visitors who come until they are called back.
pub struct Visitors {
    stop: Arc<AtomicBool>,
    all: Vec<JoinHandle<Seen>>,
}

/// One request; the body of a good answer.
///
/// # Errors
/// When there is no answer within 10 s, or it is not 200.
pub async fn request(address: SocketAddr, host: &str) -> anyhow::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        anyhow::ensure!(answer.starts_with("HTTP/1.1 200"), "answered {answer:?}");
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        body.ok_or_else(|| anyhow::anyhow!("no end of the headers in {answer:?}"))
    };
    tokio::time::timeout(Duration::from_secs(10), exchange).await?
}

async fn visitor(address: SocketAddr, host: &'static str, stop: Arc<AtomicBool>) -> Seen {
    let mut seen = Seen::default();
    while !stop.load(Ordering::Relaxed) {
        match request(address, host).await {
            Ok(text) => {
                seen.answers += 1;
                seen.texts.insert(text);
            }
            Err(error) => seen.failures.push(format!("{host}, after {} answers: {error:#}", seen.answers)),
        }
        // About 100 requests per second of each: enough to meet every moment of a switch.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    seen
}

impl Visitors {
    /// So many visitors of this host at this address.
    pub fn of(address: SocketAddr, host: &'static str, count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let all = (0..count).map(|_| tokio::spawn(visitor(address, host, stop.clone()))).collect();
        Self { stop, all }
    }

    /// Calls them back; what they saw together.
    ///
    /// # Errors
    /// When one of them panicked.
    pub async fn back(self) -> anyhow::Result<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        let mut together = Seen::default();
        for visitor in self.all {
            let seen = visitor.await?;
            together.answers += seen.answers;
            together.failures.extend(seen.failures);
            together.texts.extend(seen.texts);
        }
        Ok(together)
    }
}

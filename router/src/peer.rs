//! One connection of a client: who it is, and how many of its requests are under way.

use std::cell::Cell;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use http::header::HeaderValue;
use ipnet::IpNet;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::forwarded::Told;
use crate::host::Last;
use crate::tls::Shelf;

/// A connection whose client left so many requests before their answer, and at least half of all, is ended: each of
/// them costs a pod work and the client nothing. Envoy's bound for the same (premature resets of HTTP/2 streams).
const LEFT: u32 = 500;

/// What is true of one connection of a client.
#[derive(Debug)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// The same as a header's value.
    pub value: HeaderValue,
    /// Whether what it says about those behind it is believed.
    pub trusted: bool,
    /// `http` or `https`.
    pub proto: &'static str,
    /// Of an encrypted connection, the host that it was made for (SNI), and the certificates.
    pub made_for: Option<(String, Shelf)>,
    /// Its timer, where it has one request at a time.
    pub clock: Option<Clock>,
    /// What pods were last told of it.
    pub told: Told,
    /// The host of its last request.
    pub host: Last,
    /// Its requests.
    pub streams: Streams,
}

impl Peer {
    /// The peer of a connection from this address.
    pub fn new(address: IpAddr, proto: &'static str, trusted: &[IpNet]) -> Self {
        let address = address.to_canonical();
        let value =
            HeaderValue::from_str(&address.to_string()).unwrap_or(HeaderValue::from_static("unknown"));
        let trusted = trusted.iter().any(|net| net.contains(&address));
        Self {
            address,
            value,
            trusted,
            proto,
            made_for: None,
            clock: None,
            told: Told::default(),
            host: Last::default(),
            streams: Streams::new(),
        }
    }
}

/// The requests of a connection.
#[derive(Debug)]
pub struct Streams {
    all: Cell<u32>,
    open: Cell<u32>,
    left: Cell<u32>,
    last: Cell<Instant>,
    abused: Notify,
}

impl Streams {
    fn new() -> Self {
        Self {
            all: Cell::new(0),
            open: Cell::new(0),
            left: Cell::new(0),
            last: Cell::new(Instant::now()),
            abused: Notify::new(),
        }
    }

    /// One more.
    pub fn begun(&self) {
        self.all.set(self.all.get().saturating_add(1));
        self.open.set(self.open.get() + 1);
    }

    /// One less.
    pub fn ended(&self, now: Instant) {
        self.open.set(self.open.get().saturating_sub(1));
        self.last.set(now);
    }

    /// Since when there is none: the last ended, or the connection began.
    pub fn none_since(&self) -> Option<Instant> {
        (self.open.get() == 0).then(|| self.last.get())
    }

    /// The client left one before its answer.
    pub fn left(&self) {
        self.left.set(self.left.get() + 1);
        if self.left.get() >= LEFT && self.left.get() >= self.all.get() / 2 {
            self.abused.notify_one();
        }
    }

    /// Waits until the client has left too many.
    pub async fn abused(&self) {
        self.abused.notified().await;
    }

    /// Waits until there was no request for so long.
    pub async fn idle(&self, limit: Duration) {
        loop {
            let left =
                if self.open.get() > 0 { limit } else { limit.saturating_sub(self.last.get().elapsed()) };
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }
}

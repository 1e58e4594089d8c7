//! What is known of one request, until it is counted and logged at its end.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use http::header::{self, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, StatusCode, Version};

use crate::code::Code;
use crate::endpoint::{Endpoint, Place};
use crate::headers::Seen;
use crate::log::Line;
use crate::peer::Peer;
use crate::sender::Sender;
use crate::spans::Span;
use crate::stats::{CLIENT_LEFT, Ended, RouteStats};
use crate::table::Live;
use crate::worker::Worker;
use crate::{forwarded, headers};

/// A request, as its line in the log will have it. One that is dropped before its end was left by its client (H27).
pub struct Record {
    /// The thread that has it.
    pub worker: Rc<Worker>,
    /// The client's connection.
    pub peer: Rc<Peer>,
    /// The client's address: where the peer is a trusted proxy, the one that it names.
    pub client: Option<IpAddr>,
    /// The route that was chosen. It keeps nothing else of its table alive.
    pub route: Option<Arc<Live>>,
    /// The method.
    pub method: Method,
    /// The version that the client speaks.
    pub version: Version,
    /// The path and the query.
    pub path: PathAndQuery,
    /// `Host` as the client wrote it.
    pub host: HeaderValue,
    /// Its id.
    pub id: HeaderValue,
    /// When its header was there.
    pub start: Instant,
    /// When it had a connection to a pod.
    pub connected: Option<Instant>,
    /// What the client gets.
    pub status: StatusCode,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// It is a WebSocket or an event stream, and counted as one until it ends.
    pub stream: Option<OpenStream>,
    /// The work at the pod, as long as there is any.
    pub work: Option<Work>,
    /// The last pod that had it.
    pub pod: Option<SocketAddr>,
    /// Whether the scaling law follows it; see [`Ended`].
    pub demand: bool,
    /// When the client got the header of a pod's answer.
    pub answered: Option<Instant>,
    /// Whether anything was waited for since its header was there, so that the time has to be asked again.
    pub waited: bool,
    /// Whether the client came by https, to us or to a trusted proxy before us.
    pub is_https: bool,
    span: Option<Span>,
    is_over: bool,
}

/// An answer that goes on for so long after its header is a stream or a large file: its time says nothing about how fast
/// the pod is.
const LONG: Duration = Duration::from_secs(10);

/// Work that a pod has: it holds a place there and counts as in flight, also when the client has stopped waiting.
pub struct Work {
    place: Option<Place>,
    stats: Arc<RouteStats>,
}

impl Work {
    /// Counted from now on.
    pub fn new(stats: Arc<RouteStats>) -> Self {
        Self { place: None, stats }
    }

    /// The pod that has it.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.stats.busy().left();
    }
}

/// A WebSocket or an event stream that is open.
pub struct OpenStream(Arc<RouteStats>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.busy().streams.fetch_sub(1, Relaxed);
    }
}

impl Record {
    /// The record of a request whose header has just arrived. Gives the request an id where it has none.
    pub fn begin(worker: Rc<Worker>, peer: Rc<Peer>, parts: &mut Parts, seen: Seen) -> Box<Self> {
        // Room for what the pod is told besides, so that the map is made larger once at most.
        parts.headers.reserve(6);
        let mut id = headers::request_id(&mut parts.headers, seen.request_id, || worker.draw_long());
        // HTTP/2 would keep it in its table of fields that come again, at the cost of some that do.
        id.set_sensitive(parts.version >= Version::HTTP_2);
        if parts.version >= Version::HTTP_2
            && let (None, Some(authority)) = (parts.headers.get(header::HOST), parts.uri.authority())
            && let Ok(host) = HeaderValue::from_str(authority.as_str())
        {
            parts.headers.insert(header::HOST, host);
        }
        peer.streams.begun();
        Box::new(Self {
            client: forwarded::client(&parts.headers, &peer, &worker.trusted),
            route: None,
            method: parts.method.clone(),
            version: parts.version,
            path: parts.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")),
            host: parts.headers.get(header::HOST).cloned().unwrap_or(HeaderValue::from_static("")),
            id,
            start: Instant::now(),
            connected: None,
            status: StatusCode::OK,
            bytes: 0,
            stream: None,
            work: None,
            pod: None,
            demand: true,
            answered: None,
            waited: false,
            is_https: peer.proto == "https" || headers::is_https(&parts.headers, &peer),
            span: worker.spans.as_ref().map(|spans| spans.begin(&mut parts.headers, parts.method.as_str())),
            is_over: false,
            worker,
            peer,
        })
    }

    /// Keeps nothing of what was read from the client but the few words that it needs: they are parts of larger pieces.
    pub fn stand_alone(&mut self) {
        if let Ok(path) = PathAndQuery::try_from(self.path.as_str()) {
            self.path = path;
        }
        for value in [&mut self.host, &mut self.id] {
            if let Ok(own) = HeaderValue::from_bytes(value.as_bytes()) {
                *value = own;
            }
        }
    }

    /// It is a stream from now on.
    pub fn open_stream(&mut self) {
        let stats = self.live().map(|live| live.stats.clone());
        self.stream = stats.map(|stats| {
            stats.busy().streams.fetch_add(1, Relaxed);
            OpenStream(stats)
        });
    }

    /// The route.
    pub fn live(&self) -> Option<&Live> {
        self.route.as_deref()
    }

    /// It is at this pod now.
    pub fn at(&mut self, place: Place) {
        self.pod = Some(place.endpoint().address);
        if let Some(work) = &mut self.work {
            work.place = Some(place);
        }
    }

    /// It is at no pod any more: its place is free.
    pub fn leave_pod(&mut self) {
        if let Some(work) = &mut self.work {
            work.place = None;
        }
    }

    /// Tells the pod that has it something.
    pub fn tell_pod(&self, tell: impl FnOnce(&Endpoint)) {
        if let Some(place) = self.work.as_ref().and_then(Work::place) {
            tell(place.endpoint());
        }
    }

    /// The pod that has it, by its id.
    pub fn pod_id(&self) -> Option<u64> {
        self.work.as_ref().and_then(Work::place).map(|place| place.endpoint().id)
    }

    /// Gives the connection back.
    pub fn keep(&self, sender: Sender, now: Instant) {
        if let Some(place) = self.work.as_ref().and_then(Work::place) {
            self.worker.pool.keep(place.endpoint(), sender, now);
        }
    }

    /// Counts it and writes its line.
    pub fn end(self: Box<Self>, code: Option<Code>) {
        self.end_at(code, Instant::now());
    }

    /// The same, for whoever knows the time.
    pub fn end_at(mut self: Box<Self>, code: Option<Code>, now: Instant) {
        self.finish(code, now);
    }

    fn finish(&mut self, code: Option<Code>, now: Instant) {
        self.is_over = true;
        let connected = self.connected.unwrap_or(now);
        let (wait, service) = (connected - self.start, now.saturating_duration_since(connected));
        if let Some(live) = self.live() {
            let ended = Ended {
                status: self.status.as_u16(),
                code,
                wait,
                service,
                bytes: self.bytes,
                stream: self.stream.is_some(),
                demand: self.demand,
                whole: code.is_none()
                    && self.answered.is_some_and(|at| now.saturating_duration_since(at) < LONG),
            };
            live.stats.busy().ended(&ended);
        }
        if let Some(span) = self.span.take() {
            span.end(self, code);
        }
        self.peer.streams.ended(now);
        let mut log = self.worker.log.borrow_mut();
        if log.is_on() {
            let behind = self.client.filter(|client| *client != self.peer.address).map(|ip| ip.to_string());
            log.add(&Line {
                code,
                method: self.method.as_str(),
                path: self.path.as_str(),
                host: self.host.to_str().unwrap_or_default(),
                request_id: self.id.to_str().unwrap_or_default(),
                fwd: behind.as_deref().or(self.peer.value.to_str().ok()).unwrap_or_default(),
                env: self.live().map(|live| live.route.name.as_str()).unwrap_or_default(),
                pod: self.pod,
                connect: wait,
                service,
                status: self.status.as_u16(),
                bytes: self.bytes,
            });
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.is_over {
            if self.answered.is_none() {
                self.status = StatusCode::from_u16(CLIENT_LEFT).unwrap_or(StatusCode::REQUEST_TIMEOUT);
                self.peer.streams.left();
            }
            self.finish(Some(Code::H27), Instant::now());
        }
    }
}

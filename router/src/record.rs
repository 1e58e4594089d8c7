//! What is known of one request, until it is counted and logged at its end.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use http::header::HeaderValue;
use http::uri::PathAndQuery;
use http::{Method, StatusCode};

use crate::code::Code;
use crate::endpoint::{Endpoint, Place};
use crate::headers::Peer;
use crate::log::Line;
use crate::stats::{Ended, RouteStats};
use crate::table::{Live, Table};
use crate::worker::{Sender, Worker};

/// A request, as its line in the log will have it.
pub struct Record {
    /// The thread that has it.
    pub worker: Rc<Worker>,
    /// The client.
    pub peer: Rc<Peer>,
    /// The table and the place in it of the route that was chosen.
    pub route: Option<(Arc<Table>, usize)>,
    /// The method.
    pub method: Method,
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
}

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

    /// It is at this pod now.
    pub fn at(&mut self, place: Place) {
        self.place = Some(place);
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
        let (table, index) = self.route.as_ref()?;
        table.route(*index)
    }

    /// Tells the pod that has it something.
    pub fn pod(&self, tell: impl FnOnce(&Endpoint)) {
        if let Some(place) = self.work.as_ref().and_then(Work::place) {
            tell(place.endpoint());
        }
    }

    /// The pod that has it, by its id.
    pub fn pod_id(&self) -> Option<u64> {
        self.work.as_ref().and_then(Work::place).map(|place| place.endpoint().id)
    }

    /// Gives the connection back.
    pub fn keep(&self, sender: Sender) {
        if let Some(place) = self.work.as_ref().and_then(Work::place) {
            self.worker.keep(place.endpoint(), sender);
        }
    }

    /// Counts it and writes its line.
    pub fn end(self, code: Option<Code>) {
        let now = Instant::now();
        let connected = self.connected.unwrap_or(now);
        let (wait, service) = (connected - self.start, now.saturating_duration_since(connected));
        if let Some(live) = self.live() {
            let status = self.status.as_u16();
            let ended =
                Ended { status, code, wait, service, bytes: self.bytes, stream: self.stream.is_some() };
            live.stats.busy().ended(&ended);
        }
        let mut log = self.worker.log.borrow_mut();
        if log.is_on() {
            log.add(&Line {
                code,
                method: self.method.as_str(),
                path: self.path.as_str(),
                host: self.host.to_str().unwrap_or_default(),
                request_id: self.id.to_str().unwrap_or_default(),
                fwd: self.peer.value.to_str().unwrap_or_default(),
                env: self.live().map(|live| live.route.name.as_str()).unwrap_or_default(),
                pod: self.work.as_ref().and_then(Work::place).map(|place| place.endpoint().address),
                connect: wait,
                service,
                status: self.status.as_u16(),
                bytes: self.bytes,
            });
        }
    }
}

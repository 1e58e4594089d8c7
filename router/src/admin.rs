//! The router's own answers, at an address of their own: health, metrics, and signals for the scaling law.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use arc_swap::ArcSwap;
use autoscale::Report;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::cluster::Watching;
use crate::code::Code;
use crate::log::Sink;
use crate::stats::{BOUNDS, Busy};
use crate::table::{Live, Table};

/// What the answers are made of.
pub struct Admin {
    /// The newest table.
    pub tables: Arc<ArcSwap<Table>>,
    /// This router's name in signals.
    pub router: String,
    /// Whoever has this may read signals.
    pub token: Option<Vec<u8>>,
    /// Becomes true with the first whole table: it is not ready before.
    pub synced: watch::Receiver<bool>,
    /// Becomes true when the router is about to stop: it is not ready then.
    pub leaving: Arc<AtomicBool>,
    /// Where the requests' lines go.
    pub log: Sink,
    /// How the watches of the cluster are doing.
    pub watching: Arc<Watching>,
}

/// So long after a failure it accepts again.
const ACCEPT_AGAIN: std::time::Duration = std::time::Duration::from_millis(50);

/// Answers until the process ends.
pub async fn serve(admin: Arc<Admin>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: whoever asks for health must not find the door shut for ever.
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let admin = admin.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = admin.answer(request.uri().path(), request.uri().query(), request.headers());
                async move { Ok::<_, std::convert::Infallible>(answer.map(Full::new)) }
            });
            let builder = hyper::server::conn::http1::Builder::new().timer(TokioTimer::new()).to_owned();
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Where it listens.
///
/// # Errors
/// When the address is taken.
pub async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

impl Admin {
    /// The answer to a request for this path.
    pub fn answer(&self, path: &str, query: Option<&str>, headers: &HeaderMap) -> Response<Bytes> {
        match path {
            "/readyz" if self.leaving.load(Relaxed) => plain(StatusCode::SERVICE_UNAVAILABLE, "stops\n"),
            "/readyz" if !*self.synced.borrow() => {
                plain(StatusCode::SERVICE_UNAVAILABLE, "waits for its first table\n")
            }
            "/healthz" | "/readyz" => plain(StatusCode::OK, "ok\n"),
            "/metrics" => plain(StatusCode::OK, self.metrics()),
            "/signals" if !self.may_read(headers) => {
                plain(StatusCode::UNAUTHORIZED, "a bearer token is needed\n")
            }
            "/signals" => self.signals(query),
            _ => plain(StatusCode::NOT_FOUND, "/healthz /readyz /metrics /signals\n"),
        }
    }

    fn metrics(&self) -> String {
        let (table, w) = (self.tables.load(), &self.watching);
        let own: [Own; 8] = [
            ("routes", "gauge", "Routes in the table.", table.routes().len() as u64),
            (
                "route_conflicts",
                "gauge",
                "Routes that an older one keeps from some host.",
                table.conflicts.len() as u64,
            ),
            (
                "tables",
                "gauge",
                "Tables held in memory; more than a few for long are a leak.",
                Table::alive() as u64,
            ),
            (
                "lost_log_lines_total",
                "counter",
                "Lines left out, because nobody read fast enough.",
                self.log.lost(),
            ),
            (
                "watch_errors_total",
                "counter",
                "Times that a watch of the cluster failed.",
                w.errors.load(Relaxed),
            ),
            ("api_server_away", "gauge", "1 while the last table stays in force.", w.is_away().into()),
            (
                "held_endpoints",
                "gauge",
                "Endpoints kept though not ready, because many vanished or they flicker.",
                w.held.load(Relaxed),
            ),
            ("holds_total", "counter", "Times that endpoints began to be kept.", w.holds.load(Relaxed)),
        ];
        metrics(&table, &own)
    }

    fn may_read(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return false };
        let given = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        // The length may be known; which byte is wrong must not show in the time.
        given.is_some_and(|given| {
            given.len() == token.len() && given.iter().zip(token).fold(0, |d, (a, b)| d | (a ^ b)) == 0
        })
    }

    /// `?after=<second>`: the seconds since then, by route.
    fn signals(&self, query: Option<&str>) -> Response<Bytes> {
        let after =
            query.unwrap_or_default().split('&').find_map(|part| part.strip_prefix("after=")?.parse().ok());
        let table = self.tables.load();
        let reports: std::collections::BTreeMap<&str, Report> = known(&table)
            .map(|(live, busy)| {
                let buckets = busy.seconds_after(after.unwrap_or(i64::MIN));
                (live.route.name.as_str(), Report { router: self.router.clone(), buckets, gone: false })
            })
            .collect();
        let body = serde_json::to_vec(&reports).unwrap_or_default();
        let mut response = Response::new(Bytes::from(body));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn known(table: &Table) -> impl Iterator<Item = (&Live, &Busy)> {
    table.routes().iter().filter_map(|live| Some((&**live, live.stats.known()?)))
}

/// Name, kind, help and value of what is not of one route.
type Own = (&'static str, &'static str, &'static str, u64);
/// Name, kind, help, value.
type Counter = (&'static str, &'static str, &'static str, fn(&Busy) -> u64);

/// All metrics in Prometheus' text form. Only routes that were ever asked for are in it, so its size follows use.
fn metrics(table: &Table, own: &[Own]) -> String {
    let mut out = String::new();
    let head = |out: &mut String, name: &str, kind: &str, help: &str| {
        let _ = write!(out, "# HELP keelway_router_{name} {help}\n# TYPE keelway_router_{name} {kind}\n");
    };
    for (name, kind, help, value) in own {
        head(&mut out, name, kind, help);
        let _ = writeln!(out, "keelway_router_{name} {value}");
    }
    let counters: [Counter; 6] = [
        ("requests_total", "counter", "Requests whose header arrived.", |b| b.arrivals.load(Relaxed)),
        ("retries_total", "counter", "Of those, tagged as a retry.", |b| b.retries.load(Relaxed)),
        ("sent_bytes_total", "counter", "Bytes of answers' bodies.", |b| b.bytes.load(Relaxed)),
        ("in_flight", "gauge", "Requests that pods work on.", |b| b.in_flight.load(Relaxed).into()),
        ("waiting", "gauge", "Requests that wait for a pod.", |b| b.waiting.load(Relaxed).into()),
        ("streams", "gauge", "Open WebSockets and event streams.", |b| b.streams.load(Relaxed).into()),
    ];
    for (name, kind, help, value) in counters {
        head(&mut out, name, kind, help);
        for (live, busy) in known(table) {
            let _ = writeln!(out, "keelway_router_{name}{{env={:?}}} {}", live.route.name, value(busy));
        }
    }
    head(&mut out, "answers_total", "counter", "Answers by class of status.");
    for (live, busy) in known(table) {
        for (class, count) in busy.answers.iter().enumerate().filter(|(_, count)| count.load(Relaxed) > 0) {
            let (env, class, count) = (&live.route.name, class + 1, count.load(Relaxed));
            let _ = writeln!(out, "keelway_router_answers_total{{env={env:?},class=\"{class}xx\"}} {count}");
        }
    }
    head(&mut out, "errors_total", "counter", "Requests that did not get the application's answer, by code.");
    for (live, busy) in known(table) {
        for (code, count) in Code::ALL.iter().zip(&busy.codes).filter(|(_, count)| count.load(Relaxed) > 0) {
            let (env, code, count) = (&live.route.name, code.as_str(), count.load(Relaxed));
            let _ = writeln!(out, "keelway_router_errors_total{{env={env:?},code=\"{code}\"}} {count}");
        }
    }
    head(
        &mut out,
        "latency_seconds",
        "histogram",
        "Time until an answer was complete; streams are left out.",
    );
    known(table).for_each(|(live, busy)| histogram(&mut out, &live.route.name, busy));
    out
}

fn histogram(out: &mut String, env: &str, busy: &Busy) {
    let mut sum = 0;
    let bounds = BOUNDS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
    for (bound, count) in bounds.zip(&busy.latency) {
        sum += count.load(Relaxed);
        let _ = writeln!(out, "keelway_router_latency_seconds_bucket{{env={env:?},le=\"{bound}\"}} {sum}");
    }
    let micros = busy.latency_micros.load(Relaxed);
    let _ = writeln!(
        out,
        "keelway_router_latency_seconds_sum{{env={env:?}}} {}.{:06}",
        micros / 1_000_000,
        micros % 1_000_000
    );
    let _ = writeln!(out, "keelway_router_latency_seconds_count{{env={env:?}}} {sum}");
}

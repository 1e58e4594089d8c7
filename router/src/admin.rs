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
            "/metrics" => plain(StatusCode::OK, metrics(&self.tables.load(), self.log.lost())),
            "/signals" if !self.may_read(headers) => {
                plain(StatusCode::UNAUTHORIZED, "a bearer token is needed\n")
            }
            "/signals" => self.signals(query),
            _ => plain(StatusCode::NOT_FOUND, "/healthz /readyz /metrics /signals\n"),
        }
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

/// Name, kind, help, value.
type Counter = (&'static str, &'static str, &'static str, fn(&Busy) -> u64);

/// All metrics in Prometheus' text form. Only routes that were ever asked for are in it, so its size follows use.
fn metrics(table: &Table, lost_lines: u64) -> String {
    let mut out = String::new();
    let head = |out: &mut String, name: &str, kind: &str, help: &str| {
        let _ = write!(out, "# HELP keelway_router_{name} {help}\n# TYPE keelway_router_{name} {kind}\n");
    };
    head(&mut out, "routes", "gauge", "Routes in the table.");
    let _ = writeln!(out, "keelway_router_routes {}", table.routes().len());
    head(&mut out, "route_conflicts", "gauge", "Routes that an older one keeps from some host.");
    let _ = writeln!(out, "keelway_router_route_conflicts {}", table.conflicts.len());
    head(&mut out, "tables", "gauge", "Tables that are held in memory; more than a few for long are a leak.");
    let _ = writeln!(out, "keelway_router_tables {}", Table::alive());
    head(&mut out, "lost_log_lines_total", "counter", "Log lines left out, because nobody read fast enough.");
    let _ = writeln!(out, "keelway_router_lost_log_lines_total {lost_lines}");
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

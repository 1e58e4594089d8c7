//! One request from its header to the pod's answer.

use std::convert::Infallible;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};

use crate::access::{self, Entry};
use crate::body::{self, Body};
use crate::code::Code;
use crate::headers::Seen;
use crate::pass::{Passed, pass_on};
use crate::peer::Peer;
use crate::record::{Record, Work};
use crate::reply::{Refusal, finish_headers, is_event_stream, refusal, refuse, send_to};
use crate::route::{Limits, Protocol, State};
use crate::sender::Sender;
use crate::settings::is_allowed;
use crate::table::Live;
use crate::websocket::{self, Asked};
use crate::worker::Worker;
use crate::{flow, forwarded, framing, headers, host, tunnel};

/// Answers a request.
///
/// # Errors
/// Never: what goes wrong is an answer too.
pub async fn serve(
    worker: Rc<Worker>,
    peer: Rc<Peer>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (mut parts, body) = request.into_parts();
    let accept = parts.headers.get(header::ACCEPT).cloned();
    let seen = headers::look(&parts.headers);
    let mut record = Record::begin(worker, peer, &mut parts, seen);
    Ok(match exchange(&mut record, &mut parts, body, seen).await {
        Ok(Outcome::Answer(Passed { mut response, sender, upload })) => {
            record.status = response.status();
            if is_event_stream(response.headers()) {
                record.open_stream();
            }
            finish_headers(&mut response, &record);
            let limit = record.live().map_or(Limits::default().idle, |live| live.route.limits.idle);
            response.map(|inner| body::answer(inner, sender, upload, record, limit))
        }
        Ok(Outcome::Opened((mut response, pod, client), sender)) => {
            record.status = response.status();
            record.open_stream();
            finish_headers(&mut response, &record);
            tunnel::start(record, pod, client, sender);
            response.map(|()| Body::Whole(Full::default()))
        }
        Ok(Outcome::Sent(place)) => {
            flow::wait_for_client();
            send_to(record, place)
        }
        Err(refusal) => {
            flow::wait_for_client();
            refuse(record, &refusal, accept.as_ref())
        }
    })
}

/// What came of a request.
enum Outcome {
    /// A pod's answer.
    Answer(Passed),
    /// It has to come again by https, there.
    Sent(HeaderValue),
    /// A WebSocket was opened: what the client is told, the pod's side, the client's side.
    Opened((Response<()>, hyper::upgrade::OnUpgrade, hyper::upgrade::OnUpgrade), Sender),
}

/// Finds the route, says what the route's state says, passes the request on.
async fn exchange(
    record: &mut Record,
    parts: &mut Parts,
    body: Incoming,
    seen: Seen,
) -> Result<Outcome, Refusal> {
    find(record, parts, seen)?;
    let Some(live) = record.route.clone() else { return Err(Code::H99.into()) };
    let sent = must_be_https(&live, record, parts);
    record.demand = !sent && !matches!(live.route.state, State::Maintenance | State::Empty);
    live.stats.busy().arrived(seen.attempt, record.demand);
    record.work = Some(Work::new(live.stats.clone()));
    state(&live, record.client)?;
    if live.stats.busy().in_flight.load(Relaxed) > record.worker.per_environment {
        return Err(refusal(
            Code::H11,
            "this environment has all the connections that one may have: half of the router's --max-connections",
        ));
    }
    if sent {
        let host = host::parse(record.host.to_str().unwrap_or_default()).map(|host| host.name().to_owned());
        let place =
            host.ok().and_then(|host| HeaderValue::try_from(format!("https://{host}{}", record.path)).ok());
        return place.map(Outcome::Sent).ok_or_else(|| Code::H26.into());
    }
    // After the redirect: a password is not asked for in clear where it need not be.
    admit(&live, &mut parts.headers).await?;
    record.waited = !live.route.users.is_empty();
    let http2 = live.route.protocol == Protocol::H2c;
    let asked = rewrite(record, parts, &body, (seen, http2))?;
    let passed = pass_on(record, parts, body, asked.is_some()).await?;
    let agrees = websocket::agrees(&passed.response, http2);
    match asked {
        Some(asked) if agrees => {
            let opened = websocket::open(passed.response, asked, record.version);
            Ok(Outcome::Opened(opened, passed.sender))
        }
        // To a client of HTTP/2 any good status would say that it is open.
        Some(_) if record.version >= Version::HTTP_2 && passed.response.status().is_success() => {
            Err(refusal(Code::H25, "the process answered, but did not open a WebSocket"))
        }
        // Nobody asked for it.
        None if passed.response.status() == StatusCode::SWITCHING_PROTOCOLS => Err(Code::H17.into()),
        _ => Ok(Outcome::Answer(passed)),
    }
}

/// The route of a request.
fn find(record: &mut Record, parts: &Parts, seen: Seen) -> Result<(), Refusal> {
    let table = record.worker.tables.load();
    let host = host::of_request(&parts.uri, &parts.headers, parts.version, &record.peer.host)
        .map_err(|bad| refusal(Code::H26, bad.to_string()))?;
    if seen.framing && !framing::is_plain(&parts.headers) {
        return Err(refusal(Code::H26, "the body needs a length or one coding, chunked, and nothing else"));
    }
    let made_for = record.peer.made_for.as_ref();
    if made_for.is_some_and(|(name, shelf)| !name.is_empty() && !shelf.is_shared(name, host.name())) {
        return Err(refusal(Code::H31, "the connection was made for a host with another certificate"));
    }
    if parts.method == Method::CONNECT && !websocket::is_extended_connect(parts) {
        return Err(refusal(Code::H26, "CONNECT is for proxies, and this is none"));
    }
    let found = table.find(host.name(), parts.uri.path(), &parts.headers).map_err(|_| {
        refusal(Code::H26, "the path has dot segments, empty segments or encoded slashes; write it plainly")
    })?;
    let live =
        found.ok_or_else(|| refusal(Code::H81, format!("nothing is deployed at {}", host.name())))?.clone();
    drop(host);
    record.route = Some(live);
    Ok(())
}

fn must_be_https(live: &Live, record: &Record, parts: &Parts) -> bool {
    live.route.https_only && record.peer.proto == "http" && !headers::is_https(&parts.headers, &record.peer)
}

/// Makes a client's header one for the pod. Returns the client's side where it asks for a WebSocket.
fn rewrite(
    record: &Record,
    parts: &mut Parts,
    body: &Incoming,
    (seen, http2): (Seen, bool),
) -> Result<Option<Asked>, Refusal> {
    let may_ask = seen.upgrade || parts.method == Method::CONNECT;
    let asked = if may_ask { websocket::asked(parts, !body.is_end_stream()) } else { None };
    // Says that trailers are understood, without which gRPC does not begin (RFC 9113 §8.2.2).
    let trailers = http2
        && parts.headers.get(header::TE).is_some_and(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers"));
    if seen.one_hop {
        headers::remove_hop_by_hop(&mut parts.headers);
    }
    if seen.twins {
        forwarded::remove_twins(&mut parts.headers);
    }
    forwarded::forward(&mut parts.headers, &record.peer, &record.host);
    if parts.version >= Version::HTTP_2 && !http2 {
        headers::join_cookies(&mut parts.headers);
    }
    if !http2 {
        if parts.uri.authority().is_some() || parts.uri.scheme().is_some() {
            parts.uri = Uri::from(record.path.clone());
        }
        parts.version = Version::HTTP_11;
        if !body.is_end_stream() && body.size_hint().exact().is_none() {
            // Said plainly: without it a body of a GET would be lost.
            parts.headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        return Ok(asked);
    }
    let host = record.host.to_str().unwrap_or_default();
    let uri = Uri::builder().scheme("http").authority(host).path_and_query(record.path.clone()).build();
    parts.uri = uri.map_err(|_| Refusal::from(Code::H26))?;
    parts.version = Version::HTTP_2;
    parts.headers.remove(header::HOST);
    if trailers {
        parts.headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    Ok(asked)
}

fn state(live: &Live, client: Option<IpAddr>) -> Result<(), Refusal> {
    let cause = live.route.cause.clone();
    let code = match live.route.state {
        State::Serving => return Ok(()),
        State::Maintenance if is_allowed(&live.route.allow, client) => return Ok(()),
        State::Maintenance => Code::H80,
        State::Crashed => Code::H10,
        State::Asleep => Code::H20,
        State::Empty => Code::H81,
    };
    Err(Refusal::new(code, cause))
}

/// Lets in who may enter, as often as the route allows. The credentials are for this door, and do not reach the pod.
async fn admit(live: &Live, headers: &mut HeaderMap) -> Result<(), Refusal> {
    if let Some(rate) = live.route.rate
        && let Err(wait) = live.stats.used.take(rate, Instant::now())
    {
        return Err(Refusal::new(Code::H22, None).after(wait));
    }
    if live.route.users.is_empty() {
        return Ok(());
    }
    match Box::pin(access::enter(&live.route.users, headers)).await {
        Entry::Open => {
            headers.remove(header::AUTHORIZATION);
            Ok(())
        }
        Entry::Refused => Err(Refusal::stranger(&live.route.name)),
        Entry::Busy => Err(Refusal::new(Code::H22, Some("too many passwords are looked at".into()))),
    }
}

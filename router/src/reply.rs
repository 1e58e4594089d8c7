//! What the router adds to a pod's answer, or says in its place.

use std::sync::atomic::Ordering::Relaxed;

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode, Version};
use http_body_util::Full;

use crate::body::Body;
use crate::code::Code;
use crate::headers;
use crate::page::{self, Page};
use crate::record::Record;

const NOINDEX: HeaderName = HeaderName::from_static("x-robots-tag");

/// Why a request got no answer of a pod.
pub struct Refusal {
    /// The code.
    pub code: Code,
    /// Why, in words.
    pub cause: Option<String>,
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self { code, cause: None }
    }
}

/// A code with its cause.
pub fn refusal(code: Code, cause: impl Into<String>) -> Refusal {
    Refusal { code, cause: Some(cause.into()) }
}

/// Takes away what is for one hop only, adds what is ours. While the router is about to stop, each answer asks its client
/// to come by another connection.
pub fn finish_headers<B>(response: &mut Response<B>, record: &Record) {
    let is_switch = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    if !is_switch {
        if headers.contains_key(header::TRANSFER_ENCODING) {
            // It does not count beside the former (RFC 9112 §6.3), and would belie the body that is passed on.
            headers.remove(header::CONTENT_LENGTH);
        }
        headers::remove_hop_by_hop(headers);
        say_goodbye(headers, record);
    }
    headers.insert(headers::REQUEST_ID, record.id.clone());
    headers.remove(headers::CODE);
    let Some(live) = record.live() else { return };
    if live.route.noindex {
        headers.insert(NOINDEX, HeaderValue::from_static("noindex"));
    }
    if let Some(seconds) = live.route.hsts.filter(|_| record.peer.proto == "https")
        && let Ok(value) = HeaderValue::try_from(format!("max-age={seconds}"))
    {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
}

/// Asks the client to close, if the router is about to stop. In HTTP/2 the connection says so itself.
fn say_goodbye(headers: &mut HeaderMap, record: &Record) {
    if record.version < Version::HTTP_2 && record.worker.leaving.load(Relaxed) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// 308 to the same address by https: the method and the body stay.
pub fn send_to(mut record: Record, place: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::Page(Full::default()));
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(header::LOCATION, place);
    response.headers_mut().insert(headers::REQUEST_ID, record.id.clone());
    say_goodbye(response.headers_mut(), &record);
    record.status = response.status();
    record.end(None);
    response
}

/// Whether an answer is a stream of events, which is no latency.
pub fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"text/event-stream"))
}

/// The page of a code; the request ends with it.
pub fn refuse(mut record: Record, refusal: &Refusal, accept: Option<&HeaderValue>) -> Response<Body> {
    let page = Page { code: refusal.code, cause: refusal.cause.as_deref(), request_id: Some(&record.id) };
    let mut response = page::answer(page, accept);
    record.status = response.status();
    record.bytes = response.body().len() as u64;
    if record.live().is_some_and(|live| live.route.noindex) {
        response.headers_mut().insert(NOINDEX, HeaderValue::from_static("noindex"));
    }
    say_goodbye(response.headers_mut(), &record);
    record.end(Some(refusal.code));
    response.map(|page| Body::Page(Full::new(page)))
}

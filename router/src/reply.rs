//! What the router adds to a pod's answer, or says in its place.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

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
    /// The code; none where the client has to say first who it is.
    pub code: Option<Code>,
    /// Why, in words.
    pub cause: Option<String>,
    /// When it may come again.
    after: Option<Duration>,
    /// For what it needs a name and a password.
    realm: Option<String>,
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self::new(code, None)
    }
}

impl Refusal {
    /// A code, and why.
    pub fn new(code: Code, cause: Option<String>) -> Self {
        Self { code: Some(code), cause, after: None, realm: None }
    }

    /// The same, with the time after which it may come again.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self { after: Some(wait), ..self }
    }

    /// A name and a password are needed.
    pub fn stranger(realm: &str) -> Self {
        let realm = Some(realm.replace(['"', '\\'], ""));
        Self { code: None, cause: Some("a name and a password are needed here".into()), after: None, realm }
    }
}

/// A code with its cause.
pub fn refusal(code: Code, cause: impl Into<String>) -> Refusal {
    Refusal::new(code, Some(cause.into()))
}

/// Takes away what is for one hop only, adds what is ours. While the router is about to stop, each answer asks its client
/// to come by another connection.
pub fn finish_headers<B>(response: &mut Response<B>, record: &Record) {
    let is_switch = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    let seen = headers::look(headers);
    if !is_switch {
        if seen.one_hop {
            if headers.contains_key(header::TRANSFER_ENCODING) {
                // It does not count beside the former (RFC 9112 §6.3), and would belie the body that is passed on.
                headers.remove(header::CONTENT_LENGTH);
            }
            headers::remove_hop_by_hop(headers);
        }
        say_goodbye(headers, record);
    }
    headers.insert(headers::REQUEST_ID, record.id.clone());
    if seen.code {
        headers.remove(headers::CODE);
    }
    let Some(live) = record.live() else { return };
    if live.route.noindex {
        headers.insert(NOINDEX, HeaderValue::from_static("noindex"));
    }
    if let Some(seconds) = live.route.hsts.filter(|_| record.is_https)
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
pub fn send_to(mut record: Box<Record>, place: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::Whole(Full::default()));
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
pub fn refuse(mut record: Box<Record>, refusal: &Refusal, accept: Option<&HeaderValue>) -> Response<Body> {
    let own = record.live().map(|live| &live.route.pages);
    let own = own.and_then(|pages| {
        if refusal.code == Some(Code::H80) { &pages.maintenance } else { &pages.error }.as_ref()
    });
    let page = Page {
        code: refusal.code,
        cause: refusal.cause.as_deref(),
        request_id: Some(&record.id),
        own: own.filter(|_| refusal.code.is_some()),
    };
    let mut response = page::answer(page, accept);
    let headers = response.headers_mut();
    if let Some(wait) = refusal.after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
    }
    let realm = refusal.realm.as_ref().map(|realm| format!("Basic realm=\"{realm}\", charset=\"UTF-8\""));
    if let Some(asks) = realm.and_then(|asks| HeaderValue::try_from(asks).ok()) {
        headers.insert(header::WWW_AUTHENTICATE, asks);
    }
    if record.live().is_some_and(|live| live.route.noindex) {
        headers.insert(NOINDEX, HeaderValue::from_static("noindex"));
    }
    say_goodbye(headers, &record);
    if refusal.code == Some(Code::H26) && record.version < Version::HTTP_2 {
        // Others may have read another end of it, so what follows need not be a request.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    record.status = response.status();
    record.bytes = response.body().len() as u64;
    record.end(refusal.code);
    response.map(|page| Body::Whole(Full::new(page)))
}

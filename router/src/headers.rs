//! Headers on their way through: what ends at this hop is taken away, what the application needs to know is set anew.

use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue};

use crate::peer::Peer;

/// `X-Request-Id`: kept or made.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// `X-Keelway-Code`: why the application's answer is missing.
pub const CODE: HeaderName = HeaderName::from_static("x-keelway-code");
/// A client that tries again says how often it did before; such requests are told apart from new demand.
pub const ATTEMPT: HeaderName = HeaderName::from_static("x-request-attempt");
pub(crate) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

const HEX: &[u8; 16] = b"0123456789abcdef";

/// What is meant for one hop only, besides `Connection`.
const ONE_HOP: [HeaderName; 8] = [
    // Our server has answered it, or will when the body is read.
    header::EXPECT,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHORIZATION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    HTTP2_SETTINGS,
];

/// What `Connection` cannot take away.
const KEPT: [HeaderName; 7] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::AUTHORIZATION,
    header::COOKIE,
    REQUEST_ID,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

/// What a header has of the fields that ask for something to be done. One walk over the few that are there is cheaper than
/// a search for each of those, of which mostly none is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Fields for one hop only, `Connection` among them.
    pub one_hop: bool,
    /// `Upgrade`.
    pub upgrade: bool,
    /// What tells of a body: `Content-Length` and `Transfer-Encoding`.
    pub framing: bool,
    /// `X-Request-Id`.
    pub request_id: bool,
    /// `X-Request-Attempt`.
    pub attempt: bool,
    /// `X-Keelway-Code`.
    pub code: bool,
    /// Fields that applications may take for ours; see [`crate::forwarded::remove_twins`].
    pub twins: bool,
}

/// Looks over a header.
pub fn look(headers: &HeaderMap) -> Seen {
    let mut seen = Seen::default();
    for name in headers.keys() {
        match name.as_str() {
            "connection"
            | "expect"
            | "te"
            | "proxy-authorization"
            | "keep-alive"
            | "proxy-connection"
            | "http2-settings" => seen.one_hop = true,
            "upgrade" => (seen.one_hop, seen.upgrade) = (true, true),
            "transfer-encoding" => (seen.one_hop, seen.framing) = (true, true),
            "content-length" => seen.framing = true,
            "x-request-id" => seen.request_id = true,
            "x-request-attempt" => seen.attempt = true,
            "x-keelway-code" => seen.code = true,
            other => seen.twins |= other.starts_with('x') && other.contains('_'),
        }
    }
    seen
}

/// Removes what is meant for one hop only (RFC 9110 §7.6.1): the fixed ones and those that `Connection` names.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
            .collect();
        for name in named {
            // A client must not make us drop what the application relies on.
            if !KEPT.contains(&name) {
                headers.remove(name);
            }
        }
        headers.remove(header::CONNECTION);
    }
    for name in ONE_HOP {
        headers.remove(name);
    }
}

/// Whether a trusted proxy says that the client came by https.
pub fn is_https(headers: &HeaderMap, peer: &Peer) -> bool {
    peer.trusted
        && headers.get(FORWARDED_PROTO).is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// HTTP/2 may send cookies one by one; HTTP/1.1 has one line of them (RFC 9113 §8.2.3).
pub fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(header::COOKIE).iter().nth(1).is_none() {
        return;
    }
    let all: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(one) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
        headers.insert(header::COOKIE, one);
    }
}

/// The protocol that a request asks to change to, if it asks for WebSocket. Others are not passed on: what speaks in them
/// would go past everything that is decided here per request.
pub fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let wants = |value: &HeaderValue| {
        value.to_str().is_ok_and(|text| text.split(',').any(|t| t.trim().eq_ignore_ascii_case("upgrade")))
    };
    let websocket = |value: &&HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    let asked = |_: &&HeaderValue| headers.get_all(header::CONNECTION).iter().any(wants);
    headers.get(header::UPGRADE).filter(websocket).filter(asked).cloned()
}

/// The client's id of the request, if it has one that can stand in a log line; else one of our own from `draw`.
pub fn request_id(headers: &mut HeaderMap, has_one: bool, draw: impl FnOnce() -> u128) -> HeaderValue {
    let sane = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        (1..=128).contains(&bytes.len())
            && bytes.iter().all(|b| {
                b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'+' | b'/' | b'=')
            })
    };
    if has_one && let Some(id) = headers.get(REQUEST_ID).filter(sane).cloned() {
        // There may be several; the application gets the one that we log.
        headers.insert(REQUEST_ID, id.clone());
        return id;
    }
    let (mut drawn, mut text) = (draw(), [0; 32]);
    for byte in text.iter_mut().rev() {
        *byte = HEX[(drawn & 15) as usize];
        drawn >>= 4;
    }
    let id = HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("none"));
    headers.insert(REQUEST_ID, id.clone());
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in list {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        map
    }

    #[test]
    fn what_is_for_one_hop_ends_here() {
        let mut map = headers(&[
            ("connection", "close, X-Secret, Authorization, X-Request-Id, TraceParent"),
            ("connection", "x-second, \u{ff}"),
            ("x-second", "1"),
            ("traceparent", "00-1-1-01"),
            ("x-request-id", "1"),
            ("x-secret", "1"),
            ("authorization", "Basic x"),
            ("te", "trailers"),
            ("keep-alive", "5"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "Basic x"),
            ("accept", "*/*"),
        ]);
        remove_hop_by_hop(&mut map);
        let mut left: Vec<_> = map.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "authorization", "traceparent", "x-request-id"]);
    }

    #[test]
    fn a_look_finds_all_that_asks_for_something() {
        let seen = |name: &str| look(&headers(&[("accept", "*/*"), (name, "1")]));
        for name in ONE_HOP.iter().chain([&header::CONNECTION]) {
            assert!(seen(name.as_str()).one_hop, "{name}");
        }
        let none = Seen::default();
        let framing = Seen { framing: true, ..none };
        let one_hop = Seen { one_hop: true, ..none };
        assert_eq!(seen("content-length"), framing);
        assert_eq!(seen("transfer-encoding"), Seen { one_hop: true, ..framing });
        assert_eq!(seen("upgrade"), Seen { upgrade: true, ..one_hop });
        assert_eq!(seen("x-request-id"), Seen { request_id: true, ..none });
        assert_eq!(seen("x-request-attempt"), Seen { attempt: true, ..none });
        assert_eq!(seen("x-keelway-code"), Seen { code: true, ..none });
        assert_eq!(seen("x-forwarded_for"), Seen { twins: true, ..none });
        assert_eq!(seen("cookie"), none);
    }

    #[test]
    fn only_websockets_change_the_protocol() {
        let asks = |to: &str| upgrade(&headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", to)]));
        assert!(asks("WebSocket").is_some());
        assert!(asks("h2c").is_none() && asks("SPDY/3.1").is_none());
        assert!(upgrade(&headers(&[("upgrade", "websocket")])).is_none());
    }

    #[test]
    fn an_id_that_would_break_the_log_is_replaced() {
        let mut map = headers(&[("x-request-id", "a b"), ("x-request-id", "c")]);
        assert_eq!(request_id(&mut map, true, || 255), format!("{:032x}", 255));
        assert_eq!(map.get_all(REQUEST_ID).iter().count(), 1);
        let mut map = headers(&[("x-request-id", "abc-1")]);
        assert_eq!(request_id(&mut map, true, || 255), "abc-1");
    }
}

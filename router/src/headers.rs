//! Headers on their way through: what ends at this hop is taken away, what the application needs to know is set anew.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::peer::Peer;

/// `X-Request-Id`: kept or made.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// `X-Keelway-Code`: why the application's answer is missing.
pub const CODE: HeaderName = HeaderName::from_static("x-keelway-code");
/// A client that tries again says how often it did before; such requests are told apart from new demand.
pub const ATTEMPT: HeaderName = HeaderName::from_static("x-request-attempt");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

const HEX: &[u8; 16] = b"0123456789abcdef";

/// What `Connection` cannot take away.
const KEPT: [HeaderName; 5] =
    [header::HOST, header::CONTENT_LENGTH, header::AUTHORIZATION, header::COOKIE, REQUEST_ID];

/// Removes what is meant for one hop only (RFC 9110 §7.6.1): the fixed ones and those that `Connection` names.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            .collect();
        for name in named {
            // A client must not make us drop what the application relies on.
            if !KEPT.contains(&name) {
                headers.remove(name);
            }
        }
        headers.remove(header::CONNECTION);
    }
    for name in
        [KEEP_ALIVE, PROXY_CONNECTION, HTTP2_SETTINGS, header::TE, header::TRANSFER_ENCODING, header::UPGRADE]
    {
        headers.remove(name);
    }
    headers.remove(header::PROXY_AUTHORIZATION);
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
    let asked = headers.get_all(header::CONNECTION).iter().any(wants);
    let websocket = |value: &&HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    headers.get(header::UPGRADE).filter(websocket).filter(|_| asked).cloned()
}

/// Sets what tells the application about its client. Only a trusted proxy's own words are kept, and added to.
pub fn forward(headers: &mut HeaderMap, peer: &Peer, host: &HeaderValue) {
    headers.reserve(8);
    remove_twins(headers);
    let chain = peer.trusted.then(|| joined(headers, &FORWARDED_FOR)).flatten();
    let chain = chain.and_then(|before| HeaderValue::from_str(&format!("{before}, {}", peer.address)).ok());
    headers.insert(FORWARDED_FOR, chain.unwrap_or_else(|| peer.value.clone()));
    let keep = |headers: &HeaderMap, name: &HeaderName| peer.trusted && headers.contains_key(name);
    if !keep(headers, &FORWARDED_PROTO) {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(peer.proto));
    }
    if !keep(headers, &FORWARDED_PORT) {
        headers.insert(FORWARDED_PORT, HeaderValue::from(port(host, peer)));
    }
    if !keep(headers, &FORWARDED_HOST) {
        headers.insert(FORWARDED_HOST, host.clone());
    }
    let own = element(peer, host);
    let before = peer.trusted.then(|| joined(headers, &header::FORWARDED)).flatten();
    let all = match before.filter(|before| ends_outside_quotes(before)) {
        Some(before) => format!("{before}, {own}"),
        None => own,
    };
    match HeaderValue::from_maybe_shared(Bytes::from(all)) {
        Ok(value) => drop(headers.insert(header::FORWARDED, value)),
        Err(_) => drop(headers.remove(header::FORWARDED)),
    }
}

/// The port that the client knows: our own listens behind a Service or a load balancer.
fn port(host: &HeaderValue, peer: &Peer) -> u16 {
    let named = host.to_str().unwrap_or_default().rsplit_once(':');
    let named = named.and_then(|(_, port)| port.parse().ok());
    named.unwrap_or(if peer.proto == "https" { 443 } else { 80 })
}

/// What is ours to say, written with an underscore: many applications (CGI, WSGI, Rack, PHP) read it as the same.
fn remove_twins(headers: &mut HeaderMap) {
    let is_twin = |name: &&HeaderName| {
        name.as_str().contains('_')
            && [FORWARDED_FOR, FORWARDED_PROTO, FORWARDED_HOST, FORWARDED_PORT, REQUEST_ID]
                .iter()
                .any(|ours| name.as_str().replace('_', "-") == ours.as_str())
    };
    let twins: Vec<HeaderName> = headers.keys().filter(is_twin).cloned().collect();
    for twin in twins {
        headers.remove(twin);
    }
}

/// The address of the client: the peer's, or where the peer is trusted the last one in `X-Forwarded-For` that is not
/// (what stands before it, a client may have made up). None where that is no address.
pub fn client(headers: &HeaderMap, peer: &Peer, trusted: &[IpNet]) -> Option<IpAddr> {
    if !peer.trusted {
        return Some(peer.address);
    }
    let mut found = peer.address;
    for value in headers.get_all(FORWARDED_FOR).iter().rev() {
        for text in value.to_str().ok()?.rsplit(',') {
            found = address(text.trim())?;
            if !trusted.iter().any(|net| net.contains(&found)) {
                return Some(found);
            }
        }
    }
    Some(found)
}

/// An address, which some proxies write with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().ok().map(|both| both.ip());
    bare.parse::<IpAddr>().ok().or_else(with_port).map(|ip| ip.to_canonical())
}

/// One element of `Forwarded` (RFC 7239): an IPv6 address and a host with a port stand in quotes.
fn element(peer: &Peer, host: &HeaderValue) -> String {
    let host = host.to_str().unwrap_or_default();
    let mut text = String::with_capacity(96);
    let (before, after) = if peer.address.is_ipv6() { ("for=\"[", "]\"") } else { ("for=", "") };
    text.push_str(before);
    text.push_str(peer.value.to_str().unwrap_or_default());
    text.push_str(after);
    text.push_str(if host.contains([':', '[']) { ";host=\"" } else { ";host=" });
    text.push_str(host);
    text.push_str(if host.contains([':', '[']) { "\";proto=" } else { ";proto=" });
    text.push_str(peer.proto);
    text
}

/// Whether what is added behind a text stands in no quotes of it: they would swallow it.
fn ends_outside_quotes(text: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for byte in text.bytes() {
        quoted ^= byte == b'"' && !escaped;
        escaped = quoted && byte == b'\\' && !escaped;
    }
    !quoted
}

/// All values of a header in one line.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let all: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// The client's id of the request, if it can stand in a log line; else one of our own from `draw`.
pub fn request_id(headers: &mut HeaderMap, draw: impl FnOnce() -> u128) -> HeaderValue {
    let sane = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        (1..=128).contains(&bytes.len())
            && bytes.iter().all(|b| {
                b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'+' | b'/' | b'=')
            })
    };
    if let Some(id) = headers.get(REQUEST_ID).filter(sane).cloned() {
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

    fn peer(address: &str) -> Peer {
        Peer::new(address.parse().unwrap(), "http", &["10.0.0.0/8".parse().unwrap()])
    }

    #[test]
    fn what_is_for_one_hop_ends_here() {
        let mut map = headers(&[
            ("connection", "close, X-Secret, Authorization, X-Request-Id"),
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
        assert_eq!(left, ["accept", "authorization", "x-request-id"]);
    }

    #[test]
    fn a_stranger_cannot_say_who_it_is() {
        let mut map = headers(&[
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=1.2.3.4"),
            ("x_forwarded_for", "1.2.3.4"),
            ("x_other", "1"),
        ]);
        forward(&mut map, &peer("192.0.2.7"), &HeaderValue::from_static("shop.example.com"));
        assert_eq!(map[FORWARDED_FOR], "192.0.2.7");
        assert_eq!(map[FORWARDED_PROTO], "http");
        assert_eq!(map[FORWARDED_PORT], "80", "not the one that we listen at");
        assert!(!map.contains_key("x_forwarded_for") && map.contains_key("x_other"));
        assert_eq!(map[header::FORWARDED], "for=192.0.2.7;host=shop.example.com;proto=http");
    }

    #[test]
    fn a_trusted_proxy_is_believed_and_added_to() {
        let mut map = headers(&[
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-for", "5.6.7.8"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=1.2.3.4"),
        ]);
        forward(&mut map, &peer("10.1.1.1"), &HeaderValue::from_static("shop:8080"));
        assert_eq!(map[FORWARDED_FOR], "1.2.3.4, 5.6.7.8, 10.1.1.1");
        assert_eq!(map[FORWARDED_PROTO], "https");
        assert_eq!(map[header::FORWARDED], "for=1.2.3.4, for=10.1.1.1;host=\"shop:8080\";proto=http");
        let mut map = headers(&[("forwarded", r#"for="\""#), ("forwarded", "for=1.2.3.4")]);
        forward(&mut map, &peer("10.1.1.1"), &HeaderValue::from_static("shop"));
        assert_eq!(map[header::FORWARDED], "for=10.1.1.1;host=shop;proto=http", "an open quote");
    }

    #[test]
    fn the_client_is_whom_the_last_stranger_was_seen_to_be() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let seen = |from: &str, lines: &[&str]| {
            let lines: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
            client(&headers(&lines), &peer(from), &trusted).map(|ip| ip.to_string()).unwrap_or_default()
        };
        assert_eq!(seen("192.0.2.7", &["10.0.0.9"]), "192.0.2.7", "a stranger's word");
        assert_eq!(seen("10.1.1.1", &[]), "10.1.1.1");
        assert_eq!(seen("10.1.1.1", &["10.9.9.9, 203.0.113.5"]), "203.0.113.5", "what it says of itself");
        assert_eq!(seen("10.1.1.1", &["10.9.9.9", "203.0.113.5:4711, 10.1.1.2"]), "203.0.113.5");
        assert_eq!(seen("10.1.1.1", &["[2001:db8::1]"]), "2001:db8::1");
        assert_eq!(seen("10.1.1.1", &["10.9.9.9, unknown"]), "", "not taken for the proxy");
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
        assert_eq!(request_id(&mut map, || 255), format!("{:032x}", 255));
        assert_eq!(map.get_all(REQUEST_ID).iter().count(), 1);
        let mut map = headers(&[("x-request-id", "abc-1")]);
        assert_eq!(request_id(&mut map, || 255), "abc-1");
    }
}

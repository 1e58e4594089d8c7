//! Who the client is, as the application is told: `X-Forwarded-*`, `Forwarded` (RFC 7239).

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::headers::{FORWARDED_PROTO, REQUEST_ID};
use crate::peer::Peer;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// What pods were last told about a connection's client. It depends on the host, which is nearly always the same one.
#[derive(Debug, Default)]
pub struct Told(RefCell<Option<(HeaderValue, HeaderValue, Option<HeaderValue>)>>);

impl Told {
    /// The port, and our element of `Forwarded`, if it can be written down.
    fn of(&self, peer: &Peer, host: &HeaderValue) -> (HeaderValue, Option<HeaderValue>) {
        let mut last = self.0.borrow_mut();
        match &*last {
            Some((of, port, element)) if of == host => (port.clone(), element.clone()),
            _ => {
                let element = HeaderValue::from_maybe_shared(Bytes::from(element(peer, host))).ok();
                let port = HeaderValue::from(port(host, peer));
                // Not a part of what was read from the client, which would be kept with it.
                let of = HeaderValue::from_bytes(host.as_bytes()).unwrap_or(HeaderValue::from_static(""));
                *last = Some((of, port.clone(), element.clone()));
                (port, element)
            }
        }
    }
}

/// Sets what tells the application about its client. Only a trusted proxy's own words are kept, and added to.
pub fn forward(headers: &mut HeaderMap, peer: &Peer, host: &HeaderValue) {
    let (port, own) = peer.told.of(peer, host);
    let chain = peer.trusted.then(|| joined(headers, &FORWARDED_FOR)).flatten();
    let chain = chain.and_then(|before| HeaderValue::from_str(&format!("{before}, {}", peer.address)).ok());
    headers.insert(FORWARDED_FOR, chain.unwrap_or_else(|| peer.value.clone()));
    let keep = |headers: &HeaderMap, name: &HeaderName| peer.trusted && headers.contains_key(name);
    if !keep(headers, &FORWARDED_PROTO) {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(peer.proto));
    }
    if !keep(headers, &FORWARDED_PORT) {
        headers.insert(FORWARDED_PORT, port);
    }
    if !keep(headers, &FORWARDED_HOST) {
        headers.insert(FORWARDED_HOST, host.clone());
    }
    let before = peer.trusted.then(|| joined(headers, &header::FORWARDED)).flatten();
    let all = match before.filter(|before| ends_outside_quotes(before)) {
        Some(before) => own.and_then(|own| {
            HeaderValue::try_from(format!("{before}, {}", own.to_str().unwrap_or_default())).ok()
        }),
        None => own,
    };
    match all {
        Some(value) => drop(headers.insert(header::FORWARDED, value)),
        None => drop(headers.remove(header::FORWARDED)),
    }
}

/// The port that the client knows: our own listens behind a Service or a load balancer.
fn port(host: &HeaderValue, peer: &Peer) -> u16 {
    let named = host.to_str().unwrap_or_default().rsplit_once(':');
    let named = named.and_then(|(_, port)| port.parse().ok());
    named.unwrap_or(if peer.proto == "https" { 443 } else { 80 })
}

/// Removes what is ours to say, written with an underscore: many applications (CGI, WSGI, Rack, PHP) read it as the same.
pub fn remove_twins(headers: &mut HeaderMap) {
    let is_twin = |name: &&HeaderName| {
        name.as_str().contains('_')
            && [FORWARDED_FOR, FORWARDED_PROTO, FORWARDED_HOST, FORWARDED_PORT, REQUEST_ID]
                .iter()
                .any(|ours| name.as_str().replace('_', "-") == ours.as_str())
    };
    if headers.keys().any(|name| is_twin(&name)) {
        let twins: Vec<HeaderName> = headers.keys().filter(is_twin).cloned().collect();
        for twin in twins {
            headers.remove(twin);
        }
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
    fn a_stranger_cannot_say_who_it_is() {
        let mut map = headers(&[
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=1.2.3.4"),
            ("x_forwarded_for", "1.2.3.4"),
            ("x_other", "1"),
        ]);
        remove_twins(&mut map);
        forward(&mut map, &peer("192.0.2.7"), &HeaderValue::from_static("shop.example.com"));
        assert_eq!(map[FORWARDED_FOR], "192.0.2.7");
        assert_eq!(map[FORWARDED_PROTO], "http");
        assert_eq!(map[FORWARDED_PORT], "80", "not the one that we listen at");
        assert!(!map.contains_key("x_forwarded_for") && map.contains_key("x_other"));
        assert_eq!(map[header::FORWARDED], "for=192.0.2.7;host=shop.example.com;proto=http");
    }

    #[test]
    fn hosts_in_turn_on_one_connection_are_told_apart() {
        let peer = peer("192.0.2.7");
        for (host, port) in [("a.example.com", "80"), ("b.example.com:81", "81"), ("a.example.com", "80")] {
            let mut map = HeaderMap::new();
            forward(&mut map, &peer, &HeaderValue::from_static(host));
            assert_eq!(
                (&map[FORWARDED_HOST], &map[FORWARDED_PORT]),
                (&HeaderValue::from_static(host), &HeaderValue::from_static(port))
            );
            assert!(map[header::FORWARDED].to_str().unwrap().contains(host));
        }
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
}

//! Any fields that tell of clients, from any peer: no panic, a client that is no trusted proxy where a stranger stands
//! behind the proxies, and fields for the pod that everybody can read.
//! The first line is the peer's address, the second the Host, each other one a field's name and value.
#![no_main]

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HeaderName};
use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use libfuzzer_sys::fuzz_target;
use router::{forwarded, headers, host, peer::Peer};

fn trusted() -> [IpNet; 2] {
    ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().expect("a network"))
}

fn is_trusted(address: IpAddr) -> bool {
    trusted().iter().any(|net| net.contains(&address))
}

/// All addresses in `X-Forwarded-For`, as far as they are any.
fn named(fields: &HeaderMap) -> Vec<IpAddr> {
    let lines = fields.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
    let address = |text: &str| {
        let bare = text.trim().trim_start_matches('[').trim_end_matches(']');
        let with_port = text.trim().parse::<SocketAddr>().map(|both| both.ip());
        bare.parse::<IpAddr>().or(with_port).ok().map(|address| address.to_canonical())
    };
    lines.flat_map(|line| line.split(',')).filter_map(address).collect()
}

fn check_client(fields: &HeaderMap, peer: &Peer) {
    let client = forwarded::client(fields, peer, &trusted());
    if !peer.trusted {
        assert_eq!(client, Some(peer.address), "a stranger's word");
        return;
    }
    let Some(client) = client else { return };
    let named = named(fields);
    assert!(client == peer.address || named.contains(&client), "{client} was never named in {fields:?}");
    if is_trusted(client) {
        let stranger = named.iter().find(|address| !is_trusted(**address));
        assert_eq!(stranger, None, "{client} is a proxy, and a stranger is behind it: {fields:?}");
    }
}

/// The elements of `Forwarded`: what stands in quotes ends none. None where a quote has no end.
fn elements(text: &str) -> Option<Vec<String>> {
    let (mut all, mut one) = (Vec::new(), String::new());
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                all.push(std::mem::take(&mut one));
                continue;
            }
            _ => {}
        }
        one.push(c);
    }
    all.push(one);
    (!quoted).then_some(all)
}

fn check_forward(mut fields: HeaderMap, peer: &Peer, host: &HeaderValue) {
    forwarded::forward(&mut fields, peer, host);
    let one = |name: &str| {
        let mut all = fields.get_all(name).iter();
        let value = all.next().and_then(|value| value.to_str().ok());
        assert!(all.next().is_none(), "{name} twice: {fields:?}");
        value.unwrap_or_else(|| panic!("no {name} that can be read: {fields:?}"))
    };
    let chain = one("x-forwarded-for");
    assert_eq!(chain.rsplit(", ").next(), Some(peer.address.to_string().as_str()));
    let text = one(FORWARDED.as_str());
    let all = elements(text).unwrap_or_else(|| panic!("a quote without end: {text}"));
    let own = all.last().expect("one at least").trim();
    let starts = if peer.address.is_ipv6() {
        format!("for=\"[{}]\";", peer.address)
    } else {
        format!("for={};", peer.address)
    };
    assert!(own.starts_with(&starts), "the last of {all:?} is not the peer");
    assert_eq!(own.split(';').count(), 3, "{own}");
    if !peer.trusted {
        assert_eq!((chain, all.len()), (peer.address.to_string().as_str(), 1), "a stranger's words stay");
        assert_eq!(one("x-forwarded-proto"), "http");
        assert_eq!(one("x-forwarded-host").as_bytes(), host.as_bytes());
        let text = host.to_str().expect("it was parsed");
        let behind_brackets = text.rsplit(']').next().unwrap_or_default();
        let port = behind_brackets.split_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(80_u16);
        assert_eq!(one("x-forwarded-port"), port.to_string(), "the port that the client knows");
    }
}

fuzz_target!(|given: &[u8]| {
    let mut lines = given.split(|b| *b == b'\n');
    let mut text = || std::str::from_utf8(lines.next()?).ok();
    let Some(address) = text().and_then(|text| text.parse().ok()) else { return };
    // A request is refused before where its host is none.
    let Some(host) = text().filter(|text| host::parse(text).is_ok()) else { return };
    let host = HeaderValue::from_str(host).expect("a host can be a field's value");
    let mut fields = HeaderMap::new();
    for line in lines {
        let Some(at) = line.iter().position(|b| *b == b':') else { continue };
        let (name, value) = (HeaderName::from_bytes(&line[..at]), HeaderValue::from_bytes(&line[at + 1..]));
        let (Ok(name), Ok(value)) = (name, value) else { continue };
        fields.append(name, value);
    }
    let peer = Peer::new(address, "http", &trusted());
    assert_eq!(peer.trusted, is_trusted(peer.address));
    check_client(&fields, &peer);
    let _ = headers::is_https(&fields, &peer);
    check_forward(fields, &peer, &host);
});

//! The host that a request is for: one spelling, or a refusal.
//!
//! RFC 9112 §3.2 and RFC 9110 §7.2: an HTTP/1.1 request has exactly one Host; where the target has an authority, that
//! counts, and we refuse a Host that says something else, because the application would see the other one.

use std::borrow::Cow;
use std::cell::RefCell;

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Uri, Version};

/// Why a request names no host that can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHost {
    /// There is none, or there are several.
    #[error("the request needs exactly one Host")]
    NotOne,
    /// It is no host.
    #[error("Host is not a host name or an address, optionally with a port")]
    Malformed,
    /// The target and Host differ.
    #[error("Host and the request's target name different hosts")]
    Contradiction,
    /// The target is neither a path nor an address with one.
    #[error("the request's target is neither a path nor an address")]
    Target,
}

/// The longest host name that DNS has.
const LONGEST: usize = 253;

/// The host of a request: lower case, without a port and without the dot at its end.
///
/// # Errors
/// [`BadHost`].
pub fn of_request<'a>(
    uri: &'a Uri,
    headers: &'a HeaderMap,
    version: Version,
    last: &Last,
) -> Result<Host<'a>, BadHost> {
    if !is_target(uri, version) {
        return Err(BadHost::Target);
    }
    let mut all = headers.get_all(HOST).iter();
    let header = all.next().map(|value| value.to_str().map_err(|_| BadHost::Malformed)).transpose()?;
    if all.next().is_some() {
        return Err(BadHost::NotOne);
    }
    match (uri.authority(), header) {
        (Some(target), Some(header)) => {
            let host = last.parse(target.as_str())?;
            let same = target.as_str().eq_ignore_ascii_case(header)
                || (parse(header)?.name() == host.name() && port(header) == target.port_u16());
            if same { Ok(host) } else { Err(BadHost::Contradiction) }
        }
        (Some(target), None) if version >= Version::HTTP_2 => last.parse(target.as_str()),
        (None, Some(header)) => last.parse(header),
        (_, None) => Err(BadHost::NotOne),
    }
}

/// Whether the target leads somewhere (RFC 9112 §3.2, RFC 9113 §8.3.1). The parser lets pass a host alone, which is for
/// CONNECT, an address with a fragment in place of a path, and in HTTP/2 a path that is a query alone and a scheme that is
/// empty. What we made of them would not be what was sent.
fn is_target(uri: &Uri, version: Version) -> bool {
    let Some(path) = uri.path_and_query() else { return false };
    match path.as_str() {
        // The parser's word for an empty path too, which would be sent on as no target at all.
        "/" => uri.scheme_str() != Some("") && !Uri::from(path.clone()).path().is_empty(),
        path if version >= Version::HTTP_2 => {
            uri.scheme_str() != Some("") && (path.starts_with('/') || path == "*")
        }
        _ => true,
    }
}

/// A host in the one spelling that the table uses. It borrows where the spelling is that already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host<'a>(Cow<'a, str>);

impl Host<'_> {
    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// The host that a connection's last request was for, which its next one is for too, nearly always. Kept where it was
/// written in the one spelling, with how much of the text is the name.
#[derive(Debug, Default)]
pub struct Last(RefCell<(String, usize)>);

impl Last {
    /// As [`parse`].
    fn parse<'a>(&self, text: &'a str) -> Result<Host<'a>, BadHost> {
        let mut last = self.0.borrow_mut();
        if last.0 == text && last.1 > 0 {
            return Ok(Host(text[..last.1].into()));
        }
        let host = parse(text)?;
        if let Cow::Borrowed(name) = host.0 {
            text.clone_into(&mut last.0);
            last.1 = name.len();
        }
        Ok(host)
    }
}

fn port(text: &str) -> Option<u16> {
    text.parse::<Authority>().ok()?.port_u16()
}

/// Reads `host`, `host:port`, `1.2.3.4:port` or `[::1]:port`.
///
/// # Errors
/// [`BadHost::Malformed`].
pub fn parse(text: &str) -> Result<Host<'_>, BadHost> {
    let name = without_port(text).ok_or(BadHost::Malformed)?;
    let name = name.strip_suffix('.').unwrap_or(name);
    if !is_host(name) {
        return Err(BadHost::Malformed);
    }
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        return Ok(Host(name.to_ascii_lowercase().into()));
    }
    Ok(Host(name.into()))
}

fn without_port(text: &str) -> Option<&str> {
    let (name, rest) = match text.strip_prefix('[') {
        Some(inside) => {
            let end = inside.find(']')?;
            inside[..end].parse::<std::net::Ipv6Addr>().ok()?;
            text.split_at(end + 2)
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Some(name),
        Some(port) if port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit()) => {
            (port.is_empty() || port.parse::<u16>().is_ok()).then_some(name)
        }
        _ => None,
    }
}

fn is_host(name: &str) -> bool {
    if name.starts_with('[') {
        return true;
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.len() <= LONGEST && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<String> {
        parse(text).ok().map(|host| host.name().to_owned())
    }

    #[test]
    fn one_spelling() {
        for (text, host) in [
            ("shop.example.com", "shop.example.com"),
            ("SHOP.example.com.:8443", "shop.example.com"),
            ("shop:", "shop"),
            ("10.0.0.1:80", "10.0.0.1"),
            ("[::1]:80", "[::1]"),
        ] {
            assert_eq!(name(text).as_deref(), Some(host), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "", ".", "a..b", "a b", "a/b", "user@a", "a:b", "a:99999", "a:80:80", "[::1", "[x]", "a\tb",
            "a,b", "ä.com", "a?b", "a#b", "::1", "%61.com",
        ] {
            assert_eq!(name(text), None, "{text}");
        }
        assert_eq!(name(&format!("{}.com", "a".repeat(64))), None);
    }

    #[test]
    fn a_target_without_a_path_is_refused() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "a".parse().unwrap());
        let read = |uri: &Uri, version| of_request(uri, &headers, version, &Last::default()).map(|_| ());
        for (target, expected) in [
            ("/", Ok(())),
            ("/a#b", Ok(())),
            ("*", Ok(())),
            ("http://a", Ok(())),
            ("http://a?b", Ok(())),
            ("http://a#b", Err(BadHost::Target)),
            ("a", Err(BadHost::Target)),
            ("a:80", Err(BadHost::Target)),
        ] {
            assert_eq!(read(&target.parse().unwrap(), Version::HTTP_11), expected, "{target}");
        }
        let query = Uri::builder().scheme("http").authority("a").path_and_query("?a").build().unwrap();
        assert_eq!(read(&query, Version::HTTP_2), Err(BadHost::Target));
        assert_eq!(read(&"/".parse().unwrap(), Version::HTTP_2), Ok(()), "a Host and no authority");
    }

    #[test]
    fn the_target_and_host_agree_or_it_is_refused() {
        let read = |uri: &str, hosts: &[&str], version| {
            let mut headers = HeaderMap::new();
            hosts.iter().for_each(|host| {
                headers.append(HOST, host.parse().unwrap());
            });
            let last = Last::default();
            let uri = uri.parse().unwrap();
            let host = of_request(&uri, &headers, version, &last);
            host.map(|host| host.name().to_owned())
        };
        let http1 = Version::HTTP_11;
        assert_eq!(read("/", &["a"], http1).as_deref(), Ok("a"));
        assert_eq!(read("/", &[], http1), Err(BadHost::NotOne));
        assert_eq!(read("/", &["a", "a"], http1), Err(BadHost::NotOne));
        assert_eq!(read("http://a/", &["A"], http1).as_deref(), Ok("a"));
        assert_eq!(read("http://a/", &["b"], http1), Err(BadHost::Contradiction));
        assert_eq!(read("http://a:1/", &["a:2"], http1), Err(BadHost::Contradiction));
        assert_eq!(read("http://a/", &[], http1), Err(BadHost::NotOne));
        assert_eq!(read("http://a/", &[], Version::HTTP_2).as_deref(), Ok("a"));
    }

    #[test]
    fn what_was_read_before_is_read_the_same_way_again() {
        let last = Last::default();
        for text in [
            "a.b:80", "a.b:80", "A.b", "A.b", "a.b:80", "[::1]:1", "[::1]:1", "a.b.", "a.b.", "a b", "a b",
            "",
        ] {
            assert_eq!(last.parse(text), parse(text), "{text}");
        }
    }
}

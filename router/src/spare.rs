//! A request without a body, to be sent a second time.

use http::header::{HeaderName, HeaderValue};
use http::{Method, Request, Uri, Version};

use crate::upload::Outgoing;

/// The same request again.
pub fn copy<B>(request: &Request<B>) -> Request<Outgoing> {
    let mut again = Request::new(Outgoing::empty());
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.version_mut() = request.version();
    request.headers().clone_into(again.headers_mut());
    again
}

/// The request of HTTP/1.1 that was written with these bytes; none if that cannot be read, which nothing is that was
/// written as a whole.
pub fn read(bytes: &[u8]) -> Option<Request<Outgoing>> {
    let text = bytes.strip_suffix(b"\r\n\r\n")?;
    let mut lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut words = lines.next()?.splitn(3, |byte| *byte == b' ');
    let mut request = Request::new(Outgoing::empty());
    *request.method_mut() = Method::from_bytes(words.next()?).ok()?;
    *request.uri_mut() = Uri::try_from(words.next()?).ok()?;
    *request.version_mut() = Version::HTTP_11;
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii_start());
        request
            .headers_mut()
            .append(HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    Some(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let request =
            read(b"PUT /a?b=%20 HTTP/1.1\r\nhost: a:80\r\nx-own: \xff 1:2\r\nx-own: \r\naccept: */*\r\n\r\n");
        let request = request.unwrap();
        assert_eq!((request.method(), request.uri().to_string()), (&Method::PUT, "/a?b=%20".into()));
        let fields: Vec<_> = request.headers().iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        let expected: [(&str, &[u8]); 4] =
            [("host", b"a:80"), ("x-own", b"\xff 1:2"), ("x-own", b""), ("accept", b"*/*")];
        assert_eq!(fields, expected);
        let again = copy(&request);
        assert_eq!(
            (again.method(), again.uri(), again.headers()),
            (request.method(), request.uri(), request.headers())
        );
        for half in [&b"GET / HTTP/1.1\r\n"[..], b"", b"\r\n\r\n", b"GET / HTTP/1.1\r\nhost: a\r\n"] {
            assert!(read(half).is_none());
        }
    }
}

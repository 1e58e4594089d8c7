//! Opening a WebSocket: `Upgrade` in HTTP/1.1 (RFC 6455 §4), an extended CONNECT in HTTP/2 (RFC 8441). The client and the
//! pod may each speak either.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use sha1::{Digest as _, Sha1};

use crate::headers;

const KEY: HeaderName = header::SEC_WEBSOCKET_KEY;
const ACCEPT: HeaderName = header::SEC_WEBSOCKET_ACCEPT;

/// A client that asks for a WebSocket.
pub struct Asked {
    client: OnUpgrade,
    /// The client's key, in HTTP/1.1.
    key: Option<HeaderValue>,
}

/// Whether a CONNECT asks for a WebSocket, and not to be led through to somewhere.
pub fn is_extended_connect(parts: &Parts) -> bool {
    parts.method == Method::CONNECT
        && parts.extensions.get::<Protocol>().is_some_and(|protocol| protocol.as_str() == "websocket")
}

/// Takes what asks for a WebSocket out of a request, if it does; it is then the request of an ordinary GET. One with another
/// method or a body asks for none (RFC 6455 §4.1).
pub fn asked(parts: &mut Parts, has_body: bool) -> Option<Asked> {
    if is_extended_connect(parts) {
        parts.extensions.remove::<Protocol>();
        parts.method = Method::GET;
        return Some(Asked { client: parts.extensions.remove()?, key: None });
    }
    if parts.method != Method::GET || has_body {
        return None;
    }
    headers::upgrade(&parts.headers)?;
    let key = parts.headers.get(KEY).cloned();
    Some(Asked { client: parts.extensions.remove()?, key })
}

/// Makes a GET one that asks a pod for a WebSocket.
pub fn ask<B>(request: &mut Request<B>, http2: bool, draw: impl FnOnce() -> u128) {
    if http2 {
        *request.method_mut() = Method::CONNECT;
        request.headers_mut().remove(KEY);
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        return;
    }
    let headers = request.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if !headers.contains_key(KEY)
        && let Ok(key) = HeaderValue::try_from(STANDARD.encode(draw().to_be_bytes()))
    {
        headers.insert(KEY, key);
    }
}

/// Whether a pod agrees. Over HTTP/2 the library opens it with the status 200 alone.
pub fn agrees(response: &Response<Incoming>, http2: bool) -> bool {
    if http2 {
        response.status() == StatusCode::OK
    } else {
        response.status() == StatusCode::SWITCHING_PROTOCOLS
    }
}

/// What the client is told when the pod agrees, the pod's side, and the client's side.
pub fn open(
    mut response: Response<Incoming>,
    asked: Asked,
    version: Version,
) -> (Response<()>, OnUpgrade, OnUpgrade) {
    let pod = hyper::upgrade::on(&mut response);
    let mut response = response.map(drop);
    headers::remove_hop_by_hop(response.headers_mut());
    let said = response.headers_mut().remove(ACCEPT);
    if version >= Version::HTTP_2 {
        *response.status_mut() = StatusCode::OK;
    } else {
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        if let Some(accept) = said.or_else(|| asked.key.as_ref().and_then(accept)) {
            headers.insert(ACCEPT, accept);
        }
    }
    (response, pod, asked.client)
}

/// The answer to a client's key (RFC 6455 §4.2.2).
fn accept(key: &HeaderValue) -> Option<HeaderValue> {
    let digest =
        Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    HeaderValue::try_from(STANDARD.encode(digest)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_key_is_that_of_the_standard() {
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept(&key).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}

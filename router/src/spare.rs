//! What is needed to send a request without a body a second time. It is made for nearly every request and nearly never
//! used, so it is what is cheapest to make: bytes, in memory that is used again.

use std::cell::RefCell;
use std::rc::Rc;

use http::header::{HeaderName, HeaderValue};
use http::{Method, Request, Uri, Version};

use crate::upload::Outgoing;

/// So many pieces of memory are kept by a thread, as requests are under way at a time in practice.
const KEPT: usize = 256;
/// Bytes above which a piece is not kept.
const LARGEST: usize = 8 * 1024;

/// Memory of one thread for its spares.
#[derive(Clone, Default)]
pub struct Spares(Rc<RefCell<Vec<Vec<u8>>>>);

/// A request without a body, as it can be sent again.
pub struct Spare {
    method: Method,
    uri: Uri,
    version: Version,
    /// Per field: two bytes with the length of the name, four with that of the value, one that says whether the value must not
    /// be put into a table (HPACK); the name, the value.
    fields: Vec<u8>,
    memory: Spares,
}

/// Bytes before each field.
const HEAD: usize = 7;

impl Spare {
    /// The method, the address and the fields of a request.
    pub fn of<B>(request: &Request<B>, memory: &Spares) -> Self {
        let mut fields = memory.0.borrow_mut().pop().unwrap_or_default();
        for (name, value) in request.headers() {
            let name = name.as_str().as_bytes();
            // The library bounds both: names by 2^16, headers by what was read of the client.
            let (names, values) = (u16::try_from(name.len()), u32::try_from(value.len()));
            let mut head = [0; HEAD];
            head[..2].copy_from_slice(&names.unwrap_or_default().to_le_bytes());
            head[2..6].copy_from_slice(&values.unwrap_or_default().to_le_bytes());
            head[6] = u8::from(value.is_sensitive());
            fields.extend_from_slice(&head);
            fields.extend_from_slice(name);
            fields.extend_from_slice(value.as_bytes());
        }
        let (method, uri, version) = (request.method().clone(), request.uri().clone(), request.version());
        Self { method, uri, version, fields, memory: memory.clone() }
    }

    /// The request; none if a field cannot be read, which no field that was written is.
    pub fn request(&self) -> Option<Request<Outgoing>> {
        let mut request = Request::new(Outgoing::empty());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = self.version;
        let mut rest = &self.fields[..];
        while let Some((head, after)) = rest.split_first_chunk::<HEAD>() {
            let names = usize::from(u16::from_le_bytes([head[0], head[1]]));
            let values = usize::try_from(u32::from_le_bytes([head[2], head[3], head[4], head[5]])).ok()?;
            let (name, after) = after.split_at_checked(names)?;
            let (value, after) = after.split_at_checked(values)?;
            let mut value = HeaderValue::from_bytes(value).ok()?;
            value.set_sensitive(head[6] == 1);
            request.headers_mut().append(HeaderName::from_bytes(name).ok()?, value);
            rest = after;
        }
        Some(request)
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        let mut kept = self.memory.0.borrow_mut();
        if kept.len() < KEPT && self.fields.capacity() <= LARGEST {
            self.fields.clear();
            kept.push(std::mem::take(&mut self.fields));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_back_as_it_was_and_its_memory_is_used_again() {
        let mut secret = HeaderValue::from_static("1");
        secret.set_sensitive(true);
        let request = Request::put("/a?b")
            .header("accept", "*/*")
            .header("x-own", HeaderValue::from_bytes(b"\xff ").unwrap())
            .header("x-own", "")
            .header("cookie", secret)
            .body(())
            .unwrap();
        let memory = Spares::default();
        for _ in 0..2 {
            let again = Spare::of(&request, &memory).request().unwrap();
            assert_eq!((again.method(), again.uri()), (request.method(), request.uri()));
            assert_eq!(again.headers(), request.headers());
            assert!(again.headers()["cookie"].is_sensitive());
            assert_eq!(memory.0.borrow().len(), 1);
        }
    }
}

//! Whether everybody reads the same end of a request's body.

use http::HeaderMap;
use http::header::{self, HeaderValue};

/// Whether the body is told of plainly: one coding, `chunked`, or none, and lengths that are numbers. The parsers let pass
/// codings before the last one, which the pod would not learn of, and in HTTP/2 an empty length.
pub fn is_plain(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_chunked = codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    let is_number = |value: &HeaderValue| value.as_bytes().first().is_some_and(u8::is_ascii_digit);
    is_chunked && codings.next().is_none() && headers.get_all(header::CONTENT_LENGTH).iter().all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_coding_and_lengths_that_are_numbers_are_plain() {
        for (list, plain) in [
            (&[][..], true),
            (&[("content-length", "5")], true),
            (&[("transfer-encoding", "Chunked")], true),
            (&[("transfer-encoding", "chunked"), ("content-length", "5")], true),
            (&[("transfer-encoding", "chunked, chunked")], false),
            (&[("transfer-encoding", "gzip, chunked")], false),
            (&[("transfer-encoding", ",chunked")], false),
            (&[("transfer-encoding", "identity"), ("transfer-encoding", "chunked")], false),
            (&[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")], false),
            (&[("content-length", "")], false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in list {
                headers.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(is_plain(&headers), plain, "{list:?}");
        }
    }
}

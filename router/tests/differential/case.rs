//! A case: bytes to send, and how many requests they are.

/// Bytes that a client sends.
pub struct Case {
    /// How it stands in the table of disagreements.
    pub name: String,
    pub bytes: Vec<u8>,
    pub is_http2: bool,
    /// As many requests as a reader may see in it, at most.
    pub requests: usize,
    /// Whether everybody must pass it on.
    pub plain: bool,
}

impl Case {
    /// Text, as UTF-8.
    pub fn http1(text: impl AsRef<str>, requests: usize) -> Self {
        let text = text.as_ref();
        Self {
            name: format!("{text:?}"),
            bytes: text.as_bytes().to_vec(),
            is_http2: false,
            requests,
            plain: false,
        }
    }

    pub fn http2(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { name: format!("h2: {}", name.into()), bytes, is_http2: true, requests: 1, plain: false }
    }
}

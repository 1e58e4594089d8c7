//! Frames of HTTP/2 as raw bytes, and the header blocks in them, without compression.

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;
/// The block and the stream end with the frame.
pub const WHOLE: u8 = END_STREAM | END_HEADERS;

pub const WORDS: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A field's name and value.
pub type Field<'a> = (&'a str, &'a str);

/// The header of the plainest request.
pub const GET: &[Field<'static>] =
    &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")];
/// The same with a body to come.
pub const POST: &[Field<'static>] =
    &[(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/")];

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A header block: each field a literal that enters no table (RFC 7541 §6.2.2).
pub fn block(fields: &[Field<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            length(&mut bytes, text.len());
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

/// An integer with a prefix of seven bits (RFC 7541 §5.1).
fn length(bytes: &mut Vec<u8>, mut left: usize) {
    if left < 127 {
        bytes.push(u8::try_from(left).unwrap());
        return;
    }
    bytes.push(127);
    left -= 127;
    while left >= 128 {
        bytes.push(u8::try_from(left % 128).unwrap() | 128);
        left /= 128;
    }
    bytes.push(u8::try_from(left).unwrap());
}

/// A HEADERS frame with these fields.
pub fn headers(flags: u8, stream: u32, fields: &[Field<'_>]) -> Vec<u8> {
    frame(HEADERS, flags, stream, &block(fields))
}

/// A whole connection: the words, empty settings, these frames.
pub fn connection(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = WORDS.to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    bytes.extend(frames.concat());
    bytes
}

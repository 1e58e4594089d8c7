//! Any bytes as the header of the PROXY protocol: it names a client or is refused, nothing behind it is read, and what was
//! read means the same alone.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use futures::FutureExt as _;
use libfuzzer_sys::fuzz_target;
use router::proxy_protocol::client;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// The client, and how many bytes were read.
fn read(bytes: &[u8]) -> (Option<IpAddr>, usize) {
    let mut stream = bytes;
    let found = client(&mut stream, PEER).now_or_never().expect("bytes that are there keep nobody waiting");
    (found, bytes.len() - stream.len())
}

fuzz_target!(|bytes: &[u8]| {
    let (found, length) = read(bytes);
    let Some(found) = found else { return };
    let header = &bytes[..length];
    if header[0] == b'P' {
        assert!(header.ends_with(b"\n") && length <= 107, "{header:?}");
        let text = std::str::from_utf8(header).expect("a header of version 1 is ASCII");
        let named = text.split(' ').nth(2).and_then(|name| name.parse().ok());
        assert_eq!(named.filter(|_| !text.starts_with("PROXY UNKNOWN")).unwrap_or(PEER), found, "{text:?}");
    } else {
        assert_eq!(length, 16 + usize::from(u16::from_be_bytes([header[14], header[15]])), "{header:?}");
    }
    assert_eq!(read(header), (Some(found), length));
    let more = [header, b"PROXY TCP4 203.0.113.5 10.0.0.1 4711 80\r\n"].concat();
    assert_eq!(read(&more), (Some(found), length), "what stands behind changes it");
});

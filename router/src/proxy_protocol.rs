//! The PROXY protocol, versions 1 and 2 (<https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt>): a load balancer that
//! passes on bytes says first whose they are. Only a trusted one is believed, and it has to say it.

use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The longest header of version 1.
const LONGEST_TEXT: usize = 107;
/// The longest header of version 2 that is read; addresses and a few extensions need less.
const LONGEST_BINARY: usize = 2048;
/// What a header of version 2 has before its addresses.
const PREFIX: usize = 16;

/// Reads the header, and nothing behind it. The address of the client; the load balancer's own (`peer`) where it says
/// that the connection is its own, as for a health check. None where there is no such header.
pub async fn client(stream: &mut (impl AsyncRead + Unpin), peer: IpAddr) -> Option<IpAddr> {
    let mut bytes = vec![stream.read_u8().await.ok()?];
    if bytes[0] == b'P' {
        while bytes.last() != Some(&b'\n') && bytes.len() < LONGEST_TEXT {
            bytes.push(stream.read_u8().await.ok()?);
        }
        return text(&bytes, peer);
    }
    bytes.resize(PREFIX, 0);
    stream.read_exact(&mut bytes[1..]).await.ok()?;
    let rest = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if !bytes.starts_with(ppp::v2::PROTOCOL_PREFIX) || rest > LONGEST_BINARY {
        return None;
    }
    bytes.resize(PREFIX + rest, 0);
    stream.read_exact(&mut bytes[PREFIX..]).await.ok()?;
    binary(&bytes, peer)
}

fn text(bytes: &[u8], peer: IpAddr) -> Option<IpAddr> {
    use ppp::v1::{Addresses, Header};
    match Header::try_from(bytes).ok()?.addresses {
        Addresses::Unknown => Some(peer),
        Addresses::Tcp4(addresses) => Some(addresses.source_address.into()),
        Addresses::Tcp6(addresses) => Some(addresses.source_address.into()),
    }
}

fn binary(bytes: &[u8], peer: IpAddr) -> Option<IpAddr> {
    use ppp::v2::{Addresses, Command, Header};
    let header = Header::try_from(bytes).ok()?;
    match header.addresses {
        _ if header.command == Command::Local => Some(peer),
        Addresses::IPv4(addresses) => Some(addresses.source_address.into()),
        Addresses::IPv6(addresses) => Some(addresses.source_address.into()),
        Addresses::Unspecified | Addresses::Unix(_) => Some(peer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whose it is, and what is left to read.
    async fn read(bytes: &[u8]) -> (Option<String>, Vec<u8>) {
        let mut stream = bytes;
        let found = client(&mut stream, "10.0.0.1".parse().unwrap()).await;
        (found.map(|ip| ip.to_string()), stream.to_vec())
    }

    fn version2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
        bytes.extend([0x20 | command, family]);
        bytes.extend(u16::try_from(addresses.len()).unwrap().to_be_bytes());
        bytes.extend(addresses);
        bytes.extend(b"GET");
        bytes
    }

    #[tokio::test]
    async fn both_versions_name_the_client_and_leave_the_rest() {
        let get = b"GET".to_vec();
        let text = |line: &str| format!("{line}\r\nGET").into_bytes();
        let seen = read(&text("PROXY TCP4 203.0.113.5 10.0.0.1 4711 80")).await;
        assert_eq!(seen, (Some("203.0.113.5".into()), get.clone()));
        let seen = read(&text("PROXY TCP6 2001:db8::5 ::1 4711 80")).await;
        assert_eq!(seen, (Some("2001:db8::5".into()), get.clone()));
        assert_eq!(read(&text("PROXY UNKNOWN")).await, (Some("10.0.0.1".into()), get.clone()));
        let addresses = [203, 0, 113, 5, 10, 0, 0, 1, 0x12, 0x67, 0, 80, /* an extension */ 4, 0, 1, 0];
        assert_eq!(read(&version2(1, 0x11, &addresses)).await, (Some("203.0.113.5".into()), get.clone()));
        assert_eq!(read(&version2(0, 0, &[])).await, (Some("10.0.0.1".into()), get));
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        for bad in [
            &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
            b"PROXY TCP4 203.0.113.5\r\n",
            b"PROXY TCP4 203.0.113.500 10.0.0.1 1 2\r\n",
            b"POST / HTTP/1.1\r\n",
            b"P",
            b"",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
            &version2(1, 0x11, &[1, 2, 3]),
            &[b'P'; 300],
        ] {
            assert_eq!(read(bad).await.0, None, "{bad:?}");
        }
    }
}

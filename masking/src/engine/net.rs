//! `inet`, `cidr` and `macaddr` on both wires.

#![allow(clippy::cast_possible_truncation, reason = "masked to a byte before")]

use std::net::{Ipv4Addr, Ipv6Addr};

use super::value::{Net, push_hex, push_int};

/// Address families on the wire (`PGSQL_AF_INET`, `PGSQL_AF_INET6`).
const V4: u8 = 2;
const V6: u8 = 3;

/// Appends an address as Postgres prints `inet`: the width only where it is not the whole address.
pub(crate) fn push(net: &Net, out: &mut Vec<u8>) {
    push_address(net, out);
    if net.bits != full(net.v6) {
        out.push(b'/');
        push_int(i64::from(net.bits), out);
    }
}

fn push_address(net: &Net, out: &mut Vec<u8>) {
    if net.v6 {
        out.extend_from_slice(Ipv6Addr::from(net.address).to_string().as_bytes());
        return;
    }
    for (i, byte) in net.address[..4].iter().enumerate() {
        if i > 0 {
            out.push(b'.');
        }
        push_int(i64::from(*byte), out);
    }
}

/// Bits of a whole address.
pub(crate) fn full(v6: bool) -> u8 {
    if v6 { 128 } else { 32 }
}

/// Reads an address with or without a width.
pub(crate) fn parse(text: &str) -> Option<Net> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let mut net = Net { v6: address.contains(':'), bits: 0, address: [0; 16] };
    if net.v6 {
        net.address = address.parse::<Ipv6Addr>().ok()?.octets();
    } else {
        net.address[..4].copy_from_slice(&address.parse::<Ipv4Addr>().ok()?.octets());
    }
    net.bits = match bits {
        None => full(net.v6),
        Some(bits) => bits.parse().ok().filter(|b| *b <= full(net.v6))?,
    };
    Some(net)
}

/// Reads the binary form: family, bits, is-cidr, length, address.
pub(crate) fn decode(raw: &[u8]) -> Option<Net> {
    let [family, bits, _, length, address @ ..] = raw else { return None };
    let v6 = *family == V6;
    let expected = if v6 { 16 } else { 4 };
    if !(v6 || *family == V4)
        || usize::from(*length) != expected
        || address.len() != expected
        || *bits > full(v6)
    {
        return None;
    }
    let mut net = Net { v6, bits: *bits, address: [0; 16] };
    net.address[..expected].copy_from_slice(address);
    Some(net)
}

/// Appends the binary form.
pub(crate) fn encode(net: &Net, cidr: bool, out: &mut Vec<u8>) {
    let length = if net.v6 { 16 } else { 4 };
    out.extend_from_slice(&[if net.v6 { V6 } else { V4 }, net.bits, u8::from(cidr), length]);
    out.extend_from_slice(&net.address[..usize::from(length)]);
}

/// Clears the bits behind the network's width, as `cidr` demands.
pub(crate) fn network(mut net: Net) -> Net {
    for (i, byte) in net.address.iter_mut().enumerate() {
        let kept = usize::from(net.bits).saturating_sub(i * 8).min(8);
        *byte &= !(0xff_u16 >> kept) as u8;
    }
    net
}

/// Appends a MAC address.
pub(crate) fn push_mac(mac: [u8; 6], out: &mut Vec<u8>) {
    for (i, byte) in mac.into_iter().enumerate() {
        if i > 0 {
            out.push(b':');
        }
        push_hex(&[byte], out);
    }
}

/// Reads a MAC address with any separators.
pub(crate) fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut count = 0;
    for c in text.chars().filter(|c| !matches!(c, ':' | '-' | '.')) {
        let digit = c.to_digit(16)? as u8;
        *mac.get_mut(count / 2)? |= if count % 2 == 0 { digit << 4 } else { digit };
        count += 1;
    }
    (count == 12).then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_round_on_both_wires() {
        for text in ["192.168.1.7", "10.0.0.0/8", "2001:db8::1", "::/0"] {
            let net = parse(text).unwrap();
            let mut out = Vec::new();
            push(&net, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
            let mut raw = Vec::new();
            encode(&net, false, &mut raw);
            assert_eq!(decode(&raw), Some(net));
        }
        assert_eq!(parse("1.2.3.4/33"), None);
        assert_eq!(decode(&[2, 32, 0, 4, 1]), None);
        assert_eq!(network(parse("10.255.7.9/13").unwrap()), parse("10.248.0.0/13").unwrap());
        assert_eq!(parse_mac("08-00-2b-01-02-03"), Some([8, 0, 0x2b, 1, 2, 3]));
    }
}

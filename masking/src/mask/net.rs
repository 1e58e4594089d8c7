//! Masks over addresses.

use crate::engine::net::{full, network};
use crate::engine::value::Net;
use crate::key::Tag;

/// An address of 10.0.0.0/8 (RFC 1918) or 2001:db8::/32 (RFC 3849) with the same width.
pub(crate) fn ip(original: &Net, tag: &Tag) -> Net {
    let mut net = Net { address: [0; 16], ..*original };
    if net.v6 {
        net.address[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        net.address[4..].copy_from_slice(&tag[..12]);
    } else {
        net.address[0] = 10;
        net.address[1..4].copy_from_slice(&tag[..3]);
    }
    net
}

/// The network of at most `bits` that an address lies in, but never the address itself: at most 24 bits of IPv4 and 64
/// of IPv6.
pub(crate) fn generalize(original: &Net, bits: u8) -> Net {
    let kept = bits.min(original.bits).min(if original.v6 { 64 } else { 24 });
    let mut net = network(Net { bits: kept, ..*original });
    net.bits = if original.bits == full(original.v6) { original.bits } else { kept };
    net
}

/// A locally administered unicast address (IEEE 802).
pub(crate) fn mac(tag: &Tag) -> [u8; 6] {
    [tag[0] & 0xfc | 2, tag[1], tag[2], tag[3], tag[4], tag[5]]
}

//! Values between the wire and the masks, and the canonical form that keys see.

#![allow(clippy::cast_possible_truncation, reason = "hexadecimal digits fit a byte")]

use super::time;

/// A value as a mask sees it: what it means, without its type's width or form on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Int(i64),
    /// A number as Postgres prints it: `-12.50`, `NaN`, `Infinity`.
    Decimal(&'a str),
    Float(f64),
    Bool(bool),
    /// Days since 2000-01-01; [`INFINITE`] and its negative are Postgres' infinities.
    Days(i64),
    /// Microseconds since 2000-01-01 00:00 (UTC, where the type has a zone).
    Micros(i64),
    /// Microseconds since midnight.
    Time(i64),
    Uuid([u8; 16]),
    Net(Net),
    Mac([u8; 6]),
    Bytes(&'a [u8]),
}

/// Postgres' `infinity` in dates and timestamps, whatever the width on the wire.
pub(crate) const INFINITE: i64 = i64::MAX;

/// An `inet` or `cidr` value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Net {
    pub(crate) v6: bool,
    pub(crate) bits: u8,
    /// IPv4 in the first four bytes.
    pub(crate) address: [u8; 16],
}

/// What a mask made. Texts and decimals stand in the buffer that the mask was given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Made {
    Null,
    /// The value as it was.
    Same,
    Text,
    Decimal,
    Int(i64),
    Float(f64),
    Bool(bool),
    Days(i64),
    Micros(i64),
    Time(i64),
    Uuid([u8; 16]),
    Net(Net),
    Mac([u8; 6]),
    /// The first bytes of an array of this length.
    Bytes([u8; 32], usize),
    /// One of the mask's literals, encoded beforehand.
    Literal(usize),
}

impl Value<'_> {
    /// Appends the canonical form of the value in its domain: without type, width, length or form, so that an `int4` key
    /// and an `int8` or `numeric` reference to it, a `uuid` and its text, get the same masked value.
    pub(crate) fn canonical(&self, fold_case: bool, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) if fold_case => {
                for c in text.chars().flat_map(char::to_lowercase) {
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
            Self::Int(n) | Self::Time(n) => push_int(*n, out),
            Self::Decimal(text) => out.extend_from_slice(shortest(text).as_bytes()),
            Self::Float(n) => out.extend_from_slice(n.to_string().as_bytes()),
            Self::Bool(true) => out.push(b't'),
            Self::Bool(false) => out.push(b'f'),
            Self::Days(days) => time::push_date(*days, out),
            Self::Micros(micros) => time::push_timestamp(*micros, false, out),
            Self::Uuid(uuid) => push_uuid(uuid, out),
            Self::Net(net) => super::net::push(net, out),
            Self::Mac(mac) => super::net::push_mac(*mac, out),
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// A decimal without the zeros that do not count: `1.50` and `1.5` are equal in Postgres.
fn shortest(decimal: &str) -> &str {
    if !decimal.contains('.') {
        return decimal;
    }
    let short = decimal.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0" } else { short }
}

/// Appends a number in decimal, without allocation.
pub(crate) fn push_int(n: i64, out: &mut Vec<u8>) {
    let mut buffer = [0; 20];
    let mut at = buffer.len();
    let mut rest = n.unsigned_abs();
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if n < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&buffer[at..]);
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `bytes` in lower-case hexadecimal.
pub(crate) fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.push(HEX[usize::from(byte >> 4)]);
        out.push(HEX[usize::from(byte & 15)]);
    }
}

/// Appends a UUID in its usual form.
pub(crate) fn push_uuid(uuid: &[u8; 16], out: &mut Vec<u8>) {
    for (i, byte) in uuid.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        push_hex(&[*byte], out);
    }
}

/// A UUID in any of the forms that Postgres reads: braces and hyphens anywhere do not count here.
pub(crate) fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let mut uuid = [0; 16];
    let mut count = 0;
    for c in text.trim_start_matches('{').trim_end_matches('}').chars().filter(|c| *c != '-') {
        let digit = c.to_digit(16)? as u8;
        *uuid.get_mut(count / 2)? |= if count % 2 == 0 { digit << 4 } else { digit };
        count += 1;
    }
    (count == 32).then_some(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(value: Value<'_>, fold: bool) -> String {
        let mut out = Vec::new();
        value.canonical(fold, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn equal_values_of_different_types_have_one_canonical_form() {
        assert_eq!(canonical(Value::Int(-42), false), canonical(Value::Decimal("-42.00"), false));
        assert_eq!(canonical(Value::Text("Ä@X.jp"), true), canonical(Value::Text("ä@x.JP"), true));
        let uuid = parse_uuid("{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}").unwrap();
        assert_eq!(canonical(Value::Uuid(uuid), false), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
        assert_eq!(canonical(Value::Int(i64::MIN), false), i64::MIN.to_string());
    }
}

//! Single values onto both wires.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::unit_arg,
    reason = "the column's type is narrower by choice; an Option tells whether the value fitted; what was appended is nothing to name"
)]

use super::codec::{Codec, Form};
use super::value::{INFINITE, Made, push_hex, push_int, push_uuid};
use super::{Wire, net, numeric, time};

impl Codec {
    /// Appends what a mask made. `None` if the type cannot hold it.
    pub(crate) fn encode(&self, made: &Made, text: &str, out: &mut Vec<u8>) -> Option<()> {
        match self.form {
            Form::Text | Form::Bpchar => self.encode_text(made, text, out),
            Form::Json => encode_json(made, text, out),
            _ if self.wire == Wire::Binary => self.encode_binary(made, text, out),
            _ => self.encode_printed(made, text, out),
        }
    }

    fn encode_text(&self, made: &Made, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let start = out.len();
        match made {
            Made::Text | Made::Decimal => out.extend_from_slice(self.cut(text).as_bytes()),
            Made::Float(n) => out.extend_from_slice(n.to_string().as_bytes()),
            Made::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
            _ => print(made, text, out)?,
        }
        self.max.is_none_or(|max| out.len() - start <= max as usize * 4).then_some(())
    }

    /// At most as many characters as the column holds.
    pub(super) fn cut<'a>(&self, text: &'a str) -> &'a str {
        let Some(max) = self.max.filter(|max| text.len() > *max as usize) else { return text };
        text.char_indices().nth(max as usize).map_or(text, |(end, _)| &text[..end])
    }

    fn encode_binary(&self, made: &Made, text: &str, out: &mut Vec<u8>) -> Option<()> {
        match (self.form, made) {
            (Form::Int(_) | Form::Float4 | Form::Float8 | Form::Numeric, _) => {
                self.encode_number(made, text, out)?;
            }
            (Form::Bool, Made::Bool(b)) => out.push(u8::from(*b)),
            (Form::Uuid, Made::Uuid(uuid)) => out.extend_from_slice(uuid),
            (Form::Date, Made::Days(n)) => {
                let days = match *n {
                    INFINITE => i32::MAX,
                    n if n == -INFINITE => i32::MIN,
                    n => i32::try_from(n).ok()?,
                };
                out.extend_from_slice(&days.to_be_bytes());
            }
            (Form::Timestamp | Form::Timestamptz, Made::Micros(n)) => {
                let micros = if *n == -INFINITE { i64::MIN } else { *n };
                out.extend_from_slice(&micros.to_be_bytes());
            }
            (Form::Time, Made::Time(n)) => out.extend_from_slice(&n.to_be_bytes()),
            (Form::Inet, Made::Net(value)) => net::encode(value, false, out),
            (Form::Cidr, Made::Net(value)) => net::encode(&net::network(*value), true, out),
            (Form::Mac, Made::Mac(mac)) => out.extend_from_slice(mac),
            (Form::Bytea, Made::Bytes(bytes, length)) => out.extend_from_slice(bytes.get(..*length)?),
            (Form::Bytea, Made::Text) => out.extend_from_slice(text.as_bytes()),
            _ => return None,
        }
        Some(())
    }

    fn encode_number(&self, made: &Made, text: &str, out: &mut Vec<u8>) -> Option<()> {
        match self.form {
            Form::Int(width) => {
                let n = match made {
                    Made::Int(n) => *n,
                    Made::Decimal => text.parse().ok()?,
                    _ => return None,
                };
                match width {
                    2 => out.extend_from_slice(&i16::try_from(n).ok()?.to_be_bytes()),
                    4 => out.extend_from_slice(&i32::try_from(n).ok()?.to_be_bytes()),
                    _ => out.extend_from_slice(&n.to_be_bytes()),
                }
            }
            Form::Numeric => match made {
                Made::Int(n) => numeric::encode(&n.to_string(), out)?,
                Made::Decimal => numeric::encode(text, out)?,
                _ => return None,
            },
            _ => {
                let n = match made {
                    Made::Float(n) => *n,
                    Made::Int(n) => *n as f64,
                    Made::Decimal => text.parse().ok()?,
                    _ => return None,
                };
                if self.form == Form::Float4 {
                    out.extend_from_slice(&(n as f32).to_be_bytes());
                } else {
                    out.extend_from_slice(&n.to_be_bytes());
                }
            }
        }
        Some(())
    }

    /// The text wire, for types that are no texts.
    fn encode_printed(&self, made: &Made, text: &str, out: &mut Vec<u8>) -> Option<()> {
        match (self.form, made) {
            (Form::Int(width), Made::Int(n)) => {
                let bits = u32::from(width) * 8 - 1;
                (bits == 63 || (-(1i64 << bits)..1i64 << bits).contains(n)).then(|| push_int(*n, out))
            }
            (Form::Int(_), Made::Decimal) => {
                text.parse::<i64>().ok().and_then(|n| self.encode_printed(&Made::Int(n), "", out))
            }
            (Form::Numeric | Form::Float4 | Form::Float8, Made::Int(_) | Made::Decimal)
            | (Form::Uuid, Made::Uuid(_))
            | (Form::Date, Made::Days(_))
            | (Form::Time, Made::Time(_))
            | (Form::Inet, Made::Net(_))
            | (Form::Mac, Made::Mac(_)) => print(made, text, out),
            (Form::Float4, Made::Float(n)) => Some(out.extend_from_slice((*n as f32).to_string().as_bytes())),
            (Form::Float8, Made::Float(n)) => Some(out.extend_from_slice(n.to_string().as_bytes())),
            (Form::Bool, Made::Bool(b)) => Some(out.push(if *b { b't' } else { b'f' })),
            (Form::Timestamp, Made::Micros(n)) => Some(time::push_timestamp(*n, false, out)),
            (Form::Timestamptz, Made::Micros(n)) => Some(time::push_timestamp(*n, true, out)),
            (Form::Cidr, Made::Net(value)) => print(&Made::Net(net::network(*value)), text, out),
            (Form::Bytea, Made::Bytes(bytes, length)) => {
                out.extend_from_slice(b"\\x");
                Some(push_hex(bytes.get(..*length)?, out))
            }
            _ => None,
        }
    }
}

/// Appends a value as Postgres prints it.
fn print(made: &Made, text: &str, out: &mut Vec<u8>) -> Option<()> {
    match made {
        Made::Text | Made::Decimal => out.extend_from_slice(text.as_bytes()),
        Made::Int(n) => push_int(*n, out),
        Made::Days(n) => time::push_date(*n, out),
        Made::Micros(n) => time::push_timestamp(*n, false, out),
        Made::Time(n) => time::push_time(*n, out),
        Made::Uuid(uuid) => push_uuid(uuid, out),
        Made::Net(value) => net::push(value, out),
        Made::Mac(mac) => net::push_mac(*mac, out),
        Made::Bytes(bytes, length) => push_hex(bytes.get(..*length)?, out),
        Made::Null | Made::Same | Made::Float(_) | Made::Bool(_) | Made::Literal(_) => return None,
    }
    Some(())
}

/// Appends what a mask made as a JSON value.
fn encode_json(made: &Made, text: &str, out: &mut Vec<u8>) -> Option<()> {
    match made {
        Made::Text => Some(push_json_string(text, out)),
        Made::Int(_) => print(made, text, out),
        Made::Decimal if text.ends_with(|c: char| c.is_ascii_digit()) => print(made, text, out),
        Made::Float(n) if n.is_finite() => Some(out.extend_from_slice(n.to_string().as_bytes())),
        Made::Bool(b) => Some(out.extend_from_slice(if *b { b"true" } else { b"false" })),
        Made::Decimal | Made::Float(_) => Some(out.extend_from_slice(b"null")),
        Made::Micros(n) => {
            // RFC 3339, as most documents have it.
            out.push(b'"');
            let start = out.len();
            time::push_timestamp(*n, false, out);
            if let Some(blank) = out[start..].iter().position(|b| *b == b' ') {
                out[start + blank] = b'T';
            }
            Some(out.extend_from_slice(b"Z\""))
        }
        _ => {
            out.push(b'"');
            print(made, text, out)?;
            Some(out.push(b'"'))
        }
    }
}

/// Appends a JSON string.
pub(crate) fn push_json_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                push_hex(&[byte], out);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

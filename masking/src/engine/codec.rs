//! Single values to and from both wires.

use super::value::{INFINITE, Made, Value, parse_uuid, push_hex, push_int, push_uuid};
use super::{Wire, net, numeric, time};
use crate::policy::Scalar;
use crate::types::{Type, TypeKind};

/// How one type travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Bool,
    /// Bytes of the integer.
    Int(u8),
    Numeric,
    Float4,
    Float8,
    Text,
    Bpchar,
    Uuid,
    Date,
    Time,
    Timestamp,
    Timestamptz,
    Bytea,
    Inet,
    Cidr,
    Mac,
    /// A value within a JSON document; only written here.
    Json,
}

/// Reads and writes values of one type on one wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Codec {
    pub(crate) form: Form,
    wire: Wire,
    /// Longest text in characters.
    pub(crate) max: Option<u32>,
}

/// Buffers for what has to be unpacked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unpacked {
    text: String,
    bytes: Vec<u8>,
}

impl Codec {
    /// The codec of values within a JSON document.
    pub(crate) fn json() -> Self {
        Self { form: Form::Json, wire: Wire::Text, max: None }
    }

    /// The codec of a text of any length.
    pub(crate) fn text() -> Self {
        Self { form: Form::Text, wire: Wire::Text, max: None }
    }

    /// The codec of a type's single values; `None` for types that no mask reads.
    pub(crate) fn new(ty: &Type, wire: Wire) -> Option<Self> {
        let form = match &ty.element().kind {
            TypeKind::Bool => Form::Bool,
            TypeKind::Int2 => Form::Int(2),
            TypeKind::Int4 => Form::Int(4),
            TypeKind::Int8 => Form::Int(8),
            TypeKind::Numeric { .. } => Form::Numeric,
            TypeKind::Float4 => Form::Float4,
            TypeKind::Float8 => Form::Float8,
            TypeKind::Text { .. } | TypeKind::Citext | TypeKind::Enum { .. } => Form::Text,
            TypeKind::Bpchar { .. } => Form::Bpchar,
            TypeKind::Uuid => Form::Uuid,
            TypeKind::Date => Form::Date,
            TypeKind::Time => Form::Time,
            TypeKind::Timestamp => Form::Timestamp,
            TypeKind::Timestamptz => Form::Timestamptz,
            TypeKind::Bytea => Form::Bytea,
            TypeKind::Inet => Form::Inet,
            TypeKind::Cidr => Form::Cidr,
            TypeKind::Macaddr => Form::Mac,
            _ => return None,
        };
        Some(Self { form, wire, max: ty.max_chars() })
    }

    /// Reads a value. `None` if the bytes are none of the type.
    pub(crate) fn decode<'a>(&self, raw: &'a [u8], unpacked: &'a mut Unpacked) -> Option<Value<'a>> {
        match self.form {
            Form::Text => std::str::from_utf8(raw).ok().map(Value::Text),
            Form::Bpchar => std::str::from_utf8(raw).ok().map(|text| Value::Text(text.trim_end_matches(' '))),
            _ if self.wire == Wire::Binary => self.decode_binary(raw, unpacked),
            _ => self.parse(std::str::from_utf8(raw).ok()?, unpacked),
        }
    }

    fn decode_binary<'a>(&self, raw: &'a [u8], unpacked: &'a mut Unpacked) -> Option<Value<'a>> {
        Some(match self.form {
            Form::Bool => Value::Bool(*raw.first()? != 0),
            Form::Int(2) => Value::Int(i16::from_be_bytes(raw.try_into().ok()?).into()),
            Form::Int(4) => Value::Int(i32::from_be_bytes(raw.try_into().ok()?).into()),
            Form::Int(_) => Value::Int(i64::from_be_bytes(raw.try_into().ok()?)),
            Form::Float4 => Value::Float(f32::from_be_bytes(raw.try_into().ok()?).into()),
            Form::Float8 => Value::Float(f64::from_be_bytes(raw.try_into().ok()?)),
            Form::Numeric => {
                unpacked.text.clear();
                numeric::decode(raw, &mut unpacked.text)?;
                Value::Decimal(&unpacked.text)
            }
            Form::Uuid => Value::Uuid(raw.try_into().ok()?),
            Form::Date => Value::Days(match i32::from_be_bytes(raw.try_into().ok()?) {
                i32::MAX => INFINITE,
                i32::MIN => -INFINITE,
                days => days.into(),
            }),
            Form::Time => Value::Time(i64::from_be_bytes(raw.try_into().ok()?)),
            Form::Timestamp | Form::Timestamptz => {
                Value::Micros(match i64::from_be_bytes(raw.try_into().ok()?) {
                    i64::MIN => -INFINITE,
                    micros => micros,
                })
            }
            Form::Bytea => Value::Bytes(raw),
            Form::Inet | Form::Cidr => Value::Net(net::decode(raw)?),
            Form::Mac => Value::Mac(raw.try_into().ok()?),
            Form::Text | Form::Bpchar | Form::Json => return None,
        })
    }

    /// Reads a value from its text.
    fn parse<'a>(&self, text: &'a str, unpacked: &'a mut Unpacked) -> Option<Value<'a>> {
        Some(match self.form {
            Form::Text | Form::Bpchar | Form::Json => Value::Text(text),
            Form::Bool => Value::Bool(match text {
                "t" | "true" => true,
                "f" | "false" => false,
                _ => return None,
            }),
            Form::Int(_) => Value::Int(text.parse().ok()?),
            Form::Numeric => Value::Decimal(decimal(text)?),
            Form::Float4 | Form::Float8 => Value::Float(text.parse().ok()?),
            Form::Uuid => Value::Uuid(parse_uuid(text)?),
            Form::Date => Value::Days(time::parse_date(text)?),
            Form::Time => Value::Time(time::parse_time(text)?),
            Form::Timestamp | Form::Timestamptz => Value::Micros(time::parse_timestamp(text)?),
            Form::Inet | Form::Cidr => Value::Net(net::parse(text)?),
            Form::Mac => Value::Mac(net::parse_mac(text)?),
            Form::Bytea => {
                unpacked.bytes.clear();
                let digits = text.strip_prefix("\\x")?.as_bytes();
                for pair in digits.chunks(2) {
                    let [high, low] = pair else { return None };
                    let (high, low) = (char::from(*high).to_digit(16)?, char::from(*low).to_digit(16)?);
                    unpacked.bytes.push((high * 16 + low) as u8);
                }
                Value::Bytes(&unpacked.bytes)
            }
        })
    }

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
    fn cut<'a>(&self, text: &'a str) -> &'a str {
        let Some(max) = self.max.filter(|max| text.len() > *max as usize) else { return text };
        text.char_indices().nth(max as usize).map_or(text, |(end, _)| &text[..end])
    }

    fn encode_binary(&self, made: &Made, text: &str, out: &mut Vec<u8>) -> Option<()> {
        match (self.form, made) {
            (Form::Int(_) | Form::Float4 | Form::Float8 | Form::Numeric, _) => {
                self.encode_number(made, text, out)?
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

    /// Appends a literal of the policy in the column's form. `None` if it is no value of the type.
    pub(crate) fn literal(&self, scalar: &Scalar, out: &mut Vec<u8>) -> Option<()> {
        let text = scalar.to_string();
        if let Form::Text | Form::Bpchar = self.form {
            return (self.cut(&text) == text).then(|| out.extend_from_slice(text.as_bytes()));
        }
        if self.form == Form::Json {
            return match scalar {
                Scalar::Text(text) => Some(push_json_string(text, out)),
                Scalar::Number(n) if !n.is_finite() => None,
                _ => Some(out.extend_from_slice(text.as_bytes())),
            };
        }
        if self.form == Form::Bytea {
            let mut unpacked = Unpacked::default();
            let Value::Bytes(bytes) = self.parse(&text, &mut unpacked)? else { return None };
            out.extend_from_slice(if self.wire == Wire::Binary { bytes } else { text.as_bytes() });
            return Some(());
        }
        let mut unpacked = Unpacked::default();
        let (made, decimal) = made_of(&self.parse(&text, &mut unpacked)?)?;
        self.encode(&made, decimal.unwrap_or(""), out)
    }
}

/// A value as if a mask had made it.
pub(crate) fn made_of<'a>(value: &Value<'a>) -> Option<(Made, Option<&'a str>)> {
    Some(match *value {
        Value::Text(text) => (Made::Text, Some(text)),
        Value::Decimal(text) => (Made::Decimal, Some(text)),
        Value::Int(n) => (Made::Int(n), None),
        Value::Float(n) => (Made::Float(n), None),
        Value::Bool(b) => (Made::Bool(b), None),
        Value::Days(n) => (Made::Days(n), None),
        Value::Micros(n) => (Made::Micros(n), None),
        Value::Time(n) => (Made::Time(n), None),
        Value::Uuid(uuid) => (Made::Uuid(uuid), None),
        Value::Net(net) => (Made::Net(net), None),
        Value::Mac(mac) => (Made::Mac(mac), None),
        Value::Bytes(_) => return None,
    })
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

/// A text that is a number as Postgres prints `numeric`.
fn decimal(text: &str) -> Option<&str> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let number = !whole.is_empty()
        && !fraction.is_empty()
        && (whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_digit());
    (number || matches!(text, "NaN" | "Infinity" | "-Infinity")).then_some(text)
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

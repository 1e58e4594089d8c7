//! Single values to and from both wires.

#![allow(
    clippy::cast_possible_truncation,
    clippy::unit_arg,
    reason = "hexadecimal digits fit a byte; an Option tells whether the value fitted; what was appended is nothing to name"
)]

use super::encode::push_json_string;
use super::value::{INFINITE, Made, Value, parse_uuid};
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
    pub(super) wire: Wire,
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

/// A text that is a number as Postgres prints `numeric`.
fn decimal(text: &str) -> Option<&str> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let number = !whole.is_empty()
        && !fraction.is_empty()
        && (whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_digit());
    (number || matches!(text, "NaN" | "Infinity" | "-Infinity")).then_some(text)
}

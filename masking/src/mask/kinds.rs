//! Masks that look at the value: identifiers, digit strings, addresses.

use super::digits::Keys;
use super::{Input, Kind, Masker, Refused, accounts, digits, net, text};
use crate::draw::{Draw, push_tag};
use crate::engine::net::parse as parse_net;
use crate::engine::value::{Made, Value, parse_uuid, push_uuid};
use crate::fpe::{permute_int, permute_uuid};
use crate::key::Tag;

impl Masker {
    pub(super) fn rewrite(&self, input: &Input<'_>, text: &mut String) -> Result<(), Refused> {
        let Value::Text(value) = input.value else { return Err("the mask works on texts only") };
        match &self.kind {
            Kind::Partial { prefix, suffix, pad } => text::partial(value, *prefix, *suffix, *pad, text),
            Kind::Email { keep_domain } => {
                self.words.email(value, *keep_domain, &input.person, &input.tag, text);
            }
            Kind::Lorem => self.words.lorem(value, &mut Draw::new(&input.tag), text),
            Kind::Prefix(count) => text.extend(value.chars().take(*count)),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn id(&self, input: &Input<'_>, text: &mut String) -> Result<Made, Refused> {
        let Some(ff1) = &self.ff1 else { return Err("the mask has no cipher") };
        match input.value {
            Value::Int(n) => Ok(Made::Int(permute_int(ff1, n))),
            Value::Uuid(uuid) => Ok(Made::Uuid(permute_uuid(ff1, uuid))),
            // The canonical form, so that `7.0` and `7`, or a citext and its lower-case twin, meet.
            Value::Text(_) | Value::Decimal(_) => {
                let canonical = std::str::from_utf8(input.canonical).unwrap_or("");
                if let Some(n) = canonical_int(canonical) {
                    let mut digits = Vec::with_capacity(20);
                    crate::engine::value::push_int(permute_int(ff1, n), &mut digits);
                    text.push_str(&String::from_utf8_lossy(&digits));
                } else if let Some(uuid) = canonical_uuid(canonical) {
                    let mut printed = Vec::with_capacity(36);
                    push_uuid(&permute_uuid(ff1, uuid), &mut printed);
                    text.push_str(&String::from_utf8_lossy(&printed));
                } else if let Value::Decimal(_) = input.value {
                    return Err("the number has a fraction or more than 18 digits; use the mask `digits`");
                } else {
                    push_tag(&self.tag(input.canonical), text);
                }
                Ok(if matches!(input.value, Value::Decimal(_)) { Made::Decimal } else { Made::Text })
            }
            _ => Err("the mask `id` works on integers, UUIDs and texts"),
        }
    }

    pub(super) fn uuid(&self, input: &Input<'_>, text: &mut String) -> Result<Made, Refused> {
        let Some(ff1) = &self.ff1 else { return Err("the mask has no cipher") };
        if let Value::Uuid(uuid) = input.value {
            return Ok(Made::Uuid(permute_uuid(ff1, uuid)));
        }
        let canonical = std::str::from_utf8(input.canonical).unwrap_or("");
        let made_up = || {
            let mut made = [0; 16];
            made.copy_from_slice(&self.tag(input.canonical)[..16]);
            // Version 4, variant 1 (RFC 9562).
            made[6] = made[6] & 0x0f | 0x40;
            made[8] = made[8] & 0x3f | 0x80;
            made
        };
        let uuid = canonical_uuid(canonical).map_or_else(made_up, |uuid| permute_uuid(ff1, uuid));
        let mut printed = Vec::with_capacity(36);
        push_uuid(&uuid, &mut printed);
        text.push_str(&String::from_utf8_lossy(&printed));
        Ok(Made::Text)
    }

    pub(super) fn digits(
        &self,
        input: &Input<'_>,
        found: &mut Vec<u8>,
        text: &mut String,
    ) -> Result<Made, Refused> {
        let Some(ff1) = &self.ff1 else { return Err("the mask has no cipher") };
        let keys = Keys { ff1, key: &self.key };
        let value = match input.value {
            // Walking the cycle ends only where the start is a value of the column.
            Value::Int(n) if !(self.range.0..=self.range.1).contains(&n) => {
                return Err("the number is none that its column can hold");
            }
            Value::Int(n) => return Ok(Made::Int(digits::integer(&keys, n, self.range.0, self.range.1))),
            Value::Decimal(value) if !value.ends_with(|c: char| c.is_ascii_digit()) => return Ok(Made::Same),
            Value::Decimal(value) => {
                digits::decimal(&keys, value, text);
                return Ok(Made::Decimal);
            }
            Value::Text(value) => value,
            _ => return Err("the mask works on texts and numbers only"),
        };
        let done = match self.kind {
            Kind::Phone => digits::phone(&keys, value, found, text),
            Kind::Zip(keep) => digits::zip(&keys, value, keep, found, text),
            Kind::Card => accounts::card(&keys, value, found, text),
            Kind::Iban => accounts::iban(&keys, value, found, text),
            _ => digits::digits(&keys, value, found, text),
        };
        if !done {
            // No number at all, such as a remark in a phone column.
            text.clear();
            push_tag(&self.tag(input.canonical), text);
        }
        Ok(Made::Text)
    }

    pub(super) fn address(&self, input: &Input<'_>, text: &mut String) -> Result<Made, Refused> {
        let mut printed = Vec::new();
        let made = match (&self.kind, input.value) {
            (Kind::Ip, Value::Net(net)) => Made::Net(net::ip(&net, &input.tag)),
            (Kind::Bits(bits), Value::Net(net)) => Made::Net(net::generalize(&net, *bits)),
            (Kind::Mac, Value::Mac(_)) => Made::Mac(net::mac(&input.tag)),
            (Kind::Mac, Value::Text(_)) => {
                crate::engine::net::push_mac(net::mac(&input.tag), &mut printed);
                Made::Text
            }
            (_, Value::Text(value)) => {
                // A text that is no address, a list of proxies say, becomes one nevertheless.
                let old = parse_net(value.trim()).or_else(|| parse_net("0.0.0.0"));
                let Some(old) = old else { return Err("the text is no address") };
                let new = if let Kind::Bits(bits) = self.kind {
                    net::generalize(&old, bits)
                } else {
                    net::ip(&old, &input.tag)
                };
                crate::engine::net::push(&new, &mut printed);
                Made::Text
            }
            _ => return Err("the mask works on addresses only"),
        };
        text.push_str(&String::from_utf8_lossy(&printed));
        Ok(made)
    }
}

pub(super) fn hash(value: &Value<'_>, tag: &Tag, length: usize, text: &mut String) -> Made {
    if let Value::Bytes(_) = value {
        return Made::Bytes(*tag, length.div_ceil(2).min(32));
    }
    let mut digits = Vec::with_capacity(64);
    crate::engine::value::push_hex(tag, &mut digits);
    text.push_str(&String::from_utf8_lossy(&digits[..length.min(64)]));
    Made::Text
}

/// An integer in the one way that it prints.
fn canonical_int(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty() && digits.len() <= 19 && digits.bytes().all(|b| b.is_ascii_digit());
    let canonical =
        plain && (digits == text || digits != "0") && (digits.len() == 1 || !digits.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten()
}

/// A UUID in the one way that it prints.
fn canonical_uuid(text: &str) -> Option<[u8; 16]> {
    let hyphens = text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| (b == b'-') == matches!(i, 8 | 13 | 18 | 23));
    let lower = text.bytes().all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    (hyphens && lower).then(|| parse_uuid(text)).flatten()
}

//! The masks: a value and its tag in, what was made of it out.

mod date;
pub(crate) mod digits;
mod net;
mod number;
mod password;
mod pattern;
mod text;

use crate::draw::{Draw, push_tag};
use crate::engine::codec::{Codec, Form};
use crate::engine::net::parse as parse_net;
use crate::engine::time::{DATE_RANGE, DAY, TIMESTAMP_RANGE, parse_date, parse_timestamp};
use crate::engine::value::{INFINITE, Made, Value, parse_uuid, push_uuid};
use crate::fpe::{Ff1, permute_int, permute_uuid};
use crate::key::{DomainKey, Tag};
use crate::locale::Gender;
use crate::policy::{DateUnit, Leaf, Name, Scalar};
use crate::types::{Type, TypeKind};
use digits::Keys;
use number::{Decimal, Spread, floor_to};
pub(crate) use pattern::Pattern;
pub(crate) use text::{NamePart, Words};

/// A mask, built for one column.
#[derive(Clone)]
pub(crate) struct Masker {
    kind: Kind,
    key: DomainKey,
    ff1: Option<Box<Ff1>>,
    words: Words,
    /// What integers the column holds.
    range: (i64, i64),
    /// Digits before and after the point of a constrained `numeric`.
    numeric: Option<(u32, u32)>,
    fold_case: bool,
}

#[derive(Clone)]
enum Kind {
    Null,
    /// One of the literals, encoded beforehand; with more than one, drawn.
    Literals(Vec<Vec<u8>>),
    Id,
    Uuid,
    Digits,
    Hash(usize),
    Partial {
        prefix: usize,
        suffix: usize,
        pad: char,
    },
    Email {
        keep_domain: bool,
    },
    Name(NamePart, Name),
    Username,
    Phone,
    Address,
    City,
    Zip(usize),
    Company,
    Url,
    Ip,
    Mac,
    Card,
    Iban,
    Lorem,
    Regex(Pattern),
    Int(i64, i64),
    Numeric {
        min: i128,
        max: i128,
        scale: u32,
    },
    Date(i64, i64),
    Noise(Spread),
    DateShift(u32),
    Step(u64),
    Unit(DateUnit),
    Prefix(usize),
    Bits(u8),
}

/// One value on its way through a mask.
pub(crate) struct Input<'a> {
    pub(crate) value: Value<'a>,
    /// The value's canonical form.
    pub(crate) canonical: &'a [u8],
    /// The value's tag, where [`Masker::wants_tag`].
    pub(crate) tag: Tag,
    /// The tag of the person that the row is about; the value's own where the row has none.
    pub(crate) person: Tag,
    pub(crate) gender: Option<Gender>,
}

/// Why a mask cannot be applied to a value; without the value.
pub(crate) type Refused = &'static str;

/// What building a mask needs to know besides its options.
pub(crate) struct Build<'a> {
    pub(crate) ty: &'a Type,
    pub(crate) codec: Codec,
    pub(crate) words: Words,
    pub(crate) key: DomainKey,
    pub(crate) fold_case: bool,
}

impl Masker {
    /// # Errors
    /// An option that does not fit; the text says which and why.
    pub(crate) fn new(leaf: &Leaf, build: Build<'_>) -> Result<Self, String> {
        let Build { ty, codec, mut words, key, fold_case } = build;
        if let Leaf::Email(options) = leaf
            && let Some(domain) = &options.domain
        {
            words.email_domain.clone_from(domain);
        }
        let kind = kind(leaf, ty, codec, &key)?;
        let permutes = matches!(
            kind,
            Kind::Id | Kind::Uuid | Kind::Digits | Kind::Phone | Kind::Zip(_) | Kind::Card | Kind::Iban
        );
        let ff1 = permutes.then(|| Box::new(Ff1::new(key.cipher_key())));
        let range = match codec.form {
            Form::Int(2) => (i16::MIN.into(), i16::MAX.into()),
            Form::Int(4) => (i32::MIN.into(), i32::MAX.into()),
            _ => (i64::MIN, i64::MAX),
        };
        let numeric = match ty.element().kind {
            TypeKind::Numeric { precision: Some(p), scale } => {
                Some((p.saturating_sub(scale.unwrap_or(0)), scale.unwrap_or(0)))
            }
            _ => None,
        };
        Ok(Self { kind, key, ff1, words, range, numeric, fold_case })
    }

    /// The mask looks at the value's tag; others save two compressions.
    pub(crate) fn wants_tag(&self) -> bool {
        !matches!(
            self.kind,
            Kind::Null
                | Kind::Digits
                | Kind::Phone
                | Kind::Zip(_)
                | Kind::Card
                | Kind::Iban
                | Kind::Partial { .. }
                | Kind::Step(_)
                | Kind::Unit(_)
                | Kind::Prefix(_)
                | Kind::Bits(_)
        ) && !matches!(&self.kind, Kind::Literals(list) if list.len() == 1)
    }

    /// In JSON, a number becomes a text for this mask.
    pub(crate) fn takes_text(&self) -> bool {
        matches!(
            self.kind,
            Kind::Partial { .. }
                | Kind::Email { .. }
                | Kind::Lorem
                | Kind::Prefix(_)
                | Kind::Phone
                | Kind::Zip(_)
                | Kind::Card
                | Kind::Iban
                | Kind::Ip
                | Kind::Bits(_)
                | Kind::Mac
        )
    }

    /// In JSON, a text is a date for this mask, if it reads as one.
    pub(crate) fn as_date(&self, text: &str) -> Option<Value<'static>> {
        let dates = matches!(self.kind, Kind::Date(..) | Kind::DateShift(_) | Kind::Unit(_) | Kind::Noise(_));
        let day = || parse_date(text).map(Value::Days);
        dates.then(|| day().or_else(|| parse_timestamp(text).map(Value::Micros))).flatten()
    }

    /// The tag of a canonical value in this mask's domain.
    pub(crate) fn tag(&self, canonical: &[u8]) -> Tag {
        self.key.tag(canonical)
    }

    /// Equal regardless of case.
    pub(crate) fn folds_case(&self) -> bool {
        self.fold_case
    }

    /// A literal that [`Made::Literal`] names.
    pub(crate) fn literal(&self, index: usize) -> &[u8] {
        match &self.kind {
            Kind::Literals(list) => list.get(index).map_or(&[], Vec::as_slice),
            _ => &[],
        }
    }

    /// Masks a value; texts are appended to `text`, which is empty.
    pub(crate) fn make(
        &self,
        input: &Input<'_>,
        found: &mut Vec<u8>,
        text: &mut String,
    ) -> Result<Made, Refused> {
        let draw = || Draw::new(&input.tag);
        match &self.kind {
            Kind::Null => return Ok(Made::Null),
            Kind::Literals(list) => {
                let at = if list.len() == 1 { 0 } else { draw().below(list.len() as u64) as usize };
                return Ok(Made::Literal(at));
            }
            Kind::Id => return self.id(input, text),
            Kind::Uuid => return self.uuid(input, text),
            Kind::Hash(length) => return Ok(hash(&input.value, &input.tag, *length, text)),
            Kind::Username => self.words.username(&input.person, &input.tag, text),
            Kind::Url => self.words.url(&input.tag, text),
            Kind::Address => self.words.address(&mut draw(), text),
            Kind::City => self.words.city(&mut draw(), text),
            Kind::Company => self.words.company(&mut draw(), text),
            Kind::Regex(pattern) => pattern.push(&mut draw(), text),
            Kind::Name(part, options) => self.words.name(*part, options, &input.person, input.gender, text),
            Kind::Partial { .. } | Kind::Email { .. } | Kind::Lorem | Kind::Prefix(_) => {
                self.from_text(input, text)?
            }
            Kind::Digits | Kind::Phone | Kind::Zip(_) | Kind::Card | Kind::Iban => {
                return self.digits(input, found, text);
            }
            Kind::Ip | Kind::Mac | Kind::Bits(_) => return self.address(input, text),
            Kind::Int(..) | Kind::Numeric { .. } | Kind::Step(_) => return self.number(input, text),
            Kind::Noise(spread) => return self.noise(*spread, input, text),
            Kind::Date(..) | Kind::DateShift(_) | Kind::Unit(_) => return self.date(input),
        }
        Ok(Made::Text)
    }

    fn from_text(&self, input: &Input<'_>, text: &mut String) -> Result<(), Refused> {
        let Value::Text(value) = input.value else { return Err("the mask works on texts only") };
        match &self.kind {
            Kind::Partial { prefix, suffix, pad } => text::partial(value, *prefix, *suffix, *pad, text),
            Kind::Email { keep_domain } => {
                self.words.email(value, *keep_domain, &input.person, &input.tag, text)
            }
            Kind::Lorem => self.words.lorem(value, &mut Draw::new(&input.tag), text),
            Kind::Prefix(count) => text.extend(value.chars().take(*count)),
            _ => {}
        }
        Ok(())
    }

    fn id(&self, input: &Input<'_>, text: &mut String) -> Result<Made, Refused> {
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
                    push_tag(&input.tag, text);
                }
                Ok(if matches!(input.value, Value::Decimal(_)) { Made::Decimal } else { Made::Text })
            }
            _ => Err("the mask `id` works on integers, UUIDs and texts"),
        }
    }

    fn uuid(&self, input: &Input<'_>, text: &mut String) -> Result<Made, Refused> {
        let Some(ff1) = &self.ff1 else { return Err("the mask has no cipher") };
        if let Value::Uuid(uuid) = input.value {
            return Ok(Made::Uuid(permute_uuid(ff1, uuid)));
        }
        let canonical = std::str::from_utf8(input.canonical).unwrap_or("");
        let uuid = canonical_uuid(canonical).map(|uuid| permute_uuid(ff1, uuid)).unwrap_or_else(|| {
            let mut made = [0; 16];
            made.copy_from_slice(&input.tag[..16]);
            // Version 4, variant 1 (RFC 9562).
            made[6] = made[6] & 0x0f | 0x40;
            made[8] = made[8] & 0x3f | 0x80;
            made
        });
        let mut printed = Vec::with_capacity(36);
        push_uuid(&uuid, &mut printed);
        text.push_str(&String::from_utf8_lossy(&printed));
        Ok(Made::Text)
    }

    fn digits(&self, input: &Input<'_>, found: &mut Vec<u8>, text: &mut String) -> Result<Made, Refused> {
        let Some(ff1) = &self.ff1 else { return Err("the mask has no cipher") };
        let keys = Keys { ff1, key: &self.key };
        let value = match input.value {
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
            Kind::Card => digits::card(&keys, value, found, text),
            Kind::Iban => digits::iban(&keys, value, found, text),
            _ => digits::digits(&keys, value, found, text),
        };
        if !done {
            // No number at all, such as a remark in a phone column.
            text.clear();
            push_tag(&self.key.tag(input.canonical), text);
        }
        Ok(Made::Text)
    }

    fn address(&self, input: &Input<'_>, text: &mut String) -> Result<Made, Refused> {
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

    fn number(&self, input: &Input<'_>, text: &mut String) -> Result<Made, Refused> {
        let mut draw = Draw::new(&input.tag);
        match (&self.kind, input.value) {
            (Kind::Int(min, max), _) => Ok(Made::Int(draw.between((*min).into(), (*max).into()) as i64)),
            (Kind::Numeric { min, max, scale }, _) => {
                Decimal { mantissa: draw.between(*min, *max), scale: *scale }.push(text);
                Ok(Made::Decimal)
            }
            (Kind::Step(step), Value::Int(n)) => {
                let floor = floor_to(n.into(), i128::from(*step)).max(self.range.0.into());
                Ok(Made::Int(i64::try_from(floor).unwrap_or(n)))
            }
            (Kind::Step(step), Value::Float(n)) if n.is_finite() => {
                Ok(Made::Float((n / *step as f64).floor() * *step as f64))
            }
            (Kind::Step(step), Value::Decimal(value)) => {
                let Some(value) = Decimal::parse(value) else { return Ok(Made::Same) };
                let step = i128::from(*step).saturating_mul(10i128.pow(value.scale));
                self.fit(Decimal { mantissa: floor_to(value.mantissa, step), ..value }).push(text);
                Ok(Made::Decimal)
            }
            (_, Value::Float(_)) => Ok(Made::Same),
            _ => Err("the mask works on numbers only"),
        }
    }

    fn noise(&self, spread: Spread, input: &Input<'_>, text: &mut String) -> Result<Made, Refused> {
        let mut draw = Draw::new(&input.tag);
        match input.value {
            Value::Int(n) => Ok(Made::Int(spread.int(n, self.range.0, self.range.1, &mut draw))),
            Value::Float(n) => Ok(Made::Float(spread.float(n, &mut draw))),
            Value::Decimal(value) => {
                let Some(value) = Decimal::parse(value) else { return Ok(Made::Same) };
                self.fit(spread.decimal(value, &mut draw)).push(text);
                Ok(Made::Decimal)
            }
            Value::Days(_) | Value::Micros(_) => {
                let Spread::By(days) = spread else { return Err("dates have no percent; say `by: <days>`") };
                let by = date::shift_of(&input.tag, days.clamp(1.0, 1e6) as u32);
                Ok(moved(input.value, by))
            }
            _ => Err("the mask works on numbers and dates only"),
        }
    }

    /// A number within the column's precision.
    fn fit(&self, value: Decimal) -> Decimal {
        let Some((whole, _)) = self.numeric.filter(|(whole, _)| whole + value.scale < 38) else {
            return value;
        };
        let limit = 10i128.pow(whole + value.scale) - 1;
        Decimal { mantissa: value.mantissa.clamp(-limit, limit), ..value }
    }

    fn date(&self, input: &Input<'_>) -> Result<Made, Refused> {
        match (&self.kind, input.value) {
            (Kind::Date(from, to), Value::Days(_)) => {
                Ok(Made::Days(Draw::new(&input.tag).between((*from).into(), (*to).into()) as i64))
            }
            (Kind::Date(from, to), Value::Micros(_)) => {
                let (from, to) =
                    (i128::from(*from) * i128::from(DAY), (i128::from(*to) + 1) * i128::from(DAY) - 1);
                // Whole seconds: most data has no finer ones.
                let seconds =
                    Draw::new(&input.tag).between(from.div_euclid(1_000_000), to.div_euclid(1_000_000));
                Ok(Made::Micros(i64::try_from(seconds * 1_000_000).unwrap_or(0)))
            }
            (Kind::DateShift(most), value @ (Value::Days(_) | Value::Micros(_))) => {
                Ok(moved(value, date::shift_of(&input.person, *most)))
            }
            (Kind::Unit(unit), Value::Days(day)) => Ok(Made::Days(date::floor_day(day, *unit))),
            (Kind::Unit(unit), Value::Micros(micros)) => Ok(Made::Micros(date::floor_micros(micros, *unit))),
            _ => Err("the mask works on dates and timestamps only"),
        }
    }
}

fn moved(value: Value<'_>, by: i64) -> Made {
    match value {
        Value::Days(day) => Made::Days(date::shift(day, by, DATE_RANGE)),
        Value::Micros(micros) => {
            let range = (TIMESTAMP_RANGE.0 * DAY, TIMESTAMP_RANGE.1 * DAY);
            Made::Micros(date::shift(micros, by * DAY, range))
        }
        _ => Made::Same,
    }
}

fn hash(value: &Value<'_>, tag: &Tag, length: usize, text: &mut String) -> Made {
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

/// Options to what the hot path needs.
fn kind(leaf: &Leaf, ty: &Type, codec: Codec, key: &DomainKey) -> Result<Kind, String> {
    let literals = |values: &[Scalar]| {
        let encode = |value: &Scalar| {
            let mut out = Vec::new();
            codec
                .literal(value, &mut out)
                .map(|()| out)
                .ok_or_else(|| format!("`{value}` is no value of type {}", ty.name))
        };
        if values.is_empty() {
            return Err("no value is given".to_owned());
        }
        values.iter().map(encode).collect::<Result<Vec<_>, _>>().map(Kind::Literals)
    };
    Ok(match leaf {
        Leaf::Null(_) => Kind::Null,
        Leaf::Constant(options) => literals(options.value.as_slice())?,
        Leaf::Choice(options) => match &ty.element().kind {
            TypeKind::Enum { labels } if options.values.is_empty() => {
                literals(&labels.iter().cloned().map(Scalar::Text).collect::<Vec<_>>())?
            }
            _ => literals(&options.values)?,
        },
        Leaf::Password(options) => literals(&[Scalar::Text(password::hash(options, &key.tag(b"\0salt"))?)])?,
        Leaf::Id(_) => Kind::Id,
        Leaf::Uuid(_) => Kind::Uuid,
        Leaf::Digits(_) => Kind::Digits,
        Leaf::Hash(options) => Kind::Hash(options.length.unwrap_or(20) as usize),
        Leaf::Partial(options) => {
            let pad = options.pad.as_deref().unwrap_or("*");
            let mut chars = pad.chars();
            let (Some(pad), None) = (chars.next(), chars.next()) else {
                return Err("`pad` is one character".to_owned());
            };
            Kind::Partial { prefix: options.prefix as usize, suffix: options.suffix as usize, pad }
        }
        Leaf::Email(options) => Kind::Email { keep_domain: options.keep_domain },
        Leaf::FirstName(options) => Kind::Name(NamePart::First, options.clone()),
        Leaf::LastName(options) => Kind::Name(NamePart::Last, options.clone()),
        Leaf::FullName(options) => Kind::Name(NamePart::Full, options.clone()),
        Leaf::Username(_) => Kind::Username,
        Leaf::Phone(_) => Kind::Phone,
        Leaf::Address(_) => Kind::Address,
        Leaf::City(_) => Kind::City,
        Leaf::Zip(options) => Kind::Zip(options.keep as usize),
        Leaf::Company(_) => Kind::Company,
        Leaf::Url(_) => Kind::Url,
        Leaf::Ip(_) => Kind::Ip,
        Leaf::Mac(_) => Kind::Mac,
        Leaf::Card(_) => Kind::Card,
        Leaf::Iban(_) => Kind::Iban,
        Leaf::Lorem(_) => Kind::Lorem,
        Leaf::Regex(options) => Kind::Regex(Pattern::new(&options.pattern)?),
        numeric => ranged(numeric, ty, codec)?,
    })
}

/// The masks that have ranges and amounts.
fn ranged(leaf: &Leaf, ty: &Type, codec: Codec) -> Result<Kind, String> {
    let order = |ok: bool| {
        if ok { Ok(()) } else { Err("the range is empty: its start lies above its end".to_owned()) }
    };
    match leaf {
        Leaf::Int(options) => {
            let most = match codec.form {
                Form::Int(2) => i16::MAX.into(),
                Form::Int(4) => i32::MAX.into(),
                _ => i64::MAX,
            };
            let (min, max) = (options.min.unwrap_or(0), options.max.unwrap_or(most));
            order(min <= max)?;
            Ok(Kind::Int(min, max))
        }
        Leaf::Numeric(options) => {
            let column = match ty.element().kind {
                TypeKind::Numeric { precision: Some(_), scale } => Some(scale.unwrap_or(0)),
                _ => None,
            };
            let scale = options.scale.or(column).unwrap_or(2);
            let limit =
                |n: f64| Decimal::from_f64(n, scale).map(|d| d.mantissa).ok_or("the range is too wide");
            let (min, max) = (limit(options.min.unwrap_or(0.0))?, limit(options.max.unwrap_or(1000.0))?);
            order(min <= max)?;
            Ok(Kind::Numeric { min, max, scale })
        }
        Leaf::Date(options) => {
            let day = |text: &Option<String>, default: &str| {
                let text = text.as_deref().unwrap_or(default);
                let day = parse_date(text).filter(|d| d.abs() != INFINITE);
                day.ok_or_else(|| format!("`{text}` is no day; write it as 2020-01-31"))
            };
            let (from, to) = (day(&options.from, "1950-01-01")?, day(&options.to, "2020-12-31")?);
            order(from <= to && to < TIMESTAMP_RANGE.1)?;
            Ok(Kind::Date(from, to))
        }
        Leaf::Noise(options) => match (options.percent, options.by) {
            (Some(p), None) if p > 0.0 && p <= 100.0 => Ok(Kind::Noise(Spread::Percent(p))),
            (None, Some(by)) if by > 0.0 && by.is_finite() => Ok(Kind::Noise(Spread::By(by))),
            _ => Err("noise needs either `percent` (above 0, up to 100) or `by` (above 0)".to_owned()),
        },
        Leaf::DateShift(options) => match options.days.unwrap_or(30) {
            days @ 1..=36_500 => Ok(Kind::DateShift(days)),
            _ => Err("`days` is from 1 to 36500".to_owned()),
        },
        Leaf::Generalize(options) => match (options.step, options.to, options.prefix, options.bits) {
            (Some(step), None, None, None) if step > 1 => Ok(Kind::Step(step)),
            (None, Some(unit), None, None) => Ok(Kind::Unit(unit)),
            (None, None, Some(count), None) => Ok(Kind::Prefix(count as usize)),
            (None, None, None, Some(bits)) => Ok(Kind::Bits(bits)),
            _ => {
                Err("generalize needs exactly one of `step` (above 1), `to`, `prefix` and `bits`".to_owned())
            }
        },
        other => Err(format!("mask `{}` has no range", other.name())),
    }
}

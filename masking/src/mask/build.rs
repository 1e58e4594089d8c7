//! Options of a policy to what the hot path needs.

use super::number::{Decimal, Spread};
use super::{Kind, NamePart, Pattern, Words, password};
use crate::engine::codec::{Codec, Form};
use crate::engine::time::{TIMESTAMP_RANGE, parse_date};
use crate::engine::value::INFINITE;
use crate::key::DomainKey;
use crate::policy::{Leaf, Scalar};
use crate::types::{Type, TypeKind};

/// What building a mask needs to know besides its options.
pub(crate) struct Build<'a> {
    pub(crate) ty: &'a Type,
    pub(crate) codec: Codec,
    pub(crate) words: Words,
    pub(crate) key: DomainKey,
    pub(crate) fold_case: bool,
}

/// Options to what the hot path needs.
pub(super) fn kind(leaf: &Leaf, ty: &Type, codec: Codec, key: &DomainKey) -> Result<Kind, String> {
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

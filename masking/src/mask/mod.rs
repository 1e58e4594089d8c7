//! The masks: a value and its tag in, what was made of it out.

#![allow(clippy::cast_possible_truncation, reason = "an index below a length fits usize")]

pub(crate) mod accounts;
mod build;
mod date;
pub(crate) mod digits;
mod kinds;
mod net;
mod number;
mod password;
mod pattern;
mod ranges;
mod text;

pub(crate) use build::Build;
use number::Spread;
pub(crate) use pattern::Pattern;
pub(crate) use text::{NamePart, STREET_ENDS, Words};

use crate::draw::Draw;
use crate::engine::codec::Form;
use crate::engine::time::{parse_date, parse_timestamp};
use crate::engine::value::{Made, Value};
use crate::fpe::Ff1;
use crate::key::{DomainKey, Tag};
use crate::locale::Gender;
use crate::policy::{DateUnit, Leaf, Name};
use crate::types::TypeKind;

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
        let kind = build::kind(leaf, ty, codec, &key)?;
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

    /// The mask needs the value's tag; others save two compressions. `person` says that the row has one to follow.
    pub(crate) fn wants_tag(&self, person: bool) -> bool {
        match &self.kind {
            Kind::Name(..) | Kind::DateShift(_) => !person,
            Kind::Literals(list) => list.len() > 1,
            Kind::Null
            | Kind::Partial { .. }
            | Kind::Step(_)
            | Kind::Unit(_)
            | Kind::Prefix(_)
            | Kind::Bits(_) => false,
            _ => !self.permutes(),
        }
    }

    /// The mask maps values one to one, and looks at tags only where a value has no form to keep.
    pub(crate) fn permutes(&self) -> bool {
        self.ff1.is_some()
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
            Kind::Hash(length) => return Ok(kinds::hash(&input.value, &input.tag, *length, text)),
            Kind::Username => self.words.username(&input.person, &input.tag, text),
            Kind::Url => self.words.url(&input.tag, text),
            Kind::Address => self.words.address(&mut draw(), text),
            Kind::City => self.words.city(&mut draw(), text),
            Kind::Company => self.words.company(&mut draw(), text),
            Kind::Regex(pattern) => pattern.push(&mut draw(), text),
            Kind::Name(part, options) => self.words.name(*part, options, &input.person, input.gender, text),
            Kind::Partial { .. } | Kind::Email { .. } | Kind::Lorem | Kind::Prefix(_) => {
                self.rewrite(input, text)?;
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
}

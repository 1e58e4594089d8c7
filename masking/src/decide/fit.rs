//! Whether a mask fits its column: type, NULL, length, enum labels.

use super::{Case, Choice, Chosen, TableCase, inline, paste};
use crate::draw::TAG_CHARS;
use crate::engine::Wire;
use crate::engine::codec::Codec;
use crate::mask::Pattern;
use crate::policy::{Leaf, Mask, PasswordHash, Scalar};
use crate::problem::{Code, Problem};
use crate::types::{Family, Type, TypeKind};

/// What becomes of different values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Injective {
    /// They stay different, always: a permutation.
    Always,
    /// They stay different, as digits in a form that stays; below 6 characters there are too few of them.
    Form,
    /// They stay different but for a chance of 2⁻⁸⁰ per pair: the text needs this many characters.
    Tag(u32),
    No,
}

/// Different values under a mask.
pub(crate) fn injective(leaf: &Leaf, ty: &Type, email_domain: usize) -> Injective {
    let length = |n: usize| Injective::Tag(u32::try_from(n).unwrap_or(u32::MAX));
    match (leaf, ty.family()) {
        (Leaf::Id(_), Family::Int | Family::Numeric | Family::Uuid) | (Leaf::Uuid(_), Family::Uuid) => {
            Injective::Always
        }
        // An integer prints in up to 20 characters.
        (Leaf::Id(_), Family::Text) => Injective::Tag(20),
        (Leaf::Uuid(_), Family::Text) => Injective::Tag(36),
        (Leaf::Digits(_) | Leaf::Phone(_) | Leaf::Card(_) | Leaf::Iban(_), Family::Text) => Injective::Form,
        (Leaf::Digits(_), Family::Int | Family::Numeric) => Injective::Always,
        (Leaf::Hash(options), Family::Text) => Injective::Tag(options.length.unwrap_or(20)),
        (Leaf::Hash(_), Family::Bytes) => Injective::Always,
        (Leaf::Email(_), Family::Text) => length(17 + email_domain),
        (Leaf::Username(_), Family::Text) => Injective::Tag(TAG_CHARS),
        (Leaf::Url(_), Family::Text) => length(25 + email_domain),
        _ => Injective::No,
    }
}

/// Types that a mask works on.
pub(crate) fn fits(leaf: &Leaf, family: Family) -> bool {
    use Family::{
        Bytes, Composite, Date, Float, Int, Json, Mac, Net, Numeric, Other, Text, Timestamp, Uuid,
    };
    match leaf {
        Leaf::Null(_) => true,
        Leaf::Constant(_) => family != Composite,
        Leaf::Choice(_) => !matches!(family, Json | Composite | Other),
        Leaf::Id(_) => matches!(family, Int | Numeric | Uuid | Text),
        Leaf::Uuid(_) => matches!(family, Uuid | Text),
        Leaf::Digits(_) => matches!(family, Int | Numeric | Text),
        Leaf::Hash(_) => matches!(family, Text | Bytes),
        Leaf::Ip(_) => matches!(family, Net | Text),
        Leaf::Mac(_) => matches!(family, Mac | Text),
        Leaf::Int(_) => matches!(family, Int | Numeric | Float | Text),
        Leaf::Numeric(_) => matches!(family, Numeric | Float | Text),
        Leaf::Date(_) | Leaf::DateShift(_) => matches!(family, Date | Timestamp),
        Leaf::Noise(options) => match family {
            Int | Numeric | Float => true,
            Date | Timestamp => options.by.is_some(),
            _ => false,
        },
        Leaf::Generalize(options) => match family {
            Int | Numeric | Float => options.step.is_some(),
            Date | Timestamp => options.to.is_some(),
            Text => options.prefix.is_some(),
            Net => options.bits.is_some(),
            _ => false,
        },
        Leaf::Partial(_)
        | Leaf::Email(_)
        | Leaf::FirstName(_)
        | Leaf::LastName(_)
        | Leaf::FullName(_)
        | Leaf::Username(_)
        | Leaf::Phone(_)
        | Leaf::Address(_)
        | Leaf::City(_)
        | Leaf::Zip(_)
        | Leaf::Company(_)
        | Leaf::Url(_)
        | Leaf::Card(_)
        | Leaf::Iban(_)
        | Leaf::Password(_)
        | Leaf::Lorem(_)
        | Leaf::Regex(_) => family == Text,
    }
}

/// Masks that look fixed: drawing afresh would undo what makes them one to one.
fn permutes(leaf: &Leaf) -> bool {
    matches!(
        leaf,
        Leaf::Id(_)
            | Leaf::Uuid(_)
            | Leaf::Digits(_)
            | Leaf::Phone(_)
            | Leaf::Zip(_)
            | Leaf::Card(_)
            | Leaf::Iban(_)
    )
}

pub(super) fn check(case: &Case<'_>, problems: &mut Vec<Problem>) {
    for table in case.tables.iter().filter(|t| !t.truncate) {
        for chosen in &table.columns {
            if let Choice::Mask(mask) = &chosen.choice {
                column(case, table, chosen, mask, problems);
            }
        }
    }
}

fn column(
    case: &Case<'_>,
    table: &TableCase<'_>,
    chosen: &Chosen<'_>,
    mask: &Mask,
    problems: &mut Vec<Problem>,
) {
    let (column, ty) = (chosen.column, &chosen.column.ty);
    let name = &column.name;
    let refuses_null = column.not_null || ty.refuses_null();
    if chosen.makes_null() && refuses_null {
        let line = paste(name, &inline(&stand_in(ty)));
        problems.push(
            table.error(Code::NotNull, name, "the mask makes NULL and the column refuses it").paste(line),
        );
    }
    let family = ty.family();
    let wrong = |why: String| table.error(Code::WrongType, name, why);
    match mask {
        Mask::Json(_) if family != Family::Json || ty.is_array() => {
            problems
                .push(wrong(format!("the mask `json` works on json and jsonb; the column is {}", ty.name)));
        }
        Mask::Template(_) if family != Family::Text || ty.is_array() => {
            problems.push(wrong(format!("the mask `template` works on texts; the column is {}", ty.name)));
        }
        Mask::Composite(options) => problems.extend(composite(table, chosen, options)),
        Mask::Default(_) if column.default.is_none() && refuses_null => {
            problems.push(table.error(
                Code::NotNull,
                name,
                "the column has no default and refuses NULL; choose a mask",
            ));
        }
        _ => {}
    }
    let json = if let Mask::Json(options) = mask { options.paths.as_slice() } else { &[] };
    for path in json.iter().filter(|p| p.keep == p.mask.is_some()) {
        problems.push(table.error(
            Code::BadRule,
            name,
            format!("path {} needs either `keep: true` or a `mask`", path.path),
        ));
    }
    let Some(leaf) = mask.leaf() else { return };
    if !fits(&leaf, family) || (ty.is_array() && matches!(leaf, Leaf::Password(_))) {
        let line = paste(name, &inline(&stand_in(ty)));
        problems.push(wrong(format!("the mask `{}` does not work on {}", leaf.name(), ty.name)).paste(line));
        return;
    }
    if chosen.random() && permutes(&leaf) {
        let why = format!(
            "`{}` maps each value to one other, so it cannot draw afresh; drop `random`",
            leaf.name()
        );
        problems.push(table.error(Code::BadRule, name, why));
    }
    problems.extend(length(case, &leaf, ty).map(|why| table.error(Code::TooShort, name, why)));
    problems.extend(values(&leaf, ty).map(|(code, why)| table.error(code, name, why)));
}

fn composite(
    table: &TableCase<'_>,
    chosen: &Chosen<'_>,
    options: &crate::policy::CompositeMask,
) -> Vec<Problem> {
    let (name, ty) = (&chosen.column.name, &chosen.column.ty);
    let TypeKind::Composite { fields } = &ty.base().kind else {
        return vec![table.error(
            Code::WrongType,
            name,
            format!("the mask `composite` works on composite types; the column is {}", ty.name),
        )];
    };
    let mut problems = Vec::new();
    let mut bad = |code, why: String| problems.push(table.error(code, name, why));
    for rule in options.fields.iter().filter(|r| !fields.iter().any(|f| f.name == r.name)) {
        bad(Code::Missing, format!("the type {} has no field `{}`", ty.name, rule.name));
    }
    for field in fields {
        match options.fields.iter().find(|r| r.name == field.name) {
            None => {
                bad(Code::Undecided, format!("nothing decides field `{}`; add it to `fields`", field.name))
            }
            Some(rule) if rule.keep == rule.mask.is_some() => {
                bad(Code::BadRule, format!("field `{}` needs either `keep: true` or a `mask`", field.name));
            }
            Some(rule) => {
                if let Some(leaf) = rule.mask.as_ref().filter(|leaf| !fits(leaf, field.ty.family())) {
                    bad(
                        Code::WrongType,
                        format!(
                            "field `{}`: `{}` does not work on {}",
                            field.name,
                            leaf.name(),
                            field.ty.name
                        ),
                    );
                }
            }
        }
    }
    problems
}

/// What a column is too short for.
fn length(case: &Case<'_>, leaf: &Leaf, ty: &Type) -> Option<String> {
    let max = ty.max_chars()?;
    let (needed, of) = match leaf {
        Leaf::Password(options) => match options.algorithm {
            PasswordHash::Bcrypt => (60, "a bcrypt hash"),
            PasswordHash::Argon2id => (98, "an argon2id hash"),
        },
        Leaf::Regex(options) => (
            u32::try_from(Pattern::new(&options.pattern).ok()?.longest()).unwrap_or(u32::MAX),
            "the longest text of the pattern",
        ),
        Leaf::Hash(options) => (options.length.unwrap_or(20), "the hash"),
        Leaf::Mac(_) => (17, "a MAC address"),
        Leaf::Uuid(_) => (36, "a UUID"),
        Leaf::Ip(_) => (15, "an address"),
        Leaf::Id(_) | Leaf::Email(_) | Leaf::Username(_) | Leaf::Url(_) => {
            match injective(leaf, ty, email_domain(case, leaf)) {
                Injective::Tag(needed) => (needed, "a text with a tag of 80 bits"),
                _ => return None,
            }
        }
        _ => return None,
    };
    (needed > max)
        .then(|| format!("{of} needs {needed} characters and {} holds {max}; choose another mask", ty.name))
}

/// Bytes of the domain that e-mail addresses and URLs get.
pub(crate) fn email_domain(case: &Case<'_>, leaf: &Leaf) -> usize {
    let own = if let Leaf::Email(options) = leaf { options.domain.as_deref() } else { None };
    own.or(case.policy.email_domain.as_deref()).unwrap_or(super::EMAIL_DOMAIN).len()
}

/// Literals that the column cannot hold.
fn values(leaf: &Leaf, ty: &Type) -> Option<(Code, String)> {
    let list: Vec<Scalar> = match leaf {
        Leaf::Constant(options) => match &options.value {
            None => {
                return Some((
                    Code::BadRule,
                    "`constant` needs a `value`; for NULL say `null: {}`".to_owned(),
                ));
            }
            Some(value) => vec![value.clone()],
        },
        Leaf::Choice(options) if options.values.is_empty() && ty.family() != Family::Enum => {
            return Some((Code::BadRule, "`choice` needs `values`".to_owned()));
        }
        Leaf::Choice(options) => options.values.clone(),
        Leaf::Hash(options) => {
            let wrong = !(20..=64).contains(&options.length.unwrap_or(20));
            return wrong.then(|| (Code::BadRule, "`length` is from 20 (80 bits) to 64".to_owned()));
        }
        Leaf::Int(options) => options.min.into_iter().chain(options.max).map(Scalar::Int).collect(),
        _ => return None,
    };
    if let TypeKind::Enum { labels } = &ty.element().kind {
        let wrong = list.iter().map(|v| v.to_string()).find(|v| !labels.contains(v))?;
        return Some((
            Code::Enum,
            format!("`{wrong}` is no label of {}; its labels are {}", ty.name, labels.join(", ")),
        ));
    }
    // Arrays and types that no codec reads go to the server as a literal, which it checks when the copy is planned.
    let codec = Codec::new(ty, Wire::Text).filter(|_| !ty.is_array())?;
    let wrong = list.iter().find(|v| codec.literal(v, &mut Vec::new()).is_none())?;
    Some((Code::WrongType, format!("`{wrong}` is no value of {}", ty.name)))
}

/// A mask that works on a type and makes no NULL, to suggest.
pub(crate) fn stand_in(ty: &Type) -> Mask {
    let nothing = crate::policy::Nothing::default;
    match ty.family() {
        Family::Text => Leaf::Lorem(nothing()).into(),
        Family::Int | Family::Uuid => Leaf::Id(nothing()).into(),
        Family::Numeric | Family::Float => {
            Leaf::Noise(crate::policy::Noise { percent: Some(10.0), by: None }).into()
        }
        Family::Date | Family::Timestamp => Leaf::DateShift(crate::policy::DateShift::default()).into(),
        Family::Net => Leaf::Ip(nothing()).into(),
        Family::Mac => Leaf::Mac(nothing()).into(),
        Family::Bytes => Leaf::Hash(crate::policy::Hash::default()).into(),
        Family::Enum => Leaf::Choice(crate::policy::Choice::default()).into(),
        Family::Bool => {
            Leaf::Choice(crate::policy::Choice { values: vec![Scalar::Bool(true), Scalar::Bool(false)] })
                .into()
        }
        Family::Json => Mask::Json(crate::policy::JsonMask {
            unknown: crate::policy::UnknownPath::Nullify,
            ..Default::default()
        }),
        Family::Composite | Family::Time | Family::Other => Mask::Default(nothing()),
    }
}

/// The mask cannot draw afresh.
pub(crate) fn permutes_mask(mask: &Mask) -> bool {
    mask.leaf().is_some_and(|leaf| permutes(&leaf))
}

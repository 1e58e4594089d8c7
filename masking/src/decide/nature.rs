//! What masks do by their nature: which types they work on, and whether different values stay different.

use crate::draw::TAG_CHARS;
use crate::policy::{Leaf, Mask, Scalar};
use crate::types::{Family, Type};

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
        (Leaf::Digits(_), Family::Int | Family::Numeric)
        | (Leaf::Hash(_), Family::Bytes)
        | (Leaf::Id(_), Family::Int | Family::Numeric | Family::Uuid)
        | (Leaf::Uuid(_), Family::Uuid) => Injective::Always,
        // An integer prints in up to 20 characters.
        (Leaf::Id(_), Family::Text) => Injective::Tag(20),
        (Leaf::Uuid(_), Family::Text) => Injective::Tag(36),
        (Leaf::Digits(_) | Leaf::Phone(_) | Leaf::Card(_) | Leaf::Iban(_), Family::Text) => Injective::Form,
        (Leaf::Hash(options), Family::Text) => Injective::Tag(options.length.unwrap_or(20)),
        (Leaf::Email(_), Family::Text) => length(17 + email_domain),
        (Leaf::Username(_), Family::Text) => Injective::Tag(TAG_CHARS),
        (Leaf::Url(_), Family::Text) => length(25 + email_domain),
        _ => Injective::No,
    }
}

/// Types that a mask works on.
pub(crate) fn fits(leaf: &Leaf, family: Family) -> bool {
    use Family::{Bytes, Composite, Date, Float, Int, Json, Mac, Net, Numeric, Other, Text, Timestamp, Uuid};
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
pub(super) fn permutes(leaf: &Leaf) -> bool {
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

//! The masks as a policy names them. What each does to a value is in `mask/`; which types it fits, in `decide/`.

use serde::{Deserialize, Serialize};

use super::options::{
    Choice, CompositeMask, Constant, DateRange, DateShift, Email, Generalize, Hash, IntRange, JsonMask, Name,
    Noise, Nothing, NumericRange, Partial, Password, Regex, Shuffle, Template, Zip,
};

macro_rules! masks {
    ($($(#[$meta:meta])* $name:ident($options:ty) = $text:literal,)*) => {
        /// A mask over one value: what may stand inside another mask.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "camelCase")]
        pub enum Leaf { $($(#[$meta])* $name($options),)* }

        /// What happens to a column's values. NULL stays NULL.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "camelCase")]
        pub enum Mask {
            $($(#[$meta])* $name($options),)*
            /// The column's own default at the target. Irreversible.
            Default(Nothing),
            /// The values of the column change places at random over the whole table. The values themselves leave:
            /// not for names, numbers or anything that tells by itself who is meant.
            Shuffle(Shuffle),
            /// A JSON document: a decision per path.
            Json(JsonMask),
            /// A composite value: a decision per field.
            Composite(CompositeMask),
            /// A text put together from the row's other columns, after those are masked.
            Template(Template),
        }

        impl Mask {
            /// The mask as one over a single value, if it is one.
            pub fn leaf(&self) -> Option<Leaf> {
                match self {
                    $(Self::$name(options) => Some(Leaf::$name(options.clone())),)*
                    _ => None,
                }
            }
        }

        impl From<Leaf> for Mask {
            fn from(leaf: Leaf) -> Self {
                match leaf { $(Leaf::$name(options) => Self::$name(options),)* }
            }
        }

        impl Leaf {
            /// The name as a policy writes it.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $text,)* }
            }
        }
    };
}

masks! {
    /// NULL. Irreversible.
    Null(Nothing) = "null",
    /// The same value everywhere. Irreversible.
    Constant(Constant) = "constant",
    /// Another value of the same kind, one to one: integers stay in their width class (positive ones in its lower
    /// half), UUIDs keep version and variant, digits in a text stay digits; other texts become a tag of 80 bits.
    /// Integers, UUIDs and digit strings are REVERSIBLE by the key's holder; tags are not.
    Id(Nothing) = "id",
    /// Every digit replaced, everything else kept; one to one for 6 digits and more. REVERSIBLE by the key's holder.
    Digits(Nothing) = "digits",
    /// A keyed hash in hexadecimal (text) or bytes (bytea). Irreversible.
    Hash(Hash) = "hash",
    /// Keeps the ends and pads what lies between. What is kept leaves; the rest is irreversible.
    Partial(Partial) = "partial",
    /// A made-up e-mail address with a tag of 80 bits, at a reserved domain. Irreversible.
    Email(Email) = "email",
    /// A made-up given name. Irreversible.
    FirstName(Name) = "firstName",
    /// A made-up family name. Irreversible.
    LastName(Name) = "lastName",
    /// A made-up full name. Irreversible.
    FullName(Name) = "fullName",
    /// A made-up user name with a tag of 80 bits. Irreversible.
    Username(Nothing) = "username",
    /// A phone number with the same country code, format and length. One to one for 6 free digits and more:
    /// REVERSIBLE by the key's holder.
    Phone(Nothing) = "phone",
    /// A made-up street address. Irreversible.
    Address(Nothing) = "address",
    /// A made-up town. Irreversible.
    City(Nothing) = "city",
    /// A postal code of the same format; the first `keep` characters stay. REVERSIBLE by the key's holder.
    Zip(Zip) = "zip",
    /// A made-up company name. Irreversible.
    Company(Nothing) = "company",
    /// A made-up URL at a reserved domain. Irreversible.
    Url(Nothing) = "url",
    /// An address from ranges reserved for documentation or private use. Irreversible.
    Ip(Nothing) = "ip",
    /// A locally administered MAC address. Irreversible.
    Mac(Nothing) = "mac",
    /// A UUID; in a text column too. Version and variant stay. REVERSIBLE by the key's holder.
    Uuid(Nothing) = "uuid",
    /// A card number of the same length with a right Luhn digit, from a range that no issuer uses; separators stay.
    /// REVERSIBLE by the key's holder.
    Card(Nothing) = "card",
    /// An IBAN of the same country and length with right check digits. REVERSIBLE by the key's holder.
    Iban(Nothing) = "iban",
    /// A real password hash of a known password, so that one can log in everywhere. Irreversible.
    Password(Password) = "password",
    /// Words without meaning, as long as the original. Its length leaves; the rest is irreversible.
    Lorem(Nothing) = "lorem",
    /// A text that matches a pattern. Irreversible.
    Regex(Regex) = "regex",
    /// One of the listed values (of an enum: any label). Irreversible.
    Choice(Choice) = "choice",
    /// A whole number of a range. Irreversible.
    Int(IntRange) = "int",
    /// A number of a range. Irreversible.
    Numeric(NumericRange) = "numeric",
    /// A day, or moment, of a range. Irreversible.
    Date(DateRange) = "date",
    /// The value, moved by up to some percent or an absolute amount. Roughly reversible: the value stays near.
    Noise(Noise) = "noise",
    /// A date or timestamp moved by some days, alike for all rows of one subject. REVERSIBLE by the key's holder;
    /// intervals between a subject's dates stay.
    DateShift(DateShift) = "dateShift",
    /// The value made coarser. What remains leaves.
    Generalize(Generalize) = "generalize",
}

impl Mask {
    /// The name as a policy writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Default(_) => "default",
            Self::Shuffle(_) => "shuffle",
            Self::Json(_) => "json",
            Self::Composite(_) => "composite",
            Self::Template(_) => "template",
            leaf => leaf.leaf().map_or("", |l| l.name()),
        }
    }
}

//! The masks as a policy names them. What each does to a value is in `mask/`; which types it fits, in `decide/`.

use serde::{Deserialize, Serialize};

use super::condition::Scalar;

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

macro_rules! options {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $ty:ty,)* })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$field_meta])* #[serde(skip_serializing_if = "unset")] pub $field: $ty,)*
        }
    )*};
}

/// Left out of YAML: a value that the default gives.
fn unset<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

options! {
    /// No options: write `{}`.
    Nothing {}

    /// Options of `constant`.
    Constant {
        /// The value, of the column's type.
        value: Option<Scalar>,
    }

    /// Options of `hash`.
    Hash {
        /// Hexadecimal digits (or twice the bytes), 20 to 64; 20 are 80 bits and the default.
        length: Option<u32>,
    }

    /// Options of `partial`. At least half of the characters are replaced, however short the value.
    Partial {
        /// Characters kept at the start.
        prefix: u32,
        /// One character to put in place of each hidden one; `*` by default.
        pad: Option<String>,
        /// Characters kept at the end.
        suffix: u32,
    }

    /// Options of `email`.
    Email {
        /// Keep what follows the `@`. Mail to real domains can then arrive, and a private domain names its owner.
        keep_domain: bool,
        /// Another domain for this column.
        domain: Option<String>,
    }

    /// Options of the name masks.
    Name {
        /// The column that holds the person's gender; it must be kept. A kept column `gender`, `sex` or `性別` is found.
        gender: Option<String>,
        /// How names are written.
        script: Script,
        /// The family name first, with nothing between in Japanese; by default as the locale has it.
        family_first: Option<bool>,
        /// What stands between the two names.
        separator: Option<String>,
    }

    /// Options of `zip`.
    Zip {
        /// Characters kept at the start (a region).
        keep: u32,
    }

    /// Options of `password`.
    Password {
        /// The password that will work everywhere.
        value: String,
        /// The hash; bcrypt by default.
        algorithm: PasswordHash,
        /// Work factor: bcrypt's cost (4 to 15, default 10) or argon2's passes (1 to 10, default 2).
        cost: Option<u32>,
    }

    /// Options of `regex`.
    Regex {
        /// A pattern without look-around or back-references; unbounded repetition gives up to 8 more.
        pattern: String,
    }

    /// Options of `choice`.
    Choice {
        /// The values to choose from; of an enum, its labels if left out.
        values: Vec<Scalar>,
    }

    /// Options of `int`, both ends included.
    IntRange {
        /// Smallest value; 0 if left out.
        min: Option<i64>,
        /// Largest value; the type's largest if left out.
        max: Option<i64>,
    }

    /// Options of `numeric`, both ends included.
    NumericRange {
        /// Smallest value; 0 if left out.
        min: Option<f64>,
        /// Largest value; 1000 if left out.
        max: Option<f64>,
        /// Digits after the point; the column's if left out, else 2.
        scale: Option<u32>,
    }

    /// Options of `date`, both days included.
    DateRange {
        /// First day, as `2020-01-31`; 1950-01-01 if left out.
        from: Option<String>,
        /// Last day; 2020-12-31 if left out.
        to: Option<String>,
    }

    /// Options of `noise`: one of the two.
    Noise {
        /// Up to this many percent of the value, up or down.
        percent: Option<f64>,
        /// Up to this much, up or down (days, for dates and timestamps).
        by: Option<f64>,
    }

    /// Options of `dateShift`.
    DateShift {
        /// Up to this many days, up or down; 30 if left out.
        days: Option<u32>,
        /// The column whose value all shift alike; the table's subject if left out, else the value itself.
        subject: Option<String>,
    }

    /// Options of `generalize`: one of these.
    Generalize {
        /// Numbers: rounded down to a multiple of this.
        step: Option<u64>,
        /// Dates and timestamps: the start of the unit.
        to: Option<DateUnit>,
        /// Texts: only the first characters.
        prefix: Option<u32>,
        /// Addresses: only the first bits of the network.
        bits: Option<u8>,
    }

    /// Options of `shuffle`.
    Shuffle {
        /// Columns of the table that name the same group change places together.
        group: Option<String>,
    }

    /// Options of `json`.
    JsonMask {
        /// A decision per path.
        paths: Vec<JsonPath>,
        /// What happens to values that no path decides.
        unknown: UnknownPath,
    }

    /// Options of `composite`.
    CompositeMask {
        /// A decision per field; every field needs one.
        fields: Vec<FieldRule>,
    }

    /// Options of `template`.
    Template {
        /// The text; `{column}` stands for that column's masked value (NULL for nothing), `{{` and `}}` for braces.
        text: String,
    }

    /// A decision over a path of a JSON document.
    JsonPath {
        /// `$.customer.name`, `$.items[*].price`, `$.by_day.*`, `$."odd key"`; a decision over an object or array holds
        /// for all values within it that no longer path decides.
        path: String,
        /// Copy as it is.
        keep: bool,
        /// What to do with the values.
        mask: Option<Leaf>,
        /// With `*`: replace the keys themselves by tags, because they are personal data too.
        mask_keys: bool,
    }

    /// A decision over a field of a composite type.
    FieldRule {
        /// The field.
        name: String,
        /// Copy as it is.
        keep: bool,
        /// What to do with the values.
        mask: Option<Leaf>,
    }
}

macro_rules! choices {
    ($($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident,)* })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "camelCase")]
        pub enum $name { $($(#[$variant_meta])* $variant,)* }
    )*};
}

choices! {
    /// How names are written (Japanese only; English has Latin letters).
    Script {
        /// As people write it: 佐藤 花子.
        #[default]
        Native,
        /// ヤマダ ハナコ.
        Katakana,
        /// やまだ はなこ.
        Hiragana,
        /// Yamada Hanako.
        Latin,
    }

    /// Password hashes.
    PasswordHash {
        /// `$2b$…`.
        #[default]
        Bcrypt,
        /// `$argon2id$…`.
        Argon2id,
    }

    /// Units that dates are rounded down to.
    DateUnit {
        /// 1 January.
        #[default]
        Year,
        /// The first day of the quarter.
        Quarter,
        /// The first day of the month.
        Month,
        /// Monday.
        Week,
        /// Midnight.
        Day,
        /// The full hour.
        Hour,
    }

    /// What happens to JSON values that no path decides.
    UnknownPath {
        /// The copy stops.
        #[default]
        Refuse,
        /// They become null.
        Nullify,
        /// They are copied as they are: a new key leaks.
        Keep,
    }
}

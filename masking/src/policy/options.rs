//! The options of the masks.

use serde::{Deserialize, Serialize};

use super::condition::Scalar;
use super::mask::Leaf;

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

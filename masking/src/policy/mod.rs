//! The policy: one decision per column, written by people. These are the types of `MaskingPolicy.spec`; a Kubernetes
//! kind reuses them (feature `schema`).

mod condition;
mod mask;
mod options;
mod parse;

pub use condition::{Condition, Scalar};
pub use mask::{Leaf, Mask};
pub use options::*;
pub(crate) use parse::nearest;
pub use parse::{PolicyError, parse};
use serde::{Deserialize, Serialize};

use crate::name::TableName;

/// What may leave a database, and how. Every column of every table needs a decision; one that has none stops the copy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Policy {
    /// Language of made-up names, addresses and phone numbers.
    pub locale: Locale,
    /// Version of the key: raise it to get other masked values from the same master key. Recorded in the report.
    pub key_version: KeyVersion,
    /// Domain of made-up e-mail addresses and URLs. The default is reserved for documentation, so no mail can arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_domain: Option<String>,
    /// Masks by column name and type, for columns without a rule of their own. The first pattern that matches decides.
    /// A pattern can mask but never keep.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<Pattern>,
    /// Rules per table.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<TableRule>,
    /// Copy only a part: root rows of the tables named here, with every row that they need or own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subset: Vec<SubsetRule>,
    /// Texts of the schema (a default, a comment, a view) that look like personal data and may go along nevertheless.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schema_texts: Vec<AcceptedText>,
}

/// A [`Policy::key_version`]; starts at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct KeyVersion(pub u32);

impl Default for KeyVersion {
    fn default() -> Self {
        Self(1)
    }
}

/// Languages that the dictionaries know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Locale {
    /// American English.
    #[default]
    #[serde(rename = "en_US")]
    EnUs,
    /// Japanese.
    #[serde(rename = "ja_JP")]
    JaJp,
}

/// A mask for every column that matches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pattern {
    /// A name for messages and reports.
    pub name: String,
    /// Column names it matches, `*` for any characters: `*_token`. Case does not count.
    pub column: String,
    /// Tables it matches, `*` for any characters, as `schema.table`. All tables if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Types it matches, as Postgres prints them (`text`, `character varying(255)`, `bigint`); a name without length
    /// matches any length, `varchar`, `int`, `timestamptz` and the like are understood. All types if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// What to do.
    pub mask: Mask,
}

/// Rules for one table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TableRule {
    /// `schema.table`. Rules of a partitioned table hold for its partitions.
    pub name: TableName,
    /// Copy the table without its rows. Its columns then need no rules.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncate: bool,
    /// The column that says whom a row is about (`id` of a users table, `user_id` elsewhere): names in a row fit each
    /// other, and dates shift alike for one person. Where a table has several name masks and one primary-key column,
    /// that is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Rules per column.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnRule>,
}

/// The decision for one column: `keep: true`, or a mask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ColumnRule {
    /// The column.
    pub name: String,
    /// Copy the values as they are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
    /// What to do with the values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Mask>,
    /// Columns with the same domain get equal values for equal values, over all tables. Columns tied by foreign keys
    /// share a domain by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Draw afresh for every row instead of from the value. Equal values become different ones: hides how often each
    /// occurs, and joins over the column are lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub random: bool,
    /// Mask only rows where all of these hold (an unknown result counts as holding). Needs `otherwise`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Condition>,
    /// What happens to the other rows of `when`: `keep` or `nullify`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Otherwise>,
    /// Doubts that you have looked into, so that they no longer stop the copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<Doubt>,
}

/// What happens to a value where `when` does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Otherwise {
    /// It is copied as it is.
    Keep,
    /// It becomes NULL.
    Nullify,
}

/// A doubt about a column that only a person can settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Doubt {
    /// A CHECK constraint reads the masked column and could not be judged.
    Check,
    /// A kept column that looks like a copy of masked data, or like personal data.
    Copy,
    /// Few distinct values: how often each occurs tells which is which.
    Frequency,
    /// A unique index over an expression, or an exclusion constraint, reads the masked column.
    Unique,
}

/// Root rows of a subset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubsetRule {
    /// The table whose rows are chosen.
    pub name: TableName,
    /// Rows must satisfy all of these.
    #[serde(default, rename = "where", skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Share of those rows, above 0 and up to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
}

/// A text of the schema that may go along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcceptedText {
    /// The object, as the problem names it: `default of public.users.email`.
    pub name: String,
}

impl Policy {
    /// The rule for a table.
    pub fn table(&self, name: &TableName) -> Option<&TableRule> {
        self.tables.iter().find(|t| &t.name == name)
    }

    /// The policy as YAML, for a file.
    ///
    /// # Errors
    /// When the writer fails, which no policy causes.
    pub fn to_yaml(&self) -> Result<String, PolicyError> {
        serde_saphyr::to_string(self).map_err(|e| PolicyError::write(&e.to_string()))
    }
}

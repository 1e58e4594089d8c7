//! Typed conditions over a row: no SQL, so nothing to inject.

use serde::{Deserialize, Serialize};

/// A value in a policy: text, number or boolean. Dates and UUIDs are written as text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Number(f64),
    /// A text.
    Text(String),
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(v) => v.fmt(f),
            Self::Int(v) => v.fmt(f),
            Self::Number(v) => v.fmt(f),
            Self::Text(v) => v.fmt(f),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Scalar {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        // Kubernetes has no "string, number or boolean"; the parser checks it.
        schemars::json_schema!({"x-kubernetes-preserve-unknown-fields": true})
    }
}

/// One condition over one column. Exactly one comparison is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Condition {
    /// The column to look at.
    pub column: String,
    /// It has this value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equals: Option<Scalar>,
    /// It has another value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_equals: Option<Scalar>,
    /// It has one of these values.
    #[serde(skip_serializing_if = "Option::is_none", rename = "in")]
    pub one_of: Option<Vec<Scalar>>,
    /// It has none of these values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_in: Option<Vec<Scalar>>,
    /// It is below this value. Numbers, dates and timestamps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub less_than: Option<Scalar>,
    /// It is this value or above. Numbers, dates and timestamps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Scalar>,
    /// A text that starts so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_with: Option<String>,
    /// A text that ends so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_with: Option<String>,
    /// It is NULL (`true`) or is not (`false`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_null: Option<bool>,
}

//! Column types as the masks see them.

use serde::{Deserialize, Serialize};

use crate::schema::Check;

/// A column's type: how it prints, and what it is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Type {
    /// As `format_type()` prints it, for messages and casts.
    pub name: String,
    /// What it is.
    pub kind: TypeKind,
}

/// What a type is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum TypeKind {
    /// `boolean`.
    Bool,
    /// `smallint`.
    Int2,
    /// `integer`.
    Int4,
    /// `bigint`.
    Int8,
    /// `numeric(precision, scale)`; neither when unconstrained.
    #[serde(rename_all = "camelCase")]
    Numeric {
        /// All digits.
        #[serde(default)]
        precision: Option<u32>,
        /// Digits after the point.
        #[serde(default)]
        scale: Option<u32>,
    },
    /// `real`.
    Float4,
    /// `double precision`.
    Float8,
    /// `text`, or `varchar` with the length in characters that it allows.
    Text {
        /// Longest value in characters.
        #[serde(default)]
        max: Option<u32>,
    },
    /// `char(n)`: trailing blanks do not count.
    Bpchar {
        /// Length in characters.
        #[serde(default)]
        max: Option<u32>,
    },
    /// `citext`: equal regardless of case.
    Citext,
    /// `uuid`.
    Uuid,
    /// `date`.
    Date,
    /// `time` without time zone.
    Time,
    /// `timestamp` without time zone.
    Timestamp,
    /// `timestamptz`.
    Timestamptz,
    /// `json`.
    Json,
    /// `jsonb`.
    Jsonb,
    /// `bytea`.
    Bytea,
    /// `inet`.
    Inet,
    /// `cidr`.
    Cidr,
    /// `macaddr`.
    Macaddr,
    /// `tsvector`: a copy of the words of other columns.
    Tsvector,
    /// An enum and its labels.
    Enum {
        /// Labels in order.
        labels: Vec<String>,
    },
    /// An array of any number of dimensions.
    Array(Box<Type>),
    /// A domain over another type.
    #[serde(rename_all = "camelCase")]
    Domain {
        /// The type below.
        base: Box<Type>,
        /// The domain refuses NULL.
        #[serde(default)]
        not_null: bool,
        /// Its CHECK constraints (`VALUE` stands for the value).
        #[serde(default)]
        checks: Vec<Check>,
    },
    /// A composite (row) type.
    Composite {
        /// Its fields in order.
        fields: Vec<Field>,
    },
    /// Anything else: only `keep`, `null`, `default` and `shuffle` work on it.
    Other,
}

/// A field of a composite type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: Type,
}

/// Which masks fit: types whose values the masks treat alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    Text,
    Int,
    Numeric,
    Float,
    Bool,
    Date,
    Time,
    Timestamp,
    Uuid,
    Json,
    Net,
    Mac,
    Bytes,
    Enum,
    Composite,
    Other,
}

impl Type {
    /// The type below domains.
    pub fn base(&self) -> &Type {
        match &self.kind {
            TypeKind::Domain { base, .. } => base.base(),
            _ => self,
        }
    }

    /// The type of the single values: below domains and arrays.
    pub fn element(&self) -> &Type {
        match &self.base().kind {
            TypeKind::Array(element) => element.element(),
            _ => self.base(),
        }
    }

    /// An array, or a domain over one.
    pub fn is_array(&self) -> bool {
        matches!(self.base().kind, TypeKind::Array(_))
    }

    /// A domain on the way down forbids NULL.
    pub(crate) fn refuses_null(&self) -> bool {
        match &self.kind {
            TypeKind::Domain { base, not_null, .. } => *not_null || base.refuses_null(),
            _ => false,
        }
    }

    /// CHECK constraints of the domains on the way down to the base.
    pub(crate) fn domain_checks(&self) -> Vec<&Check> {
        match &self.kind {
            TypeKind::Domain { base, checks, .. } => checks.iter().chain(base.domain_checks()).collect(),
            _ => Vec::new(),
        }
    }

    /// Longest value in characters, where the type bounds it.
    pub fn max_chars(&self) -> Option<u32> {
        match &self.element().kind {
            TypeKind::Text { max } | TypeKind::Bpchar { max } => *max,
            _ => None,
        }
    }

    /// May stand in a binary COPY that this crate masks or that passes through unread: types whose binary form is the
    /// same in every supported version and means the same at the target. Everything else needs a text COPY
    /// (a binary `regclass`, for example, is an OID that dangles at the target).
    pub fn binary_safe(&self) -> bool {
        match &self.kind {
            // An array carries its element type's OID, which only built-in types share with the target.
            TypeKind::Array(element) => {
                element.binary_safe()
                    && !matches!(element.element().kind, TypeKind::Enum { .. } | TypeKind::Citext)
            }
            TypeKind::Domain { base, .. } => base.binary_safe(),
            TypeKind::Composite { .. } | TypeKind::Other | TypeKind::Tsvector => false,
            _ => true,
        }
    }

    pub(crate) fn family(&self) -> Family {
        match &self.element().kind {
            TypeKind::Bool => Family::Bool,
            TypeKind::Int2 | TypeKind::Int4 | TypeKind::Int8 => Family::Int,
            TypeKind::Numeric { .. } => Family::Numeric,
            TypeKind::Float4 | TypeKind::Float8 => Family::Float,
            TypeKind::Text { .. } | TypeKind::Bpchar { .. } | TypeKind::Citext => Family::Text,
            TypeKind::Uuid => Family::Uuid,
            TypeKind::Date => Family::Date,
            TypeKind::Time => Family::Time,
            TypeKind::Timestamp | TypeKind::Timestamptz => Family::Timestamp,
            TypeKind::Json | TypeKind::Jsonb => Family::Json,
            TypeKind::Bytea => Family::Bytes,
            TypeKind::Inet | TypeKind::Cidr => Family::Net,
            TypeKind::Macaddr => Family::Mac,
            TypeKind::Enum { .. } => Family::Enum,
            TypeKind::Composite { .. } => Family::Composite,
            TypeKind::Array(_) | TypeKind::Domain { .. } | TypeKind::Tsvector | TypeKind::Other => {
                Family::Other
            }
        }
    }
}

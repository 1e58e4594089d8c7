//! A plain description of a database: what the checks need to know about it, and nothing that needs a connection.
//! `pgcopy` fills it from the catalog; tests write it as YAML.

use serde::{Deserialize, Serialize};

use crate::name::TableName;
pub use crate::types::{Field, Type, TypeKind};

/// Everything of one database that a policy is checked against.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Schema {
    /// Tables that hold rows or have partitions. Not foreign tables: those are not copied.
    pub tables: Vec<Table>,
    /// Views and materialised views (a materialised one is refreshed at the target, from masked rows).
    pub views: Vec<View>,
    /// Texts of the schema that go along with it: defaults, comments, view and function bodies, enum labels,
    /// partition bounds, index predicates. Searched for personal data before the schema is applied.
    pub texts: Vec<SchemaText>,
}

impl Schema {
    /// The table of that name.
    pub fn table(&self, name: &TableName) -> Option<&Table> {
        self.tables.iter().find(|t| &t.name == name)
    }
}

/// One table, partitioned table or partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Table {
    /// Its qualified name.
    pub name: TableName,
    /// Its columns in the catalog's order, dropped ones left out.
    pub columns: Vec<Column>,
    /// Primary key, UNIQUE constraints, unique indexes and exclusion constraints.
    #[serde(default)]
    pub keys: Vec<Key>,
    /// Foreign keys that start here (not the copies of them that partitions inherit).
    #[serde(default)]
    pub foreign_keys: Vec<ForeignKey>,
    /// CHECK constraints.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Indexes over expressions, and extended statistics.
    #[serde(default)]
    pub expressions: Vec<ExpressionUse>,
    /// The table that this is a partition of, or inherits from. Its columns' rules hold here too, unless the policy has
    /// rules for this table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TableName>,
    /// Columns of the partition key (of a partitioned table); expressions count with every column that they read.
    #[serde(default)]
    pub partition_key: Vec<String>,
    /// Estimated rows (`pg_class.reltuples`), if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<f64>,
}

impl Table {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// One column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Column {
    /// Its name, unquoted.
    pub name: String,
    /// Its type, domains and arrays resolved down to their base.
    #[serde(rename = "type")]
    pub ty: Type,
    /// NOT NULL on the column (a domain's own NOT NULL stands in its type).
    #[serde(default)]
    pub not_null: bool,
    /// The text of its default, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// `GENERATED ALWAYS AS (…)`: computed anew at the target, so never copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<Generated>,
    /// An identity column, or one whose default draws from a sequence.
    #[serde(default)]
    pub sequence: bool,
    /// Distinct values as `pg_stats.n_distinct` says: above 0 a number, below 0 minus a fraction of the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_distinct: Option<f64>,
}

/// What a generated column is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Generated {
    /// Its expression's text.
    pub expression: String,
    /// The columns that it reads.
    #[serde(default)]
    pub reads: Vec<String>,
}

/// A key that forbids equal rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Key {
    /// The constraint's or index's name.
    pub name: String,
    /// What sort of key.
    #[serde(default)]
    pub kind: KeyKind,
    /// Its plain columns.
    pub columns: Vec<String>,
    /// Columns that its expressions read (`lower(email)`): distinct values need not stay distinct under them.
    #[serde(default)]
    pub expression_columns: Vec<String>,
    /// `NULLS NOT DISTINCT`.
    #[serde(default)]
    pub nulls_not_distinct: bool,
}

/// Sorts of [`Key`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyKind {
    /// The primary key.
    Primary,
    /// A UNIQUE constraint or unique index.
    #[default]
    Unique,
    /// An exclusion constraint.
    Exclusion,
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: String,
    /// Referencing columns.
    pub columns: Vec<String>,
    /// Referenced table.
    pub target: TableName,
    /// Referenced columns, in the same order.
    pub target_columns: Vec<String>,
    /// Marked NOT VALID at the source: existing rows need not satisfy it.
    #[serde(default)]
    pub not_valid: bool,
}

/// A CHECK constraint, of a table or of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Check {
    /// The constraint's name.
    pub name: String,
    /// Columns that it reads (`conkey`).
    #[serde(default)]
    pub columns: Vec<String>,
    /// Its expression as `pg_get_expr(conbin, conrelid)` prints it.
    pub expression: String,
}

/// An index over expressions, or extended statistics, that keep derived copies of columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpressionUse {
    /// The object, as in "index users_lower_email_idx".
    pub name: String,
    /// Columns that its expressions read.
    pub reads: Vec<String>,
    /// The expression's text.
    pub expression: String,
}

/// A view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct View {
    /// Its name.
    pub name: TableName,
    /// It holds rows of its own.
    #[serde(default)]
    pub materialized: bool,
    /// Tables and columns that it reads, as `pg_depend` says.
    #[serde(default)]
    pub reads: Vec<(TableName, String)>,
}

/// A text of the schema that is applied at the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SchemaText {
    /// What and where: "default of public.users.email", "comment on table public.users", "view public.v".
    pub object: String,
    /// The text.
    pub text: String,
}

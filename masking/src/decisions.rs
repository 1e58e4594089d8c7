//! What was decided: a plan that `pgcopy` executes and the report prints.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::name::{TableName, quote_ident};
use crate::policy::{Condition, KeyVersion, Locale, Mask, Otherwise};
use crate::problem::Problem;
use crate::schema::{Column, Type};

/// A policy that fits its schema.
#[derive(Clone, Debug)]
pub struct Decisions {
    /// Every table, partitions included.
    pub tables: BTreeMap<TableName, TableDecision>,
    /// Warnings and notes: none of them stops the copy.
    pub warnings: Vec<Problem>,
    /// Language of the dictionaries.
    pub locale: Locale,
    /// Version of the keys.
    pub key_version: KeyVersion,
    /// Domain of made-up e-mail addresses and URLs.
    pub email_domain: String,
}

impl Decisions {
    /// Any mask needs the master key.
    pub fn needs_key(&self) -> bool {
        self.tables.values().flat_map(|t| &t.columns).any(ColumnDecision::needs_key)
    }

    /// The decision for a table.
    pub fn table(&self, name: &TableName) -> Option<&TableDecision> {
        self.tables.get(name)
    }

    /// What is done, column by column, for the report.
    pub fn report(&self) -> Vec<ColumnReport> {
        let all = self.tables.iter();
        all.flat_map(|(name, table)| {
            table.columns.iter().map(|c| c.report(name, table.truncate, self.key_version))
        })
        .collect()
    }
}

/// What happens to one table.
#[derive(Clone, Debug)]
pub struct TableDecision {
    /// No rows are copied.
    pub truncate: bool,
    /// Columns in the catalog's order, generated ones included.
    pub columns: Vec<ColumnDecision>,
}

impl TableDecision {
    /// The columns that a COPY reads and writes, in order: neither generated ones nor those left to their default.
    /// `TableMasker::mask_row` takes its fields in exactly this order.
    pub fn copied(&self) -> impl Iterator<Item = &ColumnDecision> {
        self.columns.iter().filter(|c| c.decision.is_copied())
    }

    /// Every copied column may stand in a binary COPY. Otherwise use a text COPY for the table.
    pub fn binary_safe(&self) -> bool {
        self.copied().all(|c| c.column.ty.binary_safe())
    }

    /// No column needs [`crate::TableMasker`]: rows can be piped through unread.
    pub fn passes_through(&self) -> bool {
        self.copied().all(|c| !matches!(c.decision, Decision::Engine(_)))
    }
}

/// What happens to one column.
#[derive(Clone, Debug)]
pub struct ColumnDecision {
    /// The column as the schema has it.
    pub column: Column,
    /// What happens to it.
    pub decision: Decision,
    /// The sequence behind an integer column of masked values has to continue from here at least, because masked
    /// values lie below: `setval` to the larger of this and the source's value.
    pub sequence_floor: Option<i64>,
}

/// What happens to a column's values.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Copied as they are.
    Keep,
    /// Computed anew at the target: not in the COPY's column list at either end.
    Generated,
    /// The column's default at the target: not in the COPY's column list at either end.
    Default,
    /// Masked by the source, in the SELECT: the value never leaves the server.
    Sql(SqlMask),
    /// Masked by [`crate::TableMasker`].
    Engine(Box<EngineMask>),
}

impl Decision {
    /// The column stands in the COPY's column lists.
    pub fn is_copied(&self) -> bool {
        !matches!(self, Self::Generated | Self::Default)
    }
}

/// A mask that runs in the source's SELECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlMask {
    /// NULL.
    Null,
    /// A constant, as text that the column's type reads.
    Constant(String),
    /// The columns of a group change places over the whole table (or over the rows that are copied). No ctid ranges:
    /// the table is read in one piece, as
    /// `SELECT t.a, s.b FROM (SELECT *, row_number() OVER () AS n FROM ONLY t) t JOIN (SELECT b, row_number() OVER
    /// (ORDER BY sha256(convert_to(ctid::text || '<random hex>', 'UTF8'))) AS n FROM ONLY t) s USING (n)`.
    /// Its expression is `"s0"."b"`; see [`SqlMask::Shuffle::group`] for the alias.
    Shuffle {
        /// Groups of the table count from 0; the alias of a group's subquery is `s<group>`.
        group: usize,
    },
}

impl SqlMask {
    /// The expression that stands for `column` in the SELECT, cast to the column's type. Literals are quoted; nothing
    /// of the policy reaches SQL as code.
    pub fn expression(&self, column: &Column) -> String {
        match self {
            Self::Null => format!("NULL::{}", column.ty.name),
            Self::Constant(text) => format!("{}::{}", quote_literal(text), column.ty.name),
            Self::Shuffle { group } => format!("\"s{group}\".{}", quote_ident(&column.name)),
        }
    }
}

/// `text` as a SQL literal that means the same whatever `standard_conforming_strings` says.
pub fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// A mask that runs in the engine.
#[derive(Clone, Debug)]
pub struct EngineMask {
    /// The mask.
    pub mask: Mask,
    /// The domain whose key it uses.
    pub domain: String,
    /// Equal regardless of case, because the domain's key column is `citext`.
    pub fold_case: bool,
    /// Draws afresh for every row.
    pub random: bool,
    /// The column that says whom the row is about, and its domain, where the mask follows the person.
    pub subject: Option<Subject>,
    /// A kept column that holds the person's gender.
    pub gender: Option<String>,
    /// Masked only where these hold.
    pub when: Vec<Condition>,
    /// What happens elsewhere.
    pub otherwise: Option<Otherwise>,
    /// Characters that the domain's shortest column holds: what is made fits all of them alike.
    pub max: Option<u32>,
}

/// Whom a row is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The column that says so.
    pub column: String,
    /// That column's domain.
    pub domain: String,
    /// That column's `fold_case`.
    pub fold_case: bool,
}

/// Who can get from a masked value back to the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Reversible {
    /// Nobody, by the mask itself (equal values may still be counted or guessed).
    No,
    /// The holder of the master key: pseudonymised, still personal data.
    ByKeyHolder,
    /// Part of the value, or a value near it, is there for everyone.
    Partly,
    /// The value is there.
    Open,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnReport {
    /// The table.
    pub table: TableName,
    /// The column.
    pub column: String,
    /// `keep`, `generated`, `truncate` or the mask's name.
    pub action: String,
    /// The key domain, where a key was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The key's version, where a key was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_version: Option<KeyVersion>,
    /// Who can get back.
    pub reversible: Reversible,
    /// Only some rows are masked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub conditional: bool,
}

impl ColumnDecision {
    /// The column's type.
    pub fn ty(&self) -> &Type {
        &self.column.ty
    }

    fn report(&self, table: &TableName, truncate: bool, version: KeyVersion) -> ColumnReport {
        let (action, reversible) = match &self.decision {
            _ if truncate => ("truncate", Reversible::No),
            Decision::Keep => ("keep", Reversible::Open),
            Decision::Generated => ("generated", Reversible::No),
            Decision::Default => ("default", Reversible::No),
            Decision::Sql(SqlMask::Null) => ("null", Reversible::No),
            Decision::Sql(SqlMask::Constant(_)) => ("constant", Reversible::No),
            Decision::Sql(SqlMask::Shuffle { .. }) => ("shuffle", Reversible::Partly),
            Decision::Engine(engine) => (engine.mask.name(), engine.reversible(self.ty())),
        };
        let engine = match &self.decision {
            Decision::Engine(engine) if !truncate => Some(engine),
            _ => None,
        };
        let keyed = engine.filter(|e| e.needs_key());
        ColumnReport {
            table: table.clone(),
            column: self.column.name.clone(),
            action: action.to_owned(),
            domain: keyed.map(|e| e.domain.clone()),
            key_version: keyed.map(|_| version),
            reversible,
            conditional: engine.is_some_and(|e| !e.when.is_empty()),
        }
    }

    fn needs_key(&self) -> bool {
        matches!(&self.decision, Decision::Engine(engine) if engine.needs_key())
    }
}

//! The masking policy of `keelway-pgcopy` and the masks: pure functions over plain data, no I/O.
//!
//! In go a policy ([`parse`]) and a description of a database ([`Schema`]); out come [`Decisions`] for every column, or
//! every [`Problem`] that has to be mended first ([`decide`]). [`TableMasker`] then masks rows. A column that nothing
//! decides is a problem: a copy cannot leak it.
//!
//! # How `pgcopy` uses it
//! 1. `parse(yaml)` → [`Policy`].
//! 2. Fill a [`Schema`] from the catalog.
//! 3. `decide(&policy, &schema)` → [`Decisions`] or problems; print problems with [`render::plain`] or
//!    [`render::sarif`].
//! 4. Per table: [`TableDecision::truncate`] → no rows. Else COPY the columns of [`TableDecision::copied`] (the rest are
//!    generated or take their default), with [`SqlMask::expression`] in the SELECT where the decision is
//!    [`Decision::Sql`]; `FORMAT binary` if [`TableDecision::binary_safe`], else text.
//! 5. If not [`TableDecision::passes_through`]: one [`TableMasker`] per table, cloned [`TableMasker::for_stream`] per
//!    worker and range; [`TableMasker::mask_row`] on the raw fields, then write [`MaskedRow::field`] for each.
//! 6. [`Chance`] tells a leak scan which texts the masks may write by themselves.
//! 7. [`Decisions::report`] → a line per column. Sequences: [`ColumnDecision::sequence_floor`].

mod chance;
mod decide;
mod decisions;
mod draw;
mod engine;
mod fpe;
mod key;
mod locale;
mod mask;
mod name;
mod policy;
mod problem;
pub mod render;
mod reversible;
mod schema;
pub mod suggest;
mod types;

pub use chance::Chance;
pub use decide::decide;
pub use decide::personal_words;
pub use decide::shapes::Shape;
pub use decisions::{
    ColumnDecision, ColumnReport, Decision, Decisions, EngineMask, Reversible, SqlMask, Subject,
    TableDecision, quote_literal,
};
pub use engine::{MaskError, MaskedRow, RowError, Secrets, TableMasker, Wire};
pub use key::{BadKey, MasterKey};
pub use name::{BadTableName, TableName, quote_ident};
pub use policy::*;
pub use problem::{Code, Problem, Severity};
pub use schema::{
    Check, Column, ExpressionUse, Field, ForeignKey, Generated, Key, KeyKind, Schema, SchemaText, Table,
    Type, TypeKind, View,
};

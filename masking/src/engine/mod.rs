//! The masks at work: rows in, masked rows out, without allocation per value.

mod build;
mod cell;
pub(crate) mod codec;
mod condition;
mod encode;
mod json;
mod nested;
pub(crate) mod net;
mod numeric;
pub(crate) mod path;
mod table;
pub(crate) mod template;
pub(crate) mod time;
pub(crate) mod value;

pub(crate) use condition::Test;
pub use table::TableMasker;

use crate::key::MasterKey;
use crate::name::TableName;

/// The form in which COPY carries the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// `COPY … (FORMAT text)`, fields already unescaped; needs `DateStyle = ISO`, `extra_float_digits = 1` and
    /// `bytea_output = hex` in the source's session.
    Text,
    /// `COPY … (FORMAT binary)`.
    Binary,
}

/// What the masks need besides the policy.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// The master key; masks that are keyed refuse without it.
    pub master: Option<MasterKey>,
    /// Fresh random bytes per copy, for `random: true` and masks without a key. Two maskers of the same seed and
    /// stream draw the same.
    pub seed: [u8; 32],
}

/// Why a masker cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MaskError {
    /// A keyed mask and no key.
    #[error("{table}.{column}: mask `{mask}` needs the master key; name its variable or file with --key")]
    NoKey {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// The mask.
        mask: &'static str,
    },
    /// The table is not among the decisions.
    #[error("{0} has no decisions; read the catalog again and decide anew")]
    NoTable(TableName),
    /// An option that only shows when the mask is built.
    #[error("{table}.{column}: {why}")]
    BadMask {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Why a row cannot be masked. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{table}.{column}: {why}")]
pub struct RowError {
    /// The table.
    pub table: TableName,
    /// The column.
    pub column: String,
    /// What is wrong and what to do; without the value.
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Keep,
    Null,
    Masked(usize, usize),
}

/// One masked row: only what changed is stored, in one buffer that is used again for the next row.
#[derive(Debug, Default)]
pub struct MaskedRow {
    cells: Vec<Cell>,
    bytes: Vec<u8>,
}

impl MaskedRow {
    /// An empty row; reuse it for all rows of a worker.
    pub fn new() -> Self {
        Self::default()
    }

    /// What to write for field `i`: the masked value, or `original` where the column is kept. `None` is NULL.
    pub fn field<'a>(&'a self, i: usize, original: Option<&'a [u8]>) -> Option<&'a [u8]> {
        match self.cells.get(i) {
            Some(Cell::Keep) => original,
            Some(Cell::Masked(start, end)) => self.bytes.get(*start..*end),
            Some(Cell::Null) | None => None,
        }
    }

    /// Whether field `i` stays as it came, so that its bytes can be copied together with its neighbours'.
    pub fn is_kept(&self, i: usize) -> bool {
        self.cells.get(i) == Some(&Cell::Keep)
    }

    /// Frees the buffer if a wide row blew it up beyond `limit` bytes.
    pub fn shrink(&mut self, limit: usize) {
        if self.bytes.capacity() > limit {
            self.bytes = Vec::new();
        }
    }
}

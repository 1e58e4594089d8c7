//! The masks at work: rows in, masked rows out, without allocation per value.

use crate::decisions::Decisions;
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

    /// Frees the buffer if a wide row blew it up beyond `limit` bytes.
    pub fn shrink(&mut self, limit: usize) {
        if self.bytes.capacity() > limit {
            self.bytes = Vec::new();
        }
    }
}

/// Masks the rows of one table. Make one per table and `clone` it per worker (making one may hash a password, which
/// takes a while; a clone does not).
#[derive(Clone, Debug)]
pub struct TableMasker {
    table: TableName,
}

impl TableMasker {
    /// A masker for the rows of `table`, in the order of [`crate::TableDecision::copied`].
    ///
    /// # Errors
    /// A keyed mask without a key, or a mask that cannot be built.
    pub fn new(
        decisions: &Decisions,
        table: &TableName,
        _wire: Wire,
        _secrets: &Secrets,
    ) -> Result<Self, MaskError> {
        if decisions.table(table).is_none() {
            return Err(MaskError::NoTable(table.clone()));
        }
        Ok(Self { table: table.clone() })
    }

    /// The same masker for another stream of rows: `random: true` draws differ from those of every other stream.
    #[must_use]
    pub fn for_stream(&self, _stream: u64) -> Self {
        self.clone()
    }

    /// Masks one row. `fields` are the raw field values in the order of [`crate::TableDecision::copied`] (`None` is
    /// NULL), exactly as the COPY carries them: without length words in binary, unescaped in text.
    ///
    /// # Errors
    /// A row that no mask may touch, such as an unknown JSON path. The copy has to stop.
    pub fn mask_row(&mut self, _fields: &[Option<&[u8]>], _out: &mut MaskedRow) -> Result<(), RowError> {
        Err(RowError {
            table: self.table.clone(),
            column: String::new(),
            why: "masks are still being built".into(),
        })
    }
}

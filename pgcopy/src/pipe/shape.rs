//! One row as the source sends it → the row that the target gets.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use masking::{MaskedRow, TableMasker};

use crate::error::{Error, Result};
use crate::leak::Watch;
use crate::plan::TablePlan;
use crate::wire::{self, Malformed};

/// A buffer is sent when it holds this many bytes.
const BUFFER: usize = 64 << 10;

/// A row above this size is sent in pieces of [`PIECE`] instead of being gathered.
const GATHER: usize = 1 << 20;

/// Bytes per piece of a wide row.
const PIECE: usize = 256 << 10;

/// Where a field lies: in the message, or in the unescaped bytes of a text row.
type Span = Option<(usize, usize)>;

/// What became of a row.
pub(super) enum Shaped {
    /// The message held no row.
    Nothing,
    /// The row is in the buffer.
    Buffered,
    /// The row is in the buffer, which is full.
    Full,
    /// The row is wide: send the buffer, then the pieces.
    Wide(WideRow),
}

/// A wide row on its way out.
pub(super) struct WideRow {
    message: Bytes,
    field: usize,
    /// The next byte of the field; `None` before its length word.
    at: Option<usize>,
    /// Not masked: the message is the row.
    raw: bool,
}

/// Turns rows; one per reader.
pub(super) struct Shaper {
    binary: bool,
    title: String,
    masker: Option<TableMasker>,
    /// Looks for the source's values in what is sent.
    watch: Option<Arc<Watch>>,
    first: bool,
    out: BytesMut,
    fields: Vec<Span>,
    text: Vec<u8>,
    /// Empty between rows; only its memory is used again.
    values: Vec<Option<&'static [u8]>>,
    masked: MaskedRow,
}

/// An empty list in the memory of another, whose items may have lived shorter.
fn emptied<'a>(mut values: Vec<Option<&[u8]>>) -> Vec<Option<&'a [u8]>> {
    values.clear();
    values.into_iter().map(|_| None).collect()
}

impl Shaper {
    pub(super) fn new(plan: &TablePlan, masker: Option<TableMasker>, watch: Option<Arc<Watch>>) -> Self {
        Self {
            binary: plan.binary,
            title: plan.title.clone(),
            masker,
            watch,
            first: true,
            out: BytesMut::with_capacity(BUFFER + (BUFFER >> 2)),
            fields: Vec::new(),
            text: Vec::new(),
            values: Vec::new(),
            masked: MaskedRow::new(),
        }
    }

    /// A new COPY begins.
    pub(super) fn begin(&mut self) {
        self.first = true;
    }

    /// What has been gathered.
    pub(super) fn take(&mut self) -> Bytes {
        let full = std::mem::replace(&mut self.out, BytesMut::with_capacity(BUFFER + (BUFFER >> 2)));
        full.freeze()
    }

    /// Takes one message of the source.
    pub(super) fn row(&mut self, message: Bytes) -> Result<Shaped> {
        let message = if self.binary {
            match wire::binary_row(message, &mut self.first).map_err(|error| self.malformed(&error))? {
                Some(message) => message,
                None => return Ok(Shaped::Nothing),
            }
        } else {
            message
        };
        let wide = message.len() > GATHER;
        if self.masker.is_none() {
            self.look(&message)?;
            if wide {
                return Ok(Shaped::Wide(WideRow { message, field: 0, at: Some(0), raw: true }));
            }
            self.out.put_slice(&message);
        } else {
            self.mask(&message)?;
            self.look_at_masked(&message);
            if wide {
                return Ok(Shaped::Wide(WideRow { message, field: 0, at: None, raw: false }));
            }
            self.gather(&message)?;
        }
        Ok(if self.out.len() >= BUFFER { Shaped::Full } else { Shaped::Buffered })
    }

    fn malformed(&self, error: &Malformed) -> Error {
        Error::Local(format!("{}: {error}", self.title))
    }

    /// Looks at a row that is sent as it came.
    fn look(&mut self, message: &Bytes) -> Result<()> {
        let Some(watch) = &self.watch else { return Ok(()) };
        if self.binary {
            let fields = &mut self.fields;
            let malformed = |error| Error::Local(format!("{}: {error}", self.title));
            wire::binary_fields(message, fields).map_err(malformed)?;
            watch.look(|at| fields.get(at).copied().flatten().and_then(|(a, b)| message.get(a..b)));
        } else {
            watch.look_at_text(message, &mut self.text);
        }
        Ok(())
    }

    /// Looks at what the row became.
    fn look_at_masked(&self, message: &Bytes) {
        let Some(watch) = &self.watch else { return };
        let bytes: &[u8] = if self.binary { message } else { &self.text };
        let original = |at: usize| self.fields.get(at).copied().flatten().and_then(|(a, b)| bytes.get(a..b));
        watch.look(|at| self.masked.field(at, original(at)));
    }

    fn mask(&mut self, message: &Bytes) -> Result<()> {
        let split = if self.binary {
            wire::binary_fields(message, &mut self.fields)
        } else {
            wire::text_fields(message, &mut self.text, &mut self.fields)
        };
        split.map_err(|error| self.malformed(&error))?;
        let bytes: &[u8] = if self.binary { message } else { &self.text };
        let mut values = emptied(std::mem::take(&mut self.values));
        values.extend(self.fields.iter().map(|f| f.and_then(|(a, b)| bytes.get(a..b))));
        let done = match &mut self.masker {
            Some(masker) => masker.mask_row(&values, &mut self.masked),
            None => Ok(()),
        };
        self.values = emptied(values);
        done.map_err(|error| Error::Mask(error.to_string()))
    }

    /// Writes a narrow masked row in binary: runs of kept fields go as they came, length words included.
    fn gather_binary(&mut self, message: &Bytes) -> std::result::Result<(), Malformed> {
        let (mut from, mut at) = (0, 2);
        for (i, span) in self.fields.iter().enumerate() {
            let start = at;
            at = span.map_or(start + 4, |(_, end)| end);
            if self.masked.is_kept(i) {
                continue;
            }
            self.out.put_slice(message.get(from..start).ok_or(Malformed)?);
            let value = self.masked.field(i, None);
            wire::put_binary_length(&mut self.out, value.map(<[u8]>::len))?;
            self.out.put_slice(value.unwrap_or_default());
            from = at;
        }
        self.out.put_slice(message.get(from..).ok_or(Malformed)?);
        Ok(())
    }

    /// Writes a narrow masked row into the buffer.
    fn gather(&mut self, message: &Bytes) -> Result<()> {
        if self.binary {
            return self.gather_binary(message).map_err(|error| self.malformed(&error));
        }
        for (i, span) in self.fields.iter().enumerate() {
            if i > 0 {
                self.out.put_u8(b'\t');
            }
            wire::put_text(&mut self.out, self.masked.field(i, span.and_then(|(a, b)| self.text.get(a..b))));
        }
        self.out.put_u8(b'\n');
        Ok(())
    }

    /// The next piece of a wide row; `None` when it is complete.
    pub(super) fn piece(&mut self, row: &mut WideRow) -> Result<Option<Bytes>> {
        if row.raw {
            let at = row.at.unwrap_or_default();
            let end = row.message.len().min(at + PIECE);
            row.at = Some(end);
            return Ok(Some(row.message.slice(at..end)).filter(|piece| !piece.is_empty()));
        }
        let mut out = BytesMut::with_capacity(PIECE + 64);
        while out.len() < PIECE && row.field < self.fields.len() {
            self.fill(row, &mut out)?;
        }
        if row.field >= self.fields.len() {
            self.masked.shrink(GATHER);
            self.text.shrink_to(GATHER);
        }
        Ok(Some(out.freeze()).filter(|piece| !piece.is_empty()))
    }

    /// Adds the next part of the current field.
    fn fill(&mut self, row: &mut WideRow, out: &mut BytesMut) -> Result<()> {
        let bytes: &[u8] = if self.binary { &row.message } else { &self.text };
        let original = self.fields.get(row.field).copied().flatten().and_then(|(a, b)| bytes.get(a..b));
        let value = self.masked.field(row.field, original);
        if row.at.is_none() {
            row.at = Some(0);
            let written = match (self.binary, row.field) {
                (true, 0) => wire::put_binary_count(out, self.fields.len())
                    .and_then(|()| wire::put_binary_length(out, value.map(<[u8]>::len))),
                (true, _) => wire::put_binary_length(out, value.map(<[u8]>::len)),
                (false, 0) => Ok(()),
                (false, _) => {
                    out.put_u8(b'\t');
                    Ok(())
                }
            };
            written.map_err(|error| Error::Local(format!("{}: {error}", self.title)))?;
            if !self.binary && value.is_none() {
                wire::put_text(out, None);
            }
        }
        let at = row.at.unwrap_or_default();
        let rest = value.and_then(|value| value.get(at..)).unwrap_or_default();
        let part = rest.get(..PIECE).unwrap_or(rest);
        if self.binary {
            out.put_slice(part);
        } else if value.is_some() {
            wire::put_text(out, Some(part));
        }
        if part.len() == rest.len() {
            row.field += 1;
            row.at = None;
            if !self.binary && row.field == self.fields.len() {
                out.put_u8(b'\n');
            }
        } else {
            row.at = Some(at + part.len());
        }
        Ok(())
    }
}

//! The half of the leak scan that needs no reading: every text that is sent is compared with the source's values, on its
//! way. What is in the copy's tables came this way, but for generated columns.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::Values;
use crate::catalog::{Catalog, Table};
use crate::plan::TablePlan;

/// Bytes at each end of a text by which most are told apart from the values.
const WIDTH: usize = 8;

/// Bits of the table that most texts fail at, as a power of two: 32 KiB, of which 8000 values set 3%.
const BITS: u32 = 18;

/// The values, to be compared with whole texts.
struct Sought {
    values: HashSet<Box<[u8]>>,
    ends: Vec<u64>,
    lengths: std::ops::RangeInclusive<usize>,
}

/// Where the table says yes for texts with these ends. Common starts and common ends alone would be met too often.
fn place(text: &[u8]) -> Option<(usize, u64)> {
    let word = |bytes: &[u8; WIDTH]| u64::from_le_bytes(*bytes);
    let mixed = word(text.first_chunk()?).rotate_left(32) ^ word(text.last_chunk()?);
    let at = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BITS);
    Some((usize::try_from(at >> 6).unwrap_or_default(), 1 << (at & 63)))
}

impl Sought {
    fn new(values: &[String]) -> Self {
        let mut ends = vec![0; 1 << (BITS - 6)];
        for (word, bit) in values.iter().filter_map(|value| place(value.as_bytes())) {
            ends[word] |= bit;
        }
        let lengths = values.iter().map(String::len);
        Self {
            values: values.iter().map(|value| value.as_bytes().into()).collect(),
            ends,
            lengths: lengths.clone().min().unwrap_or(1)..=lengths.max().unwrap_or_default(),
        }
    }

    fn holds(&self, text: &[u8]) -> bool {
        self.lengths.contains(&text.len())
            && place(text).is_none_or(|(word, bit)| self.ends[word] & bit != 0)
            && self.values.contains(text)
    }
}

/// What a text is wrapped in on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    /// `char(n)`: blanks follow.
    Padded,
    /// `jsonb` in binary: a byte with the version stands before.
    Versioned,
}

/// The text without the blanks that fill it up; other white space is its own.
fn unpadded(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    &text[..end]
}

/// One text column: its place in a row, and whether a value was found in it.
struct Watched {
    at: usize,
    form: Form,
    name: String,
    found: AtomicBool,
}

/// The text columns of a table, for all that send its rows.
pub(crate) struct Watch {
    sought: Arc<Sought>,
    columns: Vec<Watched>,
}

/// What watches each of the tables; nothing where there is no text, or no value to be found.
pub(crate) fn watches(catalog: &Catalog, plans: &[TablePlan], values: &Values) -> Vec<Option<Arc<Watch>>> {
    let sought = Arc::new(Sought::new(&values.values));
    let watch = |plan: &TablePlan| {
        let table = catalog.with_rows().find(|table| table.oid == plan.oid)?;
        let columns = columns(catalog, table, plan);
        (!columns.is_empty() && !values.values.is_empty())
            .then(|| Arc::new(Watch { sought: Arc::clone(&sought), columns }))
    };
    plans.iter().map(watch).collect()
}

fn columns(catalog: &Catalog, table: &Table, plan: &TablePlan) -> Vec<Watched> {
    let watched = |(at, name): (usize, &String)| {
        let column = table.column(name).filter(|column| catalog.types.textual(column.type_oid))?;
        let form = match catalog.types.base_name(column.type_oid) {
            Some("bpchar") => Form::Padded,
            Some("jsonb") if plan.binary => Form::Versioned,
            _ => Form::Plain,
        };
        let name = format!("{}.{name}", table.title());
        Some(Watched { at, form, name, found: AtomicBool::new(false) })
    };
    plan.columns.iter().enumerate().filter_map(watched).collect()
}

impl Watch {
    /// Looks at a row that is sent; `field` gives its fields as the COPY carries them, unescaped.
    pub(crate) fn look<'a>(&self, field: impl Fn(usize) -> Option<&'a [u8]>) {
        for column in &self.columns {
            let Some(bytes) = field(column.at) else { continue };
            let text = match column.form {
                Form::Plain => bytes,
                Form::Padded => unpadded(bytes),
                Form::Versioned => bytes.get(1..).unwrap_or_default(),
            };
            if self.sought.holds(text) {
                column.found.store(true, Relaxed);
            }
        }
    }

    /// Looks at a row of a text COPY as it came. Wide fields are passed over without a copy of them.
    pub(crate) fn look_at_text(&self, row: &[u8], scratch: &mut Vec<u8>) {
        let row = row.strip_suffix(b"\n").unwrap_or(row);
        let mut columns = self.columns.iter().peekable();
        for (at, field) in row.split(|byte| *byte == b'\t').enumerate() {
            let Some(column) = columns.next_if(|column| column.at == at) else { continue };
            // Escaping doubles a text at most.
            if field.len() > 2 * self.sought.lengths.end() {
                continue;
            }
            scratch.clear();
            crate::wire::unescape(field, scratch);
            let text = if column.form == Form::Padded { unpadded(scratch) } else { &scratch[..] };
            if self.sought.holds(text) {
                column.found.store(true, Relaxed);
            }
        }
    }

    /// The columns that held a value.
    pub(crate) fn found(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().filter(|column| column.found.load(Relaxed)).map(|column| column.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(forms: &[(usize, Form)]) -> Watch {
        let values =
            ["taro@example.jp".to_owned(), "a\tlong value".to_owned(), "{\"a\": \"0123\"}".to_owned()];
        let columns = forms.iter().map(|(at, form)| Watched {
            at: *at,
            form: *form,
            name: format!("t.{at}"),
            found: AtomicBool::new(false),
        });
        Watch { sought: Arc::new(Sought::new(&values)), columns: columns.collect() }
    }

    #[test]
    fn whole_values_are_found_in_every_form_and_parts_of_them_are_not() {
        let rows: [[&[u8]; 3]; 2] = [
            [b"taro@example.jp", b"taro@example.jp   ", b"\x01{\"a\": \"0123\"}"],
            [b"taro@example.jp.", b"x", b"{\"a\": \"0123\"}"],
        ];
        for (row, found) in rows.iter().zip([3, 0]) {
            let watch = watch(&[(0, Form::Plain), (1, Form::Padded), (2, Form::Versioned)]);
            watch.look(|at| row.get(at).copied());
            assert_eq!(watch.found().count(), found);
        }
        let padded = watch(&[(0, Form::Plain)]);
        padded.look(|_| Some(b"taro@example.jp "));
        assert_eq!(padded.found().count(), 0, "the blank is a part of a text");
    }

    #[test]
    fn a_text_row_is_unescaped_and_only_its_watched_columns_count() {
        let row = b"taro@example.jp\ta\\tlong value\t\\N\n";
        let watch = watch(&[(1, Form::Plain), (2, Form::Plain)]);
        watch.look_at_text(row, &mut Vec::new());
        assert_eq!(watch.found().collect::<Vec<_>>(), ["t.1"]);
    }
}

//! The rows of one table on their way through their masks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::build::{Builder, NO_KEY};
use super::cell::{Context, Outcome, Scratch, ValueMask};
use super::codec::{Codec, made_of};
use super::condition::Test;
use super::{Cell, MaskError, MaskedRow, RowError, Secrets, Wire, json, nested, value};
use crate::decisions::{Decision, Decisions};
use crate::draw::Fresh;
use crate::key::{DomainKey, Tag};
use crate::locale::Gender;
use crate::mask::Refused;
use crate::name::TableName;
use crate::policy::Otherwise;
/// What is done to the rows of one table; shared by its workers.
pub(super) struct Plan {
    /// Fields of a row.
    pub(super) width: usize,
    pub(super) workers: Vec<Worker>,
    pub(super) subjects: Vec<SubjectKey>,
}

/// One column's mask.
pub(super) struct Worker {
    pub(super) field: usize,
    pub(super) name: String,
    pub(super) work: Work,
    pub(super) tests: Vec<Test>,
    pub(super) otherwise: Otherwise,
    pub(super) random: bool,
    /// One of the plan's subjects.
    pub(super) subject: Option<usize>,
    pub(super) gender: Option<(usize, Codec)>,
}

pub(super) enum Work {
    /// NULL; for every type.
    Null,
    Value(Box<ValueMask>),
    Json(Box<json::JsonMasker>),
    /// A mask per field; none where it is kept.
    Composite(Vec<Option<ValueMask>>),
    Template(Vec<TemplatePiece>, Codec),
}

pub(super) enum TemplatePiece {
    Text(String),
    Field(usize, Codec),
}

/// The column that says whom a row is about.
pub(super) struct SubjectKey {
    pub(super) field: usize,
    pub(super) codec: Codec,
    pub(super) key: DomainKey,
    pub(super) fold_case: bool,
}

/// Masks the rows of one table. Make one per table and `clone` it per worker (making one may hash a password, which
/// takes a while; a clone does not).
#[derive(Clone)]
pub struct TableMasker {
    table: TableName,
    plan: Arc<Plan>,
    state: State,
}

/// What changes from row to row; apart from the plan, so that a row borrows both and counts no references.
#[derive(Clone)]
struct State {
    fresh: Fresh,
    scratch: Scratch,
    /// The subjects' tags in the row at hand.
    people: Vec<Option<Tag>>,
}

impl fmt::Debug for TableMasker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableMasker").field("table", &self.table).finish_non_exhaustive()
    }
}

impl TableMasker {
    /// A masker for the rows of `table`, in the order of [`crate::TableDecision::copied`].
    ///
    /// # Errors
    /// A keyed mask without a key, or a mask that cannot be built.
    pub fn new(
        decisions: &Decisions,
        table: &TableName,
        wire: Wire,
        secrets: &Secrets,
    ) -> Result<Self, MaskError> {
        let found = decisions.table(table).ok_or_else(|| MaskError::NoTable(table.clone()))?;
        let copied = found.copied().collect();
        let plan = Builder { decisions, copied, wire, secrets, keys: BTreeMap::new() }.plan();
        let plan =
            plan.map_err(|(column, why)| match found.columns.iter().find(|c| c.column.name == column) {
                Some(decided) if why == NO_KEY => {
                    let mask = if let Decision::Engine(engine) = &decided.decision {
                        engine.mask.name()
                    } else {
                        ""
                    };
                    MaskError::NoKey { table: table.clone(), column, mask }
                }
                _ => MaskError::BadMask { table: table.clone(), column, why },
            })?;
        let people = vec![None; plan.subjects.len()];
        let fresh = Fresh::new(&secrets.seed);
        let state = State { fresh, scratch: Scratch::default(), people };
        Ok(Self { table: table.clone(), plan: Arc::new(plan), state })
    }

    /// The same masker for another stream of rows: `random: true` draws differ from those of every other stream. Give
    /// each table and each range of it a number of its own.
    #[must_use]
    pub fn for_stream(&self, stream: u64) -> Self {
        let mut masker = self.clone();
        masker.state.fresh.stream(stream);
        masker
    }

    /// Masks one row. `fields` are the raw field values in the order of [`crate::TableDecision::copied`] (`None` is
    /// NULL), exactly as the COPY carries them: without length words in binary, unescaped in text.
    ///
    /// # Errors
    /// A row that no mask may touch, such as an unknown JSON path. The copy has to stop.
    pub fn mask_row(&mut self, fields: &[Option<&[u8]>], out: &mut MaskedRow) -> Result<(), RowError> {
        out.bytes.clear();
        out.cells.clear();
        out.cells.resize(fields.len(), Cell::Keep);
        let Self { table, plan, state } = self;
        state.people.fill(None);
        if fields.len() != plan.width {
            let why = format!("a row has {} fields where {} are copied", fields.len(), plan.width);
            return Err(RowError { table: table.clone(), column: "*".to_owned(), why });
        }
        for worker in &plan.workers {
            let Some(raw) = fields[worker.field] else {
                out.cells[worker.field] = Cell::Null;
                continue;
            };
            let start = out.bytes.len();
            let outcome = state.cell(plan, worker, raw, fields, out).map_err(|why| RowError {
                table: table.clone(),
                column: worker.name.clone(),
                why: why.to_owned(),
            })?;
            out.cells[worker.field] = match outcome {
                Outcome::Null => Cell::Null,
                Outcome::Same => Cell::Keep,
                Outcome::Written => Cell::Masked(start, out.bytes.len()),
            };
            if outcome != Outcome::Written {
                out.bytes.truncate(start);
            }
        }
        Ok(())
    }
}

impl State {
    fn cell(
        &mut self,
        plan: &Plan,
        worker: &Worker,
        raw: &[u8],
        fields: &[Option<&[u8]>],
        out: &mut MaskedRow,
    ) -> Result<Outcome, Refused> {
        let Scratch { unpacked, canonical, .. } = &mut self.scratch;
        if !worker.tests.iter().all(|test| test.holds(fields, unpacked, canonical)) {
            return Ok(if worker.otherwise == Otherwise::Keep { Outcome::Same } else { Outcome::Null });
        }
        if let Work::Template(pieces, codec) = &worker.work {
            return self.template(pieces, *codec, fields, out);
        }
        let person = worker.subject.and_then(|subject| self.person(plan, subject, fields));
        let gender = worker.gender.and_then(|(field, codec)| self.gender(field, codec, fields));
        let Self { scratch, fresh, .. } = self;
        let mut context = Context { scratch, fresh, random: worker.random, person, gender };
        match &worker.work {
            Work::Value(mask) => mask.apply(raw, &mut context, &mut out.bytes),
            Work::Json(mask) => mask.apply(raw, &mut context, &mut out.bytes),
            Work::Composite(masks) => {
                let mut one = |field: usize, value: &[u8], out: &mut Vec<u8>| match masks
                    .get(field)
                    .and_then(Option::as_ref)
                {
                    Some(mask) => mask.apply(value, &mut context, out),
                    None => Ok(Outcome::Same),
                };
                nested::text_composite(raw, masks.len(), &mut out.bytes, &mut one)
            }
            Work::Null | Work::Template(..) => Ok(Outcome::Null),
        }
    }

    /// The tag of the person that the row is about; none where the column is NULL.
    fn person(&mut self, plan: &Plan, index: usize, fields: &[Option<&[u8]>]) -> Option<Tag> {
        if let Some(Some(tag)) = self.people.get(index) {
            return Some(*tag);
        }
        let subject = plan.subjects.get(index)?;
        let raw = fields.get(subject.field).copied().flatten()?;
        let value = subject.codec.decode(raw, &mut self.scratch.unpacked)?;
        self.scratch.canonical.clear();
        value.canonical(subject.fold_case, &mut self.scratch.canonical);
        let tag = subject.key.tag(&self.scratch.canonical);
        self.people[index] = Some(tag);
        Some(tag)
    }

    fn gender(&mut self, field: usize, codec: Codec, fields: &[Option<&[u8]>]) -> Option<Gender> {
        let raw = fields.get(field).copied().flatten()?;
        let value = codec.decode(raw, &mut self.scratch.unpacked)?;
        self.scratch.canonical.clear();
        value.canonical(false, &mut self.scratch.canonical);
        std::str::from_utf8(&self.scratch.canonical).ok().and_then(Gender::parse)
    }

    /// Puts a text together from what the row's other columns became.
    fn template(
        &mut self,
        pieces: &[TemplatePiece],
        codec: Codec,
        fields: &[Option<&[u8]>],
        out: &mut MaskedRow,
    ) -> Result<Outcome, Refused> {
        let mut text = Vec::new();
        for piece in pieces {
            match piece {
                TemplatePiece::Text(piece) => text.extend_from_slice(piece.as_bytes()),
                TemplatePiece::Field(field, codec) => {
                    let original = fields.get(*field).copied().flatten();
                    let Some(raw) = out.field(*field, original) else { continue };
                    let value = codec
                        .decode(raw, &mut self.scratch.unpacked)
                        .ok_or("a column of the template cannot be read")?;
                    let (made, decimal) = made_of(&value).ok_or("a template cannot print bytea")?;
                    let printed = Codec::text().encode(&made, decimal.unwrap_or(""), &mut text);
                    printed.ok_or("a column of the template cannot be printed")?;
                }
            }
        }
        let text = String::from_utf8_lossy(&text);
        let written = codec.encode(&value::Made::Text, &text, &mut out.bytes);
        written.map(|()| Outcome::Written).ok_or("the template does not fit the column's type")
    }
}

//! A search for the source's values in the copy. Values of masked columns that are rare and hard to guess are drawn before
//! the load. As whole values they are looked for in every text that is sent, inside longer texts and JSON in a sample of the
//! finished copy. The values stay in memory; no message repeats one.

mod search;
mod sent;
mod windows;

use std::collections::HashMap;

use masking::{Chance, Decision, Decisions, SqlMask};
use serde::Serialize;

use crate::catalog::{Catalog, Table};
use crate::conn::Session;
use crate::error::{Context as _, Result};
use crate::sql::ident;
pub(crate) use search::{Whole, found_in, search};
pub(crate) use sent::{Watch, watches};

/// Values per column.
const PER_COLUMN: usize = 200;

/// Values in all.
const IN_ALL: usize = 8000;

/// Rows that are looked at for values, per table.
const SAMPLE_ROWS: u64 = 400;

/// Bytes of a narrow row, its header included.
const NARROW: u64 = 36;

/// What was searched, for the report.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Values that were looked for.
    pub values: usize,
    /// Tables that were searched.
    pub tables: usize,
    /// Bytes that were searched inside texts.
    pub bytes: u64,
    /// Columns whose values could not be looked for, and why.
    pub not_seen: Vec<String>,
}

/// Values of the source. The target's server only ever sees their hashes, for what a statement carries may be logged.
#[derive(Clone, Default)]
#[allow(clippy::struct_field_names)]
pub(crate) struct Values {
    pub(crate) values: Vec<String>,
    hashes: Vec<i64>,
    seed: i64,
    not_seen: Vec<String>,
}

/// The seeded hash of a text expression, the same in every version and under every collation.
fn hash(expression: &str, seed: i64) -> String {
    format!("hashtextextended({expression}::text COLLATE \"C\", {seed})")
}

/// Whether a value is worth looking for: long, varied, and no word that a dictionary could hold.
fn telling(value: &str) -> bool {
    let length = value.chars().count();
    let mut letters: Vec<char> = value.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    let marked = value.contains('@') || value.chars().filter(char::is_ascii_digit).count() >= 3;
    (10..=200).contains(&length) && letters.len() >= 6 && (marked || length >= 24)
}

/// Whether a mask gives a value of the same form, which another row may well have had.
fn keeps_form(decision: &Decision) -> bool {
    let Decision::Engine(engine) = decision else { return false };
    ["digits", "phone", "zip", "card", "iban"].contains(&engine.mask.name())
}

/// Whether a mask makes texts of a form that nobody knows, and the column's own values may well have it.
fn is_pattern(decision: &Decision) -> bool {
    matches!(decision, Decision::Engine(engine) if engine.mask.name() == "regex")
}

/// Tells values that masks may have made by chance from those that only the source can have.
struct Judge {
    chance: Chance,
    /// Rows of all tables with masks in the engine: any of them may meet a value by chance.
    rows: u64,
}

impl Judge {
    fn new(catalog: &Catalog, decisions: &Decisions) -> Self {
        let masked = |table: &&Table| {
            let decision = decisions.table(&table.masking_name());
            decision.is_some_and(|d| !d.truncate && !d.passes_through())
        };
        // Of a table that was never analysed only the size is known.
        let rows = |table: &Table| if table.rows > 0 { table.rows } else { table.bytes / NARROW };
        Self { chance: Chance::new(decisions), rows: catalog.with_rows().filter(masked).map(rows).sum() }
    }

    /// `keeps_form`: the column's own mask makes such values.
    fn is_worth(&self, value: &str, keeps_form: bool) -> bool {
        let number = value.chars().all(|c| c.is_ascii_digit() || " +-()/".contains(c));
        telling(value)
            && !self.chance.may_write(value)
            && (!(keeps_form || number) || is_long(value, self.rows))
    }
}

/// Whether a number is so long that none of `rows` masked ones is the same by chance (10⁻⁸). Up to four digits may be
/// kept by the mask: a country, a prefix.
fn is_long(value: &str, rows: u64) -> bool {
    let digits = value.chars().filter(char::is_ascii_digit).count();
    digits > 4 + 8 + rows.max(1).ilog10() as usize
}

/// Whether the mask takes every value away, so that finding one in the copy means a leak.
fn removed(decision: &Decision) -> bool {
    match decision {
        Decision::Sql(SqlMask::Shuffle { .. }) | Decision::Keep | Decision::Generated => false,
        Decision::Sql(_) | Decision::Default => true,
        Decision::Engine(engine) => {
            let partly = ["json", "partial", "generalize", "noise", "template", "shuffle", "dateShift"];
            engine.when.is_empty() && !partly.contains(&engine.mask.name())
        }
    }
}

/// Draws values from every masked text column, as the snapshot shows them.
pub(crate) async fn sample(session: &Session, catalog: &Catalog, decisions: &Decisions) -> Result<Values> {
    let seed = i64::from_be_bytes(crate::copy::random()?);
    let mut all = Values { seed, ..Values::default() };
    let judge = Judge::new(catalog, decisions);
    for table in catalog.with_rows() {
        let Some(decision) = decisions.table(&table.masking_name()) else { continue };
        if decision.truncate {
            continue;
        }
        let (mut columns, mut unseen) = (Vec::new(), Vec::new());
        for column in &decision.columns {
            let name = &column.column.name;
            if !removed(&column.decision) {
                if let Decision::Engine(engine) = &column.decision {
                    unseen.push(format!("{}.{name}: masked in part ({})", table.title(), engine.mask.name()));
                }
                continue;
            }
            let readable = matches!(column.decision, Decision::Engine(_));
            let textual = table.column(name).is_some_and(|c| catalog.types.textual(c.type_oid));
            match (textual, readable) {
                (true, true) if is_pattern(&column.decision) => {
                    unseen.push(format!("{}.{name}: its mask may make any text of its form", table.title()));
                }
                (true, true) => columns.push((name.clone(), keeps_form(&column.decision))),
                (true, false) => unseen.push(format!("{}.{name}: never read", table.title())),
                (false, true) => unseen.push(format!("{}.{name}: no text", table.title())),
                (false, false) => {}
            }
        }
        if !columns.is_empty() && table.bytes > 0 {
            if all.values.len() < IN_ALL {
                sample_table(session, table, &columns, &judge, &mut all).await?;
            } else {
                let rest = |(name, _): &(String, bool)| format!("{}.{name}: not drawn from", table.title());
                unseen.extend(columns.iter().map(rest));
            }
        }
        all.not_seen.append(&mut unseen);
    }
    all.values.sort_unstable();
    all.values.dedup();
    all.hashes.sort_unstable();
    all.hashes.dedup();
    Ok(all)
}

async fn sample_table(
    session: &Session,
    table: &Table,
    columns: &[(String, bool)],
    judge: &Judge,
    all: &mut Values,
) -> Result<()> {
    let list: Vec<String> = columns
        .iter()
        .map(|(c, _)| format!("left({0}::text, 201), {1}", ident(c), hash(&ident(c), all.seed)))
        .collect();
    let part = fraction(SAMPLE_ROWS * 5, table.rows);
    let sampled = if part < 100.0 { format!(" TABLESAMPLE SYSTEM ({part})") } else { String::new() };
    let statement =
        format!("SELECT {} FROM ONLY {}{sampled} LIMIT {SAMPLE_ROWS}", list.join(", "), table.sql());
    let rows = session.client.query(&statement, &[]).await.context(format!("sampling {}", table.title()))?;
    for (at, (column, keeps_form)) in columns.iter().enumerate() {
        let mut counts: HashMap<(String, i64), usize> = HashMap::new();
        for row in &rows {
            if let (Some(value), Some(hash)) = (row.get::<_, Option<String>>(2 * at), row.get(2 * at + 1)) {
                *counts.entry((value, hash)).or_default() += 1;
            }
        }
        let mut rare: Vec<(String, i64)> = counts
            .into_iter()
            .filter(|((value, _), n)| *n == 1 && judge.is_worth(value, *keeps_form))
            .map(|(value, _)| value)
            .collect();
        if rare.is_empty() && !rows.is_empty() {
            all.not_seen.push(format!("{}.{}: no telling values in the sample", table.title(), column));
        }
        rare.sort_unstable();
        rare.truncate(PER_COLUMN);
        all.hashes.extend(rare.iter().map(|(_, hash)| *hash));
        all.values.extend(rare.into_iter().map(|(value, _)| value));
    }
    Ok(())
}

/// The share of a table, in percent, that holds about `wanted` rows.
fn fraction(wanted: u64, rows: u64) -> f64 {
    #[allow(clippy::cast_precision_loss)]
    let share = wanted as f64 * 100.0 / rows.max(1) as f64;
    share.clamp(0.0001, 100.0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_rare_looking_values_are_looked_for() {
        let telling: Vec<bool> =
            ["carol.jones@corp.example", "+81 90 1234 5678", "Tokyo", "John Smith", "aaaaaaaaaaaa111"]
                .iter()
                .map(|value| super::telling(value))
                .collect();
        assert_eq!(telling, [true, true, false, false, false]);
    }

    #[test]
    fn a_number_that_a_masked_one_meets_by_chance_is_not_looked_for() {
        assert!(!super::is_long("+81 90-1234-5678", 500_000));
        assert!(super::is_long("4000 0000 0791 9123 456", 500_000));
        assert!(super::is_long("4000000007919123", 5_000));
    }

    #[test]
    fn fractions_stay_within_what_tablesample_takes() {
        assert!((super::fraction(10, 5) - 100.0).abs() < f64::EPSILON);
        assert!(super::fraction(1, u64::MAX) > 0.0);
    }
}

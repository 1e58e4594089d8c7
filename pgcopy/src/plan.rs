//! What a copy will do, as plain data: per table the statement that reads it, the one that writes it, and how many
//! sessions share the work. `--dry-run` prints exactly this.

use std::fmt::Write as _;

use masking::{Decision, Decisions, SqlMask, TableDecision};

use crate::catalog::{Catalog, Oid, Table};
use crate::error::{Error, Result};
use crate::sql::ident;

/// One table's part of the copy.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each says another thing")]
pub struct TablePlan {
    /// The table's id at the source.
    pub oid: Oid,
    /// `schema.name`.
    pub title: String,
    /// The name under which the policy decides.
    pub name: masking::TableName,
    /// The columns that move, in order.
    pub columns: Vec<String>,
    /// The statement's FROM clause and what is selected.
    select: String,
    from: String,
    filter: Option<String>,
    /// Plain `COPY table TO` suffices: nothing is computed or filtered.
    direct: Option<String>,
    into: String,
    /// The table that is written, without its columns.
    into_table: String,
    /// Whether rows travel in binary.
    pub binary: bool,
    /// Whether rows pass through the masks.
    pub masked: bool,
    /// Estimated rows.
    pub rows: u64,
    /// Bytes at the source, TOAST included.
    pub bytes: u64,
    /// Pages of the heap.
    pub pages: u64,
    /// Sessions that read this table at once; more than one splits it by ctid.
    pub readers: usize,
    /// No rows are copied.
    pub truncate: bool,
}

/// A table below this size is read in one piece.
const SPLIT: u64 = 64 << 20;

/// Pieces per reader, so that none waits long for another.
const PIECES: u64 = 4;

/// The column that numbers rows while shuffled columns change places.
const NUMBER: &str = "keelway pgcopy number";

impl TablePlan {
    /// Pages `[from, to)` of each piece; the last one is open, because the table may have grown since it was measured.
    pub fn ranges(&self) -> Vec<(u64, Option<u64>)> {
        if self.readers < 2 {
            return vec![(0, None)];
        }
        let pieces = PIECES * self.readers as u64;
        let step = self.pages.div_ceil(pieces).max(1);
        (0..pieces)
            .map(|i| (i * step, Some((i + 1) * step).filter(|_| i + 1 < pieces)))
            .filter(|(from, _)| *from < self.pages.max(1))
            .map(|(from, to)| (from, to.filter(|to| *to < self.pages)))
            .collect()
    }

    /// The statement that reads one piece.
    pub fn copy_out(&self, range: (u64, Option<u64>)) -> String {
        let format = if self.binary { "binary" } else { "text" };
        if let (Some(direct), (0, None)) = (&self.direct, range) {
            return format!("COPY {direct} TO STDOUT (FORMAT {format})");
        }
        let mut conditions: Vec<String> = self.filter.iter().map(|filter| format!("({filter})")).collect();
        if range.0 > 0 {
            conditions.push(format!("t.ctid >= '({},0)'::tid", range.0));
        }
        if let Some(to) = range.1 {
            conditions.push(format!("t.ctid < '({to},0)'::tid"));
        }
        let filter = if conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", conditions.join(" AND "))
        };
        format!("COPY (SELECT {} FROM {}{filter}) TO STDOUT (FORMAT {format})", self.select, self.from)
    }

    /// The statement that writes the table.
    pub fn copy_in(&self) -> String {
        let format = if self.binary { "binary" } else { "text" };
        format!("COPY {} FROM STDIN (FORMAT {format}, FREEZE)", self.into)
    }

    /// The statement that makes FREEZE possible: it is only allowed on a table emptied in the same transaction.
    pub fn empty(&self) -> String {
        format!("TRUNCATE ONLY {}", self.into_table)
    }
}

/// Plans every table with rows, largest first.
///
/// # Errors
/// [`Error::Usage`] if every column of a table is left to its default, which COPY cannot write.
pub fn tables(
    catalog: &Catalog,
    decisions: &Decisions,
    filters: &dyn Fn(&Table) -> Option<String>,
    jobs: usize,
    salt: &str,
) -> Result<Vec<TablePlan>> {
    let mut plans = Vec::new();
    for table in catalog.with_rows() {
        let Some(decision) = decisions.table(&table.masking_name()) else {
            return Err(Error::Usage(format!("{} has no decision; read the catalog again", table.title())));
        };
        plans.push(plan(catalog, table, decision, filters(table), salt)?);
    }
    plans.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.title.cmp(&b.title)));
    let total: u64 = plans.iter().map(|plan| plan.bytes).sum();
    for plan in &mut plans {
        let fair = (total / jobs.max(1) as u64).max(SPLIT);
        let wanted = usize::try_from(plan.bytes / fair + 1).unwrap_or(jobs).min(jobs);
        let splittable = plan.readers > 0 && catalog.server.major() >= 14 && plan.bytes >= SPLIT;
        plan.readers = if splittable { wanted } else { 1 };
    }
    Ok(plans)
}

fn plan(
    catalog: &Catalog,
    table: &Table,
    decision: &TableDecision,
    filter: Option<String>,
    salt: &str,
) -> Result<TablePlan> {
    let copied: Vec<_> = decision.copied().collect();
    if copied.is_empty() && !decision.truncate && !table.columns.is_empty() {
        return Err(Error::Usage(format!(
            "every column of {} is left to its default; say `truncate: true`, or keep one column",
            table.title()
        )));
    }
    let columns: Vec<String> = copied.iter().map(|c| c.column.name.clone()).collect();
    let list = columns.iter().map(|name| ident(name)).collect::<Vec<_>>().join(", ");
    let shuffled = groups(decision);
    let select: Vec<String> = copied
        .iter()
        .map(|c| match &c.decision {
            Decision::Sql(mask) => mask.expression(&c.column),
            _ => format!("t.{}", ident(&c.column.name)),
        })
        .collect();
    let binary = copied.iter().all(|c| {
        let safe = c.column.ty.binary_safe();
        let known = table.column(&c.column.name).is_some_and(|column| catalog.types.binary(column.type_oid));
        safe || known && !matches!(c.decision, Decision::Engine(_))
    });
    let computed = copied.iter().any(|c| matches!(c.decision, Decision::Sql(_)));
    let columns_sql = if list.is_empty() { String::new() } else { format!(" ({list})") };
    let plain = shuffled.is_empty() && filter.is_none() && !computed;
    Ok(TablePlan {
        oid: table.oid,
        title: table.title(),
        name: table.masking_name(),
        select: select.join(", "),
        from: if shuffled.is_empty() {
            format!("ONLY {} t", table.sql())
        } else {
            shuffle_from(table, &columns, &shuffled, filter.as_deref(), salt)
        },
        direct: plain.then(|| format!("{}{columns_sql}", table.sql())),
        filter: filter.filter(|_| shuffled.is_empty()),
        into: format!("{}{columns_sql}", table.sql()),
        into_table: table.sql(),
        binary,
        masked: !decision.passes_through(),
        rows: table.rows,
        bytes: table.bytes,
        pages: table.heap_bytes / 8192,
        readers: usize::from(table.heap && shuffled.is_empty()),
        truncate: decision.truncate,
        columns,
    })
}

/// The shuffled columns of each group.
fn groups(decision: &TableDecision) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<String>> = Vec::new();
    for column in decision.copied() {
        if let Decision::Sql(SqlMask::Shuffle { group }) = &column.decision {
            if groups.len() <= *group {
                groups.resize(group + 1, Vec::new());
            }
            if let Some(columns) = groups.get_mut(*group) {
                columns.push(column.column.name.clone());
            }
        }
    }
    groups
}

/// Rows joined with themselves in an order that the salt decides, group by group.
fn shuffle_from(
    table: &Table,
    columns: &[String],
    groups: &[Vec<String>],
    filter: Option<&str>,
    salt: &str,
) -> String {
    let number = ident(NUMBER);
    let list =
        |names: &[String]| names.iter().map(|n| format!("t.{}", ident(n))).collect::<Vec<_>>().join(", ");
    let filter = filter.map(|filter| format!(" WHERE {filter}")).unwrap_or_default();
    let only = format!("ONLY {} t{filter}", table.sql());
    let mut from = format!("(SELECT {}, row_number() OVER () AS {number} FROM {only}) t", list(columns));
    for (group, names) in groups.iter().enumerate().filter(|(_, names)| !names.is_empty()) {
        let _ = write!(
            from,
            " JOIN (SELECT {}, row_number() OVER (ORDER BY sha256(convert_to(t.ctid::text || '{salt}{group}', 'UTF8'))) \
             AS {number} FROM {only}) \"s{group}\" ON \"s{group}\".{number} = t.{number}",
            list(names)
        );
    }
    from
}

/// The plan for people: tables, order, ranges, masks, statements.
pub fn render(plans: &[TablePlan], decisions: &Decisions) -> String {
    let mut out = String::new();
    for plan in plans {
        let _ = writeln!(
            out,
            "{}: about {} rows, {:.1} MiB, {}, {} reader(s){}",
            plan.title,
            plan.rows,
            mib(plan.bytes),
            if plan.binary { "binary" } else { "text" },
            plan.readers,
            if plan.truncate { ", truncated: no rows are copied" } else { "" }
        );
        if plan.truncate {
            continue;
        }
        for range in plan.ranges() {
            let _ = writeln!(out, "  read   {}", plan.copy_out(range));
        }
        let _ = writeln!(out, "  write  {}", plan.copy_in());
        for line in decisions.report().iter().filter(|line| line.table == plan.name && line.action != "keep")
        {
            let _ = writeln!(out, "  mask   {}: {}", line.column, line.action);
        }
    }
    out
}

#[allow(clippy::cast_precision_loss)]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests;

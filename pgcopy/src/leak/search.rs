//! The second half of the leak scan: the finished copy and the source's values in, the columns that hold one out.
//! Several sessions share the tables, largest first.

use std::pin::pin;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use futures::StreamExt as _;

use super::windows::Windows;
use super::{Summary, Values, fraction, hash};
use crate::catalog::{Catalog, Column, Table};
use crate::conn::Session;
use crate::crew;
use crate::error::{Context as _, Error, Result};
use crate::sql::ident;

/// Rows per table whose text columns are compared as wholes; of larger tables this many are drawn.
const COMPARED_ROWS: u64 = 2_000_000;

/// Bytes per table that are searched for values inside texts.
const SEARCHED_BYTES: u64 = 16 << 20;

/// Stored bytes above which a value equals none that is looked for: those have at most 200 characters.
const LONGEST: usize = 2048;

/// What all workers look for.
struct Wanted {
    values: Values,
    windows: Windows,
    automaton: AhoCorasick,
    /// Characters of the shortest value: what has fewer bytes holds none, in whatever encoding.
    shortest: usize,
}

/// A column that holds text.
struct Searched {
    name: String,
    /// Its values are texts, not made of some.
    text: bool,
    /// JSON, XML, and what is made of texts: the text is longer than the stored value says.
    document: bool,
    /// Computed by the copy's server: nobody saw it on its way.
    generated: bool,
}

/// Whether whole texts are compared with the values too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    /// In the copy, as far as [`COMPARED_ROWS`] goes.
    Compared,
    /// They were on their way, every one (see [`super::Watch`]), but those that the server computes.
    Sent,
}

/// Looks for the values in every table of the copy, with as many workers as `sessions`.
///
/// # Errors
/// [`Error::BadCopy`] with the columns that hold one; [`Error::Database`].
pub(crate) async fn search(
    sessions: Vec<Session>,
    catalog: &Catalog,
    values: &Values,
    wholes: Whole,
) -> Result<Summary> {
    let mut summary =
        Summary { values: values.values.len(), not_seen: values.not_seen.clone(), ..Summary::default() };
    if values.values.is_empty() {
        return Ok(summary);
    }
    let wanted = Arc::new(Wanted {
        windows: Windows::new(&values.values),
        automaton: AhoCorasick::new(&values.values).map_err(|error| Error::Local(error.to_string()))?,
        shortest: values.values.iter().map(|value| value.chars().count()).min().unwrap_or_default(),
        values: values.clone(),
    });
    let mut tables: Vec<(Table, Vec<Searched>)> = catalog
        .with_rows()
        .map(|table| (table.clone(), searched(catalog, table)))
        .filter(|(_, columns)| !columns.is_empty())
        .collect();
    tables.sort_by_key(|(table, _)| std::cmp::Reverse(table.bytes));
    summary.tables = tables.len();
    let found = crew::share(sessions, tables, move |session, (table, columns)| {
        let wanted = Arc::clone(&wanted);
        async move {
            let compared: Vec<&Searched> =
                columns.iter().filter(|c| c.text && (c.generated || wholes == Whole::Compared)).collect();
            let mut hits = whole(&session, &table, &compared, &wanted).await?;
            let (bytes, mut inner) = inside(&session, &table, &columns, &wanted).await?;
            hits.append(&mut inner);
            Ok((bytes, hits))
        }
    });
    let mut hits = Vec::new();
    for (bytes, mut of_table) in found.await? {
        summary.bytes += bytes;
        hits.append(&mut of_table);
    }
    hits.sort_unstable();
    hits.dedup();
    if hits.is_empty() {
        return Ok(summary);
    }
    Err(found_in(&hits))
}

/// What to say of columns that hold a value.
pub(crate) fn found_in(columns: &[String]) -> Error {
    let columns = columns.join(", ");
    Error::BadCopy(format!("values of masked columns were found in {columns}; mask these columns too"))
}

fn searched(catalog: &Catalog, table: &Table) -> Vec<Searched> {
    let types = &catalog.types;
    let holds_text = |column: &&Column| types.holds_text(column.type_oid);
    let searched = |column: &Column| {
        let text = types.textual(column.type_oid);
        Searched {
            name: column.name.clone(),
            text,
            document: !text || types.document(column.type_oid),
            generated: column.generated,
        }
    };
    table.columns.iter().filter(holds_text).map(searched).collect()
}

/// Columns of a table that equal one of the values in some row.
async fn whole(
    session: &Session,
    table: &Table,
    columns: &[&Searched],
    wanted: &Wanted,
) -> Result<Vec<String>> {
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let statement = compared(table, columns, &wanted.values, wanted.shortest);
    let row = session.client.query_one(&statement, &[&wanted.values.hashes]).await;
    let row = row.context(format!("searching {}", table.title()))?;
    Ok(columns
        .iter()
        .enumerate()
        .filter(|(at, _)| row.get::<_, Option<bool>>(*at) == Some(true))
        .map(|(_, column)| format!("{}.{}", table.title(), column.name))
        .collect())
}

/// The statement that compares whole values. What is stored out of line is fetched only if it is short enough to be one,
/// and what is shorter than all of them is not hashed. Rows without any are told by the WHERE, which costs less than
/// aggregates over all rows.
fn compared(table: &Table, columns: &[&Searched], values: &Values, shortest: usize) -> String {
    // Maps of free space and visibility are a small part of the heap; measuring costs as much as a short value's hash.
    let toasted = table.bytes.saturating_sub(table.heap_bytes) > table.heap_bytes / 8;
    let equal: Vec<String> = columns
        .iter()
        .map(|c| {
            let name = ident(&c.name);
            let equal = format!("{} = ANY ($1::int8[])", hash(&name, values.seed));
            let small = (toasted || c.document).then(|| format!("pg_column_size({name}) <= {LONGEST}"));
            // The text of a document is not there without being made.
            let long = (!c.document).then(|| format!("octet_length({name}::text) >= {shortest}"));
            let guards = [small, long].into_iter().flatten();
            guards.fold(equal, |equal, guard| format!("CASE WHEN {guard} THEN {equal} END"))
        })
        .collect();
    let list: Vec<String> = equal.iter().map(|equal| format!("bool_or({equal})")).collect();
    let sampled = sampled(fraction(COMPARED_ROWS, table.rows));
    format!("SELECT {} FROM ONLY {}{sampled} WHERE {}", list.join(", "), table.sql(), equal.join(" OR "))
}

fn sampled(percent: f64) -> String {
    if percent < 100.0 { format!(" TABLESAMPLE SYSTEM ({percent})") } else { String::new() }
}

/// Columns of a table that hold one of the values inside a longer text, in a sample.
async fn inside(
    session: &Session,
    table: &Table,
    columns: &[Searched],
    wanted: &Wanted,
) -> Result<(u64, Vec<String>)> {
    let doing = || format!("searching {}", table.title());
    let statement = sent(table, columns, wanted.shortest);
    let stream = session.client.copy_out(&statement).await.context(doing())?;
    let mut stream = pin!(stream);
    let (mut bytes, mut hits) = (0, Vec::new());
    while let Some(row) = stream.next().await {
        let row = session.pass.row(row.map_err(|error| Error::database(doing(), &error))?);
        bytes += row.len() as u64;
        if wanted.windows.may_hold(&row) && wanted.automaton.is_match(&row[..]) {
            for (field, column) in row.split(|byte| *byte == b'\t').zip(columns) {
                if wanted.automaton.is_match(field) {
                    hits.push(format!("{}.{}", table.title(), column.name));
                }
            }
        }
    }
    Ok((bytes, hits))
}

/// The statement that sends texts to be searched: only such as are long enough to hold a value.
fn sent(table: &Table, columns: &[Searched], shortest: usize) -> String {
    let long = |c: &Searched| format!("octet_length({}::text) >= {shortest}", ident(&c.name));
    let list = columns.iter().map(|c| {
        let text = format!("{}::text", ident(&c.name));
        if c.document { text } else { format!("CASE WHEN {} THEN {text} END", long(c)) }
    });
    let rows = if columns.iter().any(|c| c.document) {
        String::new()
    } else {
        format!(" WHERE {}", columns.iter().map(long).collect::<Vec<_>>().join(" OR "))
    };
    let list = list.collect::<Vec<_>>().join(", ");
    let sampled = sampled(fraction(SEARCHED_BYTES, table.bytes));
    format!("COPY (SELECT {list} FROM ONLY {}{sampled}{rows}) TO STDOUT", table.sql())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(bytes: u64) -> Table {
        Table { schema: "s".into(), name: "t".into(), rows: 10, heap_bytes: 8192, bytes, ..Table::default() }
    }

    fn column(name: &str, document: bool) -> Searched {
        Searched { name: name.into(), text: true, document, generated: false }
    }

    #[test]
    fn short_texts_are_not_sent_and_documents_always_are() {
        assert_eq!(
            sent(&table(8192), &[column("a", false), column("b", false)], 12),
            "COPY (SELECT CASE WHEN octet_length(\"a\"::text) >= 12 THEN \"a\"::text END, \
             CASE WHEN octet_length(\"b\"::text) >= 12 THEN \"b\"::text END FROM ONLY \"s\".\"t\" \
             WHERE octet_length(\"a\"::text) >= 12 OR octet_length(\"b\"::text) >= 12) TO STDOUT"
        );
        assert_eq!(
            sent(&table(8192), &[column("a", true)], 12),
            "COPY (SELECT \"a\"::text FROM ONLY \"s\".\"t\") TO STDOUT"
        );
    }

    #[test]
    fn only_what_may_lie_out_of_line_is_measured_before_it_is_fetched() {
        let compared =
            |bytes, document| compared(&table(bytes), &[&column("a", document)], &Values::default(), 12);
        assert!(!compared(8192, false).contains("pg_column_size"));
        assert!(compared(8192, true).contains("pg_column_size"));
        assert!(compared(16384, false).contains("pg_column_size"));
    }

    #[test]
    fn only_what_is_long_enough_to_be_a_value_is_hashed() {
        let (a, b) = (column("a", false), column("b", true));
        let statement = compared(&table(8192), &[&a, &b], &Values::default(), 12);
        let (_, rows) = statement.split_once(" WHERE ").unwrap();
        assert!(rows.starts_with("CASE WHEN octet_length(\"a\"::text) >= 12 THEN hashtextextended(\"a\""));
        assert!(rows.contains(" OR CASE WHEN pg_column_size(\"b\")"));
        assert!(!rows.contains("octet_length(\"b\""));
    }
}

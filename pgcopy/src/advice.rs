//! `policy init` and `policy suggest`: what the masking crate proposes for a live database, by name, type and, where
//! values may be read, by their shape. What could not be looked at is said.

use std::fmt::Write as _;

use std::collections::HashMap;

use masking::{Code, Locale, Policy, TableName};

use crate::catalog::{self, Catalog};
use crate::conn::{Endpoint, Session};
use crate::error::{Context as _, Result};
use crate::sql::ident;

/// Values that are looked at per column.
const VALUES: usize = 200;

/// Sampled values by table and column, and the columns that could not be read.
#[derive(Default)]
struct Samples {
    values: HashMap<(TableName, String), Vec<String>>,
    unread: Vec<String>,
}

impl Samples {
    fn of(&self, table: &TableName, column: &str) -> Vec<String> {
        self.values.get(&(table.clone(), column.to_owned())).cloned().unwrap_or_default()
    }

    /// A comment that says what was not seen.
    fn note(&self) -> String {
        match self.unread.as_slice() {
            [] => String::new(),
            unread => format!("# Values of these columns could not be read: {}.\n", unread.join(", ")),
        }
    }
}

/// A whole policy for a live database, with the reason behind every line.
///
/// # Errors
/// [`crate::Error::Database`].
pub async fn init(source: &Endpoint, locale: Locale, samples: bool) -> Result<String> {
    let session = source.connect().await?;
    let catalog = catalog::load(&session).await?;
    let seen = if samples { look(&session, &catalog).await? } else { Samples::default() };
    let schema = catalog.masking_schema();
    let text = masking::suggest::policy_yaml(&schema, locale, &|table, column| seen.of(table, column));
    Ok(format!("{}{text}", seen.note()))
}

/// A rule for every column that `policy` leaves undecided, as YAML to paste.
///
/// # Errors
/// [`crate::Error::Database`].
pub async fn suggest(source: &Endpoint, policy: &Policy, samples: bool) -> Result<String> {
    let session = source.connect().await?;
    let catalog = catalog::load(&session).await?;
    let schema = catalog.masking_schema();
    let problems = masking::decide(policy, &schema).err().unwrap_or_default();
    let open: Vec<_> = problems.iter().filter(|problem| problem.code == Code::Undecided).collect();
    let seen = if samples && !open.is_empty() { look(&session, &catalog).await? } else { Samples::default() };
    let mut text = seen.note();
    let mut last = None;
    for problem in open {
        let (Some(name), Some(column)) = (&problem.table, &problem.column) else { continue };
        let Some(table) = schema.table(name) else { continue };
        let Some(found) = table.column(column) else { continue };
        if last != Some(name) {
            let _ = write!(text, "- name: {name}\n  columns:\n");
            last = Some(name);
        }
        let values = seen.of(name, column);
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let suggestion = masking::suggest::suggest(table, found, &values);
        let _ = writeln!(text, "  {}  # {}", suggestion.line(column), suggestion.because);
    }
    Ok(text)
}

/// Reads some values of every text column. A column that the role may not read is noted, not an error.
async fn look(session: &Session, catalog: &Catalog) -> Result<Samples> {
    let mut samples = Samples::default();
    for table in catalog.tables.iter().filter(|table| !table.partition) {
        let from = if table.partitioned { table.sql() } else { format!("ONLY {}", table.sql()) };
        for column in table.columns.iter().filter(|c| !c.generated && catalog.types.textual(c.type_oid)) {
            let name = ident(&column.name);
            let statement = format!(
                "SELECT left({name}::text, 4000) FROM {from} WHERE {name} IS NOT NULL LIMIT {VALUES}"
            );
            match session.client.query(&statement, &[]).await {
                Ok(rows) => {
                    let values = rows.iter().filter_map(|row| row.get(0)).collect();
                    samples.values.insert((table.masking_name(), column.name.clone()), values);
                }
                // insufficient_privilege
                Err(error) if error.code().is_some_and(|code| code.code() == "42501") => {
                    samples.unread.push(format!("{}.{}", table.title(), column.name));
                }
                Err(error) => return Err(error).context(format!("looking at {}", table.title())),
            }
        }
    }
    Ok(samples)
}

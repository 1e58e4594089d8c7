//! Where sequences go on in the copy.

use masking::Decisions;

use crate::catalog::Catalog;
use crate::conn::Session;
use crate::error::{Context as _, Result};

/// Statements that set every sequence as the source has it, or further where masked keys end below.
pub(super) async fn sequences(
    session: &Session,
    catalog: &Catalog,
    decisions: &Decisions,
) -> Result<Vec<String>> {
    let mut statements = Vec::new();
    for sequence in &catalog.sequences {
        let name = crate::sql::qualified(&sequence.schema, &sequence.name);
        let row = session.client.query_one(&format!("SELECT last_value, is_called FROM {name}"), &[]).await;
        let row = row.context(format!("reading sequence {name}"))?;
        let (value, called): (i64, bool) = (row.get(0), row.get(1));
        let floor = floor(catalog, decisions, &name);
        let (value, called) =
            floor.filter(|floor| *floor > value).map_or((value, called), |floor| (floor, true));
        statements
            .push(format!("SELECT setval({}::regclass, {value}, {called})", crate::sql::literal(&name)));
    }
    Ok(statements)
}

/// The floor of the masked columns whose default draws from this sequence.
fn floor(catalog: &Catalog, decisions: &Decisions, sequence: &str) -> Option<i64> {
    let plain = sequence.replace('"', "");
    let draws = |default: &str| default.replace(['"', '\''], "").contains(&format!("({plain}::"));
    catalog
        .tables
        .iter()
        .filter_map(|table| decisions.table(&table.masking_name()).map(|decision| (table, decision)))
        .flat_map(|(table, decision)| decision.columns.iter().map(move |column| (table, column)))
        .filter(|(table, column)| {
            let identity = format!("{}.{}_{}_seq", table.schema, table.name, column.column.name);
            column.column.default.as_deref().is_some_and(draws) || identity == plain
        })
        .filter_map(|(_, column)| column.sequence_floor)
        .max()
}

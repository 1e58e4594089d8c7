//! Where sequences go on in the copy.

use masking::Decisions;

use crate::catalog::{Catalog, Oid, Sequence};
use crate::conn::Session;
use crate::error::{Context as _, Result};
use crate::progress::Progress;

/// Statements that set every sequence as the source has it, or further where masked keys end below.
pub(super) async fn sequences(
    session: &Session,
    catalog: &Catalog,
    decisions: &Decisions,
    progress: &Progress,
) -> Result<Vec<String>> {
    let mut statements = Vec::new();
    for sequence in &catalog.sequences {
        let name = crate::sql::qualified(&sequence.schema, &sequence.name);
        let row = session.client.query_one(&format!("SELECT last_value, is_called FROM {name}"), &[]).await;
        let row = row.context(format!("reading sequence {name}"))?;
        let (value, called): (i64, bool) = (row.get(0), row.get(1));
        let floor = floor(catalog, decisions, sequence).filter(|floor| *floor > value);
        if floor.is_some_and(|floor| floor >= sequence.max) {
            progress.warn(format!(
                "sequence {name} ends at {}, below the masked keys of its column, and goes on as at the source: a new row \
                 may meet a masked key; give the sequence more room there, or insert with keys of your own",
                sequence.max
            ));
        }
        let floor = floor.filter(|floor| *floor < sequence.max);
        let (value, called) = floor.map_or((value, called), |floor| (floor, true));
        statements
            .push(format!("SELECT setval({}::regclass, {value}, {called})", crate::sql::literal(&name)));
    }
    Ok(statements)
}

/// The floor of the masked columns that draw from this sequence.
fn floor(catalog: &Catalog, decisions: &Decisions, sequence: &Sequence) -> Option<i64> {
    let of = |(oid, number): &(Oid, i16)| {
        let table = catalog.table(*oid)?;
        let column = table.columns.iter().find(|column| column.number == *number)?;
        let decision = decisions.table(&table.masking_name())?;
        decision.columns.iter().find(|decided| decided.column.name == column.name)?.sequence_floor
    };
    sequence.columns.iter().filter_map(of).max()
}

//! ANALYZE of the finished copy by several sessions, as one ANALYZE of the whole database would do it.

use crate::conn::Session;
use crate::crew;
use crate::error::{Context as _, Result};

/// Tables below this size are analyzed together, so that a thousand small ones need few round trips.
const SMALL: i64 = 8 << 20;

/// Small tables per statement.
const TOGETHER: usize = 200;

/// Tables by size. A partitioned table's ANALYZE covers its partitions.
const TABLES: &str = "SELECT c.oid::regclass::text, CASE WHEN c.relkind = 'p' \
    THEN (SELECT coalesce(sum(pg_table_size(t.relid)), 0)::int8 FROM pg_partition_tree(c.oid) t WHERE t.isleaf) \
    ELSE pg_table_size(c.oid) END AS size \
    FROM pg_class c WHERE c.relkind IN ('r', 'm', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' \
    AND NOT c.relisshared ORDER BY size DESC, 1";

/// Analyzes every table, with as many workers as `sessions`.
///
/// # Errors
/// [`crate::error::Error::Database`].
pub(crate) async fn run(sessions: Vec<Session>) -> Result<()> {
    let Some(first) = sessions.first() else { return Ok(()) };
    let rows = first.client.query(TABLES, &[]).await.context("listing the tables to analyze")?;
    let tables: Vec<(String, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    crew::share(sessions, statements(&tables), |session, statement| async move {
        session.client.batch_execute(&statement).await.context("ANALYZE")
    })
    .await
    .map(|_| ())
}

/// One statement per large table, then several small ones in each. `tables` come largest first.
fn statements(tables: &[(String, i64)]) -> Vec<String> {
    let large = tables.iter().take_while(|(_, size)| *size >= SMALL).count();
    let (large, small) = tables.split_at(large);
    let names = |tables: &[(String, i64)]| {
        let names: Vec<&str> = tables.iter().map(|(name, _)| name.as_str()).collect();
        format!("ANALYZE {}", names.join(", "))
    };
    large.chunks(1).chain(small.chunks(TOGETHER)).map(names).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn large_tables_are_analyzed_one_by_one_and_small_ones_together() {
        let tables = [("big", super::SMALL * 2), ("large", super::SMALL), ("a", 5), ("b", 0)];
        let tables: Vec<_> = tables.map(|(name, size)| (name.to_owned(), size)).into();
        assert_eq!(super::statements(&tables), ["ANALYZE big", "ANALYZE large", "ANALYZE a, b"]);
        assert!(super::statements(&[]).is_empty());
    }
}

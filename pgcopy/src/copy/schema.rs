//! The schema as a copy applies it: dumped or read from a file, without what cannot come along, searched for values.

use masking::Decisions;

use super::CopyOptions;
use crate::conn::Session;
use crate::error::{Context as _, Error, Result};
use crate::leak;
use crate::schema::{PgDump, Schema, scan, scan_shapes};
use crate::snapshot::Snapshot;

/// The schema, in which none of the drawn values was found, and these.
pub(super) async fn searched(
    options: &CopyOptions,
    snapshot: &Snapshot,
    application: &str,
    decisions: &Decisions,
) -> Result<(Schema, leak::Values)> {
    let (session, catalog) = (snapshot.session(), &snapshot.catalog);
    let (mut schema, values) =
        tokio::try_join!(schema(options, snapshot, application), leak::sample(session, catalog, decisions))?;
    let mut found = schema.without_foreign(&catalog.foreign);
    if found.is_empty() {
        schema.refresh(&populated(session).await?);
        let statements = || schema.before.iter().chain(&schema.after);
        found = scan(statements(), &values.values);
        found.extend(scan_shapes(statements(), &catalog.texts, &options.policy.schema_texts));
    }
    if found.is_empty() { Ok((schema, values)) } else { Err(Error::Refused(found)) }
}

async fn schema(options: &CopyOptions, snapshot: &Snapshot, application: &str) -> Result<Schema> {
    if let Some(path) = &options.schema_file {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::Usage(format!("--schema-file {}: {error}", path.display())))?;
        if crate::schema::holds_rows(&text) {
            return Err(Error::Usage(format!(
                "--schema-file {} holds rows (COPY or INSERT); make it with pg_dump --schema-only",
                path.display()
            )));
        }
        return Ok(Schema::parse(&text));
    }
    let dump = PgDump::find(options.pg_bin.as_deref(), snapshot.catalog.server.major()).await?;
    let from = options.schema_from.as_ref().map(|from| from.with_application(application));
    let dump = dump.schema(from.as_ref().unwrap_or(snapshot.source()), Some(&snapshot.id)).await?;
    Ok(Schema::parse(&dump.text))
}

/// Materialised views that hold rows at the source.
async fn populated(session: &Session) -> Result<Vec<(String, String)>> {
    let statement = "SELECT schemaname::text, matviewname::text FROM pg_matviews WHERE ispopulated";
    let rows = session.client.query(statement, &[]).await.context("reading materialised views")?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

//! Checks a finished copy: the report's signature, the policy, the mark, columns, row counts, constraints, and a fresh
//! search for the source's values.

use masking::{MasterKey, Policy};

use crate::catalog::{self, Catalog};
use crate::conn::{Endpoint, Session};
use crate::error::{Context as _, Error, Result};
use crate::leak;
use crate::mark::{self, State};
use crate::report;
use crate::target;

/// What to check.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// The source.
    pub source: Endpoint,
    /// The copy.
    pub target: Endpoint,
    /// The policy.
    pub policy: Policy,
    /// SHA-256 of its text.
    pub policy_hash: String,
    /// The report's text and the key that signed it.
    pub report: Option<(String, MasterKey)>,
}

/// What was checked, for people; one line each.
pub type Checked = Vec<String>;

/// Verifies a copy.
///
/// # Errors
/// [`Error::Verify`] with the first difference, a value of the source that is found in the copy among them.
pub async fn verify(options: &VerifyOptions) -> Result<Checked> {
    let mut checked = Vec::new();
    let admin = target::admin(&options.target).await?;
    let found = mark::find(&admin, options.target.database()).await?;
    let mark = found.and_then(|found| found.mark).filter(|mark| mark.state == State::Finished);
    let mark =
        mark.ok_or_else(|| Error::Verify(format!("{} is no finished copy", options.target.database())))?;
    if mark.policy != options.policy_hash {
        return Err(Error::Verify(
            "the copy was made with another policy, another wording of it, or another --subset".to_owned(),
        ));
    }
    checked.push(format!("mark: finished, of {} at {}", mark.source, mark.time));
    let copy = options.target.connect().await?;
    let there = catalog::load(&copy).await?;
    if let Some((text, key)) = &options.report {
        let content = report::verified(text, key)?;
        checked.push("report: signature holds".to_owned());
        if content.get("target").and_then(serde_json::Value::as_str) != Some(options.target.database()) {
            return Err(Error::Verify("the report belongs to another database".to_owned()));
        }
        compare(&content, &mark, &there, &copy, &mut checked).await?;
    }
    let open = valid(&copy, &mut checked).await?;
    let source = options.source.connect().await?;
    let row = source
        .client
        .query_one("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated", &[])
        .await;
    let open_there: i64 = row.context("looking at the source's constraints")?.get(0);
    if open > open_there {
        return Err(Error::Verify(format!(
            "{open} foreign key(s) of the copy are not valid, and {open_there} of the source"
        )));
    }
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    source.client.batch_execute(begin).await.context("reading the source")?;
    let here = catalog::load(&source).await?;
    let decisions = masking::decide(&options.policy, &here.masking_schema()).map_err(|problems| {
        Error::Verify(format!("the source has changed: {} problem(s) with this policy now", problems.len()))
    })?;
    let values = leak::sample(&source, &here, &decisions).await?;
    let summary = leak::search(vec![copy], &there, &values, leak::Whole::Compared).await.map_err(
        |error| match error {
            Error::BadCopy(found) => Error::Verify(format!("{found}; the copy is still there: drop it")),
            other => other,
        },
    )?;
    checked.push(format!("leak scan: {} values, {} tables, none found", summary.values, summary.tables));
    for unseen in &summary.not_seen {
        checked.push(format!("leak scan could not see {unseen}"));
    }
    Ok(checked)
}

/// The report against the copy.
async fn compare(
    report: &serde_json::Value,
    mark: &mark::Mark,
    there: &Catalog,
    copy: &Session,
    checked: &mut Checked,
) -> Result<()> {
    let text = |key: &str| report.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
    if text("policy") != mark.policy || text("time") != mark.time.to_string() {
        return Err(Error::Verify("the report belongs to another copy".to_owned()));
    }
    let list = |key: &str| report.get(key).and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
    let field = |line: &serde_json::Value, key: &str| {
        line.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    let columns: std::collections::BTreeSet<(String, String)> =
        list("columns").iter().map(|line| (field(line, "table"), field(line, "column"))).collect();
    for table in &there.tables {
        for column in &table.columns {
            let name = table.masking_name().to_string();
            if !columns.contains(&(name.clone(), column.name.clone())) {
                return Err(Error::Verify(format!(
                    "{name}.{} is in the copy but not in the report",
                    column.name
                )));
            }
        }
    }
    checked.push(format!("columns: {} decided, as reported", columns.len()));
    for line in list("tables") {
        let name = crate::sql::qualified(&field(&line, "schema"), &field(&line, "table"));
        let rows = line.get("rows").and_then(serde_json::Value::as_i64).unwrap_or_default();
        let row = copy.client.query_one(&format!("SELECT count(*) FROM ONLY {name}"), &[]).await;
        let counted: i64 = row.context(format!("counting {name}"))?.get(0);
        if counted != rows {
            return Err(Error::Verify(format!("{name} has {counted} rows, the report says {rows}")));
        }
    }
    checked.push("rows: as reported".to_owned());
    Ok(())
}

/// No index is broken; constraints that are not valid are only those that the source had so.
/// Returns how many are not.
async fn valid(copy: &Session, checked: &mut Checked) -> Result<i64> {
    let statement = "SELECT (SELECT count(*) FROM pg_index WHERE NOT indisvalid AND indrelid >= 16384), \
        (SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated), \
        (SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated)";
    let row = copy.client.query_one(statement, &[]).await.context("looking at constraints")?;
    let (broken, valid, open): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    if broken > 0 {
        return Err(Error::Verify(format!("{broken} index(es) are not valid")));
    }
    checked.push(format!("foreign keys: {valid} validated, {open} NOT VALID"));
    Ok(open)
}

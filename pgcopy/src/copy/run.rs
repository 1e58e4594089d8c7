//! The order of a copy's steps.

use std::sync::Arc;
use std::time::Instant;

use masking::{Decisions, Secrets};

use super::sequences::sequences;
use super::{Clock, CopyOptions, decide, finding, hex, millis, random, rows, schema};
use crate::catalog::{Catalog, LeftOut, Table};
use crate::claim::Made;
use crate::conn::Endpoint;
use crate::error::{Context as _, Finding, Result};
use crate::leak;
use crate::mark::{Mark, State};
use crate::pipe::Shared;
use crate::plan::{self, TablePlan};
use crate::progress::{Event, Phase, Progress};
use crate::rate::Rate;
use crate::report::{Report, TableReport};
use crate::schema::{Kind, Schema};
use crate::snapshot::{Snapshot, blocking};
use crate::target::Target;

/// Runs a copy under the watch for sessions that wait for us.
pub(super) async fn run(
    options: &CopyOptions,
    source: &Endpoint,
    application: &str,
    progress: &Progress,
    made: &Made,
) -> Result<Report> {
    let mut clock = Clock::new(progress);
    clock.enter(Phase::Plan);
    let snapshot = Snapshot::take(source, &options.courtesy, |catalog| {
        let decisions = decide(options, catalog)?;
        let read = |table: &&Table| decisions.table(&table.masking_name()).is_some_and(|d| !d.truncate);
        Ok(catalog.with_rows().filter(read).cloned().collect())
    });
    // Locks that are taken one after the other stand in the way of others while we wait for the next.
    let snapshot = tokio::select! {
        snapshot = snapshot => Arc::new(snapshot?),
        error = blocking(source, &options.courtesy, application) => return Err(error),
    };
    let watch = Arc::clone(&snapshot);
    // Only while the snapshot lives: afterwards nobody waits for us.
    let (watched, mut copied) = tokio::select! {
        loaded = load(options, snapshot, application, progress, &mut clock, made) =>
            loaded.map_err(|error| watch.explain(error))?,
        error = watch.disturbed(&options.courtesy, application) => return Err(error),
    };
    drop(watch);
    drop(watched);
    finish(options, &mut copied, progress, &mut clock).await?;
    clock.close();
    copied.report.durations = clock.durations;
    Ok(copied.report)
}

/// What the steps after the snapshot need.
struct Copied {
    started: Instant,
    catalog: Catalog,
    values: leak::Values,
    schema: Schema,
    target: Arc<Target>,
    sequences: Vec<String>,
    report: Report,
}

/// Everything that reads the source.
async fn load(
    options: &CopyOptions,
    snapshot: Arc<Snapshot>,
    application: &str,
    progress: &Progress,
    clock: &mut Clock<'_>,
    made: &Made,
) -> Result<(Arc<Snapshot>, Copied)> {
    let started = Instant::now();
    let catalog = snapshot.catalog.clone();
    let decisions = decide(options, &catalog)?;
    for problem in &decisions.warnings {
        progress.warn(finding(problem).to_string());
    }
    let filters = crate::subset::filters(&catalog, &options.policy.subset)?;
    let salt = hex(&random::<16>()?);
    let filter = |table: &Table| filters.get(&table.oid).cloned();
    let plans = plan::tables(&catalog, &decisions, &filter, options.jobs, &salt)?;
    let secrets = Secrets { master: options.key.clone(), seed: random::<32>()? };
    let maskers = rows::maskers(&plans, &decisions, &secrets)?;
    progress.send(Event::Planned {
        tables: plans.len(),
        rows: plans.iter().filter(|p| !p.truncate).map(|p| p.rows).sum(),
        bytes: plans.iter().filter(|p| !p.truncate).map(|p| p.bytes).sum(),
    });
    let mark = Mark {
        state: State::Loading,
        source: options.source.database().to_owned(),
        time: snapshot.time,
        policy: options.policy_hash.clone(),
        template: None,
    };
    let target = Target::check(&options.target, &catalog.server, mark, options.allow_superuser, made.clone());
    let target = target.await?;
    let target = Arc::new(target);
    let (schema, values) = schema::searched(options, &snapshot, application, &decisions).await?;
    clock.enter(Phase::Schema);
    let sequences = sequences(snapshot.session(), &catalog, &decisions, progress).await?;
    target.create(&catalog.server).await?;
    apply(&target, &schema).await?;
    clock.enter(Phase::Data);
    let rate = options.max_rate.map(|rate| Arc::new(Rate::new(rate)));
    let shared = Shared { snapshot: Arc::clone(&snapshot), progress: progress.clone(), rate };
    let watches = leak::watches(&catalog, &plans, &values);
    let work = plans.iter().cloned().zip(maskers).zip(watches.iter().cloned());
    let work = work.map(|((plan, masker), watch)| rows::Work { plan, masker, watch });
    let work = work.filter(|work| !work.plan.truncate).collect();
    let moved = rows::copy(&shared, &target, work, options.jobs).await?;
    let found: Vec<_> = watches.iter().flatten().flat_map(|watch| watch.found()).map(str::to_owned).collect();
    if !found.is_empty() {
        return Err(leak::found_in(&found));
    }
    let tables =
        plans.iter().map(|plan| table_report(plan, moved.get(&plan.oid), filters.contains_key(&plan.oid)));
    let report = Report { tables: tables.collect(), ..report(options, &snapshot, &decisions, &schema) };
    Ok((snapshot, Copied { started, catalog, values, schema, target, sequences, report }))
}

fn table_report(plan: &TablePlan, moved: Option<&crate::pipe::Moved>, subset: bool) -> TableReport {
    let moved = moved.copied().unwrap_or_default();
    TableReport {
        schema: plan.name.schema.clone(),
        table: plan.name.table.clone(),
        rows: moved.rows,
        bytes: moved.bytes,
        how: if plan.truncate {
            "truncated"
        } else if subset {
            "subset"
        } else {
            "copied"
        }
        .to_owned(),
    }
}

fn report(options: &CopyOptions, snapshot: &Snapshot, decisions: &Decisions, schema: &Schema) -> Report {
    let mut left_out: Vec<LeftOut> = snapshot.catalog.left_out.clone();
    left_out.extend(schema.left_out.iter().cloned());
    left_out.extend(
        snapshot
            .catalog
            .tables
            .iter()
            .filter(|t| t.unlogged && snapshot.catalog.server.standby)
            .map(|table| LeftOut { kind: "rows of an unlogged table".to_owned(), name: table.title() }),
    );
    left_out.sort_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
    left_out.dedup();
    Report {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        source: options.source.database().to_owned(),
        source_system: snapshot.catalog.server.system_id.clone(),
        target: options.target.database().to_owned(),
        time: snapshot.time,
        policy: options.policy_hash.clone(),
        subset: crate::report::subset(&options.policy.subset),
        key: options.key.as_ref().map(masking::MasterKey::fingerprint),
        key_version: decisions.key_version.0,
        columns: decisions.report(),
        tables: Vec::new(),
        left_out,
        warnings: decisions.warnings.iter().map(finding).collect(),
        leak_scan: leak::Summary::default(),
        foreign_keys: schema.after.iter().filter(|s| s.kind == Kind::ForeignKey).count(),
        durations: Vec::new(),
    }
}

/// Applies what comes before the data. A table that the dump does not make would fail later in a less clear way.
async fn apply(target: &Target, schema: &Schema) -> Result<()> {
    let session = target.session().await?;
    for chunk in schema.before.chunks(50) {
        session.client.batch_execute("BEGIN").await.context("applying the schema")?;
        for statement in chunk {
            let what =
                format!("applying {} {}", statement.kind.title(), statement.subject.as_deref().unwrap_or(""));
            session.client.batch_execute(&statement.sql).await.context(what)?;
        }
        session.client.batch_execute("COMMIT").await.context("applying the schema")?;
    }
    Ok(())
}

/// Everything after the data; the source is not needed any more.
async fn finish(
    options: &CopyOptions,
    copied: &mut Copied,
    progress: &Progress,
    clock: &mut Clock<'_>,
) -> Result<()> {
    clock.enter(Phase::Indexes);
    let sizes: std::collections::HashMap<String, u64> =
        copied.catalog.tables.iter().map(|table| (table.title(), table.bytes)).collect();
    let after = std::mem::take(&mut copied.schema.after);
    crate::post::run(&copied.target, after, &sizes, options.jobs, progress).await?;
    clock.enter(Phase::LeakScan);
    let sessions = copied.target.sessions(options.jobs).await?;
    copied.report.leak_scan =
        leak::search(sessions, &copied.catalog, &copied.values, leak::Whole::Sent).await?;
    clock.enter(Phase::Analyze);
    crate::analyze::run(copied.target.sessions(options.jobs).await?).await?;
    clock.enter(Phase::Finish);
    let session = copied.target.session().await?;
    for statement in &copied.sequences {
        session.client.batch_execute(statement).await.context("setting a sequence")?;
    }
    drop(session);
    let left = copied.target.settings(&copied.catalog.settings).await?;
    let name = |name| LeftOut { kind: "setting of the database".to_owned(), name };
    copied.report.left_out.extend(left.into_iter().map(name));
    collation(copied, progress).await?;
    if let Some(left) = copied.target.finish().await? {
        progress.warn(left);
    }
    progress.send(Event::Done {
        database: options.target.database().to_owned(),
        rows: copied.report.tables.iter().map(|table| table.rows).sum(),
        ms: millis(copied.started.elapsed()),
    });
    Ok(())
}

/// Another version of the collation library sorts otherwise. Indexes were built here, so they are right; bounds of
/// partitions and constraints over text may not be.
async fn collation(copied: &mut Copied, progress: &Progress) -> Result<()> {
    let session = copied.target.loading.connect().await?;
    let there = crate::catalog::server(&session).await?.collation_version;
    let here = copied.catalog.server.collation_version.clone();
    if let (Some(here), Some(there)) = (here, there)
        && here != there
    {
        let finding = Finding {
            rule: "collation-version".to_owned(),
            subject: copied.catalog.server.collate.clone(),
            message: format!(
                "the source's collation is of version {here}, the target's of {there}: text may sort otherwise"
            ),
            warning: true,
        };
        progress.warn(finding.to_string());
        copied.report.warnings.push(finding);
    }
    Ok(())
}

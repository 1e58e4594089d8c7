//! The copy itself, step by step: plan, lock and snapshot, schema, rows, indexes, checks, name. Whatever fails, the
//! database under the `_loading` name is removed and the source's sessions are ended.

mod options;
mod rows;
mod run;
mod schema;
mod sequences;

use std::future::Future;

use masking::{Decisions, Problem, Severity};

use crate::catalog::Catalog;
use crate::claim::Made;
use crate::conn::Lane;
use crate::error::{Error, Finding, Result};
use crate::progress::{Phase, Progress};
use crate::report::Report;
use crate::snapshot::Snapshot;
use crate::target::Target;
pub use options::CopyOptions;

/// Copies a database. `cancel` ends it at any time.
///
/// # Errors
/// Every class of [`Error`]; before a row has moved [`Error::Refused`] and [`Error::Usage`].
pub async fn copy(
    options: &CopyOptions,
    progress: &Progress,
    cancel: impl Future<Output = ()>,
) -> Result<Report> {
    let application = format!("keelway-pgcopy {}", hex(&random::<6>()?));
    let lane = Lane::new(tokio::sync::Semaphore::new(1));
    let options = &CopyOptions { target: options.target.with_lane(&lane), ..options.clone() };
    let source = options.source.with_application(&application).with_lane(&lane);
    let made = Made::default();
    let outcome = {
        let mut work = Box::pin(run::run(options, &source, &application, progress, &made));
        let outcome = tokio::select! {
            outcome = work.as_mut() => Some(outcome),
            () = cancel => None,
            never = progress.tick() => match never {},
        };
        match outcome {
            Some(outcome) => outcome,
            // It is being given its name: what happens now is no longer ours to stop, and is told as it ends.
            None if made.is_naming() => work.await,
            None => Err(Error::Cancelled),
        }
    };
    if outcome.is_err() {
        Snapshot::end_sessions(&source, &application).await;
        if let Err(error) = Target::remove(&options.target, &made).await {
            progress.warn(format!(
                "what was loaded could not be removed, and bears the mark of an unfinished copy: {error}"
            ));
        }
    }
    outcome
}

/// What `--dry-run` prints; nothing is written and no lock is held afterwards.
///
/// # Errors
/// As [`copy`] before a row moves.
pub async fn dry_run(options: &CopyOptions) -> Result<String> {
    let source = options.source.connect().await?;
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    source.client.batch_execute(begin).await.map_err(|error| Error::database("planning", &error))?;
    let catalog = crate::catalog::load(&source).await?;
    let decisions = decide(options, &catalog)?;
    let filters = crate::subset::filters(&catalog, &options.policy.subset)?;
    let plans = crate::plan::tables(
        &catalog,
        &decisions,
        &|table| filters.get(&table.oid).cloned(),
        options.jobs,
        "…",
    )?;
    Ok(crate::plan::render(&plans, &decisions))
}

/// The policy against the catalog; row security and keys included.
///
/// # Errors
/// [`Error::Refused`] with every problem at once.
pub fn decide(options: &CopyOptions, catalog: &Catalog) -> Result<Decisions> {
    let decisions = masking::decide(&options.policy, &catalog.masking_schema())
        .map_err(|problems| Error::Refused(problems.iter().map(finding).collect()))?;
    let mut findings = row_security(catalog, &decisions);
    if decisions.needs_key() && options.key.is_none() {
        findings.push(Finding {
            rule: "no-key".to_owned(),
            subject: "--key".to_owned(),
            message: "masks of this policy need the master key; name its variable or file with --key"
                .to_owned(),
            warning: false,
        });
    }
    if findings.is_empty() { Ok(decisions) } else { Err(Error::Refused(findings)) }
}

/// Tables whose row security would hide rows from the role that reads them.
pub fn row_security(catalog: &Catalog, decisions: &Decisions) -> Vec<Finding> {
    let mut findings = Vec::new();
    for table in catalog.with_rows().filter(|table| table.row_security && !catalog.server.bypass_rls) {
        let truncated = decisions.table(&table.masking_name()).is_some_and(|decision| decision.truncate);
        if !truncated {
            findings.push(Finding {
                rule: "row-security".to_owned(),
                subject: table.title(),
                message: "row level security would hide rows from this role; give it BYPASSRLS, or say `truncate: true`"
                    .to_owned(),
                warning: false,
            });
        }
    }
    findings
}

/// A problem of the policy as a finding of the copy.
pub fn finding(problem: &Problem) -> Finding {
    let subject = match (&problem.table, &problem.column) {
        (Some(table), Some(column)) => format!("{table}.{column}"),
        (Some(table), None) => table.to_string(),
        _ => "policy".to_owned(),
    };
    let paste = problem.paste.as_ref().map(|line| format!("\n    {line}")).unwrap_or_default();
    Finding {
        rule: problem.code.name().to_owned(),
        subject,
        message: format!("{}{paste}", problem.why),
        warning: problem.severity == Severity::Warning,
    }
}

/// Bytes of the operating system's random source.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::Local(format!("no random bytes: {error}")))?;
    Ok(bytes)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Announces a phase and measures how long the one before took.
struct Clock<'a> {
    progress: &'a Progress,
    current: Option<(Phase, std::time::Instant)>,
    durations: Vec<(String, u64)>,
}

impl<'a> Clock<'a> {
    fn new(progress: &'a Progress) -> Self {
        Self { progress, current: None, durations: Vec::new() }
    }

    fn enter(&mut self, phase: Phase) {
        self.close();
        self.progress.phase(phase);
        self.current = Some((phase, std::time::Instant::now()));
    }

    fn close(&mut self) {
        if let Some((phase, since)) = self.current.take() {
            let name = serde_json::to_value(phase).ok().and_then(|v| v.as_str().map(str::to_owned));
            self.durations.push((name.unwrap_or_default(), millis(since.elapsed())));
        }
    }
}

/// Whole milliseconds.
pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

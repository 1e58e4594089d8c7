//! The tables' rows: jobs take tables from one queue, largest first; a table whose worker lost its connection starts
//! anew in the same snapshot.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use masking::{Decisions, Secrets, TableMasker, Wire};
use tokio::task::JoinSet;

use super::millis;
use crate::catalog::Oid;
use crate::conn::Session;
use crate::error::{Error, Result};
use crate::leak::Watch;
use crate::pipe::{self, Moved, Shared};
use crate::plan::TablePlan;
use crate::progress::Event;
use crate::target::Target;

/// How often one table may be started.
const ATTEMPTS: u32 = 3;

/// One table to be copied.
pub(super) struct Work {
    pub(super) plan: TablePlan,
    /// None if nothing of it is masked here.
    pub(super) masker: Option<TableMasker>,
    /// Looks for the source's values in what is sent.
    pub(super) watch: Option<Arc<Watch>>,
}

type Queue = Mutex<VecDeque<Work>>;

/// Builds the masks of every table; a mask that needs a key and has none refuses here, before a row moves.
pub(super) fn maskers(
    plans: &[TablePlan],
    decisions: &Decisions,
    secrets: &Secrets,
) -> Result<Vec<Option<TableMasker>>> {
    plans
        .iter()
        .map(|plan| {
            if !plan.masked || plan.truncate {
                return Ok(None);
            }
            let wire = if plan.binary { Wire::Binary } else { Wire::Text };
            TableMasker::new(decisions, &plan.name, wire, secrets)
                .map(Some)
                .map_err(|error| Error::Usage(error.to_string()))
        })
        .collect()
}

/// Copies every table; the result is by the source's table id.
pub(super) async fn copy(
    shared: &Shared,
    target: &Arc<Target>,
    tables: Vec<Work>,
    jobs: usize,
) -> Result<HashMap<Oid, Moved>> {
    let jobs = jobs.min(tables.len());
    let queue: Arc<Queue> = Arc::new(Mutex::new(tables.into()));
    let mut workers = JoinSet::new();
    for _ in 0..jobs {
        let (shared, target, queue) = (shared.clone(), Arc::clone(target), Arc::clone(&queue));
        workers.spawn(async move { work(&shared, &target, &queue).await });
    }
    let mut moved = HashMap::new();
    while let Some(done) = workers.join_next().await {
        moved.extend(done.map_err(|error| Error::Local(format!("a worker ended: {error}")))??);
    }
    Ok(moved)
}

async fn work(shared: &Shared, target: &Target, queue: &Queue) -> Result<Vec<(Oid, Moved)>> {
    let mut moved = Vec::new();
    let mut sessions: Option<(Session, Session)> = None;
    loop {
        let next = queue.lock().ok().and_then(|mut queue| queue.pop_front());
        let Some(table) = next else { return Ok(moved) };
        let plan = &table.plan;
        shared.progress.send(Event::TableStarted { table: plan.title.clone(), rows: plan.rows });
        let since = Instant::now();
        let mut attempt = 1;
        let done = loop {
            match once(shared, target, &table, &mut sessions).await {
                Ok(done) => break done,
                Err(error) => {
                    sessions = None;
                    if !error.is_transient() || attempt == ATTEMPTS {
                        return Err(error);
                    }
                    attempt += 1;
                    shared.progress.warn(format!("{}: {error}; starting it anew", plan.title));
                    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                }
            }
        };
        moved.push((plan.oid, done));
        let ms = millis(since.elapsed());
        let title = plan.title.clone();
        shared.progress.send(Event::TableDone { table: title, rows: done.rows, bytes: done.bytes, ms });
    }
}

/// Takes the worker's sessions (new ones after a failure) and puts them back only if the table is complete.
async fn once(
    shared: &Shared,
    target: &Target,
    table: &Work,
    sessions: &mut Option<(Session, Session)>,
) -> Result<Moved> {
    let (source, into) = match sessions.take() {
        Some(pair) => pair,
        None => (shared.snapshot.join().await?, target.session().await?),
    };
    let Work { plan, masker, watch } = table;
    let shaping = pipe::Shaping { masker: masker.as_ref(), watch: watch.as_ref() };
    let done = pipe::copy(shared, plan, shaping, &source, &into).await?;
    *sessions = Some((source, into));
    Ok(done)
}

//! A consistent view of the source: every table is locked first, then the snapshot is exported, then the catalog is
//! read again through it. A TRUNCATE, DROP or ALTER therefore waits for us; and if one waits too long, we give way.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::catalog::{self, Catalog, Table};
use crate::conn::{Endpoint, Session, set_snapshot};
use crate::error::{Context as _, Error, Result};

/// How considerate a copy is of its source.
#[derive(Clone, Debug)]
pub struct Courtesy {
    /// How long another session may wait for our locks before the copy ends.
    pub blocked: Duration,
    /// How long we wait for a table's lock before the copy ends.
    pub lock_timeout: Duration,
    /// How old the snapshot may grow; old snapshots keep VACUUM from cleaning.
    pub snapshot_age: Option<Duration>,
}

impl Default for Courtesy {
    fn default() -> Self {
        Self { blocked: Duration::from_secs(2), lock_timeout: Duration::from_secs(30), snapshot_age: None }
    }
}

/// An exported snapshot with the locks that protect it. Dropping it ends both.
pub struct Snapshot {
    /// The name by which workers join it.
    pub id: String,
    /// The catalog as the snapshot shows it.
    pub catalog: Catalog,
    /// When it was exported.
    pub taken: Instant,
    /// The same as wall-clock time.
    pub time: jiff::Timestamp,
    source: Endpoint,
    exporter: Session,
    locks: Session,
}

/// How often the catalog may change between planning and the last lock before we ask for a quieter moment.
const ATTEMPTS: usize = 5;

/// Locks per round trip.
const LOCKS: usize = 200;

impl Snapshot {
    /// Locks every table that `wanted` says, exports a snapshot and reads the catalog anew. If the catalog changed
    /// meanwhile, it starts over.
    ///
    /// # Errors
    /// [`Error::GaveWay`] if a lock cannot be had in time or the catalog keeps changing; [`Error::Database`].
    pub async fn take(
        source: &Endpoint,
        courtesy: &Courtesy,
        mut wanted: impl FnMut(&Catalog) -> Result<Vec<Table>>,
    ) -> Result<Self> {
        for _ in 0..ATTEMPTS {
            let locks = source.connect().await?;
            // Reading the catalog measures tables, which locks each for a moment.
            patience(&locks, courtesy).await?;
            let before = catalog::load(&locks).await.map_err(|error| too_busy(error, courtesy))?;
            let tables = wanted(&before)?;
            lock(&locks, &tables, courtesy).await?;
            let exporter = source.connect().await?;
            let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
            exporter.client.batch_execute(begin).await.context("beginning the snapshot")?;
            let row = exporter.client.query_one("SELECT pg_export_snapshot()", &[]).await;
            let id: String = row.context("exporting the snapshot")?.get(0);
            let (taken, time) = (Instant::now(), jiff::Timestamp::now());
            let after = catalog::load(&exporter).await?;
            if after.shape() == before.shape() {
                return Ok(Self { id, catalog: after, taken, time, source: source.clone(), exporter, locks });
            }
        }
        Err(Error::GaveWay(
            "tables kept changing while the copy locked them; run it when no migration is running".to_owned(),
        ))
    }

    /// A new session that sees this snapshot.
    ///
    /// # Errors
    /// [`Error::Database`] if the server refuses or the exporter is gone.
    pub async fn join(&self) -> Result<Session> {
        let session = self.source.connect().await?;
        let begin = format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {}", set_snapshot(&self.id));
        session.client.batch_execute(&begin).await.context("joining the snapshot")?;
        Ok(session)
    }

    /// The session that holds the snapshot, for single queries.
    pub fn session(&self) -> &Session {
        &self.exporter
    }

    /// The source with the name under which this copy's sessions run.
    pub fn source(&self) -> &Endpoint {
        &self.source
    }

    /// Waits until this copy has to end: somebody waits for our locks, or the snapshot grew too old, or the session
    /// that holds it is gone.
    pub async fn disturbed(&self, courtesy: &Courtesy, application: &str) -> Error {
        tokio::select! {
            error = self.ended(courtesy) => error,
            error = blocking(&self.source, courtesy, application) => error,
        }
    }

    async fn ended(&self, courtesy: &Courtesy) -> Error {
        loop {
            tokio::time::sleep(pause(courtesy)).await;
            if let Some(limit) = courtesy.snapshot_age.filter(|limit| self.taken.elapsed() > *limit) {
                return Error::GaveWay(format!(
                    "the snapshot is older than --max-snapshot-age ({} s); raise it, use more --jobs, or copy a subset",
                    limit.as_secs()
                ));
            }
            if self.exporter.client.is_closed() || self.locks.client.is_closed() {
                let ended = "the session that held the snapshot was ended; start again";
                return self.explain(Error::GaveWay(ended.to_owned()));
            }
        }
    }

    /// Says what to do about a standby that ended our queries for the sake of its primary's changes. It ends the session
    /// that holds the snapshot too, and then nothing can be tried again.
    pub fn explain(&self, error: Error) -> Error {
        let lost = self.exporter.client.is_closed() || self.locks.client.is_closed();
        if !self.catalog.server.standby || !(lost || error.is_code("40001")) {
            return error;
        }
        Error::GaveWay(format!(
            "the standby ended the copy's sessions to apply changes of its primary ({error}); set hot_standby_feedback = on \
             there, raise its max_standby_streaming_delay above the duration of a copy, or copy from the primary"
        ))
    }

    /// Ends what this copy still runs on the source, for example a sort that would not notice a closed socket.
    pub async fn end_sessions(source: &Endpoint, application: &str) {
        if let Ok(session) = source.with_application("keelway-pgcopy end").connect().await {
            let statement =
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1";
            // What is gone already needs no ending.
            let _ = session.client.query(statement, &[&application]).await;
        }
    }
}

/// How often it is looked whether somebody waits.
fn pause(courtesy: &Courtesy) -> Duration {
    Duration::from_millis(250).min(courtesy.blocked / 4)
}

/// Waits until somebody has waited too long for a lock of this copy's sessions.
pub async fn blocking(source: &Endpoint, courtesy: &Courtesy, application: &str) -> Error {
    let mut waiting: HashMap<i32, Instant> = HashMap::new();
    let mut watcher = None;
    loop {
        tokio::time::sleep(pause(courtesy)).await;
        if watcher.is_none() {
            watcher = source.connect().await.ok();
        }
        let Some(session) = &watcher else { continue };
        match blocked(session, application).await {
            Ok(now) => {
                if let Some(error) = too_long(&mut waiting, &now, courtesy.blocked) {
                    return error;
                }
            }
            Err(_) => watcher = None,
        }
    }
}

/// Plans a query that reads no row: that takes ACCESS SHARE and asks for no more than the right to read `ctid`.
async fn lock(session: &Session, tables: &[Table], courtesy: &Courtesy) -> Result<()> {
    session
        .client
        .batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        .await
        .context("beginning to lock")?;
    for chunk in tables.chunks(LOCKS) {
        let statements: Vec<String> =
            chunk.iter().map(|t| format!("EXPLAIN SELECT ctid FROM ONLY {}", t.sql())).collect();
        let done = session.client.simple_query(&statements.join("; ")).await;
        done.context("locking the tables").map_err(|error| too_busy(error, courtesy))?;
    }
    Ok(())
}

async fn patience(session: &Session, courtesy: &Courtesy) -> Result<()> {
    let statement = format!("SET lock_timeout = {}", courtesy.lock_timeout.as_millis().clamp(1, 86_400_000));
    session.client.batch_execute(&statement).await.context("setting the lock's time-out")
}

/// lock_not_available is no failure of ours: another session changes the table.
fn too_busy(error: Error, courtesy: &Courtesy) -> Error {
    if error.is_code("55P03") {
        let seconds = courtesy.lock_timeout.as_secs_f64();
        Error::GaveWay(format!(
            "a table's lock could not be had within {seconds} s; another session changes it"
        ))
    } else {
        error
    }
}

/// A session that waits for us.
struct Waiter {
    pid: i32,
    what: String,
}

async fn blocked(session: &Session, application: &str) -> Result<Vec<Waiter>> {
    let statement = "SELECT DISTINCT ON (l.pid) l.pid, coalesce(l.relation::regclass::text, l.locktype) || ' (' || l.mode \
        || coalesce(', by ' || a.usename, '') || ')' FROM pg_locks l \
        LEFT JOIN pg_stat_activity a ON a.pid = l.pid WHERE NOT l.granted \
        AND pg_blocking_pids(l.pid) && ARRAY(SELECT o.pid FROM pg_stat_activity o WHERE o.application_name = $1) \
        AND NOT l.pid = ANY (ARRAY(SELECT o.pid FROM pg_stat_activity o WHERE o.application_name = $1))";
    let rows = session.client.query(statement, &[&application]).await.context("asking who waits for us")?;
    Ok(rows.iter().map(|row| Waiter { pid: row.get(0), what: row.get(1) }).collect())
}

fn too_long(waiting: &mut HashMap<i32, Instant>, now: &[Waiter], limit: Duration) -> Option<Error> {
    waiting.retain(|pid, _| now.iter().any(|waiter| waiter.pid == *pid));
    for waiter in now {
        let since = waiting.entry(waiter.pid).or_insert_with(Instant::now);
        if since.elapsed() >= limit {
            return Some(Error::GaveWay(format!(
                "gave way: session {} waited {:.1} s for our lock on {}; start again when it is done",
                waiter.pid,
                since.elapsed().as_secs_f64(),
                waiter.what
            )));
        }
    }
    None
}

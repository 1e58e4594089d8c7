//! What comes after the data: indexes and keys in parallel, foreign keys after them, the rest in the dump's order. Two
//! statements that would wait for each other's locks never run at once.

mod references;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::error::{Context as _, Error, Result};
use crate::progress::{Event, Progress};
use crate::schema::{Kind, Lock, Statement};
use crate::target::Target;
use references::Indexed;

/// Statements that wait and that run.
#[derive(Debug, Default)]
struct Board {
    waiting: VecDeque<Statement>,
    running: Vec<(Lock, Vec<String>)>,
    jobs: usize,
    failed: bool,
}

/// What a worker finds on the board.
enum Next {
    /// A statement, and whether there is as much to do as there are jobs: then each gets one process, for several per
    /// index cost more than they give.
    Run(Box<Statement>, bool),
    Wait,
    Done,
}

impl Board {
    /// The first statement that conflicts with nothing that runs.
    fn next(&mut self) -> Next {
        if self.waiting.is_empty() || self.failed {
            return Next::Done;
        }
        let free = |statement: &Statement| {
            self.running.iter().all(|(lock, tables)| {
                let apart = statement.tables.iter().all(|table| !tables.contains(table));
                let shared = statement.lock == Lock::Shared && *lock == Lock::Shared;
                statement.lock != Lock::Everything && *lock != Lock::Everything && (apart || shared)
            })
        };
        match self.waiting.iter().position(free).and_then(|at| self.waiting.remove(at)) {
            Some(statement) => {
                self.running.push((statement.lock, statement.tables.clone()));
                let busy = self.jobs > 1 && self.running.len() + self.waiting.len() >= self.jobs;
                Next::Run(Box::new(statement), busy)
            }
            None => Next::Wait,
        }
    }

    fn done(&mut self, statement: &Statement, good: bool) {
        let this = (statement.lock, statement.tables.clone());
        if let Some(at) = self.running.iter().position(|running| *running == this) {
            self.running.swap_remove(at);
        }
        self.failed |= !good;
    }
}

/// The order of the phases after the data. Partitioned indexes are attached when both ends exist; a materialised view
/// may read anything; triggers, rules and policies come last, so that nothing fires.
fn rank(kind: Kind) -> u8 {
    match kind {
        Kind::Index | Kind::Key => 0,
        Kind::Attach => 1,
        Kind::ForeignKey | Kind::Check => 2,
        _ => 3,
    }
}

/// Runs the statements of the last phase; `sizes` (bytes by table) decide which of a rank begin first.
///
/// # Errors
/// The first statement's [`Error::Database`].
pub(crate) async fn run(
    target: &Arc<Target>,
    statements: Vec<Statement>,
    sizes: &HashMap<String, u64>,
    jobs: usize,
    progress: &Progress,
) -> Result<()> {
    for wanted in 0..=2 {
        let mut batch: Vec<Statement> =
            statements.iter().filter(|s| rank(s.kind) == wanted).cloned().collect();
        batch.sort_by_key(|s| {
            std::cmp::Reverse(
                s.tables.iter().filter_map(|table| sizes.get(table)).max().copied().unwrap_or(0),
            )
        });
        let indexed = if wanted == rank(Kind::ForeignKey) && !batch.is_empty() {
            Indexed::read(&target.session().await?).await?
        } else {
            Indexed::default()
        };
        parallel(target, batch, indexed, jobs, progress).await?;
    }
    let session = target.session().await?;
    for statement in statements.iter().filter(|s| rank(s.kind) == 3) {
        announce(progress, statement);
        session.client.batch_execute(&statement.sql).await.context(describe(statement))?;
    }
    Ok(())
}

async fn parallel(
    target: &Arc<Target>,
    batch: Vec<Statement>,
    indexed: Indexed,
    jobs: usize,
    progress: &Progress,
) -> Result<()> {
    let workers_wanted = jobs.min(batch.len());
    let board = Arc::new(Mutex::new(Board { waiting: batch.into(), jobs, ..Board::default() }));
    let changed = Arc::new(Notify::new());
    let indexed = Arc::new(indexed);
    let mut workers = JoinSet::new();
    for _ in 0..workers_wanted {
        let (target, board, changed) = (Arc::clone(target), Arc::clone(&board), Arc::clone(&changed));
        let (indexed, progress) = (Arc::clone(&indexed), progress.clone());
        workers.spawn(async move { work(&target, &board, &changed, &indexed, &progress).await });
    }
    while let Some(done) = workers.join_next().await {
        done.map_err(|error| Error::Local(format!("a worker ended: {error}")))??;
    }
    Ok(())
}

async fn work(
    target: &Target,
    board: &Mutex<Board>,
    changed: &Notify,
    indexed: &Indexed,
    progress: &Progress,
) -> Result<()> {
    let session = target.session().await?;
    loop {
        let notified = changed.notified();
        let next = board.lock().map_or(Next::Done, |mut board| board.next());
        let (statement, busy) = match next {
            Next::Run(statement, busy) => (statement, busy),
            Next::Wait => {
                // The time-out covers a worker that ended between our look and its notice.
                let _ = tokio::time::timeout(std::time::Duration::from_millis(200), notified).await;
                continue;
            }
            Next::Done => return Ok(()),
        };
        announce(progress, &statement);
        let processes = if busy { "0" } else { "DEFAULT" };
        let hash = if indexed.ordered(&statement) { "off" } else { "on" };
        let sql = format!(
            "SET max_parallel_maintenance_workers = {processes}; SET enable_hashjoin = {hash}; {}",
            statement.sql
        );
        let done = session.client.batch_execute(&sql).await.context(describe(&statement));
        if let Ok(mut board) = board.lock() {
            board.done(&statement, done.is_ok());
        }
        changed.notify_waiters();
        done?;
    }
}

fn announce(progress: &Progress, statement: &Statement) {
    progress.send(Event::Statement { what: describe(statement) });
}

fn describe(statement: &Statement) -> String {
    let of = statement.tables.first().or(statement.subject.as_ref());
    format!("{} {}", statement.kind.title(), of.map_or("", String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::classify;

    #[test]
    fn indexes_of_a_table_run_together_but_keys_wait() {
        let statements = [
            "CREATE INDEX a ON s.t (x)",
            "CREATE INDEX b ON s.t (y)",
            "ALTER TABLE s.t ADD CONSTRAINT k PRIMARY KEY (x)",
            "CREATE INDEX c ON s.u (y)",
        ];
        let mut board =
            Board { waiting: statements.iter().map(|sql| classify(sql)).collect(), ..Board::default() };
        let mut run = || match board.next() {
            Next::Run(statement, _) => Some(statement.sql),
            _ => None,
        };
        assert_eq!(run().as_deref(), Some(statements[0]));
        assert_eq!(run().as_deref(), Some(statements[1]));
        assert_eq!(run().as_deref(), Some(statements[3]));
        assert_eq!(run(), None);
        board.done(&classify(statements[0]), true);
        board.done(&classify(statements[1]), true);
        assert!(matches!(board.next(), Next::Run(statement, _) if statement.sql == statements[2]));
    }
}

//! Reads the routes file again when it has changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::file;
use crate::table::{self, Table};

/// How often the file is looked at. Two looks that show the same are needed, so a file that is being written is not read
/// half done.
pub const LOOK: Duration = Duration::from_millis(100);

/// Reads the file for the first time and makes it the table.
///
/// # Errors
/// When the file cannot be read or is wrong.
pub fn first(file: &Path, tables: &ArcSwap<Table>) -> Result<(), file::FileError> {
    exchange(file::read(file)?, tables);
    Ok(())
}

/// Follows the file until the router stops. A file that is wrong is told of once, and the table before it stays.
pub async fn follow(file: PathBuf, tables: Arc<ArcSwap<Table>>, mut stop: watch::Receiver<bool>) {
    let mut used = stamp(&file);
    let mut seen = used;
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let now = stamp(&file);
        if now != used && now == seen {
            used = now;
            match file::read(&file) {
                Ok(routes) => exchange(routes, &tables),
                Err(error) => tell(&format!("the routes before stay in force: {error}")),
            }
        }
        seen = now;
    }
}

/// Makes these routes the table, and tells who does not get what they ask for.
pub fn exchange(routes: Vec<crate::route::Route>, tables: &ArcSwap<Table>) {
    let (count, before) = (routes.len(), tables.load());
    let table = Table::new(routes, &before);
    for c in table.conflicts.iter().filter(|c| !before.conflicts.contains(c)) {
        tell(&format!(
            "{} {} goes to {}, which is older; {} does not get it",
            c.host, c.path, c.winner, c.loser
        ));
    }
    if count != before.routes().len() || count == 0 {
        tell(&format!("{count} routes are in force"));
    }
    table::publish(tables, table);
}

/// A line for people, apart from the requests'.
#[allow(clippy::print_stderr, reason = "the program's own log")]
pub(crate) fn tell(words: &str) {
    eprintln!("keelway-router: {words}");
}

fn stamp(file: &Path) -> Option<(SystemTime, u64)> {
    let meta = std::fs::metadata(file).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

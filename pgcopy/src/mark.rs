//! The mark that a copy leaves on its database, as the database's comment: what it is, where it came from, and whether
//! it is finished. Nothing without a mark is ever overwritten or dropped.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::conn::Session;
use crate::error::{Context as _, Error, Result};
use crate::sql::{ident, literal};

/// The limit of connections that a clone has until it bears its mark, beside being closed to all: CREATE DATABASE sets both
/// together, so that even a clone whose maker was killed in the middle is known by them.
pub(crate) const UNFINISHED: i32 = 1_720_613;

/// How long sessions that this role may not end may take to leave by themselves.
const LEAVING: Duration = Duration::from_secs(5);

/// Text that begins every mark.
const PREFIX: &str = "keelway-pgcopy ";

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Rows are still arriving, or the copy failed.
    Loading,
    /// Complete and checked.
    Finished,
    /// A finished copy that is being replaced.
    Replaced,
}

/// The mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// State.
    pub state: State,
    /// The source's database.
    pub source: String,
    /// When the snapshot was taken (of a clone: when its template's was).
    pub time: jiff::Timestamp,
    /// SHA-256 of the policy, hexadecimal.
    pub policy: String,
    /// The template that a clone was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

impl Mark {
    /// Reads a database's comment; `None` if it is no mark.
    pub fn parse(comment: &str) -> Option<Self> {
        serde_json::from_str(comment.strip_prefix(PREFIX)?).ok()
    }

    /// The statement that puts the mark on a database.
    ///
    /// # Errors
    /// [`Error::Local`] if the mark cannot be written as JSON, which no mark causes.
    pub fn statement(&self, database: &str) -> Result<String> {
        let json = serde_json::to_string(self).map_err(|error| Error::Local(error.to_string()))?;
        Ok(format!("COMMENT ON DATABASE {} IS {}", ident(database), literal(&format!("{PREFIX}{json}"))))
    }

    /// The same in another state.
    #[must_use]
    pub fn with(&self, state: State) -> Self {
        Self { state, ..self.clone() }
    }
}

/// A database of a server and its mark.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its id.
    pub oid: u32,
    /// Its mark, if it bears one.
    pub mark: Option<Mark>,
    /// Whether it is a clone that was never finished: closed, with the limit of connections that only we give.
    pub unfinished: bool,
    /// Sessions that are connected to it.
    pub sessions: i64,
}

impl Found {
    /// Whether it bears our mark, or is a clone that was to bear it.
    pub fn is_ours(&self) -> bool {
        self.mark.is_some() || self.unfinished
    }
}

/// Looks a database up by name.
///
/// # Errors
/// [`Error::Database`].
pub async fn find(admin: &Session, database: &str) -> Result<Option<Found>> {
    let statement = "SELECT d.oid::int8, shobj_description(d.oid, 'pg_database'), \
        (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid AND a.pid <> pg_backend_pid()), \
        NOT d.datallowconn AND d.datconnlimit = $2 FROM pg_database d WHERE d.datname = $1";
    let row = admin
        .client
        .query_opt(statement, &[&database, &UNFINISHED])
        .await
        .context("looking the database up")?;
    Ok(row.map(|row| Found {
        oid: u32::try_from(row.get::<_, i64>(0)).unwrap_or_default(),
        mark: row.get::<_, Option<String>>(1).as_deref().and_then(Mark::parse),
        sessions: row.get(2),
        unfinished: row.get(3),
    }))
}

/// Drops a database that bears our mark, or a clone that was never finished; anything else is refused.
///
/// # Errors
/// [`Error::Usage`] if the database does not exist or bears no mark, [`Error::Database`].
pub async fn drop_marked(admin: &Session, database: &str, end_sessions: bool) -> Result<()> {
    let found = find(admin, database)
        .await?
        .ok_or_else(|| Error::Usage(format!("there is no database {database}; nothing was dropped")))?;
    if !found.is_ours() {
        return Err(Error::Usage(format!(
            "database {database} does not bear the mark of keelway-pgcopy, so it is not ours to drop"
        )));
    }
    if found.sessions > 0 && !end_sessions {
        return Err(Error::GaveWay(format!(
            "{} session(s) use database {database}; end them, or say --end-sessions",
            found.sessions
        )));
    }
    let force = if end_sessions { " WITH (FORCE)" } else { "" };
    let statement = format!("DROP DATABASE IF EXISTS {}{force}", ident(database));
    let until = Instant::now() + LEAVING;
    loop {
        let done = admin.client.batch_execute(&statement).await.context(format!("dropping {database}"));
        match done {
            // insufficient_privilege of the owner: one of the sessions is of a role above this one.
            Err(error) if error.is_code("42501") && end_sessions && owns(admin, database).await? => {
                if Instant::now() >= until {
                    return Err(Error::GaveWay(format!(
                        "{error}: sessions on database {database} are of a role that this one may not end; end them, or \
                         grant this role pg_signal_backend (a superuser's have to be ended by a superuser)"
                    )));
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other => return other,
        }
    }
}

/// Whether this role owns a database, or is a member of who does.
async fn owns(admin: &Session, database: &str) -> Result<bool> {
    let statement = "SELECT pg_has_role(datdba, 'MEMBER') FROM pg_database WHERE datname = $1";
    let row =
        admin.client.query_opt(statement, &[&database]).await.context("looking whose the database is")?;
    Ok(row.is_some_and(|row| row.get(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_and_other_comments_are_none() {
        let mark = Mark {
            state: State::Finished,
            source: "it's".into(),
            time: jiff::Timestamp::UNIX_EPOCH,
            policy: "ab".into(),
            template: None,
        };
        let statement = mark.statement("d\"b").unwrap();
        assert!(statement.starts_with("COMMENT ON DATABASE \"d\"\"b\" IS 'keelway-pgcopy {"), "{statement}");
        let json = serde_json::to_string(&mark).unwrap();
        assert_eq!(Mark::parse(&format!("keelway-pgcopy {json}")), Some(mark));
        assert_eq!(Mark::parse("production"), None);
        assert_eq!(Mark::parse("keelway-pgcopy {}"), None);
    }
}

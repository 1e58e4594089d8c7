//! Whose the target is while it is made: one copy at a time, and only what that copy made is cleared away after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::conn::{Endpoint, Session};
use crate::error::{Context as _, Error, Result};

/// What a copy has made so far, for whoever has to clear up after it.
#[derive(Clone, Default)]
pub struct Made {
    /// The id of the database under the `_loading` name; 0 as long as there is none.
    database: Arc<AtomicU32>,
    /// Whether the finished copy is being given its name.
    naming: Arc<AtomicBool>,
    /// Held while the database is made and its id is not known yet.
    making: Arc<Mutex<()>>,
}

impl Made {
    /// The id of the database that is being loaded; 0 if there is none.
    pub fn database(&self) -> u32 {
        self.database.load(Ordering::SeqCst)
    }

    pub(crate) fn database_is(&self, oid: u32) {
        self.database.store(oid, Ordering::SeqCst);
    }

    /// Whoever holds it makes the database; who has to clear up waits here until it is known what was made.
    pub(crate) async fn making(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.making).lock_owned().await
    }

    pub(crate) fn naming(&self, now: bool) {
        self.naming.store(now, Ordering::SeqCst);
    }

    /// Whether the copy can no longer be cancelled, because it is being given its name.
    pub fn is_naming(&self) -> bool {
        self.naming.load(Ordering::SeqCst)
    }
}

/// That no other copy to this name is under way on this server. The lock lives as long as the session.
pub(crate) async fn alone(admin: &Session, name: &str) -> Result<()> {
    let statement = "SELECT pg_try_advisory_lock(hashtext('keelway-pgcopy'), hashtext($1))";
    let row = admin.client.query_one(statement, &[&name]).await.context("asking for the target")?;
    if row.get(0) {
        return Ok(());
    }
    Err(Error::GaveWay(format!("another copy to {name} is under way; wait for it or end it")))
}

/// That sessions on what will be replaced can be ended: better said now than after hours of copying.
pub(crate) async fn may_end_sessions(admin: &Session, name: &str) -> Result<()> {
    let statement = "SELECT string_agg(DISTINCT usename, ', ') FROM pg_stat_activity WHERE datname = $1 \
        AND NOT pg_has_role(usesysid, 'MEMBER') AND (NOT pg_has_role('pg_signal_backend', 'MEMBER') \
          OR (SELECT s.rolsuper AND NOT u.rolsuper FROM pg_roles s, pg_roles u WHERE s.oid = usesysid AND u.rolname = current_user))";
    let row = admin.client.query_one(statement, &[&name]).await.context("looking who uses the target")?;
    match row.get::<_, Option<String>>(0) {
        None => Ok(()),
        Some(users) => Err(Error::GaveWay(format!(
            "sessions of {users} use database {name}, and this role may not end them when the copy takes its place; \
             end them, or grant it pg_signal_backend (which does not reach a superuser's)"
        ))),
    }
}

/// Whether a database holds nothing of a user's.
pub(crate) async fn empty(database: &Endpoint) -> Result<bool> {
    let session = database.connect().await?;
    let statement = "SELECT NOT EXISTS (SELECT FROM pg_class WHERE oid >= 16384) \
        AND NOT EXISTS (SELECT FROM pg_proc WHERE oid >= 16384) AND NOT EXISTS (SELECT FROM pg_type WHERE oid >= 16384) \
        AND NOT EXISTS (SELECT FROM pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_(toast_)?temp_')";
    let row =
        session.client.query_one(statement, &[]).await.context("looking whether the target is empty")?;
    Ok(row.get(0))
}

//! The database that is being made: created beside the target under another name, marked, closed to applications, and
//! renamed when everything in it has been checked.

use std::fmt::Write as _;

use crate::catalog::{self, Server};
use crate::conn::{Endpoint, Session};
use crate::error::{Context as _, Error, Finding, Result};
use crate::mark::{self, Mark, State};
use crate::sql::{ident, literal};

/// Follows the target's name while it loads.
const SUFFIX: &str = "_loading";

/// Names of databases have at most 63 bytes.
const LONGEST: usize = 63 - SUFFIX.len();

/// A target that may be written.
pub struct Target {
    /// A session on the server's maintenance database.
    pub admin: Session,
    /// The endpoint of the database that is being loaded.
    pub loading: Endpoint,
    name: String,
    mark: Mark,
}

/// Connects to a database of the server that always exists.
///
/// # Errors
/// [`Error::Database`] if neither `postgres` nor `template1` lets us in.
pub async fn admin(target: &Endpoint) -> Result<Session> {
    match target.with_database("postgres").connect().await {
        Ok(session) => Ok(session),
        Err(_) => target.with_database("template1").connect().await,
    }
}

impl Target {
    /// Checks that the target may be written: it does not exist, is empty, or bears our mark; it is not the source; the
    /// server is not older; the role is no superuser unless allowed. Nothing is changed.
    ///
    /// # Errors
    /// [`Error::Usage`], [`Error::Refused`], [`Error::GaveWay`] if another copy loads right now.
    pub async fn check(target: &Endpoint, source: &Server, mark: Mark, superuser: bool) -> Result<Self> {
        let name = target.database().to_owned();
        if name.is_empty() || name.len() > LONGEST {
            return Err(Error::Usage(format!("the target's name must have 1 to {LONGEST} bytes: `{name}`")));
        }
        let admin = admin(target).await?;
        let server = catalog::server(&admin).await?;
        if server.major() < source.major() {
            return Err(Error::Usage(format!(
                "the target is Postgres {}, older than the source's {}; copy to the same version or a newer one",
                server.major(),
                source.major()
            )));
        }
        if server.superuser && !superuser {
            return Err(Error::Refused(vec![Finding {
                rule: "target-superuser".to_owned(),
                subject: target.user().to_owned(),
                message: "functions of the copied schema would run with a superuser's rights; give the target a role \
                    with CREATEDB alone, or say --allow-superuser"
                    .to_owned(),
                warning: false,
            }]));
        }
        let loading = format!("{name}{SUFFIX}");
        for database in [&name, &loading] {
            if let Some(found) = mark::find(&admin, database).await? {
                let same = server.system_id == source.system_id && found.oid == source.database_oid;
                if same {
                    return Err(Error::Usage(format!(
                        "database {database} is the source itself; nothing was written"
                    )));
                }
                if found.mark.is_none() && !empty(&target.with_database(database)).await? {
                    return Err(Error::Usage(format!(
                        "database {database} is neither empty nor a copy of ours; drop it yourself or give another name"
                    )));
                }
                if database == &loading && found.sessions > 0 {
                    return Err(Error::GaveWay(format!(
                        "another copy is loading {database}; wait for it or end it"
                    )));
                }
            }
        }
        Ok(Self { admin, loading: target.with_database(&loading), name, mark })
    }

    /// Makes the empty database, marked and closed.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn create(&self, source: &Server) -> Result<()> {
        let loading = self.loading.database();
        let run = async |statement: String| {
            self.admin.client.batch_execute(&statement).await.context(format!("creating database {loading}"))
        };
        run(format!("DROP DATABASE IF EXISTS {}", ident(loading))).await?;
        run(format!("CREATE DATABASE {} TEMPLATE template0{}", ident(loading), locale(source))).await?;
        run(self.mark.with(State::Loading).statement(loading)?).await?;
        run(format!("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC", ident(loading))).await
    }

    /// A session for loading: nothing waits for the disk, indexes get memory, functions are not checked.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn session(&self) -> Result<Session> {
        let session = self.loading.connect().await?;
        let settings = "SET synchronous_commit = off; SET check_function_bodies = off; \
            SET maintenance_work_mem = '256MB'; SET client_min_messages = warning";
        session.client.batch_execute(settings).await.context("preparing to load")?;
        Ok(session)
    }

    /// Applies the settings that the source's database has. Custom ones (with a dot) may hold secrets and stay behind.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn settings(&self, settings: &[String]) -> Result<Vec<String>> {
        let mut left = Vec::new();
        for (key, value) in settings.iter().filter_map(|setting| setting.split_once('=')) {
            let list = matches!(key, "search_path" | "DateStyle" | "temp_tablespaces");
            let value = if list { value.to_owned() } else { literal(value) };
            let database = ident(self.loading.database());
            let statement = format!("ALTER DATABASE {database} SET {} TO {value}", ident(key));
            if key.contains('.') || self.admin.client.batch_execute(&statement).await.is_err() {
                left.push(key.to_owned());
            }
        }
        Ok(left)
    }

    /// Gives the finished copy its name, in place of the copy or the empty database that had it.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn finish(&self) -> Result<()> {
        let (name, loading) = (ident(&self.name), ident(self.loading.database()));
        let old = format!("{}_replaced", self.name);
        let exists = mark::find(&self.admin, &self.name).await?.is_some();
        let mut statements = vec!["BEGIN".to_owned()];
        if exists {
            self.clear(&old).await?;
            let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1";
            let end = if self.version().await? >= 14 { end } else { &end.replace(", 5000", "") };
            self.admin.client.query(end, &[&self.name]).await.context("ending sessions on the old copy")?;
            statements.push(self.mark.with(State::Replaced).statement(&self.name)?);
            statements.push(format!("ALTER DATABASE {name} RENAME TO {}", ident(&old)));
        }
        statements.push(self.mark.with(State::Finished).statement(self.loading.database())?);
        statements.push(format!("ALTER DATABASE {loading} RENAME TO {name}"));
        statements.push(format!("GRANT CONNECT, TEMPORARY ON DATABASE {name} TO PUBLIC"));
        statements.push("COMMIT".to_owned());
        let done = self.admin.client.batch_execute(&statements.join("; ")).await;
        if done.is_err() {
            let _ = self.admin.client.batch_execute("ROLLBACK").await;
        }
        done.context(format!("renaming the finished copy to {}", self.name))?;
        self.clear(&old).await
    }

    async fn version(&self) -> Result<u32> {
        Ok(catalog::server(&self.admin).await?.major())
    }

    async fn clear(&self, database: &str) -> Result<()> {
        match mark::find(&self.admin, database).await? {
            Some(_) => mark::drop_marked(&self.admin, database, true).await,
            None => Ok(()),
        }
    }

    /// Removes what a failed copy left. The session is a new one, because the failure may have been this one's.
    pub async fn remove(target: &Endpoint) {
        let loading = format!("{}{SUFFIX}", target.database());
        if let Ok(session) = admin(target).await {
            // If the server is gone the mark stays `loading`, which no clone and no rename accepts.
            let _ = mark::drop_marked(&session, &loading, true).await;
        }
    }
}

/// The source's encoding and collation, for CREATE DATABASE.
fn locale(source: &Server) -> String {
    let mut text = format!(
        " ENCODING {} LC_COLLATE {} LC_CTYPE {}",
        literal(&source.encoding),
        literal(&source.collate),
        literal(&source.ctype)
    );
    if let (provider @ ("i" | "b"), Some(locale)) = (source.provider.as_str(), &source.locale) {
        let (name, option) =
            if provider == "i" { ("icu", "ICU_LOCALE") } else { ("builtin", "BUILTIN_LOCALE") };
        let _ = write!(text, " LOCALE_PROVIDER {name} {option} {}", literal(locale));
    }
    text
}

/// Whether a database holds nothing of a user's.
async fn empty(database: &Endpoint) -> Result<bool> {
    let session = database.connect().await?;
    let statement = "SELECT NOT EXISTS (SELECT FROM pg_class WHERE oid >= 16384) \
        AND NOT EXISTS (SELECT FROM pg_proc WHERE oid >= 16384) AND NOT EXISTS (SELECT FROM pg_type WHERE oid >= 16384) \
        AND NOT EXISTS (SELECT FROM pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_(toast_)?temp_')";
    let row =
        session.client.query_one(statement, &[]).await.context("looking whether the target is empty")?;
    Ok(row.get(0))
}

//! The database that is being made: created beside the target under another name, marked, closed to applications, and
//! renamed when everything in it has been checked.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::catalog::{self, Server};
use crate::claim::{Made, alone, empty, may_end_sessions};
use crate::conn::{Endpoint, Session};
use crate::error::{Context as _, Error, Finding, Result};
use crate::mark::{self, Mark, State};
use crate::sql::{ident, literal};

/// Follows the target's name while it loads.
const SUFFIX: &str = "_loading";

/// Follows the name of what the finished copy takes the place of, until that is dropped.
const REPLACED: &str = "_replaced";

/// Names of databases have at most 63 bytes.
const LONGEST: usize = 63 - REPLACED.len();

/// A target that may be written.
pub struct Target {
    /// A session on the server's maintenance database.
    pub admin: Session,
    /// The endpoint of the database that is being loaded.
    pub loading: Endpoint,
    name: String,
    mark: Mark,
    made: Made,
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
    pub async fn check(
        target: &Endpoint,
        source: &Server,
        mark: Mark,
        superuser: bool,
        made: Made,
    ) -> Result<Self> {
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
            return Err(too_mighty(target.user()));
        }
        alone(&admin, &name).await?;
        let (loading, replaced) = (format!("{name}{SUFFIX}"), format!("{name}{REPLACED}"));
        for database in [&name, &loading, &replaced] {
            if let Some(found) = mark::find(&admin, database).await? {
                let finished = found.mark.as_ref().is_some_and(|mark| mark.state == State::Finished);
                if database != &name && finished {
                    return Err(Error::Usage(format!(
                        "database {database} is a finished copy, and its name is needed while {name} is made; rename \
                         it, or give another name"
                    )));
                }
                let same = server.system_id == source.system_id && found.oid == source.database_oid;
                if same {
                    return Err(Error::Usage(format!(
                        "database {database} is the source itself; nothing was written"
                    )));
                }
                if !found.is_ours() && !empty(&target.with_database(database)).await? {
                    return Err(Error::Usage(format!(
                        "database {database} is neither empty nor a copy of ours; drop it yourself or give another name"
                    )));
                }
                if database == &loading && found.sessions > 0 {
                    return Err(Error::GaveWay(format!(
                        "sessions use {database}, which an earlier copy left; end them and start again"
                    )));
                }
            }
        }
        may_end_sessions(&admin, &name).await?;
        Ok(Self { admin, loading: target.with_database(&loading), name, mark, made })
    }

    /// Makes the empty database, marked and closed. It goes on when the copy is cancelled meanwhile: the server would end
    /// what it has begun all the same, and nobody would know that it is ours.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn create(self: &Arc<Self>, source: &Server) -> Result<()> {
        let (target, source, making) = (Arc::clone(self), source.clone(), self.made.making().await);
        let task = tokio::spawn(async move {
            let done = target.make(&source).await;
            drop(making);
            done
        });
        task.await.map_err(|error| Error::Local(error.to_string()))?
    }

    async fn make(&self, source: &Server) -> Result<()> {
        let loading = self.loading.database();
        let run = async |statement: String| {
            self.admin.client.batch_execute(&statement).await.context(format!("creating database {loading}"))
        };
        run(format!("DROP DATABASE IF EXISTS {}", ident(loading))).await?;
        run(format!("CREATE DATABASE {} TEMPLATE template0{}", ident(loading), locale(source))).await?;
        let oid = mark::find(&self.admin, loading).await?.map_or(0, |found| found.oid);
        self.made.database_is(oid);
        run(self.mark.with(State::Loading).statement(loading)?).await?;
        run(format!("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC", ident(loading))).await
    }

    /// A session for loading: nothing waits for the disk, indexes get memory, functions are not checked, and what lies
    /// out of line is compressed by the faster of the server's methods unless its column names one.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn session(&self) -> Result<Session> {
        let session = self.loading.connect().await?;
        let settings = "SET synchronous_commit = off; SET check_function_bodies = off; \
            SET maintenance_work_mem = '256MB'; SET client_min_messages = warning; \
            SELECT set_config(name, 'lz4', false) FROM pg_settings \
            WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)";
        session.client.batch_execute(settings).await.context("preparing to load")?;
        Ok(session)
    }

    /// Several sessions for loading.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn sessions(&self, count: usize) -> Result<Vec<Session>> {
        let mut sessions = Vec::new();
        for _ in 0..count.max(1) {
            sessions.push(self.session().await?);
        }
        Ok(sessions)
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

    /// Gives the finished copy its name, in place of the copy or the empty database that had it, whose owner and rights
    /// it takes over. Returns what could not be cleared away afterwards, in words.
    ///
    /// # Errors
    /// [`Error::Database`]; [`Error::BadCopy`] if the database that was loaded is no longer there.
    pub async fn finish(&self) -> Result<Option<String>> {
        let (name, loading) = (ident(&self.name), ident(self.loading.database()));
        let old = format!("{}{REPLACED}", self.name);
        let loaded = mark::find(&self.admin, self.loading.database()).await?.map(|found| found.oid);
        if loaded != Some(self.made.database()) {
            return Err(Error::BadCopy(format!("{loading} was exchanged while it was loaded")));
        }
        let exists = mark::find(&self.admin, &self.name).await?.is_some();
        let mut statements = vec!["BEGIN".to_owned()];
        let mut access = vec![format!("GRANT CONNECT, TEMPORARY ON DATABASE {name} TO PUBLIC")];
        if exists {
            access = self.access().await?;
            self.clear(&old).await?;
            let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1";
            let end = if self.version().await? >= 14 { end } else { &end.replace(", 5000", "") };
            self.admin.client.query(end, &[&self.name]).await.context("ending sessions on the old copy")?;
            statements.push(self.mark.with(State::Replaced).statement(&self.name)?);
            statements.push(format!("ALTER DATABASE {name} RENAME TO {}", ident(&old)));
        }
        statements.push(self.mark.with(State::Finished).statement(self.loading.database())?);
        statements.push(format!("ALTER DATABASE {loading} RENAME TO {name}"));
        statements.extend(access);
        statements.push("COMMIT".to_owned());
        self.made.naming(true);
        let done = self.admin.client.batch_execute(&statements.join("; ")).await;
        if done.is_err() {
            let _ = self.admin.client.batch_execute("ROLLBACK").await;
            self.made.naming(false);
        }
        done.context(format!("renaming the finished copy to {}", self.name))?;
        self.made.database_is(0);
        // The copy is in place; what is left of the old one is no failure.
        let cleared = self.clear(&old).await.err();
        Ok(cleared.map(|error| format!("what the copy took the place of stays as {old}: {error}")))
    }

    /// Statements that give the new database the rights and the owner of the one that it takes the place of.
    async fn access(&self) -> Result<Vec<String>> {
        let statement = "SELECT pg_get_userbyid(datdba)::text, datacl IS NULL, ARRAY(SELECT a.privilege_type || \
            ' ON DATABASE \"\" TO ' || CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END \
            FROM aclexplode(datacl) a WHERE a.grantee <> datdba), pg_get_userbyid(datdba) = current_user \
            FROM pg_database WHERE datname = $1";
        let row = self.admin.client.query_one(statement, &[&self.name]).await;
        let row = row.context("reading the rights of what is replaced")?;
        let name = ident(&self.name);
        let mut statements = Vec::new();
        if row.get::<_, bool>(1) {
            statements.push(format!("GRANT CONNECT, TEMPORARY ON DATABASE {name} TO PUBLIC"));
        }
        let grants: Vec<String> = row.get(2);
        statements.extend(grants.iter().map(|grant| format!("GRANT {}", grant.replacen("\"\"", &name, 1))));
        if !row.get::<_, bool>(3) {
            statements.push(format!("ALTER DATABASE {name} OWNER TO {}", ident(row.get(0))));
        }
        Ok(statements)
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

    /// Removes what this copy made and did not finish, and nothing that another made. The session is a new one, because
    /// the failure may have been the other's. What cannot be removed bears the mark `loading`, which no clone and no
    /// rename accepts.
    ///
    /// # Errors
    /// [`Error::Database`] if it could not be removed.
    pub async fn remove(target: &Endpoint, made: &Made) -> Result<()> {
        let _making = made.making().await;
        let ours = made.database();
        if ours == 0 {
            return Ok(());
        }
        let loading = format!("{}{SUFFIX}", target.database());
        let session = admin(target).await?;
        match mark::find(&session, &loading).await? {
            Some(found) if found.oid == ours => mark::drop_marked(&session, &loading, true).await,
            _ => Ok(()),
        }
    }
}

fn too_mighty(user: &str) -> Error {
    let message = "functions of the copied schema would run with a superuser's rights; give the target a role with CREATEDB \
        alone, or say --allow-superuser";
    Error::Refused(vec![Finding {
        rule: "target-superuser".to_owned(),
        subject: user.to_owned(),
        message: message.to_owned(),
        warning: false,
    }])
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

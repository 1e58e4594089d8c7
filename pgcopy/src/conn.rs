//! Where a database is: the name of an environment variable, of a file, or of a service entry that holds its URL.
//! A URL itself is refused, because arguments stand in every process list.

mod dial;
mod gate;
mod service;
mod tls;

use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::Arc;

pub(crate) use gate::{Lane, Pass};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config};

use crate::error::{Context as _, Error, Result};
use crate::sql;

/// How a server proves who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Encryption without a check, as `sslmode=require` does in libpq.
    #[default]
    Anyone,
    /// The certificate's chain and name are checked (`verify-ca` is treated as `verify-full`).
    Verified,
}

/// One database, ready to be connected to. Its `Debug` shows no password.
#[derive(Clone)]
pub struct Endpoint {
    config: Config,
    trust: Trust,
    root_cert: Option<PathBuf>,
    name: String,
    lane: Option<Lane>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint")
            .field("name", &self.name)
            .field("database", &self.database())
            .finish_non_exhaustive()
    }
}

/// A connection, and the backend that serves it.
pub struct Session {
    /// The client.
    pub client: Client,
    /// The server's process id, as `pg_stat_activity` shows it.
    pub pid: i32,
    /// Where wide rows of this session wait.
    pub(crate) pass: Arc<Pass>,
    driver: tokio::task::JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Endpoint {
    /// Resolves `name`: an environment variable, then a file, then an entry of the service file.
    ///
    /// # Errors
    /// [`Error::Usage`] if the name is itself a URL, if nothing has that name, or if the URL does not parse.
    pub fn resolve(name: &str) -> Result<Self> {
        let url = secret(name, "database")?;
        if let Some(url) = url {
            return Self::parse(name, url.trim());
        }
        if let Some(parameters) = service::lookup(name)? {
            return Self::parse(name, &parameters);
        }
        Err(Error::Usage(format!(
            "{} is neither an environment variable, nor a file, nor an entry of the service file; \
             put the database's URL into one of them",
            shown(name)
        )))
    }

    /// Parses a URL or `key=value` parameters; `name` is how messages call this database.
    ///
    /// # Errors
    /// [`Error::Usage`]; the text of the URL is never part of the message.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let (text, options) = split_options(text);
        let mut config = Config::from_str(&text).map_err(|_| {
            Error::Usage(format!(
                "what `{name}` holds is no Postgres URL (postgres://user@host:port/database)"
            ))
        })?;
        let mut endpoint = Self {
            trust: Trust::Anyone,
            root_cert: None,
            name: name.to_owned(),
            config: Config::new(),
            lane: None,
        };
        for (key, value) in options {
            match (key.as_str(), value.as_str()) {
                ("sslmode", "verify-full" | "verify-ca") => {
                    endpoint.trust = Trust::Verified;
                    config.ssl_mode(SslMode::Require);
                }
                ("sslmode", "allow") => {
                    config.ssl_mode(SslMode::Prefer);
                }
                ("sslrootcert", path) => endpoint.root_cert = Some(PathBuf::from(path)),
                _ => {}
            }
        }
        if config.get_user().is_none() {
            let user = std::env::var("PGUSER").or_else(|_| std::env::var("USER"));
            config.user(user.map_err(|_| Error::Usage(format!("the URL of `{name}` names no user")))?);
        }
        if config.get_dbname().is_none() {
            let user = config.get_user().unwrap_or_default().to_owned();
            config.dbname(user);
        }
        let patience = config.get_connect_timeout().copied().unwrap_or(std::time::Duration::from_secs(15));
        config.application_name(APPLICATION).connect_timeout(patience);
        endpoint.config = config;
        Ok(endpoint)
    }

    /// The name by which the user called this database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The database's name on its server.
    pub fn database(&self) -> &str {
        self.config.get_dbname().unwrap_or_default()
    }

    /// The role that connects.
    pub fn user(&self) -> &str {
        self.config.get_user().unwrap_or_default()
    }

    /// The same server and role, another database.
    #[must_use]
    pub fn with_database(&self, database: &str) -> Self {
        let mut other = self.clone();
        other.config.dbname(database);
        other
    }

    /// The same, under another `application_name` (by which a copy knows its own sessions).
    #[must_use]
    pub fn with_application(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.config.application_name(name);
        other
    }

    /// The same, whose sessions receive wide rows one at a time with all others of this lane.
    #[must_use]
    pub(crate) fn with_lane(&self, lane: &Lane) -> Self {
        Self { lane: Some(Arc::clone(lane)), ..self.clone() }
    }

    /// Opens a session with settings that make its answers independent of the role's and the database's own:
    /// `search_path` holds `pg_catalog` alone, row security is an error, no time-out ends a long copy.
    ///
    /// # Errors
    /// [`Error::Database`] if the server cannot be reached or refuses.
    pub async fn connect(&self) -> Result<Session> {
        let doing = || format!("connecting to `{}` (database {})", self.name, self.database());
        let pass = Arc::new(Pass::new(self.lane.clone()));
        // The error of a broken connection reaches whoever waits for an answer, so the driver's own is dropped.
        let (client, driver) = dial::dial(self, &pass).await?;
        client.batch_execute(SETTINGS).await.context(doing())?;
        let row = client.query_one("SELECT pg_backend_pid()", &[]).await.context(doing())?;
        Ok(Session { client, pid: row.get(0), pass, driver })
    }

    /// The environment by which a child process (`pg_dump`) reaches the same database; only the same user of this
    /// machine can read it.
    pub fn child_env(&self) -> Vec<(String, String)> {
        let mut env = vec![
            ("PGUSER".to_owned(), self.user().to_owned()),
            ("PGDATABASE".to_owned(), self.database().to_owned()),
            ("PGAPPNAME".to_owned(), self.config.get_application_name().unwrap_or(APPLICATION).to_owned()),
            ("PGOPTIONS".to_owned(), String::new()),
        ];
        if let Some(host) = self.config.get_hosts().first() {
            env.push((
                "PGHOST".to_owned(),
                match host {
                    Host::Tcp(host) => host.clone(),
                    Host::Unix(path) => path.display().to_string(),
                },
            ));
        }
        if let Some(port) = self.config.get_ports().first() {
            env.push(("PGPORT".to_owned(), port.to_string()));
        }
        if let Some(password) = self.config.get_password() {
            env.push(("PGPASSWORD".to_owned(), String::from_utf8_lossy(password).into_owned()));
        }
        let mode = match (self.config.get_ssl_mode(), &self.trust) {
            (_, Trust::Verified) => "verify-full",
            (SslMode::Disable, _) => "disable",
            (SslMode::Require, _) => "require",
            _ => "prefer",
        };
        env.push(("PGSSLMODE".to_owned(), mode.to_owned()));
        if let Some(path) = &self.root_cert {
            env.push(("PGSSLROOTCERT".to_owned(), path.display().to_string()));
        }
        env
    }
}

/// The `application_name` of sessions that belong to no copy.
const APPLICATION: &str = "keelway-pgcopy";

const SETTINGS: &str = "SET search_path = pg_catalog, pg_temp; SET row_security = off; \
    SET statement_timeout = 0; SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = 0; \
    SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; \
    SET extra_float_digits = 3; SET bytea_output = 'hex'; SET xmloption = content; \
    SET max_parallel_workers_per_gather = 0; SET jit = off; SET standard_conforming_strings = on";

/// How a message calls what stood in the arguments: what may be the secret itself is never repeated.
pub fn shown(name: &str) -> String {
    let plain = name.len() < 32 || std::path::Path::new(name).exists();
    if plain && !name.contains(|c: char| c.is_whitespace() || c == '=' || c.is_control()) {
        format!("`{name}`")
    } else {
        "what stood in the arguments".to_owned()
    }
}

/// The content of the environment variable or file called `name`; `None` if there is neither.
///
/// # Errors
/// [`Error::Usage`] if `name` looks like the secret itself, or if the file cannot be read.
pub fn secret(name: &str, what: &str) -> Result<Option<String>> {
    if name.contains("://") || (name.contains('=') && !std::path::Path::new(name).exists()) {
        return Err(Error::Usage(format!(
            "a {what}'s URL stood in the arguments, where every process list shows it; put it into an environment \
             variable or a file and give that name"
        )));
    }
    if let Ok(value) = std::env::var(name) {
        return Ok(Some(value));
    }
    let path = std::path::Path::new(name);
    if path.is_file() {
        return std::fs::read_to_string(path)
            .map(Some)
            .map_err(|error| Error::Usage(format!("{name} cannot be read: {error}")));
    }
    Ok(None)
}

/// Takes the TLS options out of a URL or of parameters, because the client library knows fewer of them than libpq.
fn split_options(text: &str) -> (String, Vec<(String, String)>) {
    const OURS: [&str; 2] = ["sslmode", "sslrootcert"];
    let keep = |key: &str, value: &str| key == "sslmode" && matches!(value, "disable" | "prefer" | "require");
    let mut found = Vec::new();
    let mut take = |pair: &str| match pair.split_once('=') {
        Some((key, value)) if OURS.contains(&key) => {
            found.push((key.to_owned(), value.trim_matches('\'').replace("%2F", "/")));
            keep(key, value)
        }
        _ => true,
    };
    let rest = if text.contains("://") {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let kept: Vec<_> = query.split('&').filter(|p| !p.is_empty() && take(p)).collect();
        if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) }
    } else {
        text.split_whitespace().filter(|p| take(p)).collect::<Vec<_>>().join(" ")
    };
    (rest, found)
}

/// `SET` of a transaction's snapshot; the caller has just begun a REPEATABLE READ transaction.
pub(crate) fn set_snapshot(snapshot: &str) -> String {
    format!("SET TRANSACTION SNAPSHOT {}", sql::literal(snapshot))
}

#[cfg(test)]
mod tests;

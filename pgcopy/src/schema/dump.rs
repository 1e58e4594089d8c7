//! `pg_dump -s` as a child process. Its connection is in its environment, never in its arguments.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::conn::Endpoint;
use crate::error::{Error, Result};

/// A `pg_dump` that is new enough for a server.
#[derive(Clone, Debug)]
pub struct PgDump {
    program: PathBuf,
    /// Its major version.
    pub major: u32,
}

/// The text of a schema.
#[derive(Clone, Debug)]
pub struct Dump {
    /// SQL.
    pub text: String,
}

impl PgDump {
    /// Finds `pg_dump` in `folder`, or in the search path.
    ///
    /// # Errors
    /// [`Error::Local`] if there is none or if it is older than the server (an old one would miss objects).
    pub async fn find(folder: Option<&Path>, server_major: u32) -> Result<Self> {
        let program = folder.map_or_else(|| PathBuf::from("pg_dump"), |folder| folder.join("pg_dump"));
        let cure = "install the client tools of the server's version, or name their folder with --pg-bin";
        let output = Command::new(&program).arg("--version").output().await.map_err(|error| {
            Error::Local(format!("{} cannot be run ({error}); {cure}", program.display()))
        })?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let major =
            text.split_whitespace().find_map(|word| word.split('.').next()?.parse().ok()).unwrap_or(0);
        if major < server_major {
            return Err(Error::Local(format!(
                "{} is of version {major}, older than the server's {server_major}; {cure}",
                program.display()
            )));
        }
        Ok(Self { program, major })
    }

    /// Dumps the schema as the snapshot shows it. Owners and grants are not part of it: the target's roles are its own.
    ///
    /// # Errors
    /// [`Error::Local`] with what `pg_dump` said.
    pub async fn schema(&self, source: &Endpoint, snapshot: Option<&str>) -> Result<Dump> {
        let mut command = Command::new(&self.program);
        command
            .args(["--schema-only", "--no-owner", "--no-privileges", "--no-password", "--no-tablespaces"])
            .args(["--no-publications", "--no-subscriptions", "--no-security-labels", "--encoding=UTF8"])
            .args(["--lock-wait-timeout=30s", "--quote-all-identifiers"])
            .args(snapshot.map(|snapshot| format!("--snapshot={snapshot}")))
            .envs(source.child_env())
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let failed = |what: String| {
            Error::Local(format!(
                "pg_dump -s failed: {what}; if the role may not see the whole schema, give another one with \
                 --schema-from, or a dump made elsewhere with --schema-file"
            ))
        };
        let output = command.output().await.map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        String::from_utf8(output.stdout)
            .map(|text| Dump { text })
            .map_err(|_| failed("the schema is not UTF-8".to_owned()))
    }
}

//! Databases made from a finished masked copy on the same server, by the way that is best for its version and size.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::claim::alone;
use crate::conn::{Endpoint, Session};
use crate::error::{Context as _, Error, Result};
use crate::mark::{self, Mark, State, UNFINISHED};
use crate::sql::{ident, literal};
use crate::target;

/// Below this size writing the pages to the log is cheaper than the two checkpoints of a file copy [measured: 8 MB by
/// WAL_LOG 30–42 ms, by FILE_COPY 180–551 ms; 515 MB 1.9 s and 0.9–1.2 s].
const WAL_LOG_BYTES: i64 = 96 << 20;

/// The same where files are cloned by the file system [measured: 515 MB in 54–103 ms].
const WAL_LOG_BYTES_REFLINK: i64 = 24 << 20;

/// How a database is made from a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Pages go through the write-ahead log.
    WalLog,
    /// Files are copied, or cloned where Postgres 18 and the file system can.
    FileCopy,
}

/// What to make.
#[derive(Clone, Debug)]
pub struct CloneOptions {
    /// Any database of the server.
    pub server: Endpoint,
    /// A finished copy.
    pub template: String,
    /// The new database.
    pub name: String,
    /// Its owner; the connecting role by default.
    pub owner: Option<String>,
    /// Settings of the new database, after the template's own.
    pub settings: Vec<(String, String)>,
    /// End sessions on the template instead of waiting for them.
    pub end_sessions: bool,
    /// How long to wait for them.
    pub wait: Duration,
    /// The way; by version and size if none is given.
    pub method: Option<Method>,
}

/// What the template is like.
struct Template {
    mark: Mark,
    bytes: i64,
    settings: Vec<String>,
    grants: Option<Vec<String>>,
    version: i32,
    reflink: bool,
}

/// Makes the database; the answer is the way that was taken.
///
/// # Errors
/// [`Error::Usage`] if the template is no finished copy, [`Error::GaveWay`] if sessions stay on it,
/// [`Error::Database`].
pub async fn clone(options: &CloneOptions) -> Result<Method> {
    let admin = target::admin(&options.server).await?;
    alone(&admin, &options.name).await?;
    let template = inspect(&admin, &options.template).await?;
    let threshold = if template.reflink { WAL_LOG_BYTES_REFLINK } else { WAL_LOG_BYTES };
    let small = template.bytes <= threshold && template.version >= 150_000;
    let method = options.method.unwrap_or(if small { Method::WalLog } else { Method::FileCopy });
    if mark::find(&admin, &options.name).await?.is_some_and(|found| found.unfinished) {
        mark::drop_marked(&admin, &options.name, true).await?;
    }
    create(&admin, options, &template, method).await?;
    let done = finish(&admin, options, &template).await;
    if done.is_err() {
        // Without its mark nobody else would know whose it is.
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", ident(&options.name));
        let _ = admin.client.batch_execute(&statement).await;
    }
    done.map(|()| method)
}

/// Marks, dresses and opens what was made, if it was made from what was looked at: a copy may have taken its place since.
async fn finish(admin: &Session, options: &CloneOptions, template: &Template) -> Result<()> {
    let now = mark::find(admin, &options.template).await?.and_then(|found| found.mark);
    if now.as_ref() != Some(&template.mark) {
        return Err(Error::GaveWay(format!(
            "{} was replaced while it was cloned; start again for a clone of the new one",
            options.template
        )));
    }
    let batch = dress(options, template)?;
    admin.client.batch_execute(&batch).await.context(format!("setting up {}", options.name))
}

async fn inspect(admin: &Session, name: &str) -> Result<Template> {
    let statement = "SELECT shobj_description(d.oid, 'pg_database'), pg_database_size(d.oid), \
        ARRAY(SELECT unnest(s.setconfig)::text FROM pg_db_role_setting s WHERE s.setdatabase = d.oid AND s.setrole = 0), \
        CASE WHEN d.datacl IS NULL THEN NULL ELSE ARRAY(SELECT a.privilege_type || ' ON DATABASE \"\" TO ' || \
          CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END FROM aclexplode(d.datacl) a \
          LEFT JOIN pg_roles r ON r.oid = a.grantee WHERE a.grantee <> d.datdba) END, \
        current_setting('server_version_num')::int4, \
        EXISTS (SELECT FROM pg_settings WHERE name = 'file_copy_method' AND 'clone' = ANY (enumvals)) \
        FROM pg_database d WHERE d.datname = $1";
    let row = admin.client.query_opt(statement, &[&name]).await.context("looking at the template")?;
    let row = row.ok_or_else(|| Error::Usage(format!("there is no database {name} on this server")))?;
    let mark = row.get::<_, Option<String>>(0).as_deref().and_then(Mark::parse);
    let mark = mark.filter(|mark| mark.state == State::Finished && mark.template.is_none()).ok_or_else(|| {
        Error::Usage(format!(
            "database {name} is no finished masked copy; make one with `keelway-pgcopy copy`, and clone that"
        ))
    })?;
    Ok(Template {
        mark,
        bytes: row.get(1),
        settings: row.get(2),
        grants: row.get(3),
        version: row.get(4),
        reflink: row.get(5),
    })
}

async fn create(admin: &Session, options: &CloneOptions, template: &Template, method: Method) -> Result<()> {
    if template.reflink && method == Method::FileCopy {
        // Where the file system cannot share blocks, the kernel copies them: never worse than copying ourselves.
        admin
            .client
            .batch_execute("SET file_copy_method = clone")
            .await
            .context("choosing the way to copy")?;
    }
    let strategy = match method {
        _ if template.version < 150_000 => "",
        Method::WalLog => " STRATEGY wal_log",
        Method::FileCopy => " STRATEGY file_copy",
    };
    let statement = format!(
        "CREATE DATABASE {} TEMPLATE {}{strategy} ALLOW_CONNECTIONS false CONNECTION LIMIT {UNFINISHED}",
        ident(&options.name),
        ident(&options.template)
    );
    let until = Instant::now() + options.wait;
    let mut ended = false;
    loop {
        let done =
            admin.client.batch_execute(&statement).await.context(format!("cloning {}", options.template));
        match done {
            // object_in_use: a session on the template; the server has waited 5 s for it.
            Err(error) if error.is_code("55006") => {
                let over = Instant::now() >= until;
                if options.end_sessions && !(ended && over) {
                    ended = true;
                    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                        WHERE datname = $1 AND pid <> pg_backend_pid()";
                    admin
                        .client
                        .query(end, &[&options.template])
                        .await
                        .context("ending sessions on the template")?;
                } else if over {
                    return Err(stays(options));
                }
            }
            other => return other,
        }
    }
}

/// The template is in use and stays so.
fn stays(options: &CloneOptions) -> Error {
    let (template, seconds) = (&options.template, options.wait.as_secs());
    Error::GaveWay(if options.end_sessions {
        format!(
            "{template} is in use although its sessions were ended: they come back, or a prepared transaction is left; \
             stop what connects to it, end the transaction, or wait longer with --wait"
        )
    } else {
        format!(
            "sessions stayed on {template} for {seconds} s; end them, wait longer with --wait, or say --end-sessions"
        )
    })
}

/// One batch, one transaction: mark, settings, grants, owner, and the opening. What CREATE DATABASE does not bring along.
fn dress(options: &CloneOptions, template: &Template) -> Result<String> {
    let name = ident(&options.name);
    let mark = Mark { template: Some(options.template.clone()), ..template.mark.clone() };
    let mut batch = mark.statement(&options.name)?;
    let _ = write!(batch, "; ALTER DATABASE {name} ALLOW_CONNECTIONS true CONNECTION LIMIT -1");
    let inherited = template.settings.iter().filter_map(|setting| setting.split_once('='));
    let own = options.settings.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    for (key, value) in inherited.chain(own) {
        let list = matches!(key, "search_path" | "DateStyle" | "temp_tablespaces");
        let value = if list { value.to_owned() } else { literal(value) };
        // A custom name has dots, each part of which is a name of its own.
        let key = key.split('.').map(ident).collect::<Vec<_>>().join(".");
        let _ = write!(batch, "; ALTER DATABASE {name} SET {key} TO {value}");
    }
    if let Some(grants) = &template.grants {
        let _ = write!(batch, "; REVOKE ALL ON DATABASE {name} FROM PUBLIC");
        for grant in grants {
            let _ = write!(batch, "; GRANT {}", grant.replacen("\"\"", &name, 1));
        }
    }
    if let Some(owner) = &options.owner {
        let _ = write!(batch, "; ALTER DATABASE {name} OWNER TO {}", ident(owner));
    }
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_create_database_leaves_behind_is_set_in_one_batch() {
        let options = CloneOptions {
            server: Endpoint::parse("x", "postgres://u@h/db").unwrap(),
            template: "gold".into(),
            name: "pr-1".into(),
            owner: Some("app".into()),
            settings: vec![("app.pr".into(), "1".into())],
            end_sessions: false,
            wait: Duration::ZERO,
            method: None,
        };
        let template = Template {
            mark: Mark {
                state: State::Finished,
                source: "shop".into(),
                time: jiff::Timestamp::UNIX_EPOCH,
                policy: "ab".into(),
                template: None,
            },
            bytes: 1,
            settings: vec!["work_mem=8MB".into()],
            grants: Some(vec!["CONNECT ON DATABASE \"\" TO PUBLIC".into()]),
            version: 180_000,
            reflink: true,
        };
        let batch = dress(&options, &template).unwrap();
        let parts: Vec<&str> = batch.split("; ").collect();
        assert!(parts[0].contains("\"template\":\"gold\""), "{batch}");
        assert_eq!(
            &parts[1..],
            [
                "ALTER DATABASE \"pr-1\" ALLOW_CONNECTIONS true CONNECTION LIMIT -1",
                "ALTER DATABASE \"pr-1\" SET \"work_mem\" TO '8MB'",
                "ALTER DATABASE \"pr-1\" SET \"app\".\"pr\" TO '1'",
                "REVOKE ALL ON DATABASE \"pr-1\" FROM PUBLIC",
                "GRANT CONNECT ON DATABASE \"pr-1\" TO PUBLIC",
                "ALTER DATABASE \"pr-1\" OWNER TO \"app\"",
            ]
        );
    }
}

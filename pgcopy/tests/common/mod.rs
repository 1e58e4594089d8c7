//! Real servers for the tests: binaries from `hack/postgres.sh`, data in a short folder under /tmp, run as an ordinary
//! user (Postgres refuses root), reached over a Unix socket.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    reason = "helpers of tests"
)]
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::HashMap;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use pgcopy::conn::Session;
use pgcopy::copy::CopyOptions;
use pgcopy::snapshot::Courtesy;
use pgcopy::{Endpoint, catalog};

/// `nobody` of every Linux.
const USER: u32 = 65_534;

/// A key for tests alone.
pub const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Where each version's programs are.
pub fn binaries() -> &'static HashMap<String, PathBuf> {
    static FOUND: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hack/postgres.sh");
        let output = Command::new(script).stderr(Stdio::inherit()).output().expect("hack/postgres.sh runs");
        assert!(output.status.success(), "hack/postgres.sh could not get the servers");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter_map(|line| line.split_once('=')).map(|(n, p)| (n.to_owned(), p.into())).collect()
    })
}

/// The client tools of version 18, which read every server.
pub fn tools() -> PathBuf {
    binaries()["tools"].join("bin")
}

fn as_user(program: &Path) -> Command {
    let mut command = Command::new(program);
    if is_root() {
        command.uid(USER).gid(USER);
    }
    command.current_dir("/").env("LC_ALL", "C.UTF-8").stdout(Stdio::null());
    command
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0)
}

/// Lets the servers' user have a file or folder.
pub fn give(path: &Path) {
    if is_root() {
        std::os::unix::fs::chown(path, Some(USER), Some(USER)).unwrap();
    }
}

fn run(command: &mut Command) {
    let output = command.stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A running server; ended and removed when dropped.
pub struct Server {
    pub folder: PathBuf,
    bin: PathBuf,
    child: Option<Child>,
}

impl Server {
    pub fn start(major: u32) -> Self {
        Self::with(major, &[])
    }

    /// Starts a server with further settings.
    pub fn with(major: u32, settings: &[&str]) -> Self {
        let root = &binaries()[&format!("pg{major}")];
        let bin = root.join("bin");
        let folder = tempfile::Builder::new().prefix("kwpg").tempdir_in("/tmp").unwrap().keep();
        give(&folder);
        run(as_user(&bin.join("initdb"))
            .args(["-U", "admin", "-A", "trust", "-E", "UTF8", "--no-sync", "-D"])
            .arg(folder.join("data"))
            .args(["--locale=C.UTF-8"]));
        let mut server = Self { folder, bin, child: None };
        server.boot(settings);
        server
    }

    /// A streaming standby of this server.
    pub fn standby(&self, settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("kwpg").tempdir_in("/tmp").unwrap().keep();
        give(&folder);
        run(as_user(&tools().join("pg_basebackup"))
            .args(["-U", "admin", "-R", "-X", "stream", "-c", "fast", "-h"])
            .arg(&self.folder)
            .arg("-D")
            .arg(folder.join("data")));
        let mut server = Self { folder, bin: self.bin.clone(), child: None };
        // What pg_basebackup of a newer version writes holds options that an older server does not know.
        let primary = format!("primary_conninfo=host={} user=admin", self.folder.display());
        server.boot(&[&[primary.as_str()], settings].concat());
        server
    }

    /// Starts the stopped server again.
    pub fn boot(&mut self, settings: &[&str]) {
        let mut command = as_user(&self.bin.join("postgres"));
        command.arg("-D").arg(self.folder.join("data")).args(["-c", "listen_addresses=", "-c", "fsync=off"]);
        command.args(["-c", "shared_buffers=32MB", "-c", "max_connections=60", "-c", "autovacuum=off"]);
        command.args(["-c", "log_statement=all", "-c", "log_line_prefix=%m [%p] %q%u@%d "]);
        command.arg("-c").arg(format!("unix_socket_directories={}", self.folder.display()));
        for setting in settings {
            command.args(["-c", setting]);
        }
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log")).unwrap();
        self.child = Some(command.stderr(log).spawn().unwrap());
        let until = Instant::now() + Duration::from_mins(2);
        let ready = self.bin.join("pg_isready");
        let ready = if ready.exists() { ready } else { tools().join("pg_isready") };
        while !as_user(&ready)
            .arg("-h")
            .arg(&self.folder)
            .args(["-d", "postgres"])
            .status()
            .unwrap()
            .success()
        {
            assert!(Instant::now() < until, "the server did not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends the server at once, as a crash would.
    pub fn crash(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = Command::new("kill").args(["-QUIT", &child.id().to_string()]).status();
            let _ = child.wait();
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    pub fn url(&self, user: &str, database: &str) -> String {
        format!("host={} user={user} dbname={database}", self.folder.display())
    }

    pub fn endpoint(&self, user: &str, database: &str) -> Endpoint {
        Endpoint::parse(database, &self.url(user, database)).unwrap()
    }

    pub async fn session(&self, database: &str) -> Session {
        self.endpoint("admin", database).connect().await.unwrap()
    }

    /// Runs statements as the superuser.
    pub async fn sql(&self, database: &str, statements: &str) {
        let session = self.session(database).await;
        session.client.batch_execute("RESET search_path; RESET row_security").await.unwrap();
        session
            .client
            .batch_execute(statements)
            .await
            .unwrap_or_else(|error| panic!("{statements}: {error:?}"));
    }

    /// One value as text.
    pub async fn value(&self, database: &str, query: &str) -> String {
        let session = self.session(database).await;
        session.client.batch_execute("RESET search_path; RESET row_security").await.unwrap();
        let row = session.client.query_one(&format!("SELECT ({query})::text"), &[]).await;
        row.unwrap_or_else(|error| panic!("{query}: {error:?}"))
            .get::<_, Option<String>>(0)
            .unwrap_or_default()
    }

    /// A database `shop` and a role `copier` that may make databases and is no superuser.
    pub async fn prepare(&self, database: Option<&str>) {
        self.sql("postgres", "CREATE ROLE copier LOGIN CREATEDB").await;
        if let Some(database) = database {
            self.sql("postgres", &format!("CREATE DATABASE \"{database}\"")).await;
        }
    }

    pub async fn databases(&self) -> String {
        let query = "SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database WHERE NOT datistemplate \
            AND datname <> 'postgres'";
        self.value("postgres", query).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.crash();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A policy that keeps every column but those in `rules`: (`table.column`, what stands behind the name).
pub async fn policy(source: &Server, database: &str, rules: &[(&str, &str)]) -> String {
    let session = source.session(database).await;
    let found = catalog::load(&session).await.unwrap();
    let mut text = String::from("tables:\n");
    for table in found.tables.iter().filter(|table| !table.partition) {
        text.push_str(&format!("- name: {}\n  columns:\n", quoted(&table.masking_name().to_string())));
        for column in table.columns.iter().filter(|column| !column.generated) {
            let title = format!("{}.{}", table.title(), column.name);
            let rule = rules.iter().find(|(name, _)| *name == title || format!("public.{name}") == title);
            let rule = rule.map_or("keep: true, accept: [copy]", |(_, rule)| rule);
            text.push_str(&format!("  - {{name: {}, {rule}}}\n", quoted(&column.name)));
        }
        if table.columns.iter().all(|column| column.generated) {
            text.push_str("  - {}\n");
        }
    }
    text.replace("  columns:\n  - {}\n", "")
}

fn quoted(name: &str) -> String {
    serde_json::to_string(name).unwrap()
}

/// Options with the tests' key, two jobs and the tests' pg_dump.
pub fn options(source: Endpoint, target: Endpoint, policy: &str) -> CopyOptions {
    CopyOptions {
        source,
        target,
        schema_from: None,
        schema_file: None,
        policy: masking::parse(policy).unwrap_or_else(|error| panic!("{error}\n{policy}")),
        policy_hash: pgcopy::report::sha256(policy.as_bytes()),
        key: Some(masking::MasterKey::parse(KEY.as_bytes()).unwrap()),
        jobs: 2,
        max_rate: None,
        courtesy: Courtesy::default(),
        pg_bin: Some(tools()),
        allow_superuser: false,
    }
}

/// Copies and expects success.
pub async fn copy(options: &CopyOptions) -> pgcopy::report::Report {
    try_copy(options).await.unwrap_or_else(|error| panic!("{error}"))
}

pub async fn try_copy(options: &CopyOptions) -> pgcopy::Result<pgcopy::report::Report> {
    pgcopy::copy(options, &pgcopy::progress::Progress::silent(), std::future::pending()).await
}

//! Clones, drops and marks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    reason = "helpers of tests"
)]

mod common;

use std::time::Duration;

use common::{Server, copy, options, policy};
use pgcopy::clone::{CloneOptions, Method, clone};
use pgcopy::{Error, mark, target};

fn wanted(server: &Server, name: &str) -> CloneOptions {
    CloneOptions {
        server: server.endpoint("copier", "postgres"),
        template: "gold".into(),
        name: name.into(),
        owner: None,
        settings: vec![("application_name".into(), name.into())],
        end_sessions: false,
        wait: Duration::from_secs(1),
        method: None,
    }
}

async fn gold(source: u32, target: u32) -> (Server, Server) {
    let (source, target) = (Server::start(source), Server::start(target));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    source.sql("shop", "CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t SELECT i, 'x' FROM generate_series(1, 500) i;
        ALTER DATABASE shop SET work_mem = '7MB'").await;
    let policy = policy(&source, "shop", &[]).await;
    copy(&options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy)).await;
    (source, target)
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clones_at_once_have_rows_settings_grants_and_a_mark() {
    let (_source, target) = gold(15, 18).await;
    target.sql("postgres", "CREATE ROLE app; REVOKE CONNECT ON DATABASE gold FROM PUBLIC; GRANT CONNECT ON DATABASE gold TO app").await;
    let clones: Vec<_> = (0..6).map(|n| wanted(&target, &format!("pr-{n}"))).collect();
    let made = futures_join(clones).await;
    assert_eq!(made, vec![Method::WalLog; 6]);
    for n in 0..6 {
        let name = format!("pr-{n}");
        assert_eq!(target.value(&name, "SELECT count(*) FROM t").await, "500");
        assert_eq!(target.value(&name, "SELECT current_setting('work_mem') || (SELECT unnest(setconfig) FROM pg_db_role_setting WHERE setconfig::text LIKE '%application%' AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) OFFSET 1)").await, format!("7MBapplication_name={name}"));
        let acl = format!(
            "SELECT has_database_privilege('app', '{name}', 'CONNECT') AND datacl::text NOT LIKE '%{{=%' FROM pg_database WHERE datname = '{name}'"
        );
        assert_eq!(target.value("postgres", &acl).await, "true");
    }
    let again = clone(&wanted(&target, "pr-1")).await.unwrap_err();
    assert!(again.is_code("42P04"), "{again}");
    let file = CloneOptions { method: Some(Method::FileCopy), ..wanted(&target, "file") };
    assert_eq!(clone(&file).await.unwrap(), Method::FileCopy);
    assert_eq!(target.value("file", "SELECT count(*) FROM t").await, "500");
    // A clone may be written to, so it is no template.
    let second = CloneOptions { template: "file".into(), ..wanted(&target, "second") };
    assert!(matches!(clone(&second).await, Err(Error::Usage(_))));
}

/// Runs all at once.
async fn futures_join(clones: Vec<CloneOptions>) -> Vec<Method> {
    let tasks: Vec<_> =
        clones.into_iter().map(|options| tokio::spawn(async move { clone(&options).await })).collect();
    let mut made = Vec::new();
    for task in tasks {
        made.push(task.await.unwrap().unwrap());
    }
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_on_the_template_is_waited_for_or_ended_by_choice() {
    let (_source, target) = gold(16, 16).await;
    let guest = target.endpoint("copier", "gold").connect().await.unwrap();
    let error = clone(&wanted(&target, "late")).await.unwrap_err();
    assert_eq!(error.exit_code(), 4, "{error}");
    assert_eq!(target.databases().await, "gold");
    clone(&CloneOptions { end_sessions: true, ..wanted(&target, "late") }).await.unwrap();
    assert!(guest.client.simple_query("SELECT 1").await.is_err());
    // A superuser's session cannot be ended by us: it may leave by itself, and is named else.
    let admin = target::admin(&target.endpoint("copier", "x")).await.unwrap();
    let above = target.session("late").await;
    let error = mark::drop_marked(&admin, "late", true).await.unwrap_err();
    assert_eq!(error.exit_code(), 4, "{error}");
    let leave = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(above);
    };
    let (done, ()) = tokio::join!(mark::drop_marked(&admin, "late", true), leave);
    done.unwrap();
}

/// No session is left to be ended, and the server still calls the template used.
#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_transaction_on_the_template_does_not_keep_a_clone_waiting_forever() {
    let (_source, mut target) = gold(16, 16).await;
    target.crash();
    target.boot(&["max_prepared_transactions=2"]);
    target.sql("gold", "BEGIN; UPDATE t SET a = 'y'; PREPARE TRANSACTION 'left'").await;
    let options = CloneOptions { end_sessions: true, wait: Duration::ZERO, ..wanted(&target, "pr") };
    let done = tokio::time::timeout(Duration::from_secs(40), clone(&options)).await;
    let error = done.expect("it ends").unwrap_err();
    assert_eq!(error.exit_code(), 4, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_without_our_mark_is_cloned_dropped_or_overwritten() {
    let (source, target) = gold(16, 16).await;
    target.sql("postgres", "CREATE DATABASE theirs OWNER copier").await;
    target.sql("postgres", "CREATE DATABASE fake OWNER copier").await;
    target.sql("theirs", "CREATE TABLE precious ()").await;
    target.sql("postgres", r#"COMMENT ON DATABASE fake IS 'keelway-pgcopy {"state":"loading","source":"x","time":"2026-01-01T00:00:00Z","policy":"y"}'"#).await;
    for template in ["theirs", "fake", "nowhere"] {
        let error =
            clone(&CloneOptions { template: template.into(), ..wanted(&target, "new") }).await.unwrap_err();
        assert_eq!(error.exit_code(), 2, "{template}: {error}");
    }
    let admin = target::admin(&target.endpoint("copier", "x")).await.unwrap();
    for database in ["theirs", "nowhere"] {
        assert_eq!(mark::drop_marked(&admin, database, true).await.unwrap_err().exit_code(), 2);
    }
    let policy = policy(&source, "shop", &[]).await;
    let onto = options(source.endpoint("admin", "shop"), target.endpoint("copier", "theirs"), &policy);
    assert_eq!(common::try_copy(&onto).await.unwrap_err().exit_code(), 2);
    let itself = options(source.endpoint("admin", "shop"), source.endpoint("copier", "shop"), &policy);
    let error = common::try_copy(&itself).await.unwrap_err();
    assert!(error.to_string().contains("source itself"), "{error}");
    let superuser = options(source.endpoint("admin", "shop"), target.endpoint("admin", "other"), &policy);
    assert_eq!(common::try_copy(&superuser).await.unwrap_err().exit_code(), 3);
    assert_eq!(target.databases().await, "fake,gold,theirs");
    // What bears the mark is replaced and dropped.
    source.sql("shop", "DELETE FROM t WHERE id > 10").await;
    copy(&options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy)).await;
    assert_eq!(target.value("gold", "SELECT count(*) FROM t").await, "10");
    mark::drop_marked(&admin, "gold", true).await.unwrap();
    mark::drop_marked(&admin, "fake", true).await.unwrap();
    assert_eq!(target.databases().await, "theirs");
}

/// The clone's mark, settings and grants are read from the template first: what takes its place meanwhile is another.
#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_is_exchanged_while_it_is_cloned_gives_no_clone_under_the_old_mark() {
    let (_source, target) = gold(16, 16).await;
    let admin = target::admin(&target.endpoint("copier", "x")).await.unwrap();
    let old = mark::find(&admin, "gold").await.unwrap().unwrap().mark.unwrap();
    let guest = target.endpoint("copier", "gold").connect().await.unwrap();
    let options = CloneOptions { wait: Duration::from_secs(30), ..wanted(&target, "pr") };
    let cloning = tokio::spawn(async move { clone(&options).await });
    let making =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%' AND state = 'active'";
    until(&target, making, "1").await;
    let new = mark::Mark { policy: "another".into(), ..old };
    admin.client.batch_execute(&new.statement("gold").unwrap()).await.unwrap();
    drop(guest);
    let error = cloning.await.unwrap().unwrap_err();
    assert_eq!(error.exit_code(), 4, "{error}");
    assert_eq!(target.databases().await, "gold");
}

/// CREATE DATABASE waits for a session on the template, so the command can be killed while it runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_clone_whose_command_was_killed_is_closed_and_is_made_anew_or_dropped() {
    let (source, target) = gold(16, 16).await;
    let admin = target::admin(&target.endpoint("copier", "x")).await.unwrap();
    for anew in [true, false] {
        let guest = target.endpoint("copier", "gold").connect().await.unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_keelway-pgcopy"))
            .args(["clone", "--server", "SERVER", "--template", "gold", "--name", "pr"])
            .env("SERVER", target.url("copier", "postgres"))
            .spawn()
            .unwrap();
        let making =
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%' AND state = 'active'";
        until(&target, making, "1").await;
        command.kill().unwrap();
        command.wait().unwrap();
        drop(guest);
        until(&target, "SELECT count(*) FROM pg_database WHERE datname = 'pr' AND NOT datallowconn", "1")
            .await;
        until(&target, making, "0").await;
        // Its session still holds the lock on the name for a moment.
        until(&target, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", "0").await;
        if anew {
            clone(&wanted(&target, "pr")).await.unwrap();
            assert_eq!(target.value("pr", "SELECT count(*) FROM t").await, "500");
        }
        mark::drop_marked(&admin, "pr", true).await.unwrap();
        assert_eq!(target.databases().await, "gold");
    }
    // Nor does what was left stand in a copy's way.
    let magic = "CREATE DATABASE pr OWNER copier ALLOW_CONNECTIONS false CONNECTION LIMIT 1720613";
    target.sql("postgres", magic).await;
    let policy = policy(&source, "shop", &[]).await;
    copy(&options(source.endpoint("admin", "shop"), target.endpoint("copier", "pr"), &policy)).await;
    mark::drop_marked(&admin, "pr", true).await.unwrap();
    // Closed alone is no sign of ours.
    target.sql("postgres", "CREATE DATABASE pr OWNER copier ALLOW_CONNECTIONS false").await;
    assert!(clone(&wanted(&target, "pr")).await.unwrap_err().is_code("42P04"));
    assert_eq!(mark::drop_marked(&admin, "pr", true).await.unwrap_err().exit_code(), 2);
}

async fn until(server: &Server, query: &str, value: &str) {
    while server.value("postgres", query).await != value {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

//! `kill -9` at random points: of the command, of a backend of the source, of a backend of the target.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    reason = "helpers of tests"
)]

mod common;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{KEY, Server, policy};

/// Kills per sort of victim.
const ROUNDS: u64 = 3;

fn start(source: &Server, target: &Server, policy: &std::path::Path, rate: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_keelway-pgcopy"))
        .args([
            "copy",
            "--quiet",
            "--from",
            "FROM_URL",
            "--to",
            "TO_URL",
            "--key",
            "MASTER",
            "--max-rate",
            rate,
        ])
        .arg("--policy")
        .arg(policy)
        .arg("--pg-bin")
        .arg(common::tools())
        .env("FROM_URL", source.url("admin", "shop"))
        .env("TO_URL", target.url("copier", "gold"))
        .env("MASTER", KEY)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A server restarts after one of its processes was killed; until then it lets nobody in.
async fn ready(server: &Server) {
    for _ in 0..200 {
        if server.endpoint("admin", "postgres").connect().await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the server did not come back: {}", server.log());
}

/// Kills one of the command's backends, if it has one just now.
async fn kill_backend(server: &Server) {
    let pick = "SELECT coalesce((SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'keelway-pgcopy%' \
        AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1), 0)";
    let pid = server.value("postgres", pick).await;
    if pid != "0" {
        assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_at_any_point_the_next_run_makes_a_whole_copy_and_clears_what_was_left() {
    let (source, target) = (Server::start(16), Server::start(16));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    source
        .sql(
            "shop",
            "CREATE TABLE a (id int PRIMARY KEY, name text); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);
             INSERT INTO a SELECT i, 'name ' || md5(i::text) FROM generate_series(1, 60000) i;
             INSERT INTO b SELECT i, i FROM generate_series(1, 60000) i; ANALYZE",
        )
        .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, policy(&source, "shop", &[("a.name", "mask: {hash: {}}")]).await).unwrap();
    let mut seed: u64 = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos().into();
    for round in 0..3 * ROUNDS {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let wait = (seed >> 33) % 1500;
        eprintln!("round {round}: a kill after {wait} ms");
        let mut child = start(&source, &target, &file, "3M");
        tokio::time::sleep(Duration::from_millis(wait)).await;
        match round % 3 {
            0 => child.kill().unwrap(),
            1 => kill_backend(&source).await,
            _ => kill_backend(&target).await,
        }
        let done = child.wait().unwrap().success();
        ready(&source).await;
        ready(&target).await;
        let mark = "SELECT coalesce((SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'gold'), '')";
        let mark = target.value("postgres", mark).await;
        assert!(mark.contains("\"state\":\"finished\"") || mark.is_empty() && !done, "round {round}: {mark}");
        // The next run may meet a server that is still coming back, or sessions of the killed one.
        let mut tries = 0;
        while !start(&source, &target, &file, "1G").wait().unwrap().success() {
            tries += 1;
            assert!(tries < 30, "round {round} does not converge");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        assert_eq!(target.databases().await, "gold", "round {round}");
        let whole = "SELECT count(*) || ' ' || count(*) FILTER (WHERE a.name LIKE 'name %') FROM b JOIN a ON a.id = b.a";
        assert_eq!(target.value("gold", whole).await, "60000 0", "round {round}");
        let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'keelway-pgcopy %'";
        assert_eq!(source.value("postgres", left).await, "0", "round {round}");
        target.sql("postgres", "DROP DATABASE gold WITH (FORCE)").await;
    }
}

/// While the copy clears up it waits for its CREATE DATABASE, which here waits for somebody else's lock.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_a_copy_that_clears_up() {
    let (source, target) = (Server::start(16), Server::start(16));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    source.sql("shop", "CREATE TABLE a (id int PRIMARY KEY)").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, policy(&source, "shop", &[]).await).unwrap();
    let other = target.session("postgres").await;
    other.client.batch_execute("BEGIN; COMMENT ON DATABASE template0 IS 'x'").await.unwrap();
    let mut child = start(&source, &target, &file, "1G");
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%' AND wait_event_type = 'Lock'";
    while target.value("postgres", waits).await != "1" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let signal = |child: &Child| {
        assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    };
    signal(&child);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(child.try_wait().unwrap(), None, "it clears up");
    signal(&child);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let code = child.try_wait().unwrap().map(|status| status.code());
    let _ = child.kill();
    assert_eq!(code, Some(Some(130)));
}

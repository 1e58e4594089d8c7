//! What happens to others, and what others do to us: writers, DDL, TRUNCATE, kills.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    reason = "helpers of tests"
)]

mod common;

use std::time::Duration;

use common::{Server, copy, options, policy, try_copy};

async fn pair(schema: &str) -> (Server, Server) {
    let (source, target) = (Server::start(16), Server::start(16));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    source.sql("shop", schema).await;
    (source, target)
}

const WIDE: &str = "CREATE TABLE big (id int PRIMARY KEY, filler text);
    ALTER TABLE big ALTER filler SET STORAGE EXTERNAL;
    INSERT INTO big SELECT i, repeat(md5(i::text), 100) FROM generate_series(1, 8000) i; ANALYZE;";

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_keeps_its_sum_while_writers_move_money() {
    let (source, target) = pair(
        "CREATE TABLE a (id int PRIMARY KEY, money bigint); CREATE TABLE b (id int PRIMARY KEY, money bigint);
         INSERT INTO a SELECT i, 1000 FROM generate_series(1, 20000) i; INSERT INTO b SELECT i, 1000 FROM generate_series(1, 20000) i;",
    )
    .await;
    let policy = policy(&source, "shop", &[]).await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut writers = Vec::new();
    for number in 0..2 {
        let (session, stop) = (source.session("shop").await, std::sync::Arc::clone(&stop));
        writers.push(tokio::spawn(async move {
            let mut moved = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let id = (moved * 7 + number) % 20_000 + 1;
                let batch = format!(
                    "BEGIN; UPDATE public.a SET money = money - 1 WHERE id = {id}; UPDATE public.b SET money = money + 1 WHERE id = {id}; COMMIT"
                );
                session.client.batch_execute(&batch).await.unwrap();
                moved += 1;
            }
            moved
        }));
    }
    let options = options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy);
    copy(&options).await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for writer in writers {
        assert!(writer.await.unwrap() > 10, "the writers were active");
    }
    let sum = "SELECT (SELECT sum(money) FROM a) + (SELECT sum(money) FROM b)";
    assert_eq!(target.value("gold", sum).await, "40000000");
}

#[tokio::test(flavor = "multi_thread")]
async fn ddl_and_truncate_wait_for_the_copy_and_then_it_gives_way() {
    for statement in ["TRUNCATE big", "DROP TABLE big", "ALTER TABLE big ADD COLUMN later text"] {
        let (source, target) = pair(WIDE).await;
        let policy = policy(&source, "shop", &[]).await;
        let mut options =
            options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy);
        options.max_rate = Some(2 << 20);
        options.courtesy.blocked = Duration::from_millis(800);
        let copying = tokio::spawn(async move { try_copy(&options).await });
        while source
            .value("shop", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%big%TO STDOUT%'")
            .await
            == "0"
        {
            assert!(!copying.is_finished(), "the copy ended early");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let started = std::time::Instant::now();
        source.sql("shop", statement).await;
        assert!(started.elapsed() > Duration::from_millis(500), "{statement} did not wait");
        assert!(started.elapsed() < Duration::from_secs(20), "{statement} waited {:?}", started.elapsed());
        let error = copying.await.unwrap().unwrap_err();
        assert_eq!(error.exit_code(), 4, "{error}");
        assert!(error.to_string().contains("gave way: session"), "{error}");
        assert_eq!(target.databases().await, "", "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_another_session_holds_is_not_waited_for_forever() {
    let (source, target) = pair(WIDE).await;
    let policy = policy(&source, "shop", &[]).await;
    let holder = source.session("shop").await;
    let mut options = options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy);
    options.courtesy.lock_timeout = Duration::from_millis(300);
    holder.client.batch_execute("BEGIN; LOCK TABLE public.big").await.unwrap();
    let error = try_copy(&options).await.unwrap_err();
    assert_eq!(error.exit_code(), 4, "{error}");
    holder.client.batch_execute("COMMIT").await.unwrap();
    options.courtesy.snapshot_age = Some(Duration::from_millis(300));
    options.max_rate = Some(1 << 20);
    let error = try_copy(&options).await.unwrap_err();
    assert!(error.to_string().contains("--max-snapshot-age"), "{error}");
    assert_eq!(target.databases().await, "");
}

/// The server ends a CREATE DATABASE that it has begun, whoever waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_cancelled_while_its_database_is_made_leaves_none() {
    let (source, target) = pair("CREATE TABLE t (id int PRIMARY KEY)").await;
    let policy = policy(&source, "shop", &[]).await;
    let options = options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy);
    let watcher = target.session("postgres").await;
    let making =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%' AND state = 'active'";
    let made = async || watcher.client.query_one(making, &[]).await.unwrap().get::<_, i64>(0) > 0;
    for _ in 0..3 {
        let begun = async { while !made().await {} };
        let error = pgcopy::copy(&options, &pgcopy::progress::Progress::silent(), begun).await.unwrap_err();
        assert!(matches!(error, pgcopy::Error::Cancelled), "{error}");
        while made().await {}
        assert_eq!(target.databases().await, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_worker_starts_its_table_anew_and_a_lost_exporter_ends_the_copy() {
    let (source, target) = pair(WIDE).await;
    let policy = policy(&source, "shop", &[]).await;
    let slow = |database: &str| {
        let mut options =
            options(source.endpoint("admin", "shop"), target.endpoint("copier", database), &policy);
        options.max_rate = Some(8 << 20);
        options
    };
    let first = slow("gold");
    let copying = tokio::spawn(async move { try_copy(&first).await });
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'COPY%big%TO STDOUT%'";
    while source.value("shop", kill).await == "0" {
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let report = copying.await.unwrap().unwrap();
    assert_eq!(report.tables.iter().map(|table| table.rows).sum::<u64>(), 8000);
    assert_eq!(target.value("gold", "SELECT count(*) FROM big").await, "8000");

    let second = slow("lost");
    let copying = tokio::spawn(async move { try_copy(&second).await });
    while source
        .value("shop", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%big%TO STDOUT%'")
        .await
        == "0"
    {
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let exporter = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'keelway-pgcopy %' \
        AND state = 'idle in transaction'";
    source.value("shop", exporter).await;
    let error = copying.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("held the snapshot"), "{error}");
    assert_eq!(target.databases().await, "gold");
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_source_and_target_killed_at_any_point_leave_nothing_that_looks_good() {
    let (mut source, mut target) = pair(WIDE).await;
    let policy = policy(&source, "shop", &[]).await;
    for (round, wait) in [40_u64, 150, 400, 700, 1100].into_iter().enumerate() {
        let mut options =
            options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy);
        options.max_rate = Some(16 << 20);
        let copying = tokio::spawn(async move { try_copy(&options).await.map(drop) });
        tokio::time::sleep(Duration::from_millis(wait)).await;
        match round % 3 {
            0 => copying.abort(),
            1 => {
                source.crash();
                source.boot(&[]);
            }
            _ => {
                target.crash();
                target.boot(&[]);
            }
        }
        let outcome = copying.await;
        // A kill that comes after the last step finds a finished copy; any other finds none.
        let there =
            target.value("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'gold'").await == "1";
        assert!(there || !matches!(outcome, Ok(Ok(()))), "round {round}");
        if there {
            let mark = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'gold'";
            assert!(target.value("postgres", mark).await.contains("\"state\":\"finished\""), "round {round}");
            assert_eq!(target.value("gold", "SELECT count(*) FROM big").await, "8000", "round {round}");
            target.sql("postgres", "DROP DATABASE gold WITH (FORCE)").await;
        }
    }
    // What a kill left bears the mark of an unfinished copy: the next copy replaces it, a clone refuses it.
    let options = options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy);
    let mut tries = 0;
    while let Err(error) = try_copy(&options).await {
        tries += 1;
        assert!(tries < 20, "{error}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(target.databases().await, "gold");
    assert_eq!(target.value("gold", "SELECT count(*) FROM big").await, "8000");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_security_without_the_right_to_pass_it_is_refused_and_grants_are_enough_otherwise() {
    let (source, target) = pair(
        "CREATE TABLE t (id int PRIMARY KEY, mine text, secret text); INSERT INTO t SELECT i, 'm' || i, 's' FROM generate_series(1, 50) i;
         CREATE SEQUENCE s; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id < 5);",
    )
    .await;
    let policy = policy(&source, "shop", &[("t.secret", "mask: {null: {}}")]).await;
    let session = source.session("shop").await;
    let catalog = pgcopy::catalog::load(&session).await.unwrap();
    let mut options = options(source.endpoint("copier", "shop"), target.endpoint("copier", "gold"), &policy);
    let decisions = masking::decide(&options.policy, &catalog.masking_schema()).unwrap();
    let grants = pgcopy::grants::grants(&catalog, &decisions, &[], "copier", false);
    source.sql("shop", &grants).await;
    let error = try_copy(&options).await.unwrap_err();
    assert!(error.exit_code() == 3 && error.to_string().contains("row level security"), "{error}");
    source.sql("shop", &pgcopy::grants::grants(&catalog, &decisions, &[], "copier", true)).await;
    options.schema_from = Some(source.endpoint("admin", "shop"));
    copy(&options).await;
    assert_eq!(target.value("gold", "SELECT count(*) || ' ' || count(secret) FROM t").await, "50 0");
    // The database itself refuses what the policy does not allow.
    let role = source.endpoint("copier", "shop").connect().await.unwrap();
    assert!(role.client.query("SELECT secret FROM public.t", &[]).await.is_err());
}

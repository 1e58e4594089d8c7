//! A streaming standby as the source.

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

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_copied_and_a_recovery_conflict_ends_the_copy_with_its_cure() {
    let (primary, target) = (Server::start(16), Server::start(16));
    primary.prepare(Some("shop")).await;
    target.prepare(None).await;
    primary
        .sql(
            "shop",
            "CREATE TABLE big (id int PRIMARY KEY, filler text); ALTER TABLE big ALTER filler SET STORAGE EXTERNAL;
             CREATE UNLOGGED TABLE scratch (id int); INSERT INTO scratch VALUES (1);
             INSERT INTO big SELECT i, repeat(md5(i::text), 100) FROM generate_series(1, 8000) i; ANALYZE",
        )
        .await;
    let standby = primary.standby(&["max_standby_streaming_delay=100ms", "hot_standby_feedback=off"]);
    assert_eq!(standby.value("shop", "SELECT pg_is_in_recovery()").await, "true");
    let streaming = "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'";
    while standby.value("postgres", streaming).await == "0" {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let policy = policy(&standby, "shop", &[]).await;
    let mut options = options(standby.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy);
    let report = copy(&options).await;
    assert_eq!(target.value("gold", "SELECT count(*) FROM big").await, "8000");
    assert!(report.left_out.iter().any(|left| left.name == "public.scratch"), "{:?}", report.left_out);

    options.target = target.endpoint("copier", "second");
    options.max_rate = Some(4 << 20);
    let copying = tokio::spawn(async move { try_copy(&options).await });
    let reading = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%big%TO STDOUT%'";
    while standby.value("shop", reading).await == "0" {
        assert!(!copying.is_finished(), "the copy ended early");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    primary.sql("shop", "DELETE FROM public.big WHERE id % 2 = 0").await;
    primary.sql("shop", "VACUUM public.big").await;
    let error = copying.await.unwrap().unwrap_err();
    assert_eq!(error.exit_code(), 4, "{error}");
    assert!(error.to_string().contains("set hot_standby_feedback = on"), "{error}");
    assert_eq!(target.databases().await, "gold");
}

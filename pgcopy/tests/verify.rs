//! What `verify` compares.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    reason = "helpers of tests"
)]

mod common;

use common::{Server, copy, options, policy, try_copy};

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_changed_its_partition_is_noticed_and_a_subset_is_named_without_its_values() {
    let (source, target) = (Server::start(16), Server::start(16));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    source
        .sql(
            "shop",
            "CREATE TABLE t (id int, mail text) PARTITION BY RANGE (id);
             CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100);
             CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (100) TO (200);
             INSERT INTO t SELECT i, 'carol' FROM generate_series(0, 149) i; ANALYZE",
        )
        .await;
    let mut text = policy(&source, "shop", &[]).await;
    text.push_str("subset:\n- {name: t, percent: 100, where: [{column: mail, equals: carol}]}\n");
    let options = options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &text);
    let report = copy(&options).await;
    assert_eq!(report.subset, ["public.t where mail equals, 100 %"]);
    let signed = report.signed(options.key.as_ref()).unwrap();
    assert!(!signed.contains("carol"));
    let verify = pgcopy::verify::VerifyOptions {
        source: options.source.clone(),
        target: options.target.clone(),
        policy: options.policy.clone(),
        policy_hash: options.policy_hash.clone(),
        report: Some((signed, options.key.clone().unwrap())),
    };
    pgcopy::verify::verify(&verify).await.unwrap();
    target.sql("gold", "UPDATE t SET id = 150 WHERE id = 1").await;
    let error = pgcopy::verify::verify(&verify).await.unwrap_err();
    assert!(error.to_string().contains("\"t1\" has 99 rows, the report says 100"), "{error}");
}

/// A partition may have a rule of its own, and its table's key is then still what decides where a row lies.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_whose_own_rule_masks_its_tables_key_is_refused() {
    let (source, target) = (Server::start(16), Server::start(16));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    source
        .sql(
            "shop",
            "CREATE TABLE t (id int, x text) PARTITION BY RANGE (id);
             CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100);
             CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (100) TO (1000)",
        )
        .await;
    let mut text = policy(&source, "shop", &[]).await;
    text.push_str("- name: public.t1\n  columns:\n  - {name: id, mask: {int: {min: 0, max: 999}}}\n  - {name: x, keep: true}\n");
    let options = options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &text);
    let error = try_copy(&options).await.expect_err("rows would leave their partition");
    assert_eq!(error.exit_code(), 3, "{error}");
    assert!(error.to_string().contains("error[partition] public.t1.id"), "{error}");
    assert_eq!(target.databases().await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subset_of_the_command_is_part_of_the_policys_hash_and_verify_wants_the_same() {
    let (source, target) = (Server::start(16), Server::start(16));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    let rows = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100); ANALYZE";
    source.sql("shop", rows).await;
    let folder = tempfile::tempdir().unwrap();
    let (file, report) = (folder.path().join("policy.yaml"), folder.path().join("report.json"));
    let text = policy(&source, "shop", &[]).await;
    std::fs::write(&file, &text).unwrap();
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_keelway-pgcopy"))
            .args(arguments)
            .args(["--from", "FROM_URL", "--to", "TO_URL", "--key", "MASTER"])
            .args([
                std::ffi::OsStr::new("--policy"),
                file.as_os_str(),
                "--report".as_ref(),
                report.as_os_str(),
            ])
            .env("FROM_URL", source.url("admin", "shop"))
            .env("TO_URL", target.url("copier", "gold"))
            .env("MASTER", common::KEY)
            .output()
            .unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap(),
        )
    };
    let subset = "[{name: t, where: [{column: id, lessThan: 11}]}]";
    let tools = common::tools();
    let (code, said) = run(&["copy", "--quiet", "--subset", subset, "--pg-bin", tools.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(target.value("gold", "SELECT count(*) FROM t").await, "10");
    let written: serde_json::Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let alone = pgcopy::report::sha256(text.as_bytes());
    let both = pgcopy::report::sha256(format!("{alone} subset: {subset}").as_bytes());
    assert_eq!(written["report"]["policy"], both);
    let (code, said) = run(&["verify", "--subset", subset]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("rows: as reported"), "{said}");
    for arguments in [&["verify"][..], &["verify", "--subset", "[{name: t, percent: 10}]"]] {
        let (code, said) = run(arguments);
        assert_eq!(code, 6, "{said}");
        assert!(said.contains("another --subset"), "{said}");
    }
    let (code, said) = run(&["verify", "--subset", "[{nam: t}]"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("--subset:"), "{said}");
}

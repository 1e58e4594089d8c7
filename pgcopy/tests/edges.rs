//! The ends of the range: a row of 200 MB, a thousand tables, a hostile search path, two copies to one name.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    reason = "helpers of tests"
)]

mod common;

use std::process::Command;

use common::{KEY, Server, copy, options, policy};

/// Copies by the command with two jobs; the engine's peak in MiB.
async fn peak(source: &Server, target: &Server, name: &str, policy: &str) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, policy).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_keelway-pgcopy"))
        .args(["copy", "--quiet", "--jobs", "2", "--from", "FROM_URL", "--to", "TO_URL", "--key", "MASTER"])
        .arg("--pg-bin")
        .arg(common::tools())
        .arg("--policy")
        .arg(&file)
        .env("FROM_URL", source.url("admin", "shop"))
        .env("TO_URL", target.url("copier", name))
        .env("MASTER", KEY)
        .spawn()
        .unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
        peak = peak.max(line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap_or(0) / 1024);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(child.wait().unwrap().success());
    peak
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_200_mb_in_two_tables_at_once_need_the_memory_of_one() {
    let (source, target) = (Server::start(16), Server::start(16));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    let mib = 200;
    for table in ["wide", "broad"] {
        source.sql("shop", &format!(
            "CREATE TABLE {table} (id int PRIMARY KEY, name text, body text); ALTER TABLE {table} ALTER body SET STORAGE EXTERNAL;
             INSERT INTO {table} SELECT i, '{table} ' || i, repeat('0123456789abcdef', {mib} * 65536) FROM generate_series(1, 2) i;"
        )).await;
    }
    // Once as they come, once through the masks; the tables are read side by side.
    let masked = [("wide.name", "mask: {fullName: {}}"), ("broad.name", "mask: {fullName: {}}")];
    for (name, rules) in [("kept", &[][..]), ("masked", &masked[..])] {
        let peak = peak(&source, &target, name, &policy(&source, "shop", rules).await).await;
        eprintln!("{name}: peak {peak} MiB for rows of {mib} MiB");
        assert!(peak > 50 && peak < mib + 64, "{name}: {peak} MiB");
        let same = "SELECT md5(string_agg(body, '' ORDER BY id)) FROM wide WHERE id = 1";
        assert_eq!(target.value(name, same).await, source.value("shop", same).await);
        assert_eq!(target.value(name, "SELECT count(*) FROM broad").await, "2");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_copies_to_one_name_one_gives_way_and_takes_nothing_from_the_other() {
    let (source, target) = (Server::start(17), Server::start(17));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    source
        .sql(
            "shop",
            "CREATE TABLE t AS SELECT i AS id, repeat('x', 100) AS body FROM generate_series(1, 400000) i",
        )
        .await;
    let policy = policy(&source, "shop", &[]).await;
    let mut one = options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy);
    one.max_rate = Some(20 << 20);
    let first = tokio::spawn(async move { Box::pin(common::try_copy(&one)).await });
    let loading = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'gold_loading'";
    while target.value("postgres", loading).await == "0" {
        assert!(!first.is_finished(), "the first copy was over before the second began");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let two = options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy);
    let error = Box::pin(common::try_copy(&two)).await.unwrap_err();
    assert_eq!(error.exit_code(), 4, "{error}");
    assert!(error.to_string().contains("another copy to gold is under way"), "{error}");
    first.await.unwrap().unwrap();
    assert_eq!(target.value("gold", "SELECT count(*) FROM t").await, "400000");

    // The next copy takes the place of this one, with the rights that it has.
    target
        .sql(
            "postgres",
            "REVOKE CONNECT, TEMPORARY ON DATABASE gold FROM PUBLIC; GRANT CONNECT ON DATABASE gold TO admin",
        )
        .await;
    copy(&two).await;
    let open = "SELECT count(*) FROM pg_database, aclexplode(datacl) WHERE datname = 'gold' AND grantee = 0";
    assert_eq!(target.value("postgres", open).await, "0", "a database that was closed stays closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_tables_are_copied() {
    let (source, target) = (Server::start(17), Server::start(17));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    for block in 0..10 {
        source
            .sql(
                "shop",
                &format!(
                    "DO $$ BEGIN FOR i IN {block} * 100 + 1 .. {block} * 100 + 100 LOOP
               EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY, a text)', i);
               EXECUTE format('INSERT INTO t%s (a) VALUES (%L)', i, i);
             END LOOP; END $$"
                ),
            )
            .await;
    }
    let policy = policy(&source, "shop", &[]).await;
    let report =
        copy(&options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy)).await;
    assert_eq!(report.tables.len(), 1000);
    assert!(report.tables.iter().all(|table| table.rows == 1));
    assert_eq!(target.value("gold", "SELECT a FROM t737").await, "737");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_search_path_with_operators_of_the_same_names_is_never_asked() {
    let (source, target) = (Server::start(16), Server::start(16));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    source.sql("shop", "
        CREATE TABLE t (id int PRIMARY KEY, status text, mail text);
        INSERT INTO t SELECT i, 'open', 'someone' || i || '@corp.test' FROM generate_series(1, 50) i; ANALYZE;
        CREATE SCHEMA evil; CREATE TABLE evil.caught (what text);
        CREATE FUNCTION evil.eq(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'caught'; END $$;
        CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.eq);
        CREATE FUNCTION evil.left(text, int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'caught'; END $$;
        CREATE FUNCTION evil.pg_export_snapshot() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'caught'; END $$;
        CREATE FUNCTION evil.hashtextextended(text, bigint) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'caught'; END $$;").await;
    source.sql("postgres", "ALTER DATABASE shop SET search_path = evil, pg_catalog, public").await;
    source.sql("postgres", "ALTER ROLE admin SET search_path = evil, pg_catalog, public").await;
    target.sql("postgres", "ALTER ROLE copier SET search_path = evil, pg_catalog, public").await;
    let mut text = policy(&source, "shop", &[("t.mail", "mask: {email: {}}")]).await;
    text.push_str("subset: [{name: t, where: [{column: status, equals: open}]}]\n");
    copy(&options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &text)).await;
    assert_eq!(target.value("gold", "SELECT count(*) FROM public.t").await, "50");
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_commands_write_check_and_explain_a_policy() {
    let source = Server::start(16);
    source.prepare(Some("shop")).await;
    source.sql("shop", "CREATE TABLE users (id int PRIMARY KEY, email text, x text, amount int);
        INSERT INTO users SELECT i, 'a' || i || '@corp.test', '+81 90-1234-567' || i % 10, i FROM generate_series(1, 50) i; ANALYZE").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_keelway-pgcopy"))
            .args(arguments)
            .env("SHOP", source.url("admin", "shop"))
            .output()
            .unwrap()
    };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let path = file.to_str().unwrap();
    assert!(run(&["policy", "init", "--from", "SHOP", "--out", path]).status.success());
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(
        written.contains("email: {}") && written.contains("phone") && !written.contains("corp.test"),
        "{written}"
    );
    std::fs::write(&file, "tables: [{name: users, columns: [{name: id, keep: true}]}]").unwrap();
    let checked = run(&["policy", "check", "--from", "SHOP", "--policy", path]);
    assert_eq!(checked.status.code(), Some(3));
    assert!(text(checked.stdout).contains("public.users.email"));
    let sarif = run(&["policy", "check", "--from", "SHOP", "--policy", path, "--format", "sarif"]);
    let sarif: serde_json::Value = serde_json::from_slice(&sarif.stdout).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let suggested = text(run(&["policy", "suggest", "--from", "SHOP", "--policy", path]).stdout);
    assert!(suggested.contains("{name: email, mask: {email: {}}}"), "{suggested}");
    let all = "tables: [{name: users, columns: [{name: id, keep: true}, {name: email, mask: {email: {}}}, {name: x, mask: {\"null\": {}}}, {name: amount, keep: true}]}]";
    std::fs::write(&file, all).unwrap();
    let grants =
        text(run(&["policy", "grants", "--from", "SHOP", "--policy", path, "--role", "copier"]).stdout);
    assert!(
        grants.contains("GRANT SELECT (\"amount\", \"ctid\", \"email\", \"id\") ON \"public\".\"users\""),
        "{grants}"
    );
    let plan = run(&["copy", "--dry-run", "--from", "SHOP", "--to", "SHOP", "--policy", path]);
    assert_eq!(plan.status.code(), Some(3), "a keyed mask without --key refuses");
    let url = run(&["policy", "init", "--from", "postgres://u:hunter2@h/d"]);
    assert!(url.status.code() == Some(2) && !text(url.stderr).contains("hunter2"));
}

/// The name of an identity's sequence stays when its table is renamed, and is cut where it is long.
#[tokio::test(flavor = "multi_thread")]
async fn the_sequence_of_a_masked_key_goes_on_above_it_whatever_its_name() {
    let (source, target) = (Server::start(16), Server::start(16));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    let long = "n".repeat(60);
    source
        .sql(
            "shop",
            &format!(
                "CREATE TABLE old (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int); ALTER TABLE old RENAME TO person;
                 CREATE TABLE {long} (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, a int);
                 CREATE TABLE \"odd.\"\"name\" (id bigserial PRIMARY KEY, a int);
                 CREATE TABLE narrow (id int GENERATED ALWAYS AS IDENTITY (MAXVALUE 1000) PRIMARY KEY, a int);
                 INSERT INTO narrow (a) VALUES (1), (2);
                 INSERT INTO person (a) VALUES (1), (2); INSERT INTO {long} (a) VALUES (1); INSERT INTO \"odd.\"\"name\" (a) VALUES (1)"
            ),
        )
        .await;
    let odd = "odd.\"name.id";
    let long_id = format!("{long}.id");
    let rules = [
        ("person.id", "mask: {id: {}}"),
        (&long_id, "mask: {id: {}}"),
        (odd, "mask: {id: {}}"),
        ("narrow.id", "mask: {id: {}}"),
    ];
    let policy = policy(&source, "shop", &rules).await;
    copy(&options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy)).await;
    for (table, floor) in [("person", 1_i64 << 30), (&long, 1 << 62), ("\"odd.\"\"name\"", 1 << 62)] {
        let made = format!(
            "WITH made AS (SELECT nextval(pg_get_serial_sequence('{table}', 'id')) n) SELECT n > {floor} AND n > (SELECT max(id) FROM {table}) FROM made"
        );
        assert_eq!(target.value("gold", &made).await, "true", "{table}");
    }
    // One that cannot hold the floor goes on as at the source, and that is said.
    let narrow = "SELECT nextval(pg_get_serial_sequence('narrow', 'id'))";
    assert_eq!(target.value("gold", narrow).await, "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_not_null_that_old_rows_break_stays_not_valid() {
    let (source, target) = (Server::start(18), Server::start(18));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    let rows = "CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, NULL);
        ALTER TABLE t ADD CONSTRAINT \"has a\" NOT NULL a NOT VALID";
    source.sql("shop", rows).await;
    let policy = policy(&source, "shop", &[]).await;
    copy(&options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy)).await;
    let open = "SELECT convalidated || ' ' || (SELECT count(*) FROM t WHERE a IS NULL) FROM pg_constraint WHERE conname = 'has a'";
    assert_eq!(target.value("gold", open).await, "false 1");
}

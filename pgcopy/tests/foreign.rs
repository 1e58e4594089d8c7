//! What depends on foreign tables.

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
async fn views_over_foreign_tables_are_left_out_and_what_else_depends_on_one_is_refused() {
    let (source, target) = (Server::start(15), Server::start(18));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    source
        .sql(
            "shop",
            "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
             CREATE FOREIGN TABLE ft (id int, c text) SERVER s; COMMENT ON COLUMN ft.c IS 'x';
             CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2);
             CREATE VIEW v AS SELECT * FROM ft; COMMENT ON VIEW v IS 'y'; ALTER VIEW v ALTER c SET DEFAULT 'z';
             CREATE VIEW above AS SELECT v.id FROM v JOIN t USING (id);
             CREATE MATERIALIZED VIEW m AS SELECT * FROM ft WITH NO DATA; CREATE INDEX ON m (id);
             CREATE RULE r AS ON UPDATE TO v DO INSTEAD NOTHING;
             CREATE FUNCTION v() RETURNS int LANGUAGE sql AS 'SELECT 7'; CREATE VIEW fine AS SELECT id FROM t",
        )
        .await;
    let text = policy(&source, "shop", &[]).await;
    let report =
        copy(&options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &text)).await;
    assert_eq!(target.value("gold", "SELECT count(*) || ' ' || v() FROM fine").await, "2 7");
    let left: Vec<String> =
        report.left_out.iter().map(|left| format!("{} {}", left.kind, left.name)).collect();
    for object in
        ["foreign table public.ft", "view public.v", "view public.above", "materialized view public.m"]
    {
        assert!(left.iter().any(|left| left == object), "{object}: {left:?}");
    }
    let others = [
        (
            "CREATE FUNCTION f(int, text DEFAULT 'a') RETURNS int LANGUAGE sql AS 'SELECT 1';
             CREATE FUNCTION f(int, \"F x\" ft DEFAULT NULL) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "function public.f(integer, \"F x\" public.ft DEFAULT NULL::public.ft)",
        ),
        ("DROP FUNCTION f(int, ft); CREATE TABLE u (a ft)", "table public.u"),
        (
            "DROP TABLE u; CREATE TABLE p (id int) PARTITION BY LIST (id);
             CREATE FOREIGN TABLE pf PARTITION OF p FOR VALUES IN (1) SERVER s",
            "partitioned table public.p",
        ),
    ];
    for (statement, name) in others {
        source.sql("shop", statement).await;
        let text = policy(&source, "shop", &[]).await;
        let to = target.endpoint("copier", "other");
        let error =
            try_copy(&options(source.endpoint("admin", "shop"), to, &text)).await.expect_err(statement);
        assert_eq!(error.exit_code(), 3, "{statement}: {error}");
        assert!(error.to_string().contains(&format!("{name}: it depends on a foreign table")), "{error}");
    }
    assert_eq!(target.databases().await, "gold");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_without_what_depends_on_a_foreign_table_is_the_cure_though_a_namesake_is_left() {
    let (source, target) = (Server::start(15), Server::start(18));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    source
        .sql(
            "shop",
            "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE ft (id int) SERVER s;
             CREATE TABLE t (id int PRIMARY KEY); CREATE FUNCTION f(int, text DEFAULT 'a') RETURNS int LANGUAGE sql AS 'SELECT 1';
             CREATE FUNCTION f(int, ft) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        )
        .await;
    let dump = std::process::Command::new(common::tools().join("pg_dump"))
        .args(["-s", "-d", &source.url("admin", "shop")])
        .output()
        .unwrap();
    let dump = String::from_utf8(dump.stdout).unwrap();
    let statement = dump.find("CREATE FUNCTION public.f(integer, public.ft)").unwrap();
    let end = statement + dump[statement..].find(";\n").unwrap() + 2;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("schema.sql");
    std::fs::write(&file, [&dump[..statement], &dump[end..]].concat()).unwrap();
    let text = policy(&source, "shop", &[]).await;
    let to = target.endpoint("copier", "other");
    let options = options(source.endpoint("admin", "shop"), to, &text);
    copy(&pgcopy::copy::CopyOptions { schema_file: Some(file), ..options }).await;
    let found = "SELECT string_agg(pg_get_function_arguments(oid), ';') FROM pg_proc WHERE proname = 'f'";
    assert_eq!(target.value("other", found).await, "integer, text DEFAULT 'a'::text");
}

//! What leaves and what does not: masks, refusals, canaries, the report.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    reason = "helpers of tests"
)]

mod common;

use std::collections::BTreeSet;
use std::process::Command;

use common::{KEY, Server, copy, options, policy, try_copy};

/// A shop with a canary in every personal column, stored so that grep can see it.
const SHOP: &str = "
    CREATE TABLE users (id bigserial PRIMARY KEY, email text NOT NULL UNIQUE, name text, phone text, notes text, doc jsonb);
    ALTER TABLE users ALTER notes SET STORAGE EXTERNAL, ALTER doc SET STORAGE EXTERNAL;
    CREATE TABLE parts (k text) PARTITION BY LIST (k);
    CREATE TABLE orders (id bigserial PRIMARY KEY, user_email text REFERENCES users (email), amount int);
    INSERT INTO users (email, name, phone, notes, doc)
      SELECT 'CANARY-mail-' || i || '@corp.test', 'CANARY-name-' || i, '+81 90-1234-' || (10000 + i),
        repeat('CANARY-note-' || i || ' ', 400), jsonb_build_object('plan', 'gold', 'secret', 'CANARY-json-' || i)
      FROM generate_series(1, 200) i;
    INSERT INTO orders (user_email, amount) SELECT email, i FROM users, generate_series(1, 3) i;
    ANALYZE;";

const RULES: &[(&str, &str)] = &[
    ("users.email", "mask: {email: {}}"),
    ("orders.user_email", "mask: {email: {}}"),
    ("users.name", "mask: {fullName: {}}"),
    ("users.phone", "mask: {phone: {}}"),
    ("users.notes", "mask: {lorem: {}}"),
    ("users.doc", "mask: {json: {paths: [{path: $.plan, keep: true}, {path: $.secret, mask: {hash: {}}}]}}"),
];

/// The canaries that grep finds in a folder; of the target's whole data directory, its log included. A TOAST chunk may end
/// within a canary, so pieces of one may be among them too.
fn grep(folder: &std::path::Path) -> BTreeSet<String> {
    let pattern = "CANARY-[a-z]*-[0-9]*|\\+81 90-1234-1[0-9]{4}";
    let output = Command::new("grep").args(["-raohE", pattern]).arg(folder).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Every canary of [`SHOP`].
fn canaries() -> BTreeSet<String> {
    let of = |i: u32| {
        let texts = ["mail", "name", "note", "json"].map(|kind| format!("CANARY-{kind}-{i}"));
        texts.into_iter().chain([format!("+81 90-1234-{}", 10_000 + i)])
    };
    (1..=200).flat_map(of).collect()
}

async fn pair() -> (Server, Server) {
    let (source, target) = (Server::start(16), Server::start(18));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    source.sql("shop", SHOP).await;
    (source, target)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_canary_reaches_the_target_and_the_same_grep_finds_all_in_a_kept_copy() {
    let (source, target) = pair().await;
    let masked = policy(&source, "shop", RULES).await;
    let options_masked =
        options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &masked);
    let report = copy(&options_masked).await;
    target.sql("gold", "CHECKPOINT").await;
    assert_eq!(grep(&target.folder), BTreeSet::new());
    assert!(!serde_json::to_string(&report).unwrap().contains("CANARY"));
    // Joins hold, uniqueness holds, NULLs and counts hold, the kept JSON path is kept.
    let joined = "SELECT count(*) FROM orders o JOIN users u ON u.email = o.user_email";
    assert_eq!(target.value("gold", joined).await, "600");
    assert_eq!(target.value("gold", "SELECT count(DISTINCT email) FROM users").await, "200");
    assert_eq!(target.value("gold", "SELECT count(*) FROM users WHERE doc->>'plan' = 'gold'").await, "200");
    assert_eq!(target.value("gold", "SELECT count(DISTINCT name) > 20 FROM users").await, "true");
    // Another copy of the same rows with the same key is the same.
    let again = options(source.endpoint("admin", "shop"), target.endpoint("copier", "again"), &masked);
    copy(&again).await;
    let all = "SELECT md5(string_agg(email || name || phone, ',' ORDER BY id)) FROM users";
    assert_eq!(target.value("gold", all).await, target.value("again", all).await);

    let kept = policy(&source, "shop", &[]).await;
    let kept = kept.replace("keep: true, accept: [copy]", "keep: true, accept: [copy, frequency]");
    copy(&options(source.endpoint("admin", "shop"), target.endpoint("copier", "kept"), &kept)).await;
    target.sql("kept", "CHECKPOINT").await;
    let found = grep(&target.folder.join("data/base"));
    let missed: Vec<_> = canaries().difference(&found).cloned().collect();
    assert!(missed.is_empty(), "the grep has to find every canary of a kept copy, not all but {missed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_column_stops_the_copy_before_a_row_moves() {
    let (source, target) = pair().await;
    let policy = policy(&source, "shop", RULES).await;
    source.sql("shop", "ALTER TABLE users ADD home_address text").await;
    let options = options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy);
    let error = try_copy(&options).await.unwrap_err();
    assert_eq!(error.exit_code(), 3);
    let text = error.to_string();
    assert!(text.contains("public.users.home_address") && text.contains("{name: home_address"), "{text}");
    assert_eq!(target.databases().await, "");
    assert!(!source.log().contains("COPY"), "no row may have been read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_masked_data_in_a_kept_column_is_found_and_the_copy_removed() {
    let (source, target) = pair().await;
    source.sql("shop", "CREATE TABLE log (line text); INSERT INTO log SELECT 'sent to ' || email FROM users; ANALYZE log").await;
    let policy = policy(&source, "shop", RULES).await;
    let options = options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy);
    let error = try_copy(&options).await.unwrap_err();
    assert_eq!(error.exit_code(), 6, "{error}");
    assert!(
        error.to_string().contains("public.log.line") && !error.to_string().contains("CANARY"),
        "{error}"
    );
    assert_eq!(target.databases().await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_quotes_a_row_is_refused_before_it_is_applied() {
    let objects = [
        "CREATE VIEW v AS SELECT 'CANARY-mail-7@corp.test'::text AS x",
        "COMMENT ON TABLE orders IS 'see CANARY-mail-8@corp.test'",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT 'CANARY-mail-9@corp.test' $$",
        "CREATE TYPE e AS ENUM ('CANARY-mail-10@corp.test')",
        "ALTER TABLE orders ALTER user_email SET DEFAULT 'CANARY-mail-11@corp.test'",
        "CREATE TABLE part PARTITION OF parts FOR VALUES IN ('CANARY-mail-13@corp.test')",
        "CREATE INDEX part ON orders (amount) WHERE user_email = 'CANARY-mail-12@corp.test'",
        "CREATE DOMAIN d AS text DEFAULT 'CANARY-mail-14@corp.test'",
        "CREATE DOMAIN d AS text CHECK (VALUE <> 'CANARY-mail-15@corp.test')",
        "CREATE FUNCTION f(a text DEFAULT 'CANARY-mail-16@corp.test') RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql RETURN 'CANARY-mail-17@corp.test'",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT 'CANARY-mail-18@corp.test'; END",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET application_name = 'CANARY-mail-19@corp.test' AS 'SELECT 1'",
        "CREATE AGGREGATE a(text) (SFUNC = textcat, STYPE = text, INITCOND = 'CANARY-mail-20@corp.test')",
        "CREATE RULE r AS ON UPDATE TO orders WHERE NEW.user_email = 'CANARY-mail-21@corp.test' DO INSTEAD NOTHING",
        "CREATE VIEW v AS SELECT 1 AS x, ''::text AS y; ALTER VIEW v ALTER y SET DEFAULT 'CANARY-mail-22@corp.test'",
        "CREATE TYPE c AS (a text); COMMENT ON COLUMN c.a IS 'CANARY-mail-23@corp.test'",
        "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
         CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION t('CANARY-mail-24@corp.test')",
    ];
    let (source, target) = pair().await;
    let policy = policy(&source, "shop", RULES).await;
    for (number, object) in objects.iter().enumerate() {
        let database = format!("shop{number}");
        source.sql("postgres", &format!("CREATE DATABASE {database} TEMPLATE shop")).await;
        source.sql(&database, object).await;
        let options =
            options(source.endpoint("admin", &database), target.endpoint("copier", "gold"), &policy);
        let error = try_copy(&options).await.expect_err(object);
        assert_eq!(error.exit_code(), 3, "{object}: {error}");
        let text = error.to_string();
        assert!(text.contains("schema-value") && !text.contains("CANARY"), "{object}: {text}");
        assert_eq!(target.databases().await, "", "{object}");
    }
}

/// Not a value of any row, so only its shape can tell; every way by which a schema can carry it.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_holds_an_address_of_nobodys_row_is_refused_until_the_policy_accepts_it() {
    let objects = [
        ("CREATE DOMAIN d AS text DEFAULT 'boss@acme.co.jp'", "default of type public.d"),
        (
            "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT 'boss@acme.co.jp' $$",
            "function public.f()",
        ),
        (
            "CREATE FUNCTION f(a text DEFAULT 'boss@acme.co.jp') RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "function public.f(text)",
        ),
        ("CREATE FUNCTION f() RETURNS text LANGUAGE sql RETURN 'boss@acme.co.jp'", "function public.f()"),
        (
            "CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN 'boss@acme.co.jp'; END $$; \
          ALTER TABLE orders ALTER user_email SET DEFAULT f()",
            "function public.f()",
        ),
        (
            "CREATE AGGREGATE a(text) (SFUNC = textcat, STYPE = text, INITCOND = 'boss@acme.co.jp')",
            "aggregate public.a(text)",
        ),
        (
            "CREATE RULE r AS ON UPDATE TO orders WHERE NEW.user_email = 'boss@acme.co.jp' DO INSTEAD NOTHING",
            "rule r of public.orders",
        ),
        (
            "CREATE VIEW v AS SELECT ''::text AS y; ALTER VIEW v ALTER y SET DEFAULT 'boss@acme.co.jp'",
            "default of public.v.y",
        ),
        ("CREATE TABLE p (k text) PARTITION BY LIST ((k || 'boss@acme.co.jp'))", "partition key of public.p"),
        (
            "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = pg_catalog.simple, STOPWORDS = 'english'); \
          COMMENT ON TEXT SEARCH DICTIONARY d IS 'boss@acme.co.jp'",
            "comment on text search dictionary public.d",
        ),
    ];
    let (source, target) = pair().await;
    for (number, (object, name)) in objects.iter().enumerate() {
        let database = format!("shop{number}");
        source.sql("postgres", &format!("CREATE DATABASE {database} TEMPLATE shop")).await;
        source.sql(&database, object).await;
        let mut policy = policy(&source, &database, RULES).await;
        let copied = async |policy: &str| {
            let to = target.endpoint("copier", "gold");
            try_copy(&options(source.endpoint("admin", &database), to, policy)).await
        };
        let error = copied(&policy).await.expect_err(object);
        assert_eq!(error.exit_code(), 3, "{object}: {error}");
        let text = error.to_string();
        assert!(
            text.contains(name) && text.contains("schema-text") && !text.contains("boss"),
            "{object}: {text}"
        );
        policy.push_str(&format!("schemaTexts:\n- name: \"{name}\"\n"));
        copied(&policy).await.unwrap_or_else(|error| panic!("{object}: {error}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_is_signed_and_verify_notices_every_change() {
    let (source, target) = pair().await;
    let policy = policy(&source, "shop", RULES).await;
    let options = options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy);
    let text = copy(&options).await.signed(options.key.as_ref()).unwrap();
    let key = options.key.clone().unwrap();
    let verify = pgcopy::verify::VerifyOptions {
        source: options.source.clone(),
        target: options.target.clone(),
        policy: options.policy.clone(),
        policy_hash: options.policy_hash.clone(),
        report: Some((text.clone(), key.clone())),
    };
    let checked = pgcopy::verify::verify(&verify).await.unwrap();
    assert!(checked.iter().any(|line| line == "report: signature holds"), "{checked:?}");
    let forged = text.replacen("\"rows\": 200", "\"rows\": 201", 1);
    assert_ne!(forged, text);
    assert!(pgcopy::report::verified(&forged, &key).is_err());
    let other = masking::MasterKey::parse(&[b'x'; 40]).unwrap();
    assert!(pgcopy::report::verified(&text, &other).is_err());
    target.sql("gold", "DELETE FROM orders WHERE id = 1").await;
    let error = pgcopy::verify::verify(&verify).await.unwrap_err();
    assert!(error.to_string().contains("599 rows"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_ps_nor_the_output_shows_a_url_or_a_key_and_progress_is_json() {
    let (source, target) = pair().await;
    let policy = policy(&source, "shop", RULES).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, policy).unwrap();
    let report = folder.path().join("report.json");
    let child = Command::new(env!("CARGO_BIN_EXE_keelway-pgcopy"))
        .args(["copy", "--from", "FROM_URL", "--to", "TO_URL", "--key", "MASTER", "--policy"])
        .arg(&file)
        .arg("--report")
        .arg(&report)
        .arg("--pg-bin")
        .arg(common::tools())
        .env("FROM_URL", format!("{} password=hunter2", source.url("admin", "shop")))
        .env("TO_URL", target.url("copier", "gold"))
        .env("MASTER", KEY)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut seen = String::new();
    let mut child = child;
    while child.try_wait().unwrap().is_none() {
        let ps = Command::new("ps").args(["-eo", "args"]).output().unwrap();
        seen.push_str(&String::from_utf8_lossy(&ps.stdout));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{lines}");
    assert!(seen.contains("keelway-pgcopy copy") && !seen.contains("hunter2") && !seen.contains(KEY));
    assert!(!seen.contains("CANARY") && !lines.contains("CANARY"));
    let events: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.last().unwrap()["event"], "done");
    assert!(events.iter().any(|event| event["event"] == "tableDone" && event["rows"] == 600), "{lines}");
    assert!(std::fs::read_to_string(report).unwrap().contains("\"signature\": \""));
}

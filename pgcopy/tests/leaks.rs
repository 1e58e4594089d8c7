//! What the leak scan finds, and what it must not take for a leak.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    reason = "helpers of tests"
)]

mod common;

use common::{Server, copy, options, policy, try_copy};

async fn pair(schema: &str) -> (Server, Server) {
    let (source, target) = (Server::start(16), Server::start(18));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    source.sql("shop", schema).await;
    (source, target)
}

/// The only row whose parts make a masked value stands among so many that a sample would miss it as a rule.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_a_generated_column_puts_together_is_found_in_every_row() {
    let (source, target) = pair(
        "CREATE TABLE person (id int PRIMARY KEY, mail text); INSERT INTO person VALUES (1, 'hanako.4711@corp.example');
         CREATE TABLE log (id int PRIMARY KEY, a text, b text, filler text,
           made text GENERATED ALWAYS AS (a || '@' || b) STORED);
         INSERT INTO log SELECT i, CASE i WHEN 31000 THEN 'hanako.4711' ELSE 'x' || i END, 'corp.example', repeat('f', 1900)
           FROM generate_series(1, 40000) i; ANALYZE",
    )
    .await;
    let policy = policy(&source, "shop", &[("person.mail", "mask: {email: {}}")]).await;
    let error =
        try_copy(&options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy))
            .await;
    let error = error.expect_err("the copy holds the address");
    assert_eq!(error.exit_code(), 6, "{error}");
    assert!(error.to_string().contains("public.log.made"), "{error}");
    assert_eq!(target.databases().await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_in_an_array_is_found() {
    let (source, target) = pair(
        "CREATE TABLE person (id int PRIMARY KEY, mail text, seen text[]);
         INSERT INTO person SELECT i, 'hanako.' || i || '@corp.example', ARRAY['x', 'hanako.' || i || '@corp.example']
           FROM generate_series(1000, 1050) i; ANALYZE",
    )
    .await;
    let policy = policy(&source, "shop", &[("person.mail", "mask: {email: {}}")]).await;
    let error =
        try_copy(&options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy))
            .await;
    let error = error.expect_err("the copy holds the addresses");
    assert!(error.to_string().contains("public.person.seen"), "{error}");
}

/// Streets of the source that are common ones, internal addresses, a label that the mask draws too.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_the_masks_may_make_by_chance_is_no_leak() {
    let (source, target) = pair(
        "CREATE TABLE person (id int PRIMARY KEY, street text, plan text, host text, number text);
         INSERT INTO person SELECT i, (100 + i % 9000) || ' ' || (ARRAY['Oak', 'Maple', 'Cedar', 'Elm'])[1 + i % 4] || ' Street',
           CASE i WHEN 7 THEN 'premium-plan-2024' ELSE 'free' END, '10.1.' || (i / 250) % 250 || '.' || i % 250, 1000000000 + i
           FROM generate_series(1, 200000) i; ANALYZE",
    )
    .await;
    let rules = [
        ("person.street", "mask: {address: {}}"),
        ("person.plan", "mask: {choice: {values: [premium-plan-2024, free-plan-2024]}}, random: true"),
        ("person.host", "mask: {ip: {}}"),
        ("person.number", "mask: {id: {}}"),
    ];
    let policy = policy(&source, "shop", &rules).await;
    copy(&options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy)).await;
}

/// Text of another encoding is converted on its way. A database without one may hold bytes that are no text: they cannot
/// travel, and the error repeats none.
#[tokio::test(flavor = "multi_thread")]
async fn text_of_another_encoding_is_copied_and_what_is_no_text_is_refused_without_a_byte_of_it() {
    let (source, target) = (Server::start(16), Server::start(18));
    source.prepare(None).await;
    target.prepare(None).await;
    for (name, encoding, text) in
        [("latin", "LATIN1", "U&'caf\\00e9 '"), ("ascii", "SQL_ASCII", "E'caf\\351 '")]
    {
        let create = format!(
            "CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        );
        source.sql("postgres", &create).await;
        let rows = format!(
            "CREATE TABLE t (id int PRIMARY KEY, mail text, a text, b text[]);
             INSERT INTO t SELECT i, 'hanako.' || i || '@corp.example', {text} || i, ARRAY[{text} || i]
               FROM generate_series(1000, 1100) i; ANALYZE"
        );
        source.sql(name, &rows).await;
        let kept = policy(&source, name, &[("t.mail", "mask: {email: {}}")]).await;
        let masked =
            policy(&source, name, &[("t.mail", "mask: {email: {}}"), ("t.a", "mask: {hash: {}}")]).await;
        for text in [kept, masked] {
            let done =
                try_copy(&options(source.endpoint("admin", name), target.endpoint("copier", name), &text))
                    .await;
            if name == "latin" {
                done.unwrap();
                let all = "SELECT md5(string_agg(b::text, '|' ORDER BY id)) FROM t";
                assert_eq!(target.value(name, all).await, source.value(name, all).await);
            } else {
                let error = done.unwrap_err().to_string();
                assert!(error.contains("encoding") && error.contains("correct these rows"), "{error}");
                assert!(!error.contains("e9"), "{error}");
            }
        }
    }
    assert_eq!(target.databases().await, "latin");
}

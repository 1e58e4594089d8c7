//! Subsets: what belongs and what is needed, and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    reason = "helpers of tests"
)]

mod common;

use common::{Server, copy, options, policy};

const SHOP: &str = "
    CREATE TABLE country (id int PRIMARY KEY); INSERT INTO country SELECT generate_series(1, 5);
    CREATE TABLE customer (id int PRIMARY KEY, country int REFERENCES country, friend int REFERENCES customer);
    INSERT INTO customer SELECT i, 1 + i % 5, nullif(i - 1, 0) FROM generate_series(1, 100) i;
    CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customer, status text, at date);
    INSERT INTO orders SELECT i, 1 + i % 100, CASE WHEN i % 4 = 0 THEN 'open' ELSE 'paid' END, '2024-01-01'::date + i
      FROM generate_series(1, 400) i;
    CREATE TABLE line (id int, at date, orders int REFERENCES orders, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE line_a PARTITION OF line FOR VALUES FROM (MINVALUE) TO ('2024-06-01');
    CREATE TABLE line_b PARTITION OF line FOR VALUES FROM ('2024-06-01') TO (MAXVALUE);
    INSERT INTO line SELECT i, '2024-01-01'::date + i / 3, 1 + i / 3 FROM generate_series(1, 1190) i;
    CREATE TABLE review (id int PRIMARY KEY, customer int REFERENCES customer);
    INSERT INTO review SELECT i, i FROM generate_series(90, 100) i;
    CREATE TABLE setting (k text); INSERT INTO setting VALUES ('a'), ('b');
    ANALYZE;";

#[tokio::test(flavor = "multi_thread")]
async fn a_subset_is_closed_over_foreign_keys_and_no_larger_than_it_has_to_be() {
    let (source, target) = (Server::start(17), Server::start(17));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    source.sql("shop", SHOP).await;
    let mut policy = policy(&source, "shop", &[]).await;
    policy.push_str(
        "subset:\n- {name: orders, where: [{column: status, equals: open}, {column: id, lessThan: 21}]}\n",
    );
    let report =
        copy(&options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy)).await;
    let count = async |table: &str| target.value("gold", &format!("SELECT count(*) FROM {table}")).await;
    // The chosen orders and their lines, in every partition.
    assert_eq!(
        target.value("gold", "SELECT string_agg(id::text, ',' ORDER BY id) FROM orders").await,
        "4,8,12,16,20"
    );
    let lines = "SELECT count(*) FROM line WHERE orders IN (4, 8, 12, 16, 20)";
    assert_eq!(count("line").await, source.value("shop", lines).await);
    // Reviews belong to no chosen row: whole, and with the customers that they need. The chain of friends (a cycle
    // over one table) is followed to its end.
    assert_eq!(count("review").await, "11");
    assert_eq!(count("customer").await, "100");
    assert_eq!(count("setting").await, "2");
    let valid = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated";
    assert_eq!(target.value("gold", valid).await, "0");
    assert!(report.tables.iter().any(|table| table.table == "orders" && table.how == "subset"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_needed_rows_of_ancestors_come_along_and_percent_draws_some() {
    let (source, target) = (Server::start(16), Server::start(16));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    source.sql("shop", SHOP).await;
    source.sql("shop", "UPDATE customer SET friend = NULL; TRUNCATE review").await;
    let mut policy = policy(&source, "shop", &[]).await;
    policy.push_str("subset:\n- {name: orders, percent: 10}\n");
    copy(&options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy)).await;
    let orders: u32 = target.value("gold", "SELECT count(*) FROM orders").await.parse().unwrap();
    assert!((5..120).contains(&orders), "{orders}");
    let needed = "SELECT count(*) FROM customer WHERE id NOT IN (SELECT customer FROM orders)";
    assert_eq!(target.value("gold", needed).await, "0");
}

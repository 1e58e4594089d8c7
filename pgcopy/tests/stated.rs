//! What each family of masks promises, on a real server: dictionary, range, permutation and shuffle leave no more rows as
//! they were than chance does (p < 10⁻⁹), and keep the property that they are chosen for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    reason = "helpers of tests"
)]

mod common;

use common::{Server, copy, options, policy};

const ROWS: u32 = 3000;

/// Every column has as many values as rows, but for the dictionary's names.
const TABLES: &str = "
    CREATE TABLE person (id int PRIMARY KEY, name text, born date, income int, badge int UNIQUE, phone text,
      city text, zip text, memo text, part int);
    INSERT INTO person SELECT i, (ARRAY['Hana', 'Ken', 'Yui', 'Sora'])[1 + i % 4] || ' Sato', '1950-01-01'::date + i, 1000 * i,
      100000 + i, '+81 90-' || (1000 + i) || '-' || (9999 - i), 'city ' || i, 'zip ' || i, 'memo ' || i, i % 2
      FROM generate_series(1, 3000) i;
    CREATE TABLE visit (id int, place text, who text) PARTITION BY LIST (id);
    CREATE TABLE visit_a PARTITION OF visit FOR VALUES IN (1); CREATE TABLE visit_b PARTITION OF visit FOR VALUES IN (2);
    INSERT INTO visit SELECT 1 + i % 2, 'place ' || i, 'who ' || i FROM generate_series(1, 2000) i;
    ANALYZE;";

const RULES: &[(&str, &str)] = &[
    ("person.name", "mask: {fullName: {}}, random: true"),
    ("person.born", "mask: {date: {from: '1960-01-01', to: '1999-12-31'}}"),
    ("person.income", "mask: {int: {min: 500, max: 9000000}}"),
    ("person.badge", "mask: {id: {}}"),
    ("person.phone", "mask: {phone: {}}"),
    ("person.city", "mask: {shuffle: {group: place}}"),
    ("person.zip", "mask: {shuffle: {group: place}}"),
    ("person.memo", "mask: {shuffle: {}}"),
    ("visit.who", "mask: {shuffle: {}}"),
];

/// How many rows of the copy hold what the source's row of the same id holds.
async fn unchanged(source: &Server, target: &Server, column: &str) -> u32 {
    let list = format!("SELECT string_agg({column}::text, '|' ORDER BY id) FROM person");
    let (here, there) = (source.value("shop", &list).await, target.value("gold", &list).await);
    assert_eq!(there.split('|').count(), here.split('|').count());
    u32::try_from(here.split('|').zip(there.split('|')).filter(|(a, b)| a == b).count()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_family_of_masks_keeps_its_promise_and_leaves_no_more_than_chance() {
    let (source, target) = (Server::start(15), Server::start(18));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    source.sql("shop", TABLES).await;
    let policy = policy(&source, "shop", RULES).await;
    copy(&options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy)).await;
    // Expected are below one row in a range or a permutation, one in a shuffle, and few names out of thousands.
    for (column, most) in [
        ("name", 40),
        ("born", 20),
        ("income", 14),
        ("badge", 14),
        ("phone", 14),
        ("city", 14),
        ("zip", 14),
        ("memo", 14),
    ] {
        let same = unchanged(&source, &target, column).await;
        assert!(same <= most, "{column}: {same} of {ROWS} rows are unchanged");
    }
    let holds = async |promise: &str| {
        assert_eq!(
            target.value("gold", &format!("SELECT bool_and({promise}) FROM person")).await,
            "true",
            "{promise}"
        );
    };
    holds("name ~ '^[A-Z][a-z]+ [A-Z][a-zA-Z'']+$'").await;
    holds("born BETWEEN '1960-01-01' AND '1999-12-31'").await;
    holds("income BETWEEN 500 AND 9000000").await;
    holds("badge BETWEEN 1 AND (1 << 30)").await;
    holds("phone ~ '^\\+81 90-[0-9]{4}-[0-9]{4}$'").await;
    // Columns of one group change places together, others apart.
    holds("replace(city, 'city', 'zip') = zip").await;
    let apart = "SELECT count(*) FILTER (WHERE replace(city, 'city', 'memo') = memo) <= 14 FROM person";
    assert_eq!(target.value("gold", apart).await, "true");
    for column in ["badge", "phone"] {
        let distinct = format!("SELECT count(DISTINCT {column}) FROM person");
        assert_eq!(target.value("gold", &distinct).await, ROWS.to_string(), "{column}");
    }
    // Shuffled values are the same ones, in each partition too.
    for (column, table) in [("city", "person"), ("memo", "person"), ("who", "visit_a"), ("who", "visit_b")] {
        let all =
            format!("SELECT md5(string_agg({column}, '|' ORDER BY {column} COLLATE \"C\")) FROM {table}");
        assert_eq!(target.value("gold", &all).await, source.value("shop", &all).await, "{table}.{column}");
    }
    let stayed = "SELECT count(*) FILTER (WHERE replace(place, 'place', 'who') = who) <= 28 FROM visit";
    assert_eq!(target.value("gold", stayed).await, "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shuffle_within_a_subset_brings_only_the_subsets_values() {
    let (source, target) = (Server::start(16), Server::start(16));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    source.sql("shop", TABLES).await;
    let mut text = policy(&source, "shop", RULES).await;
    text.push_str("subset:\n- {name: person, where: [{column: id, atLeast: 2001}]}\n");
    copy(&options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &text)).await;
    let all = "SELECT count(*) || md5(string_agg(memo, '|' ORDER BY memo COLLATE \"C\")) FROM person";
    let there = source.value("shop", &format!("{all} WHERE id > 2000")).await;
    assert_eq!(target.value("gold", all).await, there);
}

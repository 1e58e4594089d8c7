//! A copy brings everything that a schema can hold, between every pair of versions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    reason = "helpers of tests"
)]

mod common;

use common::{Server, copy, options, policy};

const SCHEMA: &str = include_str!("schema.sql");

/// Queries whose answers must be the same at both ends.
const SAME: &[&str] = &[
    "SELECT string_agg(t::text, E'\\n' ORDER BY id) FROM public.\"Users.all\" t",
    "SELECT string_agg(t::text, E'\\n' ORDER BY id) FROM shop.orders t",
    "SELECT string_agg(tableoid::regclass || t::text, E'\\n' ORDER BY at, id) FROM shop.events t",
    "SELECT string_agg(t::text, E'\\n' ORDER BY a) FROM shop.everything t",
    "SELECT string_agg(tableoid::regclass || t::text, E'\\n' ORDER BY name) FROM shop.animal t",
    "SELECT string_agg(t::text, E'\\n' ORDER BY id) FROM shop.node t",
    "SELECT string_agg(t::text, E'\\n' ORDER BY total) FROM shop.totals t",
    "SELECT string_agg(t::text, E'\\n') FROM shop.open_orders t",
    "SELECT string_agg(pg_get_constraintdef(oid) || convalidated, E'\\n' ORDER BY conname, conrelid::regclass::text) \
       FROM pg_constraint WHERE connamespace <> 'pg_catalog'::regnamespace AND contype <> 'n' \
       AND connamespace <> 'information_schema'::regnamespace",
    "SELECT string_agg(indexdef, E'\\n' ORDER BY schemaname, indexname) FROM pg_indexes WHERE schemaname IN ('public', 'shop')",
    "SELECT string_agg(pg_get_triggerdef(oid) || tgenabled::text, E'\\n' ORDER BY tgname, tgrelid::regclass::text) FROM pg_trigger WHERE NOT tgisinternal",
    "SELECT string_agg(polname || polcmd::text, ',') FROM pg_policy",
    "SELECT string_agg(description, E'\\n' ORDER BY description) FROM pg_description WHERE objoid >= 16384",
    "SELECT string_agg(extname, ',' ORDER BY extname) FROM pg_extension",
    "SELECT string_agg(sequencename || last_value, ',' ORDER BY sequencename) FROM pg_sequences",
    "SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum",
    "SELECT relrowsecurity FROM pg_class WHERE oid = 'shop.orders'::regclass",
    "SELECT string_agg(unnest, ',') FROM pg_db_role_setting, unnest(setconfig) \
       WHERE unnest NOT LIKE 'app.%' AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())",
];

async fn whole(from: u32, to: u32) {
    let (source, target) = (Server::start(from), Server::start(to));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    source.sql("shop", SCHEMA).await;
    let policy = policy(&source, "shop", &[]).await;
    let options = options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), &policy);
    let report = copy(&options).await;
    for query in SAME {
        let (here, there) = (source.value("shop", query).await, target.value("gold", query).await);
        assert_eq!(here, there, "{query}");
        assert!(!here.is_empty(), "{query} compares nothing");
    }
    assert_eq!(target.databases().await, "gold");
    let left: Vec<_> = report.left_out.iter().map(|left| left.kind.as_str()).collect();
    for kind in ["publication", "event trigger", "large objects", "setting of the database"] {
        assert!(left.contains(&kind), "{kind} is not in {left:?}");
    }
    // The next values are free, and FREEZE has worked: a first read would change nothing.
    target
        .sql(
            "gold",
            "INSERT INTO shop.orders (user_id, status) SELECT id, 'open' FROM public.\"Users.all\" LIMIT 1",
        )
        .await;
    let thawed =
        "SELECT count(*) FROM pg_class WHERE oid = 'shop.everything'::regclass AND relallvisible < relpages";
    assert_eq!(target.value("gold", thawed).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_schema_goes_from_15_to_16() {
    whole(15, 16).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_schema_goes_from_17_to_18() {
    whole(17, 18).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_target_is_refused() {
    let (source, target) = (Server::start(16), Server::start(15));
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    let options = options(source.endpoint("admin", "shop"), target.endpoint("copier", "gold"), "tables: []");
    let error = common::try_copy(&options).await.unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    assert_eq!(target.databases().await, "");
}

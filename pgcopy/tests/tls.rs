//! A source that is reached over TCP with TLS.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    reason = "helpers of tests"
)]

mod common;

use common::{Server, copy, options, policy};
use pgcopy::Endpoint;

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_over_tls_with_a_checked_certificate_brings_wide_rows_too() {
    // An address of the loopback network that no other server has.
    let id = std::process::id();
    let address = format!("127.{}.{}.{}", 1 + id % 250, 1 + id / 250 % 250, 1 + id / 62_500);
    let folder = tempfile::Builder::new().prefix("kwtls").tempdir_in("/tmp").unwrap();
    let made = rcgen::generate_simple_self_signed(vec![address.clone(), "localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    common::give(folder.path());
    common::give(&key);
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let settings = [
        format!("listen_addresses={address}"),
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", cert.display()),
        format!("ssl_key_file={}", key.display()),
    ];
    let source = Server::with(15, &settings.each_ref().map(String::as_str));
    let target = Server::start(16);
    source.prepare(Some("shop")).await;
    target.prepare(None).await;
    let hba = source.folder.join("data/pg_hba.conf");
    let rules = std::fs::read_to_string(&hba).unwrap() + "hostssl all all 127.0.0.0/8 trust\n";
    std::fs::write(&hba, rules).unwrap();
    source
        .sql(
            "shop",
            "CREATE TABLE t (id int PRIMARY KEY, body text); ALTER TABLE t ALTER body SET STORAGE EXTERNAL;
        INSERT INTO t SELECT i, repeat('0123456789abcdef', 720000 * (i % 2) + i) FROM generate_series(1, 6) i;
        SELECT pg_reload_conf()",
        )
        .await;
    let url = |mode: &str| {
        let text = format!("postgres://admin@{address}/shop?sslmode={mode}&sslrootcert={}", cert.display());
        Endpoint::parse("SHOP", &text).unwrap()
    };
    let policy = policy(&source, "shop", &[]).await;
    let mut options = options(url("verify-full"), target.endpoint("copier", "gold"), &policy);
    // The tests' pg_dump knows no TLS.
    options.schema_from = Some(source.endpoint("admin", "shop"));
    copy(&options).await;
    let same = "SELECT md5(string_agg(body, '' ORDER BY id)) FROM t";
    assert_eq!(target.value("gold", same).await, source.value("shop", same).await);
    let session = url("require").connect().await.unwrap();
    let used =
        session.client.query_one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]).await;
    assert!(used.unwrap().get::<_, bool>(0));
}

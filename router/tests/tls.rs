//! TLS by name, HTTP/2 by ALPN and in clear, certificates exchanged without a restart.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use router::serve::Speaks;
use router::tls::{Certificates, Shelf};
use rustls::RootCertStore;
use rustls_pki_types::ServerName;
use support::{Router, echo, route};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Writes a certificate for these names and its key; returns it for the client to trust.
fn certificate(folder: &Path, file: &str, names: &[&str]) -> rcgen::Certificate {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    std::fs::write(folder.join(format!("{file}.crt")), made.cert.pem()).unwrap();
    std::fs::write(folder.join(format!("{file}.key")), made.signing_key.serialize_pem()).unwrap();
    made.cert
}

fn client(trusted: &[&rcgen::Certificate], alpn: &[u8]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    trusted.iter().for_each(|cert| roots.add(cert.der().clone()).unwrap());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = builder.unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// Asks for `host` on a connection that is made for `name`. Status, version and body.
async fn ask(
    router: &Router,
    tls: &TlsConnector,
    name: &str,
    host: &str,
) -> Result<(StatusCode, Version, String), String> {
    let stream = TcpStream::connect(router.address).await.unwrap();
    let server = ServerName::try_from(name.to_owned()).unwrap();
    let stream = tls.connect(server, stream).await.map_err(|error| error.to_string())?;
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    if http2 {
        over_http2(TokioIo::new(stream), host).await
    } else {
        over_http1(TokioIo::new(stream), host).await
    }
}

async fn over_http2<I>(io: I, host: &str) -> Result<(StatusCode, Version, String), String>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(format!("https://{host}/x?y")).header("cookie", "a=1").header("cookie", "b=2");
    let answer = sender.send_request(request.body(Full::<Bytes>::default()).unwrap()).await;
    told(answer.map_err(|error| error.to_string())?).await
}

async fn over_http1<I>(io: I, host: &str) -> Result<(StatusCode, Version, String), String>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/x?y").header("host", host).body(Full::<Bytes>::default()).unwrap();
    told(sender.send_request(request).await.map_err(|error| error.to_string())?).await
}

async fn told(
    answer: http::Response<hyper::body::Incoming>,
) -> Result<(StatusCode, Version, String), String> {
    let (status, version) = (answer.status(), answer.version());
    let body = answer.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    Ok((status, version, String::from_utf8_lossy(&body).to_lowercase()))
}

fn speaking(shelf: &Shelf) -> Speaks {
    Speaks::Tls(TlsAcceptor::from(shelf.config().unwrap()), shelf.clone())
}

#[tokio::test]
async fn each_name_has_its_certificate_and_both_versions_of_http() {
    let folder = tempfile::tempdir().unwrap();
    let shop = certificate(folder.path(), "shop", &["shop.example.com"]);
    let wild = certificate(folder.path(), "wild", &["*.preview.example.com"]);
    let (certificates, bad) = Certificates::read(folder.path(), &Certificates::default()).unwrap();
    assert!(bad.is_empty() && certificates.count() == 2);
    let shelf = Shelf::new(certificates);
    let routes = [("shop.example.com", "shop"), ("pr-1.preview.example.com", "preview")];
    let routes: String = routes.map(|(host, pod)| route(host, echo(pod), "")).concat();
    let router = Router::speaking(&routes, &[], speaking(&shelf));
    for (cert, host, pod) in
        [(&shop, "shop.example.com", "shop"), (&wild, "pr-1.preview.example.com", "preview")]
    {
        let (status, version, body) = ask(&router, &client(&[cert], b"h2"), host, host).await.unwrap();
        assert_eq!((status, version), (StatusCode::OK, Version::HTTP_2));
        assert!(
            body.starts_with(pod) && body.contains("get /x?y http/1.1") && body.contains("cookie: a=1; b=2"),
            "{body}"
        );
        assert!(
            body.contains("x-forwarded-proto: https") && body.contains(&format!("host: {host}")),
            "{body}"
        );
        let (status, version, _) = ask(&router, &client(&[cert], b"http/1.1"), host, host).await.unwrap();
        assert_eq!((status, version), (StatusCode::OK, Version::HTTP_11));
    }
    // A browser may reuse a connection for another host; it must not where that host has another certificate.
    let (status, _, body) =
        ask(&router, &client(&[&shop], b"h2"), "shop.example.com", "pr-1.preview.example.com").await.unwrap();
    assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "{body}");
    assert!(body.contains("h31"));
}

#[tokio::test]
async fn a_certificate_is_exchanged_and_a_wrong_one_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let old = certificate(folder.path(), "shop", &["shop.example.com"]);
    let shelf = Shelf::new(Certificates::read(folder.path(), &Certificates::default()).unwrap().0);
    let routes = route("shop.example.com", echo("shop"), ", httpsOnly: true, hsts: 600");
    let router = Router::speaking(&routes, &[], speaking(&shelf));
    let host = "shop.example.com";
    ask(&router, &client(&[&old], b"h2"), host, host).await.unwrap();

    let (stop, stopped) = tokio::sync::watch::channel(false);
    let follows = tokio::spawn(shelf.clone().follow(folder.path().to_owned(), stopped));
    // The first look is what was there before.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let new = certificate(folder.path(), "shop", &["shop.example.com"]);
    std::fs::write(folder.path().join("broken.crt"), "no certificate").unwrap();
    let tls = client(&[&new], b"h2");
    for attempt in 0.. {
        match ask(&router, &tls, host, host).await {
            Ok((status, _, _)) => {
                assert_eq!(status, StatusCode::OK);
                break;
            }
            Err(error) => assert!(attempt < 100, "{error}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let (_, bad) = Certificates::read(folder.path(), &Certificates::default()).unwrap();
    assert_eq!(bad.len(), 1, "{bad:?}");
    stop.send_replace(true);
    follows.await.unwrap();
}

#[tokio::test]
async fn http2_is_understood_in_clear_and_http1_beside_it() {
    let router = Router::new(&route("a", echo("a"), ""));
    let stream = TcpStream::connect(router.address).await.unwrap();
    let (status, version, body) = over_http2(TokioIo::new(stream), "a").await.unwrap();
    assert_eq!((status, version), (StatusCode::OK, Version::HTTP_2));
    assert!(body.contains("x-forwarded-proto: http\r\n") && !body.contains("transfer-encoding"), "{body}");
    let answer = tokio::task::spawn_blocking(move || router.get("a", "/").status()).await;
    assert_eq!(answer.unwrap(), 200);
}

#[test]
fn a_bad_replacement_leaves_the_good_certificate_in_use() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), "first", &["other.example.com"]);
    certificate(folder.path(), "shop", &["shop.example.com"]);
    let (before, _) = Certificates::read(folder.path(), &Certificates::default()).unwrap();
    std::fs::write(folder.path().join("shop.crt"), "half a certif").unwrap();
    let (after, bad) = Certificates::read(folder.path(), &before).unwrap();
    assert_eq!((after.count(), bad.len()), (2, 1));
    assert_ne!(after.find("shop.example.com"), after.find("unknown"), "its own, not the first one");
    std::fs::remove_file(folder.path().join("shop.crt")).unwrap();
    let (without, _) = Certificates::read(folder.path(), &after).unwrap();
    assert_eq!(without.count(), 1, "what was taken away is away");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_by_tls_carries_a_large_message() {
    use std::io::{Read as _, Write as _};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    const LARGE: usize = 4_000_000;
    let talks = support::pod(|mut stream| {
        support::head(&mut stream);
        let _ = stream.write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        );
        let _ = stream.write_all(&vec![b'x'; LARGE]);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let folder = tempfile::tempdir().unwrap();
    let cert = certificate(folder.path(), "shop", &["shop.example.com"]);
    let shelf = Shelf::new(Certificates::read(folder.path(), &Certificates::default()).unwrap().0);
    let router = Router::speaking(&route("shop.example.com", talks, ""), &[], speaking(&shelf));
    let stream = TcpStream::connect(router.address).await.unwrap();
    let server = ServerName::try_from("shop.example.com").unwrap();
    let mut stream = client(&[&cert], b"http/1.1").connect(server, stream).await.unwrap();
    let ask = "GET / HTTP/1.1\r\nHost: shop.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut seen = 0;
    let read = async {
        let mut bytes = vec![0; 65_536];
        while seen < LARGE {
            let n = stream.read(&mut bytes).await.unwrap();
            seen += n;
        }
    };
    let whole = tokio::time::timeout(std::time::Duration::from_secs(20), read).await;
    assert!(whole.is_ok(), "{seen} of {LARGE} bytes came");
}

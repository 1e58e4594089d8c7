//! A release rolls out under load without a failed request, and back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use e2e::{Space, hello, runs};
use k8s_openapi::api::core::v1::Service;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

fn app(text: &str) -> anyhow::Result<String> {
    Ok(format!(
        "apiVersion: keelway.dev/v1alpha1\nkind: App\nmetadata: {{name: shop}}\nspec:\n  image: {}\n  processes: \
         [{{name: web, size: nano, replicas: 2, readiness: {{path: /healthz, periodSeconds: 1}}}}]\n  env: [{{name: TEXT, value: {text}}}]\n",
        hello("1")?
    ))
}

/// What one client saw.
#[derive(Default)]
struct Seen {
    answers: u64,
    failures: Vec<String>,
    texts: std::collections::BTreeSet<String>,
}

/// One request on a connection of its own, as every visitor of a site makes it.
async fn request(address: SocketAddr) -> anyhow::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        anyhow::ensure!(answer.starts_with("HTTP/1.1 200"), "answered {answer:?}");
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        body.ok_or_else(|| anyhow::anyhow!("no end of the headers in {answer:?}"))
    };
    tokio::time::timeout(Duration::from_secs(10), exchange).await?
}

async fn client(address: SocketAddr, stop: Arc<AtomicBool>) -> Seen {
    let mut seen = Seen::default();
    while !stop.load(Ordering::Relaxed) {
        match request(address).await {
            Ok(text) => {
                seen.answers += 1;
                seen.texts.insert(text);
            }
            Err(error) => seen.failures.push(format!("after {} answers: {error:#}", seen.answers)),
        }
        // About 100 requests per second of each client: enough to meet every moment of the switch.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_releases_roll_out() -> anyhow::Result<()> {
    let space = Space::new("traffic").await?;
    space.apply(&app("one")?).await?;
    space.until("v1 runs", "shop", 60, runs("v1 ")).await?;
    let service: Service = space.api().get("shop-production-web").await?;
    let ip = service.spec.and_then(|spec| spec.cluster_ip).unwrap_or_default();
    let address = SocketAddr::new(ip.parse()?, 80);
    e2e::eventually("the service answers", Duration::from_secs(20), || async {
        Ok(Some(request(address).await?))
    })
    .await?;

    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4).map(|_| tokio::spawn(client(address, stop.clone()))).collect();
    space.apply(&app("two")?).await?;
    space.until("v2 runs", "shop", 90, runs("v2 ")).await?;
    space.apply(&app("three")?).await?;
    space.until("v3 runs", "shop", 90, runs("v3 ")).await?;
    e2e::eventually("the newest release answers", Duration::from_secs(20), || async {
        Ok(request(address).await?.contains("three").then_some(()))
    })
    .await?;
    stop.store(true, Ordering::Relaxed);
    let mut all = Seen::default();
    for client in clients {
        let seen = client.await?;
        all.answers += seen.answers;
        all.failures.extend(seen.failures);
        all.texts.extend(seen.texts);
    }
    println!("{} requests, {} failed", all.answers, all.failures.len());
    assert!(all.failures.is_empty(), "{:#?}", all.failures);
    for text in ["one", "two", "three"] {
        assert!(all.texts.iter().any(|seen| seen.contains(text)), "{text} was never seen: {:?}", all.texts);
    }
    space.done().await
}

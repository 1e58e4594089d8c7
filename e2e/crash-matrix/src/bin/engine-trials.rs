//! What only shows with a real API server and the real process: one malformed object does not hold up the others; a
//! standby is ready and writes nothing; a graceful stop hands the lease over at once.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Parser;
use crash_matrix::api;
use crash_matrix::control_plane::ControlPlane;
use crash_matrix::operator::{Launch, free_address};
use crash_matrix::proxy::Proxy;
use kube::Client;
use rustix::process::Signal;
use serde_json::{Value, json};

/// Tries poison objects, standby and graceful stop against a real API server.
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// The operator's program.
    #[arg(long, default_value = "target/debug/keelway-operator")]
    operator: PathBuf,
}

const NAMESPACE: &str = "engine-trials";
const APPS: usize = 100;
const LEASE: Duration = Duration::from_secs(12);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let plane = ControlPlane::start().await?;
    let folder = tempfile::tempdir()?;
    api::create(&plane.client, "/api/v1/namespaces", &json!({"metadata": {"name": NAMESPACE}})).await?;
    let (leader, leader_proxy) = member(&plane.client, &arguments, folder.path(), "ada").await?;
    let (standby, standby_proxy) = member(&plane.client, &arguments, folder.path(), "bob").await?;

    let mut first = leader.start()?;
    wait("the leader gets ready", || async {
        leader.get("/readyz").await.is_ok_and(|(code, _)| code == 200)
    })
    .await?;
    wait("the leader leads", || async { holder(&plane.client).await.as_deref() == Some("ada") }).await?;
    let mut second = standby.start()?;
    wait("the standby gets ready", || async {
        standby.get("/readyz").await.is_ok_and(|(code, _)| code == 200)
    })
    .await?;

    one_poisoned_among_many(&plane.client, &leader).await.with_context(|| leader.log_end(20))?;
    ensure!(first.ended()?.is_none(), "the leader ended:\n{}", leader.log_end(20));
    ensure!(!leader_proxy.records().is_empty(), "the leader wrote nothing");
    ensure!(standby_proxy.records().is_empty(), "the standby wrote: {:?}", standby_proxy.records());
    println!("engine-trials: a standby is ready and writes nothing");

    let began = Instant::now();
    first.signal(Signal::TERM)?;
    let status = first.wait(Duration::from_secs(30)).await?;
    ensure!(status.success(), "the stopped leader ended with {status}:\n{}", leader.log_end(20));
    wait("the standby leads", || async { holder(&plane.client).await.as_deref() == Some("bob") }).await?;
    let took = began.elapsed();
    ensure!(took < LEASE / 2, "the hand-over took {took:?} although the lease was given up");
    println!("engine-trials: a graceful stop hands the lease over in {:.1} s", took.as_secs_f64());
    second.kill().await
}

async fn member(
    client: &Client,
    arguments: &Arguments,
    folder: &Path,
    name: &str,
) -> anyhow::Result<(Launch, Proxy)> {
    let proxy = Proxy::start(client.clone()).await?;
    proxy.begin(NAMESPACE, None);
    let launch = Launch {
        binary: arguments.operator.clone(),
        proxy: proxy.address,
        identity: name.into(),
        namespace: NAMESPACE.into(),
        lease: LEASE,
        request_timeout: Duration::from_secs(4),
        folder: folder.to_owned(),
        listen: free_address()?,
        environment: Vec::new(),
    };
    Ok((launch, proxy))
}

/// The schema is opened, as an older or broken definition might be, so that one App can be malformed.
async fn one_poisoned_among_many(client: &Client, leader: &Launch) -> anyhow::Result<()> {
    let definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/apps.keelway.dev";
    let mut apps = api::get(client, definition).await?.context("no definition of apps")?;
    apps["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = json!({
        "type": "object",
        "properties": {
            "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        },
    });
    api::merge(client, definition, &json!({"spec": {"versions": apps["spec"]["versions"]}})).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    for number in 0..APPS {
        let processes = if number == 7 { json!("nonsense") } else { json!([{"name": "web", "replicas": 0}]) };
        let app = json!({
            "apiVersion": "keelway.dev/v1alpha1", "kind": "App", "metadata": {"name": format!("app-{number}")},
            "spec": {
                "image": format!("registry.example.com/app@sha256:{}", "a".repeat(64)),
                "interval": "300s", "rollout": {"deadline": "600s", "keepReleases": 10}, "processes": processes,
            },
        });
        api::create(client, &format!("/apis/keelway.dev/v1alpha1/namespaces/{NAMESPACE}/apps"), &app).await?;
    }
    wait("all but the malformed App run", || async {
        count(client, "/apis/apps/v1", "deployments").await == APPS - 1
    })
    .await?;
    let (_, metrics) = leader.get("/metrics").await?;
    ensure!(
        metrics.contains("keelway_poison_objects{kind=\"App\"} 1"),
        "the malformed App is not counted:\n{metrics}"
    );
    println!("engine-trials: 1 of {APPS} Apps is malformed, {} run", APPS - 1);
    Ok(())
}

async fn count(client: &Client, prefix: &str, plural: &str) -> usize {
    let list = api::get(client, &format!("{prefix}/namespaces/{NAMESPACE}/{plural}")).await.ok().flatten();
    list.and_then(|list| list["items"].as_array().map(Vec::len)).unwrap_or_default()
}

async fn holder(client: &Client) -> Option<String> {
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/keelway-operator");
    let lease: Option<Value> = api::get(client, &path).await.ok()?;
    lease?["spec"]["holderIdentity"].as_str().map(str::to_owned)
}

async fn wait<F: Future<Output = bool>>(what: &str, reached: impl Fn() -> F) -> anyhow::Result<()> {
    let began = Instant::now();
    while !reached().await {
        ensure!(began.elapsed() < Duration::from_secs(90), "{what}: not within 90 s");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

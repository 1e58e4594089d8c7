//! Stops the leader (SIGSTOP) in the midst of its writes, past the end of its lease, lets a standby take over, and lets
//! the old leader go on: it must not write any more.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Parser;
use crash_matrix::api;
use crash_matrix::control_plane::ControlPlane;
use crash_matrix::operator::{Launch, Operator};
use crash_matrix::proxy::Proxy;
use kube::Client;
use rustix::process::Signal;
use serde_json::json;

/// Stops the leader past its lease, again and again, and counts what it writes afterwards.
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// The operator's program.
    #[arg(long, default_value = "target/debug/keelway-operator")]
    operator: PathBuf,
    /// How many trials.
    #[arg(long, default_value_t = 200)]
    trials: u32,
    /// How many pairs of operators run side by side, each with a lease of its own.
    #[arg(long, default_value_t = 3)]
    pairs: u32,
    /// A bug to plant, for the test that shows that these trials can fail; needs an operator built with `seeded-bugs`.
    #[arg(long)]
    bug: Option<String>,
}

const LEASE: Duration = Duration::from_secs(3);
const REQUEST: Duration = Duration::from_millis(700);
const PATIENCE: Duration = Duration::from_secs(60);
const NAMESPACE: &str = "lease-trials";
const APPS: u32 = 12;

#[derive(Debug, Default)]
struct Tally {
    trials: u32,
    void: u32,
    late: usize,
    seen: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let plane = ControlPlane::start().await?;
    let folder = tempfile::tempdir()?;
    prepare(&plane.client).await?;
    let done = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn(change_apps(plane.client.clone(), done.clone()));

    let mut pairs = tokio::task::JoinSet::new();
    for number in 0..arguments.pairs {
        let share =
            arguments.trials / arguments.pairs + u32::from(number < arguments.trials % arguments.pairs);
        let pair = Pair::new(&plane.client, &arguments, folder.path().join(format!("pair-{number}")), number)
            .await?;
        pairs.spawn(pair.run(share));
    }
    let mut total = Tally::default();
    while let Some(tally) = pairs.join_next().await {
        let Tally { trials, void, late, seen } = tally??;
        total = Tally {
            trials: total.trials + trials,
            void: total.void + void,
            late: total.late + late,
            seen: total.seen + seen,
        };
    }
    done.store(true, Ordering::Release);
    load.await??;
    let Tally { trials, void, late, seen } = total;
    println!(
        "lease-trials: {trials} trials ({void} void), {seen} writes by leaders, {late} of them after their lease"
    );
    ensure!(late == 0, "a leader wrote after its lease had gone to another");
    Ok(())
}

async fn prepare(client: &Client) -> anyhow::Result<()> {
    api::create(client, "/api/v1/namespaces", &json!({"metadata": {"name": NAMESPACE}})).await?;
    for number in 0..APPS {
        let app = json!({
            "apiVersion": "keelway.dev/v1alpha1", "kind": "App", "metadata": {"name": format!("app-{number}")},
            "spec": {
                "image": format!("registry.example.com/app@sha256:{}", "a".repeat(64)),
                "processes": [{"name": "web", "replicas": 0}],
            },
        });
        api::create(client, &format!("/apis/keelway.dev/v1alpha1/namespaces/{NAMESPACE}/apps"), &app).await?;
    }
    Ok(())
}

/// Gives the leaders something to write, all the time.
async fn change_apps(client: Client, done: Arc<AtomicBool>) -> anyhow::Result<()> {
    for round in 0_u64.. {
        if done.load(Ordering::Acquire) {
            break;
        }
        let path =
            format!("/apis/keelway.dev/v1alpha1/namespaces/{NAMESPACE}/apps/app-{}", round % u64::from(APPS));
        let patch = json!({"spec": {"env": [{"name": "ROUND", "value": round.to_string()}]}});
        api::merge(&client, &path, &patch).await?;
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Ok(())
}

/// Two operators with one lease; each has a proxy of its own, so that its writes are known to be its.
struct Pair {
    client: Client,
    namespace: String,
    members: [(Launch, Proxy); 2],
}

impl Pair {
    async fn new(
        client: &Client,
        arguments: &Arguments,
        folder: PathBuf,
        number: u32,
    ) -> anyhow::Result<Self> {
        let namespace = format!("pair-{number}");
        api::create(client, "/api/v1/namespaces", &json!({"metadata": {"name": namespace}})).await?;
        let member = async |name: &str| -> anyhow::Result<(Launch, Proxy)> {
            let proxy = Proxy::start(client.clone()).await?;
            let launch = Launch {
                binary: arguments.operator.clone(),
                proxy: proxy.address,
                identity: format!("{name}-{number}"),
                namespace: namespace.clone(),
                lease: LEASE,
                request_timeout: REQUEST,
                folder: folder.clone(),
                // Nobody asks there, so any port will do, and none can be taken.
                listen: ([127, 0, 0, 1], 0).into(),
                environment: arguments.bug.iter().map(|bug| ("KEELWAY_BUG".into(), bug.clone())).collect(),
            };
            Ok((launch, proxy))
        };
        let members = [member("ada").await?, member("bob").await?];
        Ok(Self { client: client.clone(), namespace, members })
    }

    async fn run(self, trials: u32) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        while tally.trials < trials {
            // Both begin afresh after a trial that was void: on a busy machine a leader may lose its lease by itself.
            self.series(trials, &mut tally).await?;
            ensure!(
                tally.void < trials.max(20),
                "most trials are void: the machine is too busy for these leases"
            );
        }
        Ok(tally)
    }

    /// Trials in turn, the successor of one being the leader of the next, until all are done or one is void.
    async fn series(&self, trials: u32, tally: &mut Tally) -> anyhow::Result<()> {
        api::delete(&self.client, &self.lease()).await?;
        let [(ada, ada_proxy), (bob, bob_proxy)] = &self.members;
        let mut leader = (ada, ada_proxy, ada.start()?);
        self.wait_holder(&ada.identity).await.with_context(|| ada.log_end(20))?;
        let mut standby = (bob, bob_proxy, bob.start()?);
        while tally.trials < trials {
            let (launch, proxy, operator) = &mut leader;
            match self.trial(tally.trials, launch, proxy, operator, &standby.0.identity).await? {
                None => {
                    tally.void += 1;
                    return Ok(());
                }
                Some((seen, late)) => {
                    tally.trials += 1;
                    tally.late += late;
                    tally.seen += seen;
                }
            }
            leader.2 = leader.0.start()?;
            std::mem::swap(&mut leader, &mut standby);
        }
        Ok(())
    }

    /// One trial. Returns how many writes the leader made while in office, and how many after; none if it lost its
    /// office before it was stopped.
    async fn trial(
        &self,
        trial: u32,
        launch: &Launch,
        proxy: &Proxy,
        operator: &mut Operator,
        successor: &str,
    ) -> anyhow::Result<Option<(usize, usize)>> {
        proxy.begin(NAMESPACE, None);
        let began = Instant::now();
        while proxy.records().len() < 5 {
            if operator.ended()?.is_some() {
                return Ok(None);
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "{} writes nothing:\n{}",
                launch.identity,
                launch.log_end(20)
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // Another moment between two writes in each trial.
        tokio::time::sleep(Duration::from_micros(u64::from(trial * 7_919 % 30_011))).await;
        if operator.ended()?.is_some() || operator.signal(Signal::STOP).is_err() {
            return Ok(None);
        }
        self.wait_holder(successor).await?;
        let seen = proxy.records().len();
        // It may have ended by now; then there is nobody to wake.
        if operator.ended()?.is_none() {
            operator.signal(Signal::CONT)?;
            operator.wait(PATIENCE).await.with_context(|| launch.log_end(20))?;
        }
        let records = proxy.records();
        for late in &records[seen..] {
            println!("trial {trial}: {} wrote after its lease: {late:?}", launch.identity);
        }
        Ok(Some((seen, records.len() - seen)))
    }

    fn lease(&self) -> String {
        format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/keelway-operator", self.namespace)
    }

    async fn wait_holder(&self, identity: &str) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let lease = api::get(&self.client, &self.lease()).await?;
            if lease.is_some_and(|lease| lease["spec"]["holderIdentity"] == identity) {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "{identity} did not get the lease");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

//! `make bench-sync`: how fast a commit becomes what the cluster runs, beside the bare limit of the same API server.
//!
//! Needs the local cluster with Keelway installed with one replica (`hack/bench-sync.sh` sees to it). Apps are scaled to
//! zero, so that the operator and the API server are measured, and not the kubelet.

mod audit;
mod fleet;
mod limit;
mod pushes;

use std::time::{Duration, Instant};

use e2e::{GitHost, Space};
use serde_json::json;

/// A figure as `make bench` prints and writes it.
struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    peer: &'static str,
    peer_value: f64,
}

/// A number from the environment, for a smaller run.
fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[expect(clippy::print_stderr, reason = "progress of a long run")]
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (apps, rounds, changes) = (number("APPS", 1000), number("ROUNDS", 3), number("CHANGES", 300));
    let host = GitHost::new()?;
    let mut ours = Vec::new();
    let mut limits = Vec::new();
    let mut last: Option<fleet::Fleet> = None;
    let mut bare: Option<limit::Limit> = None;
    for round in 0..rounds {
        if let Some(fleet) = last.take() {
            fleet.done().await?;
        }
        // The order alternates, so that neither always finds the warmer server.
        if let Some(bare) = bare.as_ref().filter(|_| round % 2 == 1) {
            limits.push(bare.run().await?);
        }
        let mut fleet = fleet::Fleet::new(&host, apps, round).await?;
        ours.push(fleet.first_sync().await?.as_secs_f64());
        if bare.is_none() {
            bare = Some(limit::Limit::of(&fleet).await?);
        }
        if let Some(bare) = bare.as_ref().filter(|_| round % 2 == 0) {
            limits.push(bare.run().await?);
        }
        eprintln!("round {round}: {:.1} s, limit {:.1} s", ours[round], limits[round]);
        last = Some(fleet);
    }
    let Some(fleet) = last else { anyhow::bail!("ROUNDS must be at least 1") };
    let (mut noop_writes, mut noops) = (0.0_f64, Vec::new());
    for _ in 0..5 {
        let (writes, took) = fleet.resync().await?;
        noop_writes = noop_writes.max(writes);
        noops.push(took.as_secs_f64());
    }
    eprintln!("resyncs of what is there: {noops:.2?} s");
    let mut push = pushes::pushes(&fleet, changes).await?;
    eprintln!("{changes} pushes, median {:.3} s", rank(&mut push, 0.5));
    let mut drift = pushes::drift(&fleet, changes).await?;
    let memory = audit::operator_peak_mib()?;
    let (median_ours, median_limit) = (middle(&mut ours), middle(&mut limits));
    let figures = [
        Figure {
            name: "sync.ratio",
            value: median_ours / median_limit,
            unit: "x",
            peer: "bare loop, s",
            peer_value: median_limit,
        },
        Figure { name: "sync.memory_mib", value: memory, unit: "MiB", peer: "bound", peer_value: 150.0 },
        Figure {
            name: "sync.noop_writes",
            value: noop_writes,
            unit: "writes",
            peer: "bound",
            peer_value: 0.0,
        },
        Figure { name: "sync.noop_s", value: middle(&mut noops), unit: "s", peer: "bound", peer_value: 2.0 },
        Figure {
            name: "sync.push_p50_s",
            value: rank(&mut push, 0.5),
            unit: "s",
            peer: "bound",
            peer_value: 0.5,
        },
        Figure {
            name: "sync.push_p99_s",
            value: rank(&mut push, 0.99),
            unit: "s",
            peer: "bound",
            peer_value: 1.5,
        },
        Figure {
            name: "sync.drift_p99_s",
            value: rank(&mut drift, 0.99),
            unit: "s",
            peer: "bound",
            peer_value: 2.0,
        },
    ];
    report(&figures)?;
    fleet.done().await
}

#[expect(clippy::print_stdout, reason = "the figures are this program's answer")]
fn report(figures: &[Figure]) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for Figure { name, value, unit, peer, peer_value } in figures {
        println!("{name}: {value:.3} {unit} ({peer}: {peer_value:.3})");
        rows.push(
            json!({"name": name, "value": value, "unit": unit, "peer": peer, "peer_value": peer_value}),
        );
    }
    std::fs::create_dir_all("target/bench")?;
    std::fs::write("target/bench/sync.json", serde_json::to_string_pretty(&rows)? + "\n")?;
    Ok(())
}

fn middle(values: &mut [f64]) -> f64 {
    rank(values, 0.5)
}

/// The value below which this share of them lies (nearest rank).
fn rank(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let at = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len().max(1)) - 1;
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// Seconds since `begun`.
fn since(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64()
}

/// The longest that one change may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A space whose name begins with `bench`.
async fn space() -> anyhow::Result<Space> {
    Space::new("bench").await
}

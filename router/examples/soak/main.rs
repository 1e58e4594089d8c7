//! `make soak`: the router under connection churn for some minutes: clients that keep connections and such that do not,
//! HTTP/1.1, HTTP/2, uploads, WebSockets, clients that go away amid a request, and a table that changes all the time. It fails
//! where a request failed that should not have, where memory grows after the first quarter by more than a tenth, or where
//! the router keeps anything of the clients that have gone. The argument is the length in seconds (default 600).
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it tells how it went")]

mod clients;
mod pods;
mod process;
mod raw;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clients::Counts;
use process::Process;

/// Memory may be so much larger at the end than after the first quarter.
const GROWTH: f64 = 1.10;

fn main() -> Result<()> {
    let seconds = match std::env::args().nth(1) {
        Some(text) => text.parse().context("the argument is a number of seconds")?,
        None => 600,
    };
    ensure!(seconds >= 40, "below 40 s nothing is told by a quarter");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build()?;
    runtime.block_on(soak(Duration::from_secs(seconds)))
}

async fn soak(length: Duration) -> Result<()> {
    let pods = pods::start(4).await?;
    let router = Process::start(&pods).await?;
    let idle = router.descriptors()?;
    let begun = Instant::now();
    let end = begun + length;
    let load = clients::start(router.address, end);
    let swaps = tokio::spawn(router.routes.clone().swap(pods, end));
    let quarter = router.memory_from(begun + length / 4).await?;
    let looking = Duration::from_secs(1) * process::LOOKS;
    let last = router.memory_from(begun + length.saturating_sub(looking)).await?;
    let counts = load.ended().await;
    let swaps = swaps.await??;
    let growth = last / quarter;
    println!(
        "soak: {} s; {}; {swaps} changes of the table; memory {quarter:.1} MiB after a quarter, {last:.1} MiB at the end ({:+.1}%)",
        length.as_secs(),
        counts.told(),
        (growth - 1.0) * 100.0,
    );
    check(&counts)?;
    ensure!(growth <= GROWTH, "memory grew by more than a tenth after the first quarter");
    router.forgets(idle).await?;
    router.stop().await
}

/// Every kind of client got its answers.
fn check(counts: &Counts) -> Result<()> {
    let failed = counts.failures();
    failed.iter().take(10).for_each(|failure| eprintln!("failed: {failure}"));
    ensure!(failed.is_empty(), "{} requests failed that should not have", failed.len());
    let idle = counts.idle();
    ensure!(idle.is_empty(), "these clients did nothing: {idle:?}");
    Ok(())
}

//! `make bench-router`: the router beside nginx, haproxy and a bare proxy of the same library, in one run on one machine.
//! Each proxy has the first processor, the backend and the load the second. Prints a line per figure and writes
//! `target/bench/router.json`. `SECONDS` is the length of one measurement (default 5).
//!
//! The same program is the backend, the bare proxy and the load: `bench-router <part> …`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints")]

mod idle;
mod load;
mod parts;
mod peers;

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use peers::Peer;

/// A figure, its unit, what it is compared with and what that came to.
struct Figure(&'static str, f64, &'static str, &'static str, f64);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = |at: usize| -> Result<SocketAddr> {
        arguments.get(at).context("an address is missing")?.parse().context("an address is wrong")
    };
    match arguments.first().map(String::as_str) {
        Some("backend") => parts::backend(address(1)?),
        Some("bare") => parts::bare(address(1)?, address(2)?),
        Some("load") => load::run(address(1)?, &arguments[2..]),
        None => all(),
        Some(other) => bail!("{other} is no part of the benchmark"),
    }
}

fn all() -> Result<()> {
    let seconds: f64 = std::env::var("SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(5.0);
    let folder = tempfile::tempdir()?;
    let _backend = peers::backend()?;
    let (mut rps, mut cpu) = ([Vec::new(), Vec::new(), Vec::new(), Vec::new()], [0.0; 4]);
    let mut p99 = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    // Three rounds, each time in another order, so that what the machine does besides falls on all.
    for round in 0..3 {
        for turn in 0..Peer::ALL.len() {
            let which = (turn + round) % Peer::ALL.len();
            let running = Peer::ALL[which].start(folder.path(), 10)?;
            load::measure(running.address, 1.0, None)?;
            let (before, result) = (running.cpu()?, load::measure(running.address, seconds, None)?);
            #[allow(clippy::cast_precision_loss, reason = "some millions")]
            let micros = (running.cpu()? - before) * 1e6 / result.count as f64;
            cpu[which] += micros / 3.0;
            rps[which].push(result.rps);
            eprintln!(
                "round {round}: {:8} {:7.0}/s, {micros:5.1} µs CPU each, p99 {:.2} ms",
                Peer::ALL[which].name(),
                result.rps,
                result.p99_ms
            );
        }
    }
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let rps = rps.each_mut().map(median);
    let slowest = rps.iter().copied().fold(f64::INFINITY, f64::min);
    for _ in 0..3 {
        for (which, peer) in Peer::ALL.iter().enumerate() {
            let running = peer.start(folder.path(), 10)?;
            p99[which].push(load::measure(running.address, seconds, Some(0.6 * slowest))?.p99_ms);
        }
    }
    let p99 = p99.each_mut().map(median);
    let best = p99[1..3].iter().copied().fold(f64::INFINITY, f64::min);
    let mut http2 = [Vec::new(), Vec::new()];
    for _ in 0..3 {
        for (which, peer) in [Peer::Router, Peer::Nginx].iter().enumerate() {
            let running = peer.start(folder.path(), 10)?;
            http2[which].push(load::measure_http2(running.http2, seconds)?);
        }
    }
    let http2 = http2.each_mut().map(median);
    let many = Peer::Router.start(folder.path(), 10_000)?;
    let many_rps = load::measure(many.address, seconds, None)?.rps;
    let memory = many.memory_kib()? / 1024.0;
    let few = Peer::Router.start(folder.path(), 10)?;
    let few_rps = load::measure(few.address, seconds, None)?.rps;
    let (sockets, per_socket) = idle::websockets(&few)?;
    drop((many, few));
    let failed = peers::switches(folder.path(), 1_000)?;
    eprintln!("{sockets} idle WebSockets; at 60% of the slowest: {:.0}/s", 0.6 * slowest);
    tell(&[
        Figure("router.rps_vs_nginx", rps[0] / rps[1], "", "nginx requests/s", rps[1]),
        Figure("router.rps_vs_haproxy", rps[0] / rps[2], "", "haproxy requests/s", rps[2]),
        Figure("router.cpu_vs_bare_hyper", cpu[0] / cpu[3], "", "bare hyper µs", cpu[3]),
        Figure("router.cpu_us", cpu[0], "µs", "nginx µs", cpu[1]),
        Figure("router.p99_vs_best", p99[0] / best, "", "best p99 ms", best),
        Figure("router.h2_rps_vs_nginx", http2[0] / http2[1], "", "nginx requests/s", http2[1]),
        Figure("router.rps_10k_routes_vs_10", many_rps / few_rps, "", "10 routes, requests/s", few_rps),
        Figure("router.memory_10k_mib", memory, "MiB", "bound", 60.0),
        Figure("router.idle_ws_kib", per_socket, "KiB", "bound", 20.0),
        Figure("router.switch_failed", failed, "", "bound", 0.0),
    ])
}

fn tell(figures: &[Figure]) -> Result<()> {
    let mut rows = Vec::new();
    for Figure(name, value, unit, peer, peer_value) in figures {
        println!("{name}: {value:.3} {unit} ({peer}: {peer_value:.3})");
        rows.push(serde_json::json!({"name": name, "value": value, "unit": unit, "peer": peer, "peer_value": peer_value}));
    }
    std::fs::create_dir_all("target/bench")?;
    std::fs::write("target/bench/router.json", serde_json::to_vec_pretty(&rows)?)?;
    Ok(())
}

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
mod rounds;

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
    let folder = folder.path();
    let _backend = peers::backend()?;
    let (rps, cpu) = rounds::fastest(folder, seconds)?;
    let (ratio, bare_cpu) = rounds::side_by_side(folder, seconds)?;
    let slowest = rps.iter().copied().fold(f64::INFINITY, f64::min);
    let p99 = rounds::at_a_pace(folder, seconds, 0.6 * slowest)?;
    let best = p99[1..3].iter().copied().fold(f64::INFINITY, f64::min);
    let http2 = rounds::http2(folder, seconds)?;
    let both = [Peer::Router.start(folder, 10_000)?, Peer::Router.start(folder, 10)?];
    let (many_to_few, few_rps) = rounds::at_once(&both, seconds)?;
    let [many, few] = both;
    let memory = many.memory_kib()? / 1024.0;
    let (sockets, per_socket) = idle::websockets(&few)?;
    drop((many, few));
    let failed = peers::switches(folder, 1_000)?;
    eprintln!("{sockets} idle WebSockets; at 60% of the slowest: {:.0}/s", 0.6 * slowest);
    tell(&[
        Figure("router.rps_vs_nginx", rps[0] / rps[1], "", "nginx requests/s", rps[1]),
        Figure("router.rps_vs_haproxy", rps[0] / rps[2], "", "haproxy requests/s", rps[2]),
        Figure("router.cpu_vs_bare_hyper", ratio, "", "bare hyper µs", bare_cpu),
        Figure("router.cpu_us", cpu[0], "µs", "nginx µs", cpu[1]),
        Figure("router.cpu_haproxy_us", cpu[2], "µs", "bare hyper µs", cpu[3]),
        Figure("router.p99_vs_best", p99[0] / best, "", "best p99 ms", best),
        Figure("router.h2_rps_vs_nginx", http2[0] / http2[1], "", "nginx requests/s", http2[1]),
        Figure("router.rps_10k_routes_vs_10", many_to_few, "", "10 routes, requests/s", few_rps),
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

//! Measurements in turn: many short ones, each round in another order, and medians of them. What the machine does besides
//! comes and goes within seconds, and falls on all.

use std::path::Path;

use anyhow::{Result, anyhow};

use crate::load;
use crate::peers::{Peer, Running};

/// Rounds; each lasts a third of the time that is given for one measurement, so that it is three times that in all.
const ROUNDS: usize = 9;
const PEERS: usize = Peer::ALL.len();

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn medians<const N: usize>(mut values: [Vec<f64>; N]) -> [f64; N] {
    values.each_mut().map(|values| median(values))
}

/// Each proxy as fast as it can. Returns requests per second, and microseconds of CPU time per request.
pub fn fastest(folder: &Path, seconds: f64) -> Result<([f64; PEERS], [f64; PEERS])> {
    let (mut rps, mut cpu) = ([const { Vec::new() }; PEERS], [const { Vec::new() }; PEERS]);
    for round in 0..ROUNDS {
        for turn in 0..PEERS {
            let which = (turn + round) % PEERS;
            let running = Peer::ALL[which].start(folder, 10)?;
            load::measure(running.address, 0.5, None)?;
            let before = running.cpu()?;
            let result = load::measure(running.address, seconds / 3.0, None)?;
            let micros = per_request(running.cpu()? - before, result.count);
            let name = Peer::ALL[which].name();
            eprintln!("round {round}: {name:8} {:7.0}/s, {micros:5.1} µs CPU each", result.rps);
            cpu[which].push(micros);
            rps[which].push(result.rps);
        }
    }
    Ok((medians(rps), medians(cpu)))
}

/// The router and the bare proxy at once on one processor, each with a load of its own: whatever slows one down slows the
/// other, which no order of measurements achieves. Returns how many times the bare proxy's CPU time a request costs, and
/// that time in microseconds.
pub fn side_by_side(folder: &Path, seconds: f64) -> Result<(f64, f64)> {
    let (mut ratios, mut bare) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let both = [Peer::Router.start(folder, 10)?, Peer::Bare.start(folder, 10)?];
        loads(&both, 0.5)?;
        let before = [both[0].cpu()?, both[1].cpu()?];
        let counts = loads(&both, seconds / 1.5)?;
        let router = per_request(both[0].cpu()? - before[0], counts[0]);
        let other = per_request(both[1].cpu()? - before[1], counts[1]);
        eprintln!("side by side {round}: {router:.1} µs CPU ÷ {other:.1} µs = {:.3}", router / other);
        ratios.push(router / other);
        bare.push(other);
    }
    Ok((median(&mut ratios), median(&mut bare)))
}

/// Both under load at once. Returns how many requests each answered.
fn loads(both: &[Running; 2], seconds: f64) -> Result<[u64; 2]> {
    std::thread::scope(|scope| {
        let [a, b] = both.each_ref().map(|one| {
            let address = one.address;
            scope.spawn(move || load::measure(address, seconds, None).map(|outcome| outcome.count))
        });
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<u64>>| {
            thread.join().map_err(|_| anyhow!("a load panicked"))?
        };
        Ok([join(a)?, join(b)?])
    })
}

/// Each proxy at the same pace. Returns the 99th percentile of the time until the answer, in milliseconds.
pub fn at_a_pace(folder: &Path, seconds: f64, rate: f64) -> Result<[f64; PEERS]> {
    let mut p99 = [const { Vec::new() }; PEERS];
    for round in 0..ROUNDS {
        for turn in 0..PEERS {
            let which = (turn + round) % PEERS;
            let running = Peer::ALL[which].start(folder, 10)?;
            load::measure(running.address, 0.5, Some(rate))?;
            let result = load::measure(running.address, seconds / 3.0, Some(rate))?;
            eprintln!("pace {round}: {:8} p99 {:.2} ms", Peer::ALL[which].name(), result.p99_ms);
            p99[which].push(result.p99_ms);
        }
    }
    Ok(medians(p99))
}

/// The router and nginx over HTTP/2. Returns requests per second of each.
pub fn http2(folder: &Path, seconds: f64) -> Result<[f64; 2]> {
    let mut rps = [const { Vec::new() }; 2];
    for round in 0..5 {
        for turn in 0..2 {
            let which = (turn + round) % 2;
            let running = [Peer::Router, Peer::Nginx][which].start(folder, 10)?;
            rps[which].push(load::measure_http2(running.http2, (seconds / 2.0).ceil())?);
        }
    }
    Ok(medians(rps))
}

/// Two routers at once on one processor. Returns how many requests the first answers for each of the second's, and how many
/// those are per second.
pub fn at_once(both: &[Running; 2], seconds: f64) -> Result<(f64, f64)> {
    let (mut ratios, mut rps) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let [one, other] = loads(both, seconds / 3.0)?.map(as_float);
        ratios.push(one / other);
        rps.push(other / (seconds / 3.0));
    }
    Ok((median(&mut ratios), median(&mut rps)))
}

#[allow(clippy::cast_precision_loss, reason = "some millions")]
fn as_float(count: u64) -> f64 {
    count as f64
}

fn per_request(seconds: f64, count: u64) -> f64 {
    seconds * 1e6 / as_float(count)
}

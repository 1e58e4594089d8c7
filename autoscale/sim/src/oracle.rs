//! The oracle: perfect foresight of arrivals, cold start and downstream. First the fewest requests over the objective,
//! then the fewest pod-seconds.
//!
//! It is found by repair, so it is a strong schedule and not a proof of the optimum:
//!
//! 1. With slots without end, count the requests that nobody could have saved, and the slots busy in each second.
//! 2. Ask for the pods that those busy slots fill, averaged over three seconds (waiting a little is allowed).
//! 3. Fill every gap shorter than a cold start: starting a pod again would cost more than keeping it.
//! 4. Simulate; wherever a request was late that could have been saved, add pods to that second and the one before it;
//!    repeat until none is left or the maximum is reached.
//!
//! A downstream that is slow or saturates is healthy here (its limit bounds the pods that are of use), so the oracle's
//! cost is what the work is worth; its violations are those that its pods suffer with the real downstream.
use crate::{
    law::Outcome,
    trace::{Event, STEPS, Trace},
    world::{Sample, Supply, World},
};

/// Rounds of repair.
const ROUNDS: u32 = 60;

/// The oracle's run of a trace.
pub fn oracle(trace: &Trace) -> Outcome {
    let healthy = trace.healthy();
    let (busy, floor) = unlimited(&healthy);
    let useful = useful(trace).min(trace.bounds.1);
    let slots = f64::from(trace.slots);
    let seconds = busy.len();
    let mut pods: Vec<u32> = (0..seconds)
        .map(|s| {
            let near = &busy[s.saturating_sub(1)..(s + 2).min(seconds)];
            let mean = near.iter().sum::<f64>() / near.len() as f64;
            ((mean / slots).ceil() as u32).clamp(trace.bounds.0, useful)
        })
        .collect();
    let gap = trace.cold_start.ceil() as usize;
    for _ in 0..ROUNDS {
        fill(&mut pods, gap);
        let late = late(&simulate(&healthy, &pods));
        let mut worse = false;
        for s in 0..seconds {
            let avoidable = late[s].saturating_sub(floor[s]);
            if avoidable == 0 {
                continue;
            }
            let more = (avoidable / (8 * trace.slots)).max(1);
            for at in [s.saturating_sub(1), s] {
                worse |= pods[at] < useful;
                pods[at] = (pods[at] + more).min(useful);
            }
        }
        if !worse {
            break;
        }
    }
    fill(&mut pods, gap);
    let mut samples = simulate(trace, &pods);
    for (sample, &n) in samples.iter_mut().zip(&pods) {
        sample.desired = n;
    }
    Outcome { samples, pod_hours: cost(&pods, trace.cold_start) / 3600.0 }
}

/// Pods beyond which the downstream cannot use more.
fn useful(trace: &Trace) -> u32 {
    let of = |event: &Event| match *event {
        Event::Saturates { slots } => Some((slots / f64::from(trace.slots)).ceil() as u32),
        _ => None,
    };
    trace.events.iter().filter_map(of).min().unwrap_or(u32::MAX).max(trace.bounds.0)
}

/// Busy slots per second, and requests that are late even with slots without end.
fn unlimited(trace: &Trace) -> (Vec<f64>, Vec<u32>) {
    let pods = [100_000];
    let mut world = World::new(trace, Supply::Schedule(&pods));
    let mut busy = Vec::with_capacity(trace.rate.len());
    for _ in 0..trace.seconds() {
        world.second();
        busy.push(world.busy_steps as f64 / f64::from(STEPS));
    }
    (busy, late(&world.samples))
}

fn simulate(trace: &Trace, pods: &[u32]) -> Vec<Sample> {
    let mut world = World::new(trace, Supply::Schedule(pods));
    (0..trace.seconds()).for_each(|_| world.second());
    world.samples
}

fn late(samples: &[Sample]) -> Vec<u32> {
    samples.iter().map(|s| s.arrived - s.good).collect()
}

/// Keeps a pod through gaps that are shorter than its start. For each number of pods, the seconds that need that many
/// are intervals; two of them nearer than `gap` are joined.
fn fill(pods: &mut [u32], gap: usize) {
    let most = pods.iter().copied().max().unwrap_or(0) as usize;
    let mut last: Vec<Option<usize>> = vec![None; most + 1];
    for s in 0..pods.len() {
        let need = pods[s] as usize;
        for level in (1..=need).rev() {
            let before = last[level];
            last[level] = Some(s);
            let Some(before) = before.filter(|b| s - b > 1 && s - b <= gap + 1) else { continue };
            for cell in &mut pods[before + 1..s] {
                *cell = (*cell).max(level as u32);
            }
        }
    }
}

/// Pod-seconds, with a cold start paid for every pod that begins after the first second.
fn cost(pods: &[u32], cold_start: f64) -> f64 {
    let running: f64 = pods.iter().map(|&n| f64::from(n)).sum();
    let begun: f64 = pods.windows(2).map(|w| f64::from(w[1].saturating_sub(w[0]))).sum();
    running + begun * cold_start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_shorter_than_a_start_are_filled_and_longer_ones_are_not() {
        let mut pods = vec![3, 1, 1, 3, 1, 1, 1, 1, 1, 2];
        fill(&mut pods, 2);
        assert_eq!(pods, [3, 3, 3, 3, 1, 1, 1, 1, 1, 2]);
        assert!((cost(&[1, 3, 3, 2], 25.0) - (9.0 + 50.0)).abs() < 1e-9);
    }

    #[test]
    fn the_oracle_misses_nothing_that_could_be_saved() {
        let rate = (0..900).map(|s| if (300..600).contains(&s) { 400.0 } else { 100.0 }).collect();
        let trace = Trace::new("t", "", 3, rate);
        let (_, floor) = unlimited(&trace);
        let outcome = oracle(&trace);
        let missed: u32 = late(&outcome.samples).iter().sum();
        assert_eq!(missed, floor.iter().sum::<u32>());
        let fewest = (100.0 * 600.0 + 400.0 * 300.0) * 0.2 / 4.0 / 3600.0;
        assert!((fewest..fewest * 1.35).contains(&outcome.pod_hours), "{} of {fewest}", outcome.pod_hours);
    }
}

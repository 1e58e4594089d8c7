//! The objective, and the figures of a run.
//!
//! A request meets the objective if it was answered without error within 1 s of its first try. Retries join their
//! original; what is unfinished at the end counts as over.
use crate::law::Outcome;
use serde::{Deserialize, Serialize};

/// The figures of one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Score {
    /// Requests over the objective, in % of all first tries.
    pub violations_pct: f64,
    /// Pod-hours.
    pub pod_hours: f64,
    /// Changes of direction of the replicas asked for.
    pub reversals: u32,
    /// The same per hour.
    pub reversals_per_hour: f64,
    /// Longest time in which more than 5% of a second's requests missed the objective, in seconds (pauses below 5 s count).
    pub recovery_s: u32,
    /// Decreases of the replicas while more than 0.5% of the arrivals of the last 10 s timed out.
    pub scale_ins_in_timeouts: u32,
    /// Most replicas asked for.
    pub most: u32,
}

/// Scores a run.
pub fn score(outcome: &Outcome) -> Score {
    let samples = &outcome.samples;
    let sum =
        |f: fn(&crate::world::Sample) -> u32| samples.iter().map(|s| u64::from(f(s))).sum::<u64>() as f64;
    let (arrived, good) = (sum(|s| s.arrived), sum(|s| s.good));
    let (mut reversals, mut direction, mut scale_ins) = (0, 0, 0);
    for (i, pair) in samples.windows(2).enumerate() {
        let now = i64::from(pair[1].desired) - i64::from(pair[0].desired);
        if now != 0 {
            reversals += u32::from(direction * now.signum() < 0);
            direction = now.signum();
        }
        if now < 0 {
            let last = &samples[i.saturating_sub(10)..=i];
            let timeouts: u32 = last.iter().map(|s| s.timeouts).sum();
            let arrivals: u32 = last.iter().map(|s| s.arrived).sum();
            scale_ins += u32::from(f64::from(timeouts) > 0.005 * f64::from(arrivals.max(1)));
        }
    }
    Score {
        violations_pct: 100.0 * (arrived - good) / arrived.max(1.0),
        pod_hours: outcome.pod_hours,
        reversals,
        reversals_per_hour: f64::from(reversals) / (samples.len().max(1) as f64 / 3600.0),
        recovery_s: longest(samples),
        scale_ins_in_timeouts: scale_ins,
        most: samples.iter().map(|s| s.desired).max().unwrap_or(0),
    }
}

fn longest(samples: &[crate::world::Sample]) -> u32 {
    let (mut best, mut start, mut last) = (0, None, 0);
    for (i, s) in samples.iter().enumerate() {
        if f64::from(s.arrived - s.good) > 0.05 * f64::from(s.arrived) {
            let from = *start.get_or_insert(i);
            (last, best) = (i, best.max(i - from + 1));
        } else if i - last >= 5 {
            start = None;
        }
    }
    best as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Sample;

    #[test]
    fn figures_count_what_they_say() {
        let s = |arrived, good, desired, timeouts| Sample {
            arrived,
            good,
            desired,
            timeouts,
            ..Sample::default()
        };
        let samples = vec![s(100, 100, 5, 0), s(100, 50, 8, 2), s(100, 0, 7, 0), s(100, 100, 9, 0)];
        let score = score(&Outcome { samples, pod_hours: 1.0 });
        assert!((score.violations_pct - 37.5).abs() < 1e-9);
        assert_eq!((score.reversals, score.recovery_s, score.scale_ins_in_timeouts), (2, 2, 1));
    }
}

//! What the routers report: one-second buckets of counts, sums and histograms per process.
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Buckets of a [`Histogram`]: bucket `i` holds durations up to `2^((i+1)/2)` ms, so 32 of them reach 65 s.
pub(crate) const CELLS: usize = 32;

/// A histogram of durations whose bucket borders grow by √2 from 1 ms to 65 s.
///
/// Histograms of several routers add up, percentiles do not; that is why routers send these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// Count per bucket.
    pub counts: [u32; CELLS],
}

impl Histogram {
    /// The bucket a duration in milliseconds falls into.
    pub fn cell(millis: f64) -> usize {
        ((2.0 * millis.max(1.0).log2()) as usize).min(CELLS - 1)
    }

    /// Counts one duration in milliseconds.
    pub fn record(&mut self, millis: f64) {
        let cell = &mut self.counts[Self::cell(millis)];
        *cell = cell.saturating_add(1);
    }

    /// How many durations were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|&n| u64::from(n)).sum()
    }
}

/// The `q`-quantile in milliseconds of weights per histogram bucket, interpolated inside the bucket on its log scale.
pub(crate) fn quantile(weights: &[f32; CELLS], q: f64) -> Option<f64> {
    let total: f64 = weights.iter().map(|&w| f64::from(w)).sum();
    if total.is_nan() || total < 1e-6 {
        return None;
    }
    let mut left = total * q;
    for (i, &w) in weights.iter().enumerate() {
        let w = f64::from(w);
        if w > 0.0 && left <= w {
            return Some((0.5 * (i as f64 + left / w)).exp2());
        }
        left -= w;
    }
    Some((0.5 * CELLS as f64).exp2())
}

/// One second of one process as one router saw it.
///
/// Requests that a client abandoned stay in `in_flight` until the process has answered: their work goes on.
/// Streams (WebSocket, server-sent events) are counted in `streams` alone, never in the histograms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Which second, counted from the Unix epoch.
    pub second: i64,
    /// Requests whose header arrived and that are not a retry.
    pub first_tries: u32,
    /// Requests tagged as a retry of an earlier one.
    pub retries: u32,
    /// Requests answered without an error.
    pub completed: u32,
    /// Requests answered with a 5xx, or refused because a backlog was full.
    pub errors: u32,
    /// Requests that the router gave up on.
    pub timeouts: u32,
    /// Requests not yet answered by the process at the second's end.
    pub in_flight: u32,
    /// Of those in flight, how many the process has not begun.
    pub waiting: u32,
    /// Open streams at the second's end.
    pub streams: u32,
    /// Time spent waiting, summed over the requests begun in this second, in seconds.
    pub wait_seconds: f64,
    /// Upstream time without the wait, summed over the requests finished in this second, in seconds.
    pub service_seconds: f64,
    /// Upstream times of the requests finished in this second.
    pub service: Histogram,
    /// Wait plus upstream time of the requests finished in this second.
    pub latency: Histogram,
}

/// Everything one router has to say since the last tick.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The router's name, stable for its life.
    pub router: String,
    /// Buckets in ascending order of their second; older than what was already merged is ignored, so overlap is safe.
    pub buckets: Vec<Bucket>,
    /// The router has ended, as somebody who knows it says (its pod is gone): nothing more is expected from it.
    #[serde(default)]
    pub gone: bool,
}

impl Report {
    /// The newest second reported.
    pub(crate) fn newest(&self) -> Option<i64> {
        self.buckets.last().map(|b| b.second)
    }
}

/// The moment a second ends, which is when its bucket begins to age.
pub(crate) fn second_of(now: Timestamp) -> i64 {
    now.as_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_within_a_bucket_of_the_truth() {
        let mut h = Histogram::default();
        for ms in 1..=1000 {
            h.record(f64::from(ms));
        }
        let weights = h.counts.map(|c| c as f32);
        let p50 = quantile(&weights, 0.5).unwrap();
        let p95 = quantile(&weights, 0.95).unwrap();
        assert!((p50 / 500.0 - 1.0).abs() < 0.1, "{p50}");
        assert!((p95 / 950.0 - 1.0).abs() < 0.1, "{p95}");
    }

    #[test]
    fn an_empty_histogram_has_no_quantile() {
        assert_eq!(quantile(&[0.0; CELLS], 0.95), None);
        assert_eq!(quantile(&[f32::NAN; CELLS], 0.95), None);
    }
}

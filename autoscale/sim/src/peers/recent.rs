//! The last seconds of signals, as a metrics server would keep them.
use autoscale::Bucket;
use std::collections::VecDeque;

/// The buckets of the last so many seconds that had signals.
#[derive(Debug, Default)]
pub struct Recent {
    buckets: VecDeque<(u32, Bucket)>,
}

impl Recent {
    /// Adds the newest bucket and forgets what is `keep` seconds old.
    pub fn push(&mut self, second: u32, bucket: Option<Bucket>, keep: u32) {
        if let Some(bucket) = bucket {
            self.buckets.push_back((second, bucket));
        }
        while self.buckets.front().is_some_and(|(at, _)| at + keep <= second) {
            self.buckets.pop_front();
        }
    }

    /// Mean of a value over the buckets of the last so many seconds; `None` without any.
    pub fn mean(&self, second: u32, last: u32, of: impl Fn(&Bucket) -> u32) -> Option<f64> {
        let (mut sum, mut n) = (0.0, 0.0);
        for (_, b) in self.buckets.iter().rev().take_while(|(at, _)| at + last > second) {
            sum += f64::from(of(b));
            n += 1.0;
        }
        (n > 0.0).then(|| sum / n)
    }

    /// A quantile of the latency in ms over the last so many seconds, interpolated in the histogram's cell.
    pub fn latency(&self, second: u32, last: u32, q: f64) -> Option<f64> {
        let mut counts = [0.0f64; 32];
        for (_, b) in self.buckets.iter().rev().take_while(|(at, _)| at + last > second) {
            counts.iter_mut().zip(b.latency.counts).for_each(|(sum, n)| *sum += f64::from(n));
        }
        quantile(&counts, q)
    }
}

/// A quantile in ms of counts per histogram cell.
fn quantile(counts: &[f64; 32], q: f64) -> Option<f64> {
    let mut left = counts.iter().sum::<f64>() * q;
    if left <= 0.0 {
        return None;
    }
    for (i, &n) in counts.iter().enumerate() {
        if n > 0.0 && left <= n {
            return Some((0.5 * (i as f64 + left / n)).exp2());
        }
        left -= n;
    }
    None
}

//! Small numeric helpers: saturating conversions and windows of maxima.
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Milliseconds since the Unix epoch; the law's own unit of time.
pub(crate) type Millis = i64;

/// Seconds from `then` to `now`, never negative, whatever a restored state may contain.
pub(crate) fn seconds_since(now: Millis, then: Millis) -> f64 {
    (now.saturating_sub(then).max(0) as f64) / 1000.0
}

/// `now` plus a span in seconds; NaN adds nothing and the sum saturates.
pub(crate) fn after(now: Millis, seconds: f64) -> Millis {
    now.saturating_add((seconds * 1000.0) as i64)
}

/// Rounds up into a count of pods; NaN and negatives become 0, infinity the largest count.
///
/// The small slack keeps `3.0000000001`, a rounding error, from becoming a fourth pod.
pub(crate) fn ceil(x: f64) -> u32 {
    (x - 1e-9).ceil() as u32
}

/// `a / b`, or `None` when there is nothing to divide by.
pub(crate) fn ratio(a: f64, b: f64) -> Option<f64> {
    (b > 0.0).then(|| a / b)
}

/// The largest value of the last so many seconds, in constant time per tick.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct MaxWindow(VecDeque<(Millis, u32)>);

impl MaxWindow {
    /// Adds a value seen at `now`, forgets what is older than `keep` seconds and returns the maximum.
    pub(crate) fn push(&mut self, now: Millis, value: u32, keep: f64) -> u32 {
        self.not_after(now);
        while self.0.back().is_some_and(|&(_, v)| v <= value) {
            self.0.pop_back();
        }
        self.0.push_back((now, value));
        self.max(now, keep)
    }

    /// What was seen later than now was seen by a clock that was wrong: it counts as seen now.
    fn not_after(&mut self, now: Millis) {
        self.0.iter_mut().rev().take_while(|(at, _)| *at > now).for_each(|(at, _)| *at = now);
    }

    /// The maximum of the last `keep` seconds; 0 when nothing was seen.
    pub(crate) fn max(&mut self, now: Millis, keep: f64) -> u32 {
        let oldest = after(now, -keep);
        while self.0.len() > 1 && self.0.front().is_some_and(|&(at, _)| at < oldest) {
            self.0.pop_front();
        }
        self.0.front().map_or(0, |&(at, v)| if at < oldest { 0 } else { v })
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maximum_leaves_when_its_window_is_over() {
        let mut w = MaxWindow::default();
        assert_eq!(w.push(0, 9, 10.0), 9);
        assert_eq!(w.push(5_000, 3, 10.0), 9);
        assert_eq!(w.push(9_000, 4, 10.0), 9);
        assert_eq!(w.push(10_001, 1, 10.0), 4);
        assert_eq!(w.max(30_000, 10.0), 0);
    }

    #[test]
    fn a_clock_that_ran_ahead_once_does_not_keep_its_maximum_for_as_long() {
        let mut w = MaxWindow::default();
        w.push(86_400_000, 9, 10.0);
        assert_eq!(w.push(1_000, 3, 10.0), 9);
        assert_eq!(w.push(11_001, 3, 10.0), 3);
    }

    #[test]
    fn conversions_saturate_and_never_panic() {
        assert_eq!(ceil(f64::NAN), 0);
        assert_eq!(ceil(-3.0), 0);
        assert_eq!(ceil(f64::INFINITY), u32::MAX);
        assert_eq!(ceil(3.000_000_000_01), 3);
        assert!(seconds_since(i64::MIN, i64::MAX).abs() < 1e-9);
        assert_eq!(after(i64::MAX, 1e30), i64::MAX);
    }
}

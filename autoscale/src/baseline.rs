//! S₀: how long a request takes when nothing is wrong, learned per release over a day.
//!
//! Healthy seconds (next to no waiting, no errors, downstream not slow) are gathered into periods of 15 minutes; S₀ is the median of
//! the periods of the last 24 hours. A new release starts with its predecessor's value and replaces it as soon as it
//! has 10 healthy seconds of its own. The median keeps half an hour of trouble out of it.
use crate::{math::ratio, window::Sums};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Healthy seconds in one period.
const PERIOD: f64 = 900.0;
/// Periods in a day.
const KEPT: usize = 96;
/// Healthy seconds, and requests, before a release's own value counts.
const ENOUGH: (f64, f64) = (10.0, 50.0);

/// What healthy seconds look like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Healthy {
    /// Mean service time in seconds; times arrivals it is the slots needed (Little's law).
    pub mean: f64,
    /// Median service time in seconds; robust, so it tells slow from healthy.
    pub p50: f64,
}

/// The period being gathered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Period {
    seconds: f64,
    requests: f64,
    service: f64,
    p50: f64,
}

impl Period {
    fn healthy(&self) -> Option<Healthy> {
        let (seconds, requests) = ENOUGH;
        (self.seconds >= seconds && self.requests >= requests)
            .then(|| Healthy { mean: self.service / self.requests, p50: self.p50 / self.seconds })
    }
}

/// The learned healthy service time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    release: String,
    /// What the release before this one needed.
    before: Option<Healthy>,
    periods: VecDeque<Healthy>,
    current: Period,
    /// The median of the periods, kept because it changes only with them.
    median: Option<Healthy>,
}

impl Baseline {
    /// Starts anew for a new release; the old value stands in until the new one has its own.
    pub fn release(&mut self, name: &str) {
        if self.release != name {
            let before = self.get();
            *self = Self { release: name.to_owned(), before, ..Self::default() };
        }
    }

    /// S₀ as known now.
    pub fn get(&self) -> Option<Healthy> {
        self.median.or_else(|| self.current.healthy()).or(self.before)
    }

    /// Whether the release's own value is known.
    pub fn is_own(&self) -> bool {
        self.median.is_some() || self.current.healthy().is_some()
    }

    /// Learns from seconds that were healthy; the caller has checked that they were.
    pub fn learn(&mut self, sums: &Sums, p50_seconds: f64) {
        let Some(mean) = ratio(sums.service, sums.completed + sums.errors) else { return };
        if !(mean.is_finite() && mean > 0.0 && p50_seconds.is_finite() && p50_seconds > 0.0) {
            return;
        }
        self.current.seconds += sums.seconds;
        self.current.requests += sums.completed + sums.errors;
        self.current.service += sums.service;
        self.current.p50 += p50_seconds * sums.seconds;
        if self.current.seconds >= PERIOD
            && let Some(healthy) = self.current.healthy()
        {
            self.periods.push_back(healthy);
            while self.periods.len() > KEPT {
                self.periods.pop_front();
            }
            self.current = Period::default();
            self.median = Some(Healthy { mean: self.middle(|h| h.mean), p50: self.middle(|h| h.p50) });
        }
    }

    fn middle(&self, of: impl Fn(&Healthy) -> f64) -> f64 {
        let mut all: Vec<f64> = self.periods.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(service: f64) -> Sums {
        Sums { seconds: 1.0, completed: 100.0, service: service * 100.0, ..Sums::default() }
    }

    #[test]
    fn half_an_hour_of_slowness_does_not_become_normal() {
        let mut b = Baseline::default();
        b.release("v1");
        for i in 0..20_000 {
            let s = if i >= 18_000 { 1.0 } else { 0.2 };
            b.learn(&second(s), s);
        }
        assert!((b.get().unwrap().mean - 0.2).abs() < 1e-9);
    }

    #[test]
    fn a_new_release_borrows_and_then_learns() {
        let mut b = Baseline::default();
        b.release("v1");
        (0..20).for_each(|_| b.learn(&second(0.2), 0.2));
        b.release("v2");
        assert!(!b.is_own());
        assert!((b.get().unwrap().p50 - 0.2).abs() < 1e-9);
        (0..10).for_each(|_| b.learn(&second(0.3), 0.3));
        assert!((b.get().unwrap().p50 - 0.3).abs() < 1e-9);
    }
}

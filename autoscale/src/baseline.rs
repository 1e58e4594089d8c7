//! S₀: how long a request takes when nothing is wrong, learned per release over a day.
//!
//! Healthy seconds (next to no waiting, no errors, downstream not slow) are gathered into periods of 15 minutes of such
//! seconds; S₀ is the median of the last 96 periods. The median keeps half an hour of trouble out of it.
//!
//! A new release settles for five minutes: while old and new pods answer side by side S₀ follows the present, with its
//! predecessor's value standing in until there are 10 seconds of its own. A release that comes while another settles
//! shares its five minutes, or who deploys often would never tell slow from healthy; one that goes back to the release
//! before has that release's value at once.
use crate::{
    constants::Constants,
    math::{Millis, ratio, seconds_since},
    signals::{CELLS, quantile},
    window::Sums,
};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Healthy seconds in one period.
const PERIOD: f64 = 900.0;
/// Periods in a day of healthy seconds.
const KEPT: usize = 96;
/// Healthy seconds, and requests, before a release's own value counts.
const ENOUGH: (f64, f64) = (10.0, 50.0);
/// Time constant, in seconds, of what a settling release remembers: its first answers come from the old pods.
const SETTLING_MEMORY: f64 = 60.0;

/// What healthy seconds look like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Healthy {
    /// Mean service time in seconds; times arrivals it is the slots needed (Little's law).
    pub mean: f64,
    /// Median service time in seconds; robust, so it tells slow from healthy.
    pub p50: f64,
}

/// The period being gathered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Period {
    seconds: f64,
    requests: f64,
    service: f64,
    /// Service times by histogram cell, so that the median needs no minimum of requests per second.
    counts: [f32; CELLS],
}

impl Period {
    fn healthy(&self) -> Option<Healthy> {
        let (seconds, requests) = ENOUGH;
        let enough = self.seconds >= seconds && self.requests >= requests;
        let p50 = quantile(&self.counts, 0.5)? / 1000.0;
        enough.then_some(Healthy { mean: self.service / self.requests, p50 })
    }

    fn fade(&mut self, keep: f64) {
        for x in [&mut self.seconds, &mut self.requests, &mut self.service] {
            *x *= keep;
        }
        self.counts.iter_mut().for_each(|n| *n *= keep as f32);
    }

    fn add(&mut self, sums: &Sums, counts: &[u32; CELLS]) {
        self.seconds += sums.seconds;
        self.requests += sums.finished;
        self.service += sums.service;
        self.counts.iter_mut().zip(counts).for_each(|(mine, more)| *mine = (*mine + *more as f32).min(1e12));
    }
}

/// The learned healthy service time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Baseline {
    release: String,
    /// Until when a release that followed another one settles.
    settles: Option<Millis>,
    /// What the release before this one needed.
    before: Option<Healthy>,
    /// The release before this one, and its own value: going back to it is no news.
    #[serde(default)]
    previous: Option<(String, Healthy)>,
    periods: VecDeque<Healthy>,
    current: Period,
    /// The median of the periods, kept because it changes only with them.
    median: Option<Healthy>,
}

impl Baseline {
    /// Starts anew for a new release, and says whether this is one; the old value stands in until it has its own.
    pub fn release(&mut self, now: Millis, name: &str, k: &Constants) -> bool {
        if self.settles.is_some_and(|until| now >= until) {
            self.settled();
        }
        if self.release == name {
            return false;
        }
        let left = std::mem::replace(&mut self.release, name.to_owned());
        if left.is_empty() {
            *self = Self { release: name.to_owned(), ..Self::default() };
            return false;
        }
        if self.settles.is_some() {
            return true;
        }
        let (value, known) = (self.get(), self.previous.take().filter(|(previous, _)| previous == name));
        let (before, settles) = match known {
            Some((_, its_own)) => (Some(its_own), None),
            None => (value, Some(crate::math::after(now, k.settle))),
        };
        let previous = value.map(|value| (left, value));
        *self = Self { release: name.to_owned(), before, settles, previous, ..Self::default() };
        true
    }

    /// The last minute of settling is what the release begins its first period with.
    fn settled(&mut self) {
        self.settles = None;
        self.before = self.current.healthy().or(self.before);
    }

    /// S₀ as known now.
    pub fn get(&self) -> Option<Healthy> {
        self.median.or_else(|| self.current.healthy()).or(self.before)
    }

    /// Whether the release is so new that S₀ follows the present, whatever it is.
    pub fn is_settling(&self, now: Millis) -> bool {
        self.settles.is_some_and(|until| seconds_since(until, now) > 0.0)
    }

    /// Whether S₀ is the release's own and has settled, so that it can tell slow from healthy.
    pub fn is_own(&self) -> bool {
        self.settles.is_none() && self.get().is_some()
    }

    /// Takes the present for healthy: it has been as it is for so long that it is how things are. A time of nothing is
    /// no service time.
    pub fn accept(&mut self, now: Healthy) {
        if ![now.mean, now.p50].iter().all(|s| s.is_finite() && *s > 0.0) {
            return;
        }
        (self.before, self.median, self.current) = (Some(now), None, Period::default());
        self.periods.clear();
    }

    /// Learns from seconds that were healthy; the caller has checked that they were.
    pub fn learn(&mut self, sums: &Sums, counts: &[u32; CELLS]) {
        let sane = ratio(sums.service, sums.finished).is_some_and(|mean| mean.is_finite() && mean > 0.0);
        if !sane {
            return;
        }
        if self.settles.is_some() {
            self.current.fade((-sums.seconds / SETTLING_MEMORY).exp());
        }
        self.current.add(sums, counts);
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
    use crate::signals::Histogram;

    /// `n` seconds of `rate` requests per second.
    fn learn(b: &mut Baseline, n: u32, rate: u32, service: f64) {
        let mut h = Histogram::default();
        (0..rate).for_each(|_| h.record(service * 1000.0));
        let finished = f64::from(rate);
        let sums = Sums { seconds: 1.0, finished, service: service * finished, ..Sums::default() };
        (0..n).for_each(|_| b.learn(&sums, &h.counts));
    }

    fn mean(b: &Baseline) -> f64 {
        b.get().map_or(0.0, |h| h.mean)
    }

    #[test]
    fn half_an_hour_of_slowness_does_not_become_normal() {
        let mut b = Baseline::default();
        b.release(0, "v1", &Constants::default());
        learn(&mut b, 18_000, 100, 0.2);
        learn(&mut b, 2_000, 100, 1.0);
        assert!((mean(&b) - 0.2).abs() < 1e-9);
    }

    #[test]
    fn one_request_per_second_is_enough_to_learn_from() {
        let mut b = Baseline::default();
        b.release(0, "v1", &Constants::default());
        learn(&mut b, 49, 1, 0.2);
        assert_eq!(b.get(), None);
        learn(&mut b, 1, 1, 0.2);
        assert!((mean(&b) - 0.2).abs() < 1e-9);
        let p50 = b.get().map_or(0.0, |h| h.p50);
        assert!((0.17..0.26).contains(&p50), "a histogram cell around 0.2: {p50}");
    }

    #[test]
    fn a_new_release_borrows_follows_the_present_and_then_has_its_own() {
        let (mut b, k) = (Baseline::default(), Constants::default());
        assert!(!b.release(0, "v1", &k), "the first release replaces nothing");
        learn(&mut b, 1_000, 100, 0.2);
        assert!(b.is_own());
        assert!(b.release(1_000, "v2", &k));
        assert!(!b.is_own() && b.is_settling(1_000));
        assert!((mean(&b) - 0.2).abs() < 1e-9);
        learn(&mut b, 60, 100, 0.2); // the old pods still answer
        learn(&mut b, 240, 100, 0.4);
        assert!((mean(&b) - 0.4).abs() < 0.01, "{}", mean(&b));
        b.release(302_000, "v2", &k);
        assert!(b.is_own() && !b.is_settling(302_000));
    }

    #[test]
    fn releases_in_quick_succession_share_the_minutes_of_the_first() {
        let (mut b, k) = (Baseline::default(), Constants::default());
        b.release(0, "v1", &k);
        learn(&mut b, 1_000, 100, 0.2);
        for (minute, name) in (0i64..).zip(["v2", "v3", "v2", "v4"]) {
            assert!(b.release(60_000 * minute, name, &k));
            learn(&mut b, 60, 100, 0.4);
        }
        assert!(b.is_settling(299_000) && !b.is_own());
        b.release(300_000, "v4", &k);
        assert!(b.is_own() && (mean(&b) - 0.4).abs() < 0.02, "{}", mean(&b));
    }

    #[test]
    fn going_back_to_the_release_before_brings_its_value_back() {
        let (mut b, k) = (Baseline::default(), Constants::default());
        b.release(0, "v1", &k);
        learn(&mut b, 1_000, 100, 0.2);
        b.release(1_000_000, "v2", &k);
        learn(&mut b, 300, 100, 0.4);
        b.release(1_300_000, "v2", &k);
        learn(&mut b, 1_000, 100, 0.4);
        assert!(b.release(2_400_000, "v1", &k));
        assert!(b.is_own() && (mean(&b) - 0.2).abs() < 1e-9, "{}", mean(&b));
        b.release(2_401_000, "v2", &k);
        assert!(b.is_own() && (mean(&b) - 0.4).abs() < 0.01, "{}", mean(&b));
    }

    #[test]
    fn a_present_of_nothing_is_not_accepted() {
        let mut b = Baseline::default();
        learn(&mut b, 1_000, 100, 0.2);
        for nothing in [Healthy { mean: 0.0, p50: 0.2 }, Healthy { mean: f64::NAN, p50: 0.2 }] {
            b.accept(nothing);
            assert!((mean(&b) - 0.2).abs() < 1e-9);
        }
        b.accept(Healthy { mean: 0.4, p50: 0.4 });
        assert!((mean(&b) - 0.4).abs() < 1e-9);
    }
}

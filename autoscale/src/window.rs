//! The last minute of merged signals, second by second, and whether they can be trusted.
//!
//! Buckets of several routers are added up by their second. A second counts once every known router has spoken about
//! it, so half of the routers never looks like half of the traffic.
use crate::{
    constants::Constants,
    output::Unknown,
    signals::{Bucket, CELLS, Report},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Seconds kept.
const KEPT: i64 = 96;
/// More than this in one second of one process is no count but a fault.
const ABSURD: u32 = 10_000_000;

/// Sums over some seconds; gauges are averages over them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// How many seconds.
    pub seconds: f64,
    /// First tries.
    pub first: f64,
    /// Retries.
    pub retries: f64,
    /// Answered without error.
    pub completed: f64,
    /// Answered with an error.
    pub errors: f64,
    /// Given up.
    pub timeouts: f64,
    /// Requests waiting, on average.
    pub waiting: f64,
    /// Requests being served, on average.
    pub busy: f64,
    /// Open streams, on average.
    pub streams: f64,
    /// Waiting time in seconds, summed.
    pub wait: f64,
    /// Service time in seconds, summed.
    pub service: f64,
}

/// One merged second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Second {
    at: i64,
    first: u32,
    retries: u32,
    completed: u32,
    errors: u32,
    timeouts: u32,
    in_flight: u32,
    waiting: u32,
    streams: u32,
    wait_us: u64,
    service_us: u64,
}

/// What one merge found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Merged {
    /// Why the signals cannot be trusted; `None` when they can.
    pub unknown: Option<Unknown>,
    /// How many seconds became complete.
    pub fresh: i64,
    /// Service times that were added.
    pub service: [u32; CELLS],
    /// Latencies that were added.
    pub latency: [u32; CELLS],
}

/// The merged signals of the last minute and a half.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    ring: Vec<Second>,
    /// The newest second of each router.
    routers: BTreeMap<String, i64>,
    /// The newest complete second.
    head: Option<i64>,
    /// The first complete second ever.
    first: i64,
    /// The newest second that a router left out.
    gap: Option<i64>,
}

impl Window {
    /// Merges reports; the order of the reports changes nothing.
    pub fn merge(&mut self, now: i64, reports: &[Report], k: &Constants) -> Merged {
        if self.ring.len() != KEPT as usize {
            self.ring = vec![Second::default(); KEPT as usize];
        }
        let mut merged = Merged { unknown: None, fresh: 0, service: [0; CELLS], latency: [0; CELLS] };
        let mut order: Vec<usize> = (0..reports.len()).collect();
        order.sort_by(|&a, &b| {
            (&reports[a].router, reports[a].newest()).cmp(&(&reports[b].router, reports[b].newest()))
        });
        for i in order {
            if let Some(fault) = self.merge_one(now, &reports[i], &mut merged) {
                merged.unknown.get_or_insert(fault);
            }
        }
        self.forget_gone(now, reports);
        let before = self.head;
        self.advance(now, k);
        merged.fresh = match (before, self.head) {
            (Some(a), Some(b)) => (b.saturating_sub(a)).clamp(0, KEPT),
            (None, Some(_)) => 1,
            _ => 0,
        };
        if let Some(fault) = self.doubts(now, reports, k) {
            merged.unknown = Some(fault);
        }
        merged
    }

    /// Adds one router's new buckets; returns what is wrong with them.
    fn merge_one(&mut self, now: i64, report: &Report, merged: &mut Merged) -> Option<Unknown> {
        let known = self.routers.get(&report.router).copied();
        let mut last = known.unwrap_or(i64::MIN);
        let mut fault = None;
        for b in &report.buckets {
            if b.second <= last || b.second > now.saturating_add(1) {
                continue;
            }
            if last != i64::MIN && b.second > last.saturating_add(1) {
                self.gap = self.gap.max(Some(b.second - 1));
            }
            last = b.second;
            match check(b) {
                Some(what) => {
                    self.gap = self.gap.max(Some(b.second));
                    fault = fault.or(Some(what));
                }
                None if b.second > now.saturating_sub(KEPT) => self.add(b, merged),
                None => {}
            }
        }
        if last != i64::MIN {
            self.routers.insert(report.router.clone(), last);
        }
        fault
    }

    fn add(&mut self, b: &Bucket, merged: &mut Merged) {
        let cell = &mut self.ring[b.second.rem_euclid(KEPT) as usize];
        if cell.at != b.second {
            *cell = Second { at: b.second, ..Second::default() };
        }
        let sum = |to: &mut u32, more: u32| *to = to.saturating_add(more);
        sum(&mut cell.first, b.first_tries);
        sum(&mut cell.retries, b.retries);
        sum(&mut cell.completed, b.completed);
        sum(&mut cell.errors, b.errors);
        sum(&mut cell.timeouts, b.timeouts);
        sum(&mut cell.in_flight, b.in_flight);
        sum(&mut cell.waiting, b.waiting);
        sum(&mut cell.streams, b.streams);
        cell.wait_us = cell.wait_us.saturating_add((b.wait_seconds * 1e6) as u64);
        cell.service_us = cell.service_us.saturating_add((b.service_seconds * 1e6) as u64);
        for i in 0..CELLS {
            merged.service[i] = merged.service[i].saturating_add(b.service.counts[i]);
            merged.latency[i] = merged.latency[i].saturating_add(b.latency.counts[i]);
        }
    }

    /// A router that is no longer named is kept as missing for a minute and a half, then forgotten.
    fn forget_gone(&mut self, now: i64, reports: &[Report]) {
        self.routers.retain(|name, last| {
            now.saturating_sub(*last) < KEPT || reports.iter().any(|r| r.router == *name)
        });
    }

    /// Moves the head to the newest second that every router which is not stale has spoken about.
    fn advance(&mut self, now: i64, k: &Constants) {
        let fresh = self.routers.values().filter(|&&last| now.saturating_sub(last) <= k.stale);
        if let Some(head) = fresh.min().copied().filter(|&h| self.head.is_none_or(|old| h > old)) {
            if self.head.is_none_or(|old| head.saturating_sub(old) >= KEPT) {
                self.first = head;
            }
            self.head = Some(head);
        }
    }

    /// What makes the signals unknown at this tick, if anything does.
    fn doubts(&self, now: i64, reports: &[Report], k: &Constants) -> Option<Unknown> {
        let named = |name: &String| reports.iter().any(|r| r.router == *name);
        if self.routers.is_empty() || self.routers.keys().any(|n| !named(n)) {
            return Some(Unknown::Missing);
        }
        if reports.iter().any(|r| !self.routers.contains_key(&r.router)) {
            return Some(Unknown::Missing);
        }
        if self.routers.values().any(|&last| now.saturating_sub(last) > k.stale) {
            return Some(Unknown::Stale);
        }
        let head = self.head?;
        self.gap.is_some_and(|gap| head.saturating_sub(gap) < 60).then_some(Unknown::Gap)
    }

    /// The newest complete second.
    pub fn head(&self) -> Option<i64> {
        self.head
    }

    /// How many seconds of history there are, at most what is kept.
    pub fn age(&self) -> i64 {
        self.head.map_or(0, |h| (h.saturating_sub(self.first).saturating_add(1)).clamp(0, KEPT))
    }

    /// Sums over `len` seconds of which the newest lies `skip` seconds before the head; shorter while history is short.
    pub fn sums(&self, skip: i64, len: i64) -> Sums {
        let mut s = Sums::default();
        let Some(head) = self.head else { return s };
        for back in skip..(skip + len).min(self.age()) {
            let second = head.saturating_sub(back);
            s.seconds += 1.0;
            let c = &self.ring[second.rem_euclid(KEPT) as usize];
            if c.at != second {
                continue;
            }
            s.first += f64::from(c.first);
            s.retries += f64::from(c.retries);
            s.completed += f64::from(c.completed);
            s.errors += f64::from(c.errors);
            s.timeouts += f64::from(c.timeouts);
            s.waiting += f64::from(c.waiting);
            s.busy += f64::from(c.in_flight.saturating_sub(c.waiting));
            s.streams += f64::from(c.streams);
            s.wait += c.wait_us as f64 / 1e6;
            s.service += c.service_us as f64 / 1e6;
        }
        let n = s.seconds.max(1.0);
        (s.waiting, s.busy, s.streams) = (s.waiting / n, s.busy / n, s.streams / n);
        s
    }

    /// Arrivals per second over such a window: first tries, and retries up to `cap` times their number.
    pub fn rate(&self, skip: i64, len: i64, cap: f64) -> f64 {
        let (mut first, mut retries, mut n) = (0.0, 0.0, 0.0f64);
        let Some(head) = self.head else { return 0.0 };
        for back in skip..(skip + len).min(self.age()) {
            let second = head.saturating_sub(back);
            n += 1.0;
            let c = &self.ring[second.rem_euclid(KEPT) as usize];
            if c.at == second {
                first += f64::from(c.first);
                retries += f64::from(c.retries);
            }
        }
        (first + retries.min(first * cap)) / n.max(1.0)
    }
}

/// What is wrong with a bucket.
fn check(b: &Bucket) -> Option<Unknown> {
    let sums = [b.wait_seconds, b.service_seconds];
    if sums.iter().any(|s| !s.is_finite() || *s < 0.0 || *s > 1e9) {
        return Some(Unknown::NotANumber);
    }
    let counts = [b.first_tries, b.retries, b.completed, b.errors, b.timeouts, b.in_flight, b.streams];
    if counts.iter().any(|&n| n > ABSURD) {
        return Some(Unknown::NotANumber);
    }
    (b.waiting > b.in_flight).then_some(Unknown::Contradictory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(router: &str, seconds: &[(i64, u32)]) -> Report {
        let bucket =
            |&(second, first_tries): &(i64, u32)| Bucket { second, first_tries, ..Bucket::default() };
        Report { router: router.into(), buckets: seconds.iter().map(bucket).collect() }
    }

    #[test]
    fn a_second_counts_once_every_router_has_spoken() {
        let k = Constants::default();
        let mut w = Window::default();
        w.merge(101, &[report("a", &[(100, 5)]), report("b", &[(100, 7)])], &k);
        w.merge(102, &[report("a", &[(101, 5)]), report("b", &[])], &k);
        assert_eq!((w.head(), w.rate(0, 1, 1.0)), (Some(100), 12.0));
        w.merge(103, &[report("a", &[(101, 5), (102, 5)]), report("b", &[(101, 9), (102, 1)])], &k);
        assert_eq!((w.head(), w.rate(0, 2, 1.0)), (Some(102), 10.0), "overlap is not counted twice");
    }

    #[test]
    fn silence_gaps_and_nonsense_are_unknown_and_never_zero() {
        let k = Constants::default();
        let mut w = Window::default();
        assert_eq!(w.merge(100, &[], &k).unknown, Some(Unknown::Missing));
        assert_eq!(w.merge(101, &[report("a", &[(100, 5)])], &k).unknown, None);
        assert_eq!(w.merge(140, &[report("a", &[])], &k).unknown, Some(Unknown::Stale));
        assert_eq!(w.merge(141, &[report("a", &[(140, 5)])], &k).unknown, Some(Unknown::Gap));
        let mut nan = report("a", &[(141, 5)]);
        nan.buckets[0].wait_seconds = f64::NAN;
        assert!(w.merge(142, &[nan], &k).unknown.is_some());
        let mut odd = report("a", &[(142, 5)]);
        odd.buckets[0].waiting = 3;
        assert!(w.merge(143, &[odd], &k).unknown.is_some());
    }

    #[test]
    fn a_router_that_is_no_longer_named_is_missing_and_later_forgotten() {
        let k = Constants::default();
        let mut w = Window::default();
        w.merge(101, &[report("a", &[(100, 5)]), report("b", &[(100, 7)])], &k);
        assert_eq!(w.merge(102, &[report("a", &[(101, 5)])], &k).unknown, Some(Unknown::Missing));
        let all: Vec<(i64, u32)> = (102..300).map(|s| (s, 5)).collect();
        assert_eq!(w.merge(300, &[report("a", &all)], &k).unknown, None);
    }
}

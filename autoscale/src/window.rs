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

mod sums;
pub use sums::Sums;

/// Seconds of history in use.
const KEPT: i64 = 96;
/// Cells of the ring: a power of two, so finding one is cheap.
const CELLS_OF_RING: i64 = 128;
/// More than this in one second of one process is no count but a fault.
const ABSURD: u32 = 10_000_000;

/// One merged second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Second {
    at: i64,
    first: u32,
    retries: u32,
    completed: u32,
    errors: u32,
    timeouts: u32,
    finished: u32,
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
#[serde(default)]
pub struct Window {
    ring: Vec<Second>,
    /// The newest second of each router.
    routers: BTreeMap<String, i64>,
    /// The newest second of each router that has ended: it may be named for a while yet, with seconds already counted.
    #[serde(default)]
    gone: BTreeMap<String, i64>,
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
        if reports.iter().any(|report| self.was_ahead(now, report)) {
            *self = Self::default();
        }
        if self.ring.len() != CELLS_OF_RING as usize {
            self.ring = vec![Second::default(); CELLS_OF_RING as usize];
        }
        let mut merged = Merged { unknown: None, fresh: 0, service: [0; CELLS], latency: [0; CELLS] };
        let mut order: Vec<usize> = (0..reports.len()).collect();
        order.sort_by(|&a, &b| {
            (&reports[a].router, reports[a].newest()).cmp(&(&reports[b].router, reports[b].newest()))
        });
        for named in order.chunk_by(|&a, &b| reports[a].router == reports[b].router) {
            let fault = match named {
                [one] => self.merge_one(now, &reports[*one], &mut merged),
                many => self.merge_one(now, &united(many.iter().map(|&i| &reports[i])), &mut merged),
            };
            if let Some(fault) = fault {
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
            merged.unknown.get_or_insert(fault);
        }
        merged
    }

    /// Whether all clocks ran far ahead once, and a router now reports from before that: what was seen then would hide what
    /// it says until that time has come.
    fn was_ahead(&self, now: i64, report: &Report) -> bool {
        let seen = self.routers.get(&report.router).filter(|last| **last > now.saturating_add(1));
        seen.zip(report.newest()).is_some_and(|(last, newest)| last.saturating_sub(newest) > KEPT)
    }

    /// Adds one router's new buckets; returns what is wrong with them.
    fn merge_one(&mut self, now: i64, report: &Report, merged: &mut Merged) -> Option<Unknown> {
        let known = self.routers.get(&report.router).copied();
        let counted = known.or_else(|| self.gone.get(&report.router).copied()).unwrap_or(i64::MIN);
        // Who comes back under an old name left nothing out while it was gone.
        let (mut last, mut follows, mut fault) = (counted, known.is_some(), None);
        for b in &report.buckets {
            if b.second <= last {
                continue;
            }
            if b.second > now.saturating_add(1) {
                // A clock that is ahead by more than a second or two: nobody knows when this was.
                fault = fault.or(Some(Unknown::Contradictory));
                continue;
            }
            if follows && b.second > last.saturating_add(1) {
                self.gap = self.gap.max(Some(b.second - 1));
            }
            (last, follows) = (b.second, true);
            match check(b) {
                Some(what) => {
                    self.gap = self.gap.max(Some(b.second));
                    fault = fault.or(Some(what));
                }
                None if b.second > now.saturating_sub(KEPT) => self.add(b, merged),
                None => {}
            }
        }
        match self.routers.get_mut(&report.router) {
            Some(newest) => *newest = last,
            None if last > counted => {
                self.routers.insert(report.router.clone(), last);
            }
            None => {}
        }
        fault
    }

    fn add(&mut self, b: &Bucket, merged: &mut Merged) {
        let cell = &mut self.ring[b.second.rem_euclid(CELLS_OF_RING) as usize];
        if cell.at != b.second {
            *cell = Second { at: b.second, ..Second::default() };
        }
        let sum = |to: &mut u32, more: u32| *to = to.saturating_add(more);
        sum(&mut cell.first, b.first_tries);
        sum(&mut cell.retries, b.retries);
        sum(&mut cell.completed, b.completed);
        sum(&mut cell.errors, b.errors);
        sum(&mut cell.timeouts, b.timeouts);
        sum(&mut cell.finished, b.service.total().try_into().unwrap_or(u32::MAX));
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

    /// Nobody waits for a router that is known to have ended; one that is no longer named is kept as missing for a minute
    /// and a half.
    fn forget_gone(&mut self, now: i64, reports: &[Report]) {
        let Self { routers, gone, .. } = self;
        routers.retain(|name, last| {
            let mut mine = reports.iter().filter(|r| r.router == *name).peekable();
            if mine.peek().is_none() {
                return now.saturating_sub(*last) < KEPT;
            }
            let has_ended = mine.any(|r| r.gone);
            if has_ended {
                gone.insert(name.clone(), *last);
            }
            !has_ended
        });
        gone.retain(|name, last| now.saturating_sub(*last) < KEPT && !routers.contains_key(name));
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
        if reports.iter().any(|r| !r.gone && !self.routers.contains_key(&r.router)) {
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
}

/// What one router says in several reports of one tick, as one report. Of two different words about one second neither can
/// be believed: such a second is made one that [`check`] refuses.
fn united<'a>(reports: impl Iterator<Item = &'a Report>) -> Report {
    let mut all = Report::default();
    for report in reports {
        all.router.clone_from(&report.router);
        all.buckets.extend(&report.buckets);
    }
    all.buckets.sort_by_key(|b| b.second);
    all.buckets.dedup_by(|again, kept| {
        let is_same = again.second == kept.second;
        if is_same && again != kept {
            *kept = Bucket { second: kept.second, waiting: 1, ..Bucket::default() };
        }
        is_same
    });
    all
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

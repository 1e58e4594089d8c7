//! A pod as the router sees it: how busy, how fast, and whether it is left alone for a while. Shared by all threads.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::stats::RouteStats;

/// What outlives a table, by the route's name.
pub(crate) struct Known {
    pub(crate) stats: Arc<RouteStats>,
    pub(crate) pods: HashMap<SocketAddr, Arc<Endpoint>>,
    /// The places of its routes in the table.
    pub(crate) routes: Vec<u32>,
}

impl Known {
    pub(crate) fn of(stats: &Arc<RouteStats>) -> Self {
        Self { stats: stats.clone(), pods: HashMap::new(), routes: Vec::new() }
    }
}

/// Failures in a row after which a pod is left alone.
const FAILURES: u32 = 5;
/// The first time for which it is left alone; it doubles with each further failure.
const FIRST: Duration = Duration::from_secs(2);
/// The longest such time.
const LONGEST: Duration = Duration::from_mins(2);
/// A new pod gets less than its share for so long (slow start).
const SLOW_START: Duration = Duration::from_secs(10);
/// What a pod that has not answered yet is taken to need.
const UNKNOWN_MICROS: u64 = 5_000;
/// The weight of the newest time in the moving average.
const NEWEST: f64 = 0.1;
/// A failure weighs as much as an answer after so long: one that fails fast must not look like the fastest.
const FAILED_MICROS: u64 = 1_000_000;
/// So many requests per pod may go on without anybody who waits for them.
const ABANDONED: u32 = 64;

/// A pod.
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    /// Unique in this process; what a thread keeps of a pod has this key.
    pub id: u64,
    since: Instant,
    in_flight: AtomicU32,
    /// Microseconds until the first byte, a moving average.
    micros: AtomicU64,
    failures: AtomicU32,
    /// Milliseconds after `since` until which it is left alone.
    away_until: AtomicU64,
    /// Requests that it works on though nobody waits for them any more.
    abandoned: AtomicU32,
    /// It is only kept, though nobody says any more that it is ready.
    is_held: AtomicBool,
    /// It is in no table any more.
    is_gone: AtomicBool,
    gone: Notify,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

impl Endpoint {
    /// A pod of which nothing is known yet.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            id: NEXT.fetch_add(1, Relaxed),
            since: Instant::now(),
            in_flight: AtomicU32::new(0),
            micros: AtomicU64::new(0),
            failures: AtomicU32::new(0),
            away_until: AtomicU64::new(0),
            abandoned: AtomicU32::new(0),
            is_held: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
            gone: Notify::new(),
        }
    }

    /// Requests that it has not answered completely.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// It is in no table any more; if it comes back, it is another one.
    pub fn leave(&self) {
        self.is_gone.store(true, Relaxed);
        self.gone.notify_waiters();
    }

    /// Waits until it is in no table any more.
    pub async fn gone(&self) {
        let mut gone = pin!(self.gone.notified());
        gone.as_mut().enable();
        if !self.is_gone.load(Relaxed) {
            gone.await;
        }
    }

    /// Whether it is only kept: then its first failure is believed.
    pub fn is_held(&self) -> bool {
        self.is_held.load(Relaxed)
    }

    /// It is only kept from now on, or not any more.
    pub fn hold(&self, is_held: bool) {
        self.is_held.store(is_held, Relaxed);
    }

    /// Whether it is left alone now, because it failed again and again.
    pub fn is_away(&self, now: Instant) -> bool {
        let until = self.away_until.load(Relaxed);
        until > 0 && millis(now.saturating_duration_since(self.since)) < until
    }

    /// How bad it would be to send it the next request: less is better.
    pub fn cost(&self, now: Instant) -> f64 {
        let micros = match self.micros.load(Relaxed) {
            0 => UNKNOWN_MICROS,
            known => known,
        };
        let age = now.saturating_duration_since(self.since).as_secs_f64() / SLOW_START.as_secs_f64();
        #[allow(clippy::cast_precision_loss, reason = "an average of microseconds stays far below 2^52")]
        let cost = (micros as f64) * f64::from(self.in_flight() + 1);
        cost / age.clamp(0.1, 1.0)
    }

    /// Takes a place, unless `limit` requests are there already.
    /// `route` is told when the place is free again, if anybody may wait for it.
    pub fn enter(self: &Arc<Self>, limit: Option<u32>, route: Option<Arc<RouteStats>>) -> Option<Place> {
        let fits = |n: u32| limit.is_none_or(|limit| n < limit).then_some(n + 1);
        self.in_flight.fetch_update(Relaxed, Relaxed, fits).ok()?;
        Some(Place { pod: self.clone(), route })
    }

    /// It answered, after this long until the first byte.
    pub fn answered(&self, after: Duration) {
        self.learn(u64::try_from(after.as_micros()).unwrap_or(u64::MAX));
        if self.failures.load(Relaxed) > 0 {
            self.failures.store(0, Relaxed);
            self.away_until.store(0, Relaxed);
        }
    }

    fn learn(&self, newest: u64) {
        let before = self.micros.load(Relaxed);
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an average of microseconds stays far below 2^52, and is positive"
        )]
        let next = if before == 0 {
            newest
        } else {
            (before as f64 * (1.0 - NEWEST) + newest as f64 * NEWEST) as u64
        };
        self.micros.store(next.max(1), Relaxed);
    }

    /// It answered, with nothing to be learned from the time.
    pub fn lives(&self) {
        if self.failures.swap(0, Relaxed) > 0 {
            self.away_until.store(0, Relaxed);
        }
    }

    /// It did not answer. After several times in a row it is left alone; requests that were under way already when that
    /// began say nothing new.
    pub fn failed(&self, now: Instant) {
        if self.is_away(now) {
            return;
        }
        self.learn(FAILED_MICROS);
        let failures = self.failures.fetch_add(1, Relaxed).saturating_add(1);
        if failures >= FAILURES || self.is_held() {
            let times = failures.saturating_sub(FAILURES).min(8);
            let away = if self.is_held() { LONGEST } else { FIRST.saturating_mul(1 << times).min(LONGEST) };
            let until = now.saturating_duration_since(self.since).saturating_add(away);
            self.away_until.store(millis(until).max(1), Relaxed);
        }
    }
}

/// A request that nobody waits for any more; it is counted at its pod until this is dropped.
pub struct Abandoned(Arc<Endpoint>);

impl Abandoned {
    /// One more at this pod; none where there are too many, so that clients who leave cannot pile up work.
    pub fn at(pod: &Arc<Endpoint>) -> Option<Self> {
        let fits = |n: u32| (n < ABANDONED).then_some(n + 1);
        pod.abandoned.fetch_update(Relaxed, Relaxed, fits).ok()?;
        Some(Self(pod.clone()))
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.abandoned.fetch_sub(1, Relaxed);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A request's place at a pod; it is given back when this is dropped.
pub struct Place {
    pod: Arc<Endpoint>,
    route: Option<Arc<RouteStats>>,
}

impl Place {
    /// The pod.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.pod
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pod.in_flight.fetch_sub(1, Relaxed);
        if let Some(route) = &self.route {
            route.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_waits_for_is_bounded() {
        let pod = Arc::new(Endpoint::new(SocketAddr::from(([10, 0, 0, 1], 1))));
        let kept: Vec<_> = (0..100).filter_map(|_| Abandoned::at(&pod)).collect();
        assert_eq!(kept.len(), 64);
        drop(kept);
        assert!(Abandoned::at(&pod).is_some());
    }
}

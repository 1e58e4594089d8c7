//! What is counted per route: sums for Prometheus, and seconds for the scaling law.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use autoscale::Bucket;

use crate::access::Used;
use crate::code::Code;

/// How many seconds are kept.
const KEPT: usize = 60;

/// Upper bounds of the latency histogram, in seconds; the last class has none.
pub const BOUNDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// What stands in the log for a client that left before it had an answer, as in Heroku's and nginx's.
pub const CLIENT_LEFT: u16 = 499;

/// What is counted of one route. Small until the first request: there may be ten thousand routes.
#[derive(Default)]
pub struct RouteStats {
    busy: OnceLock<Box<Busy>>,
    /// Told when a place at a pod is free again; who waits in the queue listens.
    pub freed: tokio::sync::Notify,
    /// What was used of its limit of requests per time.
    pub used: Used,
}

/// The same, once there was a request.
#[derive(Default)]
pub struct Busy {
    /// Requests whose header arrived.
    pub arrivals: AtomicU64,
    /// Of those, how many are tagged as a retry.
    pub retries: AtomicU64,
    /// Answers by the first digit of their status, 1 to 5.
    pub answers: [AtomicU64; 5],
    /// Requests that ended with a code, in the order of [`Code::ALL`].
    pub codes: [AtomicU64; Code::ALL.len()],
    /// Bytes of bodies sent to clients.
    pub bytes: AtomicU64,
    /// Requests under way, the work that goes on after a time-out included.
    pub in_flight: AtomicU32,
    /// Of those, how many wait for a pod.
    pub waiting: AtomicU32,
    /// Open WebSockets and event streams; they are in flight too.
    pub streams: AtomicU32,
    /// Answers by the time until they were complete; see [`BOUNDS`].
    pub latency: [AtomicU64; BOUNDS.len() + 1],
    /// The sum of those times, in microseconds.
    pub latency_micros: AtomicU64,
    seconds: Mutex<VecDeque<Bucket>>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// The status that the client got.
    pub status: u16,
    /// Why it did not get the application's answer.
    pub code: Option<Code>,
    /// How long it waited for a pod.
    pub wait: Duration,
    /// How long the pod had it.
    pub service: Duration,
    /// Bytes of the body.
    pub bytes: u64,
    /// It became a stream, which is no latency.
    pub stream: bool,
    /// A pod has it, or should have: what the scaling law follows. A redirect and a maintenance page are none.
    pub demand: bool,
    /// The client got a pod's answer as a whole: its times say how fast the pod is.
    pub whole: bool,
}

/// A client that leaves after so long has most likely given up; before, it has changed its mind.
const GAVE_UP: Duration = Duration::from_secs(5);

impl RouteStats {
    /// The counters, made when first needed.
    pub fn busy(&self) -> &Busy {
        self.busy.get_or_init(Box::default)
    }

    /// The counters of a route that was ever asked for.
    pub fn known(&self) -> Option<&Busy> {
        self.busy.get().map(Box::as_ref)
    }
}

impl Busy {
    /// A request's header arrived; `demand` as in [`Ended`].
    pub fn arrived(&self, retry: bool, demand: bool) {
        self.arrivals.fetch_add(1, Relaxed);
        if retry {
            self.retries.fetch_add(1, Relaxed);
        }
        self.in_flight.fetch_add(1, Relaxed);
        if demand {
            self.second(|b| if retry { b.retries += 1 } else { b.first_tries += 1 });
        }
    }

    /// The client has its answer, or is gone.
    pub fn ended(&self, e: &Ended) {
        let class = usize::from(e.status / 100).clamp(1, 5) - 1;
        self.answers[class].fetch_add(1, Relaxed);
        self.bytes.fetch_add(e.bytes, Relaxed);
        if let Some(code) = e.code {
            self.codes[code as usize].fetch_add(1, Relaxed);
        }
        let latency = e.wait + e.service;
        if e.whole && !e.stream {
            let at = BOUNDS.iter().position(|bound| latency.as_secs_f64() <= *bound).unwrap_or(BOUNDS.len());
            self.latency[at].fetch_add(1, Relaxed);
            self.latency_micros.fetch_add(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX), Relaxed);
        }
        if !e.demand {
            return;
        }
        self.second(|b| {
            match e.code {
                Some(Code::H12) => b.timeouts += 1,
                Some(Code::H27) if e.status == CLIENT_LEFT && latency >= GAVE_UP => b.timeouts += 1,
                // Broken off in the middle of a good status.
                Some(Code::H15 | Code::H18) if !e.stream => b.errors += 1,
                _ if e.status >= 500 => b.errors += 1,
                _ => b.completed += 1,
            }
            b.wait_seconds += e.wait.as_secs_f64();
            if e.whole && !e.stream && e.status < 500 {
                b.service_seconds += e.service.as_secs_f64();
                b.service.record(e.service.as_secs_f64() * 1e3);
                b.latency.record(latency.as_secs_f64() * 1e3);
            }
        });
    }

    /// The pod has no more work with it.
    pub fn left(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }

    fn second(&self, change: impl FnOnce(&mut Bucket)) {
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        self.roll(&mut seconds);
        if let Some(bucket) = seconds.back_mut() {
            change(bucket);
        }
    }

    /// Begins the bucket of this second, and those of the silent seconds before it, where they are missing.
    fn roll(&self, seconds: &mut VecDeque<Bucket>) {
        let now = now();
        let last = seconds.back().map_or(now - 1, |b| b.second);
        let first = last.max(now - i64::try_from(KEPT).unwrap_or(60)) + 1;
        // In a bucket a stream counts as a stream alone; see `autoscale::Bucket`.
        let gauges = |second| {
            let streams = self.streams.load(Relaxed);
            let waiting = self.waiting.load(Relaxed);
            let in_flight = self.in_flight.load(Relaxed).saturating_sub(streams).max(waiting);
            Bucket { second, in_flight, waiting, streams, ..Bucket::default() }
        };
        for second in first..=now {
            if let Some(ended) = seconds.back_mut() {
                let g = gauges(0);
                (ended.in_flight, ended.waiting, ended.streams) = (g.in_flight, g.waiting, g.streams);
            }
            if seconds.len() == KEPT {
                seconds.pop_front();
            }
            seconds.push_back(gauges(second));
        }
    }

    /// The seconds that are over and later than `after`.
    pub fn seconds_after(&self, after: i64) -> Vec<Bucket> {
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        self.roll(&mut seconds);
        let running = seconds.back().map_or(0, |b| b.second);
        seconds.iter().filter(|b| b.second > after && b.second < running).copied().collect()
    }
}

/// This second, counted from 1970.
fn now() -> i64 {
    // To a few milliseconds, as the kernel has it at hand: asked for twice per request.
    rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse).tv_sec
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(status: u16, code: Option<Code>) -> Ended {
        let (wait, service) = (Duration::from_millis(10), Duration::from_millis(90));
        Ended { status, code, wait, service, bytes: 7, stream: false, demand: true, whole: code.is_none() }
    }

    #[test]
    fn what_arrives_and_ends_is_counted_once() {
        let stats = RouteStats::default();
        assert!(stats.known().is_none());
        let busy = stats.busy();
        busy.arrived(false, true);
        busy.arrived(true, true);
        assert_eq!(busy.in_flight.load(Relaxed), 2);
        busy.ended(&ended(200, None));
        busy.ended(&ended(503, Some(Code::H12)));
        let hasty = ended(CLIENT_LEFT, Some(Code::H27));
        busy.ended(&Ended { wait: GAVE_UP, ..hasty });
        busy.ended(&ended(200, Some(Code::H18)));
        busy.ended(&Ended { demand: false, ..ended(308, None) });
        busy.left();
        let mut seconds = busy.seconds.lock().unwrap();
        let sum = |f: fn(&Bucket) -> u32| seconds.iter().map(f).sum::<u32>();
        assert_eq!((sum(|b| b.first_tries), sum(|b| b.retries)), (1, 1));
        assert_eq!((sum(|b| b.completed), sum(|b| b.timeouts), sum(|b| b.errors)), (1, 2, 1));
        let timed: f64 = seconds.iter().map(|b| b.service_seconds).sum();
        assert!((timed - 0.09).abs() < 1e-9, "only whole answers say how fast a pod is: {timed}");
        // A minute of silence is told as a minute of silence, and no more than what is kept.
        if let Some(first) = seconds.front_mut() {
            first.second -= 500;
        }
        seconds.truncate(1);
        busy.roll(&mut seconds);
        assert_eq!(seconds.len(), KEPT);
        assert_eq!(seconds.back().map(|b| b.in_flight), Some(1));
    }
}

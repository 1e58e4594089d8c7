//! The simulation: 20 ms steps, request by request.
use crate::{
    fleet::Fleet,
    requests::{Requests, Try},
    rng::Rng,
    trace::{Event, OBJECTIVE, STEPS, TIMEOUT, Trace},
};
use autoscale::Bucket;
use std::{cmp::Reverse, collections::BinaryHeap};

/// Requests that may wait per ready pod before more are refused; the default listen backlog of Puma.
const BACKLOG: u32 = 1024;
/// Entries of the table of service times.
const TABLE: usize = 4096;

/// Where the slots come from.
pub enum Supply<'a> {
    /// Pods that a law asks for.
    Fleet(Fleet),
    /// Ready pods given per second, as the oracle has them.
    Schedule(&'a [u32]),
}

/// What one second looked like, for scores and pictures.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sample {
    /// First tries that arrived in this second.
    pub arrived: u32,
    /// Of those, how many met the objective.
    pub good: u32,
    /// Replicas asked for at its end.
    pub desired: u32,
    /// Pods ready at its end.
    pub ready: u32,
    /// Requests given up in this second.
    pub timeouts: u32,
    /// 95th percentile of the latency of requests that ended, in ms, from the histogram.
    pub p95: f32,
}

/// A simulated process.
pub struct World<'a> {
    trace: &'a Trace,
    /// The step that comes next.
    pub step: u32,
    /// Pods.
    pub supply: Supply<'a>,
    requests: Requests,
    retries: BinaryHeap<Reverse<(u32, u32, u8)>>,
    service: Vec<u32>,
    arrivals: Rng,
    draws: Rng,
    again: Rng,
    /// The signals of the second that just ended.
    pub bucket: Bucket,
    /// One sample per second.
    pub samples: Vec<Sample>,
    /// Busy slots summed over the steps of the last second.
    pub busy_steps: u64,
}

impl<'a> World<'a> {
    /// A world at its beginning.
    pub fn new(trace: &'a Trace, supply: Supply<'a>) -> Self {
        let mut rng = Rng::new(trace.seed, 0);
        let steps = |i: usize| {
            let u = (i as f64 + 0.5) / TABLE as f64;
            let seconds = trace.service.quantile(u, rng.normal());
            ((seconds * f64::from(STEPS)).round() as u32).max(1)
        };
        Self {
            trace,
            step: 0,
            supply,
            requests: Requests::default(),
            retries: BinaryHeap::new(),
            service: (0..TABLE).map(steps).collect(),
            arrivals: Rng::new(trace.seed, 1),
            draws: Rng::new(trace.seed, 2),
            again: Rng::new(trace.seed, 4),
            bucket: Bucket::default(),
            samples: vec![Sample::default(); trace.rate.len()],
            busy_steps: 0,
        }
    }

    /// Simulates one second and leaves its signals in `bucket`.
    pub fn second(&mut self) {
        let second = self.step / STEPS;
        self.bucket = Bucket { second: i64::from(second), ..Bucket::default() };
        self.busy_steps = 0;
        let rate = self.trace.rate.get(second as usize).copied().unwrap_or(0.0);
        let none = (-f64::from(rate) / f64::from(STEPS)).exp();
        for _ in 0..STEPS {
            self.end();
            self.give_up();
            self.arrive(none);
            self.begin();
            self.busy_steps += u64::from(self.requests.busy);
            if let Supply::Fleet(fleet) = &mut self.supply {
                fleet.tick(self.step);
            }
            self.step += 1;
        }
        let (waiting, streams) = (self.requests.waiting(), self.requests.streams);
        self.bucket.waiting = waiting;
        self.bucket.streams = streams;
        self.bucket.in_flight = waiting + self.requests.busy - streams;
        self.sample(second);
    }

    fn sample(&mut self, second: u32) {
        let (ready, p95) = (self.ready(), p95(&self.bucket));
        if let Some(s) = self.samples.get_mut(second as usize) {
            (s.ready, s.desired, s.p95, s.timeouts) = (ready, ready, p95, self.bucket.timeouts);
        }
    }

    /// Pods that serve now.
    pub fn ready(&self) -> u32 {
        match &self.supply {
            Supply::Fleet(fleet) => fleet.ready,
            Supply::Schedule(pods) => {
                let second = (self.step / STEPS) as usize;
                pods.get(second).or(pods.last()).copied().unwrap_or(0)
            }
        }
    }

    /// Requests that are finished end.
    fn end(&mut self) {
        let (step, share) = (self.step, self.error_share());
        let speed = self.speed();
        let Self { requests, bucket, samples, retries, again, trace, .. } = self;
        requests.progress(speed, |one| {
            if one.is_stream {
                return;
            }
            let took = f64::from(step.saturating_sub(one.begun)) / f64::from(STEPS);
            bucket.service_seconds += took;
            bucket.service.record(took * 1000.0);
            if one.is_abandoned {
                return; // its latency was counted when the router gave it up
            }
            bucket.latency.record(f64::from(step - one.arrived) * 1000.0 / f64::from(STEPS));
            if share > 0.0 && again.unit() < share {
                bucket.errors += 1;
                retry(retries, again, trace, step, one.first, one.retry);
                return;
            }
            bucket.completed += 1;
            if step - one.first <= OBJECTIVE {
                good(samples, one.first);
            }
        });
    }

    /// Progress of a busy slot in this step: less than 1 while the downstream is slow or crowded.
    fn speed(&self) -> f64 {
        let (second, busy) =
            (self.step / STEPS, f64::from(self.requests.busy.saturating_sub(self.requests.streams)));
        let crowd =
            |slots: f64| if busy > slots { slots / busy / (1.0 + 0.1 * (busy / slots - 1.0)) } else { 1.0 };
        let one = |event: &Event| match *event {
            Event::Slow { from, to, factor, slots } if (from..to).contains(&second) => crowd(slots) / factor,
            Event::Saturates { slots } => crowd(slots),
            _ => 1.0,
        };
        self.trace.events.iter().map(one).product()
    }

    fn error_share(&self) -> f64 {
        let second = self.step / STEPS;
        let one = |event: &Event| match *event {
            Event::Errors { from, to, share } if (from..to).contains(&second) => share,
            _ => 0.0,
        };
        self.trace.events.iter().map(one).fold(0.0, f64::max)
    }

    /// How many times as long requests take in the release that runs.
    fn release_factor(&self) -> f64 {
        let second = self.step / STEPS;
        let one = |event: &Event| match *event {
            Event::RollOut { at, factor } if second >= at => factor,
            _ => 1.0,
        };
        self.trace.events.iter().map(one).product()
    }

    /// The router gives up what is too old; clients try again.
    fn give_up(&mut self) {
        let step = self.step;
        let Self { requests, bucket, retries, again, trace, .. } = self;
        requests.time_out(step, TIMEOUT, |one| {
            bucket.timeouts += 1;
            bucket.latency.record(f64::from(TIMEOUT) * 1000.0 / f64::from(STEPS));
            retry(retries, again, trace, step, one.first, one.retry);
        });
    }

    /// New requests and retries arrive.
    fn arrive(&mut self, none: f64) {
        let first = if none < 1.0 { self.arrivals.poisson(none) } else { 0 };
        self.bucket.first_tries += first;
        if let Some(s) = self.samples.get_mut((self.step / STEPS) as usize) {
            s.arrived += first;
        }
        for _ in 0..first {
            let draw = self.draws.next_u64();
            self.enter(self.step, 0, draw);
        }
        while self.retries.peek().is_some_and(|Reverse(r)| r.0 <= self.step) {
            if let Some(Reverse((_, first, retry))) = self.retries.pop() {
                self.bucket.retries += 1;
                let draw = self.again.next_u64();
                self.enter(first, retry, draw);
            }
        }
    }

    fn enter(&mut self, first: u32, retries: u8, draw: u64) {
        if self.requests.waiting() >= BACKLOG * self.ready().max(1) {
            self.bucket.errors += 1;
            let Self { retries: again_at, again, trace, step, .. } = self;
            return retry(again_at, again, trace, *step, first, retries);
        }
        let (share, length) = self.trace.streams;
        let is_stream = share > 0.0 && ((draw >> 40) as f64) < share * f64::from(1u32 << 24);
        let healthy = self.service[(draw % TABLE as u64) as usize];
        let service = if is_stream {
            let u = 1.0 - ((draw >> 12) & 0xFFFF) as f64 / 65_536.0;
            (-u.ln() * length * f64::from(STEPS)) as u32
        } else if self.error_share() > 0.0 {
            1 // it will fail at once, or is served from what the process still has
        } else {
            (f64::from(healthy) * self.release_factor()).round() as u32
        };
        self.requests.arrive(Try {
            first,
            arrived: self.step,
            begun: 0,
            service,
            retry: retries,
            is_begun: false,
            is_done: false,
            is_abandoned: false,
            is_stream,
        });
    }

    /// Free slots take what waits.
    fn begin(&mut self) {
        let slots = self.ready().saturating_mul(self.trace.slots);
        while self.requests.busy < slots {
            let Some(one) = self.requests.begin(self.step) else { return };
            self.bucket.wait_seconds += f64::from(self.step - one.arrived) / f64::from(STEPS);
            if one.is_stream {
                self.bucket.completed += 1;
                if self.step - one.first <= OBJECTIVE && !one.is_abandoned {
                    good(&mut self.samples, one.first);
                }
            }
        }
    }
}

fn good(samples: &mut [Sample], first: u32) {
    if let Some(s) = samples.get_mut((first / STEPS) as usize) {
        s.good += 1;
    }
}

fn retry(
    retries: &mut BinaryHeap<Reverse<(u32, u32, u8)>>,
    rng: &mut Rng,
    trace: &Trace,
    step: u32,
    first: u32,
    before: u8,
) {
    if before < trace.retries.most && rng.unit() < trace.retries.share {
        let wait = trace.retries.after * rng.between(0.5, 1.5) * f64::from(STEPS);
        retries.push(Reverse((step + wait as u32, first, before + 1)));
    }
}

/// p95 of one bucket's latency in ms: the upper end of the histogram's cell.
fn p95(bucket: &Bucket) -> f32 {
    let total = bucket.latency.total();
    let mut left = total - total / 20;
    for (i, &n) in bucket.latency.counts.iter().enumerate() {
        let n = u64::from(n);
        if left <= n && total > 0 {
            return (0.5 * (i as f32 + 1.0)).exp2();
        }
        left = left.saturating_sub(n);
    }
    0.0
}

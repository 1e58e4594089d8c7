//! What a scaling law sees and says; every law sees the same facts of the same age.
use crate::{
    fleet::Fleet,
    trace::{Event, Trace},
    world::{Sample, Supply, World},
};
use autoscale::{Bucket, ForeignChange};
use jiff::Timestamp;

/// The simulated time at which every trace begins: a Monday, midnight UTC.
pub const EPOCH: i64 = 1_767_571_200;
/// Seconds that a finished bucket travels before any law sees it.
pub const AGE: u32 = 1;

/// The facts of one second.
pub struct View<'a> {
    /// Seconds since the start.
    pub second: u32,
    /// The bucket that became visible, summed over the routers that speak; `None` while there are no signals.
    pub bucket: Option<Bucket>,
    /// The same bucket per router; `None` for a router that is silent.
    pub routers: [Option<Bucket>; 2],
    /// Pods.
    pub fleet: &'a Fleet,
    /// Replicas asked for.
    pub desired: u32,
    /// What a person did last.
    pub foreign: Option<ForeignChange>,
    /// The release that runs.
    pub release: u32,
    /// Bounds given to every law.
    pub bounds: (u32, u32),
}

impl View<'_> {
    /// Keeps a number within the bounds.
    pub fn clamp(&self, pods: f64) -> u32 {
        (pods.max(0.0) as u32).clamp(self.bounds.0, self.bounds.1)
    }
}

/// A scaling law.
pub trait Law {
    /// Called once per second; the replicas wanted, or nothing if it is not its time or it does not know.
    fn tick(&mut self, view: &View<'_>) -> Option<u32>;

    /// The last decision in words, if the law can explain itself.
    fn words(&self) -> Option<String> {
        None
    }
}

/// What came out of a run.
pub struct Outcome {
    /// One sample per second.
    pub samples: Vec<Sample>,
    /// Pod-hours paid.
    pub pod_hours: f64,
}

/// Runs a law over a trace.
pub fn run(trace: &Trace, law: &mut dyn Law) -> Outcome {
    run_and_tell(trace, law, |_, _, _| ())
}

/// Runs a law over a trace and tells every change of replicas: second, replicas, the law's words.
pub fn run_and_tell(
    trace: &Trace,
    law: &mut dyn Law,
    mut tell: impl FnMut(u32, u32, Option<String>),
) -> Outcome {
    let mut world = World::new(trace, Supply::Fleet(Fleet::new(trace, trace.initial())));
    let mut desired = trace.initial();
    let mut travelling = [Bucket::default(); AGE as usize];
    let (mut foreign, mut release) = (None, 0);
    for second in 0..trace.seconds() {
        world.second();
        let slot = (second % AGE) as usize;
        let visible = std::mem::replace(&mut travelling[slot], world.bucket);
        let step = world.step;
        let Supply::Fleet(fleet) = &mut world.supply else { break };
        happen(trace, second, step, fleet, &mut desired, &mut foreign, &mut release);
        let routers = if second < AGE { [None, None] } else { routers(trace, second, &visible) };
        let view = View {
            second,
            bucket: sum(&routers),
            routers,
            fleet,
            desired,
            foreign: foreign.clone(),
            release,
            bounds: trace.bounds,
        };
        if let Some(pods) = law.tick(&view) {
            if pods != desired {
                tell(second, pods, law.words());
            }
            desired = pods.min(trace.bounds.1);
            fleet.resize(step, desired);
        }
        if let Some(s) = world.samples.get_mut(second as usize) {
            s.desired = desired;
        }
    }
    let pod_steps = if let Supply::Fleet(fleet) = &world.supply { fleet.pod_steps } else { 0 };
    let pod_hours = pod_steps as f64 / f64::from(crate::trace::STEPS) / 3600.0;
    Outcome { samples: world.samples, pod_hours }
}

/// Applies what the trace says happens to the pods at this second.
fn happen(
    trace: &Trace,
    second: u32,
    step: u32,
    fleet: &mut Fleet,
    desired: &mut u32,
    foreign: &mut Option<ForeignChange>,
    release: &mut u32,
) {
    for event in &trace.events {
        match *event {
            Event::Manual { at, replicas } if at == second => {
                *desired = replicas;
                fleet.resize(step, replicas);
                *foreign = Some(ForeignChange {
                    replicas,
                    from: None,
                    by: "kubectl-scale".into(),
                    reason: None,
                    at: time(second),
                    ttl_seconds: None,
                });
            }
            Event::RollOut { at, .. } => {
                let batch = (trace.cold_start * 1.2) as u32 + 10;
                *release += u32::from(second == at);
                if second >= at && (second - at).is_multiple_of(batch) && (second - at) / batch < 4 {
                    let quarter = fleet.total().div_ceil(4);
                    fleet.replace(step, quarter);
                }
            }
            _ => {}
        }
    }
}

/// The moment a second of the trace ends.
pub fn time(second: u32) -> Timestamp {
    Timestamp::from_second(EPOCH + i64::from(second) + 1).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The bucket as its two routers report it, each half of the traffic.
fn routers(trace: &Trace, second: u32, bucket: &Bucket) -> [Option<Bucket>; 2] {
    let [a, b] = [split(bucket, 0), split(bucket, 1)];
    let mut both = [Some(a), Some(b)];
    for event in &trace.events {
        match *event {
            Event::Outage { from, to } if (from..to).contains(&second) => both = [None, None],
            Event::RouterRestart { from, to } if (from..to).contains(&second) => both[1] = None,
            Event::RouterRestart { to, .. } if second == to => {
                both[1] = Some(Bucket { in_flight: 0, waiting: 0, ..b });
            }
            _ => {}
        }
    }
    both
}

fn split(b: &Bucket, part: u32) -> Bucket {
    let half = |n: u32| u32::midpoint(n, part);
    let mut s = *b;
    s.second += EPOCH;
    for n in
        [&mut s.first_tries, &mut s.retries, &mut s.completed, &mut s.errors, &mut s.timeouts, &mut s.streams]
    {
        *n = half(*n);
    }
    s.waiting = half(b.waiting);
    s.in_flight = half(b.waiting) + half(b.in_flight - b.waiting);
    (s.wait_seconds, s.service_seconds) = (b.wait_seconds / 2.0, b.service_seconds / 2.0);
    s.service.counts = b.service.counts.map(half);
    s.latency.counts = b.latency.counts.map(half);
    s
}

fn sum(routers: &[Option<Bucket>; 2]) -> Option<Bucket> {
    match routers {
        [Some(a), Some(b)] => {
            let mut s = *a;
            s.first_tries += b.first_tries;
            s.retries += b.retries;
            s.completed += b.completed;
            s.errors += b.errors;
            s.timeouts += b.timeouts;
            s.in_flight += b.in_flight;
            s.waiting += b.waiting;
            s.streams += b.streams;
            s.wait_seconds += b.wait_seconds;
            s.service_seconds += b.service_seconds;
            for (mine, more) in s.service.counts.iter_mut().zip(b.service.counts) {
                *mine += more;
            }
            for (mine, more) in s.latency.counts.iter_mut().zip(b.latency.counts) {
                *mine += more;
            }
            Some(s)
        }
        [one, other] => *if one.is_some() { one } else { other },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_routers_together_say_what_the_world_saw() {
        let mut b = Bucket { second: 9, first_tries: 7, in_flight: 12, waiting: 5, ..Bucket::default() };
        b.latency.record(100.0);
        let both = [Some(split(&b, 0)), Some(split(&b, 1))];
        let total = sum(&both).unwrap();
        assert_eq!((total.first_tries, total.in_flight, total.waiting), (7, 12, 5));
        assert_eq!(total.latency, b.latency);
    }
}

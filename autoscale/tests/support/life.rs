//! A life under the law, step by step: what the properties and the fuzz target feed it.

use autoscale::{
    Bucket, Condition, Constants, Decision, ForeignChange, Hints, Input, Pods, Report, Settings, State,
    decide,
};
use jiff::Timestamp;

/// The second at which every life begins.
const START: i64 = super::START;

/// One step of a life: how much time passes, what the routers say, what the pods are, what people do.
#[derive(Debug, Clone)]
pub struct Step {
    pub pass: i64,
    pub buckets: [Option<Bucket>; 2],
    pub ready: u32,
    pub starting: Vec<i64>,
    pub cold: f32,
    pub foreign: Option<u32>,
    pub hint: f64,
}

/// A life: the state, the clock, the replicas.
pub struct Life {
    pub state: State,
    now: i64,
    pub replicas: u32,
    changed: i64,
}

impl Life {
    pub fn new(replicas: u32) -> Self {
        Self { state: State::default(), now: START, replicas, changed: START }
    }

    pub fn input(&mut self, s: &Step) -> Input {
        self.now += s.pass;
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let report = |(name, b): (&str, &Option<Bucket>)| Report {
            router: name.into(),
            buckets: b.iter().map(|b| Bucket { second: self.now - 1, ..*b }).collect(),
            gone: false,
        };
        let reports = ["a", "b"].into_iter().zip(&s.buckets).map(report).collect();
        let foreign = s.foreign.map(|replicas| {
            self.changed = self.now;
            ForeignChange {
                replicas,
                from: None,
                by: "x".into(),
                reason: None,
                at: at(self.now),
                ttl_seconds: None,
            }
        });
        Input {
            now: at(self.now),
            release: format!("v{}", self.now / 500),
            replicas: self.replicas,
            reports,
            pods: Pods {
                ready: s.ready,
                starting: s.starting.iter().map(|ago| at(self.now - ago)).collect(),
                terminating: 0,
            },
            cold_starts: vec![s.cold],
            hints: Hints { cpu_throttled: Some(s.hint), memory: Some(s.hint) },
            foreign,
            wake: false,
        }
    }

    pub fn live(&mut self, settings: &Settings, s: &Step) -> (Input, Decision) {
        let input = self.input(s);
        let d = decide(settings, &Constants::default(), &mut self.state, &input);
        self.replicas = d.replicas;
        (input, d)
    }
}

/// Whether somebody's ceiling or floor may be in force.
pub fn is_overridden(d: &Decision) -> bool {
    d.conditions.iter().any(|c| matches!(c, Condition::Overridden { .. }))
}

/// What is wrong with a decision whatever led to it, in words.
pub fn fault(settings: &Settings, d: &Decision) -> Option<&'static str> {
    let t = d.reason.terms;
    let terms = [t.arrivals_per_second, t.forecast_per_second, t.slots, t.backlog, t.streams];
    let asleep = d.replicas == 0 && settings.scale_to_zero.is_some();
    if d.replicas > settings.max {
        Some("above the maximum")
    } else if d.replicas < settings.min.max(1) && !asleep && !is_overridden(d) {
        Some("below the minimum")
    } else if !d.next_seconds.is_finite() || d.next_seconds <= 0.0 {
        Some("no time for the next decision")
    } else if !terms.iter().all(|x| x.is_finite()) {
        Some("a term is no number")
    } else {
        None
    }
}

/// Whether pods were taken away though nobody knew what they had to do.
pub fn was_lowered_blindly(settings: &Settings, before: u32, d: &Decision) -> bool {
    let unknown = d.conditions.iter().any(|c| matches!(c, Condition::SignalsUnknown { .. }));
    unknown && !is_overridden(d) && before <= settings.max && d.replicas < before
}

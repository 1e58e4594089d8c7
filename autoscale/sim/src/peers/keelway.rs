//! Our own law, fed like the others.
use crate::{
    law::{Law, View, time},
    trace::{STEPS, Trace},
};
use autoscale::{Constants, Decision, Hints, Input, Pods, Report, Settings, State, decide};

/// The law with its memory.
pub struct Keelway {
    /// What its user wrote.
    pub settings: Settings,
    constants: Constants,
    state: State,
    /// The last decision, for pictures and tests.
    pub last: Option<Decision>,
}

impl Keelway {
    /// The law with the slots of the trace's pods declared; nothing else is told.
    pub fn new(trace: &Trace, constants: Constants) -> Self {
        let (min, max) = trace.bounds;
        let settings = Settings { concurrency: Some(f64::from(trace.slots)), ..Settings::between(min, max) };
        Self { settings, constants, state: State::default(), last: None }
    }
}

/// The input of one tick.
pub fn input(view: &View<'_>) -> Input {
    let report = |(name, bucket): (&str, &Option<autoscale::Bucket>)| Report {
        router: name.into(),
        buckets: bucket.iter().copied().collect(),
        gone: false,
    };
    Input {
        now: time(view.second),
        release: format!("v{}", view.release),
        replicas: view.desired,
        reports: ["a", "b"].into_iter().zip(&view.routers).map(report).collect(),
        pods: Pods {
            ready: view.fleet.ready,
            starting: view.fleet.starting.iter().map(|p| time((p.asked / STEPS).saturating_sub(1))).collect(),
            terminating: 0,
        },
        cold_starts: view.fleet.starts.clone(),
        hints: Hints::default(),
        foreign: view.foreign.clone(),
        wake: false,
    }
}

impl Law for Keelway {
    fn tick(&mut self, view: &View<'_>) -> Option<u32> {
        let decision = decide(&self.settings, &self.constants, &mut self.state, &input(view));
        let replicas = decision.replicas;
        self.last = Some(decision);
        Some(replicas)
    }

    fn words(&self) -> Option<String> {
        self.last.as_ref().map(ToString::to_string)
    }
}

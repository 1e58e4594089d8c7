//! A tiny world for tests: one or two routers, seconds that pass, and what they report.
#![allow(dead_code, reason = "each test file uses its own part of it")]
pub mod cpu;
pub mod life;

use autoscale::{
    Bucket, Condition, Constants, Decision, Hints, Input, Pods, Report, Settings, State, decide,
};
use jiff::Timestamp;

/// Where the tests' time begins.
pub const START: i64 = 1_767_571_200;

/// One second of healthy traffic: `rate` requests of 200 ms each.
pub fn healthy(rate: u32) -> Bucket {
    let mut b = Bucket {
        first_tries: rate,
        completed: rate,
        in_flight: rate / 5,
        service_seconds: f64::from(rate) * 0.2,
        ..Bucket::default()
    };
    (0..rate).for_each(|_| b.service.record(200.0));
    (0..rate).for_each(|_| b.latency.record(200.0));
    b
}

/// A second in which `rate` requests of so many seconds are answered.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts of requests are small and positive
pub fn answered(rate: u32, service: f64) -> Bucket {
    let mut b = Bucket {
        in_flight: (f64::from(rate) * service) as u32,
        service_seconds: f64::from(rate) * service,
        ..healthy(rate)
    };
    (b.service, b.latency) = Default::default();
    (0..rate).for_each(|_| b.service.record(service * 1000.0));
    (0..rate).for_each(|_| b.latency.record(service * 1000.0));
    b
}

/// Whether the downstream is called slow.
pub fn is_slow(p: &Process) -> bool {
    p.last.as_ref().unwrap().conditions.iter().any(|c| matches!(c, Condition::DownstreamSlow { .. }))
}

/// A process under the law.
#[derive(Clone)]
pub struct Process {
    pub settings: Settings,
    pub state: State,
    pub input: Input,
    pub second: i64,
    pub last: Option<Decision>,
}

impl Process {
    /// A process with so many ready pods of four slots.
    pub fn new(replicas: u32) -> Self {
        let input = Input {
            now: Timestamp::from_second(START).unwrap(),
            release: "v1".into(),
            replicas,
            reports: Vec::new(),
            pods: Pods { ready: replicas, starting: Vec::new(), terminating: 0 },
            cold_starts: vec![25.0],
            hints: Hints::default(),
            foreign: None,
            wake: false,
        };
        let settings = Settings { concurrency: Some(4.0), ..Settings::between(2, 50) };
        Self { settings, state: State::default(), input, second: START, last: None }
    }

    /// One second with this bucket; `None` is silence.
    pub fn second(&mut self, bucket: Option<Bucket>) -> &Decision {
        let buckets = bucket.map(|b| Bucket { second: self.second, ..b });
        self.second += 1;
        self.input.now = Timestamp::from_second(self.second).unwrap();
        self.input.reports =
            vec![Report { router: "a".into(), buckets: buckets.into_iter().collect(), gone: false }];
        let decision = decide(&self.settings, &Constants::default(), &mut self.state, &self.input);
        self.input.replicas = decision.replicas;
        self.last.insert(decision)
    }

    /// Many such seconds; the fleet follows each decision at once. Returns the replicas of every second.
    pub fn seconds(&mut self, n: u32, bucket: Bucket) -> Vec<u32> {
        let mut all = Vec::new();
        for _ in 0..n {
            let replicas = self.second(Some(bucket)).replicas;
            self.input.pods.ready = replicas;
            all.push(replicas);
        }
        all
    }

    /// The last decision in words.
    pub fn words(&self) -> String {
        self.last.as_ref().unwrap().to_string()
    }
}

//! Sequences of inputs through the scaling law: no panic, no overflow, and the rules of its property tests hold.
#![no_main]

use arbitrary::Arbitrary;
use autoscale::{Bucket, ScaleToZero, Settings};
use libfuzzer_sys::fuzz_target;
use support::life::{Life, Step, fault, was_lowered_blindly};

#[path = "../../autoscale/tests/support/mod.rs"]
mod support;

/// The bounds and targets of a process.
#[derive(Debug, Arbitrary)]
struct Wanted {
    min: u8,
    more: u8,
    rpm: Option<f64>,
    p95: Option<f64>,
    concurrency: Option<f64>,
    sleep: Option<u16>,
}

/// What a router reports of one second. Small counts are as likely as absurd ones.
#[derive(Debug, Arbitrary)]
struct Counts {
    small: [u8; 4],
    large: Option<[u32; 4]>,
    faults: [u8; 3],
    wait: f64,
    service: f64,
    times: Vec<f32>,
}

/// One step of a life.
#[derive(Debug, Arbitrary)]
struct Tick {
    pass: i16,
    punctual: bool,
    reports: [Option<Counts>; 2],
    ready: u8,
    starting: Vec<i8>,
    cold: f32,
    foreign: Option<u8>,
    hint: f64,
}

impl From<&Counts> for Bucket {
    fn from(c: &Counts) -> Self {
        let [first_tries, completed, in_flight, waiting] = c.large.unwrap_or(c.small.map(u32::from));
        let [errors, timeouts, retries] = c.faults.map(u32::from);
        let mut b = Bucket {
            first_tries,
            retries,
            completed,
            errors,
            timeouts,
            in_flight,
            waiting,
            wait_seconds: c.wait,
            service_seconds: c.service,
            ..Bucket::default()
        };
        for t in c.times.iter().take(30) {
            b.service.record(f64::from(*t));
            b.latency.record(f64::from(*t) * 1.5);
        }
        b
    }
}

impl From<&Tick> for Step {
    fn from(t: &Tick) -> Self {
        Self {
            pass: if t.punctual { 1 } else { t.pass.into() },
            buckets: [&t.reports[0], &t.reports[1]].map(|c| c.as_ref().map(Bucket::from)),
            ready: t.ready.into(),
            starting: t.starting.iter().take(8).map(|s| i64::from(*s)).collect(),
            cold: t.cold,
            foreign: t.foreign.map(u32::from),
            hint: t.hint,
        }
    }
}

impl From<&Wanted> for Settings {
    fn from(w: &Wanted) -> Self {
        let (min, more) = (u32::from(w.min), u32::from(w.more));
        Self {
            rpm: w.rpm,
            p95: w.p95,
            concurrency: w.concurrency,
            scale_to_zero: w.sleep.map(|s| ScaleToZero { after_seconds: s.into() }),
            ..Self::between(min, min + more + 1)
        }
    }
}

fuzz_target!(|given: (Wanted, Vec<Tick>)| {
    let (wanted, ticks) = given;
    let settings = Settings::from(&wanted);
    let mut life = Life::new(settings.min);
    for tick in ticks.iter().take(200) {
        let before = life.replicas;
        let (_, d) = life.live(&settings, &tick.into());
        assert!(fault(&settings, &d).is_none(), "{:?}: {d}", fault(&settings, &d));
        assert!(!was_lowered_blindly(&settings, before, &d), "{before} -> {d}");
    }
});

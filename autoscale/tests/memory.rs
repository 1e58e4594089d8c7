//! What the law remembers survives another version of itself, and clocks that are wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod support;
use autoscale::{Bucket, Constants, ForeignChange, Report, ScaleToZero, Settings, State, decide};
use jiff::Timestamp;
use serde_json::Value;
use support::{Process, answered, healthy};

/// A state in which nearly everything that can be remembered is.
fn rich() -> State {
    let mut p = Process::new(7);
    p.settings = Settings { p95: Some(300.0), concurrency: None, ..Settings::between(2, 50) };
    p.seconds(300, healthy(100));
    let full = Bucket { waiting: 100, in_flight: 128, wait_seconds: 40.0, ..answered(100, 0.21) };
    p.seconds(20, full);
    let by = "alice".to_owned();
    let (at, ttl_seconds) = (p.input.now, None);
    p.input.foreign = Some(ForeignChange { replicas: 3, from: None, by, reason: None, at, ttl_seconds });
    let mut slow = answered(28, 1.0);
    (slow.first_tries, slow.timeouts, slow.waiting, slow.in_flight) = (100, 72, 900, 928);
    p.seconds(340, slow);
    p.state
}

/// Every way to remove one field, as paths into the value; of a list its first element stands for all.
fn fields(value: &Value, path: &str, all: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                all.push((path.to_owned(), name.clone()));
                fields(inner, &format!("{path}/{name}"), all);
            }
        }
        Value::Array(list) if !list.is_empty() => fields(&list[0], &format!("{path}/0"), all),
        _ => {}
    }
}

#[test]
fn a_state_of_a_version_that_lacked_any_one_field_is_read() {
    let state = serde_json::to_value(rich()).unwrap();
    let mut all = Vec::new();
    fields(&state, "", &mut all);
    assert!(all.len() > 80, "{}", all.len());
    for (path, name) in all {
        let mut older = state.clone();
        older.pointer_mut(&path).unwrap().as_object_mut().unwrap().remove(&name);
        let read = serde_json::from_value::<State>(older);
        // A name of a router or a cause of a hold is no field: any of them may be absent anyway.
        assert!(read.is_ok(), "{path}/{name}: {:?}", read.err());
    }
}

#[test]
fn one_tick_with_a_clock_a_day_ahead_leaves_nothing_behind() {
    let mut p = Process::new(20);
    p.seconds(400, healthy(100));
    p.input.now = Timestamp::from_second(p.second + 86_400).unwrap();
    p.input.reports = vec![Report { router: "a".into(), buckets: vec![], gone: false }];
    decide(&p.settings, &Constants::default(), &mut p.state, &p.input);
    let after = p.seconds(900, healthy(20));
    assert_eq!(after.last(), Some(&2), "{}", p.words());
}

#[test]
fn a_lost_second_now_and_then_does_not_keep_a_process_awake() {
    let mut p = Process::new(1);
    p.settings.min = 0;
    p.settings.scale_to_zero = Some(ScaleToZero { after_seconds: 1_800.0 });
    p.seconds(10, healthy(3));
    let mut slept = None;
    for second in 0..7_200 {
        let bucket = (second % 1_500 != 1_499).then(Bucket::default);
        if p.second(bucket).replicas == 0 {
            slept = slept.or(Some(second));
        }
    }
    assert!(slept.is_some_and(|at| (1_860..2_000).contains(&at)), "{slept:?}: {}", p.words());
}

#[test]
fn a_router_whose_clock_is_ahead_is_contradictory() {
    let mut p = Process::new(20);
    p.seconds(60, healthy(100));
    let bucket = Bucket { second: p.second + 3, ..healthy(100) };
    p.input.reports = vec![Report { router: "a".into(), buckets: vec![bucket], gone: false }];
    let d = decide(&p.settings, &Constants::default(), &mut p.state, &p.input);
    assert!(d.to_string().contains("a router's numbers contradict each other"), "{d}");
}

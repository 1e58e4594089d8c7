//! Ordinary workloads that a law easily misreads.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod support;
use autoscale::{Bucket, Settings};
use support::{Process, answered, healthy, is_slow};

#[test]
fn idle_streams_ask_for_no_pods_where_slots_are_learned() {
    let streams = Bucket { streams: 1_000, ..healthy(20) };
    let mut p = Process::new(2);
    p.settings = Settings::between(1, 200);
    p.seconds(900, streams);
    assert!(p.last.as_ref().unwrap().replicas <= 2, "{}", p.words());
    let mut declared = Process::new(2);
    declared.settings.max = 300;
    declared.seconds(900, streams);
    assert!(declared.last.as_ref().unwrap().replicas > 250, "1,000 in slots of four: {}", declared.words());
}

/// The most pods asked for in 20 minutes in which a database answers 28 requests per second, however many pods ask it.
fn most_behind_a_slow_database(before: Option<f64>, during: Option<f64>) -> u32 {
    let mut p = Process::new(7);
    p.settings.max = 200;
    p.input.hints.cpu_throttled = before;
    p.seconds(900, healthy(100));
    p.input.hints.cpu_throttled = during;
    let mut most = 0;
    for _ in 0..1_200 {
        let pods = p.input.pods.ready;
        let mut slow = answered(28, f64::from(pods) / 7.0);
        (slow.first_tries, slow.timeouts, slow.waiting) = (100, 72, 2_100);
        (slow.in_flight, slow.wait_seconds) = (4 * pods + 2_100, 700.0);
        most = most.max(p.seconds(1, slow)[0]);
    }
    assert!(is_slow(&p), "{}", p.words());
    most
}

#[test]
fn throttled_cpu_does_not_excuse_a_slow_database() {
    let unthrottled = most_behind_a_slow_database(None, None);
    assert!(unthrottled <= 14, "7, the first seconds' backlog, and a trial: {unthrottled}");
    assert_eq!(most_behind_a_slow_database(Some(0.3), Some(0.3)), unthrottled, "it is always throttled");
    let risen = most_behind_a_slow_database(Some(0.0), Some(0.5));
    assert!(risen <= 20, "twice the healthy service time at most, and trials: {risen}");
}

#[test]
fn a_slow_downstream_that_recovers_is_seen_however_few_requests_come() {
    for rate in [0, 1, 2] {
        let mut p = Process::new(4);
        p.seconds(900, healthy(20));
        let mut slow = answered(12, 1.0);
        (slow.first_tries, slow.in_flight) = (20, 16);
        p.seconds(60, slow);
        assert!(is_slow(&p), "{}", p.words());
        p.seconds(420, healthy(rate));
        assert!(!is_slow(&p), "{rate}/s: {}", p.words());
    }
}

#[test]
fn a_downstream_that_stays_slow_is_seen_however_few_requests_come() {
    let mut p = Process::new(4);
    p.seconds(900, healthy(20));
    let mut slow = answered(12, 1.0);
    (slow.first_tries, slow.in_flight) = (20, 16);
    p.seconds(60, slow);
    p.seconds(900, answered(2, 1.0));
    assert!(is_slow(&p), "{}", p.words());
}

#[test]
fn a_timeout_now_and_then_does_not_forbid_scaling_in_for_ever() {
    for (rate, every) in [(10, 60), (19, 60), (10, 30)] {
        let mut p = Process::new(20);
        for second in 0..1_800 {
            let lost = u32::from(second % every == 0);
            let bucket = healthy(rate);
            p.seconds(1, Bucket { timeouts: lost, completed: rate - lost, ..bucket });
        }
        assert!(p.last.as_ref().unwrap().replicas <= 3, "{rate}/s, one in {every} s: {}", p.words());
    }
}

#[test]
fn a_demand_beyond_the_maximum_does_not_delay_scaling_in() {
    let mut p = Process::new(2);
    p.settings.max = 5;
    p.seconds(900, healthy(20));
    p.seconds(120, healthy(1_500));
    let after = p.seconds(600, healthy(10));
    let first = after.iter().position(|n| *n < 5).unwrap();
    assert!(first <= 370, "the window, and the average that forgets: {first}");
    assert_eq!(after.last(), Some(&2));
}

#[test]
fn a_ceiling_that_is_raised_a_little_does_not_open_the_flood() {
    let mut p = Process::new(7);
    p.seconds(400, healthy(300));
    for pods in [4, 6] {
        p.input.foreign = Some(autoscale::ForeignChange {
            replicas: pods,
            from: None,
            by: "bob".into(),
            reason: None,
            at: p.input.now,
            ttl_seconds: None,
        });
        let seen = p.seconds(30, healthy(300));
        assert!(seen.iter().all(|n| *n == pods), "{pods}: {}", p.words());
    }
    assert!(p.words().contains("bob wants at most 6"), "{}", p.words());
}

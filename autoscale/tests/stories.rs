//! The four war stories, as golden decisions with their reasons in words.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod support;
use autoscale::{Bucket, Condition, ForeignChange, Schedule};
use support::{Process, healthy};

#[test]
fn a_spike_that_times_out_never_scales_in() {
    let mut p = Process::new(7);
    p.seconds(400, healthy(100));
    let mut before = p.last.as_ref().unwrap().replicas;
    // Nothing completes any more: arrivals time out, the queue is long, slots are full of dead work.
    let dying = Bucket {
        completed: 0,
        timeouts: 100,
        in_flight: 3_000,
        waiting: 2_970,
        service_seconds: 6.0,
        ..healthy(100)
    };
    for n in p.seconds(400, dying) {
        assert!(n >= before, "{before} -> {n}");
        before = n;
    }
    assert!(p.words().contains("not scaled in because requests time out"), "{}", p.words());
    // A minute after the last cause the hold ends; half a minute in, it does not.
    let calm = p.seconds(45, healthy(20));
    assert!(calm.iter().all(|n| *n >= before), "{calm:?}");
    assert!(p.words().contains("not scaled in because"), "{}", p.words());
}

#[test]
fn a_manual_scale_out_is_kept_for_its_hour_and_then_given_back_slowly() {
    let mut p = Process::new(7);
    p.seconds(400, healthy(100));
    p.input.foreign = Some(ForeignChange {
        replicas: 30,
        from: None,
        by: "alice".into(),
        reason: Some("sale at noon".into()),
        at: p.input.now,
        ttl_seconds: None,
    });
    let kept = p.seconds(3_590, healthy(100));
    assert!(kept.iter().all(|n| *n == 30));
    assert!(p.words().contains("Overridden: alice wants at least 30"), "{}", p.words());
    assert!(p.words().contains("sale at noon"), "{}", p.words());
    let after = p.seconds(400, healthy(100));
    assert!(after.windows(2).all(|w| w[1] <= w[0] && f64::from(w[1]) >= f64::from(w[0]) * 0.84), "{after:?}");
    assert!(*after.last().unwrap() < 12, "{after:?}");
}

#[test]
fn a_manual_ceiling_yields_after_two_minutes_of_suffering_and_says_so() {
    let mut p = Process::new(7);
    p.seconds(400, healthy(100));
    p.input.foreign = Some(ForeignChange {
        replicas: 3,
        from: None,
        by: "bob".into(),
        reason: None,
        at: p.input.now,
        ttl_seconds: None,
    });
    let suffering =
        Bucket { waiting: 400, in_flight: 412, wait_seconds: 100.0, completed: 60, ..healthy(100) };
    let seen = p.seconds(119, suffering);
    assert!(seen.iter().all(|n| *n == 3), "{seen:?}");
    p.seconds(5, suffering);
    assert!(p.last.as_ref().unwrap().replicas >= 7, "{}", p.words());
    assert!(p.words().contains("set aside because requests suffered"), "{}", p.words());
}

#[test]
fn a_slow_database_buys_no_pods_but_one_trial_after_five_minutes() {
    let mut p = Process::new(7);
    p.seconds(600, healthy(100));
    let before = p.last.as_ref().unwrap().replicas;
    let mut slow = Bucket { service_seconds: 28.0, completed: 28, wait_seconds: 28.0, ..healthy(100) };
    (slow.service, slow.latency) = Default::default();
    (0..28).for_each(|_| slow.service.record(1_000.0));
    (0..28).for_each(|_| slow.latency.record(2_000.0));
    let mut seen = Vec::new();
    for second in 0..600u32 {
        let waiting = (72 * (second + 1)).min(5_000);
        seen.extend(p.seconds(1, Bucket { waiting, in_flight: waiting + 28, ..slow }));
    }
    assert!(seen.iter().all(|n| *n >= before), "and none is taken away: {seen:?}");
    assert!(seen[20..280].iter().all(|n| *n <= before + 1), "{seen:?}");
    assert!(seen[280..].iter().all(|n| *n <= before + 2), "{seen:?}");
    assert!(p.words().contains("DownstreamSlow: requests take"), "{}", p.words());
    assert!(p.words().contains("more pods would not help"), "{}", p.words());
    // When it has been healthy for 30 s the condition goes, and the backlog may ask for pods.
    p.seconds(
        60,
        Bucket { waiting: 5_000, in_flight: 5_028, completed: 140, service_seconds: 28.0, ..healthy(100) },
    );
    let conditions = &p.last.as_ref().unwrap().conditions;
    assert!(!conditions.iter().any(|c| matches!(c, Condition::DownstreamSlow { .. })), "{}", p.words());
    assert!(p.last.as_ref().unwrap().replicas > before + 5, "{}", p.words());
}

#[test]
fn a_flapping_signal_is_not_followed_up_and_down() {
    let mut p = Process::new(7);
    p.seconds(400, healthy(100));
    let mut changes = 0;
    let mut last = p.last.as_ref().unwrap().replicas;
    for cycle in 0..60 {
        for n in p.seconds(60, healthy(if cycle % 2 == 0 { 200 } else { 100 })) {
            changes += u32::from(n != last);
            last = n;
        }
    }
    assert!(changes <= 12, "{changes} changes in an hour");
}

#[test]
fn an_outage_of_the_signals_lowers_nothing_and_says_so() {
    let mut p = Process::new(20);
    p.seconds(100, healthy(100));
    let before = p.last.as_ref().unwrap().replicas;
    for _ in 0..1_000 {
        assert!(p.second(None).replicas >= before);
    }
    assert!(p.words().contains("SignalsUnknown"), "{}", p.words());
}

#[test]
fn a_preview_sleeps_when_nobody_asks_and_wakes_at_once() {
    let mut p = Process::new(1);
    p.settings.min = 0;
    p.settings.scale_to_zero = Some(autoscale::ScaleToZero { after_seconds: 1_800.0 });
    p.seconds(100, healthy(3));
    let quiet = p.seconds(1_700, Bucket::default());
    assert!(quiet.iter().all(|n| *n >= 1), "not yet");
    p.seconds(300, Bucket::default());
    assert_eq!(p.last.as_ref().unwrap().replicas, 0, "{}", p.words());
    assert!(p.words().contains("asleep"), "{}", p.words());
    p.input.wake = true;
    assert_eq!(p.second(Some(Bucket::default())).replicas, 1);
}

#[test]
fn a_schedule_raises_the_minimum_before_it_begins() {
    let mut p = Process::new(3);
    p.settings.schedule = vec![Schedule::new(10, &[], "00:10", "00:20", "UTC").unwrap()];
    p.seconds(570, healthy(5));
    assert!(p.last.as_ref().unwrap().replicas < 10);
    p.seconds(10, healthy(5));
    assert_eq!(p.last.as_ref().unwrap().replicas, 10, "{}", p.words());
    p.seconds(300, healthy(5));
    assert_eq!(p.last.as_ref().unwrap().replicas, 10, "{}", p.words());
    p.seconds(600, healthy(5));
    assert!(p.last.as_ref().unwrap().replicas < 10, "the window is over: {}", p.words());
}

//! Troubles that people make or meet, and that must end by themselves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod support;
use autoscale::{Bucket, Condition, ForeignChange, ScaleToZero};
use support::{Process, answered, healthy, is_slow};

#[test]
fn a_release_that_is_twice_as_slow_gets_its_pods_and_is_no_slow_downstream() {
    let mut p = Process::new(9);
    p.seconds(900, healthy(100));
    p.input.release = "v2".into();
    p.seconds(60, healthy(100)); // the old pods still answer
    p.seconds(600, answered(100, 0.4));
    assert!(!is_slow(&p), "{}", p.words());
    let n = p.last.as_ref().unwrap().replicas;
    assert!((11..=14).contains(&n), "(40 + √40)/4 = 11.6: {}", p.words());
    // Its own value tells slow from healthy again.
    p.seconds(1_000, answered(100, 0.4));
    let mut slow = answered(30, 2.0);
    (slow.first_tries, slow.waiting) = (100, 900);
    slow.in_flight += 900;
    p.seconds(60, slow);
    assert!(is_slow(&p), "{}", p.words());
}

#[test]
fn throttled_pods_are_no_slow_downstream() {
    let mut p = Process::new(7);
    p.seconds(900, healthy(100));
    p.input.hints.cpu_throttled = Some(0.8);
    let mut starved = answered(60, 0.5);
    (starved.first_tries, starved.waiting, starved.in_flight) = (100, 200, 230);
    p.seconds(60, starved);
    assert!(!is_slow(&p), "{}", p.words());
    assert!(p.last.as_ref().unwrap().replicas > 7, "{}", p.words());
}

#[test]
fn one_request_per_second_of_ten_seconds_each_gets_its_pods() {
    let mut p = Process::new(2);
    let mut long = answered(1, 10.0);
    (long.in_flight, long.waiting) = (10, 2);
    p.seconds(20, long);
    assert!(p.last.as_ref().unwrap().replicas >= 3, "ten in slots of four: {}", p.words());
    p.seconds(100, long);
    assert!(p.last.as_ref().unwrap().replicas >= 4, "(10 + √10)/4 = 3.3: {}", p.words());
}

#[test]
fn somebody_who_scales_a_sleeping_process_by_hand_wakes_it() {
    let mut p = Process::new(1);
    p.settings.min = 0;
    p.settings.scale_to_zero = Some(ScaleToZero { after_seconds: 600.0 });
    p.seconds(10, healthy(3));
    p.seconds(700, Bucket::default());
    assert_eq!(p.last.as_ref().unwrap().replicas, 0);
    p.input.foreign = Some(ForeignChange {
        replicas: 3,
        from: Some(0),
        by: "alice".into(),
        reason: None,
        at: p.input.now,
        ttl_seconds: None,
    });
    let awake = p.seconds(500, Bucket::default());
    assert!(awake.iter().all(|n| *n == 3), "{awake:?}");
    p.seconds(200, Bucket::default());
    assert_eq!(p.last.as_ref().unwrap().replicas, 0, "and after as long a silence it sleeps again");
    let conditions = &p.last.as_ref().unwrap().conditions;
    let is_shown = conditions.iter().any(|c| matches!(c, Condition::Overridden { .. }));
    assert!(!is_shown, "a floor that no longer holds is not shown: {}", p.words());
}

#[test]
fn who_lowers_their_own_floor_wants_fewer_spare_pods_and_no_ceiling() {
    let mut p = Process::new(7);
    p.seconds(400, healthy(100));
    let by_hand = |p: &Process, replicas: u32| {
        let by = "alice".to_owned();
        Some(ForeignChange { replicas, from: None, by, reason: None, at: p.input.now, ttl_seconds: None })
    };
    p.input.foreign = by_hand(&p, 30);
    p.seconds(100, healthy(100));
    p.input.foreign = by_hand(&p, 12);
    let lowered = p.seconds(100, healthy(100));
    assert!(lowered.iter().all(|n| *n == 12), "at once, and not to 30 again: {lowered:?}");
    assert!(p.words().contains("alice wants at least 12"), "{}", p.words());
    for _ in 0..60 {
        p.second(None);
    }
    p.input.foreign = by_hand(&p, 11);
    p.second(None);
    let kept = p.last.as_ref().unwrap().replicas;
    assert_eq!(kept, 11, "what forbids the law to scale in forbids it nobody else: {}", p.words());
    p.seconds(100, healthy(100));
    p.seconds(30, healthy(300));
    assert!(p.last.as_ref().unwrap().replicas > 15, "no ceiling: {}", p.words());
    p.input.foreign = by_hand(&p, 11);
    assert_eq!(
        p.seconds(10, healthy(300)).last(),
        Some(&11),
        "fewer than the law wants is a ceiling: {}",
        p.words()
    );
}

#[test]
fn waking_does_not_make_scaling_in_slower() {
    let mut p = Process::new(7);
    p.settings.min = 0;
    p.settings.scale_to_zero = Some(ScaleToZero { after_seconds: 60.0 });
    p.seconds(400, healthy(100));
    let steps = p.seconds(340, healthy(40));
    assert!(steps.windows(2).any(|two| two[1] < two[0]), "a step down by the law: {steps:?}");
    p.seconds(130, Bucket::default());
    assert_eq!(p.last.as_ref().unwrap().replicas, 0, "{}", p.words());
    p.input.wake = true;
    p.seconds(1, Bucket::default());
    p.input.wake = false;
    p.seconds(200, healthy(100));
    let high = p.last.as_ref().unwrap().replicas;
    let after = p.seconds(400, healthy(20));
    assert!(after.iter().any(|n| *n < high), "the window is that of a law that was right: {after:?}");
}

#[test]
fn pods_that_have_just_come_teach_nothing_about_their_slots() {
    let mut p = Process::new(20);
    p.settings.concurrency = None;
    p.settings.max = 200;
    p.seconds(400, healthy(100));
    p.input.pods.ready = 20;
    let slots = |p: &Process| p.last.as_ref().unwrap().reason.terms.slots;
    let before = slots(&p);
    let waiting = Bucket { waiting: 400, in_flight: 420, wait_seconds: 50.0, ..healthy(100) };
    for _ in 0..40 {
        p.second(Some(waiting));
        p.input.pods.ready += 1;
    }
    assert!(slots(&p) > before - 0.5, "{before} -> {}", slots(&p));
}

#[test]
fn unknown_signals_neither_wake_nor_put_to_sleep() {
    let mut p = Process::new(1);
    p.settings.min = 0;
    p.settings.scale_to_zero = Some(ScaleToZero { after_seconds: 600.0 });
    p.seconds(100, healthy(3));
    for _ in 0..2_000 {
        assert!(p.second(None).replicas >= 1, "silence that is not known to be silence");
    }
    p.seconds(800, Bucket::default());
    assert_eq!(p.last.as_ref().unwrap().replicas, 0, "{}", p.words());
    for _ in 0..2_000 {
        assert_eq!(p.second(None).replicas, 0, "who sleeps sleeps on");
    }
    p.input.wake = true;
    assert_eq!(p.second(None).replicas, 1, "and wakes although nobody knows anything");
}

#[test]
fn no_step_for_the_latency_is_judged_in_the_dark() {
    let mut p = Process::new(7);
    p.settings.p95 = Some(300.0);
    p.seconds(400, healthy(100));
    let mut waits = Bucket { waiting: 10, in_flight: 30, wait_seconds: 40.0, ..healthy(100) };
    waits.latency = answered(100, 0.6).latency;
    let n = p.seconds(20, waits).pop().unwrap();
    assert!(n > 7, "a step is asked for: {}", p.words());
    for _ in 0..300 {
        let replicas = p.second(None).replicas;
        p.input.pods.ready = replicas;
        let conditions = &p.last.as_ref().unwrap().conditions;
        let is_blocked = conditions.iter().any(|c| matches!(c, Condition::LatencyBlocked { .. }));
        assert!(!is_blocked && replicas == n, "{}", p.words());
    }
}

//! What is slow for long: the law must neither buy pods for a slow database nor starve a process that is slow for good.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod support;
use autoscale::{Bucket, Trigger};
use support::{Process, answered, healthy, is_slow};

fn replicas(p: &Process) -> u32 {
    p.last.as_ref().unwrap().replicas
}

#[test]
fn what_is_slow_for_an_hour_and_answers_everything_is_the_new_normal() {
    let mut p = Process::new(20);
    p.settings.min = 20;
    p.seconds(1_000, healthy(100));
    let mut begin = answered(80, 0.4);
    begin.first_tries = 100;
    p.seconds(30, begin);
    p.seconds(600, answered(100, 0.4));
    assert!(is_slow(&p), "{}", p.words());
    p.seconds(2_800, answered(100, 0.4));
    assert!(!is_slow(&p), "{}", p.words());
    let s0 = p.last.as_ref().unwrap().reason.terms.service_seconds.unwrap();
    assert!((s0 - 0.4).abs() < 0.02, "{s0}");
}

#[test]
fn pods_whose_slots_are_busy_stay_behind_a_slow_downstream_that_answers_everything() {
    // Twenty pods, and nobody's minimum: 40 busy slots of four per pod need ten of them, healthy requests seven.
    for service in [0.4, 0.6, 0.7] {
        let mut p = Process::new(20);
        p.seconds(240, healthy(100));
        let mut begin = answered(70, service);
        begin.first_tries = 100;
        p.seconds(30, begin);
        let mut fewest = u32::MAX;
        for _ in 0..2_600 {
            p.seconds(1, answered(100, service));
            fewest = fewest.min(replicas(&p));
        }
        assert!(is_slow(&p), "{}", p.words());
        let busy = f64::from(answered(100, service).in_flight);
        assert!(4.0 * f64::from(fewest) >= busy, "{fewest} pods for {busy} busy slots: {}", p.words());
        // No more than that: what no slot needs still goes.
        assert!(0.8 * 4.0 * f64::from(fewest) <= busy, "{fewest} pods for {busy} busy slots: {}", p.words());
    }
}

#[test]
fn pods_that_a_jump_brought_stay_while_a_slow_downstream_keeps_their_slots_busy() {
    let mut p = Process::new(7);
    p.seconds(600, healthy(100));
    p.seconds(2, healthy(700));
    let brought = replicas(&p);
    let mut begin = answered(50, 0.6);
    begin.first_tries = 70;
    p.seconds(20, begin);
    let seen = p.seconds(240, answered(70, 0.6));
    assert!(is_slow(&p) && brought > 12, "{brought}: {}", p.words());
    assert!(seen.iter().all(|n| *n >= 11), "42 busy slots of four per pod: {seen:?} {}", p.words());
    assert!(replicas(&p) < brought, "{}", p.words());
}

#[test]
fn usual_errors_do_not_keep_the_new_normal_away() {
    let with_errors = |b: Bucket| Bucket { completed: b.completed - 2, errors: 2, ..b };
    let mut p = Process::new(20);
    p.settings.min = 20;
    p.seconds(7_200, with_errors(healthy(100)));
    let s0 = p.last.as_ref().unwrap().reason.terms.service_seconds.unwrap();
    assert!((s0 - 0.2).abs() < 0.01, "{s0}");
    let mut begin = answered(80, 0.4);
    begin.first_tries = 100;
    p.seconds(30, begin);
    p.seconds(600, with_errors(answered(100, 0.4)));
    assert!(is_slow(&p), "{}", p.words());
    p.seconds(2_800, with_errors(answered(100, 0.4)));
    assert!(!is_slow(&p), "{}", p.words());
}

#[test]
fn seconds_with_the_usual_errors_are_healthy_ones() {
    let with_errors = |b: Bucket| Bucket { completed: b.completed - 2, errors: 2, ..b };
    let mut p = Process::new(12);
    p.settings.min = 12;
    p.seconds(7_200, with_errors(healthy(100)));
    // Slowly, so that nothing is ever slow by half: S₀ follows only if such seconds teach it.
    for quarter in 0..8 {
        p.seconds(10 * 900, with_errors(answered(100, 0.2 + 0.01 * f64::from(quarter))));
    }
    let s0 = p.last.as_ref().unwrap().reason.terms.service_seconds.unwrap();
    assert!(s0 > 0.21, "{s0}");
}

#[test]
fn quick_refusals_at_the_very_start_are_no_service_time() {
    let mut p = Process::new(8);
    let mut refused = answered(100, 0.005);
    (refused.completed, refused.errors) = (0, 100);
    p.seconds(120, refused);
    assert_eq!(p.last.as_ref().unwrap().reason.terms.service_seconds, None, "{}", p.words());
    p.seconds(600, healthy(100));
    assert!(!is_slow(&p), "{}", p.words());
    assert!(p.last.as_ref().unwrap().replicas >= 6, "{}", p.words());
}

#[test]
fn work_that_nobody_waits_for_any_more_is_work_and_no_slow_downstream() {
    let mut p = Process::new(7);
    p.seconds(900, healthy(100));
    // Every answer comes too late for whoever asked, and yet 28 slots end 140 requests of 200 ms in each second.
    let late = Bucket {
        first_tries: 200,
        completed: 0,
        timeouts: 200,
        in_flight: 6_028,
        waiting: 6_000,
        wait_seconds: 4_000.0,
        service_seconds: 28.0,
        ..answered(140, 0.2)
    };
    for _ in 0..200 {
        p.second(Some(late)); // the pods that were asked for do not come
    }
    assert!(!is_slow(&p), "{}", p.words());
    assert_eq!(p.last.as_ref().unwrap().reason.trigger, Trigger::Backlog, "pods do help here: {}", p.words());
}

#[test]
fn nothing_recovers_while_nobody_reports() {
    let mut p = Process::new(7);
    p.seconds(900, healthy(100));
    let mut slow = answered(30, 1.0);
    (slow.first_tries, slow.waiting) = (100, 900);
    slow.in_flight += 900;
    p.seconds(60, slow);
    p.seconds(25, healthy(100));
    assert!(is_slow(&p), "{}", p.words());
    for _ in 0..120 {
        p.second(None);
        assert!(is_slow(&p), "{}", p.words());
    }
    p.seconds(120, healthy(100));
    assert!(!is_slow(&p), "{}", p.words());
}

#[test]
fn no_trial_asks_for_more_than_the_present_service_time_would() {
    let mut p = Process::new(7);
    p.seconds(900, healthy(100));
    // 30 pods, which somebody's minimum keeps: 100 requests/s of half a second would need 15.
    p.settings.min = 30;
    let mut slow = answered(60, 0.5);
    (slow.first_tries, slow.timeouts, slow.waiting) = (100, 40, 900);
    slow.in_flight += 900;
    p.seconds(60, slow);
    assert!(is_slow(&p), "{}", p.words());
    let tried = p.seconds(3_000, slow).into_iter().max();
    assert_eq!(tried, Some(30), "{}", p.words());
}

#[test]
fn more_first_tries_never_ask_for_fewer_pods_around_a_trial() {
    let mut p = Process::new(12);
    p.seconds(900, healthy(200));
    // Twice as slow for good: each pod finishes ten requests per second, and clients give up on the rest.
    let slow = |pods: u32| {
        let mut b = answered(pods * 10, 0.4);
        (b.first_tries, b.timeouts, b.waiting) = (200, 200u32.saturating_sub(pods * 10), 900);
        Bucket { in_flight: b.in_flight + 900, ..b }
    };
    let (mut tried, mut coming) = (false, 0);
    for second in 0..2_700 {
        let bucket = slow(p.input.pods.ready);
        if second > 2_300 {
            let more = Bucket { first_tries: 460, ..bucket };
            let (few, many) = (p.clone().seconds(1, bucket)[0], p.clone().seconds(1, more)[0]);
            assert!(many >= few, "at {second}: {few} -> {many}");
        }
        let decision = p.second(Some(bucket));
        let (replicas, trigger) = (decision.replicas, decision.reason.trigger);
        tried |= trigger == Trigger::Trial;
        coming = if replicas > p.input.pods.ready { coming + 1 } else { 0 };
        if coming > 25 {
            p.input.pods.ready = replicas;
        }
    }
    assert!(tried && !is_slow(&p), "{}", p.words());
}

//! Nothing lasts for ever: no hold, no suspicion, no word of a person, no second that a wrong clock saw.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts of requests are small and positive

mod support;
use autoscale::{Bucket, ForeignChange, Trigger};
use jiff::Timestamp;
use support::{Process, answered, healthy};

fn by_hand(p: &Process, replicas: u32) -> ForeignChange {
    let (by, at) = ("alice".to_owned(), p.input.now);
    ForeignChange { replicas, from: None, by, reason: None, at, ttl_seconds: None }
}

fn replicas(p: &Process) -> u32 {
    p.last.as_ref().unwrap().replicas
}

/// Lets more pods come 25 s after they were asked for, and others go at once.
fn follow(p: &mut Process, coming: &mut u32) {
    let wanted = replicas(p);
    *coming = if wanted > p.input.pods.ready { *coming + 1 } else { 0 };
    if *coming > 25 || wanted < p.input.pods.ready {
        (p.input.pods.ready, *coming) = (wanted, 0);
    }
}

/// Seconds of 100 requests of which a fifth takes `long` seconds and the others 0.2, on pods of four slots. Who waits for
/// 30 s gives up. Returns how many did in the last ten minutes.
fn mixed(p: &mut Process, seconds: u32, long: f64) -> u32 {
    let mean = 0.2 * 0.8 + long * 0.2;
    let (mut queue, mut coming, mut lost) = (0.0f64, 0, 0);
    for second in 0..seconds {
        let able = f64::from(p.input.pods.ready) * 4.0 / mean;
        queue += 100.0;
        let done = queue.min(able);
        let given_up = (queue - done - able * 30.0).max(0.0).round();
        queue -= done + given_up;
        let mut b = Bucket {
            first_tries: 100,
            completed: done as u32,
            timeouts: given_up as u32,
            service_seconds: done * mean,
            wait_seconds: done * queue / able,
            waiting: queue as u32,
            in_flight: queue as u32 + (done * mean) as u32,
            ..Bucket::default()
        };
        (0..(done * 0.2) as u32).for_each(|_| b.service.record(long * 1000.0));
        (0..(done * 0.8) as u32).for_each(|_| b.service.record(200.0));
        b.latency = b.service;
        p.second(Some(b));
        follow(p, &mut coming);
        lost += if second + 600 >= seconds { b.timeouts } else { 0 };
    }
    lost
}

#[test]
fn long_requests_among_many_short_ones_get_their_pods() {
    let mut p = Process::new(7);
    mixed(&mut p, 900, 0.2);
    // The median is what it was, and yet each slot is busy for four times as long.
    assert_eq!(mixed(&mut p, 1_800, 3.0), 0, "{}", p.words());
    assert!((19..=23).contains(&replicas(&p)), "(76 + √76)/4 = 21.2: {}", p.words());
}

#[test]
fn bursts_that_few_pods_answer_do_not_keep_many_for_ever() {
    for (every, burst) in [(30, 200), (45, 200), (55, 100)] {
        let mut p = Process::new(20);
        p.seconds(900, healthy(600));
        let before = replicas(&p);
        for second in 0..3_600 {
            p.seconds(1, healthy(if second % every == 0 { burst } else { 20 }));
        }
        assert!(replicas(&p) <= 14, "{before} before, {burst} in one of {every} s: {}", p.words());
    }
}

/// One second of 20 quick requests, and of so many long ones that arrive at once in each minute.
fn with_long_ones(second: u32, burst: u32, long: u32) -> Bucket {
    let at = second % 60;
    let mut b = healthy(20);
    b.first_tries += if at == 0 { burst } else { 0 };
    b.in_flight += if at < long { burst } else { 0 };
    if at == long {
        b.completed += burst;
        b.service_seconds += f64::from(burst * long);
        for _ in 0..burst {
            b.service.record(f64::from(long) * 1000.0);
            b.latency.record(f64::from(long) * 1000.0);
        }
    }
    b
}

#[test]
fn long_requests_that_come_in_bursts_do_not_keep_many_pods_for_ever() {
    for (burst, long) in [(20, 4), (40, 8), (40, 16)] {
        let mut p = Process::new(40);
        p.seconds(900, healthy(600));
        let before = replicas(&p);
        for second in 0..7_200 {
            p.seconds(1, with_long_ones(second, burst, long));
        }
        assert!(replicas(&p) < before - 5, "{burst} of {long} s: {before} before: {}", p.words());
    }
}

#[test]
fn no_trial_is_judged_while_nothing_is_known_to_compare_with() {
    // Whether its trial begins or would be judged while a release settles: it finishes nothing more, and is no success.
    for settles_at in [40, 60, 250, 310] {
        let mut p = Process::new(7);
        p.seconds(900, healthy(100));
        let (mut tried, mut coming) = (Vec::new(), 0);
        for second in 0..1_000u32 {
            let pods = p.input.pods.ready;
            let mut slow = answered(28, f64::from(pods) / 7.0);
            (slow.first_tries, slow.timeouts, slow.waiting) = (100, 72, 2_100);
            (slow.in_flight, slow.wait_seconds) = (4 * pods + 2_100, 700.0);
            if second == settles_at {
                p.input.release = "v2".into();
            }
            if p.second(Some(slow)).reason.trigger == Trigger::Trial {
                tried.push((second, replicas(&p)));
            }
            follow(&mut p, &mut coming);
        }
        assert!(tried.iter().all(|(_, pods)| *pods == tried[0].1), "one step: {tried:?}");
        let judged = tried.last().unwrap().0;
        assert!(judged > settles_at + 300, "judged at {judged}, settled at {}", settles_at + 300);
    }
}

#[test]
fn a_clock_that_steps_back_releases_no_hold() {
    let mut p = Process::new(20);
    p.seconds(400, healthy(100));
    p.seconds(320, Bucket { timeouts: 5, completed: 95, ..healthy(100) });
    p.seconds(12, healthy(100));
    let before = replicas(&p);
    p.second -= 5;
    let seen = p.seconds(40, healthy(100));
    assert!(seen.iter().all(|n| *n >= before), "{before}: {seen:?}");
}

#[test]
fn one_second_of_a_day_ahead_does_not_hide_the_seconds_of_this_day() {
    let mut p = Process::new(20);
    p.seconds(400, healthy(100));
    p.second += 86_400;
    p.seconds(1, healthy(100));
    p.second -= 86_400;
    p.seconds(100, healthy(300));
    assert!(replicas(&p) >= 17, "{}", p.words());
    p.seconds(900, healthy(20));
    assert!(replicas(&p) <= 6, "{}", p.words());
}

#[test]
fn a_change_dated_into_the_future_counts_from_now_and_hides_no_later_one() {
    let mut p = Process::new(7);
    p.seconds(400, healthy(100));
    p.input.foreign = Some(by_hand(&p, 30));
    p.input.foreign.as_mut().unwrap().at = Timestamp::from_second(p.second + 86_400).unwrap();
    let mut other = p.clone();
    other.seconds(4_300, healthy(100));
    assert!(replicas(&other) < 12, "an hour, and ten steps: {}", other.words());
    p.seconds(100, healthy(100));
    p.input.foreign = Some(by_hand(&p, 12));
    p.seconds(100, healthy(100));
    assert_eq!(replicas(&p), 12, "{}", p.words());
}

#[test]
fn a_ceiling_does_not_yield_to_what_nobody_sees_any_more() {
    let mut p = Process::new(7);
    p.seconds(400, healthy(100));
    p.input.foreign = Some(by_hand(&p, 3));
    let waits = Bucket { waiting: 400, in_flight: 412, wait_seconds: 100.0, completed: 60, ..healthy(100) };
    p.seconds(5, waits);
    for _ in 0..300 {
        p.second(None);
    }
    assert_eq!(replicas(&p), 3, "{}", p.words());
}

#[test]
fn who_takes_their_own_floor_back_leaves_no_ceiling() {
    let mut p = Process::new(7);
    p.seconds(400, healthy(100));
    let own = replicas(&p);
    p.input.foreign = Some(by_hand(&p, 30));
    p.seconds(100, healthy(100));
    p.input.foreign = Some(by_hand(&p, own));
    p.seconds(100, healthy(100));
    assert_eq!(replicas(&p), own, "{}", p.words());
    p.seconds(60, healthy(300));
    assert!(replicas(&p) > 15, "{}", p.words());
}

#[test]
fn a_demand_of_minutes_ago_does_not_undo_that_somebody_lowers_their_floor() {
    let mut p = Process::new(7);
    p.seconds(400, healthy(300));
    p.input.foreign = Some(by_hand(&p, 30));
    p.seconds(100, healthy(300));
    p.seconds(100, healthy(100));
    p.input.foreign = Some(by_hand(&p, 12));
    let seen = p.seconds(100, healthy(100));
    assert!(seen.iter().all(|n| *n == 12), "{seen:?} {}", p.words());
}

//! Troubles that last for good must end by themselves: the whole world, not single decisions.
use autoscale::Constants;
use autoscale_sim::{
    law::{Outcome, run},
    peers::keelway::Keelway,
    trace::{Event, Trace},
};

/// Runs our law over so many seconds at 100 requests/s in which this happens.
fn live(seconds: usize, event: Event) -> (Outcome, Option<String>) {
    let trace = Trace { events: vec![event], ..Trace::new("t", "", 11, vec![100.0; seconds]) };
    let mut law = Keelway::new(&trace, Constants::default());
    let outcome = run(&trace, &mut law);
    (outcome, law.last.map(|d| d.to_string()))
}

/// The share of requests that were late between these seconds.
fn late(outcome: &Outcome, from: usize, to: usize) -> f64 {
    let (mut arrived, mut good) = (0, 0);
    for s in &outcome.samples[from..to] {
        (arrived, good) = (arrived + s.arrived, good + s.good);
    }
    1.0 - f64::from(good) / f64::from(arrived.max(1))
}

#[test]
fn a_process_that_is_twice_as_slow_for_good_gets_its_pods_after_a_trial() {
    // No release says so, and seven pods cannot answer everything: nothing but more pods can show that they help.
    let (outcome, words) = live(7_200, Event::Slow { from: 1_200, to: u32::MAX, factor: 2.0, slots: 1e9 });
    assert!(late(&outcome, 1_250, 1_550) > 0.9, "the case is as bad as it is meant to be");
    assert!(late(&outcome, 3_000, 7_190) < 0.03, "only single requests take more than a second: {words:?}");
    assert!(outcome.samples[7_000].ready < 20, "(40 + √40)/4 = 11.6: {words:?}");
}

#[test]
fn a_database_that_is_slow_for_good_is_given_a_few_steps_in_hours() {
    let (outcome, words) = live(21_600, Event::Slow { from: 1_200, to: u32::MAX, factor: 5.0, slots: 28.0 });
    // 7, and after 5, 15, 45 and 135 minutes more a fifth more.
    let most = outcome.samples[3_000..].iter().map(|s| s.desired).max();
    assert_eq!(most, Some(17), "{words:?}");
}

#[test]
fn a_first_release_that_begins_with_refusals_is_sized_by_its_answers() {
    let (outcome, words) = live(7_200, Event::Errors { from: 0, to: 120, share: 1.0 });
    assert!(late(&outcome, 300, 7_190) < 0.01, "{words:?}");
}

#[test]
fn a_slow_database_with_a_little_room_is_given_that_room_and_no_crowd() {
    // 28 slots are busy, 40 could make progress at once: the first steps do help, and still it is the database.
    let (outcome, words) = live(14_400, Event::Slow { from: 1_200, to: u32::MAX, factor: 5.0, slots: 40.0 });
    let most = outcome.samples[3_000..].iter().map(|s| s.desired).max();
    assert!(most.is_some_and(|most| (9..=21).contains(&most)), "{most:?}: {words:?}");
}

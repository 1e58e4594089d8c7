//! Merging of the routers' reports, and when they are unknown.
use autoscale::{Bucket, Constants, Report};
use autoscale::{Unknown, window::Window};

fn report(router: &str, seconds: &[(i64, u32)]) -> Report {
    let bucket = |&(second, first_tries): &(i64, u32)| Bucket { second, first_tries, ..Bucket::default() };
    Report { router: router.into(), buckets: seconds.iter().map(bucket).collect(), gone: false }
}

#[test]
fn a_second_counts_once_every_router_has_spoken() {
    let k = Constants::default();
    let mut w = Window::default();
    w.merge(101, &[report("a", &[(100, 5)]), report("b", &[(100, 7)])], &k);
    w.merge(102, &[report("a", &[(101, 5)]), report("b", &[])], &k);
    assert_eq!((w.head(), w.rate(0, 1, 1.0)), (Some(100), 12.0));
    w.merge(103, &[report("a", &[(101, 5), (102, 5)]), report("b", &[(101, 9), (102, 1)])], &k);
    assert_eq!((w.head(), w.rate(0, 2, 1.0)), (Some(102), 10.0), "overlap is not counted twice");
}

#[test]
fn silence_gaps_and_nonsense_are_unknown_and_never_zero() {
    let k = Constants::default();
    let mut w = Window::default();
    assert_eq!(w.merge(100, &[], &k).unknown, Some(Unknown::Missing));
    assert_eq!(w.merge(101, &[report("a", &[(100, 5)])], &k).unknown, None);
    assert_eq!(w.merge(140, &[report("a", &[])], &k).unknown, Some(Unknown::Stale));
    assert_eq!(w.merge(141, &[report("a", &[(140, 5)])], &k).unknown, Some(Unknown::Gap));
    let mut nan = report("a", &[(141, 5)]);
    nan.buckets[0].wait_seconds = f64::NAN;
    assert!(w.merge(142, &[nan], &k).unknown.is_some());
    let mut odd = report("a", &[(142, 5)]);
    odd.buckets[0].waiting = 3;
    assert!(w.merge(143, &[odd], &k).unknown.is_some());
}

#[test]
fn a_router_that_is_no_longer_named_is_missing_and_later_forgotten() {
    let k = Constants::default();
    let mut w = Window::default();
    w.merge(101, &[report("a", &[(100, 5)]), report("b", &[(100, 7)])], &k);
    assert_eq!(w.merge(102, &[report("a", &[(101, 5)])], &k).unknown, Some(Unknown::Missing));
    let all: Vec<(i64, u32)> = (102..300).map(|s| (s, 5)).collect();
    assert_eq!(w.merge(300, &[report("a", &all)], &k).unknown, None);
}

#[test]
fn a_router_that_is_known_to_have_ended_blinds_nobody() {
    let k = Constants::default();
    let mut w = Window::default();
    w.merge(101, &[report("a", &[(100, 5)]), report("b", &[(100, 7)])], &k);
    let last = Report { gone: true, ..report("b", &[(101, 1)]) };
    assert_eq!(w.merge(102, &[report("a", &[(101, 5)]), last.clone()], &k).unknown, None);
    assert!((w.rate(0, 1, 1.0) - 6.0).abs() < 1e-9, "its last second counts");
    assert_eq!(w.merge(103, &[report("a", &[(102, 12)]), last], &k).unknown, None);
    assert_eq!((w.head(), w.rate(0, 1, 1.0)), (Some(102), 12.0), "the head waits for nobody");
}

#[test]
fn a_router_that_has_ended_is_counted_once_however_often_it_is_named() {
    let k = Constants::default();
    let mut w = Window::default();
    w.merge(101, &[report("a", &[(100, 5)]), report("b", &[(100, 7)])], &k);
    let last = Report { gone: true, ..report("b", &[(100, 7), (101, 1)]) };
    for now in 102..110 {
        let newest: Vec<(i64, u32)> = (100..now).map(|s| (s, 5)).collect();
        let merged = w.merge(now, &[report("a", &newest), last.clone()], &k);
        assert_eq!(merged.unknown, None, "at {now}");
    }
    let first = w.sums(0, 10).first;
    assert!((first - (9.0 * 5.0 + 7.0 + 1.0)).abs() < 1e-9, "{first}");
    // Under its old name it begins again: nothing old is counted, and what it did not say while gone is no gap.
    let newest: Vec<(i64, u32)> = (100..112).map(|s| (s, 5)).collect();
    let merged = w.merge(112, &[report("a", &newest), report("b", &[(101, 1), (111, 2)])], &k);
    assert_eq!((merged.unknown, w.rate(0, 1, 1.0)), (None, 7.0));
}

#[test]
fn a_router_that_is_named_twice_in_one_tick_is_counted_once_in_any_order() {
    let k = Constants::default();
    let start = || {
        let mut w = Window::default();
        w.merge(100, &[report("a", &[(99, 5)]), report("b", &[(99, 7)])], &k);
        w
    };
    let other = report("b", &[(100, 7), (101, 7), (102, 7)]);
    // Halves that overlap, halves that interleave, the same twice.
    for halves in [
        [report("a", &[(100, 5), (101, 6)]), report("a", &[(101, 6), (102, 8)])],
        [report("a", &[(100, 5), (102, 8)]), report("a", &[(101, 6)])],
        [report("a", &[(100, 5), (101, 6), (102, 8)]), report("a", &[(100, 5), (101, 6), (102, 8)])],
    ] {
        let [one, two] = halves;
        for order in [[one.clone(), other.clone(), two.clone()], [two, one, other.clone()]] {
            let mut w = start();
            let merged = w.merge(103, &order, &k);
            assert_eq!((merged.unknown, merged.fresh), (None, 3), "{order:?}");
            assert!((w.sums(0, 3).first - 40.0).abs() < 1e-9, "{order:?}");
        }
    }
}

#[test]
fn two_different_words_about_one_second_are_contradictory_in_any_order() {
    let k = Constants::default();
    let (few, many) = (report("a", &[(100, 5)]), report("a", &[(100, 500)]));
    let seen = [[few.clone(), many.clone()], [many, few]].map(|order| {
        let mut w = Window::default();
        w.merge(100, &[report("a", &[(99, 5)])], &k);
        (w.merge(101, &order, &k), w)
    });
    assert_eq!(seen[0].0.unknown, Some(Unknown::Contradictory));
    assert_eq!(seen[0], seen[1]);
}

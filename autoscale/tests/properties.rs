//! What must hold for every input, in every state that inputs can lead to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod support;
use autoscale::{Bucket, Constants, Input, Pods, Report, ScaleToZero, Settings, State, decide};
use jiff::Timestamp;
use proptest::prelude::*;
use support::START;
use support::life::{Life, Step};

/// Counts from plausible to absurd.
fn count() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0..300u32, 2 => 0..20_000u32, 1 => any::<u32>()]
}

/// Seconds from plausible to no number at all.
fn sum() -> impl Strategy<Value = f64> {
    prop_oneof![8 => 0.0..100.0f64, 1 => any::<f64>(), 1 => Just(f64::NAN)]
}

fn bucket() -> impl Strategy<Value = Bucket> {
    let counts = (count(), 0..50u32, count(), 0..20u32, 0..20u32, count(), count(), 0..5u32);
    (counts, sum(), sum(), prop::collection::vec(1.0..40_000.0f64, 0..30)).prop_map(
        |(c, wait, service, times)| {
            let mut b = Bucket {
                first_tries: c.0,
                retries: c.1,
                completed: c.2,
                errors: c.3,
                timeouts: c.4,
                in_flight: c.5,
                waiting: c.6.min(c.5),
                streams: c.7,
                wait_seconds: wait,
                service_seconds: service,
                ..Bucket::default()
            };
            for t in times {
                b.service.record(t);
                b.latency.record(t * 1.5);
            }
            b
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let time = prop_oneof![12 => Just(1i64), 2 => 0..5i64, 1 => -100..4_000i64];
    let maybe = || prop::option::weighted(0.9, bucket());
    (
        time,
        maybe(),
        maybe(),
        0..60u32,
        prop::collection::vec(-100..100i64, 0..4),
        prop_oneof![Just(25.0f32), any::<f32>()],
        prop::option::weighted(0.05, 0..80u32),
        any::<f64>(),
    )
        .prop_map(|(pass, a, b, ready, starting, cold, foreign, hint)| Step {
            pass,
            buckets: [a, b],
            ready,
            starting,
            cold,
            foreign,
            hint,
        })
}

fn settings() -> impl Strategy<Value = Settings> {
    (
        0..10u32,
        0..40u32,
        prop::option::of(1.0..2_000.0f64),
        prop::option::of(20.0..2_000.0f64),
        prop::option::of(1.0..50.0f64),
        prop::option::of(60.0..600.0f64),
    )
        .prop_map(|(min, more, rpm, p95, concurrency, zero)| Settings {
            rpm,
            p95,
            concurrency,
            scale_to_zero: zero.map(|after_seconds| ScaleToZero { after_seconds }),
            ..Settings::between(min, min + more + 1)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_bounds_hold_and_nothing_is_nan(settings in settings(), steps in prop::collection::vec(step(), 1..120)) {
        let mut life = Life::new(settings.min);
        for s in &steps {
            let (_, d) = life.live(&settings, s);
            prop_assert!(support::life::fault(&settings, &d).is_none(), "{:?}: {d}", support::life::fault(&settings, &d));
        }
    }

    #[test]
    fn unknown_signals_never_lower(settings in settings(), steps in prop::collection::vec(step(), 1..80)) {
        let mut life = Life::new(settings.min);
        for s in &steps {
            let before = life.replicas;
            let (_, d) = life.live(&settings, s);
            prop_assert!(!support::life::was_lowered_blindly(&settings, before, &d), "{before} -> {d}");
        }
    }

    #[test]
    fn more_first_tries_never_ask_for_fewer_pods(
        settings in settings(),
        steps in prop::collection::vec(step(), 1..80),
        more in 1..500u32,
    ) {
        let mut life = Life::new(settings.min);
        let (last, rest) = steps.split_last().unwrap();
        rest.iter().for_each(|s| { life.live(&settings, s); });
        let input = life.input(last);
        let mut raised = input.clone();
        for r in &mut raised.reports {
            for b in &mut r.buckets {
                b.first_tries = b.first_tries.saturating_add(more);
            }
        }
        // A count that becomes absurd is a fault and not more demand.
        let sane = raised.reports.iter().flat_map(|r| &r.buckets).all(|b| b.first_tries <= 10_000_000);
        let k = Constants::default();
        let few = decide(&settings, &k, &mut life.state.clone(), &input);
        let many = decide(&settings, &k, &mut life.state.clone(), &raised);
        prop_assert!(!sane || many.replicas >= few.replicas, "{few}\n{many}");
    }

    #[test]
    fn more_first_tries_on_a_slope_never_ask_for_fewer_pods(
        base in 20..400u32,
        rises in prop::collection::vec(0..120u32, 2..40),
        newest in 0..600u32,
        more in 1..400u32,
    ) {
        // The three shapes that random seconds never have: a long calm, a slope, and a last second that breaks it.
        let mut p = support::Process::new((base / 15).max(2));
        p.settings.max = 1_000;
        let waver = |second: u32, rate: u32| support::healthy(rate + (second * 7) % 11);
        for second in 0..90 {
            p.seconds(1, waver(second, base));
        }
        let mut rate = base;
        for (second, rise) in (90..).zip(&rises) {
            rate += rise;
            p.seconds(1, waver(second, rate));
        }
        let few = p.clone().seconds(1, support::healthy(base + newest))[0];
        let raised = Bucket { first_tries: base + newest + more, ..support::healthy(base + newest) };
        let many = p.clone().seconds(1, raised)[0];
        prop_assert!(many >= few, "{few} -> {many}");
    }

    #[test]
    fn the_order_of_the_reports_changes_nothing(settings in settings(), steps in prop::collection::vec(step(), 1..60)) {
        let (mut life, k) = (Life::new(settings.min), Constants::default());
        for s in &steps {
            let input = life.input(s);
            let mut turned = input.clone();
            turned.reports.reverse();
            let mut other = life.state.clone();
            let a = decide(&settings, &k, &mut life.state, &input);
            let b = decide(&settings, &k, &mut other, &turned);
            prop_assert_eq!(a.to_string(), b.to_string());
            life.replicas = a.replicas;
        }
    }

    #[test]
    fn a_restart_continues_as_if_nothing_had_happened(settings in settings(), steps in prop::collection::vec(step(), 1..60)) {
        let (mut life, k) = (Life::new(settings.min), Constants::default());
        for s in &steps {
            let input = life.input(s);
            let text = serde_json::to_string(&life.state).unwrap();
            let mut restored: State = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&restored, &life.state, "every bit survives");
            let a = decide(&settings, &k, &mut life.state, &input);
            let b = decide(&settings, &k, &mut restored, &input);
            prop_assert_eq!(a.to_string(), b.to_string());
            life.replicas = a.replicas;
        }
    }

    #[test]
    fn a_tick_that_comes_twice_changes_nothing(settings in settings(), steps in prop::collection::vec(step(), 1..60)) {
        let mut life = Life::new(settings.min);
        for s in &steps {
            let (input, first) = life.live(&settings, s);
            let again = decide(&settings, &Constants::default(), &mut life.state, &input);
            prop_assert_eq!(again.replicas, first.replicas, "{}\n{}", first, again);
            life.replicas = again.replicas;
        }
    }

    #[test]
    fn a_late_tick_decides_like_punctual_ones(rate in 20..150u32, late in 2..8usize) {
        let settings = Settings { concurrency: Some(4.0), ..Settings::between(2, 50) };
        let (k, mut punctual, mut tardy) = (Constants::default(), State::default(), State::default());
        let (mut replicas, mut buckets) = ([10, 10], Vec::new());
        for second in 0..600i64 {
            let b = Bucket { second: START + second, ..support::healthy(rate) };
            buckets.push(b);
            let mut p = support::Process::new(10);
            p.input.now = Timestamp::from_second(START + second + 1).unwrap();
            let input = |buckets: Vec<Bucket>, replicas| Input {
                reports: vec![Report { router: "a".into(), buckets, gone: false }],
                pods: Pods { ready: replicas, ..Pods::default() },
                replicas,
                ..p.input.clone()
            };
            replicas[0] = decide(&settings, &k, &mut punctual, &input(vec![b], replicas[0])).replicas;
            if buckets.len() == late {
                let seen = std::mem::take(&mut buckets);
                replicas[1] = decide(&settings, &k, &mut tardy, &input(seen, replicas[1])).replicas;
            }
        }
        prop_assert!(replicas[0].abs_diff(replicas[1]) <= 1, "{replicas:?}");
    }
}

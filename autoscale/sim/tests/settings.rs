//! Our law as users write it when they do not know their slots: requests per minute, a p95, or nothing but a range.
use autoscale::{Constants, Settings};
use autoscale_sim::{
    law::run,
    peers::keelway::Keelway,
    score::{Score, score},
    trace::Trace,
    traces::family,
};

fn trace(name: &str) -> Trace {
    family(0).into_iter().find(|t| t.name == name).unwrap_or_else(|| unreachable!("no trace {name}"))
}

fn play(trace: &Trace, settings: Settings) -> Score {
    let mut law = Keelway::new(trace, Constants::default());
    law.settings = settings;
    score(&run(trace, &mut law))
}

fn of(trace: &Trace) -> Settings {
    Settings::between(trace.bounds.0, trace.bounds.1)
}

#[test]
fn requests_per_minute_alone_follow_a_step() {
    let trace = trace("step");
    let declared = play(&trace, Settings { concurrency: Some(4.0), ..of(&trace) });
    // 70% of four slots of 0.2 s are 14 requests per second.
    let rpm = play(&trace, Settings { rpm: Some(840.0), ..of(&trace) });
    assert!(rpm.violations_pct < declared.violations_pct + 0.3, "{rpm:?} beside {declared:?}");
    assert!(rpm.pod_hours < declared.pod_hours * 1.5, "{rpm:?} beside {declared:?}");
}

#[test]
fn requests_per_minute_alone_ask_for_what_they_say_on_flat_traffic() {
    let trace = Trace::new("flat", "", 5, vec![300.0; 7_200]);
    let rpm = play(&trace, Settings { rpm: Some(600.0), ..of(&trace) });
    assert!(rpm.most <= 40, "300/s at 10/s and pod are 30: {rpm:?}");
    assert!(rpm.violations_pct < 0.1, "{rpm:?}");
}

#[test]
fn a_burst_of_one_second_buys_no_crowd() {
    let rate = |second: u16| if second % 300 == 299 && second > 600 { 200.0 } else { 20.0 };
    let trace = Trace::new("burst", "", 5, (0..14_400).map(rate).collect());
    let burst = play(&trace, Settings { concurrency: Some(4.0), ..of(&trace) });
    assert!(burst.most <= 50 && burst.pod_hours < 20.0, "{burst:?}");
}

#[test]
fn slots_that_were_declared_and_are_not_there_are_not_counted_on() {
    let trace = Trace::new("flat", "", 5, vec![100.0; 14_400]);
    for (declared, most) in [(6.0, 0.3), (8.0, 0.3), (20.0, 1.0)] {
        let mut law = Keelway::new(&trace, Constants::default());
        law.settings = Settings { concurrency: Some(declared), ..of(&trace) };
        let four = score(&run(&trace, &mut law));
        assert!(four.violations_pct < most, "{declared}: {four:?}");
        let words = law.last.map(|d| d.to_string()).unwrap_or_default();
        assert!(words.contains("FewerSlots: pods are full with"), "{declared}: {words}");
    }
}

#[test]
fn slots_that_nobody_declared_are_learned_from_full_pods() {
    let trace = trace("step");
    let declared = play(&trace, Settings { concurrency: Some(4.0), ..of(&trace) });
    let learned = play(&trace, of(&trace));
    assert!(learned.violations_pct < declared.violations_pct + 0.5, "{learned:?} beside {declared:?}");
    assert!(learned.pod_hours < declared.pod_hours * 1.1, "{learned:?} beside {declared:?}");
}

#[test]
fn a_p95_alone_keeps_most_requests_in_time() {
    let trace = trace("ramp");
    let p95 = play(&trace, Settings { p95: Some(500.0), ..of(&trace) });
    assert!(p95.violations_pct < 1.0, "{p95:?}");
    assert!(p95.reversals < 30, "{p95:?}");
}

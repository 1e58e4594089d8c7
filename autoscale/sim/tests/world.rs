//! The simulated world behaves like queues do.
use autoscale_sim::{
    fleet::Fleet,
    trace::{Event, Trace},
    world::{Sample, Supply, World},
};

fn simulate(trace: &Trace, pods: u32) -> World<'_> {
    let mut world = World::new(trace, Supply::Fleet(Fleet::new(trace, pods)));
    (0..trace.seconds()).for_each(|_| world.second());
    world
}

fn late(world: &World<'_>) -> f64 {
    let sum = |f: fn(&Sample) -> u32| world.samples.iter().map(|s| f64::from(f(s))).sum::<f64>();
    1.0 - sum(|s| s.good) / sum(|s| s.arrived)
}

#[test]
fn a_queue_waits_as_erlang_says() {
    // 100/s × 0.2 s on 24 slots: Erlang C gives about 25% waiting and a mean wait near 10 ms; hardly any second is missed.
    let trace = Trace::new("t", "", 5, vec![100.0; 1800]);
    let world = simulate(&trace, 6);
    assert!(late(&world) < 0.002, "{}", late(&world));
    assert!(late(&simulate(&trace, 4)) > 0.9, "16 slots cannot serve 20 Erlang");
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let trace = Trace::new("t", "", 6, vec![150.0; 300]);
    let (a, b) = (simulate(&trace, 7), simulate(&trace, 7));
    assert_eq!(
        a.samples.iter().map(|s| s.good).collect::<Vec<_>>(),
        b.samples.iter().map(|s| s.good).collect::<Vec<_>>()
    );
}

#[test]
fn arrivals_do_not_depend_on_the_pods() {
    let trace = Trace::new("t", "", 7, vec![100.0; 120]);
    let of = |pods| simulate(&trace, pods).samples.iter().map(|s| s.arrived).collect::<Vec<_>>();
    assert_eq!(of(2), of(50));
}

#[test]
fn a_slow_downstream_cannot_be_helped_by_pods() {
    let slow = Event::Slow { from: 60, to: 240, factor: 5.0, slots: 40.0 };
    let trace = Trace { events: vec![slow], ..Trace::new("t", "", 8, vec![100.0; 240]) };
    assert!(late(&simulate(&trace, 7)) > 0.5);
    assert!(late(&simulate(&trace, 200)) > 0.5);
}

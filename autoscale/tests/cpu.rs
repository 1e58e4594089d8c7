//! Processes whose pods lack CPU: nothing waits that a router could see, and more pods do help.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_precision_loss)] // helpers of tests

mod support;
use autoscale::{Bucket, Settings};
use support::{Process, cpu::SharedCpu, is_slow};

/// The share of requests that were given up.
fn lost(seconds: &[Bucket]) -> f64 {
    let sum = |of: fn(&Bucket) -> u32| f64::from(seconds.iter().map(of).sum::<u32>());
    sum(|b| b.timeouts) / sum(|b| b.first_tries)
}

#[test]
fn a_process_that_lacks_cpu_gets_its_pods_though_nothing_waits_at_the_router() {
    let range = || Settings::between(1, 20);
    for settings in
        [range(), Settings { p95: Some(300.0), ..range() }, Settings { concurrency: Some(20.0), ..range() }]
    {
        let mut p = Process::new(1);
        p.settings = settings.clone();
        let mut world = SharedCpu::new(0.05);
        world.live(&mut p, 900, |_| 5.0);
        let rising = world.live(&mut p, 600, |second| 5.0 + 55.0 * second as f64 / 600.0);
        assert!(lost(&rising) > 0.3, "the case is as bad as it is meant to be: {}", lost(&rising));
        world.live(&mut p, 1_200, |_| 60.0);
        let after = world.live(&mut p, 7_200, |_| 60.0);
        assert!(lost(&after) < 1e-9 && !is_slow(&p), "{settings:?}: {} {}", lost(&after), p.words());
        assert!(p.last.as_ref().unwrap().replicas < 10, "three cores are needed: {}", p.words());
    }
}

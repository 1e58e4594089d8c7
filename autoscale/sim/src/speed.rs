//! How long a decision takes when 1,000 environments are decided one after the other.
use crate::law::{EPOCH, time};
use autoscale::{Bucket, Constants, Hints, Input, Pods, Report, Settings, State, decide};
use std::time::Instant;

/// Microseconds per decision of so many environments, each with its own state and two routers, one new bucket per tick
/// and router; the median of 31 ticks (other programs disturb some) after a minute and a half of history.
///
/// # Errors
/// When the settings of the benchmark are refused.
pub fn decision_us(environments: usize) -> Result<f64, autoscale::SettingsError> {
    let settings =
        Settings { concurrency: Some(4.0), p95: Some(300.0), rpm: Some(600.0), ..Settings::between(2, 200) };
    settings.check()?;
    let k = Constants::default();
    let mut states = vec![State::default(); environments];
    let mut tick = |second: u32| {
        let inputs: Vec<Input> = (0..environments as u32).map(|i| input(second, i)).collect();
        let begun = Instant::now();
        for (state, input) in states.iter_mut().zip(&inputs) {
            std::hint::black_box(decide(&settings, &k, state, input));
        }
        begun.elapsed().as_secs_f64()
    };
    (0..90).for_each(|s| {
        tick(s);
    });
    let mut spent: Vec<f64> = (90..121).map(tick).collect();
    spent.sort_by(f64::total_cmp);
    Ok(spent[15] * 1e6 / environments as f64)
}

fn input(second: u32, environment: u32) -> Input {
    let mut bucket = Bucket {
        second: EPOCH + i64::from(second),
        first_tries: 20 + (environment + second) % 7,
        completed: 20,
        in_flight: 5,
        service_seconds: 4.0,
        wait_seconds: 0.1,
        ..Bucket::default()
    };
    for i in 0..20 {
        bucket.service.record(100.0 + f64::from(i) * 10.0);
        bucket.latency.record(100.0 + f64::from(i) * 11.0);
    }
    let report = |router: &str| Report { router: router.into(), buckets: vec![bucket], gone: false };
    Input {
        now: time(second),
        release: "v42".into(),
        replicas: 5,
        reports: vec![report("router-a"), report("router-b")],
        pods: Pods { ready: 5, starting: vec![time(second)], terminating: 0 },
        cold_starts: vec![25.0; 16],
        hints: Hints::default(),
        foreign: None,
        wake: false,
    }
}

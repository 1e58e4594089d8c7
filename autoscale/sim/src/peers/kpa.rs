//! Knative's pod autoscaler, after `pkg/autoscaler/scaling/autoscaler.go` of knative.dev/serving v0.42.2, whose
//! decisions on shared inputs are the vectors in `tests/vectors/kpa.csv` (made by `e2e/kpa`).
use super::recent::Recent;
use crate::law::{Law, View};

/// Seconds between two loops.
const LOOP: u32 = 2;
/// Seconds of the stable and the panic window.
const WINDOWS: (u32, u32) = (60, 6);
/// Desired over ready pods at which it panics.
const PANIC: f64 = 2.0;
/// Most growth and most shrinkage per loop.
const RATES: (f64, f64) = (1000.0, 2.0);

/// The decider's state.
pub struct Kpa {
    target: f64,
    recent: Recent,
    core: Core,
}

/// The decision itself, which the vectors check.
#[derive(Debug, Clone, Copy, Default)]
pub struct Core {
    /// Second of the last breach while panicking.
    pub panic: Option<f64>,
    /// Most pods wanted in this panic.
    pub most: f64,
}

impl Core {
    /// One decision from the mean concurrency of both windows, as `Scale` makes it.
    pub fn scale(&mut self, now: f64, ready: u32, stable: f64, panic: f64, target: f64) -> u32 {
        let ready = f64::from(ready.max(1));
        let (up, down) = ((RATES.0 * ready).ceil(), (ready / RATES.1).floor());
        let (by_stable, by_panic) = ((stable / target).ceil(), (panic / target).ceil());
        let over = by_panic / ready >= PANIC;
        if over {
            self.panic = Some(now);
        } else if self.panic.is_some_and(|since| since + f64::from(WINDOWS.0) < now) {
            *self = Self::default();
        }
        let mut desired = by_stable.max(down).min(up);
        if self.panic.is_some() {
            self.most = self.most.max(desired).max(by_panic.max(down).min(up));
            desired = self.most;
        }
        desired as u32
    }
}

impl Kpa {
    /// A decider with a target concurrency per pod. With more than one pod it starts in panic, as the original does.
    pub fn new(target: f64, replicas: u32) -> Self {
        let core =
            if replicas > 1 { Core { panic: Some(0.0), most: f64::from(replicas) } } else { Core::default() };
        Self { target, recent: Recent::default(), core }
    }
}

impl Law for Kpa {
    fn tick(&mut self, view: &View<'_>) -> Option<u32> {
        self.recent.push(view.second, view.bucket, WINDOWS.0);
        if !view.second.is_multiple_of(LOOP) {
            return None;
        }
        // Concurrency is averaged over the buckets of the window; without any there is no data to scale on.
        let mean = |last| self.recent.mean(view.second, last, |b| b.in_flight + b.streams);
        let stable = mean(WINDOWS.0)?;
        let panic = mean(WINDOWS.1).unwrap_or(0.0);
        let wanted = self.core.scale(f64::from(view.second), view.fleet.ready, stable, panic, self.target);
        Some(view.clamp(f64::from(wanted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every line: time, ready, stable, panic → what knative.dev/serving v0.42.2 decided, one decider per `run`.
    #[test]
    fn every_decision_of_the_real_autoscaler_is_reproduced() {
        let vectors = include_str!("../../../tests/vectors/kpa.csv");
        let (mut run, mut core, mut checked) = (String::new(), Core::default(), 0);
        for line in vectors.lines().skip(1) {
            let f: Vec<&str> = line.split(',').collect();
            let n = |i: usize| f[i].parse::<f64>().unwrap();
            if f[0] != run {
                (run, core) = (f[0].to_owned(), Core::default());
            }
            let got = core.scale(n(1), n(2) as u32, n(3), n(4), n(5));
            assert!((f64::from(got) - n(6)).abs() < f64::EPSILON, "{line}");
            checked += 1;
        }
        assert!(checked > 1000, "{checked} vectors");
    }
}

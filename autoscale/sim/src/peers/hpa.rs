//! The Kubernetes Horizontal Pod Autoscaler, and what KEDA's http add-on feeds it.
//!
//! From the documentation ("Algorithm details", "Configurable scaling behavior") and `replica_calculator.go`: desired =
//! ⌈current × metric/target⌉, ignored if |ratio − 1| ≤ 0.1; down takes the maximum recommendation of 300 s; up is at
//! most the larger of +100% and +4 pods per 15 s; one loop per 15 s; without metrics nothing changes.
use super::recent::Recent;
use crate::law::{Law, View};
use std::collections::VecDeque;

/// The metric an HPA scales on, with its target.
#[derive(Debug, Clone, Copy)]
pub enum Metric {
    /// Completed requests per second and pod, averaged over a minute.
    Completed(f64),
    /// Arrivals per second and pod, averaged over a minute.
    Arrivals(f64),
    /// p95 of the latency in ms over a minute; a value of the whole process, not per pod.
    P95(f64),
    /// KEDA http add-on: in-flight requests and a one-minute rate, per pod; the larger wins.
    Keda { concurrency: f64, rate: f64 },
}

/// Seconds between two loops.
const LOOP: u32 = 15;
/// Seconds of the down stabilisation.
const STABILISE: u32 = 300;

/// An HPA with the default behaviour.
pub struct Hpa {
    metric: Metric,
    recent: Recent,
    /// Recommendations of the last 300 s.
    recommended: VecDeque<(u32, u32)>,
}

/// ⌈replicas × ratio⌉ unless the ratio is within the tolerance.
fn by_ratio(replicas: u32, ratio: f64) -> u32 {
    of_ready(replicas, replicas, ratio)
}

/// ⌈ready × ratio⌉, or the replicas as they are within the tolerance: `getUsageRatioReplicaCount`, for a value of the
/// whole process. Pods that start do not count, so a value that stays high does not multiply what it has ordered.
fn of_ready(replicas: u32, ready: u32, ratio: f64) -> u32 {
    if (ratio - 1.0).abs() <= 0.1 { replicas } else { (f64::from(ready) * ratio - 1e-9).ceil() as u32 }
}

/// Most replicas after one loop: the larger of twice as many and four more.
fn fastest(replicas: u32) -> u32 {
    (2 * replicas).max(replicas + 4)
}

impl Hpa {
    /// An HPA that found so many replicas.
    pub fn new(metric: Metric, replicas: u32) -> Self {
        Self { metric, recent: Recent::default(), recommended: VecDeque::from([(0, replicas)]) }
    }

    /// What the metric alone asks for.
    fn raw(&self, view: &View<'_>) -> Option<u32> {
        let (now, replicas) = (view.second, view.desired);
        let per_pod =
            |value: f64, target: f64| by_ratio(replicas, value / (f64::from(replicas.max(1)) * target));
        let mean = |last, of: fn(&autoscale::Bucket) -> u32| self.recent.mean(now, last, of);
        match self.metric {
            Metric::Completed(target) => Some(per_pod(mean(60, |b| b.completed)?, target)),
            Metric::Arrivals(target) => Some(per_pod(mean(60, |b| b.first_tries + b.retries)?, target)),
            Metric::P95(target) => {
                let ratio = self.recent.latency(now, 60, 0.95)? / target;
                Some(of_ready(replicas, view.fleet.ready, ratio))
            }
            Metric::Keda { concurrency, rate } => {
                let in_flight = mean(1, |b| b.in_flight + b.streams)?;
                let arrivals = mean(60, |b| b.first_tries + b.retries)?;
                Some(per_pod(in_flight, concurrency).max(per_pod(arrivals, rate)))
            }
        }
    }

    /// One loop: stabilised downwards, limited upwards.
    fn behave(&mut self, now: u32, replicas: u32, raw: u32) -> u32 {
        self.recommended.push_back((now, raw));
        while self.recommended.front().is_some_and(|(at, _)| at + STABILISE < now) {
            self.recommended.pop_front();
        }
        let stable = self.recommended.iter().map(|r| r.1).max().unwrap_or(raw);
        let wanted = if raw < replicas { stable.min(replicas) } else { raw };
        wanted.min(fastest(replicas))
    }
}

impl Law for Hpa {
    fn tick(&mut self, view: &View<'_>) -> Option<u32> {
        self.recent.push(view.second, view.bucket, 60);
        if !view.second.is_multiple_of(LOOP) {
            return None;
        }
        let raw = self.raw(view)?;
        let wanted = self.behave(view.second, view.desired, raw.clamp(view.bounds.0, view.bounds.1));
        Some(view.clamp(f64::from(wanted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_documentation_hold() {
        // "if the current metric value is 200m, and the desired value is 100m, the number of replicas will be doubled";
        // "50m … halve"; tolerance 0.1.
        assert_eq!(by_ratio(3, 200.0 / 100.0), 6);
        assert_eq!(by_ratio(4, 50.0 / 100.0), 2);
        assert_eq!((by_ratio(10, 1.09), by_ratio(10, 0.91), by_ratio(10, 1.11)), (10, 10, 12));
        // replica_calculator_test.go: 3 replicas at 30, 50 and 30 of target 20 … 5 at 0.3/0.5/0.7 of 0.3 → 5.
        assert_eq!(by_ratio(3, 1.5 / (3.0 * 0.3)), 5);
    }

    #[test]
    fn a_value_of_the_whole_process_multiplies_the_ready_pods() {
        // getUsageRatioReplicaCount: 10 replicas of which 4 are ready, value twice its target: 8, not 20.
        assert_eq!(of_ready(10, 4, 2.0), 8);
        assert_eq!(of_ready(10, 4, 1.05), 10, "within the tolerance the current replicas stay");
        assert_eq!(of_ready(10, 4, 0.5), 2);
    }

    #[test]
    fn up_is_doubled_or_four_more_per_loop() {
        // Documentation, "Default behavior": 4 pods or 100% per 15 s, whichever is higher.
        assert_eq!((fastest(1), fastest(3), fastest(10)), (5, 7, 20));
    }

    #[test]
    fn down_takes_the_maximum_of_five_minutes() {
        // Documentation: recommendations [2 … 10] of the window stabilise to the highest.
        let mut hpa = Hpa::new(Metric::Completed(1.0), 10);
        assert_eq!(hpa.behave(0, 10, 2), 10);
        assert_eq!(hpa.behave(300, 10, 3), 10);
        assert_eq!(hpa.behave(315, 10, 2), 3);
        assert_eq!(hpa.behave(330, 3, 50), 7);
    }
}

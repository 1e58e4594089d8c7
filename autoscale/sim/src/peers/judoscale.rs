//! Judoscale on queue time, after its documentation ("Tuning your application", "Autoscaling behavior"): metrics in 10 s
//! aggregates; one more when the newest p95 of the queue time is above the upper end of the range and the last step up is
//! a while ago; one less when it has been below for 10 min, and so on every 10 min.
//!
//! The queue time of a request is known when it begins; its p95 is estimated here from the mean of a 10 s aggregate as
//! if waits were exponential (p95 = ln 20 × mean), because the signals carry sums.
use crate::law::{Law, View};

/// Seconds of an aggregate.
const AGGREGATE: u32 = 10;
/// Queue time in ms above which one more is asked for.
const UPPER: f64 = 100.0;
/// Seconds between two steps up: as long as a new pod takes ("30–45 seconds on Heroku").
const UP_EVERY: u32 = 30;
/// Seconds of quiet before a step down.
const DOWN_AFTER: u32 = 600;

/// Judoscale's law.
#[derive(Debug, Default)]
pub struct Judoscale {
    wait: f64,
    begun: f64,
    last_up: Option<u32>,
    /// Since when the queue time is below the range, or the last step down.
    quiet: Option<u32>,
}

impl Judoscale {
    /// One aggregate: the step to take.
    fn step(&mut self, now: u32, queue_ms: f64) -> i32 {
        if queue_ms > UPPER {
            self.quiet = None;
            if self.last_up.is_none_or(|at| now - at >= UP_EVERY) {
                self.last_up = Some(now);
                return 1;
            }
            return 0;
        }
        let since = *self.quiet.get_or_insert(now);
        if now - since >= DOWN_AFTER {
            self.quiet = Some(now);
            return -1;
        }
        0
    }
}

impl Law for Judoscale {
    fn tick(&mut self, view: &View<'_>) -> Option<u32> {
        let bucket = view.bucket?;
        self.wait += bucket.wait_seconds;
        self.begun += f64::from(bucket.completed + bucket.errors).max(1.0);
        if view.second % AGGREGATE != AGGREGATE - 1 {
            return None;
        }
        let queue_ms = 20f64.ln() * 1000.0 * self.wait / self.begun;
        (self.wait, self.begun) = (0.0, 0.0);
        let step = self.step(view.second, queue_ms);
        (step != 0).then(|| view.clamp(f64::from(view.desired) + f64::from(step)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_up_at_once_with_a_cooldown_and_one_down_after_ten_quiet_minutes() {
        let mut j = Judoscale::default();
        assert_eq!((j.step(10, 300.0), j.step(20, 300.0), j.step(40, 300.0)), (1, 0, 1));
        assert_eq!((j.step(50, 5.0), j.step(640, 5.0), j.step(650, 5.0)), (0, 0, -1));
        assert_eq!((j.step(660, 5.0), j.step(1250, 5.0)), (0, -1));
    }
}

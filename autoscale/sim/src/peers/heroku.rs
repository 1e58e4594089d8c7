//! Heroku's autoscaling of web dynos on p95, after its documentation ("Autoscaling": "the minimum number of dynos
//! required to achieve the desired p95 at the current throughput", from the past hour's data, one dyno at a time).
//!
//! What is not documented is taken kindly: a dyno carries the largest throughput per dyno seen within the hour at which
//! p95 met the target; without such data it steps up while p95 is above the target. Up at most once a minute, down
//! at most once in five ("downscaling is slower").
use super::recent::Recent;
use crate::law::{Law, View};
use std::collections::VecDeque;

/// Seconds between two decisions, up and down.
const EVERY: (u32, u32) = (60, 300);
/// Minutes of history.
const HISTORY: usize = 60;

/// Heroku's law.
pub struct Heroku {
    target: f64,
    recent: Recent,
    /// Throughput per dyno and p95 of each of the last 60 minutes.
    minutes: VecDeque<(f64, f64)>,
    last: u32,
}

/// Dynos for a throughput by the history, if it has an answer.
fn needed(minutes: &VecDeque<(f64, f64)>, target: f64, throughput: f64) -> Option<u32> {
    let met = minutes.iter().filter(|m| m.1 <= target).map(|m| m.0);
    let best = met.max_by(f64::total_cmp).filter(|per_dyno| *per_dyno > 0.0)?;
    Some((throughput / best - 1e-9).ceil() as u32)
}

impl Heroku {
    /// The law with a p95 target in ms.
    pub fn new(target: f64) -> Self {
        Self { target, recent: Recent::default(), minutes: VecDeque::new(), last: 0 }
    }
}

impl Law for Heroku {
    fn tick(&mut self, view: &View<'_>) -> Option<u32> {
        self.recent.push(view.second, view.bucket, 60);
        if view.second % 60 != 59 {
            return None;
        }
        let throughput = self.recent.mean(view.second, 60, |b| b.completed + b.errors + b.timeouts)?;
        let p95 = self.recent.latency(view.second, 60, 0.95)?;
        self.minutes.push_back((throughput / f64::from(view.fleet.ready.max(1)), p95));
        if self.minutes.len() > HISTORY {
            self.minutes.pop_front();
        }
        let needed = needed(&self.minutes, self.target, throughput);
        let since = view.second - self.last;
        let up = p95 > self.target || needed.is_some_and(|n| n > view.desired);
        let down = !up && needed.is_some_and(|n| n < view.desired);
        let step = match (up && since >= EVERY.0, down && since >= EVERY.1) {
            (true, _) => 1.0,
            (_, true) => -1.0,
            _ => return None,
        };
        self.last = view.second;
        Some(view.clamp(f64::from(view.desired) + step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_dynos_that_would_have_met_the_target_are_wanted() {
        let minutes = VecDeque::from([(10.0, 300.0), (14.0, 480.0), (18.0, 700.0)]);
        assert_eq!(needed(&minutes, 500.0, 140.0), Some(10), "14 per dyno met it, 18 did not");
        assert_eq!(needed(&VecDeque::from([(18.0, 700.0)]), 500.0, 140.0), None);
    }
}

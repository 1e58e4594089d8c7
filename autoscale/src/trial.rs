//! What has been slow for so long, and does not cope: is it the thing behind the pods, or is it how the process is now?
//!
//! The verdict "slow downstream" keeps pods away, and without them requests pile up, so by itself it could last for
//! ever. After some minutes one small step is tried. If the process finishes more for it, in proportion, the step is kept
//! and the next one tried at once: a database with a little room is given that room, and where steps help all the way
//! to the pods that the present service time needs, or until everything is answered, it is the new normal. If a step
//! does not help, the next trial comes after three times as long. Its pods go as all pods go: when no request times out or
//! waits any more.
use crate::{
    baseline::Healthy,
    constants::Constants,
    math::{ceil, ratio},
};
use serde::{Deserialize, Serialize};

/// Seconds of history that a trial compares, before it and after its pods came.
const COMPARED: f64 = 60.0;
/// Seconds in which [`View::finished`] is counted.
const MINUTE: f64 = crate::downstream::MINUTE as f64;
/// By how much longer the wait is after each step that did not help.
const BACK_OFF: f64 = 3.0;
/// Longest time between two trials in seconds.
const LONGEST: f64 = 86_400.0;

/// A step that is being tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Step {
    from: u32,
    to: u32,
    /// Requests that the process finished in a minute before.
    finished: f64,
    /// Seconds since it was asked for, and since all its pods serve.
    age: f64,
    served: f64,
}

/// What is remembered about trials while the downstream is slow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trial {
    /// Seconds in which it was slow and did not cope, since the last trial.
    waited: f64,
    /// How many trials did not help.
    failed: u8,
    /// Pods up to which steps helped; 0 is none.
    earned: u32,
    /// Requests that each pod finished in a minute after the last step that helped.
    carried: f64,
    /// Whether the last step helped.
    climbs: bool,
    open: Option<Step>,
}

/// The facts a trial looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Seconds that became complete with this tick; 0 while signals are unknown.
    pub fresh: f64,
    /// Whether everything is answered, slow as it is.
    pub copes: bool,
    /// Whether a queue is being worked off, so that the present service time is not how it will be.
    pub drains: bool,
    /// The present service time.
    pub present: Option<Healthy>,
    /// Requests finished in the last minute, as [`crate::downstream::Look`] counts it.
    pub finished: f64,
    /// Whether slots are what is short: requests wait, fill more slots than they should, or are given up.
    pub is_full: bool,
    /// Pods that serve.
    pub ready: u32,
    /// Whether others are on their way.
    pub is_starting: bool,
    /// Pods that are allowed, and that the present service time would need: no trial goes beyond.
    pub most: u32,
    /// Cold start in seconds.
    pub cold_start: f64,
}

/// What comes of a trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tried {
    /// So many pods are being tried or have helped; 0 is none.
    Pods(u32),
    /// More pods helped all the way: this is the service time to count with.
    Helped(Healthy),
}

impl Trial {
    /// Looks at the newest seconds of a slow downstream.
    pub fn look(&mut self, view: View, k: &Constants) -> Tried {
        if let Some(step) = self.open {
            return self.go_on(step, view);
        }
        let wait = (k.slow_trial * BACK_OFF.powf(f64::from(self.failed))).min(LONGEST);
        if !view.copes {
            self.waited = (self.waited + view.fresh).min(LONGEST);
        }
        let is_enough = self.climbs && !view.drains && (view.copes || self.earned >= view.most);
        if let Some(present) = view.present.filter(|_| is_enough && view.fresh > 0.0) {
            return Tried::Helped(present);
        }
        // Only where slots are short do they decide how much is finished.
        let is_full = view.is_full && !view.is_starting;
        let to = ceil(f64::from(view.ready) * k.probe_step.0).min(view.most);
        let is_time = self.climbs || self.waited >= wait;
        if view.fresh <= 0.0 || view.copes || !is_full || !is_time || to <= view.ready {
            return Tried::Pods(self.earned);
        }
        let (from, finished) = (view.ready, view.finished);
        self.open = Some(Step { from, to, finished, age: 0.0, served: 0.0 });
        Tried::Pods(to)
    }

    /// Requests per second that a pod was seen to finish when more pods helped, asked when requests are as fast as ever
    /// again. If no pod finished more in the last minute (`finished` by `ready` pods) either, there was nothing behind the
    /// pods that recovered: they were full.
    pub fn carried(&self, finished: f64, ready: u32) -> Option<f64> {
        let is_same = finished <= 1.2 * self.carried * f64::from(ready);
        (self.carried > 0.0 && is_same).then_some(self.carried / MINUTE)
    }

    fn go_on(&mut self, mut step: Step, view: View) -> Tried {
        step.age += view.fresh;
        step.served = if view.ready >= step.to { step.served + view.fresh } else { 0.0 };
        self.open = Some(step);
        let is_served = step.served > COMPARED;
        // Pods that never came say nothing about themselves.
        if !is_served && step.age <= view.cold_start + 3.0 * COMPARED {
            return Tried::Pods(step.to);
        }
        (self.open, self.waited, self.climbs) = (None, 0.0, is_served && helped(step, view));
        if self.climbs {
            self.earned = step.to;
            self.carried = view.finished / f64::from(view.ready.max(1));
        } else if is_served {
            self.failed = self.failed.saturating_add(1);
        }
        Tried::Pods(self.earned)
    }
}

/// Whether the process finishes more by at least half of the pods' share, and by more than chance; or everything, now.
fn helped(step: Step, view: View) -> bool {
    let share = ratio(f64::from(view.ready), f64::from(step.from)).unwrap_or(1.0) - 1.0;
    let rise = view.finished - step.finished;
    let is_more = rise >= step.finished * share / 2.0 && rise > (2.0 * step.finished).sqrt();
    is_more || (view.copes && rise >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Healthy = Healthy { mean: 0.4, p50: 0.4 };

    fn view(ready: u32, finished: f64) -> View {
        View {
            fresh: 1.0,
            copes: false,
            drains: false,
            present: Some(NOW),
            finished,
            is_full: true,
            ready,
            is_starting: false,
            most: 200,
            cold_start: 25.0,
        }
    }

    /// Looks for so many seconds at ten pods, of which the present service time would need 14. More come 25 s after they
    /// were asked for, and `rate` says what is finished with how many. Returns every number that was asked for, with its
    /// second, and the second at which the present became normal.
    fn live(t: &mut Trial, seconds: u32, rate: impl Fn(u32) -> f64) -> (Vec<(u32, u32)>, Option<u32>) {
        let (k, mut asked, mut ready) = (Constants::default(), Vec::new(), 10);
        for second in 0..seconds {
            let pods = match t.look(View { most: 14, ..view(ready, rate(ready)) }, &k) {
                Tried::Helped(_) => return (asked, Some(second)),
                Tried::Pods(pods) => pods.max(10),
            };
            let (since, last) = asked.last().copied().unwrap_or((0, 10));
            if pods != last {
                asked.push((second, pods));
            } else if second - since > 25 {
                ready = pods;
            }
        }
        (asked, None)
    }

    #[test]
    fn steps_that_help_all_the_way_make_the_present_normal() {
        let (asked, normal) = live(&mut Trial::default(), 3_000, |ready| 600.0 * f64::from(ready));
        let pods: Vec<u32> = asked.iter().map(|a| a.1).collect();
        assert_eq!((asked[0].0, pods), (299, vec![12, 14]), "a fifth more, and no more than are needed");
        assert!(normal.is_some_and(|at| at < 500), "{normal:?}");
    }

    #[test]
    fn a_step_that_helps_is_kept_although_the_next_one_does_not() {
        let mut t = Trial::default();
        let (asked, normal) = live(&mut t, 900, |ready| 600.0 * f64::from(ready.min(12)));
        let pods: Vec<u32> = asked.iter().map(|a| a.1).collect();
        assert_eq!((pods, normal), (vec![12, 14, 12], None));
        let quiet = View { copes: true, ..view(12, 6_000.0) };
        assert_eq!(t.look(quiet, &Constants::default()), Tried::Pods(12), "a quiet hour proves nothing more");
    }

    #[test]
    fn steps_that_do_not_help_come_more_and_more_seldom() {
        let (asked, normal) = live(&mut Trial::default(), 40_000, |_| 6_000.0);
        assert_eq!(normal, None);
        let begun: Vec<u32> = asked.iter().filter(|a| a.1 == 12).map(|a| a.0).collect();
        let between: Vec<u32> = begun.windows(2).map(|two| two[1] - two[0]).collect();
        assert_eq!(begun.len(), 5, "{asked:?}");
        assert!(between.windows(2).all(|two| two[1] > two[0] + two[0] / 2), "{between:?}");
    }

    #[test]
    fn without_news_or_a_queue_or_room_nothing_is_tried() {
        let k = Constants::default();
        let full = view(10, 6_000.0);
        let cases = [
            View { fresh: 0.0, ..full },
            View { is_full: false, ..full },
            View { most: 10, ..full },
            View { copes: true, ..full },
            View { is_starting: true, ..full },
        ];
        for case in cases {
            let mut t = Trial::default();
            for _ in 0..3_000 {
                assert_eq!(t.look(case, &k), Tried::Pods(0), "{case:?}");
            }
        }
    }

    #[test]
    fn a_step_whose_pods_never_come_is_given_up_and_does_not_count() {
        let (k, mut t) = (Constants::default(), Trial::default());
        let asked = (0..1_200).filter(|_| t.look(view(10, 6_000.0), &k) == Tried::Pods(12)).count();
        assert!((400..=420).contains(&asked), "two steps of 205 s: {asked}");
        assert_eq!(t.failed, 0);
    }
}

//! What has been slow for so long, and does not cope: is it the thing behind the pods, or is it how the process is now?
//!
//! The verdict "slow downstream" keeps pods away, and without them requests pile up, so by itself it could last for
//! ever. After a long time one small step is tried: if the process finishes more for it, in proportion, more pods do
//! help, and the present service time is the new normal. If not, the next trial comes after twice as long. The pods of a
//! trial that did not help go as all pods go: when no request times out or waits any more.
use crate::{
    baseline::Healthy,
    constants::Constants,
    math::{ceil, ratio},
};
use serde::{Deserialize, Serialize};

/// Seconds of history that a trial compares, before it and after its pods came.
const COMPARED: f64 = 60.0;
/// Longest time between two trials in seconds.
const LONGEST: f64 = 86_400.0;

/// A step that is being tried.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
pub struct Trial {
    /// Seconds in which it was slow and did not cope, since the last trial.
    waited: f64,
    /// How many trials did not help.
    failed: u8,
    open: Option<Step>,
}

/// The facts a trial looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Seconds that became complete with this tick; 0 while signals are unknown.
    pub fresh: f64,
    /// Whether everything is answered, slow as it is.
    pub copes: bool,
    /// The present service time.
    pub present: Option<Healthy>,
    /// Requests finished in the last minute.
    pub finished: f64,
    /// Requests waiting.
    pub waiting: f64,
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
    /// Nothing is tried.
    Nothing,
    /// So many pods are being tried.
    Pods(u32),
    /// More pods helped: this is the service time to count with.
    Helped(Healthy),
}

impl Trial {
    /// Looks at the newest seconds of a slow downstream.
    pub fn look(&mut self, view: View, k: &Constants) -> Tried {
        if let Some(step) = self.open {
            return self.go_on(step, view);
        }
        let wait = (k.slow_trial * f64::from(self.failed).exp2()).min(LONGEST);
        if !view.copes {
            self.waited = (self.waited + view.fresh).min(LONGEST);
        }
        // Only where requests wait do the slots decide how much is finished.
        let is_full = view.waiting >= f64::from(view.ready) && !view.is_starting;
        let to = ceil(f64::from(view.ready) * k.probe_step.0).min(view.most);
        if view.fresh <= 0.0 || view.copes || !is_full || self.waited < wait || to <= view.ready {
            return Tried::Nothing;
        }
        let (from, finished) = (view.ready, view.finished);
        self.open = Some(Step { from, to, finished, age: 0.0, served: 0.0 });
        Tried::Pods(to)
    }

    fn go_on(&mut self, mut step: Step, view: View) -> Tried {
        step.age += view.fresh;
        step.served = if view.ready >= step.to { step.served + view.fresh } else { 0.0 };
        self.open = Some(step);
        if step.served > COMPARED {
            (self.open, self.waited) = (None, 0.0);
            if let Some(present) = view.present.filter(|_| helped(step, view)) {
                return Tried::Helped(present);
            }
            self.failed = self.failed.saturating_add(1);
            return Tried::Nothing;
        }
        if step.age > view.cold_start + 3.0 * COMPARED {
            // Its pods never came, which says nothing about them.
            (self.open, self.waited) = (None, 0.0);
            return Tried::Nothing;
        }
        Tried::Pods(step.to)
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
            present: Some(NOW),
            finished,
            waiting: 500.0,
            ready,
            is_starting: false,
            most: 200,
            cold_start: 25.0,
        }
    }

    /// Looks for so many seconds; the pods come after 25 s, `rate` says what is finished with how many pods. Returns the
    /// seconds at which a step began, and at which one helped.
    fn live(t: &mut Trial, seconds: u32, rate: impl Fn(u32) -> f64) -> (Vec<u32>, Option<u32>) {
        let (k, mut begun, mut ready, mut since) = (Constants::default(), Vec::new(), 10, None);
        for second in 0..seconds {
            match t.look(view(ready, rate(ready)), &k) {
                Tried::Helped(_) => return (begun, Some(second)),
                Tried::Pods(to) if since.is_none() => {
                    assert_eq!(to, 12, "a fifth more");
                    begun.push(second);
                    since = Some(second);
                }
                Tried::Pods(to) => {
                    if since.is_some_and(|s| second - s > 25) {
                        ready = to;
                    }
                }
                Tried::Nothing => (ready, since) = (10, None),
            }
        }
        (begun, None)
    }

    #[test]
    fn a_step_after_which_more_is_finished_makes_the_present_normal() {
        let (begun, helped) = live(&mut Trial::default(), 3_000, |ready| 600.0 * f64::from(ready));
        assert_eq!(begun, vec![2_399]);
        assert!(helped.is_some_and(|at| at < 2_500), "{helped:?}");
    }

    #[test]
    fn steps_that_do_not_help_come_more_and_more_seldom() {
        let (begun, helped) = live(&mut Trial::default(), 40_000, |_| 6_000.0);
        assert_eq!(helped, None);
        let between: Vec<u32> = begun.windows(2).map(|two| two[1] - two[0]).collect();
        assert_eq!(begun.len(), 4, "{begun:?}");
        assert!(between.windows(2).all(|two| two[1] > two[0] + two[0] / 2), "{between:?}");
    }

    #[test]
    fn without_news_or_a_queue_or_room_nothing_is_tried() {
        let k = Constants::default();
        let full = view(10, 6_000.0);
        let cases = [
            View { fresh: 0.0, ..full },
            View { waiting: 5.0, ..full },
            View { most: 10, ..full },
            View { copes: true, ..full },
            View { is_starting: true, ..full },
        ];
        for case in cases {
            let mut t = Trial::default();
            for _ in 0..3_000 {
                assert_eq!(t.look(case, &k), Tried::Nothing, "{case:?}");
            }
        }
    }

    #[test]
    fn a_step_whose_pods_never_come_is_given_up_and_does_not_count() {
        let (k, mut t) = (Constants::default(), Trial::default());
        let asked = (0..6_000).filter(|_| t.look(view(10, 6_000.0), &k) == Tried::Pods(12)).count();
        assert!((400..=420).contains(&asked), "two steps of 205 s: {asked}");
        assert_eq!(t.failed, 0);
    }
}

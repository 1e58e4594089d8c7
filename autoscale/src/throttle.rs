//! Are the pods short of CPU? What enters is the share of throttled CPU periods; what leaves is whether that explains slow
//! requests, so that the downstream is not blamed for them.
//!
//! Many processes are throttled a little all day. Only a rise over the usual share explains anything, and only until more
//! pods have come and not finished more: then something behind the pods is slow as well.
use crate::{constants::Constants, math::ratio};
use serde::{Deserialize, Serialize};

/// Time constant in seconds of the usual share.
const MEMORY: f64 = 300.0;
/// How far above the usual share a rise must lie.
const RISE: f64 = 0.1;
/// Seconds for which more pods must serve before they are judged.
const COMPARED: f64 = 60.0;

/// What is remembered about the throttled share.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Throttle {
    /// The share while requests are as fast as ever.
    usual: f64,
    /// Pods, and requests finished in a minute, when the rise was first seen or pods last helped.
    base: Option<(u32, f64)>,
    /// Seconds for which more pods than that have served.
    served: f64,
    /// More pods came and did not finish more.
    disproved: bool,
}

/// The facts of one tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Share of throttled CPU periods, if somebody says so.
    pub share: Option<f64>,
    /// Whether requests are as fast as ever.
    pub is_fast: bool,
    /// Pods that serve.
    pub ready: u32,
    /// Requests finished in the last minute.
    pub finished: f64,
    /// Seconds that became complete with this tick; 0 while signals are unknown.
    pub fresh: f64,
}

impl Throttle {
    /// Whether a lack of CPU explains slow requests now.
    pub fn explains(&mut self, view: View, k: &Constants) -> bool {
        let Some(share) = view.share.filter(|s| s.is_finite()).map(|s| s.clamp(0.0, 1.0)) else {
            *self = Self { usual: self.usual, ..Self::default() };
            return false;
        };
        let is_risen = share > k.throttled_high && share > self.usual + RISE;
        if view.is_fast {
            self.usual += (share - self.usual) * (1.0 - (-view.fresh / MEMORY).exp());
        }
        if !is_risen {
            *self = Self { usual: self.usual, ..Self::default() };
            return false;
        }
        self.judge(view, k);
        !self.disproved
    }

    /// Compares what is finished now with what was finished by fewer pods.
    fn judge(&mut self, view: View, k: &Constants) {
        let (pods, finished) = *self.base.get_or_insert((view.ready, view.finished));
        if f64::from(view.ready) < f64::from(pods) * k.probe_step.0 {
            self.served = 0.0;
            return;
        }
        self.served += view.fresh;
        if self.served > COMPARED {
            let share = ratio(f64::from(view.ready), f64::from(pods)).unwrap_or(1.0) - 1.0;
            self.disproved |= view.finished < finished * (1.0 + share / 2.0);
            (self.base, self.served) = (Some((view.ready, view.finished)), 0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(share: f64, ready: u32, finished: f64) -> View {
        View { share: Some(share), is_fast: false, ready, finished, fresh: 1.0 }
    }

    #[test]
    fn only_a_rise_over_the_usual_share_explains_anything() {
        let (k, mut t) = (Constants::default(), Throttle::default());
        for _ in 0..900 {
            t.explains(View { is_fast: true, ..view(0.3, 7, 6_000.0) }, &k);
        }
        assert!(!t.explains(view(0.35, 7, 6_000.0), &k));
        assert!(t.explains(view(0.6, 7, 6_000.0), &k));
    }

    #[test]
    fn pods_that_came_and_did_not_finish_more_end_the_excuse_until_the_rise_is_over() {
        let (k, mut t) = (Constants::default(), Throttle::default());
        assert!(t.explains(view(0.8, 7, 1_600.0), &k));
        let excused = (0..600).take_while(|_| t.explains(view(0.8, 12, 1_600.0), &k)).count();
        assert_eq!(excused, 60);
        t.explains(view(0.0, 12, 1_600.0), &k);
        assert!(t.explains(view(0.8, 12, 1_600.0), &k));
        let helped = (0..600).all(|_| t.explains(view(0.8, 20, 2_600.0), &k));
        assert!(helped, "pods that finish more are what was missing");
    }
}

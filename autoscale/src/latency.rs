//! Pods for a p95 target, and the proof that they help.
//!
//! The term speaks only while waiting is a fifth of the latency or more: pods shorten queues, not single requests.
//! Each step is judged once its pods have served for a while. Two steps that did not help are taken back, the term is
//! silenced for 10 minutes (20, 40, 60 the next times), and the pods at which it stopped helping are remembered.
//!
//! A verdict needs evidence: signals that are known, pods that came, and a moment at which it still says something
//! about the step. A step without it is given up without a verdict.
use crate::{
    constants::Constants,
    math::{Millis, after, ceil, seconds_since},
    output::Condition,
};
use serde::{Deserialize, Serialize};

/// A step that waits to be judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Probe {
    at: Millis,
    from: u32,
    to: u32,
    p95: f64,
}

/// What is known about a step.
enum Verdict {
    /// Not enough yet.
    Open,
    /// It lowered p95.
    Helped,
    /// It did not.
    Missed,
    /// Nothing, and it is too late to tell.
    GivenUp,
}

/// Pods that the latency asks for; 0 is nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ask {
    /// A step that is not judged yet: it goes at once if it does not help.
    pub probe: u32,
    /// A step that helped: earned like any other demand.
    pub earned: u32,
}

/// What is remembered about latency-driven steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    probe: Option<Probe>,
    misses: u32,
    /// Pods before the first of the steps that did not help.
    saturation: Option<u32>,
    blocked_until: Option<Millis>,
    /// The last block's length in seconds.
    block: f64,
}

/// The facts the term looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// p95 of the latency in ms; `None` while too few requests are answered to have one.
    pub p95: Option<f64>,
    /// The target in ms.
    pub target: f64,
    /// Waiting over latency.
    pub wait_share: f64,
    /// Pods that serve.
    pub ready: u32,
    /// Pods that are allowed at most.
    pub most: u32,
    /// Cold start in seconds.
    pub cold_start: f64,
    /// Whether the signals can be trusted; nothing is begun or judged on others.
    pub is_known: bool,
}

impl Latency {
    /// Pods that the latency asks for.
    pub fn ask(&mut self, now: Millis, view: View, k: &Constants) -> Ask {
        let mut ask = Ask::default();
        if !view.is_known {
            return Ask { probe: self.probe.map_or(0, |probe| probe.to), ..ask };
        }
        // A clock that ran ahead once must not silence the term until its time has come.
        self.blocked_until.take_if(|until| seconds_since(*until, now) > k.block.1);
        if self.blocked_until.is_some_and(|until| now < until) {
            return ask;
        }
        self.blocked_until = None;
        self.probe.take_if(|probe| probe.at > now);
        let Some(p95) = view.p95.filter(|p| p.is_finite()) else {
            self.abandon();
            return ask;
        };
        if let Some(probe) = self.probe {
            match self.judge(now, probe, p95, view, k) {
                Verdict::Open => return Ask { probe: probe.to, ..ask },
                Verdict::Helped => ask.earned = probe.to,
                Verdict::Missed if self.blocked_until.is_some() => return ask,
                Verdict::Missed | Verdict::GivenUp => {}
            }
            self.probe = None;
        }
        if p95 > view.target && view.wait_share > k.wait_share {
            let to = ceil(f64::from(view.ready) * self.step(p95, view, k)).min(view.most);
            if to > view.ready && view.ready > 0 {
                self.probe = Some(Probe { at: now, from: view.ready, to, p95 });
                ask.probe = to;
            }
        }
        ask
    }

    /// The next step as a multiple of the ready pods: by as much as p95 is above its target, but the smallest one where
    /// more pods have not helped before.
    fn step(&self, p95: f64, view: View, k: &Constants) -> f64 {
        let (least, most) = k.probe_step;
        let is_known_to_end = self.block > 0.0 && self.saturation.is_some_and(|s| view.ready >= s);
        if is_known_to_end { least } else { (p95 / view.target).clamp(least, most) }
    }

    /// Whether the step helped; two that did not silence the term. Only a step whose pods all came can have helped, and
    /// only one of which some came can have missed: a fall or a rise of p95 without them has other causes.
    fn judge(&mut self, now: Millis, probe: Probe, p95: f64, view: View, k: &Constants) -> Verdict {
        let age = seconds_since(now, probe.at);
        if age < view.cold_start + k.probe_after {
            return Verdict::Open;
        }
        if age > view.cold_start + 2.0 * k.probe_after {
            return Verdict::GivenUp;
        }
        let is_better = p95 <= view.target || p95 <= probe.p95 * k.probe_helped;
        if is_better && view.ready >= probe.to {
            (self.misses, self.saturation, self.block) = (0, None, 0.0);
            return Verdict::Helped;
        }
        if is_better || view.ready <= probe.from {
            return Verdict::Open;
        }
        self.misses += 1;
        self.saturation = Some(self.saturation.map_or(probe.from, |s| s.min(probe.from)));
        if self.misses >= 2 {
            self.block = (self.block * 2.0).clamp(k.block.0, k.block.1);
            self.blocked_until = Some(after(now, self.block));
            (self.misses, self.probe) = (0, None);
        }
        Verdict::Missed
    }

    /// Forgets a step that can no longer be judged, because the downstream became slow or the requests
    /// ended meanwhile.
    pub fn abandon(&mut self) {
        self.probe = None;
    }

    /// The condition while the term is silenced.
    pub fn condition(&self, now: Millis) -> Option<Condition> {
        let left_seconds = seconds_since(self.blocked_until?, now);
        (left_seconds > 0.0)
            .then_some(Condition::LatencyBlocked { saturation: self.saturation.unwrap_or(0), left_seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: View = View {
        p95: Some(900.0),
        target: 300.0,
        wait_share: 0.6,
        ready: 4,
        most: 200,
        cold_start: 25.0,
        is_known: true,
    };

    const fn probe(probe: u32) -> Ask {
        Ask { probe, earned: 0 }
    }

    #[test]
    fn two_steps_that_do_not_help_are_taken_back_and_block_for_longer_each_time() {
        let k = Constants::default();
        let mut l = Latency::default();
        assert_eq!(l.ask(0, SLOW, &k), probe(8));
        assert_eq!(l.ask(54_000, SLOW, &k), probe(8), "judged only after cold start + 30 s");
        assert_eq!(l.ask(55_000, View { ready: 8, ..SLOW }, &k), probe(16));
        assert_eq!(l.ask(110_000, View { ready: 16, ..SLOW }, &k), probe(0), "reverted");
        assert!(matches!(l.condition(110_000), Some(Condition::LatencyBlocked { saturation: 4, .. })));
        assert_eq!(l.ask(709_000, SLOW, &k), probe(0));
        assert_eq!(l.ask(710_000, SLOW, &k), probe(5), "tried again after 10 min, with care");
        l.ask(765_000, View { ready: 5, ..SLOW }, &k);
        l.ask(820_000, View { ready: 6, ..SLOW }, &k);
        assert!(
            matches!(l.condition(820_000), Some(Condition::LatencyBlocked { left_seconds, .. }) if left_seconds > 1199.0)
        );
    }

    #[test]
    fn a_step_that_helps_is_earned_and_followed_by_another_while_needed() {
        let k = Constants::default();
        let mut l = Latency::default();
        l.ask(0, SLOW, &k);
        assert_eq!(
            l.ask(60_000, View { p95: Some(400.0), ready: 8, ..SLOW }, &k),
            Ask { probe: 11, earned: 8 }
        );
        assert_eq!(
            l.ask(120_000, View { p95: Some(200.0), ready: 11, ..SLOW }, &k),
            Ask { probe: 0, earned: 11 }
        );
    }

    #[test]
    fn slow_requests_without_a_queue_ask_for_no_pods() {
        let k = Constants::default();
        assert_eq!(Latency::default().ask(0, View { wait_share: 0.1, ..SLOW }, &k), probe(0));
    }

    #[test]
    fn a_step_is_forgotten_with_its_requests_and_never_earned_hours_later() {
        let (k, mut l) = (Constants::default(), Latency::default());
        l.ask(0, SLOW, &k);
        assert_eq!(l.ask(10_000, View { p95: None, ..SLOW }, &k), probe(0), "too few requests to tell");
        assert_eq!(l.ask(60_000, View { p95: Some(200.0), ready: 8, ..SLOW }, &k), probe(0));
        l.ask(100_000, SLOW, &k);
        // Nobody asked for a while, as when the downstream is suspected: too late to say what the step did.
        assert_eq!(l.ask(9_000_000, View { p95: Some(200.0), ready: 8, ..SLOW }, &k), probe(0));
    }

    #[test]
    fn a_step_whose_pods_never_came_is_neither_earned_nor_missed() {
        let (k, mut l) = (Constants::default(), Latency::default());
        l.ask(0, SLOW, &k);
        let fast = View { p95: Some(200.0), ..SLOW };
        assert_eq!(
            l.ask(56_000, View { ready: 7, ..fast }, &k),
            probe(8),
            "p95 fell before the last pod came"
        );
        assert_eq!(l.ask(90_000, View { ready: 7, ..fast }, &k), probe(0));
        for second in 100..2_000 {
            l.ask(second * 1_000, SLOW, &k);
            assert_eq!(l.condition(second * 1_000), None, "four pods before and after");
        }
        let full = View { most: 4, ..SLOW };
        assert_eq!(Latency::default().ask(0, full, &k), probe(0), "nor asked for where none may come");
    }

    #[test]
    fn nothing_is_begun_or_judged_while_signals_are_unknown() {
        let (k, mut l) = (Constants::default(), Latency::default());
        let dark = View { is_known: false, ..SLOW };
        assert_eq!(l.ask(0, dark, &k), probe(0));
        l.ask(0, SLOW, &k);
        for second in 1..85 {
            assert_eq!(l.ask(second * 1_000, View { ready: 8, ..dark }, &k), probe(8), "kept, unjudged");
        }
        assert_eq!(l.ask(85_000, View { ready: 8, ..SLOW }, &k), probe(16), "the first miss of two");
        assert_eq!(l.condition(85_000), None);
    }
}

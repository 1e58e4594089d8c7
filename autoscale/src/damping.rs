//! How scaling in goes: slowly, in steps, and the more slowly the oftener it had to be taken back.
use crate::{
    constants::Constants,
    math::{MaxWindow, Millis, seconds_since},
};
use serde::{Deserialize, Serialize};

/// What is remembered about the law's own steps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Damping {
    /// Steady demands of the down window.
    steady: MaxWindow,
    /// Urgent demands of the hold.
    urgent: MaxWindow,
    /// Pods that the steady demand has earned; urgent pods come on top and go at once.
    level: u32,
    last_step: Millis,
    /// When replicas last went down.
    last_down: Option<Millis>,
    /// When the window last grew or shrank.
    last_change: Millis,
    /// How often the window is doubled.
    doublings: u32,
    /// Changes left in this minute.
    tokens: f64,
    last_token: Millis,
}

impl Damping {
    /// Starts from the replicas that exist, as if they had been needed until now.
    pub fn start(now: Millis, replicas: u32, k: &Constants) -> Self {
        let mut new = Self {
            level: replicas,
            tokens: k.changes_per_minute,
            last_token: now,
            last_change: now,
            ..Self::default()
        };
        new.steady.push(now, replicas, k.down_window);
        new
    }

    /// Seconds of the down window, doubled with each reversal.
    pub fn window(&self, k: &Constants) -> f64 {
        (k.down_window * f64::from(1u32 << self.doublings.min(8))).min(k.down_window_max)
    }

    /// How much surer than usual the law must be before it believes a jump: it grows with each reversal.
    pub fn doubt(&self, k: &Constants) -> f64 {
        1.0 + k.doubt * f64::from(self.doublings)
    }

    /// Takes in the demands of this tick; returns the pods to have if nothing forbids scaling in.
    pub fn settle(&mut self, now: Millis, steady: u32, urgent: u32, may_lower: bool, k: &Constants) -> u32 {
        let window = self.window(k);
        let target = self.steady.push(now, steady, window);
        let urgent = self.urgent.push(now, urgent, k.hold);
        let level = f64::from(self.level);
        if f64::from(target) > level * (1.0 + k.tolerance_up) {
            self.level = target;
        } else if may_lower
            && f64::from(target) < level * (1.0 - k.tolerance_down)
            && seconds_since(now, self.last_step) >= k.down_every
        {
            let step = ((level * k.down_step) as u32).max(1);
            self.level = target.max(self.level.saturating_sub(step));
            self.last_step = now;
        }
        // A jump that the level nearly covers is not worth pods that go again in a minute.
        let is_worth = f64::from(urgent) > f64::from(self.level) * (1.0 + k.tolerance_urgent);
        if is_worth { urgent } else { self.level }
    }

    /// Pods that a floor, a schedule or the minimum earned; they too go in steps afterwards.
    pub fn raise_to(&mut self, floor: u32) {
        self.level = self.level.max(floor);
    }

    /// Drops urgent demands at once: they were asked for before the downstream was known to be slow.
    pub fn forget_urgent(&mut self) {
        self.urgent.clear();
    }

    /// Whether one more change fits into this minute.
    pub fn may_change(&mut self, now: Millis, k: &Constants) -> bool {
        let gained = seconds_since(now, self.last_token) * k.changes_per_minute / 60.0;
        self.tokens = (self.tokens + gained).min(k.changes_per_minute).max(0.0);
        self.last_token = self.last_token.max(now);
        self.tokens >= 1.0
    }

    /// Notes a change that was made. An increase soon after a decrease is a reversal: the decrease was a mistake.
    pub fn note(&mut self, now: Millis, from: u32, to: u32, k: &Constants) {
        let window = self.window(k);
        if to != from {
            self.tokens -= 1.0;
        }
        if to < from {
            self.last_down = Some(now);
        }
        if to > from && self.last_down.take_if(|at| seconds_since(now, *at) < 2.0 * window).is_some() {
            self.last_change = now;
            if window < k.down_window_max {
                self.doublings += 1;
            }
        } else if self.doublings > 0 && seconds_since(now, self.last_change) > 2.0 * window {
            self.doublings -= 1;
            self.last_change = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_in_waits_for_the_window_and_goes_in_steps() {
        let k = Constants::default();
        let mut d = Damping::start(0, 100, &k);
        let mut seen = Vec::new();
        for s in 0..400 {
            seen.push(d.settle(s * 1000, 10, 0, true, &k));
        }
        assert_eq!(seen[299], 100);
        assert_eq!((seen[301], seen[331], seen[361]), (85, 73, 63));
    }

    #[test]
    fn urgent_pods_go_at_once_when_their_hold_is_over() {
        let k = Constants::default();
        let mut d = Damping::start(0, 10, &k);
        assert_eq!(d.settle(0, 10, 60, true, &k), 60);
        assert_eq!(d.settle(60_000, 10, 0, true, &k), 60);
        assert_eq!(d.settle(61_000, 10, 0, true, &k), 10);
    }

    #[test]
    fn each_reversal_doubles_the_window_and_quiet_halves_it() {
        let k = Constants::default();
        let mut d = Damping::start(0, 10, &k);
        for _ in 0..2 {
            d.note(1_000, 10, 9, &k);
            d.note(2_000, 9, 10, &k);
        }
        assert!((d.window(&k) - 1200.0).abs() < 1e-9);
        d.note(2_000 + 2_500_000, 10, 10, &k);
        assert!((d.window(&k) - 600.0).abs() < 1e-9);
    }

    #[test]
    fn changes_per_minute_are_bounded() {
        let k = Constants::default();
        let mut d = Damping::start(0, 1, &k);
        let mut changes = 0;
        for s in 0..60 {
            if d.may_change(s * 1000, &k) {
                d.note(s * 1000, 1, 2, &k);
                changes += 1;
            }
        }
        assert!(changes <= 24, "{changes}");
    }
}

//! How scaling in goes: slowly, in steps, and the more slowly the oftener it had to be taken back.
use crate::{
    constants::Constants,
    math::{MaxWindow, Millis, seconds_since},
};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What is remembered about the law's own steps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
    /// When replicas were changed within the last minute.
    changes: VecDeque<Millis>,
}

impl Damping {
    /// Starts from the replicas that exist, as if they had been needed until now.
    pub fn start(now: Millis, replicas: u32, k: &Constants) -> Self {
        let mut new = Self { level: replicas, last_change: now, ..Self::default() };
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

    /// Takes in the demands of this tick; returns the pods to have if nothing forbids scaling in. `most` pods are allowed.
    pub fn settle(
        &mut self,
        now: Millis,
        steady: u32,
        urgent: u32,
        may_lower: bool,
        most: u32,
        k: &Constants,
    ) -> u32 {
        // A clock that ran ahead once must not stop all steps until its time has come.
        (self.last_step, self.last_change) = (self.last_step.min(now), self.last_change.min(now));
        self.last_down = self.last_down.filter(|at| *at <= now);
        let window = self.window(k);
        let target = self.steady.push(now, steady, window);
        let level = f64::from(self.level);
        // A jump that the level nearly covers is not worth pods that go again in a minute. It is compared with the level
        // before this tick, so that a larger steady demand can never talk a jump away.
        let is_worth = f64::from(urgent) > level * (1.0 + k.tolerance_urgent);
        let urgent = self.urgent.push(now, if is_worth { urgent } else { 0 }, k.hold);
        if f64::from(target) > level * (1.0 + k.tolerance_up) {
            self.level = target;
        } else if may_lower
            && f64::from(target) < level * (1.0 - k.tolerance_down)
            && seconds_since(now, self.last_step) >= k.down_every
        {
            // Pods that nobody was allowed to have need no steps to go.
            let from = self.level.min(most);
            let step = ((f64::from(from) * k.down_step) as u32).max(1);
            self.level = target.max(from.saturating_sub(step));
            self.last_step = now;
        }
        self.level.max(urgent)
    }

    /// Pods that a floor, a schedule or the minimum earned; they too go in steps afterwards.
    pub fn raise_to(&mut self, floor: u32) {
        self.level = self.level.max(floor);
    }

    /// Pods that somebody who had asked for them gave back: what only the floor had earned goes with it, and no demand of
    /// minutes ago brings it back.
    pub fn lower_to(&mut self, floor: u32) {
        self.level = self.level.min(floor);
        self.steady.clear();
        self.urgent.clear();
    }

    /// Drops urgent demands at once: they were asked for before the downstream was known to be slow.
    pub fn forget_urgent(&mut self) {
        self.urgent.clear();
    }

    /// Whether one more change fits into this minute. The first half of a minute's changes may come as they like; the
    /// others are spread over it, so that a flurry never forbids scaling out for longer than one of their distances.
    pub fn may_change(&mut self, now: Millis, k: &Constants) -> bool {
        self.changes.retain(|at| *at <= now && seconds_since(now, *at) < 60.0);
        let (made, half) = (self.changes.len() as f64, k.changes_per_minute / 2.0);
        let last = self.changes.back().map_or(60.0, |at| seconds_since(now, *at));
        made < k.changes_per_minute && (made < half || last >= 60.0 / half)
    }

    /// Notes a change that was made. An increase soon after a decrease is a reversal: the decrease was a mistake. What a
    /// person, a schedule or waking did (`by_demand` is false) proves nothing about the law.
    pub fn note(&mut self, now: Millis, from: u32, to: u32, by_demand: bool, k: &Constants) {
        let window = self.window(k);
        if to != from {
            self.changes.push_back(now);
        }
        if to == 0 {
            self.last_down = None; // who wakes begins anew; its first pods take back no step
        } else if to < from && by_demand {
            self.last_down = Some(now);
        }
        if to > from
            && by_demand
            && self.last_down.take_if(|at| seconds_since(now, *at) < 2.0 * window).is_some()
        {
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
            seen.push(d.settle(s * 1000, 10, 0, true, u32::MAX, &k));
        }
        assert_eq!(seen[299], 100);
        assert_eq!((seen[301], seen[331], seen[361]), (85, 73, 63));
    }

    #[test]
    fn a_demand_above_the_maximum_takes_no_steps_to_come_down_to_it() {
        let k = Constants::default();
        let mut d = Damping::start(0, 5, &k);
        assert_eq!(d.settle(0, 76, 0, true, 5, &k), 76);
        assert_eq!(d.settle(300_000, 2, 0, true, 5, &k), 76, "within the window");
        assert_eq!(d.settle(301_000, 2, 0, true, 5, &k), 4);
    }

    #[test]
    fn urgent_pods_go_at_once_when_their_hold_is_over() {
        let k = Constants::default();
        let mut d = Damping::start(0, 10, &k);
        assert_eq!(d.settle(0, 10, 60, true, u32::MAX, &k), 60);
        assert_eq!(d.settle(60_000, 10, 0, true, u32::MAX, &k), 60);
        assert_eq!(d.settle(61_000, 10, 0, true, u32::MAX, &k), 10);
    }

    #[test]
    fn each_reversal_doubles_the_window_and_quiet_halves_it() {
        let k = Constants::default();
        let mut d = Damping::start(0, 10, &k);
        for _ in 0..2 {
            d.note(1_000, 10, 9, true, &k);
            d.note(2_000, 9, 10, true, &k);
        }
        assert!((d.window(&k) - 1200.0).abs() < 1e-9);
        d.note(2_000 + 2_500_000, 10, 10, true, &k);
        assert!((d.window(&k) - 600.0).abs() < 1e-9);
        d.note(2_600_000, 10, 9, true, &k);
        d.note(2_601_000, 9, 20, false, &k);
        assert!((d.window(&k) - 600.0).abs() < 1e-9, "a schedule is no reversal");
    }

    #[test]
    fn changes_per_minute_are_bounded() {
        let k = Constants::default();
        let mut d = Damping::start(0, 1, &k);
        let mut changes = Vec::new();
        for s in 0..180 {
            if d.may_change(s * 1000, &k) {
                d.note(s * 1000, 1, 2, true, &k);
                changes.push(s);
            }
        }
        for from in 0..120 {
            let minute = changes.iter().filter(|s| (from..from + 60).contains(*s)).count();
            assert!((6..=12).contains(&minute), "{minute} in the minute from {from}");
        }
    }

    #[test]
    fn a_flurry_of_changes_forbids_the_next_one_for_ten_seconds_at_most() {
        let k = Constants::default();
        let mut d = Damping::start(0, 1, &k);
        let mut changes = vec![0i64];
        for s in 0..600 {
            if d.may_change(s * 1000, &k) {
                d.note(s * 1000, 1, 2, true, &k);
                changes.push(s);
            }
        }
        assert_eq!(changes[1..7], [0, 1, 2, 3, 4, 5], "a jump is followed at once");
        assert!(changes.windows(2).all(|two| two[1] - two[0] <= 10), "{changes:?}");
    }

    #[test]
    fn waking_is_no_reversal_whatever_went_before_it() {
        let k = Constants::default();
        let mut d = Damping::start(0, 10, &k);
        d.note(1_000, 10, 9, true, &k);
        d.note(100_000, 9, 0, false, &k);
        d.note(200_000, 0, 1, false, &k);
        d.note(201_000, 1, 9, true, &k);
        assert!(
            (d.window(&k) - 300.0).abs() < 1e-9,
            "what the first pods need says nothing about the step before"
        );
    }
}

//! Slots per pod where nobody declared them, learned like a gradient limiter learns: up by √c while a pod is busy and its
//! requests are as fast as ever, down with the ratio of healthy to present service time, and down where requests wait
//! although each pod works on fewer. Pods that were seen full bound the way up for hours, or slots that are too many by a
//! half would be tried again and again, and requests would wait for it.
use crate::{constants::Constants, input::Pods};
use serde::{Deserialize, Serialize};

/// Seconds for which the pods must have been the same: the mean of busy slots reaches ten seconds back, and is a little
/// old when it comes.
const SETTLED: f64 = 12.0;
/// Time constant in seconds of what a pod was seen to work on at once.
const PROVEN_MEMORY: f64 = 1800.0;

/// Seconds for which pods that were full bound the slots.
const FULL_MEMORY: f64 = 6.0 * 3600.0;

/// Share of the declared slots below which full pods contradict them, and for how many seconds they must.
const BELOW: f64 = 0.75;
/// See [`BELOW`].
const BELOW_FOR: f64 = 30.0;

/// The slots of a pod, as learned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Slots {
    learned: Option<f64>,
    /// The most that a pod was seen to work on lately while requests were as fast as ever.
    proven: f64,
    /// What a full pod worked on, and for how many seconds more that counts.
    bound: (f64, f64),
    /// What trials showed a full pod to work on, or long waits at declared slots that are not there, and for how many seconds more that counts.
    #[serde(default)]
    shown: (f64, f64),
    /// For how many seconds pods have been full with fewer requests than were declared.
    below: f64,
    /// Ready pods, and for how many seconds there have been so many, with none coming or going.
    pods: (u32, f64),
}

impl Slots {
    /// The slots known now.
    pub(crate) fn get(self, k: &Constants) -> f64 {
        self.learned.filter(|c| c.is_finite()).unwrap_or(k.slots_unknown).clamp(1.0, 1000.0)
    }

    /// Notes the pods, and that so many seconds passed. A new release proves itself.
    pub(crate) fn pass(&mut self, pods: &Pods, seconds: f64, is_new_release: bool) {
        let same = pods.ready == self.pods.0 && pods.ready > 0;
        let settled =
            if same && pods.starting.is_empty() && pods.terminating == 0 { self.pods.1 } else { 0.0 };
        self.pods = (pods.ready, (settled + seconds).min(3600.0));
        self.proven *= (-seconds / PROVEN_MEMORY).exp();
        for left in [&mut self.bound.1, &mut self.shown.1] {
            *left = (*left - seconds).max(0.0);
        }
        if is_new_release {
            self.forget();
        }
    }

    /// Forgets what was proven: a request takes another time now, so a pod may work on another number of them.
    pub(crate) fn forget(&mut self) {
        (self.proven, self.bound, self.shown) = (0.0, (0.0, 0.0), (0.0, 0.0));
    }

    /// Learns from a trial that pods were full with so many requests although the router saw none of them wait; what pods
    /// prove afterwards counts again.
    pub(crate) fn carried(&mut self, busy_per_pod: f64) {
        if busy_per_pod.is_finite() && busy_per_pod > 0.0 {
            let c = busy_per_pod.clamp(1.0, 1000.0);
            self.learned = Some(self.learned.map_or(c, |before| before.min(c)));
            (self.proven, self.bound, self.shown) = (0.0, (c, FULL_MEMORY), (c, FULL_MEMORY));
        }
    }

    /// The most that a pod can work on, whatever was declared, as was shown within the last hours.
    pub(crate) fn shown(self) -> Option<f64> {
        (self.shown.1 > 0.0 && self.shown.0.is_finite()).then(|| self.shown.0.clamp(1.0, 1000.0))
    }

    /// Learns from pods whose requests are as fast as ever how much they can work on at once.
    pub(crate) fn prove(&mut self, busy_per_pod: f64) {
        if self.pods.1 > SETTLED {
            self.proven = self.proven.max(busy_per_pod.clamp(0.0, 1000.0));
            self.bound.0 = self.bound.0.max(self.proven);
            self.shown.0 = self.shown.0.max(self.proven);
        }
    }

    /// Learns that pods are full: requests wait although each pod works on only so many. A mean over pods of which some
    /// have just come says nothing, and what was proven lately is not forgotten.
    pub(crate) fn full(&mut self, busy_per_pod: f64, k: &Constants) {
        let c = self.get(k);
        if self.pods.1 > SETTLED && busy_per_pod >= 0.5 && busy_per_pod < c {
            let to = busy_per_pod.max(self.proven).min(c);
            self.learned = Some((0.95 * c + 0.05 * to).clamp(1.0, 1000.0));
            self.bound = (to, FULL_MEMORY);
        }
    }

    /// Notes pods that are full with fewer requests and streams than were declared, or not. It takes a while without a break
    /// to be believed, and a quarter less than declared: a mean over pods that are not all full is below the truth.
    pub(crate) fn full_below(&mut self, declared: f64, in_pod: f64, is_full: bool, seconds: f64) {
        let is_below = is_full && self.pods.1 > SETTLED && in_pod >= 0.5 && in_pod < BELOW * declared;
        self.below = if is_below { self.below + seconds } else { 0.0 };
        if self.below > BELOW_FOR {
            let c = in_pod.clamp(1.0, 1000.0);
            let most = if self.shown.1 > 0.0 { self.shown.0.max(c) } else { c };
            self.shown = (most, FULL_MEMORY);
        }
    }

    /// Learns from one look at the pods; `slowdown` is S/S₀.
    pub(crate) fn learn(&mut self, busy_per_pod: f64, slowdown: f64, k: &Constants) {
        let c = self.get(k);
        if !(busy_per_pod > c / 2.0 && slowdown.is_finite() && slowdown > 0.0) {
            return;
        }
        let gradient = (1.5 / slowdown).clamp(0.5, 1.0);
        let most = if self.bound.1 > 0.0 { self.bound.0.max(c) } else { 1000.0 };
        self.learned = Some((0.95 * c + 0.05 * (c * gradient + c.sqrt())).min(most).clamp(1.0, 1000.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_grow_while_requests_stay_fast_and_shrink_when_they_slow_down() {
        let k = Constants::default();
        let mut s = Slots::default();
        (0..100).for_each(|_| s.learn(1000.0, 1.0, &k));
        let grown = s.get(&k);
        assert!(grown > 20.0, "{grown}");
        (0..200).for_each(|_| s.learn(1000.0, 4.0, &k));
        assert!(s.get(&k) < grown / 2.0);
        let before = s.get(&k);
        s.learn(0.1, 1.0, &k);
        assert!((s.get(&k) - before).abs() < 1e-12, "an idle pod teaches nothing");
    }

    #[test]
    fn full_pods_teach_only_once_they_have_been_the_same_for_a_while() {
        let k = Constants::default();
        let pods = |ready: u32| Pods { ready, ..Pods::default() };
        let mut s = Slots::default();
        for second in 0..300u32 {
            s.pass(&pods(2 + second / 10), 1.0, false);
            s.full(4.0, &k);
        }
        assert!((s.get(&k) - 10.0).abs() < 1e-9, "pods that come every ten seconds: {}", s.get(&k));
        let starting = Pods { starting: vec![jiff::Timestamp::UNIX_EPOCH], ..pods(40) };
        for moving in [starting, Pods { terminating: 1, ..pods(40) }] {
            for _ in 0..300 {
                s.pass(&moving, 1.0, false);
                s.full(4.0, &k);
            }
            assert!((s.get(&k) - 10.0).abs() < 1e-9, "{moving:?}: {}", s.get(&k));
        }
        for _ in 0..100 {
            s.pass(&pods(40), 1.0, false);
            s.full(4.0, &k);
        }
        assert!((s.get(&k) - 4.0).abs() < 0.2, "{}", s.get(&k));
    }

    #[test]
    fn what_a_pod_was_seen_to_work_on_is_not_unlearned_by_a_bad_minute() {
        let k = Constants::default();
        let pods = Pods { ready: 5, ..Pods::default() };
        let mut s = Slots::default();
        for _ in 0..60 {
            s.pass(&pods, 1.0, false);
            s.prove(8.0);
        }
        for _ in 0..120 {
            s.pass(&pods, 1.0, false);
            s.full(1.0, &k);
        }
        assert!((7.0..8.5).contains(&s.get(&k)), "{}", s.get(&k));
        let mut released = s;
        for second in 0..120 {
            released.pass(&pods, 1.0, second == 0);
            released.full(1.0, &k);
        }
        assert!(released.get(&k) < 2.0, "a new release proves itself: {}", released.get(&k));
    }

    #[test]
    fn pods_that_were_full_bound_the_way_up_until_more_is_proven() {
        let k = Constants::default();
        let pods = Pods { ready: 5, ..Pods::default() };
        let mut s = Slots::default();
        for _ in 0..120 {
            s.pass(&pods, 1.0, false);
            s.full(4.0, &k);
        }
        let full = s.get(&k);
        for _ in 0..600 {
            s.pass(&pods, 1.0, false);
            s.learn(3.9, 1.0, &k);
        }
        assert!((s.get(&k) - full).abs() < 1e-9, "{full} -> {}", s.get(&k));
        let mut more = s;
        for _ in 0..600 {
            more.pass(&pods, 1.0, false);
            more.prove(6.0);
            more.learn(6.0, 1.0, &k);
        }
        assert!((5.9..6.1).contains(&more.get(&k)), "{}", more.get(&k));
        let mut released = s;
        released.pass(&pods, 1.0, true);
        released.learn(3.9, 1.0, &k);
        assert!(released.get(&k) > full, "a new release may have more");
        s.pass(&pods, FULL_MEMORY, false);
        s.learn(3.9, 1.0, &k);
        assert!(s.get(&k) > full, "tried again after hours");
    }
}

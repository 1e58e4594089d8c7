//! What the law remembers between two ticks.
use crate::{
    baseline::Baseline,
    constants::Constants,
    damping::Damping,
    downstream::Downstream,
    forecast::Forecast,
    foreign::Foreign,
    hold::Holds,
    latency::Latency,
    math::Millis,
    signals::{CELLS, quantile},
    window::Window,
};
use serde::{Deserialize, Serialize};

/// Everything the law remembers: a plain value that survives a restart as JSON, bit by bit where the reader has
/// `serde_json`'s feature `float_roundtrip`. Begin with `State::default()`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    pub(crate) window: Window,
    pub(crate) service: Fading,
    pub(crate) latency_seen: Fading,
    pub(crate) baseline: Baseline,
    pub(crate) downstream: Downstream,
    pub(crate) forecast: Forecast,
    pub(crate) latency: Latency,
    pub(crate) holds: Holds,
    pub(crate) damping: Option<Damping>,
    pub(crate) foreign: Foreign,
    pub(crate) slots: Slots,
    /// The last decision.
    pub(crate) replicas: Option<u32>,
    /// The last demand, before holds and bounds.
    pub(crate) demand: u32,
    /// Since when nobody has asked for anything.
    pub(crate) idle: Option<Millis>,
    pub(crate) asleep: bool,
}

/// A histogram that fades, so its quantiles are those of the last seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fading([f32; CELLS]);

impl Fading {
    /// Lets the past fade by `seconds` with a time constant, and adds counts.
    pub(crate) fn add(&mut self, counts: &[u32; CELLS], seconds: f64, time_constant: f64) {
        let keep = (-seconds / time_constant).exp() as f32;
        for (mine, &new) in self.0.iter_mut().zip(counts) {
            *mine = (*mine * keep + new as f32).clamp(0.0, 1e9);
        }
    }

    /// A quantile in ms, if enough requests stand behind it.
    pub(crate) fn quantile(&self, q: f64, k: &Constants) -> Option<f64> {
        let total: f32 = self.0.iter().sum();
        if f64::from(total) < f64::from(k.min_count) {
            return None;
        }
        quantile(&self.0, q)
    }
}

/// Slots per pod, learned like a gradient limiter learns: up by √c while a pod is busy and its requests are as fast as
/// ever, down with the ratio of healthy to present service time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Slots(Option<f64>);

impl Slots {
    /// The slots known now.
    pub(crate) fn get(self, k: &Constants) -> f64 {
        self.0.filter(|c| c.is_finite()).unwrap_or(k.slots_unknown).clamp(1.0, 1000.0)
    }

    /// Learns that pods are full: requests wait although each pod works on only so many.
    pub(crate) fn full(&mut self, busy_per_pod: f64, k: &Constants) {
        let c = self.get(k);
        if busy_per_pod >= 0.5 && busy_per_pod < c {
            self.0 = Some((0.8 * c + 0.2 * busy_per_pod).clamp(1.0, 1000.0));
        }
    }

    /// Learns from one look at the pods; `slowdown` is S/S₀.
    pub(crate) fn learn(&mut self, busy_per_pod: f64, slowdown: f64, k: &Constants) {
        let c = self.get(k);
        if !(busy_per_pod > c / 2.0 && slowdown.is_finite() && slowdown > 0.0) {
            return;
        }
        let gradient = (1.5 / slowdown).clamp(0.5, 1.0);
        self.0 = Some((0.95 * c + 0.05 * (c * gradient + c.sqrt())).clamp(1.0, 1000.0));
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
}

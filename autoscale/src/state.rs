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
    math::{Millis, ratio},
    signals::{CELLS, quantile},
    slots::Slots,
    throttle::Throttle,
    trial::Trial,
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
    pub(crate) throttle: Throttle,
    pub(crate) downstream: Downstream,
    pub(crate) trial: Trial,
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
    /// When the law last looked.
    pub(crate) looked: Option<Millis>,
    /// Since when nobody has asked for anything, less the time for which that was not known.
    pub(crate) idle: Option<Millis>,
    pub(crate) asleep: bool,
}

/// A histogram that fades, so its quantiles are those of the last seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fading([f32; CELLS]);

impl Fading {
    /// Lets the past fade by `seconds` with a time constant, and adds counts. The past does not fade below `least` requests:
    /// where few arrive it reaches further back.
    pub(crate) fn add(&mut self, counts: &[u32; CELLS], seconds: f64, time_constant: f64, least: f64) {
        let (total, new): (f32, u64) = (self.0.iter().sum(), counts.iter().map(|&n| u64::from(n)).sum());
        let spare = ratio(least - new as f64, f64::from(total)).unwrap_or(0.0).clamp(0.0, 1.0);
        let keep = (-seconds / time_constant).exp().max(spare) as f32;
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

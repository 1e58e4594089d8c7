//! How many pods the arrivals, the forecast and the backlog need.
use crate::{
    constants::Constants,
    forecast::Rates,
    math::{Millis, ceil, seconds_since},
    output::{Terms, Trigger},
    pod_size::PodSize,
};
use jiff::Timestamp;

/// Pods and what is on its way.
#[derive(Debug, Clone, Copy)]
pub struct Capacity<'a> {
    /// Pods that serve.
    pub ready: u32,
    /// When each starting pod was asked for.
    pub starting: &'a [Timestamp],
    /// p95 of the start.
    pub cold_start: f64,
}

impl Capacity<'_> {
    /// Pods that will serve in `seconds`; a start that takes longer than its p95 is not counted on.
    fn in_seconds(&self, now: Millis, seconds: f64) -> f64 {
        let late = |since: &&Timestamp| {
            let age = seconds_since(now, since.as_millisecond());
            age < self.cold_start && self.cold_start - age <= seconds
        };
        f64::from(self.ready) + self.starting.iter().filter(late).count() as f64
    }
}

/// The demands of one tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// Pods that the arrivals need, with safety.
    pub steady: u32,
    /// Pods that are needed soon and may be given back soon.
    pub urgent: u32,
    /// What asked for the steady demand.
    pub steady_by: Trigger,
    /// What asked for the urgent demand.
    pub urgent_by: Trigger,
    /// Requests per second that the ready pods can finish; infinite while that is not known.
    pub able: f64,
    /// Pods whose slots are busy now; 0 where nobody knows how many slots a pod has.
    pub in_use: u32,
}

impl Demand {
    /// Asks for more steadily, in this signal's name.
    pub fn raise_steady(&mut self, pods: u32, by: Trigger) {
        if pods > self.steady {
            (self.steady, self.steady_by) = (pods, by);
        }
    }

    /// Asks for more soon, in this signal's name.
    pub fn raise_urgent(&mut self, pods: u32, by: Trigger) {
        if pods > self.urgent && pods > self.steady {
            (self.urgent, self.urgent_by) = (pods, by);
        }
    }

    /// What asked for the larger demand.
    pub fn by(&self) -> Trigger {
        if self.urgent > self.steady { self.urgent_by } else { self.steady_by }
    }

    /// Requests per second that the ready pods can finish; 0 while that is not known, so that any wait is a backlog.
    pub fn known_able(&self) -> f64 {
        if self.able.is_finite() { self.able } else { 0.0 }
    }
}

/// Facts of the demand that are not rates.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    /// Requests waiting now.
    pub waiting: f64,
    /// Requests being served, averaged over the last seconds.
    pub busy: f64,
    /// Open streams.
    pub streams: f64,
    /// Whether urgent terms may speak at all (not while the downstream is slow).
    pub urgent: bool,
}

/// The steady and the urgent demand, and the formula's terms.
pub fn demand(
    now: Millis,
    size: PodSize,
    rates: Rates,
    load: Load,
    capacity: Capacity<'_>,
    k: &Constants,
) -> (Demand, Terms) {
    let (by_rate, steady_by) = size.pods(rates.steady, load.streams);
    let steady = by_rate.max(size.pods_for(load.busy + load.waiting + load.streams));
    let in_use = size.slots.map_or(0, |slots| ceil((load.busy + load.streams) / slots));
    let able = size.capacity(f64::from(capacity.ready.max(1)), load.streams);
    let mut demand = Demand { steady, urgent: 0, steady_by, urgent_by: Trigger::Idle, able, in_use };
    let horizon = capacity.cold_start + k.tick;
    let forecast = rates.at(horizon, k.forecast_cap);
    let mut terms = Terms {
        arrivals_per_second: rates.steady,
        forecast_per_second: forecast,
        service_seconds: size.service,
        slots: size.slots.unwrap_or(0.0),
        beta: size.beta,
        backlog: load.waiting,
        streams: load.streams,
        steady,
        cold_start_seconds: capacity.cold_start,
        ..Terms::default()
    };
    if !load.urgent {
        return (demand, terms);
    }
    demand.raise_urgent(size.pods(rates.fast, load.streams).0, Trigger::Panic);
    if rates.slope > 0.0 {
        demand.raise_urgent(size.pods(forecast, load.streams).0, Trigger::Slope);
    }
    let backlog = expected_backlog(now, size, rates, load, capacity, k);
    if backlog > (able * k.backlog_seconds).max(1.0) {
        terms.backlog = backlog;
        let base = size.pods(forecast, load.streams).0;
        let more = ceil(size.extra(backlog, k.drain));
        demand.raise_urgent(base.saturating_add(more), Trigger::Backlog);
    }
    terms.urgent = demand.urgent;
    (demand, terms)
}

/// Requests that will wait when a pod asked for now becomes ready, if nothing else is asked for.
fn expected_backlog(
    now: Millis,
    size: PodSize,
    rates: Rates,
    load: Load,
    capacity: Capacity<'_>,
    k: &Constants,
) -> f64 {
    if size.slots.is_none() {
        // What one pod shall serve says nothing about what it can: only requests that wait are a backlog.
        return load.waiting;
    }
    let horizon = capacity.cold_start.clamp(0.0, 300.0);
    let step = (horizon / 16.0).max(0.5);
    let (mut waiting, mut t) = (load.waiting, 0.0);
    while t < horizon {
        let able = size.capacity(capacity.in_seconds(now, t), load.streams);
        waiting = (waiting + (rates.lasting_at(t, k.forecast_cap) - able) * step).max(0.0);
        t += step;
    }
    waiting
}

/// p95 of the cold starts measured, in seconds.
pub fn cold_start(measured: &[f32], k: &Constants) -> f64 {
    let latest = &measured[measured.len().saturating_sub(64)..];
    let mut all: Vec<f32> = latest.iter().copied().filter(|s| s.is_finite() && *s >= 0.0).collect();
    if all.is_empty() {
        return k.cold_start_unknown;
    }
    all.sort_by(f32::total_cmp);
    let rank = (all.len() as f64 * 0.95).ceil() as usize;
    f64::from(all[rank.clamp(1, all.len()) - 1]).clamp(0.0, 600.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_the_service_time_is_known_what_is_in_the_slots_counts() {
        let size = PodSize { slots: Some(4.0), service: None, rate: None, beta: 1.0, rounding: 0.0 };
        let load = Load { busy: 20.0, waiting: 10.0, ..Load::default() };
        let capacity = Capacity { ready: 1, starting: &[], cold_start: 25.0 };
        let rates = Rates { steady: 3.0, fast: 3.0, lasting: 3.0, slope: 0.0 };
        assert_eq!(demand(0, size, rates, load, capacity, &Constants::default()).0.steady, 8);
    }

    #[test]
    fn a_start_is_counted_on_until_its_p95_and_no_longer() {
        let now = Timestamp::from_second(1_000).unwrap();
        let asked = [990, 900].map(|s| Timestamp::from_second(s).unwrap());
        let c = Capacity { ready: 2, starting: &asked, cold_start: 25.0 };
        let pods = |seconds: f64| c.in_seconds(now.as_millisecond(), seconds) as u32;
        assert_eq!((pods(10.0), pods(15.0), pods(500.0)), (2, 3, 3));
    }

    #[test]
    fn the_cold_start_is_the_p95_of_what_was_measured() {
        let k = Constants::default();
        assert!((cold_start(&[], &k) - k.cold_start_unknown).abs() < 1e-9);
        let all: Vec<f32> = (1..=20u8).map(f32::from).collect();
        assert!((cold_start(&all, &k) - 19.0).abs() < 1e-9);
        assert!((cold_start(&[f32::NAN, 3.0], &k) - 3.0).abs() < 1e-9);
    }
}

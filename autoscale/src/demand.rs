//! How many pods the arrivals, the forecast and the backlog need.
use crate::{
    constants::Constants,
    forecast::Rates,
    math::{Millis, ceil, seconds_since},
    output::{Terms, Trigger},
    settings::Settings,
};
use jiff::Timestamp;

/// What one pod can do, from the settings and what was learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PodSize {
    /// Slots, and healthy seconds that a request keeps one; `None` until the service time is known.
    pub slots: Option<(f64, f64)>,
    /// Requests per second that the user wants a pod to serve.
    pub rate: Option<f64>,
    /// The safety factor β.
    pub beta: f64,
    /// Share of a pod above a whole number that asks for no further one.
    pub rounding: f64,
}

impl PodSize {
    /// Pods for so many requests per second and open streams, and which target asked for the most.
    pub fn pods(&self, rate: f64, streams: f64) -> (u32, Trigger) {
        let by_slots = self.slots.map_or(0, |(slots, service)| {
            let load = (rate * service + streams) / slots;
            let safety = self.beta * (rate * service).sqrt() / slots;
            // Rounding up is a second safety, of half a pod on average; at most half of the first may be spared for it.
            ceil(load + safety - self.rounding.min(safety / 2.0))
        });
        let by_rate = self.rate.map_or(0, |target| ceil(rate / target));
        let floor = u32::from(rate > 0.0 || streams > 0.0);
        match (by_slots.max(by_rate).max(floor), by_rate > by_slots) {
            (0, _) => (0, Trigger::Idle),
            (n, true) => (n, Trigger::RequestsPerMinute),
            (n, false) => (n, Trigger::Arrivals),
        }
    }

    /// Requests per second that `pods` can finish at most, streams having taken their slots.
    fn capacity(&self, pods: f64, streams: f64) -> f64 {
        let by_slots = self.slots.map(|(slots, service)| (pods * slots - streams).max(0.0) / service);
        let by_rate = self.rate.map(|target| pods * target);
        by_slots.or(by_rate).unwrap_or(f64::INFINITY)
    }

    /// Pods that finish so many requests in so many seconds, beside everything else.
    fn extra(&self, requests: f64, seconds: f64) -> f64 {
        let one = self.capacity(1.0, 0.0).max(1e-9);
        (requests / seconds.max(1.0) / one).min(1e9)
    }
}

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
}

/// Facts of the demand that are not rates.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    /// Requests waiting now.
    pub waiting: f64,
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
    let (steady, steady_by) = size.pods(rates.steady, load.streams);
    let mut demand = Demand { steady, urgent: 0, steady_by, urgent_by: Trigger::Idle };
    let horizon = capacity.cold_start + k.tick;
    let forecast = rates.at(horizon, k.forecast_cap);
    let mut terms = Terms {
        arrivals_per_second: rates.steady,
        forecast_per_second: forecast,
        service_seconds: size.slots.map(|(_, s)| s),
        slots: size.slots.map_or(0.0, |(c, _)| c),
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
    let mut raise = |pods: u32, by: Trigger| {
        if pods > demand.urgent && pods > steady {
            (demand.urgent, demand.urgent_by) = (pods, by);
        }
    };
    raise(size.pods(rates.fast, load.streams).0, Trigger::Panic);
    if rates.slope > 0.0 {
        raise(size.pods(forecast, load.streams).0, Trigger::Slope);
    }
    let backlog = expected_backlog(now, size, rates, load, capacity, k);
    let able = size.capacity(f64::from(capacity.ready.max(1)), load.streams);
    if backlog > (able * k.backlog_seconds).max(1.0) {
        terms.backlog = backlog;
        let base = size.pods(forecast, load.streams).0;
        raise(base.saturating_add(ceil(size.extra(backlog, k.drain))), Trigger::Backlog);
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
    let horizon = capacity.cold_start.clamp(0.0, 300.0);
    let step = (horizon / 16.0).max(0.5);
    let (mut waiting, mut t) = (load.waiting, 0.0);
    while t < horizon {
        let able = size.capacity(capacity.in_seconds(now, t), load.streams);
        waiting = (waiting + (rates.at(t, k.forecast_cap) - able) * step).max(0.0);
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

/// The size of a pod from settings, learned slots and healthy service time.
pub fn pod_size(settings: &Settings, learned_slots: f64, service: Option<f64>, k: &Constants) -> PodSize {
    let declared = Settings::usable(settings.concurrency);
    let rate = Settings::usable(settings.rpm).map(|rpm| rpm / 60.0);
    let slots = match (declared, rate) {
        (Some(c), _) => Some(c),
        (None, Some(_)) => None,
        (None, None) => Some(learned_slots),
    };
    let service = service.filter(|s| s.is_finite() && *s > 0.0);
    PodSize { slots: slots.map(|c| c.max(1e-3)).zip(service), rate, beta: k.beta, rounding: k.rounding }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_square_root_rule_gives_the_textbook_numbers() {
        let size = PodSize { slots: Some((4.0, 0.2)), rate: None, beta: 1.5, rounding: 0.0 };
        assert_eq!(size.pods(100.0, 0.0).0, 7, "(20 + 1.5·√20)/4 = 6.7");
        assert_eq!(size.pods(1000.0, 0.0).0, 56, "(200 + 1.5·√200)/4 = 55.3");
        assert_eq!(size.pods(100.0, 60.0).0, 22, "streams keep a slot each");
        assert_eq!(size.pods(0.0, 0.0), (0, Trigger::Idle));
    }

    #[test]
    fn a_little_above_a_whole_pod_asks_for_no_further_one_while_safety_remains() {
        let size = PodSize { slots: Some((4.0, 0.2)), rate: None, beta: 1.0, rounding: 0.12 };
        assert_eq!(size.pods(42.0, 0.0).0, 3, "(8.4 + √8.4)/4 = 2.82");
        assert_eq!(size.pods(45.5, 0.0).0, 3, "(9.1 + √9.1)/4 = 3.03");
        let coarse = PodSize { slots: Some((400.0, 0.2)), ..size };
        assert_eq!(
            coarse.pods(1920.0, 0.0).0,
            1,
            "(384 + √384)/400 = 1.009: half of √384/400 is spared, 0.024"
        );
        assert_eq!(coarse.pods(1995.0, 0.0).0, 2, "(399 + √399)/400 = 1.047: more than is spared");
    }

    #[test]
    fn the_largest_of_several_targets_wins() {
        let size = PodSize { slots: Some((4.0, 0.2)), rate: Some(10.0), beta: 1.5, rounding: 0.0 };
        assert_eq!(size.pods(100.0, 0.0), (10, Trigger::RequestsPerMinute));
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

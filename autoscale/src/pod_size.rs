//! What one pod can do: slots, the time a request keeps one, requests per second.
use crate::{constants::Constants, math::ceil, output::Trigger, settings::Settings, slots::Slots};

/// What one pod can do, from the settings and what was learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PodSize {
    /// Slots, declared or learned; `None` where only `rpm` is asked for.
    pub slots: Option<f64>,
    /// Healthy seconds that a request keeps a slot; `None` until they are known.
    pub service: Option<f64>,
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
        let by_slots = self.slots.zip(self.service).map_or(0, |(slots, service)| {
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

    /// Pods for what is in the slots now: all that can be said while nobody knows how long a request takes.
    pub(crate) fn pods_for(&self, in_slots: f64) -> u32 {
        match (self.slots, self.service, self.rate) {
            (Some(slots), None, None) => ceil(in_slots / slots),
            _ => 0,
        }
    }

    /// Requests per second that `pods` can finish at most, streams having taken their slots.
    pub(crate) fn capacity(&self, pods: f64, streams: f64) -> f64 {
        let by_slots =
            self.slots.zip(self.service).map(|(slots, service)| (pods * slots - streams).max(0.0) / service);
        let by_rate = self.rate.map(|target| pods * target);
        by_slots.or(by_rate).unwrap_or(f64::INFINITY)
    }

    /// Pods that finish so many requests in so many seconds, beside everything else.
    pub(crate) fn extra(&self, requests: f64, seconds: f64) -> f64 {
        let one = self.capacity(1.0, 0.0).max(1e-9);
        (requests / seconds.max(1.0) / one).min(1e9)
    }
}

/// Streams that keep a slot each. Who declares slots says so; where they are learned nobody knows whether an open stream
/// costs anything (most wait for news), and if it does, requests wait and fewer slots are learned.
pub(crate) fn streams_in_slots(settings: &Settings, open: f64) -> f64 {
    Settings::usable(settings.concurrency).map_or(0.0, |_| open)
}

/// The size of a pod from settings, learned slots and healthy service time. Pods that a trial showed to be full with fewer
/// requests than were declared do not have the slots that were declared.
pub(crate) fn pod_size(settings: &Settings, slots: Slots, service: Option<f64>, k: &Constants) -> PodSize {
    let declared = Settings::usable(settings.concurrency);
    let rate = Settings::usable(settings.rpm).map(|rpm| rpm / 60.0);
    let slots = match (declared, rate) {
        (Some(c), _) => Some(slots.shown().map_or(c, |full| full.min(c))),
        (None, Some(_)) => None,
        (None, None) => Some(slots.get(k)),
    };
    let service = service.filter(|s| s.is_finite() && *s > 0.0);
    PodSize { slots: slots.map(|c| c.max(1e-3)), service, rate, beta: k.beta, rounding: k.rounding }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_square_root_rule_gives_the_textbook_numbers() {
        let size = PodSize { slots: Some(4.0), service: Some(0.2), rate: None, beta: 1.5, rounding: 0.0 };
        assert_eq!(size.pods(100.0, 0.0).0, 7, "(20 + 1.5·√20)/4 = 6.7");
        assert_eq!(size.pods(1000.0, 0.0).0, 56, "(200 + 1.5·√200)/4 = 55.3");
        assert_eq!(size.pods(100.0, 60.0).0, 22, "streams keep a slot each");
        assert_eq!(size.pods(0.0, 0.0), (0, Trigger::Idle));
    }

    #[test]
    fn a_little_above_a_whole_pod_asks_for_no_further_one_while_safety_remains() {
        let size = PodSize { slots: Some(4.0), service: Some(0.2), rate: None, beta: 1.0, rounding: 0.12 };
        assert_eq!(size.pods(42.0, 0.0).0, 3, "(8.4 + √8.4)/4 = 2.82");
        assert_eq!(size.pods(45.5, 0.0).0, 3, "(9.1 + √9.1)/4 = 3.03");
        let coarse = PodSize { slots: Some(400.0), ..size };
        assert_eq!(
            coarse.pods(1920.0, 0.0).0,
            1,
            "(384 + √384)/400 = 1.009: half of √384/400 is spared, 0.024"
        );
        assert_eq!(coarse.pods(1995.0, 0.0).0, 2, "(399 + √399)/400 = 1.047: more than is spared");
    }

    /// Erlang C: the probability that a request waits, for `load` Erlang on `slots` slots.
    fn erlang_c(slots: u32, load: f64) -> f64 {
        let blocked = (1..=slots).fold(1.0, |b, n| load * b / (f64::from(n) + load * b));
        let n = f64::from(slots);
        n * blocked / (n - load * (1.0 - blocked))
    }

    #[test]
    fn the_square_root_rule_keeps_waiting_rare_at_every_size() {
        // Halfin and Whitt: with N = R + β√R the probability tends to 1/(1 + βΦ(β)/φ(β)), 0.22 for β = 1.
        for load in [5.0, 20.0, 100.0, 500.0, 2_000.0] {
            let size = PodSize { slots: Some(1.0), service: Some(1.0), rate: None, beta: 1.0, rounding: 0.0 };
            let waits = erlang_c(size.pods(load, 0.0).0, load);
            assert!((0.1..0.24).contains(&waits), "{load}: {waits}");
        }
    }

    #[test]
    fn the_largest_of_several_targets_wins() {
        let size =
            PodSize { slots: Some(4.0), service: Some(0.2), rate: Some(10.0), beta: 1.5, rounding: 0.0 };
        assert_eq!(size.pods(100.0, 0.0), (10, Trigger::RequestsPerMinute));
    }
}

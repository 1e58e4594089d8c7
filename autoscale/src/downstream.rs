//! Is it our pods, or something behind them? A slow database fills every slot, and then waiting dominates; more pods
//! would only queue at the database.
//!
//! Seen by Little's law within two seconds (slots busy per answer) and by the p50 of the upstream time a little
//! later, both against the healthy value, while more slots are busy than the arrivals explain and answers do not rise.
//! It ends when requests are as fast as before, or when they have been slow and all answered for so long that this is
//! how the process is now. Time is counted in seconds that were reported: nothing recovers in the dark.
use crate::{baseline::Healthy, constants::Constants, math::ratio, window::Window};
use serde::{Deserialize, Serialize};

/// The evidence, as it was when the downstream was found slow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// p50 of the service time over its healthy value.
    pub slowdown: f64,
    /// Busy slots.
    pub busy: f64,
    /// Busy slots that the arrivals explain.
    pub expected: f64,
    /// Requests per second that the process finished.
    pub completions: f64,
}

/// What is remembered about the downstream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Downstream {
    slow: Option<Evidence>,
    /// Seconds for which the service time has looked healthy again.
    calm: f64,
    /// Seconds for which no more slots have been busy than the arrivals explain.
    idle: f64,
    /// Seconds of suspicion, less those without it.
    suspected: f64,
    /// Whether it was found slow by the mean alone: some requests take long, and most are as fast as ever.
    by_mean: bool,
    /// Seconds in which it was slow and yet everything was answered; a bad minute between them only does not count.
    coped: f64,
}

/// What one look at the downstream found.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Look {
    /// The evidence while it is slow.
    pub slow: Option<Evidence>,
    /// Slots fill up without answers to show for it: too early to tell, but no time to ask for pods.
    pub suspect: bool,
    /// It was slow for so long, and everything was answered, that this is the new normal.
    pub accepted: Option<Healthy>,
    /// Whether everything was answered in the last minute, but for the usual errors.
    pub copes: bool,
    /// Whether the process finishes more than arrives: it works off a queue, and the present is not how it will be.
    pub drains: bool,
    /// Whether more slots are busy than the arrivals explain, or somebody gave up lately. Requests that wait inside the
    /// process are seen by this alone: the router has no queue of its own then.
    pub crowded: bool,
    /// Whether no more slots are busy than the arrivals explain, and nobody waits or gives up.
    pub is_idle: bool,
    /// The service time of the last minute.
    pub present: Option<Healthy>,
    /// Its mean alone, which needs no more than one answer.
    pub mean: Option<f64>,
    /// Requests finished in the last minute.
    pub finished: f64,
}

/// What the look compares.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// Recent median service time in seconds.
    pub p50: Option<f64>,
    /// The healthy values, if the release has its own.
    pub healthy: Option<Healthy>,
    /// The pods themselves are short of CPU, which explains slow requests without anything behind them.
    pub throttled: bool,
    /// Share of errors that the process usually has.
    pub usual_errors: f64,
    /// Seconds that became complete with this tick; 0 while signals are unknown.
    pub fresh: f64,
}

impl Downstream {
    /// Whether nothing was found to be slow.
    pub fn is_healthy(&self) -> bool {
        self.slow.is_none()
    }

    /// Looks at the newest seconds.
    pub fn look(&mut self, window: &Window, service: Service, k: &Constants) -> Look {
        let Some(s0) = service.healthy else { return self.as_it_was() };
        let (recent, before) = (window.sums(0, 5), window.sums(10, 20));
        let rate = |of: f64, over: f64| ratio(of, over).unwrap_or(0.0);
        let expected = rate(recent.first, recent.seconds) * s0.mean;
        // Abandoned work counts when it ends: it kept its slot busy all the while.
        let done = rate(recent.finished, recent.seconds);
        let done_before = rate(before.finished, before.seconds);
        // Waiting requests begin as soon as a slot is free, so more busy slots than the answers explain mean that
        // each request takes longer (Little's law).
        let little = ratio(recent.busy, done * s0.mean).unwrap_or(10.0);
        let enough = recent.busy >= 2.0 && before.finished >= f64::from(k.min_count);
        let suspect = enough && little > k.slow_enter && done <= done_before * k.slow_rise;
        let look = minute(window, service, s0, k);
        let by_median = service.p50.map_or(1.0, |p| p / s0.p50);
        let by_mean = look.mean.map_or(1.0, |mean| mean / s0.mean);
        // A suspicion silences pods, so it must end: where the median does not tell, the mean of a minute does.
        let passed = if suspect { service.fresh } else { -service.fresh };
        self.suspected = (self.suspected + passed).clamp(0.0, SUSPECTED);
        let is_proved = by_median > k.slow_enter || (self.suspected >= SUSPECTED && by_mean > k.slow_enter);
        if self.slow.is_none() && suspect && !service.throttled && is_proved {
            *self = Self { by_mean: by_median <= k.slow_enter, ..Self::default() };
            let slowdown = if self.by_mean { by_mean } else { by_median };
            self.slow = Some(Evidence { slowdown, busy: recent.busy, expected, completions: done });
        }
        let slowdown = if self.by_mean { by_mean } else { by_median };
        self.recover(slowdown, service, look.is_idle, k);
        let still_slow = service.p50.is_some() && slowdown >= k.slow_leave;
        let accepted = self.cope(look, if still_slow { service.fresh } else { 0.0 }, k);
        Look { slow: self.slow, suspect: suspect || self.slow.is_some(), accepted, ..look }
    }

    /// Without a healthy value nothing is compared; what was found before stands.
    fn as_it_was(&self) -> Look {
        Look { slow: self.slow, suspect: self.slow.is_some(), ..Look::default() }
    }

    /// As fast as before for half a minute, or no more slots busy than arrivals explain for minutes: where next to nobody
    /// asks, or nothing is finished, there is no new service time to see it by.
    fn recover(&mut self, slowdown: f64, service: Service, is_idle: bool, k: &Constants) {
        self.idle = if self.slow.is_some() && is_idle { self.idle + service.fresh } else { 0.0 };
        if self.idle > IDLE {
            *self = Self::default();
        }
        if self.slow.is_none() || service.p50.is_none() || slowdown >= k.slow_leave {
            self.calm = 0.0;
            return;
        }
        self.calm += service.fresh;
        if self.calm > k.slow_leave_after {
            *self = Self::default();
        }
    }

    /// Slow, but everything is answered: after long enough this is no trouble but how the process is.
    fn cope(&mut self, look: Look, fresh: f64, k: &Constants) -> Option<Healthy> {
        if self.slow.is_none() || !look.copes {
            return None;
        }
        self.coped += fresh;
        let present = look.present.filter(|_| self.coped > k.slow_accept)?;
        *self = Self::default();
        Some(present)
    }
}

/// Seconds of suspicion after which the mean of the service time may prove it.
const SUSPECTED: f64 = 60.0;
/// Seconds for which no more slots may be busy than the arrivals explain until nothing is slow any more.
const IDLE: f64 = 300.0;
/// Seconds of what is called the last minute here.
pub(crate) const MINUTE: i64 = 58;

/// What the last minute says about the process. The newest two seconds are left out: who arrived in them cannot have
/// been answered, and more of them must not look like less coping.
fn minute(window: &Window, service: Service, s0: Healthy, k: &Constants) -> Look {
    let last = window.sums(2, MINUTE);
    let arrived = last.first + last.retries;
    let unusual = (last.errors - service.usual_errors * arrived).max(0.0);
    let copes = last.finished >= k.hold_completions * arrived
        && last.timeouts + unusual <= k.hold_timeouts * arrived
        && arrived > 0.0;
    let explained = ratio(last.first, last.seconds).unwrap_or(0.0) * s0.mean;
    let crowded = last.busy > k.slow_enter * explained || window.sums(2, 10).timeouts > 0.0;
    let is_idle = last.busy <= k.slow_leave * explained && last.waiting + last.timeouts + unusual < 1.0;
    let mean = ratio(last.service, last.finished).filter(|mean| *mean > 0.0);
    let present = mean.zip(service.p50).map(|(mean, p50)| Healthy { mean, p50 });
    let drains = last.finished > 1.1 * arrived;
    Look { copes, drains, crowded, is_idle, present, mean, finished: last.finished, ..Look::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::{Bucket, Histogram, Report};

    /// A hundred requests of 400 ms each.
    fn second() -> Bucket {
        let mut service = Histogram::default();
        (0..100).for_each(|_| service.record(400.0));
        Bucket {
            first_tries: 100,
            completed: 100,
            in_flight: 40,
            service_seconds: 40.0,
            service,
            ..Bucket::default()
        }
    }

    /// A window of so many such seconds and two that are like `newest`.
    fn window(seconds: i64, newest: Bucket) -> Window {
        let mut window = Window::default();
        for at in 0..seconds + 2 {
            let bucket = if at < seconds { second() } else { newest };
            let buckets = vec![Bucket { second: at, ..bucket }];
            let report = Report { router: "a".into(), buckets, gone: false };
            window.merge(at + 1, &[report], &Constants::default());
        }
        window
    }

    const SLOW: Service =
        Service { p50: Some(0.4), healthy: None, throttled: false, usual_errors: 0.0, fresh: 1.0 };

    const USUAL: Healthy = Healthy { mean: 0.2, p50: 0.2 };

    fn slow() -> Downstream {
        let evidence = Evidence { slowdown: 2.0, busy: 40.0, expected: 20.0, completions: 100.0 };
        Downstream { slow: Some(evidence), ..Downstream::default() }
    }

    #[test]
    fn arrivals_that_nobody_can_have_answered_yet_are_no_sign_of_trouble() {
        let k = Constants::default();
        let surge = Bucket { first_tries: 400, ..second() };
        assert!(minute(&window(60, surge), SLOW, USUAL, &k).copes);
        let lost = Bucket { first_tries: 100, ..Bucket::default() };
        let mut before = window(60, second());
        for at in 62..72 {
            let buckets = vec![Bucket { second: at, ..lost }];
            before.merge(at + 1, &[Report { router: "a".into(), buckets, gone: false }], &k);
        }
        assert!(!minute(&before, SLOW, USUAL, &k).copes, "eight lost seconds of a minute are");
    }

    #[test]
    fn nothing_recovers_and_nothing_becomes_usual_without_news() {
        let (k, w) = (Constants::default(), window(90, second()));
        let healthy = Some(Healthy { mean: 0.4, p50: 0.4 });
        for (service, news) in [
            (Service { healthy, ..SLOW }, k.slow_leave_after),
            (Service { healthy: Some(Healthy { mean: 0.2, p50: 0.2 }), ..SLOW }, k.slow_accept),
        ] {
            let mut d = slow();
            for _ in 0..5_000 {
                d.look(&w, Service { fresh: 0.0, ..service }, &k);
            }
            assert!(!d.is_healthy(), "{service:?}");
            for _ in 0..=news as u32 {
                d.look(&w, service, &k);
            }
            assert!(d.is_healthy(), "{service:?}");
        }
    }

    #[test]
    fn a_bad_minute_pauses_coping_and_does_not_begin_it_anew() {
        let k = Constants::default();
        let service = Service { healthy: Some(Healthy { mean: 0.2, p50: 0.2 }), ..SLOW };
        let (good, mut bad) = (window(90, second()), window(90, second()));
        for at in 92..97 {
            let buckets = vec![Bucket { second: at, errors: 100, ..second() }];
            bad.merge(at + 1, &[Report { router: "a".into(), buckets, gone: false }], &k);
        }
        let mut d = slow();
        for (w, seconds) in [(&good, 2_000), (&bad, 60), (&good, 650)] {
            for _ in 0..seconds {
                assert_eq!(d.look(w, service, &k).accepted, None);
            }
        }
        let accepted = (0..100).find_map(|_| d.look(&good, service, &k).accepted);
        assert!(accepted.is_some_and(|now| (now.mean - 0.4).abs() < 1e-9), "{accepted:?}");
    }
}

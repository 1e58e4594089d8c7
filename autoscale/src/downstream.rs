//! Is it our pods, or something behind them? A slow database fills every slot, and then waiting dominates; more pods
//! would only queue at the database.
//!
//! Seen by Little's law within two seconds (slots busy per answer) and by the p50 of the upstream time a little
//! later, both against the healthy value, while more slots are busy than the arrivals explain and answers do not rise.
//! It ends when requests are as fast as before, or when they have been slow and all answered for so long that this is
//! how the process is now.
use crate::{
    baseline::Healthy,
    constants::Constants,
    math::{Millis, ratio, seconds_since},
    window::Window,
};
use serde::{Deserialize, Serialize};

/// The evidence, as it was when the downstream was found slow.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
pub struct Downstream {
    slow: Option<Evidence>,
    /// Since when the service time looks healthy again.
    recovered: Option<Millis>,
    /// Since when it is slow and yet everything is answered.
    coping: Option<Millis>,
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
}

impl Downstream {
    /// Whether nothing was found to be slow.
    pub fn is_healthy(&self) -> bool {
        self.slow.is_none()
    }

    /// Looks at the newest seconds.
    pub fn look(&mut self, now: Millis, window: &Window, service: Service, k: &Constants) -> Look {
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
        let suspect =
            enough && !service.throttled && little > k.slow_enter && done <= done_before * k.slow_rise;
        let slowdown = service.p50.map_or(1.0, |p| p / s0.p50);
        if self.slow.is_none() && suspect && slowdown > k.slow_enter {
            self.slow = Some(Evidence { slowdown, busy: recent.busy, expected, completions: done });
            (self.recovered, self.coping) = (None, None);
        }
        self.recover(now, slowdown, service.p50.is_some(), k);
        let accepted = self.cope(now, window, service.p50, k);
        Look { slow: self.slow, suspect: suspect || self.slow.is_some(), accepted }
    }

    /// Without a healthy value nothing is compared; what was found before stands.
    fn as_it_was(&self) -> Look {
        Look { slow: self.slow, suspect: self.slow.is_some(), accepted: None }
    }

    fn recover(&mut self, now: Millis, slowdown: f64, known: bool, k: &Constants) {
        if self.slow.is_none() || !known || slowdown >= k.slow_leave {
            self.recovered = None;
            return;
        }
        let since = *self.recovered.get_or_insert(now);
        if seconds_since(now, since) >= k.slow_leave_after {
            *self = Self::default();
        }
    }

    /// Slow, but everything is answered: after long enough this is no trouble but how the process is.
    fn cope(&mut self, now: Millis, window: &Window, p50: Option<f64>, k: &Constants) -> Option<Healthy> {
        let last = window.sums(0, 60);
        let arrived = last.first + last.retries;
        let copes = last.finished >= k.hold_completions * arrived
            && last.timeouts + last.errors <= k.hold_timeouts * arrived
            && arrived > 0.0;
        if self.slow.is_none() || !copes {
            self.coping = None;
            return None;
        }
        let since = *self.coping.get_or_insert(now);
        let (mean, p50) = (ratio(last.service, last.finished)?, p50?);
        if seconds_since(now, since) < k.slow_accept {
            return None;
        }
        *self = Self::default();
        Some(Healthy { mean, p50 })
    }
}

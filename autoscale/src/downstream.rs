//! Is it our pods, or something behind them? A slow database fills every slot, and then waiting dominates; more pods
//! would only queue at the database.
//!
//! Seen by Little's law within two seconds (slots busy per completion) and by the p50 of the upstream time a little
//! later, both against the healthy value, while more slots are busy than the arrivals explain and completions do not rise.
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
    /// Completions per second.
    pub completions: f64,
}

/// What is remembered about the downstream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Downstream {
    slow: Option<Evidence>,
    /// Since when the service time looks healthy again.
    recovered: Option<Millis>,
}

/// What one look at the downstream found.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Look {
    /// The evidence while it is slow.
    pub slow: Option<Evidence>,
    /// Slots fill up without completions to show for it: too early to tell, but no time to ask for pods.
    pub suspect: bool,
}

impl Downstream {
    /// Looks at the newest seconds. `p50` is the recent median service time in seconds.
    pub fn look(
        &mut self,
        now: Millis,
        window: &Window,
        p50: Option<f64>,
        s0: Option<Healthy>,
        k: &Constants,
    ) -> Look {
        let Some(s0) = s0 else { return Look { slow: self.slow, suspect: false } };
        let (recent, before) = (window.sums(0, 5), window.sums(10, 20));
        let rate = |of: f64, over: f64| ratio(of, over).unwrap_or(0.0);
        let expected = rate(recent.first, recent.seconds) * s0.mean;
        let done = rate(recent.completed + recent.errors, recent.seconds);
        let done_before = rate(before.completed + before.errors, before.seconds);
        // Waiting requests begin as soon as a slot is free, so more busy slots than the completions explain mean that
        // each request takes longer (Little's law).
        let little = ratio(recent.busy, done * s0.mean).unwrap_or(10.0);
        let enough = recent.busy >= 2.0 && before.completed >= f64::from(k.min_count);
        let suspect = enough && little > k.slow_enter && done <= done_before * 1.1;
        let slowdown = p50.map_or(1.0, |p| p / s0.p50);
        if self.slow.is_none() && suspect && slowdown > k.slow_enter {
            self.slow = Some(Evidence { slowdown, busy: recent.busy, expected, completions: done });
            self.recovered = None;
        }
        self.recover(now, slowdown, p50.is_some(), k);
        Look { slow: self.slow, suspect: suspect || self.slow.is_some() }
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
}

//! How often an endpoint was ready and not ready, and for how long it is held because of that.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// More flips than this in [`FLIP_TIME`] are too many.
pub(super) const FLIPS: usize = 3;
/// See [`FLIPS`].
pub(super) const FLIP_TIME: Duration = Duration::from_secs(60);
/// So long one that flips is held at first, and at most; it doubles each time.
const HOLD: (Duration, Duration) = (Duration::from_secs(30), Duration::from_mins(5));

/// How often one was ready and not ready.
pub(super) struct Flips {
    times: VecDeque<Instant>,
    pub(super) last: Instant,
    pub(super) held_until: Option<Instant>,
    next_hold: Duration,
}

impl Flips {
    pub(super) fn new(now: Instant) -> Self {
        Self { times: VecDeque::new(), last: now, held_until: None, next_hold: HOLD.0 }
    }

    /// One more; how long it is held, if that begins now.
    pub(super) fn flipped(&mut self, now: Instant) -> Option<Duration> {
        self.last = now;
        self.times.push_back(now);
        self.times.retain(|time| now.saturating_duration_since(*time) < FLIP_TIME);
        let is_held = self.held_until.is_some_and(|until| until > now);
        if is_held || self.times.len() <= FLIPS {
            return None;
        }
        let hold = self.next_hold;
        self.next_hold = (hold * 2).min(HOLD.1);
        self.held_until = Some(now + hold);
        self.times.clear();
        Some(hold)
    }
}

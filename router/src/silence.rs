//! A limit for waiting on the next piece of a body.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Ends a wait that takes too long. The timer is made when there is something to wait for, which most bodies never have.
pub struct Silence {
    limit: Duration,
    /// What is left of it.
    left: Duration,
    /// Since when it waits.
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    /// Waits may take so long.
    pub fn new(limit: Duration) -> Self {
        Self { limit, left: limit, since: None, timer: None }
    }

    /// Something came, and earns so much time for the next wait; all of it if nothing is said.
    pub fn broken(&mut self, earned: Option<Duration>) {
        if let Some(since) = self.since.take() {
            let earned = earned.unwrap_or(self.limit);
            self.left = self.left.saturating_sub(since.elapsed()).saturating_add(earned).min(self.limit);
        }
    }

    /// Ready when the time is used up. Where something went the `other` way meanwhile, the two talk, and it begins anew.
    pub fn poll(&mut self, cx: &mut Context<'_>, other: Option<Instant>) -> Poll<()> {
        let is_new = self.since.is_none();
        let mut until = *self.since.get_or_insert_with(Instant::now) + self.left;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if is_new {
            timer.as_mut().reset(until);
        }
        while timer.as_mut().poll(cx).is_ready() {
            match other.map(|other| other + self.limit) {
                Some(later) if later > until && later > Instant::now() => until = later,
                _ => return Poll::Ready(()),
            }
            timer.as_mut().reset(until);
        }
        Poll::Pending
    }
}

//! The fence: nothing is written by a process that does not hold the lease for long enough.
//!
//! What enters is the end of the lease as the elector knows it; what leaves is permission to send one request. The
//! remaining time is read from two clocks, and the smaller one counts: the monotonic clock stands still while a
//! machine sleeps, the clock on the wall may be set back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::time::TimeSpec;
use nix::time::ClockId;
use plan::Refusal;

use crate::apply::deadline::Deadline;

/// Until when the lease is held.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    monotonic: Instant,
    wall: SystemTime,
    /// The end by the clock that the kernel's timer goes by.
    boot: TimeSpec,
}

impl Held {
    /// A lease of this length that began now. Taken before the renewal is sent, never after it is answered.
    pub fn from_now(length: Duration) -> Self {
        // Without that clock the timer fires at once, which is safe; Linux has had it since 2.6.39.
        let boot = ClockId::CLOCK_BOOTTIME.now().unwrap_or(TimeSpec::new(0, 1));
        let boot = boot + TimeSpec::from_duration(length);
        Self { monotonic: Instant::now() + length, wall: SystemTime::now() + length, boot }
    }

    pub(crate) fn boot_time(self) -> TimeSpec {
        self.boot
    }

    fn remaining(&self) -> Duration {
        let monotonic = self.monotonic.saturating_duration_since(Instant::now());
        let wall = self.wall.duration_since(SystemTime::now()).unwrap_or_default();
        monotonic.min(wall)
    }
}

/// Shared by the elector, which moves it, and the writer, which asks it.
#[derive(Clone, Debug)]
pub struct Fence {
    held: Arc<Mutex<Option<Held>>>,
    deadline: Option<Deadline>,
}

impl Fence {
    /// A closed fence, opened by an elector.
    pub fn closed() -> Self {
        Self { held: Arc::default(), deadline: None }
    }

    /// A closed fence that has the kernel end this process when a lease ends that was neither renewed nor given up.
    ///
    /// # Errors
    /// The system grants no timer.
    pub fn guarded() -> std::io::Result<Self> {
        #[cfg(feature = "seeded-bugs")]
        if crate::apply::seeded::Bug::planted() == Some(crate::apply::seeded::Bug::NoFence) {
            return Ok(Self::closed());
        }
        Ok(Self { deadline: Some(Deadline::new()?), ..Self::closed() })
    }

    /// Moves the end of the lease; `None` closes the fence.
    pub fn hold(&self, held: Option<Held>) {
        let mut now = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(deadline) = &self.deadline {
            // The timer moves before the fence opens, and goes after it is closed.
            if held.is_none() {
                *now = None;
            }
            deadline.set(held);
        }
        *now = held;
    }

    /// Closes the fence before the lease ends. What had passed it may still be on its way out: until the process has ended
    /// by itself, the kernel's timer stays.
    pub fn close(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// How long the lease still lasts.
    pub fn remaining(&self) -> Duration {
        let held = *self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.map_or(Duration::ZERO, |held| held.remaining())
    }

    /// Permission to send one request that takes at most `timeout`.
    ///
    /// # Errors
    /// A transient [`Refusal`] when the lease does not last longer than that.
    pub fn pass(&self, timeout: Duration) -> Result<(), Refusal> {
        #[cfg(feature = "seeded-bugs")]
        if crate::apply::seeded::Bug::planted() == Some(crate::apply::seeded::Bug::NoFence) {
            return Ok(());
        }
        if self.remaining() > timeout {
            return Ok(());
        }
        Err(Refusal::transient("not the leader, or not for long enough to finish a write; nothing was sent"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_passes_unless_the_lease_outlasts_the_request() {
        let fence = Fence::closed();
        assert!(fence.pass(Duration::ZERO).is_err());
        fence.hold(Some(Held::from_now(Duration::from_secs(60))));
        assert!(fence.pass(Duration::from_secs(30)).is_ok());
        assert!(fence.pass(Duration::from_secs(60)).is_err());
        fence.hold(None);
        assert!(fence.pass(Duration::ZERO).is_err());
    }

    #[test]
    fn the_smaller_of_both_clocks_counts() {
        let long = Held::from_now(Duration::from_secs(60));
        let slept = Held { wall: SystemTime::now(), ..long };
        assert_eq!(slept.remaining(), Duration::ZERO);
        let set_back = Held { monotonic: Instant::now(), ..long };
        assert_eq!(set_back.remaining(), Duration::ZERO);
    }
}

//! Who sends wrong signatures is heard less often. Only failures count, and only against the ConfigRepo that they were
//! sent to: pushes that are signed never wait behind somebody who guesses at another one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::controllers::Key;

/// So many failures within a window are tolerated.
const FAILURES: u32 = 20;
/// The window.
const WINDOW: Duration = Duration::from_secs(60);
/// So many sources are remembered; beyond that the oldest windows are forgotten.
const SOURCES: usize = 10_000;

/// Failures by source and ConfigRepo.
#[derive(Default)]
pub(super) struct Limiter {
    failures: Mutex<HashMap<(IpAddr, Key), (u32, Instant)>>,
}

impl Limiter {
    /// Whether a source may try again.
    pub fn may(&self, source: IpAddr, key: &Key) -> bool {
        let failures = self.lock();
        let found = failures.get(&(source, key.clone()));
        found.is_none_or(|(count, since)| *count < FAILURES || since.elapsed() >= WINDOW)
    }

    /// A source failed.
    pub fn failed(&self, source: IpAddr, key: &Key) {
        let mut failures = self.lock();
        if failures.len() >= SOURCES {
            failures.retain(|_, (_, since)| since.elapsed() < WINDOW);
            if failures.len() >= SOURCES {
                failures.clear();
            }
        }
        let entry = failures.entry((source, key.clone())).or_insert((0, Instant::now()));
        if entry.1.elapsed() >= WINDOW {
            *entry = (0, Instant::now());
        }
        entry.0 += 1;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(IpAddr, Key), (u32, Instant)>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failures_count_for_their_source_and_config_repo_within_a_window() {
        let limiter = Limiter::default();
        let (here, there) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let (a, b) = (Key::new("team", "a"), Key::new("team", "b"));
        for _ in 0..FAILURES {
            assert!(limiter.may(here, &a));
            limiter.failed(here, &a);
        }
        assert!(!limiter.may(here, &a));
        assert!(limiter.may(there, &a) && limiter.may(here, &b));
        tokio::time::advance(WINDOW).await;
        assert!(limiter.may(here, &a));
    }
}

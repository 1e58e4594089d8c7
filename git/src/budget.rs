//! The running account of one call: its deadline, the bytes it may still receive, and the first thing that failed.
//!
//! The git library reports its own view of an error; what really happened (a time-out, a cap, a 401) is noted here by
//! the transport and wins.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Cap, GitError};
use crate::limits::Limits;

#[derive(Debug)]
struct Meter {
    cap: Cap,
    limit: u64,
    used: u64,
}

/// Shared by everything that works on one call.
#[derive(Debug)]
pub(crate) struct Budget {
    deadline: Instant,
    overall: Duration,
    connect: Duration,
    idle: Duration,
    meter: Mutex<Meter>,
    failure: Mutex<Option<GitError>>,
    greeted_from_memory: AtomicBool,
}

impl Budget {
    /// Starts the clock.
    pub(crate) fn start(limits: &Limits) -> Self {
        Self {
            deadline: Instant::now() + limits.overall_timeout,
            overall: limits.overall_timeout,
            connect: limits.connect_timeout,
            idle: limits.idle_timeout,
            meter: Mutex::new(Meter {
                cap: Cap::AdvertisementBytes,
                limit: limits.advertisement_bytes,
                used: 0,
            }),
            failure: Mutex::new(None),
            greeted_from_memory: AtomicBool::new(false),
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Starts a new count: from now on `limit` bytes may come in, and `cap` is named when they are used up.
    pub(crate) fn allow(&self, cap: Cap, limit: u64) {
        *self.meter.lock().unwrap_or_else(PoisonError::into_inner) = Meter { cap, limit, used: 0 };
    }

    /// Notes `bytes` received.
    pub(crate) fn received(&self, bytes: usize) -> Result<(), GitError> {
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        meter.used = meter.used.saturating_add(bytes as u64);
        if meter.used > meter.limit { Err(GitError::too_large(meter.cap, meter.limit)) } else { Ok(()) }
    }

    /// Waits for something from the server, at most the idle time.
    pub(crate) async fn idle<T>(
        &self,
        phase: &'static str,
        work: impl Future<Output = T>,
    ) -> Result<T, GitError> {
        self.within(self.idle, phase, work).await
    }

    /// Waits for a connection to be made, at most the connect time.
    pub(crate) async fn connecting<T>(
        &self,
        phase: &'static str,
        work: impl Future<Output = T>,
    ) -> Result<T, GitError> {
        self.within(self.connect, phase, work).await
    }

    async fn within<T>(
        &self,
        most: Duration,
        phase: &'static str,
        work: impl Future<Output = T>,
    ) -> Result<T, GitError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let after = if left < most { self.overall } else { most };
        tokio::time::timeout(most.min(left), work).await.map_err(|_| GitError::Timeout { phase, after })
    }

    /// Fails once the deadline has passed.
    pub(crate) fn check(&self, phase: &'static str) -> Result<(), GitError> {
        if Instant::now() < self.deadline {
            return Ok(());
        }
        Err(GitError::Timeout { phase, after: self.overall })
    }

    /// Notes that the server's greeting of an earlier call was used.
    pub(crate) fn set_greeted_from_memory(&self) {
        self.greeted_from_memory.store(true, Ordering::Relaxed);
    }

    pub(crate) fn greeted_from_memory(&self) -> bool {
        self.greeted_from_memory.load(Ordering::Relaxed)
    }

    /// Notes why the call fails (the first reason stays) and wraps it for the git library.
    pub(crate) fn fail(&self, error: GitError) -> io::Error {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        io::Error::other(failure.get_or_insert(error).clone())
    }

    /// The noted reason, if there is one.
    pub(crate) fn failure(&self) -> Option<GitError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

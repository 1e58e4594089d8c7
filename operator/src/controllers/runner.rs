//! The loop of every controller: keys enter, one reconcile per key at a time, the next look follows from one table.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::{BuildHasher as _, Hasher as _};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use jiff::Timestamp;
use plan::requeue;
use plan::{Class, Refusal};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, error, info_span, warn};

use crate::context::Context;
use crate::controllers::queue::{Key, Queue};

/// One kind's reconcile.
pub trait Controller: Send + Sync + 'static {
    /// Its name in logs and metrics.
    const NAME: &'static str;

    /// Looks at one object and does what has to be done. Returns when to look again although nothing is seen to change.
    fn reconcile(
        &self,
        context: &Context,
        key: &Key,
    ) -> impl Future<Output = Result<Option<Timestamp>, Refusal>> + Send;
}

/// Runs a controller until `stop`, then lets running reconciles finish.
pub async fn run<C: Controller>(controller: C, queue: Queue, context: Context, stop: CancellationToken) {
    let controller = Arc::new(controller);
    let slots = Arc::new(Semaphore::new(usize::from(context.settings.concurrency)));
    let failures = Failures::default();
    let mut running = JoinSet::new();
    loop {
        let Some(Ok(slot)) = stop.run_until_cancelled(slots.clone().acquire_owned()).await else { break };
        let Some(key) = stop.run_until_cancelled(queue.next()).await else { break };
        context.metrics.queued(C::NAME, queue.depth());
        while running.try_join_next().is_some() {}
        let (controller, queue, context, failures) =
            (controller.clone(), queue.clone(), context.clone(), failures.clone());
        running.spawn(async move {
            let wait = look(controller.as_ref(), &context, &key, &failures).await;
            if let Some(wait) = wait {
                queue.wake_at(key.clone(), Instant::now() + wait);
            }
            queue.done(&key);
            context.metrics.queued(C::NAME, queue.depth());
            drop(slot);
        });
    }
    while running.join_next().await.is_some() {}
}

/// One reconcile, in one span. Returns how long to wait before the next one.
async fn look<C: Controller>(
    controller: &C,
    context: &Context,
    key: &Key,
    failures: &Failures,
) -> Option<Duration> {
    let span = info_span!("reconcile", controller = C::NAME, object = %key);
    async {
        let started = Instant::now();
        // A defect in one object's reconcile must not take all others down.
        let result = AssertUnwindSafe(controller.reconcile(context, key)).catch_unwind().await;
        let result = result.unwrap_or_else(|_| {
            error!("a reconcile panicked; this is a defect of Keelway, please report it with the log line above");
            Err(Refusal::transient("internal error"))
        });
        let class = result.as_ref().err().map(|refusal| refusal.class);
        context.metrics.reconciled(C::NAME, started.elapsed(), class);
        match result {
            Ok(wake) => {
                failures.forget(key);
                debug!(took = ?started.elapsed(), "reconciled");
                wake.map(|at| until(at, (context.now)()))
            }
            Err(refusal) => {
                let (count, known) = failures.more(key, &refusal);
                // Said once: what is tried again and again would drown everything else.
                if known {
                    debug!(reason = refusal.reason.as_str(), class = ?refusal.class, count, "still: {refusal}");
                } else {
                    warn!(reason = refusal.reason.as_str(), class = ?refusal.class, took = ?started.elapsed(), "{refusal}");
                }
                Some(requeue::after_refusal(&refusal, count, jitter()))
            }
        }
    }
    .instrument(span)
    .await
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}

/// A number from 0 to 1 that differs from call to call; spreading needs no better source.
fn jitter() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(random >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

/// By key, the transient failures in a row and what was said last.
#[derive(Clone, Default)]
struct Failures(Arc<Mutex<HashMap<Key, (u32, String)>>>);

impl Failures {
    /// Counts a refusal. Returns how many transient ones there were in a row, 1 for others, and whether the very same
    /// was said the last time.
    fn more(&self, key: &Key, refusal: &Refusal) -> (u32, bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, said) = all.entry(key.clone()).or_default();
        *count = if refusal.class == Class::Transient { count.saturating_add(1) } else { 0 };
        let known = *said == refusal.message;
        if !known {
            said.clone_from(&refusal.message);
        }
        ((*count).max(1), known)
    }

    fn forget(&self, key: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_its_bounds_and_varies() {
        let numbers: Vec<f64> = (0..100).map(|_| jitter()).collect();
        assert!(numbers.iter().all(|n| (0.0..=1.0).contains(n)));
        assert!(numbers.iter().any(|n| (n - numbers[0]).abs() > 0.01));
    }

    #[test]
    fn what_is_refused_again_for_the_same_reason_is_counted_and_known() {
        let (failures, key) = (Failures::default(), Key::new("team", "shop"));
        assert_eq!(failures.more(&key, &Refusal::transient("down")), (1, false));
        assert_eq!(failures.more(&key, &Refusal::transient("down")), (2, true));
        assert_eq!(failures.more(&key, &Refusal::transient("slow")), (3, false));
        assert_eq!(failures.more(&key, &Refusal::waiting(crds::Reason::Waiting, "waits")), (1, false));
        failures.forget(&key);
        assert_eq!(failures.more(&key, &Refusal::transient("slow")), (1, false));
    }

    #[test]
    fn a_time_that_has_passed_is_now() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        assert_eq!(until(at(5), at(9)), Duration::ZERO);
        assert_eq!(until(at(9), at(5)), Duration::from_secs(4));
    }
}

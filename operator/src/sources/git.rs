//! Git as a source of facts: fetches run beside the reconciles, so that a host that never answers holds nobody up. What
//! leaves is the newest commit that is known of each ConfigRepo, and a wake when that changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crds::Reason;
use git::{ErrorClass, Fetched, Git, GitError, Oid, Request};
use jiff::Timestamp;
use plan::{Refusal, requeue};
use tokio::sync::Semaphore;
use tracing::debug;

use crate::controllers::{Key, Queue};
use crate::metrics::Metrics;

/// How many fetches run at once.
const FETCHES: usize = 8;
/// How many of them are of one namespace: a host that drips holds up its own tenant, not the others.
const PER_NAMESPACE: usize = 3;
/// How soon after a failure that a person must mend the host is asked again, at least.
const PATIENCE: Duration = Duration::from_secs(30);

/// Fetches, and what they found; a cheap handle.
#[derive(Clone)]
pub struct Fetcher {
    git: Arc<dyn Git>,
    known: Arc<Mutex<HashMap<Key, Known>>>,
    slots: Arc<Semaphore>,
    shares: Arc<Mutex<HashMap<String, Weak<Semaphore>>>>,
    queue: Queue,
    metrics: Metrics,
    now: fn() -> Timestamp,
}

/// What is known of one repository.
#[derive(Default)]
struct Known {
    /// What the last fetch asked for, and a digest of what it was made of.
    request: Option<(Request, String)>,
    /// The last commit that was fetched with that request.
    good: Option<Fetched>,
    /// Why the last fetch failed, if it did.
    error: Option<Refusal>,
    /// When the last fetch ended.
    ended: Option<Timestamp>,
    /// Failures in a row.
    failures: u32,
    /// A fetch is under way.
    running: bool,
    /// Somebody asked for a look since it began.
    again: bool,
}

/// What is known of a repository now.
#[derive(Clone, Default)]
pub struct Look {
    /// The newest commit that was fetched.
    pub good: Option<Fetched>,
    /// Why the last fetch failed, if it did.
    pub error: Option<Refusal>,
    /// When the last fetch ended.
    pub ended: Option<Timestamp>,
    /// Failures in a row.
    pub failures: u32,
    /// A fetch is under way; its end wakes the ConfigRepo.
    pub running: bool,
}

impl Look {
    /// When the host is asked again, of an interval that is spread already.
    pub fn due(&self, interval_end: impl Fn(Timestamp) -> Timestamp) -> Option<Timestamp> {
        let ended = self.ended?;
        let Some(error) = &self.error else { return Some(interval_end(ended)) };
        let wait = match error.class {
            plan::Class::Transient => requeue::after(error.class, self.failures, 1.0),
            plan::Class::Waiting | plan::Class::NeedsUser => PATIENCE,
        };
        ended.saturating_add(wait).ok()
    }
}

impl Fetcher {
    /// Fetches with `git` and wakes `queue`.
    pub fn new(git: Arc<dyn Git>, queue: Queue, metrics: Metrics, now: fn() -> Timestamp) -> Self {
        let slots = Arc::new(Semaphore::new(FETCHES));
        Self { git, known: Arc::default(), slots, shares: Arc::default(), queue, metrics, now }
    }

    /// A commit by its id: as it is here, or else from the host. It blocks.
    pub fn at(&self, request: &Request, commit: Oid) -> Option<Fetched> {
        if let Ok(Some(snapshot)) = self.git.open(request, commit) {
            return Some(Fetched { commit: snapshot.commit().clone(), downloaded: false, snapshot });
        }
        self.git.fetch(request).ok().filter(|fetched| fetched.commit.sha == commit)
    }

    /// What is known of a repository, asked for with a request of this digest.
    pub fn look(&self, key: &Key, digest: &str) -> Look {
        let known = self.lock();
        match known.get(key) {
            Some(known) if known.request.as_ref().is_some_and(|(_, d)| d == digest) => Look {
                good: known.good.clone(),
                error: known.error.clone(),
                ended: known.ended,
                failures: known.failures,
                running: known.running,
            },
            _ => Look::default(),
        }
    }

    /// Fetches now. While a fetch runs, another one follows it.
    pub fn fetch(&self, key: &Key, request: Request, digest: String) {
        let mut all = self.lock();
        let known = all.entry(key.clone()).or_default();
        if known.request.as_ref().is_none_or(|(_, d)| *d != digest) {
            // What another address or other credentials gave says nothing about these.
            (known.good, known.error, known.ended, known.failures) = (None, None, None, 0);
        }
        known.request = Some((request, digest));
        self.start(key, known);
    }

    /// A hint that there is news, such as a push notification: looks at once, with what was asked last.
    pub fn hint(&self, key: &Key) {
        let mut all = self.lock();
        match all.get_mut(key) {
            Some(known) if known.request.is_some() => self.start(key, known),
            _ => self.queue.wake(key.clone()),
        }
    }

    /// Forgets a ConfigRepo that is gone.
    pub fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn start(&self, key: &Key, known: &mut Known) {
        if known.running {
            known.again = true;
            return;
        }
        let Some((request, digest)) = known.request.clone() else { return };
        known.running = true;
        let (this, key) = (self.clone(), key.clone());
        tokio::spawn(async move {
            let result = this.work(&key.namespace, request).await;
            this.end(&key, &digest, result);
        });
    }

    /// The slots of a namespace.
    fn share(&self, namespace: &str) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(namespace).and_then(Weak::upgrade) {
            return share;
        }
        shares.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Semaphore::new(PER_NAMESPACE));
        shares.insert(namespace.to_owned(), Arc::downgrade(&share));
        share
    }

    async fn work(&self, namespace: &str, request: Request) -> Result<Fetched, GitError> {
        let share = self.share(namespace);
        let _turn = share.acquire().await;
        let _slot = self.slots.acquire().await;
        let started = tokio::time::Instant::now();
        let git = self.git.clone();
        let result = tokio::task::spawn_blocking(move || git.fetch(&request)).await;
        let result =
            result.unwrap_or_else(|_| Err(GitError::Protocol { detail: "the fetch was ended".into() }));
        self.metrics.fetched(started.elapsed(), result.is_ok());
        debug!(took = ?started.elapsed(), ok = result.is_ok(), "fetched");
        result
    }

    fn end(&self, key: &Key, digest: &str, result: Result<Fetched, GitError>) {
        let mut all = self.lock();
        let Some(known) = all.get_mut(key) else { return };
        known.running = false;
        let again = std::mem::take(&mut known.again);
        if known.request.as_ref().is_some_and(|(_, d)| d == digest) {
            known.ended = Some((self.now)());
            match result {
                Ok(fetched) => (known.good, known.error, known.failures) = (Some(fetched), None, 0),
                Err(error) => {
                    known.error = Some(refusal(&error));
                    known.failures = known.failures.saturating_add(1);
                }
            }
        }
        if again {
            self.start(key, known);
        }
        drop(all);
        self.queue.wake(key.clone());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A git error in the operator's words. The message is the git library's own: it names the cure and holds no secret.
pub fn refusal(error: &GitError) -> Refusal {
    let reason = match error {
        GitError::Unauthorized { .. }
        | GitError::SshRefused { .. }
        | GitError::AccessRefused { .. }
        | GitError::InvalidCredentials { .. } => Reason::AuthenticationFailed,
        GitError::RefMissing { .. } | GitError::CommitUnreachable { .. } | GitError::NotACommit { .. } => {
            Reason::RefMissing
        }
        GitError::PathMissing { .. } => Reason::PathEmpty,
        GitError::HostileTree { .. } | GitError::TooLarge { .. } => Reason::InvalidManifest,
        GitError::InvalidUrl { .. } | GitError::InvalidRef { .. } | GitError::InvalidPath { .. } => {
            Reason::InvalidSpec
        }
        _ => Reason::FetchFailed,
    };
    match error.class() {
        ErrorClass::NeedsUser => Refusal::needs_user(reason, error.to_string()),
        ErrorClass::Transient => Refusal { reason, ..Refusal::transient(error.to_string()) },
    }
}

#[cfg(test)]
#[path = "git_tests.rs"]
mod tests;

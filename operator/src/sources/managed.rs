//! What is seen of the objects that ConfigRepos apply. Watches enter, each made as the ConfigRepo's own service account
//! and of its own objects alone, so that the operator needs no right to read everything; what leaves is a [`Seen`] per
//! object and a wake when the cluster no longer holds what git says. The objects themselves are not kept.

mod index;
mod watches;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::Client;
use plan::ObjectKey;
use plan::config_repo::{Planned, Seen};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::apply::{Identity, Kinds};
use crate::controllers::{Key, Queue};
pub(crate) use index::Index;
use watches::Topic;

/// News of health are gathered for so long: a roll-out changes status often.
const HEALTH_DELAY: Duration = Duration::from_millis(500);

/// The applied objects of all ConfigRepos; a cheap handle.
#[derive(Clone)]
pub struct Managed {
    client: Client,
    kinds: Kinds,
    queue: Queue,
    repos: Arc<Mutex<HashMap<Key, Repo>>>,
    /// Who applies an object; the first one keeps it.
    claims: Arc<Mutex<HashMap<ObjectKey, Key>>>,
    news: Arc<Notify>,
}

/// The applied objects of one ConfigRepo.
struct Repo {
    uid: String,
    identity: Identity,
    index: Index,
    watches: HashMap<Topic, watches::Watch>,
}

impl Managed {
    /// Reads through `client` and wakes `queue`.
    pub fn new(client: Client, kinds: Kinds, queue: Queue) -> Self {
        Self { client, kinds, queue, repos: Arc::default(), claims: Arc::default(), news: Arc::default() }
    }

    /// Says what git has of a ConfigRepo, and watches its objects from now on.
    pub fn expect(&self, key: &Key, uid: &str, identity: &Identity, set: &[Arc<Planned>]) {
        let mut repos = self.lock();
        let fresh = repos.get(key).is_none_or(|repo| repo.uid != uid || repo.identity != *identity);
        if fresh {
            let repo = Repo {
                uid: uid.to_owned(),
                identity: identity.clone(),
                index: Index::default(),
                watches: HashMap::new(),
            };
            repos.insert(key.clone(), repo);
        }
        let Some(repo) = repos.get_mut(key) else { return };
        repo.index.expect(set);
        let topics: std::collections::HashSet<Topic> =
            set.iter().map(|planned| Topic::of(&planned.key)).collect();
        repo.watches.retain(|topic, _| topics.contains(topic));
        for topic in topics {
            let wanted = topic.clone();
            repo.watches.entry(topic).or_insert_with(|| self.watch(key.clone(), uid, identity, wanted));
        }
    }

    /// Waits until every watch has shown all there is, or may not. `false` after `patience`.
    pub async fn wait(&self, key: &Key, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            let news = self.news.notified();
            if self.lock().get(key).is_none_or(|repo| repo.watches.values().all(watches::Watch::is_settled)) {
                return true;
            }
            if tokio::time::timeout_at(deadline, news).await.is_err() {
                return false;
            }
        }
    }

    /// Looks at the index of a ConfigRepo; one that is not known is empty.
    pub(crate) fn with<T>(&self, key: &Key, look: impl FnOnce(&Index) -> T) -> T {
        match self.lock().get(key) {
            Some(repo) => look(&repo.index),
            None => look(&Index::default()),
        }
    }

    /// What git has of a ConfigRepo is in force: everything else is forgotten and given free.
    pub fn settle(&self, key: &Key) {
        let mut repos = self.lock();
        let Some(repo) = repos.get_mut(key) else { return };
        repo.index.settle();
        self.claims().retain(|object, owner| owner != key || repo.index.has(object));
    }

    /// Takes over what the API server answered to an apply.
    pub fn applied(&self, key: &Key, planned: &Planned, live: &Value) {
        if let Some(repo) = self.lock().get_mut(key) {
            repo.index.applied(planned, live);
        }
    }

    /// An object was set back to what git says.
    pub fn repaired(&self, key: &Key, object: &ObjectKey) {
        if let Some(repo) = self.lock().get_mut(key) {
            repo.index.repaired(object);
        }
    }

    /// The kinds that may not be watched: there drift goes unnoticed between commits.
    pub fn unwatched(&self, key: &Key) -> Vec<String> {
        let repos = self.lock();
        let watches = repos.get(key).into_iter().flat_map(|repo| &repo.watches);
        let mut kinds: Vec<_> =
            watches.filter(|(_, watch)| watch.is_refused()).map(|(topic, _)| topic.kind.clone()).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }

    /// Forgets a ConfigRepo that is gone, ends its watches and gives its objects free.
    pub fn forget(&self, key: &Key) {
        self.lock().remove(key);
        self.claims().retain(|_, owner| owner != key);
    }

    /// Claims an object for a ConfigRepo. Another that claimed it before keeps it and is named.
    ///
    /// # Errors
    /// The ConfigRepo that has the object.
    pub fn claim(&self, key: &Key, object: &ObjectKey) -> Result<(), Key> {
        let mut claims = self.claims();
        match claims.get(object) {
            Some(owner) if owner != key => Err(owner.clone()),
            Some(_) => Ok(()),
            None => {
                claims.insert(object.clone(), key.clone());
                Ok(())
            }
        }
    }

    /// Gives free what a ConfigRepo no longer has.
    pub fn release(&self, key: &Key, keep: impl Fn(&ObjectKey) -> bool) {
        self.claims().retain(|object, owner| owner != key || keep(object));
    }

    /// A watch showed an object.
    fn shown(&self, key: &Key, live: &Value) {
        let change = self.lock().get_mut(key).map(|repo| repo.index.shown(live));
        self.wake(key, change.unwrap_or(index::Change::None));
    }

    /// A watch no longer shows an object.
    fn gone(&self, key: &Key, live: &Value) {
        let change = self.lock().get_mut(key).map(|repo| repo.index.gone(live));
        self.wake(key, change.unwrap_or(index::Change::None));
    }

    fn wake(&self, key: &Key, change: index::Change) {
        match change {
            index::Change::Drift => self.queue.wake(key.clone()),
            index::Change::Health => self.queue.wake_at(key.clone(), Instant::now() + HEALTH_DELAY),
            index::Change::None => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Repo>> {
        self.repos.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claims(&self) -> MutexGuard<'_, HashMap<ObjectKey, Key>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of an object as a watch shows it.
fn key_of(live: &Value) -> Option<ObjectKey> {
    plan::Manifest::new(live.clone()).map(|manifest| manifest.key())
}

/// What a repository's index says of an object.
pub(crate) fn version(seen: &Seen) -> u64 {
    seen.resource_version.parse().unwrap_or_default()
}

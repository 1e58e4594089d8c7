//! ConfigRepos: git is the truth. What enters is a key; what leaves is a cluster equal to the newest commit that it
//! accepts. The rules stand in `plan::config_repo`; here they are carried from stage to stage.

mod account;
mod apply;
mod check;
mod deletion;
mod dependencies;
mod empty;
mod load;
mod pass;
mod prune;
mod read;
mod record;
mod restore;
mod source;
mod suggest;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use git::Git;
use jiff::Timestamp;
use manifests::Schemas;
use plan::Refusal;

use crate::context::Context;
use crate::controllers::{Controller, Key};
use crate::sources::{Fetcher, Managed};
use load::Memory;
use pass::Pass;
pub(crate) use source::Data;

/// How many requests of one ConfigRepo are under way at once.
const AT_ONCE: usize = 16;

/// The controller of ConfigRepos; a cheap handle.
#[derive(Clone)]
pub struct ConfigRepos {
    fetcher: Fetcher,
    managed: Managed,
    schemas: Arc<Schemas>,
    memories: Arc<Mutex<HashMap<Key, Memory>>>,
}

impl ConfigRepos {
    /// Fetches with `git`.
    pub fn new(context: &Context, git: Arc<dyn Git>) -> Self {
        let queue = context.queues.config_repos.clone();
        let fetcher = Fetcher::new(git, queue.clone(), context.metrics.clone(), context.now);
        let managed = Managed::new(context.client.clone(), context.writer.kinds().clone(), queue);
        Self { fetcher, managed, schemas: Arc::new(Schemas::new()), memories: Arc::default() }
    }

    /// A push notification arrived: looks at the repository at once.
    pub fn hint(&self, key: &Key) {
        self.fetcher.hint(key);
    }

    fn forget(&self, key: &Key) {
        self.fetcher.forget(key);
        self.managed.forget(key);
        self.memory(|memories| memories.remove(key));
    }

    /// What was remembered of a key; it is put back after the reconcile. One key is never reconciled twice at a time.
    fn take(&self, key: &Key) -> Memory {
        self.memory(|memories| memories.remove(key)).unwrap_or_default()
    }

    fn put(&self, key: &Key, memory: Memory) {
        self.memory(|memories| memories.insert(key.clone(), memory));
    }

    fn memory<T>(&self, work: impl FnOnce(&mut HashMap<Key, Memory>) -> T) -> T {
        work(&mut self.memories.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Controller for ConfigRepos {
    const NAME: &'static str = "config-repo";

    async fn reconcile(&self, context: &Context, key: &Key) -> Result<Option<Timestamp>, Refusal> {
        let stores = &context.stores.config_repos;
        let Some(repo) = stores.get(&key.namespace, &key.name) else {
            // One that cannot be understood still exists; its objects stay.
            if !stores.is_poisoned(&key.namespace, &key.name) {
                self.forget(key);
            }
            return Ok(None);
        };
        let pass = Pass::new(self, context, key, &repo);
        if repo.metadata.deletion_timestamp.is_some() {
            return deletion::run(&pass).await;
        }
        let mut memory = self.take(key);
        let result = pass.run(&mut memory).await;
        self.put(key, memory);
        Ok(result?.into_iter().chain(pass.calm()).min())
    }
}

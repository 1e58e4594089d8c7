//! One look at one ConfigRepo, from what git says to the status.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::time::Duration;

use crds::config_repo::{ConfigRepo, ConfigRepoStatus, ObjectRef};
use crds::names;
use git::Fetched;
use jiff::Timestamp;
use plan::config_repo::status::{self, Done, Facts, Outcome};
use plan::config_repo::{Planned, Todo, inventory, order, todo};
use plan::{Class, ObjectKey, Refusal};

use super::empty::fits;
use super::load::{Memory, Set};
use super::{ConfigRepos, dependencies};
use crate::apply::Identity;
use crate::context::Context;
use crate::controllers::Key;

/// How long a reconcile waits for the watches of its objects.
const WATCHES: Duration = Duration::from_secs(10);

/// One look at one ConfigRepo.
pub(super) struct Pass<'a> {
    pub repos: &'a ConfigRepos,
    pub context: &'a Context,
    pub key: &'a Key,
    pub repo: &'a ConfigRepo,
    pub uid: String,
    pub object: ObjectKey,
}

impl<'a> Pass<'a> {
    pub fn new(repos: &'a ConfigRepos, context: &'a Context, key: &'a Key, repo: &'a ConfigRepo) -> Self {
        let uid = repo.metadata.uid.clone().unwrap_or_default();
        Self { repos, context, key, repo, uid, object: ObjectKey::of(repo) }
    }

    /// Looks, acts and tells. Returns when to look again.
    pub async fn run(&self, memory: &mut Memory) -> Result<Option<Timestamp>, Refusal> {
        // Before anything can be in the way: whoever asks for objects to go with their ConfigRepo may delete it next.
        self.finalizer().await?;
        let mut facts = Facts { inventory: self.status().inventory, ..Facts::default() };
        if self.repo.spec.suspend {
            self.tell(&facts, &Outcome::Suspended, self.status()).await?;
            return Ok(None);
        }
        let look = match self.look(memory).await {
            Ok(look) => look,
            Err(refusal) => return self.stop(&facts, refusal, self.status()).await,
        };
        let Some(fetched) = look.fetched else {
            // The first fetch is under way, or it failed; its end wakes this key.
            let Some(error) = look.error else { return Ok(look.next) };
            self.tell(&facts, &Outcome::Stopped(error), self.status()).await?;
            return Ok(look.next);
        };
        let mut known = self.status();
        let done = match self.carry_out(&fetched, memory, &mut facts, &mut known).await {
            Ok(done) => done,
            Err(refusal) => return self.stop(&facts, refusal, known).await,
        };
        if look.asked {
            return Ok(look.next);
        }
        let outcome = look.error.map_or(Outcome::Applied(done), Outcome::Stopped);
        let wake = self.tell(&facts, &outcome, known).await?;
        Ok(look.next.into_iter().chain(wake).min())
    }

    /// Tells what is in the way. What only time mends is tried again soon, the rest on the interval and when it changes.
    async fn stop(
        &self,
        facts: &Facts,
        refusal: Refusal,
        known: ConfigRepoStatus,
    ) -> Result<Option<Timestamp>, Refusal> {
        self.tell(facts, &Outcome::Stopped(refusal.clone()), known).await?;
        match refusal.class {
            Class::Transient => Err(refusal),
            Class::Waiting | Class::NeedsUser => Ok(Some(self.next_look((self.context.now)()))),
        }
    }

    /// From a commit to a cluster that holds it.
    async fn carry_out(
        &self,
        fetched: &Fetched,
        memory: &mut Memory,
        facts: &mut Facts,
        known: &mut ConfigRepoStatus,
    ) -> Result<Done, Refusal> {
        facts.commit = Some(super::load::commit(&fetched.commit));
        let identity = self.identity()?;
        if let Err(refusal) = dependencies::check(self.repo, &self.context.stores.config_repos) {
            return Err(self.keep_in_force(&identity, memory, refusal, None).await);
        }
        let set = match self.load(fetched, &identity, memory).await {
            Ok(set) => set,
            Err(refusal) => return Err(self.keep_in_force(&identity, memory, refusal, None).await),
        };
        facts.skipped = Some(set.skipped);
        facts.plain_secrets.clone_from(&set.plain_secrets);
        let ready = match self.ready(&set, &identity, memory, known).await {
            Ok(ready) => ready,
            Err(refusal) => return Err(self.keep_in_force(&identity, memory, refusal, Some(&set)).await),
        };
        // From here on a part of the new commit may stand. What fails is told and tried again; the old commit is not put
        // back over the new one, or pods would go to and fro for as long as something is in the way.
        let done = self.bring(ready, &set, &identity, memory, facts, known).await?;
        facts.warnings = self.warnings();
        memory.in_force = Some(set);
        Ok(done)
    }

    /// Checks all that can be checked before anything is written.
    async fn ready(
        &self,
        set: &Arc<Set>,
        identity: &Identity,
        memory: &mut Memory,
        known: &ConfigRepoStatus,
    ) -> Result<Ready, Refusal> {
        memory.passed_under(&set.context);
        let wanted = inventory::of(set.planned.iter().map(AsRef::as_ref));
        let both = inventory::union(&known.inventory, wanted.iter().cloned());
        fits(both.len(), wanted.len())?;
        let work = self.plan(set, identity, memory).await?;
        if !(work.check.is_empty() && work.later.is_empty() && work.apply.is_empty()) {
            self.account(identity).await?;
        }
        let rights_later = self.check(&work.check, &work, set, identity, memory).await?;
        Ok(Ready { work, rights_later, wanted, both })
    }

    /// Applies and prunes what was checked.
    async fn bring(
        &self,
        ready: Ready,
        set: &Arc<Set>,
        identity: &Identity,
        memory: &mut Memory,
        facts: &mut Facts,
        known: &mut ConfigRepoStatus,
    ) -> Result<Done, Refusal> {
        let Ready { mut work, rights_later, wanted, both } = ready;
        let same = known.applied_with.as_deref() == Some(set.context.as_str())
            && known.last_applied.as_ref().is_some_and(|last| last.sha == set.commit.sha);
        if both != known.inventory || (!same && known.applied_with.is_some()) {
            self.write_ahead(known, facts, |status| {
                status.inventory = both;
                // From now on parts of the new commit may stand: no commit is in force as a whole, also after a crash.
                if !same {
                    status.applied_with = None;
                }
            })
            .await?;
        }
        if !same {
            (memory.in_force, memory.restored) = (None, true);
        }
        if !work.later.is_empty() || rights_later {
            let first = work.prerequisites();
            self.apply(&first, set, identity, memory).await?;
            self.established(&first, identity).await?;
            work = self.plan(set, identity, memory).await?;
            let rest: Vec<_> = work.check.iter().chain(&work.later).cloned().collect();
            work.apply.retain(|planned| !first.iter().any(|done| done.key == planned.key));
            let none = Todo::default();
            self.check(&rest, &none, set, identity, memory).await.map_err(only_prerequisites)?;
        }
        self.apply(&work.apply, set, identity, memory).await?;
        let pending = self.prune(&wanted, identity, known, facts).await?;
        self.repos.managed.settle(self.key);
        let unhealthy = self.unhealthy(set);
        Ok(Done { objects: set.planned.len(), applied_with: set.context.clone(), unhealthy, pending })
    }

    async fn plan(&self, set: &Arc<Set>, identity: &Identity, memory: &Memory) -> Result<Todo, Refusal> {
        let managed = &self.repos.managed;
        managed.expect(self.key, &self.uid, identity, &set.planned);
        if !managed.wait(self.key, WATCHES).await {
            return Err(Refusal::transient("the watches of the applied objects did not answer yet"));
        }
        let unknown = self.unknown_kinds(set).await;
        let known = |key: &ObjectKey| !unknown.contains(&(key.api_version.clone(), key.kind.clone()));
        Ok(managed.with(self.key, |index| {
            let holds = |planned: &Planned| index.holds(planned) || index.is_contested(&planned.key);
            todo(&set.planned, &memory.passed, holds, known)
        }))
    }

    /// The newest commit is refused: the last good one stays in force, and what drifts from it is set back.
    /// The namespaces, definitions, accounts and rights of `new` may stand already, and are left as they are.
    async fn keep_in_force(
        &self,
        identity: &Identity,
        memory: &mut Memory,
        refusal: Refusal,
        new: Option<&Arc<Set>>,
    ) -> Refusal {
        let Some(set) = self.in_force(identity, memory).await else { return refusal };
        let Ok(mut work) = self.plan(&set, identity, memory).await else { return refusal };
        let prerequisites = new.into_iter().flat_map(|new| &new.planned);
        let theirs: HashMap<_, _> = prerequisites
            .filter(|planned| order::is_prerequisite(planned.key.group(), &planned.key.kind))
            .map(|planned| (&planned.key, &planned.digest))
            .collect();
        work.apply.retain(|planned| theirs.get(&planned.key).is_none_or(|digest| **digest == planned.digest));
        if let Err(error) = self.apply(&work.apply, &set, identity, memory).await {
            // What time mends is tried again, and would be told each time.
            if error.class == Class::Transient {
                tracing::debug!(object = %self.key, %error, "drift from the commit in force could not be set back");
            } else {
                tracing::warn!(object = %self.key, %error, "drift from the commit in force could not be set back");
            }
        }
        refusal
    }

    fn unhealthy(&self, set: &Set) -> Vec<(ObjectKey, plan::config_repo::Health)> {
        self.repos.managed.with(self.key, |index| {
            let seen =
                set.planned.iter().filter_map(|planned| Some((&planned.key, index.seen(&planned.key)?)));
            seen.filter(|(_, seen)| seen.health != plan::config_repo::Health::Healthy)
                // A ConfigRepo that applies itself cannot wait for its own health.
                .filter(|(_, seen)| seen.uid != self.uid)
                .map(|(key, seen)| (key.clone(), seen.health.clone()))
                .collect()
        })
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let kinds = self.repos.managed.unwatched(self.key);
        if !kinds.is_empty() {
            warnings.push(format!(
                "the service account may not list and watch {}: changes made to them in the cluster go unnoticed until the next commit; grant it list and watch",
                kinds.join(", ")
            ));
        }
        for key in self.repos.managed.with(self.key, crate::sources::ManagedIndex::contested) {
            warnings.push(format!(
                "{key} is changed again and again by somebody else and set back at most ten times a minute; see its managedFields, and stop one of both"
            ));
        }
        warnings
    }

    /// When what somebody changes again and again may be set back once more.
    pub fn calm(&self) -> Option<Timestamp> {
        let wait = self.repos.managed.with(self.key, crate::sources::ManagedIndex::calm_in)?;
        (self.context.now)().checked_add(wait).ok()
    }

    pub fn status(&self) -> ConfigRepoStatus {
        self.repo.status.clone().unwrap_or_default()
    }

    /// When the repository is asked again after a fetch that ended then. The spread is a number from 0 to 1 that differs
    /// from fetch to fetch and from ConfigRepo to ConfigRepo.
    pub fn next_look(&self, ended: Timestamp) -> Timestamp {
        let hash =
            BuildHasherDefault::<DefaultHasher>::default().hash_one((&self.uid, ended.as_millisecond()));
        let spread = f64::from(u32::try_from(hash >> 32).unwrap_or_default()) / f64::from(u32::MAX);
        status::next_look(ended, self.repo.spec.interval.get(), spread)
    }

    /// The value of the annotation that confirms a large prune.
    pub fn confirmed(&self) -> Option<&str> {
        self.repo.metadata.annotations.as_ref()?.get(names::CONFIRM_PRUNE).map(String::as_str)
    }
}

/// What was checked before anything is written.
struct Ready {
    work: Todo,
    /// Some lack rights that the set itself grants, and are checked again once those are there.
    rights_later: bool,
    /// The inventory of the new commit, and that of both commits together.
    wanted: Vec<ObjectRef>,
    both: Vec<ObjectRef>,
}

fn only_prerequisites(refusal: Refusal) -> Refusal {
    let message = format!(
        "{}\nOnly the namespaces, definitions, accounts and rights of this commit are applied; nothing was pruned.",
        refusal.message
    );
    Refusal { message, ..refusal }
}

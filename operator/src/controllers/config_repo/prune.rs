//! Pruning: what git no longer has goes, looked up one by one, and only then leaves the inventory.

use crds::config_repo::{ConfigRepoStatus, ObjectRef};
use futures::{StreamExt as _, stream};
use plan::config_repo::prune::{Fate, Gate, candidates, fate, gate};
use plan::config_repo::status::{Facts, Pending};
use plan::config_repo::{inventory, order};
use plan::{Class, Event, EventKind, ObjectKey, Refusal, Step};

use super::AT_ONCE;
use super::apply::foremost;
use super::pass::Pass;
use crate::apply::Identity;

/// An object that changes while it is looked at is looked at again so often.
const TRIES: usize = 5;

impl Pass<'_> {
    /// Prunes, and writes the inventory that is left. Returns what waits for a person.
    pub(super) async fn prune(
        &self,
        wanted: &[ObjectRef],
        identity: &Identity,
        known: &mut ConfigRepoStatus,
        facts: &mut Facts,
    ) -> Result<Option<Pending>, Refusal> {
        let gone = candidates(&known.inventory, wanted);
        if gone.is_empty() {
            return Ok(None);
        }
        let in_force = known.objects.and_then(|n| usize::try_from(n).ok()).unwrap_or(known.inventory.len());
        if self.repo.spec.prune {
            if let Gate::Waits { token } = gate(&gone, in_force, self.confirmed()) {
                return Ok(Some(Pending { objects: gone, token }));
            }
            self.account(identity).await?;
            let (first, last) = order::in_two(gone);
            for part in [first, last] {
                // What the deletion itself needs goes only when all else is gone.
                let results = self.remove_all(&part, identity).await;
                foremost(results.into_iter().filter_map(|(_, result)| result.err()))?;
            }
        }
        self.write_ahead(known, facts, |status| {
            status.inventory = wanted.to_vec();
            status.objects = u32::try_from(wanted.len()).ok();
        })
        .await?;
        Ok(None)
    }

    /// Deletes objects in the order in which they may go; within a rank many at once. What is not
    /// in the answer was not looked at, because something before it has to be tried again.
    pub(super) async fn remove_all(
        &self,
        gone: &[ObjectRef],
        identity: &Identity,
    ) -> Vec<(ObjectRef, Result<(), Refusal>)> {
        let rank = |reference: &ObjectRef| order::leaving(&reference.group, &reference.kind);
        let mut results = Vec::with_capacity(gone.len());
        for group in gone.chunk_by(|a, b| rank(a) == rank(b)) {
            let answers: Vec<_> = stream::iter(group.to_vec())
                .map(|reference| async move {
                    let answer = self.remove_one(&reference, identity).await;
                    (reference, answer)
                })
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            results.extend(answers);
            // What time mends is tried again; until then nothing goes that a later rank may need for it.
            let mended_by_time = |(_, result): &(ObjectRef, Result<(), Refusal>)| {
                result.as_ref().is_err_and(|refusal| refusal.class != Class::NeedsUser)
            };
            if results.iter().any(mended_by_time) {
                break;
            }
        }
        results
    }

    async fn remove_one(&self, reference: &ObjectRef, identity: &Identity) -> Result<(), Refusal> {
        let key = inventory::key(reference);
        let mut last = None;
        for _ in 0..TRIES {
            let live = match self.context.writer.get(identity, &key).await {
                Ok(live) => live,
                // Its kind is gone, and all its objects with it.
                Err(refusal) if refusal.class == Class::NeedsUser && self.is_unknown(&key).await => {
                    return Ok(());
                }
                Err(refusal) => return Err(refusal),
            };
            let delete = match fate(&key, live.as_ref(), &self.uid) {
                Fate::Gone | Fate::NotOurs | Fate::Leaving => return Ok(()),
                Fate::Kept => {
                    self.event(&kept(&key)).await;
                    return Ok(());
                }
                Fate::Delete(delete) => delete,
            };
            match self.context.writer.run(identity, vec![Step::Delete(delete)]).await.refusal() {
                None => {
                    self.event(&pruned(&key)).await;
                    return Ok(());
                }
                Some(refusal) if refusal.class == Class::Transient => last = Some(refusal.clone()),
                Some(refusal) => return Err(refusal.clone()),
            }
        }
        last.map_or(Ok(()), Err)
    }

    async fn is_unknown(&self, key: &ObjectKey) -> bool {
        let found = self.context.writer.kinds().resource(key).await;
        found.is_err_and(|refusal| refusal.class == Class::NeedsUser)
    }
}

fn pruned(key: &ObjectKey) -> Event {
    let message = format!("{key} was deleted: git no longer has it");
    Event { kind: EventKind::Normal, reason: "Pruned".into(), message }
}

fn kept(key: &ObjectKey) -> Event {
    let message = format!("{key} is no longer in git and stays: keelway.dev/prune is disabled on it");
    Event { kind: EventKind::Normal, reason: "Kept".into(), message }
}

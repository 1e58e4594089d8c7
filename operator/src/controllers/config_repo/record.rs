//! What a pass writes of itself: the finalizer, the inventory, the status, events.

use crds::config_repo::{ConfigRepoStatus, DeletionPolicy};
use crds::names::FINALIZER;
use jiff::Timestamp;
use plan::config_repo::status::{self, Facts, Outcome};
use plan::{Event, Refusal, Step};
use serde_json::{Value, json};

use super::dependencies;
use super::pass::Pass;
use crate::apply::Identity;

impl Pass<'_> {
    /// A finalizer stands only where applied objects are to be deleted with their ConfigRepo.
    pub async fn finalizer(&self) -> Result<(), Refusal> {
        let mut finalizers = self.repo.metadata.finalizers.clone().unwrap_or_default();
        let has = finalizers.iter().any(|name| name == FINALIZER);
        let wanted = self.repo.spec.deletion_policy == DeletionPolicy::Delete;
        if has == wanted {
            return Ok(());
        }
        if wanted {
            finalizers.push(FINALIZER.to_owned());
        } else {
            finalizers.retain(|name| name != FINALIZER);
        }
        self.set_finalizers(&finalizers).await
    }

    pub async fn set_finalizers(&self, finalizers: &[String]) -> Result<(), Refusal> {
        let step = Step::Label {
            object: self.object.clone(),
            uid: self.uid.clone(),
            // The whole list is written: one that somebody else added meanwhile must not be lost.
            resource_version: self.repo.metadata.resource_version.clone(),
            patch: json!({"metadata": {"finalizers": finalizers}}),
        };
        let applied = self.context.writer.run(&Identity::OPERATOR, vec![step]).await;
        applied.refusal().map_or(Ok(()), |refusal| Err(refusal.clone()))
    }

    /// Writes what later steps rely on, such as the inventory, before they do.
    pub async fn write_ahead(
        &self,
        known: &mut ConfigRepoStatus,
        facts: &mut Facts,
        change: impl FnOnce(&mut ConfigRepoStatus),
    ) -> Result<(), Refusal> {
        let mut status = known.clone();
        change(&mut status);
        let step =
            Step::Status { object: self.object.clone(), uid: self.uid.clone(), status: to_json(&status) };
        let applied = self.context.writer.run(&Identity::OPERATOR, vec![step]).await;
        if let Some(refusal) = applied.refusal() {
            return Err(refusal.clone());
        }
        facts.inventory.clone_from(&status.inventory);
        *known = status;
        Ok(())
    }

    /// Writes the status and the events. `known` is the status as it was last written.
    pub async fn tell(
        &self,
        facts: &Facts,
        outcome: &Outcome,
        known: ConfigRepoStatus,
    ) -> Result<Option<Timestamp>, Refusal> {
        let mut repo = self.repo.clone();
        repo.status = Some(known.clone());
        let told = status::status(&repo, facts, outcome, (self.context.now)());
        let seen = self.repo.status.is_some().then(|| to_json(&known));
        let wrote = self
            .context
            .writer
            .status(&self.object, &self.uid, seen.as_ref(), &to_json(&told.status))
            .await?;
        for event in &told.events {
            self.event(event).await;
        }
        if wrote {
            dependencies::wake(
                self.key,
                &self.context.stores.config_repos,
                &self.context.queues.config_repos,
            );
        }
        Ok(told.wake)
    }

    pub async fn event(&self, event: &Event) {
        self.context.writer.event(&self.object, &self.uid, event).await;
    }
}

fn to_json(status: &ConfigRepoStatus) -> Value {
    serde_json::to_value(status).unwrap_or_default()
}

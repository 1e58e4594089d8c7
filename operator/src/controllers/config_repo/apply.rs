//! Applying: wave by wave, within a wave many at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crds::Reason;
use crds::names::RECREATE;
use futures::{StreamExt as _, stream};
use plan::config_repo::redact::redact;
use plan::config_repo::{Health, Planned, Wave, health};
use plan::{Class, Delete, Event, EventKind, Outcome, Refusal, Step};

use super::AT_ONCE;
use super::check::is_immutable;
use super::load::{Memory, Set};
use super::pass::Pass;
use crate::apply::Identity;

/// How long a definition may take to be served, and an object to go before it is made anew.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often that is looked at.
const PAUSE: Duration = Duration::from_millis(100);

impl Pass<'_> {
    /// Applies what the cluster does not hold.
    pub(super) async fn apply(
        &self,
        list: &[Arc<Planned>],
        set: &Set,
        identity: &Identity,
        memory: &mut Memory,
    ) -> Result<(), Refusal> {
        let mut waves: BTreeMap<Wave, Vec<Arc<Planned>>> = BTreeMap::new();
        for planned in list {
            waves.entry(planned.wave).or_default().push(planned.clone());
        }
        for wave in waves.into_values() {
            let definitions = wave.iter().any(|planned| planned.key.kind == "CustomResourceDefinition");
            let answers: Vec<_> = stream::iter(wave)
                .map(|planned| async move { self.apply_one(&planned, set, identity).await })
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            if definitions {
                // Kinds may have changed: what passed before must pass again.
                self.context.writer.kinds().forget();
                memory.passed.retain(|key, _| !key.group().contains('.') || key.group().ends_with(".k8s.io"));
            }
            foremost(answers.into_iter().filter_map(Result::err))?;
        }
        Ok(())
    }

    async fn apply_one(&self, planned: &Planned, set: &Set, identity: &Identity) -> Result<(), Refusal> {
        let repair = self.is_repair(planned);
        if repair && self.repos.managed.with(self.key, |index| index.seen(&planned.key).is_none()) {
            // It lost our label, or was deleted and perhaps made anew by somebody.
            self.may_take(planned, identity).await.map_err(|refusal| placed(planned, refusal))?;
        }
        let manifest = self.manifest(planned, &set.commit.sha);
        let mut answer = self.context.writer.run(identity, vec![Step::Apply(manifest)]).await;
        if planned.annotation(RECREATE) == Some("enabled") && answer.refusal().is_some_and(is_immutable) {
            self.remove(planned, identity).await.map_err(|refusal| placed(planned, refusal))?;
            // It begins anew: what others set of the old one, such as its scale, is gone with it.
            let anew = planned.at_commit(&set.commit.sha);
            answer = self.context.writer.run(identity, vec![Step::Apply(anew)]).await;
        }
        match answer.answers.into_iter().next().map(|answer| answer.outcome) {
            Some(Ok(Outcome::Object(live))) => {
                self.repos.managed.applied(self.key, planned, &live);
                if repair {
                    self.repos.managed.repaired(self.key, &planned.key);
                    self.event(&repaired(planned)).await;
                }
                Ok(())
            }
            Some(Ok(_)) | None => Err(Refusal::transient(format!("{}: no answer", planned.key))),
            Some(Err(refusal)) => Err(placed(planned, refusal)),
        }
    }

    /// Whether git had the object before just so: then somebody changed it in the cluster.
    fn is_repair(&self, planned: &Planned) -> bool {
        self.repos.managed.with(self.key, |index| index.was_applied(planned))
    }

    /// Deletes an object whose immutable fields change, and waits until it is gone.
    async fn remove(&self, planned: &Planned, identity: &Identity) -> Result<(), Refusal> {
        let text = |live: &serde_json::Value, pointer: &str| {
            live.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
        };
        let Some(live) = self.context.writer.get(identity, &planned.key).await? else { return Ok(()) };
        self.may_take_this(planned, &live)?;
        let uid = text(&live, "/metadata/uid");
        let delete = Delete {
            object: planned.key.clone(),
            uid: uid.clone(),
            resource_version: text(&live, "/metadata/resourceVersion"),
        };
        let applied = self.context.writer.run(identity, vec![Step::Delete(delete)]).await;
        if let Some(refusal) = applied.refusal() {
            return Err(refusal.clone());
        }
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            match self.context.writer.get(identity, &planned.key).await? {
                Some(live) if text(&live, "/metadata/uid") == uid => tokio::time::sleep(PAUSE).await,
                _ => return Ok(()),
            }
        }
        Err(Refusal::waiting(
            Reason::Waiting,
            format!("{} is deleted to be made anew and not gone yet; see its finalizers", planned.key),
        ))
    }

    /// Waits until the API server serves the definitions that were just applied.
    pub(super) async fn established(
        &self,
        list: &[Arc<Planned>],
        identity: &Identity,
    ) -> Result<(), Refusal> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        for planned in list.iter().filter(|planned| planned.key.kind == "CustomResourceDefinition") {
            loop {
                let live = self.context.writer.get(identity, &planned.key).await?;
                match live.as_ref().map(health) {
                    Some(Health::Healthy) => break,
                    Some(Health::Failed(why)) => {
                        let words = format!("{} is not served: {why}", planned.key);
                        return Err(placed(planned, Refusal::needs_user(Reason::Refused, words)));
                    }
                    _ if tokio::time::Instant::now() >= deadline => {
                        let words = format!("{} is not established yet", planned.key);
                        return Err(placed(planned, Refusal::transient(words)));
                    }
                    _ => tokio::time::sleep(PAUSE).await,
                }
            }
        }
        self.context.writer.kinds().forget();
        Ok(())
    }
}

/// Of several refusals always the same one, whichever came first: what a person must mend before what time mends, then by
/// its words. Another one each time would be told anew each time.
pub(super) fn foremost(refusals: impl Iterator<Item = Refusal>) -> Result<(), Refusal> {
    let rank = |refusal: &Refusal| match refusal.class {
        Class::NeedsUser => 0,
        Class::Waiting => 1,
        Class::Transient => 2,
    };
    let first = refusals.min_by(|a, b| (rank(a), &a.message).cmp(&(rank(b), &b.message)));
    first.map_or(Ok(()), Err)
}

fn placed(planned: &Planned, refusal: Refusal) -> Refusal {
    let message = format!("{}: {}", planned.place, redact(&refusal.message, planned.manifest.value()));
    Refusal { message, ..refusal }
}

fn repaired(planned: &Planned) -> Event {
    Event {
        kind: EventKind::Normal,
        reason: "DriftRepaired".into(),
        message: format!(
            "{} was changed in the cluster and is set back to what {} says",
            planned.key, planned.place
        ),
    }
}

//! Dry-runs: what the API server would refuse is known before anything is changed.

use std::collections::HashSet;
use std::sync::Arc;

use crds::Reason;
use crds::names::RECREATE;
use futures::{StreamExt as _, stream};
use plan::config_repo::owner::{Claim, claim};
use plan::config_repo::redact::redact;
use plan::config_repo::{Planned, Todo};
use plan::{Class, Manifest, Refusal};

use super::AT_ONCE;
use super::load::{Memory, Set};
use super::pass::Pass;
use crate::apply::Identity;

/// So many refused objects are named at once.
const NAMED: usize = 5;

impl Pass<'_> {
    /// Checks objects. `true` where some lack rights that the set itself grants: they are checked again later.
    ///
    /// # Errors
    /// What the API server refuses, with file, line and cure.
    pub(super) async fn check(
        &self,
        list: &[Arc<Planned>],
        work: &Todo,
        set: &Set,
        identity: &Identity,
        memory: &mut Memory,
    ) -> Result<bool, Refusal> {
        let answers: Vec<_> = stream::iter(list.to_vec())
            .map(|planned| async move {
                let answer = self.check_one(&planned, set, identity).await;
                (planned, answer)
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let (mut later, mut refused) = (false, Vec::new());
        for (planned, answer) in answers {
            match answer {
                Ok(()) => {
                    memory.passed.insert(planned.key.clone(), planned.digest.clone());
                }
                Err(refusal) if refusal.reason == Reason::Forbidden && work.grants_rights() => later = true,
                Err(refusal) => refused.push((planned, refusal)),
            }
        }
        if refused.is_empty() { Ok(later) } else { Err(together(refused)) }
    }

    async fn check_one(&self, planned: &Planned, set: &Set, identity: &Identity) -> Result<(), Refusal> {
        if let Err(other) = self.repos.managed.claim(self.key, &planned.key) {
            return Err(owned(planned, &format!("ConfigRepo {other}")));
        }
        let answer = self.context.writer.dry_run(identity, &self.manifest(planned, &set.commit.sha)).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(refusal) if is_immutable(&refusal) => {
                recreatable(planned, refusal)?;
                return self.may_take(planned, identity).await;
            }
            Err(refusal) => return Err(self.explain(planned, refusal).await),
        };
        // A dry-run of a creation has no resourceVersion; whatever is watched has our label.
        let exists = answer.pointer("/metadata/resourceVersion").is_some();
        let seen = self.repos.managed.with(self.key, |index| index.seen(&planned.key).is_some());
        if !exists || seen {
            return Ok(());
        }
        self.may_take(planned, identity).await
    }

    /// Whether an object that exists without our label may become ours.
    pub(super) async fn may_take(&self, planned: &Planned, identity: &Identity) -> Result<(), Refusal> {
        match self.context.writer.get(identity, &planned.key).await? {
            Some(live) => self.may_take_this(planned, &live),
            None => Ok(()),
        }
    }

    /// The same of an object as it was just seen.
    pub(super) fn may_take_this(&self, planned: &Planned, live: &serde_json::Value) -> Result<(), Refusal> {
        let alive: HashSet<String> = self
            .context
            .stores
            .config_repos
            .all()
            .iter()
            .filter_map(|repo| repo.metadata.uid.clone())
            .collect();
        match claim(live, &self.uid, |uid| alive.contains(uid)) {
            Claim::Ours | Claim::Free => Ok(()),
            Claim::Other(other) => {
                self.repos.managed.release(self.key, |object| object != &planned.key);
                Err(owned(planned, &other))
            }
        }
    }

    /// What is applied: with the commit that last changed it, and without `spec.replicas` where somebody else scales.
    pub(super) fn manifest(&self, planned: &Planned, commit: &str) -> Manifest {
        self.repos.managed.with(self.key, |index| {
            let seen = index.seen(&planned.key);
            let unchanged = seen.filter(|seen| seen.stamp.as_deref() == Some(planned.digest.as_str()));
            let commit = unchanged.and_then(|seen| seen.commit.as_deref()).unwrap_or(commit);
            let mut manifest = planned.at_commit(commit);
            if seen.is_some_and(|seen| !seen.owns_replicas && seen.own.is_some())
                && !index.is_rescaled(&planned.key)
                && let Some(serde_json::Value::Object(spec)) = manifest.value_mut().get_mut("spec")
                && matches!(planned.key.kind.as_str(), "Deployment" | "StatefulSet" | "ReplicaSet")
            {
                spec.remove("replicas");
            }
            manifest
        })
    }

    /// The refusal in words that help: without values of Secrets, with the near name of a misspelt field.
    async fn explain(&self, planned: &Planned, refusal: Refusal) -> Refusal {
        let mut message = redact(&refusal.message, planned.manifest.value());
        if let Some(field) = unknown_field(&message) {
            let hint = super::suggest::near_field(&self.context.client, &planned.key, &field).await;
            message.push_str(&hint.unwrap_or_default());
        }
        Refusal { message, ..refusal }
    }
}

/// The field that the API server does not know: `unknown field "spec.replica"` says its strict validation, and
/// `.spec.replica: field not declared in schema` its server-side apply.
fn unknown_field(message: &str) -> Option<String> {
    if let Some((_, rest)) = message.split_once("unknown field \"") {
        return rest.split_once('"').map(|(field, _)| field.to_owned());
    }
    let (before, _) = message.split_once(": field not declared in schema")?;
    let field = before.rsplit(' ').next()?.trim_start_matches('.');
    (!field.is_empty()).then(|| field.to_owned())
}

fn owned(planned: &Planned, other: &str) -> Refusal {
    let words = format!("{} belongs to {other}; remove it from one of both", planned.key);
    Refusal::needs_user(Reason::OwnedByAnother, words)
}

/// Whether the API server refused because a field cannot change once it is set.
pub(super) fn is_immutable(refusal: &Refusal) -> bool {
    const WORDS: [&str; 4] = [
        "is immutable",
        "may not change once set",
        "updates to statefulset spec for fields other than",
        "cannot change roleRef",
    ];
    refusal.class == Class::NeedsUser && WORDS.iter().any(|words| refusal.message.contains(words))
}

/// A change of an immutable field passes where git allows the object to be made anew.
fn recreatable(planned: &Planned, refusal: Refusal) -> Result<(), Refusal> {
    if planned.annotation(RECREATE) == Some("enabled") {
        return Ok(());
    }
    let message = format!(
        "{}. To have the object deleted and made anew, give it the annotation {RECREATE}: enabled",
        redact(&refusal.message, planned.manifest.value()).trim_end_matches('.')
    );
    Err(Refusal { message, ..refusal })
}

/// One refusal of several: what a person must mend goes before what time mends.
fn together(mut refused: Vec<(Arc<Planned>, Refusal)>) -> Refusal {
    let rank = |class: Class| match class {
        Class::NeedsUser => 0,
        Class::Waiting => 1,
        Class::Transient => 2,
    };
    refused.sort_by(|(a, x), (b, y)| rank(x.class).cmp(&rank(y.class)).then_with(|| a.place.cmp(&b.place)));
    let (class, reason) =
        refused.first().map_or((Class::Transient, Reason::Retrying), |(_, r)| (r.class, r.reason));
    refused.retain(|(_, refusal)| refusal.class == class);
    let more = refused.len().saturating_sub(NAMED);
    let mut lines: Vec<_> = refused
        .iter()
        .take(NAMED)
        .map(|(planned, refusal)| format!("{}: {}", planned.place, refusal.message))
        .collect();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    Refusal { class, reason, message: lines.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_misspelt_field_is_found_in_the_answer() {
        let message = "Deployment n/a was refused: .spec.replica: unknown field \"spec.replica\"; mend that";
        assert_eq!(unknown_field(message).as_deref(), Some("spec.replica"));
        let message = "failed to create typed patch object (n/a; apps/v1, Kind=Deployment): .spec.replica: field not declared in schema";
        assert_eq!(unknown_field(message).as_deref(), Some("spec.replica"));
        assert_eq!(unknown_field("something else"), None);
    }

    #[test]
    fn immutable_fields_are_known_by_the_servers_words() {
        let refusal = |message: &str| Refusal::needs_user(Reason::Refused, message);
        assert!(is_immutable(&refusal("spec.selector: Invalid value: {}: field is immutable")));
        assert!(is_immutable(&refusal(
            "Forbidden: updates to statefulset spec for fields other than 'replicas'"
        )));
        assert!(!is_immutable(&refusal("spec.ports: Required value")));
        assert!(!is_immutable(&Refusal::transient("field is immutable")));
    }
}

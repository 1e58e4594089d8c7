//! The status of a ConfigRepo, derived from what a reconcile came to.

use std::time::Duration;

use crds::config_repo::{ConfigRepo, ConfigRepoStatus, ObjectRef, Skipped};
use crds::names::{CONFIRM_PRUNE, RECONCILE_AT};
use crds::origin::Commit;
use crds::{ConditionStatus, ConditionType, Reason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::condition::Conditions;
use crate::config_repo::document::Place;
use crate::config_repo::events::events;
use crate::config_repo::health::Health;
use crate::object::ObjectKey;
use crate::refusal::{Class, Refusal};
use crate::step::Event;

/// Of a long list, so many are named.
const NAMED: usize = 5;

/// What a reconcile came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// `spec.suspend` is set.
    Suspended,
    /// Something is in the way; nothing of the newest commit was applied, or only what the rest needs.
    Stopped(Refusal),
    /// The newest commit is applied.
    Applied(Done),
}

/// The newest commit is applied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done {
    /// How many objects it has.
    pub objects: usize,
    /// A digest of everything besides the commit that decided what was applied.
    pub applied_with: String,
    /// The objects that do not work yet.
    pub unhealthy: Vec<(ObjectKey, Health)>,
    /// A prune that waits for a person.
    pub pending: Option<Pending>,
}

/// A prune that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// What would go.
    pub objects: Vec<ObjectRef>,
    /// What the annotation must say.
    pub token: String,
}

/// What else a reconcile knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The newest commit that was fetched.
    pub commit: Option<Commit>,
    /// The inventory as it stands now.
    pub inventory: Vec<ObjectRef>,
    /// What was left out of the commit.
    pub skipped: Option<Skipped>,
    /// Secrets that everybody who reads the repository can read.
    pub plain_secrets: Vec<Place>,
    /// Other things that work but deserve a look.
    pub warnings: Vec<String>,
}

/// The status, and what people should hear of.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The whole status.
    pub status: ConfigRepoStatus,
    /// Events; none where nothing changed.
    pub events: Vec<Event>,
    /// When to look again although nothing is seen to change.
    pub wake: Option<Timestamp>,
}

/// Derives the status. It equals the known one where nothing changed, so that nothing is written.
pub fn status(repo: &ConfigRepo, facts: &Facts, outcome: &Outcome, now: Timestamp) -> Told {
    let known = repo.status.clone().unwrap_or_default();
    let mut conditions = Conditions::new(&known.conditions, repo.metadata.generation, now);
    let mut wake = None;
    match outcome {
        Outcome::Suspended => suspended(&mut conditions, &known),
        Outcome::Stopped(refusal) => stopped(&mut conditions, refusal, &known, facts),
        Outcome::Applied(done) => wake = applied(&mut conditions, done, repo, facts, now),
    }
    warn(&mut conditions, facts, outcome);
    let mut status = ConfigRepoStatus {
        observed_generation: repo.metadata.generation,
        last_seen: facts.commit.clone().or_else(|| known.last_seen.clone()),
        inventory: facts.inventory.clone(),
        skipped: facts.skipped.or(known.skipped),
        last_handled_reconcile_at: reconcile_at(repo).or_else(|| known.last_handled_reconcile_at.clone()),
        conditions: conditions.finish(),
        ..known.clone()
    };
    if let Outcome::Applied(done) = outcome {
        status.last_applied.clone_from(&facts.commit);
        status.applied_with = Some(done.applied_with.clone());
        if done.pending.is_none() {
            status.objects = u32::try_from(done.objects).ok();
        }
        status.summary = facts.commit.as_ref().map(|commit| summary(commit, done.objects));
    }
    if status != known {
        status.last_fetch = Some(Time(now));
    }
    let events = events(&known, &status, outcome);
    Told { status, events, wake }
}

/// The value of the annotation that asks for a look now.
pub fn reconcile_at(repo: &ConfigRepo) -> Option<String> {
    let value = repo.metadata.annotations.as_ref()?.get(RECONCILE_AT)?;
    Some(value.chars().take(256).collect())
}

/// The first seven digits, as people write a commit.
pub fn short(sha: &str) -> &str {
    sha.get(..7).unwrap_or(sha)
}

fn summary(commit: &Commit, objects: usize) -> String {
    format!("{} ({})", short(&commit.sha), count(objects, "object"))
}

pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

fn suspended(conditions: &mut Conditions, known: &ConfigRepoStatus) {
    let stays = known.summary.as_deref().map(|summary| format!("; {summary} stays in force"));
    let message = format!("spec.suspend is set: nothing is fetched or applied{}", stays.unwrap_or_default());
    conditions.set(ConditionType::Ready, ConditionStatus::False, Reason::Suspended, message);
    conditions.clear(ConditionType::Reconciling);
    conditions.clear(ConditionType::Stalled);
}

fn stopped(conditions: &mut Conditions, refusal: &Refusal, known: &ConfigRepoStatus, facts: &Facts) {
    // Without `appliedWith` another commit was begun since: none is in force as a whole.
    let whole = known.last_applied.as_ref().filter(|_| known.applied_with.is_some());
    let stays = whole.filter(|last| facts.commit.as_ref() != Some(*last));
    let stays = stays.map(|last| format!("\nCommit {} stays in force.", short(&last.sha)));
    let message = format!("{}{}", refusal.message, stays.unwrap_or_default());
    conditions.set(ConditionType::Ready, ConditionStatus::False, refusal.reason, message.clone());
    match refusal.class {
        Class::NeedsUser => {
            conditions.set(ConditionType::Stalled, ConditionStatus::True, refusal.reason, message);
            conditions.clear(ConditionType::Reconciling);
        }
        Class::Waiting | Class::Transient => {
            conditions.set(ConditionType::Reconciling, ConditionStatus::True, refusal.reason, message);
            conditions.clear(ConditionType::Stalled);
        }
    }
}

fn applied(
    conditions: &mut Conditions,
    done: &Done,
    repo: &ConfigRepo,
    facts: &Facts,
    now: Timestamp,
) -> Option<Timestamp> {
    conditions.clear(ConditionType::Stalled);
    let commit = facts.commit.as_ref().map_or("", |commit| short(&commit.sha));
    if let Some(pending) = &done.pending {
        let message = pending_message(pending, repo.status.as_ref().and_then(|known| known.objects));
        conditions.set(
            ConditionType::PrunePending,
            ConditionStatus::True,
            Reason::PruneNeedsConfirmation,
            message.clone(),
        );
        conditions.set(ConditionType::Ready, ConditionStatus::False, Reason::PruneNeedsConfirmation, message);
        conditions.clear(ConditionType::Reconciling);
        return None;
    }
    conditions.clear(ConditionType::PrunePending);
    if done.unhealthy.is_empty() {
        conditions.clear(ConditionType::Reconciling);
        let message = format!("commit {commit} is applied: {}", count(done.objects, "object"));
        conditions.set(ConditionType::Ready, ConditionStatus::True, Reason::Applied, message);
        return None;
    }
    unhealthy(conditions, done, repo, commit, now)
}

/// Applied, but not everything works. After `spec.timeout` that is no longer called progress.
fn unhealthy(
    conditions: &mut Conditions,
    done: &Done,
    repo: &ConfigRepo,
    commit: &str,
    now: Timestamp,
) -> Option<Timestamp> {
    let known = repo.status.as_ref();
    let same_commit =
        known.and_then(|s| s.last_applied.as_ref()).is_some_and(|last| short(&last.sha) == commit);
    let since = known
        .filter(|_| same_commit)
        .and_then(|status| status.conditions.iter().find(|c| c.type_ == ConditionType::Reconciling))
        .filter(|condition| condition.status == ConditionStatus::True)
        .map_or(now, |condition| condition.last_transition_time.0);
    if !same_commit {
        conditions.clear(ConditionType::Reconciling);
    }
    let deadline = since.saturating_add(repo.spec.timeout.get()).unwrap_or(now);
    let failed = done.unhealthy.iter().any(|(_, health)| matches!(health, Health::Failed(_)));
    let list = list(done.unhealthy.iter().map(|(key, health)| match health {
        Health::Healthy => key.to_string(),
        Health::Progressing(what) | Health::Failed(what) => format!("{key}: {what}"),
    }));
    let late = now >= deadline;
    let words = if failed || late { "is applied, but does not work" } else { "is applied and starts" };
    let message = format!("commit {commit} {words}:\n{list}");
    let reason = if failed || late { Reason::Unhealthy } else { Reason::Progressing };
    conditions.set(ConditionType::Ready, ConditionStatus::False, reason, message);
    conditions.set(
        ConditionType::Reconciling,
        ConditionStatus::True,
        Reason::Progressing,
        "objects become healthy",
    );
    (!late).then_some(deadline)
}

fn pending_message(pending: &Pending, in_force: Option<u32>) -> String {
    let of = in_force.map_or_else(String::new, |count| format!(" of {count}"));
    let names = list(pending.objects.iter().map(|reference| super::inventory::key(reference).to_string()));
    format!(
        "{}{of} objects are no longer in git, more than a third. They stay until this ConfigRepo has the annotation {CONFIRM_PRUNE}={}:\n{names}",
        pending.objects.len(),
        pending.token
    )
}

fn list(lines: impl Iterator<Item = String>) -> String {
    let lines: Vec<_> = lines.collect();
    let more = lines.len().saturating_sub(NAMED);
    let mut text =
        lines.into_iter().take(NAMED).map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n");
    if more > 0 {
        text.push_str(&format!("\n- and {more} more"));
    }
    text
}

fn warn(conditions: &mut Conditions, facts: &Facts, outcome: &Outcome) {
    let mut words = facts.warnings.clone();
    if !facts.plain_secrets.is_empty() {
        let places = list(facts.plain_secrets.iter().map(ToString::to_string));
        words.push(format!(
            "Secrets stand in the repository in plain text; encrypt them with SOPS, and change their values:\n{places}"
        ));
    }
    if words.is_empty() {
        // Nothing was read of a commit that could not be fetched: what was said before still holds.
        if matches!(outcome, Outcome::Applied(_)) {
            conditions.clear(ConditionType::Warning);
        }
        return;
    }
    let reason = if facts.plain_secrets.is_empty() { Reason::Unsupported } else { Reason::PlainSecrets };
    conditions.set(ConditionType::Warning, ConditionStatus::True, reason, words.join("\n"));
}

/// When the repository is asked again: the interval, a tenth of it added or taken. `spread` is a number from 0 to 1.
pub fn next_look(last: Timestamp, interval: Duration, spread: f64) -> Timestamp {
    let factor = 0.9 + spread.clamp(0.0, 1.0) / 5.0;
    // A shorter interval than a second would be a way to flood the git host.
    let wait = interval.max(Duration::from_secs(1)).mul_f64(factor);
    last.saturating_add(wait).unwrap_or(last)
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;

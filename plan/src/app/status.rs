//! What people read of an App: what its Environment says, or why there is none.

use crds::{AppStatus, ConditionStatus, ConditionType, Reason, names};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use super::{Lookup, World, image, known};
use crate::condition::Conditions;
use crate::refusal::{Class, Refusal};
use crate::step::Applied;

/// The status after the plan, or its refusal, was carried out as far as `applied` says.
pub fn status(world: &World, refusal: Option<&Refusal>, applied: &Applied) -> AppStatus {
    let app = &world.app;
    let before = app.status.clone().unwrap_or_default();
    let mut status = before.clone();
    if app.metadata.deletion_timestamp.is_some() {
        return status;
    }
    status.image = image(world).ok().or_else(|| known(app).cloned());
    if matches!(world.lookup, Some(Lookup::Found(_))) {
        status.image_checked = Some(Time(world.now));
        status.last_handled_reconcile_at = app.annotations().get(names::RECONCILE_AT).cloned();
    } else if app.spec.image.digest().is_some() {
        status.image_checked = None;
    }
    let generation = app.metadata.generation;
    let mut conditions = Conditions::new(&before.conditions, generation, world.now);
    let told = match refusal.or(applied.refusal()) {
        Some(refusal) => {
            say(&mut conditions, refusal);
            true
        }
        None => mirror(world, applied, &mut conditions),
    };
    lookup_warning(world, &mut conditions);
    if told {
        status.observed_generation = generation;
        let environment = world.environment.as_ref().and_then(|environment| environment.status.as_ref());
        status.summary = environment.and_then(|status| status.summary.clone()).or(status.summary);
        status.url = environment.and_then(|status| status.url.clone());
    }
    status.conditions = conditions.finish();
    status
}

fn say(conditions: &mut Conditions, refusal: &Refusal) {
    use ConditionStatus::{False, True};
    conditions.set(ConditionType::Ready, False, refusal.reason, &refusal.message);
    let (holds, other) = match refusal.class {
        Class::NeedsUser => (ConditionType::Stalled, ConditionType::Reconciling),
        Class::Waiting | Class::Transient => (ConditionType::Reconciling, ConditionType::Stalled),
    };
    conditions.set(holds, True, refusal.reason, &refusal.message);
    conditions.clear(other);
}

/// Says what the Environment says, once that is about its present spec. Until then nothing new is known.
fn mirror(world: &World, applied: &Applied, conditions: &mut Conditions) -> bool {
    let Some(environment) = &world.environment else { return false };
    let Some(status) = &environment.status else { return false };
    if !applied.answers.is_empty() || status.observed_generation < environment.metadata.generation {
        return false;
    }
    for type_ in [
        ConditionType::Ready,
        ConditionType::Reconciling,
        ConditionType::Stalled,
        ConditionType::RolledBack,
        ConditionType::NodeLost,
        ConditionType::Warning,
    ] {
        match status.conditions.iter().find(|condition| condition.type_ == type_) {
            Some(found) => conditions.set(type_, found.status, found.reason, &found.message),
            // What the registry did not tell stays said until it tells.
            None if type_ == ConditionType::Warning && is_unanswered(world) => {}
            None => conditions.clear(type_),
        }
    }
    true
}

/// Whether the registry's last answer was none, and it was not asked since.
fn is_unanswered(world: &World) -> bool {
    let before = world.app.status.iter().flat_map(|status| &status.conditions);
    world.lookup.is_none()
        && before.into_iter().any(|condition| {
            condition.type_ == ConditionType::Warning && condition.reason == Reason::ImageNotFound
        })
}

/// The registry could not be asked: the last digest stays in force, which deserves a look.
fn lookup_warning(world: &World, conditions: &mut Conditions) {
    let words = match &world.lookup {
        Some(Lookup::Refused(words) | Lookup::Failed(words)) => words,
        Some(Lookup::Found(_)) | None => return,
    };
    if known(&world.app).is_some() {
        let words = format!("the last digest found stays in force: {words}");
        conditions.set(ConditionType::Warning, ConditionStatus::True, Reason::ImageNotFound, words);
    }
}

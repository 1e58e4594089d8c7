//! ConfigRepos that wait for others.

use std::collections::HashSet;

use crds::config_repo::ConfigRepo;
use crds::{ConditionStatus, ConditionType, Reason};
use plan::Refusal;

use crate::controllers::{Key, Queue};
use crate::sources::Store;

/// Whether all that a ConfigRepo depends on is Ready at its newest commit.
pub(super) fn check(repo: &ConfigRepo, store: &Store<ConfigRepo>) -> Result<(), Refusal> {
    let namespace = repo.metadata.namespace.as_deref().unwrap_or_default();
    let name = repo.metadata.name.as_deref().unwrap_or_default();
    if let Some(path) = cycle(namespace, name, store) {
        let words = format!("spec.dependsOn goes in a circle: {}; remove one of these", path.join(" → "));
        return Err(Refusal::needs_user(Reason::InvalidSpec, words));
    }
    for dependency in &repo.spec.depends_on {
        let wanted = dependency.name.as_str();
        let found = store.get(namespace, wanted);
        if !found.as_deref().is_some_and(is_ready) {
            let words = if found.is_some() {
                format!("waits for ConfigRepo {wanted} to be Ready at its newest commit")
            } else {
                format!(
                    "waits for ConfigRepo {wanted}, which does not exist; create it, or remove it from spec.dependsOn"
                )
            };
            return Err(Refusal::waiting(Reason::DependencyNotReady, words));
        }
    }
    Ok(())
}

fn is_ready(repo: &ConfigRepo) -> bool {
    let Some(status) = &repo.status else { return false };
    let ready = status.conditions.iter().find(|condition| condition.type_ == ConditionType::Ready);
    ready.is_some_and(|ready| ready.status == ConditionStatus::True)
        && status.last_applied == status.last_seen
        && status.observed_generation == repo.metadata.generation
}

/// The way from a ConfigRepo back to itself, if there is one.
fn cycle(namespace: &str, start: &str, store: &Store<ConfigRepo>) -> Option<Vec<String>> {
    let mut ways = vec![vec![start.to_owned()]];
    let mut visited = HashSet::new();
    while let Some(way) = ways.pop() {
        let last = way.last()?.clone();
        if !visited.insert(last.clone()) {
            continue;
        }
        for next in store.get(namespace, &last).iter().flat_map(|repo| &repo.spec.depends_on) {
            let mut longer = way.clone();
            longer.push(next.name.as_str().to_owned());
            if next.name.as_str() == start {
                return Some(longer);
            }
            ways.push(longer);
        }
    }
    None
}

/// Wakes those that wait for a ConfigRepo.
pub(super) fn wake(key: &Key, store: &Store<ConfigRepo>, queue: &Queue) {
    for repo in store.all() {
        let same = repo.metadata.namespace.as_deref() == Some(key.namespace.as_str());
        if same && repo.spec.depends_on.iter().any(|dependency| dependency.name.as_str() == key.name) {
            queue.wake(Key::of(&repo.metadata));
        }
    }
}

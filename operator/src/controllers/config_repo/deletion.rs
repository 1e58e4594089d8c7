//! Deleting a ConfigRepo: its objects stay or go, and it is never stuck.

use crds::config_repo::DeletionPolicy;
use crds::names::FINALIZER;
use jiff::Timestamp;
use plan::config_repo::order;
use plan::config_repo::prune::candidates;
use plan::{Class, Event, EventKind, Refusal};

use super::pass::Pass;

/// Carries the deletion out. The finalizer goes last.
pub(super) async fn run(pass: &Pass<'_>) -> Result<Option<Timestamp>, Refusal> {
    let finalizers = pass.repo.metadata.finalizers.clone().unwrap_or_default();
    if !finalizers.iter().any(|name| name == FINALIZER) {
        pass.repos.forget(pass.key);
        return Ok(None);
    }
    if pass.repo.spec.deletion_policy == DeletionPolicy::Delete {
        delete(pass).await?;
    }
    let rest: Vec<_> = finalizers.into_iter().filter(|name| name != FINALIZER).collect();
    pass.set_finalizers(&rest).await?;
    pass.repos.forget(pass.key);
    Ok(None)
}

/// Deletes what was applied, as the service account. What it may not delete, or cannot because the account is gone, stays
/// and is named in an event; what time mends is tried again.
async fn delete(pass: &Pass<'_>) -> Result<(), Refusal> {
    let inventory = pass.status().inventory;
    let identity = match pass.identity() {
        Ok(identity) => identity,
        Err(refusal) => return orphan(pass, inventory.len(), &refusal).await,
    };
    // An account that was applied itself may have gone in a try before this one; its name can be acted as while rights are left.
    let own = identity.account().is_some_and(|(namespace, name)| {
        inventory.iter().any(|r| {
            r.group.is_empty() && r.kind == "ServiceAccount" && r.namespace == namespace && r.name == name
        })
    });
    match pass.account(&identity).await {
        Ok(()) => {}
        Err(_) if own => {}
        Err(refusal) if refusal.class == Class::NeedsUser => {
            return orphan(pass, inventory.len(), &refusal).await;
        }
        Err(refusal) => return Err(refusal),
    }
    let gone = candidates(&inventory, &[]);
    let mut stays = Vec::new();
    let (first, last) = order::in_two(gone);
    for part in [first, last] {
        // The account and its rights go only when time has mended what was in the way of all others.
        for (reference, result) in pass.remove_all(&part, &identity).await {
            match result {
                Ok(()) => {}
                Err(refusal) if refusal.class == Class::NeedsUser => stays.push((reference, refusal)),
                Err(refusal) => return Err(refusal),
            }
        }
    }
    match stays.first() {
        Some((_, refusal)) => orphan(pass, stays.len(), refusal).await,
        None => Ok(()),
    }
}

async fn orphan(pass: &Pass<'_>, count: usize, why: &Refusal) -> Result<(), Refusal> {
    let message = format!("{count} applied objects stay in the cluster: {}", why.message);
    pass.event(&Event { kind: EventKind::Warning, reason: "Orphaned".into(), message }).await;
    Ok(())
}

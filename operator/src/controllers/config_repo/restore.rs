//! The commit in force after a restart: it is read again, so that drift from it is set back even while the newest commit
//! is refused.

use std::sync::Arc;
use std::time::Duration;

use git::{GitRef, Oid, Request};
use plan::{Class, Refusal};

use super::load::{Memory, Set};
use super::pass::Pass;
use crate::apply::Identity;

/// For so long the host is asked for a commit that this process has not seen.
const PATIENCE: Duration = Duration::from_secs(20);

impl Pass<'_> {
    /// The set in force: what this process applied last, or else what status names as applied, read anew once.
    pub(super) async fn in_force(&self, identity: &Identity, memory: &mut Memory) -> Option<Arc<Set>> {
        if memory.in_force.is_none() && !memory.restored {
            // What time mends is tried again with the next look.
            if let Ok(set) = self.restore(identity).await {
                memory.restored = true;
                memory.in_force = set;
            }
        }
        memory.in_force.clone()
    }

    /// None where it is not to be had any more.
    async fn restore(&self, identity: &Identity) -> Result<Option<Arc<Set>>, Refusal> {
        let status = self.status();
        let last = status.last_applied.filter(|_| status.applied_with.is_some());
        let Some(commit) = last.and_then(|last| last.sha.parse::<Oid>().ok()) else { return Ok(None) };
        let request = self.request().await?;
        let fetcher = self.repos.fetcher.clone();
        let work = move || fetcher.at(&request_of(request, commit), commit);
        let Ok(Some(fetched)) = tokio::task::spawn_blocking(work).await else { return Ok(None) };
        // A memory of its own: what is remembered of the newest commit stays.
        let set = match self.load(&fetched, identity, &mut Memory::default()).await {
            Ok(set) => set,
            Err(refusal) if refusal.class == Class::Transient => return Err(refusal),
            Err(_) => return Ok(None),
        };
        // Under another spec or account it was another set.
        Ok(Some(set).filter(|set| status.applied_with.as_deref() == Some(set.context.as_str())))
    }
}

fn request_of(mut request: Request, commit: Oid) -> Request {
    if let Ok(reference) = GitRef::commit(&commit.to_string()) {
        request.reference = reference;
    }
    request.limits.overall_timeout = request.limits.overall_timeout.min(PATIENCE);
    request
}

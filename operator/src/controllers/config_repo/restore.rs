//! The commit in force after a restart: it is read again, so that drift from it is set back even while the newest commit
//! is refused.

use std::sync::Arc;
use std::time::Duration;

use git::{GitRef, Oid, Request};

use super::load::{Memory, Set};
use super::pass::Pass;
use crate::apply::Identity;

/// For so long the host is asked for a commit that this process has not seen.
const PATIENCE: Duration = Duration::from_secs(20);

impl Pass<'_> {
    /// The set in force: what this process applied last, or else what status names as applied, read anew once.
    pub(super) async fn in_force(&self, identity: &Identity, memory: &mut Memory) -> Option<Arc<Set>> {
        if memory.in_force.is_none() && !memory.restored {
            memory.restored = true;
            memory.in_force = self.restore(identity, memory).await;
        }
        memory.in_force.clone()
    }

    async fn restore(&self, identity: &Identity, memory: &Memory) -> Option<Arc<Set>> {
        let status = self.status();
        let commit: Oid = status.last_applied?.sha.parse().ok()?;
        let request = self.request().await.ok()?;
        let fetcher = self.repos.fetcher.clone();
        let fetched =
            tokio::task::spawn_blocking(move || fetcher.at(&request_of(request, commit), commit)).await;
        let fetched = fetched.ok()??;
        // A memory of its own: what is remembered of the newest commit stays.
        let mut own = Memory::default();
        let set = self.load(&fetched, identity, &mut own).await.ok()?;
        // Under another spec or account it was another set.
        let same = status.applied_with.as_deref() == Some(set.context.as_str());
        if same && memory.in_force.is_none() { Some(set) } else { None }
    }
}

fn request_of(mut request: Request, commit: Oid) -> Request {
    if let Ok(reference) = GitRef::commit(&commit.to_string()) {
        request.reference = reference;
    }
    request.limits.overall_timeout = request.limits.overall_timeout.min(PATIENCE);
    request
}

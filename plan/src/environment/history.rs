//! The releases of one Environment, oldest first, and what is planned to become of them.

use crds::Release;
use crds::release::{Phase, ReleaseStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Resource as _, ResourceExt as _};
use serde_json::json;

use super::release::{is_under_way, phase, was_rolled_out};
use crate::object::{Manifest, ObjectKey};
use crate::step::{Delete, Step};

/// The releases by number.
pub struct History {
    releases: Vec<Release>,
    /// The statuses as they were, at the same places; shorter by the planned releases.
    before: Vec<Option<ReleaseStatus>>,
}

impl History {
    /// Sorts the releases that are there.
    pub fn new<'a>(releases: impl Iterator<Item = &'a Release>) -> Self {
        let mut releases: Vec<_> = releases.cloned().collect();
        releases.sort_by_key(|release| release.spec.number);
        let before = releases.iter().map(|release| release.status.clone()).collect();
        Self { releases, before }
    }

    /// The release with the highest number.
    pub fn newest(&self) -> Option<&Release> {
        self.releases.last()
    }

    /// The newest release that somebody asked for, which a rollback is not.
    pub fn last_attempt(&self) -> Option<&Release> {
        self.releases.iter().rev().find(|release| release.spec.rollback_of.is_none())
    }

    /// The release that gets traffic.
    pub fn live(&self) -> Option<&Release> {
        self.releases.iter().rev().find(|release| phase(release) == Phase::Live)
    }

    /// The release of this number.
    pub fn numbered(&self, number: i64) -> Option<&Release> {
        self.releases.iter().find(|release| release.spec.number == number)
    }

    /// The release whose children are to be in the cluster: the newest that may roll out, else the live one, else one
    /// that failed and has nothing to go back to.
    pub fn current(&self) -> Option<&Release> {
        let rolls = |release: &&Release| match phase(release) {
            Phase::RollingOut | Phase::Live => true,
            Phase::Pending => !super::command::is_due(release),
            Phase::Releasing | Phase::Superseded | Phase::Failed => false,
        };
        let failed = |release: &&Release| phase(release) == Phase::Failed && was_rolled_out(release);
        let newest =
            |keep: &dyn Fn(&&Release) -> bool| self.releases.iter().rev().find(|release| keep(release));
        newest(&rolls).or_else(|| newest(&failed))
    }

    /// Adds a planned release.
    pub fn push(&mut self, release: Release) {
        self.releases.push(release);
    }

    /// Sets a status.
    pub fn set(&mut self, number: i64, status: ReleaseStatus) {
        if let Some(release) = self.releases.iter_mut().find(|release| release.spec.number == number) {
            release.status = Some(status);
        }
    }

    /// At most one release is live and at most the newest is on its way: the others are superseded.
    pub fn supersede(&mut self, now: Timestamp) {
        let live = self.live().map(|release| release.spec.number);
        let newest = self.newest().map(|release| release.spec.number);
        for release in &mut self.releases {
            let number = Some(release.spec.number);
            let old = match phase(release) {
                Phase::Live => number != live,
                _ => is_under_way(release) && number != newest,
            };
            if old {
                let known = release.status.take().unwrap_or_default();
                release.status = Some(ReleaseStatus {
                    phase: Phase::Superseded,
                    ready: false,
                    since: Some(Time(now)),
                    ..known
                });
            }
        }
    }

    /// The writes of the statuses that changed, oldest first, then of the new releases.
    pub fn steps(&self) -> Vec<Step> {
        let changed =
            self.releases.iter().zip(&self.before).filter(|(release, before)| release.status != **before);
        let statuses = changed.filter_map(|(release, _)| {
            Some(Step::Status {
                object: ObjectKey::of(release),
                uid: release.uid()?,
                status: json!(release.status),
            })
        });
        let created = self.releases.iter().skip(self.before.len()).filter_map(Manifest::of).map(Step::Create);
        statuses.chain(created).collect()
    }

    /// Deletes the oldest releases beyond `keep`; never the live one, the one before it that was good, or what is held.
    pub fn prune(&self, keep: usize) -> Vec<Step> {
        let current = self.current().map(|release| release.spec.number);
        let live = self.live().map(|release| release.spec.number);
        let attempt = self.last_attempt().map(|release| release.spec.number);
        let was_live = |release: &&Release| release.status.as_ref().is_some_and(|status| status.was_live);
        let good =
            self.releases.iter().rev().filter(was_live).map(|r| r.spec.number).find(|n| Some(*n) != live);
        let spared = [current, live, attempt, good];
        let surplus = self.releases.len().saturating_sub(keep);
        let old =
            self.releases.iter().take(surplus).filter(|release| !spared.contains(&Some(release.spec.number)));
        old.filter_map(|release| {
            Some(Step::Delete(Delete {
                object: ObjectKey::of(release),
                uid: release.meta().uid.clone()?,
                resource_version: release.resource_version()?,
            }))
        })
        .collect()
    }
}

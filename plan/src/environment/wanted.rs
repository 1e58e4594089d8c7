//! The children that a release wants, as stamped manifests.

use crds::Release;
use crds::text::ProcessName;
use crds::workload::Process;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::{Resource, ResourceExt as _};
use serde::Serialize;

use super::names::Scope;
use super::objects;
use super::scale::{self, Replicas};
use super::world::World;
use crate::matching::stamp;
use crate::object::{Manifest, ObjectKey};

/// A process's Deployment or StatefulSet.
pub struct Workload {
    /// The process.
    pub process: ProcessName,
    /// Whether it is a StatefulSet of one.
    pub singleton: bool,
    /// Whether one of its pods carries a label.
    pub elected: bool,
    /// The object, with `spec.replicas` only where it is to be written.
    pub manifest: Manifest,
    /// How many pods, and who says so.
    pub replicas: Replicas,
    /// Whether the cluster already has it so.
    pub holds: bool,
}

/// All children of a release.
pub struct Wanted {
    /// Deployments and StatefulSets.
    pub workloads: Vec<Workload>,
    /// Services, PodDisruptionBudgets and CronJobs.
    pub others: Vec<Manifest>,
}

impl Wanted {
    /// What `release` wants in this World.
    pub fn of(world: &World, release: &Release) -> Self {
        let scope = Scope { environment: &world.environment, release };
        let config = &release.spec.config;
        let workloads: Vec<_> =
            config.processes.iter().filter_map(|process| workload(world, scope, process)).collect();
        let mut others = Vec::new();
        for (process, workload) in config.processes.iter().zip(&workloads) {
            if process.name.as_str() == objects::pod::WEB {
                others.extend(Manifest::of(&objects::service(scope)));
            }
            if !process.singleton && workload.replicas.effective >= 2 {
                others.extend(Manifest::of(&objects::disruption_budget(scope, process)));
            }
        }
        others.extend(config.jobs.iter().filter_map(|job| Manifest::of(&objects::cron_job(scope, job))));
        Self { workloads, others: others.into_iter().map(stamp).collect() }
    }

    /// The keys of all of them.
    pub fn keys(&self) -> impl Iterator<Item = ObjectKey> {
        self.workloads
            .iter()
            .map(|workload| workload.manifest.key())
            .chain(self.others.iter().map(Manifest::key))
    }
}

/// The number that git asks for: the Environment's, because scaling makes no release; a process that only the release
/// has keeps the release's.
fn asked(world: &World, process: &Process) -> i32 {
    let now = world.environment.spec.config.processes.iter().find(|other| other.name == process.name);
    let asked = now.unwrap_or(process).replicas.unwrap_or(1);
    if process.singleton { asked.min(1) } else { asked }
}

fn workload(world: &World, scope: Scope<'_>, process: &Process) -> Option<Workload> {
    let git = asked(world, process);
    let (manifest, replicas, live) = if process.singleton {
        let typed = objects::stateful_set(scope, process);
        let live = world.named(&world.stateful_sets, &typed.name_any());
        let now = live.and_then(|live: &StatefulSet| live.spec.as_ref()?.replicas);
        // A singleton that was scaled by hand may be off, never two.
        let replicas = scale::decide(live, now, git).at_most_one();
        (Manifest::of(&typed)?, replicas, value(live))
    } else {
        let typed = objects::deployment(scope, process);
        let live = world.named(&world.deployments, &typed.name_any());
        let now = live.and_then(|live: &Deployment| live.spec.as_ref()?.replicas);
        (Manifest::of(&typed)?, scale::decide(live, now, git), value(live))
    };
    let (manifest, holds) = scale::written(manifest, &replicas, live.as_ref());
    Some(Workload {
        process: process.name.clone(),
        singleton: process.singleton,
        elected: process.elected,
        manifest,
        replicas,
        holds,
    })
}

fn value<K: Resource + Serialize>(live: Option<&K>) -> Option<serde_json::Value> {
    live.and_then(|live| serde_json::to_value(live).ok())
}

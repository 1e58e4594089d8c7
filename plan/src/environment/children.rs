//! The writes that turn what is there into what a release wants, and take away what nobody wants any more.

use k8s_openapi::api::core::v1::Pod;
use kube::{Resource, ResourceExt as _};
use serde::Serialize;
use serde_json::Value;

use super::elect;
use super::names::origin;
use super::scale;
use super::wanted::{Wanted, Workload};
use super::world::{World, phase};
use crate::matching::holds;
use crate::object::{Manifest, ObjectKey};
use crate::step::{Delete, Step};
use crds::Release;

/// The writes, and what they wait for, in words.
#[derive(Default)]
pub struct Children {
    /// In order.
    pub steps: Vec<Step>,
    /// What must happen before the rest can be written.
    pub waits: Option<String>,
}

/// Brings about what `release` wants.
pub fn apply(world: &World, wanted: &Wanted) -> Children {
    let mut children = Children::default();
    let step = |manifest: &Manifest| match live(world, &manifest.key()) {
        Some(live) => (!holds(&live, manifest)).then(|| Step::Apply(manifest.clone())),
        None => Some(Step::Make(manifest.clone())),
    };
    children.steps.extend(wanted.others.iter().filter_map(step));
    for workload in wanted.workloads.iter().filter(|workload| !workload.holds) {
        match in_the_way(world, workload) {
            None => children.steps.extend(scale::steps(&workload.manifest, &workload.replicas)),
            Some(InTheWay { step, words }) => {
                children.steps.extend(step);
                children.waits = Some(words);
            }
        }
    }
    children
}

/// Keeps the label of each elected process on one pod.
pub fn elections(world: &World, release: &Release, wanted: &Wanted) -> Vec<Step> {
    let version = format!("v{}", origin(release));
    let elected = wanted.workloads.iter().filter(|workload| workload.elected);
    elected.flat_map(|workload| elect::steps(world, workload.process.as_str(), &version)).collect()
}

struct InTheWay {
    step: Option<Step>,
    words: String,
}

/// A process that becomes a singleton starts when the last pod of its Deployment is gone, not earlier.
fn in_the_way(world: &World, workload: &Workload) -> Option<InTheWay> {
    if !workload.singleton {
        return None;
    }
    let process = workload.process.as_str();
    let name = workload.manifest.key().name;
    let deployment = world.named(&world.deployments, &name);
    let of_replica_set = |pod: &&Pod| {
        pod.owner_references().iter().any(|owner| owner.kind == "ReplicaSet")
            && !matches!(phase(pod), "Failed" | "Succeeded")
    };
    let pods = world.pods_of(process).filter(of_replica_set).count();
    if deployment.is_none() && pods == 0 {
        return None;
    }
    let words =
        format!("{process} becomes a singleton: it starts when the {pods} pods that it had before are gone");
    Some(InTheWay { step: deployment.and_then(delete), words })
}

/// Deletes what this Environment made and `wanted` does not name.
pub fn clean_up(world: &World, wanted: &Wanted) -> Vec<Step> {
    let keys: Vec<_> = wanted.keys().collect();
    let mut steps = Vec::new();
    surplus(world, &world.deployments, &keys, &mut steps);
    surplus(world, &world.stateful_sets, &keys, &mut steps);
    surplus(world, &world.services, &keys, &mut steps);
    surplus(world, &world.disruption_budgets, &keys, &mut steps);
    surplus(world, &world.cron_jobs, &keys, &mut steps);
    steps
}

fn surplus<K: Resource<DynamicType = ()>>(
    world: &World,
    objects: &[K],
    keys: &[ObjectKey],
    steps: &mut Vec<Step>,
) {
    let unwanted =
        |object: &&K| !keys.contains(&ObjectKey::of(*object)) && object.meta().deletion_timestamp.is_none();
    steps.extend(world.owned(objects).filter(unwanted).filter_map(delete));
}

/// Deletes exactly this object as it was seen; nothing where it is already on its way out.
pub fn delete<K: Resource<DynamicType = ()>>(object: &K) -> Option<Step> {
    let meta = object.meta();
    if meta.deletion_timestamp.is_some() {
        return None;
    }
    Some(Step::Delete(Delete {
        object: ObjectKey::of(object),
        uid: meta.uid.clone()?,
        resource_version: meta.resource_version.clone()?,
    }))
}

fn live(world: &World, key: &ObjectKey) -> Option<Value> {
    fn found<K: Resource + Serialize>(world: &World, objects: &[K], name: &str) -> Option<Value> {
        world.named(objects, name).and_then(|object| serde_json::to_value(object).ok())
    }
    match key.kind.as_str() {
        "Service" => found(world, &world.services, &key.name),
        "PodDisruptionBudget" => found(world, &world.disruption_budgets, &key.name),
        "CronJob" => found(world, &world.cron_jobs, &key.name),
        _ => None,
    }
}

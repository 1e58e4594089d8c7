//! How far the pods of a release are.

use crds::Release;
use crds::environment::ProcessStatus;
use crds::names::RELEASE;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use super::elect;
use super::names::origin;
use super::reasons::{Problem, diagnose};
use super::wanted::{Wanted, Workload};
use super::world::{World, is_leaving, is_on_lost_node, is_ready, label, phase};
use crds::Reason;

/// How far one process is.
pub struct Progress {
    /// For the status.
    pub status: ProcessStatus,
    /// Whether exactly the pods that are wanted run, and are ready.
    pub done: bool,
    /// Whether its new pod may not start yet, because an old one that may still run is not gone.
    pub waits: bool,
    /// What keeps it from being done, if anything is known to.
    pub problem: Option<Problem>,
}

/// How far each process of a release is.
pub fn progress(world: &World, release: &Release, wanted: &Wanted) -> Vec<Progress> {
    let version = format!("v{}", origin(release));
    wanted.workloads.iter().map(|workload| of_workload(world, workload, &version)).collect()
}

/// Whether all processes are done.
pub fn is_done(progress: &[Progress]) -> bool {
    progress.iter().all(|progress| progress.done)
}

/// The first problem, with its process, in words.
pub fn problem(progress: &[Progress]) -> Option<(&str, &Problem)> {
    progress.iter().find_map(|progress| Some((progress.status.name.as_str(), progress.problem.as_ref()?)))
}

fn of_workload(world: &World, workload: &Workload, version: &str) -> Progress {
    let name = workload.manifest.key().name;
    let pods: Vec<_> = world.pods_of(workload.process.as_str()).collect();
    let settled = workload.holds
        && if workload.singleton {
            world.named(&world.stateful_sets, &name).is_some_and(stateful_set_done)
        } else {
            world.named(&world.deployments, &name).is_some_and(deployment_done)
        };
    let newest: Vec<_> = pods
        .iter()
        .copied()
        .filter(|pod| label(*pod, RELEASE) == Some(version) && !is_leaving(pod))
        .collect();
    let count =
        |pods: &[&Pod]| i32::try_from(pods.iter().filter(|pod| is_ready(pod)).count()).unwrap_or(i32::MAX);
    let staying: Vec<_> = pods.iter().copied().filter(|pod| !is_leaving(pod)).collect();
    let problem = refused(world, &name).or_else(|| newest.iter().find_map(|pod| diagnose(pod)));
    Progress {
        status: ProcessStatus {
            name: workload.process.clone(),
            desired: workload.replicas.effective,
            ready: count(&staying),
            updated: count(&newest),
            scaled_by_hand: workload.replicas.by_hand,
            elected_pod: elect::holder(&pods).filter(|_| workload.elected).map(kube::ResourceExt::name_any),
        },
        done: settled,
        waits: !settled && workload.singleton && pods.iter().any(|pod| may_linger(world, pod)),
        problem: if settled { None } else { problem },
    }
}

/// Whether a pod keeps a singleton from starting: it is on its way out, on a lost node, or of the Deployment that the
/// process had before.
fn may_linger(world: &World, pod: &Pod) -> bool {
    let of_deployment = pod.owner_references().iter().any(|owner| owner.kind == "ReplicaSet");
    let ended = matches!(phase(pod), "Failed" | "Succeeded");
    !ended && (of_deployment || pod.metadata.deletion_timestamp.is_some() || is_on_lost_node(world, pod))
}

/// The API server refuses the pods themselves: a quota, a limit range, Pod Security, an admission webhook.
fn refused(world: &World, name: &str) -> Option<Problem> {
    let deployment = world.named(&world.deployments, name)?;
    let conditions = deployment.status.as_ref()?.conditions.as_deref()?;
    let found = conditions.iter().find(|c| c.type_ == "ReplicaFailure" && c.status == "True")?;
    let why = found.message.as_deref().unwrap_or_default();
    Some(Problem {
        reason: Reason::Refused,
        words: format!("the API server refuses its pods: {why}"),
        log: None,
    })
}

/// As `kubectl rollout status` has it: all new, all available, none of the old left.
fn deployment_done(deployment: &Deployment) -> bool {
    let Some(status) = &deployment.status else { return false };
    let desired = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let updated = status.updated_replicas.unwrap_or(0);
    status.observed_generation >= deployment.metadata.generation
        && updated >= desired
        && status.replicas.unwrap_or(0) <= updated
        && status.available_replicas.unwrap_or(0) >= desired
}

fn stateful_set_done(set: &StatefulSet) -> bool {
    let Some(status) = &set.status else { return false };
    let desired = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    status.observed_generation >= set.metadata.generation
        && status.replicas <= desired
        && status.available_replicas.unwrap_or(0) >= desired
        && (desired == 0
            || (status.updated_replicas.unwrap_or(0) >= desired
                && status.current_revision == status.update_revision))
}

//! Deployments, and StatefulSets of one for what must never run twice.

use crds::workload::Process;
use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment, StatefulSet, StatefulSetSpec,
    StatefulSetUpdateStrategy,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::pod;
use crate::environment::names::{self, Scope};

/// How many old ReplicaSets stay, so that a rollback brings old pods' template back.
const HISTORY: i32 = 5;

/// A process as a Deployment, without `spec.replicas`, which is decided elsewhere. No ready pod goes before its
/// successor is ready.
pub fn deployment(scope: Scope<'_>, process: &Process) -> Deployment {
    let name = process.name.as_str();
    Deployment {
        metadata: scope.meta(names::child(&scope.name(), name), name),
        spec: Some(DeploymentSpec {
            min_ready_seconds: Some(pod::min_ready_seconds(process)),
            revision_history_limit: Some(HISTORY),
            selector: scope.label_selector(name),
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".into()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::String("25%".into())),
                    max_unavailable: Some(IntOrString::Int(0)),
                }),
            }),
            template: pod::of_process(scope, process),
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

/// A singleton as a StatefulSet: its pod has one name, which cannot exist twice.
///
/// `Parallel`, because with `OrderedReady` a revision that never becomes ready is not replaced by the one that mends it.
pub fn stateful_set(scope: Scope<'_>, process: &Process) -> StatefulSet {
    let name = process.name.as_str();
    StatefulSet {
        metadata: scope.meta(names::child(&scope.name(), name), name),
        spec: Some(StatefulSetSpec {
            min_ready_seconds: Some(pod::min_ready_seconds(process)),
            pod_management_policy: Some("Parallel".into()),
            revision_history_limit: Some(HISTORY),
            selector: scope.label_selector(name),
            template: pod::of_process(scope, process),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("RollingUpdate".into()),
                rolling_update: None,
            }),
            ..StatefulSetSpec::default()
        }),
        status: None,
    }
}

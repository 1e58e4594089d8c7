//! How many pods of a process may be taken away at once by those who empty a node.

use crds::workload::Process;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::environment::names::{self, Scope};

/// One at a time; pods that are not ready never stand in the way.
pub fn disruption_budget(scope: Scope<'_>, process: &Process) -> PodDisruptionBudget {
    let name = process.name.as_str();
    let mut metadata = scope.meta(names::child(&scope.name(), name), name);
    if let Some(labels) = &mut metadata.labels {
        labels.remove(crds::names::RELEASE);
    }
    PodDisruptionBudget {
        metadata,
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(scope.label_selector(name)),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }
}

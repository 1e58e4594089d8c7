//! Everything that one decision about an Environment needs, as plain data.

use std::collections::BTreeMap;

use crds::domain::PublicUrl;
use crds::{Environment, Release, names};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::{Resource, ResourceExt as _};
use serde::Deserialize;

use super::references::References;
use crate::environment::names::is_owned_by;
use crate::sizes::Sizes;

/// What is known of an Environment and of what it made.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct World {
    /// The Environment.
    pub environment: Environment,
    /// Its Releases.
    #[serde(default)]
    pub releases: Vec<Release>,
    /// Deployments with its label.
    #[serde(default)]
    pub deployments: Vec<Deployment>,
    /// StatefulSets with its label.
    #[serde(default)]
    pub stateful_sets: Vec<StatefulSet>,
    /// Services with its label.
    #[serde(default)]
    pub services: Vec<Service>,
    /// PodDisruptionBudgets with its label.
    #[serde(default)]
    pub disruption_budgets: Vec<PodDisruptionBudget>,
    /// CronJobs with its label.
    #[serde(default)]
    pub cron_jobs: Vec<CronJob>,
    /// Jobs with its label.
    #[serde(default)]
    pub jobs: Vec<Job>,
    /// Pods with its label.
    #[serde(default)]
    pub pods: Vec<Pod>,
    /// The Secrets and ConfigMaps that its configuration reads.
    #[serde(default)]
    pub references: References,
    /// Ends of logs, by [`super::logs::LogKey`].
    #[serde(default)]
    pub logs: BTreeMap<String, String>,
    /// The nodes, and whether they are ready.
    #[serde(default)]
    pub nodes: BTreeMap<String, bool>,
    /// The install's table of sizes.
    #[serde(default)]
    pub sizes: Sizes,
    /// Where the router answers, if there is one.
    #[serde(default)]
    pub public: Option<PublicUrl>,
    /// Of its hosts those that an older Environment has, with that one's namespace and name; see [`super::hosts`].
    #[serde(default)]
    pub taken_hosts: BTreeMap<String, String>,
    /// The time.
    pub now: Timestamp,
}

impl World {
    /// The Environment's uid.
    pub fn uid(&self) -> Option<&str> {
        self.environment.metadata.uid.as_deref()
    }

    /// Those of `objects` that this Environment controls.
    pub fn owned<'a, K: Resource>(&'a self, objects: &'a [K]) -> impl Iterator<Item = &'a K> {
        objects.iter().filter(|object| is_owned_by(*object, self.uid()))
    }

    /// The controlled object of this name.
    pub fn named<'a, K: Resource>(&'a self, objects: &'a [K], name: &str) -> Option<&'a K> {
        self.owned(objects).find(|object| object.meta().name.as_deref() == Some(name))
    }

    /// The pods of a process, whichever release they have.
    pub fn pods_of<'a>(&'a self, process: &'a str) -> impl Iterator<Item = &'a Pod> {
        self.pods.iter().filter(move |pod| label(*pod, names::PROCESS) == Some(process))
    }
}

/// The value of a label.
pub fn label<'a, K: Resource>(object: &'a K, name: &str) -> Option<&'a str> {
    object.meta().labels.as_ref()?.get(name).map(String::as_str)
}

/// Whether a pod is on its way out.
pub fn is_leaving(pod: &Pod) -> bool {
    pod.meta().deletion_timestamp.is_some() || phase(pod) == "Failed" || phase(pod) == "Succeeded"
}

/// Whether a pod is on a node that is gone or not ready. Nobody can know whether such a pod still runs.
pub fn is_on_lost_node(world: &World, pod: &Pod) -> bool {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    !world.nodes.is_empty() && node.is_some_and(|node| !world.nodes.get(node).copied().unwrap_or(false))
}

/// Whether a pod is ready.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// The pod's phase, empty when unknown.
pub fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// The name that messages use for a release.
pub fn version(release: &Release) -> String {
    format!("v{}", release.spec.number)
}

/// An object's creation, or `now` for one that is only planned.
pub fn created<K: Resource>(object: &K, now: Timestamp) -> Timestamp {
    object.creation_timestamp().map_or(now, |time| time.0)
}

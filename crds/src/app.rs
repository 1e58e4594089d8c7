//! `App`: a product, from its image to its processes.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::domain::Domain;
use crate::origin::ResolvedImage;
use crate::routing::Routing;
use crate::text::{Duration, Image};
use crate::workload::Config;

/// A product: its image, processes, jobs and configuration.
#[derive(kube::CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "keelway.dev",
    version = "v1alpha1",
    kind = "App",
    namespaced,
    status = "AppStatus",
    derive = "PartialEq",
    category = "keelway",
    doc = "A product: its image, processes, jobs and configuration. Without a Pipeline it is one stage, `production`, and runs in its own namespace.",
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"Runs","type":"string","jsonPath":".status.summary"}"#,
    printcolumn = r#"{"name":"URL","type":"string","jsonPath":".status.url"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#,
    validation = kube::core::Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40").message("an App's name has at most 40 characters: lower case letters, digits and '-', beginning with a letter"),
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "!has(self.jobs) || self.jobs.all(j, !self.processes.exists(p, p.name == j.name))", "message": "a job and a process have the same name; rename one"}
]))]
pub struct AppSpec {
    /// The image: by tag, which is looked up again every `interval`, or by digest.
    pub image: Image,
    /// How often the image's tag is looked up in its registry.
    #[serde(default = "AppSpec::default_interval")]
    pub interval: Duration,
    /// Nothing of this App is changed in the cluster while this is set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// Hosts at which production answers, besides `<app>.<the router's domain>`. They point to the router by DNS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub domains: Vec<Domain>,
    /// What the router does with production's requests.
    #[serde(default, skip_serializing_if = "Routing::is_default")]
    pub routing: Routing,
    /// What runs.
    #[serde(flatten)]
    pub config: Config,
}

impl AppSpec {
    fn default_interval() -> Duration {
        Duration::from_secs(300)
    }
}

/// What runs of an App.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What runs, in a few words, as in `v42 (3f9c2ab)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub summary: Option<String>,
    /// The URL at which production answers through the router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 280))]
    pub url: Option<String>,
    /// The image as it was last found in its registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ResolvedImage>,
    /// When the registry was last asked successfully.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_checked: Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>,
    /// The last value of the annotation `keelway.dev/reconcile-at` that was acted upon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_reconcile_at: Option<String>,
    /// What is true now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

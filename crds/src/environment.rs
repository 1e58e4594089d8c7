//! `Environment`: what runs in one place. The operator writes it, people read it.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::domain::Domain;
use crate::origin::{Commit, ResolvedImage};
use crate::routing::Routing;
use crate::text::{Label, ProcessName};
use crate::workload::{Allow, Config};

/// What runs in one place: an image by digest and its configuration.
#[derive(kube::CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "keelway.dev",
    version = "v1alpha1",
    kind = "Environment",
    namespaced,
    status = "EnvironmentStatus",
    derive = "PartialEq",
    shortname = "kenv",
    category = "keelway",
    doc = "What runs in one place: an image by digest and its configuration. The operator writes it; change the App instead.",
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"Runs","type":"string","jsonPath":".status.summary"}"#,
    printcolumn = r#"{"name":"URL","type":"string","jsonPath":".status.url"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentSpec {
    /// The App that this is an environment of.
    #[schemars(length(max = 63))]
    pub app: String,
    /// The stage, as in `production`.
    pub stage: Label,
    /// The image that is to run.
    pub image: ResolvedImage,
    /// What is to run.
    pub config: Config,
    /// Hosts at which the router answers for it, besides its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub domains: Vec<Domain>,
    /// What the router does with its requests.
    #[serde(default, skip_serializing_if = "Routing::is_default")]
    pub routing: Routing,
    /// The commit to which the newest change of image or configuration is owed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// A new value tries a failed release again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub retry_at: Option<String>,
    /// Nothing is changed while this is set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
}

/// What runs now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What runs, in a few words, as in `v42 (3f9c2ab)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub summary: Option<String>,
    /// The URL at which the router answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 280))]
    pub url: Option<String>,
    /// The number of the release that gets traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_release: Option<i64>,
    /// The number of the newest release, live or on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_release: Option<i64>,
    /// The pods of each process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 30), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub processes: Vec<ProcessStatus>,
    /// Security defaults that are switched off, and for which process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200), extend("x-kubernetes-list-type" = "atomic"))]
    pub opt_outs: Vec<OptOut>,
    /// What is true now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// The pods of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProcessStatus {
    /// The process.
    pub name: ProcessName,
    /// How many pods are to run.
    pub desired: i32,
    /// How many are ready.
    pub ready: i32,
    /// How many are ready and of the newest release.
    pub updated: i32,
    /// Whether a person set the number of pods by hand, which is honoured.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub scaled_by_hand: bool,
    /// The pod that carries the label of an elected process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub elected_pod: Option<String>,
}

/// Security defaults that are switched off for one process, job or command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OptOut {
    /// The process, job or command.
    #[schemars(length(max = 63))]
    pub name: String,
    /// What is switched off.
    #[schemars(length(max = 8))]
    pub allow: Vec<Allow>,
}

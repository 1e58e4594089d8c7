//! `Run`: a one-off command in an Environment, as `heroku run`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::env::LocalRef;
use crate::text::{Duration, Label};
use crate::workload::Allow;

/// A one-off command with the image and configuration of an Environment's live release.
#[derive(kube::CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "keelway.dev",
    version = "v1alpha1",
    kind = "Run",
    namespaced,
    status = "RunStatus",
    derive = "PartialEq",
    category = "keelway",
    doc = "A one-off command with the image and configuration of an Environment's live release. It starts once; make another Run to start it again.",
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"Runs","type":"string","jsonPath":".status.summary"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self == oldSelf", "message": "a Run starts once and is never changed; make another one"}
]))]
pub struct RunSpec {
    /// The Environment of this namespace.
    pub environment_ref: LocalRef,
    /// The command and its arguments.
    #[schemars(length(min = 1, max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// Its size, by name in the install's table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Label>,
    /// How long it may run.
    #[serde(default = "RunSpec::default_timeout")]
    pub timeout: Duration,
    /// How long the finished Run is kept.
    #[serde(default = "RunSpec::default_ttl")]
    pub ttl: Duration,
    /// Security defaults that are switched off for it, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub allow: Vec<Allow>,
}

impl RunSpec {
    fn default_timeout() -> Duration {
        Duration::from_secs(3600)
    }

    fn default_ttl() -> Duration {
        Duration::from_secs(86_400)
    }
}

/// What became of a Run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What ran, in a few words, as in `v42: bin/console`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub summary: Option<String>,
    /// The number of the release whose image and configuration it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<i64>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Time>,
    /// Its exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The end of its log, at most 4 KiB, values of referenced Secrets left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub log: Option<String>,
    /// What is true now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

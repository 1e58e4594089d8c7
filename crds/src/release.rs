//! `Release`: one thing that ran. Append-only: a rollback is a new Release.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Reason;
use crate::origin::{Commit, ResolvedImage};
use crate::workload::Config;

/// One thing that ran: image by digest, configuration, number, and why.
#[derive(kube::CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "keelway.dev",
    version = "v1alpha1",
    kind = "Release",
    namespaced,
    status = "ReleaseStatus",
    derive = "PartialEq",
    shortname = "rel",
    category = "keelway",
    doc = "One thing that ran: an image by digest, its configuration with Secrets by reference, a number, and why. Never changed; a rollback is a new Release.",
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.ready"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Runs","type":"string","jsonPath":".spec.summary"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Why","type":"string","jsonPath":".spec.why"}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.message"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self == oldSelf", "message": "a Release is never changed; change the App, which makes a new one"}
]))]
pub struct ReleaseSpec {
    /// The Environment.
    #[schemars(length(max = 63))]
    pub environment: String,
    /// Its number in the Environment: 1, 2, 3 …
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub number: i64,
    /// What it runs, in a few words, as in `v42 (3f9c2ab)`.
    #[schemars(length(max = 256))]
    pub summary: String,
    /// The image, by digest.
    pub image: ResolvedImage,
    /// The configuration, with Secrets by reference.
    pub config: Config,
    /// A digest of image, configuration and the state of the referenced Secrets and ConfigMaps: equal things run equal.
    #[schemars(length(max = 64))]
    pub content: String,
    /// A keyed digest of the referenced Secrets' and ConfigMaps' data; a change of it rolls the pods.
    #[schemars(length(max = 64))]
    pub references: String,
    /// The commit to which it is owed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// Why it was made, in words.
    #[schemars(length(max = 1024))]
    pub why: String,
    /// The number of the release that it goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_of: Option<i64>,
    /// The value of `keelway.dev/retry-at` that this release answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub retry_at: Option<String>,
}

/// How far a Release came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseStatus {
    /// How far it came.
    #[serde(default)]
    pub phase: Phase,
    /// Whether it gets traffic.
    #[serde(default)]
    pub ready: bool,
    /// When the phase last changed. While a singleton waits for its old pod, the time of its roll-out begins anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Why it failed, as one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Why it failed, in words, with the end of the log where there is one (at most 4 KiB).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub message: Option<String>,
    /// Whether it was live at any time, so that a rollback may choose it.
    #[serde(default)]
    pub was_live: bool,
    /// What became of the release command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandOutcome>,
}

/// How far a Release came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// It waits for its turn.
    #[default]
    Pending,
    /// Its release command runs.
    Releasing,
    /// Its pods start.
    RollingOut,
    /// It gets traffic.
    Live,
    /// A newer one took over.
    Superseded,
    /// It failed; it is not tried again before something changes.
    Failed,
}

/// What became of a release command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandOutcome {
    /// Whether it ended with 0 in time.
    pub succeeded: bool,
    /// When it ended.
    pub finished: Time,
    /// The end of its log, at most 4 KiB, values of referenced Secrets left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub log: Option<String>,
}

//! What runs: processes, jobs and commands. Shared by `App` (what a person writes), `Environment` and `Release`
//! (what the operator resolved).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::env::{EnvFrom, EnvVar, LocalRef};
use crate::text::{Duration, Label, ObjectName, ProcessName, Quantity, Schedule, TimeZone};

/// What runs, beside the image: processes, jobs, release command and their environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Secrets with the credentials of the image's registry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub image_pull_secrets: Vec<LocalRef>,
    /// The command that must succeed before a new release gets traffic, such as a database migration. It runs once
    /// per release, and must tolerate a second start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseCommand>,
    /// The processes; only `web` gets traffic, on `$PORT`. Without this list there is one `web` of the image's own command.
    #[serde(default = "default_processes")]
    #[schemars(length(min = 1, max = 30), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub processes: Vec<Process>,
    /// Commands that run on a schedule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub jobs: Vec<Job>,
    /// Environment variables of every process, job and command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 300), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub env: Vec<EnvVar>,
    /// Secrets and ConfigMaps whose every key becomes a variable; `env` wins over them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub env_from: Vec<EnvFrom>,
    /// How a new release replaces the old one.
    #[serde(default)]
    pub rollout: Rollout,
    /// The service account of the pods. Its token is mounted only with `allow: [serviceAccountToken]` on the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<ObjectName>,
}

/// The process that an App has when it names none: `web`.
pub fn default_processes() -> Vec<Process> {
    vec![Process { name: ProcessName::new("web").unwrap_or_default(), ..Process::default() }]
}

/// How a new release replaces the old one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// How long a roll-out may take until it is ready; after that the last good release comes back.
    #[serde(default = "Rollout::default_deadline")]
    pub deadline: Duration,
    /// How many Releases are kept, at least; the live and the last good one always are.
    #[serde(default = "Rollout::default_keep")]
    #[schemars(range(min = 2, max = 100))]
    pub keep_releases: u32,
}

impl Rollout {
    fn default_deadline() -> Duration {
        Duration::from_secs(600)
    }

    fn default_keep() -> u32 {
        10
    }
}

impl Default for Rollout {
    fn default() -> Self {
        Self { deadline: Self::default_deadline(), keep_releases: Self::default_keep() }
    }
}

/// A command that runs before a release goes live.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "!(has(self.size) && has(self.resources))", "message": "give size or resources, not both"}
]))]
pub struct ReleaseCommand {
    /// The command and its arguments; it replaces the image's entry point.
    #[schemars(length(min = 1, max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// How long it may run.
    #[serde(default = "ReleaseCommand::default_timeout")]
    pub timeout: Duration,
    /// Its size, by name in the install's table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Label>,
    /// Explicit requests and limits instead of a size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Security defaults that are switched off for it, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub allow: Vec<Allow>,
}

impl ReleaseCommand {
    fn default_timeout() -> Duration {
        Duration::from_secs(1800)
    }
}

/// One process type of the App, as a line of a Procfile.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "!(has(self.singleton) && self.singleton && has(self.elected) && self.elected)", "message": "a process is singleton or elected, not both"},
    {"rule": "!(has(self.singleton) && self.singleton && has(self.replicas) && self.replicas > 1)", "message": "a singleton has at most one replica; drop replicas or singleton"},
    {"rule": "!(has(self.size) && has(self.resources))", "message": "give size or resources, not both"},
    {"rule": "self.name == 'web' || !has(self.port)", "message": "only the process web gets traffic; drop port, or name the process web"}
]))]
pub struct Process {
    /// The process type, as in `web` or `worker`.
    pub name: ProcessName,
    /// The command and its arguments; it replaces the image's entry point. Without it the image's own runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// Arguments for the image's own entry point, or for `command`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub args: Vec<String>,
    /// How many pods run. Without it: 1. A change made by hand in the cluster is honoured until git changes the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: Option<i32>,
    /// Its size, by name in the install's table; without it the table's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Label>,
    /// Explicit requests and limits instead of a size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// The port on which `web` listens, given to it as `$PORT`. Without it: 8080.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1024, max = 65535))]
    pub port: Option<u16>,
    /// When a pod may get traffic. Without it: `web` when its port accepts connections, others when they run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<Probe>,
    /// When a pod is restarted. Without it: only when the process ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness: Option<Probe>,
    /// How long a pod may take to end after SIGTERM. Without it: 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination_grace: Option<Duration>,
    /// Never two at once, not even while a release rolls out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub singleton: bool,
    /// Exactly one ready pod carries the label `keelway.dev/elected`; another gets it when that pod goes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elected: bool,
    /// Environment variables of this process; they win over the App's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 300), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub env: Vec<EnvVar>,
    /// Security defaults that are switched off for it, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub allow: Vec<Allow>,
}

/// A security default that can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Allow {
    /// The process may run as root.
    Root,
    /// The root file system may be written.
    WritableRootFilesystem,
    /// The process may gain privileges by setuid programs.
    PrivilegeEscalation,
    /// The process keeps the runtime's default capabilities.
    Capabilities,
    /// The process runs without the seccomp default profile.
    Unconfined,
    /// The token of the pods' service account is mounted.
    ServiceAccountToken,
}

/// Requests and limits of a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What the scheduler sets aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Amounts>,
    /// What the process may never exceed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Amounts>,
}

/// Amounts of CPU, memory and scratch space.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Amounts {
    /// CPU in cores, as in `500m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,
    /// Memory in bytes, as in `512Mi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
    /// Scratch space in bytes, as in `1Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ephemeral_storage: Option<Quantity>,
}

/// How Kubernetes asks a pod whether it is well.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "[has(self.path), has(self.command)].filter(x, x).size() <= 1", "message": "give path or command, not both"}
]))]
pub struct Probe {
    /// An HTTP path that answers 200–399 when all is well. Without path and command the port must accept connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024), regex(pattern = "^/"))]
    pub path: Option<String>,
    /// A command that ends with 0 when all is well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// Seconds between two questions. Without it: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 300))]
    pub period_seconds: Option<i32>,
    /// Seconds to wait for an answer. Without it: 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 300))]
    pub timeout_seconds: Option<i32>,
    /// Seconds before the first question. Without it: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub initial_delay_seconds: Option<i32>,
    /// How many answers in a row must fail. Without it: 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub failure_threshold: Option<i32>,
}

/// A command that runs on a schedule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "!(has(self.size) && has(self.resources))", "message": "give size or resources, not both"}
]))]
pub struct Job {
    /// Its name; distinct from the processes' names.
    pub name: ProcessName,
    /// When it runs, as five cron fields.
    pub schedule: Schedule,
    /// The time zone of the schedule. Without it: Etc/UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<TimeZone>,
    /// The command and its arguments.
    #[schemars(length(min = 1, max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// Its size, by name in the install's table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Label>,
    /// Explicit requests and limits instead of a size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// How long one run may take. Without it: 1h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// What happens when the last run is still going. Without it: Forbid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// How many finished runs are kept, of each outcome. Without it: 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub history: Option<i32>,
    /// No further runs start while this is set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// Security defaults that are switched off for it, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub allow: Vec<Allow>,
}

/// What happens when a scheduled run is due and the last one is still going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Concurrency {
    /// Both run.
    Allow,
    /// The new run is left out.
    Forbid,
    /// The old run is ended.
    Replace,
}

//! The pod of a process, a job or a command.

use std::collections::BTreeMap;

use crds::env::EnvVar;
use crds::text::Duration;
use crds::workload::{Allow, Amounts, Job, Process, ReleaseCommand, Resources};
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, DownwardAPIVolumeFile, DownwardAPIVolumeSource, EmptyDirVolumeSource,
    Lifecycle, LifecycleHandler, LocalObjectReference, ObjectFieldSelector, PodSpec, PodTemplateSpec, Probe,
    ResourceRequirements, SleepAction, TopologySpreadConstraint, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{env, probe, security};
use crate::environment::names::{REFERENCES, Scope};
use crds::names;

/// The port on which `web` listens where it names none.
pub const DEFAULT_PORT: u16 = 8080;
/// The process that gets traffic.
pub const WEB: &str = "web";
/// Seconds for which a pod of `web` keeps serving after it was asked to go: every node's routes must have heard of it.
const DRAIN_SECONDS: i64 = 5;
/// Seconds that a process may take to end after SIGTERM where it says nothing.
const GRACE_SECONDS: i64 = 30;
/// Where an elected process finds its own labels.
const POD_INFO: &str = "/etc/keelway";
/// The name of the container, the same in every pod of ours.
pub const CONTAINER: &str = "app";

/// What runs in a pod.
#[derive(Clone, Copy, Default)]
pub struct Work<'a> {
    /// The process, the job or `release`, `run`.
    pub component: &'a str,
    /// Replaces the image's entry point where not empty.
    pub command: &'a [String],
    /// Arguments.
    pub args: &'a [String],
    /// Variables that win over the App's.
    pub env: &'a [EnvVar],
    /// Requests and limits.
    pub resources: Option<&'a Resources>,
    /// Security defaults that are switched off.
    pub allow: &'a [Allow],
    /// The process, where it is one.
    pub process: Option<&'a Process>,
    /// How long it may take to end after SIGTERM.
    pub grace: Option<&'a Duration>,
}

impl<'a> From<&'a Process> for Work<'a> {
    fn from(process: &'a Process) -> Self {
        Self {
            component: process.name.as_str(),
            command: &process.command,
            args: &process.args,
            env: &process.env,
            resources: process.resources.as_ref(),
            allow: &process.allow,
            process: Some(process),
            grace: process.termination_grace.as_ref(),
        }
    }
}

impl<'a> From<&'a Job> for Work<'a> {
    fn from(job: &'a Job) -> Self {
        Self {
            component: job.name.as_str(),
            command: &job.command,
            resources: job.resources.as_ref(),
            allow: &job.allow,
            ..Self::default()
        }
    }
}

impl<'a> From<&'a ReleaseCommand> for Work<'a> {
    fn from(release: &'a ReleaseCommand) -> Self {
        Self {
            component: "release",
            command: &release.command,
            resources: release.resources.as_ref(),
            allow: &release.allow,
            ..Self::default()
        }
    }
}

impl Work<'_> {
    fn port(&self) -> Option<u16> {
        self.process
            .filter(|process| process.name.as_str() == WEB)
            .map(|web| web.port.unwrap_or(DEFAULT_PORT))
    }

    fn is_elected(&self) -> bool {
        self.process.is_some_and(|process| process.elected)
    }

    fn readiness(&self) -> Option<Probe> {
        let process = self.process?;
        probe::readiness(process.readiness.as_ref(), self.port().is_some())
    }
}

/// Seconds for which a pod without any readiness probe must run to count as available; 0 where a probe tells.
pub fn min_ready_seconds(process: &Process) -> i32 {
    if Work::from(process).readiness().is_some() { 0 } else { 5 }
}

/// The pod of a process; `labels` are the selector's, beside the usual ones.
pub fn of_process(scope: Scope<'_>, process: &Process) -> PodTemplateSpec {
    let work = Work::from(process);
    let mut template = template(scope, work, scope.selector(process.name.as_str()));
    if let Some(spec) = &mut template.spec
        && !process.singleton
    {
        spec.topology_spread_constraints = Some(spread(scope, work.component));
    }
    template
}

/// The pod of a job or command, which is started once and never again by Kubernetes itself.
pub fn of_command(scope: Scope<'_>, work: Work<'_>, label: (&str, &str)) -> PodTemplateSpec {
    let mut template = template(scope, work, BTreeMap::from([(label.0.into(), label.1.into())]));
    if let Some(spec) = &mut template.spec {
        spec.restart_policy = Some("Never".into());
    }
    template
}

fn template(scope: Scope<'_>, work: Work<'_>, own_labels: BTreeMap<String, String>) -> PodTemplateSpec {
    let mut labels = scope.labels(work.component);
    labels.extend(own_labels);
    let references = scope.release.spec.references.clone();
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels),
            annotations: (!references.is_empty()).then(|| BTreeMap::from([(REFERENCES.into(), references)])),
            ..ObjectMeta::default()
        }),
        spec: Some(spec(scope, work)),
    }
}

fn spec(scope: Scope<'_>, work: Work<'_>) -> PodSpec {
    let config = &scope.release.spec.config;
    let pull = |secret: &crds::env::LocalRef| LocalObjectReference { name: secret.name.as_str().into() };
    let drain = if work.port().is_some() { DRAIN_SECONDS } else { 0 };
    let grace =
        work.grace.map_or(GRACE_SECONDS, |grace| i64::try_from(grace.get().as_secs()).unwrap_or(i64::MAX));
    let mut volumes = vec![Volume {
        name: "tmp".into(),
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..Volume::default()
    }];
    volumes.extend(work.is_elected().then(pod_info));
    PodSpec {
        automount_service_account_token: Some(work.allow.contains(&Allow::ServiceAccountToken)),
        containers: vec![container(scope, work)],
        enable_service_links: Some(false),
        image_pull_secrets: (!config.image_pull_secrets.is_empty())
            .then(|| config.image_pull_secrets.iter().map(pull).collect()),
        security_context: Some(security::pod(work.allow)),
        service_account_name: config.service_account_name.as_ref().map(|name| name.as_str().into()),
        termination_grace_period_seconds: Some(grace.saturating_add(drain).min(86_400)),
        volumes: Some(volumes),
        ..PodSpec::default()
    }
}

fn container(scope: Scope<'_>, work: Work<'_>) -> Container {
    let port = work.port();
    let process = work.process;
    let list = |items: &[String]| (!items.is_empty()).then(|| items.to_vec());
    let sources = env::sources(&scope.release.spec.config);
    let sleep = SleepAction { seconds: DRAIN_SECONDS };
    let pre_stop = LifecycleHandler { sleep: Some(sleep), ..LifecycleHandler::default() };
    let mut mounts =
        vec![VolumeMount { name: "tmp".into(), mount_path: "/tmp".into(), ..VolumeMount::default() }];
    mounts.extend(work.is_elected().then(|| VolumeMount {
        name: "pod-info".into(),
        mount_path: POD_INFO.into(),
        read_only: Some(true),
        ..VolumeMount::default()
    }));
    Container {
        name: CONTAINER.into(),
        image: Some(scope.release.spec.image.resolved.as_str().into()),
        command: list(work.command),
        args: list(work.args),
        env: Some(env::variables(scope, work.component, work.env, port)),
        env_from: (!sources.is_empty()).then_some(sources),
        lifecycle: port.map(|_| Lifecycle { pre_stop: Some(pre_stop), ..Lifecycle::default() }),
        liveness_probe: process.and_then(|p| probe::liveness(p.liveness.as_ref(), port.is_some())),
        ports: port.map(|port| {
            let name = Some(probe::PORT_NAME.into());
            vec![ContainerPort {
                name,
                container_port: i32::from(port),
                protocol: Some("TCP".into()),
                ..ContainerPort::default()
            }]
        }),
        readiness_probe: work.readiness(),
        resources: work.resources.map(resources),
        security_context: Some(security::container(work.allow)),
        // A process that says on stderr why it ends is heard even when its log is gone.
        termination_message_policy: Some("FallbackToLogsOnError".into()),
        volume_mounts: Some(mounts),
        ..Container::default()
    }
}

/// An elected process reads its own labels as files: whether it is the one.
fn pod_info() -> Volume {
    let file = |path: &str| DownwardAPIVolumeFile {
        path: path.into(),
        field_ref: Some(ObjectFieldSelector {
            api_version: Some("v1".into()),
            field_path: format!("metadata.{path}"),
        }),
        ..DownwardAPIVolumeFile::default()
    };
    Volume {
        name: "pod-info".into(),
        downward_api: Some(DownwardAPIVolumeSource {
            items: Some(vec![file("labels"), file("annotations"), file("uid")]),
            default_mode: None,
        }),
        ..Volume::default()
    }
}

/// Spread over nodes and zones where there are several; one node is no reason not to run.
fn spread(scope: Scope<'_>, process: &str) -> Vec<TopologySpreadConstraint> {
    let over = |key: &str| TopologySpreadConstraint {
        max_skew: 1,
        topology_key: key.into(),
        when_unsatisfiable: "ScheduleAnyway".into(),
        label_selector: Some(scope.label_selector(process)),
        match_label_keys: Some(vec![names::RELEASE.into()]),
        ..TopologySpreadConstraint::default()
    };
    vec![over("kubernetes.io/hostname"), over("topology.kubernetes.io/zone")]
}

fn resources(resources: &Resources) -> ResourceRequirements {
    ResourceRequirements {
        requests: resources.requests.as_ref().map(amounts),
        limits: resources.limits.as_ref().map(amounts),
        claims: None,
    }
}

fn amounts(amounts: &Amounts) -> BTreeMap<String, Quantity> {
    let named = [
        ("cpu", &amounts.cpu),
        ("memory", &amounts.memory),
        ("ephemeral-storage", &amounts.ephemeral_storage),
    ];
    named
        .into_iter()
        .filter_map(|(name, amount)| Some((name.into(), Quantity(amount.as_ref()?.as_str().into()))))
        .collect()
}

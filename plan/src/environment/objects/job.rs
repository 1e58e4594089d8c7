//! Jobs: scheduled ones, the release command, one-off runs.

use crds::workload::{Concurrency, Job as Scheduled, ReleaseCommand};
use crds::{Release, Run};
use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, Job, JobSpec, JobTemplateSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource as _, ResourceExt as _};

use super::pod::{self, Work};
use crate::environment::names::{self, JOB, RELEASE_COMMAND, RUN, Scope};

/// How long one scheduled run may take where it says nothing, in seconds.
const TIMEOUT_SECONDS: u64 = 3600;
/// How late a scheduled run may start, in seconds. Without a bound Kubernetes gives up for good after 100 missed ones.
const LATE_SECONDS: i64 = 300;
/// How many finished runs are kept where nothing is said.
const HISTORY: i32 = 3;

/// Once: no second try, and never two pods at a time.
fn once(template: PodTemplateSpec, timeout: u64) -> JobSpec {
    JobSpec {
        active_deadline_seconds: Some(i64::try_from(timeout.max(1)).unwrap_or(i64::MAX)),
        backoff_limit: Some(0),
        pod_replacement_policy: Some("Failed".into()),
        template,
        ..JobSpec::default()
    }
}

/// A command on a schedule.
pub fn cron_job(scope: Scope<'_>, job: &Scheduled) -> CronJob {
    let name = job.name.as_str();
    let concurrency = match job.concurrency {
        Some(Concurrency::Allow) => "Allow",
        Some(Concurrency::Replace) => "Replace",
        Some(Concurrency::Forbid) | None => "Forbid",
    };
    let timeout = job.timeout.as_ref().map_or(TIMEOUT_SECONDS, |timeout| timeout.get().as_secs());
    let template = pod::of_command(scope, Work::from(job), (JOB, name));
    let zone = job.time_zone.as_ref().map_or("Etc/UTC", |zone| zone.as_str());
    CronJob {
        metadata: scope.meta(names::child(&scope.name(), name), name),
        spec: Some(CronJobSpec {
            concurrency_policy: Some(concurrency.into()),
            failed_jobs_history_limit: Some(job.history.unwrap_or(HISTORY)),
            successful_jobs_history_limit: Some(job.history.unwrap_or(HISTORY)),
            job_template: JobTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: template.metadata.as_ref().and_then(|meta| meta.labels.clone()),
                    ..ObjectMeta::default()
                }),
                spec: Some(once(template, timeout)),
            },
            schedule: job.schedule.as_str().into(),
            starting_deadline_seconds: Some(LATE_SECONDS),
            suspend: Some(job.suspend),
            time_zone: Some(zone.into()),
        }),
        status: None,
    }
}

/// The Job of a release command. The Release owns it, so that it stays as long as the Release does.
pub fn release_job(scope: Scope<'_>, command: &ReleaseCommand, release: &Release) -> Job {
    let number = release.spec.number;
    let label = (RELEASE_COMMAND, format!("v{number}"));
    let mut metadata = scope.meta(names::release_job(&scope.name(), number), "release");
    metadata.owner_references = Some(vec![names::owner(release)]);
    if let Some(labels) = &mut metadata.labels {
        labels.insert(label.0.into(), label.1.clone());
    }
    let template = pod::of_command(scope, Work::from(command), (label.0, &label.1));
    Job { metadata, spec: Some(once(template, command.timeout.get().as_secs())), status: None }
}

/// The Job of a one-off run, which the Run owns.
pub fn run_job(scope: Scope<'_>, work: Work<'_>, run: &Run) -> Job {
    let name = names::run_job(&run.name_any());
    let label = (RUN, name.clone());
    let mut metadata = scope.meta(name, "run");
    metadata.owner_references = Some(vec![names::owner(run)]);
    metadata.namespace.clone_from(&run.meta().namespace);
    if let Some(labels) = &mut metadata.labels {
        labels.insert(label.0.into(), label.1.clone());
    }
    let template = pod::of_command(scope, work, (label.0, &label.1));
    Job { metadata, spec: Some(once(template, run.spec.timeout.get().as_secs())), status: None }
}

//! The release command: one Job per Release, one at a time.

use crds::release::CommandOutcome;
use crds::{Reason, Release};
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use super::logs::{LogKey, log_of};
use super::names::{self, RELEASE_COMMAND};
use super::objects::pod::CONTAINER;
use super::reasons::diagnose;
use super::world::{World, label};

/// Whether a release has a command that has to succeed first. A rollback runs none: what it goes back to has run.
pub fn is_due(release: &Release) -> bool {
    release.spec.config.release.is_some()
        && release.spec.rollback_of.is_none()
        && release.status.as_ref().is_none_or(|status| status.command.is_none())
}

/// How far a Job is.
pub enum State {
    /// It is not there.
    Absent,
    /// It is not over; the problem that its pod has, if one is known.
    Running(Option<String>),
    /// It is over.
    Over(Ending),
}

/// How a Job ended.
pub struct Ending {
    /// What is recorded.
    pub outcome: CommandOutcome,
    /// The exit code, where the pod still tells.
    pub exit_code: Option<i32>,
    /// Why it failed, as one word.
    pub reason: Reason,
    /// How it ended, in words, without the log.
    pub words: String,
}

/// The state of a release's command.
pub fn state(world: &World, release: &Release) -> State {
    let name = names::release_job(&world.environment.name_any(), release.spec.number);
    let uid = release.metadata.uid.as_deref();
    let job = world.jobs.iter().find(|job| job.name_any() == name && names::is_owned_by(*job, uid));
    let pod = job.and_then(|job| {
        world.pods.iter().filter(|pod| is_of(pod, job)).max_by_key(|pod| pod.creation_timestamp())
    });
    let log = pod.and_then(|pod| log_of(world, &LogKey { pod: pod.name_any(), previous: false }));
    job_state(job, pod, log, world.now)
}

/// Whether a pod belongs to a Job.
pub fn is_of(pod: &Pod, job: &Job) -> bool {
    names::is_owned_by(pod, job.metadata.uid.as_deref())
}

/// The release whose command is not over, if there is one.
pub fn busy(world: &World) -> Option<&str> {
    let running =
        world.jobs.iter().find(|job| label(*job, RELEASE_COMMAND).is_some() && finished(job).is_none());
    running.and_then(|job| label(job, RELEASE_COMMAND))
}

/// The condition that ended a Job.
fn finished(job: &Job) -> Option<(bool, &str, Option<Timestamp>)> {
    let conditions = job.status.as_ref()?.conditions.as_deref()?;
    conditions.iter().filter(|condition| condition.status == "True").find_map(|condition| {
        let at = condition.last_transition_time.as_ref().map(|time| time.0);
        let reason = condition.reason.as_deref().unwrap_or_default();
        match condition.type_.as_str() {
            "Complete" => Some((true, reason, at)),
            "Failed" => Some((false, reason, at)),
            _ => None,
        }
    })
}

/// The state of a Job with its newest pod and that pod's log.
pub fn job_state(job: Option<&Job>, pod: Option<&Pod>, log: Option<&str>, now: Timestamp) -> State {
    let Some(job) = job else { return State::Absent };
    let Some((succeeded, reason, at)) = finished(job) else {
        return State::Running(pod.and_then(diagnose).map(|problem| problem.words));
    };
    let code = pod.and_then(exit_code);
    let words = match (succeeded, reason, code) {
        (true, ..) => "it succeeded".to_owned(),
        (false, "DeadlineExceeded", _) => {
            let limit = job.spec.as_ref().and_then(|spec| spec.active_deadline_seconds).unwrap_or_default();
            format!("it did not end within its timeout of {limit}s")
        }
        (false, _, Some(127)) => "its command was not found (exit code 127)".to_owned(),
        (false, _, Some(code)) => format!("it ended with exit code {code}"),
        (false, _, None) => match pod.and_then(diagnose) {
            Some(problem) => problem.words,
            None => "its pod failed or was taken away before it ended".to_owned(),
        },
    };
    let log = log.map(|log| super::logs::tail(log).trim_end().to_owned()).filter(|log| !log.is_empty());
    let outcome = CommandOutcome { succeeded, finished: Time(at.unwrap_or(now)), log };
    let reason = if succeeded { Reason::Succeeded } else { Reason::ReleaseCommandFailed };
    State::Over(Ending { outcome, exit_code: code, reason, words })
}

fn exit_code(pod: &Pod) -> Option<i32> {
    let statuses = pod.status.as_ref()?.container_statuses.as_deref()?;
    let status = statuses.iter().find(|status| status.name == CONTAINER)?;
    Some(status.state.as_ref()?.terminated.as_ref()?.exit_code)
}

//! The rules of one-off runs: a Run becomes one Job with the image and configuration of what is live, and its outcome
//! is kept until its time is over.

use crds::{ConditionStatus, ConditionType, Environment, Reason, Release, Run, RunStatus};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde::Deserialize;

use crate::condition::Conditions;
use crate::environment::logs::LogKey;
use crate::environment::names::{Scope, is_owned_by, run_job};
use crate::environment::objects::{self, pod::Work};
use crate::environment::{CommandState, is_of, job_state};
use crate::object::Manifest;
use crate::refusal::{Class, Refusal};
use crate::sizes::Sizes;
use crate::step::{Applied, Delete, Plan, Step};
use crate::{ObjectKey, environment::names};

/// What is known of a Run.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct World {
    /// The Run.
    pub run: Run,
    /// Its Environment.
    #[serde(default)]
    pub environment: Option<Environment>,
    /// The Environment's live Release.
    #[serde(default)]
    pub release: Option<Release>,
    /// The Job of the Run's name, whoever made it.
    #[serde(default)]
    pub job: Option<Job>,
    /// Pods with the Run's label.
    #[serde(default)]
    pub pods: Vec<Pod>,
    /// The end of the newest pod's log.
    #[serde(default)]
    pub log: Option<String>,
    /// The install's table of sizes.
    #[serde(default)]
    pub sizes: Sizes,
    /// The time.
    pub now: Timestamp,
}

impl World {
    fn own_job(&self) -> Option<&Job> {
        self.job.as_ref().filter(|job| is_owned_by(*job, self.run.metadata.uid.as_deref()))
    }

    fn pod(&self) -> Option<&Pod> {
        let job = self.own_job()?;
        self.pods.iter().filter(|pod| is_of(pod, job)).max_by_key(|pod| pod.creation_timestamp())
    }

    fn state(&self) -> CommandState {
        job_state(self.own_job(), self.pod(), self.log.as_deref(), self.now)
    }

    fn known(&self) -> RunStatus {
        self.run.status.clone().unwrap_or_default()
    }
}

/// The log that the next decision about this World may quote.
pub fn wanted_log(world: &World) -> Option<LogKey> {
    if world.known().finished.is_some() || !matches!(world.state(), CommandState::Over(_)) {
        return None;
    }
    Some(LogKey { pod: world.pod()?.name_any(), previous: false })
}

/// Decides what is to be done; a refusal says why nothing is started.
pub fn plan(world: &World) -> (Plan, Option<Refusal>) {
    let mut plan = Plan::default();
    let run = &world.run;
    if run.metadata.deletion_timestamp.is_some() {
        return (plan, None);
    }
    let known = world.known();
    if let Some(finished) = &known.finished {
        let ttl = SignedDuration::try_from(run.spec.ttl.get()).unwrap_or(SignedDuration::MAX);
        match finished.0.checked_add(ttl) {
            Ok(end) if end <= world.now => plan.steps.extend(delete(run)),
            Ok(end) => plan.wake_at(end),
            Err(_) => {}
        }
        return (plan, None);
    }
    if world.own_job().is_some() || known.release.is_some() {
        return (plan, None);
    }
    match start(world) {
        Ok(step) => plan.steps.push(step),
        Err(refusal) => return (plan, Some(refusal)),
    }
    (plan, None)
}

fn delete(run: &Run) -> Option<Step> {
    Some(Step::Delete(Delete {
        object: ObjectKey::of(run),
        uid: run.uid()?,
        resource_version: run.resource_version()?,
    }))
}

fn start(world: &World) -> Result<Step, Refusal> {
    let run = &world.run;
    let name = &run.spec.environment_ref.name;
    let environment = world.environment.as_ref().ok_or_else(|| {
        Refusal::needs_user(
            Reason::InvalidSpec,
            format!(
                "there is no Environment `{name}` here; see `kubectl get environments`, and make another Run"
            ),
        )
    })?;
    let release = world.release.as_ref().ok_or_else(|| {
        Refusal::waiting(
            Reason::Waiting,
            format!("nothing is live in `{name}` yet; the run starts when a release is"),
        )
    })?;
    if world.job.is_some() {
        return Err(Refusal::needs_user(
            Reason::OwnedByAnother,
            format!(
                "a Job `{}` that belongs to something else is there already; make a Run with another name",
                names::run_job(&run.name_any())
            ),
        ));
    }
    let resources = world.sizes.look_up(run.spec.size.as_ref(), "the run")?;
    let work = Work {
        component: "run",
        command: &run.spec.command,
        resources: Some(&resources),
        allow: &run.spec.allow,
        ..Work::default()
    };
    let job = objects::run_job(Scope { environment, release }, work, run);
    Manifest::of(&job)
        .map(Step::Create)
        .ok_or_else(|| Refusal::needs_user(Reason::InvalidSpec, "the Run has no name; give it one"))
}

/// The status after the plan, or its refusal, was carried out as far as `applied` says.
pub fn status(world: &World, refusal: Option<&Refusal>, applied: &Applied) -> RunStatus {
    let mut status = world.known();
    if status.finished.is_some() || world.run.metadata.deletion_timestamp.is_some() {
        return status;
    }
    let mut conditions = Conditions::new(&status.conditions, world.run.metadata.generation, world.now);
    let started = world.own_job().is_some() || applied.object(&job_key(world)).is_some();
    if started && status.release.is_none() {
        status.release = world.release.as_ref().map(|release| release.spec.number);
    }
    let number = status.release.map_or_else(|| "-".to_owned(), |number| format!("v{number}"));
    status.summary =
        Some(format!("{number}: {}", world.run.spec.command.join(" ")).chars().take(200).collect());
    conclude(world, refusal.or(applied.refusal()), started, &mut status, &mut conditions);
    status.observed_generation = world.run.metadata.generation;
    status.conditions = conditions.finish();
    status
}

fn conclude(
    world: &World,
    refusal: Option<&Refusal>,
    started: bool,
    status: &mut RunStatus,
    conditions: &mut Conditions,
) {
    use ConditionStatus::{False, True};
    use ConditionType::{Ready, Reconciling, Stalled};
    if let Some(refusal) = refusal {
        let stalled = refusal.class == Class::NeedsUser;
        let (holds, other) = if stalled { (Stalled, Reconciling) } else { (Reconciling, Stalled) };
        conditions.set(Ready, False, refusal.reason, &refusal.message);
        conditions.set(holds, True, refusal.reason, &refusal.message);
        conditions.clear(other);
        return;
    }
    conditions.clear(Stalled);
    match world.state() {
        CommandState::Over(ending) => {
            conditions.clear(Reconciling);
            let (ready, reason) =
                if ending.outcome.succeeded { (True, Reason::Succeeded) } else { (False, Reason::Failed) };
            conditions.set(Ready, ready, reason, &ending.words);
            status.finished = Some(ending.outcome.finished);
            status.exit_code = ending.exit_code;
            status.log = ending.outcome.log;
        }
        CommandState::Absent if !started && status.release.is_some() => {
            let words = "its Job was deleted before it ended; make another Run to start it again";
            conditions.clear(Reconciling);
            conditions.set(Ready, False, Reason::Failed, words);
            status.finished = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(world.now));
        }
        CommandState::Absent | CommandState::Running(None) => {
            conditions.set(Ready, False, Reason::Progressing, "it runs");
            conditions.set(Reconciling, True, Reason::Progressing, "it runs");
        }
        CommandState::Running(Some(problem)) => {
            conditions.set(Ready, False, Reason::Progressing, &problem);
            conditions.set(Reconciling, True, Reason::Progressing, &problem);
        }
    }
}

fn job_key(world: &World) -> ObjectKey {
    ObjectKey {
        api_version: "batch/v1".into(),
        kind: "Job".into(),
        namespace: world.run.namespace(),
        name: run_job(&world.run.name_any()),
    }
}

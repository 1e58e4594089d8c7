//! What people read of an Environment: its conditions and what runs.

use crds::environment::OptOut;
use crds::release::Phase;
use crds::workload::Config;
use crds::{ConditionStatus, ConditionType, EnvironmentStatus, Reason, Release};
use jiff::{Timestamp, ToSpan as _};

use super::Picture;
use super::history::History;
use super::hosts;
use super::release::{is_under_way, phase};
use super::rollout::{self, Progress};
use super::world::{World, created, is_leaving, is_on_lost_node, is_ready, version};
use crate::condition::Conditions;
use crate::refusal::{Class, Refusal};
use crate::step::Applied;

/// For this long a new release may settle before anybody is told that it is on its way.
const QUIET_SECONDS: i64 = 2;

/// What is said of the whole, in one condition.
struct Verdict {
    ready: ConditionStatus,
    reason: Reason,
    message: String,
    /// Whether a person must act.
    stalled: bool,
}

impl Verdict {
    fn progressing(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: ConditionStatus::False, reason, message: message.into(), stalled: false }
    }

    fn stalled(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: ConditionStatus::False, reason, message: message.into(), stalled: true }
    }

    fn refused(refusal: &Refusal) -> Self {
        let stalled = refusal.class == Class::NeedsUser;
        Self {
            ready: ConditionStatus::False,
            reason: refusal.reason,
            message: refusal.message.clone(),
            stalled,
        }
    }
}

/// When a release that only just began is to be told of; none when it is time.
pub fn quiet_until(world: &World, picture: &Picture) -> Option<Timestamp> {
    let newest = picture.decision.history.newest()?;
    let calm = is_under_way(newest)
        && phase(newest) == Phase::Pending
        && picture.decision.refusal.is_none()
        && rollout::problem(&picture.progress).is_none();
    let until = created(newest, world.now).checked_add(QUIET_SECONDS.seconds()).ok()?;
    (calm && world.now < until).then_some(until)
}

/// The status after the plan was carried out as far as `applied` says.
pub fn status(world: &World, picture: &Picture, applied: &Applied) -> EnvironmentStatus {
    let known = world.environment.status.clone().unwrap_or_default();
    if applied.refusal().is_none() && quiet_until(world, picture).is_some() {
        return known;
    }
    let history = &picture.decision.history;
    let generation = world.environment.metadata.generation;
    let mut conditions = Conditions::new(&known.conditions, generation, world.now);
    conclude(world, picture, applied, &mut conditions);
    rolled_back(picture, &mut conditions);
    node_lost(world, &mut conditions);
    hosts::tell(world, &mut conditions);
    let config = history.current().map(|release| &release.spec.config);
    let opt_outs = config.map(opt_outs).unwrap_or_default();
    warn(&opt_outs, &mut conditions);
    EnvironmentStatus {
        observed_generation: generation,
        summary: summary(history),
        url: world.environment.spec.url(world.public.as_ref()),
        live_release: history.live().map(|live| live.spec.number),
        latest_release: history.newest().map(|newest| newest.spec.number),
        processes: picture.progress.iter().map(|progress| progress.status.clone()).collect(),
        opt_outs,
        conditions: conditions.finish(),
    }
}

/// What runs: `v41 (3f9c2ab)`, and what is on its way.
fn summary(history: &History) -> Option<String> {
    let newest = history.newest()?;
    match history.live() {
        Some(live) if is_under_way(newest) => {
            Some(format!("{} → {}", live.spec.summary, newest.spec.summary))
        }
        Some(live) => Some(live.spec.summary.clone()),
        None => Some(newest.spec.summary.clone()),
    }
}

fn conclude(world: &World, picture: &Picture, applied: &Applied, conditions: &mut Conditions) {
    use ConditionStatus::{False, True};
    if let Some(refusal) = applied.refusal().filter(|refusal| refusal.class == Class::Transient) {
        // It is tried again at once; what was said before is not yet wrong.
        conditions.set(ConditionType::Reconciling, True, refusal.reason, &refusal.message);
        return;
    }
    let verdict = verdict(world, picture, applied);
    let working = verdict.ready == False && !verdict.stalled;
    let message = verdict.message;
    conditions.set(ConditionType::Ready, verdict.ready, verdict.reason, &message);
    for (type_, holds) in [(ConditionType::Reconciling, working), (ConditionType::Stalled, verdict.stalled)] {
        if holds {
            conditions.set(type_, True, verdict.reason, &message);
        } else {
            conditions.clear(type_);
        }
    }
}

fn verdict(world: &World, picture: &Picture, applied: &Applied) -> Verdict {
    let decision = &picture.decision;
    if let Some(refusal) = applied.refusal().or(decision.refusal.as_ref()) {
        return Verdict::refused(refusal);
    }
    if let Some(failed) = decision.held.and_then(|number| decision.history.numbered(number)) {
        return held(failed, decision.history.live());
    }
    let Some(newest) = decision.history.newest() else {
        return Verdict::progressing(Reason::Progressing, "the first release is on its way");
    };
    if phase(newest) == Phase::Releasing || decision.start_command.is_some() {
        return releasing(world, newest);
    }
    if let Some(waits) = &picture.waits {
        return Verdict::progressing(Reason::Waiting, waits.clone());
    }
    if let Some((process, problem)) = rollout::problem(&picture.progress) {
        let words = format!("{}: {process}: {}", version(newest), problem.told(world));
        return Verdict::progressing(problem.reason, words);
    }
    if is_under_way(newest) || picture.wrote_children {
        return Verdict::progressing(Reason::RollingOut, counts(newest, &picture.progress));
    }
    if !rollout::is_done(&picture.progress) {
        return Verdict::progressing(Reason::Progressing, counts(newest, &picture.progress));
    }
    let message = format!("{} runs", newest.spec.summary);
    Verdict { ready: ConditionStatus::True, reason: Reason::Running, message, stalled: false }
}

fn held(failed: &Release, live: Option<&Release>) -> Verdict {
    let status = failed.status.as_ref();
    let reason = status.and_then(|status| status.reason).unwrap_or(Reason::Failed);
    let message = status.and_then(|status| status.message.as_deref()).unwrap_or("no reason is recorded");
    let runs = live.map_or_else(
        || "nothing before it was live".to_owned(),
        |live| format!("{} goes on running", live.spec.summary),
    );
    let words = format!(
        "{} is held: {runs}; change the App, or annotate it with {} to try the same again; {message}",
        version(failed),
        crds::names::RETRY_AT
    );
    Verdict::stalled(
        if live.is_some() && reason != Reason::ReleaseCommandFailed { Reason::RolledBack } else { reason },
        words,
    )
}

fn releasing(world: &World, newest: &Release) -> Verdict {
    let words = match super::command::state(world, newest) {
        super::command::State::Running(Some(problem)) => format!(": {problem}"),
        _ => String::new(),
    };
    Verdict::progressing(Reason::Releasing, format!("the release command of {} runs{words}", version(newest)))
}

fn counts(release: &Release, progress: &[Progress]) -> String {
    let parts: Vec<_> = progress
        .iter()
        .filter(|progress| !progress.done)
        .map(|Progress { status, .. }| {
            format!("{}: {} of {} ready, {} new", status.name, status.ready, status.desired, status.updated)
        })
        .collect();
    format!("{}: {}", version(release), parts.join(", "))
}

fn rolled_back(picture: &Picture, conditions: &mut Conditions) {
    let history = &picture.decision.history;
    let live = history.live().filter(|live| live.spec.rollback_of.is_some());
    match (live, picture.decision.held) {
        (Some(live), Some(_)) => conditions.set(
            ConditionType::RolledBack,
            ConditionStatus::True,
            Reason::RolledBack,
            format!("{}: {}", version(live), live.spec.why),
        ),
        _ => conditions.clear(ConditionType::RolledBack),
    }
}

/// A pod on a lost node may still run: nobody can know. It is never deleted by force.
fn node_lost(world: &World, conditions: &mut Conditions) {
    let lost = world.pods.iter().filter_map(|pod| {
        let node = pod.spec.as_ref()?.node_name.as_deref()?;
        (is_on_lost_node(world, pod) && (is_leaving(pod) || !is_ready(pod)))
            .then(|| (pod.metadata.name.clone().unwrap_or_default(), node))
    });
    let lost: Vec<_> = lost.collect();
    let Some((_, node)) = lost.first() else {
        conditions.clear(ConditionType::NodeLost);
        return;
    };
    let pods: Vec<_> = lost.iter().map(|(pod, _)| pod.as_str()).collect();
    let words = format!(
        "{} on the lost node {node} may still be running, and is not deleted by force; once the node is surely off, say so: \
         kubectl taint nodes {node} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute",
        pods.join(", ")
    );
    conditions.set(ConditionType::NodeLost, ConditionStatus::True, Reason::NodeLost, words);
}

fn opt_outs(config: &Config) -> Vec<OptOut> {
    let processes = config.processes.iter().map(|process| (process.name.to_string(), &process.allow));
    let jobs = config.jobs.iter().map(|job| (job.name.to_string(), &job.allow));
    let release = config.release.iter().map(|release| ("release".to_owned(), &release.allow));
    let all = processes.chain(jobs).chain(release).filter(|(_, allow)| !allow.is_empty());
    all.map(|(name, allow)| OptOut { name, allow: allow.clone() }).collect()
}

fn warn(opt_outs: &[OptOut], conditions: &mut Conditions) {
    if opt_outs.is_empty() {
        conditions.clear(ConditionType::Warning);
        return;
    }
    let words: Vec<_> = opt_outs
        .iter()
        .map(|out| {
            let allowed: Vec<_> =
                out.allow.iter().filter_map(|allow| serde_json::to_value(allow).ok()).collect();
            let allowed: Vec<_> = allowed.iter().filter_map(|allow| allow.as_str()).collect();
            format!("{}: {}", out.name, allowed.join(", "))
        })
        .collect();
    let message = format!("security defaults are switched off by name ({})", words.join("; "));
    conditions.set(ConditionType::Warning, ConditionStatus::True, Reason::SecurityOptOut, message);
}

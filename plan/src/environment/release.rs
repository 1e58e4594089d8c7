//! When a Release is made, when it is live, when it failed, and what it goes back to.
//!
//! Every rule looks at what is there, none at what was done before: a crash between any two writes leaves a state that
//! the same rules lead on from.

use crds::release::{Phase, ReleaseStatus};
use crds::workload::Config;
use crds::{Reason, Release, names as crd_names};
use jiff::{Timestamp, ToSpan as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::command::{self, State};
use super::new_release::{Planned, planned, why};
use super::rollout::{self, is_done};
use super::wanted::Wanted;
use super::world::{World, created, version};
use super::{content, history::History};
use crate::refusal::Refusal;
use crate::step::{Event, EventKind};

/// What is decided about the releases.
pub struct Decision {
    /// The releases with their new statuses, the planned ones included.
    pub history: History,
    /// The release whose command is to be started.
    pub start_command: Option<i64>,
    /// Why no release is made although one would be due.
    pub refusal: Option<Refusal>,
    /// The failed release that is still what is asked for.
    pub held: Option<i64>,
    /// What people should hear of.
    pub events: Vec<Event>,
    /// When to look again.
    pub wake: Option<Timestamp>,
}

/// Leads the newest release on, then makes a new one where one is due.
pub fn decide(world: &World) -> Decision {
    let mut decision = Decision {
        history: History::new(world.owned(&world.releases)),
        start_command: None,
        refusal: None,
        held: None,
        events: Vec::new(),
        wake: None,
    };
    lead_on(world, &mut decision);
    attempt(world, &mut decision);
    roll_back(world, &mut decision);
    decision.history.supersede(world.now);
    decision
}

/// The newest release goes on: its command, its pods, its deadline.
fn lead_on(world: &World, decision: &mut Decision) {
    let Some(release) = decision.history.newest().cloned() else { return };
    match phase(&release) {
        Phase::Pending | Phase::Releasing if command::is_due(&release) => {
            run_command(world, decision, &release);
        }
        Phase::Pending | Phase::Releasing | Phase::RollingOut => roll_out(world, decision, &release),
        Phase::Failed if decision.history.live().is_none() && was_rolled_out(&release) => {
            // Nothing else is there to run: its pods stay, and may still come up.
            if is_done(&progress(world, &release)) {
                go_live(world, decision, &release);
            }
        }
        Phase::Failed | Phase::Live | Phase::Superseded => {}
    }
}

fn run_command(world: &World, decision: &mut Decision, release: &Release) {
    let status = release.status.clone().unwrap_or_default();
    match command::state(world, release) {
        State::Absent if release.metadata.uid.is_none() || command::busy(world).is_some() => {}
        State::Absent => {
            decision.start_command = Some(release.spec.number);
            decision.set(world, release, Phase::Releasing, status);
        }
        State::Running(_) => decision.set(world, release, Phase::Releasing, status),
        State::Over(ending) if ending.outcome.succeeded => {
            let status = ReleaseStatus { command: Some(ending.outcome), ..status };
            decision.set(world, release, Phase::RollingOut, status);
        }
        State::Over(ending) => {
            let log = ending.outcome.log.as_deref().map(|log| format!("; the end of its log:\n{log}"));
            let message = format!("the release command failed: {}{}", ending.words, log.unwrap_or_default());
            let status = ReleaseStatus { command: Some(ending.outcome), ..status };
            decision.fail(world, release, ending.reason, &message, status);
        }
    }
}

fn roll_out(world: &World, decision: &mut Decision, release: &Release) {
    let progress = progress(world, release);
    if is_done(&progress) {
        go_live(world, decision, release);
        return;
    }
    let deadline = &release.spec.config.rollout.deadline;
    let seconds = i64::try_from(deadline.get().as_secs()).unwrap_or(i64::MAX / 2).min(10_000_000);
    // What fails beside a singleton that waits is not spared with it.
    let others_fail =
        progress.iter().any(|process| !process.done && !process.waits && process.problem.is_some());
    if progress.iter().any(|process| process.waits) && !others_fail {
        wait_for_old_pods(world, decision, release, seconds);
        return;
    }
    let due = since(world, release).checked_add(seconds.seconds()).unwrap_or(world.now);
    if world.now < due {
        decision.wake = Some(due);
        return;
    }
    let status = release.status.clone().unwrap_or_default();
    let (reason, words) = match rollout::problem(&progress) {
        Some((process, problem)) => (problem.reason, format!("{process}: {}", problem.told(world))),
        None => (Reason::DeadlineExceeded, "its pods did not become ready".to_owned()),
    };
    let message = format!("{} was not ready within {deadline}: {words}", version(release));
    decision.fail(world, release, reason, &message, status);
}

/// A singleton that waits for its old pod is not at fault. The time of its roll-out begins anew whenever half of it is
/// over, so that at least the other half remains once the wait has ended.
fn wait_for_old_pods(world: &World, decision: &mut Decision, release: &Release, deadline: i64) {
    let half = (deadline / 2).max(1).seconds();
    let mut begun = since(world, release);
    if begun.checked_add(half).is_ok_and(|due| due <= world.now) {
        begun = world.now;
        let status = release.status.clone().unwrap_or_default();
        let status = ReleaseStatus { phase: Phase::RollingOut, since: Some(Time(begun)), ..status };
        decision.history.set(release.spec.number, status);
    }
    decision.wake = begun.checked_add(half).ok();
}

fn go_live(world: &World, decision: &mut Decision, release: &Release) {
    let status = release.status.clone().unwrap_or_default();
    let status = ReleaseStatus { ready: true, was_live: true, reason: None, message: None, ..status };
    decision.set(world, release, Phase::Live, status);
    decision.tell(EventKind::Normal, Reason::Live, &format!("{} is live", release.spec.summary));
}

/// Makes a release where the Environment asks for something else than what runs, or asks again.
fn attempt(world: &World, decision: &mut Decision) {
    let spec = &world.environment.spec;
    if let Some(refusal) = world.references.refusal() {
        decision.refusal = Some(refusal);
        return;
    }
    let config = match world.sizes.resolve(&spec.config) {
        Ok(config) => config,
        Err(refusal) => {
            decision.refusal = Some(refusal);
            return;
        }
    };
    let content = content::digest(&spec.image, &config, &world.references.fingerprint);
    let Some(why) = due(world, decision, &content, &config) else { return };
    if let Some(running) = command::busy(world) {
        let words = format!(
            "a new release waits for the release command of {running}, because two never run at once; delete its Job to stop it"
        );
        decision.refusal = Some(Refusal::waiting(Reason::Releasing, words));
        return;
    }
    let release = planned(world, decision.history.newest(), Planned { content, config, why, rollback: None });
    decision.history.push(release);
}

/// Why a release is due, in words; none when it is not.
fn due(world: &World, decision: &mut Decision, content: &str, config: &Config) -> Option<String> {
    let history = &decision.history;
    let spec = &world.environment.spec;
    let Some(newest) = history.newest() else { return Some("the first release".into()) };
    let last = history.last_attempt();
    if let Some(last) = last.filter(|last| phase(last) == Phase::Failed && last.spec.content == content) {
        if spec.retry_at != last.spec.retry_at && spec.retry_at.is_some() {
            return Some(format!(
                "{} is tried again, because {} was set",
                version(last),
                crd_names::RETRY_AT
            ));
        }
        decision.held = Some(last.spec.number);
        return None;
    }
    let runs = if is_under_way(newest) { Some(newest) } else { history.live().or(Some(newest)) };
    if runs.is_some_and(|release| release.spec.content == content) {
        return None;
    }
    Some(why(world, runs.unwrap_or(newest), config))
}

/// A release whose pods did not come up gives way to the one that is live, as a new release with the old content.
fn roll_back(world: &World, decision: &mut Decision) {
    let Some(failed) = decision.history.newest().cloned() else { return };
    let Some(good) = decision.history.live().cloned() else { return };
    if phase(&failed) != Phase::Failed || !was_rolled_out(&failed) || failed.spec.rollback_of.is_some() {
        return;
    }
    let why = format!("{} failed, back to {}", version(&failed), version(&good));
    let plan = Planned {
        content: good.spec.content.clone(),
        config: good.spec.config.clone(),
        why: why.clone(),
        rollback: Some(&good),
    };
    let release = planned(world, decision.history.newest(), plan);
    decision.tell(EventKind::Warning, Reason::RolledBack, &why);
    decision.history.push(release);
}

impl Decision {
    fn set(&mut self, world: &World, release: &Release, phase: Phase, status: ReleaseStatus) {
        let moved = release.status.as_ref().is_none_or(|known| known.phase != phase);
        let since = if moved { Some(Time(world.now)) } else { status.since.clone() };
        self.history.set(release.spec.number, ReleaseStatus { phase, since, ..status });
    }

    fn fail(
        &mut self,
        world: &World,
        release: &Release,
        reason: Reason,
        message: &str,
        status: ReleaseStatus,
    ) {
        let message: String = message.chars().take(8000).collect();
        self.tell(EventKind::Warning, reason, &format!("{} failed: {message}", version(release)));
        let status = ReleaseStatus { ready: false, reason: Some(reason), message: Some(message), ..status };
        self.set(world, release, Phase::Failed, status);
    }

    fn tell(&mut self, kind: EventKind, reason: Reason, message: &str) {
        self.events.push(Event {
            kind,
            reason: reason.as_str().into(),
            message: message.chars().take(1000).collect(),
        });
    }
}

fn progress(world: &World, release: &Release) -> Vec<rollout::Progress> {
    rollout::progress(world, release, &Wanted::of(world, release))
}

/// The recorded phase.
pub fn phase(release: &Release) -> Phase {
    release.status.as_ref().map(|status| status.phase).unwrap_or_default()
}

/// Whether a release is on its way to being live.
pub fn is_under_way(release: &Release) -> bool {
    matches!(phase(release), Phase::Pending | Phase::Releasing | Phase::RollingOut)
}

/// Whether the pods of a release were started at any time.
pub fn was_rolled_out(release: &Release) -> bool {
    let failed_before = release
        .status
        .as_ref()
        .and_then(|status| status.command.as_ref())
        .is_some_and(|command| !command.succeeded);
    !failed_before
}

/// Since when a release rolls out. Without a release command no status was written before.
fn since(world: &World, release: &Release) -> Timestamp {
    let status = release.status.as_ref().filter(|status| status.phase == Phase::RollingOut);
    let recorded = status.and_then(|status| status.since.as_ref()).map(|time| time.0);
    recorded.unwrap_or_else(|| created(release, world.now))
}

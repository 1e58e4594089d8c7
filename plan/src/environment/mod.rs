//! The environment controller's rules: an image by digest and a configuration become Releases, and these become pods.
//!
//! What enters is a [`World`]; what leaves are the steps of a [`Plan`], and after they were carried out the status.

mod children;
mod command;
mod content;
mod elect;
mod history;
pub mod hosts;
pub mod logs;
pub mod names;
mod new_release;
pub(crate) mod objects;
mod reasons;
pub mod references;
mod release;
mod rollout;
mod scale;
mod status;
mod wanted;
mod world;

use crds::release::Phase;
use crds::{ConditionStatus, ConditionType, EnvironmentStatus, Reason};

pub(crate) use command::{State as CommandState, is_of, job_state};
pub use logs::wanted_logs;
pub use world::World;

use jiff::SignedDuration;

use crate::condition::Conditions;
use crate::object::Manifest;
use crate::refusal::Refusal;
use crate::step::{Applied, Plan, Step};
use names::Scope;
use release::{Decision, phase};
use rollout::Progress;
use wanted::Wanted;

/// How often an Environment whose host leads elsewhere looks whether it still does.
const HOST_AGAIN: SignedDuration = SignedDuration::from_secs(30);

/// What is to be done, and what the status is derived from.
pub struct Planned {
    /// The writes, the events, and when to look again.
    pub plan: Plan,
    picture: Option<Picture>,
}

/// What a decision saw and decided.
struct Picture {
    decision: Decision,
    progress: Vec<Progress>,
    waits: Option<String>,
    wrote_children: bool,
}

/// The digest of what the Environment asks for: a Release with it runs just that.
///
/// # Errors
/// When it names a size that the install does not know.
pub fn content_asked(world: &World) -> Result<String, Refusal> {
    let spec = &world.environment.spec;
    let config = world.sizes.resolve(&spec.config)?;
    Ok(content::digest(&spec.image, &config, &world.references.fingerprint))
}

/// Decides what is to be done.
pub fn plan(world: &World) -> Planned {
    if world.environment.metadata.deletion_timestamp.is_some() || world.environment.spec.suspend {
        return Planned { plan: Plan::default(), picture: None };
    }
    let mut decision = release::decide(world);
    let mut plan = Plan { events: std::mem::take(&mut decision.events), ..Plan::default() };
    let (mut before, mut after) = (decision.history.steps(), Vec::new());
    before.extend(command(world, &decision));
    let mut picture = Picture { progress: Vec::new(), waits: None, wrote_children: false, decision };
    if let Some(current) = picture.decision.history.current() {
        let wanted = Wanted::of(world, current);
        let children = children::apply(world, &wanted);
        picture.progress = rollout::progress(world, current, &wanted);
        picture.wrote_children = !children.steps.is_empty();
        picture.waits = children.waits;
        before.extend(children.steps);
        before.extend(children::elections(world, current, &wanted));
        let newest = picture.decision.history.newest().map(|newest| newest.spec.number);
        if phase(current) == Phase::Live && newest == Some(current.spec.number) {
            after.extend(children::clean_up(world, &wanted));
            let keep = world.environment.spec.config.rollout.keep_releases;
            after.extend(picture.decision.history.prune(usize::try_from(keep).unwrap_or(usize::MAX)));
        }
    }
    plan.steps = before.into_iter().chain(after).collect();
    // Nothing tells of the older Environment's end.
    let host = (!world.taken_hosts.is_empty()).then(|| world.now.checked_add(HOST_AGAIN).ok()).flatten();
    let wakes = [picture.decision.wake, status::quiet_until(world, &picture), host];
    wakes.into_iter().flatten().for_each(|at| plan.wake_at(at));
    Planned { plan, picture: Some(picture) }
}

/// The Job of the release whose command is due.
fn command(world: &World, decision: &Decision) -> Option<Step> {
    let release = decision.history.numbered(decision.start_command?)?;
    let command = release.spec.config.release.as_ref()?;
    let scope = Scope { environment: &world.environment, release };
    Manifest::of(&objects::release_job(scope, command, release)).map(Step::Create)
}

impl Planned {
    /// The status after the plan was carried out as far as `applied` says.
    pub fn status(&self, world: &World, applied: &Applied) -> EnvironmentStatus {
        match &self.picture {
            Some(picture) => status::status(world, picture, applied),
            None => suspended(world),
        }
    }
}

/// What ran goes on; whether it is ready is not looked at.
fn suspended(world: &World) -> EnvironmentStatus {
    let known = world.environment.status.clone().unwrap_or_default();
    if !world.environment.spec.suspend {
        return known;
    }
    let generation = world.environment.metadata.generation;
    let was = known.conditions.iter().find(|condition| condition.type_ == ConditionType::Ready);
    let ready = was.map_or(ConditionStatus::Unknown, |condition| condition.status);
    let mut conditions = Conditions::new(&known.conditions, generation, world.now);
    let words = "suspended: nothing is changed until spec.suspend is taken away from the App";
    conditions.set(ConditionType::Ready, ready, Reason::Suspended, words);
    conditions.clear(ConditionType::Reconciling);
    conditions.clear(ConditionType::Stalled);
    EnvironmentStatus { observed_generation: generation, conditions: conditions.finish(), ..known }
}

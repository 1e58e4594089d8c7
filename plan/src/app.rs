//! The app controller's rules: an App without a Pipeline is one Environment, `production`, in its own namespace.
//!
//! What enters is the App, its Environment and what the registry said; what leaves is the Environment, and a status
//! that mirrors it.

mod status;

use crds::origin::{Commit, ResolvedImage};
use crds::text::{Image, Label};
use crds::{App, Environment, EnvironmentSpec, Reason, names};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;
use serde::Deserialize;

use crate::environment::names::{is_owned_by, labels, owner};
use crate::matching::{holds, stamp};
use crate::object::Manifest;
use crate::refusal::Refusal;
use crate::step::{Plan, Step};

pub use status::status;

/// The one stage of an App without a Pipeline.
const STAGE: &str = "production";
/// How soon a registry that could not tell is asked again.
const RETRY: SignedDuration = SignedDuration::from_secs(30);
/// The shortest time between two look-ups of a tag.
const SHORTEST: SignedDuration = SignedDuration::from_secs(5);

/// What is known of an App.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct World {
    /// The App.
    pub app: App,
    /// Its Environment, or another object of that name.
    #[serde(default)]
    pub environment: Option<Environment>,
    /// What the registry said, if it was asked.
    #[serde(default)]
    pub lookup: Option<Lookup>,
    /// The time.
    pub now: Timestamp,
}

/// What a registry said.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Lookup {
    /// The digest of the tag.
    Found(crds::text::Digest),
    /// There is no such image, or it may not be read: a person must act. In words.
    Refused(String),
    /// The registry could not be asked. In words.
    Failed(String),
}

/// The name of the App's Environment.
pub fn environment_name(app: &App) -> String {
    format!("{}-{STAGE}", app.name_any())
}

/// The image that has to be looked up in its registry now, if one has to be.
pub fn wanted_lookup(app: &App, now: Timestamp) -> Option<&Image> {
    let image = &app.spec.image;
    if app.spec.suspend || app.metadata.deletion_timestamp.is_some() || image.digest().is_some() {
        return None;
    }
    let due = known(app).is_none() || is_asked(app) || next_lookup(app).is_none_or(|at| at <= now);
    due.then_some(image)
}

/// The image as it was last found, while the App still asks for the same one.
fn known(app: &App) -> Option<&ResolvedImage> {
    app.status.as_ref()?.image.as_ref().filter(|image| image.requested == app.spec.image)
}

/// Whether a look-up was asked for by annotation and not made yet.
fn is_asked(app: &App) -> bool {
    let asked = app.annotations().get(names::RECONCILE_AT);
    asked.is_some()
        && asked != app.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_ref())
}

/// When the tag is to be looked up again.
fn next_lookup(app: &App) -> Option<Timestamp> {
    let checked = app.status.as_ref()?.image_checked.as_ref()?.0;
    let interval = SignedDuration::try_from(app.spec.interval.get()).ok()?;
    checked.checked_add(interval.max(SHORTEST)).ok()
}

/// The image to run, by digest.
///
/// # Errors
/// Why it is not known, when it is not.
fn image(world: &World) -> Result<ResolvedImage, Refusal> {
    let requested = &world.app.spec.image;
    if requested.digest().is_some() {
        return Ok(ResolvedImage { requested: requested.clone(), resolved: requested.clone() });
    }
    if let Some(Lookup::Found(digest)) = &world.lookup {
        let resolved = Image::new(format!("{}@{digest}", requested.repository()))
            .map_err(|invalid| Refusal::needs_user(Reason::ImageNotFound, invalid.to_string()))?;
        return Ok(ResolvedImage { requested: requested.clone(), resolved });
    }
    if let Some(known) = known(&world.app) {
        return Ok(known.clone());
    }
    Err(match &world.lookup {
        Some(Lookup::Refused(words)) => Refusal::needs_user(Reason::ImageNotFound, words),
        Some(Lookup::Failed(words)) => Refusal::transient(words),
        Some(Lookup::Found(_)) | None => {
            Refusal::waiting(Reason::Waiting, "the image is looked up in its registry")
        }
    })
}

/// Decides what is to be done; a refusal says why the Environment is left as it is.
pub fn plan(world: &World) -> (Plan, Option<Refusal>) {
    let app = &world.app;
    let mut plan = Plan::default();
    if app.metadata.deletion_timestamp.is_some() {
        return (plan, None);
    }
    if app.spec.image.digest().is_none() && !app.spec.suspend {
        plan.wake_at(next_look(world));
    }
    let foreign =
        world.environment.as_ref().filter(|found| !is_owned_by(*found, app.metadata.uid.as_deref()));
    if let Some(foreign) = foreign {
        return (plan, Some(taken(&foreign.name_any())));
    }
    let environment = match wanted(world) {
        Ok(environment) => Manifest::of(&environment).map(stamp),
        Err(refusal) => return (plan, Some(refusal)),
    };
    let live = world.environment.as_ref().and_then(|live| serde_json::to_value(live).ok());
    let steps = environment.filter(|wanted| !live.is_some_and(|live| holds(&live, wanted)));
    plan.steps.extend(steps.map(Step::Apply));
    (plan, None)
}

/// When the registry is to be asked next: after the interval, or sooner when it just failed to tell.
fn next_look(world: &World) -> Timestamp {
    let interval =
        SignedDuration::try_from(world.app.spec.interval.get()).unwrap_or(SignedDuration::from_mins(5));
    let failed = matches!(world.lookup, Some(Lookup::Refused(_) | Lookup::Failed(_)));
    let wait = if failed { interval.min(RETRY) } else { interval };
    let next = world.now.checked_add(wait.max(SHORTEST)).unwrap_or(world.now);
    let known = next_lookup(&world.app).filter(|at| world.lookup.is_none() && *at > world.now);
    known.unwrap_or(next)
}

fn taken(name: &str) -> Refusal {
    Refusal::needs_user(
        Reason::OwnedByAnother,
        format!(
            "the Environment `{name}` belongs to something else; rename this App, or delete that Environment"
        ),
    )
}

/// The Environment as it is to be. A suspended App's keeps all but the mark.
fn wanted(world: &World) -> Result<Environment, Refusal> {
    let app = &world.app;
    let before = world.environment.as_ref().map(|found| &found.spec);
    let mut spec = match before {
        Some(before) if app.spec.suspend => before.clone(),
        _ => EnvironmentSpec {
            app: app.name_any(),
            stage: Label::new(STAGE).unwrap_or_default(),
            image: image(world)?,
            config: app.spec.config.clone(),
            domains: app.spec.domains.clone(),
            routing: app.spec.routing.clone(),
            commit: None,
            retry_at: None,
            suspend: false,
        },
    };
    let changed = before.is_none_or(|before| before.image != spec.image || before.config != spec.config);
    spec.commit = if changed { commit(app) } else { before.and_then(|before| before.commit.clone()) };
    spec.retry_at = app.annotations().get(names::RETRY_AT).map(|at| at.chars().take(256).collect());
    spec.suspend = app.spec.suspend;
    let name = environment_name(app);
    let mut environment = Environment::new(&name, spec);
    environment.metadata = ObjectMeta {
        name: Some(name.clone()),
        namespace: app.namespace(),
        labels: Some(labels(&app.name_any(), &name, STAGE, None)),
        owner_references: Some(vec![owner(app)]),
        ..ObjectMeta::default()
    };
    Ok(environment)
}

/// The commit that last changed the App, from its annotation `<sha> <author>: <subject>`.
fn commit(app: &App) -> Option<Commit> {
    let text = app.annotations().get(names::COMMIT)?;
    let (sha, rest) = text.split_once(' ').unwrap_or((text, ""));
    if sha.is_empty() || sha.len() > 64 || !sha.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let (author, subject) = match rest.split_once(": ") {
        Some((author, subject)) => (Some(author), Some(subject)),
        None => (None, Some(rest)),
    };
    let cut = |text: Option<&str>| {
        text.filter(|text| !text.is_empty()).map(|text| text.chars().take(200).collect())
    };
    Some(Commit { sha: sha.into(), author: cut(author), subject: cut(subject), time: None })
}

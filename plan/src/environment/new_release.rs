//! What a new Release holds, and why it is made, in words.

use crds::Release;
use crds::release::ReleaseSpec;
use crds::workload::Config;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;

use super::names::{self, origin};
use super::world::World;

/// What differs from the release before, in words.
pub fn why(world: &World, before: &Release, config: &Config) -> String {
    let spec = &world.environment.spec;
    let mut changed = Vec::new();
    if before.spec.image.resolved != spec.image.resolved {
        changed.push(format!("the image is now {}", spec.image.requested));
    }
    let parts = [
        (
            "the environment variables",
            before.spec.config.env != config.env || before.spec.config.env_from != config.env_from,
        ),
        ("the release command", before.spec.config.release != config.release),
        ("the jobs", before.spec.config.jobs != config.jobs),
        ("the processes", before.spec.config.processes != config.processes),
    ];
    changed.extend(parts.iter().filter(|(_, differs)| *differs).map(|(what, _)| format!("{what} changed")));
    if before.spec.references != world.references.fingerprint {
        changed.push("a Secret or ConfigMap that it reads changed".into());
    }
    if changed.is_empty() { "the configuration changed".into() } else { changed.join("; ") }
}

/// What a new release is made of.
pub struct Planned<'a> {
    /// Its digest.
    pub content: String,
    /// The configuration, sizes resolved.
    pub config: Config,
    /// Why, in words.
    pub why: String,
    /// The release that it goes back to.
    pub rollback: Option<&'a Release>,
}

/// The next release after `newest`.
pub fn planned(world: &World, newest: Option<&Release>, plan: Planned<'_>) -> Release {
    let environment = &world.environment;
    let spec = &environment.spec;
    let name = environment.name_any();
    let number = newest.map_or(0, |newest| newest.spec.number) + 1;
    let image = plan.rollback.map_or(&spec.image, |good| &good.spec.image).clone();
    let commit = plan.rollback.map_or(&spec.commit, |good| &good.spec.commit).clone();
    let what = commit.as_ref().map_or_else(
        || image.resolved.digest().map(|digest| digest.as_str().chars().skip(7).take(7).collect()),
        |commit| commit.sha.get(..7).map(str::to_owned),
    );
    let summary = format!("v{number} ({})", what.unwrap_or_else(|| "no digest".into()));
    let references =
        plan.rollback.map_or(&world.references.fingerprint, |good| &good.spec.references).clone();
    let spec = ReleaseSpec {
        environment: name.clone(),
        number,
        summary,
        image,
        config: plan.config,
        content: plan.content,
        references,
        commit,
        why: plan.why.chars().take(1024).collect(),
        rollback_of: plan.rollback.map(origin),
        retry_at: spec.retry_at.clone(),
    };
    let mut release = Release::new(&names::release(&name, number), spec);
    release.metadata = ObjectMeta {
        name: Some(names::release(&name, number)),
        namespace: environment.namespace(),
        labels: Some(names::labels(&environment.spec.app, &name, "release", Some(number))),
        owner_references: Some(vec![names::owner(environment)]),
        ..ObjectMeta::default()
    };
    release
}

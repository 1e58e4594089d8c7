//! How many pods a process has, and who says so.
//!
//! A Deployment is created with the number of git, which `keelway` owns (its annotation says `git`). The first later write
//! that is about something else hands the field over: `keelway-scale` applies the number too, unforced, then `keelway` drops it
//! (`scale`). From then on nothing that Keelway writes can undo a number that was set by hand, not even by a race.
//! A new number in git is written by force, and begins anew.

use kube::ResourceExt as _;
use serde_json::Value;

use super::names::{REPLICAS, SCALED_BY};
use crate::matching::{holds, stamp};
use crate::object::Manifest;
use crate::step::Step;

/// Who owns `spec.replicas` since Keelway last wrote the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// `keelway`, with git's number.
    Git,
    /// `keelway-scale`, or whoever took it from there.
    Scale,
}

impl Owner {
    fn as_str(self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::Scale => "scale",
        }
    }
}

/// The number of pods of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replicas {
    /// What git asks for.
    pub git: i32,
    /// What runs once the plan is carried out.
    pub effective: i32,
    /// Whether a person set it by hand.
    pub by_hand: bool,
    /// Whether it is to be written by force: the object is new, or git's number is.
    pub force: bool,
    /// Who owns the field now; none for a new object.
    pub owner: Option<Owner>,
}

impl Replicas {
    /// For what must never run twice.
    pub fn at_most_one(self) -> Self {
        if self.effective > 1 {
            Self { effective: self.git, by_hand: false, force: true, ..self }
        } else {
            self
        }
    }
}

/// The number of pods of a live object (`now`: its `spec.replicas`) for which git asks `git`.
pub fn decide<K: kube::Resource>(live: Option<&K>, now: Option<i32>, git: i32) -> Replicas {
    let new = Replicas { git, effective: git, by_hand: false, force: true, owner: None };
    let Some(live) = live else { return new };
    let annotation = |name: &str| live.annotations().get(name).map(String::as_str);
    let owner = match annotation(SCALED_BY) {
        Some("scale") => Some(Owner::Scale),
        _ => Some(Owner::Git),
    };
    if annotation(REPLICAS).and_then(|text| text.parse().ok()) != Some(git) {
        return Replicas { owner, ..new };
    }
    let now = now.unwrap_or(1);
    Replicas { git, effective: now, by_hand: now != git, force: false, owner }
}

/// The manifest as it is to be applied, stamped, and whether the live object already is so.
pub fn written(manifest: Manifest, replicas: &Replicas, live: Option<&Value>) -> (Manifest, bool) {
    if !replicas.force {
        let unchanged = annotated(manifest.clone(), replicas, replicas.owner.unwrap_or(Owner::Git));
        if live.is_some_and(|live| holds(live, &unchanged)) {
            return (unchanged, true);
        }
        return (annotated(manifest, replicas, Owner::Scale), false);
    }
    let mut manifest = annotated(manifest, replicas, Owner::Git);
    if let Some(spec) = manifest.value_mut().get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("replicas".into(), replicas.git.into());
    }
    (manifest, false)
}

/// The writes that bring a workload about, in order.
pub fn steps(manifest: &Manifest, replicas: &Replicas) -> Vec<Step> {
    if replicas.owner.is_none() {
        return vec![Step::Make(manifest.clone())];
    }
    let apply = Step::Apply(manifest.clone());
    if replicas.force || replicas.owner != Some(Owner::Git) {
        return vec![apply];
    }
    vec![Step::Scale { object: manifest.key(), replicas: replicas.git }, apply]
}

fn annotated(mut manifest: Manifest, replicas: &Replicas, owner: Owner) -> Manifest {
    if let Some(metadata) = manifest.value_mut().get_mut("metadata").and_then(Value::as_object_mut) {
        let annotations =
            metadata.entry("annotations").or_insert_with(|| Value::Object(serde_json::Map::new()));
        annotations[REPLICAS] = replicas.git.to_string().into();
        annotations[SCALED_BY] = owner.as_str().into();
    }
    stamp(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::apps::v1::Deployment;
    use serde_json::json;

    fn manifest(image: &str) -> Manifest {
        Manifest::new(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "n"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": image}}}}}))
        .unwrap()
    }

    fn plan(live: Option<&Value>, git: i32, image: &str) -> (Vec<Step>, Replicas) {
        let typed: Option<Deployment> = live.map(|live| serde_json::from_value(live.clone()).unwrap());
        let now = typed.as_ref().and_then(|live| live.spec.as_ref()?.replicas);
        let replicas = decide(typed.as_ref(), now, git);
        let (manifest, done) = written(manifest(image), &replicas, live);
        (if done { Vec::new() } else { steps(&manifest, &replicas) }, replicas)
    }

    fn applied(steps: &[Step]) -> Value {
        match steps.last() {
            Some(Step::Apply(manifest) | Step::Make(manifest)) => manifest.value().clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_new_deployment_is_one_write_with_gits_number() {
        let (steps, replicas) = plan(None, 0, "a");
        assert_eq!((steps.len(), replicas.effective), (1, 0));
        assert_eq!(applied(&steps)["spec"]["replicas"], 0);
    }

    #[test]
    fn a_number_set_by_hand_is_left_alone_until_git_has_another() {
        let mut live = applied(&plan(None, 2, "a").0);
        live["spec"]["replicas"] = 5.into();
        let (steps, replicas) = plan(Some(&live), 2, "a");
        assert_eq!((steps.len(), replicas.by_hand, replicas.effective), (0, true, 5));

        let (steps, _) = plan(Some(&live), 3, "a");
        assert_eq!(steps.len(), 1);
        assert_eq!(applied(&steps)["spec"]["replicas"], 3);
    }

    #[test]
    fn a_change_of_something_else_hands_the_number_over_first_and_then_never_names_it() {
        let mut live = applied(&plan(None, 2, "a").0);
        let (steps, _) = plan(Some(&live), 2, "b");
        assert!(matches!(steps[0], Step::Scale { replicas: 2, .. }));
        assert!(applied(&steps)["spec"].get("replicas").is_none());

        live = applied(&steps);
        live["spec"]["replicas"] = 2.into();
        assert_eq!(plan(Some(&live), 2, "b").0.len(), 0);
        assert_eq!(plan(Some(&live), 2, "c").0.len(), 1);
    }
}

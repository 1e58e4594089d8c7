//! Names and labels of an Environment's children. Deterministic: a crash between two writes finds the same name again.

use std::collections::BTreeMap;

use crds::{Environment, Release, names};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt as _};
use serde_json::Value;

use crate::matching::short_digest;

/// The longest name of a process's or job's object: Kubernetes puts 11 more characters on a CronJob's Jobs and a
/// StatefulSet's revisions, within the 63 of a label.
const CHILD_MAX: usize = 52;
/// The longest name of a Job: its pods carry it as a label.
const JOB_MAX: usize = 63;

/// Annotation on a Deployment: the number of pods that git asked for last.
pub const REPLICAS: &str = "keelway.dev/replicas";
/// Annotation on a Deployment: who decides `spec.replicas` since Keelway last wrote it, `git` or `scale`.
pub const SCALED_BY: &str = "keelway.dev/scaled-by";
/// Annotation on a pod: the keyed digest of the Secrets and ConfigMaps that it was started with.
pub const REFERENCES: &str = "keelway.dev/references";
/// Label on a release command's Job and pods.
pub const RELEASE_COMMAND: &str = "keelway.dev/release-command";
/// Label on a scheduled job's Jobs and pods: the job's name.
pub const JOB: &str = "keelway.dev/job";
/// Label on a one-off run's Job and pods: the Run's name.
pub const RUN: &str = "keelway.dev/run";

/// The object of a process or job: `<environment>-<part>`.
pub fn child(environment: &str, part: &str) -> String {
    fitted(&format!("{environment}-{part}"), CHILD_MAX)
}

/// The n-th Release: `<environment>-v<n>`.
pub fn release(environment: &str, number: i64) -> String {
    fitted(&format!("{environment}-v{number}"), JOB_MAX - "-release".len())
}

/// The Job of a Release's command: `<environment>-v<n>-release`.
pub fn release_job(environment: &str, number: i64) -> String {
    format!("{}-release", release(environment, number))
}

/// The Job of a Run: the Run's own name where that fits.
pub fn run_job(run: &str) -> String {
    fitted(&run.replace('.', "-"), JOB_MAX)
}

/// The name, or where it is too long its beginning and 6 hex digits of a digest of the whole.
fn fitted(name: &str, max: usize) -> String {
    if name.len() <= max {
        return name.to_owned();
    }
    let digest = short_digest(&Value::from(name));
    let head = name.get(..max - 7).unwrap_or(name).trim_end_matches('-');
    format!("{head}-{}", digest.get(..6).unwrap_or_default())
}

/// What a child is part of: an Environment, and the release whose content it has.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The Environment that owns it.
    pub environment: &'a Environment,
    /// The release whose content it has.
    pub release: &'a Release,
}

impl Scope<'_> {
    /// The Environment's name.
    pub fn name(&self) -> String {
        self.environment.name_any()
    }

    /// The number of the release that first had this content: a rollback brings the very same pods back.
    pub fn origin(&self) -> i64 {
        origin(self.release)
    }

    /// The labels of a child; `component` is the process, the job or the command.
    pub fn labels(&self, component: &str) -> BTreeMap<String, String> {
        let name = self.name();
        labels(&self.environment.spec.app, &name, component, Some(self.origin()))
    }

    /// The metadata of a child that the Environment owns.
    pub fn meta(&self, name: String, component: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: self.environment.namespace(),
            labels: Some(self.labels(component)),
            owner_references: Some(vec![owner(self.environment)]),
            ..ObjectMeta::default()
        }
    }

    /// The pods of a process, whichever release they have. Immutable in Deployments, therefore minimal.
    pub fn selector(&self, process: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(names::ENVIRONMENT.into(), self.name()), (names::PROCESS.into(), process.into())])
    }

    /// The same as the type that workloads want.
    pub fn label_selector(&self, process: &str) -> LabelSelector {
        LabelSelector { match_labels: Some(self.selector(process)), match_expressions: None }
    }
}

/// The number of the release that first had the content of this one.
pub fn origin(release: &Release) -> i64 {
    release.spec.rollback_of.unwrap_or(release.spec.number)
}

/// The labels on everything that Keelway makes for an Environment.
pub fn labels(
    app: &str,
    environment: &str,
    component: &str,
    release: Option<i64>,
) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::from([
        ("app.kubernetes.io/name".into(), app.into()),
        ("app.kubernetes.io/instance".into(), environment.into()),
        ("app.kubernetes.io/component".into(), component.into()),
        ("app.kubernetes.io/part-of".into(), app.into()),
        ("app.kubernetes.io/managed-by".into(), "keelway".into()),
        (names::APP.into(), app.into()),
        (names::ENVIRONMENT.into(), environment.into()),
    ]);
    if let Some(number) = release {
        labels.insert(names::RELEASE.into(), format!("v{number}"));
    }
    labels
}

/// The owner reference to an object of ours, its controller.
pub fn owner<K: Resource<DynamicType = ()>>(object: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}

/// Whether `object` is controlled by the object with this uid.
pub fn is_owned_by<K: Resource>(object: &K, uid: Option<&str>) -> bool {
    let owners = object.meta().owner_references.as_deref().unwrap_or_default();
    uid.is_some_and(|uid| owners.iter().any(|owner| owner.controller == Some(true) && owner.uid == uid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_and_stays_distinct() {
        assert_eq!(child("shop-production", "web"), "shop-production-web");
        let long = "a".repeat(51);
        let (one, two) =
            (child(&long, "the-first-long-process-name"), child(&long, "the-second-long-process"));
        assert!(one.len() <= CHILD_MAX && two.len() <= CHILD_MAX);
        assert_ne!(one, two);
    }

    #[test]
    fn a_release_commands_job_fits_a_label_for_every_number() {
        let job = release_job(&"a".repeat(51), 1_000_000_000);
        assert!(job.len() <= JOB_MAX, "{job}");
        assert_eq!(release_job("shop-production", 7), "shop-production-v7-release");
    }
}

//! The API types of Keelway, group `keelway.dev`, version `v1alpha1`.
//!
//! Only types: no client, no runtime. What enters is YAML that a person or the operator wrote; what leaves is the
//! schema that the API server enforces ([`all`]) and values that every other crate shares. Rules that one object
//! can break alone are CEL rules on the type; rules that need other objects live in the crate `plan`.

pub mod access;
pub mod app;
pub mod condition;
pub mod config_repo;
pub mod domain;
pub mod env;
pub mod environment;
pub mod origin;
pub mod release;
pub mod routing;
pub mod run;
mod schema;
pub mod text;
pub mod workload;

pub use app::{App, AppSpec, AppStatus};
pub use condition::{Condition, ConditionStatus, ConditionType, Reason};
pub use config_repo::{ConfigRepo, ConfigRepoSpec, ConfigRepoStatus};
pub use environment::{Environment, EnvironmentSpec, EnvironmentStatus};
pub use release::{Release, ReleaseSpec, ReleaseStatus};
pub use run::{Run, RunSpec, RunStatus};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

/// The API group of every kind of Keelway.
pub const GROUP: &str = "keelway.dev";

/// The API version of every kind of Keelway.
pub const VERSION: &str = "v1alpha1";

/// The definitions of all kinds, in the order in which a reader meets them.
pub fn all() -> Vec<CustomResourceDefinition> {
    let all = [ConfigRepo::crd(), App::crd(), Environment::crd(), Release::crd(), Run::crd()];
    all.into_iter().map(schema::tidy).collect()
}

/// Annotations and labels that carry meaning.
pub mod names {
    /// Annotation: reconcile now; any new value triggers once.
    pub const RECONCILE_AT: &str = "keelway.dev/reconcile-at";
    /// Annotation on an App or Environment: try a held (failed) release again; any new value triggers once.
    pub const RETRY_AT: &str = "keelway.dev/retry-at";
    /// Annotation on a managed object: `disabled` keeps it when git no longer has it.
    pub const PRUNE: &str = "keelway.dev/prune";
    /// Annotation on a managed object: `ignore` leaves changes made in the cluster alone.
    pub const DRIFT: &str = "keelway.dev/drift";
    /// Annotation on a managed object: `enabled` lets an immutable change delete and create it anew.
    pub const RECREATE: &str = "keelway.dev/recreate";
    /// Annotation on a ConfigRepo: confirms one large prune; the value is the token that status shows.
    pub const CONFIRM_PRUNE: &str = "keelway.dev/confirm-prune";
    /// Label on a managed object: the uid of the ConfigRepo that applies it.
    pub const OWNER_UID: &str = "keelway.dev/config-repo-uid";
    /// Annotation on a managed object: `namespace/name` of the ConfigRepo that applies it.
    pub const OWNER: &str = "keelway.dev/config-repo";
    /// Annotation on an App: commit that last changed it: `<sha> <author>: <subject>`.
    pub const COMMIT: &str = "keelway.dev/commit";
    /// Label: the App's name.
    pub const APP: &str = "keelway.dev/app";
    /// Label: the Environment's name.
    pub const ENVIRONMENT: &str = "keelway.dev/environment";
    /// Label: the Release's number, as `v42`.
    pub const RELEASE: &str = "keelway.dev/release";
    /// Label: the process's name.
    pub const PROCESS: &str = "keelway.dev/process";
    /// Label on exactly one ready pod of an `elected` process; the value is that pod's uid.
    pub const ELECTED: &str = "keelway.dev/elected";
    /// Finalizer of Keelway.
    pub const FINALIZER: &str = "keelway.dev/cleanup";
    /// Field manager of what git says.
    pub const MANAGER_CONFIG: &str = "keelway-config";
    /// Field manager of child objects.
    pub const MANAGER: &str = "keelway";
    /// Field manager of `spec.replicas` alone.
    pub const MANAGER_SCALE: &str = "keelway-scale";
}

//! Conditions: what is true of an object now, in the form that `kubectl wait` and people read.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One fact about an object, of the shape of `metav1.Condition`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What the fact is about, as in `Ready`.
    #[serde(rename = "type")]
    pub type_: ConditionType,
    /// Whether it holds: `True`, `False` or `Unknown`.
    pub status: ConditionStatus,
    /// Why, as one word for programs.
    pub reason: Reason,
    /// Why, in words for people: what happened and what to do.
    #[schemars(length(max = 32768))]
    pub message: String,
    /// When the status last changed.
    pub last_transition_time: Time,
    /// The generation of the object that this was said of.
    pub observed_generation: i64,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nothing is known.
    Unknown,
}

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ConditionType {
    /// The object is what its spec says, and works.
    Ready,
    /// Work towards the spec is under way.
    Reconciling,
    /// Nothing will change before a person acts.
    Stalled,
    /// Something works but deserves a look.
    Warning,
    /// A large prune waits for a person's confirmation.
    PrunePending,
    /// A newer release failed; the last good one runs.
    RolledBack,
    /// A pod sits on a node that is lost and is never deleted by force.
    NodeLost,
    /// A host that it asks for leads to an older Environment.
    HostTaken,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Why a condition has its status, as one word.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Reason { $($(#[$doc])* $name),+ }

        impl Reason {
            /// The word as it stands in YAML.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }
    };
}

reasons! {
    /// All is as the spec says.
    Running,
    /// The commit is applied and healthy.
    Applied,
    /// The release is the one that gets traffic.
    Live,
    /// A newer release took over.
    Superseded,
    /// The command ended well.
    Succeeded,
    /// Work is under way.
    Progressing,
    /// The release command runs.
    Releasing,
    /// New pods start and old ones go.
    RollingOut,
    /// Suspended by its spec.
    Suspended,
    /// Waits for something that is expected to come by itself.
    Waiting,
    /// Another ConfigRepo of `dependsOn` is not ready.
    DependencyNotReady,
    /// The objects are applied and not all healthy yet.
    Unhealthy,
    /// The git repository could not be read.
    FetchFailed,
    /// The git host refused the credentials.
    AuthenticationFailed,
    /// The branch, tag or commit is not there.
    RefMissing,
    /// A path is missing or empty.
    PathEmpty,
    /// A file of the repository could not be understood.
    InvalidManifest,
    /// The API server refused an object.
    Refused,
    /// The service account may not do it.
    Forbidden,
    /// Another owner has the object.
    OwnedByAnother,
    /// More would go at once than goes without a confirmation.
    PruneNeedsConfirmation,
    /// Plain Secrets stand in the repository.
    PlainSecrets,
    /// Decryption failed.
    DecryptionFailed,
    /// A Secret or ConfigMap that is named is missing.
    SecretMissing,
    /// A service account is missing or may not be used.
    AccountMissing,
    /// The spec contradicts itself or the install.
    InvalidSpec,
    /// The image could not be found or read.
    ImageNotFound,
    /// The image could not be pulled by the node.
    ImagePull,
    /// A process ends again and again.
    CrashLoop,
    /// A process was ended for its memory.
    OutOfMemory,
    /// A process does not answer its probe.
    ProbeFailed,
    /// A pod finds no node.
    Unschedulable,
    /// The release command failed.
    ReleaseCommandFailed,
    /// The roll-out was not ready in its deadline.
    DeadlineExceeded,
    /// A release failed and the last good one runs.
    RolledBack,
    /// The node of a pod is lost.
    NodeLost,
    /// A command failed.
    Failed,
    /// A conflict with what somebody else set.
    Conflict,
    /// An error that is tried again by itself.
    Retrying,
    /// Security defaults are switched off by name.
    SecurityOptOut,
    /// A feature of the cluster is missing.
    Unsupported,
    /// A host that it asks for leads to an older Environment.
    HostTaken,
}

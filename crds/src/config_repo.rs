//! `ConfigRepo`: the YAML under these paths of this git ref is kept applied.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::env::LocalRef;
use crate::origin::Commit;
use crate::text::{CommitSha, Duration, Label, ObjectName};

/// The YAML under these paths of this git ref is kept applied.
#[derive(kube::CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "keelway.dev",
    version = "v1alpha1",
    kind = "ConfigRepo",
    namespaced,
    status = "ConfigRepoStatus",
    derive = "PartialEq",
    shortname = "cr",
    shortname = "crepo",
    category = "keelway",
    doc = "The YAML under these paths of this git ref is kept applied. A commit that the cluster refuses changes nothing: the last good commit stays in force, and status names file, line and cure.",
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"Runs","type":"string","jsonPath":".status.summary"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ConfigRepoSpec {
    /// The repository: `https://…`, `ssh://user@host/path` or `user@host:path`. Credentials stand in `secretRef`, never here.
    #[schemars(
        length(max = 2048),
        regex(
            pattern = r"^(https?://[^@\s]+|ssh://([^@:/\s]+@)?[^@/\s]+/\S+|[A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+:[^\s]+)$"
        )
    )]
    pub url: String,
    /// What of the repository: a branch, a tag or a commit. Without it: the branch `main`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "ref")]
    pub git_ref: Option<GitRef>,
    /// The folders and files of the repository that are read. Without it: all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(max = 1024)))]
    pub paths: Vec<String>,
    /// The namespace of objects that name none. Without it: this ConfigRepo's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_namespace: Option<Label>,
    /// How often the repository is asked for news; a webhook is faster. A tenth of it is added or taken at random.
    #[serde(default = "ConfigRepoSpec::default_interval")]
    pub interval: Duration,
    /// How long one fetch may take (never more than `10m`), and how long applied objects may take to become healthy before that is said.
    #[serde(default = "ConfigRepoSpec::default_timeout")]
    pub timeout: Duration,
    /// The Secret with the credentials: `token`; or `username` and `password`; or `identity` (a private ssh key), `known_hosts`
    /// and perhaps `passphrase`. `ca.crt` adds a certificate authority for this repository alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalRef>,
    /// The service account, of this namespace, as which everything is applied. What it may not do is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<ObjectName>,
    /// Whether objects that git no longer has are deleted.
    #[serde(default = "ConfigRepoSpec::default_prune")]
    pub prune: bool,
    /// Nothing is fetched or applied while this is set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// What happens to the applied objects when this ConfigRepo is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// How encrypted files are decrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decryption: Option<Decryption>,
    /// A push notification from the git host, which means "look now".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// ConfigRepos of this namespace that must be Ready at their newest commit before this one is applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub depends_on: Vec<LocalRef>,
}

impl ConfigRepoSpec {
    fn default_interval() -> Duration {
        Duration::from_secs(60)
    }

    fn default_timeout() -> Duration {
        Duration::from_secs(120)
    }

    fn default_prune() -> bool {
        true
    }
}

/// What of a repository: one of branch, tag or commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "[has(self.branch), has(self.tag), has(self.commit)].filter(x, x).size() == 1", "message": "give one of branch, tag or commit"}
]))]
pub struct GitRef {
    /// The newest commit of this branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 250))]
    pub branch: Option<String>,
    /// The commit of this tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 250))]
    pub tag: Option<String>,
    /// This commit, all 40 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitSha>,
}

/// What happens to applied objects when their ConfigRepo is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// They stay as they are.
    #[default]
    Orphan,
    /// They are deleted, as the service account.
    Delete,
}

/// How encrypted files are decrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decryption {
    /// The tool that encrypted them.
    #[serde(default)]
    pub provider: DecryptionProvider,
    /// The Secret whose keys ending in `.agekey` hold age identities.
    pub secret_ref: LocalRef,
}

/// The tool that encrypted the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DecryptionProvider {
    /// SOPS with age keys.
    #[default]
    Sops,
}

/// How push notifications are checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// The Secret whose key `token` the git host signs its notifications with (GitHub, Gitea, Forgejo: HMAC; GitLab: token).
    pub secret_ref: LocalRef,
}

/// What is in force, and what was said of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigRepoStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What is in force, in a few words, as in `3f9c2ab (14 objects)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub summary: Option<String>,
    /// The newest commit that was fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Commit>,
    /// The newest commit that was applied whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_applied: Option<Commit>,
    /// A digest of everything besides the commit that decided what was applied: spec, identity, decryption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub applied_with: Option<String>,
    /// When the repository was last asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_fetch: Option<Time>,
    /// The last value of the annotation `keelway.dev/reconcile-at` that was acted upon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_reconcile_at: Option<String>,
    /// Every object that this ConfigRepo may have applied: written before applying as old and new together, after pruning as new.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5000), extend("x-kubernetes-list-type" = "atomic"))]
    pub inventory: Vec<ObjectRef>,
    /// How many objects the commit in force has. What goes at once is measured against this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<u32>,
    /// What was left out of the last commit, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Skipped>,
    /// What is true now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// An object of any kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// Its API group; empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub group: String,
    /// The version it was last applied with.
    #[schemars(length(max = 63))]
    pub version: String,
    /// Its kind.
    #[schemars(length(max = 63))]
    pub kind: String,
    /// Its namespace; empty for kinds without.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
}

/// What was left out of a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// Files that are not YAML or JSON.
    pub other_files: u32,
    /// Files that `.keelwayignore` lists.
    pub ignored: u32,
    /// Documents without apiVersion and kind, `kustomization.yaml` and `Chart.yaml`.
    pub not_objects: u32,
    /// Links, submodules and other entries that are never followed.
    pub special: u32,
}

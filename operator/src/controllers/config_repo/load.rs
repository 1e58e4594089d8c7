//! From a commit to the objects that it has. Only files that changed are read and parsed again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crds::Reason;
use crds::config_repo::Skipped;
use crds::origin::Commit;
use git::{CommitInfo, Fetched, GitError, Oid, RepoPath};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use manifests::sops::Identities;
use plan::config_repo::{Mistake, Owner, Place, Planned, Scope, Source, duplicates, normalise};
use plan::matching::short_digest;
use plan::{ObjectKey, Refusal};
use serde_json::json;

use super::empty::{bare, empty};
use super::pass::Pass;
use super::read::{Fresh, Read, Weight, read};
use crate::apply::Identity;
use crate::sources::git::refusal;

/// So many mistakes are named at once.
const NAMED: usize = 10;

/// What is remembered of a ConfigRepo between reconciles. All of it can be had again: nothing rests on it.
#[derive(Default)]
pub(super) struct Memory {
    /// What was read of the last commit, by file.
    files: HashMap<RepoPath, FileMemory>,
    /// What `files` depends on besides their content.
    files_with: String,
    /// The set of the last commit that was read.
    set: Option<Arc<Set>>,
    /// The set that was applied last.
    pub in_force: Option<Arc<Set>>,
    /// Whether that was read anew after a restart, or could not be.
    pub restored: bool,
    /// The digest of each object that passed a dry-run.
    pub passed: HashMap<ObjectKey, String>,
    /// Identity and kinds under which it passed.
    passed_with: String,
    /// The last value of `keelway.dev/reconcile-at` that began a fetch.
    pub asked: Option<String>,
    /// The generation of the spec that last began a fetch.
    pub generation: Option<i64>,
}

impl Memory {
    /// What passed under another identity must pass again.
    pub fn passed_under(&mut self, context: &str) {
        if self.passed_with != context {
            self.passed.clear();
            context.clone_into(&mut self.passed_with);
        }
    }
}

#[derive(Clone)]
pub(super) struct FileMemory {
    /// The id of its content.
    pub oid: Oid,
    /// What it weighs among the limits.
    pub weight: Weight,
    planned: Vec<Arc<Planned>>,
    not_objects: u32,
}

/// The objects of one commit.
pub(super) struct Set {
    /// The commit.
    pub commit: Commit,
    /// A digest of everything else that decides: spec, identity, decryption.
    pub context: String,
    /// The objects.
    pub planned: Vec<Arc<Planned>>,
    /// What was left out.
    pub skipped: Skipped,
    /// Secrets in plain text.
    pub plain_secrets: Vec<Place>,
}

impl Pass<'_> {
    /// The objects of a commit.
    pub(super) async fn load(
        &self,
        fetched: &Fetched,
        identity: &Identity,
        memory: &mut Memory,
    ) -> Result<Arc<Set>, Refusal> {
        let spec = &self.repo.spec;
        let keys = self.identities().await?;
        let version = keys.as_ref().map(|(_, version)| version.clone());
        let owner = self.owner();
        let files_with = short_digest(&json!([owner.uid, owner.name, owner.target_namespace, version]));
        let context = short_digest(&json!([files_with, identity.to_string(), spec.paths, spec.prune]));
        let sha = fetched.commit.sha.to_string();
        if let Some(set) = memory.set.as_ref().filter(|set| set.commit.sha == sha && set.context == context) {
            return Ok(set.clone());
        }
        if memory.files_with != files_with {
            memory.files.clear();
            memory.files_with = files_with;
        }
        let read = self.read(fetched, keys.map(|(keys, _)| keys), memory).await?;
        let set = Arc::new(self.assemble(read, fetched, context, &owner, memory).await?);
        memory.set = Some(set.clone());
        Ok(set)
    }

    fn owner(&self) -> Owner {
        let target = self.repo.spec.target_namespace.as_ref().map(|name| name.as_str().to_owned());
        Owner {
            uid: self.uid.clone(),
            name: self.key.to_string(),
            target_namespace: target.unwrap_or_else(|| self.key.namespace.clone()),
        }
    }

    /// Reads what changed, beside the runtime: it blocks on the disk and computes.
    async fn read(
        &self,
        fetched: &Fetched,
        keys: Option<Identities>,
        memory: &Memory,
    ) -> Result<Read, Refusal> {
        let paths: Result<Vec<_>, GitError> = match self.repo.spec.paths.as_slice() {
            [] => Ok(vec![RepoPath::root()]),
            paths => paths.iter().map(|path| RepoPath::parse(path.trim_start_matches("./"))).collect(),
        };
        let paths = paths.map_err(|error| refusal(&error))?;
        let (snapshot, known) = (fetched.snapshot.clone(), memory.files.clone());
        let work = move || read(&*snapshot, &paths, &known, keys.as_ref());
        let done = tokio::task::spawn_blocking(work).await;
        let read = done
            .map_err(|_| Refusal::transient("reading the commit was ended"))?
            .map_err(|error| refusal(&error))?;
        if read.problems.is_empty() { Ok(read) } else { Err(invalid(read.problems)) }
    }

    async fn assemble(
        &self,
        read: Read,
        fetched: &Fetched,
        context: String,
        owner: &Owner,
        memory: &mut Memory,
    ) -> Result<Set, Refusal> {
        let scopes = self.scopes(&read).await?;
        let mut problems = Vec::new();
        let mut files: HashMap<RepoPath, FileMemory> = read.kept.into_iter().collect();
        for fresh in read.fresh {
            let mut planned = Vec::with_capacity(fresh.sources.len());
            for source in &fresh.sources {
                if let Some(mistake) = self.repos.schemas.mistake(&source.json) {
                    problems.push(Mistake { place: source.place.clone(), message: mistake }.to_string());
                    continue;
                }
                match normalise(source, scopes.of(source), owner) {
                    Ok(object) => planned.push(Arc::new(object)),
                    Err(mistake) => problems.push(mistake.to_string()),
                }
                problems.extend(scopes.unknown(source));
            }
            let Fresh { path, oid, weight, not_objects, .. } = fresh;
            files.insert(path, FileMemory { oid, weight, planned, not_objects });
        }
        let mut paths: Vec<_> = files.keys().cloned().collect();
        paths.sort();
        let planned: Vec<_> =
            paths.iter().filter_map(|path| files.get(path)).flat_map(|f| f.planned.clone()).collect();
        problems.extend(duplicates(planned.iter().map(AsRef::as_ref)).iter().map(ToString::to_string));
        if !problems.is_empty() {
            return Err(invalid(problems));
        }
        let mut skipped = read.skipped;
        skipped.not_objects += files.values().map(|file| file.not_objects).sum::<u32>();
        let bare = bare(&self.repo.spec.paths, &planned);
        if planned.is_empty() || !bare.is_empty() {
            return Err(empty(&bare, skipped));
        }
        let plain_secrets = planned.iter().filter(|p| p.plain_secret).map(|p| p.place.clone()).collect();
        memory.files = files;
        Ok(Set { commit: commit(&fetched.commit), context, planned, skipped, plain_secrets })
    }

    /// What the API server, or a definition of the commit itself, says of the kinds of new documents.
    async fn scopes(&self, read: &Read) -> Result<Scopes, Refusal> {
        let sources = || read.fresh.iter().flat_map(|file| &file.sources);
        let kept =
            read.kept.iter().flat_map(|(_, file)| &file.planned).map(|planned| planned.manifest.value());
        let own = plan::config_repo::todo::scopes_of(sources().map(|source| &source.json).chain(kept));
        let kinds: HashSet<(String, String)> = sources().map(|source| kind_of(&source.json)).collect();
        let mut scopes = Scopes { own, known: HashMap::new(), unknown: HashMap::new() };
        for (api_version, kind) in kinds {
            let key = probe(&api_version, &kind);
            match self.context.writer.kinds().resource(&key).await {
                Ok(found) => {
                    let scope = if found.namespaced { Scope::Namespaced } else { Scope::Cluster };
                    scopes.known.insert((api_version, kind), scope);
                }
                Err(refusal) if refusal.class == plan::Class::NeedsUser => {
                    scopes.unknown.insert((api_version, kind), refusal.message);
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(scopes)
    }

    /// The kinds of a set that the API server does not know yet.
    pub(super) async fn unknown_kinds(&self, set: &Set) -> HashSet<(String, String)> {
        let mut unknown = HashSet::new();
        let kinds: HashSet<_> =
            set.planned.iter().map(|p| (p.key.api_version.clone(), p.key.kind.clone())).collect();
        for (api_version, kind) in kinds {
            if self.context.writer.kinds().resource(&probe(&api_version, &kind)).await.is_err() {
                unknown.insert((api_version, kind));
            }
        }
        unknown
    }
}

/// What is known of kinds.
struct Scopes {
    own: HashMap<(String, String), Scope>,
    known: HashMap<(String, String), Scope>,
    unknown: HashMap<(String, String), String>,
}

impl Scopes {
    fn of(&self, source: &Source) -> Option<Scope> {
        let kind = kind_of(&source.json);
        self.known.get(&kind).or_else(|| self.own.get(&(group(&kind.0), kind.1.clone()))).copied()
    }

    /// Why a kind can neither be had from the cluster nor from the commit.
    fn unknown(&self, source: &Source) -> Option<String> {
        let kind = kind_of(&source.json);
        let message = self.unknown.get(&kind)?;
        let own = self.own.contains_key(&(group(&kind.0), kind.1));
        (!own).then(|| format!("{}: {message}", source.place))
    }
}

fn group(api_version: &str) -> String {
    api_version.split_once('/').map_or("", |(group, _)| group).to_owned()
}

fn kind_of(json: &serde_json::Value) -> (String, String) {
    let text = |key| json.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    (text("apiVersion"), text("kind"))
}

fn probe(api_version: &str, kind: &str) -> ObjectKey {
    ObjectKey { api_version: api_version.into(), kind: kind.into(), namespace: None, name: String::new() }
}

/// The commit as status shows it.
pub(super) fn commit(info: &CommitInfo) -> Commit {
    Commit {
        sha: info.sha.to_string(),
        author: Some(format!("{} <{}>", info.author, info.email).chars().take(256).collect()),
        subject: Some(info.subject.chars().take(256).collect()),
        time: Some(Time(info.committed_at)),
    }
}

fn invalid(mut problems: Vec<String>) -> Refusal {
    problems.sort();
    let more = problems.len().saturating_sub(NAMED);
    problems.truncate(NAMED);
    if more > 0 {
        problems.push(format!("and {more} more"));
    }
    Refusal::needs_user(Reason::InvalidManifest, problems.join("\n"))
}

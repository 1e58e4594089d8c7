//! The client: fetches into mirrors and hands out snapshots.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::{Builder, Runtime};

use crate::address::AddressPolicy;
use crate::call::Call;
use crate::commit::CommitInfo;
use crate::credentials::Credentials;
use crate::error::GitError;
use crate::http;
use crate::limits::Limits;
use crate::mirror::{self, Lock, Store};
use crate::net::{Dialer, Resolver, SystemResolver};
use crate::oid::Oid;
use crate::reference::GitRef;
use crate::snapshot::Snapshot;
use crate::trust::{Trust, public_roots};
use crate::url::RepoUrl;

/// More sets of authorities than one cluster's repositories have.
const MAX_TLS_CONFIGS: usize = 64;

/// What to fetch, as whom, and at what cost.
#[derive(Clone, Debug)]
pub struct Request {
    /// The repository.
    pub url: RepoUrl,
    /// The branch, tag or commit.
    pub reference: GitRef,
    /// Who we are.
    pub credentials: Credentials,
    /// Which certificates count.
    pub trust: Trust,
    /// Caps on bytes, objects, files and time.
    pub limits: Limits,
}

/// The commit that a ref stands for now.
#[derive(Clone)]
pub struct Fetched {
    /// The commit.
    pub commit: CommitInfo,
    /// Whether objects were downloaded by this call. Others may share the mirror: to know whether a ref moved, compare
    /// `commit.sha` with the one applied last.
    pub downloaded: bool,
    /// The commit's files.
    pub snapshot: Arc<dyn Snapshot>,
}

/// A ref of the remote repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RemoteRef {
    /// The full name, such as `refs/heads/main`.
    pub name: String,
    /// What it stands for; tags are peeled.
    pub oid: Oid,
}

/// Reading from git, as the operator needs it. All calls block (run them in `spawn_blocking`) and end by
/// [`Limits::overall_timeout`].
pub trait Git: Send + Sync {
    /// Brings the commit that `request.reference` stands for into the mirror. If it is there already nothing is
    /// downloaded; for a commit id the server is then not even asked.
    ///
    /// # Errors
    /// Any [`GitError`]; its class says whether to retry or to wait for a person.
    fn fetch(&self, request: &Request) -> Result<Fetched, GitError>;

    /// Lists branches and tags of the repository, sorted by name; `request.reference` plays no part.
    ///
    /// # Errors
    /// Any [`GitError`].
    fn list_refs(&self, request: &Request) -> Result<Vec<RemoteRef>, GitError>;

    /// Opens a commit that an earlier fetch brought here, without asking the server; `None` if the mirror does not have
    /// it (any more). For comparing a new commit with the one applied before.
    ///
    /// # Errors
    /// If the mirror cannot be read.
    fn open(&self, request: &Request, commit: Oid) -> Result<Option<Arc<dyn Snapshot>>, GitError>;
}

/// The client. One per process; it owns the cache directory and two threads for the network.
pub struct Client {
    pub(crate) cache: PathBuf,
    pub(crate) dialer: Arc<Dialer>,
    roots: RootCertStore,
    tls: Mutex<HashMap<Trust, Arc<ClientConfig>>>,
    pub(crate) pool: Arc<http::Pool>,
    pub(crate) stores: Mutex<HashMap<String, Arc<Store>>>,
    pub(crate) runtime: Option<Runtime>,
}

impl Drop for Client {
    fn drop(&mut self) {
        // Dropping a runtime inside another one panics; this does not.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Client {
    /// A client that keeps its mirrors in `cache` and dials what `policy` allows.
    ///
    /// # Errors
    /// [`GitError::Storage`] if `cache` cannot be made or no thread can be started.
    pub fn new(cache: impl Into<PathBuf>, policy: AddressPolicy) -> Result<Self, GitError> {
        Self::with_resolver(cache, policy, Arc::new(SystemResolver))
    }

    /// As [`Client::new`], with another way to resolve host names.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_resolver(
        cache: impl Into<PathBuf>,
        policy: AddressPolicy,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, GitError> {
        let cache = cache.into();
        std::fs::create_dir_all(&cache).map_err(|error| GitError::storage(&error))?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("git-network")
            .enable_all()
            .build()
            .map_err(|error| GitError::storage(&error))?;
        Ok(Self {
            cache,
            dialer: Arc::new(Dialer { policy, resolver }),
            roots: public_roots(),
            tls: Mutex::default(),
            pool: Arc::default(),
            stores: Mutex::default(),
            runtime: Some(runtime),
        })
    }
}

impl Client {
    /// The TLS configuration for one set of authorities, made once: it is costly and remembers sessions.
    pub(crate) fn tls(&self, trust: &Trust) -> Result<Arc<ClientConfig>, GitError> {
        let mut known = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = known.get(trust) {
            return Ok(Arc::clone(config));
        }
        if known.len() >= MAX_TLS_CONFIGS {
            known.clear();
        }
        let config = trust.tls(&self.roots)?;
        known.insert(trust.clone(), Arc::clone(&config));
        Ok(config)
    }

    /// Removes all mirrors but the `keep` used last; those that are fetched or read right now stay. Returns how many were removed.
    ///
    /// # Errors
    /// [`GitError::Storage`] if the cache cannot be read or a mirror not be removed.
    pub fn prune_mirrors(&self, keep: usize) -> Result<usize, GitError> {
        let used = mirror::by_last_use(&self.cache).map_err(|error| GitError::storage(&error))?;
        let mut removed = 0;
        for key in used.iter().skip(keep) {
            let path = mirror::lock_path(&self.cache, key);
            let Some(_lock) = Lock::attempt(&path).map_err(|error| GitError::storage(&error))? else {
                continue;
            };
            let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
            if stores.get(key).is_some_and(|store| Arc::strong_count(store) > 1) {
                continue;
            }
            stores.remove(key);
            drop(stores);
            mirror::remove(&self.cache.join(key))?;
            std::fs::remove_file(&path).map_err(|error| GitError::storage(&error))?;
            removed += 1;
        }
        Ok(removed)
    }
}

impl Git for Client {
    fn fetch(&self, request: &Request) -> Result<Fetched, GitError> {
        guarded(|| Call::run(self, request, Call::fetch))
    }

    fn list_refs(&self, request: &Request) -> Result<Vec<RemoteRef>, GitError> {
        guarded(|| Call::run(self, request, Call::list_refs))
    }

    fn open(&self, request: &Request, commit: Oid) -> Result<Option<Arc<dyn Snapshot>>, GitError> {
        guarded(|| Call::run(self, request, |call| call.open(commit)))
    }
}

/// A hostile server or a damaged pack must not take the process down, should the git library ever panic on one.
fn guarded<T>(work: impl FnOnce() -> Result<T, GitError>) -> Result<T, GitError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(GitError::Protocol { detail: "the git library gave up on what the server sent".into() })
    })
}

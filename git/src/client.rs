//! The client: fetches into mirrors and hands out snapshots.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use gix_transport::client::blocking_io::Transport;
use rustls::RootCertStore;
use sha2::{Digest, Sha256};
use tokio::runtime::{Builder, Runtime};

use crate::address::AddressPolicy;
use crate::budget::Budget;
use crate::commit::CommitInfo;
use crate::credentials::Credentials;
use crate::error::{Cap, GitError};
use crate::http;
use crate::limits::Limits;
use crate::mirror::{Lock, Store, hex};
use crate::net::{Dialer, Resolver, SystemResolver};
use crate::oid::Oid;
use crate::reference::GitRef;
use crate::session::{Advertised, Session};
use crate::snapshot::{MirrorSnapshot, Snapshot};
use crate::trust::{Trust, public_roots};
use crate::url::{RepoUrl, Scheme};

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
    cache: PathBuf,
    dialer: Arc<Dialer>,
    roots: RootCertStore,
    pool: Arc<http::Pool>,
    stores: Mutex<HashMap<String, Arc<Store>>>,
    runtime: Option<Runtime>,
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
            pool: Arc::default(),
            stores: Mutex::default(),
            runtime: Some(runtime),
        })
    }
}

impl Git for Client {
    fn fetch(&self, request: &Request) -> Result<Fetched, GitError> {
        guarded(|| Call::start(self, request)?.fetch())
    }

    fn list_refs(&self, request: &Request) -> Result<Vec<RemoteRef>, GitError> {
        guarded(|| Call::start(self, request)?.list_refs())
    }

    fn open(&self, request: &Request, commit: Oid) -> Result<Option<Arc<dyn Snapshot>>, GitError> {
        guarded(|| Call::start(self, request)?.open(commit))
    }
}

/// A hostile server or a damaged pack must not take the process down, should the git library ever panic on one.
fn guarded<T>(work: impl FnOnce() -> Result<T, GitError>) -> Result<T, GitError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(GitError::Protocol { detail: "the git library gave up on what the server sent".into() })
    })
}

/// The same URL, credentials and CAs give the same key; whoever has others never shares objects or connections.
fn mirror_key(request: &Request) -> String {
    let mut hasher = Sha256::new();
    let url = request.url.to_string();
    hasher.update((url.len() as u64).to_be_bytes());
    hasher.update(url);
    request.credentials.identify(&mut hasher);
    request.trust.identify(&mut hasher);
    hex(&hasher.finalize()[..20])
}

/// One call in progress.
struct Call<'a> {
    client: &'a Client,
    request: &'a Request,
    key: String,
    budget: Arc<Budget>,
}

impl<'a> Call<'a> {
    fn start(client: &'a Client, request: &'a Request) -> Result<Self, GitError> {
        if request.url.scheme() == Scheme::Http && !client.dialer.policy.allow_http {
            let reason =
                "http sends everything in the clear; use https, or allow http in the operator's settings";
            return Err(GitError::InvalidUrl { reason: reason.into() });
        }
        Ok(Self {
            client,
            request,
            key: mirror_key(request),
            budget: Arc::new(Budget::start(&request.limits)),
        })
    }

    fn fetch(&self) -> Result<Fetched, GitError> {
        let lock = Lock::wait(&self.client.cache.join(format!("{}.lock", self.key)), &self.budget)?;
        lock.touch();
        let store = self.store()?;
        if let GitRef::Commit(id) = &self.request.reference
            && let Some(snapshot) = MirrorSnapshot::open(&store, &self.request.limits, id.0)?
        {
            return Ok(fetched(snapshot, false));
        }
        let mut session = self.session()?;
        let Advertised { want, target } = self.resolve(&mut session)?;
        if let Some(snapshot) =
            MirrorSnapshot::open(&store, &self.request.limits, target).map_err(|e| self.name(e))?
        {
            store.set_tip(&self.request.reference, target)?;
            return Ok(fetched(snapshot, false));
        }
        let haves = store.tips()?;
        session.fetch(want, &haves, &store).map_err(|error| self.unreachable(error))?;
        let incomplete =
            || GitError::Protocol { detail: "it did not send the commit that it announced".into() };
        let snapshot = MirrorSnapshot::open(&store, &self.request.limits, target)
            .map_err(|error| self.name(error))?
            .ok_or_else(incomplete)?;
        store.set_tip(&self.request.reference, target)?;
        Ok(fetched(snapshot, true))
    }

    /// The mirror's current generation, or a new one. The caller holds the lock.
    fn store(&self) -> Result<Arc<Store>, GitError> {
        let dir = self.client.cache.join(&self.key);
        let mut stores = self.client.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match stores.get(&self.key) {
            Some(store) => Some(Arc::clone(store)),
            None => Store::newest(&dir)?,
        };
        if let Some(store) = known {
            // A mirror that cannot even be looked at is as good as worn.
            if !store.is_worn(&self.request.limits).unwrap_or(true) && store.tips().is_ok() {
                stores.insert(self.key.clone(), Arc::clone(&store));
                return Ok(store);
            }
            store.retire();
        }
        let store = Store::create(&dir)?;
        stores.insert(self.key.clone(), Arc::clone(&store));
        Ok(store)
    }

    fn session(&self) -> Result<Session<'_>, GitError> {
        let Request { credentials, limits, .. } = self.request;
        Session::open(self.transport()?, Arc::clone(&self.budget), limits, credentials)
    }

    fn transport(&self) -> Result<Box<dyn Transport>, GitError> {
        let Request { url, credentials, trust, .. } = self.request;
        let Some(runtime) = &self.client.runtime else {
            return Err(GitError::Protocol { detail: "the client is shutting down".into() });
        };
        if url.scheme() == Scheme::Ssh {
            return Err(GitError::InvalidUrl { reason: "ssh is not supported yet".into() });
        }
        let host = http::Host {
            runtime: runtime.handle().clone(),
            dialer: Arc::clone(&self.client.dialer),
            pool: Arc::clone(&self.client.pool),
            key: self.key.clone(),
            tls: trust.tls(&self.client.roots)?,
            url: url.clone(),
            authorization: credentials.authorization()?,
            budget: Arc::clone(&self.budget),
        };
        Ok(Box::new(http::transport(Arc::new(host))?))
    }

    fn resolve(&self, session: &mut Session<'_>) -> Result<Advertised, GitError> {
        let Some(name) = self.request.reference.full_name() else {
            let GitRef::Commit(Oid(id)) = self.request.reference else { return Err(self.missing()) };
            return Ok(Advertised { want: id, target: id });
        };
        let mut refs = session.refs(std::slice::from_ref(&name))?;
        refs.remove(&name).ok_or_else(|| self.missing())
    }

    fn missing(&self) -> GitError {
        GitError::RefMissing { reference: self.request.reference.to_string() }
    }

    /// A tag of a tree is told by the tag's name, not by an object id.
    fn name(&self, error: GitError) -> GitError {
        match error {
            GitError::NotACommit { kind, .. } => {
                GitError::NotACommit { reference: self.request.reference.to_string(), kind }
            }
            error => error,
        }
    }

    /// A server that refuses a commit id says so in words of its own.
    fn unreachable(&self, error: GitError) -> GitError {
        match (&self.request.reference, error) {
            (GitRef::Commit(id), GitError::Protocol { .. } | GitError::AccessRefused { .. }) => {
                GitError::CommitUnreachable { sha: id.to_string() }
            }
            (_, error) => error,
        }
    }

    fn list_refs(&self) -> Result<Vec<RemoteRef>, GitError> {
        let refs = self.session()?.refs(&["refs/heads/".to_owned(), "refs/tags/".to_owned()])?;
        let limit = self.request.limits.refs;
        if refs.len() > limit {
            return Err(GitError::too_large(Cap::Refs, limit as u64));
        }
        Ok(refs.into_iter().map(|(name, found)| RemoteRef { name, oid: Oid(found.target) }).collect())
    }

    fn open(&self, commit: Oid) -> Result<Option<Arc<dyn Snapshot>>, GitError> {
        let known = self.client.stores.lock().unwrap_or_else(PoisonError::into_inner).get(&self.key).cloned();
        let store = match known {
            Some(store) => Some(store),
            None => {
                let _lock = Lock::wait(&self.client.cache.join(format!("{}.lock", self.key)), &self.budget)?;
                Store::newest(&self.client.cache.join(&self.key))?
            }
        };
        let Some(store) = store else { return Ok(None) };
        let found = MirrorSnapshot::open(&store, &self.request.limits, commit.0)?;
        Ok(found.map(|snapshot| Arc::new(snapshot) as Arc<dyn Snapshot>))
    }
}

fn fetched(snapshot: MirrorSnapshot, downloaded: bool) -> Fetched {
    Fetched { commit: snapshot.commit().clone(), downloaded, snapshot: Arc::new(snapshot) }
}

//! One call of the client in progress: the mirror's lock, the conversation with the server, the snapshot.

use std::sync::{Arc, PoisonError};

use gix_transport::client::blocking_io::Transport;
use sha2::{Digest, Sha256};

use crate::budget::Budget;
use crate::client::{Client, Fetched, RemoteRef, Request};
use crate::error::{Cap, GitError};
use crate::http;
use crate::mirror::{Lock, Store, hex, lock_path};
use crate::oid::Oid;
use crate::reference::GitRef;
use crate::session::{Advertised, Session};
use crate::snapshot::{MirrorSnapshot, Snapshot};
use crate::ssh;
use crate::url::Scheme;

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
pub(crate) struct Call<'a> {
    client: &'a Client,
    request: &'a Request,
    key: String,
    budget: Arc<Budget>,
}

impl<'a> Call<'a> {
    /// Runs `work` in a new call. If it fails on a damaged mirror or on what the host said the last time, it is run once
    /// more: damage has the mirror replaced, and the host is asked again.
    pub(crate) fn run<T>(
        client: &'a Client,
        request: &'a Request,
        work: impl Fn(&Self) -> Result<T, GitError>,
    ) -> Result<T, GitError> {
        let call = Self::start(client, request)?;
        match work(&call) {
            Err(
                GitError::Protocol { .. }
                | GitError::NotFound { .. }
                | GitError::Redirected { .. }
                | GitError::Http { .. },
            ) if call.budget.greeted_from_memory() => {
                client.pool.forget_greeting(&call.key);
                work(&Self::start(client, request)?)
            }
            Err(GitError::Corrupt { .. }) => work(&Self::start(client, request)?),
            result => result,
        }
    }

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

    pub(crate) fn fetch(&self) -> Result<Fetched, GitError> {
        let lock = Lock::wait(&lock_path(&self.client.cache, &self.key), &self.budget)?;
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
            return ssh::transport(runtime.handle(), &self.client.dialer, url, credentials, &self.budget);
        }
        let host = http::Host {
            runtime: runtime.handle().clone(),
            dialer: Arc::clone(&self.client.dialer),
            pool: Arc::clone(&self.client.pool),
            key: self.key.clone(),
            tls: self.client.tls(trust)?,
            url: url.clone(),
            authorization: credentials.authorization()?,
            credentials: credentials.clone(),
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

    pub(crate) fn list_refs(&self) -> Result<Vec<RemoteRef>, GitError> {
        let refs = self.session()?.refs(&["refs/heads/".to_owned(), "refs/tags/".to_owned()])?;
        let limit = self.request.limits.refs;
        if refs.len() > limit {
            return Err(GitError::too_large(Cap::Refs, limit as u64));
        }
        Ok(refs.into_iter().map(|(name, found)| RemoteRef { name, oid: Oid(found.target) }).collect())
    }

    pub(crate) fn open(&self, commit: Oid) -> Result<Option<Arc<dyn Snapshot>>, GitError> {
        let known = self.client.stores.lock().unwrap_or_else(PoisonError::into_inner).get(&self.key).cloned();
        let store = if known.is_some() {
            known
        } else {
            let _lock = Lock::wait(&lock_path(&self.client.cache, &self.key), &self.budget)?;
            Store::newest(&self.client.cache.join(&self.key))?
        };
        let Some(store) = store else { return Ok(None) };
        // One value per generation: whoever retires it must wait for all of its readers.
        let mut stores = self.client.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let store = Arc::clone(stores.entry(self.key.clone()).or_insert(store));
        drop(stores);
        let found = MirrorSnapshot::open(&store, &self.request.limits, commit.0)?;
        Ok(found.map(|snapshot| Arc::new(snapshot) as Arc<dyn Snapshot>))
    }
}

fn fetched(snapshot: MirrorSnapshot, downloaded: bool) -> Fetched {
    Fetched { commit: snapshot.commit().clone(), downloaded, snapshot: Arc::new(snapshot) }
}

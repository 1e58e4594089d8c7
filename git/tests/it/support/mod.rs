//! Repositories, servers and requests for the tests.

mod http;
mod pack;
mod repo;
mod ssh;

use std::net::IpAddr;
use std::sync::Arc;

use git::{AddressPolicy, Client, Credentials, GitRef, Limits, RepoPath, Request, Resolver, Trust};
use tempfile::TempDir;

pub(crate) use http::{Answer, Server};
pub(crate) use pack::delta_bomb;
pub(crate) use repo::Repo;
pub(crate) use ssh::{SshServer, new_key, openssh};

/// A resolver that knows the names of the tests: `*.test` is this machine, and others as listed.
pub(crate) struct Names(pub(crate) Vec<(&'static str, Vec<IpAddr>)>);

impl Resolver for Names {
    fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        if let Some((_, addresses)) = self.0.iter().find(|(name, _)| *name == host) {
            return Ok(addresses.clone());
        }
        if host.split('.').next_back() == Some("test") {
            Ok(vec![[127, 0, 0, 1].into()])
        } else {
            Err(std::io::Error::other("no such name"))
        }
    }
}

/// A client with a cache of its own that may dial `git.test`.
pub(crate) struct Setup {
    pub(crate) client: Client,
    pub(crate) cache: TempDir,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self::with(AddressPolicy { allow_hosts: vec!["git.test".into()], ..AddressPolicy::default() }, vec![])
    }

    pub(crate) fn with(policy: AddressPolicy, names: Vec<(&'static str, Vec<IpAddr>)>) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let client = Client::with_resolver(cache.path(), policy, Arc::new(Names(names))).unwrap();
        Self { client, cache }
    }
}

/// A request for `branch` of a repository on `server`.
pub(crate) fn request(server: &Server, repo: &str, branch: &str) -> Request {
    Request {
        url: server.url(repo).parse().unwrap(),
        reference: GitRef::branch(branch).unwrap(),
        credentials: Credentials::None,
        trust: Trust::with_ca(server.ca()).unwrap(),
        limits: Limits::default(),
    }
}

pub(crate) fn path(text: &str) -> RepoPath {
    RepoPath::parse(text).unwrap()
}

/// All files under `at` as (path, text).
pub(crate) fn texts(snapshot: &dyn git::Snapshot, at: &str) -> Vec<(String, String)> {
    let files = snapshot.files(&[path(at)], &|_| true).unwrap().files;
    files.into_iter().map(|f| (f.path.to_string(), String::from_utf8(f.bytes).unwrap())).collect()
}

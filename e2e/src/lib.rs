//! What the tests on a real cluster share: the cluster, a namespace for each test, the git host, and waiting.
//!
//! The tests run against whatever cluster `KUBECONFIG` names, with Keelway installed (`make e2e` sees to both). Every
//! test works in namespaces of its own and takes them away when it succeeds; those of a failed test stay to be looked at.

pub mod app;
pub mod config_repo;
pub mod git_host;
pub mod kubectl;
pub mod namespace;
pub mod traffic;
pub mod wait;

pub use app::runs;
pub use git_host::{GitHost, Repo};
pub use namespace::Space;
pub use wait::eventually;

/// An environment variable that `keelway-cluster env` prints.
///
/// # Errors
/// When it is not set; the message says how to set it.
pub fn setting(name: &str) -> anyhow::Result<String> {
    std::env::var(name).map_err(|_| {
        anyhow::anyhow!("{name} is not set; run `make e2e`, or eval \"$(hack/cluster.sh env)\" first")
    })
}

/// The example image of the local registry: an HTTP server with knobs (see `e2e/images/hello`).
///
/// # Errors
/// When the registry is not known.
pub fn hello(tag: &str) -> anyhow::Result<String> {
    Ok(format!("{}/keelway/hello:{tag}", setting("REGISTRY")?))
}

//! Controllers: each gathers a World, asks the crate `plan`, hands the Plan to the writer, and writes the status.

mod app;
pub mod config_repo;
mod environment;
mod queue;
mod run_once;
mod runner;

pub use queue::{Key, Queue, Queues};
pub use runner::{Controller, run};

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use config_repo::ConfigRepos;

/// Starts every controller; each ends, its running reconciles finished, after `stop`.
pub fn start(context: &Context, repos: ConfigRepos, tasks: &mut JoinSet<()>, stop: &CancellationToken) {
    let queues = &context.queues;
    tasks.spawn(run(repos, queues.config_repos.clone(), context.clone(), stop.clone()));
    tasks.spawn(run(app::Apps, queues.apps.clone(), context.clone(), stop.clone()));
    let environments = environment::Environments::default();
    tasks.spawn(run(environments, queues.environments.clone(), context.clone(), stop.clone()));
    tasks.spawn(run(run_once::Runs::default(), queues.runs.clone(), context.clone(), stop.clone()));
}

/// Objects of a store as plain data for a World.
fn owned<K: Clone>(objects: Vec<Arc<K>>) -> Vec<K> {
    objects.into_iter().map(Arc::unwrap_or_clone).collect()
}

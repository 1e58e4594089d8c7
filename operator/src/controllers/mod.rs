//! Controllers: each gathers a World, asks the crate `plan`, hands the Plan to the writer, and writes the status.

mod queue;
mod runner;

pub use queue::{Key, Queue, Queues};
pub use runner::{Controller, run};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::context::Context;

/// Starts every controller; each ends, its running reconciles finished, after `stop`.
pub fn start(context: &Context, tasks: &mut JoinSet<()>, stop: &CancellationToken) {
    // One line per kind: tasks.spawn(run(TheController, context.queues.its_kind.clone(), context.clone(), stop.clone()));
    let _ = (context, tasks, stop);
}

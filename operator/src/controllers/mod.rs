//! Controllers: each gathers a World, asks the crate `plan`, hands the Plan to the writer, and writes the status.

mod queue;
mod runner;

pub use queue::{Key, Queue, Queues};
pub use runner::{Controller, run};

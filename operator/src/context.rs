//! What every controller is given. No globals, no environment variables after the start.

use std::sync::Arc;

use jiff::Timestamp;
use kube::Client;

use crate::apply::Writer;
use crate::controllers::Queues;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::sources::Stores;

/// What every controller is given; a cheap handle.
#[derive(Clone)]
pub struct Context {
    /// Reads only. Writes go through `writer`.
    pub client: Client,
    /// The only writer.
    pub writer: Writer,
    /// What the cluster holds, as watched, never older than our own writes.
    pub stores: Arc<Stores>,
    /// Wakes reconciles by key, of any kind.
    pub queues: Queues,
    /// What is counted.
    pub metrics: Metrics,
    /// Settings of the process.
    pub settings: Arc<Settings>,
    /// The clock.
    pub now: fn() -> Timestamp,
}

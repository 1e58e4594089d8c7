//! What every controller is given. No globals, no environment variables after the start.

use std::sync::Arc;

use jiff::Timestamp;
use kube::Client;
use plan::sizes::Sizes;

use crate::apply::Writer;
use crate::controllers::Queues;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::sources::{Registries, Stores};

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
    /// The sizes of pods by name.
    pub sizes: Arc<Sizes>,
    /// Where the router answers, if there is one.
    pub public: Option<crds::domain::PublicUrl>,
    /// Looks tags up in registries.
    pub registries: Registries,
    /// Settings of the process.
    pub settings: Arc<Settings>,
    /// The clock.
    pub now: fn() -> Timestamp,
}

//! Facts: watches of the cluster, git, registries, webhooks. A fact only wakes a key.

pub mod git;
mod logs;
mod managed;
mod objects;
mod references;
mod registry;
mod sizes;
mod store;
mod stores;
mod wake;
mod watch;

pub use git::Fetcher;
pub use logs::Logs;
pub(crate) use managed::Index as ManagedIndex;
pub use managed::Managed;
pub use references::{Reader, Readers};
pub use registry::Registries;
pub use sizes::load as load_sizes;
pub use store::{Change, Store};
pub use stores::Stores;
pub use watch::{Sync, Watches};

//! Facts: watches of the cluster, git, registries, webhooks. A fact only wakes a key.

mod store;
mod stores;
mod watch;

pub use store::{Change, Store};
pub use stores::Stores;
pub use watch::{Sync, Watches};

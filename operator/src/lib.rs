//! The operator: what enters are facts ([`sources`]), what leaves are writes ([`apply`]).
//!
//! Every product rule stands in the crate `plan`, which is pure; [`controllers`] only gather a World, ask for a
//! Plan, hand it to the one [`apply::Writer`] and write the status that follows.

pub mod apply;
pub mod context;
pub mod controllers;
pub mod lease;
pub mod metrics;
pub mod run;
pub mod server;
pub mod settings;
pub mod sources;
pub mod telemetry;
pub mod webhook;

pub use apply::{Identity, Writer};
pub use context::Context;
pub use settings::Settings;

//! A masked copy of a Postgres database: consistent, fast, and closed to every column that its policy does not decide.
//!
//! In go a source, a target, a [`masking::Policy`] and a key; out come a database and a signed [`report::Report`].
//! [`copy::copy`] runs a copy with a stream of [`progress::Event`]s and can be cancelled.
//!
//!
//! What is read is locked first, then seen through one exported snapshot; what is masked is masked before it reaches a
//! disk; what fails leaves nothing that could be mistaken for good.

pub mod advice;
mod analyze;
pub mod catalog;
pub mod claim;
pub mod clone;
pub mod conn;
pub mod copy;
mod crew;
pub mod error;
pub mod grants;
pub mod leak;
pub mod mark;
mod pipe;
pub mod plan;
mod post;
pub mod progress;
mod rate;
pub mod report;
pub mod schema;
pub mod snapshot;
pub mod sql;
pub mod subset;
pub mod target;
pub mod verify;
mod wire;

pub use conn::Endpoint;
pub use copy::{CopyOptions, copy};
pub use error::{Error, Result};

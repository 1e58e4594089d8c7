//! The rules of Keelway. Pure: no I/O, no async, no clock.
//!
//! What enters is a World: everything that one decision needs, as plain data, `now` included. What leaves is a
//! [`Plan`]: steps for the writer, events, and when to look again. After the writer has carried the steps out, the
//! status is derived, purely again, from the World and from what the cluster answered ([`Applied`]).

pub mod app;
pub mod condition;
pub mod config_repo;
pub mod environment;
pub mod matching;
pub mod object;
pub mod refusal;
pub mod requeue;
pub mod run;
pub mod sizes;
pub mod step;

pub use object::{Manifest, ObjectKey};
pub use refusal::{Class, Refusal};
pub use step::{Answer, Applied, Delete, Event, EventKind, Outcome, Plan, Step};

//! `ConfigRepo`: the rules of keeping a cluster equal to git.
//!
//! What enters: the objects of one commit ([`Source`]), what the API server says of kinds, and what is seen of the
//! applied objects ([`Seen`]). What leaves, stage by stage: objects to have ([`Planned`]), which of them are to be checked
//! and applied ([`todo`]), the inventory before and after ([`inventory`]), what is pruned ([`prune`]), and the status
//! ([`status`]). Everything here is pure; the controller only carries it from stage to stage.

pub mod document;
mod events;
pub mod fields;
pub mod health;
pub mod inventory;
pub mod order;
pub mod owner;
pub mod prune;
pub mod redact;
pub mod seen;
pub mod status;
pub mod todo;

pub use document::{Mistake, Owner, Place, Planned, Scope, Source, duplicates, normalise};
pub use health::{Health, health};
pub use order::Wave;
pub use seen::Seen;
pub use todo::{Todo, todo};

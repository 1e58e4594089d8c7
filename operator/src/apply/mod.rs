//! The only writer to the cluster: a Plan's steps enter, what the cluster answered leaves.

mod deadline;
mod error;
mod events;
mod fence;
mod identity;
mod kinds;
mod patch;
mod request;
#[cfg(feature = "seeded-bugs")]
mod seeded;
mod transport;
mod writer;

pub use error::{Attempt, refusal};
pub use events::Recorder;
pub use fence::{Fence, Held};
pub use identity::{EmptyIdentity, Identity};
pub use kinds::{Kinds, Resource};
pub use transport::write_client;
pub use writer::{Observer, Writer};

//! Builders of an Environment's child objects. What enters is a [`Scope`](super::names::Scope): the Environment and the
//! release whose content is to run; what leaves are typed objects that hold exactly the fields that we decide.

mod disruption;
mod env;
mod job;
pub(crate) mod pod;
mod probe;
mod security;
mod service;
mod workload;

pub use disruption::disruption_budget;
pub use job::{cron_job, release_job, run_job};
pub use service::service;
pub use workload::{deployment, stateful_set};

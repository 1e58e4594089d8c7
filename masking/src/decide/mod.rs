//! Policy + schema → decisions, or every problem at once. Fails closed.

use crate::decisions::Decisions;
use crate::policy::Policy;
use crate::problem::{Code, Problem};
use crate::schema::Schema;

/// Decides every column.
///
/// # Errors
/// All problems at once (warnings among them) when at least one is an error.
pub fn decide(_policy: &Policy, _schema: &Schema) -> Result<Decisions, Vec<Problem>> {
    Err(vec![Problem::error(Code::BadRule, "decisions are still being built")])
}

//! Why something cannot go on, and whose move it is.

use crds::Reason;
use serde::Serialize;

/// Whose move it is. The requeue policy depends on nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Class {
    /// Something is on its way; a watch will tell.
    Waiting,
    /// A person must change something; a watch will tell.
    NeedsUser,
    /// It may work the next time.
    Transient,
}

/// Why something cannot go on. The message names the cure and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Whose move it is.
    pub class: Class,
    /// Why, as one word.
    pub reason: Reason,
    /// Why and what to do, in words.
    pub message: String,
}

impl Refusal {
    /// Something is on its way.
    pub fn waiting(reason: Reason, message: impl Into<String>) -> Self {
        Self { class: Class::Waiting, reason, message: message.into() }
    }

    /// A person must change something.
    pub fn needs_user(reason: Reason, message: impl Into<String>) -> Self {
        Self { class: Class::NeedsUser, reason, message: message.into() }
    }

    /// It may work the next time.
    pub fn transient(message: impl Into<String>) -> Self {
        Self { class: Class::Transient, reason: Reason::Retrying, message: message.into() }
    }
}

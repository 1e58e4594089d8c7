//! The Plan: what the writer is to do, in order; and Applied: what the cluster answered.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::object::{Manifest, ObjectKey};
use crate::refusal::Refusal;

/// What one decision asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Writes, in order. The writer stops at the first that fails.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// What people should hear of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// When to look again although nothing is seen to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wake: Option<Timestamp>,
}

impl Plan {
    /// Looks again at the earlier of the two times.
    pub fn wake_at(&mut self, at: Timestamp) {
        self.wake = Some(self.wake.map_or(at, |known| known.min(at)));
    }
}

/// One write.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Server-side apply of exactly these fields as `keelway`, forced.
    Apply(Manifest),
    /// The same for an object that is not there yet, not forced: whoever has an object of that name keeps it.
    Make(Manifest),
    /// Create; an object of that name that exists already is a stale view of the cluster, hence transient.
    Create(Manifest),
    /// Server-side apply of `spec.replicas` as `keelway-scale`. Not forced: a conflict is an answer, not a failure.
    Scale {
        /// The Deployment or StatefulSet.
        object: ObjectKey,
        /// The number of pods.
        replicas: i32,
    },
    /// A merge patch of metadata (labels, annotations, finalizers) of exactly this object as it was seen.
    Label {
        /// The object.
        object: ObjectKey,
        /// Its uid; another object of the same name is left alone.
        uid: String,
        /// Its resourceVersion where the write depends on what was seen.
        resource_version: Option<String>,
        /// The merge patch, an object with `metadata` alone.
        patch: Value,
    },
    /// A server-side apply of the status as `keelway`, for a status that must be written before later steps.
    Status {
        /// The object.
        object: ObjectKey,
        /// Its uid.
        uid: String,
        /// The whole status.
        status: Value,
    },
    /// Delete exactly this object as it was seen.
    Delete(Delete),
}

impl Step {
    /// The object that it writes.
    pub fn key(&self) -> ObjectKey {
        match self {
            Self::Apply(manifest) | Self::Make(manifest) | Self::Create(manifest) => manifest.key(),
            Self::Scale { object, .. } | Self::Label { object, .. } | Self::Status { object, .. } => {
                object.clone()
            }
            Self::Delete(delete) => delete.object.clone(),
        }
    }
}

/// Delete exactly this object as it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delete {
    /// The object.
    pub object: ObjectKey,
    /// Its uid.
    pub uid: String,
    /// Its resourceVersion.
    pub resource_version: String,
}

/// Something that people should hear of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Whether it is as expected.
    pub kind: EventKind,
    /// One word for programs.
    pub reason: String,
    /// What happened and what to do, in words; no secret.
    pub message: String,
}

/// Whether an event is as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum EventKind {
    /// As expected.
    Normal,
    /// Deserves a look.
    Warning,
}

/// What the cluster answered, a line for each step that was sent, in order.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// The answers; shorter than the steps when one failed.
    pub answers: Vec<Answer>,
}

impl Applied {
    /// The refusal of the step that failed, if one did.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.answers.iter().find_map(|answer| answer.outcome.as_ref().err())
    }

    /// The object as the cluster holds it after its last step.
    pub fn object(&self, key: &ObjectKey) -> Option<&Value> {
        self.answers.iter().rev().filter(|answer| &answer.key == key).find_map(|answer| {
            match &answer.outcome {
                Ok(Outcome::Object(value)) => Some(value),
                _ => None,
            }
        })
    }
}

/// What became of one step.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The object that it wrote.
    pub key: ObjectKey,
    /// How it ended.
    pub outcome: Result<Outcome, Refusal>,
}

/// How a step ended well.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The object as the cluster now holds it.
    Object(Value),
    /// The object is gone, or was already.
    Gone,
    /// Somebody else set the field, which is honoured: who.
    Conflict(String),
}

//! The facts of one tick.
use crate::signals::Report;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Everything one decision may look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// The time; the law has no clock.
    pub now: Timestamp,
    /// The release that runs; how long a request takes is learned per release.
    pub release: String,
    /// `spec.replicas` as last read.
    pub replicas: u32,
    /// One report per router; a router that says nothing must still be named, its silence is a fact.
    pub reports: Vec<Report>,
    /// Pods by what they can do.
    pub pods: Pods,
    /// Durations of the latest starts (request for a pod until it is ready), in seconds, newest last.
    pub cold_starts: Vec<f32>,
    /// What the node says about the pods.
    pub hints: Hints,
    /// The last change of replicas that was not ours.
    pub foreign: Option<ForeignChange>,
    /// Somebody waits for a sleeping process.
    pub wake: bool,
}

/// Pods of one process.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Pods {
    /// Ready to serve.
    pub ready: u32,
    /// When each pod that is not ready yet was asked for.
    pub starting: Vec<Timestamp>,
    /// On their way out; they take no new requests.
    pub terminating: u32,
}

/// Signs that more pods of the same size are the wrong answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Hints {
    /// Share of CPU periods in which the pods were throttled, 0 to 1.
    pub cpu_throttled: Option<f64>,
    /// Memory used of its limit, 0 to 1.
    pub memory: Option<f64>,
}

/// A change of replicas made by a person or by another program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignChange {
    /// The replicas that were set.
    pub replicas: u32,
    /// The replicas before, if they are known; they tell an increase from a decrease even when the news comes late.
    #[serde(default)]
    pub from: Option<u32>,
    /// Who set them (the field manager or the user).
    pub by: String,
    /// Why, if they said so.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
    /// For how long it counts, in seconds; the constant `override_ttl` when absent.
    pub ttl_seconds: Option<u32>,
}

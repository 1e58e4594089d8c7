//! A decision and its reason, as data; [`crate::words`] turns it into a sentence.
use serde::{Deserialize, Serialize};

/// What the law decided in one tick.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The replicas to have.
    pub replicas: u32,
    /// Why.
    pub reason: Reason,
    /// What a person should know.
    pub conditions: Vec<Condition>,
    /// Look again after so many seconds even if nothing is reported.
    pub next_seconds: f64,
}

/// Why a number of replicas was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// The signal that asked for the most pods.
    pub trigger: Trigger,
    /// The terms of the formula.
    pub terms: Terms,
    /// What bound the demand, if anything did.
    pub limit: Option<Limit>,
}

/// The signal behind a demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trigger {
    /// No demand at all.
    Idle,
    /// Arrivals × healthy service time, with square-root safety.
    Arrivals,
    /// Arrivals against the requests per minute of one pod.
    RequestsPerMinute,
    /// Arrivals extrapolated to the end of a cold start.
    Slope,
    /// Requests that already wait, or will by the end of a cold start.
    Backlog,
    /// The arrivals of the last few seconds alone.
    Panic,
    /// p95 above its target while requests wait.
    Latency,
    /// A step that is tried because the downstream has been slow for so long.
    Trial,
}

/// The formula's terms, in the units of their names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// First tries plus (capped) retries per second.
    pub arrivals_per_second: f64,
    /// Forecast for the end of a cold start.
    pub forecast_per_second: f64,
    /// Healthy service time S₀ in seconds, if known.
    pub service_seconds: Option<f64>,
    /// Slots per pod, declared or learned.
    pub slots: f64,
    /// The safety factor β in force.
    pub beta: f64,
    /// Requests waiting now, or expected to at the end of a cold start.
    pub backlog: f64,
    /// Open streams, each of which keeps a slot.
    pub streams: f64,
    /// Pods for the arrivals with safety.
    pub steady: u32,
    /// Pods for what is urgent: panic, slope, backlog, latency.
    pub urgent: u32,
    /// Pods after holds and damping, before the limits.
    pub demand: u32,
    /// The cold start assumed, in seconds.
    pub cold_start_seconds: f64,
}

/// What bound a demand, in the order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// The hard maximum.
    Maximum,
    /// Asleep.
    Sleep,
    /// A person's ceiling.
    ForeignCeiling,
    /// A person's floor.
    ForeignFloor,
    /// A schedule's minimum.
    Schedule,
    /// The minimum.
    Minimum,
    /// Scaling in is forbidden for now.
    Hold(HoldReason),
    /// Scaling in waits for its window or goes in steps.
    Damping,
    /// The change is too small to be worth it.
    Tolerance,
}

/// Why scaling in is forbidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HoldReason {
    /// Timeouts above 0.5% of arrivals.
    Timeouts,
    /// Fewer than 95% of arrivals are completed.
    Completions,
    /// Requests wait.
    Backlog,
    /// An urgent demand is not over yet.
    Panic,
    /// A signal is missing, stale, not a number, or contradicts another.
    SignalsUnknown,
}

/// What a person should know about a process; the Kubernetes condition of the same name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Condition {
    /// Requests take longer inside the process although it has room: more pods would not help.
    DownstreamSlow {
        /// p50 of the service time over its healthy value.
        slowdown: f64,
        /// Busy slots when it was noticed.
        busy: f64,
        /// Busy slots that the arrivals would need when healthy.
        expected_busy: f64,
        /// Completions per second when it was noticed.
        completions: f64,
    },
    /// Replicas are not lowered because signals are missing or wrong.
    SignalsUnknown {
        /// What is wrong with them.
        why: Unknown,
    },
    /// A person's or another program's change is honoured.
    Overridden {
        /// Who.
        by: String,
        /// Why, if they said so.
        reason: Option<String>,
        /// Their number.
        replicas: u32,
        /// A floor, or a ceiling.
        floor: bool,
        /// Seconds until it ends.
        left_seconds: f64,
        /// A ceiling that was set aside because requests suffered for two minutes.
        yielded: bool,
    },
    /// More pods are wanted than the maximum allows.
    AtMaximum {
        /// Pods wanted.
        wanted: u32,
    },
    /// A bigger pod would help more than another one.
    ScaleUpAdvised {
        /// The sign seen.
        why: ScaleUpSign,
    },
    /// Pods were seen full with fewer requests at once than `concurrency` declares; the number seen is counted with.
    FewerSlots {
        /// Slots declared.
        declared: f64,
        /// Slots seen.
        seen: f64,
    },
    /// More pods did not lower the latency twice; the latency target is set aside for a while.
    LatencyBlocked {
        /// Pods beyond which the latency did not fall.
        saturation: u32,
        /// Seconds until it is tried again.
        left_seconds: f64,
    },
}

/// What is wrong with the signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unknown {
    /// No router reports at all, or one that did before is gone.
    Missing,
    /// A router's newest bucket is older than 30 s.
    Stale,
    /// A value is not a number, negative or impossibly large.
    NotANumber,
    /// Values that cannot be true together.
    Contradictory,
    /// A router left out seconds, so sums over the window are too small.
    Gap,
}

/// A sign that a bigger pod would help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScaleUpSign {
    /// CPU is throttled.
    CpuThrottled,
    /// Memory above 85% of its limit at two pods or fewer.
    Memory,
    /// Single requests are slower than the target although the pods have room.
    SlowAlone,
}

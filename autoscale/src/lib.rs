//! The scaling law: what enters is one [`Input`] (signals of the routers, pods, people's changes, the time), what
//! leaves is one [`Decision`] (replicas, the reason as data, conditions, when to look again).
//!
//! The crate is pure: no I/O, no clock, no async. Everything that the law remembers is in [`State`], a plain value
//! that can be written to JSON and read back, so a restart continues as if nothing had happened.
//!
//! The order of one decision, each step a file of its own:
//!
//! 1. [`window`]: merge the routers' one-second buckets; decide whether the signals can be trusted.
//! 2. [`baseline`]: learn how long a request takes when nothing is wrong (S₀), per release.
//! 3. [`downstream`]: is it our pods that are slow ([`throttle`]), or something behind them? ([`trial`]: or is it just how it is now?)
//! 4. [`forecast`] and [`demand`]: pods for the arrivals of now, of the cold start's end, and for the backlog.
//! 5. [`latency`]: pods for a p95 target, and the proof that earlier steps helped.
//! 6. [`hold`] and [`damping`]: what forbids scaling in, and how fast it may go.
//! 7. [`limits`] (with [`schedule`] and [`foreign`]): maximum, sleep, people, schedules, minimum.
//!
//! Numbers come from [`Constants`]; each says where it comes from.
#![allow(
    clippy::cast_precision_loss, // counts below 2^52 are exact as f64
    clippy::cast_possible_truncation, // `as` saturates from floats, and every use is clamped
    clippy::cast_sign_loss,
    reason = "the law mixes counts and rates; the conversions are saturating and tested by fuzzing"
)]

pub mod baseline;
mod constants;
pub mod damping;
mod decide;
pub mod demand;
pub mod downstream;
pub mod forecast;
pub mod foreign;
pub mod hold;
mod input;
pub mod latency;
pub mod limits;
mod math;
mod output;
pub mod pod_size;
mod reading;
pub mod schedule;
mod settings;
mod signals;
mod sleep;
mod slots;
mod state;
pub mod throttle;
pub mod trial;
pub mod window;
mod words;

pub use constants::Constants;
pub use decide::decide;
pub use input::{ForeignChange, Hints, Input, Pods};
pub use output::{Condition, Decision, HoldReason, Limit, Reason, ScaleUpSign, Terms, Trigger, Unknown};
pub use schedule::{Schedule, Weekday};
pub use settings::{ScaleToZero, Settings, SettingsError};
pub use signals::{Bucket, Histogram, Report};
pub use state::State;

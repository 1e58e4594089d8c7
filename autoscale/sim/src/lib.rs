//! A trace-driven simulator: requests, pods, routers, cold starts, timeouts, retries and a downstream, deterministic by
//! seed; the laws of every peer; an oracle; and the figures that hold them against each other.
//!
//! The library is pure; the program `autoscale-sim` reads CSV and writes tables and pictures.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a simulation mixes counts and rates; all are far below the limits of their types"
)]
#![allow(missing_docs, reason = "an internal tool; items whose name does not say it all are documented")]

pub mod bench;
pub mod compare;
pub mod csv;
pub mod fleet;
pub mod law;
pub mod oracle;
pub mod peers;
pub mod requests;
pub mod rng;
pub mod score;
pub mod speed;
pub mod svg;
pub mod table;
pub mod trace;
pub mod traces;
pub mod world;

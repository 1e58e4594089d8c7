//! The rules of Apps and Environments: cases with snapshots, stories over a simulated cluster, and the property that
//! everything comes to rest, whatever happens in whatever order.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod cases;
mod convergence;
mod sim;
mod stories;

//! The client against the real `git`: repositories made by its CLI, served over HTTPS and SSH from this process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests are tests

mod support;

mod answers;
mod caps;
mod fetching;
mod hostile_trees;
mod latency;
mod mirrors;
mod secrets;
mod ssh;
mod ssrf;

//! A control plane of its own, a proxy as the operator's only way to it, and the operator as a process that is ended
//! or paused at a chosen write. The programs `crash-matrix` and `lease-trials` are built from these parts.
// These programs speak to people at a terminal and to CI.
#![allow(clippy::print_stdout, clippy::print_stderr)]

pub mod api;
pub mod control_plane;
pub mod git_server;
pub mod matrix;
pub mod operator;
pub mod point;
pub mod port;
pub mod proxy;
pub mod scenario;
pub mod snapshot;

//! The client against the real `git`: repositories made by its CLI, served over HTTPS and SSH from this process.

mod support;

mod fetching;

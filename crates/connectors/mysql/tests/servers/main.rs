//! Tests against real servers. They need `dev/servers up` of all that `dev/servers list` names, and fail without it.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "functions shared by tests fail the test; clippy.toml allows that only inside the test functions"
)]

mod catalog;
mod charsets;
mod collations;
mod conformance;
mod copy;
mod loading;
mod server;
mod wire;

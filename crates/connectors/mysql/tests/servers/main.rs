//! Tests against real servers. They need `dev/servers up mysql97 mariadb1011 seekdb`, and fail without it.

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
mod server;
mod wire;

//! Full-Verification of real servers. They need `dev/servers up mysql97 mariadb1011 seekdb`, and fail without it.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "functions shared by tests fail the test; clippy.toml allows that only inside the test functions"
)]

mod corrections;
mod equal;
mod live;
#[path = "../../../full-import/tests/servers/pair.rs"]
mod pair;
mod planted;
mod verify;

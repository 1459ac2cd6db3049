//! Conversion against real servers: what is converted can be made there, and reads back as it was converted. Needs
//! `dev/servers up mysql97 mariadb1011 mariadb118 seekdb`, and fails without it.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "functions shared by tests fail the test; clippy.toml allows that only inside the test functions"
)]

mod abilities;
mod corpus;
mod server;
mod statements;
mod tables;

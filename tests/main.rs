//! End-to-end tests: the real binary between real servers.
//!
//! They need `dev/servers up mysql97 mariadb1011 seekdb` (`make test` does it) and fail without. Every test has
//! databases of its own, so they run in parallel; whatever they compare, they compare by statements of their own
//! (`harness/compare.rs`), not by Whimbrel's verification.

#![expect(clippy::panic, reason = "a harness fails the test that uses it by a panic")]

mod harness;


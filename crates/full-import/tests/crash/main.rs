//! Full-Import against servers in memory that fail at every single call: connections that are lost before or after
//! an effect, commits whose outcome comes late, processes that stop or vanish.
//!
//! After each schedule the target holds every row exactly once and the counters say so.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "functions shared by tests fail the test; clippy.toml allows that only inside the test functions"
)]

mod memory;
mod schedules;

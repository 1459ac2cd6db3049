//! The whole way of a migration in memory: Store, Full-Import, Incr-Sync and Full-Verification between two simulated
//! servers, while an application writes, connections break, disks fail, and processes die and go on.
//!
//! One seed is one schedule, exactly: a single thread, a clock that moves only when everybody waits, and every decision
//! drawn from the seed's generator. What is simulated, which faults there are and how to repeat a failure stands in
//! `docs/dev/simulation.md`.
//!
//! | file | what for |
//! |---|---|
//! | `schedule.rs` | processes one after the other, until everything is at the target |
//! | `life.rs`, `route.rs` | one process: the steps of `whimbrel migrate` |
//! | `plan.rs` | what a seed decides beforehand |
//! | `director.rs` | what goes wrong at which call; the record |
//! | `world.rs`, `disk.rs` | what outlives a process |
//! | `application.rs`, `tables.rs` | who writes to the source, and into what |
//! | `check.rs` | what must be true at the end |
//! | `mutations.rs` | a program of its own: is each deliberate bug found? |
//!
//! Like the binary it wires components to connectors; nothing else depends on it.

mod application;
mod check;
mod director;
mod disk;
#[path = "../../store/tests/support/faulty.rs"]
mod faulty;
mod life;
mod plan;
mod route;
mod schedule;
pub mod seeds;
mod tables;
mod world;

pub use schedule::{Failed, Passed, run};

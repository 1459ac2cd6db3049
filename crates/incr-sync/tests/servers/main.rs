//! Incr-Sync against real targets: `dev/servers up mysql97 seekdb`. Every test has a database of its own and a
//! made log, so what must come out is known exactly.

#![expect(clippy::panic, reason = "a harness fails the test that uses it by a panic")]

mod crash;
mod ddl;
mod faults;
mod foreign;
mod foreign_keys;
mod history;
mod hold;
mod keys;
mod large;
mod overlap;
mod parked;
mod script;
mod server;
mod stored;
mod workload;

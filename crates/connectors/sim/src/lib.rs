//! A database in memory behind the seams of every other connector: for tests of everything that stands on them.
//!
//! What it has: tables with and without keys, unique keys in which NULLs don't meet, transactions with locks, statements
//! that write all or nothing, state entries with epochs, a log with positions, DDL with its effects, consistent views.
//! It passes the conformance suite (`tests/conformance.rs`).
//!
//! What goes wrong is decided call by call by a [`Hook`]: a connection is lost before or after the work, a commit goes
//! on after its connection was lost, an answer comes late or never. Nothing in here is random: the same calls with the
//! same decisions have the same outcome, in the same virtual time.
//!
//! What it doesn't do: collations (text is compared by its bytes), types besides integers, text and bytes, digests,
//! foreign keys, triggers, GTIDs; SQL is the little that `sql.rs` reads.
//!
//! | file | what for |
//! |---|---|
//! | `server.rs` | [`SimServer`]: one database; what tests ask it and do to it |
//! | `hook.rs`, `random.rs` | what happens to a call; a seeded generator |
//! | `clock.rs` | time that goes on over several runtimes |
//! | `database.rs`, `table.rs`, `transaction.rs`, `locks.rs` | rows, transactions, locks |
//! | `row.rs` | cells, their order, what a column takes |
//! | `log.rs`, `log_reader.rs` | the log and its reader |
//! | `session.rs`, `rows.rs`, `writer.rs` | writing |
//! | `snapshot.rs`, `catalog.rs`, `endpoint.rs` | the other seams |
//! | `sql.rs`, `parse.rs` | statements |

mod catalog;
mod clock;
mod database;
mod endpoint;
mod hook;
mod locks;
mod log;
mod log_reader;
mod parse;
mod random;
mod row;
mod rows;
mod server;
mod session;
mod snapshot;
mod sql;
mod table;
mod transaction;
mod writer;

pub use clock::SimClock;
pub use endpoint::SimEndpoint;
pub use hook::{Call, Fate, Hook, NoFaults};
pub use random::Random;
pub use row::Row;
pub use server::{Edit, SimServer};
pub use session::SimSession;

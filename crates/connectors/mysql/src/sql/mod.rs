//! SQL between batches and servers of the MySQL family: literals and fields out of cells, cells out of text rows, keys as
//! conditions, and the settings without which neither is exact.
//!
//! What it guarantees: a value that goes out as a literal and comes back as a cell is the same value, bit for bit,
//! in a session prepared by [`session`]. Nothing here talks to a server but [`session::prepare`].
//!
//! What it does not do: decide what to send. [`crate::snapshot`] and [`crate::writer`] do.

pub mod cell;
pub mod field;
pub mod fixed_bytes;
pub mod keys;
pub mod literal;
pub mod session;

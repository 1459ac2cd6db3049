//! The binary log of MySQL 5.5 to 9.7 and MariaDB 10.2 to 11.8: bytes in, events and rows out.
//!
//! What it is for: [`Decoder`] reads one event at a time, from a server's dump or a file. A row event
//! ([`RowsEvent`]) is read with a [`TablePlan`], which is made once for a table's version and its TABLE_MAP,
//! straight from the event's bytes into a [`whimbrel_model::ChangeBatch`]: nothing is allocated per row or value.
//!
//! What it guarantees:
//! - Checksums are verified. Damaged, unknown and unsupported bytes are a [`BinlogError`] that names file,
//!   offset and event type; nothing is skipped but what the server itself marks as ignorable.
//! - No input panics, and none allocates more than its own size or the [`Limits`] allow.
//! - Values are what `SELECT` shows: BINARY padded, JSON as MySQL's text, decimals with all digits of the scale.
//!   Text stays in the column's charset.
//!
//! What it does not do: no I/O, no async; it keeps no table definitions, groups no events into transactions
//! and looks into no statement (see [`crate::log`]).
//!
//! # Layout of an event
//! ```text
//! 19 header (`header.rs`)   n type-specific part, its length in the format description   n body   [4 CRC-32]
//! ```
//! The layouts stand beside their readers. Sources: MySQL's source documentation ("Replication: binary log
//! events", `libs/mysql/binlog/event`), MariaDB's knowledge base ("Replication protocol") and the servers.

#![deny(clippy::indexing_slicing)]

mod bytes;
mod cell;
mod collation;
mod compression;
mod decimal;
mod decoder;
mod error;
mod format;
mod gtid;
mod header;
mod json_diff;
mod jsonb;
mod plan;
mod query;
mod rows;
mod table_map;
mod temporal;

pub use bytes::Truncated;
pub use collation::{collation_charset, collation_name};
pub use compression::{PayloadCompression, PayloadStream, TransactionPayload};
pub use decoder::{Decoder, Event, EventData, Limits};
pub use error::{BinlogError, CellError, EventError, PlanError};
pub use format::{Checksum, FormatDescription};
pub use gtid::{AlterPhase, GtidEvent, MariaDbGroup, Xid, encode_set};
pub use header::{EventHeader, FileError, FileEvents, HEADER_LEN, kind};
pub use jsonb::JsonError;
pub use plan::TablePlan;
pub use query::{QueryEvent, SessionState};
pub use rows::{RowsEvent, RowsKind};
pub use table_map::{LogColumn, LogType, TableMap, TableMapEvent};

/// Reads a binary JSON value to the text that MySQL shows; for the fuzz target.
#[doc(hidden)]
pub fn json_text(binary: &[u8]) -> Result<Vec<u8>, CellError> {
    let mut out = Vec::new();
    jsonb::write_text(binary, &mut out)?;
    Ok(out)
}

/// Applies changes to a binary JSON value and gives its text; for the fuzz target.
#[doc(hidden)]
pub fn changed_json_text(before: &[u8], changes: &[u8]) -> Result<Vec<u8>, CellError> {
    let mut out = Vec::new();
    json_diff::write_changed(before, changes, &mut out)?;
    Ok(out)
}

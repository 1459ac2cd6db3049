//! The MySQL client/server protocol, for SQL and for replication, on one connection of our own.
//!
//! What it is for: every byte between Whimbrel and a MySQL, MariaDB or OceanBase server goes through [`Connection`].
//! Statements are sent as text (`COM_QUERY`), rows are read straight out of the receive buffer, and the same
//! connection can be turned into a binlog stream.
//!
//! What it guarantees:
//! - A packet, row or cell is handed out as a slice of the receive buffer; nothing is allocated per packet.
//! - Bytes of the server are never trusted: every length is checked, packets are bounded by
//!   [`ConnectOptions::max_packet`], sequence numbers are checked, and damage is a typed [`WireError`].
//! - A future that is dropped in the middle of a command leaves the connection unusable, never out of step: the next
//!   call fails with [`WireError::Poisoned`].
//! - No file is ever opened for a server. One that asks for a local file gets the bytes that the caller gave for this
//!   very statement, whatever file it names, and nothing at all where the caller gave none.
//! - Passwords live in [`Secret`] and appear in no error, no `Debug` and no log line.
//!
//! What it does not do: prepared statements, protocol compression (`CLIENT_COMPRESS` and zstd are never negotiated),
//! session tracking, unix sockets, reconnecting by itself.
//! Semi-synchronous replication is never switched on, so binlog packets carry no semi-sync header.
//!
//! # Packets
//! ```text
//! 3 bytes  payload length, little endian; 0xffffff means that another part follows
//! 1 byte   sequence number, 0 for a command, counting up through the answer
//! n bytes  payload
//! ```
//! The layouts of the payloads stand beside their parsers. Source: "MySQL Source Code Documentation, Client/Server
//! Protocol" and MariaDB's "Client/Server Protocol"; servers 5.5 to 9.7, MariaDB 10.2 to 11.8, OceanBase 4.x.

mod auth;
mod connection;
mod cursor;
mod error;
mod escape;
mod framing;
mod local_file;
mod login;
mod options;
mod packet;
mod replication;
mod rows;
mod tls;
mod version;

pub use connection::Connection;
pub use error::{StatementError, WireError};
pub use escape::{push_field, push_hex, push_identifier, push_string};
pub use local_file::{FILE_PART, LocalFile};
pub use options::{ConnectOptions, Scheme, Secret, TlsMode, UrlError};
pub use packet::{Column, OkInfo, StatusFlags};
pub use replication::{BinlogDump, BinlogStart, ReplicaIdentity};
pub use rows::{PausedRows, QueryResult, Row, RowStream, TextRow};
pub use version::{Flavor, ServerVersion};

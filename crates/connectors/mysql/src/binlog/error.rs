//! What can be wrong with a binlog, and where.

use super::bytes::Truncated;
use super::jsonb::JsonError;

/// An event that can't be read: which one, and why.
#[derive(Debug, thiserror::Error)]
#[error("event of type {event_type} at {file}:{offset} can't be read")]
pub struct BinlogError {
    /// Name of the log file; empty where the decoder was not told.
    pub file: String,
    /// Where the event begins in the file. An event inside a compressed transaction has its payload's offset.
    pub offset: u64,
    /// The event's type code, 255 where the bytes end before it.
    pub event_type: u8,
    #[source]
    pub cause: EventError,
}

/// Why an event can't be read.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// The length in the header isn't that of the bytes.
    #[error("the header says {stated} bytes, there are {actual}")]
    Length { stated: u32, actual: usize },
    /// The bytes were changed since the server wrote them.
    #[error("checksum is {stored:08x} in the event, {computed:08x} over its bytes")]
    Checksum { stored: u32, computed: u32 },
    /// A type that this decoder doesn't know and that may not be passed over.
    #[error("event type {0} is unknown")]
    UnknownEvent(u8),
    /// A value that no server writes.
    #[error("{0}")]
    Invalid(&'static str),
    /// An event came before the format description that says how to read it.
    #[error("event comes before any format description")]
    NoFormat,
    #[error("binlog version {0} is not supported, only version 4 (MySQL 5.0 and later)")]
    Version(u16),
    #[error("checksum algorithm {0} is unknown")]
    ChecksumAlgorithm(u8),
    #[error("compression algorithm {0} is unknown")]
    Compression(u64),
    #[error("compressed data is damaged")]
    Decompress(#[source] std::io::Error),
    #[error("{what} is larger than the limit of {limit} bytes")]
    TooLarge { what: &'static str, limit: u64 },
    /// The server lost events and says so.
    #[error("the server reports an incident (number {number}): {message}")]
    Incident { number: u16, message: String },
    #[error("the binlog is encrypted: it can be read from the server, which decrypts it, not from the file")]
    Encrypted,
    #[error("charset or collation number {0} is unknown")]
    Collation(u32),
    /// A value of a row.
    #[error("row {row}, column {column} ({name}) can't be read")]
    Cell {
        /// From 0, in the event.
        row: usize,
        column: usize,
        name: String,
        #[source]
        cause: CellError,
    },
    /// The rows of an event don't fill it exactly.
    #[error("the rows of {table} don't fill their event exactly: {cause}")]
    RowLayout { table: String, cause: &'static str },
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// Why a value can't be read.
#[derive(Debug, thiserror::Error)]
pub enum CellError {
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// Bits that are no value of the column's type.
    #[error("{0}")]
    Invalid(&'static str),
    #[error(transparent)]
    Json(#[from] JsonError),
    #[error("compressed column is damaged")]
    Compressed(#[source] std::io::Error),
    #[error("value is larger than the limit of {0} bytes")]
    TooLarge(u64),
}

/// The log's table doesn't fit the definition that is known for this position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("{table} has {log} columns in the log and {schema} in its known definition")]
    ColumnCount { table: String, log: usize, schema: usize },
    #[error("column {column} of {table} is {log} in the log and {schema} in its known definition")]
    ColumnType { table: String, column: String, log: String, schema: String },
    #[error("column {index} of {table} is called {log:?} in the log and {schema:?} in its known definition")]
    ColumnName { table: String, index: usize, log: String, schema: String },
    #[error("column {column} of {table} has charset {log} in the log and {schema} in its known definition")]
    ColumnCharset { table: String, column: String, log: String, schema: String },
}

impl EventError {
    pub(crate) fn at(self, file: &str, offset: u64, event_type: u8) -> BinlogError {
        BinlogError { file: file.to_owned(), offset, event_type, cause: self }
    }
}

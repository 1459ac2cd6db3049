//! Reading a source's log.

use std::sync::Arc;

use async_trait::async_trait;
use whimbrel_model::{LogRecord, Position, TableName, TableSchema};

use crate::Result;

/// Which tables a reader decodes.
pub type TableFilter = Arc<dyn Fn(&TableName) -> bool + Send + Sync>;

/// Where and with what knowledge a reader begins.
#[derive(Clone)]
pub struct LogStart {
    pub position: Position,
    /// Definitions, valid at `position`, of all tables that the filter lets in.
    pub tables: Vec<TableSchema>,
    pub filter: TableFilter,
    /// The first [`whimbrel_model::TableVersion::id`] that the reader may give.
    pub next_table_version: u64,
}

/// A stream of transactions from a position on.
///
/// - Order: transactions in commit order of the source, each `Begin`, `Rows`/`Ddl`..., `Commit`, never
///   interleaved. Consecutive changes of one table come in one `ChangeBatch` as long as it stays below about
///   256 KiB (or one row, if that is larger).
/// - Duplicates: none within one reader. A reader reconnects by itself after a lost connection; if that
///   happened within a transaction it yields `Abort` and the transaction comes again from its `Begin`.
/// - Nothing is skipped: what can't be decoded, or a change that the log holds as a statement, is an error
///   that names the position. After an error other than a retryable one the reader is finished.
/// - Transactions that touch no table of the filter are left out; `Heartbeat` tells the position that has
///   been passed, at least every ten seconds, also when the source is idle.
/// - Tables are decoded with the definition valid at that position: the reader follows the log's own DDL.
/// - Cancelling: `next` may be dropped at any await; the record that was being read is then read again by
///   the following call or, where that is impossible, the reader ends with an error.
#[async_trait]
pub trait LogReader: Send {
    async fn next(&mut self) -> Result<LogRecord>;
}

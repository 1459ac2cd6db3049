//! Reading the rows that are there, in key ranges.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use whimbrel_model::{Position, RowBatch, TableName, TableSchema, TableVersion};

use crate::{ConnectorError, ErrorKind, Result, TableEstimate};

/// Values of a table's row key, one row in a batch of the key's columns only, in the key's order. Serialised
/// as the batch's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyBound {
    /// [`RowBatch::encode`] of one row of the key's columns.
    pub row: Vec<u8>,
}

/// Rows with `after < key <= until`, in the order that the server of this reader gives the key. `None` is
/// open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRange {
    pub after: Option<KeyBound>,
    pub until: Option<KeyBound>,
}

/// A digest of the rows of a range; equal digests of equal counts mean equal rows up to a collision of the
/// hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeDigest {
    pub rows: u64,
    /// Sum over the rows of a hash of all compared columns.
    pub sum: u128,
}

/// Reads rows. One connection; one call at a time; a range is read to its end (`next_batch` returned false)
/// or dropped with [`SnapshotReader::close_range`] before the next call.
///
/// Reads take no locks (but see [`SnapshotReader::hold_table`]). Each range is read in one statement, so it is
/// consistent in itself; ranges are read at different moments. Values are exact, and text is in the column's
/// own charset: what a batch holds is byte for byte what the log of the same server holds for the same row.
/// After a lost connection (a retryable error) the reader connects again on the next `open_range`; an open
/// range is lost and has to be read again.
#[async_trait]
pub trait SnapshotReader: Send {
    /// From now on rows of `table` that don't fulfil `condition` are as if they weren't there: `open_range`, `fetch`,
    /// `count` and digests leave them out. [`SnapshotReader::estimate`] and bounds don't heed it: chunks are cut by the
    /// table's keys, whatever the condition. `condition` is SQL over the table's columns that
    /// means the same in every session; several calls for one table replace one another.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the reader can't leave rows out.
    fn restrict(&mut self, table: &TableName, condition: &str) -> Result<()> {
        let _ = condition;
        let message = "this reader can't leave rows out by a condition";
        Err(ConnectorError::new(ErrorKind::Unsupported, table.to_string(), message))
    }

    /// Size as the server believes it to be; cheap.
    async fn estimate(&mut self, table: &TableSchema) -> Result<TableEstimate>;

    /// The key of the last row in key order; `None` where the table is empty. The table must have a row key.
    async fn last_bound(&mut self, table: &TableSchema) -> Result<Option<KeyBound>>;

    /// The key of the `rows`th row of a range in key order: the upper bound of a chunk that begins where the range
    /// does. `None` where the range holds fewer rows, so that what is left of it is one chunk. The table must have a
    /// row key.
    async fn next_bound(
        &mut self,
        table: &TableSchema,
        range: &KeyRange,
        rows: u64,
    ) -> Result<Option<KeyBound>>;

    /// Begins to read all columns of the rows of a range, in key order if there is a row key. For a keyless
    /// table the range must be open at both ends.
    async fn open_range(&mut self, table: &Arc<TableVersion>, range: &KeyRange) -> Result<()>;

    /// Appends rows to `batch` until it holds `max_bytes` or the range has ended. False: no row is left (rows
    /// may still have been appended by this call).
    async fn next_batch(&mut self, batch: &mut RowBatch, max_bytes: usize) -> Result<bool>;

    /// Stops reading a range before its end.
    async fn close_range(&mut self) -> Result<()>;

    /// The rows with the given keys (a batch of the row key's columns), all columns, in any order; keys that
    /// have no row are left out.
    async fn fetch(&mut self, table: &Arc<TableVersion>, keys: &RowBatch) -> Result<RowBatch>;

    /// Rows of the table that hold the smallest, the largest and the longest value of a column, as far as the server
    /// orders its values; empty where all are NULL or the reader can't tell. May read the whole table.
    async fn extremes(&mut self, table: &Arc<TableVersion>, column: usize) -> Result<RowBatch> {
        let _ = column;
        Ok(RowBatch::new(table.kinds.clone()))
    }

    /// Exact number of rows in a range.
    async fn count(&mut self, table: &TableSchema, range: &KeyRange) -> Result<u64>;

    /// Fixes one consistent view of a table for this reader and returns the log position that it corresponds
    /// to exactly: all changes of this table at or before it are in the view, none after it. Writes to the
    /// table wait for as long as this call takes (milliseconds, bounded by a lock time-out). For keyless
    /// tables. [`SnapshotReader::release_table`] ends the view.
    async fn hold_table(&mut self, table: &TableSchema) -> Result<Position>;

    async fn release_table(&mut self) -> Result<()>;

    /// The digest capability, where the server has it.
    fn digest(&mut self) -> Option<&mut dyn Digest>;
}

/// Digests computed by the server.
#[async_trait]
pub trait Digest: Send {
    /// True where this server and one of `other` flavour provably compute the same digest for equal rows of
    /// these two tables (mapped by name); decided from types, charsets and measured facts, never hoped.
    fn comparable(&self, table: &TableSchema, other: &TableSchema, other_flavor: crate::Flavor) -> bool;

    /// Digest over `columns` (names, in this order) of the rows of a range.
    async fn range_digest(
        &mut self,
        table: &TableSchema,
        columns: &[String],
        range: &KeyRange,
    ) -> Result<RangeDigest>;
}

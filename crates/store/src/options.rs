//! Settings of a Store. None of them is persisted: they may differ from one start to the next.

use std::time::Duration;

use crate::blocking::BlockingWork;

/// How blocks are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    /// zstd at a level of 1 to 19.
    Zstd(i32),
}

/// What may be removed. A segment file goes as a whole, the oldest first, never the one that is being
/// written, and never one that a registered consumer still needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Files that were completed longer ago than this go.
    pub max_age: Option<Duration>,
    /// Files go until all together are not larger than this.
    pub max_bytes: Option<u64>,
}

/// Settings of a Store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// A segment file that has reached this size is closed and the next one begun.
    pub segment_bytes: u64,
    /// A block is closed when its records reach this size, uncompressed.
    pub block_bytes: usize,
    pub compression: Compression,
    /// In a segment file, as many bytes lie between two places where reading can begin.
    pub anchor_bytes: u64,
    /// At the latest after as many bytes `fdatasync` is called. As many are kept in memory to be written
    /// again where it fails.
    pub sync_bytes: usize,
    /// While transactions come without a pause, `fdatasync` is called this often.
    pub sync_interval: Duration,
    /// Bytes that are left free on the disk.
    pub min_free_bytes: u64,
    pub retention: Retention,
    /// The pull pauses, between transactions, while the files that the slowest registered consumer still needs are
    /// larger than this.
    pub lag_limit_bytes: Option<u64>,
    /// Bytes of records that may wait between the reader of the source's log and the writing thread.
    pub queue_bytes: usize,
    pub blocking: BlockingWork,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 128 << 20,
            block_bytes: 256 << 10,
            compression: Compression::Zstd(1),
            anchor_bytes: 1 << 20,
            sync_bytes: 8 << 20,
            sync_interval: Duration::from_millis(50),
            min_free_bytes: 256 << 20,
            retention: Retention::default(),
            lag_limit_bytes: None,
            queue_bytes: 16 << 20,
            blocking: BlockingWork::Threads,
        }
    }
}

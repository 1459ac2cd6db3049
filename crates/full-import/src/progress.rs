//! Counters of a running import, read by status pages and progress bars without stopping anybody.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use whimbrel_connector::ConnectorError;

use crate::state::{EntryStage, ImportState};

/// What is being done with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TableStage {
    Waiting = 0,
    Loading = 1,
    Indexing = 2,
    Done = 3,
}

/// One table's counters.
#[derive(Debug)]
pub struct TableProgress {
    pub source: String,
    pub target: String,
    estimated_rows: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
    stage: AtomicU8,
}

impl TableProgress {
    /// Rows that the source believes the table has; at least what has been moved.
    pub fn estimated_rows(&self) -> u64 {
        self.estimated_rows.load(Ordering::Relaxed).max(self.rows())
    }

    /// Rows committed at the target.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub fn stage(&self) -> TableStage {
        match self.stage.load(Ordering::Relaxed) {
            0 => TableStage::Waiting,
            1 => TableStage::Loading,
            2 => TableStage::Indexing,
            _ => TableStage::Done,
        }
    }

    pub(crate) fn set_estimate(&self, rows: u64) {
        self.estimated_rows.store(rows, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A keyless table begins again from nothing.
    pub(crate) fn reset(&self) {
        self.rows.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
    }

    pub(crate) fn set_stage(&self, stage: TableStage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }
}

/// All tables, in the order given to the import.
#[derive(Debug)]
pub struct ImportProgress {
    pub tables: Vec<TableProgress>,
    retried: Mutex<Option<String>>,
}

impl ImportProgress {
    pub(crate) fn new(names: impl Iterator<Item = (String, String)>) -> Self {
        let tables = names
            .map(|(source, target)| TableProgress {
                source,
                target,
                estimated_rows: AtomicU64::new(0),
                rows: AtomicU64::new(0),
                bytes: AtomicU64::new(0),
                stage: AtomicU8::new(TableStage::Waiting as u8),
            })
            .collect();
        Self { tables, retried: Mutex::default() }
    }

    /// The last error after which something was tried again: `CODE object: cause`.
    pub fn retried(&self) -> Option<String> {
        self.retried.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_retried(&self, error: &ConnectorError) {
        let text = format!("{} {}: {}", error.code(), error.object, error.chain());
        *self.retried.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }

    /// Starts from what earlier runs have done.
    pub(crate) fn restore(&self, state: &ImportState) {
        for (index, table) in self.tables.iter().enumerate() {
            let known = state.table(index);
            match &known.entry {
                Some(entry) if entry.stage != EntryStage::Loading => {
                    table.add(entry.rows, entry.bytes);
                    let done = entry.stage == EntryStage::Done;
                    table.set_stage(if done { TableStage::Done } else { TableStage::Indexing });
                }
                _ => {
                    let written = known.written();
                    table.add(written.rows, written.bytes);
                }
            }
        }
    }
}

//! Rows of a range of one side, held to find their partners.

use std::collections::HashMap;
use std::sync::Arc;

use whimbrel_connector::{KeyBound, KeyRange, Result, SnapshotReader};
use whimbrel_model::{CellKind, RowBatch, RowRef, TableVersion};

use crate::keyed::BATCH_BYTES;
use crate::pairing::{Pairing, Side};
use crate::recheck::group_of;

/// The rows by the form of their key.
pub(crate) struct Loaded {
    batches: Vec<RowBatch>,
    /// Batch and row, and whether a partner has been found.
    at: HashMap<Vec<u8>, (usize, usize, bool)>,
    bytes: usize,
    /// The key of the last row, where reading stopped before the end of the range.
    pub cut: Option<KeyBound>,
}

impl Loaded {
    /// Reads a range until it ends or `most_bytes` are held.
    pub async fn read(
        reader: &mut dyn SnapshotReader,
        pairing: &Pairing<'_>,
        side: Side,
        version: &Arc<TableVersion>,
        range: &KeyRange,
        most_bytes: usize,
    ) -> Result<Self> {
        let mut loaded = Self { batches: Vec::new(), at: HashMap::new(), bytes: 0, cut: None };
        reader.open_range(version, range).await?;
        loop {
            let mut batch = RowBatch::new(version.kinds.clone());
            let more = reader.next_batch(&mut batch, BATCH_BYTES.min(most_bytes)).await?;
            loaded.bytes += batch.byte_len();
            let last = batch.rows().next_back().and_then(|row| row_key(version, row));
            for (number, row) in batch.rows().enumerate() {
                loaded.at.insert(pairing.key_form(side, row), (loaded.batches.len(), number, false));
            }
            loaded.batches.push(batch);
            if !more {
                return Ok(loaded);
            }
            if loaded.bytes >= most_bytes && last.is_some() {
                loaded.cut = last;
                reader.close_range().await?;
                return Ok(loaded);
            }
        }
    }

    pub fn len(&self) -> usize {
        self.at.len()
    }

    /// Bytes of one row, on average.
    pub fn row_bytes(&self) -> usize {
        self.bytes / self.at.len().max(1)
    }

    /// The row with this key; it has a partner from now on.
    pub fn partner(&mut self, form: &[u8]) -> Option<RowRef<'_>> {
        let (batch, row, found) = self.at.get_mut(form)?;
        *found = true;
        Some(self.batches[*batch].row(*row))
    }

    pub fn without_partner(&self) -> impl Iterator<Item = RowRef<'_>> {
        self.at.values().filter(|(_, _, found)| !found).map(|(batch, row, _)| self.batches[*batch].row(*row))
    }

    /// The keys by which the other side finds the partners, in groups. Rows whose key the other side can't hold are
    /// left out.
    pub fn keys(&self, pairing: &Pairing<'_>, from: Side, to: Side) -> Vec<RowBatch> {
        let mut groups = Vec::new();
        let mut keys = pairing.key_batch(to);
        let most = group_of(self.row_bytes());
        for row in self.batches.iter().flat_map(RowBatch::rows) {
            if pairing.push_key(from, row, to, &mut keys) && keys.len() >= most {
                groups.push(std::mem::replace(&mut keys, pairing.key_batch(to)));
            }
        }
        if !keys.is_empty() {
            groups.push(keys);
        }
        groups
    }
}

fn row_key(version: &TableVersion, row: RowRef<'_>) -> Option<KeyBound> {
    let columns = version.schema.key_columns(version.schema.row_key()?);
    let kinds: Arc<[CellKind]> = columns.iter().map(|at| version.kinds[*at]).collect();
    let mut key = RowBatch::new(kinds);
    columns.iter().for_each(|at| key.push_raw(row.raw(*at)));
    key.end_row();
    let mut bytes = Vec::new();
    key.encode(&mut bytes);
    Some(KeyBound { row: bytes })
}

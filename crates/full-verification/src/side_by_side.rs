//! Compares a range of which both servers have the rows in the same order, by reading both sides at once.
//!
//! Row stands beside row as long as both sides have the same ones. A row that isn't beside its partner waits for it; what
//! still waits at the end has none. Nearly always the rows are the same bytes, which costs a comparison of memory and
//! neither a key's form nor an allocation.
//!
//! Memory: a batch of each side and the rows that wait. Where these become too many, the comparison is given up, and the
//! range has to be compared in parts ([`crate::loaded`]).

use std::collections::HashMap;
use std::sync::Arc;

use whimbrel_connector::{KeyRange, Result, SnapshotReader};
use whimbrel_model::{RowBatch, RowRef, TableVersion};

use crate::keyed::BATCH_BYTES;
use crate::pairing::{Pairing, Side};
use crate::recheck::Suspects;
use crate::{Shared, Sides};

/// What the comparison of a whole range gave.
pub(crate) struct Compared {
    /// The source's rows.
    pub rows: u64,
    pub suspects: Suspects,
}

/// Compares the range; `None` where too many rows would have to wait for their partners.
pub(crate) async fn compare(
    shared: &Shared,
    sides: &mut Sides,
    pairing: &Pairing<'_>,
    range: &KeyRange,
    target_range: &KeyRange,
) -> Result<Option<Compared>> {
    let table = pairing.table;
    let (source, target) = sides.both(shared).await?;
    let mut source = Stream::new(source, &table.plan.source);
    let mut target = Stream::new(target, &table.target);
    tokio::try_join!(source.open(range), target.open(target_range))?;
    let mut beside = Beside::new(pairing);
    loop {
        shared.check_cancelled()?;
        tokio::try_join!(source.fill(), target.fill())?;
        match (source.left(), target.left()) {
            (0, 0) => break,
            (0, count) => target.take(count).for_each(|row| beside.alone(Side::Target, row)),
            (count, 0) => source.take(count).for_each(|row| beside.alone(Side::Source, row)),
            (ours, theirs) => {
                let count = ours.min(theirs);
                source
                    .take(count)
                    .zip(target.take(count))
                    .for_each(|(ours, theirs)| beside.pair(ours, theirs));
            }
        }
        if beside.waiting_bytes() > shared.part_bytes() {
            source.reader.close_range().await?;
            target.reader.close_range().await?;
            return Ok(None);
        }
    }
    let (rows, bytes) = (source.rows, source.bytes.max(target.bytes));
    Ok(Some(Compared { rows, suspects: beside.finish(bytes / (rows.max(1) as usize)) }))
}

/// The rows of one side, batch by batch.
struct Stream<'r> {
    reader: &'r mut dyn SnapshotReader,
    version: &'r Arc<TableVersion>,
    batch: RowBatch,
    /// The first row of the batch that isn't compared.
    next: usize,
    more: bool,
    /// All that were read.
    rows: u64,
    bytes: usize,
}

impl<'r> Stream<'r> {
    fn new(reader: &'r mut dyn SnapshotReader, version: &'r Arc<TableVersion>) -> Self {
        let batch = RowBatch::new(version.kinds.clone());
        Self { reader, version, batch, next: 0, more: true, rows: 0, bytes: 0 }
    }

    async fn open(&mut self, range: &KeyRange) -> Result<()> {
        self.reader.open_range(self.version, range).await
    }

    /// Reads the next batch where all of the last one is compared.
    async fn fill(&mut self) -> Result<()> {
        while self.left() == 0 && self.more {
            self.batch.clear();
            self.next = 0;
            self.more = self.reader.next_batch(&mut self.batch, BATCH_BYTES).await?;
            self.rows += self.batch.len() as u64;
            self.bytes += self.batch.byte_len();
        }
        Ok(())
    }

    fn left(&self) -> usize {
        self.batch.len() - self.next
    }

    fn take(&mut self, count: usize) -> impl Iterator<Item = RowRef<'_>> {
        let from = self.next;
        self.next += count;
        (from..self.next).map(|number| self.batch.row(number))
    }
}

/// Rows that were looked at.
struct Beside<'p> {
    pairing: &'p Pairing<'p>,
    suspects: Suspects,
    /// Rows without partner so far, by the form of their key: side, and number in that side's `held`.
    waiting: HashMap<Vec<u8>, (Side, usize)>,
    held_source: RowBatch,
    held_target: RowBatch,
}

impl<'p> Beside<'p> {
    fn new(pairing: &'p Pairing<'p>) -> Self {
        Self {
            pairing,
            suspects: Suspects::new(pairing),
            waiting: HashMap::new(),
            held_source: RowBatch::new(pairing.table.plan.source.kinds.clone()),
            held_target: RowBatch::new(pairing.table.target.kinds.clone()),
        }
    }

    fn waiting_bytes(&self) -> usize {
        self.held_source.byte_len() + self.held_target.byte_len()
    }

    /// Two rows that stand beside each other.
    fn pair(&mut self, source: RowRef<'_>, target: RowRef<'_>) {
        if self.pairing.same_bytes(source, target) {
            return;
        }
        let form = self.pairing.key_form(Side::Source, source);
        if form == self.pairing.key_form(Side::Target, target) {
            if !self.pairing.same(source, target) {
                self.suspects.add(self.pairing, Side::Target, target);
            }
        } else {
            self.alone(Side::Source, source);
            self.alone(Side::Target, target);
        }
    }

    /// A row whose partner has come already, or may still come.
    fn alone(&mut self, side: Side, row: RowRef<'_>) {
        let form = self.pairing.key_form(side, row);
        let Some((held_side, number)) = self.waiting.get(&form).copied() else {
            let held = if side == Side::Source { &mut self.held_source } else { &mut self.held_target };
            held.push_row(row);
            let number = held.len() - 1;
            self.waiting.insert(form, (side, number));
            return;
        };
        let same = match (held_side, side) {
            (Side::Source, Side::Target) => self.pairing.same(self.held_source.row(number), row),
            (Side::Target, Side::Source) => self.pairing.same(row, self.held_target.row(number)),
            // A key is there once on each side; a second row with its form is looked at again.
            _ => return self.suspects.add(self.pairing, side, row),
        };
        if !same {
            self.suspects.add(self.pairing, side, row);
        }
        self.waiting.remove(&form);
        if self.waiting.is_empty() {
            self.held_source.clear();
            self.held_target.clear();
        }
    }

    /// What waits has no partner.
    fn finish(mut self, row_bytes: usize) -> Suspects {
        for (side, number) in self.waiting.into_values() {
            let held = if side == Side::Source { &self.held_source } else { &self.held_target };
            self.suspects.add(self.pairing, side, held.row(number));
        }
        self.suspects.set_row_bytes(row_bytes);
        self.suspects
    }
}

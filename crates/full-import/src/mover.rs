//! Carries rows from an open range into a transaction of the target.
//!
//! The next batch is read while one is written. Statements have the size that the target takes fastest
//! ([`crate::sizing`]) and wait for their turn ([`crate::pace`]). A transaction that has become large or old is
//! committed on the way, together with the record of how far the range has been written, so that chunks of
//! unexpectedly large rows, a slow target or a rate limit don't make transactions that nobody can hold.

use tokio::time::Instant;
use whimbrel_connector::{
    ErrorKind, InsertMode, KeyBound, Policy, Result, SnapshotReader, TablePlan, Writer,
};
use whimbrel_model::{CellKind, RowBatch, RowRef};

use crate::state::{ChunkDone, ChunkEntry, Record};
use crate::undo::Undo;
use crate::worker::{Counted, OpenTransaction};
use crate::{Existing, Shared, loads_whole, setaside};

/// A transaction holds up to so many chunks' worth of bytes.
const CHUNKS_PER_TRANSACTION: u64 = 4;

/// What is recorded with a commit on the way.
pub(crate) enum Saves {
    /// How far the chunk is.
    Chunk { number: u32, until: Option<KeyBound> },
    /// Nothing: a keyless table begins again.
    Nothing,
    /// The keys of the rows, by which they are taken back if the table begins again.
    Undo(Undo),
}

impl Saves {
    /// These rows are in the open transaction.
    fn written(&mut self, rows: &[RowRef<'_>]) {
        if let Self::Undo(undo) = self {
            undo.add(rows);
        }
    }
}

pub(crate) struct Mover<'a, 'c> {
    shared: &'a Shared,
    plan: &'a TablePlan,
    mode: InsertMode,
    /// Written first in each transaction.
    lock: Record,
    saves: Saves,
    counted: &'a mut Counted<'c>,
    transaction: OpenTransaction,
    pub done: ChunkDone,
    /// The key up to which rows were committed on the way.
    pub reached: Option<KeyBound>,
}

impl<'a, 'c> Mover<'a, 'c> {
    /// The writer's transaction is open and holds `lock`; `done` is what earlier transactions wrote.
    pub fn new(
        shared: &'a Shared,
        plan: &'a TablePlan,
        lock: Record,
        saves: Saves,
        counted: &'a mut Counted<'c>,
        done: ChunkDone,
    ) -> Self {
        let mode = match shared.options.existing {
            _ if loads_whole(plan) => InsertMode::Plain,
            Existing::Stop => InsertMode::Plain,
            Existing::Ignore => InsertMode::KeepExisting,
            Existing::Overwrite => InsertMode::Upsert,
        };
        let transaction = OpenTransaction::begin(shared.options.chunk_bytes * CHUNKS_PER_TRANSACTION);
        Self { shared, plan, mode, lock, saves, counted, transaction, done, reached: None }
    }

    /// Moves the whole range; the last transaction stays open.
    pub async fn move_rows(
        &mut self,
        reader: &mut dyn SnapshotReader,
        writer: &mut dyn Writer,
    ) -> Result<()> {
        let bytes = self.shared.options.batch_bytes;
        let mut current = RowBatch::new(self.plan.source.kinds.clone());
        let mut next = current.clone();
        let mut more = reader.next_batch(&mut current, bytes).await?;
        while !current.is_empty() {
            if more {
                let (read, written) =
                    tokio::join!(reader.next_batch(&mut next, bytes), self.write(writer, &current));
                written?;
                more = read?;
            } else {
                self.write(writer, &current).await?;
            }
            current.clear();
            std::mem::swap(&mut current, &mut next);
        }
        Ok(())
    }

    async fn write(&mut self, writer: &mut dyn Writer, batch: &RowBatch) -> Result<()> {
        let rows: Vec<RowRef<'_>> = batch.rows().collect();
        let mut rest = rows.as_slice();
        while !rest.is_empty() {
            let (part, after) = rest.split_at(self.statement_rows(writer, rest));
            self.insert(writer, part).await?;
            rest = after;
            let full = matches!(&self.saves, Saves::Undo(undo) if undo.is_full());
            if (full || self.transaction.is_due())
                && let Some(last) = part.last()
            {
                self.commit_part(writer, *last).await?;
            }
        }
        Ok(())
    }

    /// How many of `rows`, at least one, the next statement has.
    fn statement_rows(&self, writer: &dyn Writer, rows: &[RowRef<'_>]) -> usize {
        let (most_rows, most_bytes) = self.shared.pace.share();
        let most_rows = usize::try_from(most_rows).unwrap_or(usize::MAX);
        let most_rows = most_rows.min(writer.rows_at_once(self.plan, self.mode));
        let most_bytes = most_bytes.min(self.shared.statement_size.bytes());
        let mut bytes = 0;
        let fitting = rows.iter().take(most_rows).take_while(|row| {
            bytes += row.byte_len() as u64;
            bytes <= most_bytes
        });
        fitting.count().max(1)
    }

    async fn insert(&mut self, writer: &mut dyn Writer, rows: &[RowRef<'_>]) -> Result<()> {
        let shared = self.shared;
        let bytes = rows.iter().map(|row| row.byte_len() as u64).sum::<u64>();
        shared.pace.admit(rows.len() as u64, bytes, &shared.cancel).await;
        shared.check_cancelled()?;
        let begun = Instant::now();
        match writer.insert(self.plan, rows, self.mode).await {
            Ok(_) => {
                shared.statement_size.took(bytes, begun.elapsed());
                self.saves.written(rows);
            }
            Err(error) if error.policy() == Policy::Park => {
                if error.kind == ErrorKind::TooLarge && rows.len() > 1 {
                    shared.statement_size.too_large();
                }
                let parked = self.counted.parked_since(&self.done);
                let mut setting = setaside::Setting::new(shared, self.plan, self.mode, parked);
                let saves = &mut self.saves;
                setting.insert_in_halves(writer, rows, error, &mut |part| saves.written(part)).await?;
                self.done.deferred += setting.aside.deferred;
                self.done.parked += setting.aside.parked;
            }
            Err(error) => return Err(error),
        }
        self.done.rows += rows.len() as u64;
        self.done.bytes += bytes;
        self.transaction.add(bytes);
        Ok(())
    }

    /// Commits what has been written up to the row `last` and begins the next transaction.
    async fn commit_part(&mut self, writer: &mut dyn Writer, last: RowRef<'_>) -> Result<()> {
        match &mut self.saves {
            Saves::Chunk { number, until } => {
                let after = key_bound(self.plan, last);
                let range = whimbrel_connector::KeyRange { after: after.clone(), until: until.clone() };
                let entry = ChunkEntry::open(range, self.done);
                Record::chunk(&self.plan.source.schema.name, *number, &entry).put(writer).await?;
                self.reached = after;
            }
            Saves::Nothing => {}
            Saves::Undo(undo) => undo.put(writer).await?,
        }
        writer.commit().await?;
        self.counted.committed(&self.done);
        writer.begin().await?;
        self.lock.put(writer).await?;
        self.transaction = OpenTransaction::begin(self.shared.options.chunk_bytes * CHUNKS_PER_TRANSACTION);
        Ok(())
    }
}

/// The source's row key of a row, as a bound of ranges.
fn key_bound(plan: &TablePlan, row: RowRef<'_>) -> Option<KeyBound> {
    let schema = &plan.source.schema;
    let columns = schema.key_columns(schema.row_key()?);
    let kinds: std::sync::Arc<[CellKind]> = columns.iter().map(|at| plan.source.kinds[*at]).collect();
    let mut key = RowBatch::new(kinds);
    columns.iter().for_each(|at| key.push_raw(row.raw(*at)));
    key.end_row();
    let mut bytes = Vec::new();
    key.encode(&mut bytes);
    Some(KeyBound { row: bytes })
}

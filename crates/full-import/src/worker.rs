//! Moves one chunk at a time: one source connection, one target connection, one transaction a chunk.
//!
//! The next batch is read while the last one is written. A chunk that fails for a reason that passes (a lost
//! connection, a deadlock, a server that is full) is begun again from its first row; where it isn't known
//! whether its transaction was committed, its state entry tells.

use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{Receiver, UnboundedSender};
use whimbrel_connector::{
    Backoff, ConnectorError, InsertMode, KeyRange, Policy, Result, SnapshotReader, TablePlan, Writer,
};
use whimbrel_model::{RowBatch, RowRef};

use crate::planner::{Piece, Work};
use crate::state::{self, ChunkDone, ChunkEntry, EntryStage, Record, TableEntry, TableResult};
use crate::{Existing, Shared, indexes, keyless, setaside};

/// Waits between attempts, until the user's patience ends or the import is stopped.
pub(crate) struct Retry<'a> {
    shared: &'a Shared,
    backoff: Backoff,
}

impl<'a> Retry<'a> {
    pub fn new(shared: &'a Shared) -> Self {
        Self { shared, backoff: Backoff::new(shared.options.retry_for) }
    }

    /// Waits, or gives the error back where trying again is no use.
    pub async fn wait(&mut self, error: ConnectorError) -> Result<()> {
        let (code, chain) = (error.code(), error.chain());
        let delay = self.backoff.after(error)?;
        tracing::warn!(code, error = chain, "trying again in {delay:?}");
        tokio::select! {
            () = self.shared.cancel.cancelled() => self.shared.check_cancelled(),
            () = tokio::time::sleep(delay) => Ok(()),
        }
    }
}

/// Takes pieces from the queue until it ends.
pub(crate) async fn run(
    shared: Arc<Shared>,
    queue: Arc<Mutex<Receiver<Work>>>,
    finished: UnboundedSender<indexes::Loaded>,
) -> Result<()> {
    let mut worker = Worker { shared: &shared, reader: None, writer: None };
    loop {
        let work = tokio::select! {
            () = shared.cancel.cancelled() => return shared.check_cancelled(),
            work = async { queue.lock().await.recv().await } => work,
        };
        let Some(work) = work else { return Ok(()) };
        if let Some(loaded) = worker.piece(&work).await? {
            // The receiver is gone only where it has failed, and says so itself.
            let _ = finished.send(loaded);
        }
    }
}

pub(crate) struct Worker<'a> {
    pub shared: &'a Shared,
    reader: Option<Box<dyn SnapshotReader>>,
    writer: Option<Box<dyn Writer>>,
}

impl Worker<'_> {
    /// Does one piece, again and again if need be. Tells when it was the last of its table.
    async fn piece(&mut self, work: &Work) -> Result<Option<indexes::Loaded>> {
        let mut retry = Retry::new(self.shared);
        loop {
            let attempt = match &work.piece {
                Piece::Chunk { number, range } => self.chunk(work, *number, range).await,
                Piece::Whole => keyless::load(self, work).await.map(Some),
            };
            match attempt {
                Ok(loaded) => return Ok(loaded),
                Err(error) => {
                    // Both connections are made anew: what was open on either is void.
                    self.reader = None;
                    self.writer = None;
                    retry.wait(error).await?;
                }
            }
        }
    }

    async fn chunk(&mut self, work: &Work, number: u32, range: &KeyRange) -> Result<Option<indexes::Loaded>> {
        let shared = self.shared;
        let index = work.table.index;
        let plan = shared.tables[index].plan.clone();
        let name = &plan.source.schema.name;
        let (reader, writer) = self.connections().await?;
        // An earlier attempt may have been committed without our being told.
        let recorded = state::get_chunk(writer, name, number).await?;
        let done = match recorded.and_then(|entry| entry.done) {
            Some(done) => done,
            None => {
                reader.open_range(&plan.source, range).await?;
                writer.begin().await?;
                let mut mover = Mover::new(shared, &plan);
                mover.move_rows(reader, writer).await?;
                let entry = ChunkEntry::new(range.clone(), Some(mover.done));
                Record::chunk(name, number, &entry).put(writer).await?;
                shared.check_cancelled()?;
                writer.commit().await?;
                mover.done
            }
        };
        shared.progress.tables[index].add(done.rows, done.bytes);
        if !work.table.complete(&done) {
            return Ok(None);
        }
        self.table_loaded(index, work.table.result()).await.map(Some)
    }

    /// Records that all rows of a table are there.
    pub async fn table_loaded(&mut self, index: usize, result: TableResult) -> Result<indexes::Loaded> {
        let shared = self.shared;
        let name = &shared.tables[index].plan.source.schema.name;
        let record = Record::table(name, &TableEntry::new(EntryStage::Loaded, &result));
        let mut retry = Retry::new(shared);
        loop {
            let written = match self.connections().await {
                Ok((_, writer)) => record.put(writer).await,
                Err(error) => Err(error),
            };
            match written {
                Ok(()) => return Ok(indexes::Loaded { index, result }),
                Err(error) => {
                    self.writer = None;
                    retry.wait(error).await?;
                }
            }
        }
    }

    pub async fn connections(&mut self) -> Result<(&mut dyn SnapshotReader, &mut dyn Writer)> {
        let shared = self.shared;
        if self.reader.is_none() {
            self.reader = Some(shared.source.snapshot_reader().await?);
        }
        if self.writer.is_none() {
            self.writer = Some(shared.target.writer(&shared.task, shared.epoch).await?);
        }
        match (&mut self.reader, &mut self.writer) {
            (Some(reader), Some(writer)) => Ok((reader.as_mut(), writer.as_mut())),
            _ => unreachable!("both were set above"),
        }
    }
}

/// Carries rows from an open range into an open transaction.
pub(crate) struct Mover<'a> {
    shared: &'a Shared,
    plan: &'a TablePlan,
    mode: InsertMode,
    /// Bytes after which the open transaction is committed and another begun; `None` keeps to one.
    commit_every: Option<u64>,
    pub done: ChunkDone,
}

impl<'a> Mover<'a> {
    pub fn new(shared: &'a Shared, plan: &'a TablePlan) -> Self {
        let mode = match shared.options.existing {
            _ if plan.is_keyless() => InsertMode::Plain,
            Existing::Stop => InsertMode::Plain,
            Existing::Ignore => InsertMode::KeepExisting,
            Existing::Overwrite => InsertMode::Upsert,
        };
        Self { shared, plan, mode, commit_every: None, done: ChunkDone::default() }
    }

    /// Lets the rows be committed piece by piece.
    pub fn commit_every(mut self, bytes: u64) -> Self {
        self.commit_every = Some(bytes);
        self
    }

    /// Moves the whole range; the next batch is read while one is written.
    pub async fn move_rows(
        &mut self,
        reader: &mut dyn SnapshotReader,
        writer: &mut dyn Writer,
    ) -> Result<()> {
        let bytes = self.shared.options.batch_bytes;
        let mut current = RowBatch::new(self.plan.source.kinds.clone());
        let mut next = current.clone();
        let mut more = reader.next_batch(&mut current, bytes).await?;
        let mut committed = 0;
        while !current.is_empty() {
            self.shared.check_cancelled()?;
            if more {
                let (read, written) =
                    tokio::join!(reader.next_batch(&mut next, bytes), self.write(writer, &current));
                written?;
                more = read?;
            } else {
                self.write(writer, &current).await?;
            }
            if self.commit_every.is_some_and(|every| self.done.bytes - committed >= every) {
                writer.commit().await?;
                writer.begin().await?;
                committed = self.done.bytes;
            }
            current.clear();
            std::mem::swap(&mut current, &mut next);
        }
        Ok(())
    }

    async fn write(&mut self, writer: &mut dyn Writer, batch: &RowBatch) -> Result<()> {
        self.shared.pace.admit(batch.len() as u64, batch.byte_len() as u64).await;
        let rows: Vec<RowRef<'_>> = batch.rows().collect();
        match writer.insert(self.plan, &rows, self.mode).await {
            Ok(_) => {}
            Err(error) if error.policy() == Policy::Park => {
                let aside =
                    setaside::insert_in_halves(self.shared, writer, self.plan, &rows, self.mode).await?;
                self.done.deferred += aside.deferred;
                self.done.parked += aside.parked;
            }
            Err(error) => return Err(error),
        }
        self.done.rows += batch.len() as u64;
        self.done.bytes += rows.iter().map(|row| row.byte_len() as u64).sum::<u64>();
        Ok(())
    }
}

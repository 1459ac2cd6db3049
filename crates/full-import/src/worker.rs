//! Takes pieces from the queue: one source connection, one target connection each worker.
//!
//! A piece that fails for a reason that passes (a lost connection, a deadlock, a server that is full) is begun
//! again. Where it isn't known whether its last transaction was committed, the state tells: see [`crate::state`]
//! for the lock that makes that answer final.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;
use whimbrel_connector::{
    Backoff, ConnectorError, ErrorKind, FailPoint, KeyRange, Mutation, Result, SnapshotReader, Writer,
};

use crate::mover::{Mover, Saves};
use crate::planner::{Piece, Work};
use crate::queue::Queue;
use crate::state::{self, ChunkDone, ChunkEntry, EntryStage, Record, TableEntry, TableResult};
use crate::{Shared, indexes, keyless};

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
        self.shared.progress.set_retried(&error);
        let delay = self.backoff.after(error)?;
        tracing::warn!(code, error = chain, "trying again in {delay:?}");
        tokio::select! {
            biased;
            () = self.shared.cancel.cancelled() => self.shared.check_cancelled(),
            () = tokio::time::sleep(delay) => Ok(()),
        }
    }
}

/// Takes pieces from the queue until it ends.
pub(crate) async fn run(
    shared: Arc<Shared>,
    number: u32,
    queue: Queue<Work>,
    finished: UnboundedSender<indexes::Loaded>,
) -> Result<()> {
    let mut worker = Worker { shared: &shared, number, reader: None, writer: None };
    loop {
        let work = tokio::select! {
            biased;
            () = shared.cancel.cancelled() => return shared.check_cancelled(),
            work = queue.next() => work,
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
    /// Names the worker's lock.
    pub number: u32,
    reader: Option<Box<dyn SnapshotReader>>,
    writer: Option<Box<dyn Writer>>,
}

/// What of a piece the counters have been told.
pub(crate) struct Counted<'a> {
    shared: &'a Shared,
    index: usize,
    told: ChunkDone,
}

impl<'a> Counted<'a> {
    /// `told`: what earlier runs have done, which the counters began with.
    fn new(shared: &'a Shared, index: usize, told: ChunkDone) -> Self {
        Self { shared, index, told }
    }

    /// So much is committed now.
    pub fn committed(&mut self, done: &ChunkDone) {
        let more = done.since(&self.told);
        self.shared.progress.tables[self.index].add(more.rows, more.bytes);
        self.shared.parked.add(more.parked);
        self.told = *done;
    }

    /// Rows that are parked in the open transaction.
    pub fn parked_since(&self, done: &ChunkDone) -> u64 {
        done.since(&self.told).parked
    }

    /// All that was committed has been thrown away.
    pub fn begin_again(&mut self) {
        self.shared.progress.tables[self.index].reset();
        self.shared.parked.take_back(self.told.parked);
        self.told = ChunkDone::default();
    }
}

impl Worker<'_> {
    /// Does one piece, again and again if need be. Tells when it was the last of its table.
    async fn piece(&mut self, work: &Work) -> Result<Option<indexes::Loaded>> {
        let index = work.table.index;
        match &work.piece {
            Piece::Chunk { number, entry } => {
                let done = self.whole_chunk(index, *number, entry).await?;
                if !work.table.complete(&done) {
                    return Ok(None);
                }
                self.table_loaded(index, work.table.result()).await.map(Some)
            }
            Piece::Whole => {
                let mut retry = Retry::new(self.shared);
                let mut counted = Counted::new(self.shared, index, ChunkDone::default());
                loop {
                    match keyless::load(self, work, &mut counted).await {
                        Ok(loaded) => return Ok(Some(loaded)),
                        Err(error) => self.failed(error, &mut retry).await?,
                    }
                }
            }
        }
    }

    async fn whole_chunk(&mut self, index: usize, number: u32, entry: &ChunkEntry) -> Result<ChunkDone> {
        let mut retry = Retry::new(self.shared);
        let mut counted = Counted::new(self.shared, index, entry.part);
        loop {
            match self.chunk(index, number, entry, &mut counted).await {
                Ok(done) => return Ok(done),
                Err(error) => self.failed(error, &mut retry).await?,
            }
        }
    }

    /// Both connections are made anew: what was open on either is void.
    async fn failed(&mut self, error: ConnectorError, retry: &mut Retry<'_>) -> Result<()> {
        self.drop_connections();
        if error.kind == ErrorKind::Timeout {
            self.shared.statement_size.too_large();
        }
        retry.wait(error).await
    }

    async fn chunk(
        &mut self,
        index: usize,
        number: u32,
        planned: &ChunkEntry,
        counted: &mut Counted<'_>,
    ) -> Result<ChunkDone> {
        let shared = self.shared;
        let plan = shared.tables[index].plan.clone();
        let name = &plan.source.schema.name;
        let lock = Record::worker(self.number);
        let (reader, writer) = self.connections().await?;
        writer.begin().await?;
        lock.put(writer).await?;
        // An earlier attempt may have been committed without our being told.
        let recorded = state::get_chunk(writer, name, number).await?;
        let entry = recorded.unwrap_or_else(|| planned.clone());
        if let Some(done) = entry.done {
            writer.rollback().await?;
            counted.committed(&done);
            return Ok(done);
        }
        counted.committed(&entry.part);
        if Mutation::ChunkDoneEarly.active() {
            Record::chunk(name, number, &ChunkEntry::done(entry.range.clone(), entry.part))
                .put(writer)
                .await?;
            writer.commit().await?;
            writer.begin().await?;
        }
        reader.open_range(&plan.source, &entry.range).await?;
        let saves = Saves::Chunk { number, until: entry.range.until.clone() };
        let mut mover = Mover::new(shared, &plan, lock, saves, counted, entry.part);
        mover.move_rows(reader, writer).await?;
        let done = mover.done;
        let range = KeyRange { after: mover.reached.or(entry.range.after), until: entry.range.until };
        Record::chunk(name, number, &ChunkEntry::done(range, done)).put(writer).await?;
        shared.check_cancelled()?;
        FailPoint::ChunkWritten.reached();
        writer.commit().await?;
        FailPoint::ChunkCommitted.reached();
        counted.committed(&done);
        Ok(done)
    }

    /// Records that all rows of a table are there.
    async fn table_loaded(&mut self, index: usize, result: TableResult) -> Result<indexes::Loaded> {
        let shared = self.shared;
        let record = loaded_record(shared, index, &result);
        let mut retry = Retry::new(shared);
        loop {
            let written = match self.connections().await {
                Ok((_, writer)) => record.put(writer).await,
                Err(error) => Err(error),
            };
            match written {
                Ok(()) => return Ok(indexes::Loaded { index, result }),
                Err(error) => self.failed(error, &mut retry).await?,
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

    pub fn drop_connections(&mut self) {
        self.reader = None;
        self.writer = None;
    }
}

/// The entry of a table whose rows are all there; without indexes to be built it is done.
pub(crate) fn loaded_record(shared: &Shared, index: usize, result: &TableResult) -> Record {
    let table = &shared.tables[index];
    let stage = if table.indexes.is_empty() { EntryStage::Done } else { EntryStage::Loaded };
    let name = &table.plan.source.schema.name;
    Record::table(name, &TableEntry::new(name, stage, result))
}

/// How long a transaction of rows may last before what it has is committed.
pub(crate) const TRANSACTION_TIME: Duration = Duration::from_secs(5);

/// Since when a transaction is open, and how much it holds.
pub(crate) struct OpenTransaction {
    since: Instant,
    bytes: u64,
    limit: u64,
}

impl OpenTransaction {
    pub fn begin(limit: u64) -> Self {
        Self { since: Instant::now(), bytes: 0, limit }
    }

    pub fn add(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// True where it is time to commit.
    pub fn is_due(&self) -> bool {
        self.bytes > 0 && (self.bytes >= self.limit || self.since.elapsed() >= TRANSACTION_TIME)
    }
}

//! Cuts tables into chunks and hands them to the workers.
//!
//! Bounds are found by walking the row key on the source, so chunks hold the planned number of rows whatever
//! the key's type, collation, gaps and skew. A chunk's range is recorded at the target before the chunk is
//! handed out: after a crash exactly the open ranges are read again, and planning goes on behind the last one.
//! Several tables are planned at a time, the largest first, so that no large table is left for the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use tokio::sync::mpsc::{Sender, UnboundedSender};
use tokio::task::JoinSet;
use whimbrel_connector::{ConnectorError, ErrorKind, KeyBound, KeyRange, Result, SnapshotReader, Writer};

use crate::progress::TableStage;
use crate::state::{ChunkDone, ChunkEntry, EntryStage, Record, TableEntry, TableResult};
use crate::worker::Retry;
use crate::{Shared, indexes};

/// Tables planned at the same time.
const PLANNERS: usize = 4;

/// One piece of work.
pub(crate) struct Work {
    pub table: Arc<TableTracker>,
    pub piece: Piece,
}

pub(crate) enum Piece {
    Chunk {
        number: u32,
        range: KeyRange,
    },
    /// A keyless table, all of it.
    Whole,
}

/// Knows when the last piece of a table is done.
pub(crate) struct TableTracker {
    pub index: usize,
    /// Pieces handed out and not yet done, plus one while planning goes on.
    pending: AtomicUsize,
    begun: Instant,
    rows: AtomicU64,
    bytes: AtomicU64,
    deferred: AtomicU64,
    parked: AtomicU64,
}

impl TableTracker {
    fn new(index: usize, before: &ChunkDone) -> Self {
        Self {
            index,
            pending: AtomicUsize::new(1),
            begun: Instant::now(),
            rows: AtomicU64::new(before.rows),
            bytes: AtomicU64::new(before.bytes),
            deferred: AtomicU64::new(before.deferred),
            parked: AtomicU64::new(before.parked),
        }
    }

    /// Counts one piece (or the planning) as done; true for the last one.
    pub fn complete(&self, done: &ChunkDone) -> bool {
        self.rows.fetch_add(done.rows, Ordering::Relaxed);
        self.bytes.fetch_add(done.bytes, Ordering::Relaxed);
        self.deferred.fetch_add(done.deferred, Ordering::Relaxed);
        self.parked.fetch_add(done.parked, Ordering::Relaxed);
        self.pending.fetch_sub(1, Ordering::AcqRel) == 1
    }

    pub fn result(&self) -> TableResult {
        TableResult {
            rows: self.rows.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            milliseconds: self.begun.elapsed().as_millis() as u64,
            deferred: self.deferred.load(Ordering::Relaxed),
            parked: self.parked.load(Ordering::Relaxed),
            exact_position: None,
        }
    }
}

/// Plans all tables. Ends when every piece has been handed out.
pub(crate) async fn run(
    shared: Arc<Shared>,
    chunks: Sender<Work>,
    finished: UnboundedSender<indexes::Loaded>,
) -> Result<()> {
    let order = Arc::new(by_size(&shared).await?);
    let next = Arc::new(AtomicUsize::new(0));
    let mut planners = JoinSet::new();
    for _ in 0..PLANNERS.min(order.len()) {
        let planner = Planner {
            shared: shared.clone(),
            chunks: chunks.clone(),
            finished: finished.clone(),
            reader: None,
            writer: None,
        };
        planners.spawn(planner.run(order.clone(), next.clone()));
    }
    while let Some(ended) = planners.join_next().await {
        ended.map_err(|panic| {
            ConnectorError::new(ErrorKind::Other, &shared.task, "planning broke").with_source(panic)
        })??;
    }
    Ok(())
}

/// Table numbers with the largest first, and the estimates shown.
async fn by_size(shared: &Shared) -> Result<Vec<(usize, u64)>> {
    let mut reader = shared.source.snapshot_reader().await?;
    let mut sized = Vec::with_capacity(shared.tables.len());
    for (index, table) in shared.tables.iter().enumerate() {
        let estimate = reader.estimate(&table.plan.source.schema).await?;
        shared.progress.tables[index].set_estimate(estimate.rows);
        let row_bytes = estimate.bytes / estimate.rows.max(1);
        let chunk_rows =
            (shared.options.chunk_bytes / row_bytes.max(1)).clamp(1, shared.options.chunk_rows.max(1));
        sized.push((index, estimate.bytes, chunk_rows));
    }
    sized.sort_by_key(|(_, bytes, _)| std::cmp::Reverse(*bytes));
    Ok(sized.into_iter().map(|(index, _, chunk_rows)| (index, chunk_rows)).collect())
}

struct Planner {
    shared: Arc<Shared>,
    chunks: Sender<Work>,
    finished: UnboundedSender<indexes::Loaded>,
    reader: Option<Box<dyn SnapshotReader>>,
    writer: Option<Box<dyn Writer>>,
}

impl Planner {
    async fn run(mut self, order: Arc<Vec<(usize, u64)>>, next: Arc<AtomicUsize>) -> Result<()> {
        while let Some(&(index, chunk_rows)) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            self.shared.check_cancelled()?;
            self.table(index, chunk_rows).await?;
        }
        Ok(())
    }

    async fn table(&mut self, index: usize, chunk_rows: u64) -> Result<()> {
        let shared = self.shared.clone();
        let known = shared.state.table(index);
        if let Some(entry) = known.entry.as_ref().filter(|entry| entry.stage != EntryStage::Loading) {
            return self.already_loaded(index, entry);
        }
        shared.progress.tables[index].set_stage(TableStage::Loading);
        let plan = &shared.tables[index].plan;
        let name = &plan.source.schema.name;
        let tracker = Arc::new(TableTracker::new(index, &known.done));
        if plan.source.schema.row_key().is_none() || plan.is_keyless() {
            return self.hand_out(&tracker, Piece::Whole).await;
        }
        if known.entry.is_none() {
            let entry = TableEntry::loading();
            self.record(&Record::table(name, &entry)).await?;
        }
        for (number, range) in &known.open {
            self.hand_out(&tracker, Piece::Chunk { number: *number, range: range.clone() }).await?;
        }
        if !known.fully_planned() {
            self.walk(&tracker, known.next_chunk, known.planned_until.clone(), chunk_rows).await?;
        }
        // The planner's own count: a table whose pieces were all done before is finished here.
        if tracker.complete(&ChunkDone::default()) {
            let loaded = indexes::Loaded { index, result: tracker.result() };
            let entry = TableEntry::new(EntryStage::Loaded, &loaded.result);
            self.record(&Record::table(name, &entry)).await?;
            self.report(loaded);
        }
        Ok(())
    }

    fn already_loaded(&mut self, index: usize, entry: &TableEntry) -> Result<()> {
        if entry.stage == EntryStage::Loaded {
            self.report(indexes::Loaded { index, result: entry.result() });
        }
        Ok(())
    }

    /// Finds bounds from `after` to the end of the table.
    async fn walk(
        &mut self,
        tracker: &Arc<TableTracker>,
        first: u32,
        mut after: Option<KeyBound>,
        chunk_rows: u64,
    ) -> Result<()> {
        let shared = self.shared.clone();
        let schema = &shared.tables[tracker.index].plan.source.schema;
        for number in first.. {
            shared.check_cancelled()?;
            let until = self.next_bound(schema, after.as_ref(), chunk_rows).await?;
            let range = KeyRange { after: after.take(), until: until.clone() };
            let entry = ChunkEntry::new(range.clone(), None);
            self.record(&Record::chunk(&schema.name, number, &entry)).await?;
            self.hand_out(tracker, Piece::Chunk { number, range }).await?;
            if until.is_none() {
                break;
            }
            after = until;
        }
        Ok(())
    }

    async fn hand_out(&mut self, tracker: &Arc<TableTracker>, piece: Piece) -> Result<()> {
        // A keyless table has one piece and no planning of its own, so the tracker's first count is its.
        if matches!(piece, Piece::Chunk { .. }) {
            tracker.pending.fetch_add(1, Ordering::AcqRel);
        }
        let work = Work { table: tracker.clone(), piece };
        // The workers are gone only where one of them has failed, and says so itself.
        self.chunks.send(work).await.map_err(|_| {
            ConnectorError::new(ErrorKind::Cancelled, &self.shared.task, "the workers have stopped")
        })
    }

    fn report(&self, loaded: indexes::Loaded) {
        // The receiver is gone only where it has failed, and says so itself.
        let _ = self.finished.send(loaded);
    }

    async fn next_bound(
        &mut self,
        schema: &whimbrel_model::TableSchema,
        after: Option<&KeyBound>,
        rows: u64,
    ) -> Result<Option<KeyBound>> {
        let mut retry = Retry::new(&self.shared);
        loop {
            let found = match &mut self.reader {
                Some(reader) => reader.next_bound(schema, after, rows).await,
                None => match self.shared.source.snapshot_reader().await {
                    Ok(reader) => {
                        self.reader = Some(reader);
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            match found {
                Ok(bound) => return Ok(bound),
                Err(error) => {
                    self.reader = None;
                    retry.wait(error).await?;
                }
            }
        }
    }

    /// Writes a state entry, again if need be.
    async fn record(&mut self, record: &Record) -> Result<()> {
        let mut retry = Retry::new(&self.shared);
        loop {
            let written = match &mut self.writer {
                Some(writer) => record.put(writer.as_mut()).await,
                None => match self.shared.target.writer(&self.shared.task, self.shared.epoch).await {
                    Ok(writer) => {
                        self.writer = Some(writer);
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            match written {
                Ok(()) => return Ok(()),
                Err(error) => {
                    self.writer = None;
                    retry.wait(error).await?;
                }
            }
        }
    }
}

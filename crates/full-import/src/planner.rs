//! Cuts tables into chunks and hands them to the workers.
//!
//! Bounds are found by walking the row key on the source, so chunks hold the planned number of rows whatever
//! the key's type, collation, gaps and skew. That number comes from the server's estimate at first, and from what
//! the table's chunks really held as soon as some are done. A chunk's range is recorded at the target before the
//! chunk is handed out: after a crash exactly the open ranges are read again, and planning goes on behind the last
//! one. Several tables are planned at a time, and the workers take the chunks of the first of them ([`crate::queue`]):
//! those whose indexes are built after the load come first, so that building goes on while others are loaded, and of
//! these the largest, so that no large table is left for the end.
//!
//! Where a table ends is asked once, when its planning begins, and recorded with its first chunk. Rows that come later
//! with a greater key are not copied but left to the increments, whose start lies before; otherwise an import that is
//! slower than the table grows would never end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::time::Instant;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use whimbrel_connector::{
    ConnectorError, ErrorKind, FailPoint, KeyBound, KeyRange, Mutation, Result, SnapshotReader,
    TableEstimate, Writer,
};
use whimbrel_model::TableSchema;

use crate::progress::TableStage;
use crate::queue::{Closed, Pieces};
use crate::state::{ChunkDone, ChunkEntry, EntryStage, Record, TableEntry, TableResult, TableState};
use crate::worker::{Retry, loaded_record};
use crate::{Shared, indexes, loads_whole};

/// Tables planned at the same time.
const PLANNERS: usize = 4;
/// Rows that must have been read before their size is believed more than the server's estimate.
const TELLING_ROWS: u64 = 1000;
/// Assumed where nothing is known about a table.
const ROW_BYTES: u64 = 200;

/// One piece of work.
pub(crate) struct Work {
    pub table: Arc<TableTracker>,
    pub piece: Piece,
}

pub(crate) enum Piece {
    Chunk {
        number: u32,
        entry: ChunkEntry,
    },
    /// A table that is loaded in one piece, all of it.
    Whole,
}

/// Knows when the last piece of a table is done.
pub(crate) struct TableTracker {
    pub index: usize,
    /// Its place in the order of planning.
    turn: usize,
    /// Pieces handed out and not yet done, plus one while planning goes on.
    pending: AtomicUsize,
    begun: Instant,
    rows: AtomicU64,
    bytes: AtomicU64,
    deferred: AtomicU64,
    parked: AtomicU64,
}

impl TableTracker {
    fn new(index: usize, turn: usize, before: &ChunkDone) -> Self {
        Self {
            index,
            turn,
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

    /// Bytes of a row, as far as the chunks done until now can tell.
    fn row_bytes(&self) -> Option<u64> {
        let rows = self.rows.load(Ordering::Relaxed);
        (rows >= TELLING_ROWS).then(|| self.bytes.load(Ordering::Relaxed) / rows)
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
    pieces: Pieces<Work>,
    finished: UnboundedSender<indexes::Loaded>,
) -> Result<()> {
    let order = Arc::new(planning_order(&shared).await?);
    let next = Arc::new(AtomicUsize::new(0));
    let mut planners = JoinSet::new();
    for _ in 0..PLANNERS.min(order.len()) {
        let planner = Planner {
            shared: shared.clone(),
            pieces: pieces.clone(),
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

/// Table numbers in the order of planning, and the bytes of a row as the server believes them to be. Shows the
/// estimates.
async fn planning_order(shared: &Shared) -> Result<Vec<(usize, u64)>> {
    let mut retry = Retry::new(shared);
    let estimates = loop {
        match estimates(shared).await {
            Ok(estimates) => break estimates,
            Err(error) => retry.wait(error).await?,
        }
    };
    let mut sized = Vec::with_capacity(shared.tables.len());
    for (index, table) in shared.tables.iter().enumerate() {
        let name = &table.plan.source.schema.name;
        let estimate = estimates.get(&(name.schema.as_str(), name.table.to_lowercase()));
        let estimate = estimate.copied().unwrap_or_default();
        shared.progress.tables[index].set_estimate(estimate.rows);
        let row_bytes = estimate.bytes.checked_div(estimate.rows).unwrap_or(ROW_BYTES);
        sized.push((index, estimate.bytes, row_bytes));
    }
    sized.sort_by_key(|(index, bytes, _)| {
        (shared.tables[*index].indexes.is_empty(), std::cmp::Reverse(*bytes))
    });
    Ok(sized.into_iter().map(|(index, _, row_bytes)| (index, row_bytes)).collect())
}

/// One question for each schema, however many tables it has. Tables by schema as given and name in lower case.
async fn estimates(shared: &Shared) -> Result<BTreeMap<(&str, String), TableEstimate>> {
    let schemas: BTreeSet<&str> =
        shared.tables.iter().map(|table| table.plan.source.schema.name.schema.as_str()).collect();
    let mut catalog = shared.catalog.lock().await;
    let mut estimates = BTreeMap::new();
    for schema in schemas {
        for summary in catalog.tables(schema).await? {
            estimates.insert((schema, summary.name.table.to_lowercase()), summary.estimate);
        }
    }
    Ok(estimates)
}

/// How many rows of this size make a chunk.
fn chunk_rows(shared: &Shared, row_bytes: u64) -> u64 {
    (shared.options.chunk_bytes / row_bytes.max(1)).clamp(1, shared.options.chunk_rows.max(1))
}

/// A bound to be asked for.
#[derive(Clone, Copy)]
enum Bound<'a> {
    /// Of the table.
    Last,
    /// Of the first so many rows of a range.
    Next(&'a KeyRange, u64),
}

impl Bound<'_> {
    async fn ask(self, reader: &mut dyn SnapshotReader, schema: &TableSchema) -> Result<Option<KeyBound>> {
        match self {
            Self::Last => reader.last_bound(schema).await,
            Self::Next(range, rows) => reader.next_bound(schema, range, rows).await,
        }
    }
}

struct Planner {
    shared: Arc<Shared>,
    pieces: Pieces<Work>,
    finished: UnboundedSender<indexes::Loaded>,
    reader: Option<Box<dyn SnapshotReader>>,
    writer: Option<Box<dyn Writer>>,
}

impl Planner {
    async fn run(mut self, order: Arc<Vec<(usize, u64)>>, next: Arc<AtomicUsize>) -> Result<()> {
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            let Some(&(index, row_bytes)) = order.get(turn) else { return Ok(()) };
            self.shared.check_cancelled()?;
            self.table(turn, index, row_bytes).await?;
        }
    }

    async fn table(&mut self, turn: usize, index: usize, row_bytes: u64) -> Result<()> {
        let shared = self.shared.clone();
        let known = shared.state.table(index);
        if let Some(entry) = known.entry.as_ref().filter(|entry| entry.stage != EntryStage::Loading) {
            return self.already_loaded(index, entry);
        }
        shared.progress.tables[index].set_stage(TableStage::Loading);
        let plan = &shared.tables[index].plan;
        let tracker = Arc::new(TableTracker::new(index, turn, &known.done));
        if loads_whole(plan) {
            return self.hand_out(&tracker, Piece::Whole).await;
        }
        for (number, entry) in known.open.iter().filter(|_| !Mutation::ForgetOpenChunks.active()) {
            self.hand_out(&tracker, Piece::Chunk { number: *number, entry: entry.clone() }).await?;
        }
        if !known.fully_planned() {
            self.walk(&tracker, known, row_bytes).await?;
        }
        // The planner's own count: a table whose pieces were all done before is finished here.
        if tracker.complete(&ChunkDone::default()) {
            let loaded = indexes::Loaded { index, result: tracker.result() };
            self.record(&[loaded_record(&shared, index, &loaded.result)]).await?;
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

    /// Plans the chunks that are missing, up to the table's last row as it was when planning began.
    async fn walk(&mut self, tracker: &Arc<TableTracker>, known: &TableState, row_bytes: u64) -> Result<()> {
        let shared = self.shared.clone();
        let schema = &shared.tables[tracker.index].plan.source.schema;
        let mut begun = None;
        let end = match known.planning_end() {
            Some(end) => end.clone(),
            None => {
                // An empty table has no chunks.
                let Some(end) = self.bound(schema, Bound::Last).await? else {
                    return Ok(());
                };
                begun =
                    Some(Record::table(&schema.name, &TableEntry::loading(&schema.name, Some(end.clone()))));
                end
            }
        };
        let mut after = known.planned_until.clone();
        for number in known.next_chunk.. {
            shared.check_cancelled()?;
            let rows = chunk_rows(&shared, tracker.row_bytes().unwrap_or(row_bytes));
            let rest = KeyRange { after: after.take(), until: Some(end.clone()) };
            let found = self.bound(schema, Bound::Next(&rest, rows)).await?;
            let until = found.unwrap_or_else(|| end.clone());
            let entry =
                ChunkEntry::open(KeyRange { until: Some(until.clone()), ..rest }, ChunkDone::default());
            let chunk = Record::chunk(&schema.name, number, &entry);
            let records: Vec<Record> = begun.take().into_iter().chain([chunk]).collect();
            self.record(&records).await?;
            if until != end || !Mutation::LoseLastChunk.active() {
                self.hand_out(tracker, Piece::Chunk { number, entry }).await?;
            }
            if until == end {
                break;
            }
            after = Some(until);
        }
        Ok(())
    }

    async fn hand_out(&mut self, tracker: &Arc<TableTracker>, piece: Piece) -> Result<()> {
        // A keyless table has one piece and no planning of its own, so the tracker's first count is its.
        if matches!(piece, Piece::Chunk { .. }) {
            tracker.pending.fetch_add(1, Ordering::AcqRel);
        }
        let work = Work { table: tracker.clone(), piece };
        tokio::select! {
            biased;
            () = self.shared.cancel.cancelled() => self.shared.check_cancelled(),
            sent = self.pieces.send(tracker.turn, work) => sent.map_err(|Closed| {
                // The workers are gone only where one of them has failed, and says so itself.
                ConnectorError::new(ErrorKind::Cancelled, &self.shared.task, "the workers have stopped")
            }),
        }
    }

    fn report(&self, loaded: indexes::Loaded) {
        // The receiver is gone only where it has failed, and says so itself.
        let _ = self.finished.send(loaded);
    }

    /// Asks the source for a bound, again if need be.
    async fn bound(&mut self, schema: &TableSchema, bound: Bound<'_>) -> Result<Option<KeyBound>> {
        let mut retry = Retry::new(&self.shared);
        loop {
            let found = match &mut self.reader {
                Some(reader) => bound.ask(reader.as_mut(), schema).await,
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

    /// Writes state entries in one transaction, again if need be.
    async fn record(&mut self, records: &[Record]) -> Result<()> {
        let mut retry = Retry::new(&self.shared);
        loop {
            let written = match &mut self.writer {
                Some(writer) => put_all(writer.as_mut(), records).await,
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

async fn put_all(writer: &mut dyn Writer, records: &[Record]) -> Result<()> {
    writer.begin().await?;
    for record in records {
        record.put(writer).await?;
    }
    FailPoint::ChunksPlanned.reached();
    writer.commit().await
}

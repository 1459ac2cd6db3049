//! Compares tables that have a key on both sides, chunk by chunk.
//!
//! The source's key is walked in chunks. Where both servers order the key alike, the chunk's range is compared as a
//! range: by digest, if that is comparable and takes less time, else by reading both sides. That finds rows that
//! the source lacks as well, up to the source's last row; a second walk over the target's key looks at what is behind
//! it. Where they may order it differently (text under different collations), the target's rows are fetched by key, and
//! the second walk is over all of the target.
//!
//! Both walks end at the row that was the last one when the table's turn came: rows that come later, with a greater key,
//! are not compared. Otherwise a verification that is slower than the table grows would never end.
//!
//! Where several source tables share the target, a range of it holds rows of others as well. So rows are fetched by key
//! there too, and one of the tables walks the target, asking all of them.
//!
//! A chunk whose rows turn out to be larger than its share of memory is compared in parts: what has been read up to
//! some key is a range of its own. Several workers take chunks of the same table; what they find goes through one
//! writer of files per table.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use tokio::time::Instant;

use tokio::sync::Mutex;
use tokio::sync::mpsc::Sender;
use whimbrel_connector::{
    Backoff, ColumnMap, ConnectorError, ErrorKind, KeyBound, KeyRange, RangeDigest, Result, SnapshotReader,
};
use whimbrel_model::{RowBatch, TableSchema, TableVersion};

use crate::approach::{TRIAL_BYTES, Way};
use crate::dense;
use crate::loaded::Loaded;
use crate::output::{Files, Found};
use crate::pairing::{Pairing, Side};
use crate::recheck::{self, Suspects};
use crate::side_by_side::{self, Compared};
use crate::{Shared, Sides, VerifyTable, Work};

pub(crate) const BATCH_BYTES: usize = 1 << 20;
/// Assumed where nothing is known about a table.
const ROW_BYTES: u64 = 200;

/// One table while its chunks are compared.
pub(crate) struct TableRun {
    pub index: usize,
    files: Mutex<Option<Files>>,
    /// Chunks handed out and not done, plus one while planning goes on.
    pending: AtomicUsize,
    begun: Instant,
    /// Estimated, once planning has begun.
    row_bytes: AtomicU64,
    /// The two servers' digests of the table can't be compared.
    no_digest: AtomicBool,
}

impl TableRun {
    pub fn new(shared: &Shared, index: usize) -> Result<Self> {
        Ok(Self {
            index,
            files: Mutex::new(Some(Files::new(shared, index)?)),
            pending: AtomicUsize::new(1),
            begun: Instant::now(),
            row_bytes: AtomicU64::new(ROW_BYTES),
            no_digest: AtomicBool::new(false),
        })
    }

    /// Counts and writes what was found.
    async fn write(&self, shared: &Shared, found: &[Found]) -> Result<()> {
        if found.is_empty() {
            return Ok(());
        }
        let mut files = self.files.lock().await;
        let files = files.as_mut().ok_or_else(|| {
            ConnectorError::new(ErrorKind::Other, "verification", "a chunk came after its table was closed")
        })?;
        files.write_all(shared, self.index, found)
    }

    /// Counts one chunk (or the planning) as done and closes the table with the last one.
    pub async fn complete(&self, shared: &Shared) -> Result<()> {
        if self.pending.fetch_sub(1, Ordering::AcqRel) > 1 {
            return Ok(());
        }
        if let Some(files) = self.files.lock().await.take() {
            files.finish()?;
        }
        let milliseconds = self.begun.elapsed().as_millis() as u64;
        shared.progress.counters[self.index].milliseconds.store(milliseconds, Ordering::Relaxed);
        shared.progress.finish(self.index);
        Ok(())
    }
}

/// Walks the table's keys and hands out its chunks.
pub(crate) async fn plan(
    shared: &Shared,
    sides: &mut Sides,
    run: &Arc<TableRun>,
    chunks: &Sender<Work>,
) -> Result<()> {
    let table = &shared.tables[run.index];
    let pairing = Pairing::new(table)?;
    pairing.refuse_unlike(shared, run.index)?;
    let meet = pairing.ranges_meet();
    let mut planner = Planner { shared, sides, run, chunks, meet, estimated_bytes: 0, estimated_rows: 0 };
    let rows = planner.chunk_rows(Side::Source).await?;
    let everything = KeyRange::default();
    if meet && planner.bound(Side::Source, Bound::Next(&everything, rows)).await?.is_none() {
        // A small table: one range is all of it on both sides.
        let bytes = planner.estimated_bytes;
        let for_trial = shared.approach.plans_trial(bytes);
        return planner.hand_out(Side::Source, everything, for_trial).await;
    }
    let target_end = match shared.looks_for_extra(run.index) {
        true => planner.bound(Side::Target, Bound::Last).await?,
        false => None,
    };
    let end = planner.bound(Side::Source, Bound::Last).await?;
    if let Some(end) = &end {
        planner.walk(Side::Source, None, end, rows).await?;
    }
    // What the source lacks: behind its last row where ranges meet, anywhere where they don't.
    let after = end.filter(|_| meet).map(|end| pairing.target_bound(&end)).transpose()?;
    if let Some(end) = target_end {
        let rows = planner.chunk_rows(Side::Target).await?;
        planner.walk(Side::Target, after, &end, rows).await?;
    }
    Ok(())
}

/// A bound to be asked for.
#[derive(Clone, Copy)]
enum Bound<'a> {
    /// Of the table.
    Last,
    /// Of the first so many rows of a range.
    Next(&'a KeyRange, u64),
}

struct Planner<'a> {
    shared: &'a Shared,
    sides: &'a mut Sides,
    run: &'a Arc<TableRun>,
    chunks: &'a Sender<Work>,
    /// Both sides order the table alike.
    meet: bool,
    /// Of the side that was asked last; the rows become fewer with each chunk.
    estimated_bytes: u64,
    estimated_rows: u64,
}

impl Planner<'_> {
    /// Hands out the chunks of one side between two keys.
    async fn walk(
        &mut self,
        side: Side,
        mut after: Option<KeyBound>,
        end: &KeyBound,
        rows: u64,
    ) -> Result<()> {
        loop {
            self.shared.check_cancelled()?;
            let rest = KeyRange { after: after.take(), until: Some(end.clone()) };
            let for_trial =
                side == Side::Source && self.meet && self.shared.approach.plans_trial(TRIAL_BYTES);
            let trial_rows = TRIAL_BYTES / self.run.row_bytes.load(Ordering::Relaxed);
            let rows = if for_trial { trial_rows.clamp(1, rows) } else { rows };
            let until = match self.dense_bound(side, &rest, end, rows)? {
                Some(until) => until,
                None => {
                    let found = self.bound(side, Bound::Next(&rest, rows)).await?;
                    found.unwrap_or_else(|| end.clone())
                }
            };
            self.estimated_rows = self.estimated_rows.saturating_sub(rows);
            self.hand_out(side, KeyRange { until: Some(until.clone()), ..rest }, for_trial).await?;
            if until == *end || is_full(self.shared, self.run.index) {
                return Ok(());
            }
            after = Some(until);
        }
    }

    /// The bound of the next chunk where it needn't be asked for.
    fn dense_bound(
        &self,
        side: Side,
        rest: &KeyRange,
        end: &KeyBound,
        rows: u64,
    ) -> Result<Option<KeyBound>> {
        let Some(after) = &rest.after else { return Ok(None) };
        let keys = Pairing::new(&self.shared.tables[self.run.index])?.key_batch(side);
        Ok(dense::bound_after(keys, after, end, rows, self.estimated_rows))
    }

    async fn hand_out(&mut self, side: Side, range: KeyRange, for_trial: bool) -> Result<()> {
        self.run.pending.fetch_add(1, Ordering::AcqRel);
        let work = Work::Chunk { run: self.run.clone(), side, range, for_trial };
        self.chunks.send(work).await.map_err(|_| {
            ConnectorError::new(ErrorKind::Cancelled, "verification", "the workers have stopped")
        })
    }

    async fn chunk_rows(&mut self, side: Side) -> Result<u64> {
        let shared = self.shared;
        let schema = &version(&shared.tables[self.run.index], side).schema;
        let mut backoff = Backoff::new(shared.options.retry_for);
        let estimate = loop {
            let found = match reader(self.sides, shared, side).await {
                Ok(reader) => reader.estimate(schema).await,
                Err(error) => Err(error),
            };
            match found {
                Ok(estimate) => break estimate,
                Err(error) => shared.wait(self.sides, backoff.after(error)?).await?,
            }
        };
        let row_bytes = estimate.bytes.checked_div(estimate.rows).unwrap_or(ROW_BYTES).max(1);
        self.run.row_bytes.store(row_bytes, Ordering::Relaxed);
        (self.estimated_bytes, self.estimated_rows) = (estimate.bytes, estimate.rows);
        Ok((shared.options.chunk_bytes / row_bytes).clamp(1, shared.options.chunk_rows.max(1)))
    }

    async fn bound(&mut self, side: Side, bound: Bound<'_>) -> Result<Option<KeyBound>> {
        let shared = self.shared;
        let schema = &version(&shared.tables[self.run.index], side).schema;
        let mut backoff = Backoff::new(shared.options.retry_for);
        loop {
            let found = match (reader(self.sides, shared, side).await, bound) {
                (Ok(reader), Bound::Last) => reader.last_bound(schema).await,
                (Ok(reader), Bound::Next(range, rows)) => reader.next_bound(schema, range, rows).await,
                (Err(error), _) => Err(error),
            };
            match found {
                Ok(bound) => return Ok(bound),
                Err(error) => shared.wait(self.sides, backoff.after(error)?).await?,
            }
        }
    }
}

/// True where so much differs that reading on is no use.
fn is_full(shared: &Shared, index: usize) -> bool {
    let counters = &shared.progress.counters[index];
    let full = counters.differences() >= shared.options.most_differences;
    if full {
        counters.truncated.store(true, Ordering::Relaxed);
    }
    full
}

fn version(table: &VerifyTable, side: Side) -> &Arc<TableVersion> {
    match side {
        Side::Source => &table.plan.source,
        Side::Target => &table.target,
    }
}

async fn reader<'s>(sides: &'s mut Sides, shared: &Shared, side: Side) -> Result<&'s mut dyn SnapshotReader> {
    match side {
        Side::Source => sides.source(shared).await,
        Side::Target => sides.target(shared).await,
    }
}

/// Compares one chunk part by part; a part is begun again where a server went away.
pub(crate) async fn chunk(
    shared: &Shared,
    sides: &mut Sides,
    run: &TableRun,
    side: Side,
    range: &KeyRange,
    for_trial: bool,
) -> Result<()> {
    let mut backoff = Backoff::new(shared.options.retry_for);
    let mut rest = Some(range.clone());
    while let Some(range) = rest.clone().filter(|_| !is_full(shared, run.index)) {
        match part(shared, sides, run, side, &range, for_trial).await {
            Ok(part) => {
                let counters = &shared.progress.counters[run.index];
                counters.rows.fetch_add(part.rows, Ordering::Relaxed);
                counters.digested_chunks.fetch_add(u64::from(part.digested), Ordering::Relaxed);
                run.write(shared, &part.found).await?;
                rest = part.cut.map(|cut| KeyRange { after: Some(cut), until: range.until.clone() });
            }
            Err(error) => shared.wait(sides, backoff.after(error)?).await?,
        }
    }
    run.complete(shared).await
}

/// What one part of a chunk gave.
#[derive(Default)]
struct Part {
    /// Source rows compared.
    rows: u64,
    digested: bool,
    found: Vec<Found>,
    /// The key where the part ends before its range does.
    cut: Option<KeyBound>,
}

async fn part(
    shared: &Shared,
    sides: &mut Sides,
    run: &TableRun,
    side: Side,
    range: &KeyRange,
    for_trial: bool,
) -> Result<Part> {
    shared.check_cancelled()?;
    let pairing = Pairing::new(&shared.tables[run.index])?;
    let meet = pairing.ranges_meet();
    if side == Side::Source
        && meet
        && let Some(part) = whole_range(shared, sides, run, &pairing, range, for_trial).await?
    {
        return Ok(part);
    }
    let version = version(pairing.table, side);
    let reader = reader(sides, shared, side).await?;
    let mut loaded = Loaded::read(reader, &pairing, side, version, range, shared.part_bytes()).await?;
    let cut = loaded.cut.take();
    let mut suspects = Suspects::new(&pairing);
    suspects.set_row_bytes(loaded.row_bytes());
    let rows = match side {
        Side::Target => {
            look_for_extra(shared, sides, run.index, &mut loaded).await?;
            for row in loaded.without_partner() {
                suspects.add(&pairing, Side::Target, row);
            }
            0
        }
        Side::Source => {
            if meet {
                let until = cut.as_ref().or(range.until.as_ref());
                let target_range = target_range(&pairing, range.after.as_ref(), until)?;
                compare_ranges(shared, sides, &pairing, &mut loaded, &target_range, &mut suspects).await?;
            } else {
                look_for_partners(shared, sides, &pairing, &mut loaded, &mut suspects).await?;
            }
            loaded.len() as u64
        }
    };
    drop(loaded);
    let found = recheck::decide(shared, sides, run.index, suspects).await?;
    Ok(Part { rows, digested: false, found, cut })
}

/// Compares a range that is ordered alike on both sides; `None` where it has to be compared in parts.
async fn whole_range(
    shared: &Shared,
    sides: &mut Sides,
    run: &TableRun,
    pairing: &Pairing<'_>,
    range: &KeyRange,
    for_trial: bool,
) -> Result<Option<Part>> {
    // Connecting is in nobody's time.
    sides.both(shared).await?;
    let no_digest = run.no_digest.load(Ordering::Relaxed);
    let way = if no_digest { Way::Rows } else { shared.approach.way(for_trial) };
    let begun = Instant::now();
    let took =
        |rows| shared.approach.took(way, rows * run.row_bytes.load(Ordering::Relaxed), begun.elapsed());
    let target_range = target_range(pairing, range.after.as_ref(), range.until.as_ref())?;
    if way == Way::Digest {
        match digests(shared, sides, pairing, range, &target_range).await? {
            None => run.no_digest.store(true, Ordering::Relaxed),
            Some((ours, theirs)) if ours == theirs => {
                took(ours.rows);
                return Ok(Some(Part { rows: ours.rows, digested: true, ..Part::default() }));
            }
            Some(_) => {}
        }
    }
    let compared = side_by_side::compare(shared, sides, pairing, range, &target_range).await?;
    let Some(Compared { rows, suspects }) = compared else { return Ok(None) };
    took(rows);
    let found = recheck::decide(shared, sides, run.index, suspects).await?;
    Ok(Some(Part { rows, digested: false, found, cut: None }))
}

fn target_range(
    pairing: &Pairing<'_>,
    after: Option<&KeyBound>,
    until: Option<&KeyBound>,
) -> Result<KeyRange> {
    Ok(KeyRange {
        after: after.map(|bound| pairing.target_bound(bound)).transpose()?,
        until: until.map(|bound| pairing.target_bound(bound)).transpose()?,
    })
}

/// What both servers compute for the range; `None` where they can't, or not so that it could be compared.
async fn digests(
    shared: &Shared,
    sides: &mut Sides,
    pairing: &Pairing<'_>,
    range: &KeyRange,
    target_range: &KeyRange,
) -> Result<Option<(RangeDigest, RangeDigest)>> {
    let (left, right) = (&pairing.table.plan.source.schema, &pairing.table.target.schema);
    let names = |pick: fn(&ColumnMap) -> usize, schema: &TableSchema| {
        let columns = pairing.table.plan.columns.iter();
        columns.map(|map| schema.columns[pick(map)].name.clone()).collect::<Vec<_>>()
    };
    let (source_columns, target_columns) = (names(|map| map.source, left), names(|map| map.target, right));
    let (source, target) = sides.both(shared).await?;
    let (Some(source), Some(target)) = (source.digest(), target.digest()) else { return Ok(None) };
    let comparable = source.comparable(left, right, shared.options.target_flavor)
        && target.comparable(right, left, shared.options.source_flavor);
    if !comparable {
        return Ok(None);
    }
    let (ours, theirs) = tokio::join!(
        source.range_digest(left, &source_columns, range),
        target.range_digest(right, &target_columns, target_range)
    );
    Ok(Some((ours?, theirs?)))
}

/// Reads the range from the target and pairs its rows with what was loaded from the source: a part of a range in which
/// the two sides are too different to be read side by side.
async fn compare_ranges(
    shared: &Shared,
    sides: &mut Sides,
    pairing: &Pairing<'_>,
    loaded: &mut Loaded,
    target_range: &KeyRange,
    suspects: &mut Suspects,
) -> Result<()> {
    let table = pairing.table;
    let target = sides.target(shared).await?;
    target.open_range(&table.target, target_range).await?;
    let mut batch = RowBatch::new(table.target.kinds.clone());
    let mut more = true;
    while more {
        batch.clear();
        more = target.next_batch(&mut batch, BATCH_BYTES).await?;
        for row in batch.rows() {
            let form = pairing.key_form(Side::Target, row);
            let same = loaded.partner(&form).is_some_and(|partner| pairing.same(partner, row));
            if !same {
                suspects.add(pairing, Side::Target, row);
            }
        }
    }
    for row in loaded.without_partner() {
        suspects.add(pairing, Side::Source, row);
    }
    Ok(())
}

/// Fetches the partners of the source's rows by key.
async fn look_for_partners(
    shared: &Shared,
    sides: &mut Sides,
    pairing: &Pairing<'_>,
    loaded: &mut Loaded,
    suspects: &mut Suspects,
) -> Result<()> {
    let target = sides.target(shared).await?;
    for keys in loaded.keys(pairing, Side::Source, Side::Target) {
        let found = target.fetch(&pairing.table.target, &keys).await?;
        for row in found.rows() {
            let form = pairing.key_form(Side::Target, row);
            if let Some(partner) = loaded.partner(&form)
                && !pairing.same(partner, row)
            {
                suspects.add(pairing, Side::Target, row);
            }
        }
    }
    for row in loaded.without_partner() {
        suspects.add(pairing, Side::Source, row);
    }
    Ok(())
}

/// Looks for the target's rows at the source, in all tables that share the target.
async fn look_for_extra(shared: &Shared, sides: &mut Sides, index: usize, loaded: &mut Loaded) -> Result<()> {
    let source = sides.source(shared).await?;
    for table in std::iter::once(index).chain(shared.siblings(index)) {
        let pairing = Pairing::new(&shared.tables[table])?;
        for keys in loaded.keys(&pairing, Side::Target, Side::Source) {
            let found = source.fetch(&pairing.table.plan.source, &keys).await?;
            for row in found.rows() {
                loaded.partner(&pairing.key_form(Side::Source, row));
            }
        }
    }
    Ok(())
}

//! Compares tables that have a key on both sides, chunk by chunk.
//!
//! The source's key is walked in chunks. Where both servers order the key alike, the chunk's range is compared as a
//! range: by digest if that is comparable, else by reading both sides and pairing the rows. That finds rows that
//! the source lacks as well, since the ranges cover the whole target. Where they may order it differently (text
//! under different collations), the target's rows are fetched by key, and a second walk over the target's own key
//! looks for what the source lacks.
//!
//! A chunk whose rows turn out to be larger than its share of memory is compared in parts: what has been read up to
//! some key is a range of its own. Several workers take chunks of the same table; what they find goes through one
//! writer of files per table.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::sync::Mutex;
use tokio::sync::mpsc::Sender;
use whimbrel_connector::{
    Backoff, ColumnMap, ConnectorError, ErrorKind, KeyBound, KeyRange, Result, SnapshotReader,
};
use whimbrel_model::{RowBatch, TableSchema, TableVersion};

use crate::loaded::Loaded;
use crate::output::{Files, Found};
use crate::pairing::{Pairing, Side};
use crate::recheck::{self, Suspects};
use crate::{Shared, Sides, Work};

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
}

impl TableRun {
    pub fn new(shared: &Shared, index: usize) -> Result<Self> {
        let name = &shared.tables[index].target.schema.name;
        Ok(Self {
            index,
            files: Mutex::new(Some(Files::new(shared, name)?)),
            pending: AtomicUsize::new(1),
            begun: Instant::now(),
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
    let walks: &[Side] = if pairing.ranges_meet() { &[Side::Source] } else { &[Side::Source, Side::Target] };
    for &side in walks {
        let version = match side {
            Side::Source => &table.plan.source,
            Side::Target => &table.target,
        };
        let rows = chunk_rows(shared, sides, version, side).await?;
        let mut after = None;
        loop {
            shared.check_cancelled()?;
            let rest = KeyRange { after: after.take(), until: None };
            let until = next_bound(shared, sides, version, side, &rest, rows).await?;
            let range = KeyRange { until: until.clone(), ..rest };
            run.pending.fetch_add(1, Ordering::AcqRel);
            let work = Work::Chunk { run: run.clone(), side, range };
            chunks.send(work).await.map_err(|_| {
                ConnectorError::new(ErrorKind::Cancelled, "verification", "the workers have stopped")
            })?;
            if until.is_none() || is_full(shared, run.index) {
                break;
            }
            after = until;
        }
    }
    Ok(())
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

async fn reader<'s>(sides: &'s mut Sides, shared: &Shared, side: Side) -> Result<&'s mut dyn SnapshotReader> {
    match side {
        Side::Source => sides.source(shared).await,
        Side::Target => sides.target(shared).await,
    }
}

async fn chunk_rows(shared: &Shared, sides: &mut Sides, version: &TableVersion, side: Side) -> Result<u64> {
    let mut backoff = Backoff::new(shared.options.retry_for);
    let estimate = loop {
        let found = match reader(sides, shared, side).await {
            Ok(reader) => reader.estimate(&version.schema).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(estimate) => break estimate,
            Err(error) => shared.wait(sides, backoff.after(error)?).await?,
        }
    };
    let row_bytes = estimate.bytes.checked_div(estimate.rows).unwrap_or(ROW_BYTES).max(1);
    Ok((shared.options.chunk_bytes / row_bytes).clamp(1, shared.options.chunk_rows.max(1)))
}

async fn next_bound(
    shared: &Shared,
    sides: &mut Sides,
    version: &TableVersion,
    side: Side,
    range: &KeyRange,
    rows: u64,
) -> Result<Option<KeyBound>> {
    let mut backoff = Backoff::new(shared.options.retry_for);
    loop {
        let found = match reader(sides, shared, side).await {
            Ok(reader) => reader.next_bound(&version.schema, range, rows).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(bound) => return Ok(bound),
            Err(error) => shared.wait(sides, backoff.after(error)?).await?,
        }
    }
}

/// Compares one chunk part by part; a part is begun again where a server went away.
pub(crate) async fn chunk(
    shared: &Shared,
    sides: &mut Sides,
    run: &TableRun,
    side: Side,
    range: &KeyRange,
) -> Result<()> {
    let mut backoff = Backoff::new(shared.options.retry_for);
    let mut rest = Some(range.clone());
    while let Some(range) = rest.clone().filter(|_| !is_full(shared, run.index)) {
        match part(shared, sides, run.index, side, &range).await {
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
    index: usize,
    side: Side,
    range: &KeyRange,
) -> Result<Part> {
    shared.check_cancelled()?;
    let pairing = Pairing::new(&shared.tables[index])?;
    let meet = pairing.ranges_meet();
    if side == Side::Source
        && meet
        && let Some(rows) = digests_agree(shared, sides, &pairing, range).await?
    {
        return Ok(Part { rows, digested: true, ..Part::default() });
    }
    let version = match side {
        Side::Source => &pairing.table.plan.source,
        Side::Target => &pairing.table.target,
    };
    let reader = reader(sides, shared, side).await?;
    let mut loaded = Loaded::read(reader, &pairing, side, version, range, shared.part_bytes()).await?;
    let cut = loaded.cut.take();
    let mut suspects = Suspects::new(&pairing, loaded.group());
    let rows = match side {
        Side::Target => {
            look_for_extra(shared, sides, &pairing, &mut loaded, &mut suspects).await?;
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
    let found = recheck::decide(shared, sides, &pairing, suspects).await?;
    Ok(Part { rows, digested: false, found, cut })
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

/// The number of rows where both servers compute the same digest for the range; `None` where they don't, or
/// can't.
async fn digests_agree(
    shared: &Shared,
    sides: &mut Sides,
    pairing: &Pairing<'_>,
    range: &KeyRange,
) -> Result<Option<u64>> {
    let target_range = target_range(pairing, range.after.as_ref(), range.until.as_ref())?;
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
        target.range_digest(right, &target_columns, &target_range)
    );
    let (ours, theirs) = (ours?, theirs?);
    Ok((ours == theirs).then_some(ours.rows))
}

/// Reads the range from the target and pairs its rows with what was loaded from the source.
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

/// Looks for the target's rows at the source.
async fn look_for_extra(
    shared: &Shared,
    sides: &mut Sides,
    pairing: &Pairing<'_>,
    loaded: &mut Loaded,
    suspects: &mut Suspects,
) -> Result<()> {
    let source = sides.source(shared).await?;
    for keys in loaded.keys(pairing, Side::Target, Side::Source) {
        let found = source.fetch(&pairing.table.plan.source, &keys).await?;
        for row in found.rows() {
            loaded.partner(&pairing.key_form(Side::Source, row));
        }
    }
    for row in loaded.without_partner() {
        suspects.add(pairing, Side::Target, row);
    }
    Ok(())
}

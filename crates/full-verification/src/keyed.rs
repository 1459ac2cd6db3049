//! Compares tables that have a key on both sides, chunk by chunk.
//!
//! The source's key is walked in chunks. Where both servers order the key alike, the chunk's range is compared as a
//! range: by digest if that is comparable, else by reading both sides and pairing the rows. That finds rows that
//! the source lacks as well, since the ranges cover the whole target. Where they may order it differently (text
//! under different collations), the target's rows are fetched by key, and a second walk over the target's own key
//! looks for what the source lacks.
//!
//! Several workers take chunks of the same table; what they find goes through one writer of files per table.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::sync::Mutex;
use whimbrel_connector::{Backoff, ConnectorError, ErrorKind, KeyBound, KeyRange, Result, SnapshotReader};
use whimbrel_model::{RowBatch, RowRef, TableVersion};

use crate::output::Files;
use crate::pairing::{Pairing, Side};
use crate::recheck::{self, Suspects};
use crate::{Shared, Sides, Work};

const BATCH_BYTES: usize = 1 << 20;
/// Keys fetched by one question.
const GROUP: usize = 500;

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
    chunks: &tokio::sync::mpsc::Sender<Work>,
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
            let until = next_bound(shared, sides, version, side, after.as_ref(), rows).await?;
            let range = KeyRange { after: after.take(), until: until.clone() };
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
    let estimate = reader(sides, shared, side).await?.estimate(&version.schema).await?;
    let row_bytes = (estimate.bytes / estimate.rows.max(1)).max(1);
    Ok((shared.options.chunk_bytes / row_bytes).clamp(1, shared.options.chunk_rows.max(1)))
}

async fn next_bound(
    shared: &Shared,
    sides: &mut Sides,
    version: &TableVersion,
    side: Side,
    after: Option<&KeyBound>,
    rows: u64,
) -> Result<Option<KeyBound>> {
    let mut backoff = Backoff::new(shared.options.retry_for);
    loop {
        let found = match reader(sides, shared, side).await {
            Ok(reader) => reader.next_bound(&version.schema, after, rows).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(bound) => return Ok(bound),
            Err(error) => shared.wait(sides, backoff.after(error)?).await?,
        }
    }
}

/// Compares one chunk, again from its begin where a server went away.
pub(crate) async fn chunk(
    shared: &Shared,
    sides: &mut Sides,
    run: &TableRun,
    side: Side,
    range: &KeyRange,
) -> Result<()> {
    let mut backoff = Backoff::new(shared.options.retry_for);
    while !is_full(shared, run.index) {
        match compare(shared, sides, run, side, range).await {
            Ok(rows) => {
                shared.progress.counters[run.index].rows.fetch_add(rows, Ordering::Relaxed);
                break;
            }
            Err(error) => shared.wait(sides, backoff.after(error)?).await?,
        }
    }
    run.complete(shared).await
}

/// Returns the number of source rows compared.
async fn compare(
    shared: &Shared,
    sides: &mut Sides,
    run: &TableRun,
    side: Side,
    range: &KeyRange,
) -> Result<u64> {
    shared.check_cancelled()?;
    let table = &shared.tables[run.index];
    let pairing = Pairing::new(table)?;
    let mut suspects = Suspects::new(&pairing);
    let rows = if side == Side::Target {
        look_for_extra(shared, sides, &pairing, range, &mut suspects).await?;
        0
    } else if pairing.ranges_meet() {
        let target_range = KeyRange {
            after: range.after.as_ref().map(|bound| pairing.target_bound(bound)).transpose()?,
            until: range.until.as_ref().map(|bound| pairing.target_bound(bound)).transpose()?,
        };
        if let Some(rows) = digests_agree(shared, sides, &pairing, range, &target_range).await? {
            shared.progress.counters[run.index].digested_chunks.fetch_add(1, Ordering::Relaxed);
            return Ok(rows);
        }
        compare_ranges(shared, sides, &pairing, (range, &target_range), &mut suspects).await?
    } else {
        look_for_partners(shared, sides, &pairing, range, &mut suspects).await?
    };
    if suspects.len() > 0 {
        let mut files = run.files.lock().await;
        let files = files.as_mut().ok_or_else(|| {
            ConnectorError::new(ErrorKind::Other, "verification", "a chunk came after its table was closed")
        })?;
        recheck::decide(shared, sides, run.index, &pairing, suspects, files).await?;
    }
    Ok(rows)
}

/// The number of rows where both servers compute the same digest for the range; `None` where they don't, or
/// can't.
async fn digests_agree(
    shared: &Shared,
    sides: &mut Sides,
    pairing: &Pairing<'_>,
    source_range: &KeyRange,
    target_range: &KeyRange,
) -> Result<Option<u64>> {
    let (left, right) = (&pairing.table.plan.source.schema, &pairing.table.target.schema);
    let names = |pick: fn(&whimbrel_connector::ColumnMap) -> usize, schema: &whimbrel_model::TableSchema| {
        pairing
            .table
            .plan
            .columns
            .iter()
            .map(|map| schema.columns[pick(map)].name.clone())
            .collect::<Vec<_>>()
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
        source.range_digest(left, &source_columns, source_range),
        target.range_digest(right, &target_columns, target_range)
    );
    let (ours, theirs) = (ours?, theirs?);
    Ok((ours == theirs).then_some(ours.rows))
}

/// A chunk's rows of one side, by the form of their key.
struct Loaded {
    batches: Vec<RowBatch>,
    /// Batch and row, and whether a partner has been found.
    at: HashMap<Vec<u8>, (usize, usize, bool)>,
}

impl Loaded {
    async fn read(
        reader: &mut dyn SnapshotReader,
        pairing: &Pairing<'_>,
        side: Side,
        version: &Arc<TableVersion>,
        range: &KeyRange,
    ) -> Result<Self> {
        let mut loaded = Self { batches: Vec::new(), at: HashMap::new() };
        reader.open_range(version, range).await?;
        let mut more = true;
        while more {
            let mut batch = RowBatch::new(version.kinds.clone());
            more = reader.next_batch(&mut batch, BATCH_BYTES).await?;
            for (number, row) in batch.rows().enumerate() {
                loaded.at.insert(pairing.key_form(side, row), (loaded.batches.len(), number, false));
            }
            loaded.batches.push(batch);
        }
        Ok(loaded)
    }

    fn partner(&mut self, form: &[u8]) -> Option<RowRef<'_>> {
        let (batch, row, found) = self.at.get_mut(form)?;
        *found = true;
        Some(self.batches[*batch].row(*row))
    }

    fn rows(&self) -> impl Iterator<Item = RowRef<'_>> {
        self.batches.iter().flat_map(RowBatch::rows)
    }

    fn without_partner(&self) -> impl Iterator<Item = RowRef<'_>> {
        self.at.values().filter(|(_, _, found)| !found).map(|(batch, row, _)| self.batches[*batch].row(*row))
    }
}

/// Reads the range from both sides at once and pairs the rows.
async fn compare_ranges(
    shared: &Shared,
    sides: &mut Sides,
    pairing: &Pairing<'_>,
    (source_range, target_range): (&KeyRange, &KeyRange),
    suspects: &mut Suspects,
) -> Result<u64> {
    let table = pairing.table;
    let (source, target) = sides.both(shared).await?;
    let (loaded, opened) = tokio::join!(
        Loaded::read(source, pairing, Side::Source, &table.plan.source, source_range),
        target.open_range(&table.target, target_range)
    );
    let mut loaded = loaded?;
    opened?;
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
    Ok(loaded.at.len() as u64)
}

/// Fetches the partners of the source's rows by key.
async fn look_for_partners(
    shared: &Shared,
    sides: &mut Sides,
    pairing: &Pairing<'_>,
    range: &KeyRange,
    suspects: &mut Suspects,
) -> Result<u64> {
    let table = pairing.table;
    let (source, target) = sides.both(shared).await?;
    let mut loaded = Loaded::read(source, pairing, Side::Source, &table.plan.source, range).await?;
    let mut keys = pairing.key_batch(Side::Target);
    let mut groups = Vec::new();
    for row in loaded.rows() {
        if pairing.push_key(Side::Source, row, Side::Target, &mut keys) && keys.len() == GROUP {
            groups.push(std::mem::replace(&mut keys, pairing.key_batch(Side::Target)));
        }
    }
    groups.push(keys);
    for keys in groups.iter().filter(|keys| !keys.is_empty()) {
        let found = target.fetch(&table.target, keys).await?;
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
    Ok(loaded.at.len() as u64)
}

/// Looks for the target's rows at the source.
async fn look_for_extra(
    shared: &Shared,
    sides: &mut Sides,
    pairing: &Pairing<'_>,
    range: &KeyRange,
    suspects: &mut Suspects,
) -> Result<()> {
    let table = pairing.table;
    let (source, target) = sides.both(shared).await?;
    let mut loaded = Loaded::read(target, pairing, Side::Target, &table.target, range).await?;
    let mut keys = pairing.key_batch(Side::Source);
    let mut groups = Vec::new();
    for row in loaded.rows() {
        if pairing.push_key(Side::Target, row, Side::Source, &mut keys) && keys.len() == GROUP {
            groups.push(std::mem::replace(&mut keys, pairing.key_batch(Side::Source)));
        }
    }
    groups.push(keys);
    for keys in groups.iter().filter(|keys| !keys.is_empty()) {
        let found = source.fetch(&table.plan.source, keys).await?;
        for row in found.rows() {
            let form = pairing.key_form(Side::Source, row);
            loaded.partner(&form);
        }
    }
    for row in loaded.without_partner() {
        suspects.add(pairing, Side::Target, row);
    }
    Ok(())
}

//! Compares tables without a key, as multisets: which rows there are, and how many of each.
//!
//! First the servers' own digests of the whole table are compared, where they are comparable. Otherwise, or where they
//! differ, both sides are read whole and each row becomes a hash of 128 bits of its canonical form; their sums take no
//! memory. Where they differ, the rows are counted by hash, in slices of the hash space small enough for memory, and
//! the rows behind the hashes that don't balance are read again to be shown.
//!
//! While the table is being written the two readings are of different moments: the source is read first, then the
//! target is awaited to have applied that moment. If the source's sum has changed by then, the round says nothing,
//! and another begins. Every later reading has to give the same sums again, or what it showed is thrown away.
//!
//! A table that changes in every round is compared at one exact position: the applying of changes is held, the source
//! is read in a consistent view whose position is known, and the target when it has exactly the changes up to there. Only
//! where nobody can hold the applying is such a table undecided.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use whimbrel_connector::{AppliedPosition, Backoff, KeyRange, Mutation, Result, SnapshotReader};
use whimbrel_model::{DataType, RowBatch, RowRef, TableVersion};
use xxhash_rust::xxh3::xxh3_128;

use crate::keyed::BATCH_BYTES;
use crate::output::{Files, Found};
use crate::pairing::Side;
use crate::{Shared, Sides, VerifyTable, canonical};

/// Rows whose hashes are counted at a time: about 64 MB of memory.
const SLICE_ROWS: u64 = 1 << 20;
/// Bytes of differing rows that are shown.
const SHOWN_BYTES: usize = 64 << 20;
/// Rounds that must find the same difference where nobody says how far the target is.
const MOST_CONFIRMATIONS: u32 = 3;

/// Rounds before the applying of changes is held, where it can be.
const FREE_ROUNDS: u32 = 2;

/// Rows and the sum of their hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    rows: u64,
    hashes: u128,
}

/// The sums of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sums {
    source: Sum,
    target: Sum,
}

impl Sums {
    fn of(&self, side: Side) -> Sum {
        match side {
            Side::Source => self.source,
            Side::Target => self.target,
        }
    }
}

/// Compares one table from begin to end.
pub(crate) async fn verify(shared: &Shared, sides: &mut Sides, index: usize) -> Result<()> {
    let begun = tokio::time::Instant::now();
    let mut backoff = Backoff::new(shared.options.retry_for);
    let outcome = loop {
        match compare(shared, sides, index).await {
            Ok(outcome) => break outcome,
            Err(error) => shared.wait(sides, backoff.after(error)?).await?,
        }
    };
    let counters = &shared.progress.counters[index];
    counters.rows.store(outcome.rows, Ordering::Relaxed);
    counters.undecided.store(u64::from(outcome.undecided), Ordering::Relaxed);
    if outcome.truncated {
        counters.truncated.store(true, Ordering::Relaxed);
    }
    let mut files = Files::new(shared, index)?;
    files.write_all(shared, index, &outcome.found)?;
    files.finish()?;
    counters.milliseconds.store(begun.elapsed().as_millis() as u64, Ordering::Relaxed);
    shared.progress.finish(index);
    Ok(())
}

/// What is known in the end.
#[derive(Default)]
struct Outcome {
    rows: u64,
    found: Vec<Found>,
    undecided: bool,
    truncated: bool,
}

async fn compare(shared: &Shared, sides: &mut Sides, index: usize) -> Result<Outcome> {
    let most = shared.options.rounds.max(1);
    let free = rounds(shared, sides, index, most.min(FREE_ROUNDS)).await?;
    if !free.undecided {
        return Ok(free);
    }
    let _alone = shared.holding.lock().await;
    if !shared.applied.hold().await? {
        return rounds(shared, sides, index, most).await;
    }
    let _held = Held(shared.applied.as_ref());
    at_one_position(shared, sides, index).await
}

/// The applying goes on when this is gone, also where the verification is stopped in between.
struct Held<'a>(&'a dyn AppliedPosition);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// Both sides exactly at the position of a consistent view of the source's table.
async fn at_one_position(shared: &Shared, sides: &mut Sides, index: usize) -> Result<Outcome> {
    let table = &shared.tables[index];
    let position = sides.source(shared).await?.hold_table(&table.plan.source.schema).await?;
    if !Mutation::KeylessWithoutAdvance.active() {
        shared.applied.advance_to(&position).await?;
    }
    let source = sum(shared, sides, table, Side::Source).await?;
    let target = sum(shared, sides, table, Side::Target).await?;
    let mut outcome = Outcome { rows: source.rows, ..Outcome::default() };
    if source != target {
        match differences(shared, sides, table, &Sums { source, target }).await? {
            Some((found, truncated)) => (outcome.found, outcome.truncated) = (found, truncated),
            // Somebody else writes to the target.
            None => outcome.undecided = true,
        }
    }
    sides.source(shared).await?.release_table().await?;
    Ok(outcome)
}

async fn rounds(shared: &Shared, sides: &mut Sides, index: usize, most: u32) -> Result<Outcome> {
    let table = &shared.tables[index];
    let needed = shared.options.confirmations.clamp(1, MOST_CONFIRMATIONS);
    let mut last = None;
    let mut agreeing = 0;
    for _ in 0..most {
        shared.check_cancelled()?;
        if let Some(rows) = digests_agree(shared, sides, table).await? {
            return Ok(Outcome { rows, ..Outcome::default() });
        }
        let source = sum(shared, sides, table, Side::Source).await?;
        let position = sides.read_position(shared).await?;
        shared.applied.wait_for(&position).await?;
        let target = sum(shared, sides, table, Side::Target).await?;
        if source == target {
            return Ok(Outcome { rows: source.rows, ..Outcome::default() });
        }
        let sums = Sums { source, target };
        let unchanged = sum(shared, sides, table, Side::Source).await? == source;
        agreeing = match (unchanged, last == Some(sums)) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => agreeing + 1,
        };
        last = Some(sums);
        if agreeing >= needed
            && let Some((found, truncated)) = differences(shared, sides, table, &sums).await?
        {
            return Ok(Outcome { rows: source.rows, found, undecided: false, truncated });
        }
    }
    let rows = last.map_or(0, |sums| sums.source.rows);
    Ok(Outcome { rows, undecided: true, ..Outcome::default() })
}

/// The number of rows where both servers compute the same digest for the whole table; `None` where they don't, or
/// can't.
async fn digests_agree(shared: &Shared, sides: &mut Sides, table: &VerifyTable) -> Result<Option<u64>> {
    let (left, right) = (&table.plan.source.schema, &table.target.schema);
    let (source, target) = sides.both(shared).await?;
    let (Some(source), Some(target)) = (source.digest(), target.digest()) else { return Ok(None) };
    let comparable = source.comparable(left, right, shared.options.target_flavor)
        && target.comparable(right, left, shared.options.source_flavor);
    if !comparable {
        return Ok(None);
    }
    let maps = &table.plan.columns;
    let ours: Vec<String> = maps.iter().map(|map| left.columns[map.source].name.clone()).collect();
    let theirs: Vec<String> = maps.iter().map(|map| right.columns[map.target].name.clone()).collect();
    let ours = source.range_digest(left, &ours, &KeyRange::default()).await?;
    let position = sides.read_position(shared).await?;
    shared.applied.wait_for(&position).await?;
    let Some(target) = sides.target(shared).await?.digest() else { return Ok(None) };
    let theirs = target.range_digest(right, &theirs, &KeyRange::default()).await?;
    Ok((ours == theirs).then_some(ours.rows))
}

/// The columns of one side that are compared, in the plan's order.
struct View<'a> {
    version: &'a Arc<TableVersion>,
    /// Position, type, and the type on the other side.
    columns: Vec<(usize, &'a DataType, &'a DataType)>,
}

impl<'a> View<'a> {
    fn new(table: &'a VerifyTable, side: Side) -> Self {
        let version = match side {
            Side::Source => &table.plan.source,
            Side::Target => &table.target,
        };
        let columns = table.plan.columns.iter().map(|map| {
            let source = &table.plan.source.schema.columns[map.source].data_type;
            let target = &table.target.schema.columns[map.target].data_type;
            match side {
                Side::Source => (map.source, source, target),
                Side::Target => (map.target, target, source),
            }
        });
        Self { version, columns: columns.collect() }
    }

    fn hash(&self, row: RowRef<'_>, buffer: &mut Vec<u8>) -> u128 {
        buffer.clear();
        for (at, data_type, other) in &self.columns {
            let form = canonical::form_beside(data_type, other, row.get(*at));
            match form {
                None => buffer.push(0),
                Some(form) => {
                    buffer.push(1);
                    buffer.extend_from_slice(&(form.len() as u32).to_be_bytes());
                    buffer.extend_from_slice(&form);
                }
            }
        }
        xxh3_128(buffer)
    }
}

/// Reads all rows of one side and returns their sum.
async fn each_row(
    shared: &Shared,
    sides: &mut Sides,
    table: &VerifyTable,
    side: Side,
    mut visit: impl FnMut(u128, RowRef<'_>),
) -> Result<Sum> {
    let view = View::new(table, side);
    let reader: &mut dyn SnapshotReader = match side {
        Side::Source => sides.source(shared).await?,
        Side::Target => sides.target(shared).await?,
    };
    reader.open_range(view.version, &KeyRange::default()).await?;
    let mut batch = RowBatch::new(view.version.kinds.clone());
    let mut buffer = Vec::new();
    let mut sum = Sum::default();
    let mut more = true;
    while more {
        shared.check_cancelled()?;
        batch.clear();
        more = reader.next_batch(&mut batch, BATCH_BYTES).await?;
        for row in batch.rows() {
            let hash = view.hash(row, &mut buffer);
            sum.rows += 1;
            sum.hashes = sum.hashes.wrapping_add(hash);
            visit(hash, row);
        }
    }
    Ok(sum)
}

async fn sum(shared: &Shared, sides: &mut Sides, table: &VerifyTable, side: Side) -> Result<Sum> {
    each_row(shared, sides, table, side, |_, _| {}).await
}

/// Finds the rows that one side has more of, slice by slice of the hash space. `None` where a side has changed
/// meanwhile. True beside the rows where not all are among them.
async fn differences(
    shared: &Shared,
    sides: &mut Sides,
    table: &VerifyTable,
    sums: &Sums,
) -> Result<Option<(Vec<Found>, bool)>> {
    let slices = sums.source.rows.max(sums.target.rows).div_ceil(SLICE_ROWS).max(1);
    let most = usize::try_from(shared.options.most_differences).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    let mut bytes = 0;
    for slice in 0..slices {
        let of_slice = |hash: u128| (hash as u64) % slices == slice;
        let mut balance: HashMap<u128, i64> = HashMap::new();
        for (side, weight) in [(Side::Source, 1), (Side::Target, -1)] {
            let count = |hash: u128, _: RowRef<'_>| {
                if of_slice(hash) {
                    *balance.entry(hash).or_default() += weight;
                }
            };
            if each_row(shared, sides, table, side, count).await? != sums.of(side) {
                return Ok(None);
            }
        }
        balance.retain(|_, count| *count != 0);
        for (side, sign) in [(Side::Source, 1), (Side::Target, -1)] {
            let show = |hash: u128, row: RowRef<'_>| {
                let full = found.len() >= most || bytes >= SHOWN_BYTES;
                let Some(count) = balance.get_mut(&hash).filter(|count| !full && count.signum() == sign)
                else {
                    return;
                };
                *count -= sign;
                bytes += row.byte_len();
                found.push(match side {
                    Side::Source => Found::new(true, table, Some(row), None),
                    Side::Target => Found::new(true, table, None, Some(row)),
                });
            };
            if each_row(shared, sides, table, side, show).await? != sums.of(side) {
                return Ok(None);
            }
        }
        if found.len() >= most || bytes >= SHOWN_BYTES {
            return Ok(Some((found, true)));
        }
    }
    Ok(Some((found, false)))
}

//! Compares tables without a key, as multisets: which rows there are, and how many of each.
//!
//! Both sides are read whole and each row becomes a hash of 128 bits of its canonical form. First only the sums of
//! the hashes are compared, which takes no memory. Where they differ, the rows are counted by hash, in slices of the
//! hash space small enough for memory, and the rows behind the hashes that don't balance are read again to be shown.
//!
//! While the table is being written the two readings are of different moments: the source is read first, then the
//! target is awaited to have applied that moment. If the source's sum has changed by then, the round says nothing,
//! and another begins; a table that changes in every round is undecided.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use whimbrel_connector::{Backoff, ColumnMap, Result, SnapshotReader};
use whimbrel_model::{RowBatch, RowRef, TableSchema, TableVersion};
use xxhash_rust::xxh3::xxh3_128;

use crate::output::Files;
use crate::pairing::Side;
use crate::{Shared, Sides, VerifyTable, canonical};

const BATCH_BYTES: usize = 1 << 20;
/// Rows whose hashes are counted at a time: about 64 MB of memory.
const SLICE_ROWS: u64 = 1 << 20;

/// Rows and the sum of their hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    rows: u64,
    hashes: u128,
}

/// Compares one table from begin to end.
pub(crate) async fn verify(shared: &Shared, sides: &mut Sides, index: usize) -> Result<()> {
    let begun = std::time::Instant::now();
    let mut backoff = Backoff::new(shared.options.retry_for);
    loop {
        match rounds(shared, sides, index).await {
            Ok(()) => break,
            Err(error) => shared.wait(sides, backoff.after(error)?).await?,
        }
    }
    let counters = &shared.progress.counters[index];
    counters.milliseconds.store(begun.elapsed().as_millis() as u64, Ordering::Relaxed);
    shared.progress.finish(index);
    Ok(())
}

async fn rounds(shared: &Shared, sides: &mut Sides, index: usize) -> Result<()> {
    let table = &shared.tables[index];
    let counters = &shared.progress.counters[index];
    let mut files = Files::new(shared, &table.target.schema.name)?;
    for round in 1..=shared.options.rounds.max(1) {
        shared.check_cancelled()?;
        let before = sum(shared, sides, table, Side::Source).await?;
        let position = sides.read_position(shared).await?;
        shared.applied.wait_for(&position).await?;
        let found = sum(shared, sides, table, Side::Target).await?;
        if before == found {
            counters.rows.store(before.rows, Ordering::Relaxed);
            return files.finish();
        }
        let again = sum(shared, sides, table, Side::Source).await?;
        if before == again && round >= shared.options.confirmations {
            counters.rows.store(before.rows, Ordering::Relaxed);
            show_differences(shared, sides, index, before.rows.max(found.rows), &mut files).await?;
            return files.finish();
        }
    }
    counters.undecided.fetch_add(1, Ordering::Relaxed);
    files.finish()
}

/// The columns of one side that are compared, in the plan's order.
struct View<'a> {
    schema: &'a TableSchema,
    version: &'a Arc<TableVersion>,
    column: fn(&ColumnMap) -> usize,
    table: &'a VerifyTable,
}

impl<'a> View<'a> {
    fn new(table: &'a VerifyTable, side: Side) -> Self {
        let (version, column): (_, fn(&ColumnMap) -> usize) = match side {
            Side::Source => (&table.plan.source, |map| map.source),
            Side::Target => (&table.target, |map| map.target),
        };
        Self { schema: &version.schema, version, column, table }
    }

    fn hash(&self, row: RowRef<'_>, buffer: &mut Vec<u8>) -> u128 {
        buffer.clear();
        for map in &self.table.plan.columns {
            let at = (self.column)(map);
            match canonical::form(&self.schema.columns[at].data_type, row.get(at)) {
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

/// Reads all rows of one side.
async fn each_row(
    shared: &Shared,
    sides: &mut Sides,
    view: &View<'_>,
    side: Side,
    mut visit: impl FnMut(u128, RowRef<'_>) -> Result<()>,
) -> Result<()> {
    let reader: &mut dyn SnapshotReader = match side {
        Side::Source => sides.source(shared).await?,
        Side::Target => sides.target(shared).await?,
    };
    reader.open_range(view.version, &Default::default()).await?;
    let mut batch = RowBatch::new(view.version.kinds.clone());
    let mut buffer = Vec::new();
    let mut more = true;
    while more {
        shared.check_cancelled()?;
        batch.clear();
        more = reader.next_batch(&mut batch, BATCH_BYTES).await?;
        for row in batch.rows() {
            visit(view.hash(row, &mut buffer), row)?;
        }
    }
    Ok(())
}

async fn sum(shared: &Shared, sides: &mut Sides, table: &VerifyTable, side: Side) -> Result<Sum> {
    let mut sum = Sum::default();
    each_row(shared, sides, &View::new(table, side), side, |hash, _| {
        sum.rows += 1;
        sum.hashes = sum.hashes.wrapping_add(hash);
        Ok(())
    })
    .await?;
    Ok(sum)
}

/// Finds the rows that one side has more of, slice by slice of the hash space.
async fn show_differences(
    shared: &Shared,
    sides: &mut Sides,
    index: usize,
    rows: u64,
    files: &mut Files,
) -> Result<()> {
    let table = &shared.tables[index];
    let slices = rows.div_ceil(SLICE_ROWS).max(1);
    let counters = &shared.progress.counters[index];
    for slice in 0..slices {
        let of_slice = |hash: u128| (hash as u64) % slices == slice;
        let mut balance: HashMap<u128, i64> = HashMap::new();
        for (side, weight) in [(Side::Source, 1), (Side::Target, -1)] {
            each_row(shared, sides, &View::new(table, side), side, |hash, _| {
                if of_slice(hash) {
                    *balance.entry(hash).or_default() += weight;
                }
                Ok(())
            })
            .await?;
        }
        balance.retain(|_, count| *count != 0);
        for (side, sign) in [(Side::Source, 1), (Side::Target, -1)] {
            each_row(shared, sides, &View::new(table, side), side, |hash, row| {
                let Some(count) = balance.get_mut(&hash).filter(|count| count.signum() == sign) else {
                    return Ok(());
                };
                *count -= sign;
                match side {
                    Side::Source => files.write(shared, index, Some(row), None),
                    Side::Target => files.write(shared, index, None, Some(row)),
                }
            })
            .await?;
        }
        if counters.differences() >= shared.options.most_differences {
            counters.truncated.store(true, Ordering::Relaxed);
            break;
        }
    }
    Ok(())
}

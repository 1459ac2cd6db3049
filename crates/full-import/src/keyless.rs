//! Tables without a key: read in one consistent view, whose log position is exact.
//!
//! Such rows can't be told apart, so nothing may be written twice: the increments leave out what is at or before
//! that position and apply all that comes after it. A load that didn't come to its end is thrown away and begun
//! again with a new view; that is allowed because the table was empty when the task began.

use whimbrel_connector::Result;

use crate::indexes;
use crate::planner::Work;
use crate::progress::TableStage;
use crate::state::{EntryStage, Record, TableEntry};
use crate::worker::{Mover, Worker};

/// What a transaction of such a load holds: the target shouldn't have to hold the whole table's undo.
const COMMIT_BYTES: u64 = 32 << 20;

/// Loads one keyless table from begin to end.
pub(crate) async fn load(worker: &mut Worker<'_>, work: &Work) -> Result<indexes::Loaded> {
    let shared = worker.shared;
    let index = work.table.index;
    let plan = shared.tables[index].plan.clone();
    let name = &plan.source.schema.name;
    let progress = &shared.progress.tables[index];
    progress.set_stage(TableStage::Loading);
    progress.reset();
    let (reader, writer) = worker.connections().await?;
    Record::table(name, &TableEntry::loading()).put(writer).await?;
    writer.truncate(&plan).await?;
    let position = reader.hold_table(&plan.source.schema).await?;
    reader.open_range(&plan.source, &Default::default()).await?;
    writer.begin().await?;
    let mut mover = Mover::new(shared, &plan).commit_every(COMMIT_BYTES);
    mover.move_rows(reader, writer).await?;
    let mut result = work.table.result();
    result.rows = mover.done.rows;
    result.bytes = mover.done.bytes;
    result.deferred = mover.done.deferred;
    result.parked = mover.done.parked;
    result.exact_position = Some(position);
    Record::table(name, &TableEntry::new(EntryStage::Loaded, &result)).put(writer).await?;
    shared.check_cancelled()?;
    writer.commit().await?;
    reader.release_table().await?;
    progress.add(result.rows, result.bytes);
    Ok(indexes::Loaded { index, result })
}

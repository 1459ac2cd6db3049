//! Tables without a key: read in one consistent view, whose log position is exact.
//!
//! Such rows can't be told apart, so nothing may be written twice: the increments leave out what is at or before
//! that position and apply all that comes after it. A load that didn't come to its end is thrown away and begun
//! again with a new view; that is allowed because the table was empty when the task began.

use whimbrel_connector::{ConnectorError, ErrorKind, Result, TablePlan, Writer};
use whimbrel_model::TableSchema;

use crate::Shared;
use crate::mover::{Mover, Saves};
use crate::planner::Work;
use crate::progress::TableStage;
use crate::state::{ChunkDone, Record, TableEntry};
use crate::worker::{Counted, Worker, loaded_record};
use crate::{indexes, setaside};

/// Loads one keyless table from begin to end.
pub(crate) async fn load(
    worker: &mut Worker<'_>,
    work: &Work,
    counted: &mut Counted<'_>,
) -> Result<indexes::Loaded> {
    let shared = worker.shared;
    let index = work.table.index;
    let plan = shared.tables[index].plan.clone();
    let name = &plan.source.schema.name;
    shared.progress.tables[index].set_stage(TableStage::Loading);
    counted.begin_again();
    let lock = Record::worker(worker.number);
    let (reader, writer) = worker.connections().await?;
    // Waits for a transaction of an earlier attempt that may still be under way.
    writer.begin().await?;
    lock.put(writer).await?;
    Record::table(name, &TableEntry::loading(name, None)).put(writer).await?;
    writer.commit().await?;
    setaside::forget(writer, &plan).await?;
    empty(shared, &lock, writer, &plan).await?;

    let position = reader.hold_table(&plan.source.schema).await?;
    refuse_changed(shared, &plan.source.schema).await?;
    reader.open_range(&plan.source, &Default::default()).await?;
    writer.begin().await?;
    lock.put(writer).await?;
    let mut mover = Mover::new(shared, &plan, lock, Saves::Nothing, counted, ChunkDone::default());
    mover.move_rows(reader, writer).await?;
    let done = mover.done;
    let mut result = work.table.result();
    result.rows = done.rows;
    result.bytes = done.bytes;
    result.deferred = done.deferred;
    result.parked = done.parked;
    result.exact_position = Some(position);
    loaded_record(shared, index, &result).put(writer).await?;
    shared.check_cancelled()?;
    writer.commit().await?;
    counted.committed(&done);
    if let Err(error) = reader.release_table().await {
        // The view ends with its session at the latest; the rows are all there.
        tracing::debug!(error = %error.chain(), "ending the view of a table");
        worker.drop_connections();
    }
    Ok(indexes::Loaded { index, result })
}

/// Removes all rows that an earlier attempt may have left. TRUNCATE commits by itself, so nothing in it can check that
/// this process still owns the task; a transaction that has written state is open beside it, for which a take-over has to
/// wait.
async fn empty(shared: &Shared, lock: &Record, writer: &mut dyn Writer, plan: &TablePlan) -> Result<()> {
    let mut owner = shared.target.writer(&shared.task, shared.epoch).await?;
    owner.begin().await?;
    lock.put(owner.as_mut()).await?;
    writer.truncate(plan).await?;
    owner.commit().await
}

/// A table whose columns were changed since the task began can't be loaded: what the log says of the rows up to the
/// view is passed over, so values of a new column would be nowhere.
async fn refuse_changed(shared: &Shared, known: &TableSchema) -> Result<()> {
    let names = std::slice::from_ref(&known.name);
    let now = shared.catalog.lock().await.table_schemas(names).await?;
    if now.iter().all(|now| now.columns == known.columns) {
        return Ok(());
    }
    let object = format!("table {}", known.name);
    let message = "its columns were changed after the task began and before its rows were read";
    let hint =
        "it has no key, so it can be read in one piece only: start the table anew in a task of its own";
    Err(ConnectorError::new(ErrorKind::SchemaMismatch, object, message).with_hint(hint))
}

//! Tables that are read in one consistent view, whose log position is exact: those without a key, and those that share
//! their target with others.
//!
//! Rows without a key can't be told apart, and rows of several tables not by their table, so nothing may be written
//! twice: the increments leave out what is at or before that position and apply all that comes after it. A load that
//! didn't come to its end is thrown away and begun again with a new view. A table of its own is emptied for that, which
//! is allowed because it was empty when the task began; from a shared one the rows of the load are taken back.

use whimbrel_connector::{ConnectorError, ErrorKind, FailPoint, Mutation, Result, TablePlan, Writer};
use whimbrel_model::{Column, TableSchema};

use crate::Shared;
use crate::mover::{Mover, Saves};
use crate::planner::Work;
use crate::progress::TableStage;
use crate::state::{self, ChunkDone, EntryStage, Record, TableEntry, TableResult};
use crate::undo::{self, Undo};
use crate::worker::{Counted, Worker, loaded_record};
use crate::{indexes, setaside};

/// Loads one such table from begin to end.
pub(crate) async fn load(
    worker: &mut Worker<'_>,
    work: &Work,
    counted: &mut Counted<'_>,
) -> Result<indexes::Loaded> {
    let shared = worker.shared;
    let index = work.table.index;
    let plan = shared.tables[index].plan.clone();
    shared.progress.tables[index].set_stage(TableStage::Loading);
    counted.begin_again();
    let lock = Record::worker(worker.number);
    let (reader, writer) = worker.connections().await?;
    if let Some(result) = begin(writer, &plan, &lock).await? {
        counted.committed(&ChunkDone { rows: result.rows, bytes: result.bytes, ..ChunkDone::default() });
        return Ok(indexes::Loaded { index, result });
    }
    let saves = if plan.merged {
        undo::take_back(writer, &plan, &lock).await?;
        Saves::Undo(Undo::new(plan.clone()))
    } else {
        if !Mutation::KeylessNotEmptied.active() {
            // What an earlier attempt may have left. A process that was taken over empties nothing.
            writer.truncate(&plan).await?;
        }
        Saves::Nothing
    };
    FailPoint::KeylessCleared.reached();

    let position = reader.hold_table(&plan.source.schema).await?;
    refuse_changed(shared, &plan.source.schema).await?;
    reader.open_range(&plan.source, &Default::default()).await?;
    writer.begin().await?;
    lock.put(writer).await?;
    let mut mover = Mover::new(shared, &plan, lock, saves, counted, ChunkDone::default());
    mover.move_rows(reader, writer).await?;
    let done = mover.done;
    let mut result = work.table.result();
    result.rows = done.rows;
    result.bytes = done.bytes;
    result.deferred = done.deferred;
    result.parked = done.parked;
    let late = Mutation::KeylessPositionLate.active();
    result.exact_position = Some(if late { shared.read_position().await? } else { position });
    loaded_record(shared, index, &result).put(writer).await?;
    shared.check_cancelled()?;
    FailPoint::KeylessWritten.reached();
    writer.commit().await?;
    FailPoint::KeylessCommitted.reached();
    counted.committed(&done);
    if plan.merged
        && let Err(error) = undo::forget(writer, &plan).await
    {
        // They are never looked at again.
        tracing::debug!(error = %error.chain(), "the keys of a loaded table stay in the task's state");
    }
    if let Err(error) = reader.release_table().await {
        // The view ends with its session at the latest; the rows are all there.
        tracing::debug!(error = %error.chain(), "ending the view of a table");
        worker.drop_connections();
    }
    Ok(indexes::Loaded { index, result })
}

/// Records that the table is being loaded. The result of an earlier attempt at a shared target, where that was committed
/// without our being told: what it wrote last can't be taken back.
async fn begin(writer: &mut dyn Writer, plan: &TablePlan, lock: &Record) -> Result<Option<TableResult>> {
    let name = &plan.source.schema.name;
    // Waits for a transaction of an earlier attempt that may still be under way.
    writer.begin().await?;
    lock.put(writer).await?;
    if plan.merged
        && let Some(entry) = state::get_table(writer, name).await?
        && entry.stage != EntryStage::Loading
    {
        writer.rollback().await?;
        return Ok(Some(entry.result()));
    }
    Record::table(name, &TableEntry::loading(name, None)).put(writer).await?;
    writer.commit().await?;
    setaside::forget(writer, plan).await?;
    Ok(None)
}

/// A table whose columns were changed since the task began can't be loaded: what the log says of the rows up to the
/// view is passed over, so values of a new column would be nowhere.
async fn refuse_changed(shared: &Shared, known: &TableSchema) -> Result<()> {
    let names = std::slice::from_ref(&known.name);
    let found = shared.catalog.lock().await.table_schemas(names).await?;
    for now in found {
        let now = shared.source.shown(now)?;
        let same =
            |(now, known): (&Column, &Column)| now.name == known.name && now.data_type == known.data_type;
        if now.columns.len() != known.columns.len() || !now.columns.iter().zip(&known.columns).all(same) {
            let object = format!("table {}", known.name);
            let message = "its columns were changed after the task began and before its rows were read";
            let hint = "it can be read in one piece only: start the table anew in a task of its own";
            return Err(ConnectorError::new(ErrorKind::SchemaMismatch, object, message).with_hint(hint));
        }
    }
    Ok(())
}

//! Builds a table's secondary indexes once its rows are there: on OceanBase that costs less than half of
//! keeping three of them up to date during the load.
//!
//! An index that the target has already (an earlier run built it and died before it could say so) is left
//! alone. The DDL isn't part of any transaction, so the table's entry becomes `done` afterwards.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::UnboundedReceiver;
use whimbrel_connector::{Catalog, ConnectorError, ErrorKind, FailPoint, Result, Writer};
use whimbrel_model::TableName;

use crate::progress::TableStage;
use crate::state::{EntryStage, Record, TableEntry, TableResult};
use crate::worker::Retry;
use crate::{IndexDdl, Shared};

/// A table whose rows are all there.
pub(crate) struct Loaded {
    pub index: usize,
    pub result: TableResult,
}

/// Tables whose indexes are built at the same time: a build takes a good part of the target by itself.
pub(crate) const BUILDERS: usize = 2;

/// Takes loaded tables until planner and workers are gone.
pub(crate) async fn run(
    shared: Arc<Shared>,
    loaded: Arc<tokio::sync::Mutex<UnboundedReceiver<Loaded>>>,
) -> Result<()> {
    let mut connections = None;
    loop {
        let next = tokio::select! {
            biased;
            () = shared.cancel.cancelled() => return shared.check_cancelled(),
            next = async { loaded.lock().await.recv().await } => next,
        };
        let Some(table) = next else { return Ok(()) };
        let Some(table) = shared.waiting.ready(&shared, table) else { continue };
        if !shared.tables[table.index].indexes.is_empty() {
            shared.progress.tables[table.index].set_stage(TableStage::Indexing);
            let mut retry = Retry::new(&shared);
            while let Err(error) = finish(&shared, &mut connections, &table).await {
                connections = None;
                retry.wait(error).await?;
            }
        }
        shared.progress.tables[table.index].set_stage(TableStage::Done);
        shared.state.finish(table.index, table.result);
    }
}

/// Tables with indexes that wait for those that share their target.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<HashMap<TableName, Sharing>>);

struct Sharing {
    left: usize,
    waits: Option<Loaded>,
}

impl Waiting {
    /// The table that can be finished now that this one is loaded.
    fn ready(&self, shared: &Shared, table: Loaded) -> Option<Loaded> {
        let task = &shared.tables[table.index];
        if !task.plan.merged {
            return Some(table);
        }
        let target = &task.plan.target.name;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sharing = all.entry(target.clone()).or_insert_with(|| Sharing {
            left: shared.state.unfinished(&shared.tables, target),
            waits: None,
        });
        sharing.left = sharing.left.saturating_sub(1);
        if task.indexes.is_empty() {
            shared.progress.tables[table.index].set_stage(TableStage::Done);
            shared.state.finish(table.index, table.result);
        } else {
            sharing.waits = Some(table);
        }
        if sharing.left == 0 { sharing.waits.take() } else { None }
    }
}

type Connections = (Box<dyn Catalog>, Box<dyn Writer>);

async fn finish(shared: &Shared, connections: &mut Option<Connections>, table: &Loaded) -> Result<()> {
    if connections.is_none() {
        let catalog = shared.target.catalog().await?;
        *connections = Some((catalog, shared.target.writer(&shared.task, shared.epoch).await?));
    }
    let Some((catalog, writer)) = connections else { unreachable!("it was set above") };
    let task = &shared.tables[table.index];
    let target = &task.plan.target.name;
    let existing = index_names(catalog.as_mut(), target).await?;
    let missing = task.indexes.iter().filter(|index| !existing.contains(&index.name.to_lowercase()));
    for index in missing {
        shared.check_cancelled()?;
        if let Err(error) = build(writer.as_mut(), target, index).await {
            // The statement of an earlier attempt may have come to its end at the server meanwhile.
            let found = index_names(catalog.as_mut(), target).await?;
            if !found.contains(&index.name.to_lowercase()) {
                return Err(error);
            }
        }
        FailPoint::IndexBuilt.reached();
    }
    let name = &task.plan.source.schema.name;
    let entry = TableEntry::new(name, EntryStage::Done, &table.result);
    Record::table(name, &entry).put(writer.as_mut()).await
}

async fn build(writer: &mut dyn Writer, target: &TableName, index: &IndexDdl) -> Result<()> {
    writer.execute_ddl(&target.schema, &index.sql).await.map_err(|error| {
        let object = format!("index {} of table {target}", index.name);
        let kind = error.kind.clone();
        let hint = match kind {
            ErrorKind::DuplicateKey { .. } => "two rows are equal under the target's collation of this key",
            _ => error.hint(),
        }
        .to_owned();
        ConnectorError::new(kind, object, "building the index failed").with_hint(hint).with_source(error)
    })
}

async fn index_names(catalog: &mut dyn Catalog, table: &TableName) -> Result<Vec<String>> {
    let schemas = catalog.existing_tables(std::slice::from_ref(table)).await?;
    Ok(schemas
        .iter()
        .flat_map(|schema| schema.indexes.iter().chain(&schema.unique_keys))
        .map(|key| key.name.to_lowercase())
        .collect())
}

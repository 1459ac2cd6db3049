//! Rows that the target refused: list them, try them again, give them up.
//!
//! For people at a task that isn't running. A running task keeps an index of these rows and is asked through
//! [`crate::Control`] instead; another process that writes the task's state is fenced off.

use std::sync::Arc;

use crate::apply::overwrite;
use whimbrel_connector::image::ImageError;
use whimbrel_connector::{
    Catalog, ConnectorError, ErrorKind, InsertMode, ParkedRow, Policy, Result, RowOwner, StateKey, TablePlan,
    Writer,
};
use whimbrel_model::{Column, RowRef, TableSchema, TableVersion, ValueRef};

/// What became of a parked row that was tried again.
#[derive(Debug)]
pub enum Retried {
    /// The target holds the source's row, with all changes that had queued; the entry is gone.
    Applied,
    /// Refused again; the entry stays.
    Refused(ConnectorError),
    /// No such entry.
    Unknown,
}

/// A parked row and the item that names it.
#[derive(Debug)]
pub struct ParkedEntry {
    pub item: Vec<u8>,
    pub row: ParkedRow,
}

impl ParkedEntry {
    /// Its name for people, the same as long as the row is parked.
    pub fn id(&self) -> String {
        format!("r{:012x}", xxhash_rust::xxh3::xxh3_64(&self.item) >> 16)
    }
}

/// All parked rows of the writer's task.
pub async fn list(writer: &mut dyn Writer) -> Result<Vec<ParkedEntry>> {
    let entries = writer.state_list(ParkedRow::KIND, b"").await?;
    entries
        .into_iter()
        .map(|entry| Ok(ParkedEntry { row: decode(&entry.payload)?, item: entry.key.item }))
        .collect()
}

/// Writes the row as the source has it now, and forgets the entry, in one transaction.
pub async fn retry(writer: &mut dyn Writer, catalog: &mut dyn Catalog, item: &[u8]) -> Result<Retried> {
    let key = StateKey::new(ParkedRow::KIND, item);
    let Some(payload) = writer.state_get(&key).await? else { return Ok(Retried::Unknown) };
    let parked = decode(&payload)?;
    let plan = plan_of(&parked.owner, catalog).await?;
    writer.begin().await?;
    let written = match write_current(writer, &plan, &parked).await {
        Ok(()) => writer.state_delete(&key).await,
        Err(error) => Err(error),
    };
    match written {
        Ok(()) => writer.commit().await.map(|()| Retried::Applied),
        Err(error) => {
            writer.rollback().await?;
            if error.policy() == Policy::Park { Ok(Retried::Refused(error)) } else { Err(error) }
        }
    }
}

/// Runs a statement of a person in place of the row's changes, and forgets the entry, in one transaction.
pub async fn edit(writer: &mut dyn Writer, item: &[u8], sql: &str) -> Result<Retried> {
    let key = StateKey::new(ParkedRow::KIND, item);
    let Some(payload) = writer.state_get(&key).await? else { return Ok(Retried::Unknown) };
    let owner = decode(&payload)?.owner;
    refuse_merged(&owner)?;
    let schema = owner.target.schema;
    writer.begin().await?;
    let written = match writer.execute(&schema, sql).await {
        Ok(_) => writer.state_delete(&key).await,
        Err(error) => Err(error),
    };
    match written {
        Ok(()) => writer.commit().await.map(|()| Retried::Applied),
        Err(error) => {
            writer.rollback().await?;
            if error.policy() == Policy::Retry { Err(error) } else { Ok(Retried::Refused(error)) }
        }
    }
}

/// Forgets a parked row: the target stays as it is. False: no such entry.
pub async fn skip(writer: &mut dyn Writer, item: &[u8]) -> Result<bool> {
    let key = StateKey::new(ParkedRow::KIND, item);
    let Some(payload) = writer.state_get(&key).await? else { return Ok(false) };
    refuse_merged(&decode(&payload)?.owner)?;
    writer.state_delete(&key).await?;
    Ok(true)
}

/// In a target that several tables share, the entry is what keeps later changes of the row from the other table's row
/// under the same key.
fn refuse_merged(owner: &RowOwner) -> Result<()> {
    if !owner.merged {
        return Ok(());
    }
    Err(ConnectorError::new(
        ErrorKind::Unsupported,
        format!("a row of {} parked for {}", owner.source, owner.target),
        "while its table has the row, it can't be given up: later changes of it would meet another table's row",
    )
    .with_hint("delete the row at the source, or change its key there: then the entry goes by itself; or retry it"))
}

async fn write_current(writer: &mut dyn Writer, plan: &TablePlan, parked: &ParkedRow) -> Result<()> {
    let current = parked.current().and_then(|batch| batch.rows().next());
    let before = parked.before.as_ref().and_then(|batch| batch.rows().next());
    let refused = parked.refused.as_ref().and_then(|batch| batch.rows().next());
    match current {
        None if plan.merged => Ok(()),
        None => {
            // A keyless row is known by its old values only; one with a key by any of its images.
            let gone = if plan.is_keyless() { before } else { before.or(refused) };
            match gone {
                Some(row) => writer.delete(plan, &[row]).await.map(drop),
                None => Ok(()),
            }
        }
        // Nothing of the row is at the target.
        Some(row) if plan.merged => writer.insert(plan, &[row], InsertMode::Plain).await.map(drop),
        Some(row) => {
            let updated = match before {
                Some(before) if plan.is_keyless() => writer.update(plan, before, row).await?,
                None if plan.is_keyless() => 0,
                _ => overwrite(writer, plan, row).await?,
            };
            if updated == 0 {
                writer.insert(plan, &[row], InsertMode::Plain).await?;
            }
            Ok(())
        }
    }
}

/// A plan for images of the past: the source's table as far as the image has it.
pub(crate) async fn plan_of(owner: &RowOwner, catalog: &mut dyn Catalog) -> Result<TablePlan> {
    let found = catalog.existing_tables(std::slice::from_ref(&owner.target)).await?;
    let target = found.into_iter().next().ok_or_else(|| {
        ConnectorError::new(ErrorKind::UnknownTable, owner.target.to_string(), "the target table is gone")
    })?;
    let columns =
        owner.columns.iter().map(|column| Column::new(&column.name, column.data_type.clone(), true));
    let source = TableSchema::new(owner.source.clone(), columns.collect());
    let plan = TablePlan::new(Arc::new(TableVersion::new(0, source)), Arc::new(target)).map_err(|error| {
        ConnectorError::new(
            ErrorKind::SchemaMismatch,
            owner.target.to_string(),
            "the parked row no longer fits the target table",
        )
        .with_source(error)
    })?;
    Ok(plan.merging(owner.merged))
}

pub(crate) fn decode(payload: &[u8]) -> Result<ParkedRow> {
    ParkedRow::decode(payload).map_err(|error| damaged(ParkedRow::KIND, error))
}

pub(crate) fn damaged(kind: &str, error: ImageError) -> ConnectorError {
    ConnectorError::new(
        ErrorKind::LocalCorrupt,
        format!("state entry {kind}"),
        "can't read a row in the task's state at the target",
    )
    .with_hint("the task's state at the target is damaged or of a newer program; use that program")
    .with_source(error)
}

/// Brings the images into the layout of the table as it is now. What no longer fits is dropped, except the
/// refused image, which is what names the row; it is replaced by what queues next.
pub(crate) fn follow_layout(parked: &mut ParkedRow, plan: &TablePlan) {
    let owner = RowOwner::new(plan);
    if owner.columns == parked.owner.columns {
        return;
    }
    let old = std::mem::replace(&mut parked.owner, owner);
    let fit =
        |image: Option<whimbrel_model::RowBatch>| image.and_then(|image| old.fit(&image, &plan.source).ok());
    parked.before = fit(parked.before.take());
    parked.refused = fit(parked.refused.take());
    parked.other = fit(parked.other.take());
    if let whimbrel_connector::ParkedState::Row(row) = &parked.latest {
        parked.latest = match old.fit(row, &plan.source) {
            Ok(row) => whimbrel_connector::ParkedState::Row(row),
            Err(_) => whimbrel_connector::ParkedState::Refused,
        };
    }
}

/// A row's key for people: column names and values.
pub fn key_text(plan: &TablePlan, row: RowRef<'_>) -> Vec<(String, String)> {
    let name = |column: usize| plan.source.schema.columns[column].name.clone();
    plan.key.iter().map(|column| (name(*column), value_text(row.get(*column)))).collect()
}

/// A value for people.
pub fn value_text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".into(),
        ValueRef::Unknown => "?".into(),
        ValueRef::Int(v) => v.to_string(),
        ValueRef::UInt(v) | ValueRef::Set(v) | ValueRef::Bit(v) => v.to_string(),
        ValueRef::Float(v) => v.to_string(),
        ValueRef::Double(v) => v.to_string(),
        ValueRef::Date(v) => v.to_string(),
        ValueRef::Time(v) => v.to_string(),
        ValueRef::DateTime(v) | ValueRef::Timestamp(v) => v.to_string(),
        ValueRef::Year(v) | ValueRef::Enum(v) => v.to_string(),
        ValueRef::Decimal(v) | ValueRef::Text(v) | ValueRef::Json(v) => {
            String::from_utf8_lossy(v).into_owned()
        }
        ValueRef::Bytes(v) | ValueRef::Geometry(v) => {
            v.iter().fold(String::from("0x"), |text, byte| format!("{text}{byte:02x}"))
        }
    }
}

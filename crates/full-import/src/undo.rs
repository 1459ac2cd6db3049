//! What a load has written of a table that shares its target with others, so that it can be taken back.
//!
//! Such a table is read in one view and can't be resumed in the middle: a new view is of another moment. Emptying the
//! target would take its siblings' rows along. So each transaction of the load also records the keys of the rows that
//! it has inserted. A load that begins again first deletes exactly those rows; rows that were set aside because they
//! met another one were never inserted, so their keys, which are a sibling's, aren't among them. Nobody changes the
//! rows in between: changes are applied when all tables are loaded.
//!
//! The entry's payload:
//!
//! ```text
//! 1 byte   version, 1
//! ...      RowBatch::encode of the row keys' cells, in the key's order
//! ```

use std::sync::Arc;

use whimbrel_connector::image::table_prefix;
use whimbrel_connector::{Result, StateKey, TablePlan, Writer};
use whimbrel_model::{CellKind, RowBatch, RowRef};

use crate::state::{Record, damaged};

const WRITTEN: &str = "written";
const VERSION: u8 = 1;
/// Bytes of keys in one entry, after which the transaction is committed.
const ENTRY_BYTES: usize = 1 << 20;
/// Rows of one deletion.
const DELETED: usize = 1000;

/// The keys of rows inserted in the open transaction.
pub(crate) struct Undo {
    plan: Arc<TablePlan>,
    keys: RowBatch,
    /// Of the next entry.
    number: u32,
}

impl Undo {
    pub fn new(plan: Arc<TablePlan>) -> Self {
        let keys = RowBatch::new(key_kinds(&plan));
        Self { plan, keys, number: 0 }
    }

    pub fn add(&mut self, rows: &[RowRef<'_>]) {
        for row in rows {
            self.plan.key.iter().for_each(|at| self.keys.push_raw(row.raw(*at)));
            self.keys.end_row();
        }
    }

    /// It is time to commit.
    pub fn is_full(&self) -> bool {
        self.keys.byte_len() >= ENTRY_BYTES
    }

    /// Records the keys in the open transaction.
    pub async fn put(&mut self, writer: &mut dyn Writer) -> Result<()> {
        if self.keys.is_empty() {
            return Ok(());
        }
        writer.state_put(&state_key(&self.plan, self.number), &encode(&self.keys)).await?;
        self.number += 1;
        self.keys.clear();
        Ok(())
    }
}

fn state_key(plan: &TablePlan, number: u32) -> StateKey {
    let mut item = table_prefix(&plan.source.schema.name);
    item.extend_from_slice(&number.to_be_bytes());
    StateKey::new(WRITTEN, item)
}

fn key_kinds(plan: &TablePlan) -> Arc<[CellKind]> {
    plan.key.iter().map(|at| plan.source.kinds[*at]).collect()
}

fn encode(keys: &RowBatch) -> Vec<u8> {
    let mut payload = vec![VERSION];
    keys.encode(&mut payload);
    payload
}

/// Rows of the source's layout of which only the key is known.
fn decode(plan: &TablePlan, payload: &[u8]) -> Result<RowBatch> {
    let keys = match payload.split_first() {
        Some((&VERSION, keys)) => keys,
        Some((version, _)) => {
            let message = format!("it has version {version}, this program knows {VERSION}");
            return Err(
                damaged(WRITTEN, &message).with_hint("resume the task with the program that started it")
            );
        }
        None => return Err(damaged(WRITTEN, "it is empty")),
    };
    let keys = RowBatch::decode(key_kinds(plan), keys)
        .map_err(|error| damaged(WRITTEN, "its keys can't be read").with_source(error))?;
    let mut rows = RowBatch::new(plan.source.kinds.clone());
    for key in keys.rows() {
        for column in 0..plan.source.kinds.len() {
            match plan.key.iter().position(|at| *at == column) {
                Some(part) => rows.push_raw(key.raw(part)),
                None => rows.push_unknown(),
            }
        }
        rows.end_row();
    }
    Ok(rows)
}

/// Takes back what earlier loads of the table have written. `lock` makes sure that none of them is still at work.
pub(crate) async fn take_back(writer: &mut dyn Writer, plan: &TablePlan, lock: &Record) -> Result<()> {
    let prefix = table_prefix(&plan.source.schema.name);
    for entry in writer.state_list(WRITTEN, &prefix).await? {
        let rows = decode(plan, &entry.payload)?;
        let rows: Vec<RowRef<'_>> = rows.rows().collect();
        writer.begin().await?;
        lock.put(writer).await?;
        for part in rows.chunks(DELETED) {
            writer.delete(plan, part).await?;
        }
        writer.state_delete(&entry.key).await?;
        writer.commit().await?;
    }
    Ok(())
}

/// The table is loaded: nothing of it will be taken back.
pub(crate) async fn forget(writer: &mut dyn Writer, plan: &TablePlan) -> Result<()> {
    let prefix = table_prefix(&plan.source.schema.name);
    for entry in writer.state_list(WRITTEN, &prefix).await? {
        writer.state_delete(&entry.key).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use whimbrel_model::schema::Key;
    use whimbrel_model::{Column, DataType, RawCell, TableName, TableSchema, TableVersion};

    use super::*;

    fn plan() -> TablePlan {
        let int = DataType::Int { bytes: 4, unsigned: false, zerofill: None };
        let schema = TableSchema {
            primary_key: Some(Key::on_columns("PRIMARY", ["id"])),
            ..TableSchema::new(
                TableName::new("shop", "orders_1"),
                vec![
                    Column::new("note", DataType::VarBinary { bytes: 9 }, true),
                    Column::new("id", int, false),
                ],
            )
        };
        let target = Arc::new(schema.clone());
        TablePlan::new(Arc::new(TableVersion::new(1, schema)), target).unwrap().merging(true)
    }

    fn written(plan: &TablePlan) -> Undo {
        let mut rows = RowBatch::new(plan.source.kinds.clone());
        rows.push_bytes(b"x");
        rows.push_int(5);
        rows.end_row();
        let mut undo = Undo::new(Arc::new(plan.clone()));
        undo.add(&rows.rows().collect::<Vec<_>>());
        undo
    }

    /// Persisted form: these bytes must be readable for ever.
    #[test]
    fn the_frozen_entry_reads_and_writes() {
        let plan = plan();
        let payload = encode(&written(&plan).keys);
        assert_eq!(payload, FROZEN);
        let rows = decode(&plan, FROZEN).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows.row(0).raw(0), RawCell::Unknown);
        assert_eq!(rows.row(0).get(1), whimbrel_model::ValueRef::Int(5));
    }

    /// Version; one row; the tag of a cell of one byte; the cell.
    const FROZEN: &[u8] = &[1, 1, 3, 10];

    #[test]
    fn damaged_entries_are_errors() {
        let plan = plan();
        for payload in [&[][..], &[2, 0], &FROZEN[..FROZEN.len() - 1]] {
            assert!(decode(&plan, payload).is_err(), "{payload:?}");
        }
    }
}

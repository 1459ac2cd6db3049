//! Tables, rows and windows for the tests of this crate.

use std::sync::Arc;

use whimbrel_connector::TablePlan;
use whimbrel_model::schema::Key;
use whimbrel_model::{
    ChangeBatch, Column, DataType, RowBatch, RowOp, TableName, TableSchema, TableVersion, ValueRef,
};

use crate::table::ApplyTable;
use crate::window::{Part, Window};

pub(crate) fn ints(names: &[&str]) -> Vec<Column> {
    let int = DataType::Int { bytes: 8, unsigned: false, zerofill: None };
    names.iter().map(|name| Column::new(*name, int.clone(), *name != "u" && *name != "v")).collect()
}

pub(crate) fn schema(name: &str, columns: Vec<Column>, key: &[&str]) -> TableSchema {
    TableSchema {
        primary_key: (!key.is_empty()).then(|| Key::on_columns("PRIMARY", key.iter().copied())),
        ..TableSchema::new(TableName::new("d", name), columns)
    }
}

/// `id` the row key, `u` a unique key that may be NULL, `n` a value.
pub(crate) fn unique_table(version: u64, name: &str) -> Arc<ApplyTable> {
    let int = DataType::Int { bytes: 8, unsigned: false, zerofill: None };
    let columns = vec![
        Column::new("id", int.clone(), false),
        Column::new("u", int.clone(), true),
        Column::new("n", int, true),
    ];
    let mut schema = schema(name, columns, &["id"]);
    schema.unique_keys = vec![Key::on_columns("u", ["u"])];
    table(version, schema)
}

pub(crate) fn table(version: u64, schema: TableSchema) -> Arc<ApplyTable> {
    let target = Arc::new(schema.clone());
    let plan = TablePlan::new(Arc::new(TableVersion::new(version, schema)), target).unwrap();
    Arc::new(ApplyTable::new(plan, None))
}

/// A row of integers; `None` is NULL.
pub(crate) type Row = Vec<Option<i64>>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Edit {
    Insert(Row),
    Update(Row, Row),
    Delete(Row),
}

pub(crate) fn push(rows: &mut RowBatch, row: &Row) {
    for value in row {
        rows.push_value(value.map_or(ValueRef::Null, ValueRef::Int));
    }
    rows.end_row();
}

pub(crate) fn batch(table: &ApplyTable, edits: &[Edit]) -> ChangeBatch {
    let mut batch = ChangeBatch::new(table.plan.source.clone(), false);
    for edit in edits {
        match edit {
            Edit::Insert(row) => {
                batch.ops.push(RowOp::Insert);
                push(&mut batch.rows, row);
            }
            Edit::Delete(row) => {
                batch.ops.push(RowOp::Delete);
                push(&mut batch.rows, row);
            }
            Edit::Update(before, after) => {
                batch.ops.extend([RowOp::UpdateBefore, RowOp::UpdateAfter]);
                push(&mut batch.rows, before);
                push(&mut batch.rows, after);
            }
        }
    }
    batch
}

/// A window of edits of one table each.
pub(crate) fn window(edits: &[(&Arc<ApplyTable>, Vec<Edit>)]) -> Window {
    let parts =
        edits.iter().map(|(table, edits)| Part { table: Arc::clone(table), batch: batch(table, edits) });
    Window { parts: parts.collect(), ..Window::default() }
}

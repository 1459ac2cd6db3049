//! Rows for the cases.

use std::sync::Arc;

use whimbrel_model::{CellKind, RowBatch, RowRef, TableSchema, TableVersion, Value};

use super::must;
use crate::{KeyRange, SnapshotReader, TablePlan};

/// A batch of a table's columns.
pub fn batch(table: &TableVersion, rows: &[Vec<Value>]) -> RowBatch {
    batch_of(table.kinds.clone(), rows)
}

/// A batch of columns of these kinds.
pub fn batch_of(kinds: Arc<[CellKind]>, rows: &[Vec<Value>]) -> RowBatch {
    let mut batch = RowBatch::new(kinds);
    for row in rows {
        row.iter().for_each(|value| batch.push_value(value.as_ref()));
        batch.end_row();
    }
    batch
}

pub fn int(number: i64) -> Value {
    Value::Int(number)
}

pub fn text(text: &str) -> Value {
    Value::Text(text.as_bytes().to_vec())
}

/// The plan of writing rows of one table into another one, or the same.
pub fn plan(source: &Arc<TableVersion>, target: TableSchema) -> TablePlan {
    TablePlan::new(source.clone(), Arc::new(target)).unwrap_or_else(|error| panic!("{error}"))
}

pub fn refs(batch: &RowBatch) -> Vec<RowRef<'_>> {
    batch.rows().collect()
}

/// All rows of a table, in the order in which they are read.
pub async fn read_all(
    reader: &mut dyn SnapshotReader,
    table: &Arc<TableVersion>,
    range: &KeyRange,
) -> RowBatch {
    let mut rows = RowBatch::new(table.kinds.clone());
    must(reader.open_range(table, range).await);
    while must(reader.next_batch(&mut rows, usize::MAX).await) {}
    rows
}

/// Panics with the first difference between two batches of the same table.
pub fn assert_same_rows(table: &TableSchema, found: &RowBatch, expected: &RowBatch, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: number of rows of {}", table.name);
    for (index, (found, expected)) in found.rows().zip(expected.rows()).enumerate() {
        for (at, column) in table.columns.iter().enumerate() {
            assert_eq!(
                found.raw(at),
                expected.raw(at),
                "{what}: row {index}, column {} of {}: {:?} and {:?}",
                column.name,
                table.name,
                found.get(at),
                expected.get(at)
            );
        }
    }
}

/// The rows in the order of their bytes, for tables that are read in any order.
pub fn sorted(batch: &RowBatch) -> RowBatch {
    let mut order: Vec<(Vec<u8>, usize)> = (0..batch.len())
        .map(|index| {
            let mut one = RowBatch::new(batch.kinds().clone());
            one.push_row(batch.row(index));
            let mut bytes = Vec::new();
            one.encode(&mut bytes);
            (bytes, index)
        })
        .collect();
    order.sort();
    let mut sorted = RowBatch::new(batch.kinds().clone());
    order.iter().for_each(|(_, index)| sorted.push_row(batch.row(*index)));
    sorted
}

/// The row key's columns of some rows.
pub fn keys_of(table: &TableSchema, rows: &RowBatch) -> RowBatch {
    let key = table.row_key().expect("a table with a row key");
    let columns = table.key_columns(key);
    let kinds = columns.iter().map(|column| rows.kinds()[*column]).collect();
    let mut keys = RowBatch::new(kinds);
    for row in rows.rows() {
        columns.iter().for_each(|column| keys.push_raw(row.raw(*column)));
        keys.end_row();
    }
    keys
}

/// The values of a row, for messages and comparisons with literals.
pub fn values(row: RowRef<'_>) -> Vec<Value> {
    (0..row.len()).map(|column| row.get(column).to_owned()).collect()
}

/// The values of all rows.
pub fn all_values(batch: &RowBatch) -> Vec<Vec<Value>> {
    batch.rows().map(values).collect()
}

//! Tables in memory that records are applied to.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use whimbrel_model::{
    BinlogPosition, Change, ChangeBatch, Column, LogRecord, Position, RowRef, TableEffect, TableName,
    TableSchema, Value,
};

use crate::render;

pub type Row = Vec<Value>;

#[derive(Default)]
pub struct Replay {
    pub tables: BTreeMap<TableName, (TableSchema, Vec<Row>)>,
    /// Behind the last transaction or heartbeat.
    pub position: Option<BinlogPosition>,
    pub transactions: usize,
    /// Definition and rows before the transaction at hand, for `Abort`.
    saved: Option<BTreeMap<TableName, (TableSchema, Vec<Row>)>>,
}

impl Replay {
    pub fn apply(&mut self, record: &LogRecord) {
        match record {
            LogRecord::Begin(_) => {
                assert!(self.saved.is_none(), "a transaction within another");
                self.saved = Some(self.tables.clone());
            }
            LogRecord::Rows(batch) => {
                assert!(self.saved.is_some(), "rows outside of a transaction");
                self.rows(batch);
            }
            LogRecord::Ddl(ddl) => {
                assert!(self.saved.is_some(), "DDL outside of a transaction");
                for effect in &ddl.effects {
                    self.effect(effect, &ddl.sql);
                }
            }
            LogRecord::Commit(commit) => {
                self.saved.take().expect("a commit without begin");
                self.transactions += 1;
                self.at(&commit.position);
            }
            LogRecord::Abort => self.tables = self.saved.take().expect("an abort without begin"),
            LogRecord::Heartbeat { position, .. } => {
                assert!(self.saved.is_none(), "a heartbeat within a transaction");
                self.at(position);
            }
        }
    }

    fn at(&mut self, position: &Position) {
        let Position::Binlog(position) = position;
        self.position = Some(position.clone());
    }

    fn effect(&mut self, effect: &TableEffect, sql: &str) {
        let old = effect.before.as_ref().and_then(|name| self.tables.remove(name));
        let Some(schema) = &effect.after else { return };
        let (old_schema, mut rows) = match old {
            Some((old_schema, rows)) => (Some(old_schema), rows),
            None => (None, Vec::new()),
        };
        if sql.trim_start().to_ascii_uppercase().starts_with("TRUNCATE") {
            rows.clear();
        }
        if let Some(old_schema) = old_schema.filter(|old| old.columns != schema.columns) {
            rows = rows.iter().map(|row| moved(row, &old_schema, schema)).collect();
        }
        self.tables.insert(schema.name.clone(), (schema.clone(), rows));
    }

    fn rows(&mut self, batch: &ChangeBatch) {
        assert!(batch.is_well_formed());
        let name = &batch.table.schema.name;
        let entry = self.tables.entry(name.clone());
        let (schema, rows) = entry.or_insert_with(|| (batch.table.schema.clone(), Vec::new()));
        // A table that is first seen by its rows has the definition that came with them.
        schema.clone_from(&batch.table.schema);
        for change in batch.changes() {
            match change {
                Change::Insert { after } => rows.push(owned(after)),
                Change::Delete { before } => {
                    let at = find(rows, &owned(before), name);
                    rows.remove(at);
                }
                Change::Update { before, after } => {
                    let at = find(rows, &owned(before), name);
                    for ((cell, new), column) in rows[at].iter_mut().zip(owned(after)).zip(&schema.columns) {
                        // What an image leaves out has not changed, unless the server computes it.
                        if new != Value::Unknown || column.generated.is_some() {
                            *cell = new;
                        }
                    }
                }
            }
        }
    }
}

fn owned(row: RowRef<'_>) -> Row {
    (0..row.len()).map(|column| row.get(column).to_owned()).collect()
}

fn find(rows: &[Row], wanted: &Row, table: &TableName) -> usize {
    let fits = |(have, want): (&Value, &Value)| {
        have == want || *have == Value::Unknown || *want == Value::Unknown || both_nan(have, want)
    };
    let found = rows.iter().position(|row| row.iter().zip(wanted).all(fits));
    found.unwrap_or_else(|| panic!("{table} has no row {wanted:?}"))
}

fn both_nan(a: &Value, b: &Value) -> bool {
    matches!((a, b), (Value::Double(a), Value::Double(b)) if a.to_bits() == b.to_bits())
}

/// A row under a new definition: cells of columns that kept name and type; what the server made of the others
/// isn't in the log.
fn moved(row: &Row, old: &TableSchema, new: &TableSchema) -> Row {
    let cell = |column: &Column| {
        let index = old.column_index(&column.name)?;
        (old.columns[index].data_type == column.data_type).then(|| row[index].clone())
    };
    new.columns.iter().map(|column| cell(column).unwrap_or(Value::Unknown)).collect()
}

/// Compares a table with rows that the server showed; gives what differs.
pub fn difference(table: &(TableSchema, Vec<Row>), columns: &[Json], expected: &[Json]) -> Option<String> {
    let (schema, rows) = table;
    let names: Vec<&str> = columns.iter().map(|column| column["name"].as_str().unwrap()).collect();
    let ours: Vec<&str> = schema.columns.iter().map(|column| column.name.as_str()).collect();
    if names != ours {
        return Some(format!("columns {ours:?}, the server's are {names:?}"));
    }
    if rows.len() != expected.len() {
        return Some(format!("{} rows, the server has {}", rows.len(), expected.len()));
    }
    let mut left: Vec<&Row> = rows.iter().collect();
    for expected in expected {
        let cells = expected.as_array().unwrap();
        let fits = |row: &&Row| {
            cells.iter().zip(row.iter()).zip(&schema.columns).zip(columns).all(
                |(((cell, value), column), how)| {
                    render::same(cell, value, column, how["as"].as_str().unwrap())
                },
            )
        };
        match left.iter().position(fits) {
            Some(index) => drop(left.remove(index)),
            None => return Some(closest(&left, cells, schema, columns)),
        }
    }
    None
}

/// The first cell that differs from the row with the same first cell.
fn closest(left: &[&Row], cells: &[Json], schema: &TableSchema, columns: &[Json]) -> String {
    let how = |index: usize| columns[index]["as"].as_str().unwrap();
    let candidate = left.iter().find(|row| render::same(&cells[0], &row[0], &schema.columns[0], how(0)));
    let Some(row) = candidate else { return format!("no row for {}", cells[0]) };
    let differs = (0..cells.len())
        .find(|&index| !render::same(&cells[index], &row[index], &schema.columns[index], how(index)));
    let Some(index) = differs else { return "rows that fit were used up".to_owned() };
    let column = &schema.columns[index];
    format!(
        "row {}: column {} ({:?}) is {:?}, the server has {}",
        cells[0],
        column.name,
        column.data_type,
        render::show(&row[index], column, how(index)),
        cells[index]
    )
}

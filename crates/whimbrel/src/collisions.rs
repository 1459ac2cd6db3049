//! Whether rows of tables that become one have the same key: looked for at the source before anything is written.
//!
//! The keys of all the tables are read in one consistent view, one key after another, and their hashes compared: 16 bytes and a few
//! more for each row, for at most [`MOST_ROWS`] rows of one target. A larger group isn't looked through. What comes
//! later, or is equal only to the target's collation, is found where the rows meet: no row is overwritten by another one,
//! both are reported.

use std::collections::HashMap;
use std::sync::Arc;

use whimbrel_connector::{Finding, KeyRange, Severity, SnapshotReader};
use whimbrel_incr_sync::parked::value_text;
use whimbrel_model::{Key, RawCell, RowBatch, RowRef, TableName, TableSchema, TableVersion};
use xxhash_rust::xxh3::Xxh3;

use crate::display::count;
use crate::failure::Failure;
use crate::merging::{self, Merging};
use crate::migrate::Task;

/// Rows of one target that are looked through.
const MOST_ROWS: u64 = 2_000_000;
const BATCH_BYTES: usize = 1 << 20;

/// Looks through all tables that become one with others; `views` are the tables as the task sees them.
///
/// # Errors
/// A source that can't be read.
pub async fn findings(
    task: &Task,
    merging: &Merging,
    views: &[TableSchema],
) -> Result<Vec<Finding>, Failure> {
    let mut reader = task.selected_source().snapshot_reader().await?;
    let mut findings = Vec::new();
    for (target, tables) in merging.groups(views) {
        let [first, _, ..] = tables.as_slice() else { continue };
        let mut rows = 0;
        for table in &tables {
            rows += reader.estimate(table).await?.rows;
        }
        if rows > MOST_ROWS {
            findings.push(not_looked_for(&target, rows));
            continue;
        }
        // One view of all tables: rows may be on their way from one to another.
        reader.hold_table(first).await?;
        let keys = first.primary_key.iter().chain(&first.unique_keys);
        for key in
            keys.filter(|key| key.parts.iter().all(|part| part.column().is_some() && part.prefix.is_none()))
        {
            if let Some(met) = meeting(reader.as_mut(), &tables, key).await? {
                findings.push(merging::error(
                    format!("--map, table {target} of the target"),
                    format!("{} and {} both have a row with {}, so they can't become one table", met.one, met.other, met.key),
                    "change or delete one of the rows, leave it out with --where, or map the tables to different names",
                ));
            }
        }
        reader.release_table().await?;
    }
    Ok(findings)
}

fn not_looked_for(target: &TableName, rows: u64) -> Finding {
    Finding {
        severity: Severity::Warning,
        code: whimbrel_connector::ErrorKind::Configuration.code().to_owned(),
        object: format!("table {target} of the target"),
        cause: format!(
            "its tables have about {} rows, so keys that two of them have were not looked for (up to {} they are)",
            count(rows),
            count(MOST_ROWS)
        ),
        hint: "rows that meet are not written over each other but reported with both rows; look for them with a query first"
            .to_owned(),
    }
}

struct Meeting<'t> {
    one: &'t TableName,
    other: &'t TableName,
    key: String,
}

/// Two tables that have a row with the same values in the key.
async fn meeting<'t>(
    reader: &mut dyn SnapshotReader,
    tables: &[&'t TableSchema],
    key: &Key,
) -> Result<Option<Meeting<'t>>, Failure> {
    let mut seen: HashMap<u128, usize> = HashMap::new();
    for (number, table) in tables.iter().enumerate() {
        let version = Arc::new(TableVersion::new(number as u64, only(table, key)));
        reader.open_range(&version, &KeyRange::default()).await?;
        let mut batch = RowBatch::new(version.kinds.clone());
        let mut more = true;
        while more {
            batch.clear();
            more = reader.next_batch(&mut batch, BATCH_BYTES).await?;
            for row in batch.rows() {
                let Some(hash) = hash(row) else { continue };
                let other = *seen.entry(hash).or_insert(number);
                if other != number {
                    let key = shown(&version.schema, row);
                    reader.close_range().await?;
                    return Ok(Some(Meeting { one: &tables[other].name, other: &table.name, key }));
                }
            }
        }
    }
    Ok(None)
}

/// The table with the columns of the key only, in the key's order.
fn only(table: &TableSchema, key: &Key) -> TableSchema {
    let names = key.parts.iter().filter_map(|part| part.column());
    let columns = names.filter_map(|name| Some(table.columns[table.column_index(name)?].clone())).collect();
    TableSchema {
        columns,
        primary_key: None,
        unique_keys: Vec::new(),
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        partitioning: None,
        ..table.clone()
    }
}

/// `None` where a NULL keeps the row from meeting any other.
fn hash(row: RowRef<'_>) -> Option<u128> {
    let mut hasher = Xxh3::new();
    for column in 0..row.len() {
        let RawCell::Bytes(bytes) = row.raw(column) else { return None };
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    }
    Some(hasher.digest128())
}

fn shown(schema: &TableSchema, row: RowRef<'_>) -> String {
    let parts = schema.columns.iter().zip(0..row.len());
    let parts: Vec<String> =
        parts.map(|(column, at)| format!("{}={}", column.name, value_text(row.get(at)))).collect();
    parts.join(", ")
}

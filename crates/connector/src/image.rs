//! Rows kept in a task's state: how they are named, and how they are laid out.
//!
//! A row that can't be written to the target now is kept as an entry of the task's state at the target. Full-Import
//! and Incr-Sync write such entries, the command line lists them, so names and layout stand here once.
//!
//! The item of an entry (a [`crate::StateKey::item`]) names a row of a target table:
//!
//! ```text
//! 16 bytes  XXH3-128 (seed 0, big endian) of  target schema, 0x00, target table
//! 1 byte    1: the row key follows as it is; 2: its XXH3-128 follows (keys over 256 bytes)
//! ...       the row key: per key column, in the key's order: varint tag (0 NULL, 1 unknown, else
//!           length + 2), bytes of the cell; for a keyless table all columns
//! ```
//!
//! Where several source tables share the target table ([`crate::TablePlan::merged`]), two of them may have a row of the
//! same key, so the source table is part of the name:
//!
//! ```text
//! 16 bytes  as above
//! 1 byte    3
//! 16 bytes  XXH3-128 of  source schema, 0x00, source table
//! ...       as above, beginning with the byte 1 or 2
//! ```
//!
//! The payload is a frame:
//!
//! ```text
//! 1 byte    version, 1
//! varint    length of the header, then the header: a JSON object
//! for each row image that the header announces:
//!   varint  length, then RowBatch::encode of one row in the header's columns
//! ```

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use whimbrel_model::batch::{put_varint, take_varint};
use whimbrel_model::{BatchError, CellKind, DataType, RawCell, RowBatch, RowRef, TableName, TableVersion};
use xxhash_rust::xxh3::xxh3_128;

use crate::TablePlan;

const VERSION: u8 = 1;
/// Longer row keys are named by their hash, so that an item stays below the state table's limit.
const LONGEST_PLAIN_KEY: usize = 256;

/// Why the payload of a state entry is no row image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error("state entry has version {0}, this program knows version 1")]
    Version(u8),
    #[error("state entry ends in the middle of its {0}")]
    Truncated(&'static str),
    #[error("state entry has a damaged header")]
    Header(#[source] serde_json::Error),
    #[error("state entry has a damaged row")]
    Row(#[source] BatchError),
    #[error("state entry holds {0} rows where one was expected")]
    RowCount(usize),
    #[error("column {column} was {was} when the row was set aside and is {is} now")]
    ColumnChanged { column: String, was: String, is: String },
}

/// A column of the source's row at the time when it was set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageColumn {
    pub name: String,
    pub data_type: DataType,
}

/// Whose row an image is, and what its columns are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowOwner {
    pub source: TableName,
    pub target: TableName,
    pub columns: Vec<ImageColumn>,
    /// Positions in `columns` of the target's row key; empty for a keyless table.
    pub key: Vec<usize>,
    /// As in [`TablePlan::merged`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub merged: bool,
}

impl RowOwner {
    pub fn new(plan: &TablePlan) -> Self {
        let columns = plan
            .source
            .schema
            .columns
            .iter()
            .map(|column| ImageColumn { name: column.name.clone(), data_type: column.data_type.clone() })
            .collect();
        Self {
            source: plan.source.schema.name.clone(),
            target: plan.target.name.clone(),
            columns,
            key: plan.key.clone(),
            merged: plan.merged,
        }
    }

    fn kinds(&self) -> Arc<[CellKind]> {
        self.columns.iter().map(|column| column.data_type.cell_kind()).collect()
    }

    /// The state item of a row in this layout.
    pub fn item(&self, row: RowRef<'_>) -> Vec<u8> {
        let key = key_bytes(&self.key, row);
        if self.merged { merged_item(&self.source, &self.target, &key) } else { row_item(&self.target, &key) }
    }

    /// An image in the layout of another version of the source's table: columns by name, those that the image
    /// doesn't have are unknown.
    ///
    /// # Errors
    /// [`ImageError::ColumnChanged`] where a column has another type now.
    pub fn fit(&self, image: &RowBatch, version: &TableVersion) -> Result<RowBatch, ImageError> {
        let mut out = RowBatch::new(version.kinds.clone());
        let Some(row) = image.rows().next() else { return Ok(out) };
        for column in &version.schema.columns {
            match self.columns.iter().position(|old| old.name.to_lowercase() == column.name.to_lowercase()) {
                None => out.push_unknown(),
                Some(at) if cells_mean_the_same(&self.columns[at].data_type, &column.data_type) => {
                    out.push_raw(row.raw(at));
                }
                Some(at) => {
                    return Err(ImageError::ColumnChanged {
                        column: column.name.clone(),
                        was: format!("{:?}", self.columns[at].data_type),
                        is: format!("{:?}", column.data_type),
                    });
                }
            }
        }
        out.end_row();
        Ok(out)
    }
}

/// Same cell bytes, same value: lengths may differ, charset and members may not.
fn cells_mean_the_same(old: &DataType, new: &DataType) -> bool {
    old.cell_kind() == new.cell_kind()
        && old.charset() == new.charset()
        && match (old, new) {
            (
                DataType::Enum { members: old, .. } | DataType::Set { members: old, .. },
                DataType::Enum { members: new, .. } | DataType::Set { members: new, .. },
            ) => new.starts_with(old),
            _ => true,
        }
}

/// The state item of a row (module documentation).
pub fn item_of(plan: &TablePlan, row: RowRef<'_>) -> Vec<u8> {
    let key = row_key_bytes(plan, row);
    if plan.merged {
        merged_item(&plan.source.schema.name, &plan.target.name, &key)
    } else {
        row_item(&plan.target.name, &key)
    }
}

/// What the items of all rows of a plan's source table begin with.
pub fn prefix_of(plan: &TablePlan) -> Vec<u8> {
    let target = &plan.target.name;
    if plan.merged { merged_prefix(&plan.source.schema.name, target) } else { table_prefix(target) }
}

fn merged_prefix(source: &TableName, target: &TableName) -> Vec<u8> {
    let mut item = table_prefix(target);
    item.push(3);
    item.extend_from_slice(&table_prefix(source));
    item
}

fn merged_item(source: &TableName, target: &TableName, key: &[u8]) -> Vec<u8> {
    let mut item = merged_prefix(source, target);
    push_key(&mut item, key);
    item
}

/// The bytes that stand for a row's key (module documentation).
pub fn row_key_bytes(plan: &TablePlan, row: RowRef<'_>) -> Vec<u8> {
    key_bytes(&plan.key, row)
}

fn key_bytes(key: &[usize], row: RowRef<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    let mut push = |column: usize| match row.raw(column) {
        RawCell::Null => put_varint(&mut out, 0),
        RawCell::Unknown => put_varint(&mut out, 1),
        RawCell::Bytes(bytes) => {
            put_varint(&mut out, bytes.len() as u64 + 2);
            out.extend_from_slice(bytes);
        }
    };
    if key.is_empty() {
        (0..row.len()).for_each(&mut push);
    } else {
        key.iter().copied().for_each(&mut push);
    }
    out
}

/// The item of a row with the key `key` ([`row_key_bytes`]) of a target table.
pub fn row_item(target: &TableName, key: &[u8]) -> Vec<u8> {
    let mut item = table_prefix(target);
    push_key(&mut item, key);
    item
}

fn push_key(item: &mut Vec<u8>, key: &[u8]) {
    if key.len() <= LONGEST_PLAIN_KEY {
        item.push(1);
        item.extend_from_slice(key);
    } else {
        item.push(2);
        item.extend_from_slice(&xxh3_128(key).to_be_bytes());
    }
}

/// What the items of all rows of a target table begin with.
pub fn table_prefix(target: &TableName) -> Vec<u8> {
    let mut name = Vec::with_capacity(target.schema.len() + target.table.len() + 1);
    name.extend_from_slice(target.schema.as_bytes());
    name.push(0);
    name.extend_from_slice(target.table.as_bytes());
    xxh3_128(&name).to_be_bytes().to_vec()
}

/// A batch of one row, a copy of `row` in the plan's source layout.
pub(crate) fn one_row(kinds: &Arc<[CellKind]>, row: RowRef<'_>) -> RowBatch {
    let mut batch = RowBatch::new(kinds.clone());
    batch.push_row(row);
    batch
}

/// Writes a frame.
pub(crate) fn encode_frame<H: Serialize>(header: &H, images: &[&RowBatch]) -> Vec<u8> {
    let header = serde_json::to_vec(header).expect("headers have string keys and no failing serialisers");
    let mut out = vec![VERSION];
    put_varint(&mut out, header.len() as u64);
    out.extend_from_slice(&header);
    for image in images {
        let mut row = Vec::new();
        image.encode(&mut row);
        put_varint(&mut out, row.len() as u64);
        out.extend_from_slice(&row);
    }
    out
}

/// Reads the header of a frame; what remains of `payload` are the images.
pub(crate) fn decode_header<H: DeserializeOwned>(payload: &mut &[u8]) -> Result<H, ImageError> {
    match payload.split_first() {
        Some((&VERSION, rest)) => *payload = rest,
        Some((version, _)) => return Err(ImageError::Version(*version)),
        None => return Err(ImageError::Truncated("version")),
    }
    let header = take_bytes(payload, "header")?;
    serde_json::from_slice(header).map_err(ImageError::Header)
}

/// Reads the next image of a frame.
pub(crate) fn decode_image(payload: &mut &[u8], owner: &RowOwner) -> Result<RowBatch, ImageError> {
    if owner.key.iter().any(|column| *column >= owner.columns.len()) {
        return Err(ImageError::Truncated("columns"));
    }
    let batch = RowBatch::decode(owner.kinds(), take_bytes(payload, "row")?).map_err(ImageError::Row)?;
    if batch.len() == 1 { Ok(batch) } else { Err(ImageError::RowCount(batch.len())) }
}

fn take_bytes<'a>(payload: &mut &'a [u8], what: &'static str) -> Result<&'a [u8], ImageError> {
    let len = take_varint(payload).ok_or(ImageError::Truncated(what))?;
    let len = usize::try_from(len).map_err(|_| ImageError::Truncated(what))?;
    let bytes = payload.get(..len).ok_or(ImageError::Truncated(what))?;
    *payload = payload.get(len..).unwrap_or_default();
    Ok(bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use whimbrel_model::schema::Key;
    use whimbrel_model::{Column, TableSchema};

    use super::*;

    pub(crate) fn plan() -> TablePlan {
        let int = DataType::Int { bytes: 4, unsigned: false, zerofill: None };
        let schema = TableSchema {
            primary_key: Some(Key::on_columns("PRIMARY", ["id"])),
            ..TableSchema::new(
                TableName::new("shop", "orders"),
                vec![
                    Column::new("id", int, false),
                    Column::new("note", DataType::VarBinary { bytes: 9 }, true),
                ],
            )
        };
        let mut target = schema.clone();
        target.name = TableName::new("copy", "orders");
        TablePlan::new(Arc::new(TableVersion::new(1, schema)), Arc::new(target)).unwrap()
    }

    pub(crate) fn row(plan: &TablePlan, id: i64, note: Option<&[u8]>) -> RowBatch {
        let mut batch = RowBatch::new(plan.source.kinds.clone());
        batch.push_int(id);
        match note {
            Some(note) => batch.push_bytes(note),
            None => batch.push_null(),
        }
        batch.end_row();
        batch
    }

    #[test]
    fn items_of_one_table_share_a_prefix_and_differ_by_key() {
        let plan = plan();
        let owner = RowOwner::new(&plan);
        let (one, two) = (row(&plan, 1, None), row(&plan, 2, None));
        let (one, two) = (owner.item(one.row(0)), owner.item(two.row(0)));
        assert!(one.starts_with(&table_prefix(&TableName::new("copy", "orders"))));
        assert_ne!(one, two);
        assert_ne!(table_prefix(&TableName::new("a", "bc")), table_prefix(&TableName::new("ab", "c")));
    }

    #[test]
    fn items_stay_below_the_limit_of_the_state_table() {
        let long = row_item(&TableName::new("s".repeat(256), "t".repeat(256)), &[7; 3072]);
        let longest_plain = row_item(&TableName::new("s", "t"), &[7; LONGEST_PLAIN_KEY]);
        assert!(long.len() <= 400 && longest_plain.len() <= 400);
        let table = TableName::new("s", "t");
        assert!(merged_item(&table, &table, &[7; LONGEST_PLAIN_KEY]).len() <= 400);
    }

    /// Persisted form: these bytes must be what they are for ever.
    #[test]
    fn the_frozen_item_is_written() {
        let plan = plan();
        let batch = row(&plan, 5, None);
        let item = row_item(&plan.target.name, &row_key_bytes(&plan, batch.row(0)));
        let hex: String = item.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "32dff0d44990d38fde5cf88f4f07e5f501030a");
    }

    /// Persisted form: these bytes must be what they are for ever.
    #[test]
    fn the_frozen_item_of_a_merged_table_names_the_source_table() {
        let merged = plan().merging(true);
        let batch = row(&merged, 5, None);
        let hex = |item: &[u8]| item.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let item = item_of(&merged, batch.row(0));
        assert_eq!(hex(&item), "32dff0d44990d38fde5cf88f4f07e5f503f0732ae37fe3a50d5d53586ee4be66e201030a");
        assert_eq!(RowOwner::new(&merged).item(batch.row(0)), item);
        assert!(item.starts_with(&prefix_of(&merged)));
        assert!(item.starts_with(&table_prefix(&merged.target.name)));
        let owner = serde_json::to_string(&RowOwner::new(&merged)).unwrap();
        assert!(owner.ends_with(r#""key":[0],"merged":true}"#), "{owner}");
        assert!(!serde_json::to_string(&RowOwner::new(&plan())).unwrap().contains("merged"));
    }

    #[test]
    fn an_image_fits_a_table_that_got_a_column() {
        let plan = plan();
        let owner = RowOwner::new(&plan);
        let mut wider = plan.source.schema.clone();
        wider.columns.insert(0, Column::new("added", DataType::Year, true));
        let wider = TableVersion::new(2, wider);
        let fitted = owner.fit(&row(&plan, 5, Some(b"x")), &wider).unwrap();
        assert_eq!(fitted.row(0).raw(0), RawCell::Unknown);
        assert_eq!(fitted.row(0).get(1), whimbrel_model::ValueRef::Int(5));
        let mut other = plan.source.schema.clone();
        other.columns[0].data_type = DataType::Year;
        let other = owner.fit(&row(&plan, 5, None), &TableVersion::new(3, other));
        assert!(matches!(other, Err(ImageError::ColumnChanged { .. })));
    }
}

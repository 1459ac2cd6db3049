//! Cells and rows: how they are kept, in which order they are, and what a column takes.

use std::sync::Arc;

use whimbrel_connector::{ConnectorError, ErrorKind, Result};
use whimbrel_model::{CellKind, Column, ColumnDefault, DataType, RawCell, RowBatch, RowRef, ValueRef};

/// The canonical bytes of a cell ([`whimbrel_model::batch`]); `None` is NULL.
pub type Cell = Option<Vec<u8>>;

/// A row of a table.
pub type Row = Arc<[Cell]>;

/// The bytes of one value.
pub fn cell(kind: CellKind, value: ValueRef<'_>) -> Cell {
    let mut batch = RowBatch::new([kind].into());
    batch.push_value(value);
    batch.end_row();
    owned(batch.row(0).raw(0))
}

/// A copy of a cell; NULL where it is unknown.
pub fn owned(cell: RawCell<'_>) -> Cell {
    match cell {
        RawCell::Bytes(bytes) => Some(bytes.to_vec()),
        RawCell::Null | RawCell::Unknown => None,
    }
}

/// Appends a cell to a batch.
pub fn push(batch: &mut RowBatch, cell: &Cell) {
    match cell {
        None => batch.push_null(),
        Some(bytes) => batch.push_bytes(bytes),
    }
}

pub fn number(bytes: &[u8]) -> u64 {
    let mut full = [0; 8];
    for (to, from) in full.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_le_bytes(full)
}

pub fn signed(bytes: &[u8]) -> i64 {
    let zigzag = number(bytes);
    (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64)
}

/// Appends bytes whose order is that of the values.
fn push_ordered(out: &mut Vec<u8>, kind: CellKind, bytes: &[u8]) {
    match kind {
        CellKind::Int => out.extend_from_slice(&(signed(bytes) as u64 ^ 1 << 63).to_be_bytes()),
        CellKind::UInt => out.extend_from_slice(&number(bytes).to_be_bytes()),
        _ => {
            for byte in bytes {
                out.push(*byte);
                if *byte == 0 {
                    out.push(0xff);
                }
            }
            out.extend_from_slice(&[0, 0]);
        }
    }
}

/// Bytes whose order is that of keys; `None` where a part is NULL.
pub fn key_bytes(parts: impl Iterator<Item = (CellKind, Option<impl AsRef<[u8]>>)>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for (kind, part) in parts {
        push_ordered(&mut out, kind, part?.as_ref());
    }
    Some(out)
}

/// [`key_bytes`] of some columns of a row of a batch.
pub fn key_of_ref(kinds: &[CellKind], row: RowRef<'_>, columns: &[usize]) -> Option<Vec<u8>> {
    key_bytes(kinds.iter().zip(columns).map(|(kind, at)| match row.raw(*at) {
        RawCell::Bytes(bytes) => (*kind, Some(bytes)),
        _ => (*kind, None),
    }))
}

fn refused(column: &Column, why: &str) -> ConnectorError {
    ConnectorError::new(ErrorKind::RowRefused, format!("column {}", column.name), why)
}

/// Whether a column takes a value, as a strict server would say.
pub fn check(column: &Column, cell: &Cell) -> Result<()> {
    let Some(bytes) = cell else {
        return if column.nullable { Ok(()) } else { Err(refused(column, "it can't be NULL")) };
    };
    let fits = match &column.data_type {
        DataType::Int { bytes: width, unsigned, .. } => {
            let bits = u32::from(*width) * 8;
            match (unsigned, bits) {
                (_, 64..) => true,
                (true, bits) => number(bytes) < 1 << bits,
                (false, bits) => (-(1 << (bits - 1))..1 << (bits - 1)).contains(&signed(bytes)),
            }
        }
        DataType::VarChar { chars, .. } => match std::str::from_utf8(bytes) {
            Ok(text) => text.chars().count() <= *chars as usize,
            Err(_) => return Err(refused(column, "it isn't UTF-8")),
        },
        DataType::VarBinary { bytes: most } => bytes.len() <= *most as usize,
        other => {
            let what = format!("column {}", column.name);
            let message = format!("{other:?} isn't simulated");
            return Err(ConnectorError::new(ErrorKind::Unsupported, what, message));
        }
    };
    if fits { Ok(()) } else { Err(refused(column, "the value is out of range or too long")) }
}

/// What a column holds where an insert doesn't name it.
pub fn default_of(column: &Column) -> Cell {
    let Some(ColumnDefault::Literal(text)) = &column.default else { return None };
    let kind = column.data_type.cell_kind();
    match kind {
        CellKind::Int => cell(kind, ValueRef::Int(text.parse().ok()?)),
        CellKind::UInt => cell(kind, ValueRef::UInt(text.parse().ok()?)),
        _ => Some(text.as_bytes().to_vec()),
    }
}

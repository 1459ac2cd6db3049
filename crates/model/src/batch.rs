//! Rows in one shared buffer: the unit that travels from a connector through the Store to the Writer.
//!
//! A batch holds rows of one table version. Every cell is a slot (offset, length) into one byte buffer;
//! what the bytes mean is the column's [`CellKind`], which the batch holds once. The encoding of a cell is
//! canonical: two cells of the same kind hold the same value if and only if their bytes are the same
//! (floats: the same bits), so keys are hashed and compared as bytes.
//!
//! Cell bytes by kind:
//!
//! | kind | bytes |
//! |---|---|
//! | `Int` | zigzag of the i64, little endian, trailing zero bytes dropped (0 is empty) |
//! | `UInt`, `Enum`, `Set`, `Bit`, `Year` | the u64, little endian, trailing zero bytes dropped |
//! | `Date`, `DateTime`, `Timestamp` | the packed bits of [`crate::temporal`], as `UInt` |
//! | `Time` | microseconds, as `Int` |
//! | `Float`, `Double` | IEEE bits, 4 or 8 bytes little endian |
//! | `Decimal` | canonical ASCII text |
//! | `Text`, `Bytes`, `Json`, `Geometry` | as they are |
//!
//! The serialised forms are in `batch/serial.rs`.

mod serial;

use std::sync::Arc;

use crate::temporal::{Date, DateTime, Time};
use crate::value::ValueRef;

pub use serial::{BatchError, put_signed, put_varint, take_signed, take_varint};
use serial::{unzigzag, zigzag};

/// What the bytes of a column's cells mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellKind {
    Int,
    UInt,
    Float,
    Double,
    Decimal,
    Date,
    Time,
    DateTime,
    Timestamp,
    Year,
    Text,
    Bytes,
    Enum,
    Set,
    Bit,
    Json,
    Geometry,
}

const NULL: u32 = u32::MAX;
const UNKNOWN: u32 = u32::MAX - 1;

#[derive(Clone, Copy, Debug)]
struct Slot {
    start: u32,
    /// A length, or `NULL`, or `UNKNOWN`.
    len: u32,
}

/// The undecoded bytes of one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RawCell<'a> {
    Null,
    Unknown,
    Bytes(&'a [u8]),
}

/// Rows of one table version in one buffer. A batch holds less than 4 GiB of cell bytes.
///
/// Values stand in `data` in the order of their slots and without gaps, but for one case: in a decoded batch
/// of changes a cell that an update left as it was has the slot of the cell before it.
#[derive(Clone, Debug)]
pub struct RowBatch {
    kinds: Arc<[CellKind]>,
    slots: Vec<Slot>,
    data: Vec<u8>,
    rows: usize,
}

impl RowBatch {
    pub fn new(kinds: Arc<[CellKind]>) -> Self {
        Self { kinds, slots: Vec::new(), data: Vec::new(), rows: 0 }
    }

    /// Removes all rows and keeps the buffers.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.data.clear();
        self.rows = 0;
    }

    /// Number of whole rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub fn kinds(&self) -> &Arc<[CellKind]> {
        &self.kinds
    }

    pub fn columns(&self) -> usize {
        self.kinds.len()
    }

    /// Bytes that this batch holds in memory (buffers' content, not their capacity).
    pub fn byte_len(&self) -> usize {
        self.data.len() + self.slots.len() * size_of::<Slot>()
    }

    /// The `index`th row. Panics where there is none, like a slice.
    pub fn row(&self, index: usize) -> RowRef<'_> {
        assert!(index < self.rows, "row {index} of a batch of {}", self.rows);
        let width = self.kinds.len();
        RowRef { batch: self, slots: &self.slots[index * width..(index + 1) * width] }
    }

    pub fn rows(&self) -> impl ExactSizeIterator<Item = RowRef<'_>> + DoubleEndedIterator {
        (0..self.rows).map(|index| self.row(index))
    }

    // ---- writing: one push per column, then `end_row` ----

    pub fn push_null(&mut self) {
        self.push_slot(NULL);
    }

    pub fn push_unknown(&mut self) {
        self.push_slot(UNKNOWN);
    }

    pub fn push_int(&mut self, value: i64) {
        self.push_uint(zigzag(value));
    }

    pub fn push_uint(&mut self, value: u64) {
        let used = 8 - value.leading_zeros() as usize / 8;
        self.push_bytes(&value.to_le_bytes()[..used]);
    }

    pub fn push_float(&mut self, value: f32) {
        self.push_bytes(&value.to_bits().to_le_bytes());
    }

    pub fn push_double(&mut self, value: f64) {
        self.push_bytes(&value.to_bits().to_le_bytes());
    }

    pub fn push_date(&mut self, value: Date) {
        self.push_uint(u64::from(value.to_bits()));
    }

    /// For `DateTime` and `Timestamp` cells.
    pub fn push_datetime(&mut self, value: DateTime) {
        self.push_uint(value.to_bits());
    }

    pub fn push_time(&mut self, value: Time) {
        self.push_int(value.micros());
    }

    /// For `Decimal`, `Text`, `Bytes`, `Json` and `Geometry` cells.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        let start = self.data.len();
        self.data.extend_from_slice(bytes);
        self.slots.push(Slot { start: offset(start), len: offset(bytes.len()) });
    }

    /// Lets `write` append one cell's bytes to the buffer. What it wrote is dropped where it fails.
    pub fn push_with<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let start = self.data.len();
        if let Err(error) = write(&mut self.data) {
            self.data.truncate(start);
            return Err(error);
        }
        self.slots.push(Slot { start: offset(start), len: offset(self.data.len() - start) });
        Ok(())
    }

    /// Copies one cell of another batch.
    pub fn push_raw(&mut self, cell: RawCell<'_>) {
        match cell {
            RawCell::Null => self.push_null(),
            RawCell::Unknown => self.push_unknown(),
            RawCell::Bytes(bytes) => self.push_bytes(bytes),
        }
    }

    /// Appends a value, which must be of the column's kind (or NULL or unknown).
    pub fn push_value(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Null => self.push_null(),
            ValueRef::Unknown => self.push_unknown(),
            ValueRef::Int(v) => self.push_int(v),
            ValueRef::UInt(v) | ValueRef::Set(v) | ValueRef::Bit(v) => self.push_uint(v),
            ValueRef::Enum(v) | ValueRef::Year(v) => self.push_uint(u64::from(v)),
            ValueRef::Float(v) => self.push_float(v),
            ValueRef::Double(v) => self.push_double(v),
            ValueRef::Date(v) => self.push_date(v),
            ValueRef::Time(v) => self.push_time(v),
            ValueRef::DateTime(v) | ValueRef::Timestamp(v) => self.push_datetime(v),
            ValueRef::Decimal(v)
            | ValueRef::Text(v)
            | ValueRef::Bytes(v)
            | ValueRef::Json(v)
            | ValueRef::Geometry(v) => self.push_bytes(v),
        }
    }

    /// Ends a row. Panics where the number of cells pushed since the last row isn't the number of columns.
    pub fn end_row(&mut self) {
        self.rows += 1;
        assert_eq!(self.slots.len(), self.rows * self.kinds.len(), "cells pushed for a row");
    }

    /// Drops the cells that were pushed since the last whole row.
    pub fn abandon_row(&mut self) {
        let keep = self.rows * self.kinds.len();
        let pending = self.slots.get(keep..).unwrap_or_default();
        if let Some(first) = pending.first() {
            self.data.truncate(first.start as usize);
        }
        self.slots.truncate(keep);
    }

    /// Appends a copy of a row of a batch with the same columns.
    pub fn push_row(&mut self, row: RowRef<'_>) {
        for column in 0..row.len() {
            self.push_raw(row.raw(column));
        }
        self.end_row();
    }

    fn push_slot(&mut self, len: u32) {
        self.slots.push(Slot { start: offset(self.data.len()), len });
    }
}

fn offset(value: usize) -> u32 {
    // A cell is at most 1 GiB (the protocol's largest packet) and connectors close a batch long before.
    u32::try_from(value).ok().filter(|v| *v < UNKNOWN).expect("a batch holds less than 4 GiB")
}

/// One row of a batch.
#[derive(Clone, Copy)]
pub struct RowRef<'a> {
    batch: &'a RowBatch,
    slots: &'a [Slot],
}

impl<'a> RowRef<'a> {
    /// Number of columns.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The bytes of a column. Panics where there is no such column, like a slice.
    pub fn raw(&self, column: usize) -> RawCell<'a> {
        let slot = self.slots[column];
        match slot.len {
            NULL => RawCell::Null,
            UNKNOWN => RawCell::Unknown,
            len => {
                let start = slot.start as usize;
                RawCell::Bytes(&self.batch.data[start..start + len as usize])
            }
        }
    }

    /// The value of a column. Panics where there is no such column, like a slice. Bytes that no encoder of
    /// this module writes (a packed date that is none) read as zero.
    pub fn get(&self, column: usize) -> ValueRef<'a> {
        let bytes = match self.raw(column) {
            RawCell::Null => return ValueRef::Null,
            RawCell::Unknown => return ValueRef::Unknown,
            RawCell::Bytes(bytes) => bytes,
        };
        match self.batch.kinds[column] {
            CellKind::Int => ValueRef::Int(signed(bytes)),
            CellKind::UInt => ValueRef::UInt(unsigned(bytes)),
            CellKind::Float => ValueRef::Float(f32::from_bits(unsigned(bytes) as u32)),
            CellKind::Double => ValueRef::Double(f64::from_bits(unsigned(bytes))),
            CellKind::Decimal => ValueRef::Decimal(bytes),
            CellKind::Date => ValueRef::Date(
                u32::try_from(unsigned(bytes)).ok().and_then(Date::from_bits).unwrap_or(Date::ZERO),
            ),
            CellKind::Time => ValueRef::Time(Time::from_micros(signed(bytes)).unwrap_or(Time::ZERO)),
            CellKind::DateTime => ValueRef::DateTime(datetime(bytes)),
            CellKind::Timestamp => ValueRef::Timestamp(datetime(bytes)),
            CellKind::Year => ValueRef::Year(unsigned(bytes) as u16),
            CellKind::Text => ValueRef::Text(bytes),
            CellKind::Bytes => ValueRef::Bytes(bytes),
            CellKind::Enum => ValueRef::Enum(unsigned(bytes) as u16),
            CellKind::Set => ValueRef::Set(unsigned(bytes)),
            CellKind::Bit => ValueRef::Bit(unsigned(bytes)),
            CellKind::Json => ValueRef::Json(bytes),
            CellKind::Geometry => ValueRef::Geometry(bytes),
        }
    }

    /// Bytes of all cells of this row.
    pub fn byte_len(&self) -> usize {
        self.slots.iter().map(|slot| if slot.len >= UNKNOWN { 0 } else { slot.len as usize }).sum()
    }

    /// True where every cell holds the same bytes (and so the same value) in both rows.
    pub fn same(&self, other: &RowRef<'_>) -> bool {
        self.len() == other.len() && (0..self.len()).all(|column| self.raw(column) == other.raw(column))
    }
}

impl std::fmt::Debug for RowRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries((0..self.len()).map(|column| self.get(column))).finish()
    }
}

fn unsigned(bytes: &[u8]) -> u64 {
    let mut full = [0u8; 8];
    for (to, from) in full.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_le_bytes(full)
}

fn signed(bytes: &[u8]) -> i64 {
    unzigzag(unsigned(bytes))
}

fn datetime(bytes: &[u8]) -> DateTime {
    DateTime::from_bits(unsigned(bytes)).unwrap_or(DateTime::ZERO)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds(kinds: &[CellKind]) -> Arc<[CellKind]> {
        kinds.into()
    }

    #[test]
    fn every_kind_reads_back() {
        let date = Date::new(2024, 2, 29).unwrap();
        let datetime = DateTime::new(date, 23, 59, 59, 999_999).unwrap();
        let values = [
            (CellKind::Int, ValueRef::Int(i64::MIN)),
            (CellKind::UInt, ValueRef::UInt(u64::MAX)),
            (CellKind::Float, ValueRef::Float(-0.0)),
            (CellKind::Double, ValueRef::Double(f64::MIN_POSITIVE)),
            (CellKind::Decimal, ValueRef::Decimal(b"-12.50")),
            (CellKind::Date, ValueRef::Date(date)),
            (CellKind::Time, ValueRef::Time(Time::from_micros(-1).unwrap())),
            (CellKind::DateTime, ValueRef::DateTime(datetime)),
            (CellKind::Timestamp, ValueRef::Timestamp(DateTime::ZERO)),
            (CellKind::Year, ValueRef::Year(2155)),
            (CellKind::Text, ValueRef::Text(b"")),
            (CellKind::Bytes, ValueRef::Bytes(&[0, 255])),
            (CellKind::Enum, ValueRef::Enum(0)),
            (CellKind::Set, ValueRef::Set(1 << 63)),
            (CellKind::Bit, ValueRef::Bit(5)),
            (CellKind::Json, ValueRef::Json(b"{}")),
            (CellKind::Geometry, ValueRef::Geometry(&[1; 25])),
            (CellKind::Int, ValueRef::Null),
            (CellKind::Text, ValueRef::Unknown),
        ];
        let mut batch = RowBatch::new(values.iter().map(|(kind, _)| *kind).collect());
        for (_, value) in values {
            batch.push_value(value);
        }
        batch.end_row();
        let mut bytes = Vec::new();
        batch.encode(&mut bytes);
        let copy = RowBatch::decode(batch.kinds().clone(), &bytes).unwrap();
        for read in [&batch, &copy] {
            for (column, (_, value)) in values.iter().enumerate() {
                assert_eq!(read.row(0).get(column), *value, "column {column}");
            }
        }
        assert!(batch.row(0).same(&copy.row(0)));
    }

    #[test]
    fn an_abandoned_row_leaves_nothing_behind() {
        let mut batch = RowBatch::new(kinds(&[CellKind::Text, CellKind::Text]));
        batch.push_bytes(b"one");
        batch.push_null();
        batch.end_row();
        let before = batch.byte_len();
        batch.push_bytes(b"half");
        batch.abandon_row();
        assert_eq!((batch.len(), batch.byte_len()), (1, before));
    }

    proptest! {
        #[test]
        fn integers_read_back(signed: i64, unsigned: u64) {
            let mut batch = RowBatch::new(kinds(&[CellKind::Int, CellKind::UInt]));
            batch.push_int(signed);
            batch.push_uint(unsigned);
            batch.end_row();
            prop_assert_eq!(batch.row(0).get(0), ValueRef::Int(signed));
            prop_assert_eq!(batch.row(0).get(1), ValueRef::UInt(unsigned));
        }
    }
}

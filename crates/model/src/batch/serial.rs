//! The serialised forms of a batch. Numbers are LEB128 (`varint`).
//!
//! Form 1, for rows that have nothing to do with each other (state tables, and the Store's older files):
//!
//! ```text
//! varint rows
//! rows x columns:  varint tag      0 NULL, 1 unknown, otherwise length + 2
//! bytes of all cells, in order
//! ```
//!
//! Form 2, for changes (the Store): two byte strings, for as many rows as there are operations beside them.
//!
//! ```text
//! tags     rows x columns:  varint tag      0 NULL, 1 unknown, 2 as in the row before, otherwise length + 3
//! values   bytes of all cells that have a length, in order
//! ```
//!
//! Tag 2 stands only in an `UpdateAfter` row, for the cell of the same column in its `UpdateBefore` row: most
//! updates change few columns. No cell is used more than twice, and a decoded batch has the bytes once: both
//! slots lead to them.

use std::ops::Range;
use std::sync::Arc;

use super::{CellKind, NULL, RowBatch, Slot, UNKNOWN};
use crate::change::RowOp;

/// The tag of a cell that is as in the row before, in form 2.
const AS_BEFORE: u8 = 2;

/// Why bytes are not a batch.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BatchError {
    #[error("row batch ends in the middle of its {0}")]
    Truncated(&'static str),
    #[error("row batch has {0} bytes after its last cell")]
    TrailingBytes(usize),
    #[error("row batch names {rows} rows of {columns} columns, more than its {bytes} bytes can hold")]
    TooManyCells { rows: u64, columns: usize, bytes: usize },
    #[error(
        "row {row} of a row batch has a cell as in the row before, and isn't the second row of an update"
    )]
    NothingBefore { row: usize },
    #[error("row batch has {bytes} bytes of cells, more than a batch may hold")]
    TooLarge { bytes: u64 },
}

impl Slot {
    /// Bytes of the cell's value, as many as it has for whoever reads it.
    fn bytes(self) -> u64 {
        if self.len >= UNKNOWN { 0 } else { u64::from(self.len) }
    }
}

impl RowBatch {
    /// No serialised form takes more bytes.
    pub fn encoded_limit(&self) -> u64 {
        // A varint of a row count or a length is at most ten or five bytes.
        10 + self.slots.iter().map(|slot| 5 + slot.bytes()).sum::<u64>()
    }

    /// Appends form 1.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.rows as u64);
        self.slots.iter().for_each(|slot| put_tag(out, *slot, 2));
        let mut values = Values::of(self, out);
        self.slots.iter().for_each(|slot| values.add(*slot));
        values.end();
    }

    /// Appends form 2. `ops` are the rows' operations, in pairs where they are updates
    /// ([`crate::ChangeBatch::is_well_formed`]).
    pub fn encode_changes(&self, ops: &[RowOp], tags: &mut Vec<u8>, values: &mut Vec<u8>) {
        let mut values = Values::of(self, values);
        let rows = self.slots.chunks_exact(self.columns().max(1));
        let before = std::iter::once(&[][..]).chain(rows.clone());
        for ((row, before), op) in rows.zip(before).zip(ops) {
            let before = if *op == RowOp::UpdateAfter { before } else { &[] };
            for (column, slot) in row.iter().enumerate() {
                if before.get(column).is_some_and(|before| self.holds_same(*before, *slot)) {
                    tags.push(AS_BEFORE);
                } else {
                    put_tag(tags, *slot, AS_BEFORE + 1);
                    values.add(*slot);
                }
            }
        }
        values.end();
    }

    /// Reads form 1; never panics and never allocates more than the input's size allows.
    pub fn decode(kinds: Arc<[CellKind]>, bytes: &[u8]) -> Result<Self, BatchError> {
        let mut input = bytes;
        let rows = take_varint(&mut input).ok_or(BatchError::Truncated("row count"))?;
        let (slots, end) = take_slots(rows, kinds.len(), None, &mut input, bytes.len())?;
        let data = input.get(..end).ok_or(BatchError::Truncated("cells"))?;
        if input.len() > end {
            return Err(BatchError::TrailingBytes(input.len() - end));
        }
        Ok(Self { kinds, slots, data: data.to_vec(), rows: rows as usize })
    }

    /// Reads form 2 as [`RowBatch::decode`] reads form 1. Whether the operations are in pairs where they have to
    /// be is for the caller to check.
    pub fn decode_changes(
        kinds: Arc<[CellKind]>,
        ops: &[RowOp],
        tags: &[u8],
        values: &[u8],
    ) -> Result<Self, BatchError> {
        let mut input = tags;
        let (slots, end) = take_slots(ops.len() as u64, kinds.len(), Some(ops), &mut input, values.len())?;
        let trailing = input.len() + (values.len() - end);
        if trailing > 0 {
            return Err(BatchError::TrailingBytes(trailing));
        }
        Ok(Self { kinds, slots, data: values.to_vec(), rows: ops.len() })
    }

    fn slot_bytes(&self, slot: Slot) -> &[u8] {
        let start = slot.start as usize;
        if slot.len >= UNKNOWN { &[] } else { &self.data[start..start + slot.len as usize] }
    }

    /// True where both are values (not NULL, not unknown) of the same bytes.
    fn holds_same(&self, a: Slot, b: Slot) -> bool {
        a.len == b.len && a.len < UNKNOWN && (a.start == b.start || self.slot_bytes(a) == self.slot_bytes(b))
    }
}

/// Copies values, neighbours at once.
struct Values<'a> {
    data: &'a [u8],
    out: &'a mut Vec<u8>,
    /// Of `data`, still to be copied.
    run: Range<usize>,
}

impl<'a> Values<'a> {
    fn of(batch: &'a RowBatch, out: &'a mut Vec<u8>) -> Self {
        Self { data: &batch.data, out, run: 0..0 }
    }

    fn add(&mut self, slot: Slot) {
        let (start, bytes) = (slot.start as usize, slot.bytes() as usize);
        if start == self.run.end {
            self.run.end += bytes;
        } else if bytes > 0 {
            self.copy();
            self.run = start..start + bytes;
        }
    }

    fn copy(&mut self) {
        self.out.extend_from_slice(&self.data[self.run.clone()]);
    }

    fn end(mut self) {
        self.copy();
    }
}

/// Takes the tags of all cells (of form 2 where there are operations) and returns the slots and how many of
/// `available` bytes their values take.
fn take_slots(
    rows: u64,
    columns: usize,
    ops: Option<&[RowOp]>,
    input: &mut &[u8],
    available: usize,
) -> Result<(Vec<Slot>, usize), BatchError> {
    let cells = count_cells(rows, columns, input.len())?;
    let shortest = u64::from(if ops.is_some() { AS_BEFORE + 1 } else { 2 });
    let mut slots: Vec<Slot> = Vec::with_capacity(cells);
    // Bytes that the values take, and those that cells share with the row before.
    let (mut end, mut shared) = (0u64, 0u64);
    for cell in 0..cells {
        let tag = take_varint(input).ok_or(BatchError::Truncated("cell lengths"))?;
        let start = end as u32;
        slots.push(match tag {
            0 => Slot { start, len: NULL },
            1 => Slot { start, len: UNKNOWN },
            tag if tag >= shortest => {
                let after = end.checked_add(tag - shortest).filter(|after| *after <= available as u64);
                end = after.ok_or(BatchError::Truncated("cells"))?;
                Slot { start, len: (tag - shortest) as u32 }
            }
            _ => {
                let row = cell / columns;
                let before = after_update(ops, row).then(|| slots.get(cell - columns)).flatten();
                let before = *before.ok_or(BatchError::NothingBefore { row })?;
                shared += before.bytes();
                before
            }
        });
    }
    // Shared bytes count as well: whoever copies the rows has them twice.
    if end + shared >= u64::from(UNKNOWN) {
        return Err(BatchError::TooLarge { bytes: end + shared });
    }
    Ok((slots, end as usize))
}

/// The number of cells, checked before anything is allocated: each takes at least one byte. A table without
/// columns holds no rows.
fn count_cells(rows: u64, columns: usize, bytes: usize) -> Result<usize, BatchError> {
    let cells = usize::try_from(rows).ok().and_then(|rows| rows.checked_mul(columns));
    match cells {
        Some(cells) if cells <= bytes && (columns > 0 || rows == 0) => Ok(cells),
        _ => Err(BatchError::TooManyCells { rows, columns, bytes }),
    }
}

/// True where a row is the second one of an update.
fn after_update(ops: Option<&[RowOp]>, row: usize) -> bool {
    let op = |row| ops.and_then(|ops| ops.get(row));
    op(row) == Some(&RowOp::UpdateAfter) && row.checked_sub(1).and_then(op) == Some(&RowOp::UpdateBefore)
}

/// Writes a cell's tag; `shortest` is the one of an empty value.
fn put_tag(out: &mut Vec<u8>, slot: Slot, shortest: u8) {
    let tag = match slot.len {
        NULL => 0,
        UNKNOWN => 1,
        len => u64::from(len) + u64::from(shortest),
    };
    put_varint(out, tag);
}

/// Appends a LEB128 number.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a LEB128 number whose lowest bit is the sign.
pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, zigzag(value));
}

/// Takes what [`put_signed`] wrote.
pub fn take_signed(input: &mut &[u8]) -> Option<i64> {
    take_varint(input).map(unzigzag)
}

/// Small numbers of either sign as small numbers.
pub(super) fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

pub(super) fn unzigzag(zigzag: u64) -> i64 {
    (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64)
}

/// Takes a LEB128 number of at most ten bytes from the front of `input`.
pub fn take_varint(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        let bits = u64::from(byte & 0x7f);
        value |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::batch::RawCell;
    use crate::value::ValueRef;

    fn kinds(kinds: &[CellKind]) -> Arc<[CellKind]> {
        kinds.into()
    }

    #[derive(Clone, Debug)]
    enum Cell {
        Null,
        Unknown,
        Value(Vec<u8>),
    }

    impl Cell {
        fn raw(&self) -> RawCell<'_> {
            match self {
                Self::Null => RawCell::Null,
                Self::Unknown => RawCell::Unknown,
                Self::Value(bytes) => RawCell::Bytes(bytes),
            }
        }
    }

    fn cell() -> impl Strategy<Value = Cell> {
        prop_oneof![
            Just(Cell::Null),
            Just(Cell::Unknown),
            Just(Cell::Value(Vec::new())),
            prop::collection::vec(0..3u8, 0..4).prop_map(Cell::Value),
            prop::collection::vec(any::<u8>(), 100..200).prop_map(Cell::Value),
        ]
    }

    /// Changes of a table with three columns: an operation and its rows.
    fn changes() -> impl Strategy<Value = (Vec<RowOp>, RowBatch)> {
        let row = || [cell(), cell(), cell()];
        let updated = || prop::array::uniform3(prop::option::of(cell()));
        prop::collection::vec((0..3u8, row(), updated()), 0..30).prop_map(|changes| {
            let (mut ops, mut batch) = (Vec::new(), RowBatch::new([CellKind::Bytes; 3].into()));
            let mut push = |op, row: [&Cell; 3]| {
                ops.push(op);
                row.iter().for_each(|cell| batch.push_raw(cell.raw()));
                batch.end_row();
            };
            for (what, row, updated) in &changes {
                let row = row.each_ref();
                match what {
                    0 => push(RowOp::Insert, row),
                    1 => push(RowOp::Delete, row),
                    _ => {
                        let after = |column: usize| updated[column].as_ref().unwrap_or(row[column]);
                        push(RowOp::UpdateBefore, row);
                        push(RowOp::UpdateAfter, [after(0), after(1), after(2)]);
                    }
                }
            }
            (ops, batch)
        })
    }

    fn raw_rows(batch: &RowBatch) -> Vec<Vec<RawCell<'_>>> {
        batch.rows().map(|row| (0..row.len()).map(|column| row.raw(column)).collect()).collect()
    }

    /// An update of the only column, which stays as it is.
    fn unchanged(bytes: &[u8]) -> RowBatch {
        let mut batch = RowBatch::new(kinds(&[CellKind::Bytes]));
        for _ in 0..2 {
            batch.push_bytes(bytes);
            batch.end_row();
        }
        let (tags, values) = encoded_changes(&batch, &UPDATE);
        assert_eq!(values, bytes);
        RowBatch::decode_changes(batch.kinds().clone(), &UPDATE, &tags, &values).unwrap()
    }

    fn encoded_changes(batch: &RowBatch, ops: &[RowOp]) -> (Vec<u8>, Vec<u8>) {
        let (mut tags, mut values) = (Vec::new(), Vec::new());
        batch.encode_changes(ops, &mut tags, &mut values);
        (tags, values)
    }

    const UPDATE: [RowOp; 2] = [RowOp::UpdateBefore, RowOp::UpdateAfter];

    #[test]
    fn what_an_update_leaves_as_it_was_is_written_and_held_once() {
        let mut batch = unchanged(&[7; 1000]);
        assert_eq!(batch.byte_len(), 1000 + 2 * size_of::<Slot>());
        assert_eq!(batch.row(0).byte_len(), batch.row(1).byte_len());
        // Rows that are pushed behind shared bytes stand where they should, and go without a trace.
        batch.push_bytes(b"half");
        batch.abandon_row();
        batch.push_row(unchanged(b"other").row(1));
        let value = |row| batch.row(row).get(0);
        assert_eq!(
            [value(0), value(1), value(2)],
            [&[7; 1000][..], &[7; 1000], b"other"].map(ValueRef::Bytes)
        );
    }

    #[test]
    fn a_cell_as_before_stands_only_in_the_second_row_of_an_update() {
        use RowOp::{Insert, UpdateAfter, UpdateBefore};
        for (ops, tags, row) in [
            (vec![UpdateAfter], vec![2], 0),
            (vec![UpdateBefore, UpdateAfter], vec![2, 2], 0),
            (vec![Insert, Insert], vec![3, 2], 1),
            (vec![Insert, UpdateAfter], vec![3, 2], 1),
            (vec![UpdateBefore, UpdateAfter, UpdateAfter], vec![3, 2, 2], 2),
        ] {
            let refused = RowBatch::decode_changes(kinds(&[CellKind::Bytes]), &ops, &tags, &[]).unwrap_err();
            assert_eq!(refused, BatchError::NothingBefore { row });
        }
        // Form 1 has no such tag.
        let copy = RowBatch::decode(kinds(&[CellKind::Bytes]), &[2, 2, 2]).unwrap();
        assert_eq!(copy.row(1).raw(0), RawCell::Bytes(b""));
    }

    #[test]
    fn a_row_count_beyond_the_input_is_refused_before_allocating() {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, u64::MAX / 2);
        let error = RowBatch::decode(kinds(&[CellKind::Int]), &bytes).unwrap_err();
        assert!(matches!(error, BatchError::TooManyCells { .. }));
    }

    proptest! {
        #[test]
        fn changes_read_back_whatever_an_update_changes((ops, batch) in changes()) {
            let mut plain = Vec::new();
            batch.encode(&mut plain);
            let (tags, values) = encoded_changes(&batch, &ops);
            prop_assert!((tags.len() + values.len()) as u64 <= batch.encoded_limit());
            prop_assert!(plain.len() as u64 <= batch.encoded_limit());
            let copy = RowBatch::decode_changes(batch.kinds().clone(), &ops, &tags, &values).unwrap();
            prop_assert_eq!(raw_rows(&copy), raw_rows(&batch));
            prop_assert!(copy.byte_len() <= batch.byte_len());
            // A batch with shared bytes is written like any other.
            let mut again = Vec::new();
            copy.encode(&mut again);
            prop_assert_eq!(again, plain);
            prop_assert_eq!(encoded_changes(&copy, &ops), (tags, values));
        }

        #[test]
        fn damaged_bytes_never_panic(mut bytes in prop::collection::vec(0..6u8, 0..40), wild: Vec<u8>, cut: usize) {
            let all = kinds(&[CellKind::Int, CellKind::Date, CellKind::Text]);
            bytes.extend(&wild);
            bytes.truncate(cut % (bytes.len() + 1));
            let ops = UPDATE.repeat(10);
            let (ops, values) = (&ops[..cut % 20], &wild);
            let read = [
                RowBatch::decode(all.clone(), &bytes),
                RowBatch::decode_changes(all, ops, &bytes, values),
            ];
            for batch in read.iter().flatten() {
                for row in batch.rows() {
                    for column in 0..3 {
                        let _ = row.get(column);
                    }
                }
            }
        }

        #[test]
        fn serialised_rows_read_back(rows in prop::collection::vec((any::<Option<i64>>(), any::<Vec<u8>>()), 0..40)) {
            let mut batch = RowBatch::new(kinds(&[CellKind::Int, CellKind::Bytes]));
            for (number, bytes) in &rows {
                match number {
                    Some(number) => batch.push_int(*number),
                    None => batch.push_null(),
                }
                batch.push_bytes(bytes);
                batch.end_row();
            }
            let mut encoded = Vec::new();
            batch.encode(&mut encoded);
            let copy = RowBatch::decode(batch.kinds().clone(), &encoded).unwrap();
            prop_assert_eq!(copy.len(), rows.len());
            for (row, (number, bytes)) in copy.rows().zip(&rows) {
                prop_assert_eq!(row.get(0), number.map_or(ValueRef::Null, ValueRef::Int));
                prop_assert_eq!(row.get(1), ValueRef::Bytes(bytes));
            }
        }
    }
}

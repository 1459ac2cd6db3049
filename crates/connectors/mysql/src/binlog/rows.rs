//! Row events: inserted, updated and deleted rows of one table.
//!
//! ```text
//! 6 table number   2 flags   [2 length of extra data with itself, extra data]        v2
//! v columns   bitmap of the columns in the image   [bitmap of the image after]        updates
//! rows: bitmap of NULLs among the columns in the image, values in column order
//! ```
//! An update is two images. PARTIAL_UPDATE_ROWS has before the image after: `v` options; with bit 0, a bitmap
//! over all JSON columns of the table that says which have changes instead of a value.
//! MariaDB's compressed events have everything behind the bitmaps packed.

use std::borrow::Cow;

use whimbrel_model::{ChangeBatch, RowOp};

use super::bytes::{Bits, Bytes, bitmap_len};
use super::cell::CellLimits;
use super::error::{CellError, EventError};
use super::plan::TablePlan;
use super::table_map::read_table_id;

/// What a row event did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowsKind {
    Insert,
    Update,
    /// An update with changes of JSON values.
    PartialUpdate,
    Delete,
}

impl RowsKind {
    fn is_update(self) -> bool {
        matches!(self, Self::Update | Self::PartialUpdate)
    }
}

/// A row event, its rows not read yet.
#[derive(Clone, Debug)]
pub struct RowsEvent<'a> {
    /// That of the TABLE_MAP before it in the same statement.
    pub table_id: u64,
    pub kind: RowsKind,
    flags: u16,
    width: usize,
    present: Bits<'a>,
    present_after: Bits<'a>,
    rows: Cow<'a, [u8]>,
    /// Bytes of `rows` and rows that have been read.
    read: usize,
    rows_read: usize,
    limits: CellLimits,
}

/// How the bytes of a row event are laid out.
#[derive(Clone, Copy)]
pub(crate) struct RowsLayout {
    pub(crate) kind: RowsKind,
    pub(crate) has_extra_data: bool,
    pub(crate) post_header_len: usize,
    pub(crate) limits: CellLimits,
}

/// Decompresses the rows of a MariaDB compressed event.
pub(crate) type Unpack<'f> = &'f dyn Fn(&[u8]) -> Result<Vec<u8>, EventError>;

impl<'a> RowsEvent<'a> {
    pub(crate) fn read(
        mut body: Bytes<'a>,
        layout: RowsLayout,
        unpack: Option<Unpack<'_>>,
    ) -> Result<Self, EventError> {
        let table_id = read_table_id(&mut body, layout.post_header_len)?;
        let flags = body.u16("rows flags")?;
        if layout.has_extra_data {
            let len = usize::from(body.u16("extra row data")?);
            body.take(len.checked_sub(2).ok_or(EventError::Invalid("extra row data"))?, "extra row data")?;
        }
        let width = body.lenenc_len("column count")?;
        let present = Bits(body.take(bitmap_len(width), "columns in the image")?);
        let present_after = if layout.kind.is_update() {
            Bits(body.take(bitmap_len(width), "columns in the image")?)
        } else {
            present
        };
        let rows = match unpack {
            Some(unpack) => Cow::Owned(unpack(body.rest())?),
            None => Cow::Borrowed(body.rest()),
        };
        Ok(Self {
            table_id,
            kind: layout.kind,
            flags,
            width,
            present,
            present_after,
            rows,
            read: 0,
            rows_read: 0,
            limits: layout.limits,
        })
    }

    /// The statement ends with this event: table numbers mean nothing after it.
    pub fn ends_statement(&self) -> bool {
        self.flags & 1 != 0
    }

    /// The session had `foreign_key_checks = 0`.
    pub fn foreign_keys_off(&self) -> bool {
        self.flags & 2 != 0
    }

    /// No row is left to read.
    pub fn is_done(&self) -> bool {
        self.read >= self.rows.len()
    }

    /// Bytes of the rows in the log.
    pub fn rows_len(&self) -> usize {
        self.rows.len()
    }

    /// Reads rows into a batch of the plan's table version until the batch holds `until` bytes or the event
    /// is done; calling it again goes on. At least one row is read.
    ///
    /// # Errors
    /// Rows that don't fill the event, values that are none. The batch is of no use afterwards.
    pub fn decode_into(
        &mut self,
        plan: &TablePlan,
        batch: &mut ChangeBatch,
        until: usize,
    ) -> Result<(), EventError> {
        let layout_error =
            |cause| EventError::RowLayout { table: plan.version.schema.name.to_string(), cause };
        if self.width != plan.readers.len() {
            return Err(layout_error("number of columns differs from the table map's"));
        }
        let rows: &[u8] = &self.rows;
        let before = Image::new(self.present, self.width, self.limits);
        let after = Image::new(self.present_after, self.width, self.limits);
        let (first, second) = match self.kind {
            RowsKind::Insert => (RowOp::Insert, None),
            RowsKind::Delete => (RowOp::Delete, None),
            RowsKind::Update => (RowOp::UpdateBefore, Some(false)),
            RowsKind::PartialUpdate => (RowOp::UpdateBefore, Some(true)),
        };
        let mut input = Bytes::new(rows.get(self.read..).unwrap_or_default());
        while !input.is_empty() {
            let left = input.len();
            let fail = |(column, cause)| cell_error(plan, self.rows_read, column, cause);
            let mut json_before = Vec::new();
            before
                .read(plan, &mut input, batch, (second == Some(true)).then_some(&mut json_before))
                .map_err(fail)?;
            batch.ops.push(first);
            match second {
                None => {}
                Some(false) => after.read(plan, &mut input, batch, None).map_err(fail)?,
                Some(true) => after.read_partial(plan, &mut input, batch, &json_before).map_err(fail)?,
            }
            if second.is_some() {
                batch.ops.push(RowOp::UpdateAfter);
            }
            if input.len() == left {
                return Err(layout_error("rows without bytes"));
            }
            self.rows_read += 1;
            if batch.byte_len() >= until {
                break;
            }
        }
        self.read = rows.len() - input.len();
        Ok(())
    }
}

#[cold]
fn cell_error(plan: &TablePlan, row: usize, column: usize, cause: CellError) -> EventError {
    let name = plan.version.schema.columns.get(column).map_or_else(String::new, |column| column.name.clone());
    EventError::Cell { row, column, name, cause }
}

/// Which columns a row image holds.
struct Image<'a> {
    present: Bits<'a>,
    count: usize,
    all: bool,
    limits: CellLimits,
}

type ImageResult = Result<(), (usize, CellError)>;

impl<'a> Image<'a> {
    fn new(present: Bits<'a>, width: usize, limits: CellLimits) -> Self {
        let count = present.count(width);
        Self { present, count, all: count == width, limits }
    }

    fn nulls<'b>(&self, input: &mut Bytes<'b>) -> Result<Bits<'b>, (usize, CellError)> {
        input.take(bitmap_len(self.count), "NULL bitmap").map(Bits).map_err(|error| (0, error.into()))
    }

    /// Reads one image as a row. `json` gets the bytes of each JSON column of the table, in order.
    #[inline]
    fn read<'b>(
        &self,
        plan: &TablePlan,
        input: &mut Bytes<'b>,
        batch: &mut ChangeBatch,
        mut json: Option<&mut Vec<Option<&'b [u8]>>>,
    ) -> ImageResult {
        let nulls = self.nulls(input)?;
        let mut bit = 0;
        for (index, reader) in plan.readers.iter().enumerate() {
            if !self.all && !self.present.get(index) {
                batch.rows.push_unknown();
                if let Some(json) = json.as_deref_mut().filter(|_| reader.is_json()) {
                    json.push(None);
                }
                continue;
            }
            let null = nulls.get(bit);
            bit += 1;
            if let Some(json) = json.as_deref_mut().filter(|_| reader.is_json()) {
                let value =
                    if null { None } else { Some(reader.peek_json(*input).map_err(|error| (index, error))?) };
                json.push(value);
            }
            if null {
                batch.rows.push_null();
            } else {
                reader.read(input, &mut batch.rows, self.limits).map_err(|error| (index, error))?;
            }
        }
        batch.rows.end_row();
        Ok(())
    }

    /// Reads an image after an update that may hold changes of JSON values.
    fn read_partial(
        &self,
        plan: &TablePlan,
        input: &mut Bytes<'_>,
        batch: &mut ChangeBatch,
        json_before: &[Option<&[u8]>],
    ) -> ImageResult {
        let options = input.lenenc("row options").map_err(|error| (0, error.into()))?;
        let partial = match options {
            0 => Bits(&[]),
            1 => Bits(
                input
                    .take(bitmap_len(plan.json_columns), "partial columns")
                    .map_err(|error| (0, error.into()))?,
            ),
            _ => return Err((0, CellError::Invalid("unknown row options"))),
        };
        let nulls = self.nulls(input)?;
        let (mut bit, mut json) = (0, 0);
        for (index, reader) in plan.readers.iter().enumerate() {
            let number = json;
            json += usize::from(reader.is_json());
            if !self.all && !self.present.get(index) {
                batch.rows.push_unknown();
                continue;
            }
            let null = nulls.get(bit);
            bit += 1;
            let outcome = if null {
                batch.rows.push_null();
                Ok(())
            } else if reader.is_json() && partial.get(number) {
                let before = json_before.get(number).copied().flatten();
                reader.read_json_changes(before, input, &mut batch.rows)
            } else {
                reader.read(input, &mut batch.rows, self.limits)
            };
            outcome.map_err(|error| (index, error))?;
        }
        batch.rows.end_row();
        Ok(())
    }
}

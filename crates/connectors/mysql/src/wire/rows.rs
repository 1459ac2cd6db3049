//! Result sets of the text protocol, streamed or collected.
//!
//! A row is its cells one after the other: `0xfb` for NULL, else a length-encoded string.

use std::str::FromStr;
use std::sync::Arc;

use super::connection::{Connection, State};
use super::cursor::Malformed;
use super::error::WireError;
use super::packet::{Column, OkInfo};

/// Where a cell lies in its packet. Packets are below 4 GiB, so 32 bits are enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    start: u32,
    /// [`NULL`] for NULL.
    len: u32,
}

const NULL: u32 = u32::MAX;

/// Finds the cells of a row, all of which must lie in the packet and fill it.
fn index_row(payload: &[u8], columns: usize, cells: &mut Vec<Cell>) -> Result<(), Malformed> {
    cells.clear();
    let mut at = 0;
    for _ in 0..columns {
        let malformed = Malformed { what: "row", at };
        let (len, head) = match *payload.get(at..).unwrap_or_default() {
            [short @ 0..=0xfa, ..] => (usize::from(short), 1),
            [0xfb, ..] => {
                cells.push(Cell { start: 0, len: NULL });
                at += 1;
                continue;
            }
            [0xfc, a, b, ..] => (usize::from(u16::from_le_bytes([a, b])), 3),
            [0xfd, a, b, c, ..] => (u32::from_le_bytes([a, b, c, 0]) as usize, 4),
            // The upper half is 0 in every packet that fits the limit of 1 GiB.
            [0xfe, a, b, c, d, 0, 0, 0, 0, ..] => (u32::from_le_bytes([a, b, c, d]) as usize, 9),
            _ => return Err(malformed),
        };
        let start = at + head;
        at = start + len;
        if at > payload.len() {
            return Err(malformed);
        }
        cells.push(Cell { start: start as u32, len: len as u32 });
    }
    if at != payload.len() {
        return Err(Malformed { what: "bytes after the last cell of a row", at });
    }
    Ok(())
}

/// A row, borrowed from the receive buffer.
#[derive(Debug, Clone, Copy)]
pub struct TextRow<'a> {
    payload: &'a [u8],
    cells: &'a [Cell],
}

impl<'a> TextRow<'a> {
    /// Number of cells, the same as the result's columns.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The cell of a column, `None` for NULL and beyond the last column.
    pub fn get(&self, column: usize) -> Option<&'a [u8]> {
        self.cells.get(column).and_then(|cell| self.bytes(*cell))
    }

    /// All cells in order; `None` is NULL.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&'a [u8]>> + use<'a> {
        let row = *self;
        row.cells.iter().map(move |cell| row.bytes(*cell))
    }

    /// Size of the row on the wire, in bytes.
    pub fn wire_len(&self) -> usize {
        self.payload.len()
    }

    fn bytes(&self, cell: Cell) -> Option<&'a [u8]> {
        if cell.len == NULL {
            return None;
        }
        let start = cell.start as usize;
        self.payload.get(start..start + cell.len as usize)
    }
}

/// Rows of a running query.
///
/// Must be read to the end ([`next`](Self::next) gives `None`, or [`finish`](Self::finish)); dropped earlier, it leaves
/// the connection unusable.
#[derive(Debug)]
pub struct RowStream<'c> {
    connection: &'c mut Connection,
    columns: Arc<[Column]>,
    cells: Vec<Cell>,
    /// Set at the end.
    result: Option<OkInfo>,
    failed: bool,
}

impl<'c> RowStream<'c> {
    pub(super) fn new(connection: &'c mut Connection, columns: Vec<Column>) -> Self {
        let cells = Vec::with_capacity(columns.len());
        Self { connection, columns: columns.into(), cells, result: None, failed: false }
    }

    pub(super) fn without_rows(connection: &'c mut Connection, result: OkInfo) -> Self {
        Self { connection, columns: Arc::new([]), cells: Vec::new(), result: Some(result), failed: false }
    }

    /// Empty if the statement gives no rows.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub(super) fn take_columns(&self) -> Arc<[Column]> {
        Arc::clone(&self.columns)
    }

    /// The next row, `None` at the end and after an error. Cancelling it while it waits for a row loses nothing.
    pub async fn next(&mut self) -> Result<Option<TextRow<'_>>, WireError> {
        if self.result.is_some() || self.failed {
            return Ok(None);
        }
        let span = match self.connection.row_or_end().await {
            Ok(Ok(span)) => span,
            Ok(Err(end)) => {
                self.end(end).await?;
                return Ok(None);
            }
            Err(error) => {
                self.failed = true;
                return self.connection.settle(Err(error));
            }
        };
        let payload = self.connection.framing.bytes(span);
        if let Err(malformed) = index_row(payload, self.columns.len(), &mut self.cells) {
            self.failed = true;
            self.connection.state = State::Broken;
            return Err(malformed.into());
        }
        Ok(Some(TextRow { payload, cells: &self.cells }))
    }

    /// Reads past further results, which statements in a procedure may give.
    async fn end(&mut self, end: OkInfo) -> Result<(), WireError> {
        let more = end.status.more_results();
        self.result = Some(end);
        let rest = if more { self.connection.read_results(drop).await } else { Ok(()) };
        self.connection.settle(rest)
    }

    /// Sets the rows aside, so that their connection can be held in the same place as they. Until they are resumed
    /// the connection takes no command.
    pub fn pause(self) -> PausedRows {
        PausedRows { columns: self.columns, cells: self.cells, result: self.result, failed: self.failed }
    }

    /// Reads the remaining rows and returns the result's warnings and status.
    pub async fn finish(mut self) -> Result<OkInfo, WireError> {
        while self.next().await?.is_some() {}
        self.result.take().ok_or(WireError::Poisoned)
    }
}

/// Rows of a running query without their connection; see [`RowStream::pause`].
#[derive(Debug)]
pub struct PausedRows {
    columns: Arc<[Column]>,
    cells: Vec<Cell>,
    result: Option<OkInfo>,
    failed: bool,
}

impl PausedRows {
    /// Goes on where the stream was paused. `connection` must be the one that the rows come from; on one that isn't
    /// in the middle of a result there are no more rows.
    pub fn resume(self, connection: &mut Connection) -> RowStream<'_> {
        let failed = self.failed || (self.result.is_none() && connection.state != State::Busy);
        RowStream { connection, columns: self.columns, cells: self.cells, result: self.result, failed }
    }
}

/// A collected result.
#[derive(Debug, Clone)]
pub struct QueryResult {
    pub columns: Arc<[Column]>,
    pub rows: Vec<Row>,
}

/// A collected row.
#[derive(Debug, Clone)]
pub struct Row {
    columns: Arc<[Column]>,
    cells: Vec<Option<Vec<u8>>>,
}

impl Row {
    pub(super) fn new(columns: Arc<[Column]>, cells: Vec<Option<Vec<u8>>>) -> Self {
        Self { columns, cells }
    }

    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// All cells; `None` is NULL.
    pub fn cells(&self) -> &[Option<Vec<u8>>] {
        &self.cells
    }

    pub fn into_cells(self) -> Vec<Option<Vec<u8>>> {
        self.cells
    }

    /// Index of the column of that name, whatever the letters' case (`SHOW` and `information_schema` differ in it
    /// between servers).
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// The cell, `None` for NULL and beyond the last column.
    pub fn bytes(&self, column: usize) -> Option<&[u8]> {
        self.cells.get(column)?.as_deref()
    }

    /// The cell as text, `None` for NULL, for what is not UTF-8, and beyond the last column.
    pub fn text(&self, column: usize) -> Option<&str> {
        str::from_utf8(self.bytes(column)?).ok()
    }

    /// [`text`](Self::text) of the column of that name.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.text(self.position(name)?)
    }

    /// The cell read as a number or whatever else has a text form.
    pub fn parse<T: FromStr>(&self, column: usize) -> Option<T> {
        self.text(column)?.parse().ok()
    }

    /// [`parse`](Self::parse) of the column of that name.
    pub fn parse_of<T: FromStr>(&self, name: &str) -> Option<T> {
        self.text_of(name)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::cursor::push_lenenc_bytes;
    use super::*;

    fn cells(payload: &[u8], columns: usize) -> Result<Vec<Option<Vec<u8>>>, Malformed> {
        let mut cells = Vec::new();
        index_row(payload, columns, &mut cells)?;
        Ok(TextRow { payload, cells: &cells }.iter().map(|cell| cell.map(<[u8]>::to_vec)).collect())
    }

    #[test]
    fn finds_cells_of_all_lengths() {
        let long = vec![b'x'; 70_000];
        let mut payload = vec![1, b'7', 0xfb, 0];
        push_lenenc_bytes(&mut payload, &long[..300]);
        push_lenenc_bytes(&mut payload, &long);
        payload.extend_from_slice(&[0xfe, 2, 0, 0, 0, 0, 0, 0, 0, b'o', b'k']);
        let expected = [Some(&b"7"[..]), None, Some(b""), Some(&long[..300]), Some(&long), Some(b"ok")];
        assert_eq!(cells(&payload, 6), Ok(expected.map(|cell| cell.map(<[u8]>::to_vec)).to_vec()));
    }

    #[test]
    fn refuses_rows_that_do_not_fit() {
        let row = |at| Malformed { what: "row", at };
        assert_eq!(cells(&[3, b'a', b'b'], 1), Err(row(0)));
        assert_eq!(cells(&[1, b'a'], 2), Err(row(2)));
        assert_eq!(cells(&[0xfc, 1], 1), Err(row(0)));
        assert_eq!(cells(&[0xfe, 0, 0, 0, 0, 1, 0, 0, 0], 1), Err(row(0)));
        assert_eq!(cells(&[0xfe, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], 1), Err(row(0)));
        assert_eq!(cells(&[0xff], 1), Err(row(0)));
        assert_eq!(cells(&[1, b'a', 0], 1).map_err(|error| error.at), Err(2));
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(payload: Vec<u8>, columns in 0usize..20) {
            if let Ok(found) = cells(&payload, columns) {
                prop_assert_eq!(found.len(), columns);
            }
        }

        #[test]
        fn written_rows_come_back(row: Vec<Option<Vec<u8>>>) {
            let mut payload = Vec::new();
            for cell in &row {
                match cell {
                    None => payload.push(0xfb),
                    Some(bytes) => push_lenenc_bytes(&mut payload, bytes),
                }
            }
            prop_assert_eq!(cells(&payload, row.len()), Ok(row));
        }
    }
}

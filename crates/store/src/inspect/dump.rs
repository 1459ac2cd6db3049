//! Records as lines of text.

use std::io::{self, Write};
use std::path::Path;

use whimbrel_model::{Change, LogRecord, RowRef, TableSchema, ValueRef};

use super::{check_tail, time_text, view_all};
use crate::error::StoreError;
use crate::reader::Engine;
use crate::seek::StartAt;
use crate::sequence::StoreItem;

/// Longest text or binary value that is printed in full, in bytes.
const VALUE_BYTES: usize = 120;

/// Prints records as text, one line per begin, row change, statement and end, from some place on; `limit`
/// is the largest number of lines. Returns the number of lines. Where damage hides the rest it is an error,
/// after what can be read. Times are UTC. A line of a row:
///
/// ```text
/// 42 update shop.orders {id=7, state='new'} -> {id=7, state='paid'}
/// ```
pub fn dump(dir: &Path, from: &StartAt, out: &mut dyn Write, limit: Option<u64>) -> Result<u64, StoreError> {
    let mut engine = Engine::new(view_all(dir)?, from)?;
    let mut printer = Printer::new(out, limit.unwrap_or(u64::MAX));
    let mut items = Vec::new();
    loop {
        items.clear();
        engine.load(&mut items)?;
        if items.is_empty() {
            check_tail(dir)?;
            return Ok(printer.lines);
        }
        for item in &items {
            if printer.is_full() {
                return Ok(printer.lines);
            }
            match printer.item(item) {
                // Whoever reads has seen enough (`| head`).
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(printer.lines),
                other => other.map_err(StoreError::io("write", "the output"))?,
            }
        }
    }
}

/// Prints records as [`dump`] does.
pub struct Printer<'a> {
    out: &'a mut dyn Write,
    lines: u64,
    limit: u64,
}

impl<'a> Printer<'a> {
    /// At most `limit` lines.
    pub fn new(out: &'a mut dyn Write, limit: u64) -> Self {
        Self { out, lines: 0, limit }
    }

    pub fn is_full(&self) -> bool {
        self.lines >= self.limit
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// One record: a line, or one for each of its changes.
    pub fn item(&mut self, item: &StoreItem) -> io::Result<()> {
        let sequence = item.sequence;
        match &item.record {
            LogRecord::Begin(begin) => {
                let gtid = begin.gtid.as_ref().map_or_else(String::new, |gtid| format!(" {gtid}"));
                let start = begin.start.as_ref();
                let start =
                    start.map_or_else(String::new, |start| format!(" at {}:{}", start.file, start.offset));
                self.line(format_args!("{sequence} begin{gtid}{start} {}", time_text(begin.commit_time_us)))
            }
            LogRecord::Rows(batch) => {
                let table = &batch.table.schema;
                for change in batch.changes() {
                    if self.is_full() {
                        break;
                    }
                    let row = |row: RowRef<'_>| row_text(table, row);
                    let text = match change {
                        Change::Insert { after } => format!("insert {} {}", table.name, row(after)),
                        Change::Delete { before } => format!("delete {} {}", table.name, row(before)),
                        Change::Update { before, after } => {
                            format!("update {} {} -> {}", table.name, row(before), row(after))
                        }
                    };
                    self.line(format_args!("{sequence} {text}"))?;
                }
                Ok(())
            }
            LogRecord::Ddl(ddl) => {
                let sql = ddl.sql.split_whitespace().collect::<Vec<_>>().join(" ");
                self.line(format_args!("{sequence} ddl [{}] {sql}", ddl.default_schema))
            }
            LogRecord::Commit(commit) => {
                let time = time_text(commit.commit_time_us);
                self.line(format_args!("{sequence} commit {time} {}", commit.position))
            }
            LogRecord::Abort => self.line(format_args!("{sequence} abort")),
            LogRecord::Heartbeat { position, time_us } => {
                self.line(format_args!("{sequence} heartbeat {} {position}", time_text(*time_us)))
            }
        }
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) -> io::Result<()> {
        self.lines += 1;
        writeln!(self.out, "{text}")
    }
}

fn row_text(table: &TableSchema, row: RowRef<'_>) -> String {
    let mut text = String::from("{");
    for (index, column) in table.columns.iter().enumerate().take(row.len()) {
        let value = row.get(index);
        if value == ValueRef::Unknown {
            continue;
        }
        if text.len() > 1 {
            text.push_str(", ");
        }
        text.push_str(&column.name);
        text.push('=');
        push_value(&mut text, value);
    }
    text.push('}');
    text
}

fn push_value(text: &mut String, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => text.push_str("NULL"),
        ValueRef::Unknown => text.push('?'),
        ValueRef::Int(v) => text.push_str(&v.to_string()),
        ValueRef::UInt(v) => text.push_str(&v.to_string()),
        ValueRef::Float(v) => text.push_str(&v.to_string()),
        ValueRef::Double(v) => text.push_str(&v.to_string()),
        ValueRef::Decimal(v) => text.push_str(&String::from_utf8_lossy(v)),
        ValueRef::Date(v) => text.push_str(&v.to_string()),
        ValueRef::Time(v) => text.push_str(&v.to_string()),
        ValueRef::DateTime(v) | ValueRef::Timestamp(v) => text.push_str(&v.to_string()),
        ValueRef::Year(v) | ValueRef::Enum(v) => text.push_str(&v.to_string()),
        ValueRef::Set(v) => text.push_str(&format!("{v:#x}")),
        ValueRef::Bit(v) => text.push_str(&format!("b'{v:b}'")),
        ValueRef::Text(v) | ValueRef::Json(v) => push_text(text, v),
        ValueRef::Bytes(v) | ValueRef::Geometry(v) => {
            text.push_str("x'");
            for byte in v.iter().take(VALUE_BYTES) {
                text.push_str(&format!("{byte:02x}"));
            }
            text.push('\'');
            push_rest(text, v.len());
        }
    }
}

/// Text in quotes, control characters escaped; bytes that aren't UTF-8 (other charsets) show as U+FFFD.
fn push_text(text: &mut String, bytes: &[u8]) {
    text.push('\'');
    let shown = bytes.get(..VALUE_BYTES).unwrap_or(bytes);
    for character in String::from_utf8_lossy(shown).chars() {
        match character {
            '\'' => text.push_str("''"),
            c if c.is_control() => text.extend(c.escape_default()),
            c => text.push(c),
        }
    }
    text.push('\'');
    push_rest(text, bytes.len());
}

fn push_rest(text: &mut String, len: usize) {
    if len > VALUE_BYTES {
        text.push_str(&format!("... ({len} bytes)"));
    }
}

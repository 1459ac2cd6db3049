//! What was found, for people and for scripts: per table one difference file and one file of correction SQL.
//!
//! `SCHEMA.TABLE.differences.jsonl`: one JSON object a line: `kind` (`missing`, `extra`, `different`), `key`,
//! `columns` (names that differ), `source` and `target` (column: text; bytes as `0x...`; long values cut).
//! `SCHEMA.TABLE.corrections.sql`: the statement, above it its inverse as a comment. Files of an earlier
//! verification of the same table are replaced.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use serde::Serialize;
use serde_json::{Map, Value as Json};
use whimbrel_connector::{ConnectorError, ErrorKind, Result};
use whimbrel_model::{RowRef, TableName, TableSchema, ValueRef};

use crate::canonical;
use crate::pairing::Pairing;
use crate::{Shared, VerifyTable};

/// Longest text of one value in a difference file, in bytes.
const LONGEST: usize = 4096;

/// What is wrong with a row of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// The source has it, the target doesn't.
    Missing,
    /// The target has it, the source doesn't.
    Extra,
    /// Both have it, with different values.
    Different,
}

#[derive(Serialize)]
struct Line<'a> {
    kind: DifferenceKind,
    key: Map<String, Json>,
    columns: Vec<&'a str>,
    source: Option<Map<String, Json>>,
    target: Option<Map<String, Json>>,
}

/// Makes the folder.
pub(crate) fn prepare(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir)
        .map_err(|error| storage(dir, "the folder for differences can't be created", error))
}

fn storage(path: &Path, message: &str, error: io::Error) -> ConnectorError {
    ConnectorError::new(ErrorKind::LocalStorage, path.display().to_string(), message).with_source(error)
}

/// The two files of one table, made with the first difference.
pub(crate) struct Files {
    dir: PathBuf,
    open: Option<(BufWriter<File>, BufWriter<File>)>,
    name: String,
}

impl Files {
    /// Removes what an earlier verification wrote about the table.
    pub fn new(shared: &Shared, table: &TableName) -> Result<Self> {
        let files = Self { dir: shared.options.corrections.clone(), open: None, name: file_name(table) };
        for path in [files.path("differences.jsonl"), files.path("corrections.sql")] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(storage(&path, "an old difference file can't be removed", error));
                }
                _ => {}
            }
        }
        Ok(files)
    }

    fn path(&self, suffix: &str) -> PathBuf {
        self.dir.join(format!("{}.{suffix}", self.name))
    }

    /// Counts a difference and writes both lines.
    pub fn write(
        &mut self,
        shared: &Shared,
        index: usize,
        source: Option<RowRef<'_>>,
        target: Option<RowRef<'_>>,
    ) -> Result<()> {
        let table = &shared.tables[index];
        let pairing = Pairing::new(table)?;
        let counters = &shared.progress.counters[index];
        let (kind, count) = match (source, target) {
            (Some(_), None) => (DifferenceKind::Missing, &counters.missing),
            (None, _) => (DifferenceKind::Extra, &counters.extra),
            (Some(_), Some(_)) => (DifferenceKind::Different, &counters.different),
        };
        count.fetch_add(1, Ordering::Relaxed);
        let columns = match (source, target) {
            (Some(source), Some(target)) => pairing.differing(source, target).collect(),
            _ => Vec::new(),
        };
        let line = line(table, kind, columns, source, target);
        let correction = shared.target.correction(&table.plan, &table.target, source, target);
        let path = self.path("differences.jsonl");
        let (differences, corrections) = self.files()?;
        let written = (|| {
            serde_json::to_writer(&mut *differences, &line)?;
            differences.write_all(b"\n")?;
            match correction {
                Ok(correction) => {
                    let undo = correction.undo.replace('\n', " ");
                    writeln!(corrections, "-- undo: {undo};\n{};", correction.statement)
                }
                Err(error) => writeln!(corrections, "-- no correction: {}", error.chain().replace('\n', " ")),
            }
        })();
        written.map_err(|error| storage(&path, "writing a difference failed", error))
    }

    fn files(&mut self) -> Result<&mut (BufWriter<File>, BufWriter<File>)> {
        if self.open.is_none() {
            let create = |path: PathBuf| {
                File::create(&path)
                    .map(BufWriter::new)
                    .map_err(|error| storage(&path, "the file can't be created", error))
            };
            let differences = create(self.path("differences.jsonl"))?;
            let mut corrections = create(self.path("corrections.sql"))?;
            let head = "-- Correction SQL of a Whimbrel verification. Each statement expects the row that was found \
                        and changes nothing where it has changed since. Read before running.\n";
            corrections
                .write_all(head.as_bytes())
                .map_err(|error| storage(&self.path("corrections.sql"), "writing failed", error))?;
            self.open = Some((differences, corrections));
        }
        Ok(self.open.as_mut().expect("it was set above"))
    }

    /// Makes sure that everything is on its way to the disk.
    pub fn finish(mut self) -> Result<()> {
        if let Some((mut differences, mut corrections)) = self.open.take() {
            let flushed = differences.flush().and_then(|()| corrections.flush());
            flushed.map_err(|error| storage(&self.dir, "writing differences failed", error))?;
        }
        Ok(())
    }
}

/// Names hold anything; what isn't plain is written as `%XX`.
fn file_name(table: &TableName) -> String {
    let plain = |text: &str| {
        text.bytes().fold(String::new(), |mut out, byte| {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$') {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
            out
        })
    };
    format!("{}.{}", plain(&table.schema), plain(&table.table))
}

fn line<'a>(
    table: &VerifyTable,
    kind: DifferenceKind,
    columns: Vec<&'a str>,
    source: Option<RowRef<'_>>,
    target: Option<RowRef<'_>>,
) -> Line<'a> {
    let (left, right) = (&table.plan.source.schema, &table.target.schema);
    let (schema, row) = match source {
        Some(row) => (left, Some(row)),
        None => (right, target),
    };
    let key_columns = schema.row_key().map(|key| schema.key_columns(key)).unwrap_or_default();
    let key = row.map(|row| fields(schema, row, key_columns.into_iter())).unwrap_or_default();
    Line {
        kind,
        key,
        columns,
        source: source.map(|row| fields(left, row, 0..left.columns.len())),
        target: target.map(|row| fields(right, row, 0..right.columns.len())),
    }
}

fn fields(schema: &TableSchema, row: RowRef<'_>, columns: impl Iterator<Item = usize>) -> Map<String, Json> {
    columns
        .map(|at| {
            let column = &schema.columns[at];
            let value = row.get(at);
            let shown = match (value, canonical::form(&column.data_type, value)) {
                (_, None) => Json::Null,
                (ValueRef::Bytes(_) | ValueRef::Geometry(_), Some(form)) => Json::String(hex(&form)),
                (_, Some(form)) => match std::str::from_utf8(&form) {
                    Ok(text) => Json::String(cut(text)),
                    Err(_) => Json::String(hex(&form)),
                },
            };
            (column.name.clone(), shown)
        })
        .collect()
}

fn cut(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}... ({} bytes)", &text[..end], text.len())
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::from("0x");
    for byte in bytes.iter().take(LONGEST / 2) {
        out.push_str(&format!("{byte:02x}"));
    }
    if bytes.len() > LONGEST / 2 {
        out.push_str(&format!("... ({} bytes)", bytes.len()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_plain_whatever_the_table_is_called() {
        assert_eq!(file_name(&TableName::new("a", "b_1$")), "a.b_1$");
        assert_eq!(file_name(&TableName::new("../x", "é.t")), "%2E%2E%2Fx.%C3%A9%2Et");
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        let text = "é".repeat(LONGEST);
        let shown = cut(&text);
        assert!(shown.ends_with("(8192 bytes)") && shown.starts_with("éé"), "{}", &shown[shown.len() - 20..]);
    }
}

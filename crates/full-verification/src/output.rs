//! What was found, for people and for scripts: per table one difference file and one file of correction SQL.
//!
//! `SCHEMA.TABLE.differences.jsonl`: one JSON object a line: `kind` (`missing`, `extra`, `different`, `undecided`),
//! `key`, `columns` (names that differ), `source` and `target` (column: text; bytes as `0x...`; long values cut). Where
//! several source tables share the target, each has files of its own, `SCHEMA.TABLE+SCHEMA.SOURCETABLE...`, and a line also
//! has `table`, the source table, and `also_in`, another one that has a row with this key.
//! `SCHEMA.TABLE.corrections.sql`: settings of the session, then the statements, each below its inverse as a comment:
//! deletions first, insertions last, because a row that goes may make room for one that comes. Files of an earlier
//! verification of the same table are replaced.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use serde::Serialize;
use serde_json::{Map, Value as Json};
use whimbrel_connector::{ConnectorError, ErrorKind, Result};
use whimbrel_model::{RowBatch, RowRef, TableName, TableSchema, TableVersion, ValueRef};
use xxhash_rust::xxh3::xxh3_64;

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
    /// They differed at last, but one of them changed in every round.
    Undecided,
}

/// A row that differs; either side may lack it.
pub(crate) struct Found {
    /// False where it may only be changing too fast.
    certain: bool,
    source: Option<RowBatch>,
    target: Option<RowBatch>,
    /// Another table with the same target that has a row with this key.
    also_in: Option<TableName>,
}

impl Found {
    /// Copies of rows of both sides of a table.
    pub fn new(
        certain: bool,
        table: &VerifyTable,
        source: Option<RowRef<'_>>,
        target: Option<RowRef<'_>>,
    ) -> Self {
        let own = |version: &TableVersion, row: RowRef<'_>| {
            let mut batch = RowBatch::new(version.kinds.clone());
            batch.push_row(row);
            batch
        };
        Self {
            certain,
            source: source.map(|row| own(&table.plan.source, row)),
            target: target.map(|row| own(&table.target, row)),
            also_in: None,
        }
    }

    pub fn also_in(self, table: Option<TableName>) -> Self {
        Self { also_in: table, ..self }
    }

    fn kind(&self) -> DifferenceKind {
        match (self.certain, &self.source, &self.target) {
            (false, ..) => DifferenceKind::Undecided,
            (true, Some(_), None) => DifferenceKind::Missing,
            (true, None, _) => DifferenceKind::Extra,
            (true, Some(_), Some(_)) => DifferenceKind::Different,
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    kind: DifferenceKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    also_in: Option<String>,
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

/// Corrections in the order in which they are run.
const PARTS: [&str; 3] = ["corrections.deletes.part", "corrections.updates.part", "corrections.inserts.part"];

/// The two files of one table, made with the first difference.
pub(crate) struct Files {
    dir: PathBuf,
    name: String,
    preamble: &'static str,
    differences: Option<BufWriter<File>>,
    parts: [Option<BufWriter<File>>; 3],
}

impl Files {
    /// Removes what an earlier verification wrote about the table.
    pub fn new(shared: &Shared, index: usize) -> Result<Self> {
        let table = &shared.tables[index];
        let source = table.plan.merged.then_some(&table.plan.source.schema.name);
        let files = Self {
            dir: shared.options.corrections.clone(),
            name: file_name(&table.target.schema.name, source),
            preamble: shared.target.correction_preamble(),
            differences: None,
            parts: [const { None }; 3],
        };
        for suffix in ["differences.jsonl", "corrections.sql"].iter().chain(&PARTS) {
            let path = files.path(suffix);
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

    /// Counts and writes differences, up to the most that one table may have.
    pub fn write_all(&mut self, shared: &Shared, index: usize, found: &[Found]) -> Result<()> {
        let counters = &shared.progress.counters[index];
        for row in found {
            if counters.differences() >= shared.options.most_differences {
                counters.truncated.store(true, Ordering::Relaxed);
                break;
            }
            self.write(shared, index, row)?;
        }
        Ok(())
    }

    fn write(&mut self, shared: &Shared, index: usize, found: &Found) -> Result<()> {
        let table = &shared.tables[index];
        let counters = &shared.progress.counters[index];
        let kind = found.kind();
        let (count, part) = match kind {
            DifferenceKind::Extra => (&counters.extra, 0),
            DifferenceKind::Different => (&counters.different, 1),
            DifferenceKind::Missing => (&counters.missing, 2),
            DifferenceKind::Undecided => (&counters.undecided, 1),
        };
        count.fetch_add(1, Ordering::Relaxed);
        let source = found.source.as_ref().map(|batch| batch.row(0));
        let target = found.target.as_ref().map(|batch| batch.row(0));
        let pairing = Pairing::new(table)?;
        let columns = match (source, target) {
            (Some(source), Some(target)) => pairing.differing(source, target).collect(),
            _ => Vec::new(),
        };
        let mut line = line(table, kind, columns, source, target);
        line.also_in = found.also_in.as_ref().map(ToString::to_string);
        self.write_line(&line)?;
        if kind == DifferenceKind::Undecided {
            return Ok(());
        }
        let text = match &found.also_in {
            Some(other) => format!("-- no correction: {other} has a row with this key too\n"),
            None => self.correction(shared, table, source, target),
        };
        let path = self.path(PARTS[part]);
        append(&mut self.parts[part], &path, text.as_bytes())
    }

    fn correction(
        &self,
        shared: &Shared,
        table: &VerifyTable,
        source: Option<RowRef<'_>>,
        target: Option<RowRef<'_>>,
    ) -> String {
        match shared.target.correction(&table.plan, &table.target, source, target) {
            Ok(correction) => {
                format!("-- undo: {};\n{};\n", correction.undo.replace('\n', " "), correction.statement)
            }
            Err(error) => format!("-- no correction: {}\n", error.chain().replace('\n', " ")),
        }
    }

    fn write_line(&mut self, line: &Line<'_>) -> Result<()> {
        let path = self.path("differences.jsonl");
        let mut text = serde_json::to_vec(line)
            .map_err(|error| storage(&path, "a difference can't be written as JSON", error.into()))?;
        text.push(b'\n');
        append(&mut self.differences, &path, &text)
    }

    /// Puts the corrections together and hands everything to the operating system.
    pub fn finish(mut self) -> Result<()> {
        if let Some(mut differences) = self.differences.take() {
            let path = self.path("differences.jsonl");
            differences.flush().map_err(|error| storage(&path, "writing differences failed", error))?;
        }
        if self.parts.iter().all(Option::is_none) {
            return Ok(());
        }
        let path = self.path("corrections.sql");
        self.put_together(&path).map_err(|error| storage(&path, "writing corrections failed", error))
    }

    fn put_together(&mut self, path: &Path) -> io::Result<()> {
        let mut out = BufWriter::new(File::create(path)?);
        out.write_all(
            b"-- Correction SQL of a Whimbrel verification. Each statement expects the row that was found and\n\
              -- changes nothing where it has changed since. Read before running.\n",
        )?;
        out.write_all(self.preamble.as_bytes())?;
        for (index, suffix) in PARTS.iter().enumerate() {
            let Some(mut part) = self.parts[index].take() else { continue };
            part.flush()?;
            drop(part);
            let part = self.path(suffix);
            io::copy(&mut BufReader::new(File::open(&part)?), &mut out)?;
            fs::remove_file(&part)?;
        }
        out.flush()
    }
}

fn append(file: &mut Option<BufWriter<File>>, path: &Path, bytes: &[u8]) -> Result<()> {
    let written = match file {
        Some(file) => file.write_all(bytes),
        None => File::create(path).and_then(|created| {
            let created = file.insert(BufWriter::new(created));
            created.write_all(bytes)
        }),
    };
    written.map_err(|error| storage(path, "writing a difference failed", error))
}

/// Longest name of a file without its suffix: file systems end at 255 bytes.
const LONGEST_NAME: usize = 200;

/// Names hold anything; what isn't plain is written as `%XX`. A name that gets too long by that ends in its hash.
fn file_name(table: &TableName, source: Option<&TableName>) -> String {
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
    let both = |table: &TableName| format!("{}.{}", plain(&table.schema), plain(&table.table));
    let name = match source {
        Some(source) => format!("{}+{}", both(table), both(source)),
        None => both(table),
    };
    match name.get(..LONGEST_NAME - 17) {
        Some(begin) if name.len() > LONGEST_NAME => format!("{begin}-{:016x}", xxh3_64(name.as_bytes())),
        _ => name,
    }
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
        // One that no table has is none's.
        table: source.filter(|_| table.plan.merged).map(|_| left.name.to_string()),
        also_in: None,
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
        assert_eq!(file_name(&TableName::new("a", "b_1$"), None), "a.b_1$");
        assert_eq!(file_name(&TableName::new("../x", "é.t"), None), "%2E%2E%2Fx.%C3%A9%2Et");
        let long = |last: &str| {
            file_name(&TableName::new("库".repeat(64), format!("{}{last}", "表".repeat(63))), None)
        };
        let (orders, shard) = (TableName::new("a", "orders"), TableName::new("a", "orders_1"));
        assert_eq!(file_name(&orders, Some(&shard)), "a.orders+a.orders_1");
        assert_eq!(long("一").len(), 200);
        assert_ne!(long("一"), long("二"));
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        let text = "é".repeat(LONGEST);
        let shown = cut(&text);
        assert!(shown.ends_with("(8192 bytes)") && shown.starts_with("éé"), "{}", &shown[shown.len() - 20..]);
    }
}

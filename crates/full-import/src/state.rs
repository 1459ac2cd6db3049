//! What an import remembers at the target, in the same transactions as the rows.
//!
//! | kind | item | payload |
//! |---|---|---|
//! | `table` | source table name | [`TableEntry`], JSON |
//! | `chunk` | source table name, 0, chunk number (u32, big endian) | [`ChunkEntry`], JSON |
//!
//! Every payload has `"version": 1`. A chunk is recorded with its range before it is read (without `done`)
//! and again, with `done`, in the transaction that writes its rows. Ranges can't be ordered by us (only the
//! source's collation can), so the numbers give the order.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use whimbrel_connector::{ConnectorError, ErrorKind, KeyBound, KeyRange, Result, StateKey, Writer};
use whimbrel_model::{Position, TableName};

use crate::ImportTable;

const VERSION: u32 = 1;
const TABLE: &str = "table";
const CHUNK: &str = "chunk";

/// What was imported of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableResult {
    pub rows: u64,
    pub bytes: u64,
    pub milliseconds: u64,
    /// Rows set aside because they met another row on a unique key.
    pub deferred: u64,
    /// Rows that the target refused.
    pub parked: u64,
    /// For a keyless table: changes at or before this position are in what was imported, later ones are not.
    pub exact_position: Option<Position>,
}

/// Persisted: how far a table is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableEntry {
    version: u32,
    pub stage: EntryStage,
    #[serde(default)]
    pub rows: u64,
    #[serde(default)]
    pub bytes: u64,
    #[serde(default)]
    pub milliseconds: u64,
    #[serde(default)]
    pub deferred: u64,
    #[serde(default)]
    pub parked: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact_position: Option<Position>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EntryStage {
    /// Rows may be there.
    Loading,
    /// All rows are there; indexes may be missing.
    Loaded,
    Done,
}

impl TableEntry {
    pub fn loading() -> Self {
        Self::new(EntryStage::Loading, &TableResult::default())
    }

    pub fn new(stage: EntryStage, result: &TableResult) -> Self {
        Self {
            version: VERSION,
            stage,
            rows: result.rows,
            bytes: result.bytes,
            milliseconds: result.milliseconds,
            deferred: result.deferred,
            parked: result.parked,
            exact_position: result.exact_position.clone(),
        }
    }

    pub fn result(&self) -> TableResult {
        TableResult {
            rows: self.rows,
            bytes: self.bytes,
            milliseconds: self.milliseconds,
            deferred: self.deferred,
            parked: self.parked,
            exact_position: self.exact_position.clone(),
        }
    }
}

/// Persisted: one chunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChunkEntry {
    version: u32,
    pub range: KeyRange,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<ChunkDone>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChunkDone {
    pub rows: u64,
    pub bytes: u64,
    #[serde(default)]
    pub deferred: u64,
    #[serde(default)]
    pub parked: u64,
}

impl ChunkEntry {
    pub fn new(range: KeyRange, done: Option<ChunkDone>) -> Self {
        Self { version: VERSION, range, done }
    }
}

/// What is left of one table.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableState {
    pub entry: Option<TableEntry>,
    /// Planned but not written, by number.
    pub open: BTreeMap<u32, KeyRange>,
    /// Sum of the chunks that are done.
    pub done: ChunkDone,
    /// Number of the next chunk.
    pub next_chunk: u32,
    /// Where planning goes on; `None` is the begin of the table where `next_chunk` is 0, its end otherwise.
    pub planned_until: Option<KeyBound>,
}

impl TableState {
    /// True where the last chunk that was planned reaches to the end of the table.
    pub fn fully_planned(&self) -> bool {
        self.next_chunk > 0 && self.planned_until.is_none()
    }
}

/// The import's memory, as loaded at the start and as it grows.
pub(crate) struct ImportState {
    names: Vec<TableName>,
    loaded: Vec<TableState>,
    results: Mutex<Vec<Option<TableResult>>>,
}

impl ImportState {
    pub async fn load(writer: &mut dyn Writer, tables: &[ImportTable]) -> Result<Self> {
        let names: Vec<TableName> =
            tables.iter().map(|table| table.plan.source.schema.name.clone()).collect();
        let mut loaded = Vec::with_capacity(names.len());
        let mut entries: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        for entry in writer.state_list(TABLE, b"").await? {
            entries.insert(entry.key.item, entry.payload);
        }
        for name in &names {
            let mut state = TableState::default();
            if let Some(payload) = entries.get(name.to_string().as_bytes()) {
                state.entry = Some(decode(TABLE, payload)?);
                load_chunks(writer, name, &mut state).await?;
            }
            loaded.push(state);
        }
        let results = loaded
            .iter()
            .map(|state| {
                state.entry.as_ref().filter(|entry| entry.stage == EntryStage::Done).map(TableEntry::result)
            })
            .collect();
        Ok(Self { names, loaded, results: Mutex::new(results) })
    }

    pub fn table(&self, index: usize) -> &TableState {
        &self.loaded[index]
    }

    /// True where an earlier run may have written rows of this table.
    pub fn has_begun(&self, index: usize) -> bool {
        self.loaded[index].entry.is_some()
    }

    pub fn finish(&self, index: usize, result: TableResult) {
        self.results.lock().expect("no holder of this lock panics")[index] = Some(result);
    }

    /// The results of all tables.
    ///
    /// # Errors
    /// A table that was never finished: an import that returns must not pass over one.
    pub fn results(&self) -> Result<Vec<TableResult>> {
        let results = self.results.lock().expect("no holder of this lock panics");
        results
            .iter()
            .zip(&self.names)
            .map(|(result, name)| {
                result.clone().ok_or_else(|| {
                    ConnectorError::new(
                        ErrorKind::Other,
                        format!("table {name}"),
                        "the import left this table out",
                    )
                })
            })
            .collect()
    }
}

async fn load_chunks(writer: &mut dyn Writer, name: &TableName, state: &mut TableState) -> Result<()> {
    for entry in writer.state_list(CHUNK, &chunk_prefix(name)).await? {
        let number = entry.key.item.last_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
        let number = number.ok_or_else(|| damaged(CHUNK, "its key has no chunk number"))?;
        let chunk: ChunkEntry = decode(CHUNK, &entry.payload)?;
        if number >= state.next_chunk {
            state.next_chunk = number + 1;
            state.planned_until.clone_from(&chunk.range.until);
        }
        match chunk.done {
            Some(done) => {
                state.done.rows += done.rows;
                state.done.bytes += done.bytes;
                state.done.deferred += done.deferred;
                state.done.parked += done.parked;
            }
            None => {
                state.open.insert(number, chunk.range);
            }
        }
    }
    Ok(())
}

fn chunk_prefix(name: &TableName) -> Vec<u8> {
    let mut item = name.to_string().into_bytes();
    item.push(0);
    item
}

fn decode<'a, T: Deserialize<'a>>(kind: &'static str, payload: &'a [u8]) -> Result<T> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let head: Versioned = serde_json::from_slice(payload)
        .map_err(|error| damaged(kind, "it is not JSON").with_source(error))?;
    if head.version != VERSION {
        let message = format!("it has version {}, this program knows {VERSION}", head.version);
        return Err(damaged(kind, &message).with_hint("resume the task with the program that started it"));
    }
    serde_json::from_slice(payload)
        .map_err(|error| damaged(kind, "its fields are not as expected").with_source(error))
}

fn damaged(kind: &str, message: &str) -> ConnectorError {
    ConnectorError::new(ErrorKind::LocalCorrupt, format!("state entry {kind} at the target"), message)
}

fn encode<T: Serialize>(entry: &T) -> Vec<u8> {
    serde_json::to_vec(entry).expect("plain structs of numbers and strings are always JSON")
}

/// An entry to be written with [`Writer::state_put`]; once more does no harm.
pub(crate) struct Record {
    key: StateKey,
    payload: Vec<u8>,
}

impl Record {
    pub fn table(name: &TableName, entry: &TableEntry) -> Self {
        Self { key: StateKey::new(TABLE, name.to_string()), payload: encode(entry) }
    }

    pub fn chunk(name: &TableName, number: u32, entry: &ChunkEntry) -> Self {
        Self { key: chunk_key(name, number), payload: encode(entry) }
    }

    /// Writes it in the writer's open transaction, or in one of its own.
    pub async fn put(&self, writer: &mut dyn Writer) -> Result<()> {
        writer.state_put(&self.key, &self.payload).await
    }
}

/// The chunk as recorded; tells after a lost connection whether its transaction was committed.
pub(crate) async fn get_chunk(
    writer: &mut dyn Writer,
    name: &TableName,
    number: u32,
) -> Result<Option<ChunkEntry>> {
    let payload = writer.state_get(&chunk_key(name, number)).await?;
    payload.map(|payload| decode(CHUNK, &payload)).transpose()
}

fn chunk_key(name: &TableName, number: u32) -> StateKey {
    let mut item = chunk_prefix(name);
    item.extend_from_slice(&number.to_be_bytes());
    StateKey::new(CHUNK, item)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Persisted form: these texts must be readable for ever.
    #[test]
    fn frozen_entries_read_and_write() {
        let frozen = r#"{"version":1,"range":{"after":{"row":[1,3,2]},"until":null},"done":{"rows":7,"bytes":90,"deferred":1,"parked":0}}"#;
        let chunk: ChunkEntry = decode(CHUNK, frozen.as_bytes()).unwrap();
        assert_eq!(chunk.range.after, Some(KeyBound { row: vec![1, 3, 2] }));
        assert_eq!(chunk.done, Some(ChunkDone { rows: 7, bytes: 90, deferred: 1, parked: 0 }));
        assert_eq!(String::from_utf8(encode(&chunk)).unwrap(), frozen);

        let frozen =
            r#"{"version":1,"stage":"loaded","rows":5,"bytes":6,"milliseconds":7,"deferred":0,"parked":2}"#;
        let table: TableEntry = decode(TABLE, frozen.as_bytes()).unwrap();
        assert_eq!((table.stage, table.result().parked), (EntryStage::Loaded, 2));
        assert_eq!(String::from_utf8(encode(&table)).unwrap(), frozen);
    }

    #[test]
    fn a_newer_version_is_refused() {
        let error = decode::<TableEntry>(TABLE, br#"{"version":2,"stage":"done"}"#).unwrap_err();
        assert_eq!(error.kind, ErrorKind::LocalCorrupt);
        assert!(error.message.contains("version 2"), "{error}");
    }
}

//! What an import remembers at the target, in the same transactions as the rows.
//!
//! | kind | item | payload |
//! |---|---|---|
//! | `table` | hash of the source table's name ([`table_prefix`], 16 bytes) | [`TableEntry`], JSON |
//! | `chunk` | the same hash, chunk number (u32, big endian) | [`ChunkEntry`], JSON |
//! | `worker` | worker number (u32, big endian) | `{"version":1}` |
//! | `written` | the same hash, number (u32, big endian) | keys of rows, see [`crate::undo`] |
//!
//! Every JSON payload has `"version": 1`. A chunk is recorded with its range before it is read, and again in every
//! transaction that writes its rows: with what is left of the range and what has been written (`part`), at last
//! with `done`. Ranges can't be ordered by us (only the source's collation can), so the numbers give the order.
//!
//! The `worker` entry is a lock: each transaction of a worker writes it first. Where it isn't known whether a
//! transaction was committed, the next one waits at this entry until the server has decided, and then reads what
//! was decided.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use whimbrel_connector::image::table_prefix;
use whimbrel_connector::{ConnectorError, ErrorKind, KeyBound, KeyRange, Result, StateKey, Writer};
use whimbrel_model::{Position, TableName};

use crate::ImportTable;

const VERSION: u32 = 1;
const TABLE: &str = "table";
const CHUNK: &str = "chunk";
const WORKER: &str = "worker";

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
    /// The source table, for people who look at the state.
    pub table: String,
    pub stage: EntryStage,
    /// The key of the last row when planning began: chunks are planned up to it. Keyless tables have none. An entry of
    /// a program that didn't know this field lacks it too: its last chunk is open at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<KeyBound>,
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
    pub fn loading(table: &TableName, end: Option<KeyBound>) -> Self {
        Self { end, ..Self::new(table, EntryStage::Loading, &TableResult::default()) }
    }

    pub fn new(table: &TableName, stage: EntryStage, result: &TableResult) -> Self {
        Self {
            version: VERSION,
            table: table.to_string(),
            stage,
            end: None,
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
    /// What is left to be read; after the end, what was read last.
    pub range: KeyRange,
    /// Rows of the chunk before `range` that are at the target.
    #[serde(default, skip_serializing_if = "ChunkDone::is_nothing")]
    pub part: ChunkDone,
    /// All of it.
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

impl ChunkDone {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    pub fn add(&mut self, more: &Self) {
        self.rows += more.rows;
        self.bytes += more.bytes;
        self.deferred += more.deferred;
        self.parked += more.parked;
    }

    /// What came on top of `before`.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            rows: self.rows.saturating_sub(before.rows),
            bytes: self.bytes.saturating_sub(before.bytes),
            deferred: self.deferred.saturating_sub(before.deferred),
            parked: self.parked.saturating_sub(before.parked),
        }
    }
}

impl ChunkEntry {
    pub fn open(range: KeyRange, part: ChunkDone) -> Self {
        Self { version: VERSION, range, part, done: None }
    }

    pub fn done(range: KeyRange, done: ChunkDone) -> Self {
        Self { version: VERSION, range, part: ChunkDone::default(), done: Some(done) }
    }
}

/// What is left of one table.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableState {
    pub entry: Option<TableEntry>,
    /// Planned but not written to the end, by number.
    pub open: BTreeMap<u32, ChunkEntry>,
    /// Sum of the chunks that are done.
    pub done: ChunkDone,
    /// Number of the next chunk.
    pub next_chunk: u32,
    /// Where planning goes on; `None` is the begin of the table where `next_chunk` is 0, an open end otherwise.
    pub planned_until: Option<KeyBound>,
}

impl TableState {
    /// Up to where chunks are planned, where that is fixed already.
    pub fn planning_end(&self) -> Option<&KeyBound> {
        self.entry.as_ref().and_then(|entry| entry.end.as_ref())
    }

    /// True where the last chunk that was planned reaches to the end.
    pub fn fully_planned(&self) -> bool {
        self.next_chunk > 0
            && (self.planned_until.is_none() || self.planned_until.as_ref() == self.planning_end())
    }

    /// Everything that is at the target, parts of open chunks included.
    pub fn written(&self) -> ChunkDone {
        let mut written = self.done;
        self.open.values().for_each(|chunk| written.add(&chunk.part));
        written
    }

    fn take_chunk(&mut self, number: u32, chunk: ChunkEntry) {
        if number >= self.next_chunk {
            self.next_chunk = number + 1;
            self.planned_until.clone_from(&chunk.range.until);
        }
        match chunk.done {
            Some(done) => self.done.add(&done),
            None => {
                self.open.insert(number, chunk);
            }
        }
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
            if let Some(payload) = entries.get(&table_prefix(name)) {
                let entry: TableEntry = decode(TABLE, payload)?;
                // Few tables are in the middle of their load, however many there are.
                if entry.stage == EntryStage::Loading {
                    load_chunks(writer, name, &mut state).await?;
                }
                state.entry = Some(entry);
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

    /// Tables of one target that aren't done, this one included.
    pub fn unfinished(&self, tables: &[ImportTable], target: &TableName) -> usize {
        let done =
            |state: &TableState| state.entry.as_ref().is_some_and(|entry| entry.stage == EntryStage::Done);
        let of_target =
            tables.iter().zip(&self.loaded).filter(|(table, _)| table.plan.target.name == *target);
        of_target.filter(|(_, state)| !done(state)).count()
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
    for entry in writer.state_list(CHUNK, &table_prefix(name)).await? {
        let number = entry.key.item.last_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
        let number = number.ok_or_else(|| damaged(CHUNK, "its key has no chunk number"))?;
        state.take_chunk(number, decode(CHUNK, &entry.payload)?);
    }
    Ok(())
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

pub(crate) fn damaged(kind: &str, message: &str) -> ConnectorError {
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
        Self { key: StateKey::new(TABLE, table_prefix(name)), payload: encode(entry) }
    }

    pub fn chunk(name: &TableName, number: u32, entry: &ChunkEntry) -> Self {
        Self { key: chunk_key(name, number), payload: encode(entry) }
    }

    /// The lock of a worker; see the module's documentation.
    pub fn worker(number: u32) -> Self {
        #[derive(Serialize)]
        struct Lock {
            version: u32,
        }
        let key = StateKey::new(WORKER, number.to_be_bytes());
        Self { key, payload: encode(&Lock { version: VERSION }) }
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

/// The table as recorded.
pub(crate) async fn get_table(writer: &mut dyn Writer, name: &TableName) -> Result<Option<TableEntry>> {
    let payload = writer.state_get(&StateKey::new(TABLE, table_prefix(name))).await?;
    payload.map(|payload| decode(TABLE, &payload)).transpose()
}

fn chunk_key(name: &TableName, number: u32) -> StateKey {
    let mut item = table_prefix(name);
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

        let frozen = r#"{"version":1,"range":{"after":null,"until":null},"part":{"rows":2,"bytes":20,"deferred":0,"parked":1}}"#;
        let chunk: ChunkEntry = decode(CHUNK, frozen.as_bytes()).unwrap();
        assert_eq!((chunk.part.rows, chunk.part.parked, chunk.done), (2, 1, None));
        assert_eq!(String::from_utf8(encode(&chunk)).unwrap(), frozen);

        let frozen = r#"{"version":1,"table":"shop.orders","stage":"loading","end":{"row":[1,3,2]},"rows":0,"bytes":0,"milliseconds":0,"deferred":0,"parked":0}"#;
        let table: TableEntry = decode(TABLE, frozen.as_bytes()).unwrap();
        assert_eq!(table.end, Some(KeyBound { row: vec![1, 3, 2] }));
        assert_eq!(String::from_utf8(encode(&table)).unwrap(), frozen);

        let frozen = r#"{"version":1,"table":"shop.orders","stage":"loaded","rows":5,"bytes":6,"milliseconds":7,"deferred":0,"parked":2}"#;
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

    #[test]
    fn items_fit_the_state_table_whatever_the_names_and_tell_tables_apart() {
        let long = chunk_key(&TableName::new("s".repeat(400), "t".repeat(400)), u32::MAX);
        assert!(long.item.len() <= 400);
        // Both are `a.b.c` for people.
        let (one, other) = (TableName::new("a.b", "c"), TableName::new("a", "b.c"));
        assert_ne!(chunk_key(&one, 0), chunk_key(&other, 0));
    }

    #[test]
    fn chunks_found_at_the_target_say_what_is_left() {
        let bound = |byte: u8| Some(KeyBound { row: vec![byte] });
        let range = |after, until| KeyRange { after, until };
        let ten = ChunkDone { rows: 10, bytes: 100, deferred: 1, parked: 2 };
        let mut state = TableState::default();
        assert!(!state.fully_planned());
        state.take_chunk(0, ChunkEntry::done(range(None, bound(1)), ten));
        state.take_chunk(1, ChunkEntry::open(range(bound(5), bound(9)), ten));
        state.take_chunk(2, ChunkEntry::open(range(bound(9), bound(20)), ChunkDone::default()));
        assert_eq!((state.next_chunk, &state.planned_until), (3, &bound(20)));
        assert_eq!(state.open.keys().copied().collect::<Vec<_>>(), [1, 2]);
        assert_eq!((state.done.rows, state.written().rows, state.written().parked), (10, 20, 4));
        state.take_chunk(3, ChunkEntry::open(range(bound(20), bound(30)), ChunkDone::default()));
        assert!(!state.fully_planned());
        state.entry = Some(TableEntry::loading(&TableName::new("d", "t"), bound(30)));
        assert!(state.fully_planned());
    }

    /// As tasks of older programs have left it.
    #[test]
    fn a_chunk_with_an_open_end_is_the_last_one() {
        let entry = TableEntry::loading(&TableName::new("d", "t"), None);
        let mut state = TableState { entry: Some(entry), ..TableState::default() };
        state.take_chunk(0, ChunkEntry::open(KeyRange::default(), ChunkDone::default()));
        assert!(state.fully_planned());
    }
}

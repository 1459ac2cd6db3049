//! What Incr-Sync writes into the task's state at the target.
//!
//! | kind | item | payload | written |
//! |---|---|---|---|
//! | `checkpoint` | `main` | [`Checkpoint`] | in the transaction of the last change that it covers |
//! | `hold`, and `hold-...` of the others | | | see `hold.rs` |
//! | `leftout` | a target table | [`LeftOut`] | when a statement that adds columns is skipped |
//! | `inflight` | lane, one byte | [`InFlight`] | in each transaction that commits ahead of the checkpoint |
//! | `ddl` | `main` | [`DdlProgress`] | before and after each step of a DDL statement |
//! | `foreign` | as [`whimbrel_connector::image`] | [`ForeignRecord`] | with the change that found it |
//! | `deferred`, `parked` | as [`whimbrel_connector::image`] | see there | with the change they are about |
//!
//! All payloads here are JSON with a `version`.

use serde::{Deserialize, Serialize};
use whimbrel_connector::{ConnectorError, ErrorKind, StateKey, Writer};
use whimbrel_model::{Position, TableName};

use crate::ApplyMode;
use crate::hold::Scope;
use crate::window::End;

pub(crate) const VERSION: u32 = 1;

/// All changes up to `sequence` are at the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    version: u32,
    pub position: Position,
    pub sequence: u64,
    pub commit_time_us: u64,
    pub mode: ApplyMode,
    /// No deferred row was left at this moment: the overlap with the import is over.
    pub settled: bool,
}

impl Checkpoint {
    pub fn new(end: &End, mode: ApplyMode, settled: bool) -> Self {
        Self {
            version: VERSION,
            position: end.position.clone(),
            sequence: end.sequence,
            commit_time_us: end.commit_time_us,
            mode,
            settled,
        }
    }

    pub fn end(&self) -> End {
        End { position: self.position.clone(), sequence: self.sequence, commit_time_us: self.commit_time_us }
    }
}

/// The checkpoint of a task, `None` before its first.
pub async fn read(writer: &mut dyn Writer) -> Result<Option<Checkpoint>, ConnectorError> {
    read_of(writer, Scope::Task).await
}

pub(crate) async fn read_of(
    writer: &mut dyn Writer,
    scope: Scope,
) -> Result<Option<Checkpoint>, ConnectorError> {
    match writer.state_get(&scope.checkpoint_key()).await? {
        Some(payload) => decode("checkpoint", &payload).map(Some),
        None => Ok(None),
    }
}

/// Changes up to `until`, beyond the checkpoint, may be at the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    version: u32,
    pub until: u64,
    /// Tells the commits of one run apart: it grows with each.
    pub attempt: u64,
}

impl InFlight {
    pub const KIND: &'static str = "inflight";

    pub fn new(until: u64, attempt: u64) -> Self {
        Self { version: VERSION, until, attempt }
    }
}

/// How far the DDL record `sequence` has got: `done` of its steps, and whether one more has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DdlProgress {
    version: u32,
    pub sequence: u64,
    pub done: usize,
    /// The next step was sent; whether it happened isn't known until `done` says so.
    pub begun: bool,
    pub finished: bool,
    /// What the tables of the statement looked like before that step (`ddl.rs`), where it isn't known that the
    /// step didn't happen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

impl DdlProgress {
    pub fn new(sequence: u64) -> Self {
        Self { version: VERSION, sequence, done: 0, begun: false, finished: false, before: None }
    }
}

/// What a target doesn't have of a table, because the statement that made it was skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    version: u32,
    /// The target's table.
    pub table: TableName,
    pub columns: Vec<String>,
    /// The table isn't there at all; none of its changes is applied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
}

impl LeftOut {
    pub const KIND: &'static str = "leftout";

    pub fn new(table: TableName, columns: Vec<String>) -> Self {
        Self { version: VERSION, table, columns, whole: false }
    }

    pub fn whole_table(table: TableName) -> Self {
        Self { whole: true, ..Self::new(table, Vec::new()) }
    }

    pub fn state_key(&self) -> StateKey {
        Self::key_of(&self.table)
    }

    pub fn key_of(table: &TableName) -> StateKey {
        StateKey::new(Self::KIND, whimbrel_connector::image::table_prefix(table))
    }
}

/// What is left out, of all tables of the writer's task.
pub async fn left_out(writer: &mut dyn Writer) -> Result<Vec<LeftOut>, ConnectorError> {
    let entries = writer.state_list(LeftOut::KIND, b"").await?;
    entries.iter().map(|entry| decode(LeftOut::KIND, &entry.payload)).collect()
}

/// A difference at the target that somebody else made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignRecord {
    version: u32,
    pub table: TableName,
    /// The row key for people: column and value.
    pub key: Vec<(String, String)>,
    pub what: ForeignKind,
    pub action: ForeignAction,
    /// A position at or after the change; `None` within a transaction whose end isn't known yet.
    pub position: Option<Position>,
}

/// How a foreign change shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForeignKind {
    /// An update didn't find its row.
    UpdateMissing,
    /// A delete didn't find its row.
    DeleteMissing,
    /// An insert found a row with its key.
    InsertPresent,
}

/// What was done about a foreign change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForeignAction {
    /// The target holds the source's row now.
    Repaired,
    /// Nothing was written.
    Ignored,
}

impl ForeignRecord {
    pub const KIND: &'static str = "foreign";

    pub fn new(
        table: TableName,
        key: Vec<(String, String)>,
        what: ForeignKind,
        action: ForeignAction,
        position: Option<Position>,
    ) -> Self {
        Self { version: VERSION, table, key, what, action, position }
    }
}

/// A payload with a version.
pub trait Versioned {
    fn version(&self) -> u32;
}

macro_rules! versioned {
    ($($payload:ty),*) => { $(impl Versioned for $payload { fn version(&self) -> u32 { self.version } })* };
}
versioned!(Checkpoint, InFlight, DdlProgress, LeftOut, ForeignRecord);

/// The payload of a state entry.
pub fn encode<T: Serialize + Versioned>(payload: &T) -> Vec<u8> {
    serde_json::to_vec(payload).expect("payloads have string keys and no failing serialisers")
}

/// Reads a payload.
///
/// # Errors
/// [`ErrorKind::LocalCorrupt`] for other bytes or another version.
pub fn decode<T: for<'de> Deserialize<'de> + Versioned>(
    kind: &str,
    payload: &[u8],
) -> Result<T, ConnectorError> {
    let damaged = |message: &str| {
        ConnectorError::new(ErrorKind::LocalCorrupt, format!("state entry {kind}"), message)
            .with_hint("the task's state at the target is damaged or of a newer program; use that program")
    };
    let value: T = serde_json::from_slice(payload)
        .map_err(|error| damaged("can't read the task's state at the target").with_source(error))?;
    if value.version() == VERSION { Ok(value) } else { Err(damaged("the entry has another version")) }
}

#[cfg(test)]
mod tests {
    use whimbrel_model::{BinlogPosition, GtidState};

    use super::*;

    fn position() -> Position {
        Position::Binlog(BinlogPosition {
            server: "7".into(),
            file: "binlog.000002".into(),
            offset: 157,
            gtids: GtidState::None,
        })
    }

    /// Persisted forms: these texts must be readable for ever.
    #[test]
    fn the_frozen_payloads_read_and_write() {
        let end = End { position: position(), sequence: 42, commit_time_us: 1_700_000_000_000_000 };
        let frozen = r#"{"version":1,"position":{"kind":"binlog","server":"7","file":"binlog.000002","offset":157},"sequence":42,"commit_time_us":1700000000000000,"mode":"transaction","settled":true}"#;
        let checkpoint = Checkpoint::new(&end, ApplyMode::Transaction, true);
        assert_eq!(String::from_utf8(encode(&checkpoint)).unwrap(), frozen);
        let read: Checkpoint = decode("checkpoint", frozen.as_bytes()).unwrap();
        assert_eq!((read.end(), &read), (end, &checkpoint));

        let frozen = r#"{"version":1,"until":43,"attempt":9}"#;
        assert_eq!(String::from_utf8(encode(&InFlight::new(43, 9))).unwrap(), frozen);
        assert_eq!(decode::<InFlight>("inflight", frozen.as_bytes()).unwrap(), InFlight::new(43, 9));

        let frozen = r#"{"version":1,"sequence":5,"done":0,"begun":false,"finished":false}"#;
        assert_eq!(String::from_utf8(encode(&DdlProgress::new(5))).unwrap(), frozen);
        assert_eq!(decode::<DdlProgress>("ddl", frozen.as_bytes()).unwrap(), DdlProgress::new(5));
        let frozen = r#"{"version":1,"sequence":5,"done":1,"begun":true,"finished":false,"before":"0f"}"#;
        let progress = DdlProgress { done: 1, begun: true, before: Some("0f".into()), ..DdlProgress::new(5) };
        assert_eq!(String::from_utf8(encode(&progress)).unwrap(), frozen);
        assert_eq!(decode::<DdlProgress>("ddl", frozen.as_bytes()).unwrap(), progress);

        let frozen = r#"{"version":1,"table":{"schema":"d","table":"t"},"columns":["x"]}"#;
        let left_out = LeftOut::new(TableName::new("d", "t"), vec!["x".into()]);
        assert_eq!(String::from_utf8(encode(&left_out)).unwrap(), frozen);
        assert_eq!(decode::<LeftOut>(LeftOut::KIND, frozen.as_bytes()).unwrap(), left_out);
        let frozen = r#"{"version":1,"table":{"schema":"d","table":"t"},"columns":[],"whole":true}"#;
        let left_out = LeftOut::whole_table(TableName::new("d", "t"));
        assert_eq!(String::from_utf8(encode(&left_out)).unwrap(), frozen);
        assert_eq!(decode::<LeftOut>(LeftOut::KIND, frozen.as_bytes()).unwrap(), left_out);

        let frozen = r#"{"version":1,"table":{"schema":"d","table":"t"},"key":[["id","5"]],"what":"update_missing","action":"repaired","position":null}"#;
        let record = ForeignRecord::new(
            TableName::new("d", "t"),
            vec![("id".into(), "5".into())],
            ForeignKind::UpdateMissing,
            ForeignAction::Repaired,
            None,
        );
        assert_eq!(String::from_utf8(encode(&record)).unwrap(), frozen);
        assert_eq!(decode::<ForeignRecord>("foreign", frozen.as_bytes()).unwrap(), record);
    }

    #[test]
    fn other_versions_and_damage_are_errors() {
        for payload in [&b"{"[..], br#"{"version":2,"until":43,"attempt":9}"#, b""] {
            let error = decode::<InFlight>("inflight", payload).unwrap_err();
            assert_eq!(error.kind, ErrorKind::LocalCorrupt);
        }
    }
}

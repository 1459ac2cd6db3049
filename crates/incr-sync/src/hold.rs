//! Holds: tables whose changes wait behind a statement that could not be carried over.
//!
//! A statement that the target refuses, that can't be converted, or that a person has to approve is *parked*. The
//! tables that it is about are *held*: their later changes, rows and statements alike, aren't applied, while all
//! other tables go on. Nothing of them is copied anywhere: they stay in the source's log (the Store), which isn't
//! acknowledged beyond the oldest hold, so memory and the target's space are bounded by the number of holds, and the
//! queue by the Store's disk. When a person has decided (retry, skip, edit), the queue is read again from the Store
//! and applied in its order ([`crate::engine::Engine`], `replay.rs`).
//!
//! A statement that touches a held table queues too, and the other tables that it touches are held from there on.
//!
//! | kind | item | payload | written |
//! |---|---|---|---|
//! | `hold` | number of the statement that began it, 8 bytes big-endian | [`Hold`] | when it begins, moves on, is decided |
//! | `checkpoint` | `hold-NUMBER` | [`crate::Checkpoint`] | with the changes of its queue |
//! | `inflight` | `hold-NUMBER-` and a lane | as the task's | as the task's |
//! | `ddl` | `hold-NUMBER` | as the task's | as the task's |

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use whimbrel_connector::{ConnectorError, Result, StateKey, Writer};
use whimbrel_model::{Ddl, Position, TableName};

use crate::checkpoint::{self, VERSION, Versioned, decode, encode};
use crate::window::End;

/// What a person wants done with a parked statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Carry it over as it would have been.
    Retry,
    /// Leave it out.
    Skip,
    /// Run this at the target instead.
    Edit(String),
}

/// A statement that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedStatement {
    /// Number of its record; names it for ever ([`ParkedStatement::id`]).
    pub sequence: u64,
    /// As the source ran it.
    pub sql: String,
    pub default_schema: String,
    /// What would run at the target; empty where it can't be converted or wasn't approved yet.
    pub steps: Vec<String>,
    /// How many of the steps the target has carried out.
    pub done: usize,
    /// The stable code of the error, as in [`whimbrel_connector::ErrorKind::code`].
    pub code: String,
    /// The error with its causes: the target's own code and text are among them.
    pub reason: String,
    /// A position at or before the statement.
    pub position: Position,
}

impl ParkedStatement {
    pub fn new(ddl: &Ddl, sequence: u64, error: &ConnectorError, position: &Position) -> Self {
        Self {
            sequence,
            sql: ddl.sql.clone(),
            default_schema: ddl.default_schema.clone(),
            steps: Vec::new(),
            done: 0,
            code: error.code().to_owned(),
            reason: error.chain(),
            position: position.clone(),
        }
    }

    /// Its name for people.
    pub fn id(&self) -> String {
        format!("d{}", self.sequence)
    }
}

/// Held tables and the statement at which they stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    version: u32,
    /// Number of the first statement's record; names the hold for ever.
    pub number: u64,
    pub statement: ParkedStatement,
    /// `None` while it waits; where a decision stands, it is being carried out.
    pub decision: Option<Decision>,
    /// Where its queue is read from, unless it has a checkpoint of its own: the last end of a transaction before
    /// the first statement. `None`: the task's first record.
    pub after: Option<StartEnd>,
    /// Target tables, each with the record from which on its changes queue.
    pub tables: BTreeMap<String, u64>,
}

/// An [`End`], persisted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartEnd {
    pub position: Position,
    pub sequence: u64,
    pub commit_time_us: u64,
}

impl From<&End> for StartEnd {
    fn from(end: &End) -> Self {
        Self { position: end.position.clone(), sequence: end.sequence, commit_time_us: end.commit_time_us }
    }
}

impl From<&StartEnd> for End {
    fn from(end: &StartEnd) -> Self {
        Self { position: end.position.clone(), sequence: end.sequence, commit_time_us: end.commit_time_us }
    }
}

impl Versioned for Hold {
    fn version(&self) -> u32 {
        self.version
    }
}

impl Hold {
    pub const KIND: &'static str = "hold";

    pub fn new(statement: ParkedStatement, after: Option<&End>, tables: &[TableName]) -> Self {
        let mut hold = Self {
            version: VERSION,
            number: statement.sequence,
            decision: None,
            after: after.map(StartEnd::from),
            tables: BTreeMap::new(),
            statement,
        };
        hold.join(tables, hold.number);
        hold
    }

    /// Holds further tables from a record on.
    pub fn join(&mut self, tables: &[TableName], since: u64) {
        for table in tables {
            self.tables.entry(key(table)).or_insert(since);
        }
    }

    pub fn state_key(number: u64) -> StateKey {
        StateKey::new(Self::KIND, number.to_be_bytes())
    }
}

/// Names are compared as servers that fold them do: two tables whose names differ in case only are held together.
fn key(table: &TableName) -> String {
    table.to_string().to_lowercase()
}

/// All holds of a task, shared by reader and engine.
#[derive(Debug, Default)]
pub struct Holds {
    inner: Mutex<Inner>,
    len: AtomicUsize,
}

#[derive(Debug, Default)]
struct Inner {
    holds: BTreeMap<u64, Hold>,
    /// By table: its hold, and from which record on.
    tables: HashMap<String, (u64, u64)>,
    /// Tables that the target doesn't have because their creation was skipped.
    left_out: HashSet<String>,
}

impl Holds {
    /// Reads the entries of the task.
    pub async fn load(&self, writer: &mut dyn Writer) -> Result<()> {
        let holds = list(writer).await?;
        let left_out = checkpoint::left_out(writer).await?;
        let mut inner = self.lock();
        inner.holds = holds.into_iter().map(|hold| (hold.number, hold)).collect();
        inner.left_out = left_out.iter().filter(|one| one.whole).map(|one| key(&one.table)).collect();
        inner.index();
        self.len.store(inner.len(), Ordering::Release);
        Ok(())
    }

    /// True where the target doesn't have the table, as it was told to.
    pub fn leaves_out(&self, table: &TableName) -> bool {
        !self.is_empty() && self.lock().left_out.contains(&key(table))
    }

    /// Writes a hold into the task's state, and knows it from there on.
    pub async fn put(&self, writer: &mut dyn Writer, hold: Hold) -> Result<()> {
        writer.state_put(&Hold::state_key(hold.number), &encode(&hold)).await?;
        self.know(hold);
        Ok(())
    }

    fn know(&self, hold: Hold) {
        let mut inner = self.lock();
        inner.holds.insert(hold.number, hold);
        inner.index();
        self.len.store(inner.len(), Ordering::Release);
    }

    /// Nothing is held or left out.
    fn is_empty(&self) -> bool {
        self.len.load(Ordering::Acquire) == 0
    }

    pub fn get(&self, number: u64) -> Option<Hold> {
        self.lock().holds.get(&number).cloned()
    }

    pub fn all(&self) -> Vec<Hold> {
        self.lock().holds.values().cloned().collect()
    }

    /// The hold of a table, and from which record on.
    pub fn of(&self, table: &TableName) -> Option<(u64, u64)> {
        if self.is_empty() { None } else { self.lock().tables.get(&key(table)).copied() }
    }

    /// The record after which the log is still needed; `None` where nothing is held, `Some(None)` where everything is.
    pub fn needs_after(&self) -> Option<Option<u64>> {
        let inner = self.lock();
        inner.holds.values().map(|hold| hold.after.as_ref().map(|end| end.sequence)).min()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn len(&self) -> usize {
        self.holds.len() + self.left_out.len()
    }

    fn index(&mut self) {
        self.tables.clear();
        for hold in self.holds.values() {
            self.tables
                .extend(hold.tables.iter().map(|(table, since)| (table.clone(), (hold.number, *since))));
        }
    }
}

/// Which changes a run applies.
#[derive(Clone, Debug)]
pub struct Gate {
    pub holds: Arc<Holds>,
    /// The hold whose queue is read; `None`: everything that isn't held.
    pub replayed: Option<u64>,
}

impl Gate {
    /// True where a change of the table, at this record, is this run's business.
    pub fn admits(&self, table: &TableName, sequence: u64) -> bool {
        if self.holds.leaves_out(table) {
            return false;
        }
        match (self.holds.of(table), self.replayed) {
            (None, None) => true,
            (Some((_, since)), None) => sequence < since,
            (Some((number, since)), Some(replayed)) => number == replayed && sequence >= since,
            (None, Some(_)) => false,
        }
    }
}

/// All holds of the writer's task.
pub async fn list(writer: &mut dyn Writer) -> Result<Vec<Hold>> {
    let entries = writer.state_list(Hold::KIND, b"").await?;
    entries.iter().map(|entry| decode(Hold::KIND, &entry.payload)).collect()
}

/// What became of a request about a parked statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// The statement and everything that had queued is at the target (or was left out); its tables flow again.
    Done,
    /// The statement is dealt with; another one of the queue waits now.
    WaitsAgain { id: String, code: String, reason: String },
    /// The task was asked to stop before the queue was through; it goes on when it runs again.
    Stopped,
    /// Noted; carried out when the task runs.
    Noted,
    /// No such statement, or its decision has been made.
    Unknown,
}

/// Notes a decision for the next run of a task that isn't running.
pub async fn decide(writer: &mut dyn Writer, sequence: u64, decision: Decision) -> Result<Decided> {
    let found = list(writer).await?.into_iter().find(|hold| hold.statement.sequence == sequence);
    match found {
        Some(mut hold) if hold.decision.is_none() => {
            writer.begin().await?;
            note(writer, &mut hold, decision).await?;
            writer.commit().await?;
            Ok(Decided::Noted)
        }
        _ => Ok(Decided::Unknown),
    }
}

/// Writes the decision, in the open transaction. An edited statement takes the place of all steps, those that were
/// carried out included.
pub(crate) async fn note(writer: &mut dyn Writer, hold: &mut Hold, decision: Decision) -> Result<()> {
    if matches!(decision, Decision::Edit(_)) {
        writer.state_delete(&Scope::Hold(hold.number).ddl_key()).await?;
    }
    hold.decision = Some(decision);
    writer.state_put(&Hold::state_key(hold.number), &encode(hold)).await
}

/// Whose progress a run writes: the task's, or that of one hold's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Task,
    Hold(u64),
}

impl Scope {
    fn item(self) -> Vec<u8> {
        match self {
            Self::Task => b"main".to_vec(),
            Self::Hold(number) => format!("hold-{number}").into_bytes(),
        }
    }

    pub fn checkpoint_key(self) -> StateKey {
        StateKey::new("checkpoint", self.item())
    }

    pub fn ddl_key(self) -> StateKey {
        StateKey::new("ddl", self.item())
    }

    pub fn in_flight_key(self, lane: usize) -> StateKey {
        let mut item = self.in_flight_prefix();
        item.push(lane as u8);
        StateKey::new("inflight", item)
    }

    /// The task's lanes are single bytes.
    pub fn in_flight_prefix(self) -> Vec<u8> {
        match self {
            Self::Task => Vec::new(),
            Self::Hold(number) => format!("hold-{number}-").into_bytes(),
        }
    }

    /// Forgets a hold that is over, in the open transaction.
    pub async fn forget(self, writer: &mut dyn Writer) -> Result<()> {
        let Self::Hold(number) = self else { return Ok(()) };
        for entry in writer.state_list("inflight", &self.in_flight_prefix()).await? {
            writer.state_delete(&entry.key).await?;
        }
        for key in [self.checkpoint_key(), self.ddl_key(), Hold::state_key(number)] {
            writer.state_delete(&key).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_model::{BinlogPosition, GtidState};

    use super::*;

    fn sample() -> Hold {
        let position = Position::Binlog(BinlogPosition {
            server: "7".into(),
            file: "binlog.000002".into(),
            offset: 157,
            gtids: GtidState::None,
        });
        let statement = ParkedStatement {
            sequence: 42,
            sql: "ALTER TABLE t ADD x VECTOR(3)".into(),
            default_schema: "d".into(),
            steps: vec!["ALTER TABLE `d`.`t` ADD COLUMN `x` vector(3)".into()],
            done: 0,
            code: "WB-9999".into(),
            reason: "ERROR 1064".into(),
            position: position.clone(),
        };
        let after = End { position, sequence: 40, commit_time_us: 9 };
        Hold::new(statement, Some(&after), &[TableName::new("d", "T")])
    }

    /// Persisted form: this text must be readable for ever.
    #[test]
    fn the_frozen_payload_reads_and_writes() {
        let frozen = concat!(
            r#"{"version":1,"number":42,"statement":{"sequence":42,"sql":"ALTER TABLE t ADD x VECTOR(3)","default_schema":"d","#,
            r#""steps":["ALTER TABLE `d`.`t` ADD COLUMN `x` vector(3)"],"done":0,"code":"WB-9999","reason":"ERROR 1064","#,
            r#""position":{"kind":"binlog","server":"7","file":"binlog.000002","offset":157}},"decision":null,"#,
            r#""after":{"position":{"kind":"binlog","server":"7","file":"binlog.000002","offset":157},"sequence":40,"#,
            r#""commit_time_us":9},"tables":{"d.t":42}}"#,
        );
        assert_eq!(String::from_utf8(encode(&sample())).unwrap(), frozen);
        assert_eq!(decode::<Hold>(Hold::KIND, frozen.as_bytes()).unwrap(), sample());
        let mut decided = sample();
        decided.decision = Some(Decision::Edit("DO 0".into()));
        assert!(String::from_utf8(encode(&decided)).unwrap().contains(r#""decision":{"edit":"DO 0"}"#));
    }

    #[test]
    fn a_gate_parts_the_changes_of_the_task_and_of_a_queue() {
        let holds = Arc::new(Holds::default());
        let (held, free) = (TableName::new("d", "t"), TableName::new("d", "u"));
        let task = Gate { holds: holds.clone(), replayed: None };
        assert!(task.admits(&held, 1) && holds.needs_after().is_none());
        holds.know(sample());
        let (queue, other) = (
            Gate { holds: holds.clone(), replayed: Some(42) },
            Gate { holds: holds.clone(), replayed: Some(7) },
        );
        for sequence in [41, 42, 43] {
            assert_ne!(
                task.admits(&held, sequence),
                queue.admits(&held, sequence),
                "exactly one takes {sequence}"
            );
            assert!(
                task.admits(&free, sequence)
                    && !queue.admits(&free, sequence)
                    && !other.admits(&held, sequence)
            );
        }
        assert_eq!(holds.needs_after(), Some(Some(40)));
        let mut joined = sample();
        joined.join(&[free.clone(), held.clone()], 50);
        holds.know(joined);
        assert!(task.admits(&free, 49) && !task.admits(&free, 50) && !task.admits(&held, 45));
    }
}

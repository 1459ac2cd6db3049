//! What a running task shows: one snapshot that progress bars, `/status`, `/metrics` and the page all read.

use std::sync::Mutex;
use std::time::Instant;

use serde::Serialize;
use whimbrel_connector::ConnectorError;

use crate::report::ObjectReport;

/// The task's state at a moment. `/status` serves it as JSON; fields are only ever added.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    pub task: String,
    pub source: String,
    pub target: String,
    pub phase: Phase,
    pub tables: Vec<TableStatus>,
    /// Views, routines, sequences, triggers, events, as far as they have been looked at.
    pub objects: Vec<ObjectReport>,
    /// Where the source's log ends, as far as the Store has pulled it.
    pub source_position: Option<String>,
    /// What the target holds.
    pub applied_position: Option<String>,
    /// Seconds between a commit at the source and its commit at the target.
    pub lag_seconds: Option<f64>,
    pub applied_changes: u64,
    pub applied_transactions: u64,
    pub store_bytes: u64,
    /// `running`, or why the Store doesn't pull.
    pub store_state: Option<String>,
    pub parked: Vec<RowNote>,
    pub parked_statements: Vec<StatementNote>,
    pub foreign_changes: u64,
    pub conflicts: Vec<RowNote>,
    pub verification: Option<VerificationStatus>,
    pub last_error: Option<ErrorStatus>,
    pub seconds: f64,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Precheck,
    Schema,
    FullImport,
    /// Applying what changed while the rows were copied.
    CatchUp,
    Incremental,
    Verification,
    Done,
    Failed,
}

impl Phase {
    pub const ALL: [Self; 8] = [
        Self::Precheck,
        Self::Schema,
        Self::FullImport,
        Self::CatchUp,
        Self::Incremental,
        Self::Verification,
        Self::Done,
        Self::Failed,
    ];

    /// Its name in JSON and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Precheck => "precheck",
            Self::Schema => "schema",
            Self::FullImport => "full_import",
            Self::CatchUp => "catch_up",
            Self::Incremental => "incremental",
            Self::Verification => "verification",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct TableStatus {
    pub source: String,
    pub target: String,
    /// `waiting`, `loading`, `indexing`, `done`.
    pub stage: &'static str,
    pub rows: u64,
    pub estimated_rows: u64,
    pub bytes: u64,
    pub verified_rows: u64,
    pub differences: u64,
}

/// A row that needs a person.
#[derive(Clone, Debug, Serialize)]
pub struct RowNote {
    pub table: String,
    pub key: String,
    pub reason: String,
}

/// A statement of the source's log that needs a person, and the tables that wait behind it.
#[derive(Clone, Debug, Serialize)]
pub struct StatementNote {
    /// For `whimbrel parked`.
    pub id: String,
    pub statement: String,
    /// At the target, in lower case.
    pub tables: Vec<String>,
    pub reason: String,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct VerificationStatus {
    pub rows: u64,
    pub differences: u64,
    pub done: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct ErrorStatus {
    pub code: String,
    pub object: String,
    pub cause: String,
    pub hint: String,
}

impl ErrorStatus {
    /// An error that was met and got over; `text` begins with its code.
    pub fn passing(text: &str) -> Self {
        let (code, rest) = text.split_once(' ').unwrap_or(("WB-9999", text));
        let (object, cause) = rest.split_once(": ").unwrap_or(("", rest));
        Self {
            code: code.to_owned(),
            object: object.to_owned(),
            cause: cause.to_owned(),
            hint: "the task goes on by itself".to_owned(),
        }
    }
}

impl From<&ConnectorError> for ErrorStatus {
    fn from(error: &ConnectorError) -> Self {
        Self {
            code: error.code().to_owned(),
            object: error.object.clone(),
            cause: error.chain(),
            hint: error.hint().to_owned(),
        }
    }
}

/// Shared by the task and everything that shows it.
pub struct Board {
    status: Mutex<Status>,
    begun: Instant,
}

impl Board {
    pub fn new(task: &str, source: &str, target: &str) -> Self {
        let status = Status {
            task: task.to_owned(),
            source: source.to_owned(),
            target: target.to_owned(),
            phase: Phase::Precheck,
            tables: Vec::new(),
            objects: Vec::new(),
            source_position: None,
            applied_position: None,
            lag_seconds: None,
            applied_changes: 0,
            applied_transactions: 0,
            store_bytes: 0,
            store_state: None,
            parked: Vec::new(),
            parked_statements: Vec::new(),
            foreign_changes: 0,
            conflicts: Vec::new(),
            verification: None,
            last_error: None,
            seconds: 0.0,
        };
        Self { status: Mutex::new(status), begun: Instant::now() }
    }

    pub fn snapshot(&self) -> Status {
        let mut status = self.lock().clone();
        status.seconds = self.begun.elapsed().as_secs_f64();
        status
    }

    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.lock());
    }

    pub fn set_phase(&self, phase: Phase) {
        tracing::info!(phase = phase.name(), "phase");
        self.update(|status| status.phase = phase);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

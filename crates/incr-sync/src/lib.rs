//! Incr-Sync: applies the changes of a source's log to a target, in order, in parallel where nothing conflicts.
//!
//! What it guarantees (the reasoning is in `docs/dev/apply.md`):
//! - No change is lost: the checkpoint is written in the target transaction of the changes that it covers.
//! - Per row key, and across all unique keys of the target, changes happen in the source's order.
//! - `transaction` mode: source transactions stay whole and commit in the source's order; every change happens
//!   exactly once, keyless tables included. Consecutive transactions may share a commit.
//! - `convergent` mode: the target equals the source at each checkpoint; in between, parts of a window are
//!   visible. Changes of keyed tables may be repeated after a crash, which changes nothing; those of keyless
//!   tables happen exactly once.
//! - While the import's reads overlap with the log, changes are applied idempotently; afterwards a row that
//!   isn't as the log says is reported as a foreign change and handled by policy.
//! - A row that the target refuses is parked with all later changes of its key; nothing else waits for it. A statement
//!   that it refuses is parked with its tables ([`hold`]), if the task is told so.
//! - Memory is bounded by windows and lanes; a large transaction is streamed.
//!
//! What it doesn't do: convert DDL (see [`DdlConverter`]), read a log (see [`ChangeSource`]), compare rows.
//!
//! The way of a change: `reader` cuts the stream into windows; `engine` gives a window to a lane as soon as
//! `conflict` permits; `run` opens a target transaction, in which `apply` writes the net effect that
//! `merge` finds; what it meets that it can't explain goes through `careful`; `run` commits it with its
//! [`checkpoint`].

mod apply;
mod aside;
mod careful;
pub mod checkpoint;
mod conflict;
mod convergent;
mod ddl;
mod effects;
mod engine;
mod feed;
#[cfg(test)]
mod fixture;
mod fold;
mod following;
pub mod hold;
mod large;
mod merge;
pub mod parked;
mod plans;
mod reader;
mod replay;
mod run;
mod session;
mod settle;
pub mod source;
pub mod status;
mod store_source;
mod table;
mod window;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use whimbrel_connector::{Result, Target};
use whimbrel_model::{Position, TableName};

pub use checkpoint::{Checkpoint, ForeignAction, ForeignKind, ForeignRecord, LeftOut};
pub use feed::{Feed, Valve};
pub use following::Following;
pub use hold::{Decided, Decision, Hold, ParkedStatement};
pub use parked::{ParkedEntry, Retried};
pub use source::{ChangeSource, DdlConverter, DdlPolicy, DdlStep, Router};
pub use status::{ApplyStatus, HeldTables, Phase, TableCounters};
pub use store_source::StoreSource;

use crate::engine::Engine;

/// Whether source transactions stay whole at the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApplyMode {
    #[default]
    Transaction,
    Convergent,
}

/// What to do where the target isn't as the log says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ForeignPolicy {
    Stop,
    /// Make the target hold the source's row, and report.
    #[default]
    Repair,
    /// Leave the target as it is, and report.
    Ignore,
}

/// What to do about a statement that can't be converted, or that the target refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DdlErrors {
    /// Park it with its tables; the rest goes on.
    Park,
    #[default]
    Stop,
}

/// Sizes of windows and transactions.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A window is full with as many changes or bytes; it is handed out earlier when a lane is free and no
    /// record came for `linger`.
    pub window_changes: usize,
    pub window_bytes: usize,
    pub linger: Duration,
    /// A larger source transaction isn't held in memory but streamed in windows.
    pub transaction_changes: usize,
    pub transaction_bytes: usize,
}

/// How changes are applied.
#[derive(Clone, Debug)]
pub struct ApplyOptions {
    pub mode: ApplyMode,
    /// Connections to the target that write at the same time.
    pub lanes: usize,
    pub limits: Limits,
    pub foreign: ForeignPolicy,
    pub on_ddl_error: DdlErrors,
    /// How often the unique keys of the target's tables are looked at.
    pub look_at_keys: Duration,
    /// Rows that may be set aside before the task stops.
    pub max_parked: usize,
    /// Entries about foreign changes that are kept at the target; all are counted.
    pub max_foreign_records: usize,
    /// How long a target that is away is waited for.
    pub retry_for: Duration,
    /// How long a window that is ready holds its locks while earlier ones aren't (`transaction` mode).
    pub lock_patience: Duration,
    /// How often the checkpoint moves while no change comes.
    pub idle_checkpoint: Duration,
}

impl ApplyOptions {
    /// Defaults of a mode, for 8 lanes; measured on OceanBase: many rows in one statement matter most.
    pub fn new(mode: ApplyMode) -> Self {
        let (window_changes, window_bytes) = match mode {
            ApplyMode::Transaction => (2_000, 4 << 20),
            ApplyMode::Convergent => (16_000, 32 << 20),
        };
        Self {
            mode,
            lanes: 8,
            limits: Limits {
                window_changes,
                window_bytes,
                linger: Duration::from_millis(1),
                transaction_changes: 50_000,
                transaction_bytes: 64 << 20,
            },
            foreign: ForeignPolicy::default(),
            on_ddl_error: DdlErrors::default(),
            look_at_keys: Duration::from_secs(5),
            max_parked: 10_000,
            max_foreign_records: 1_000,
            retry_for: Duration::from_secs(600),
            lock_patience: Duration::from_secs(1),
            idle_checkpoint: Duration::from_secs(5),
        }
    }
}

/// Where the run begins and ends.
#[derive(Clone, Debug)]
pub struct ApplyBounds {
    /// The first position of the task: where the source's log was fixed before the first row was read.
    pub start: Position,
    /// A position at or after every read of the import; `None` where nothing was imported.
    pub overlap_until: Option<Position>,
    /// Source tables that were read at an exact position (keyless ones): changes at or before it are passed
    /// over.
    pub table_start: HashMap<TableName, Position>,
    /// Ends the run when everything before it is applied.
    pub stop_at: Option<Position>,
}

/// Requests to a running Incr-Sync.
#[derive(Debug)]
pub enum Control {
    /// Tries a parked row again.
    RetryParked { item: Vec<u8>, reply: oneshot::Sender<Result<Retried>> },
    /// Gives a parked row up; replies whether there was one.
    SkipParked { item: Vec<u8>, reply: oneshot::Sender<Result<bool>> },
    /// Runs a statement in place of what a parked row waits for; replies what became of it.
    EditParked { item: Vec<u8>, sql: String, reply: oneshot::Sender<Result<Retried>> },
    /// Lists parked rows.
    ListParked { reply: oneshot::Sender<Result<Vec<ParkedEntry>>> },
    /// Carries a parked statement over, then what has queued behind it.
    RetryStatement { sequence: u64, reply: oneshot::Sender<Result<Decided>> },
    /// Leaves a parked statement out; what has queued behind it is applied.
    SkipStatement { sequence: u64, reply: oneshot::Sender<Result<Decided>> },
    /// Runs another statement at the target in its place; what has queued behind it is applied.
    EditStatement { sequence: u64, sql: String, reply: oneshot::Sender<Result<Decided>> },
    /// Lists parked statements with what they hold.
    ListStatements { reply: oneshot::Sender<Result<Vec<Hold>>> },
}

/// Everything that a run needs.
pub struct IncrSync {
    target: Arc<dyn Target>,
    task: String,
    epoch: u64,
    router: Arc<dyn Router>,
    converter: Arc<dyn DdlConverter>,
    bounds: ApplyBounds,
    options: ApplyOptions,
    board: status::StatusBoard,
    control: (mpsc::Sender<Control>, mpsc::Receiver<Control>),
}

impl IncrSync {
    /// `task` and `epoch` as in [`Target::writer`]; the task must have been taken over.
    pub fn new(
        target: Arc<dyn Target>,
        task: impl Into<String>,
        epoch: u64,
        router: Arc<dyn Router>,
        converter: Arc<dyn DdlConverter>,
        bounds: ApplyBounds,
        options: ApplyOptions,
    ) -> Self {
        Self {
            target,
            task: task.into(),
            epoch,
            router,
            converter,
            bounds,
            options,
            board: status::StatusBoard::default(),
            control: mpsc::channel(4),
        }
    }

    pub fn status(&self) -> watch::Receiver<ApplyStatus> {
        self.board.subscribe()
    }

    /// Requests are served between windows.
    pub fn control(&self) -> mpsc::Sender<Control> {
        self.control.0.clone()
    }

    /// Applies changes from the checkpoint, or from the first record where there is none, until
    /// [`ApplyBounds::stop_at`] is applied, `stop` is cancelled (then after the whole transactions that have
    /// been read), or `abort` is (then at once; open transactions are rolled back by the server). Returns the
    /// last status.
    ///
    /// # Errors
    /// What can't be helped by trying again, or not for [`ApplyOptions::retry_for`]; the checkpoint stands
    /// before it. [`whimbrel_connector::ErrorKind::Cancelled`] after `abort`.
    pub async fn run(
        self,
        source: Box<dyn ChangeSource>,
        stop: CancellationToken,
        abort: CancellationToken,
    ) -> Result<ApplyStatus> {
        Engine::run(self, source, stop, abort).await
    }
}

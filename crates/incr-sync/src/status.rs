//! What a running Incr-Sync tells the outside.

use std::collections::{BTreeMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::sync::watch;
use whimbrel_connector::ConnectorError;
use whimbrel_model::Position;

use crate::checkpoint::ForeignRecord;
use crate::effects::Effects;
use crate::hold::Holds;
use crate::window::End;

/// Foreign changes that a status lists; the counters have all.
const RECENT: usize = 100;

/// Where an Incr-Sync stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    #[default]
    Starting,
    /// Changes may have been seen by the import, or applied before a crash: applied idempotently.
    Overlap,
    Strict,
    Ended,
}

/// Changes applied to a target table since the start of this run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableCounters {
    pub inserts: u64,
    pub updates: u64,
    pub deletes: u64,
}

/// A snapshot of a running Incr-Sync.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ApplyStatus {
    pub phase: Phase,
    /// Everything before it is committed at the target.
    pub applied: Option<Position>,
    pub applied_sequence: u64,
    /// Commit time at the source of what was applied last; microseconds since 1970.
    pub applied_time_us: u64,
    /// Nothing more was to be had from the source's log when this was true, at `applied`.
    pub caught_up: bool,
    pub transactions: u64,
    pub changes: u64,
    /// By target table.
    pub tables: BTreeMap<String, TableCounters>,
    /// Rows parked now.
    pub parked: usize,
    /// Rows deferred now.
    pub deferred: usize,
    /// Statements that wait, with the tables that they hold.
    pub held: Vec<HeldTables>,
    /// Foreign changes found in this run, and the last of them.
    pub foreign_changes: u64,
    pub recent_foreign: VecDeque<ForeignRecord>,
    /// Windows that had to be done row by row, and transactions that were tried again.
    pub careful_windows: u64,
    pub retries: u64,
    /// How often other keys were found at the target's tables than before.
    pub key_changes: u64,
    /// The last error that was met, with its causes; also where the task went on.
    pub last_error: Option<String>,
}

/// A parked statement and the target tables whose changes wait behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldTables {
    /// As [`crate::ParkedStatement::id`].
    pub statement: String,
    pub sql: String,
    pub code: String,
    pub reason: String,
    /// `schema.table` in lower case.
    pub tables: Vec<String>,
}

impl ApplyStatus {
    /// Seconds that the target is behind the source: 0 where all is applied.
    pub fn lag_seconds(&self) -> f64 {
        if self.caught_up || self.applied_time_us == 0 {
            return 0.0;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        now.saturating_sub(u128::from(self.applied_time_us)) as f64 / 1e6
    }
}

/// Publishes the status. One write per commit, none per row.
#[derive(Debug, Default)]
pub struct StatusBoard {
    sender: watch::Sender<ApplyStatus>,
}

impl StatusBoard {
    pub fn subscribe(&self) -> watch::Receiver<ApplyStatus> {
        self.sender.subscribe()
    }

    pub fn phase(&self, phase: Phase) {
        self.sender.send_modify(|status| status.phase = phase);
    }

    pub fn applied(&self, end: &End) {
        self.sender.send_modify(|status| {
            status.applied = Some(end.position.clone());
            status.applied_sequence = end.sequence;
            status.applied_time_us = end.commit_time_us;
        });
    }

    pub fn caught_up(&self, yes: bool) {
        self.sender.send_if_modified(|status| std::mem::replace(&mut status.caught_up, yes) != yes);
    }

    /// Adds what a committed transaction did.
    pub fn committed(&self, effects: &Effects, transactions: u64) {
        self.sender.send_modify(|status| {
            status.transactions += transactions;
            for (table, counters) in effects.counters() {
                add_counters(status, &table.to_string(), counters);
            }
            for record in effects.foreign() {
                status.foreign_changes += 1;
                if status.recent_foreign.len() == RECENT {
                    status.recent_foreign.pop_front();
                }
                status.recent_foreign.push_back(record.clone());
            }
        });
    }

    pub fn aside(&self, parked: usize, deferred: usize) {
        self.sender.send_if_modified(|status| {
            let changed = (status.parked, status.deferred) != (parked, deferred);
            (status.parked, status.deferred) = (parked, deferred);
            changed
        });
    }

    /// Publishes what is held.
    pub fn held(&self, holds: &Holds) {
        let held: Vec<HeldTables> = holds
            .all()
            .into_iter()
            .map(|hold| HeldTables {
                statement: hold.statement.id(),
                sql: hold.statement.sql,
                code: hold.statement.code,
                reason: hold.statement.reason,
                tables: hold.tables.into_keys().collect(),
            })
            .collect();
        self.sender.send_if_modified(|status| {
            let changed = status.held != held;
            status.held = held;
            changed
        });
    }

    pub fn keys_changed(&self) {
        self.sender.send_modify(|status| status.key_changes += 1);
    }

    /// Adds what a queue's engine has counted.
    pub fn absorb(&self, queue: &ApplyStatus) {
        self.sender.send_modify(|status| {
            status.transactions += queue.transactions;
            for (table, counters) in &queue.tables {
                add_counters(status, table, counters);
            }
            status.foreign_changes += queue.foreign_changes;
            status.recent_foreign.extend(queue.recent_foreign.iter().cloned());
            while status.recent_foreign.len() > RECENT {
                status.recent_foreign.pop_front();
            }
            status.careful_windows += queue.careful_windows;
            status.retries += queue.retries;
        });
    }

    pub fn retried(&self, error: &ConnectorError) {
        self.sender.send_modify(|status| {
            status.retries += 1;
            status.last_error = Some(describe(error));
        });
    }

    pub fn careful(&self) {
        self.sender.send_modify(|status| status.careful_windows += 1);
    }

    pub fn failed(&self, error: &ConnectorError) {
        self.sender.send_modify(|status| status.last_error = Some(describe(error)));
    }
}

fn add_counters(status: &mut ApplyStatus, table: &str, counters: &TableCounters) {
    status.changes += counters.inserts + counters.updates + counters.deletes;
    let sum = status.tables.entry(table.to_owned()).or_default();
    sum.inserts += counters.inserts;
    sum.updates += counters.updates;
    sum.deletes += counters.deletes;
}

fn describe(error: &ConnectorError) -> String {
    format!("{} {}: {}", error.code(), error.object, error.chain())
}

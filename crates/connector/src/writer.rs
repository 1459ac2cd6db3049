//! Writing into a target.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use whimbrel_model::{RowBatch, RowRef};

use crate::{Result, TablePlan};

/// What an insert does about a row whose key is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertMode {
    /// [`crate::ErrorKind::DuplicateKey`]; the statement writes nothing.
    Plain,
    /// The row with the same row key becomes this one. Never touches a row that has another row key: a clash
    /// on another unique key is [`crate::ErrorKind::DuplicateKey`].
    Upsert,
    /// The row that is there stays. A clash on another unique key is
    /// [`crate::ErrorKind::DuplicateKey`].
    KeepExisting,
}

/// Names one entry of the task's state at the target. `kind` is at most 32 bytes, `item` at most 400.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StateKey {
    /// `checkpoint`, `chunk`, `table`, `deferred`, `parked`, ...
    pub kind: String,
    pub item: Vec<u8>,
}

impl StateKey {
    pub fn new(kind: &str, item: impl Into<Vec<u8>>) -> Self {
        Self { kind: kind.to_owned(), item: item.into() }
    }
}

/// An entry of the task's state. The payload carries its own version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateEntry {
    pub key: StateKey,
    pub payload: Vec<u8>,
}

/// How hard the target is pressed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// How long writers should wait before their next statement; zero where all is well.
    pub pause: Duration,
    /// Share of the limiting resource in use, 0 to 1, where the server tells it.
    pub used: Option<f64>,
}

/// One session that writes for one task.
///
/// - One call at a time. Several writers of one task work in parallel.
/// - Outside of `begin`..`commit` every call is a transaction of its own.
/// - A failed statement writes nothing, and leaves an open transaction as it was before it, except after
///   [`crate::ErrorKind::TransactionConflict`], `ConnectionLost`, `Timeout` and `Overloaded`: then the whole
///   transaction is gone; call `rollback` and start it again.
/// - After a lost connection during `commit` it isn't known whether it happened: read the state entry that was
///   written in the same transaction. After a lost connection the next `begin` (or call outside of a
///   transaction) connects again.
/// - DDL (`execute_ddl`, `execute_ddl_with`, `truncate`) is fenced as the state is, though on most servers it can't share
///   a transaction with it: where the task's epoch at the target is no longer this writer's, it does nothing but return
///   [`crate::ErrorKind::Fenced`], and a take-over doesn't return while such a statement is under way. What a
///   connector can't keep of this when connections break meanwhile stands in its own documentation. Writers of one task run
///   DDL in parallel.
/// - Sessions never let the target change values silently: strict mode, UTC, no auto-generated values for
///   zero, constraints checked as `set_foreign_key_checks` says (off at the start).
/// - Cancelling: dropping a call's future makes the session unusable for the open transaction, which the
///   server rolls back.
#[async_trait]
pub trait Writer: Send {
    async fn begin(&mut self) -> Result<()>;

    async fn commit(&mut self) -> Result<()>;

    /// Ends an open transaction; does nothing where there is none.
    async fn rollback(&mut self) -> Result<()>;

    /// Inserts rows of the plan's source layout; split into as many statements as the server's limits need,
    /// so outside of a transaction a failure may leave a prefix of the rows written. Returns the number of
    /// rows newly there or changed.
    async fn insert(&mut self, plan: &TablePlan, rows: &[RowRef<'_>], mode: InsertMode) -> Result<u64>;

    /// How many rows one [`Writer::insert`] of this plan should have at most: with more, nothing is gained.
    fn rows_at_once(&self, _plan: &TablePlan, _mode: InsertMode) -> usize {
        1000
    }

    /// Deletes the rows with the row keys of `rows`; for a keyless table one row equal in all columns for each
    /// of `rows`. Returns how many were there.
    async fn delete(&mut self, plan: &TablePlan, rows: &[RowRef<'_>]) -> Result<u64>;

    /// Updates the row that has `before`'s row key (for a keyless table: one row equal to `before`) to
    /// `after`. Columns unknown in `after` stay; columns that are the same in both needn't be written, so who
    /// doesn't know what the target holds gives a `before` of which only the key is known. Returns 1 if the row
    /// was there, else 0.
    async fn update(&mut self, plan: &TablePlan, before: RowRef<'_>, after: RowRef<'_>) -> Result<u64>;

    /// The rows of the target that have the row keys of `rows`, in the source's column layout as far as
    /// columns are mapped (others unknown); text is in the *source* column's charset only if that is a form
    /// of UTF-8, else UTF-8. Sees the open transaction.
    async fn fetch(&mut self, plan: &TablePlan, rows: &[RowRef<'_>]) -> Result<RowBatch>;

    /// The row of the target that `row` clashes with on the unique key `key` (a name as in
    /// [`crate::UniqueKey`]), in the layout of [`Writer::fetch`].
    async fn fetch_by_unique_key(&mut self, plan: &TablePlan, key: &str, row: RowRef<'_>)
    -> Result<RowBatch>;

    /// Runs one statement that changes rows, as a person wrote it, in the open transaction. Returns how many rows it
    /// concerned. Not for statements that end a transaction. The table is the statement's affair: a key that it
    /// clashes with has the name that the server gives it, with the table's before it at MySQL since 8.0.19.
    async fn execute(&mut self, default_schema: &str, sql: &str) -> Result<u64>;

    /// Runs one DDL statement. Not inside a transaction.
    async fn execute_ddl(&mut self, default_schema: &str, sql: &str) -> Result<()>;

    /// As [`Writer::execute_ddl`], in a session in which the statements of `settings` (SET statements) have been run
    /// just before. They hold for this statement only; what the session otherwise is stays as the trait says.
    async fn execute_ddl_with(&mut self, default_schema: &str, settings: &[String], sql: &str) -> Result<()>;

    /// Removes all rows of a table. Not inside a transaction.
    async fn truncate(&mut self, plan: &TablePlan) -> Result<()>;

    async fn set_foreign_key_checks(&mut self, on: bool) -> Result<()>;

    /// Writes an entry in the open transaction. [`crate::ErrorKind::Fenced`] where the task's epoch at the
    /// target is no longer this writer's; the check is part of the transaction, so a fenced writer can't
    /// commit.
    async fn state_put(&mut self, key: &StateKey, payload: &[u8]) -> Result<()>;

    /// [`crate::ErrorKind::Fenced`] where another process has taken the task over: reading doesn't find that out, so
    /// an entry that isn't there is removed. For whoever finds the target other than it should be: the other process
    /// may have made it so. Not inside a transaction, whose entries may be looked at only when it is committed.
    async fn refuse_taken_over(&mut self) -> Result<()> {
        self.state_delete(&StateKey::new("owner", Vec::new())).await
    }

    async fn state_delete(&mut self, key: &StateKey) -> Result<()>;

    async fn state_get(&mut self, key: &StateKey) -> Result<Option<Vec<u8>>>;

    /// All entries of a kind whose item begins with `prefix`, in item order.
    async fn state_list(&mut self, kind: &str, prefix: &[u8]) -> Result<Vec<StateEntry>>;

    /// Asks the server how it feels. Cheap; call it about once a second.
    async fn pressure(&mut self) -> Result<Pressure>;
}

//! One endpoint of a migration.

use async_trait::async_trait;
use whimbrel_model::{RowRef, TableSchema, TableVersion};

use crate::{
    Abilities, Catalog, ConnectorError, ErrorKind, Inspector, KeyTrial, LogReader, LogStart, Result,
    SnapshotReader, TablePlan, Writer,
};

/// A database that rows and changes are read from.
///
/// Cheap to share; every method opens a connection of its own, so what it hands out is independent of
/// everything else and may be used in parallel. Dropping what was handed out closes its connection.
#[async_trait]
pub trait Source: Send + Sync {
    /// The endpoint for people: scheme, user, host, port. Never a password.
    fn name(&self) -> &str;

    async fn catalog(&self) -> Result<Box<dyn Catalog>>;

    async fn snapshot_reader(&self) -> Result<Box<dyn SnapshotReader>>;

    /// A definition of the catalogue as readers are asked for it: without what this source doesn't show.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`] where nothing sensible can be shown of such a table.
    fn shown(&self, table: TableSchema) -> Result<TableSchema> {
        Ok(table)
    }

    /// Questions about rows before they are moved.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the connector can't look into its data.
    async fn inspector(&self) -> Result<Box<dyn Inspector>> {
        Err(ConnectorError::new(ErrorKind::Unsupported, self.name(), "its data can't be looked into"))
    }

    /// Begins to read the log. The first record is the first change after `start.position`.
    async fn log_reader(&self, start: LogStart) -> Result<Box<dyn LogReader>>;
}

/// A database that rows and changes are written to. As [`Source`] in every other respect.
#[async_trait]
pub trait Target: Send + Sync {
    fn name(&self) -> &str;

    async fn catalog(&self) -> Result<Box<dyn Catalog>>;

    /// Finds out by trying what the server doesn't tell: makes a scratch schema, tries, and drops it again.
    /// Empty where the user may not make a schema; then the version decides.
    async fn try_abilities(&self) -> Result<Abilities> {
        Ok(Abilities::default())
    }

    /// Reads back what was written, for verification and diagnosis.
    async fn snapshot_reader(&self) -> Result<Box<dyn SnapshotReader>>;

    /// A scratch table for keys: makes the schema of `plan.target`, and in it the table by `create`.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the connector can't try keys; whatever the server refuses.
    async fn key_trial(&self, plan: TablePlan, _create: &str) -> Result<Box<dyn KeyTrial>> {
        let object = format!("{}, table {}", self.name(), plan.target.name);
        Err(ConnectorError::new(ErrorKind::Unsupported, object, "keys can't be tried there"))
    }

    /// A writer for one task. `task` names its rows in the state table; `epoch` fences off older processes
    /// of the same task (see [`Writer::state_put`]).
    async fn writer(&self, task: &str, epoch: u64) -> Result<Box<dyn Writer>>;

    /// Creates the state table where it isn't there, takes over the task (its epoch becomes one more than
    /// the last) and returns the new epoch. Writers of older epochs can't commit state from then on.
    async fn take_over(&self, task: &str) -> Result<u64>;

    /// Removes a task and all its state, where its owner is still of this epoch. Its writers can't commit state any
    /// more; one that has a transaction open is waited for.
    ///
    /// # Errors
    /// [`ErrorKind::Fenced`] where another process has taken over. [`ErrorKind::Unsupported`] where the connector can't.
    async fn forget(&self, task: &str, _epoch: u64) -> Result<()> {
        let object = format!("{}, task {task}", self.name());
        Err(ConnectorError::new(ErrorKind::Unsupported, object, "tasks can't be forgotten there"))
    }

    /// The statement that makes one row of the target what the source has, for people to read and run.
    ///
    /// `wanted` is the source's row (in the plan's source layout), `found` the target's (in the layout of
    /// `target`); one of them may be missing, not both. The statement names the row by its key (a keyless
    /// table: by all columns) and carries the whole row that it expects to find, so that it changes nothing
    /// where the row has changed since.
    ///
    /// # Errors
    /// A value that can't be written as SQL (text that isn't valid in its charset).
    fn correction(
        &self,
        plan: &TablePlan,
        target: &TableVersion,
        wanted: Option<RowRef<'_>>,
        found: Option<RowRef<'_>>,
    ) -> Result<Correction>;

    /// What a session has to be told before it runs corrections: whole statements, each ended by a semicolon and a
    /// line's end. Empty where nothing is needed.
    fn correction_preamble(&self) -> &'static str {
        ""
    }
}

/// A correction and what takes it back. Both end without a semicolon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    pub statement: String,
    pub undo: String,
}

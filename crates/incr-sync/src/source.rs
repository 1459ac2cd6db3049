//! Where changes come from, and where they go.

use async_trait::async_trait;
use whimbrel_connector::Result;
use whimbrel_model::{Ddl, LogRecord, TableName};

/// A log that can be read again: the Store's reader, or a test's list.
///
/// - Records come in the order and with the contract of [`whimbrel_connector::LogReader`]; their numbers grow.
/// - One call at a time.
/// - After a retryable error the next call goes on where it was.
#[async_trait]
pub trait ChangeSource: Send {
    /// The next record with its number; waits where there is none yet. May be dropped at any await: the record
    /// is given by the following call.
    async fn next(&mut self) -> Result<(u64, LogRecord)>;

    /// Goes on with the first record after `after`; `None` is the first record of the task. Called at the start
    /// of a run with the checkpoint, and when changes have to be read again.
    async fn seek(&mut self, after: Option<u64>) -> Result<()>;

    /// Everything up to `sequence` is committed at the target and won't be asked for again.
    async fn acknowledge(&mut self, sequence: u64) -> Result<()>;
}

/// Filters and renames.
pub trait Router: Send + Sync {
    /// The target of a source table; `None` where its changes aren't wanted.
    fn target(&self, source: &TableName) -> Option<TableName>;

    /// True where other source tables have the same target, now or later.
    fn merges(&self, _: &TableName) -> bool {
        false
    }

    /// Schemas of the target that [`Router::target`] may name, as far as they are known. Their foreign keys are
    /// read before the first change is applied.
    fn target_schemas(&self) -> Vec<String>;
}

/// One statement of a DDL at the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DdlStep {
    /// The table that it is about, as the target calls it.
    pub table: TableName,
    pub default_schema: String,
    pub sql: String,
    /// All rows of the table are gone afterwards (TRUNCATE, DROP).
    pub clears_rows: bool,
    /// Other source tables have the same target, so the step may have come with one of them.
    pub merged: bool,
}

/// What is done about a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DdlPolicy {
    /// It is carried over.
    Apply,
    /// It is carried over without some of its clauses; [`DdlConverter::convert`] knows which.
    Partly,
    /// It is left out, and the task goes on without it.
    Skip,
    /// The task stops at it.
    Stop,
    /// It is parked until a person decides.
    Ask,
}

/// Converts DDL of the source to DDL of the target.
#[async_trait]
pub trait DdlConverter: Send + Sync {
    /// What the user wants done about a statement. Asked before it is converted.
    ///
    /// # Errors
    /// A statement that can't be read.
    fn policy(&self, _: &Ddl) -> Result<DdlPolicy> {
        Ok(DdlPolicy::Apply)
    }

    /// What to run at the target, in order; nothing where the statement touches no migrated table.
    ///
    /// # Errors
    /// [`whimbrel_connector::ErrorKind::UnsupportedStatement`] where it can't be carried over.
    async fn convert(&self, ddl: &Ddl) -> Result<Vec<DdlStep>>;

    /// Columns that a statement drops at a target that several source tables share: the other tables may have them a
    /// while longer, and their rows are written without.
    fn dropped_columns(&self, _: &Ddl) -> Vec<(TableName, String)> {
        Vec::new()
    }

    /// True where the target is as `step` leaves it, so that it must not run again. Asked where the step may
    /// have run already: after a crash, and while the schema may be newer than the log. False for steps that
    /// may be repeated.
    async fn already_applied(&self, step: &DdlStep) -> Result<bool>;
}

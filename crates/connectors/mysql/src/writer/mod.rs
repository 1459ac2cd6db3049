//! Writing rows, changes, structures and state into a target: [`MysqlWriter`], the connector's `Writer`.
//!
//! Statements are text, formatted from the batch into one reused buffer. What a value looks like is in
//! [`crate::sql::literal`]; how an insert mode is done in `insert.rs`, and how rows are loaded as a file in `load.rs`;
//! transactions and round trips in `session.rs`; the state tables and their fence in `state.rs`; DDL behind that fence, and
//! what is left of it when connections break, in `ddl.rs`.
//!
//! What it guarantees: the target changes no value silently (strict mode, UTC, no numbers made up for zero); a
//! failed call leaves an open transaction as it was; an upsert never touches a row with another row key.
//!
//! What it does not do: choose batch sizes beyond the server's limits, retry, or convert types: the target's columns
//! must be able to hold the source's values.

mod change;
mod ddl;
mod fetch;
mod insert;
mod load;
mod pressure;
pub(crate) mod rows;
mod session;
mod state;

use async_trait::async_trait;
use whimbrel_connector::{
    ConnectorError, ErrorKind, InsertMode, Pressure, Result, StateEntry, StateKey, TablePlan, Writer,
};
use whimbrel_model::{RowBatch, RowRef};

use crate::sql::keys::ListForm;
use crate::sql::session::finds_row_lists;
use crate::wire::{ConnectOptions, WireError};

use pressure::Gauges;
use session::Session;
pub use state::{forget, take_over};

/// Writes to a MySQL, MariaDB or OceanBase server for one task. The contract is the trait's.
#[derive(Debug)]
pub struct MysqlWriter {
    session: Session,
    task: String,
    epoch: u64,
    /// This writer's row in the owner table.
    lane: u64,
    gauges: Gauges,
}

impl MysqlWriter {
    /// Connects and enters a lane of the task. `endpoint` names the server in errors, without password.
    ///
    /// # Errors
    /// [`ErrorKind::Fenced`] where the task's epoch isn't `epoch` any more.
    pub async fn connect(options: ConnectOptions, endpoint: &str, task: &str, epoch: u64) -> Result<Self> {
        let mut session = Session::connect(options, endpoint).await?;
        let lane = loop {
            // 0 is the task's own row.
            match getrandom::u64() {
                Ok(0) => {}
                Ok(lane) => break lane,
                Err(error) => {
                    return Err(ConnectorError::new(ErrorKind::Other, endpoint, "drawing a random number")
                        .with_source(error.to_string()));
                }
            }
        };
        state::enter_lane(&mut session, task, epoch, lane).await?;
        Ok(Self { session, task: task.to_owned(), epoch, lane, gauges: Gauges::new() })
    }

    fn list_form(&self) -> ListForm {
        if finds_row_lists(&self.session.version) { ListForm::Rows } else { ListForm::Conditions }
    }
}

#[async_trait]
impl Writer for MysqlWriter {
    async fn begin(&mut self) -> Result<()> {
        self.session.begin()
    }

    async fn commit(&mut self) -> Result<()> {
        self.session.commit().await
    }

    async fn rollback(&mut self) -> Result<()> {
        self.session.rollback().await
    }

    async fn insert(&mut self, plan: &TablePlan, rows: &[RowRef<'_>], mode: InsertMode) -> Result<u64> {
        self.insert_rows(plan, rows, mode).await
    }

    fn rows_at_once(&self, plan: &TablePlan, mode: InsertMode) -> usize {
        if mode == InsertMode::Plain && self.loads(plan) { load::ROWS } else { insert::ROWS }
    }

    async fn delete(&mut self, plan: &TablePlan, rows: &[RowRef<'_>]) -> Result<u64> {
        self.delete_rows(plan, rows).await
    }

    async fn update(&mut self, plan: &TablePlan, before: RowRef<'_>, after: RowRef<'_>) -> Result<u64> {
        self.update_row(plan, before, after).await
    }

    async fn fetch(&mut self, plan: &TablePlan, rows: &[RowRef<'_>]) -> Result<RowBatch> {
        self.fetch_rows(plan, rows).await
    }

    async fn fetch_by_unique_key(
        &mut self,
        plan: &TablePlan,
        key: &str,
        row: RowRef<'_>,
    ) -> Result<RowBatch> {
        self.fetch_clashing(plan, key, row).await
    }

    async fn execute(&mut self, default_schema: &str, sql: &str) -> Result<u64> {
        self.session.use_schema(default_schema).await?;
        self.session.start();
        self.session.sql.extend_from_slice(sql.as_bytes());
        let results = self.session.run("running a statement", default_schema).await?;
        Ok(results.iter().map(|result| result.affected_rows).sum())
    }

    async fn execute_ddl(&mut self, default_schema: &str, sql: &str) -> Result<()> {
        self.outside_transaction("running DDL")?;
        self.session.use_schema(default_schema).await?;
        self.run_ddl(default_schema, sql).await
    }

    async fn execute_ddl_with(&mut self, default_schema: &str, settings: &[String], sql: &str) -> Result<()> {
        if settings.is_empty() {
            return self.execute_ddl(default_schema, sql).await;
        }
        self.outside_transaction("running DDL")?;
        self.session.use_schema(default_schema).await?;
        let outcome = self.run_with_settings(default_schema, settings, sql).await;
        // No statement puts a session back as it was; the next call opens another one.
        self.session.forget_connection();
        outcome
    }

    async fn truncate(&mut self, plan: &TablePlan) -> Result<()> {
        self.truncate_table(plan).await
    }

    async fn set_foreign_key_checks(&mut self, on: bool) -> Result<()> {
        self.session.set_foreign_key_checks(on).await
    }

    async fn state_put(&mut self, key: &StateKey, payload: &[u8]) -> Result<()> {
        self.put(key, payload).await
    }

    async fn state_delete(&mut self, key: &StateKey) -> Result<()> {
        self.delete_state(key).await
    }

    async fn state_get(&mut self, key: &StateKey) -> Result<Option<Vec<u8>>> {
        self.get_state(key).await
    }

    async fn state_list(&mut self, kind: &str, prefix: &[u8]) -> Result<Vec<StateEntry>> {
        self.list_state(kind, prefix).await
    }

    async fn pressure(&mut self) -> Result<Pressure> {
        self.ask_pressure().await
    }
}

/// True where the error comes from one of these refusals of the server.
fn has_server_code(error: &ConnectorError, codes: &[u16]) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(code) = error.downcast_ref::<WireError>().and_then(WireError::server_code) {
            return codes.contains(&code);
        }
        cause = error.source();
    }
    false
}

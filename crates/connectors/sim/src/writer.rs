//! [`Writer`] in memory.

use async_trait::async_trait;
use whimbrel_connector::{
    ConnectorError, ErrorKind, InsertMode, Mutation, Pressure, Result, StateEntry, StateKey, TablePlan,
    Writer,
};
use whimbrel_model::{RowBatch, RowRef};

use crate::locks::{Mode, Token};
use crate::session::{Open, ROW_PATIENCE, SimSession};
use crate::{parse, rows, sql};

pub(crate) struct SimWriter {
    pub session: SimSession,
    pub task: String,
    pub epoch: u64,
}

/// The state table's limit.
const LONGEST_ITEM: usize = 400;

impl SimWriter {
    fn outside_only(&self, what: &str) -> Result<()> {
        if self.session.in_transaction() {
            let message = format!("{what} isn't done within a transaction");
            return Err(ConnectorError::new(ErrorKind::Other, &self.session.server.name, message));
        }
        Ok(())
    }

    async fn write_state(&mut self, key: &StateKey, payload: Option<&[u8]>) -> Result<()> {
        if key.item.len() > LONGEST_ITEM {
            return Err(ConnectorError::new(ErrorKind::TooLarge, "state", "the item is too long"));
        }
        let bytes = payload.map(<[u8]>::len);
        let call = format!("{} {} {bytes:?}", key.kind, key.item.escape_ascii());
        let statement = self.session.start("state_put", call).await?;
        let done = self.put(statement.id(), key, payload).await;
        self.session.end(statement, done).await
    }

    /// The task stays this writer's until the transaction ends.
    async fn stay_owner(&self, id: u64, unless: Mutation) -> Result<()> {
        let server = &self.session.server;
        server.lock(id, &Token::Epoch(self.task.clone()), Mode::Shared, ROW_PATIENCE).await?;
        if server.db().epochs.get(&self.task) == Some(&self.epoch) || unless.active() {
            return Ok(());
        }
        Err(ConnectorError::new(ErrorKind::Fenced, &self.task, "another process has taken over"))
    }

    /// The transaction of a statement that changes structures.
    async fn begin_ddl(&self) -> Result<Open> {
        let open = Open::begin(&self.session.server);
        self.stay_owner(open.id, Mutation::UnfencedDdl).await?;
        Ok(open)
    }

    async fn put(&self, id: u64, key: &StateKey, payload: Option<&[u8]>) -> Result<()> {
        let server = &self.session.server;
        self.stay_owner(id, Mutation::SkipEpochCheck).await?;
        let token = Token::State(self.task.clone(), key.clone());
        server.lock(id, &token, Mode::Exclusive, ROW_PATIENCE).await?;
        let mut db = server.db();
        let entry = (self.task.clone(), key.clone());
        db.transaction(id)?.put_state(entry, payload.map(<[u8]>::to_vec));
        Ok(())
    }
}

#[async_trait]
impl Writer for SimWriter {
    async fn begin(&mut self) -> Result<()> {
        self.session.begin().await
    }

    async fn commit(&mut self) -> Result<()> {
        self.session.commit().await
    }

    async fn rollback(&mut self) -> Result<()> {
        self.session.rollback().await
    }

    async fn insert(&mut self, plan: &TablePlan, rows: &[RowRef<'_>], mode: InsertMode) -> Result<u64> {
        let call = format!("{} {mode:?} {rows:?}", plan.target.name);
        let statement = self.session.start("insert", call).await?;
        let done = rows::insert(&self.session.server, statement.id(), plan, rows, mode).await;
        self.session.end(statement, done).await
    }

    async fn delete(&mut self, plan: &TablePlan, rows: &[RowRef<'_>]) -> Result<u64> {
        let call = format!("{} {rows:?}", plan.target.name);
        let statement = self.session.start("delete", call).await?;
        let done = rows::delete(&self.session.server, statement.id(), plan, rows).await;
        self.session.end(statement, done).await
    }

    async fn update(&mut self, plan: &TablePlan, before: RowRef<'_>, after: RowRef<'_>) -> Result<u64> {
        let call = format!("{} {before:?} {after:?}", plan.target.name);
        let statement = self.session.start("update", call).await?;
        let done = rows::update(&self.session.server, statement.id(), plan, before, after).await;
        self.session.end(statement, done).await
    }

    async fn fetch(&mut self, plan: &TablePlan, rows: &[RowRef<'_>]) -> Result<RowBatch> {
        let call = format!("{} {}", plan.target.name, rows.len());
        let statement = self.session.start("fetch", call).await?;
        let done = rows::fetch(&self.session.server, statement.id(), plan, rows);
        self.session.end(statement, done).await
    }

    async fn fetch_by_unique_key(
        &mut self,
        plan: &TablePlan,
        key: &str,
        row: RowRef<'_>,
    ) -> Result<RowBatch> {
        let call = format!("{} {key} {row:?}", plan.target.name);
        let statement = self.session.start("fetch_by_unique_key", call).await?;
        let done = rows::fetch_by_unique_key(&self.session.server, statement.id(), plan, key, row);
        self.session.end(statement, done).await
    }

    async fn execute(&mut self, default_schema: &str, sql: &str) -> Result<u64> {
        self.session.run(default_schema, sql).await
    }

    async fn execute_ddl(&mut self, default_schema: &str, sql: &str) -> Result<()> {
        self.outside_only("changing a structure")?;
        let statement = parse::statement(default_schema, sql)?;
        let server = self.session.server.clone();
        let after = server.enter("ddl", sql.to_owned()).await?;
        let open = self.begin_ddl().await?;
        sql::change_structure(&server, open.id, (default_schema, sql), &statement).await?;
        drop(open);
        server.leave(after).await
    }

    async fn execute_ddl_with(&mut self, default_schema: &str, _: &[String], sql: &str) -> Result<()> {
        self.execute_ddl(default_schema, sql).await
    }

    async fn truncate(&mut self, plan: &TablePlan) -> Result<()> {
        self.outside_only("emptying a table")?;
        let server = self.session.server.clone();
        let after = server.enter("truncate", format!("{}", plan.target.name)).await?;
        let open = self.begin_ddl().await?;
        rows::truncate(&server, open.id, &plan.target.name).await?;
        drop(open);
        server.leave(after).await
    }

    async fn set_foreign_key_checks(&mut self, _: bool) -> Result<()> {
        // There are no foreign keys.
        Ok(())
    }

    async fn state_put(&mut self, key: &StateKey, payload: &[u8]) -> Result<()> {
        self.write_state(key, Some(payload)).await
    }

    async fn state_delete(&mut self, key: &StateKey) -> Result<()> {
        self.write_state(key, None).await
    }

    async fn state_get(&mut self, key: &StateKey) -> Result<Option<Vec<u8>>> {
        let call = format!("{} {}", key.kind, key.item.escape_ascii());
        let statement = self.session.start("state_get", call).await?;
        let entry = (self.task.clone(), key.clone());
        let found = self.session.server.db().entry(Some(statement.id()), &entry);
        self.session.end(statement, Ok(found)).await
    }

    async fn state_list(&mut self, kind: &str, prefix: &[u8]) -> Result<Vec<StateEntry>> {
        let call = format!("{kind} {}", prefix.escape_ascii());
        let statement = self.session.start("state_list", call).await?;
        let found = self.session.server.db().entries(Some(statement.id()), &self.task, kind, prefix);
        let entries = found.into_iter().map(|(key, payload)| StateEntry { key, payload }).collect();
        self.session.end(statement, Ok(entries)).await
    }

    async fn pressure(&mut self) -> Result<Pressure> {
        Ok(Pressure::default())
    }
}

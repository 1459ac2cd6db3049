//! Faults of a target, as data: a writer that fails at a given call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use whimbrel_connector::{
    ConnectorError, ErrorKind, InsertMode, Pressure, Result, StateEntry, StateKey, TablePlan, Writer,
};
use whimbrel_model::{RowBatch, RowRef};

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process dies: nothing more is sent by anybody.
    Crash,
    /// The connection is cut before the call reaches the server.
    Cut,
    /// A commit happens and its answer is lost.
    LostAnswer,
    /// The server gives up the transaction.
    Conflict,
}

/// Faults by the number of the call, counted over all writers of a scene.
#[derive(Debug, Default)]
pub struct Faults {
    calls: AtomicU64,
    planned: Mutex<Vec<(u64, Fault)>>,
    abort: Mutex<CancellationToken>,
    stall: Mutex<Option<(&'static str, Arc<Stall>)>>,
}

/// A process that does nothing for a while.
#[derive(Debug, Default)]
pub struct Stall {
    pub reached: Notify,
    pub ended: Notify,
}

impl Faults {
    /// Plans faults for the next run, which is ended by `abort` at a crash.
    pub fn plan(&self, planned: Vec<(u64, Fault)>, abort: &CancellationToken) {
        self.calls.store(0, Ordering::SeqCst);
        *self.planned.lock().unwrap() = planned;
        *self.abort.lock().unwrap() = abort.clone();
    }

    /// Whoever comes first to DDL that begins like this stalls before it.
    pub fn stall_before(&self, sql: &'static str) -> Arc<Stall> {
        let stall = Arc::new(Stall::default());
        *self.stall.lock().unwrap() = Some((sql, stall.clone()));
        stall
    }

    async fn stall(&self, sql: &str) {
        let stall = self.stall.lock().unwrap().take_if(|(begins, _)| sql.starts_with(*begins));
        if let Some((_, stall)) = stall {
            stall.reached.notify_one();
            stall.ended.notified().await;
        }
    }

    /// Which fault this call has; a crash never returns.
    async fn next(&self) -> Option<Fault> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let fault = {
            let planned = self.planned.lock().unwrap();
            let crash = planned.iter().find(|(at, fault)| *fault == Fault::Crash && *at <= call);
            crash.or(planned.iter().find(|(at, _)| *at == call)).map(|(_, fault)| *fault)
        };
        if fault == Some(Fault::Crash) {
            self.abort.lock().unwrap().cancel();
            std::future::pending::<()>().await;
        }
        fault
    }
}

pub struct FaultyWriter {
    inner: Box<dyn Writer>,
    faults: Arc<Faults>,
    open: bool,
}

impl FaultyWriter {
    pub fn new(inner: Box<dyn Writer>, faults: Arc<Faults>) -> Self {
        Self { inner, faults, open: false }
    }

    async fn fault(&mut self) -> Result<()> {
        let kind = match self.faults.next().await {
            None | Some(Fault::LostAnswer | Fault::Crash) => return Ok(()),
            Some(Fault::Cut) => ErrorKind::ConnectionLost,
            Some(Fault::Conflict) if self.open => ErrorKind::TransactionConflict,
            Some(Fault::Conflict) => return Ok(()),
        };
        self.inner.rollback().await?;
        self.open = false;
        Err(ConnectorError::new(kind, "target", "a planned fault"))
    }
}

#[async_trait]
impl Writer for FaultyWriter {
    async fn begin(&mut self) -> Result<()> {
        self.fault().await?;
        self.inner.begin().await?;
        self.open = true;
        Ok(())
    }

    async fn commit(&mut self) -> Result<()> {
        let lost = match self.faults.next().await {
            Some(Fault::LostAnswer) => true,
            Some(Fault::Cut) => {
                self.inner.rollback().await?;
                self.open = false;
                return Err(ConnectorError::new(
                    ErrorKind::ConnectionLost,
                    "target",
                    "cut before the commit",
                ));
            }
            _ => false,
        };
        self.open = false;
        self.inner.commit().await?;
        if lost {
            return Err(ConnectorError::new(ErrorKind::ConnectionLost, "target", "the answer was lost"));
        }
        Ok(())
    }

    async fn rollback(&mut self) -> Result<()> {
        self.open = false;
        self.inner.rollback().await
    }

    async fn insert(&mut self, plan: &TablePlan, rows: &[RowRef<'_>], mode: InsertMode) -> Result<u64> {
        self.fault().await?;
        self.inner.insert(plan, rows, mode).await
    }

    async fn delete(&mut self, plan: &TablePlan, rows: &[RowRef<'_>]) -> Result<u64> {
        self.fault().await?;
        self.inner.delete(plan, rows).await
    }

    async fn update(&mut self, plan: &TablePlan, before: RowRef<'_>, after: RowRef<'_>) -> Result<u64> {
        self.fault().await?;
        self.inner.update(plan, before, after).await
    }

    async fn fetch(&mut self, plan: &TablePlan, rows: &[RowRef<'_>]) -> Result<RowBatch> {
        self.fault().await?;
        self.inner.fetch(plan, rows).await
    }

    async fn fetch_by_unique_key(
        &mut self,
        plan: &TablePlan,
        key: &str,
        row: RowRef<'_>,
    ) -> Result<RowBatch> {
        self.fault().await?;
        self.inner.fetch_by_unique_key(plan, key, row).await
    }

    async fn execute(&mut self, default_schema: &str, sql: &str) -> Result<u64> {
        self.fault().await?;
        self.inner.execute(default_schema, sql).await
    }

    async fn execute_ddl(&mut self, default_schema: &str, sql: &str) -> Result<()> {
        self.fault().await?;
        self.faults.stall(sql).await;
        self.inner.execute_ddl(default_schema, sql).await?;
        // The statement has happened; a crash may come before anybody has noted it.
        self.fault().await
    }

    async fn execute_ddl_with(&mut self, default_schema: &str, settings: &[String], sql: &str) -> Result<()> {
        self.inner.execute_ddl_with(default_schema, settings, sql).await
    }

    async fn truncate(&mut self, plan: &TablePlan) -> Result<()> {
        self.fault().await?;
        self.inner.truncate(plan).await
    }

    async fn set_foreign_key_checks(&mut self, on: bool) -> Result<()> {
        self.inner.set_foreign_key_checks(on).await
    }

    async fn state_put(&mut self, key: &StateKey, payload: &[u8]) -> Result<()> {
        self.fault().await?;
        self.inner.state_put(key, payload).await
    }

    async fn state_delete(&mut self, key: &StateKey) -> Result<()> {
        self.fault().await?;
        self.inner.state_delete(key).await
    }

    async fn state_get(&mut self, key: &StateKey) -> Result<Option<Vec<u8>>> {
        self.inner.state_get(key).await
    }

    async fn state_list(&mut self, kind: &str, prefix: &[u8]) -> Result<Vec<StateEntry>> {
        self.inner.state_list(kind, prefix).await
    }

    async fn pressure(&mut self) -> Result<Pressure> {
        self.inner.pressure().await
    }
}

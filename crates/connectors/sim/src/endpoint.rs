//! A simulated server as source and as target.

use std::sync::Arc;

use async_trait::async_trait;
use whimbrel_connector::{
    Catalog, ConnectorError, Correction, ErrorKind, LogReader, LogStart, Result, SnapshotReader, Source,
    TablePlan, Target, Writer,
};
use whimbrel_model::{RowRef, TableVersion};

use crate::catalog::SimCatalog;
use crate::locks::{Mode, Token};
use crate::log_reader::SimLogReader;
use crate::server::SimServer;
use crate::session::{Open, SimSession, TAKE_OVER_PATIENCE};
use crate::snapshot::SimSnapshotReader;
use crate::writer::SimWriter;

/// A server, seen through the seams.
#[derive(Clone, Debug)]
pub struct SimEndpoint(pub Arc<SimServer>);

#[async_trait]
impl Source for SimEndpoint {
    fn name(&self) -> &str {
        &self.0.name
    }

    async fn catalog(&self) -> Result<Box<dyn Catalog>> {
        let after = self.0.enter("catalog", String::new()).await?;
        self.0.leave(after).await?;
        Ok(Box::new(SimCatalog(self.0.clone())))
    }

    async fn snapshot_reader(&self) -> Result<Box<dyn SnapshotReader>> {
        let after = self.0.enter("snapshot_reader", String::new()).await?;
        self.0.leave(after).await?;
        Ok(Box::new(SimSnapshotReader::new(self.0.clone())))
    }

    async fn log_reader(&self, start: LogStart) -> Result<Box<dyn LogReader>> {
        let after = self.0.enter("log_reader", format!("{}", start.position)).await?;
        let reader = SimLogReader::new(self.0.clone(), start)?;
        self.0.leave(after).await?;
        Ok(Box::new(reader))
    }
}

#[async_trait]
impl Target for SimEndpoint {
    fn name(&self) -> &str {
        &self.0.name
    }

    async fn catalog(&self) -> Result<Box<dyn Catalog>> {
        Source::catalog(self).await
    }

    async fn snapshot_reader(&self) -> Result<Box<dyn SnapshotReader>> {
        Source::snapshot_reader(self).await
    }

    async fn writer(&self, task: &str, epoch: u64) -> Result<Box<dyn Writer>> {
        let after = self.0.enter("writer", format!("{task} {epoch}")).await?;
        if self.0.db().epochs.get(task) != Some(&epoch) {
            return Err(ConnectorError::new(ErrorKind::Fenced, task, "another process has taken over"));
        }
        self.0.leave(after).await?;
        Ok(Box::new(SimWriter { session: SimSession::new(self.0.clone()), task: task.to_owned(), epoch }))
    }

    async fn take_over(&self, task: &str) -> Result<u64> {
        let after = self.0.enter("take_over", task.to_owned()).await?;
        let epoch = {
            let open = Open::begin(&self.0);
            let token = Token::Epoch(task.to_owned());
            self.0.lock(open.id, &token, Mode::Exclusive, TAKE_OVER_PATIENCE).await?;
            let mut db = self.0.db();
            let epoch = db.epochs.entry(task.to_owned()).or_default();
            *epoch += 1;
            *epoch
        };
        self.0.leave(after).await?;
        Ok(epoch)
    }

    async fn forget(&self, task: &str, epoch: u64) -> Result<()> {
        let after = self.0.enter("forget", format!("{task} {epoch}")).await?;
        {
            let open = Open::begin(&self.0);
            let token = Token::Epoch(task.to_owned());
            self.0.lock(open.id, &token, Mode::Exclusive, TAKE_OVER_PATIENCE).await?;
            let mut db = self.0.db();
            if db.epochs.get(task) != Some(&epoch) {
                return Err(ConnectorError::new(ErrorKind::Fenced, task, "another process has taken over"));
            }
            db.epochs.remove(task);
            db.state.retain(|(owner, _), _| owner != task);
        }
        self.0.leave(after).await
    }

    fn correction(
        &self,
        plan: &TablePlan,
        _: &TableVersion,
        wanted: Option<RowRef<'_>>,
        found: Option<RowRef<'_>>,
    ) -> Result<Correction> {
        // For people who read what a simulation found; nothing runs it.
        let words = |from: Option<RowRef<'_>>, to: Option<RowRef<'_>>| {
            let shown = |row: Option<RowRef<'_>>| row.map_or("nothing".to_owned(), |row| format!("{row:?}"));
            format!("in {} replace {} by {}", plan.target.name, shown(from), shown(to))
        };
        Ok(Correction { statement: words(found, wanted), undo: words(wanted, found) })
    }
}

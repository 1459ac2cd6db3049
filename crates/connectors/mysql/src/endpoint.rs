//! One server as source and target: hands out the connector's parts, each with a connection of its own.

use async_trait::async_trait;
use whimbrel_connector::endpoint::Correction;
use whimbrel_connector::{
    Abilities, Catalog, Inspector, KeyTrial, LogReader, LogStart, Result, SnapshotReader, Source, TablePlan,
    Target, Writer,
};
use whimbrel_model::{RowRef, TableVersion};

use crate::catalog::MysqlCatalog;
use crate::correction;
use crate::inspect::{MysqlInspector, MysqlKeyTrial};
use crate::log::{BinlogReader, ReaderConfig};
use crate::snapshot::MysqlSnapshotReader;
use crate::wire::ConnectOptions;
use crate::writer::{self, MysqlWriter};

/// A MySQL, MariaDB or OceanBase server. Which of them it is, each part finds out by asking.
#[derive(Debug)]
pub struct MysqlEndpoint {
    options: ConnectOptions,
    /// Scheme, user, host and port.
    name: String,
}

impl MysqlEndpoint {
    /// Connects to nothing yet.
    pub fn new(options: ConnectOptions) -> Self {
        let name = options.to_string();
        Self { options, name }
    }

    pub fn options(&self) -> &ConnectOptions {
        &self.options
    }

    /// The endpoint for people, without password; the same as both traits' `name`.
    pub fn label(&self) -> &str {
        &self.name
    }

    async fn open_catalog(&self) -> Result<Box<dyn Catalog>> {
        Ok(Box::new(MysqlCatalog::connect(&self.options).await?))
    }

    async fn open_snapshot_reader(&self) -> Result<Box<dyn SnapshotReader>> {
        Ok(Box::new(MysqlSnapshotReader::connect(self.options.clone(), &self.name).await?))
    }
}

#[async_trait]
impl Source for MysqlEndpoint {
    fn name(&self) -> &str {
        &self.name
    }

    async fn catalog(&self) -> Result<Box<dyn Catalog>> {
        self.open_catalog().await
    }

    async fn snapshot_reader(&self) -> Result<Box<dyn SnapshotReader>> {
        self.open_snapshot_reader().await
    }

    async fn inspector(&self) -> Result<Box<dyn Inspector>> {
        Ok(Box::new(MysqlInspector::connect(&self.options, &self.name).await?))
    }

    async fn log_reader(&self, start: LogStart) -> Result<Box<dyn LogReader>> {
        let config = ReaderConfig::new(self.options.clone());
        Ok(Box::new(BinlogReader::open(config, start).await?))
    }
}

#[async_trait]
impl Target for MysqlEndpoint {
    fn name(&self) -> &str {
        &self.name
    }

    async fn catalog(&self) -> Result<Box<dyn Catalog>> {
        self.open_catalog().await
    }

    async fn try_abilities(&self) -> Result<Abilities> {
        MysqlCatalog::connect(&self.options).await?.try_abilities().await
    }

    async fn snapshot_reader(&self) -> Result<Box<dyn SnapshotReader>> {
        self.open_snapshot_reader().await
    }

    async fn key_trial(&self, plan: TablePlan, create: &str) -> Result<Box<dyn KeyTrial>> {
        Ok(Box::new(MysqlKeyTrial::begin(&self.options, &self.name, plan, create).await?))
    }

    async fn writer(&self, task: &str, epoch: u64) -> Result<Box<dyn Writer>> {
        Ok(Box::new(MysqlWriter::connect(self.options.clone(), &self.name, task, epoch).await?))
    }

    async fn take_over(&self, task: &str) -> Result<u64> {
        writer::take_over(&self.options, &self.name, task).await
    }

    async fn forget(&self, task: &str, epoch: u64) -> Result<()> {
        writer::forget(&self.options, &self.name, task, epoch).await
    }

    fn correction(
        &self,
        plan: &TablePlan,
        target: &TableVersion,
        wanted: Option<RowRef<'_>>,
        found: Option<RowRef<'_>>,
    ) -> Result<Correction> {
        correction::correction(plan, target, wanted, found)
    }

    fn correction_preamble(&self) -> &'static str {
        correction::PREAMBLE
    }
}

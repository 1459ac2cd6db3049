//! A target server, and a database in it for one test.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use whimbrel_connector::endpoint::Correction;
use whimbrel_connector::{
    Catalog, ConnectorError, ErrorKind, Result, SnapshotReader, TablePlan, Target, Writer,
};
use whimbrel_connector_mysql::catalog::MysqlCatalog;
use whimbrel_connector_mysql::wire::{ConnectOptions, Connection};
use whimbrel_connector_mysql::writer::{MysqlWriter, take_over};
use whimbrel_model::{RowRef, TableName, TableSchema, TableVersion};

use crate::faults::{Faults, FaultyWriter};

/// Both kinds of target; every test runs on each.
pub const TARGETS: [&str; 2] = ["seekdb", "mysql97"];

/// The administrator's account of a server.
pub fn options(server: &str) -> ConnectOptions {
    let name = format!("WHIMBREL_{}_ROOT_URL", server.to_uppercase());
    let url = std::env::var(&name).unwrap_or_else(|_| ask(server, &name));
    url.parse().unwrap_or_else(|error| panic!("start the server with: dev/servers up {server} ({error})"))
}

fn ask(server: &str, name: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dev/servers");
    let output = Command::new(&script).args(["env", server]).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {}: {error}", script.display()));
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
    let found = lines.find(|(variable, _)| *variable == name);
    found.map(|(_, value)| value.trim_matches(['\'', '"']).to_owned()).unwrap_or_default()
}

/// A database of one test, and a task.
pub struct Scene {
    pub schema: String,
    pub task: String,
    pub faults: Arc<Faults>,
    options: ConnectOptions,
    sql: Connection,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl Scene {
    /// Creates the database anew, with tables.
    pub async fn new(server: &str, name: &str, tables: &[&str]) -> Self {
        let schema = format!("incr_{name}_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let options = options(server);
        let sql = Connection::connect(&options).await;
        let mut sql =
            sql.unwrap_or_else(|error| panic!("start the server with: dev/servers up {server} ({error})"));
        sql.query_drop(format!("DROP DATABASE IF EXISTS {schema}")).await.unwrap();
        sql.query_drop(format!("CREATE DATABASE {schema}")).await.unwrap();
        sql.query_drop(format!("USE {schema}")).await.unwrap();
        let task = schema.clone();
        let mut scene = Self { schema, task, faults: Arc::default(), options, sql };
        for table in tables {
            scene.execute(table).await;
        }
        scene
    }

    /// One more session, for somebody else's statements.
    pub async fn session(&self) -> Connection {
        Connection::connect(&self.options).await.unwrap()
    }

    pub async fn execute(&mut self, sql: &str) {
        self.sql.query_drop(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The rows of a query, NULL as `~`, cells joined by `|`, sorted.
    pub async fn rows(&mut self, query: &str) -> Vec<String> {
        let result = self.sql.query_rows(query).await.unwrap_or_else(|error| panic!("{query}: {error}"));
        let mut rows: Vec<String> = result
            .rows
            .iter()
            .map(|row| {
                let cells = (0..row.cells().len()).map(|at| row.text(at).unwrap_or("~").to_owned());
                cells.collect::<Vec<_>>().join("|")
            })
            .collect();
        rows.sort();
        rows
    }

    pub fn target(&self) -> Arc<TestTarget> {
        Arc::new(TestTarget { options: self.options.clone(), faults: self.faults.clone() })
    }

    pub async fn writer(&self) -> (Box<dyn Writer>, u64) {
        let target = self.target();
        let epoch = target.take_over(&self.task).await.unwrap();
        (target.writer(&self.task, epoch).await.unwrap(), epoch)
    }

    /// A table as the target has it, as the source's table of the same name.
    pub async fn table(&self, name: &str) -> TableSchema {
        let mut catalog = self.target().catalog().await.unwrap();
        let name = TableName::new(&self.schema, name);
        catalog.table_schemas(&[name]).await.unwrap().remove(0)
    }

    /// Removes the database; only after success, so that a failure can be looked at.
    pub async fn drop(mut self) {
        let schema = self.schema.clone();
        self.execute(&format!("DROP DATABASE {schema}")).await;
        self.execute(&format!("DELETE FROM whimbrel.state WHERE task='{schema}'")).await;
        self.execute(&format!("DELETE FROM whimbrel.owner WHERE task='{schema}'")).await;
        self.sql.close().await;
    }
}

/// A target whose writers can be made to fail.
pub struct TestTarget {
    options: ConnectOptions,
    faults: Arc<Faults>,
}

#[async_trait]
impl Target for TestTarget {
    fn name(&self) -> &str {
        "test target"
    }

    async fn catalog(&self) -> Result<Box<dyn Catalog>> {
        Ok(Box::new(MysqlCatalog::connect(&self.options).await?))
    }

    async fn snapshot_reader(&self) -> Result<Box<dyn SnapshotReader>> {
        Err(ConnectorError::new(ErrorKind::Unsupported, "test target", "nothing here reads snapshots"))
    }

    async fn writer(&self, task: &str, epoch: u64) -> Result<Box<dyn Writer>> {
        let writer = MysqlWriter::connect(self.options.clone(), "test target", task, epoch).await?;
        Ok(Box::new(FaultyWriter::new(Box::new(writer), self.faults.clone())))
    }

    async fn take_over(&self, task: &str) -> Result<u64> {
        take_over(&self.options, "test target", task).await
    }

    fn correction(
        &self,
        _: &TablePlan,
        _: &TableVersion,
        _: Option<RowRef<'_>>,
        _: Option<RowRef<'_>>,
    ) -> Result<Correction> {
        Err(ConnectorError::new(ErrorKind::Unsupported, "test target", "nothing here writes corrections"))
    }
}

//! What every test with a running server needs: a database of its own, a reader on it, and comparison with SELECT.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use whimbrel_connector::{Catalog, ConnectorError, LogReader, LogStart};
use whimbrel_connector_mysql::catalog::MysqlCatalog;
use whimbrel_connector_mysql::log::{BinlogReader, ReaderConfig};
use whimbrel_connector_mysql::wire::{ConnectOptions, Connection};
use whimbrel_model::{DataType, LogRecord, Position, TableName, TableSchema};

use crate::replay::{Replay, difference};
use crate::server;

/// Longest wait for anything.
const DEADLINE: Duration = Duration::from_secs(240);

/// A database of one test, made anew.
pub struct Place {
    pub server: &'static str,
    pub schema: String,
    pub options: ConnectOptions,
    pub connection: Connection,
}

impl Place {
    pub async fn new(server: &'static str, test: &str) -> Self {
        let options = server::root(server);
        let mut connection = server::connect(server, &options).await;
        let schema = format!("binlog_{test}");
        for sql in [
            format!("DROP DATABASE IF EXISTS {schema}"),
            format!("CREATE DATABASE {schema} CHARACTER SET utf8mb4"),
            format!("USE {schema}"),
        ] {
            connection.query_drop(&sql).await.unwrap();
        }
        if server != "mysql55" {
            connection.query_drop("SET time_zone='+00:00'").await.unwrap();
        }
        Self { server, schema, options, connection }
    }

    pub async fn run(&mut self, sql: &str) {
        if let Err(error) = self.connection.query_drop(sql).await {
            panic!("{}: {sql}: {error}", self.server);
        }
    }

    /// The end of the server's log.
    pub async fn position(&self) -> Position {
        let mut catalog = MysqlCatalog::connect(&self.options).await.unwrap();
        catalog.position_before_reads().await.unwrap()
    }

    pub async fn schema_of(&self, table: &str) -> TableSchema {
        let mut catalog = MysqlCatalog::connect(&self.options).await.unwrap();
        catalog.table_schemas(&[TableName::new(&self.schema, table)]).await.unwrap().remove(0)
    }

    pub fn start(&self, position: Position) -> LogStart {
        let schema = self.schema.clone();
        LogStart {
            position,
            tables: Vec::new(),
            filter: Arc::new(move |name| name.schema == schema),
            next_table_version: 1,
        }
    }

    pub fn config(&self) -> ReaderConfig {
        let mut config = ReaderConfig::new(self.options.clone());
        config.heartbeat = Duration::from_millis(500);
        config
    }

    pub async fn reader(&self, position: Position) -> BinlogReader {
        BinlogReader::open(self.config(), self.start(position)).await.unwrap()
    }

    /// Compares a table of the replay with what SELECT shows now.
    pub async fn compare(&mut self, replay: &Replay, table: &str) {
        let name = TableName::new(&self.schema, table);
        let ours = replay.tables.get(&name).unwrap_or_else(|| panic!("{}: no {name}", self.server));
        let known = self.schema_of(table).await;
        let mut asked = Vec::new();
        let mut columns = Vec::new();
        for column in &known.columns {
            let quoted = format!("`{}`", column.name);
            let (how, expression) = match &column.data_type {
                DataType::Float { .. } | DataType::Double { .. } => ("double", format!("{quoted}*1e0")),
                DataType::Bit { .. } | DataType::Enum { .. } | DataType::Set { .. } => {
                    ("number", format!("{quoted}+0"))
                }
                DataType::Json => ("json", format!("CAST({quoted} AS CHAR)")),
                DataType::Uuid | DataType::Inet4 | DataType::Inet6 => ("text", quoted),
                data_type if matches!(data_type.cell_kind(), whimbrel_model::CellKind::Text) => {
                    ("hex", format!("HEX({quoted})"))
                }
                data_type if data_type.cell_kind() == whimbrel_model::CellKind::Bytes => {
                    ("hex", format!("HEX({quoted})"))
                }
                DataType::Geometry { .. } => ("hex", format!("HEX({quoted})")),
                _ => ("text", quoted),
            };
            asked.push(expression);
            columns.push(json!({ "name": column.name, "as": how }));
        }
        let sql = format!("SELECT {} FROM {}.`{table}`", asked.join(","), self.schema);
        let result = self.connection.query_rows(&sql).await.unwrap();
        let rows: Vec<Json> = result
            .rows
            .iter()
            .map(|row| {
                (0..columns.len()).map(|column| row.text(column).map_or(Json::Null, Json::from)).collect()
            })
            .collect();
        if let Some(failure) = difference(ours, &columns, &rows) {
            panic!("{} {name}: {failure}", self.server);
        }
    }
}

/// The next record, within the deadline.
pub async fn next(reader: &mut BinlogReader) -> Result<LogRecord, ConnectorError> {
    tokio::time::timeout(DEADLINE, reader.next()).await.expect("a record within the deadline")
}

/// Applies records until the reader has passed a position.
pub async fn follow(reader: &mut BinlogReader, replay: &mut Replay, until: &Position) {
    let deadline = Instant::now() + DEADLINE;
    let short_of =
        |at: &whimbrel_model::BinlogPosition| Position::Binlog(at.clone()).has_reached(until) != Some(true);
    while replay.position.as_ref().is_none_or(short_of) {
        assert!(Instant::now() < deadline, "{until} is reached within the deadline");
        let record = next(reader).await.unwrap_or_else(|error| panic!("{}", error.chain()));
        replay.apply(&record);
    }
}

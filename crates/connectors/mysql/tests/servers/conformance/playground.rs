//! A schema of its own at a real server, for one case.

use async_trait::async_trait;
use tokio::sync::Mutex;
use whimbrel_connector::conformance::{OpenTransaction, Playground, Sample};
use whimbrel_connector::{Source, Target};
use whimbrel_connector_mysql::MysqlEndpoint;
use whimbrel_connector_mysql::wire::Connection;

use super::samples;
use crate::server::{connect, root};

/// What a server is, as far as the cases differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Mysql,
    MariaDb,
    OceanBase,
}

pub struct MysqlPlayground {
    kind: Kind,
    schema: String,
    endpoint: MysqlEndpoint,
    connection: Mutex<Connection>,
}

impl MysqlPlayground {
    pub async fn new(server: &str, kind: Kind, case: &str) -> Self {
        let options = root(server);
        let mut connection = connect(server, &options).await;
        let schema = format!("conformance_{case}").chars().take(60).collect::<String>();
        prepare(&mut connection).await;
        for sql in [
            format!("DROP DATABASE IF EXISTS {schema}"),
            format!("CREATE DATABASE {schema} DEFAULT CHARACTER SET utf8mb4"),
        ] {
            run(&mut connection, &sql).await;
        }
        let endpoint = MysqlEndpoint::new(options);
        Self { kind, schema, endpoint, connection: Mutex::new(connection) }
    }
}

/// The cases' statements insert what no calendar has, and zeros.
async fn prepare(connection: &mut Connection) {
    for sql in [
        "SET NAMES utf8mb4",
        "SET time_zone='+00:00'",
        "SET sql_mode='STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'",
    ] {
        run(connection, sql).await;
    }
}

async fn run(connection: &mut Connection, sql: &str) {
    if let Err(error) = connection.query_drop(sql).await {
        let start: String = sql.chars().take(400).collect();
        panic!("{start}: {error}");
    }
}

#[async_trait]
impl Playground for MysqlPlayground {
    fn source(&self) -> &dyn Source {
        &self.endpoint
    }

    fn target(&self) -> &dyn Target {
        &self.endpoint
    }

    fn schema(&self) -> &str {
        &self.schema
    }

    async fn run(&self, sql: &str) {
        run(&mut *self.connection.lock().await, sql).await;
    }

    async fn open_transaction(&self, statements: &[String]) -> Box<dyn OpenTransaction> {
        let mut connection = connect("the server under test", self.endpoint.options()).await;
        prepare(&mut connection).await;
        run(&mut connection, "BEGIN").await;
        for sql in statements {
            run(&mut connection, sql).await;
        }
        Box::new(Transaction(connection))
    }

    fn samples(&self) -> Vec<Sample> {
        samples::all(self.kind)
    }

    fn has_log(&self) -> bool {
        self.kind != Kind::OceanBase
    }
}

struct Transaction(Connection);

#[async_trait]
impl OpenTransaction for Transaction {
    async fn commit(mut self: Box<Self>) {
        run(&mut self.0, "COMMIT").await;
    }
}

//! Where the servers are, and what the tests do with them.

use std::path::Path;
use std::process::Command;

use whimbrel_connector::Catalog;
use whimbrel_connector_mysql::catalog::MysqlCatalog;
use whimbrel_connector_mysql::wire::{ConnectOptions, Connection};
use whimbrel_dbcat::TargetProfile;
use whimbrel_model::{TableName, TableSchema};

/// The administrator's account of a server: from `WHIMBREL_<NAME>_ROOT_URL`, else from `dev/servers env`.
pub fn root(server: &str) -> ConnectOptions {
    let name = format!("WHIMBREL_{}_ROOT_URL", server.to_uppercase());
    let url = std::env::var(&name).unwrap_or_else(|_| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dev/servers");
        let output = Command::new(&script).args(["env", server]).output().expect("dev/servers runs");
        let text = String::from_utf8(output.stdout).expect("variables are UTF-8");
        let line =
            text.lines().find_map(|line| line.strip_prefix("export ")?.strip_prefix(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("start the server with: dev/servers up {server}"))
            .trim_matches(['\'', '"'])
            .to_owned()
    });
    url.parse().expect("a URL")
}

/// A session as the connector's writer has it.
pub async fn session(server: &str) -> Connection {
    let options = ConnectOptions { multi_statements: true, ..root(server) };
    let connected = Connection::connect(&options).await;
    let mut connection =
        connected.unwrap_or_else(|error| panic!("{server}: {:#}", anyhow::Error::new(error)));
    run(&mut connection, "SET NAMES utf8mb4").await;
    run(&mut connection, "SET sql_mode='STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'").await;
    connection
}

pub async fn run(connection: &mut Connection, script: &str) {
    if let Err(error) = connection.execute_multi(script).await {
        let index = error.index;
        panic!("statement {index}: {:#}\n{script}", anyhow::Error::new(error));
    }
}

/// An empty schema of this name.
pub async fn empty_schema(connection: &mut Connection, schema: &str) {
    run(
        connection,
        &format!("DROP DATABASE IF EXISTS {schema}; CREATE DATABASE {schema} DEFAULT CHARACTER SET utf8mb4"),
    )
    .await;
}

pub async fn profile(server: &str) -> TargetProfile {
    TargetProfile::new(&MysqlCatalog::new(&root(server)).server().await.unwrap())
}

/// All tables of a schema.
pub async fn tables(server: &str, schema: &str) -> Vec<TableSchema> {
    let mut catalog = MysqlCatalog::new(&root(server));
    let names: Vec<TableName> =
        catalog.tables(schema).await.unwrap().into_iter().map(|table| table.name).collect();
    let found = catalog.table_schemas(&names).await;
    found.unwrap_or_else(|error| panic!("{server}: {} {}", error.object, error.chain()))
}

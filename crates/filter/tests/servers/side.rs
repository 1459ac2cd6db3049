//! A database on a real server, made anew for a test.

use std::path::Path;
use std::process::Command;

use whimbrel_connector_mysql::wire::{ConnectOptions, Connection};

pub struct Side {
    pub options: ConnectOptions,
    pub database: String,
    connection: Connection,
}

impl Side {
    /// `server` as `dev/servers` names it.
    pub async fn new(server: &str, database: &str) -> Self {
        let options: ConnectOptions = root_url(server).parse().unwrap();
        let all = ConnectOptions { multi_statements: true, ..options.clone() };
        let connection = Connection::connect(&all).await;
        let connection =
            connection.unwrap_or_else(|error| panic!("this test needs dev/servers up {server}: {error}"));
        let mut side = Self { options, database: database.to_owned(), connection };
        side.run(&format!(
            "SET NAMES utf8mb4;SET time_zone='+00:00';\
             SET sql_mode='STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES';\
             DROP DATABASE IF EXISTS {database};CREATE DATABASE {database} CHARACTER SET utf8mb4;USE {database}"
        ))
        .await;
        side
    }

    pub async fn run(&mut self, script: &str) {
        if let Err(error) = self.connection.execute_multi(script).await {
            panic!("statement {}: {}\n{script}", error.index, error.source);
        }
    }

    /// Rows as text, NULL as `NULL`; the error as text with its code.
    pub async fn try_rows(&mut self, sql: &str) -> Result<Vec<Vec<String>>, String> {
        let found = self.connection.query_rows(sql).await.map_err(|error| format!("{error:?}"))?;
        let cell = |cell: &Option<Vec<u8>>| match cell {
            None => "NULL".to_owned(),
            Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        };
        Ok(found.rows.iter().map(|row| row.cells().iter().map(cell).collect()).collect())
    }
}

fn root_url(server: &str) -> String {
    let name = format!("WHIMBREL_{}_ROOT_URL", server.to_uppercase());
    if let Ok(url) = std::env::var(&name) {
        return url;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dev/servers");
    let output = Command::new(&script).args(["env", server]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let prefix = format!("export {name}=");
    let url = text.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap_or_default();
    url.trim_matches(['\'', '"']).to_owned()
}

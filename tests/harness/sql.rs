//! A session for the tests' own statements: it fails the test with statement and answer where one is refused.

use std::str::FromStr;
use std::time::Duration;

use whimbrel_connector_mysql::wire::{ConnectOptions, Connection, OkInfo, WireError};

use super::servers::Server;

/// A session as administrator, in UTC, with text as utf8mb4.
#[derive(Debug)]
pub struct Sql {
    connection: Connection,
    server: &'static str,
}

impl Sql {
    /// `database` may be empty.
    pub async fn open(server: &Server, database: &str) -> Self {
        Self::open_as(server, &server.root(), database).await
    }

    /// Waits for a server that may be starting; `None` where it doesn't answer in time.
    pub async fn open_within(server: &Server, database: &str, patience: Duration) -> Option<Self> {
        let answers = async {
            while Connection::connect(&server.root()).await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(patience, answers).await.ok()?;
        Some(Self::open(server, database).await)
    }

    pub async fn open_as(server: &Server, options: &ConnectOptions, database: &str) -> Self {
        let mut options = options.clone();
        options.multi_statements = true;
        let connection = Connection::connect(&options).await;
        let connection =
            connection.unwrap_or_else(|error| panic!("cannot log in to {}: {error:?}", server.name));
        let mut sql = Self { connection, server: server.name };
        sql.run("SET NAMES utf8mb4").await;
        sql.run("SET time_zone = '+00:00'").await;
        if server.is_oceanbase() {
            sql.run("SET ob_query_timeout = 600000000").await;
        }
        if !database.is_empty() {
            sql.run(&format!("USE `{database}`")).await;
        }
        sql
    }

    /// Name of the server.
    pub fn server(&self) -> &'static str {
        self.server
    }

    /// Runs one statement, or several with semicolons between.
    pub async fn run(&mut self, sql: &str) -> OkInfo {
        match self.try_run(sql).await {
            Ok(ok) => ok,
            Err(error) => panic!("{} refuses {}: {error}", self.server, shorten(sql)),
        }
    }

    pub async fn try_run(&mut self, sql: &str) -> Result<OkInfo, WireError> {
        self.connection.execute(sql).await
    }

    /// Waits until no structure of the session's database is being changed. For what takes a client of seekdb 1.4 away:
    /// such a statement never ends there when its client goes, and all later ones of the server wait for it.
    pub async fn wait_without_ddl(&mut self) {
        let at_work = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE id <> CONNECTION_ID() AND command <> 'Sleep' \
                       AND info LIKE CONCAT('%', DATABASE(), '%') \
                       AND LEFT(info, 4) IN ('ALTE', 'CREA', 'DROP', 'RENA', 'TRUN')";
        let begun = std::time::Instant::now();
        while self.value::<u64>(at_work).await > 0 {
            assert!(begun.elapsed() < Duration::from_secs(120), "structures are being changed for ever");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until no open transaction of an OceanBase has written to its log. For killing seekdb 1.4: what such a
    /// transaction had locked stays locked for ever, also after further restarts (`docs/dev/faults.md`).
    pub async fn wait_without_logged_transactions(&mut self) {
        let open = "SELECT COUNT(*) FROM oceanbase.__all_virtual_trans_stat WHERE is_decided = 0 AND flushed_log_size > 0";
        let begun = std::time::Instant::now();
        while self.value::<u64>(open).await > 0 {
            assert!(begun.elapsed() < Duration::from_secs(120), "a transaction stays open for ever");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The rows as text; bytes that are not UTF-8 are replaced.
    pub async fn rows(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        let mut stream = match self.connection.query_stream(sql).await {
            Ok(stream) => stream,
            Err(error) => panic!("{} refuses {}: {error}", self.server, shorten(sql)),
        };
        let mut rows = Vec::new();
        loop {
            match stream.next().await {
                Ok(Some(row)) => {
                    let text = |cell: &[u8]| String::from_utf8_lossy(cell).into_owned();
                    rows.push(row.iter().map(|cell| cell.map(text)).collect());
                }
                Ok(None) => return rows,
                Err(error) => panic!("{} broke off {}: {error}", self.server, shorten(sql)),
            }
        }
    }

    /// The first column of all rows, NULL as "NULL".
    pub async fn column(&mut self, sql: &str) -> Vec<String> {
        let rows = self.rows(sql).await;
        rows.into_iter()
            .filter_map(|row| row.into_iter().next())
            .map(|cell| cell.unwrap_or("NULL".into()))
            .collect()
    }

    /// The first cell of the first row, `None` where there is no row or NULL.
    pub async fn maybe<T: FromStr>(&mut self, sql: &str) -> Option<T> {
        self.rows(sql).await.into_iter().next()?.into_iter().next()??.parse().ok()
    }

    /// The first cell of the first row.
    pub async fn value<T: FromStr>(&mut self, sql: &str) -> T {
        self.maybe(sql).await.unwrap_or_else(|| panic!("{} has no value for {}", self.server, shorten(sql)))
    }

    /// Ends everybody's reading of the binary log. By SHOW, because MySQL's information_schema.processlist fails where a
    /// session is just at a statement with a character of four bytes (3854).
    pub async fn end_dumps(&mut self) {
        for session in self.rows("SHOW PROCESSLIST").await {
            let (Some(id), Some(command)) = (&session[0], &session[4]) else { continue };
            if command.starts_with("Binlog Dump") {
                // One that has gone by itself meanwhile is fine.
                self.try_run(&format!("KILL {id}")).await.ok();
            }
        }
    }

    pub async fn count(&mut self, table: &str) -> u64 {
        self.value(&format!("SELECT COUNT(*) FROM {table}")).await
    }
}

fn shorten(sql: &str) -> String {
    match sql.char_indices().nth(2000) {
        Some((at, _)) => format!("{} ...", &sql[..at]),
        None => sql.to_owned(),
    }
}

//! One consistent view of a table, and the log position that it corresponds to exactly.
//!
//! Two sessions, A (made for this) and B (the reader's own):
//!
//! 1. A: `SET autocommit=0`, `LOCK TABLES t READ`. From here on no transaction that has written to `t` is open, and
//!    none can write to it. (MySQL 5.7 and later: the metadata lock waits for them. MariaDB and older MySQL: with
//!    autocommit off, `innodb_table_locks` makes InnoDB take a table lock, which waits for them.)
//! 2. B: `START TRANSACTION WITH CONSISTENT SNAPSHOT` under REPEATABLE READ, and a first read of `t`.
//! 3. A: the end of the binary log.
//! 4. A: `UNLOCK TABLES`. Writers had to wait from 1 to here.
//!
//! A table of an engine without transactions has no view; there, A keeps its lock until the table is released.

use std::time::Duration;

use whimbrel_connector::{ConnectorError, ErrorKind, Result};
use whimbrel_model::{Position, TableName, TableSchema};

use super::log_end;
use crate::error::statement_error;
use crate::sql::keys::push_table;
use crate::sql::session::{self, Setting};
use crate::wire::{ConnectOptions, Connection, Flavor};

/// How long the lock is waited for: as long as writers that come later would have to wait, too.
const LOCK_WAIT: Duration = Duration::from_secs(5);

const LOCKER: [Setting; 3] = [
    Setting { sql: "SET lock_wait_timeout=5", required: false },
    Setting { sql: "SET innodb_lock_wait_timeout=5", required: false },
    Setting { sql: "SET innodb_table_locks=1", required: false },
];

/// A table whose view is held by the reader's session.
#[derive(Debug)]
pub(super) struct HeldTable {
    /// Keeps the lock where the engine has no view.
    lock: Option<Connection>,
}

impl HeldTable {
    pub(super) async fn release(self) {
        if let Some(connection) = self.lock {
            // Closing the session frees its lock.
            connection.close().await;
        }
    }
}

/// Fixes a view of the table in the session of `reader`.
pub(super) async fn hold(
    options: &ConnectOptions,
    endpoint: &str,
    reader: &mut Connection,
    table: &TableSchema,
) -> Result<(HeldTable, Position)> {
    if reader.server_version().flavor == Flavor::OceanBase {
        return Err(ConnectorError::new(
            ErrorKind::Unsupported,
            table.name.to_string(),
            "OceanBase gives no log position for a view of a table over SQL",
        ));
    }
    let mut locker = session::prepare(options, endpoint, &LOCKER).await?;
    let mut lock = b"SET autocommit=0".to_vec();
    run(&mut locker, &table.name, &lock).await?;
    lock.clear();
    lock.extend_from_slice(b"LOCK TABLES ");
    push_table(&mut lock, &table.name);
    lock.extend_from_slice(b" READ");
    run(&mut locker, &table.name, &lock).await.map_err(explain_wait)?;

    run(reader, &table.name, b"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
    run(reader, &table.name, b"START TRANSACTION WITH CONSISTENT SNAPSHOT").await?;
    let mut touch = b"SELECT 1 FROM ".to_vec();
    push_table(&mut touch, &table.name);
    touch.extend_from_slice(b" LIMIT 1");
    run(reader, &table.name, &touch).await?;
    let position = log_end::current(&mut locker, endpoint).await?;

    if has_views(table) {
        run(&mut locker, &table.name, b"UNLOCK TABLES").await?;
        locker.close().await;
        return Ok((HeldTable { lock: None }, position));
    }
    Ok((HeldTable { lock: Some(locker) }, position))
}

fn has_views(table: &TableSchema) -> bool {
    let engine = table.engine.as_deref().unwrap_or("InnoDB");
    ["innodb", "xtradb", "rocksdb", "tokudb"].contains(&engine.to_ascii_lowercase().as_str())
}

async fn run(connection: &mut Connection, table: &TableName, sql: &[u8]) -> Result<()> {
    connection.query_drop(sql).await.map_err(|error| {
        let doing = "fixing a view of the table";
        let mapped = statement_error(&table.to_string(), doing, error);
        match mapped.kind {
            ErrorKind::PrivilegeMissing => {
                mapped.with_hint(format!("GRANT LOCK TABLES ON `{}`.* TO the user", table.schema))
            }
            _ => mapped,
        }
    })
}

fn explain_wait(error: ConnectorError) -> ConnectorError {
    match error.kind {
        ErrorKind::TransactionConflict | ErrorKind::Timeout => error.with_hint(format!(
            "a transaction has kept the table locked for more than {} s: end it, or start again at a quieter time",
            LOCK_WAIT.as_secs()
        )),
        _ => error,
    }
}

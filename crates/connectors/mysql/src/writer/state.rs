//! The state of tasks at the target, and the fence around it.
//!
//! ```text
//! database whimbrel
//! owner (task, lane, epoch)                     PRIMARY KEY (task, lane)        comment: format 1
//!       lane 0 holds the task's epoch; each writer has a lane of its own, with the epoch that it works in
//! state (task, kind, item, epoch, payload, ..)  PRIMARY KEY (task, kind, item)  comment: format 1
//! ```
//!
//! How a fenced writer is kept from committing: an entry is written by
//!
//! ```sql
//! INSERT INTO state (.., epoch, ..) VALUES (..,
//!   (SELECT epoch FROM owner WHERE task = T AND lane = L AND epoch = E FOR UPDATE), ..)
//!   ON DUPLICATE KEY UPDATE ..
//! ```
//!
//! - If the lane's row is gone, the epoch is NULL, which the column refuses (1048): [`ErrorKind::Fenced`].
//! - If it is there, the transaction holds its lock until it ends. [`take_over`] deletes the rows of all lanes, so it
//!   waits for every transaction that has written state, and once it has committed, no older writer can. It waits for DDL by
//!   the same rows (`ddl.rs`).
//! - Lanes don't wait for each other, because each locks its own row. A shared lock on one row would do for InnoDB, but
//!   OceanBase takes `LOCK IN SHARE MODE` as an exclusive lock (measured on seekdb 1.4).
//! - OceanBase takes no lock for a `FOR UPDATE` within an INSERT (measured: the first execution does, those from the
//!   plan cache don't). There the row is locked by a `SELECT ... FOR UPDATE` of its own right before.
//!
//! The statements go out together with the `COMMIT` or whatever comes next: an error of an entry may surface there,
//! and the transaction is then gone.

use whimbrel_connector::{ConnectorError, ErrorKind, Result, StateEntry, StateKey};

use super::MysqlWriter;
use super::session::Session;
use crate::error::statement_error;
use crate::sql::literal::{push_bytes, push_u64};
use crate::sql::session;
use crate::wire::{ConnectOptions, Connection, Flavor};

/// Most bytes of a task's name.
const TASK_BYTES: usize = 64;
const KIND_BYTES: usize = 32;
const ITEM_BYTES: usize = 400;

/// Entries of more bytes than this don't wait for the next statement, which needs the room.
const DEFERRED_BYTES: usize = 16 << 10;

/// What the tables' comments say; another number is another layout.
const FORMAT: &str = "whimbrel, format 1";

const TABLES: [&str; 3] = [
    "CREATE DATABASE IF NOT EXISTS whimbrel",
    "CREATE TABLE IF NOT EXISTS whimbrel.owner (task VARBINARY(64) NOT NULL, lane BIGINT UNSIGNED NOT NULL, \
     epoch BIGINT UNSIGNED NOT NULL, PRIMARY KEY (task, lane)) ENGINE=InnoDB COMMENT='whimbrel, format 1'",
    "CREATE TABLE IF NOT EXISTS whimbrel.state (task VARBINARY(64) NOT NULL, kind VARBINARY(32) NOT NULL, \
     item VARBINARY(400) NOT NULL, epoch BIGINT UNSIGNED NOT NULL, payload LONGBLOB NOT NULL, \
     updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, \
     PRIMARY KEY (task, kind, item)) ENGINE=InnoDB COMMENT='whimbrel, format 1'",
];

/// Another process runs the task.
pub(super) fn fenced(endpoint: &str) -> ConnectorError {
    ConnectorError::new(ErrorKind::Fenced, endpoint, "the task has been taken over by another process")
}

/// Makes this process the owner of a task: creates the state tables where they aren't there, waits for transactions
/// of older owners, and returns the new epoch (1 for a new task).
///
/// # Errors
/// [`ErrorKind::TransactionConflict`] where a transaction or DDL of an older owner lasts longer than the server's lock wait:
/// try again. [`ErrorKind::Configuration`] for a name that is too long or tables of another format.
pub async fn take_over(options: &ConnectOptions, endpoint: &str, task: &str) -> Result<u64> {
    check_length(endpoint, "the task's name", task.as_bytes(), TASK_BYTES)?;
    let mut connection = session::prepare(options, endpoint, &session::WRITER).await?;
    create_tables(&mut connection, endpoint).await?;
    let failed = |error| statement_error(endpoint, "taking over a task", error);
    let name = hex(task.as_bytes());
    connection.query_drop("BEGIN").await.map_err(failed)?;
    for sql in [
        format!("INSERT INTO whimbrel.owner VALUES ({name},0,1) ON DUPLICATE KEY UPDATE epoch=epoch+1"),
        format!("DELETE FROM whimbrel.owner WHERE task={name} AND lane<>0"),
    ] {
        connection.query_drop(&sql).await.map_err(failed)?;
    }
    let sql = format!("SELECT epoch FROM whimbrel.owner WHERE task={name} AND lane=0");
    let row = connection.query_first(&sql).await.map_err(failed)?;
    connection.query_drop("COMMIT").await.map_err(failed)?;
    connection.close().await;
    row.and_then(|row| row.parse(0))
        .ok_or_else(|| ConnectorError::new(ErrorKind::Other, endpoint, "the task's epoch isn't there"))
}

/// Removes a task of this epoch with its state; its writers' lanes go first, and each waits for its transaction.
///
/// # Errors
/// [`ErrorKind::Fenced`] where the task has another epoch, or isn't there.
pub async fn forget(options: &ConnectOptions, endpoint: &str, task: &str, epoch: u64) -> Result<()> {
    let mut connection = session::prepare(options, endpoint, &session::WRITER).await?;
    let failed = |error| statement_error(endpoint, "forgetting a task", error);
    let name = hex(task.as_bytes());
    connection.query_drop("BEGIN").await.map_err(failed)?;
    let own =
        format!("SELECT epoch FROM whimbrel.owner WHERE task={name} AND lane=0 AND epoch={epoch} FOR UPDATE");
    if connection.query_first(&own).await.map_err(failed)?.is_none() {
        // The transaction ends with the connection.
        return Err(fenced(endpoint));
    }
    for table in ["owner", "state"] {
        let sql = format!("DELETE FROM whimbrel.{table} WHERE task={name}");
        connection.query_drop(&sql).await.map_err(failed)?;
    }
    connection.query_drop("COMMIT").await.map_err(failed)?;
    connection.close().await;
    Ok(())
}

async fn create_tables(connection: &mut Connection, endpoint: &str) -> Result<()> {
    let comments = "SELECT TABLE_COMMENT FROM information_schema.TABLES \
                    WHERE TABLE_SCHEMA='whimbrel' AND TABLE_NAME IN ('owner','state')";
    let doing = "creating the state tables";
    // Asked first: a user who may write to the tables need not be allowed to create them.
    let mut found =
        connection.query_rows(comments).await.map_err(|error| statement_error(endpoint, doing, error))?;
    if found.rows.len() < 2 {
        for sql in TABLES {
            let created = connection.query_drop(sql).await;
            created.map_err(|error| {
                let mapped = statement_error(endpoint, doing, error);
                match mapped.kind {
                    ErrorKind::PrivilegeMissing => mapped.with_hint("GRANT ALL ON `whimbrel`.* TO the user"),
                    _ => mapped,
                }
            })?;
        }
        found =
            connection.query_rows(comments).await.map_err(|error| statement_error(endpoint, doing, error))?;
    }
    if found.rows.iter().any(|row| row.text(0) != Some(FORMAT)) {
        return Err(ConnectorError::new(
            ErrorKind::Configuration,
            endpoint,
            "the tables in database whimbrel are of another format",
        )
        .with_hint(
            "use the version of whimbrel that made them, or drop the database if its tasks are done",
        ));
    }
    Ok(())
}

/// Enters a lane for a writer of this epoch. The lock on the task's row keeps a take-over out until the lane is
/// there to be deleted by it.
pub(super) async fn enter_lane(session: &mut Session, task: &str, epoch: u64, lane: u64) -> Result<()> {
    check_length(&session.endpoint, "the task's name", task.as_bytes(), TASK_BYTES)?;
    let owner =
        format!("FROM whimbrel.owner WHERE task={} AND lane=0 AND epoch={epoch}", hex(task.as_bytes()));
    let sql = format!(
        "SELECT epoch {owner} FOR UPDATE;\
         INSERT INTO whimbrel.owner (task,lane,epoch) SELECT task,{lane},epoch {owner}"
    );
    session.start_atomic();
    session.sql.extend_from_slice(sql.as_bytes());
    let results = session.run("entering a lane of the task", "").await?;
    match results.last() {
        Some(result) if result.affected_rows == 1 => Ok(()),
        _ => Err(fenced(&session.endpoint)),
    }
}

impl MysqlWriter {
    pub(super) async fn put(&mut self, key: &StateKey, payload: &[u8]) -> Result<()> {
        let endpoint = &self.session.endpoint;
        check_length(endpoint, "the kind of a state entry", key.kind.as_bytes(), KIND_BYTES)?;
        check_length(endpoint, "the item of a state entry", &key.item, ITEM_BYTES)?;
        let mut sql = Vec::new();
        let lock_first = self.session.version.flavor == Flavor::OceanBase;
        if lock_first {
            sql.extend_from_slice(b"SELECT epoch FROM whimbrel.owner WHERE ");
            self.push_lane(&mut sql, self.lane);
            sql.extend_from_slice(b" FOR UPDATE;");
        }
        let mut owner = Vec::new();
        self.push_lane(&mut owner, self.lane);
        owner.extend_from_slice(b" FOR UPDATE");
        self.push_put(&mut sql, key, &owner, payload);
        if sql.len() > self.session.max_packet / 2 {
            let message =
                format!("a state entry of {} bytes is larger than the server accepts", payload.len());
            return Err(ConnectorError::new(ErrorKind::TooLarge, endpoint, message));
        }
        let statements = if lock_first { 2 } else { 1 };
        if self.session.in_transaction() {
            let waits = self.session.deferred_len() + sql.len() <= DEFERRED_BYTES;
            self.session.defer(&sql, statements);
            return if waits { Ok(()) } else { self.session.flush().await };
        }
        self.session.begin()?;
        self.session.defer(&sql, statements);
        let done = self.session.commit().await;
        if done.is_err() {
            self.session.rollback().await?;
        }
        done
    }

    pub(super) async fn delete_state(&mut self, key: &StateKey) -> Result<()> {
        let mut lane = Vec::new();
        self.push_lane(&mut lane, self.lane);
        let mut entry = Vec::new();
        self.push_entry(&mut entry, &key.kind);
        entry.extend_from_slice(b" AND item=");
        push_bytes(&mut entry, &key.item);
        self.session.start_atomic();
        let sql = &mut self.session.sql;
        sql.extend_from_slice(b"UPDATE whimbrel.owner SET epoch=epoch WHERE ");
        sql.extend_from_slice(&lane);
        sql.extend_from_slice(b";DELETE FROM whimbrel.state WHERE ");
        sql.extend_from_slice(&entry);
        sql.extend_from_slice(b" AND EXISTS(SELECT 1 FROM whimbrel.owner WHERE ");
        sql.extend_from_slice(&lane);
        sql.push(b')');
        let results = self.session.run("deleting a state entry", "").await;
        self.session.end_atomic(results.is_err()).await;
        match results?.first() {
            Some(locked) if locked.affected_rows == 1 => Ok(()),
            _ => Err(fenced(&self.session.endpoint)),
        }
    }

    pub(super) async fn get_state(&mut self, key: &StateKey) -> Result<Option<Vec<u8>>> {
        self.session.flush().await?;
        let mut sql = b"SELECT payload FROM whimbrel.state WHERE ".to_vec();
        self.push_entry(&mut sql, &key.kind);
        sql.extend_from_slice(b" AND item=");
        push_bytes(&mut sql, &key.item);
        self.session.sql.extend_from_slice(&sql);
        let found = self.session.rows("reading a state entry").await?;
        Ok(found.rows.into_iter().next().and_then(|row| row.into_cells().into_iter().next().flatten()))
    }

    pub(super) async fn list_state(&mut self, kind: &str, prefix: &[u8]) -> Result<Vec<StateEntry>> {
        self.session.flush().await?;
        let mut sql = b"SELECT item,payload FROM whimbrel.state WHERE ".to_vec();
        self.push_entry(&mut sql, kind);
        if !prefix.is_empty() {
            sql.extend_from_slice(b" AND item>=");
            push_bytes(&mut sql, prefix);
            sql.extend_from_slice(b" AND LEFT(item,");
            push_u64(&mut sql, prefix.len() as u64);
            sql.extend_from_slice(b")=");
            push_bytes(&mut sql, prefix);
        }
        sql.extend_from_slice(b" ORDER BY item");
        self.session.sql.extend_from_slice(&sql);
        let found = self.session.rows("listing state entries").await?;
        let entries = found.rows.into_iter().filter_map(|row| {
            let mut cells = row.into_cells().into_iter();
            let item = cells.next()??;
            let payload = cells.next()??;
            Some(StateEntry { key: StateKey::new(kind, item), payload })
        });
        Ok(entries.collect())
    }

    /// Writes an entry if there is such a row of the owner table.
    pub(super) fn push_put(&self, sql: &mut Vec<u8>, key: &StateKey, owner: &[u8], payload: &[u8]) {
        sql.extend_from_slice(b"INSERT INTO whimbrel.state (task,kind,item,epoch,payload) VALUES (");
        push_bytes(sql, self.task.as_bytes());
        sql.push(b',');
        push_bytes(sql, key.kind.as_bytes());
        sql.push(b',');
        push_bytes(sql, &key.item);
        sql.extend_from_slice(b",(SELECT epoch FROM whimbrel.owner WHERE ");
        sql.extend_from_slice(owner);
        sql.extend_from_slice(b"),");
        push_bytes(sql, payload);
        sql.extend_from_slice(b") ON DUPLICATE KEY UPDATE epoch=VALUES(epoch),payload=VALUES(payload);");
    }

    /// Which row of the owner table.
    pub(super) fn push_lane(&self, sql: &mut Vec<u8>, lane: u64) {
        sql.extend_from_slice(b"task=");
        push_bytes(sql, self.task.as_bytes());
        sql.extend_from_slice(b" AND lane=");
        push_u64(sql, lane);
        sql.extend_from_slice(b" AND epoch=");
        push_u64(sql, self.epoch);
    }

    fn push_entry(&self, sql: &mut Vec<u8>, kind: &str) {
        sql.extend_from_slice(b"task=");
        push_bytes(sql, self.task.as_bytes());
        sql.extend_from_slice(b" AND kind=");
        push_bytes(sql, kind.as_bytes());
    }
}

fn check_length(endpoint: &str, what: &str, bytes: &[u8], limit: usize) -> Result<()> {
    if bytes.len() <= limit {
        return Ok(());
    }
    let message = format!("{what} has {} bytes, more than {limit}", bytes.len());
    Err(ConnectorError::new(ErrorKind::Configuration, endpoint, message))
}

fn hex(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    push_bytes(&mut out, bytes);
    String::from_utf8_lossy(&out).into_owned()
}

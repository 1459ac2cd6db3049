//! Log positions that stand in a known relation to reads.
//!
//! # What makes this hard
//!
//! A transaction is in the binary log before it is visible: the server writes the log, syncs it, and only then
//! commits in the engine. The end of the log (`SHOW BINARY LOG STATUS`, file and offset) may therefore lie
//! *beyond* what a read sees. For a position *after* reads that is right; as a position *before* reads it would
//! lose the transactions in between, for the log would start behind them and the read would miss them.
//!
//! # Before reads
//!
//! **MySQL 5.7 and later with `gtid_mode=ON`**, without any lock:
//!
//! 1. Take the end of the log, (F, O).
//! 2. Take W = `@@gtid_owned`, the GTIDs of transactions that are on their way.
//! 3. Wait until none of W is owned any more.
//! 4. Take E = `@@gtid_executed`.
//!
//! The position is (F, O, E). Proof: a transaction gets its GTID, and so becomes owned, before it is written to
//! the log, within the same critical section (`LOCK_log`) that step 1 has to enter. So every transaction at or
//! before (F, O) is owned in step 2, or had ended before. Ownership ends, and the GTID enters `gtid_executed`,
//! in one step after the engine's commit (since 5.7; 5.6 did so when it wrote the log). After step 3 all
//! transactions at or before (F, O) are visible to every read that begins from then on, and all of E are. A
//! transaction of W that rolled back is in neither and doesn't matter. New transactions aren't waited for, so
//! step 3 ends under any load of ordinary transactions; it takes as long as the longest transaction that was
//! owned in step 2. Ordinary transactions are owned during their commit only, but those of a replica's applier
//! (and of sessions that set `gtid_next`) from their begin. After [`OWNED_WAIT`] this gives up with a retryable
//! time-out that names them.
//!
//! E may hold transactions behind (F, O). A log that starts from E doesn't repeat them, and reads see them.
//!
//! **MariaDB**, without any lock: `START TRANSACTION WITH CONSISTENT SNAPSHOT` fixes an engine view and the
//! place of the log that corresponds to it, which `binlog_snapshot_file` and `binlog_snapshot_position` show.
//! All that is before it is visible to that view, and so to every later one. `BINLOG_GTID_POS` turns the place
//! into GTIDs by reading the log file; where that takes too long the position has none, which is enough to
//! start from on the same server.
//!
//! **MySQL without GTIDs, and 5.6**: nothing but a lock helps. `FLUSH TABLES WITH READ LOCK` waits for commits on
//! their way and keeps others out; the end of the log is taken; `UNLOCK TABLES`. Needs RELOAD. The lock is
//! waited for [`LOCK_WAIT`] seconds at most, [`LOCK_ATTEMPTS`] times, because writers wait behind the waiting.
//!
//! # After reads
//!
//! All that a finished read saw is in the log, so the end of the log is enough for file and offset. GTIDs: the
//! same steps as before where they end quickly; `gtid_executed` otherwise, which may then lack the last
//! transactions before the offset. That can make a comparison by GTIDs alone (with another server) too early by
//! these, and no comparison on the same server, which goes by file and offset. MariaDB's `gtid_binlog_pos` is
//! written with the log and needs no wait.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use whimbrel_connector::{ConnectorError, ErrorKind, Flavor, Result};
use whimbrel_model::{BinlogPosition, GtidState, Position};

use super::probe;
use super::session::{Answer, Identity, Session};

/// How long transactions that own a GTID are waited for, unless said otherwise.
pub(super) const OWNED_WAIT: Duration = Duration::from_secs(8);
/// The same, where a less exact answer will do.
const SHORT_WAIT: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(5);
const LOCK_WAIT: u32 = 2;
const LOCK_ATTEMPTS: u32 = 3;

/// The end of the log as a statement shows it.
struct LogEnd {
    file: String,
    offset: u64,
    /// MySQL from 5.6.
    executed: Option<String>,
}

/// See [`whimbrel_connector::Catalog::position_before_reads`].
pub(super) async fn before_reads(session: &mut Session, owned_wait: Duration) -> Result<Position> {
    let identity = session.identity().await?;
    let server = server_name(session).await?;
    match identity.flavor {
        Flavor::Mysql if owns_until_commit(session, &identity).await? => {
            let (end, owned) = end_and_owned(session, &identity).await?;
            match wait_for_owners(session, owned, owned_wait).await? {
                Some(executed) => mysql_position(session, server, end, Some(&executed)),
                None => Err(owners_stay(session, owned_wait)),
            }
        }
        Flavor::Mysql => {
            let end = locked_end(session, &identity).await?;
            let gtids = gtid_mode_on(session).await?.then(|| end.executed.clone()).flatten();
            mysql_position(session, server, end, gtids.as_deref())
        }
        Flavor::MariaDb => mariadb_before(session, &identity, server).await,
        Flavor::OceanBase => Err(no_log(session)),
    }
}

/// See [`whimbrel_connector::Catalog::position_after_reads`].
pub(super) async fn after_reads(session: &mut Session) -> Result<Position> {
    let identity = session.identity().await?;
    let server = server_name(session).await?;
    match identity.flavor {
        Flavor::Mysql if owns_until_commit(session, &identity).await? => {
            let (end, owned) = end_and_owned(session, &identity).await?;
            let executed = match wait_for_owners(session, owned, SHORT_WAIT).await? {
                Some(executed) => Some(executed),
                None => end.executed.clone(),
            };
            mysql_position(session, server, end, executed.as_deref())
        }
        Flavor::Mysql => {
            let end = log_end(session, &identity).await?;
            let gtids = gtid_mode_on(session).await?.then(|| end.executed.clone()).flatten();
            mysql_position(session, server, end, gtids.as_deref())
        }
        Flavor::MariaDb => {
            // In this order the GTIDs are never beyond the offset.
            let gtids = variable(session, "gtid_binlog_pos").await?;
            let end = log_end(session, &identity).await?;
            mariadb_position(session, server, end, gtids.as_deref())
        }
        Flavor::OceanBase => Err(no_log(session)),
    }
}

/// True where `gtid_owned` shows every transaction between its place in the log and its commit.
pub(super) async fn owns_until_commit(session: &mut Session, identity: &Identity) -> Result<bool> {
    Ok(identity.is_mysql((5, 7, 5)) && gtid_mode_on(session).await?)
}

async fn gtid_mode_on(session: &mut Session) -> Result<bool> {
    // The permissive modes let transactions without GTID into the log.
    Ok(variable(session, "gtid_mode").await?.as_deref() == Some("ON"))
}

async fn server_name(session: &mut Session) -> Result<String> {
    Ok(probe::server_name(&probe::variables(session).await?))
}

async fn variable(session: &mut Session, name: &str) -> Result<Option<String>> {
    let sql = format!("SHOW GLOBAL VARIABLES LIKE '{name}'");
    let row = session.first(&sql, "reading a server variable").await?;
    Ok(row.and_then(|row| row.text(1).map(str::to_owned)))
}

/// The statement that shows the end of the log on this server.
pub(super) fn status_statement(identity: &Identity) -> &'static str {
    if identity.is_mysql((8, 2, 0)) { "SHOW BINARY LOG STATUS" } else { "SHOW MASTER STATUS" }
}

async fn log_end(session: &mut Session, identity: &Identity) -> Result<LogEnd> {
    let doing = "asking for the end of the binary log";
    let row = session.first(status_statement(identity), doing).await.map_err(|error| match error.kind {
        ErrorKind::PrivilegeMissing => error.with_hint("grant REPLICATION CLIENT ON *.* to the user"),
        _ => error,
    })?;
    let end = row.and_then(|row| {
        Some(LogEnd {
            file: row.text_of("File")?.to_owned(),
            offset: row.parse_of("Position")?,
            executed: row.text_of("Executed_Gtid_Set").map(str::to_owned),
        })
    });
    end.ok_or_else(|| log_is_off(session))
}

async fn end_and_owned(session: &mut Session, identity: &Identity) -> Result<(LogEnd, BTreeSet<String>)> {
    let end = log_end(session, identity).await?;
    let owned = owned(session).await?;
    Ok((end, owned))
}

/// Waits until none of `wanted` is owned and returns `gtid_executed` as it is then; `None` where some still are.
async fn wait_for_owners(
    session: &mut Session,
    mut wanted: BTreeSet<String>,
    limit: Duration,
) -> Result<Option<String>> {
    let deadline = Instant::now() + limit;
    while !wanted.is_empty() {
        let now = owned(session).await?;
        wanted.retain(|gtid| now.contains(gtid));
        if wanted.is_empty() {
            break;
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        tokio::time::sleep(POLL).await;
    }
    let row = session.first("SELECT @@GLOBAL.gtid_executed", "reading the executed GTIDs").await?;
    Ok(Some(row.and_then(|row| row.text(0).map(str::to_owned)).unwrap_or_default()))
}

async fn owned(session: &mut Session) -> Result<BTreeSet<String>> {
    let row = session.first("SELECT @@GLOBAL.gtid_owned", "reading the owned GTIDs").await?;
    Ok(row.as_ref().and_then(|row| row.text(0)).map(owned_gtids).unwrap_or_default())
}

/// `uuid:7#41:8#42:tag:3#43,uuid2:1#50`: the GTIDs, each with the session that owns it, as `uuid:tag:number`.
fn owned_gtids(text: &str) -> BTreeSet<String> {
    let mut gtids = BTreeSet::new();
    for source in text.split(',') {
        let mut segments = source.trim().split(':');
        let Some(uuid) = segments.next() else { continue };
        let mut tag = "";
        for segment in segments {
            match segment.split_once('#') {
                Some((number, _)) => {
                    gtids.insert(format!("{uuid}:{tag}:{number}"));
                }
                None => tag = segment,
            }
        }
    }
    gtids
}

async fn locked_end(session: &mut Session, identity: &Identity) -> Result<LogEnd> {
    let doing = "locking all tables for the moment of a log position";
    let timeout = format!("SET SESSION lock_wait_timeout = {LOCK_WAIT}");
    session.rows(&timeout, doing).await?;
    for _ in 1..LOCK_ATTEMPTS {
        if let Some(end) = try_locked_end(session, identity).await? {
            return Ok(end);
        }
    }
    match try_locked_end(session, identity).await? {
        Some(end) => Ok(end),
        None => Err(ConnectorError::new(ErrorKind::Timeout, session.endpoint(), doing).with_hint(
            "a long statement or a table lock is in the way: end it, or start again at a quieter time",
        )),
    }
}

/// `None` where the lock wasn't to be had in time.
async fn try_locked_end(session: &mut Session, identity: &Identity) -> Result<Option<LogEnd>> {
    let doing = "locking all tables for the moment of a log position";
    match session.ask("FLUSH TABLES WITH READ LOCK", doing).await? {
        Answer::Rows(_) => {}
        Answer::Refused { code: 1205, .. } => return Ok(None),
        Answer::Refused { message, .. } => {
            return Err(ConnectorError::new(ErrorKind::PrivilegeMissing, session.endpoint(), message)
                .with_hint("grant RELOAD ON *.* to the user: without GTIDs a log position takes a lock"));
        }
    }
    let end = log_end(session, identity).await;
    session.rows("UNLOCK TABLES", doing).await?;
    end.map(Some)
}

async fn mariadb_before(session: &mut Session, identity: &Identity, server: String) -> Result<Position> {
    let doing = "fixing a view of the data and its place in the log";
    session.rows("START TRANSACTION WITH CONSISTENT SNAPSHOT", doing).await?;
    let rows = session.rows("SHOW STATUS LIKE 'binlog_snapshot_%'", doing).await?;
    session.rows("ROLLBACK", doing).await?;
    let value = |name: &str| {
        let row = rows.iter().find(|row| row.text(0).is_some_and(|n| n.eq_ignore_ascii_case(name)))?;
        row.text(1).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let place = value("binlog_snapshot_file").zip(value("binlog_snapshot_position"));
    let Some((file, offset)) = place.and_then(|(file, offset)| Some((file, offset.parse::<u64>().ok()?)))
    else {
        // Without a log there is no view of it; say so rather than what is missing.
        log_end(session, identity).await?;
        let what = "the server shows no binlog_snapshot_file and binlog_snapshot_position";
        return Err(ConnectorError::new(ErrorKind::Unsupported, session.endpoint(), what));
    };
    let sql = format!("SELECT BINLOG_GTID_POS({}, {offset})", super::session::literal(&file));
    let gtids = match session.ask(&sql, "asking for the GTIDs of a log position").await {
        Ok(answer) => answer.rows().first().and_then(|row| row.text(0).map(str::to_owned)),
        Err(error) if error.kind == ErrorKind::Timeout => {
            tracing::warn!(%file, offset, "the server takes too long to find the GTIDs of a log position");
            None
        }
        Err(error) => return Err(error),
    };
    mariadb_position(session, server, LogEnd { file, offset, executed: None }, gtids.as_deref())
}

fn mysql_position(session: &Session, server: String, end: LogEnd, gtids: Option<&str>) -> Result<Position> {
    let gtids = match gtids {
        Some(text) => GtidState::Mysql(text.parse().map_err(|error| unreadable(session, error))?),
        None => GtidState::None,
    };
    Ok(Position::Binlog(BinlogPosition { server, file: end.file, offset: end.offset, gtids }))
}

fn mariadb_position(session: &Session, server: String, end: LogEnd, gtids: Option<&str>) -> Result<Position> {
    let gtids = match gtids {
        Some(text) => GtidState::MariaDb(text.parse().map_err(|error| unreadable(session, error))?),
        None => GtidState::None,
    };
    Ok(Position::Binlog(BinlogPosition { server, file: end.file, offset: end.offset, gtids }))
}

fn unreadable(session: &Session, error: impl std::error::Error + Send + Sync + 'static) -> ConnectorError {
    ConnectorError::new(ErrorKind::Unsupported, session.endpoint(), "reading the server's GTIDs")
        .with_source(error)
}

fn log_is_off(session: &Session) -> ConnectorError {
    ConnectorError::new(ErrorKind::LogUnusable, session.endpoint(), "the binary log is off")
        .with_hint("start the server with log_bin, binlog_format=ROW and binlog_row_image=FULL")
}

fn no_log(session: &Session) -> ConnectorError {
    let what = "OceanBase gives no log position over SQL";
    ConnectorError::new(ErrorKind::Unsupported, session.endpoint(), what)
}

fn owners_stay(session: &Session, waited: Duration) -> ConnectorError {
    let what = format!("transactions that own a GTID have not ended within {waited:?}");
    ConnectorError::new(ErrorKind::Timeout, session.endpoint(), what).with_hint(
        "SELECT @@GLOBAL.gtid_owned at the source names them with their sessions; wait for them to end",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owned_gtids_are_read_with_tags_and_without_sessions() {
        let uuid = "6a57c66b-e772-11f1-8ce7-02fc00000001";
        let text = format!("{uuid}:7#41:8#42:tag:3#43,\n{uuid}:1#50");
        let expected: BTreeSet<_> =
            [":7", ":8", "tag:3", ":1"].iter().map(|rest| format!("{uuid}:{rest}")).collect();
        assert_eq!(owned_gtids(&text), expected);
        assert!(owned_gtids("").is_empty());
    }
}

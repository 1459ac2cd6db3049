//! Where a server's binary log ends now, for a reader that keeps writers of its table out.
//!
//! | server | file and offset | GTIDs |
//! |---|---|---|
//! | MySQL 8.2 and later | `SHOW BINARY LOG STATUS` | its last column, where `gtid_mode` is ON |
//! | MySQL before | `SHOW MASTER STATUS` | the same (from 5.6) |
//! | MariaDB | `SHOW MASTER STATUS` | `@@gtid_binlog_pos`, read between two equal answers |
//! | OceanBase | none: its log isn't reached by SQL | |
//!
//! It reports what the server says at that moment. A transaction is in the log before it is visible, so this end of
//! the log is a position for reads only where nothing else can have written what is read; everyone else asks the
//! catalogue.

use whimbrel_connector::{ConnectorError, ErrorKind};
use whimbrel_model::{BinlogPosition, GtidState, Position};

use crate::error::statement_error;
use crate::wire::{Connection, Flavor, Row};

/// Answers of `SHOW MASTER STATUS` to wait for before MariaDB's log stands still long enough.
const ATTEMPTS: usize = 20;

/// The end of the server's binary log. `connection` must know its server's flavour.
///
/// # Errors
/// [`ErrorKind::LogUnusable`] where the binary log is off, [`ErrorKind::Unsupported`] for OceanBase, and whatever a
/// refused statement is ([`ErrorKind::PrivilegeMissing`] names REPLICATION CLIENT).
pub(super) async fn current(connection: &mut Connection, endpoint: &str) -> Result<Position, ConnectorError> {
    match connection.server_version().flavor {
        Flavor::Mysql => mysql(connection, endpoint).await,
        Flavor::MariaDb => mariadb(connection, endpoint).await,
        Flavor::OceanBase => Err(ConnectorError::new(
            ErrorKind::Unsupported,
            endpoint,
            "OceanBase gives no log position over SQL",
        )),
    }
}

async fn mysql(connection: &mut Connection, endpoint: &str) -> Result<Position, ConnectorError> {
    let (file, offset, row) = log_end(connection, endpoint).await?;
    let server = server_id(connection, endpoint).await?;
    let with_gtids = variable(connection, endpoint, "gtid_mode").await?.is_some_and(|mode| mode == "ON");
    let gtids = match row.text_of("Executed_Gtid_Set").filter(|_| with_gtids) {
        Some(text) => GtidState::Mysql(text.parse().map_err(|error| unreadable(endpoint, error))?),
        None => GtidState::None,
    };
    Ok(Position::Binlog(BinlogPosition { server, file, offset, gtids }))
}

async fn mariadb(connection: &mut Connection, endpoint: &str) -> Result<Position, ConnectorError> {
    let server = server_id(connection, endpoint).await?;
    let (mut file, mut offset, _) = log_end(connection, endpoint).await?;
    for _ in 0..ATTEMPTS {
        let gtids = variable(connection, endpoint, "gtid_binlog_pos").await?.unwrap_or_default();
        let (file_after, offset_after, _) = log_end(connection, endpoint).await?;
        if (&file_after, offset_after) == (&file, offset) {
            return mariadb_position(endpoint, server, file, offset, &gtids);
        }
        (file, offset) = (file_after, offset_after);
    }
    // A log that never stands still: the server finds the GTIDs of a place by reading the file up to it.
    let mut sql = b"SELECT BINLOG_GTID_POS(".to_vec();
    crate::wire::push_string(&mut sql, file.as_bytes());
    sql.extend_from_slice(format!(",{offset})").as_bytes());
    let row = connection
        .query_first(&sql)
        .await
        .map_err(|error| statement_error(endpoint, "asking for the GTIDs of a log position", error))?;
    let gtids = row.as_ref().and_then(|row| row.text(0)).unwrap_or_default().to_owned();
    mariadb_position(endpoint, server, file, offset, &gtids)
}

fn mariadb_position(
    endpoint: &str,
    server: String,
    file: String,
    offset: u64,
    gtids: &str,
) -> Result<Position, ConnectorError> {
    let gtids = GtidState::MariaDb(gtids.parse().map_err(|error| unreadable(endpoint, error))?);
    Ok(Position::Binlog(BinlogPosition { server, file, offset, gtids }))
}

fn unreadable(endpoint: &str, error: impl std::error::Error + Send + Sync + 'static) -> ConnectorError {
    ConnectorError::new(ErrorKind::Unsupported, endpoint, "reading the server's GTIDs").with_source(error)
}

/// `server_uuid`, else `server_id`: what positions of this server carry.
async fn server_id(connection: &mut Connection, endpoint: &str) -> Result<String, ConnectorError> {
    match variable(connection, endpoint, "server_uuid").await?.filter(|uuid| !uuid.is_empty()) {
        Some(uuid) => Ok(uuid),
        None => Ok(variable(connection, endpoint, "server_id").await?.unwrap_or_default()),
    }
}

async fn variable(
    connection: &mut Connection,
    endpoint: &str,
    name: &str,
) -> Result<Option<String>, ConnectorError> {
    // Unlike SELECT @@name, SHOW VARIABLES is no error for a variable that isn't there.
    let row = connection
        .query_first(format!("SHOW GLOBAL VARIABLES LIKE '{name}'"))
        .await
        .map_err(|error| statement_error(endpoint, "reading a server variable", error))?;
    Ok(row.as_ref().and_then(|row| row.text(1)).map(str::to_owned))
}

/// File, offset, and the whole answer.
async fn log_end(connection: &mut Connection, endpoint: &str) -> Result<(String, u64, Row), ConnectorError> {
    let version = connection.server_version();
    let new_name = version.flavor == Flavor::Mysql && version.at_least(8, 2, 0);
    let sql = if new_name { "SHOW BINARY LOG STATUS" } else { "SHOW MASTER STATUS" };
    let row = connection.query_first(sql).await.map_err(|error| {
        let mapped = statement_error(endpoint, "asking for the end of the binary log", error);
        match mapped.kind {
            ErrorKind::PrivilegeMissing => mapped.with_hint("GRANT REPLICATION CLIENT ON *.* TO the user"),
            _ => mapped,
        }
    })?;
    let found = row.and_then(|row| {
        let file = row.text_of("File")?.to_owned();
        let offset = row.parse_of("Position")?;
        Some((file, offset, row))
    });
    found.ok_or_else(|| ConnectorError::new(ErrorKind::LogUnusable, endpoint, "the binary log is off"))
}

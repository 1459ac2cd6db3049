//! Settings of a session, without which values aren't exact or a long statement is cut off.
//!
//! Every variable is set by a statement of its own, all sent at once: servers differ in what they know, and a
//! variable that one doesn't know or won't let a session set is passed over, unless exactness depends on it.

use whimbrel_connector::{ConnectorError, ErrorKind, Flavor as ServerFlavor};

use crate::error::{connect_error, statement_error};
use crate::wire::{ConnectOptions, Connection, Flavor, ServerVersion, WireError};

/// One statement that prepares a session.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub sql: &'static str,
    /// The session is of no use without it.
    pub required: bool,
}

const fn required(sql: &'static str) -> Setting {
    Setting { sql, required: true }
}

const fn optional(sql: &'static str) -> Setting {
    Setting { sql, required: false }
}

/// For every session. Dates that no calendar has are values like any other, zero is no request for a number, and
/// no statement is ended by a time-out of the server's (OceanBase's are in microseconds; its locks are waited for as long as
/// InnoDB's).
const COMMON: [Setting; 18] = [
    required("SET NAMES utf8mb4"),
    required("SET time_zone='+00:00'"),
    required("SET sql_mode='STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'"),
    required("SET autocommit=1"),
    optional("SET net_write_timeout=3600"),
    optional("SET net_read_timeout=3600"),
    optional("SET wait_timeout=86400"),
    optional("SET max_execution_time=0"),
    optional("SET max_statement_time=0"),
    optional("SET ob_query_timeout=3600000000"),
    optional("SET ob_trx_timeout=86400000000"),
    optional("SET ob_trx_idle_timeout=86400000000"),
    optional("SET ob_trx_lock_timeout=50000000"),
    optional("SET sql_auto_is_null=0"),
    optional("SET sql_select_limit=18446744073709551615"),
    optional("SET sql_safe_updates=0"),
    optional("SET range_optimizer_max_mem_size=0"),
    optional("SET information_schema_stats_expiry=0"),
];

/// For reading: text comes in the column's own charset.
pub const READER: [Setting; 1] = [required("SET character_set_results=NULL")];

/// For writing. Foreign keys are checked only where the caller asks for it. Unique keys always are: without
/// `unique_checks` InnoDB may let duplicates into secondary indexes, and MariaDB 10.6 and later lock an empty table
/// for the first insert into it and report its duplicates at the commit.
pub const WRITER: [Setting; 5] = [
    required("SET foreign_key_checks=0"),
    required("SET unique_checks=1"),
    optional("SET idle_transaction_timeout=0"),
    optional("SET sql_generate_invisible_primary_key=0"),
    optional("SET check_constraint_checks=1"),
];

/// Refusals of a `SET` that mean that the server does without: unknown or read-only variable, not supported, no
/// such value, syntax, privilege.
fn does_without(code: u16) -> bool {
    matches!(code, 1193 | 1238 | 1621 | 1235 | 1231 | 1232 | 1227 | 1064 | 1210)
}

/// Connects and prepares the session; the flavour of the connection's version is the server's own afterwards.
///
/// # Errors
/// As [`connect_error`]; a required setting that is refused is [`ErrorKind::Unsupported`].
pub async fn prepare(
    options: &ConnectOptions,
    endpoint: &str,
    settings: &[Setting],
) -> Result<Connection, ConnectorError> {
    let mut connection =
        Connection::connect(options).await.map_err(|error| connect_error(endpoint, error))?;
    apply(&mut connection, endpoint, settings).await?;
    connection.probe_flavor().await.map_err(|error| connect_error(endpoint, error))?;
    Ok(connection)
}

async fn apply(
    connection: &mut Connection,
    endpoint: &str,
    settings: &[Setting],
) -> Result<(), ConnectorError> {
    let all: Vec<&Setting> = COMMON.iter().chain(settings).collect();
    let statements: Vec<&str> = all.iter().map(|setting| setting.sql).collect();
    let answers = connection.pipeline(&statements).await.map_err(|error| connect_error(endpoint, error))?;
    for (setting, answer) in all.iter().zip(answers) {
        match answer {
            Ok(_) => {}
            Err(WireError::Server { code, .. }) if !setting.required && does_without(code) => {}
            Err(error) if setting.required => {
                return Err(
                    ConnectorError::new(ErrorKind::Unsupported, endpoint, setting.sql).with_source(error)
                );
            }
            Err(error) => return Err(statement_error(endpoint, setting.sql, error)),
        }
    }
    Ok(())
}

/// The seam's word for the flavour.
pub fn server_flavor(version: &ServerVersion) -> ServerFlavor {
    match version.flavor {
        Flavor::Mysql => ServerFlavor::Mysql,
        Flavor::MariaDb => ServerFlavor::MariaDb,
        Flavor::OceanBase => ServerFlavor::OceanBase,
    }
}

/// False for MySQL before 5.7.3, which finds no index for `(a, b) IN (...)`.
pub fn finds_row_lists(version: &ServerVersion) -> bool {
    version.flavor != Flavor::Mysql || version.at_least(5, 7, 3)
}

//! From errors of the wire to errors of the seams.
//!
//! The protocol layer says what a server answered; here it becomes something a task can act on
//! ([`ErrorKind`]). The same answer may mean different things: a refused SRID is a bad row in an INSERT
//! and an unsupported column in a CREATE TABLE, so every caller says what it was doing ([`During`]).
//!
//! Numbers below 3000 are common to MySQL, MariaDB and OceanBase; 3000 to 3999 are MySQL's (OceanBase uses
//! some of them); 4000 and above belong to each family alone. Sources: MySQL 9 "Server Error Message
//! Reference", MariaDB "Error Codes", OceanBase 4.3 as measured. A number that stands nowhere here is
//! [`ErrorKind::Other`]: stop, keep the position, ask.
//!
//! What it does not do: add the statement's text (it may hold row values) or anything of the password.

use whimbrel_connector::{ConnectorError, ErrorKind};

use crate::wire::WireError;

/// What was being done, as far as it changes what an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum During {
    /// Opening a connection and preparing the session.
    Connect,
    /// Reading or writing rows, reading the catalogue.
    Statement,
    /// Creating or changing structures.
    Ddl,
}

/// A connection that could not be made. `endpoint` is the endpoint's name, without password.
pub fn connect_error(endpoint: &str, error: WireError) -> ConnectorError {
    let kind = kind_of(&error, During::Connect);
    let hint = connect_hint(&error);
    let mapped = ConnectorError::new(kind, endpoint, "connecting").with_source(error);
    match hint {
        Some(hint) => mapped.with_hint(hint),
        None => mapped,
    }
}

/// A statement that failed. `object` is what it was about (a table, else the endpoint's name), `doing` says
/// what this layer did, in the -ing form.
pub fn statement_error(object: &str, doing: impl Into<String>, error: WireError) -> ConnectorError {
    ConnectorError::new(kind_of(&error, During::Statement), object, doing).with_source(error)
}

/// As [`statement_error`], for DDL.
pub fn ddl_error(object: &str, doing: impl Into<String>, error: WireError) -> ConnectorError {
    ConnectorError::new(kind_of(&error, During::Ddl), object, doing).with_source(error)
}

/// A statement that was not answered in time.
pub fn timeout_error(object: &str, doing: &str, after: std::time::Duration) -> ConnectorError {
    ConnectorError::new(ErrorKind::Timeout, object, format!("{doing}: no answer within {after:?}"))
}

/// What an error means to a task.
pub fn kind_of(error: &WireError, during: During) -> ErrorKind {
    match error {
        WireError::Server { code, message, .. } => server_kind(*code, message, during),
        WireError::Io { .. } | WireError::ConnectTimeout { .. } | WireError::Closed { .. }
            if during == During::Connect =>
        {
            ErrorKind::Unreachable
        }
        // A stream out of step is mended by a new connection, and what was open at the server is gone.
        WireError::Protocol { .. } | WireError::Sequence { .. } => match during {
            During::Connect => ErrorKind::WrongProtocol,
            During::Statement | During::Ddl => ErrorKind::ConnectionLost,
        },
        WireError::ReadTimeout { .. } => ErrorKind::Timeout,
        WireError::Io { .. }
        | WireError::ConnectTimeout { .. }
        | WireError::HeartbeatTimeout { .. }
        | WireError::Closed { .. }
        | WireError::Poisoned => ErrorKind::ConnectionLost,
        WireError::NotMysql { .. } => ErrorKind::WrongProtocol,
        WireError::ServerTooOld { .. } => ErrorKind::Unsupported,
        WireError::AuthPlugin { .. } => ErrorKind::AuthenticationFailed,
        WireError::TlsNotOffered { .. }
        | WireError::TlsTooOld { .. }
        | WireError::TlsCertificate { .. }
        | WireError::Tls { .. }
        | WireError::TlsAuthorities { .. } => ErrorKind::Tls,
        WireError::PacketTooLarge { .. } => ErrorKind::TooLarge,
        WireError::LocalInfile => ErrorKind::Other,
    }
}

fn connect_hint(error: &WireError) -> Option<&'static str> {
    match error {
        WireError::ConnectTimeout { stage, .. } if stage.contains("greeting") => Some(
            "something accepts connections there but sends no greeting of a MySQL server: check that the port is \
             the database's, and that the server isn't hung",
        ),
        WireError::Server { code: 1129, .. } => Some(
            "too many failed connections from this host: run FLUSH HOSTS (or TRUNCATE TABLE performance_schema.host_cache) at the server",
        ),
        WireError::Server { code: 1820 | 1862, .. } => {
            Some("the password has expired: log in with the server's own client and set a new one")
        }
        WireError::Server { code: 3118 | 4151, .. } => {
            Some("the account is locked: ALTER USER ... ACCOUNT UNLOCK")
        }
        _ => None,
    }
}

fn server_kind(code: u16, message: &str, during: During) -> ErrorKind {
    match code {
        1045 | 1130 | 1129 | 1251 | 1524 | 1698 | 1820 | 1862 | 3118 | 3159 | 4151
            if during == During::Connect =>
        {
            ErrorKind::AuthenticationFailed
        }
        // Shutdown in progress, killed, network errors seen by the server, idle disconnects: as
        // `WireError::is_connection_lost` has it.
        1053 | 1077 | 1079 | 1080 | 1152 | 1158..=1161 | 1184 | 1927 | 4031 | 5066 => match during {
            During::Connect => ErrorKind::Unreachable,
            During::Statement | During::Ddl => ErrorKind::ConnectionLost,
        },
        1044 | 1045 | 1142 | 1143 | 1227 | 1345 | 1370 | 1410 | 1419 | 1873 => ErrorKind::PrivilegeMissing,
        1049 => ErrorKind::UnknownDatabase,
        1051 | 1109 | 1146 => ErrorKind::UnknownTable,
        1022 | 1062 | 1169 | 1557 | 1586 | 1761 | 1762 => {
            ErrorKind::DuplicateKey { key: duplicate_key(message).to_owned() }
        }
        // 1020 is MariaDB 11's innodb_snapshot_isolation; 6002 and up are OceanBase's: rolled back, lock
        // conflicts, context gone, must roll back, can't serialise.
        1020 | 1205 | 1213 | 1180 | 6002..=6005 | 6213 | 6224 | 6235 => ErrorKind::TransactionConflict,
        // Query killed, max_statement_time (MariaDB), max_execution_time (MySQL), OceanBase's time-outs.
        1317 | 1969 | 3024 | 4012 | 6210 | 6212 => ErrorKind::Timeout,
        1153 | 1162 | 1301 => ErrorKind::TooLarge,
        1290 if message.contains("read-only") || message.contains("read_only") => ErrorKind::ReadOnly,
        1792 | 1836 => ErrorKind::ReadOnly,
        // Disk, memory, connections; 4013, 4024, 4030, 4184, 4263 are OceanBase's memory, buffers, memstore and disk.
        1021 | 1037 | 1038 | 1040 | 1041 | 1114 | 1203 | 1206 | 1226 => ErrorKind::Overloaded,
        4013 | 4024 | 4030 | 4184 | 4263 => ErrorKind::Overloaded,
        // errno 28 is "no space left on device" on every Unix.
        1026 | 1030 if message.contains("28") => ErrorKind::Overloaded,
        1236 | 1373 | 1789 => log_kind(code, message),
        _ if is_data_error(code) && during != During::Ddl => ErrorKind::RowRefused,
        _ if is_schema_error(code) || is_data_error(code) => ErrorKind::Unsupported,
        _ => ErrorKind::Other,
    }
}

/// Values that the target refuses: range, length, charset, NULL, foreign keys, checks, JSON, SRID, partitions,
/// triggers that signal. 4025 is MariaDB's check constraint, 3819 MySQL's.
fn is_data_error(code: u16) -> bool {
    matches!(
        code,
        1048 | 1216
            | 1217
            | 1263
            | 1264
            | 1265
            | 1292
            | 1300
            | 1364
            | 1365
            | 1366
            | 1367
            | 1406
            | 1411
            | 1416
            | 1425
            | 1426
            | 1441
            | 1451
            | 1452
            | 1525
            | 1526
            | 1591
            | 1644
            | 1690
            | 1748
            | 3140..=3158 | 3548 | 3617 | 3643 | 3819 | 3903 | 4025
    )
}

/// Structures that the server can't make.
fn is_schema_error(code: u16) -> bool {
    matches!(
        code,
        1059 | 1060
            | 1061
            | 1063
            | 1064
            | 1067
            | 1069
            | 1070
            | 1071
            | 1072
            | 1074
            | 1075
            | 1089
            | 1101
            | 1103
            | 1111
            | 1115
            | 1117
            | 1118
            | 1167
            | 1170
            | 1210
            | 1215
            | 1235
            | 1253
            | 1273
            | 1283
            | 1289
            | 1293
            | 1294
            | 1439
            | 1486
            | 1503
            | 1564
            | 1628
            | 1629
            | 1687
            | 1901
            | 3104..=3109
            | 3500
            | 3754..=3774
            | 3822
            | 3823
            | 4019
    )
}

/// Refusals of a log dump. One number covers them all, so the text decides (MySQL `rpl_binlog_sender.cc`,
/// MariaDB `sql_repl.cc`).
fn log_kind(code: u16, message: &str) -> ErrorKind {
    let text = message.to_ascii_lowercase();
    let has = |part: &str| text.contains(part);
    let gone = [
        "purged",
        "could not find first log file",
        "could not find gtid state",
        "not in the master's binlog",
        "not in the binlog",
        "which is not in",
    ];
    if code != 1236 || gone.iter().any(|part| has(part)) {
        ErrorKind::PositionPurged
    } else if has("binary log is not open") || has("misconfigured") || has("server id") && has("0") {
        ErrorKind::LogUnusable
    } else if has("same server_uuid") || has("same server_id") {
        ErrorKind::Fenced
    } else {
        ErrorKind::LogCorrupt
    }
}

/// The key in "Duplicate entry '...' for key 'name'", as the server writes it: MySQL puts the table in front
/// (`t.PRIMARY`) since 8.0.19. Empty where the text names none.
fn duplicate_key(message: &str) -> &str {
    // The entry itself may hold any text, so the last mark counts.
    let Some((_, rest)) = message.rsplit_once("key '") else { return "" };
    rest.rsplit_once('\'').map_or(rest, |(key, _)| key)
}

/// A key's name without the table that MySQL 8.0.19 and later put in front of it.
pub fn key_without_table<'a>(key: &'a str, table: &str) -> &'a str {
    match (key.get(..table.len()), key.get(table.len()..).and_then(|rest| rest.strip_prefix('.'))) {
        (Some(prefix), Some(name)) if prefix.eq_ignore_ascii_case(table) => name,
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_connector::Policy;

    use super::*;

    fn server(code: u16, message: &str) -> WireError {
        WireError::Server { code, sqlstate: "HY000".into(), message: message.into() }
    }

    fn kind(code: u16, message: &str) -> ErrorKind {
        kind_of(&server(code, message), During::Statement)
    }

    #[test]
    fn duplicate_keys_are_named_whatever_the_entry_holds() {
        for (message, expected) in [
            ("Duplicate entry '1' for key 'PRIMARY'", "PRIMARY"),
            ("Duplicate entry 'it's for key 'x'' for key 't.uk'", "t.uk"),
            ("Duplicated primary key", ""),
        ] {
            assert_eq!(kind(1062, message), ErrorKind::DuplicateKey { key: expected.into() });
        }
        assert_eq!(key_without_table("t.uk", "T"), "uk");
        assert_eq!(key_without_table("uk", "t"), "uk");
        assert_eq!(key_without_table("tx.uk", "t"), "tx.uk");
        assert_eq!(key_without_table("t.a.b", "t.a"), "b");
    }

    #[test]
    fn the_same_refusal_means_a_row_in_dml_and_a_structure_in_ddl() {
        let refused = server(3548, "Spatial reference system is empty");
        assert_eq!(kind_of(&refused, During::Statement), ErrorKind::RowRefused);
        assert_eq!(kind_of(&refused, During::Ddl), ErrorKind::Unsupported);
    }

    #[test]
    fn kinds_decide_whether_a_task_retries_parks_or_stops() {
        for (code, message, policy) in [
            (4012, "Timeout", Policy::Retry),
            (6002, "Transaction rollbacked", Policy::Retry),
            (6235, "can't serialize access for this transaction", Policy::Retry),
            (4030, "Over tenant memory limits", Policy::Retry),
            (1021, "Disk full", Policy::Retry),
            (1053, "Server shutdown in progress", Policy::Retry),
            (5066, "Session interrupted", Policy::Retry),
            (1153, "Got a packet bigger than 'max_allowed_packet' bytes", Policy::Park),
            (1406, "Data too long for column 'a' at row 1", Policy::Park),
            (4025, "CONSTRAINT `c` failed for `d`.`t`", Policy::Park),
            (1290, "running with the --super-read-only option", Policy::Operator),
            (1236, "Could not find first log file name in binary log index file", Policy::Operator),
            (9999, "whatever", Policy::Operator),
        ] {
            assert_eq!(kind(code, message).policy(), policy, "{code}");
        }
        assert_eq!(
            kind(1236, "Could not find first log file name in binary log index file"),
            ErrorKind::PositionPurged
        );
        assert_eq!(kind(1236, "bogus data in log event"), ErrorKind::LogCorrupt);
        assert_eq!(kind(1290, "running with the --secure-file-priv option"), ErrorKind::Other);
    }

    #[test]
    fn connecting_tells_who_is_wrong() {
        let closed = || WireError::Closed { server: "h:1".into(), mid_packet: false };
        assert_eq!(kind_of(&closed(), During::Connect), ErrorKind::Unreachable);
        assert_eq!(kind_of(&closed(), During::Statement), ErrorKind::ConnectionLost);
        let denied = || server(1045, "Access denied for user 'u'@'h' (using password: YES)");
        assert_eq!(kind_of(&denied(), During::Connect), ErrorKind::AuthenticationFailed);
        assert_eq!(kind_of(&denied(), During::Statement), ErrorKind::PrivilegeMissing);
        let error = connect_error("mysql://u@h:1", denied());
        assert_eq!((error.code(), error.object.as_str()), ("WB-1004", "mysql://u@h:1"));
        assert!(error.chain().starts_with("connecting: server error 1045"));
        let silent = WireError::ConnectTimeout {
            server: "h:1".into(),
            after: std::time::Duration::from_secs(5),
            stage: "waiting for the server's greeting",
        };
        assert!(connect_error("mysql://u@h:1", silent).hint().contains("port"));
    }
}

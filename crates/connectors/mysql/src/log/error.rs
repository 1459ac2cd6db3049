//! What can stop the reading of a log.

use whimbrel_connector::{ConnectorError, ErrorKind};
use whimbrel_mysql_ddl::ParseError;

use super::schema_history::SchemaError;
use crate::binlog::{BinlogError, EventError, PlanError};

/// Why a log can't be read on. `at` is file and offset of the event, as people write it.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("reading the binary log")]
    Binlog(#[from] BinlogError),
    /// Rows that don't fit the known definition of their table.
    #[error("rows at {at} don't fit the known definition of their table")]
    Mismatch {
        at: String,
        #[source]
        source: PlanError,
    },
    /// A change that the log holds as a statement instead of rows.
    #[error("a change at {at} is in the log as a statement, not as rows: {statement}")]
    StatementDml { at: String, statement: String },
    /// A transaction with changes of tables that can't be rolled back, which ends with ROLLBACK.
    #[error("a transaction at {at} ends with ROLLBACK but holds changes (tables without transactions)")]
    RolledBack { at: String },
    #[error("a transaction at {at} rolls back to a savepoint, and its log doesn't say which changes stay")]
    RolledBackToSavepoint { at: String },
    /// Rows of a table whose definition nobody gave.
    #[error("rows of {table} at {at}, a table whose definition is not known")]
    UnknownTable { table: String, at: String },
    /// A statement that can't be read and may concern tables.
    #[error("a statement at {at} can't be understood: {statement}")]
    Unparsable {
        at: String,
        statement: String,
        #[source]
        source: Option<ParseError>,
    },
    /// A statement whose effect on the schema can't be told.
    #[error("the effect of a statement at {at} on the schema can't be told: {statement}")]
    Schema {
        at: String,
        statement: String,
        #[source]
        source: SchemaError,
    },
    /// Events are missing between two that must follow each other.
    #[error("events are missing in the log: one begins at {at}, the one before ended at offset {expected}")]
    Gap { at: String, expected: u64 },
    /// An event that can't stand where it stands.
    #[error("the log is out of order at {at}: {what}")]
    OutOfOrder { at: String, what: &'static str },
    #[error("prepared XA transactions hold more than {limit} bytes of changes at {at}")]
    XaTooLarge { at: String, limit: usize },
    /// Its changes aren't in any log file that the server still has.
    #[error("the XA transaction {xid} commits at {at}, and where it was prepared is not in the log any more")]
    XaPreparedBefore { at: String, xid: String },
}

/// The first `limit` bytes of a statement.
pub(crate) fn excerpt(statement: &str, limit: usize) -> String {
    if statement.len() <= limit {
        return statement.to_owned();
    }
    let end = (0..=limit).rev().find(|end| statement.is_char_boundary(*end)).unwrap_or(0);
    format!("{}...", statement.split_at(end).0)
}

impl LogError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Binlog(error) => match &error.cause {
                EventError::Plan(_) => ErrorKind::SchemaMismatch,
                EventError::Incident { .. } | EventError::Encrypted => ErrorKind::LogUnusable,
                EventError::TooLarge { .. } => ErrorKind::TooLarge,
                _ => ErrorKind::LogCorrupt,
            },
            Self::Mismatch { .. } | Self::UnknownTable { .. } => ErrorKind::SchemaMismatch,
            Self::StatementDml { .. } | Self::RolledBack { .. } | Self::RolledBackToSavepoint { .. } => {
                ErrorKind::StatementDml
            }
            Self::Unparsable { .. } | Self::Schema { .. } => ErrorKind::UnsupportedStatement,
            Self::Gap { .. } | Self::OutOfOrder { .. } => ErrorKind::LogCorrupt,
            Self::XaTooLarge { .. } | Self::XaPreparedBefore { .. } => ErrorKind::LogUnusable,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Binlog(error) => match &error.cause {
                EventError::Incident { .. } => {
                    Some("the server lost log events (its error log says why): start the task anew")
                }
                EventError::Encrypted => Some("read the log from the server, not from its files"),
                _ => None,
            },
            Self::RolledBack { .. } | Self::RolledBackToSavepoint { .. } => Some(
                "convert the tables without transactions to InnoDB at the source, and start these tables anew",
            ),
            Self::UnknownTable { .. } => Some(
                "the table came into the task's filter by a statement that doesn't tell its columns: \
                 set binlog_row_metadata=FULL at the source, or start this table anew",
            ),
            Self::XaTooLarge { .. } => Some(
                "commit or roll back the XA transactions that XA RECOVER lists at the source, or raise the limit",
            ),
            Self::XaPreparedBefore { .. } => Some(
                "keep binary logs longer than XA transactions stay prepared; start the tables that it changed anew",
            ),
            _ => None,
        }
    }

    fn object(&self, endpoint: &str) -> String {
        match self {
            Self::Binlog(error) => format!("{}:{}", error.file, error.offset),
            Self::UnknownTable { table, .. } => table.clone(),
            Self::Mismatch { source, .. } => match source {
                PlanError::ColumnCount { table, .. }
                | PlanError::ColumnType { table, .. }
                | PlanError::ColumnName { table, .. }
                | PlanError::ColumnCharset { table, .. } => table.clone(),
            },
            _ => endpoint.to_owned(),
        }
    }

    /// The error as the seams have it. `endpoint` is the source's name.
    pub(crate) fn into_connector(self, endpoint: &str) -> ConnectorError {
        let (message, hint) = (self.to_string(), self.hint());
        let mapped = ConnectorError::new(self.kind(), self.object(endpoint), message);
        let mapped = match self {
            Self::Binlog(error) => mapped.with_source(error),
            Self::Mismatch { source, .. } => mapped.with_source(source),
            Self::Schema { source, .. } => mapped.with_source(source),
            Self::Unparsable { source: Some(source), .. } => mapped.with_source(source),
            _ => mapped,
        };
        match hint {
            Some(hint) => mapped.with_hint(hint),
            None => mapped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_end_between_characters() {
        assert_eq!(excerpt("short", 10), "short");
        assert_eq!(excerpt("äöü", 3), "ä...");
    }

    #[test]
    fn errors_carry_code_and_hint_to_the_task() {
        let error = LogError::StatementDml { at: "binlog.1:4".into(), statement: "DELETE FROM t".into() };
        let mapped = error.into_connector("mysql://u@h:1");
        assert_eq!(mapped.code(), "WB-2004");
        assert!(mapped.to_string().contains("DELETE FROM t") && mapped.hint().contains("binlog_format=ROW"));
    }
}

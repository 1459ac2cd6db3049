//! One error for all seams: a kind that callers act on, the object it is about, and what to do.
//!
//! The stable code, the hint and the policy of each kind stand in one table here, so that every failed task
//! can show code, object, cause chain and hint. A kind that isn't known to be harmless stops the task and
//! keeps the position.

use std::error::Error;
use std::fmt;

/// What happened, as far as a caller can act on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No connection could be made.
    Unreachable,
    /// What answers speaks another protocol.
    WrongProtocol,
    /// TLS was required and can't be had, or a certificate doesn't hold.
    Tls,
    AuthenticationFailed,
    /// A privilege is missing; the hint holds the GRANT statement.
    PrivilegeMissing,
    UnknownDatabase,
    UnknownTable,
    /// The connection was cut while it was in use.
    ConnectionLost,
    Timeout,
    /// The source no longer has the log at the position asked for.
    PositionPurged,
    /// The source's log isn't written in a form that can be read (off, not ROW, not FULL).
    LogUnusable,
    /// Bytes of the log that are damaged or of an unknown kind.
    LogCorrupt,
    /// A change that the log holds as a statement, not as rows.
    StatementDml,
    /// The log's rows don't fit the table definition known at that position.
    SchemaMismatch,
    /// A statement that can't be understood or carried over.
    UnsupportedStatement,
    /// A type, charset or object that this connector doesn't know.
    Unsupported,
    /// A row meets another one on a unique key of the target; the key's name as the server gives it.
    DuplicateKey {
        key: String,
    },
    /// The target refuses the values of a row (range, length, charset, NULL, foreign key, check).
    RowRefused,
    /// A deadlock or lock time-out: the transaction is gone and may be tried again.
    TransactionConflict,
    /// The statement or row is larger than the server accepts.
    TooLarge,
    ReadOnly,
    /// The server is out of disk or memory, or throttles; it may pass.
    Overloaded,
    /// Another process has taken over this task.
    Fenced,
    /// A row of the target isn't as the source's log says: somebody else changed it.
    ForeignChange,
    /// Something in the settings of the task can't work.
    Configuration,
    /// Local storage failed.
    LocalStorage,
    /// Local files are damaged.
    LocalCorrupt,
    /// The caller asked to stop.
    Cancelled,
    /// Anything else: stop, keep the position, ask.
    Other,
}

/// What a task does about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Try again by itself, with a growing delay, from the last position that is safe.
    Retry,
    /// Stop and wait for a person; resuming later is safe.
    Operator,
    /// The row is set aside, the rest goes on.
    Park,
}

impl ErrorKind {
    /// The stable code. Codes are never reused.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable => "WB-1001",
            Self::WrongProtocol => "WB-1002",
            Self::Tls => "WB-1003",
            Self::AuthenticationFailed => "WB-1004",
            Self::PrivilegeMissing => "WB-1005",
            Self::UnknownDatabase => "WB-1006",
            Self::UnknownTable => "WB-1007",
            Self::ConnectionLost => "WB-1008",
            Self::Timeout => "WB-1009",
            Self::PositionPurged => "WB-2001",
            Self::LogUnusable => "WB-2002",
            Self::LogCorrupt => "WB-2003",
            Self::StatementDml => "WB-2004",
            Self::SchemaMismatch => "WB-2005",
            Self::UnsupportedStatement => "WB-2006",
            Self::Unsupported => "WB-2007",
            Self::DuplicateKey { .. } => "WB-3001",
            Self::RowRefused => "WB-3002",
            Self::TransactionConflict => "WB-3003",
            Self::TooLarge => "WB-3004",
            Self::ReadOnly => "WB-3005",
            Self::Overloaded => "WB-3006",
            Self::Fenced => "WB-3007",
            Self::ForeignChange => "WB-3008",
            Self::Configuration => "WB-4001",
            Self::LocalStorage => "WB-4002",
            Self::LocalCorrupt => "WB-4003",
            Self::Cancelled => "WB-9001",
            Self::Other => "WB-9999",
        }
    }

    /// The kind of a code that was shown or stored; `None` for one that no kind has. A key's name is not in its
    /// code.
    pub fn from_code(code: &str) -> Option<Self> {
        let kinds = [
            Self::Unreachable,
            Self::WrongProtocol,
            Self::Tls,
            Self::AuthenticationFailed,
            Self::PrivilegeMissing,
            Self::UnknownDatabase,
            Self::UnknownTable,
            Self::ConnectionLost,
            Self::Timeout,
            Self::PositionPurged,
            Self::LogUnusable,
            Self::LogCorrupt,
            Self::StatementDml,
            Self::SchemaMismatch,
            Self::UnsupportedStatement,
            Self::Unsupported,
            Self::DuplicateKey { key: String::new() },
            Self::RowRefused,
            Self::TransactionConflict,
            Self::TooLarge,
            Self::ReadOnly,
            Self::Overloaded,
            Self::Fenced,
            Self::ForeignChange,
            Self::Configuration,
            Self::LocalStorage,
            Self::LocalCorrupt,
            Self::Cancelled,
            Self::Other,
        ];
        kinds.into_iter().find(|kind| kind.code() == code)
    }

    pub fn policy(&self) -> Policy {
        match self {
            Self::Unreachable
            | Self::ConnectionLost
            | Self::Timeout
            | Self::TransactionConflict
            | Self::Overloaded => Policy::Retry,
            Self::DuplicateKey { .. } | Self::RowRefused | Self::TooLarge => Policy::Park,
            _ => Policy::Operator,
        }
    }

    /// What to do where the error itself doesn't say it better.
    fn default_hint(&self) -> &'static str {
        match self {
            Self::Unreachable => "check host and port, that the server runs, and that no firewall is between",
            Self::WrongProtocol => "check that the port is the one of the database server",
            Self::Tls => "check tls= and tls-ca= of the URL against what the server offers",
            Self::AuthenticationFailed => {
                "check user and password, and that the user may log in from this host"
            }
            Self::PrivilegeMissing => "grant the missing privilege to the user and run again",
            Self::UnknownDatabase | Self::UnknownTable => "check the name, its case included",
            Self::ConnectionLost => "the task reconnects by itself; if it goes on, look at the server's log",
            Self::Timeout => "look at the server's load and locks; run again to resume",
            Self::PositionPurged => {
                "the log needed is gone: keep binary logs longer at the source, and start the task anew"
            }
            Self::LogUnusable => "set the variables named at the source, then start again",
            Self::LogCorrupt => "check the source's log with its own tools; the position is kept",
            Self::StatementDml => {
                "set binlog_format=ROW for every session at the source; apply the statement by hand or start anew"
            }
            Self::SchemaMismatch => {
                "the table was changed in a way the log doesn't show; start this table anew"
            }
            Self::UnsupportedStatement => "apply the statement's meaning by hand, then resume",
            Self::Unsupported => "exclude the object, or convert it at the source",
            Self::DuplicateKey { .. } => "look at both rows; remove or change the one that is wrong",
            Self::RowRefused => "correct the row or the target's column, then resume",
            Self::TransactionConflict => "the task tries again by itself",
            Self::TooLarge => "raise max_allowed_packet at the target, then resume",
            Self::ReadOnly => "make the target writable, then resume",
            Self::Overloaded => "the task tries again by itself; give the server disk, memory or time",
            Self::Fenced => "another process runs this task; stop one of the two",
            Self::ForeignChange => {
                "find out who writes to the target; resume with another policy for foreign changes to go on"
            }
            Self::Configuration => "correct the setting named and run again",
            Self::LocalStorage => "check free space and permissions of --home",
            Self::LocalCorrupt => "restore the file from a copy, or start the task anew with another --name",
            Self::Cancelled => "run the same command again to resume",
            Self::Other => "the position is kept; run again to resume, and report the error if it comes back",
        }
    }
}

/// An error of a seam.
#[derive(Debug)]
pub struct ConnectorError {
    pub kind: ErrorKind,
    /// What it is about: a server, table, row key, file, statement. Never a secret.
    pub object: String,
    /// What this layer was doing, without the cause.
    pub message: String,
    hint: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ConnectorError {
    pub fn new(kind: ErrorKind, object: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, object: object.into(), message: message.into(), hint: None, source: None }
    }

    /// Replaces the kind's own hint.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    pub fn policy(&self) -> Policy {
        self.kind.policy()
    }

    pub fn hint(&self) -> &str {
        self.hint.as_deref().unwrap_or_else(|| self.kind.default_hint())
    }

    /// The message with all its causes, outermost first, in one line.
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

/// `object: message`; the cause is in `source`, as everywhere.
impl fmt::Display for ConnectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.message)
    }
}

impl Error for ConnectorError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_table_of_errors_names_each_code_once() {
        let page = include_str!("../../../docs/errors.md");
        let source = include_str!("error.rs");
        let codes: Vec<&str> = source
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once("=> \"WB-"))
            .map(|(_, rest)| rest.trim_end_matches("\","))
            .collect();
        assert!(codes.len() > 20, "{codes:?}");
        for code in codes {
            assert_eq!(page.matches(&format!("| WB-{code} |")).count(), 1, "WB-{code}");
            assert!(ErrorKind::from_code(&format!("WB-{code}")).is_some(), "WB-{code}");
        }
    }

    #[test]
    fn an_error_shows_its_object_and_its_chain_of_causes() {
        let cause = std::io::Error::other("no route");
        let error = ConnectorError::new(ErrorKind::Unreachable, "mysql://h:1", "connecting failed")
            .with_source(cause);
        assert_eq!(error.to_string(), "mysql://h:1: connecting failed");
        assert_eq!(error.chain(), "connecting failed: no route");
        assert!(error.hint().starts_with("check host and port"));
        assert_eq!(error.with_hint("try again").hint(), "try again");
    }
}

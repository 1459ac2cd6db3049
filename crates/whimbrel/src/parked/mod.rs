//! What waits for a person: parked rows and parked statements, as `whimbrel parked` shows and settles them.
//!
//! Two ways lead to them. A running task listens at a socket in its folder ([`control`]) and settles requests
//! itself, between its windows. Where no process holds the task's lock, the command takes the lock and works on the
//! task's state at the target ([`offline`]). The lock decides which: there is never a moment in which both write.

pub mod command;
pub mod control;
mod item;
mod offline;

pub use item::Item;

use serde::{Deserialize, Serialize};
use whimbrel_connector::{ConnectorError, Result};
use whimbrel_incr_sync::{Decided, Retried};
use whimbrel_mysql_ddl::ast::StatementClass;
use whimbrel_mysql_ddl::{Dialect, ParseOptions, parse_many};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase")]
pub enum Request {
    List,
    Retry { id: String },
    Skip { id: String },
    Edit { id: String, sql: String },
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "lowercase")]
pub enum Answer {
    Items {
        items: Vec<Item>,
    },
    /// It is settled.
    Done {
        text: String,
    },
    /// Tried, and it waits again.
    Refused {
        text: String,
    },
    /// There is nothing of this ID.
    Unknown,
    /// The task can't do it.
    Failed {
        code: String,
        object: String,
        cause: String,
        hint: String,
    },
}

impl Answer {
    fn failed(error: &ConnectorError) -> Self {
        Self::Failed {
            code: error.code().to_owned(),
            object: error.object.clone(),
            cause: error.chain(),
            hint: error.hint().to_owned(),
        }
    }

    fn of_row(result: Result<Retried>) -> Self {
        match result {
            Ok(Retried::Applied) => Self::Done { text: "the row is at the target".to_owned() },
            Ok(Retried::Refused(error)) => {
                Self::Refused { text: format!("{} {}", error.code(), error.chain()) }
            }
            Ok(Retried::Unknown) => Self::Unknown,
            Err(error) => Self::failed(&error),
        }
    }

    fn of_statement(result: Result<Decided>) -> Self {
        match result {
            Ok(Decided::Done) => Self::Done {
                text: "the statement is settled, and what had queued behind it is applied".to_owned(),
            },
            Ok(Decided::WaitsAgain { id, code, reason }) => {
                Self::Refused { text: format!("{id} waits now: {code} {reason}") }
            }
            Ok(Decided::Stopped) => Self::Done {
                text: "noted; the task was stopped and goes on with it when it runs again".to_owned(),
            },
            Ok(Decided::Noted) => {
                Self::Done { text: "noted; the task carries it out when it runs".to_owned() }
            }
            Ok(Decided::Unknown) => Self::Unknown,
            Err(error) => Self::failed(&error),
        }
    }
}

/// What an ID names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    Row(Vec<u8>),
    Statement(u64),
}

/// Looks an ID up among what is parked. The unique beginning of an ID will do.
fn named(id: &str, items: &[Item]) -> Option<Named> {
    let exact = items.iter().find(|item| item.id == id);
    let mut begins = items.iter().filter(|item| item.id.starts_with(id) && id.len() > 1);
    let found = exact.or_else(|| begins.next().filter(|_| begins.next().is_none()))?;
    Some(match (&found.item, found.sequence) {
        (Some(item), _) => Named::Row(item.clone()),
        (None, sequence) => Named::Statement(sequence.unwrap_or_default()),
    })
}

/// Why a person's statement is not run, `None` where it may be: exactly one statement, and for a row one that changes
/// rows only, because it shares a transaction with the removal of the entry.
fn objection(sql: &str, for_row: bool) -> Option<String> {
    let statements = parse_many(sql, &ParseOptions::new(Dialect::oceanbase(40_305)));
    match statements.as_slice() {
        [Ok(statement)] if for_row && statement.kind().class() != StatementClass::Data => {
            Some("in place of a row's change only INSERT, UPDATE, DELETE and REPLACE can run".to_owned())
        }
        [Err(error)] if for_row => Some(format!("the statement can't be read: {error}")),
        // What this parser doesn't know, the target may.
        [_] => None,
        found => Some(format!("it has to be one statement, these are {}", found.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wire format between two processes, perhaps of two versions: these texts must be readable for ever.
    #[test]
    fn the_frozen_requests_and_answers_read_and_write() {
        let edit = Request::Edit { id: "d42".into(), sql: "DO 0".into() };
        let frozen = r#"{"command":"edit","id":"d42","sql":"DO 0"}"#;
        assert_eq!(serde_json::to_string(&edit).unwrap(), frozen);
        assert_eq!(serde_json::from_str::<Request>(frozen).unwrap(), edit);
        let refused = Answer::Refused { text: "WB-3002 too long".into() };
        let frozen = r#"{"answer":"refused","text":"WB-3002 too long"}"#;
        assert_eq!(serde_json::to_string(&refused).unwrap(), frozen);
        assert_eq!(serde_json::from_str::<Answer>(frozen).unwrap(), refused);
    }

    #[test]
    fn a_statement_for_a_row_changes_rows_and_there_is_one() {
        assert_eq!(objection("UPDATE d.t SET a = 1 WHERE id = 5", true), None);
        assert!(objection("DROP TABLE t", true).is_some());
        assert!(objection("COMMIT", true).is_some());
        assert!(objection("DELETE FROM t; DELETE FROM u", true).is_some());
        assert_eq!(objection("ALTER TABLE t ADD COLUMN x BLOB;", false), None);
        assert!(objection("ALTER TABLE t ADD x INT; DROP TABLE t", false).is_some());
        assert!(objection("", false).is_some());
    }
}

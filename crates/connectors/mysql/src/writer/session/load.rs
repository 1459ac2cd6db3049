//! One `LOAD DATA LOCAL` in a session: when it may be used, and whether it did exactly what it was asked to.
//!
//! The statement is of the kind that never fails for a row: `LOCAL` means `IGNORE`, so that it leaves out duplicates,
//! bends values until they fit, and counts warnings. Therefore its answer must say that so many rows were read and
//! written, none left out, without any warning; what has done anything else is taken back, to a savepoint or with a
//! transaction of its own. Nothing is guessed from what kind of warning it is, since INSERT can be asked.
//!
//! It goes out as the last statement of its command, behind the BEGIN, the deferred statements and the savepoint: the
//! server asks for the file only when these have been done, and where one of them fails, not at all.

use std::collections::HashMap;

use whimbrel_connector::{ConnectorError, Result};
use whimbrel_model::{TableName, TableSchema};

use super::{Savepoint, Session, Transaction, ends_transaction};
use crate::error::During;
use crate::wire::{Connection, FILE_PART, Flavor, LocalFile, OkInfo, StatementError, WireError};

const DOING: &str = "loading rows";
/// A table whose rows had to be inserted again so often is loaded no more: something of it warns about every row.
const MOST_REPEATED: u32 = 8;

/// What has become of a `LOAD DATA`. All but `Exactly` means that nothing was written, in a transaction as it was.
#[derive(Debug)]
pub(in crate::writer) enum Loaded {
    Exactly,
    /// Not every row, or not as it was sent.
    Otherwise,
    Refused(ConnectorError),
}

/// Whether `LOAD DATA` may be used.
#[derive(Debug, Default)]
pub(in crate::writer) struct Loading {
    on: bool,
    /// For tables with an AUTO_INCREMENT column too.
    auto_increment: bool,
    /// How many statements of a table had to be done again.
    repeated: HashMap<TableName, u32>,
}

impl Loading {
    /// Asks the server of a new connection. Nothing is an error here: who doesn't answer loads nothing.
    ///
    /// - OceanBase loads slower than it inserts.
    /// - A log of statements takes no `LOAD DATA` of which it isn't certain what it does.
    /// - A Galera cluster may commit after every 10,000 rows (`wsrep_load_data_splitting`).
    /// - With `innodb_autoinc_lock_mode` below 2 the statement locks the table's counter to its end, so that workers of
    ///   one table would wait for each other; INSERT holds it for a moment.
    pub(super) async fn ask(connection: &mut Connection, max_packet: usize, logs_statements: bool) -> Self {
        let off = Self::default();
        if connection.server_version().flavor == Flavor::OceanBase
            || logs_statements
            || max_packet < FILE_PART
        {
            return off;
        }
        let sql = "SHOW GLOBAL VARIABLES WHERE Variable_name IN \
                   ('local_infile','wsrep_on','innodb_autoinc_lock_mode')";
        let Ok(answer) = connection.query_rows(sql).await else { return off };
        let is = |name: &str, value: &str| {
            let row = answer.rows.iter().find(|row| row.text(0) == Some(name));
            row.and_then(|row| row.text(1)).is_some_and(|text| text.eq_ignore_ascii_case(value))
        };
        let on = is("local_infile", "ON") && !is("wsrep_on", "ON");
        if !on {
            tracing::debug!("the target takes no LOAD DATA LOCAL (local_infile): rows go by INSERT");
        }
        Self { on, auto_increment: is("innodb_autoinc_lock_mode", "2"), ..off }
    }

    /// Takes over what a new connection's server answered; what is known of tables stays.
    pub(super) fn reconnected(&mut self, answered: &Self) {
        self.on = answered.on;
        self.auto_increment = answered.auto_increment;
    }

    /// True where a table's rows can be loaded, and taken back.
    pub(in crate::writer) fn takes(&self, table: &TableSchema) -> bool {
        let transactional =
            table.engine.as_deref().is_some_and(|engine| engine.eq_ignore_ascii_case("InnoDB"));
        self.on
            && transactional
            && (self.auto_increment || table.columns.iter().all(|column| !column.auto_increment))
            && self.repeated.get(&table.name).is_none_or(|times| *times < MOST_REPEATED)
    }

    /// INSERT has taken rows that LOAD DATA didn't: a server that refuses it is asked no more, and what a table's
    /// rows are is remembered.
    pub(in crate::writer) fn was_in_vain(&mut self, table: &TableName, loaded: Loaded) {
        if let Loaded::Refused(error) = loaded {
            self.on = false;
            let error = error.chain();
            tracing::info!(%table, error, "the target refuses LOAD DATA LOCAL: rows go by INSERT");
            return;
        }
        let times = self.repeated.entry(table.clone()).or_default();
        *times += 1;
        if *times == MOST_REPEATED {
            tracing::debug!(%table, "LOAD DATA LOCAL doesn't do for this table: its rows go by INSERT");
        }
    }
}

impl Session {
    /// Sends the command in `self.sql`, begun with [`Session::start_atomic`], whose own statement loads `self.file` with
    /// so many rows.
    ///
    /// # Errors
    /// What INSERT can do nothing about: the transaction or the connection is gone, a statement before it failed.
    pub(in crate::writer) async fn load(&mut self, rows: usize, object: &str) -> Result<Loaded> {
        if self.sql.len() > self.max_packet {
            return Err(self.too_large());
        }
        self.ready().await?;
        let Some(connection) = self.connection.as_mut() else { return Err(self.gone()) };
        let file = LocalFile { statement: self.frame.prefix, bytes: &self.file };
        self.busy = true;
        let outcome = connection.execute_multi_with(&self.sql, file).await;
        self.busy = false;
        self.shrink();
        match outcome {
            Ok(results) => {
                self.sent(self.frame.prefix);
                if results.get(self.frame.prefix).is_some_and(|result| is_exact(result, rows)) {
                    return self.keep_loaded(object).await;
                }
                self.take_loaded_back().await;
                Ok(Loaded::Otherwise)
            }
            Err(error) => {
                let refused =
                    error.index == self.frame.prefix && matches!(error.source, WireError::Server { .. });
                let error = self.failed(error, DOING, object, During::Statement).await;
                if refused && !ends_transaction(&error.kind) && self.transaction != Transaction::Lost {
                    return Ok(Loaded::Refused(error));
                }
                Err(error)
            }
        }
    }

    async fn keep_loaded(&mut self, object: &str) -> Result<Loaded> {
        if !self.frame.own_transaction {
            return Ok(Loaded::Exactly);
        }
        let Some(connection) = self.connection.as_mut() else { return Err(self.gone()) };
        self.busy = true;
        let committed = connection.query_drop("COMMIT").await;
        self.busy = false;
        match committed {
            Ok(()) => Ok(Loaded::Exactly),
            Err(source) => {
                let error = StatementError { index: self.frame.prefix + 1, done: Vec::new(), source };
                Err(self.failed(error, DOING, object, During::Statement).await)
            }
        }
    }

    /// Where this fails, the transaction is lost, and whoever goes on in it is told so.
    async fn take_loaded_back(&mut self) {
        let savepoint = std::mem::replace(&mut self.savepoint, Savepoint::None);
        if std::mem::take(&mut self.frame.own_transaction) {
            self.undo(b"ROLLBACK").await;
        } else if savepoint == Savepoint::Set {
            self.undo_to_savepoint().await;
        } else {
            self.abandon().await;
        }
    }
}

/// True where the answer says that so many rows were read and written and nothing else is to be said. Its text is in
/// the server's language (`Records: 3  Deleted: 0  Skipped: 0  Warnings: 0`), its numbers are not.
fn is_exact(result: &OkInfo, rows: usize) -> bool {
    let rows = rows as u64;
    let numbers = result.info.split(|letter: char| !letter.is_ascii_digit()).filter(|part| !part.is_empty());
    result.affected_rows == rows
        && result.warnings == 0
        && numbers.map(|digits| digits.parse().ok()).eq([Some(rows), Some(0), Some(0), Some(0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_without_any_but_is_exact() {
        let answer = |affected_rows, warnings, info: &str| OkInfo {
            affected_rows,
            warnings,
            info: info.to_owned(),
            ..OkInfo::default()
        };
        let info = "Records: 3  Deleted: 0  Skipped: 0  Warnings: 0";
        assert!(is_exact(&answer(3, 0, info), 3));
        assert!(is_exact(&answer(3, 0, "Datensätze: 3  Gelöscht: 0  Ausgelassen: 0  Warnungen: 0"), 3));
        for (affected_rows, warnings, info) in [
            (2, 0, info),
            (3, 1, info),
            (3, 0, "Records: 4  Deleted: 0  Skipped: 0  Warnings: 0"),
            (3, 0, "Records: 3  Deleted: 0  Skipped: 1  Warnings: 0"),
            (3, 0, "Records: 3  Deleted: 0  Skipped: 0  Warnings: 1"),
            (3, 0, "Records: 3  Deleted: 0  Skipped: 0"),
            (3, 0, "Records: 3  Deleted: 0  Skipped: 0  Warnings: 0  More: 0"),
            (3, 0, "Records: 99999999999999999999999  Deleted: 0  Skipped: 0  Warnings: 0"),
            (3, 0, ""),
        ] {
            assert!(
                !is_exact(&answer(affected_rows, warnings, info), 3),
                "{affected_rows} {warnings} {info}"
            );
        }
    }
}

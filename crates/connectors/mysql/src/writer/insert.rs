//! Inserting rows.
//!
//! | mode | the target has | how |
//! |---|---|---|
//! | `Plain` | room for `LOAD DATA LOCAL` (`load.rs`: MySQL or MariaDB with `local_infile`, types that are certain) | `LOAD DATA LOCAL` of all rows; where that isn't exact, as in the next line |
//! | `Plain` | | multi-row `INSERT` |
//! | `Upsert` | no unique key but the row key | multi-row `INSERT ... ON DUPLICATE KEY UPDATE` |
//! | `Upsert` | other unique keys | `DELETE` by row key, then `INSERT`: with ON DUPLICATE KEY UPDATE a clash on another unique key would change that other row |
//! | `Upsert` | other unique keys, and columns of its own or checked foreign keys | row by row `UPDATE`, then `INSERT` where nothing was there: a `DELETE` would lose the columns, or cascade |
//! | `KeepExisting` | | asks which row keys are there, then `INSERT` of the others; never `INSERT IGNORE`, which swallows data errors |
//!
//! Statements hold at most [`ROWS`] rows and about [`BYTES`] (seekdb: 1000 rows of 200 bytes are its best); the
//! caller adapts by giving fewer.

use whimbrel_connector::{InsertMode, Result, TablePlan};
use whimbrel_model::RowRef;

use super::MysqlWriter;
use super::rows::RowFormat;
use crate::sql::keys::push_table;

/// Most rows of one statement.
pub(super) const ROWS: usize = 1000;
/// A statement is ended when it is longer than this.
pub(super) const BYTES: usize = 1 << 20;
/// Row keys asked for in one statement.
const PROBES: usize = 100;

/// How an upsert is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upsert {
    OnDuplicate,
    Replace,
    InPlace,
}

fn upsert_of(plan: &TablePlan, foreign_key_checks: bool) -> Upsert {
    if plan.unique_keys.is_empty() {
        Upsert::OnDuplicate
    } else if plan.target_has_own_columns || foreign_key_checks {
        Upsert::InPlace
    } else {
        Upsert::Replace
    }
}

impl MysqlWriter {
    pub(super) async fn insert_rows(
        &mut self,
        plan: &TablePlan,
        rows: &[RowRef<'_>],
        mode: InsertMode,
    ) -> Result<u64> {
        let format = RowFormat::new(plan, self.list_form());
        let several = rows.len() > ROWS || upper_bound(rows) > BYTES;
        let done = match mode {
            _ if rows.is_empty() => Ok(0),
            InsertMode::Plain => self.insert_plain(&format, rows, several).await,
            // Without a row key there is no row that could be the same.
            _ if plan.is_keyless() => self.insert_parts(&format, rows, several, false).await,
            InsertMode::Upsert => match upsert_of(plan, self.session.foreign_key_checks()) {
                Upsert::OnDuplicate => self.insert_parts(&format, rows, several, true).await,
                Upsert::Replace => self.replace_parts(&format, rows).await,
                Upsert::InPlace => self.update_or_insert(&format, rows).await,
            },
            InsertMode::KeepExisting => self.insert_missing(&format, rows).await,
        };
        self.session.end_atomic(done.is_err()).await;
        done
    }

    /// Multi-row inserts. `several`: more than one statement may be needed, so within a transaction a failure of a
    /// later one has to take back the earlier ones.
    pub(super) async fn insert_parts(
        &mut self,
        format: &RowFormat<'_>,
        rows: &[RowRef<'_>],
        several: bool,
        upsert: bool,
    ) -> Result<u64> {
        let mut rest = rows;
        let mut affected = 0;
        while !rest.is_empty() {
            if several && self.session.in_transaction() {
                self.session.start_atomic();
            } else {
                self.session.start();
            }
            let taken = self.push_insert_rows(format, rest, upsert)?;
            let (part, after) = rest.split_at(taken);
            let results = self.session.run("inserting rows", format.table()).await?;
            // An upsert counts 1 for a new row and 2 for a changed one.
            let counted = results.last().map_or(0, |result| result.affected_rows);
            affected += if upsert { part.len() as u64 } else { counted };
            rest = after;
        }
        Ok(affected)
    }

    /// Appends an insert of as many of `rows` as one statement takes, at least one.
    fn push_insert_rows(
        &mut self,
        format: &RowFormat<'_>,
        rows: &[RowRef<'_>],
        upsert: bool,
    ) -> Result<usize> {
        // What follows the rows: the assignments of an upsert.
        let mut tail = Vec::new();
        if upsert {
            format.push_on_duplicate(&mut tail);
        }
        let limit = self.session.max_packet.saturating_sub(tail.len());
        let sql = &mut self.session.sql;
        let start = sql.len();
        format.push_insert(sql);
        let mut taken = 0;
        for row in rows {
            let before = sql.len();
            if taken > 0 {
                sql.push(b',');
            }
            format.push_values(sql, *row)?;
            if sql.len() > limit && taken > 0 {
                sql.truncate(before);
                break;
            }
            taken += 1;
            if taken == ROWS || sql.len() - start > BYTES {
                break;
            }
        }
        sql.extend_from_slice(&tail);
        Ok(taken)
    }

    /// Deletes by row key and inserts, both in one command.
    async fn replace_parts(&mut self, format: &RowFormat<'_>, rows: &[RowRef<'_>]) -> Result<u64> {
        let mut rest = rows;
        let mut affected = 0;
        while !rest.is_empty() {
            let mut taken = fitting(rest);
            loop {
                let part = rest.get(..taken).unwrap_or(rest);
                self.session.start_atomic();
                format.push_delete(&mut self.session.sql, part)?;
                self.session.sql.push(b';');
                let inserted = self.push_insert_rows(format, part, false)?;
                if inserted == part.len() {
                    break;
                }
                // The rows are longer as text than estimated: delete no more than what is inserted again.
                taken = inserted;
            }
            let results = self.session.run("replacing rows", format.table()).await?;
            affected += results.last().map_or(0, |result| result.affected_rows);
            rest = rest.split_at(taken).1;
        }
        Ok(affected)
    }

    async fn update_or_insert(&mut self, format: &RowFormat<'_>, rows: &[RowRef<'_>]) -> Result<u64> {
        for row in rows {
            self.session.start_atomic();
            self.session.sql.extend_from_slice(b"UPDATE ");
            push_table(&mut self.session.sql, &format.plan.target.name);
            self.session.sql.extend_from_slice(b" SET ");
            format.push_assignments(&mut self.session.sql, None, *row)?;
            self.session.sql.extend_from_slice(b" WHERE ");
            format.push_key(&mut self.session.sql, *row)?;
            let results = self.session.run("updating a row", format.table()).await?;
            if results.last().is_some_and(|result| result.affected_rows == 0) {
                self.session.start_atomic();
                self.push_insert_rows(format, std::slice::from_ref(row), false)?;
                self.session.run("inserting a row", format.table()).await?;
            }
        }
        Ok(rows.len() as u64)
    }

    /// Inserts the rows whose row key isn't there.
    async fn insert_missing(&mut self, format: &RowFormat<'_>, rows: &[RowRef<'_>]) -> Result<u64> {
        let own = !self.session.in_transaction();
        if own {
            self.session.begin()?;
        }
        let done = self.probe_and_insert(format, rows).await;
        if !own {
            return done;
        }
        let done = match done {
            Ok(affected) => self.session.commit().await.map(|()| affected),
            Err(error) => Err(error),
        };
        if done.is_err() {
            self.session.rollback().await?;
        }
        done
    }

    async fn probe_and_insert(&mut self, format: &RowFormat<'_>, rows: &[RowRef<'_>]) -> Result<u64> {
        let mut missing = Vec::with_capacity(rows.len());
        for part in rows.chunks(PROBES) {
            self.session.flush().await?;
            // The server compares, because only it knows which keys are the same under their collation.
            self.session.sql.extend_from_slice(b"SELECT ");
            for (index, row) in part.iter().enumerate() {
                let sql = &mut self.session.sql;
                sql.extend_from_slice(if index > 0 {
                    b",EXISTS(SELECT 1 FROM "
                } else {
                    b"EXISTS(SELECT 1 FROM "
                });
                push_table(sql, &format.plan.target.name);
                sql.extend_from_slice(b" WHERE ");
                format.push_key(sql, *row)?;
                sql.push(b')');
            }
            let answer = self.session.rows("asking which rows are there").await?;
            let there = answer.rows.first().map(|row| row.cells()).unwrap_or_default();
            missing.extend(
                part.iter().zip(there).filter(|(_, cell)| cell.as_deref() == Some(b"0")).map(|(row, _)| *row),
            );
        }
        self.insert_parts(format, &missing, true, false).await
    }
}

/// A length that the text of the rows' values won't exceed but in rare cases: escapes double a byte, and the
/// shortest number with its separators has a few.
fn upper_bound(rows: &[RowRef<'_>]) -> usize {
    rows.iter().map(row_bound).sum()
}

fn row_bound(row: &RowRef<'_>) -> usize {
    row.byte_len() * 2 + row.len() * 24
}

/// How many of the rows, at least one, are likely to fit into one statement.
fn fitting(rows: &[RowRef<'_>]) -> usize {
    let mut bytes = 0;
    let fit = rows.iter().take(ROWS).take_while(|row| {
        bytes += row_bound(row);
        bytes <= BYTES
    });
    fit.count().max(1).min(rows.len())
}

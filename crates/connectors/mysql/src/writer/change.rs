//! Deleting, updating and truncating.

use whimbrel_connector::{ErrorKind, Result, TablePlan};
use whimbrel_model::{Charset, DataType, RowRef, ValueRef};

use super::MysqlWriter;
use super::insert::ROWS;
use super::rows::RowFormat;
use crate::sql::keys::push_table;
use crate::sql::literal::{Literal, push_bytes};
use crate::wire::{Flavor, push_identifier};

/// Rows of a keyless table deleted in one command.
const KEYLESS_ROWS: usize = 100;

impl MysqlWriter {
    pub(super) async fn delete_rows(&mut self, plan: &TablePlan, rows: &[RowRef<'_>]) -> Result<u64> {
        let done = self.delete_parts(plan, rows).await;
        self.session.end_atomic(done.is_err()).await;
        done
    }

    async fn delete_parts(&mut self, plan: &TablePlan, rows: &[RowRef<'_>]) -> Result<u64> {
        let format = RowFormat::new(plan, self.list_form());
        let part_rows = if plan.is_keyless() { KEYLESS_ROWS } else { ROWS };
        let several = rows.len() > part_rows || (plan.is_keyless() && rows.len() > 1);
        let mut affected = 0;
        for part in rows.chunks(part_rows) {
            if several {
                self.session.start_atomic();
            } else {
                self.session.start();
            }
            if plan.is_keyless() {
                for (index, row) in part.iter().enumerate() {
                    self.session.sql.extend_from_slice(if index > 0 {
                        b";DELETE FROM "
                    } else {
                        b"DELETE FROM "
                    });
                    push_table(&mut self.session.sql, &plan.target.name);
                    self.push_whole_row(&format, *row)?;
                }
            } else {
                format.push_delete(&mut self.session.sql, part)?;
            }
            let results = self.session.run("deleting rows", format.table()).await?;
            affected += results.iter().map(|result| result.affected_rows).sum::<u64>();
        }
        Ok(affected)
    }

    pub(super) async fn update_row(
        &mut self,
        plan: &TablePlan,
        before: RowRef<'_>,
        after: RowRef<'_>,
    ) -> Result<u64> {
        let format = RowFormat::new(plan, self.list_form());
        self.session.start();
        self.session.sql.extend_from_slice(b"UPDATE ");
        push_table(&mut self.session.sql, &plan.target.name);
        self.session.sql.extend_from_slice(b" SET ");
        format.push_assignments(&mut self.session.sql, Some(before), after)?;
        if plan.is_keyless() {
            self.push_whole_row(&format, before)?;
        } else {
            self.session.sql.extend_from_slice(b" WHERE ");
            format.push_key(&mut self.session.sql, before)?;
        }
        let results = self.session.run("updating a row", format.table()).await?;
        Ok(results.last().map_or(0, |result| result.affected_rows))
    }

    /// ` WHERE` all columns are exactly those of the row `LIMIT 1`. Text is compared as bytes: a collation would take
    /// other text for the same. Columns that begin an index are also compared as they are, so that it can be used.
    fn push_whole_row(&mut self, format: &RowFormat<'_>, row: RowRef<'_>) -> Result<()> {
        let json_cast = self.session.version.flavor != Flavor::MariaDb;
        let sql = &mut self.session.sql;
        let plan = format.plan;
        let mut word: &[u8] = b" WHERE ";
        for map in &plan.columns {
            let (from, to) = (&plan.source.schema.columns[map.source], &plan.target.columns[map.target]);
            let value = row.get(map.source);
            if matches!(value, ValueRef::Unknown) {
                continue;
            }
            sql.extend_from_slice(word);
            word = b" AND ";
            let literal = Literal::compared(&from.data_type, &to.data_type);
            if begins_index(plan, &to.name) && !matches!(to.data_type, DataType::Json) {
                literal.push_column(sql, &to.name);
                sql.extend_from_slice(b"<=>");
                literal.push(sql, value).map_err(|error| format.refused(&to.name, error))?;
                sql.extend_from_slice(b" AND ");
            }
            push_exactly(sql, &to.name, &from.data_type, &to.data_type, value, json_cast)
                .unwrap_or_else(|| {
                    literal.push_column(sql, &to.name);
                    sql.extend_from_slice(b"<=>");
                    literal.push(sql, value)
                })
                .map_err(|error| format.refused(&to.name, error))?;
        }
        sql.extend_from_slice(b" LIMIT 1");
        Ok(())
    }

    pub(super) async fn truncate_table(&mut self, plan: &TablePlan) -> Result<()> {
        self.outside_transaction("truncating a table")?;
        let name = &plan.target.name;
        let mut sql = b"TRUNCATE TABLE ".to_vec();
        push_table(&mut sql, name);
        let truncated = self.run_fenced(&name.table, &sql).await;
        // 1701, 1217: another table's foreign key refers to it.
        let Err(error) = truncated else { return Ok(()) };
        if !super::has_server_code(&error, &[1701, 1217, 1451]) {
            return Err(error);
        }
        sql = b"DELETE FROM ".to_vec();
        push_table(&mut sql, name);
        self.run_fenced(&name.table, &sql).await
    }

    pub(super) fn outside_transaction(&self, doing: &str) -> Result<()> {
        if !self.session.in_transaction() {
            return Ok(());
        }
        Err(whimbrel_connector::ConnectorError::new(
            ErrorKind::Other,
            &self.session.endpoint,
            format!("{doing} inside a transaction"),
        ))
    }
}

fn begins_index(plan: &TablePlan, column: &str) -> bool {
    let target = &plan.target;
    let mut keys = target.primary_key.iter().chain(&target.unique_keys).chain(&target.indexes);
    keys.any(|key| {
        key.parts.first().and_then(|part| part.column()).is_some_and(|name| name.eq_ignore_ascii_case(column))
    })
}

/// Appends a comparison of exactly the same bytes or JSON; `None` where `<=>` with a literal is exact already.
fn push_exactly(
    sql: &mut Vec<u8>,
    name: &str,
    source: &DataType,
    target: &DataType,
    value: ValueRef<'_>,
    json_cast: bool,
) -> Option<std::result::Result<(), crate::sql::literal::LiteralError>> {
    match (target, value) {
        (_, ValueRef::Null) => None,
        (DataType::Json, _) if json_cast => {
            push_identifier(sql, name);
            sql.extend_from_slice(b"<=>CAST(");
            let pushed = Literal::compared(source, target).push(sql, value);
            sql.extend_from_slice(b" AS JSON)");
            Some(pushed)
        }
        (DataType::Char { .. } | DataType::VarChar { .. } | DataType::Text { .. }, ValueRef::Text(text)) => {
            if source.charset() == target.charset() {
                sql.extend_from_slice(b"CAST(");
                push_identifier(sql, name);
                sql.extend_from_slice(b" AS BINARY)<=>");
                push_bytes(sql, text);
                return Some(Ok(()));
            }
            let utf8 = match source.charset().to_utf8(text) {
                Ok(utf8) => utf8,
                Err(error) => {
                    return Some(Err(crate::sql::literal::LiteralError::InvalidText(error.charset)));
                }
            };
            let convert = !matches!(target.charset(), Charset::Utf8mb4 | Charset::Utf8mb3 | Charset::Ascii);
            sql.extend_from_slice(if convert { b"CAST(CONVERT(" } else { b"CAST(" });
            push_identifier(sql, name);
            sql.extend_from_slice(if convert { b" USING utf8mb4) AS BINARY)<=>" } else { b" AS BINARY)<=>" });
            push_bytes(sql, &utf8);
            Some(Ok(()))
        }
        (DataType::Geometry { .. }, ValueRef::Geometry(bytes)) => {
            sql.extend_from_slice(b"CAST(");
            push_identifier(sql, name);
            sql.extend_from_slice(b" AS BINARY)<=>");
            push_bytes(sql, bytes);
            Some(Ok(()))
        }
        _ => None,
    }
}

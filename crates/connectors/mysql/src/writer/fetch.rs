//! Reading rows of the target in the source's layout.

use whimbrel_connector::{ConnectorError, ErrorKind, Result, TablePlan};
use whimbrel_model::{RowBatch, RowRef, ValueRef};

use super::MysqlWriter;
use super::insert::ROWS;
use super::rows::{RowFormat, compared};
use crate::error::{key_without_table, statement_error};
use crate::sql::cell::CellReader;
use crate::sql::keys::push_table;
use crate::sql::literal::push_u64;
use crate::wire::push_identifier;

impl MysqlWriter {
    pub(super) async fn fetch_rows(&mut self, plan: &TablePlan, rows: &[RowRef<'_>]) -> Result<RowBatch> {
        let mut batch = RowBatch::new(plan.source.kinds.clone());
        if plan.is_keyless() {
            return Err(unsupported(plan, "rows of a table without a key can't be read by key"));
        }
        let format = RowFormat::new(plan, self.list_form());
        for part in rows.chunks(ROWS) {
            self.session.flush().await?;
            let readers = push_select(&mut self.session.sql, plan);
            format.push_keys(&mut self.session.sql, part)?;
            self.read_into(&mut batch, plan, &readers).await?;
        }
        Ok(batch)
    }

    pub(super) async fn fetch_clashing(
        &mut self,
        plan: &TablePlan,
        key: &str,
        row: RowRef<'_>,
    ) -> Result<RowBatch> {
        let mut batch = RowBatch::new(plan.source.kinds.clone());
        let table = &plan.target.name.table;
        let key = key_without_table(key, table);
        let mut keys = plan.target.primary_key.iter().chain(&plan.target.unique_keys);
        let found = keys.find(|candidate| candidate.name.eq_ignore_ascii_case(key));
        let Some(found) = found else {
            return Err(unsupported(plan, "the table has no unique key of that name"));
        };
        self.session.flush().await?;
        let format = RowFormat::new(plan, self.list_form());
        let readers = push_select(&mut self.session.sql, plan);
        let sql = &mut self.session.sql;
        for (index, part) in found.parts.iter().enumerate() {
            let column = part
                .column()
                .and_then(|name| plan.target.column_index(name))
                .and_then(|target| plan.columns.iter().find(|map| map.target == target))
                .and_then(|map| compared(plan, map.source));
            let Some((source, name, literal)) = column else {
                return Err(unsupported(plan, "the unique key isn't over columns of the source"));
            };
            let value = row.get(source);
            if value == ValueRef::Null {
                // NULL is never the same as another value.
                return Ok(batch);
            }
            sql.extend_from_slice(if index > 0 { b" AND " } else { b"" });
            sql.extend_from_slice(if part.prefix.is_some() { b"LEFT(" } else { b"" });
            push_identifier(sql, name);
            push_prefix(sql, part.prefix);
            sql.extend_from_slice(if part.prefix.is_some() { b"=LEFT(" } else { b"=" });
            literal.push(sql, value).map_err(|error| format.refused(name, error))?;
            push_prefix(sql, part.prefix);
        }
        self.read_into(&mut batch, plan, &readers).await?;
        Ok(batch)
    }

    async fn read_into(
        &mut self,
        batch: &mut RowBatch,
        plan: &TablePlan,
        readers: &[Option<CellReader>],
    ) -> Result<()> {
        let object = plan.target.name.to_string();
        let mut stream = self.session.stream("reading rows of the target", &object).await?;
        loop {
            let row = stream
                .next()
                .await
                .map_err(|error| statement_error(&object, "reading rows of the target", error))?;
            let Some(row) = row else { return Ok(()) };
            let mut cells = row.iter();
            for reader in readers {
                let Some(reader) = reader else {
                    batch.push_unknown();
                    continue;
                };
                if let Err(error) = reader.push(batch, cells.next().flatten()) {
                    batch.abandon_row();
                    return Err(ConnectorError::new(
                        ErrorKind::SchemaMismatch,
                        object,
                        "reading a row of the target in the source's layout",
                    )
                    .with_source(error));
                }
            }
            batch.end_row();
        }
    }
}

fn push_prefix(sql: &mut Vec<u8>, prefix: Option<u32>) {
    if let Some(length) = prefix {
        sql.push(b',');
        push_u64(sql, u64::from(length));
        sql.push(b')');
    }
}

/// `SELECT ... FROM ... WHERE `; returns how each column of the source is read, `None` for those that aren't.
fn push_select(sql: &mut Vec<u8>, plan: &TablePlan) -> Vec<Option<CellReader>> {
    sql.extend_from_slice(b"SELECT ");
    let mut first = true;
    let mut readers = Vec::with_capacity(plan.source.schema.columns.len());
    for (source, column) in plan.source.schema.columns.iter().enumerate() {
        let Some(map) = plan.columns.iter().find(|map| map.source == source) else {
            readers.push(None);
            continue;
        };
        if !std::mem::take(&mut first) {
            sql.push(b',');
        }
        let target = &plan.target.columns[map.target];
        let reader = CellReader::new(&column.data_type, &target.data_type);
        reader.push_select(sql, &target.name);
        readers.push(Some(reader));
    }
    sql.extend_from_slice(b" FROM ");
    push_table(sql, &plan.target.name);
    sql.extend_from_slice(b" WHERE ");
    readers
}

fn unsupported(plan: &TablePlan, message: &str) -> ConnectorError {
    ConnectorError::new(ErrorKind::Unsupported, plan.target.name.to_string(), message)
}

//! Statements that read ranges of a table.

use std::sync::Arc;

use whimbrel_connector::{ConnectorError, ErrorKind, Flavor, KeyBound, KeyRange, Result};
use whimbrel_model::{DataType, RowBatch, RowRef, TableName, TableSchema};

use crate::sql::cell::CellReader;
use crate::sql::keys::{Direction, KeyError, ListForm, RowKey, push_table};
use crate::sql::literal::push_u64;
use crate::wire::push_identifier;

/// A table as statements name it.
#[derive(Debug)]
pub(super) struct TableSql<'a> {
    table: &'a TableSchema,
    key: Option<RowKey<'a>>,
    /// The server takes `FORCE INDEX`, and needs it to walk the key instead of sorting.
    force_index: bool,
    /// Only rows that fulfil this are there.
    restriction: Option<Arc<str>>,
}

impl<'a> TableSql<'a> {
    pub(super) fn new(table: &'a TableSchema, flavor: Flavor, restriction: Option<Arc<str>>) -> Self {
        let key = RowKey::of(table, flavor != Flavor::OceanBase);
        let visible = key.as_ref().is_some_and(|key| !key.key.invisible);
        Self { table, key, force_index: visible && flavor != Flavor::OceanBase, restriction }
    }

    /// The table's row key.
    ///
    /// # Errors
    /// A keyless table.
    pub(super) fn row_key(&self) -> Result<&RowKey<'a>> {
        self.key.as_ref().ok_or_else(|| {
            ConnectorError::new(
                ErrorKind::Configuration,
                self.table.name.to_string(),
                "a table without a key has no ranges",
            )
        })
    }

    /// The key of the last row.
    pub(super) fn push_last_bound(&self, sql: &mut Vec<u8>) -> Result<Vec<CellReader>> {
        self.push_nth_key(sql, &KeyRange::default(), Direction::Backwards, 1)
    }

    /// The key of the `rows`th row of a range.
    pub(super) fn push_next_bound(
        &self,
        sql: &mut Vec<u8>,
        range: &KeyRange,
        rows: u64,
    ) -> Result<Vec<CellReader>> {
        self.push_nth_key(sql, range, Direction::Forwards, rows)
    }

    fn push_nth_key(
        &self,
        sql: &mut Vec<u8>,
        range: &KeyRange,
        direction: Direction,
        rows: u64,
    ) -> Result<Vec<CellReader>> {
        let key = self.row_key()?;
        let columns = key.columns.iter().map(|column| (column.name, column.data_type));
        let readers = push_columns(sql, columns);
        self.push_from(sql);
        self.push_bounds(sql, range.after.as_ref(), range.until.as_ref())?;
        sql.extend_from_slice(b" ORDER BY ");
        key.push_order(sql, direction);
        sql.extend_from_slice(b" LIMIT 1 OFFSET ");
        push_u64(sql, rows.saturating_sub(1));
        Ok(readers)
    }

    /// All columns of the rows of a range, in key order.
    pub(super) fn push_select_range(&self, sql: &mut Vec<u8>, range: &KeyRange) -> Result<Vec<CellReader>> {
        let readers = self.push_select_all(sql);
        self.push_from(sql);
        self.push_where(sql, range.after.as_ref(), range.until.as_ref())?;
        if let Some(key) = &self.key {
            sql.extend_from_slice(b" ORDER BY ");
            key.push_order(sql, Direction::Forwards);
        }
        Ok(readers)
    }

    /// All columns of the rows with these keys.
    pub(super) fn push_select_keys<'b>(
        &self,
        sql: &mut Vec<u8>,
        keys: impl Iterator<Item = RowRef<'b>>,
        form: ListForm,
    ) -> Result<Vec<CellReader>> {
        let key = self.row_key()?;
        let readers = self.push_select_all(sql);
        self.push_from(sql);
        sql.extend_from_slice(b" WHERE ");
        key.push_list(sql, keys, form).map_err(|error| key_error(&self.table.name, error))?;
        self.push_restriction(sql, b" AND ");
        Ok(readers)
    }

    /// The row with an extreme value of a column.
    pub(super) fn push_extreme(&self, sql: &mut Vec<u8>, column: &str, extreme: Extreme) -> Vec<CellReader> {
        let readers = self.push_select_all(sql);
        sql.extend_from_slice(b" FROM ");
        push_table(sql, &self.table.name);
        sql.extend_from_slice(b" WHERE ");
        push_identifier(sql, column);
        sql.extend_from_slice(b" IS NOT NULL ORDER BY ");
        sql.extend_from_slice(if extreme == Extreme::Longest { b"OCTET_LENGTH(" } else { b"" });
        push_identifier(sql, column);
        sql.extend_from_slice(match extreme {
            Extreme::Smallest => b" LIMIT 1",
            Extreme::Largest => b" DESC LIMIT 1",
            Extreme::Longest => b") DESC LIMIT 1",
        });
        readers
    }

    /// An aggregate over a range.
    pub(super) fn push_aggregate(
        &self,
        sql: &mut Vec<u8>,
        expression: &[u8],
        range: &KeyRange,
    ) -> Result<()> {
        sql.extend_from_slice(b"SELECT ");
        sql.extend_from_slice(expression);
        self.push_from(sql);
        self.push_where(sql, range.after.as_ref(), range.until.as_ref())
    }

    fn push_select_all(&self, sql: &mut Vec<u8>) -> Vec<CellReader> {
        push_columns(sql, self.table.columns.iter().map(|column| (column.name.as_str(), &column.data_type)))
    }

    fn push_from(&self, sql: &mut Vec<u8>) {
        sql.extend_from_slice(b" FROM ");
        push_table(sql, &self.table.name);
        if let Some(key) = self.key.as_ref().filter(|_| self.force_index) {
            sql.extend_from_slice(b" FORCE INDEX (");
            push_identifier(sql, &key.key.name);
            sql.push(b')');
        }
    }

    fn push_where(
        &self,
        sql: &mut Vec<u8>,
        after: Option<&KeyBound>,
        until: Option<&KeyBound>,
    ) -> Result<()> {
        self.push_bounds(sql, after, until)?;
        let bounded = after.is_some() || until.is_some();
        self.push_restriction(sql, if bounded { b" AND " } else { b" WHERE " });
        Ok(())
    }

    fn push_restriction(&self, sql: &mut Vec<u8>, word: &[u8]) {
        if let Some(condition) = &self.restriction {
            sql.extend_from_slice(word);
            sql.push(b'(');
            sql.extend_from_slice(condition.as_bytes());
            sql.push(b')');
        }
    }

    fn push_bounds(
        &self,
        sql: &mut Vec<u8>,
        after: Option<&KeyBound>,
        until: Option<&KeyBound>,
    ) -> Result<()> {
        let mut word: &[u8] = b" WHERE ";
        for (bound, is_after) in [(after, true), (until, false)] {
            let Some(bound) = bound else { continue };
            let key = self.row_key()?;
            let row = decode_bound(&self.table.name, key, bound)?;
            sql.extend_from_slice(word);
            word = b" AND ";
            let pushed = match is_after {
                true => key.push_after(sql, row.row(0)),
                false => key.push_until(sql, row.row(0)),
            };
            pushed.map_err(|error| key_error(&self.table.name, error))?;
        }
        Ok(())
    }
}

/// Which value of a column is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extreme {
    Smallest,
    Largest,
    Longest,
}

/// The extremes that a column's type has: documents and shapes have no useful order, numbers no length.
pub(super) fn extremes(table: &TableSchema, column: usize) -> &'static [Extreme] {
    match table.columns.get(column).map(|column| &column.data_type) {
        None => &[],
        Some(DataType::Json | DataType::Geometry { .. } | DataType::Vector { .. }) => &[Extreme::Longest],
        Some(
            DataType::Char { .. }
            | DataType::VarChar { .. }
            | DataType::Text { .. }
            | DataType::Binary { .. }
            | DataType::VarBinary { .. }
            | DataType::Blob { .. },
        ) => &[Extreme::Smallest, Extreme::Largest, Extreme::Longest],
        Some(_) => &[Extreme::Smallest, Extreme::Largest],
    }
}

fn push_columns<'c>(
    sql: &mut Vec<u8>,
    columns: impl Iterator<Item = (&'c str, &'c DataType)>,
) -> Vec<CellReader> {
    sql.extend_from_slice(b"SELECT ");
    let mut readers = Vec::new();
    for (name, data_type) in columns {
        if !readers.is_empty() {
            sql.push(b',');
        }
        let reader = CellReader::new(data_type, data_type);
        reader.push_select(sql, name);
        readers.push(reader);
    }
    readers
}

fn decode_bound(table: &TableName, key: &RowKey<'_>, bound: &KeyBound) -> Result<RowBatch> {
    let unfit = |message: &str| ConnectorError::new(ErrorKind::SchemaMismatch, table.to_string(), message);
    let batch = RowBatch::decode(key.kinds(), &bound.row)
        .map_err(|error| unfit("a bound of a key range does not fit the table's key").with_source(error))?;
    if batch.len() == 1 { Ok(batch) } else { Err(unfit("a bound of a key range is not one row")) }
}

fn key_error(table: &TableName, error: KeyError) -> ConnectorError {
    ConnectorError::new(ErrorKind::RowRefused, table.to_string(), "writing a key").with_source(error)
}

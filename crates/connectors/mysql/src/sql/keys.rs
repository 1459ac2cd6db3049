//! A table's row key as SQL: ranges, lists and order.
//!
//! A range over several columns is written out as `a > x OR (a = x AND b > y)`: MySQL, MariaDB and OceanBase
//! turn two of these (one per bound) into exact index ranges, where MySQL and MariaDB scan the whole index for
//! `(a, b) > (x, y)`. A list of keys is `(a, b) IN ((1, 2), ...)`, except for MySQL before 5.7.3, which
//! scans the table for it.
//!
//! MySQL and MariaDB find no index range for `e > 3` on an ENUM, so such a comparison lists the members that
//! are greater, as long as they are few.

use std::sync::Arc;

use whimbrel_model::schema::Key;
use whimbrel_model::{CellKind, DataType, RowRef, TableSchema, ValueRef};

use super::literal::{Literal, LiteralError, push_u64};
use crate::wire::push_identifier;

/// More members than this are compared by number, without an index range.
const ENUM_LIST: usize = 512;

/// A cell of a key that can't be written.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("column {column} of the key can't be written as SQL")]
pub struct KeyError {
    pub column: String,
    #[source]
    pub source: LiteralError,
}

/// One column of a key.
#[derive(Clone, Copy, Debug)]
pub struct KeyColumn<'a> {
    pub name: &'a str,
    pub data_type: &'a DataType,
    pub descending: bool,
    pub literal: Literal<'a>,
}

/// The columns of a server's own row key, in the key's order.
#[derive(Clone, Debug)]
pub struct RowKey<'a> {
    pub key: &'a Key,
    pub columns: Vec<KeyColumn<'a>>,
}

/// Which way a key is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Forwards,
    Backwards,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Rows with a greater key.
    After,
    /// Rows with a smaller key, or the same.
    Until,
}

impl<'a> RowKey<'a> {
    /// The row key of a table whose keys are compared with values read from the same server; `None` for a
    /// keyless table. `introducers` as for [`Literal::own`].
    pub fn of(table: &'a TableSchema, introducers: bool) -> Option<Self> {
        let key = table.row_key()?;
        let columns = key
            .parts
            .iter()
            .filter_map(|part| {
                let column = &table.columns[table.column_index(part.column()?)?];
                Some(KeyColumn {
                    name: &column.name,
                    data_type: &column.data_type,
                    descending: part.descending,
                    literal: Literal::own(&column.data_type, introducers),
                })
            })
            .collect();
        Some(Self { key, columns })
    }

    /// The kinds of a batch of keys.
    pub fn kinds(&self) -> Arc<[CellKind]> {
        self.columns.iter().map(|column| column.data_type.cell_kind()).collect()
    }

    /// Appends `` `a`,`b` DESC ``.
    pub fn push_order(&self, out: &mut Vec<u8>, direction: Direction) {
        for (index, column) in self.columns.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            push_identifier(out, column.name);
            if column.descending != (direction == Direction::Backwards) {
                out.extend_from_slice(b" DESC");
            }
        }
    }

    /// Appends the condition `after < key`.
    pub fn push_after(&self, out: &mut Vec<u8>, bound: RowRef<'_>) -> Result<(), KeyError> {
        self.push_bound(out, bound, Side::After)
    }

    /// Appends the condition `key <= until`.
    pub fn push_until(&self, out: &mut Vec<u8>, bound: RowRef<'_>) -> Result<(), KeyError> {
        self.push_bound(out, bound, Side::Until)
    }

    fn push_bound(&self, out: &mut Vec<u8>, bound: RowRef<'_>, side: Side) -> Result<(), KeyError> {
        out.push(b'(');
        for (index, column) in self.columns.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(b" OR (");
                for (at, equal) in self.columns[..index].iter().enumerate() {
                    equal.literal.push_column(out, equal.name);
                    out.push(b'=');
                    equal.push_value(out, bound.get(at))?;
                    out.extend_from_slice(b" AND ");
                }
            }
            let last = index + 1 == self.columns.len();
            column.push_beyond(out, bound.get(index), side, last)?;
            if index > 0 {
                out.push(b')');
            }
        }
        out.push(b')');
        Ok(())
    }

    /// Appends a condition that holds for the rows with one of these keys (rows of the key's columns only).
    pub fn push_list<'b>(
        &self,
        out: &mut Vec<u8>,
        rows: impl Iterator<Item = RowRef<'b>>,
        form: ListForm,
    ) -> Result<(), KeyError> {
        let columns: Vec<_> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| (index, column.name, column.literal))
            .collect();
        let form = form.for_types(self.columns.iter().map(|column| column.data_type));
        push_key_list(out, &columns, rows, form)
    }
}

impl KeyColumn<'_> {
    fn push_value(&self, out: &mut Vec<u8>, value: ValueRef<'_>) -> Result<(), KeyError> {
        self.literal.push(out, value).map_err(|source| KeyError { column: self.name.to_owned(), source })
    }

    /// `column > value`, `column < value`, or `column <= value` for the last column of an upper bound.
    fn push_beyond(
        &self,
        out: &mut Vec<u8>,
        value: ValueRef<'_>,
        side: Side,
        last: bool,
    ) -> Result<(), KeyError> {
        let inclusive = side == Side::Until && last;
        let greater = (side == Side::After) != self.descending;
        if let (DataType::Enum { members, .. }, ValueRef::Enum(number)) = (self.data_type, value)
            && members.len() <= ENUM_LIST
        {
            self.push_members(out, members.len() as u64, u64::from(number), greater, inclusive);
            return Ok(());
        }
        self.literal.push_column(out, self.name);
        out.push(if greater { b'>' } else { b'<' });
        if inclusive {
            out.push(b'=');
        }
        self.push_value(out, value)
    }

    fn push_members(&self, out: &mut Vec<u8>, members: u64, number: u64, greater: bool, inclusive: bool) {
        let range = match (greater, inclusive) {
            (true, true) => number..members + 1,
            (true, false) => number + 1..members + 1,
            (false, true) => 0..number + 1,
            (false, false) => 0..number,
        };
        if range.is_empty() {
            out.extend_from_slice(b"0=1");
            return;
        }
        push_identifier(out, self.name);
        out.extend_from_slice(b" IN (");
        for (index, member) in range.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            push_u64(out, member);
        }
        out.push(b')');
    }
}

/// How a list of keys of several columns is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListForm {
    /// `(a, b) IN ((1, 2), ...)`
    Rows,
    /// `(a = 1 AND b = 2) OR ...`
    Conditions,
}

impl ListForm {
    /// The form for columns of these types: MySQL compares an ENUM or SET within a row as text, so that its number is
    /// never found there.
    #[must_use]
    pub fn for_types<'t>(self, mut types: impl Iterator<Item = &'t DataType>) -> Self {
        let members =
            types.any(|data_type| matches!(data_type, DataType::Enum { .. } | DataType::Set { .. }));
        if members { Self::Conditions } else { self }
    }
}

/// Appends a condition that holds for the rows whose columns (position in `rows`, name at the server, form of the
/// literal) have the values of one of `rows`.
pub fn push_key_list<'b>(
    out: &mut Vec<u8>,
    columns: &[(usize, &str, Literal<'_>)],
    rows: impl Iterator<Item = RowRef<'b>>,
    form: ListForm,
) -> Result<(), KeyError> {
    let value = |out: &mut Vec<u8>, (at, name, literal): &(usize, &str, Literal<'_>), row: RowRef<'_>| {
        literal.push(out, row.get(*at)).map_err(|source| KeyError { column: (*name).to_owned(), source })
    };
    if form == ListForm::Conditions && columns.len() > 1 {
        for (index, row) in rows.enumerate() {
            out.extend_from_slice(if index > 0 { b" OR " } else { b"" });
            for (at, column) in columns.iter().enumerate() {
                out.extend_from_slice(if at > 0 { b" AND " } else { b"(" });
                column.2.push_column(out, column.1);
                out.push(b'=');
                value(out, column, row)?;
            }
            out.push(b')');
        }
        return Ok(());
    }
    let single = columns.len() == 1;
    match columns {
        [(_, name, literal)] => literal.push_column(out, name),
        _ => push_name_list(out, columns.iter().map(|column| column.1), true),
    }
    out.extend_from_slice(b" IN (");
    for (index, row) in rows.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        for (at, column) in columns.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            } else if !single {
                out.push(b'(');
            }
            value(out, column, row)?;
        }
        if !single {
            out.push(b')');
        }
    }
    out.push(b')');
    Ok(())
}

/// Appends names with commas between them, in parentheses if asked for.
pub fn push_name_list<'n>(out: &mut Vec<u8>, names: impl Iterator<Item = &'n str>, parentheses: bool) {
    if parentheses {
        out.push(b'(');
    }
    for (index, name) in names.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_identifier(out, name);
    }
    if parentheses {
        out.push(b')');
    }
}

/// Appends `` `schema`.`table` ``.
pub fn push_table(out: &mut Vec<u8>, name: &whimbrel_model::TableName) {
    push_identifier(out, &name.schema);
    out.push(b'.');
    push_identifier(out, &name.table);
}

#[cfg(test)]
mod tests {
    use whimbrel_model::{Charset, Column, RowBatch, TableName};

    use super::*;

    fn table(columns: Vec<Column>, descending: &[bool]) -> TableSchema {
        let mut key = Key::on_columns("PRIMARY", columns.iter().map(|column| column.name.clone()));
        for (part, descending) in key.parts.iter_mut().zip(descending) {
            part.descending = *descending;
        }
        TableSchema { primary_key: Some(key), ..TableSchema::new(TableName::new("d", "t"), columns) }
    }

    fn int(name: &str) -> Column {
        Column::new(name, DataType::Int { bytes: 4, unsigned: false, zerofill: None }, false)
    }

    fn text(out: Vec<u8>) -> String {
        String::from_utf8(out).unwrap()
    }

    fn both(table: &TableSchema, values: &[ValueRef<'_>]) -> (String, String) {
        let key = RowKey::of(table, true).unwrap();
        let mut batch = RowBatch::new(key.kinds());
        for value in values {
            batch.push_value(*value);
        }
        batch.end_row();
        let (mut after, mut until) = (Vec::new(), Vec::new());
        key.push_after(&mut after, batch.row(0)).unwrap();
        key.push_until(&mut until, batch.row(0)).unwrap();
        (text(after), text(until))
    }

    #[test]
    fn bounds_of_several_columns_are_written_out() {
        let (after, until) = both(
            &table(vec![int("a"), int("b"), int("c")], &[]),
            &[ValueRef::Int(1), ValueRef::Int(2), ValueRef::Int(3)],
        );
        assert_eq!(after, "(`a`>1 OR (`a`=1 AND `b`>2) OR (`a`=1 AND `b`=2 AND `c`>3))");
        assert_eq!(until, "(`a`<1 OR (`a`=1 AND `b`<2) OR (`a`=1 AND `b`=2 AND `c`<=3))");
    }

    #[test]
    fn descending_columns_turn_the_comparison() {
        let table = table(vec![int("a"), int("b")], &[false, true]);
        let (after, until) = both(&table, &[ValueRef::Int(1), ValueRef::Int(2)]);
        assert_eq!(after, "(`a`>1 OR (`a`=1 AND `b`<2))");
        assert_eq!(until, "(`a`<1 OR (`a`=1 AND `b`>=2))");
        let key = RowKey::of(&table, true).unwrap();
        for (direction, expected) in
            [(Direction::Forwards, "`a`,`b` DESC"), (Direction::Backwards, "`a` DESC,`b`")]
        {
            let mut order = Vec::new();
            key.push_order(&mut order, direction);
            assert_eq!(text(order), expected);
        }
    }

    #[test]
    fn enum_bounds_list_their_members() {
        let members = ["x", "y", "z"].map(str::to_owned).to_vec();
        let data_type = DataType::Enum { members, charset: Charset::Utf8mb4, collation: String::new() };
        let table = table(vec![Column::new("e", data_type, false)], &[]);
        assert_eq!(both(&table, &[ValueRef::Enum(2)]), ("(`e` IN (3))".into(), "(`e` IN (0,1,2))".into()));
        assert_eq!(both(&table, &[ValueRef::Enum(3)]), ("(0=1)".into(), "(`e` IN (0,1,2,3))".into()));
    }

    #[test]
    fn lists_of_keys_in_both_forms() {
        let one = table(vec![int("a")], &[]);
        let two = table(vec![int("a"), int("b")], &[]);
        let list = |table: &TableSchema, form| {
            let key = RowKey::of(table, true).unwrap();
            let mut batch = RowBatch::new(key.kinds());
            for number in 1..=2 {
                (0..key.columns.len()).for_each(|_| batch.push_int(number));
                batch.end_row();
            }
            let mut out = Vec::new();
            key.push_list(&mut out, batch.rows(), form).unwrap();
            text(out)
        };
        assert_eq!(list(&one, ListForm::Rows), "`a` IN (1,2)");
        assert_eq!(list(&one, ListForm::Conditions), "`a` IN (1,2)");
        assert_eq!(list(&two, ListForm::Rows), "(`a`,`b`) IN ((1,1),(2,2))");
        assert_eq!(list(&two, ListForm::Conditions), "(`a`=1 AND `b`=1) OR (`a`=2 AND `b`=2)");
    }

    #[test]
    fn a_value_that_is_no_text_names_its_column() {
        let column = Column::new(
            "a",
            DataType::VarChar { chars: 9, charset: Charset::Utf8mb4, collation: String::new() },
            false,
        );
        let table = table(vec![column], &[]);
        let key = RowKey::of(&table, true).unwrap();
        let mut batch = RowBatch::new(key.kinds());
        batch.push_bytes(b"\xff");
        batch.end_row();
        let error = key.push_after(&mut Vec::new(), batch.row(0)).unwrap_err();
        assert_eq!((error.column.as_str(), error.source), ("a", LiteralError::InvalidText(Charset::Utf8mb4)));
    }
}

//! The statement that makes one row of the target what the source has, and the one that takes it back.
//!
//! | source has the row | target has it | statement | undo |
//! |---|---|---|---|
//! | yes | no | INSERT | DELETE |
//! | no | yes | DELETE | INSERT |
//! | yes | yes | UPDATE of the columns that differ | UPDATE back |
//!
//! UPDATE and DELETE name the row by its key and carry the whole row that they expect, compared exactly: text
//! as bytes (a collation takes different text for the same), JSON as JSON. Where the row has changed since,
//! they change nothing. INSERT writes nothing where the key is there by now; a keyless table takes any row. At most
//! one row is changed. Generated columns are neither written nor compared. Every statement has the comment
//! `whimbrel correction`, so that logs tell who it was.
//!
//! The statements are meant for a session after [`PREAMBLE`].

use whimbrel_connector::endpoint::Correction;
use whimbrel_connector::{ConnectorError, ErrorKind, Result, TablePlan};
use whimbrel_model::{Charset, DataType, RowRef, TableVersion, ValueRef};

use crate::sql::keys::push_table;
use crate::sql::literal::{Literal, LiteralError};
use crate::wire::push_identifier;

/// Text goes in as UTF-8, moments in UTC, dates that no calendar has as they are; a deletion doesn't cascade.
pub(crate) const PREAMBLE: &str = "SET NAMES utf8mb4;\nSET time_zone = '+00:00';\n\
    SET sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES';\n\
    SET foreign_key_checks = 0;\n";
const TAG: &[u8] = b"/* whimbrel correction */ ";

/// A column of the target and one side's value for it.
struct Cell<'a> {
    name: &'a str,
    /// What the bytes mean.
    from: &'a DataType,
    /// What the target's column is.
    to: &'a DataType,
    value: ValueRef<'a>,
    in_key: bool,
}

/// See [`whimbrel_connector::Target::correction`].
pub(crate) fn correction(
    plan: &TablePlan,
    target: &TableVersion,
    wanted: Option<RowRef<'_>>,
    found: Option<RowRef<'_>>,
) -> Result<Correction> {
    let made = match (wanted, found) {
        (Some(wanted), None) => {
            let wanted = wanted_cells(plan, wanted);
            insert(plan, &wanted).and_then(|statement| Ok((statement, delete(plan, &wanted)?)))
        }
        (None, Some(found)) => {
            let found = found_cells(plan, target, found);
            delete(plan, &found).and_then(|statement| Ok((statement, insert(plan, &found)?)))
        }
        (Some(wanted), Some(found)) => {
            let wanted = wanted_cells(plan, wanted);
            let found = found_cells(plan, target, found);
            update(plan, &wanted, &found)
                .and_then(|statement| Ok((statement, undo_update(plan, &wanted, &found)?)))
        }
        (None, None) => {
            let what = "neither side has the row";
            return Err(ConnectorError::new(ErrorKind::Other, plan.target.name.to_string(), what));
        }
    };
    match made {
        Ok((statement, undo)) => Ok(Correction { statement: text(statement), undo: text(undo) }),
        Err((column, error)) => {
            let object = format!("{}.{column}", plan.target.name);
            Err(ConnectorError::new(ErrorKind::RowRefused, object, "the value can't be written as SQL")
                .with_source(error))
        }
    }
}

type Written<T = Vec<u8>> = std::result::Result<T, (String, LiteralError)>;

fn text(sql: Vec<u8>) -> String {
    // Literals hold UTF-8, except for binary strings, whose bytes a file for people can't show anyway.
    String::from_utf8(sql).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn in_key(plan: &TablePlan, name: &str) -> bool {
    plan.target.row_key().is_some_and(|key| key.parts.iter().any(|part| part.column() == Some(name)))
}

/// The source's row by the target's columns.
fn wanted_cells<'a>(plan: &'a TablePlan, row: RowRef<'a>) -> Vec<Cell<'a>> {
    let cells = plan.columns.iter().map(|map| {
        let (from, to) = (&plan.source.schema.columns[map.source], &plan.target.columns[map.target]);
        Cell {
            name: &to.name,
            from: &from.data_type,
            to: &to.data_type,
            value: row.get(map.source),
            in_key: in_key(plan, &to.name),
        }
    });
    cells.collect()
}

/// The target's row, all columns that can be written.
fn found_cells<'a>(plan: &'a TablePlan, target: &'a TableVersion, row: RowRef<'a>) -> Vec<Cell<'a>> {
    let columns = target.schema.columns.iter().enumerate().take(row.len());
    let cells = columns.filter(|(_, column)| column.generated.is_none()).map(|(at, column)| Cell {
        name: &column.name,
        from: &column.data_type,
        to: &column.data_type,
        value: row.get(at),
        in_key: in_key(plan, &column.name),
    });
    cells.collect()
}

fn insert(plan: &TablePlan, cells: &[Cell<'_>]) -> Written {
    let known: Vec<&Cell<'_>> = cells.iter().filter(|cell| cell.value != ValueRef::Unknown).collect();
    let mut sql = begin("INSERT", plan, " (");
    for (index, cell) in known.iter().enumerate() {
        sql.extend_from_slice(if index > 0 { b", " } else { b"" });
        push_identifier(&mut sql, cell.name);
    }
    sql.extend_from_slice(b") SELECT ");
    for (index, cell) in known.iter().enumerate() {
        sql.extend_from_slice(if index > 0 { b", " } else { b"" });
        push_stored(&mut sql, cell)?;
    }
    sql.extend_from_slice(b" FROM DUAL");
    let mut key = known.iter().filter(|cell| cell.in_key).peekable();
    if key.peek().is_some() {
        sql.extend_from_slice(b" WHERE NOT EXISTS (SELECT 1 FROM ");
        push_table(&mut sql, &plan.target.name);
        let mut word: &[u8] = b" WHERE ";
        for cell in key {
            sql.extend_from_slice(std::mem::replace(&mut word, b" AND "));
            push_identifier(&mut sql, cell.name);
            sql.extend_from_slice(b" = ");
            push_compared(&mut sql, cell)?;
        }
        sql.push(b')');
    }
    Ok(sql)
}

fn delete(plan: &TablePlan, cells: &[Cell<'_>]) -> Written {
    let mut sql = begin("DELETE", plan, "");
    push_where(&mut sql, cells.iter())?;
    Ok(sql)
}

fn update(plan: &TablePlan, wanted: &[Cell<'_>], found: &[Cell<'_>]) -> Written {
    let pairs = pairs(wanted, found);
    let mut sql = begin("UPDATE", plan, " SET ");
    let changed = changed(&pairs)?;
    push_assignments(
        &mut sql,
        pairs.iter().zip(&changed).filter(|(_, changed)| **changed).map(|(pair, _)| pair.0),
    )?;
    push_where(&mut sql, found.iter())?;
    Ok(sql)
}

/// Back to what was found, where the row is what `update` made it.
fn undo_update(plan: &TablePlan, wanted: &[Cell<'_>], found: &[Cell<'_>]) -> Written {
    let pairs = pairs(wanted, found);
    let mut sql = begin("UPDATE", plan, " SET ");
    let changed = changed(&pairs)?;
    push_assignments(
        &mut sql,
        pairs.iter().zip(&changed).filter(|(_, changed)| **changed).map(|(pair, _)| pair.1),
    )?;
    let left_alone = found.iter().filter(|cell| !pairs.iter().any(|pair| pair.1.name == cell.name));
    push_where(&mut sql, pairs.iter().map(|pair| pair.0).chain(left_alone))?;
    Ok(sql)
}

/// The statement up to the table's name, and what follows that.
fn begin(verb: &str, plan: &TablePlan, then: &str) -> Vec<u8> {
    let mut sql = verb.as_bytes().to_vec();
    sql.push(b' ');
    sql.extend_from_slice(TAG);
    sql.extend_from_slice(match verb {
        "INSERT" => b"INTO ",
        "DELETE" => b"FROM ",
        _ => b"",
    });
    push_table(&mut sql, &plan.target.name);
    sql.extend_from_slice(then.as_bytes());
    sql
}

/// Wanted and found values of the same columns, as far as the wanted ones are known.
fn pairs<'p, 'a>(wanted: &'p [Cell<'a>], found: &'p [Cell<'a>]) -> Vec<(&'p Cell<'a>, &'p Cell<'a>)> {
    let known = wanted.iter().filter(|cell| cell.value != ValueRef::Unknown);
    known.filter_map(|cell| Some((cell, found.iter().find(|other| other.name == cell.name)?))).collect()
}

/// Which pairs differ as SQL; all of them where none does (JSON that differs only in its text).
fn changed(pairs: &[(&Cell<'_>, &Cell<'_>)]) -> Written<Vec<bool>> {
    let mut changed = Vec::with_capacity(pairs.len());
    for (wanted, found) in pairs {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        push_stored(&mut ours, wanted)?;
        push_stored(&mut theirs, found)?;
        changed.push(ours != theirs);
    }
    if !changed.contains(&true) {
        changed.fill(true);
    }
    Ok(changed)
}

fn push_assignments<'p, 'a: 'p>(sql: &mut Vec<u8>, cells: impl Iterator<Item = &'p Cell<'a>>) -> Written<()> {
    for (index, cell) in cells.enumerate() {
        sql.extend_from_slice(if index > 0 { b", " } else { b"" });
        push_identifier(sql, cell.name);
        sql.extend_from_slice(b" = ");
        push_stored(sql, cell)?;
    }
    Ok(())
}

/// ` WHERE` the key as it is (an index finds the row), then all columns exactly.
fn push_where<'p, 'a: 'p>(sql: &mut Vec<u8>, cells: impl Iterator<Item = &'p Cell<'a>>) -> Written<()> {
    let known: Vec<_> = cells.filter(|cell| cell.value != ValueRef::Unknown).collect();
    let mut word: &[u8] = b" WHERE ";
    for cell in known.iter().filter(|cell| cell.in_key) {
        sql.extend_from_slice(std::mem::replace(&mut word, b" AND "));
        push_identifier(sql, cell.name);
        sql.extend_from_slice(b" = ");
        push_compared(sql, cell)?;
    }
    for cell in known {
        let exact = exact_form(cell.to, cell.value);
        if cell.in_key && exact == Exact::AsItIs {
            continue;
        }
        sql.extend_from_slice(std::mem::replace(&mut word, b" AND "));
        push_exactly(sql, cell, exact)?;
    }
    sql.extend_from_slice(b" LIMIT 1");
    Ok(())
}

/// How a column is compared so that nothing else than the value is the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Exact {
    AsItIs,
    Json,
    Text,
    Bytes,
}

fn exact_form(to: &DataType, value: ValueRef<'_>) -> Exact {
    match (to, value) {
        (_, ValueRef::Null) => Exact::AsItIs,
        (DataType::Json, _) => Exact::Json,
        (DataType::Char { .. } | DataType::VarChar { .. } | DataType::Text { .. }, _) => Exact::Text,
        (DataType::Geometry { .. }, _) => Exact::Bytes,
        _ => Exact::AsItIs,
    }
}

fn push_exactly(sql: &mut Vec<u8>, cell: &Cell<'_>, exact: Exact) -> Written<()> {
    match exact {
        Exact::AsItIs => {
            push_identifier(sql, cell.name);
            sql.extend_from_slice(b" <=> ");
            push_compared(sql, cell)
        }
        Exact::Json => {
            push_identifier(sql, cell.name);
            sql.extend_from_slice(b" <=> CAST(");
            push_compared(sql, cell)?;
            sql.extend_from_slice(b" AS JSON)");
            Ok(())
        }
        Exact::Text => {
            let (from, to) = (cell.from.charset(), cell.to.charset());
            let comparable = from == to || matches!(to, Charset::Utf8mb4 | Charset::Utf8mb3 | Charset::Ascii);
            sql.extend_from_slice(if comparable { b"CAST(" } else { b"CAST(CONVERT(" });
            push_identifier(sql, cell.name);
            sql.extend_from_slice(if comparable { b" AS BINARY)" } else { b" USING utf8mb4) AS BINARY)" });
            sql.extend_from_slice(b" <=> CAST(");
            push_compared(sql, cell)?;
            sql.extend_from_slice(b" AS BINARY)");
            Ok(())
        }
        Exact::Bytes => {
            sql.extend_from_slice(b"CAST(");
            push_identifier(sql, cell.name);
            sql.extend_from_slice(b" AS BINARY) <=> ");
            push_compared(sql, cell)
        }
    }
}

fn push_stored(sql: &mut Vec<u8>, cell: &Cell<'_>) -> Written<()> {
    push_literal(sql, cell, Literal::new(cell.from, cell.to))
}

fn push_compared(sql: &mut Vec<u8>, cell: &Cell<'_>) -> Written<()> {
    push_literal(sql, cell, Literal::compared(cell.from, cell.to))
}

/// Long binary strings as hex, unlike in statements that no one reads: a file of text can't hold their bytes.
fn push_literal(sql: &mut Vec<u8>, cell: &Cell<'_>, literal: Literal<'_>) -> Written<()> {
    let start = sql.len();
    let pushed = literal.push(sql, cell.value);
    let bytes = match cell.value {
        ValueRef::Bytes(bytes) | ValueRef::Geometry(bytes) | ValueRef::Text(bytes) => bytes,
        _ => &[],
    };
    if sql.get(start..).is_some_and(|text| text.starts_with(b"_binary")) {
        sql.truncate(start);
        crate::wire::push_hex(sql, bytes);
        return Ok(());
    }
    pushed.map_err(|error| (cell.name.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use whimbrel_model::{Column, Key, RowBatch, TableName, TableSchema, Value};

    use super::*;

    fn text_type(charset: Charset) -> DataType {
        DataType::VarChar { chars: 20, charset, collation: format!("{charset}_bin") }
    }

    fn plan(keyless: bool) -> TablePlan {
        let int = DataType::Int { bytes: 4, unsigned: false, zerofill: None };
        let table = |schema: &str, charset| TableSchema {
            primary_key: (!keyless).then(|| Key::on_columns("PRIMARY", ["id"])),
            ..TableSchema::new(
                TableName::new(schema, "t"),
                vec![
                    Column::new("id", int.clone(), false),
                    Column::new("s", text_type(charset), true),
                    Column::new("j", DataType::Json, true),
                    Column::new("b", DataType::VarBinary { bytes: 99 }, true),
                ],
            )
        };
        let source = Arc::new(TableVersion::new(1, table("a", Charset::Latin1)));
        TablePlan::new(source, Arc::new(table("b", Charset::Utf8mb4))).unwrap()
    }

    fn row(plan: &TablePlan, cells: &[Value; 4]) -> RowBatch {
        let mut batch = RowBatch::new(plan.source.kinds.clone());
        for cell in cells {
            batch.push_value(cell.as_ref());
        }
        batch.end_row();
        batch
    }

    fn correct(plan: &TablePlan, wanted: Option<[Value; 4]>, found: Option<[Value; 4]>) -> Correction {
        let target = TableVersion::new(2, (*plan.target).clone());
        let wanted = wanted.map(|cells| row(plan, &cells));
        let found = found.map(|cells| row(plan, &cells));
        correction(plan, &target, wanted.as_ref().map(|b| b.row(0)), found.as_ref().map(|b| b.row(0)))
            .unwrap()
    }

    fn bytes(text: &[u8]) -> Vec<u8> {
        text.to_vec()
    }

    #[test]
    fn an_update_sets_what_differs_and_expects_what_was_found() {
        let plan = plan(false);
        let wanted = [
            Value::Int(7),
            Value::Text(bytes(b"caf\xe9")),
            Value::Json(bytes(b"{}")),
            Value::Bytes(vec![255]),
        ];
        let found =
            [Value::Int(7), Value::Text(bytes("cafe".as_bytes())), Value::Json(bytes(b"{}")), Value::Null];
        let made = correct(&plan, Some(wanted), Some(found));
        assert_eq!(
            made.statement,
            "UPDATE /* whimbrel correction */ `b`.`t` SET `s` = 'café', `b` = x'ff' WHERE `id` = 7 AND CAST(`s` AS BINARY) <=> CAST('cafe' AS BINARY) AND `j` <=> CAST('{}' AS JSON) AND `b` <=> NULL LIMIT 1"
        );
        assert_eq!(
            made.undo,
            "UPDATE /* whimbrel correction */ `b`.`t` SET `s` = 'cafe', `b` = NULL WHERE `id` = 7 AND CAST(`s` AS BINARY) <=> CAST('café' AS BINARY) AND `j` <=> CAST('{}' AS JSON) AND `b` <=> x'ff' LIMIT 1"
        );
    }

    #[test]
    fn a_missing_row_is_inserted_and_an_extra_one_deleted() {
        let plan = plan(false);
        let cells = [Value::Int(7), Value::Null, Value::Null, Value::Bytes(vec![0xfe; 20])];
        let made = correct(&plan, Some(cells.clone()), None);
        let hex = "fe".repeat(20);
        let insert = format!(
            "INSERT /* whimbrel correction */ INTO `b`.`t` (`id`, `s`, `j`, `b`) SELECT 7, NULL, NULL, x'{hex}' \
             FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM `b`.`t` WHERE `id` = 7)"
        );
        let delete = format!(
            "DELETE /* whimbrel correction */ FROM `b`.`t` WHERE `id` = 7 AND `s` <=> NULL AND `j` <=> NULL \
             AND `b` <=> x'{hex}' LIMIT 1"
        );
        assert_eq!((made.statement.as_str(), made.undo.as_str()), (insert.as_str(), delete.as_str()));
        let made = correct(&plan, None, Some(cells));
        assert_eq!((made.statement, made.undo), (delete, insert));
    }

    #[test]
    fn a_keyless_table_changes_one_row() {
        let plan = plan(true);
        let cells = [Value::Int(7), Value::Null, Value::Null, Value::Null];
        let made = correct(&plan, None, Some(cells));
        assert!(made.statement.contains("FROM `b`.`t` WHERE `id` <=> 7 AND"));
        assert!(made.statement.ends_with(" LIMIT 1"));
        assert!(made.undo.ends_with("SELECT 7, NULL, NULL, NULL FROM DUAL"), "{}", made.undo);
    }

    #[test]
    fn text_that_is_none_is_refused_with_its_column() {
        let plan = plan(false);
        let target = TableVersion::new(2, (*plan.target).clone());
        let found = row(&plan, &[Value::Int(7), Value::Text(vec![0xff]), Value::Null, Value::Null]);
        let error = correction(&plan, &target, None, Some(found.row(0))).unwrap_err();
        assert_eq!((error.kind.clone(), error.object.as_str()), (ErrorKind::RowRefused, "b.t.s"));
    }
}

//! What statements do.

use std::collections::BTreeMap;
use std::sync::Arc;

use whimbrel_connector::{ConnectorError, ErrorKind, InsertMode, Result};
use whimbrel_model::object::{Security, View};
use whimbrel_model::{CellKind, Ddl, TableEffect, TableName, TableSchema, ValueRef};

use crate::database::Database;
use crate::locks::{Attempt, Mode, Token};
use crate::log::Content;
use crate::parse::{Change, Literal, Statement};
use crate::row::{Cell, Row, cell, default_of};
use crate::rows::Work;
use crate::server::SimServer;
use crate::session::{Open, TABLE_PATIENCE};
use crate::table::Table;

/// A literal as a cell of a column.
fn cell_of(kind: CellKind, literal: &Literal) -> Result<Cell> {
    let refused = || ConnectorError::new(ErrorKind::RowRefused, "a value", "it isn't of its column's type");
    Ok(match (kind, literal) {
        (_, Literal::Null) => None,
        (CellKind::Int, Literal::Number(number)) => {
            cell(kind, ValueRef::Int(i64::try_from(*number).map_err(|_| refused())?))
        }
        (CellKind::UInt, Literal::Number(number)) => {
            cell(kind, ValueRef::UInt(u64::try_from(*number).map_err(|_| refused())?))
        }
        (CellKind::Text | CellKind::Bytes, Literal::Text(text)) => Some(text.clone()),
        _ => return Err(refused()),
    })
}

/// A statement that changes rows, within a transaction.
pub(crate) async fn change_rows(server: &Arc<SimServer>, id: u64, statement: &Statement) -> Result<u64> {
    match statement {
        Statement::Insert(name, rows) => {
            let work = Work::on(server, id, name).await?;
            let kinds = server.db().table(name)?.kinds.clone();
            for row in rows {
                if row.len() != kinds.len() {
                    let message = "the number of values isn't that of the columns";
                    return Err(ConnectorError::new(ErrorKind::Other, name.to_string(), message));
                }
                let cells = kinds.iter().zip(row).map(|(kind, literal)| cell_of(*kind, literal));
                let row: Row = cells.collect::<Result<Vec<_>>>()?.into();
                work.insert(&row, InsertMode::Plain, &[]).await?;
            }
            Ok(rows.len() as u64)
        }
        Statement::Update { table, set, wanted } => {
            let work = Work::on(server, id, table).await?;
            let (schema, found) = matching(server, &work, table, wanted.as_ref())?;
            let at = column(&schema, &set.0)?;
            let new = cell_of(schema.columns[at].data_type.cell_kind(), &set.1)?;
            for (place, _) in &found {
                let Some(old) = work.locked(place).await? else { continue };
                let mut cells = old.to_vec();
                cells[at].clone_from(&new);
                work.change(place, &old, &cells.into()).await?;
            }
            Ok(found.len() as u64)
        }
        Statement::Delete { table, wanted } => {
            let work = Work::on(server, id, table).await?;
            let (_, found) = matching(server, &work, table, wanted.as_ref())?;
            for (place, _) in &found {
                let Some(old) = work.locked(place).await? else { continue };
                work.put(place, Some(&old), None).await?;
            }
            Ok(found.len() as u64)
        }
        _ => Err(ConnectorError::new(ErrorKind::Other, "a statement", "it changes structures, not rows")),
    }
}

fn column(schema: &TableSchema, name: &str) -> Result<usize> {
    schema.column_index(name).ok_or_else(|| {
        let what = format!("table {}, column {name}", schema.name);
        ConnectorError::new(ErrorKind::SchemaMismatch, what, "it doesn't exist")
    })
}

type Found = (Arc<TableSchema>, Vec<(Vec<u8>, Row)>);

fn matching(
    server: &SimServer,
    work: &Work<'_>,
    name: &TableName,
    wanted: Option<&(String, Literal)>,
) -> Result<Found> {
    let schema = server.db().table(name)?.schema.clone();
    let mut rows = work.all()?;
    if let Some((wanted, literal)) = wanted {
        let at = column(&schema, wanted)?;
        let cell = cell_of(schema.columns[at].data_type.cell_kind(), literal)?;
        rows.retain(|(_, row)| row[at] == cell);
    }
    Ok((schema, rows))
}

/// The table that has to be nobody's while its structure changes.
fn changed_table(db: &Database, statement: &Statement) -> Result<Option<u64>> {
    match statement {
        Statement::DropTable(name) | Statement::Truncate(name) | Statement::Alter(name, _) => {
            db.table(name).map(|table| Some(table.id))
        }
        _ => Ok(None),
    }
}

/// A statement that changes structures, and a record of the log with its effects. The transaction `id` is the
/// statement's own: it holds locks and no changes.
pub(crate) async fn change_structure(
    server: &Arc<SimServer>,
    id: u64,
    (default_schema, sql): (&str, &str),
    statement: &Statement,
) -> Result<()> {
    let table = changed_table(&server.db(), statement)?;
    if let Some(table) = table {
        server.lock(id, &Token::Table(table), Mode::Exclusive, TABLE_PATIENCE).await?;
    }
    restructure(&mut server.db(), server.clock.wall_us(), (default_schema, sql), statement)?;
    server.grown.notify_waiters();
    Ok(())
}

/// As [`change_structure`], where nobody holds a lock of the table.
pub(crate) fn change_structure_now(server: &Arc<SimServer>, sql: &str, statement: &Statement) -> Result<()> {
    let open = Open::begin(server);
    {
        let mut db = server.db();
        if let Some(table) = changed_table(&db, statement)?
            && db.locks.try_lock(open.id, &Token::Table(table), Mode::Exclusive) != Attempt::Locked
        {
            return Err(ConnectorError::new(ErrorKind::TransactionConflict, &server.name, "a lock is held"));
        }
        restructure(&mut db, server.clock.wall_us(), ("", sql), statement)?;
    }
    server.grown.notify_waiters();
    Ok(())
}

fn restructure(
    db: &mut Database,
    time_us: u64,
    (default_schema, sql): (&str, &str),
    statement: &Statement,
) -> Result<()> {
    let (before, after) = match statement {
        Statement::CreateTable(schema) => {
            create(db, schema)?;
            (None, Some(schema.as_ref().clone()))
        }
        Statement::CreateView { name, columns, query } => {
            let (columns, query) = (columns.clone(), query.clone());
            let security = Security::default();
            let view = View { columns, query, algorithm: None, check_option: None, security };
            db.views.insert(name.clone(), view);
            return Ok(());
        }
        Statement::DropTable(name) => {
            let table = db.table(name)?.id;
            db.tables.remove(&table);
            db.names.remove(name);
            (Some(name), None)
        }
        Statement::Truncate(name) => {
            let emptied = Table::new(db.table(name)?.id, db.table(name)?.schema.as_ref().clone());
            let schema = emptied.schema.as_ref().clone();
            db.tables.insert(emptied.id, emptied);
            (Some(name), Some(schema))
        }
        Statement::Alter(name, changes) => {
            let altered = alter(db.table(name)?, changes)?;
            let schema = altered.schema.as_ref().clone();
            db.tables.insert(altered.id, altered);
            (Some(name), Some(schema))
        }
        _ => return Err(ConnectorError::new(ErrorKind::Other, "a statement", "it changes rows")),
    };
    let effects = vec![TableEffect { before: before.cloned(), after }];
    let (default_schema, sql) = (default_schema.to_owned(), sql.to_owned());
    db.log.append(Content::Ddl(Ddl { default_schema, sql, sql_mode: 0, effects }), time_us);
    Ok(())
}

fn create(db: &mut Database, schema: &TableSchema) -> Result<()> {
    let name = &schema.name;
    if !db.schemas.contains(&name.schema) {
        let what = format!("schema {}", name.schema);
        return Err(ConnectorError::new(ErrorKind::UnknownDatabase, what, "it doesn't exist"));
    }
    if db.names.contains_key(name) {
        return Err(ConnectorError::new(ErrorKind::Other, format!("table {name}"), "it is there already"));
    }
    let id = db.next_table_id();
    db.names.insert(name.clone(), id);
    db.tables.insert(id, Table::new(id, schema.clone()));
    Ok(())
}

fn alter(table: &Table, changes: &[Change]) -> Result<Table> {
    let mut schema = table.schema.as_ref().clone();
    let refuse =
        |what: &str| ConnectorError::new(ErrorKind::Other, format!("table {}", table.schema.name), what);
    for change in changes {
        match change {
            Change::AddColumn(column) => {
                if schema.column_index(&column.name).is_some() {
                    return Err(refuse("it has that column already"));
                }
                schema.columns.push(column.clone());
            }
            Change::DropColumn(name) => {
                let at = column(&schema, name)?;
                schema.columns.remove(at);
            }
            Change::AddUnique(key) => {
                if schema.unique_keys.iter().any(|other| other.name == key.name) {
                    return Err(refuse("it has that key already"));
                }
                schema.unique_keys.push(key.clone());
            }
            Change::DropUnique(name) => {
                let at = schema.unique_keys.iter().position(|key| key.name == *name);
                schema.unique_keys.remove(at.ok_or_else(|| refuse("it doesn't have that key"))?);
            }
        }
    }
    let old: BTreeMap<&str, usize> =
        table.schema.columns.iter().enumerate().map(|(at, column)| (column.name.as_str(), at)).collect();
    let columns = schema.columns.clone();
    let altered = table.redefined(schema, |row| {
        columns
            .iter()
            .map(|column| match old.get(column.name.as_str()) {
                Some(at) => row[*at].clone(),
                None => default_of(column),
            })
            .collect()
    });
    let collides = altered.uniques.iter().any(|unique| {
        let keyed = altered.rows.values().filter(|row| altered.key_of(&unique.columns, row).is_some());
        keyed.count() != unique.entries.len()
    });
    if collides { Err(refuse("rows have the same value of the new key")) } else { Ok(altered) }
}

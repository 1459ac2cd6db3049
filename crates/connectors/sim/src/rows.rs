//! Statements that change rows: what is locked, what is checked, what is written.

use std::collections::BTreeSet;

use whimbrel_connector::{ConnectorError, ErrorKind, InsertMode, Result, TablePlan};
use whimbrel_model::{RawCell, RowBatch, RowRef, TableName};

use crate::locks::{Mode, Token};
use crate::row::{Cell, Row, check, default_of, key_of_ref, owned, push};
use crate::server::SimServer;
use crate::session::{ROW_PATIENCE, TABLE_PATIENCE};
use crate::table::{Place, Table};

/// One transaction at work on one table.
pub(crate) struct Work<'a> {
    server: &'a SimServer,
    id: u64,
    pub table: u64,
    name: TableName,
}

impl<'a> Work<'a> {
    /// Locks the table against changes of its structure.
    pub async fn on(server: &'a SimServer, id: u64, name: &TableName) -> Result<Self> {
        let table = server.db().table(name)?.id;
        let work = Self { server, id, table, name: name.clone() };
        work.lock(Token::Table(table), Mode::Shared).await?;
        Ok(work)
    }

    async fn lock(&self, token: Token, mode: Mode) -> Result<()> {
        self.server.lock(self.id, &token, mode, ROW_PATIENCE).await
    }

    fn with_table<T>(&self, look: impl FnOnce(&Table) -> T) -> Result<T> {
        Ok(look(self.server.db().by_id(self.table)?))
    }

    fn row(&self, place: &Place) -> Result<Option<Row>> {
        self.server.db().row(self.id, self.table, place)
    }

    pub fn all(&self) -> Result<Vec<(Place, Row)>> {
        self.server.db().all_rows(self.id, self.table)
    }

    fn duplicate(&self, key: &str) -> ConnectorError {
        let kind = ErrorKind::DuplicateKey { key: key.to_owned() };
        ConnectorError::new(kind, format!("table {}", self.name), "duplicate key")
    }

    /// Locks a row and gives it as it is then.
    pub async fn locked(&self, place: &Place) -> Result<Option<Row>> {
        self.lock(Token::Row(self.table, place.clone()), Mode::Exclusive).await?;
        self.row(place)
    }

    /// Puts a row at a place whose lock is held, where no unique key forbids it.
    pub async fn put(&self, place: &Place, old: Option<&Row>, new: Option<&Row>) -> Result<()> {
        if let Some(new) = new {
            self.with_table(|table| -> Result<()> {
                table.schema.columns.iter().zip(new.iter()).try_for_each(|(column, cell)| check(column, cell))
            })??;
        }
        let keys = self.with_table(|table| {
            let mut keys = Vec::new();
            for (at, unique) in table.uniques.iter().enumerate() {
                let before = old.and_then(|old| table.key_of(&unique.columns, old));
                let after = new.and_then(|new| table.key_of(&unique.columns, new));
                keys.push((at, unique.name.clone(), before, after));
            }
            keys
        })?;
        for (at, _, before, after) in &keys {
            for key in [before, after].into_iter().flatten() {
                self.lock(Token::Unique(self.table, *at, key.clone()), Mode::Exclusive).await?;
            }
        }
        for (at, name, _, after) in &keys {
            let Some(after) = after else { continue };
            let holder = self.server.db().holder(self.id, self.table, *at, after)?;
            if holder.is_some_and(|holder| holder != *place) {
                return Err(self.duplicate(name));
            }
        }
        self.server.db().write(self.id, self.table, place, new.cloned())
    }

    /// Inserts one row; how many rows are new or changed.
    pub async fn insert(&self, new: &Row, mode: InsertMode, written: &[usize]) -> Result<u64> {
        let place = self.with_table(|table| (table.key.is_empty(), table.place_of(new)))?;
        let place = match place {
            (true, _) => {
                let mut db = self.server.db();
                db.tables.get_mut(&self.table).map(Table::new_place).unwrap_or_default()
            }
            (false, Some(place)) => place,
            (false, None) => {
                let what = format!("table {}", self.name);
                return Err(ConnectorError::new(ErrorKind::RowRefused, what, "a key column can't be NULL"));
            }
        };
        let there = self.locked(&place).await?;
        match (mode, there) {
            (_, None) => self.put(&place, None, Some(new)).await.map(|()| 1),
            (InsertMode::Plain, Some(_)) => {
                // Values that are refused are refused first.
                self.with_table(|table| -> Result<()> {
                    let columns = table.schema.columns.iter().zip(new.iter());
                    columns.into_iter().try_for_each(|(column, cell)| check(column, cell))
                })??;
                Err(self.duplicate(&self.with_table(|table| table.key_name.clone())?))
            }
            (InsertMode::KeepExisting, Some(_)) => Ok(0),
            (InsertMode::Upsert, Some(there)) => {
                let merged: Row = there
                    .iter()
                    .enumerate()
                    .map(|(at, old)| if written.contains(&at) { new[at].clone() } else { old.clone() })
                    .collect();
                if merged == there {
                    return Ok(0);
                }
                self.put(&place, Some(&there), Some(&merged)).await.map(|()| 1)
            }
        }
    }

    /// Makes the row at a place, which is locked, into another one.
    pub async fn change(&self, place: &Place, old: &Row, new: &Row) -> Result<()> {
        let to = self.with_table(|table| table.place_of(new))?.unwrap_or_else(|| place.clone());
        if to == *place {
            return self.put(place, Some(old), Some(new)).await;
        }
        if self.locked(&to).await?.is_some() {
            return Err(self.duplicate(&self.with_table(|table| table.key_name.clone())?));
        }
        self.put(place, Some(old), None).await?;
        self.put(&to, None, Some(new)).await
    }
}

/// The columns of a plan at the table as it is now: source, target.
fn columns(table: &Table, plan: &TablePlan) -> Result<Vec<(usize, usize)>> {
    let find = |map: &whimbrel_connector::ColumnMap| {
        let name = &plan.target.columns[map.target].name;
        let at = table.schema.column_index(name).ok_or_else(|| {
            let what = format!("table {}, column {name}", table.schema.name);
            ConnectorError::new(ErrorKind::SchemaMismatch, what, "it doesn't exist")
        })?;
        Ok((map.source, at))
    };
    plan.columns.iter().map(find).collect()
}

/// What a plan knows of the table it writes to.
struct Layout {
    columns: Vec<(usize, usize)>,
    defaults: Row,
    keyless: bool,
}

impl Layout {
    fn of(work: &Work<'_>, plan: &TablePlan) -> Result<Self> {
        work.with_table(|table| {
            Ok(Self {
                columns: columns(table, plan)?,
                defaults: table.schema.columns.iter().map(default_of).collect(),
                keyless: plan.is_keyless(),
            })
        })?
    }

    fn row(&self, row: RowRef<'_>) -> Row {
        let mut cells: Vec<Cell> = self.defaults.to_vec();
        for (source, target) in &self.columns {
            if row.raw(*source) != RawCell::Unknown {
                cells[*target] = owned(row.raw(*source));
            }
        }
        cells.into()
    }

    fn equal(&self, found: &Row, row: RowRef<'_>) -> bool {
        self.columns.iter().all(|(source, target)| match row.raw(*source) {
            RawCell::Unknown => true,
            RawCell::Null => found[*target].is_none(),
            RawCell::Bytes(bytes) => found[*target].as_deref() == Some(bytes),
        })
    }

    /// The row at the target that `row` names, locked.
    async fn find(&self, work: &Work<'_>, plan: &TablePlan, row: RowRef<'_>) -> Result<Option<(Place, Row)>> {
        if !self.keyless {
            let Some(place) = key_of_ref(&key_kinds(plan), row, &plan.key) else { return Ok(None) };
            return Ok(work.locked(&place).await?.map(|found| (place, found)));
        }
        loop {
            let Some((place, _)) = work.all()?.into_iter().find(|(_, found)| self.equal(found, row)) else {
                return Ok(None);
            };
            // Somebody may have had it while it was waited for.
            if let Some(found) = work.locked(&place).await?
                && self.equal(&found, row)
            {
                return Ok(Some((place, found)));
            }
        }
    }
}

fn key_kinds(plan: &TablePlan) -> Vec<whimbrel_model::CellKind> {
    plan.key.iter().map(|at| plan.source.kinds[*at]).collect()
}

pub(crate) async fn insert(
    server: &SimServer,
    id: u64,
    plan: &TablePlan,
    rows: &[RowRef<'_>],
    mode: InsertMode,
) -> Result<u64> {
    let work = Work::on(server, id, &plan.target.name).await?;
    let layout = Layout::of(&work, plan)?;
    let written: Vec<usize> = layout.columns.iter().map(|(_, target)| *target).collect();
    let mut count = 0;
    for row in rows {
        count += work.insert(&layout.row(*row), mode, &written).await?;
    }
    Ok(count)
}

pub(crate) async fn delete(
    server: &SimServer,
    id: u64,
    plan: &TablePlan,
    rows: &[RowRef<'_>],
) -> Result<u64> {
    let work = Work::on(server, id, &plan.target.name).await?;
    let layout = Layout::of(&work, plan)?;
    let mut count = 0;
    for row in rows {
        if let Some((place, found)) = layout.find(&work, plan, *row).await? {
            work.put(&place, Some(&found), None).await?;
            count += 1;
        }
    }
    Ok(count)
}

pub(crate) async fn update(
    server: &SimServer,
    id: u64,
    plan: &TablePlan,
    before: RowRef<'_>,
    after: RowRef<'_>,
) -> Result<u64> {
    let work = Work::on(server, id, &plan.target.name).await?;
    let layout = Layout::of(&work, plan)?;
    let Some((place, found)) = layout.find(&work, plan, before).await? else { return Ok(0) };
    let mut cells: Vec<Cell> = found.to_vec();
    for (source, target) in &layout.columns {
        let new = after.raw(*source);
        if new != RawCell::Unknown && new != before.raw(*source) {
            cells[*target] = owned(new);
        }
    }
    let new: Row = cells.into();
    if new != found {
        work.change(&place, &found, &new).await?;
    }
    Ok(1)
}

/// Rows of the target in the layout of the source.
fn shown(plan: &TablePlan, columns: &[(usize, usize)], found: &[Row]) -> RowBatch {
    let mut batch = RowBatch::new(plan.source.kinds.clone());
    for row in found {
        for source in 0..plan.source.kinds.len() {
            match columns.iter().find(|(from, _)| *from == source) {
                Some((_, target)) => push(&mut batch, &row[*target]),
                None => batch.push_unknown(),
            }
        }
        batch.end_row();
    }
    batch
}

pub(crate) fn fetch(server: &SimServer, id: u64, plan: &TablePlan, rows: &[RowRef<'_>]) -> Result<RowBatch> {
    let db = server.db();
    let table = db.table(&plan.target.name)?;
    let kinds = key_kinds(plan);
    let places: BTreeSet<Place> = rows.iter().filter_map(|row| key_of_ref(&kinds, *row, &plan.key)).collect();
    let mut found = Vec::new();
    for place in &places {
        found.extend(db.row(id, table.id, place)?);
    }
    Ok(shown(plan, &columns(table, plan)?, &found))
}

pub(crate) fn fetch_by_unique_key(
    server: &SimServer,
    id: u64,
    plan: &TablePlan,
    key: &str,
    row: RowRef<'_>,
) -> Result<RowBatch> {
    let db = server.db();
    let table = db.table(&plan.target.name)?;
    let unknown = || {
        let what = format!("table {}, key {key}", plan.target.name);
        ConnectorError::new(ErrorKind::Other, what, "there is no such key")
    };
    let place = if key == table.key_name {
        key_of_ref(&key_kinds(plan), row, &plan.key)
    } else {
        let at = table.uniques.iter().position(|unique| unique.name == key).ok_or_else(unknown)?;
        let known = plan.unique_keys.iter().find(|unique| unique.name == key).ok_or_else(unknown)?;
        let kinds: Vec<_> = known.columns.iter().map(|at| plan.source.kinds[*at]).collect();
        match key_of_ref(&kinds, row, &known.columns) {
            Some(bytes) => db.holder(id, table.id, at, &bytes)?,
            None => None,
        }
    };
    let found = match place {
        Some(place) => db.row(id, table.id, &place)?,
        None => None,
    };
    Ok(shown(plan, &columns(table, plan)?, found.as_slice()))
}

/// All rows are gone, at once.
pub(crate) async fn truncate(server: &SimServer, id: u64, name: &TableName) -> Result<()> {
    let table = server.db().table(name)?.id;
    server.lock(id, &Token::Table(table), Mode::Exclusive, TABLE_PATIENCE).await?;
    let mut db = server.db();
    let emptied = Table::new(table, db.by_id(table)?.schema.as_ref().clone());
    db.tables.insert(table, emptied);
    Ok(())
}

//! The application that writes to the source while it is moved.
//!
//! Its transactions are what replication finds hard: keys that change, unique values that change places or go from a
//! deleted row to another, rows deleted and inserted again, duplicates in tables without a key, transactions larger than
//! a window, structures that change in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use whimbrel_connector_sim::{Edit, Random, Row, SimServer};
use whimbrel_model::{TableName, TableSchema};

use crate::tables;

/// An application at work.
pub struct Application {
    server: Arc<SimServer>,
    random: Random,
    tables: Vec<TableName>,
    /// Transactions that it still makes.
    left: u64,
    /// A statement that changes a structure is still to come.
    ddl: bool,
    /// The rows that were there have been moved.
    imported: bool,
}

/// The tables as they are within a transaction.
struct Draft {
    rows: BTreeMap<TableName, (Arc<TableSchema>, Vec<Row>)>,
    edits: Vec<Edit>,
}

impl Draft {
    /// True where no other row has one of the row's unique values.
    fn is_free(&self, table: &TableName, row: &Row, except: Option<usize>) -> bool {
        let (schema, rows) = &self.rows[table];
        tables::unique_columns(schema).iter().all(|columns| {
            let values = |row: &Row| columns.iter().map(|at| row[*at].clone()).collect::<Option<Vec<_>>>();
            let Some(wanted) = values(row) else { return true };
            rows.iter()
                .enumerate()
                .all(|(at, other)| Some(at) == except || values(other) != Some(wanted.clone()))
        })
    }

    fn insert(&mut self, table: &TableName, row: Row) {
        if self.is_free(table, &row, None) {
            self.edits.push(Edit::Insert(table.clone(), row.clone()));
            self.rows.get_mut(table).expect("a table of the application").1.push(row);
        }
    }

    fn update(&mut self, table: &TableName, at: usize, row: Row) {
        if !self.is_free(table, &row, Some(at)) {
            return;
        }
        let rows = &mut self.rows.get_mut(table).expect("a table of the application").1;
        if rows[at] != row {
            self.edits.push(Edit::Update(table.clone(), rows[at].clone(), row.clone()));
            rows[at] = row;
        }
    }

    fn delete(&mut self, table: &TableName, at: usize) -> Row {
        let rows = &mut self.rows.get_mut(table).expect("a table of the application").1;
        let row = rows.swap_remove(at);
        self.edits.push(Edit::Delete(table.clone(), row.clone()));
        row
    }
}

fn with(row: &Row, at: usize, cell: Option<Vec<u8>>) -> Row {
    let mut cells = row.to_vec();
    cells[at] = cell;
    cells.into()
}

impl Application {
    pub fn new(server: Arc<SimServer>, random: Random, tables: Vec<TableName>, left: u64, ddl: bool) -> Self {
        Self { server, random, tables, left, ddl, imported: false }
    }

    /// Fills the tables before anything begins.
    pub fn fill(&mut self, rows: u64) {
        for table in self.tables.clone() {
            let mut draft = self.draft();
            let (schema, _) = draft.rows[&table].clone();
            for _ in 0..rows {
                draft.insert(&table, tables::row(&mut self.random, &schema));
            }
            self.commit(&draft);
        }
    }

    pub fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Tables without a key may get columns now: an import refuses those that got one before it read them.
    pub fn imported(&mut self) {
        self.imported = true;
    }

    /// True while a statement that changes a structure is to come.
    pub fn changes_structures(&self) -> bool {
        self.ddl
    }

    fn draft(&self) -> Draft {
        let tables = self
            .tables
            .iter()
            .filter_map(|name| Some((name.clone(), (self.server.schema(name)?, self.server.rows(name)))));
        Draft { rows: tables.collect(), edits: Vec::new() }
    }

    fn commit(&self, draft: &Draft) {
        if draft.edits.is_empty() {
            return;
        }
        if let Err(error) = self.server.transact(&draft.edits) {
            // A consistent view is being made: an application's transaction would wait for it.
            assert_eq!(error.kind, whimbrel_connector::ErrorKind::TransactionConflict, "{error}");
        }
    }

    /// One transaction, or one statement that changes a structure.
    pub fn step(&mut self) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        if self.random.one_in(20) {
            // Somebody sets the clock of the source.
            let us = self.random.below(7_200_000_000) as i64 - 3_600_000_000;
            self.server.clock().jump(us);
        }
        if self.ddl && self.random.one_in(8) {
            self.ddl = false;
            self.change_structure();
            return;
        }
        let mut draft = self.draft();
        let steps = match self.random.below(12) {
            0 => 20 + self.random.below(40),
            1..=4 => 2 + self.random.below(6),
            _ => 1,
        };
        for _ in 0..steps {
            let table = self.random.pick(&self.tables).clone();
            self.edit(&mut draft, &table);
        }
        self.commit(&draft);
    }

    fn change_structure(&mut self) {
        let table = self.random.pick(&self.tables).clone();
        let keyless = self.server.schema(&table).is_some_and(|schema| schema.row_key().is_none());
        let sql = match self.random.below(3) {
            0 | 1 if keyless && !self.imported => format!("TRUNCATE TABLE {table}"),
            _ if keyless && !self.imported => return,
            0 => format!("TRUNCATE TABLE {table}"),
            1 => format!("ALTER TABLE {table} ADD COLUMN extra INT DEFAULT 3"),
            _ => format!("ALTER TABLE {table} ADD COLUMN extra VARCHAR(20)"),
        };
        if let Err(error) = self.server.run_now(&sql) {
            assert_eq!(error.kind, whimbrel_connector::ErrorKind::TransactionConflict, "{error}");
        }
    }

    fn edit(&mut self, draft: &mut Draft, table: &TableName) {
        let (schema, rows) = draft.rows[table].clone();
        let random = &mut self.random;
        let any = |random: &mut Random| random.below(rows.len() as u64) as usize;
        if rows.is_empty() || random.one_in(3) {
            draft.insert(table, tables::row(random, &schema));
            return;
        }
        let at = any(random);
        let column = random.below(schema.columns.len() as u64) as usize;
        match random.below(8) {
            0 | 1 => drop(draft.delete(table, at)),
            2 => {
                // Gone and there again, perhaps as another row.
                let old = draft.delete(table, at);
                let new = with(&old, column, tables::value(random, &schema.columns[column]));
                draft.insert(table, new);
            }
            3 => {
                // A value goes from a row that is deleted to another one.
                let old = draft.delete(table, at);
                let left = draft.rows[table].1.len() as u64;
                if left > 0 {
                    let heir = random.below(left) as usize;
                    let new = with(&draft.rows[table].1[heir], column, old[column].clone());
                    draft.update(table, heir, new);
                }
            }
            4 => swap(draft, table, &schema, (at, any(random)), column),
            5 => draft.insert(table, rows[at].clone()),
            _ => {
                let new = with(&rows[at], column, tables::value(random, &schema.columns[column]));
                draft.update(table, at, new);
            }
        }
    }
}

/// Two rows exchange a value, by way of a third one as keys demand.
fn swap(draft: &mut Draft, table: &TableName, schema: &TableSchema, (one, other): (usize, usize), at: usize) {
    let rows = &draft.rows[table].1;
    let (first, second) = (rows[one].clone(), rows[other].clone());
    if one == other {
        return;
    }
    let between = if schema.columns[at].nullable { None } else { Some(b"~~".to_vec()) };
    draft.update(table, one, with(&first, at, between.clone()));
    if draft.rows[table].1[one][at] != between {
        return;
    }
    draft.update(table, other, with(&second, at, first[at].clone()));
    let free = draft.rows[table].1[one].clone();
    draft.update(table, one, with(&free, at, second[at].clone()));
}

//! What a server holds: tables, state, log, open transactions and their locks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use whimbrel_connector::{ConnectorError, ErrorKind, Result, StateKey};
use whimbrel_model::TableName;
use whimbrel_model::object::View;

use crate::locks::Locks;
use crate::log::{Content, Log};
use crate::row::Row;
use crate::table::{Place, Table};
use crate::transaction::{RowChange, Transaction};

/// What happens to a transaction whose connection is gone.
#[derive(Debug)]
struct Late {
    due: Duration,
    transaction: u64,
    commits: bool,
}

#[derive(Debug)]
pub struct Database {
    pub schemas: BTreeSet<String>,
    pub names: BTreeMap<TableName, u64>,
    pub tables: BTreeMap<u64, Table>,
    pub views: BTreeMap<TableName, View>,
    pub state: BTreeMap<(String, StateKey), Vec<u8>>,
    pub epochs: BTreeMap<String, u64>,
    pub log: Log,
    pub locks: Locks,
    transactions: BTreeMap<u64, Transaction>,
    last_transaction: u64,
    last_table: u64,
    late: Vec<Late>,
}

pub fn gone() -> ConnectorError {
    ConnectorError::new(ErrorKind::ConnectionLost, "sim", "the transaction is gone")
}

pub fn unknown_table(name: &TableName) -> ConnectorError {
    ConnectorError::new(ErrorKind::UnknownTable, format!("table {name}"), "it doesn't exist")
}

impl Database {
    pub fn new(server: &str) -> Self {
        Self {
            schemas: BTreeSet::new(),
            names: BTreeMap::new(),
            tables: BTreeMap::new(),
            views: BTreeMap::new(),
            state: BTreeMap::new(),
            epochs: BTreeMap::new(),
            log: Log::new(server),
            locks: Locks::default(),
            transactions: BTreeMap::new(),
            last_transaction: 0,
            last_table: 0,
            late: Vec::new(),
        }
    }

    pub fn table(&self, name: &TableName) -> Result<&Table> {
        let id = self.names.get(name).ok_or_else(|| unknown_table(name))?;
        self.tables.get(id).ok_or_else(|| unknown_table(name))
    }

    pub fn by_id(&self, id: u64) -> Result<&Table> {
        self.tables.get(&id).ok_or_else(|| {
            ConnectorError::new(ErrorKind::UnknownTable, "sim", "the table was dropped meanwhile")
        })
    }

    pub fn next_table_id(&mut self) -> u64 {
        self.last_table += 1;
        self.last_table
    }

    // ---- transactions ----

    pub fn begin(&mut self) -> u64 {
        self.last_transaction += 1;
        self.transactions.insert(self.last_transaction, Transaction::default());
        self.last_transaction
    }

    pub fn transaction(&mut self, id: u64) -> Result<&mut Transaction> {
        self.transactions.get_mut(&id).ok_or_else(gone)
    }

    /// Makes everything that it wrote visible at once, and logs it.
    pub fn commit(&mut self, id: u64, time_us: u64) -> Result<()> {
        let done = self.transactions.remove(&id).ok_or_else(gone)?;
        for ((table, place), row) in done.rows {
            if let Some(table) = self.tables.get_mut(&table) {
                table.put(&place, row.as_ref());
            }
        }
        for (key, payload) in done.state {
            match payload {
                Some(payload) => self.state.insert(key, payload),
                None => self.state.remove(&key),
            };
        }
        if !done.logged.is_empty() {
            self.log.append(Content::Rows(done.logged), time_us);
        }
        self.locks.release(id);
        Ok(())
    }

    /// Takes back everything, unless the server hasn't noticed yet that the connection is gone.
    pub fn abort(&mut self, id: u64) {
        if self.transactions.get(&id).is_some_and(|transaction| transaction.detached) {
            return;
        }
        self.transactions.remove(&id);
        self.locks.release(id);
    }

    /// The connection is gone, and what follows from that comes later.
    pub fn detach(&mut self, id: u64, due: Duration, commits: bool) {
        if let Some(transaction) = self.transactions.get_mut(&id) {
            transaction.detached = true;
            self.late.push(Late { due, transaction: id, commits });
        }
    }

    /// When the next such transaction ends.
    pub fn next_late(&self) -> Option<Duration> {
        self.late.iter().map(|late| late.due).min()
    }

    /// Ends those whose time has come; true where there were some.
    pub fn end_late(&mut self, now: Duration, time_us: u64) -> bool {
        let mut ended = false;
        while let Some(at) = self.late.iter().position(|late| late.due <= now) {
            let late = self.late.remove(at);
            ended = true;
            if let Some(transaction) = self.transactions.get_mut(&late.transaction) {
                transaction.detached = false;
            }
            if late.commits {
                // It was there when it was detached, and nobody else ends it.
                drop(self.commit(late.transaction, time_us));
            } else {
                self.abort(late.transaction);
            }
        }
        ended
    }

    // ---- rows, as a transaction sees them ----

    pub fn row(&self, id: u64, table: u64, place: &Place) -> Result<Option<Row>> {
        let own = self.transactions.get(&id).ok_or_else(gone)?;
        if let Some(row) = own.rows.get(&(table, place.clone())) {
            return Ok(row.clone());
        }
        Ok(self.by_id(table)?.rows.get(place).cloned())
    }

    /// The place of the row that has this value of a unique key.
    pub fn holder(&self, id: u64, table: u64, unique: usize, key: &[u8]) -> Result<Option<Place>> {
        let own = self.transactions.get(&id).ok_or_else(gone)?;
        if let Some(place) = own.uniques.get(&(table, unique, key.to_vec())) {
            return Ok(place.clone());
        }
        Ok(self.by_id(table)?.uniques.get(unique).and_then(|unique| unique.entries.get(key)).cloned())
    }

    /// All rows of a table in order.
    pub fn all_rows(&self, id: u64, table: u64) -> Result<Vec<(Place, Row)>> {
        let own = self.transactions.get(&id).ok_or_else(gone)?;
        let mut rows = self.by_id(table)?.rows.clone();
        let range = (table, Vec::new())..(table + 1, Vec::new());
        for ((_, place), row) in own.rows.range(range) {
            match row {
                Some(row) => rows.insert(place.clone(), row.clone()),
                None => rows.remove(place),
            };
        }
        Ok(rows.into_iter().collect())
    }

    /// Puts a row at a place, or removes what is there. Locks are held and keys are free.
    pub fn write(&mut self, id: u64, table: u64, place: &Place, row: Option<Row>) -> Result<()> {
        let old = self.row(id, table, place)?;
        let definition = self.by_id(table)?;
        let schema = definition.schema.clone();
        let mut entries = Vec::new();
        for (at, unique) in definition.uniques.iter().enumerate() {
            let before = old.as_ref().and_then(|old| definition.key_of(&unique.columns, old));
            let after = row.as_ref().and_then(|row| definition.key_of(&unique.columns, row));
            if before != after {
                entries.extend(before.map(|before| (at, before, None)));
            }
            entries.extend(after.map(|after| (at, after, Some(place.clone()))));
        }
        let own = self.transaction(id)?;
        for (at, key, place) in entries {
            own.put_unique((table, at, key), place);
        }
        own.put_row((table, place.clone()), row.clone());
        own.log(RowChange { schema, before: old, after: row });
        Ok(())
    }

    /// A row gets another key: one change in the log. Locks are held and keys are free.
    pub fn move_row(&mut self, id: u64, table: u64, from: &Place, to: &Place, row: Row) -> Result<()> {
        let before = self.row(id, table, from)?;
        self.write(id, table, from, None)?;
        self.write(id, table, to, Some(row.clone()))?;
        let schema = self.by_id(table)?.schema.clone();
        let own = self.transaction(id)?;
        own.log_instead(2, RowChange { schema, before, after: Some(row) });
        Ok(())
    }

    // ---- state entries ----

    pub fn entry(&self, id: Option<u64>, key: &(String, StateKey)) -> Option<Vec<u8>> {
        if let Some(own) = id.and_then(|id| self.transactions.get(&id)?.state.get(key)) {
            return own.clone();
        }
        self.state.get(key).cloned()
    }

    pub fn entries(
        &self,
        id: Option<u64>,
        task: &str,
        kind: &str,
        prefix: &[u8],
    ) -> Vec<(StateKey, Vec<u8>)> {
        let wanted = |(owner, key): &(String, StateKey)| {
            owner == task && key.kind == kind && key.item.starts_with(prefix)
        };
        let mut found: BTreeMap<StateKey, Vec<u8>> = self
            .state
            .iter()
            .filter(|(key, _)| wanted(key))
            .map(|((_, key), payload)| (key.clone(), payload.clone()))
            .collect();
        let own = id.and_then(|id| self.transactions.get(&id)).into_iter().flat_map(|own| &own.state);
        for (key, payload) in own.filter(|(key, _)| wanted(key)) {
            match payload {
                Some(payload) => found.insert(key.1.clone(), payload.clone()),
                None => found.remove(&key.1),
            };
        }
        found.into_iter().collect()
    }
}

//! A table: what is committed.

use std::collections::BTreeMap;
use std::sync::Arc;

use whimbrel_model::schema::Key;
use whimbrel_model::{CellKind, TableSchema};

use crate::row::{Row, key_bytes};

/// Where a row stands: the order bytes of its row key, or a number that grows where there is none.
pub type Place = Vec<u8>;

/// A unique key besides the row key.
#[derive(Clone, Debug)]
pub struct Unique {
    pub name: String,
    pub columns: Vec<usize>,
    /// Rows by the key's bytes. A key with a NULL isn't here.
    pub entries: BTreeMap<Vec<u8>, Place>,
}

#[derive(Clone, Debug)]
pub struct Table {
    pub id: u64,
    pub schema: Arc<TableSchema>,
    pub kinds: Arc<[CellKind]>,
    /// Columns of the row key; empty where there is none.
    pub key: Vec<usize>,
    pub key_name: String,
    pub rows: BTreeMap<Place, Row>,
    pub uniques: Vec<Unique>,
    /// The last number given to a row without a key.
    pub last_place: u64,
}

impl Table {
    pub fn new(id: u64, schema: TableSchema) -> Self {
        let row_key = schema.row_key();
        let key = row_key.map(|key| schema.key_columns(key)).unwrap_or_default();
        let key_name = row_key.map(|key| key.name.clone()).unwrap_or_default();
        let unique = |key: &Key| Unique {
            name: key.name.clone(),
            columns: schema.key_columns(key),
            entries: BTreeMap::new(),
        };
        let others = schema.primary_key.iter().chain(&schema.unique_keys);
        let uniques = others.filter(|other| other.name != key_name).map(unique).collect();
        let kinds = schema.cell_kinds();
        Self {
            id,
            kinds,
            key,
            key_name,
            rows: BTreeMap::new(),
            uniques,
            last_place: 0,
            schema: Arc::new(schema),
        }
    }

    pub fn key_of(&self, columns: &[usize], row: &Row) -> Option<Vec<u8>> {
        key_bytes(columns.iter().map(|at| (self.kinds[*at], row[*at].as_ref())))
    }

    /// Where a row has to stand; `None` in a table without a key.
    pub fn place_of(&self, row: &Row) -> Option<Place> {
        if self.key.is_empty() { None } else { self.key_of(&self.key, row) }
    }

    pub fn new_place(&mut self) -> Place {
        self.last_place += 1;
        self.last_place.to_be_bytes().to_vec()
    }

    /// Puts a row, or removes it.
    pub fn put(&mut self, place: &Place, row: Option<&Row>) {
        let old = match row {
            Some(row) => self.rows.insert(place.clone(), row.clone()),
            None => self.rows.remove(place),
        };
        for at in 0..self.uniques.len() {
            let columns = self.uniques[at].columns.clone();
            let before = old.as_ref().and_then(|old| self.key_of(&columns, old));
            let after = row.and_then(|row| self.key_of(&columns, row));
            let entries = &mut self.uniques[at].entries;
            if let Some(before) = before
                && entries.get(&before) == Some(place)
            {
                entries.remove(&before);
            }
            if let Some(after) = after {
                entries.insert(after, place.clone());
            }
        }
    }

    /// The same rows under another definition; `convert` makes a row of the new one.
    pub fn redefined(&self, schema: TableSchema, convert: impl Fn(&Row) -> Row) -> Self {
        let mut table = Self::new(self.id, schema);
        table.last_place = self.last_place;
        for (place, row) in &self.rows {
            let row = convert(row);
            let place = table.place_of(&row).unwrap_or_else(|| place.clone());
            table.put(&place, Some(&row));
        }
        table
    }
}

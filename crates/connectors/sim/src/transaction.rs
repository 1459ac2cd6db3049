//! What an open transaction has written: kept beside the tables until it commits, with a way back for each statement.

use std::collections::BTreeMap;
use std::sync::Arc;

use whimbrel_connector::StateKey;
use whimbrel_model::TableSchema;

use crate::row::Row;
use crate::table::Place;

/// One change of one row, as the log has it.
#[derive(Clone, Debug)]
pub struct RowChange {
    pub schema: Arc<TableSchema>,
    pub before: Option<Row>,
    pub after: Option<Row>,
}

type RowKey = (u64, Place);
type UniqueKey = (u64, usize, Vec<u8>);
type EntryKey = (String, StateKey);

/// What a place held before a statement: nothing of this transaction, or what it had put there.
#[derive(Debug)]
enum Undo {
    Row(RowKey, Option<Option<Row>>),
    Unique(UniqueKey, Option<Option<Place>>),
    State(EntryKey, Option<Option<Vec<u8>>>),
    Logged,
    /// Changes that another one stands for.
    Unlogged(Vec<RowChange>),
}

#[derive(Debug, Default)]
pub struct Transaction {
    pub rows: BTreeMap<RowKey, Option<Row>>,
    pub uniques: BTreeMap<UniqueKey, Option<Place>>,
    pub state: BTreeMap<EntryKey, Option<Vec<u8>>>,
    pub logged: Vec<RowChange>,
    undo: Vec<Undo>,
    /// The connection is gone and the server hasn't noticed: what it does then is decided.
    pub detached: bool,
}

impl Transaction {
    pub fn put_row(&mut self, key: RowKey, row: Option<Row>) {
        let old = self.rows.insert(key.clone(), row);
        self.undo.push(Undo::Row(key, old));
    }

    pub fn put_unique(&mut self, key: UniqueKey, place: Option<Place>) {
        let old = self.uniques.insert(key.clone(), place);
        self.undo.push(Undo::Unique(key, old));
    }

    pub fn put_state(&mut self, key: EntryKey, payload: Option<Vec<u8>>) {
        let old = self.state.insert(key.clone(), payload);
        self.undo.push(Undo::State(key, old));
    }

    pub fn log(&mut self, change: RowChange) {
        self.logged.push(change);
        self.undo.push(Undo::Logged);
    }

    /// One change in place of the last few.
    pub fn log_instead(&mut self, count: usize, change: RowChange) {
        let instead = self.logged.split_off(self.logged.len().saturating_sub(count));
        self.undo.push(Undo::Unlogged(instead));
        self.log(change);
    }

    /// A place to go back to.
    pub fn mark(&self) -> usize {
        self.undo.len()
    }

    pub fn back_to(&mut self, mark: usize) {
        while self.undo.len() > mark {
            match self.undo.pop() {
                Some(Undo::Row(key, old)) => restore(&mut self.rows, key, old),
                Some(Undo::Unique(key, old)) => restore(&mut self.uniques, key, old),
                Some(Undo::State(key, old)) => restore(&mut self.state, key, old),
                Some(Undo::Logged) => {
                    self.logged.pop();
                }
                Some(Undo::Unlogged(changes)) => self.logged.extend(changes),
                None => {}
            }
        }
    }
}

fn restore<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, old: Option<V>) {
    match old {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

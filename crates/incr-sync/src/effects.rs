//! What an open target transaction has done besides writing rows. Counts only when it has committed.

use std::collections::HashMap;

use whimbrel_model::{RowOp, TableName};

use crate::aside::Aside;
use crate::checkpoint::ForeignRecord;
use crate::status::TableCounters;
use crate::window::{Loc, Window};

/// Side effects of one target transaction.
#[derive(Debug, Default)]
pub struct Effects {
    aside: HashMap<Vec<u8>, Option<Aside>>,
    foreign: Vec<ForeignRecord>,
    counters: HashMap<TableName, TableCounters>,
}

impl Effects {
    /// Changes of the index of rows set aside; `None` is a removal.
    pub fn aside(&self) -> &HashMap<Vec<u8>, Option<Aside>> {
        &self.aside
    }

    pub fn set_aside(&mut self, item: Vec<u8>, state: Option<Aside>) {
        self.aside.insert(item, state);
    }

    pub fn foreign(&self) -> &[ForeignRecord] {
        &self.foreign
    }

    pub fn add_foreign(&mut self, record: ForeignRecord) {
        self.foreign.push(record);
    }

    pub fn counters(&self) -> &HashMap<TableName, TableCounters> {
        &self.counters
    }

    /// Counts changes that were applied.
    pub fn count(&mut self, window: &Window, locs: &[Loc]) {
        // Changes of one part lie together, so the table's name is looked up once per part and not per row.
        for part in locs.chunk_by(|a, b| a.part == b.part) {
            let Some(first) = part.first() else { continue };
            let one = window.part(*first);
            let counters = self.counters.entry(one.table.target().clone()).or_default();
            for loc in part {
                match one.batch.ops[loc.row as usize] {
                    RowOp::Insert => counters.inserts += 1,
                    RowOp::Delete => counters.deletes += 1,
                    RowOp::UpdateBefore | RowOp::UpdateAfter => counters.updates += 1,
                }
            }
        }
    }
}

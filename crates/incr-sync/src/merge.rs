//! The net effect of a list of changes.
//!
//! Changes that share a target transaction are invisible to others one by one, so per row key only two things
//! matter: whether the row was there before, and what it is at the end. A change of the row key is the
//! deletion of one row and the insertion of another. Tables that have to be applied in order
//! ([`crate::table::ApplyTable::in_order`]) aren't merged.

use std::collections::{HashMap, HashSet};

use whimbrel_model::{Change, RowRef, TableName};

use crate::window::{Loc, Window};

/// One image of a change: its row in the batch of a part.
pub type ImageLoc = Loc;

/// What happened to one row key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetRow {
    /// The row before the first change; `None` where the first change was an insertion.
    pub before: Option<ImageLoc>,
    /// The row after the last change; `None` where it is gone.
    pub after: Option<ImageLoc>,
    /// Some image: tells the key of a row that came and went.
    pub any: ImageLoc,
    pub changes: u32,
    /// The previous row with the same hash.
    chain: u32,
}

/// The rows of one table version, in the order of their first change.
#[derive(Debug)]
pub struct NetTable {
    /// A part of the table.
    pub part: u32,
    pub rows: Vec<NetRow>,
}

/// The net effect of changes.
#[derive(Debug, Default)]
pub struct Net {
    pub tables: Vec<NetTable>,
    /// Changes that have to be applied one after another.
    pub in_order: Vec<Loc>,
}

const NONE: u32 = u32::MAX;

/// The image at a place.
pub fn image(window: &Window, at: ImageLoc) -> RowRef<'_> {
    window.part(at).batch.rows.row(at.row as usize)
}

/// Merges changes, which must be in the source's order.
pub fn merge(window: &Window, locs: &[Loc]) -> Net {
    let ordered = ordered_targets(window, locs);
    let mut net = Net::default();
    let mut table_of: HashMap<u64, usize> = HashMap::new();
    let mut maps: Vec<HashMap<u64, u32>> = Vec::new();
    let mut scratch = Vec::new();
    for &loc in locs {
        let part = window.part(loc);
        if ordered.contains(&part.table.token) {
            net.in_order.push(loc);
            continue;
        }
        let table = *table_of.entry(part.table.plan.source.id).or_insert_with(|| {
            net.tables.push(NetTable { part: loc.part, rows: Vec::new() });
            maps.push(HashMap::new());
            maps.len() - 1
        });
        let mut target = Target { window, rows: &mut net.tables[table].rows, map: &mut maps[table] };
        let after = Loc { row: loc.row + 1, ..loc };
        match window.change(loc) {
            Change::Insert { .. } => target.arrives(loc, &mut scratch),
            Change::Delete { .. } => target.leaves(loc, &mut scratch),
            Change::Update { before, after: row } if part.table.same_key(before, row) => {
                target.changes(loc, after, &mut scratch);
            }
            Change::Update { .. } => {
                target.leaves(loc, &mut scratch);
                target.arrives(after, &mut scratch);
            }
        }
    }
    net
}

/// Target tables of which some change can't be merged; then none is, so that their order is kept.
fn ordered_targets(window: &Window, locs: &[Loc]) -> HashSet<u64> {
    let mut ordered = HashSet::new();
    // Two versions of one source table (a Store that began anew numbers them anew) share rows but no map.
    let mut versions: HashMap<&TableName, u64> = HashMap::new();
    for &loc in locs {
        let table = &window.part(loc).table;
        let version = table.plan.source.id;
        let mixed = *versions.entry(table.source()).or_insert(version) != version;
        let unknown = |row| table.has_unknown(row);
        let in_order = mixed
            || table.in_order()
            || match window.change(loc) {
                Change::Insert { after } | Change::Update { after, .. } => unknown(after),
                Change::Delete { .. } => false,
            };
        if in_order {
            ordered.insert(table.token);
        }
    }
    ordered
}

struct Target<'a> {
    window: &'a Window,
    rows: &'a mut Vec<NetRow>,
    map: &'a mut HashMap<u64, u32>,
}

impl Target<'_> {
    fn arrives(&mut self, at: ImageLoc, scratch: &mut Vec<u8>) {
        let row = self.row(at, None, scratch);
        row.after = Some(at);
    }

    fn leaves(&mut self, at: ImageLoc, scratch: &mut Vec<u8>) {
        let row = self.row(at, Some(at), scratch);
        row.after = None;
    }

    fn changes(&mut self, before: ImageLoc, after: ImageLoc, scratch: &mut Vec<u8>) {
        let row = self.row(before, Some(before), scratch);
        row.after = Some(after);
    }

    /// The entry of the key of the image at `at`, one change older; a new one has `before`.
    fn row(&mut self, at: ImageLoc, before: Option<ImageLoc>, scratch: &mut Vec<u8>) -> &mut NetRow {
        let table = &self.window.part(at).table;
        let hash = table.key_hash(image(self.window, at), scratch);
        let head = self.map.get(&hash).copied().unwrap_or(NONE);
        let mut index = head;
        while index != NONE {
            let row = &self.rows[index as usize];
            if table.same_key(image(self.window, row.any), image(self.window, at)) {
                break;
            }
            index = row.chain;
        }
        if index == NONE {
            index = self.rows.len() as u32;
            self.rows.push(NetRow { before, after: None, any: at, changes: 0, chain: head });
            self.map.insert(hash, index);
        }
        let row = &mut self.rows[index as usize];
        row.changes += 1;
        row
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use whimbrel_model::ValueRef;

    use super::*;
    use crate::fixture::{Edit, Row, batch, unique_table, window};
    use crate::window::Part;

    /// A table with a row key (column 0) and a unique key that may be NULL (column 1), as a server has it.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Model {
        rows: BTreeMap<i64, Row>,
    }

    impl Model {
        fn insert(&mut self, row: &Row) -> bool {
            let id = row[0].unwrap();
            let clash = self.rows.contains_key(&id)
                || self.rows.values().any(|one| one[1].is_some() && one[1] == row[1]);
            if !clash {
                self.rows.insert(id, row.clone());
            }
            !clash
        }

        fn delete(&mut self, row: &Row) -> bool {
            self.rows.remove(&row[0].unwrap()).is_some()
        }
    }

    fn values(window: &Window, at: ImageLoc) -> Row {
        let row = image(window, at);
        (0..row.len())
            .map(|column| match row.get(column) {
                ValueRef::Int(value) => Some(value),
                _ => None,
            })
            .collect()
    }

    /// Deletions first, then insertions: as `apply` executes it, in strict phase.
    fn execute(window: &Window, model: &mut Model) {
        let locs: Vec<Loc> = window.locs().collect();
        let net = merge(window, &locs);
        assert!(net.in_order.is_empty());
        for row in net.tables.iter().flat_map(|table| &table.rows) {
            if let Some(before) = row.before {
                assert!(model.delete(&values(window, before)), "a deletion finds its row");
            }
        }
        for row in net.tables.iter().flat_map(|table| &table.rows) {
            if let Some(after) = row.after {
                assert!(model.insert(&values(window, after)), "an insertion meets no row");
            }
        }
    }

    /// Turns arbitrary wishes into a history that a source could have had, and the table after it.
    fn history(wishes: &[(u8, i64, i64, Option<i64>, i64)], start: &Model) -> (Vec<Edit>, Model) {
        let mut model = start.clone();
        let mut edits = Vec::new();
        for &(what, id, to, unique, value) in wishes {
            match (what % 3, model.rows.get(&id).cloned()) {
                (0, None) => {
                    let row = vec![Some(id), unique, Some(value)];
                    if model.insert(&row) {
                        edits.push(Edit::Insert(row));
                    }
                }
                (1, Some(before)) => {
                    model.delete(&before);
                    edits.push(Edit::Delete(before));
                }
                (_, Some(before)) => {
                    let after = vec![Some(to), unique, Some(value)];
                    model.delete(&before);
                    if model.insert(&after) {
                        edits.push(Edit::Update(before, after));
                    } else {
                        model.insert(&before);
                    }
                }
                _ => {}
            }
        }
        (edits, model)
    }

    fn wishes() -> impl Strategy<Value = Vec<(u8, i64, i64, Option<i64>, i64)>> {
        let unique = proptest::option::of(0..5i64);
        proptest::collection::vec((any::<u8>(), 0..6i64, 0..6i64, unique, 0..100i64), 0..60)
    }

    proptest! {
        /// However a history is cut into windows, the net effects lead to the same table, every deletion finds
        /// its row and no insertion meets one.
        #[test]
        fn net_effects_equal_the_changes_one_by_one(wishes in wishes(), cut in 1..20usize) {
            let table = unique_table(1, "t");
            let start = Model::default();
            let (edits, expected) = history(&wishes, &start);
            let mut model = start;
            for part in edits.chunks(cut) {
                execute(&window(&[(&table, part.to_vec())]), &mut model);
            }
            prop_assert_eq!(model, expected);
        }

        /// The lanes of a window may commit in any order.
        #[test]
        fn lanes_in_any_order_equal_the_changes_one_by_one(wishes in wishes(), lanes in 1..6usize, seed in any::<u64>()) {
            let table = unique_table(1, "t");
            let (edits, expected) = history(&wishes, &Model::default());
            let whole = window(&[(&table, edits.clone())]);
            let locs: Vec<Loc> = whole.locs().collect();
            let mut lists = crate::conflict::split(&whole, &locs, lanes);
            prop_assert!(lists.len() <= lanes);
            prop_assert_eq!(lists.iter().map(Vec::len).sum::<usize>(), locs.len());
            let turn = seed as usize % lists.len().max(1);
            lists.rotate_left(turn);
            if seed % 2 == 0 {
                lists.reverse();
            }
            let mut model = Model::default();
            for list in &lists {
                let edits: Vec<Edit> = list
                    .iter()
                    .map(|loc| edits[locs.iter().position(|one| one == loc).unwrap()].clone())
                    .collect();
                execute(&window(&[(&table, edits)]), &mut model);
            }
            prop_assert_eq!(model, expected);
        }

        /// Windows that don't wait for one another may run in any order.
        #[test]
        fn independent_windows_in_any_order_equal_the_changes_one_by_one(wishes in wishes(), cut in 1..8usize) {
            let table = unique_table(1, "t");
            let (edits, expected) = history(&wishes, &Model::default());
            let windows: Vec<Window> =
                edits.chunks(cut).map(|part| window(&[(&table, part.to_vec())])).collect();
            let mut tracker = crate::conflict::Tracker::default();
            let after: Vec<u64> =
                windows.iter().zip(1..).map(|(window, number)| tracker.admit(number, window)).collect();
            // The latest start that the rules permit: always the last window that may run.
            let mut done = vec![false; windows.len()];
            let mut model = Model::default();
            while let Some(next) = (0..windows.len()).rev().find(|at| {
                !done[*at] && (0..after[*at] as usize).all(|earlier| done[earlier])
            }) {
                execute(&windows[next], &mut model);
                done[next] = true;
            }
            prop_assert_eq!(model, expected);
        }
    }

    #[test]
    fn unique_values_change_places_in_one_window() {
        let table = unique_table(1, "t");
        let row = |id: i64, unique: Option<i64>| vec![Some(id), unique, Some(0)];
        let mut model = Model::default();
        model.insert(&row(1, Some(1)));
        model.insert(&row(2, Some(2)));
        let edits = vec![
            Edit::Update(row(1, Some(1)), row(1, None)),
            Edit::Update(row(2, Some(2)), row(2, Some(1))),
            Edit::Update(row(1, None), row(1, Some(2))),
        ];
        execute(&window(&[(&table, edits)]), &mut model);
        assert_eq!((model.rows[&1][1], model.rows[&2][1]), (Some(2), Some(1)));
    }

    #[test]
    fn a_row_that_came_and_went_leaves_nothing_but_its_key() {
        let table = unique_table(1, "t");
        let row = vec![Some(1), None, Some(0)];
        let window = window(&[(&table, vec![Edit::Insert(row.clone()), Edit::Delete(row)])]);
        let locs: Vec<Loc> = window.locs().collect();
        let net = merge(&window, &locs);
        let [one] = &net.tables[0].rows[..] else { panic!("one row expected") };
        assert_eq!((one.before, one.after, one.changes), (None, None, 2));
    }

    #[test]
    fn two_versions_of_one_table_keep_their_order() {
        let (old, new) = (unique_table(1, "t"), unique_table(2, "t"));
        let row = vec![Some(1), None, Some(0)];
        let mut window = window(&[(&old, vec![Edit::Insert(row.clone())])]);
        window.parts.push(Part { table: new.clone(), batch: batch(&new, &[Edit::Delete(row)]) });
        let locs: Vec<Loc> = window.locs().collect();
        let net = merge(&window, &locs);
        assert!(net.tables.is_empty() || net.tables.iter().all(|table| table.rows.is_empty()));
        assert_eq!(net.in_order, locs);
    }
}

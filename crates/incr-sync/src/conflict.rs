//! Which changes must not run at the same time, or out of order.
//!
//! Two changes conflict where they share a row token (the row key or a unique key of the target, before or
//! after the change, see [`crate::fold`]), a cascade group, or where one of them claims its whole table. The
//! graph is never built edge by edge:
//! - [`Tracker`] answers for a new window which earlier one it has to wait for (`transaction` mode);
//! - [`split`] puts the connected components of one window on lanes (`convergent` mode).

use std::collections::{HashMap, VecDeque};

use crate::table::Tokens;
use crate::window::{Loc, Window};

#[derive(Clone, Copy, Debug, Default)]
struct TableUse {
    /// The last window with a change of the table.
    any: u64,
    /// The last window with a change that claims the whole table.
    whole: u64,
}

/// Conflicts among windows that haven't been committed. Windows are numbered from 1 in the source's order and
/// commit in that order.
#[derive(Debug, Default)]
pub struct Tracker {
    rows: HashMap<u64, u64>,
    tables: HashMap<u64, TableUse>,
    /// Row tokens of each window, to be forgotten with it.
    windows: VecDeque<(u64, Vec<u64>)>,
}

impl Tracker {
    /// Admits window `number` and returns the last earlier window that it conflicts with; 0 is none.
    pub fn admit(&mut self, number: u64, window: &Window) -> u64 {
        let mut tokens = Tokens::default();
        let mut after = 0;
        let mut own = Vec::with_capacity(window.change_count() * 2);
        for loc in window.locs() {
            window.tokens(loc, &mut tokens);
            let table = self.tables.entry(window.part(loc).table.token).or_default();
            let earlier = |last: u64| if last == number { 0 } else { last };
            if tokens.whole_table {
                after = after.max(earlier(table.any));
                table.whole = number;
            }
            after = after.max(earlier(table.whole));
            table.any = number;
            for token in &tokens.rows {
                match self.rows.insert(*token, number) {
                    Some(last) if last != number => after = after.max(last),
                    Some(_) => continue,
                    None => {}
                }
                own.push(*token);
            }
        }
        self.windows.push_back((number, own));
        after
    }

    /// Forgets the windows up to `committed`.
    pub fn forget(&mut self, committed: u64) {
        while let Some((number, _)) = self.windows.front()
            && *number <= committed
        {
            let Some((number, tokens)) = self.windows.pop_front() else { break };
            for token in tokens {
                if self.rows.get(&token) == Some(&number) {
                    self.rows.remove(&token);
                }
            }
        }
        if self.windows.is_empty() {
            self.tables.clear();
        }
    }
}

/// The sets of a partition of `0..len`.
struct Sets {
    parent: Vec<u32>,
}

impl Sets {
    fn new(len: usize) -> Self {
        Self { parent: (0..len as u32).collect() }
    }

    fn root(&mut self, of: u32) -> u32 {
        let mut at = of;
        while self.parent[at as usize] != at {
            let above = self.parent[self.parent[at as usize] as usize];
            self.parent[at as usize] = above;
            at = above;
        }
        at
    }

    /// The smaller root stays, so a root is the first change of its component.
    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b) as usize] = a.min(b);
    }
}

/// Distributes changes over at most `lanes` lists such that conflicting changes are in one list, in the
/// source's order. Lists are about equally long as far as conflicts permit; none is empty.
pub fn split(window: &Window, locs: &[Loc], lanes: usize) -> Vec<Vec<Loc>> {
    let mut sets = Sets::new(locs.len());
    join_conflicts(window, locs, &mut sets);
    let mut sizes: HashMap<u32, usize> = HashMap::new();
    for change in 0..locs.len() as u32 {
        *sizes.entry(sets.root(change)).or_default() += 1;
    }
    // Largest first on the least loaded lane; ties by first change, so that a split is reproducible.
    let mut components: Vec<(u32, usize)> = sizes.into_iter().collect();
    components.sort_unstable_by_key(|(root, size)| (std::cmp::Reverse(*size), *root));
    let mut load = vec![0usize; lanes.max(1)];
    let mut lane_of: HashMap<u32, usize> = HashMap::with_capacity(components.len());
    for (root, size) in components {
        let lane = (0..load.len()).min_by_key(|lane| load[*lane]).unwrap_or(0);
        load[lane] += size;
        lane_of.insert(root, lane);
    }
    let mut lists = vec![Vec::new(); load.len()];
    for (change, loc) in locs.iter().enumerate() {
        let root = sets.root(change as u32);
        lists[lane_of[&root]].push(*loc);
    }
    lists.retain(|list| !list.is_empty());
    lists
}

fn join_conflicts(window: &Window, locs: &[Loc], sets: &mut Sets) {
    let mut tokens = Tokens::default();
    let mut first_with: HashMap<u64, u32> = HashMap::with_capacity(locs.len() * 2);
    // Per table: its first change, and whether any change claims the whole table.
    let mut tables: HashMap<u64, (u32, bool)> = HashMap::new();
    for (change, loc) in locs.iter().enumerate() {
        let change = change as u32;
        window.tokens(*loc, &mut tokens);
        for token in &tokens.rows {
            let first = *first_with.entry(*token).or_insert(change);
            sets.join(first, change);
        }
        let table = tables.entry(window.part(*loc).table.token).or_insert((change, false));
        table.1 |= tokens.whole_table;
    }
    for (change, loc) in locs.iter().enumerate() {
        if let Some((first, true)) = tables.get(&window.part(*loc).table.token) {
            sets.join(*first, change as u32);
        }
    }
}

//! What the applier knows of one table: its plan, and how rows of it meet other rows.

use whimbrel_connector::{Mutation, TablePlan};
use whimbrel_model::{RawCell, RowRef, TableName};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::fold::{Fold, Folding};

/// How a table hangs together with others by foreign keys that change rows by themselves (`CASCADE`,
/// `SET NULL`, `SET DEFAULT`). The target has to carry such actions out, because most sources don't log them,
/// so all tables of the group are applied in the source's order with checks on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CascadeGroup {
    /// Stands for the group in the conflict graph.
    pub token: u64,
    /// Rows of other tables change when rows of this one do.
    pub parent: bool,
    /// Rows of this table change when rows of others do: a row may be gone before its own change comes.
    pub child: bool,
}

/// One unique key of the target in the conflict graph.
#[derive(Clone, Debug)]
struct KeyFold {
    seed: u64,
    columns: Vec<(usize, Fold)>,
}

/// A source table version with its target.
#[derive(Debug)]
pub struct ApplyTable {
    pub plan: TablePlan,
    /// Stands for the target table in the conflict graph.
    pub token: u64,
    keys: Vec<KeyFold>,
    /// Some unique key can't be followed: all changes of the table conflict.
    opaque: bool,
    /// Two rows that have different row keys at the source may have the same one at the target (a coarser
    /// collation).
    pub loose_key: bool,
    pub group: Option<CascadeGroup>,
}

/// Where the tokens of a change go.
#[derive(Debug, Default)]
pub struct Tokens {
    /// Row tokens: changes with a common one conflict.
    pub rows: Vec<u64>,
    /// The change conflicts with every other change of its table.
    pub whole_table: bool,
    scratch: Vec<u8>,
}

impl Tokens {
    pub fn clear(&mut self) {
        self.rows.clear();
        self.whole_table = false;
    }
}

impl ApplyTable {
    pub fn new(plan: TablePlan, group: Option<CascadeGroup>) -> Self {
        let token = table_token(&plan.target.name);
        let mut keys = Vec::with_capacity(1 + plan.unique_keys.len());
        let mut opaque = plan.key.is_empty();
        let mut loose_key = false;
        for (number, columns) in
            std::iter::once(&plan.key).chain(plan.unique_keys.iter().map(|key| &key.columns)).enumerate()
        {
            if columns.is_empty() {
                continue;
            }
            let columns: Vec<(usize, Fold)> = columns.iter().map(|at| (*at, fold_of(&plan, *at))).collect();
            opaque |= columns.iter().any(|(_, fold)| *fold == Fold::Opaque);
            if number == 0 {
                loose_key = columns.iter().any(|(at, fold)| is_loose(&plan, *at, *fold));
            }
            keys.push(KeyFold { seed: token.wrapping_add(number as u64), columns });
        }
        opaque |= plan.unique_keys.iter().any(|key| key.opaque);
        Self { plan, token, keys, opaque, loose_key, group }
    }

    pub fn source(&self) -> &TableName {
        &self.plan.source.schema.name
    }

    pub fn target(&self) -> &TableName {
        &self.plan.target.name
    }

    /// Changes have to be applied one after another in the source's order and can't be merged by key.
    pub fn in_order(&self) -> bool {
        self.plan.is_keyless() || self.plan.target_has_own_columns || self.group.is_some()
    }

    /// Changes may be applied again after a crash. Not where rows can't be told apart, by a key or by their table.
    pub fn is_repeatable(&self) -> bool {
        !self.plan.is_keyless() && !self.plan.merged
    }

    /// Adds the tokens of one row image of a change.
    pub fn add_tokens(&self, row: RowRef<'_>, tokens: &mut Tokens) {
        if let Some(group) = self.group {
            tokens.rows.push(group.token);
        }
        if self.opaque {
            tokens.whole_table = true;
            return;
        }
        let skipped = usize::from(Mutation::ForgetRowKey.active());
        let most = if Mutation::ForgetUniqueKey.active() { 1 } else { usize::MAX };
        for key in self.keys.iter().skip(skipped).take(most) {
            tokens.scratch.clear();
            let mut folding = Folding::Done;
            for (column, fold) in &key.columns {
                folding = fold.append(row.raw(*column), &mut tokens.scratch);
                if folding != Folding::Done {
                    break;
                }
            }
            match folding {
                Folding::Done => tokens.rows.push(xxh3_64_with_seed(&tokens.scratch, key.seed)),
                Folding::Null => {}
                Folding::Opaque => tokens.whole_table = true,
            }
        }
    }

    /// Hash of a row's key cells, byte for byte; equal keys have equal hashes.
    pub fn key_hash(&self, row: RowRef<'_>, scratch: &mut Vec<u8>) -> u64 {
        scratch.clear();
        for column in &self.plan.key {
            Fold::Exact.append(row.raw(*column), scratch);
        }
        xxh3_64(scratch)
    }

    /// True where both rows have the same key, byte for byte.
    pub fn same_key(&self, a: RowRef<'_>, b: RowRef<'_>) -> bool {
        self.plan.key.iter().all(|column| a.raw(*column) == b.raw(*column))
    }

    /// True where some written cell of the row isn't in the log.
    pub fn has_unknown(&self, row: RowRef<'_>) -> bool {
        self.plan.columns.iter().any(|map| row.raw(map.source) == RawCell::Unknown)
    }
}

/// The token of a target table.
pub fn table_token(target: &TableName) -> u64 {
    let mut name = Vec::with_capacity(target.schema.len() + target.table.len() + 1);
    name.extend_from_slice(target.schema.as_bytes());
    name.push(0);
    name.extend_from_slice(target.table.as_bytes());
    xxh3_64(&name)
}

fn fold_of(plan: &TablePlan, source: usize) -> Fold {
    let column = &plan.source.schema.columns[source];
    let target = plan.target.column_index(&column.name).map(|at| &plan.target.columns[at]);
    target.map_or(Fold::Opaque, |target| Fold::new(&column.data_type, &target.data_type))
}

/// Equal collations compare alike; anything else may be coarser at the target.
fn is_loose(plan: &TablePlan, source: usize, fold: Fold) -> bool {
    let column = &plan.source.schema.columns[source];
    let target = plan.target.column_index(&column.name).map(|at| &plan.target.columns[at].data_type);
    match fold {
        Fold::Exact => false,
        Fold::Bytes => target != Some(&column.data_type),
        Fold::Float => false,
        Fold::Text(..) | Fold::BinaryText(_) | Fold::NeutralText(_) | Fold::Opaque => {
            target.is_none_or(|target| target.collation() != column.data_type.collation())
        }
    }
}

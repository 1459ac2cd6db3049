//! Random histories that a source could have had, with the tables after each transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use whimbrel_model::TableVersion;

use crate::script::{Cell, Edit, Row, Script};
use crate::server::Scene;

/// `items`: a row key, a unique key that may be NULL, a value. `pairs`: a key of two columns with text.
/// `notes`: no key at all.
pub const TABLES: [&str; 3] = [
    "CREATE TABLE items (id BIGINT NOT NULL PRIMARY KEY, u BIGINT NULL, n BIGINT NULL, UNIQUE KEY uk (u))",
    "CREATE TABLE pairs (a BIGINT NOT NULL, b VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, v BIGINT NULL, PRIMARY KEY (a, b))",
    "CREATE TABLE notes (a BIGINT NULL, b VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL)",
];

pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

/// The content of the tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    pub items: BTreeMap<Row, Row>,
    pub pairs: BTreeMap<Row, Row>,
    pub notes: Vec<Row>,
}

fn text(row: &Row) -> String {
    let cell = |cell: &Cell| match cell {
        Cell::Null => "~".to_owned(),
        Cell::Int(value) => value.to_string(),
        Cell::Text(value) => value.clone(),
    };
    row.iter().map(cell).collect::<Vec<_>>().join("|")
}

impl Content {
    /// The rows as [`Scene::rows`] shows them.
    pub fn lines(&self, table: &str) -> Vec<String> {
        let mut lines: Vec<String> = match table {
            "items" => self.items.values().map(text).collect(),
            "pairs" => self.pairs.values().map(text).collect(),
            _ => self.notes.iter().map(text).collect(),
        };
        lines.sort();
        lines
    }

    fn items_put(&mut self, row: &Row) -> bool {
        let clash = self.items.contains_key(&row[..1])
            || self.items.values().any(|one| one[1] != Cell::Null && one[1] == row[1]);
        if !clash {
            self.items.insert(row[..1].to_vec(), row.clone());
        }
        !clash
    }
}

/// The tables of a scene, with a version number each.
pub struct Tables {
    pub items: Arc<TableVersion>,
    pub pairs: Arc<TableVersion>,
    pub notes: Arc<TableVersion>,
}

impl Tables {
    pub async fn of(scene: &Scene) -> Self {
        let mut versions = Vec::new();
        for (id, name) in (1..).zip(["items", "pairs", "notes"]) {
            versions.push(Arc::new(TableVersion::new(id, scene.table(name).await)));
        }
        let [items, pairs, notes] = versions.try_into().unwrap_or_else(|_| panic!("three tables"));
        Self { items, pairs, notes }
    }
}

/// A script with the content after each of its transactions, the empty one first.
pub struct History {
    pub script: Script,
    pub after: Vec<Content>,
}

/// Transactions of 1 to 8 changes; few keys and unique values, so that everything meets everything.
pub fn history(tables: &Tables, seed: u64, transactions: usize, keyless: bool) -> History {
    let mut random = Random::new(seed);
    let mut content = Content::default();
    let mut history = History { script: Script::default(), after: vec![content.clone()] };
    for _ in 0..transactions {
        let mut edits = Vec::new();
        for _ in 0..1 + random.below(8) {
            let (table, edit) = match random.below(if keyless { 6 } else { 5 }) {
                0..4 => (&tables.items, item_edit(&mut random, &mut content)),
                4 => (&tables.pairs, pair_edit(&mut random, &mut content)),
                _ => (&tables.notes, note_edit(&mut random, &mut content)),
            };
            edits.extend(edit.map(|edit| (table, edit)));
        }
        history.script.transaction(&edits);
        history.after.push(content.clone());
    }
    history
}

fn item_edit(random: &mut Random, content: &mut Content) -> Option<Edit> {
    let id = vec![Cell::Int(random.below(24) as i64)];
    let unique = if random.below(4) == 0 { Cell::Null } else { Cell::Int(random.below(20) as i64) };
    let value = Cell::Int(random.below(1000) as i64);
    let Some(before) = content.items.get(&id).cloned() else {
        let row = vec![id[0].clone(), unique, value];
        return content.items_put(&row).then_some(Edit::Insert(row));
    };
    content.items.remove(&id);
    if random.below(4) == 0 {
        return Some(Edit::Delete(before));
    }
    let key = if random.below(4) == 0 { Cell::Int(random.below(24) as i64) } else { id[0].clone() };
    let unique = if random.below(2) == 0 { before[1].clone() } else { unique };
    let after = vec![key, unique, value];
    if content.items_put(&after) {
        return Some(Edit::Update(before, after));
    }
    content.items_put(&before);
    None
}

fn pair_edit(random: &mut Random, content: &mut Content) -> Option<Edit> {
    let names = ["a", "A", "b", "é", "a b", "中"];
    let key =
        vec![Cell::Int(random.below(3) as i64), Cell::from(names[random.below(names.len() as u64) as usize])];
    let row = vec![key[0].clone(), key[1].clone(), Cell::Int(random.below(1000) as i64)];
    match content.pairs.remove(&key) {
        None => {
            content.pairs.insert(key, row.clone());
            Some(Edit::Insert(row))
        }
        Some(before) if random.below(3) == 0 => Some(Edit::Delete(before)),
        Some(before) => {
            content.pairs.insert(key, row.clone());
            Some(Edit::Update(before, row))
        }
    }
}

fn note_edit(random: &mut Random, content: &mut Content) -> Option<Edit> {
    let row = vec![
        if random.below(5) == 0 { Cell::Null } else { Cell::Int(random.below(4) as i64) },
        if random.below(5) == 0 {
            Cell::Null
        } else {
            Cell::from(["x", "X", "y "][random.below(3) as usize])
        },
    ];
    if content.notes.is_empty() || random.below(2) == 0 {
        content.notes.push(row.clone());
        return Some(Edit::Insert(row));
    }
    let at = random.below(content.notes.len() as u64) as usize;
    if random.below(3) == 0 {
        return Some(Edit::Delete(content.notes.remove(at)));
    }
    let before = std::mem::replace(&mut content.notes[at], row.clone());
    Some(Edit::Update(before, row))
}

/// Fails where the target doesn't hold this.
pub async fn expect(scene: &mut Scene, content: &Content, what: &str) {
    for table in ["items", "pairs", "notes"] {
        let found = scene.rows(&format!("SELECT * FROM {table}")).await;
        assert_eq!(found, content.lines(table), "{what}: {table} in {}", scene.schema);
    }
}

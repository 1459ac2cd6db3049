//! Which table versions a Store knows, and which one is each table's definition now.
//!
//! The Store gives its own numbers to table versions: a reader of the source's log numbers from anew when it
//! restarts, and the same definition keeps its number then. A DDL statement takes effect when its
//! transaction commits; rows that come with a definition of their own make it the current one at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use whimbrel_model::{Ddl, TableName, TableSchema, TableVersion};

use crate::record::PendingEffect;

#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    versions: BTreeMap<u64, Arc<TableVersion>>,
    current: BTreeMap<TableName, u64>,
    pending: Vec<PendingEffect>,
    /// Versions whose definition stands in the segment file that is being written.
    defined: BTreeSet<u64>,
    /// The source reader's versions by its number, and ours.
    seen: HashMap<u64, (Arc<TableVersion>, u64)>,
    last_id: u64,
}

/// A version, and whether its definition must be written first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub id: u64,
    pub must_define: bool,
}

impl Catalogue {
    pub fn new(tables: &[TableSchema]) -> Self {
        let mut catalogue = Self::default();
        for schema in tables {
            let id = catalogue.number(schema);
            catalogue.current.insert(schema.name.clone(), id);
        }
        catalogue
    }

    /// The number that the next new version gets.
    pub fn next_id(&self) -> u64 {
        self.last_id + 1
    }

    pub fn current_schemas(&self) -> Vec<TableSchema> {
        let schema = |id: &u64| self.versions.get(id).map(|version| version.schema.clone());
        self.current.values().filter_map(schema).collect()
    }

    pub fn schema(&self, id: u64) -> Option<&TableSchema> {
        self.versions.get(&id).map(|version| &version.schema)
    }

    pub fn pending(&self) -> &[PendingEffect] {
        &self.pending
    }

    /// The version of a batch of rows.
    pub fn rows_version(&mut self, table: &Arc<TableVersion>) -> Resolved {
        if let Some((seen, id)) = self.seen.get(&table.id)
            && Arc::ptr_eq(seen, table)
        {
            let id = *id;
            return Resolved { id, must_define: self.defined.insert(id) };
        }
        let id = self.number(&table.schema);
        self.seen.insert(table.id, (table.clone(), id));
        let known_current = self.current.insert(table.schema.name.clone(), id) == Some(id);
        let must_define = self.defined.insert(id) || !known_current;
        Resolved { id, must_define }
    }

    /// The versions that a statement creates; its effects wait for the commit.
    pub fn ddl_versions(&mut self, ddl: &Ddl) -> Vec<Resolved> {
        let mut created = Vec::new();
        for effect in &ddl.effects {
            let after = effect.after.as_ref().map(|schema| self.number(schema));
            if let Some(id) = after {
                created.push(Resolved { id, must_define: self.defined.insert(id) });
            }
            self.pending.push(PendingEffect { before: effect.before.clone(), after });
        }
        created
    }

    pub fn commit(&mut self) {
        for effect in std::mem::take(&mut self.pending) {
            if let Some(before) = &effect.before {
                self.current.remove(before);
            }
            if let Some(version) = effect.after.and_then(|id| self.versions.get(&id)) {
                self.current.insert(version.schema.name.clone(), version.id);
            }
        }
    }

    pub fn abort(&mut self) {
        self.pending.clear();
    }

    /// Begins a new segment file: forgets versions that can't be used any more and returns the others, each
    /// with whether it is its table's current definition. All of them count as defined.
    pub fn snapshot(&mut self) -> Vec<(Arc<TableVersion>, bool)> {
        let mut keep: BTreeSet<u64> = self.current.values().copied().collect();
        keep.extend(self.pending.iter().filter_map(|effect| effect.after));
        self.versions.retain(|id, _| keep.contains(id));
        self.seen.retain(|_, (_, id)| keep.contains(id));
        self.defined = keep;
        let current =
            |version: &Arc<TableVersion>| self.current.get(&version.schema.name) == Some(&version.id);
        self.versions.values().map(|version| (version.clone(), current(version))).collect()
    }

    /// Takes over a definition that was read from a segment file.
    pub fn restore(&mut self, version: &Arc<TableVersion>, current: bool) {
        self.last_id = self.last_id.max(version.id);
        self.versions.insert(version.id, version.clone());
        self.defined.insert(version.id);
        if current {
            self.current.insert(version.schema.name.clone(), version.id);
        }
    }

    /// Takes over the effects of an open transaction that were read from a segment file.
    pub fn restore_pending(&mut self, effects: Vec<PendingEffect>) {
        self.pending = effects;
    }

    /// The number of a definition: the one it has, or a new one.
    fn number(&mut self, schema: &TableSchema) -> u64 {
        let current = self.current.get(&schema.name).and_then(|id| self.versions.get(id));
        if let Some(version) = current.filter(|version| version.schema == *schema) {
            return version.id;
        }
        if let Some(version) = self.versions.values().find(|version| version.schema == *schema) {
            return version.id;
        }
        self.last_id += 1;
        self.versions.insert(self.last_id, Arc::new(TableVersion::new(self.last_id, schema.clone())));
        self.last_id
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_model::{Column, DataType, TableEffect};

    use super::*;

    fn schema(table: &str, columns: &[&str]) -> TableSchema {
        let column = |name: &&str| Column::new(*name, DataType::Date, true);
        TableSchema::new(TableName::new("d", table), columns.iter().map(column).collect())
    }

    fn ddl(effects: Vec<(Option<&str>, Option<TableSchema>)>) -> Ddl {
        let effect = |(before, after): (Option<&str>, Option<TableSchema>)| TableEffect {
            before: before.map(|name| TableName::new("d", name)),
            after,
        };
        Ddl {
            default_schema: "d".into(),
            sql: String::new(),
            sql_mode: 0,
            effects: effects.into_iter().map(effect).collect(),
        }
    }

    #[test]
    fn the_same_definition_keeps_its_number_when_the_source_reader_restarts() {
        let mut catalogue = Catalogue::new(&[schema("t", &["a"])]);
        let first = catalogue.rows_version(&Arc::new(TableVersion::new(70, schema("t", &["a"]))));
        let again = catalogue.rows_version(&Arc::new(TableVersion::new(70, schema("t", &["a"]))));
        assert_eq!((first.id, again), (1, Resolved { id: 1, must_define: false }));
        // The same number from another reader means nothing.
        let other = catalogue.rows_version(&Arc::new(TableVersion::new(70, schema("t", &["a", "b"]))));
        assert_eq!(other, Resolved { id: 2, must_define: true });
    }

    #[test]
    fn ddl_counts_from_its_commit_on_and_a_swap_by_rename_works() {
        let mut catalogue = Catalogue::new(&[schema("t", &["a"]), schema("new", &["b"])]);
        let swap =
            ddl(vec![(Some("t"), Some(schema("old", &["a"]))), (Some("new"), Some(schema("t", &["b"])))]);
        catalogue.ddl_versions(&swap);
        catalogue.abort();
        assert_eq!(catalogue.current_schemas(), [schema("new", &["b"]), schema("t", &["a"])]);
        catalogue.ddl_versions(&swap);
        catalogue.commit();
        assert_eq!(catalogue.current_schemas(), [schema("old", &["a"]), schema("t", &["b"])]);
        catalogue.ddl_versions(&ddl(vec![(Some("old"), None)]));
        catalogue.commit();
        assert_eq!(catalogue.current_schemas(), [schema("t", &["b"])]);
    }

    #[test]
    fn a_new_file_keeps_what_is_current_or_waits_for_its_commit() {
        let mut catalogue = Catalogue::new(&[schema("t", &["a"])]);
        catalogue.ddl_versions(&ddl(vec![(Some("t"), Some(schema("t", &["a", "b"])))]));
        let kept: Vec<_> =
            catalogue.snapshot().iter().map(|(version, current)| (version.id, *current)).collect();
        assert_eq!(kept, [(1, true), (2, false)]);
        catalogue.commit();
        let kept: Vec<_> =
            catalogue.snapshot().iter().map(|(version, current)| (version.id, *current)).collect();
        assert_eq!(kept, [(2, true)]);
    }
}

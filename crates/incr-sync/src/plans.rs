//! From a table version of the log to what is done with its rows: looked up once, until DDL changes it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use whimbrel_connector::{Catalog, ConnectorError, ErrorKind, Result, TableKind, TablePlan, Writer};
use whimbrel_model::schema::ForeignKey;
use whimbrel_model::{TableName, TableSchema, TableVersion};

use crate::checkpoint::{self, LeftOut, encode};
use crate::source::Router;
use crate::table::{ApplyTable, CascadeGroup, table_token};

/// Plans of all tables seen so far.
pub struct Plans {
    catalog: Box<dyn Catalog>,
    router: Arc<dyn Router>,
    /// Tables of the target's schemas that were read. Whole schemas, because a foreign key is only known at
    /// the child.
    tables: BTreeMap<TableName, Arc<TableSchema>>,
    schemas: HashSet<String>,
    groups: HashMap<TableName, CascadeGroup>,
    by_version: HashMap<u64, Arc<ApplyTable>>,
    /// Columns of the source that a target table goes without.
    left_out: HashMap<TableName, Vec<String>>,
}

impl Plans {
    pub fn new(catalog: Box<dyn Catalog>, router: Arc<dyn Router>) -> Self {
        Self {
            catalog,
            router,
            tables: BTreeMap::new(),
            schemas: HashSet::new(),
            groups: HashMap::new(),
            by_version: HashMap::new(),
            left_out: HashMap::new(),
        }
    }

    /// The plan of a table version of the source; the router must want it.
    ///
    /// # Errors
    /// A target table that isn't there or doesn't fit; what the catalogue says.
    pub async fn get(&mut self, version: &Arc<TableVersion>) -> Result<Arc<ApplyTable>> {
        if let Some(table) = self.by_version.get(&version.id) {
            return Ok(table.clone());
        }
        let source = &version.schema.name;
        let target = self.router.target(source).ok_or_else(|| {
            ConnectorError::new(ErrorKind::Configuration, source.to_string(), "the table has no target")
        })?;
        let schema = self.target_schema(&target).await?;
        let left_out = self.left_out.get(&target);
        let is_left_out = |name: &str| {
            left_out.is_some_and(|columns| columns.iter().any(|one| one.eq_ignore_ascii_case(name)))
        };
        let plan = TablePlan::leaving_out(version.clone(), schema.clone(), &is_left_out)
            .map_err(|error| {
                ConnectorError::new(
                    ErrorKind::SchemaMismatch,
                    source.to_string(),
                    "rows of the source don't fit the target table",
                )
                .with_source(error)
            })?
            .merging(self.router.merges(source));
        let table = Arc::new(ApplyTable::new(plan, self.groups.get(&schema.name).copied()));
        self.by_version.insert(version.id, table.clone());
        Ok(table)
    }

    /// Forgets everything: the target's tables have changed.
    pub fn clear(&mut self) {
        self.tables.clear();
        self.schemas.clear();
        self.groups.clear();
        self.by_version.clear();
    }

    /// Reads which columns are left out.
    pub async fn load_left_out(&mut self, writer: &mut dyn Writer) -> Result<()> {
        let all = checkpoint::left_out(writer).await?;
        self.left_out = all.into_iter().map(|one| (one.table, one.columns)).collect();
        Ok(())
    }

    /// From here on, rows of `source` are written without the columns that its target doesn't have.
    pub async fn leave_out(
        &mut self,
        writer: &mut dyn Writer,
        target: &TableName,
        source: &TableSchema,
    ) -> Result<()> {
        let there = self.catalog.existing_tables(std::slice::from_ref(target)).await?;
        let Some(there) = there.first() else {
            let entry = LeftOut::whole_table(target.clone());
            return writer.state_put(&entry.state_key(), &encode(&entry)).await;
        };
        let lacks = |name: &&String| there.column_index(name).is_none();
        let columns: Vec<String> =
            source.columns.iter().map(|column| &column.name).filter(lacks).cloned().collect();
        self.leave_out_columns(writer, target, &columns).await
    }

    /// From here on, rows for a target are written without these columns, as long as it doesn't have them.
    pub async fn leave_out_columns(
        &mut self,
        writer: &mut dyn Writer,
        target: &TableName,
        more: &[String],
    ) -> Result<()> {
        let mut columns = self.left_out.remove(target).unwrap_or_default();
        for column in more {
            if !columns.iter().any(|one| one.eq_ignore_ascii_case(column)) {
                columns.push(column.clone());
            }
        }
        if !columns.is_empty() {
            let entry = LeftOut::new(target.clone(), columns.clone());
            writer.state_put(&entry.state_key(), &encode(&entry)).await?;
            self.left_out.insert(target.clone(), columns);
        }
        Ok(())
    }

    /// The tables and all that change each other's rows by foreign keys, as far as that is known.
    pub fn with_groups(&self, tables: &[TableName]) -> Vec<TableName> {
        let tokens: HashSet<u64> =
            tables.iter().filter_map(|table| self.groups.get(table)).map(|group| group.token).collect();
        let mut all: Vec<TableName> = self
            .groups
            .iter()
            .filter(|(_, group)| tokens.contains(&group.token))
            .map(|(table, _)| table.clone())
            .collect();
        all.extend(tables.iter().filter(|table| !self.groups.contains_key(table)).cloned());
        all.sort();
        all
    }

    /// True where a table that is written has other unique keys, or other foreign keys that change rows, than when
    /// its plan was made. Its plans are forgotten then.
    pub async fn keys_have_changed(&mut self) -> Result<bool> {
        let used: HashSet<TableName> = self.by_version.values().map(|table| table.target().clone()).collect();
        let used: Vec<TableName> = used.into_iter().collect();
        let mut changed = false;
        for now in self.catalog.existing_tables(&used).await? {
            changed |= self.tables.get(&now.name).is_some_and(|known| !same_keys(known, &now));
        }
        if changed {
            self.clear();
        }
        Ok(changed)
    }

    /// The target's catalogue, for other questions.
    pub fn catalog(&mut self) -> &mut dyn Catalog {
        self.catalog.as_mut()
    }

    async fn target_schema(&mut self, target: &TableName) -> Result<Arc<TableSchema>> {
        let wanted: Vec<String> = if self.schemas.is_empty() {
            let there = self.catalog.schemas().await?;
            let known = |schema: &String| there.iter().any(|one| one.to_lowercase() == schema.to_lowercase());
            self.router.target_schemas().into_iter().filter(known).collect()
        } else {
            Vec::new()
        };
        let mut grown = false;
        for schema in wanted.iter().chain([&target.schema]) {
            if !self.schemas.contains(schema) {
                self.load(schema).await?;
                self.schemas.insert(schema.clone());
                grown = true;
            }
        }
        if grown {
            self.groups = cascade_groups(self.tables.values().map(AsRef::as_ref));
            // A group may have grown by a table of a schema just read.
            self.by_version.clear();
        }
        let mut found = self.tables.get(target);
        if found.is_none() && self.catalog.server().await?.folds_names() {
            let lower = |name: &TableName| (name.schema.to_lowercase(), name.table.to_lowercase());
            found = self.tables.iter().find(|(name, _)| lower(name) == lower(target)).map(|(_, table)| table);
        }
        found.cloned().ok_or_else(|| {
            ConnectorError::new(ErrorKind::UnknownTable, target.to_string(), "the target table doesn't exist")
                .with_hint("create the table at the target, or exclude it")
        })
    }

    async fn load(&mut self, schema: &str) -> Result<()> {
        let summaries = self.catalog.tables(schema).await?;
        let names: Vec<TableName> = summaries
            .into_iter()
            .filter(|table| table.kind == TableKind::Table)
            .map(|table| table.name)
            .collect();
        for table in self.catalog.existing_tables(&names).await? {
            self.tables.insert(table.name.clone(), Arc::new(table));
        }
        Ok(())
    }
}

/// What the conflict graph stands on.
fn same_keys(one: &TableSchema, other: &TableSchema) -> bool {
    one.primary_key == other.primary_key
        && one.unique_keys == other.unique_keys
        && one.foreign_keys == other.foreign_keys
        && one
            .columns
            .iter()
            .map(|column| (&column.name, &column.data_type))
            .eq(other.columns.iter().map(|column| (&column.name, &column.data_type)))
}

fn changes_rows(key: &ForeignKey) -> bool {
    [&key.on_delete, &key.on_update].iter().any(|action| {
        let action = action.to_ascii_uppercase();
        !matches!(action.as_str(), "" | "RESTRICT" | "NO ACTION")
    })
}

/// Tables that hang together by foreign keys, as far as one key of the component changes rows. A component is
/// taken as a whole: with checks on, every parent has to be there before its child.
fn cascade_groups<'a>(tables: impl Iterator<Item = &'a TableSchema>) -> HashMap<TableName, CascadeGroup> {
    let mut neighbours: BTreeMap<&TableName, Vec<&TableName>> = BTreeMap::new();
    let (mut parents, mut children) = (HashSet::new(), HashSet::new());
    for table in tables {
        for key in &table.foreign_keys {
            neighbours.entry(&table.name).or_default().push(&key.parent);
            neighbours.entry(&key.parent).or_default().push(&table.name);
            if changes_rows(key) {
                parents.insert(&key.parent);
                children.insert(&table.name);
            }
        }
    }
    let mut groups = HashMap::new();
    let mut seen = HashSet::new();
    for &start in neighbours.keys() {
        let mut component = Vec::new();
        let mut open = vec![start];
        while let Some(table) = open.pop() {
            if seen.insert(table) {
                component.push(table);
                open.extend(&neighbours[table]);
            }
        }
        if !component.iter().any(|table| parents.contains(table)) {
            continue;
        }
        // Another number than the table's own token, or rows of `start` would conflict by chance.
        let token = table_token(start).rotate_left(32);
        for table in component {
            let group =
                CascadeGroup { token, parent: parents.contains(table), child: children.contains(table) };
            groups.insert(table.clone(), group);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{ints, schema};

    fn child_of(name: &str, parent: &str, on_delete: &str) -> TableSchema {
        let mut table = schema(name, ints(&["id", "up"]), &["id"]);
        table.foreign_keys.push(ForeignKey {
            name: format!("{name}_fk"),
            columns: vec!["up".into()],
            parent: TableName::new("d", parent),
            parent_columns: vec!["id".into()],
            on_update: "RESTRICT".into(),
            on_delete: on_delete.into(),
        });
        table
    }

    #[test]
    fn only_components_with_actions_are_groups_and_they_are_whole() {
        let tables = [
            schema("a", ints(&["id"]), &["id"]),
            child_of("b", "a", "CASCADE"),
            child_of("c", "b", "NO ACTION"),
            schema("x", ints(&["id"]), &["id"]),
            child_of("y", "x", "RESTRICT"),
        ];
        let groups = cascade_groups(tables.iter());
        let of = |name: &str| groups.get(&TableName::new("d", name));
        let (a, b, c) = (of("a").unwrap(), of("b").unwrap(), of("c").unwrap());
        assert!(a.token == b.token && b.token == c.token);
        assert_eq!((a.parent, a.child, b.parent, b.child), (true, false, false, true));
        assert_eq!((c.parent, c.child), (false, false));
        assert!(of("x").is_none() && of("y").is_none());
    }
}

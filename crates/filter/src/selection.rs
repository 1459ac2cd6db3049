//! What a task selects, and a source that shows nothing else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use whimbrel_connector::{
    Catalog, ConnectorError, Digest, ErrorKind, Flavor, KeyBound, KeyRange, LogReader, LogStart, RangeDigest,
    Result, SnapshotReader, Source, TableEstimate,
};
use whimbrel_model::{Position, RowBatch, TableName, TableSchema, TableVersion};

use crate::view::{TableRules, View, ViewError, at_source};

type RulesOf = dyn Fn(&TableName) -> TableRules + Send + Sync;

/// The rules of all tables of a task.
pub struct Selection {
    rules_of: Box<RulesOf>,
    /// Conditions as SQL, of the newest version of each table that was looked at.
    conditions: RwLock<HashMap<TableName, Arc<str>>>,
}

impl Selection {
    pub fn new(rules_of: impl Fn(&TableName) -> TableRules + Send + Sync + 'static) -> Self {
        Self { rules_of: Box::new(rules_of), conditions: RwLock::default() }
    }

    pub fn rules(&self, table: &TableName) -> TableRules {
        (self.rules_of)(table)
    }

    /// The view of a table; from now on readers heed its condition. See [`View::new`].
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn view(&self, source: &TableSchema, strict: bool) -> std::result::Result<View, ViewError> {
        let view = View::new(source, &*self.rules_of, strict)?;
        if let Some(condition) = &view.condition {
            let mut conditions = self.conditions.write().unwrap_or_else(PoisonError::into_inner);
            conditions.insert(source.name.clone(), condition.sql().into());
        }
        Ok(view)
    }

    fn condition(&self, table: &TableName) -> Option<Arc<str>> {
        self.conditions.read().unwrap_or_else(PoisonError::into_inner).get(table).cloned()
    }
}

/// A source of which only what a [`Selection`] selects is read: tables are asked for by the schemas of their views, and
/// rows that don't fulfil the table's condition aren't there. Catalogue and log are the source's own.
pub struct SelectedSource {
    inner: Arc<dyn Source>,
    selection: Arc<Selection>,
}

impl SelectedSource {
    pub fn new(inner: Arc<dyn Source>, selection: Arc<Selection>) -> Self {
        Self { inner, selection }
    }
}

#[async_trait]
impl Source for SelectedSource {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn catalog(&self) -> Result<Box<dyn Catalog>> {
        self.inner.catalog().await
    }

    async fn snapshot_reader(&self) -> Result<Box<dyn SnapshotReader>> {
        Ok(Box::new(SelectedReader {
            inner: Mutex::new(self.inner.snapshot_reader().await?),
            selection: self.selection.clone(),
            restricted: HashMap::new(),
        }))
    }

    fn shown(&self, table: TableSchema) -> Result<TableSchema> {
        let view = self.selection.view(&table, false).map_err(|error| {
            let object = format!("table {}", table.name);
            let doing = "what is selected of it can't be shown any more";
            ConnectorError::new(ErrorKind::SchemaMismatch, object, doing).with_source(error)
        })?;
        Ok(view.schema)
    }

    async fn log_reader(&self, start: LogStart) -> Result<Box<dyn LogReader>> {
        self.inner.log_reader(start).await
    }
}

struct SelectedReader {
    /// Behind a lock only because [`Digest::comparable`] has a shared reference, and the reader gives its digest out
    /// for an exclusive one; it is never contended.
    inner: Mutex<Box<dyn SnapshotReader>>,
    selection: Arc<Selection>,
    /// Conditions that the inner reader knows.
    restricted: HashMap<TableName, Arc<str>>,
}

impl SelectedReader {
    fn inner(&mut self) -> &mut dyn SnapshotReader {
        self.inner.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut()
    }

    /// The table in the source's names.
    fn schema(&mut self, view: &TableSchema) -> Result<TableSchema> {
        let condition = self.selection.condition(&view.name);
        if let Some(condition) =
            condition.filter(|condition| self.restricted.get(&view.name) != Some(condition))
        {
            self.inner().restrict(&view.name, &condition)?;
            self.restricted.insert(view.name.clone(), condition);
        }
        Ok(at_source(view, &self.selection.rules(&view.name)))
    }

    fn version(&mut self, view: &Arc<TableVersion>) -> Result<Arc<TableVersion>> {
        let schema = self.schema(&view.schema)?;
        Ok(if schema == view.schema { view.clone() } else { Arc::new(TableVersion::new(view.id, schema)) })
    }
}

#[async_trait]
impl SnapshotReader for SelectedReader {
    fn restrict(&mut self, table: &TableName, condition: &str) -> Result<()> {
        self.inner().restrict(table, condition)
    }

    async fn estimate(&mut self, table: &TableSchema) -> Result<TableEstimate> {
        let table = self.schema(table)?;
        self.inner().estimate(&table).await
    }

    async fn last_bound(&mut self, table: &TableSchema) -> Result<Option<KeyBound>> {
        let table = self.schema(table)?;
        self.inner().last_bound(&table).await
    }

    async fn next_bound(
        &mut self,
        table: &TableSchema,
        range: &KeyRange,
        rows: u64,
    ) -> Result<Option<KeyBound>> {
        let table = self.schema(table)?;
        self.inner().next_bound(&table, range, rows).await
    }

    async fn open_range(&mut self, table: &Arc<TableVersion>, range: &KeyRange) -> Result<()> {
        let table = self.version(table)?;
        self.inner().open_range(&table, range).await
    }

    async fn next_batch(&mut self, batch: &mut RowBatch, max_bytes: usize) -> Result<bool> {
        self.inner().next_batch(batch, max_bytes).await
    }

    async fn close_range(&mut self) -> Result<()> {
        self.inner().close_range().await
    }

    async fn fetch(&mut self, table: &Arc<TableVersion>, keys: &RowBatch) -> Result<RowBatch> {
        let table = self.version(table)?;
        self.inner().fetch(&table, keys).await
    }

    async fn count(&mut self, table: &TableSchema, range: &KeyRange) -> Result<u64> {
        let table = self.schema(table)?;
        self.inner().count(&table, range).await
    }

    async fn hold_table(&mut self, table: &TableSchema) -> Result<Position> {
        let table = self.schema(table)?;
        self.inner().hold_table(&table).await
    }

    async fn release_table(&mut self) -> Result<()> {
        self.inner().release_table().await
    }

    fn digest(&mut self) -> Option<&mut dyn Digest> {
        if self.inner().digest().is_some() { Some(self) } else { None }
    }
}

#[async_trait]
impl Digest for SelectedReader {
    fn comparable(&self, table: &TableSchema, other: &TableSchema, other_flavor: Flavor) -> bool {
        // Under the target's names, by which the columns of both sides find each other.
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.digest().is_some_and(|digest| digest.comparable(table, other, other_flavor))
    }

    async fn range_digest(
        &mut self,
        table: &TableSchema,
        columns: &[String],
        range: &KeyRange,
    ) -> Result<RangeDigest> {
        let rules = self.selection.rules(&table.name);
        let columns: Vec<String> =
            columns.iter().map(|column| rules.source_name(column).to_owned()).collect();
        let schema = self.schema(table)?;
        let digest = self.inner().digest().ok_or_else(|| no_digest(table))?;
        digest.range_digest(&schema, &columns, range).await
    }
}

fn no_digest(table: &TableSchema) -> ConnectorError {
    ConnectorError::new(ErrorKind::Unsupported, table.name.to_string(), "the source computes no digests")
}

//! Whether keys that are different at the source become equal at the target.
//!
//! The source compares by the target's collations where it has them. Where it hasn't, the key's columns are put into a
//! scratch table of the target, whose collations are the real ones.

use std::sync::Arc;

use whimbrel_connector::inspect::{Bound, Collisions};
use whimbrel_connector::{Inspector, KeyRange, KeyTrial, Result, Source, TablePlan, Target};
use whimbrel_dbcat::{TargetProfile, render};
use whimbrel_model::{Column, Key, RowBatch, TableName, TableSchema, TableVersion};

use crate::endpoints::Endpoint;

const BATCH_BYTES: usize = 256 << 10;

/// One key of a table on its way to the target.
pub struct Trial<'a> {
    pub table: &'a TableSchema,
    /// The table as it is, or will be, at the target.
    pub target: &'a TableSchema,
    pub key: &'a Key,
    pub profile: &'a TargetProfile,
    pub bound: Bound,
}

impl Trial<'_> {
    /// The key's columns as the target has them.
    pub fn columns(&self) -> Vec<Column> {
        let names = self.key.parts.iter().filter_map(|part| part.column());
        let found =
            names.filter_map(|name| Some(self.target.columns[self.target.column_index(name)?].clone()));
        found.collect()
    }

    /// Finds keys that become equal.
    pub async fn run(
        &self,
        inspector: &mut dyn Inspector,
        source: &Endpoint,
        target: &Endpoint,
    ) -> Result<Collisions> {
        let columns = self.columns();
        let mut comparable = true;
        for collation in columns.iter().filter_map(|column| column.data_type.collation()) {
            comparable &= inspector.can_collate(collation).await?;
        }
        if comparable {
            return inspector.collisions(self.table, self.key, &columns, self.bound).await;
        }
        self.try_at(source, target, &columns).await
    }

    /// Moves the key's columns into a scratch table of the target.
    async fn try_at(&self, source: &Endpoint, target: &Endpoint, columns: &[Column]) -> Result<Collisions> {
        let kept = |column: &&Column| columns.iter().any(|key| key.name.eq_ignore_ascii_case(&column.name));
        let from =
            narrow(self.table, self.table.name.clone(), self.table.columns.iter().filter(kept).cloned());
        let name = TableName::new(scratch_name(), "keys");
        let to = narrow(self.target, name, columns.iter().cloned().map(plain));
        let create = render::create_table(&to, self.profile);
        let version = Arc::new(TableVersion::new(0, from));
        let plan = TablePlan::new(version.clone(), Arc::new(to)).map_err(|error| {
            let object = format!("{}, key {}", self.table.name, self.key.name);
            whimbrel_connector::ConnectorError::new(
                whimbrel_connector::ErrorKind::SchemaMismatch,
                object,
                "its columns can't be tried at the target",
            )
            .with_source(error)
        })?;
        let mut trial = target.key_trial(plan, &create).await?;
        let found = self.fill(source, &version, trial.as_mut()).await;
        trial.discard().await?;
        found
    }

    async fn fill(
        &self,
        source: &Endpoint,
        version: &Arc<TableVersion>,
        trial: &mut dyn KeyTrial,
    ) -> Result<Collisions> {
        let mut reader = Source::snapshot_reader(source.as_ref()).await?;
        reader.open_range(version, &KeyRange::default()).await?;
        let most = self.bound.rows.unwrap_or(u64::MAX);
        let (mut rows, mut more) = (0, true);
        let mut batch = RowBatch::new(version.kinds.clone());
        while more && rows < most {
            batch.clear();
            more = reader.next_batch(&mut batch, BATCH_BYTES).await?;
            rows += batch.len() as u64;
            trial.add(&batch).await?;
        }
        reader.close_range().await?;
        let mut found = trial.collisions().await?;
        found.cost.complete = !more;
        Ok(found)
    }
}

/// Only these columns, without keys: equal ones must be able to stand beside each other.
fn narrow(table: &TableSchema, name: TableName, columns: impl Iterator<Item = Column>) -> TableSchema {
    TableSchema { collation: table.collation.clone(), ..TableSchema::new(name, columns.collect()) }
}

/// A column that takes any value of its type.
fn plain(column: Column) -> Column {
    Column::new(column.name, column.data_type, true)
}

fn scratch_name() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("whimbrel_scratch_{:016x}", RandomState::new().hash_one(std::process::id()))
}

//! How the columns of a source table meet those of its target table. Computed once per table version.

use std::sync::Arc;

use whimbrel_model::schema::Key;
use whimbrel_model::{TableSchema, TableVersion};

/// One column that is written: where it is in the source's rows and in the target's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnMap {
    pub source: usize,
    pub target: usize,
}

/// A unique key of the target, by positions in the source's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UniqueKey {
    /// As the target calls it; `PRIMARY` for the primary key.
    pub name: String,
    pub columns: Vec<usize>,
    /// A part is a prefix, an expression, or a column that the source's rows don't have: two rows may meet
    /// on this key although none of `columns` is equal, so nothing of the table runs in parallel.
    pub opaque: bool,
}

/// Writes rows of one source table version into one target table.
#[derive(Clone, Debug)]
pub struct TablePlan {
    pub source: Arc<TableVersion>,
    pub target: Arc<TableSchema>,
    /// Columns that are written, in the target's order. Generated columns of the target are left out.
    pub columns: Vec<ColumnMap>,
    /// The target's row key by positions in the source's rows; empty for a keyless table.
    pub key: Vec<usize>,
    /// All unique keys of the target besides the row key.
    pub unique_keys: Vec<UniqueKey>,
    /// The target has columns, other than generated ones, that the source doesn't have: rows may only be
    /// updated in place, never replaced.
    pub target_has_own_columns: bool,
    /// Other source tables are written into the same target table. Which of them a row there came from can't be seen
    /// at it, so its changes are applied exactly once, and no row is ever replaced because one with its key comes.
    pub merged: bool,
}

/// Why rows of the source can't be written to the target table.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlanError {
    #[error("column {column} of the source does not exist in target table {table}")]
    MissingColumn { table: String, column: String },
    #[error("key {key} of target table {table} uses a column that the source does not have")]
    MissingKeyColumn { table: String, key: String },
}

impl TablePlan {
    /// Maps columns by name.
    ///
    /// # Errors
    /// A source column that isn't generated at the target and doesn't exist there; a row key of the target
    /// over columns that the source doesn't have.
    pub fn new(source: Arc<TableVersion>, target: Arc<TableSchema>) -> Result<Self, PlanError> {
        Self::leaving_out(source, target, &|_| false)
    }

    /// As [`TablePlan::new`], but source columns that `left_out` names need not be at the target.
    ///
    /// # Errors
    /// As [`TablePlan::new`], for all other columns.
    pub fn leaving_out(
        source: Arc<TableVersion>,
        target: Arc<TableSchema>,
        left_out: &dyn Fn(&str) -> bool,
    ) -> Result<Self, PlanError> {
        let mut columns = Vec::with_capacity(source.schema.columns.len());
        for (index, column) in source.schema.columns.iter().enumerate() {
            match target.column_index(&column.name) {
                Some(at) if target.columns[at].generated.is_some() => {}
                Some(at) => columns.push(ColumnMap { source: index, target: at }),
                // A generated column holds nothing that the target couldn't do without.
                None if column.generated.is_some() || left_out(&column.name) => {}
                None => {
                    return Err(PlanError::MissingColumn {
                        table: target.name.to_string(),
                        column: column.name.clone(),
                    });
                }
            }
        }
        columns.sort_by_key(|map| map.target);
        let written = |at: usize| columns.iter().any(|map| map.target == at);
        let target_has_own_columns =
            target.columns.iter().enumerate().any(|(at, column)| column.generated.is_none() && !written(at));
        let mut key = Vec::new();
        let row_key = target.row_key();
        if let Some(row_key) = row_key {
            for part in &row_key.parts {
                let name = part.column().unwrap_or_default();
                let index = source.schema.column_index(name).ok_or_else(|| PlanError::MissingKeyColumn {
                    table: target.name.to_string(),
                    key: row_key.name.clone(),
                })?;
                key.push(index);
            }
        }
        let row_key_name = row_key.map(|key| key.name.clone());
        let unique_keys = target
            .primary_key
            .iter()
            .chain(&target.unique_keys)
            .filter(|key| Some(&key.name) != row_key_name.as_ref())
            .map(|key| unique_key(key, &source.schema))
            .collect();
        Ok(Self { source, target, columns, key, unique_keys, target_has_own_columns, merged: false })
    }

    /// The same plan for a source table that shares its target with others.
    #[must_use]
    pub fn merging(self, merged: bool) -> Self {
        Self { merged, ..self }
    }

    /// True where rows can't be told apart by a key.
    pub fn is_keyless(&self) -> bool {
        self.key.is_empty()
    }
}

fn unique_key(key: &Key, source: &TableSchema) -> UniqueKey {
    let mut unique = UniqueKey { name: key.name.clone(), columns: Vec::new(), opaque: false };
    for part in &key.parts {
        match part.column().and_then(|name| source.column_index(name)) {
            Some(index) => {
                unique.columns.push(index);
                unique.opaque |= part.prefix.is_some();
            }
            None => unique.opaque = true,
        }
    }
    unique
}

//! Where tables go, and what becomes of statements that change them.

use async_trait::async_trait;
use whimbrel_connector::{Result, Target};
use whimbrel_connector_sim::SimEndpoint;
use whimbrel_incr_sync::{DdlConverter, DdlStep, Router};
use whimbrel_model::{Ddl, TableName};

use crate::tables::{SOURCE, TARGET};
use crate::world::target_name;

pub struct ToCopy;

impl Router for ToCopy {
    fn target(&self, source: &TableName) -> Option<TableName> {
        (source.schema == SOURCE).then(|| target_name(source))
    }

    fn target_schemas(&self) -> Vec<String> {
        vec![TARGET.to_owned()]
    }
}

/// Statements are the same on both sides, but for the schema.
pub struct SameSql(pub SimEndpoint);

#[async_trait]
impl DdlConverter for SameSql {
    async fn convert(&self, ddl: &Ddl) -> Result<Vec<DdlStep>> {
        let step = |before: &TableName| DdlStep {
            table: target_name(before),
            default_schema: TARGET.to_owned(),
            sql: ddl.sql.replace(&format!("{SOURCE}."), &format!("{TARGET}.")),
            clears_rows: ddl.sql.starts_with("TRUNCATE"),
            merged: false,
        };
        Ok(ddl.effects.iter().filter_map(|effect| effect.before.as_ref().map(step)).collect())
    }

    async fn already_applied(&self, step: &DdlStep) -> Result<bool> {
        if step.clears_rows {
            return Ok(false);
        }
        let tables =
            Target::catalog(&self.0).await?.existing_tables(std::slice::from_ref(&step.table)).await?;
        Ok(tables.iter().any(|table| table.column_index("extra").is_some()))
    }
}

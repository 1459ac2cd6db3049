//! Where a task begins: one position of the source's log, and the tables as they were there.

use std::sync::Arc;

use whimbrel_connector::{Catalog, ConnectorError, ErrorKind};
use whimbrel_model::TableName;

use crate::failure::Failure;
use crate::followed::outsiders;
use crate::home::StartTables;
use crate::rules::Rules;

/// Reads position and tables so that the tables are as they were at the position: the same before and after it.
pub async fn fix_start(
    catalog: &mut dyn Catalog,
    names: &[TableName],
    rules: &Arc<Rules>,
) -> Result<StartTables, Failure> {
    const TRIES: u32 = 10;
    let mut tables = catalog.table_schemas(names).await?;
    for _ in 0..TRIES {
        let position = catalog.position_before_reads().await?;
        let again = catalog.table_schemas(names).await?;
        let outside = outsiders(catalog, rules).await?;
        if same_structure(&tables, &again) {
            return Ok(StartTables::new(position, tables, Some(outside)));
        }
        tables = again;
    }
    Err(ConnectorError::new(
        ErrorKind::SchemaMismatch,
        "source tables",
        format!("their definitions changed during each of {TRIES} looks"),
    )
    .with_hint("wait until the statements that change tables have ended, then run again")
    .into())
}

/// The next AUTO_INCREMENT value moves with every insert and says nothing about the structure.
fn same_structure(left: &[whimbrel_model::TableSchema], right: &[whimbrel_model::TableSchema]) -> bool {
    let plain = |tables: &[whimbrel_model::TableSchema]| {
        let mut tables = tables.to_vec();
        tables.iter_mut().for_each(|table| table.auto_increment = None);
        tables
    };
    plain(left) == plain(right)
}

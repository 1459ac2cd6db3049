//! The begin of a task: a position of the log, and the tables as they were there.

use whimbrel_connector::{Catalog, ConnectorError, ErrorKind};
use whimbrel_model::{TableName, TableSchema};

use crate::failure::Failure;
use crate::home::StartTables;

/// Reads position and tables so that the tables are as they were at the position: the same before and after it.
pub async fn fix(catalog: &mut dyn Catalog, names: &[TableName]) -> Result<StartTables, Failure> {
    const TRIES: u32 = 10;
    let mut tables = catalog.table_schemas(names).await?;
    for _ in 0..TRIES {
        let position = catalog.position_before_reads().await?;
        let again = catalog.table_schemas(names).await?;
        if same_structure(&tables, &again) {
            return Ok(StartTables::new(position, tables));
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
fn same_structure(left: &[TableSchema], right: &[TableSchema]) -> bool {
    let plain = |tables: &[TableSchema]| {
        let mut tables = tables.to_vec();
        tables.iter_mut().for_each(|table| table.auto_increment = None);
        tables
    };
    plain(left) == plain(right)
}

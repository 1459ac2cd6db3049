//! What is known not to be as at the source, and is left out of the comparison.

use std::collections::{HashMap, HashSet};

use whimbrel_connector::{ConnectorError, Writer};
use whimbrel_incr_sync::{ApplyStatus, checkpoint};
use whimbrel_model::TableName;

/// What is known not to be as at the source.
#[derive(Debug, Default)]
pub struct Exceptions {
    /// Target tables whose changes wait behind a parked statement, or whose creation was skipped; in lower case.
    held: HashSet<String>,
    /// Columns of the source that a target table goes without, because their statement was skipped.
    left_out: HashMap<TableName, Vec<String>>,
}

impl Exceptions {
    /// True where the table's changes wait, or the target was told to go without it.
    pub fn leaves_out(&self, target: &TableName) -> bool {
        self.held.contains(&target.to_string().to_lowercase())
    }

    pub fn leaves_out_column(&self, target: &TableName, column: &str) -> bool {
        self.left_out
            .get(target)
            .is_some_and(|columns| columns.iter().any(|one| one.eq_ignore_ascii_case(column)))
    }

    /// As a running task has them.
    pub async fn of_task(writer: &mut dyn Writer, status: &ApplyStatus) -> Result<Self, ConnectorError> {
        let left_out = checkpoint::left_out(writer).await?;
        let skipped = left_out.iter().filter(|one| one.whole).map(|one| one.table.to_string().to_lowercase());
        let held = status.held.iter().flat_map(|held| held.tables.iter().cloned());
        Ok(Self {
            held: held.chain(skipped).collect(),
            left_out: left_out.into_iter().map(|one| (one.table, one.columns)).collect(),
        })
    }
}

//! Settles deferred rows when the overlap is over.
//!
//! All increments up to the end of the overlap are at the target, so every other row is as the source has it:
//! a deferred row either has been written again meanwhile, or can be written now, or really can't be there
//! together with another one (a coarser collation of the target, a row of somebody else). Then it is parked
//! with both rows. Running it again after a crash does no harm: what is done has lost its entry.

use whimbrel_connector::{
    Catalog, DeferredRow, ErrorKind, FailPoint, InsertMode, ParkedRow, Policy, Result, StateEntry, Writer,
};
use whimbrel_model::RowRef;

use crate::apply::comparable_key;
use crate::careful::other_row;
use crate::parked::{damaged, plan_of};
use crate::table::ApplyTable;

/// What became of the deferred rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    pub written: u64,
    /// The target held the row already.
    pub superseded: u64,
    pub parked: u64,
}

/// Settles every deferred row of the task, one transaction each.
pub async fn settle(writer: &mut dyn Writer, catalog: &mut dyn Catalog) -> Result<Settled> {
    let mut settled = Settled::default();
    for entry in writer.state_list(DeferredRow::KIND, b"").await? {
        writer.begin().await?;
        match settle_one(writer, catalog, &entry, &mut settled).await {
            Ok(()) => {
                writer.commit().await?;
                FailPoint::RowSettled.reached();
            }
            Err(error) => {
                writer.rollback().await?;
                return Err(error);
            }
        }
    }
    Ok(settled)
}

async fn settle_one(
    writer: &mut dyn Writer,
    catalog: &mut dyn Catalog,
    entry: &StateEntry,
    settled: &mut Settled,
) -> Result<()> {
    let deferred = DeferredRow::decode(&entry.payload).map_err(|error| damaged(DeferredRow::KIND, error))?;
    let table = ApplyTable::new(plan_of(&deferred.owner, catalog).await?, None);
    let row = deferred.row.row(0);
    // In a shared target the row under this key is another table's, and this one is nowhere but here.
    if table.is_repeatable() && is_there(writer, &table, row).await? {
        settled.superseded += 1;
        return writer.state_delete(&entry.key).await;
    }
    match writer.insert(&table.plan, &[row], InsertMode::Plain).await {
        Ok(_) => settled.written += 1,
        Err(error) if error.policy() == Policy::Park => {
            let other = match &error.kind {
                ErrorKind::DuplicateKey { key } => other_row(writer, &table, key, row).await?,
                _ => None,
            };
            let other = other.as_ref().and_then(|batch| batch.rows().next());
            let parked = ParkedRow::new(&table.plan, None, Some(row), &error, Some(deferred.read_at.clone()))
                .meeting(other);
            tracing::warn!(table = %table.target(), code = error.code(), "a deferred row can't be written");
            writer.state_put(&parked.state_key(), &parked.encode()).await?;
            settled.parked += 1;
        }
        Err(error) => return Err(error),
    }
    writer.state_delete(&entry.key).await
}

async fn is_there(writer: &mut dyn Writer, table: &ApplyTable, row: RowRef<'_>) -> Result<bool> {
    let found = writer.fetch(&table.plan, &[row]).await?;
    let key = comparable_key(&table.plan, row, false);
    Ok(found.rows().any(|found| !table.loose_key || comparable_key(&table.plan, found, true) == key))
}

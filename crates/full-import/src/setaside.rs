//! Rows that the target doesn't take, found and set aside without losing the others.
//!
//! A statement that fails wrote nothing, so the rows are tried again in halves until each row that is refused
//! stands alone. A clash on a unique key makes it *deferred*: because chunks are read at different moments, it
//! may have met a row that was never there together with it, and the increments settle that. Values that the
//! target refuses make it *parked*, for a person. Both are state entries in the transaction of the chunk.

use std::sync::atomic::{AtomicU64, Ordering};

use whimbrel_connector::deferred::DeferredRow;
use whimbrel_connector::parked::ParkedRow;
use whimbrel_connector::{ConnectorError, ErrorKind, InsertMode, Policy, Result, TablePlan, Writer};
use whimbrel_model::RowRef;

use crate::Shared;

/// More refused rows than this in one import mean that the table, not the row, is wrong.
const MOST_PARKED: u64 = 10_000;

/// Rows that were set aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Aside {
    pub deferred: u64,
    pub parked: u64,
}

/// Counts the parked rows of a whole import.
#[derive(Default)]
pub(crate) struct ParkedLimit(AtomicU64);

/// Inserts rows of which at least one is refused, in the writer's open transaction.
///
/// # Errors
/// Whatever isn't about a row; too many parked rows.
pub(crate) async fn insert_in_halves(
    shared: &Shared,
    writer: &mut dyn Writer,
    plan: &TablePlan,
    rows: &[RowRef<'_>],
    mode: InsertMode,
) -> Result<Aside> {
    let mut aside = Aside::default();
    let mut pending = vec![rows];
    while let Some(part) = pending.pop() {
        match writer.insert(plan, part, mode).await {
            Ok(_) => {}
            Err(error) if error.policy() != Policy::Park => return Err(error),
            Err(error) => match part {
                [] => {}
                [row] => set_aside(shared, writer, plan, *row, error, &mut aside).await?,
                _ => {
                    let (first, second) = part.split_at(part.len() / 2);
                    pending.push(second);
                    pending.push(first);
                }
            },
        }
    }
    Ok(aside)
}

async fn set_aside(
    shared: &Shared,
    writer: &mut dyn Writer,
    plan: &TablePlan,
    row: RowRef<'_>,
    error: ConnectorError,
    aside: &mut Aside,
) -> Result<()> {
    let read_at = shared.read_position().await?;
    if let ErrorKind::DuplicateKey { key } = &error.kind {
        let deferred = DeferredRow::new(plan, row, read_at, key.clone());
        aside.deferred += 1;
        return writer.state_put(&deferred.state_key(), &deferred.encode()).await;
    }
    if shared.parked.0.fetch_add(1, Ordering::Relaxed) >= MOST_PARKED {
        let object = format!("table {}", plan.target.name);
        let message = format!("the target refused {MOST_PARKED} rows; the last reason is the cause");
        return Err(ConnectorError::new(ErrorKind::Other, object, message)
            .with_hint("correct the target's table, then run again")
            .with_source(error));
    }
    let parked = ParkedRow::new(plan, None, Some(row), &error, Some(read_at));
    aside.parked += 1;
    writer.state_put(&parked.state_key(), &parked.encode()).await
}

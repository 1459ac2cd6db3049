//! Rows that the target doesn't take, found and set aside without losing the others.
//!
//! A statement that fails wrote nothing, so the rows are tried again in halves until each row that is refused
//! stands alone. A clash on a unique key makes it *deferred*: because chunks are read at different moments, it
//! may have met a row that was never there together with it, and the increments settle that. Values that the
//! target refuses make it *parked*, for a person. Both are state entries in the transaction of the chunk.

use std::sync::atomic::{AtomicU64, Ordering};

use whimbrel_connector::deferred::DeferredRow;
use whimbrel_connector::parked::ParkedRow;
use whimbrel_connector::{
    ConnectorError, ErrorKind, InsertMode, Policy, Result, StateKey, TablePlan, Writer, image,
};
use whimbrel_model::{Position, RowRef};

use crate::Shared;

/// More refused rows than this in one import mean that the table, not the row, is wrong.
const MOST_PARKED: u64 = 10_000;

/// Rows that were set aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Aside {
    pub deferred: u64,
    pub parked: u64,
}

/// Counts the parked rows of a whole import, as far as they are committed.
#[derive(Default)]
pub(crate) struct ParkedLimit(AtomicU64);

impl ParkedLimit {
    pub fn add(&self, rows: u64) {
        self.0.fetch_add(rows, Ordering::Relaxed);
    }

    pub fn take_back(&self, rows: u64) {
        self.0.fetch_sub(rows, Ordering::Relaxed);
    }
}

/// Sets rows of one statement aside.
pub(crate) struct Setting<'a> {
    shared: &'a Shared,
    plan: &'a TablePlan,
    mode: InsertMode,
    /// Parked in the open transaction before.
    parked_before: u64,
    /// A position after the reading of these rows; asked for once.
    read_at: Option<Position>,
    pub aside: Aside,
}

/// Takes the rows that were written.
pub(crate) type OnWritten<'w> = &'w mut (dyn for<'r, 'b> FnMut(&'r [RowRef<'b>]) + Send);

impl<'a> Setting<'a> {
    pub fn new(shared: &'a Shared, plan: &'a TablePlan, mode: InsertMode, parked_before: u64) -> Self {
        Self { shared, plan, mode, parked_before, read_at: None, aside: Aside::default() }
    }

    /// Inserts rows, whose insert in one statement failed with `error`, in the writer's open transaction; `written`
    /// gets those that are there afterwards.
    ///
    /// # Errors
    /// Whatever isn't about a row; too many parked rows.
    pub async fn insert_in_halves(
        &mut self,
        writer: &mut dyn Writer,
        rows: &[RowRef<'_>],
        error: ConnectorError,
        written: OnWritten<'_>,
    ) -> Result<()> {
        let mut pending = Vec::new();
        self.halve(writer, rows, error, &mut pending).await?;
        while let Some(part) = pending.pop() {
            match writer.insert(self.plan, part, self.mode).await {
                Ok(_) => written(part),
                Err(error) if error.policy() != Policy::Park => return Err(error),
                Err(error) => self.halve(writer, part, error, &mut pending).await?,
            }
        }
        Ok(())
    }

    async fn halve<'r, 'b>(
        &mut self,
        writer: &mut dyn Writer,
        part: &'r [RowRef<'b>],
        error: ConnectorError,
        pending: &mut Vec<&'r [RowRef<'b>]>,
    ) -> Result<()> {
        if let [row] = part {
            return self.set_aside(writer, *row, error).await;
        }
        let (first, second) = part.split_at(part.len() / 2);
        pending.push(second);
        pending.push(first);
        Ok(())
    }

    async fn set_aside(
        &mut self,
        writer: &mut dyn Writer,
        row: RowRef<'_>,
        error: ConnectorError,
    ) -> Result<()> {
        let read_at = match &self.read_at {
            Some(position) => position.clone(),
            None => self.read_at.insert(self.shared.read_position().await?).clone(),
        };
        if let ErrorKind::DuplicateKey { key } = &error.kind {
            let deferred = DeferredRow::new(self.plan, row, read_at, key.clone());
            self.aside.deferred += 1;
            return self.put(writer, &deferred.state_key(), &deferred.encode()).await;
        }
        let parked = self.shared.parked.0.load(Ordering::Relaxed) + self.parked_before + self.aside.parked;
        if parked >= MOST_PARKED {
            let object = format!("table {}", self.plan.target.name);
            let message = format!("the target refused {MOST_PARKED} rows; the last reason is the cause");
            return Err(ConnectorError::new(ErrorKind::Other, object, message)
                .with_hint("correct the target's table, then run again")
                .with_source(error));
        }
        let parked = ParkedRow::new(self.plan, None, Some(row), &error, Some(read_at));
        self.aside.parked += 1;
        self.put(writer, &parked.state_key(), &parked.encode()).await
    }

    async fn put(&self, writer: &mut dyn Writer, key: &StateKey, payload: &[u8]) -> Result<()> {
        writer.state_put(key, payload).await.map_err(|error| {
            if error.kind != ErrorKind::TooLarge {
                return error;
            }
            let object = format!("table {}", self.plan.target.name);
            let message = "a row that can't be written is too large to be set aside at the target";
            ConnectorError::new(ErrorKind::TooLarge, object, message).with_source(error)
        })
    }
}

/// Forgets the rows of a source table that were set aside: it is loaded again from nothing.
pub(crate) async fn forget(writer: &mut dyn Writer, plan: &TablePlan) -> Result<()> {
    let prefix = image::prefix_of(plan);
    for kind in [DeferredRow::KIND, ParkedRow::KIND] {
        for entry in writer.state_list(kind, &prefix).await? {
            writer.state_delete(&entry.key).await?;
        }
    }
    Ok(())
}

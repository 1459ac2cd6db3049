//! Applies changes within one open target transaction, the fast way.
//!
//! Merged tables ([`crate::merge`]): first all rows that were there are deleted, of all tables, then the final
//! images are inserted, in multi-row statements. Vacating every key first lets unique values move between
//! rows freely. Where nothing may have been applied before (*strict*), the counts must be what the log says:
//! each row that was there is deleted exactly once, no insertion meets a row. Anything else is
//! [`ApplyError::Mismatch`], and the caller does the same changes again with [`crate::careful`].
//!
//! Where changes may have been applied before (*idempotent*), every touched key is deleted and counts don't
//! matter; a key that is only *called* equal by the target's collation isn't touched. Changes of a table that shares its
//! target with others never have been: they are strict throughout, and a row of such a table that isn't set aside is the
//! one at the target (`docs/dev/merging.md`).
//!
//! Other tables are applied in the source's order; neighbouring insertions or deletions of one table share
//! statements.

use whimbrel_connector::image::item_of;
use whimbrel_connector::{
    DeferredRow, InsertMode, Mutation, ParkedRow, Policy, Result, StateKey, TablePlan, Writer,
};
use whimbrel_model::{CellKind, Change, Position, RawCell, RowBatch, RowRef};

use crate::aside::Aside;
use crate::effects::Effects;
use crate::merge::{NetRow, NetTable, image, merge};
use crate::run::Shared;
use crate::session::{ApplyError, Session};
use crate::table::ApplyTable;
use crate::window::{Loc, Window};

/// Rows of one statement group; writers split further by the server's limits.
const RUN: usize = 1000;

/// Applies changes of one window in the open transaction of a session.
pub struct Applier<'a> {
    pub session: &'a mut Session,
    pub shared: &'a Shared,
    pub window: &'a Window,
    pub effects: &'a mut Effects,
    /// A position at or after the changes where it is known, else one before them.
    pub at: &'a Position,
}

impl Applier<'_> {
    /// Applies changes, given in the source's order.
    pub async fn apply(&mut self, locs: &[Loc], careful: bool) -> Result<(), ApplyError> {
        if careful {
            for loc in locs {
                self.apply_one(*loc).await?;
            }
        } else {
            self.apply_merged(locs).await?;
        }
        self.effects.count(self.window, locs);
        Ok(())
    }

    async fn apply_merged(&mut self, locs: &[Loc]) -> Result<(), ApplyError> {
        let mut net = merge(self.window, locs);
        for table in &mut net.tables {
            self.settle_aside(table).await?;
        }
        self.session.check_foreign_keys(false).await?;
        for table in &net.tables {
            self.delete_merged(table).await?;
        }
        for table in &net.tables {
            self.insert_merged(table).await?;
        }
        self.apply_in_order(&net.in_order).await
    }

    /// Takes out rows that aren't at the target: changes of a parked row queue, a deferred row is superseded.
    async fn settle_aside(&mut self, net: &mut NetTable) -> Result<(), ApplyError> {
        if self.shared.aside.is_empty() && self.effects.aside().is_empty() {
            return Ok(());
        }
        let window = self.window;
        let table = &window.parts[net.part as usize].table;
        let mut kept = Vec::with_capacity(net.rows.len());
        for mut row in net.rows.drain(..) {
            let item = item_of(&table.plan, image(window, row.any));
            match self.aside_of(&item) {
                None => kept.push(row),
                Some(Aside::Deferred) => {
                    self.drop_deferred(item).await?;
                    // What the target has under this key then is another table's.
                    row.before = row.before.filter(|_| !table.plan.merged);
                    kept.push(row);
                }
                Some(Aside::Parked) => {
                    let after = row.after.map(|at| image(window, at));
                    if !self.queue(&table.plan, item, after, row.changes.into()).await? {
                        return Err(ApplyError::Mismatch);
                    }
                }
            }
        }
        net.rows = kept;
        Ok(())
    }

    async fn delete_merged(&mut self, net: &NetTable) -> Result<(), ApplyError> {
        let table = &self.window.parts[net.part as usize].table;
        let idempotent = self.window.idempotent && !table.plan.merged;
        let key_of = |row: &NetRow| if idempotent { Some(row.any) } else { row.before };
        let rows: Vec<RowRef<'_>> =
            net.rows.iter().filter_map(key_of).map(|at| image(self.window, at)).collect();
        if rows.is_empty() {
            return Ok(());
        }
        if idempotent && table.loose_key && self.meets_other_keys(table, &rows).await? {
            return Err(ApplyError::Mismatch);
        }
        let deleted = self.session.writer.delete(&table.plan, &rows).await.map_err(park_is_mismatch)?;
        if idempotent || deleted == rows.len() as u64 { Ok(()) } else { Err(ApplyError::Mismatch) }
    }

    async fn insert_merged(&mut self, net: &NetTable) -> Result<(), ApplyError> {
        let table = &self.window.parts[net.part as usize].table;
        let rows: Vec<RowRef<'_>> =
            net.rows.iter().filter_map(|row| row.after).map(|at| image(self.window, at)).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let inserted = self.session.writer.insert(&table.plan, &rows, InsertMode::Plain).await;
        inserted.map(drop).map_err(park_is_mismatch)
    }

    /// True where the target holds a row that it calls by one of these keys although the key is another.
    async fn meets_other_keys(&mut self, table: &ApplyTable, rows: &[RowRef<'_>]) -> Result<bool> {
        let found = self.session.writer.fetch(&table.plan, rows).await?;
        let ours: std::collections::HashSet<Vec<u8>> =
            rows.iter().map(|row| comparable_key(&table.plan, *row, false)).collect();
        Ok(found.rows().any(|row| !ours.contains(&comparable_key(&table.plan, row, true))))
    }

    async fn apply_in_order(&mut self, locs: &[Loc]) -> Result<(), ApplyError> {
        let window = self.window;
        let mut run: Vec<Loc> = Vec::new();
        for &loc in locs {
            let table = &window.part(loc).table;
            let change = window.change(loc);
            let mergeable = |change: &Change<'_>| !matches!(change, Change::Update { .. });
            let fits = run.last().is_none_or(|last| {
                run.len() < RUN
                    && window.part(*last).table.plan.source.id == table.plan.source.id
                    && window.part(*last).batch.foreign_keys_off == window.part(loc).batch.foreign_keys_off
                    && std::mem::discriminant(&window.change(*last)) == std::mem::discriminant(&change)
            });
            let alone = self.needs_care(table, &change);
            if alone || !fits || !mergeable(&change) {
                self.flush_run(&mut run).await?;
            }
            if alone {
                self.apply_one(loc).await?;
            } else if let Change::Update { before, after } = change {
                self.follow_foreign_keys(loc).await?;
                let updated = self.session.writer.update(&table.plan, before, after).await;
                if updated.map_err(park_is_mismatch)? == 0 {
                    return Err(ApplyError::Mismatch);
                }
            } else {
                run.push(loc);
            }
        }
        self.flush_run(&mut run).await
    }

    /// Changes that are done one by one at once: where an earlier application, a cascade of the target or a row
    /// set aside may be met.
    fn needs_care(&self, table: &ApplyTable, change: &Change<'_>) -> bool {
        if !table.plan.is_keyless()
            && (self.window.idempotent || table.group.is_some_and(|group| group.child))
        {
            return true;
        }
        let aside = |row: RowRef<'_>| self.aside_of(&item_of(&table.plan, row)).is_some();
        if self.shared.aside.is_empty() && self.effects.aside().is_empty() {
            return false;
        }
        match *change {
            Change::Insert { after: row } | Change::Delete { before: row } => aside(row),
            Change::Update { before, after } => aside(before) || aside(after),
        }
    }

    async fn flush_run(&mut self, run: &mut Vec<Loc>) -> Result<(), ApplyError> {
        let Some(&first) = run.first() else { return Ok(()) };
        self.follow_foreign_keys(first).await?;
        let plan = &self.window.part(first).table.plan;
        let rows: Vec<RowRef<'_>> = run.iter().map(|loc| image(self.window, *loc)).collect();
        let writer = &mut self.session.writer;
        let counted = match self.window.change(first) {
            Change::Delete { .. } => {
                writer.delete(plan, &rows).await.map_err(park_is_mismatch)? == rows.len() as u64
            }
            _ => {
                writer.insert(plan, &rows, InsertMode::Plain).await.map_err(park_is_mismatch)?;
                true
            }
        };
        run.clear();
        if counted { Ok(()) } else { Err(ApplyError::Mismatch) }
    }

    /// Lets the target check, and act on, foreign keys as the source did for this change.
    pub async fn follow_foreign_keys(&mut self, loc: Loc) -> Result<()> {
        let part = self.window.part(loc);
        let on = part.table.group.is_some() && !part.batch.foreign_keys_off;
        self.session.check_foreign_keys(on).await
    }

    /// Whether a row is set aside, this transaction's own doing included.
    pub fn aside_of(&self, item: &[u8]) -> Option<Aside> {
        match self.effects.aside().get(item) {
            Some(state) => *state,
            None => self.shared.aside.get(item),
        }
    }

    /// A later change made a deferred row's image meaningless.
    pub async fn drop_deferred(&mut self, item: Vec<u8>) -> Result<()> {
        let key = StateKey::new(DeferredRow::KIND, item);
        if !Mutation::KeepSuperseded.active() {
            self.session.writer.state_delete(&key).await?;
        }
        self.effects.set_aside(key.item, None);
        Ok(())
    }

    /// Lets changes of a parked row queue. False: it isn't parked any more, the change has to be applied.
    pub async fn queue(
        &mut self,
        plan: &TablePlan,
        item: Vec<u8>,
        after: Option<RowRef<'_>>,
        changes: u64,
    ) -> Result<bool> {
        let key = StateKey::new(ParkedRow::KIND, item);
        let Some(payload) = self.session.writer.state_get(&key).await? else {
            self.effects.set_aside(key.item, None);
            return Ok(false);
        };
        if plan.merged && after.is_none() {
            // The row is neither here nor there.
            self.session.writer.state_delete(&key).await?;
            self.effects.set_aside(key.item, None);
            return Ok(true);
        }
        let mut parked = crate::parked::decode(&payload)?;
        crate::parked::follow_layout(&mut parked, plan);
        parked.queue(after);
        parked.queued += changes.saturating_sub(1);
        self.session.writer.state_put(&key, &parked.encode()).await?;
        Ok(true)
    }
}

/// Refusals of a row, in a statement of many.
fn park_is_mismatch(error: whimbrel_connector::ConnectorError) -> ApplyError {
    if error.policy() == Policy::Park { ApplyError::Mismatch } else { ApplyError::Failed(error) }
}

/// A row of which only the key is known.
pub fn key_only(plan: &TablePlan, row: RowRef<'_>) -> RowBatch {
    let mut batch = RowBatch::new(plan.source.kinds.clone());
    for column in 0..row.len() {
        if plan.key.contains(&column) { batch.push_raw(row.raw(column)) } else { batch.push_unknown() }
    }
    batch.end_row();
    batch
}

/// Makes the row of the target that has this row's key equal to it, whatever it holds; 0 where there is none.
pub async fn overwrite(writer: &mut dyn Writer, plan: &TablePlan, row: RowRef<'_>) -> Result<u64> {
    let key = key_only(plan, row);
    writer.update(plan, key.row(0), row).await
}

/// The text and byte columns of a row's key in a form that is the same for the source's row and the target's
/// (`fetched`: text that was not UTF-8 at the source comes as UTF-8).
pub fn comparable_key(plan: &TablePlan, row: RowRef<'_>, fetched: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for &column in &plan.key {
        let data_type = &plan.source.schema.columns[column].data_type;
        let RawCell::Bytes(bytes) = row.raw(column) else { continue };
        let charset = data_type.charset();
        match data_type.cell_kind() {
            CellKind::Text if !fetched && !charset.is_utf8() => match charset.to_utf8(bytes) {
                Ok(text) => out.extend_from_slice(&text),
                Err(_) => out.extend_from_slice(bytes),
            },
            CellKind::Text => out.extend_from_slice(bytes),
            CellKind::Bytes => {
                let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                out.extend_from_slice(&bytes[..end]);
            }
            _ => {}
        }
        out.extend_from_slice(&[0xff, 0]);
    }
    out
}

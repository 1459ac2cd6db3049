//! Applies changes one by one, each knowing what to do about what it meets.
//!
//! | meets | strict | idempotent |
//! |---|---|---|
//! | update or delete without its row | foreign change: by policy | what is asked for happens to be there |
//! | insert, a row with its key is there | foreign change: by policy | becomes the new image |
//! | another row on a unique key | parked with both rows | deferred |
//! | the target refuses the values | parked | parked |
//! | the row is parked | queues | queues |
//!
//! A row of another key is never changed or removed to make room. A change of the row key that can't be done
//! in place is a deletion and an insertion.
//!
//! In a target that several tables share, a row that is there under a key may be another table's. So nothing is applied
//! idempotently, what is set aside of a table isn't at the target in an older version, and:
//!
//! | meets | shared target |
//! |---|---|
//! | update or delete without its row | foreign change; the row is inserted where its key is free, else parked |
//! | insert, a row with its key or on a unique key is there | parked with both rows; in the overlap deferred |
//! | a change of a deferred row | the insertion of its new image |
//! | a deletion of a parked row | the entry goes |

use whimbrel_connector::{
    ConnectorError, DeferredRow, ErrorKind, InsertMode, ParkedRow, Policy, Result, TablePlan,
};
use whimbrel_model::{Change, RowBatch, RowRef};

use crate::ForeignPolicy;
use whimbrel_connector::image::item_of;

use crate::apply::{Applier, comparable_key, overwrite};
use crate::aside::Aside;
use crate::checkpoint::{ForeignAction, ForeignKind, ForeignRecord, encode};
use crate::table::ApplyTable;
use crate::window::Loc;

impl Applier<'_> {
    /// Applies one change; every call leaves the transaction usable unless it fails.
    pub async fn apply_one(&mut self, loc: Loc) -> Result<()> {
        let window = self.window;
        let table = &window.part(loc).table;
        self.follow_foreign_keys(loc).await?;
        let idempotent = window.idempotent && !table.plan.is_keyless() && !table.plan.merged;
        match (window.change(loc), idempotent) {
            (Change::Insert { after }, false) => self.insert(table, None, after).await,
            (Change::Insert { after }, true) => self.put(table, after).await,
            (Change::Delete { before }, false) => self.remove(table, before).await,
            (Change::Delete { before }, true) => self.clear(table, loc, before).await,
            (Change::Update { before, after }, false) => self.update(table, before, after).await,
            (Change::Update { before, after }, true) => self.follow(table, loc, before, after).await,
        }
    }

    // ---- strict ----

    async fn insert(
        &mut self,
        table: &ApplyTable,
        before: Option<RowRef<'_>>,
        after: RowRef<'_>,
    ) -> Result<()> {
        let plan = &table.plan;
        if self.queued(plan, after, Some(after)).await? {
            return Ok(());
        }
        match self.session.writer.insert(plan, &[after], InsertMode::Plain).await {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind, ErrorKind::DuplicateKey { .. }) => {
                self.resolve_present(table, before, after, error).await
            }
            Err(error) => self.park(plan, before, Some(after), error, None).await,
        }
    }

    /// Sets a row of a shared target aside; nothing of it is there.
    async fn set_aside(
        &mut self,
        table: &ApplyTable,
        before: Option<RowRef<'_>>,
        after: RowRef<'_>,
        error: ConnectorError,
    ) -> Result<()> {
        refuse_partial(table, after)?;
        match &error.kind {
            ErrorKind::DuplicateKey { key } if self.window.idempotent => {
                // The tables were read at different moments, so it may be a row that has moved from one to another.
                let row = DeferredRow::new(&table.plan, after, self.at.clone(), key);
                let key = row.state_key();
                self.session.writer.state_put(&key, &row.encode()).await?;
                self.effects.set_aside(key.item, Some(Aside::Deferred));
                Ok(())
            }
            _ => {
                let other = self.other_row(table, after, &error).await?;
                self.park(&table.plan, before, Some(after), error, other.as_ref()).await
            }
        }
    }

    async fn update(&mut self, table: &ApplyTable, before: RowRef<'_>, after: RowRef<'_>) -> Result<()> {
        let plan = &table.plan;
        let moves = !plan.is_keyless() && !table.same_key(before, after);
        if moves && (self.is_parked(plan, before) || self.is_parked(plan, after)) {
            self.remove(table, before).await?;
            return self.insert(table, Some(before), after).await;
        }
        if plan.merged && self.aside_of(&item_of(plan, before)) == Some(Aside::Deferred) {
            refuse_partial(table, after)?;
            self.drop_deferred(item_of(plan, before)).await?;
            return self.insert(table, Some(before), after).await;
        }
        if plan.merged && self.is_parked(plan, before) {
            refuse_partial(table, after)?;
        }
        if self.queued(plan, before, Some(after)).await? {
            return Ok(());
        }
        match self.session.writer.update(plan, before, after).await {
            Ok(0) => self.resolve_missing(table, before, after).await,
            Ok(_) => Ok(()),
            Err(error) if error.policy() == Policy::Park && moves => {
                self.remove(table, before).await?;
                self.insert(table, Some(before), after).await
            }
            Err(error) if error.policy() == Policy::Park && plan.merged => {
                self.session.writer.delete(plan, &[before]).await?;
                self.set_aside(table, Some(before), after, error).await
            }
            Err(error) => {
                let other = self.other_row(table, after, &error).await?;
                self.park(plan, Some(before), Some(after), error, other.as_ref()).await
            }
        }
    }

    async fn remove(&mut self, table: &ApplyTable, before: RowRef<'_>) -> Result<()> {
        let plan = &table.plan;
        if plan.merged && self.aside_of(&item_of(plan, before)) == Some(Aside::Deferred) {
            return self.drop_deferred(item_of(plan, before)).await;
        }
        if self.queued(plan, before, None).await? {
            return Ok(());
        }
        match self.session.writer.delete(plan, &[before]).await {
            Err(error) if plan.merged => Err(error),
            Ok(0) if table.group.is_some_and(|group| group.child) => Ok(()),
            Ok(0) => self.foreign(table, before, ForeignKind::DeleteMissing).await.map(drop),
            Ok(_) => Ok(()),
            Err(error) => self.park(plan, Some(before), None, error, None).await,
        }
    }

    async fn resolve_missing(
        &mut self,
        table: &ApplyTable,
        before: RowRef<'_>,
        after: RowRef<'_>,
    ) -> Result<()> {
        // A cascade of the target may have changed the key or removed the row before its own change came.
        let expected = table.group.is_some_and(|group| group.child);
        if !expected
            && self.foreign(table, before, ForeignKind::UpdateMissing).await? == ForeignAction::Ignored
        {
            if !table.plan.merged {
                return Ok(());
            }
            refuse_partial(table, after)?;
            // Without an entry the next change would reach whatever row comes under this key.
            let object = table.target().to_string();
            let error =
                ConnectorError::new(ErrorKind::RowRefused, object, "somebody else has removed the row");
            return self.park(&table.plan, Some(before), Some(after), error, None).await;
        }
        if expected {
            return self.put(table, after).await;
        }
        if table.plan.merged {
            refuse_partial(table, after)?;
        }
        match self.session.writer.insert(&table.plan, &[after], InsertMode::Plain).await {
            Ok(_) => Ok(()),
            Err(error) if error.policy() == Policy::Park && table.plan.merged => {
                self.set_aside(table, Some(before), after, error).await
            }
            Err(error) => {
                let other = self.other_row(table, after, &error).await?;
                self.park(&table.plan, Some(before), Some(after), error, other.as_ref()).await
            }
        }
    }

    /// An insertion met a row: with its own key, or another one.
    async fn resolve_present(
        &mut self,
        table: &ApplyTable,
        before: Option<RowRef<'_>>,
        after: RowRef<'_>,
        error: ConnectorError,
    ) -> Result<()> {
        let plan = &table.plan;
        if plan.merged {
            return self.set_aside(table, before, after, error).await;
        }
        if !plan.is_keyless() && self.own_row(table, after).await? {
            if table.group.is_none_or(|group| !group.child)
                && self.foreign(table, after, ForeignKind::InsertPresent).await? == ForeignAction::Ignored
            {
                return Ok(());
            }
            return match overwrite(self.session.writer.as_mut(), plan, after).await {
                Ok(_) => Ok(()),
                Err(error) => {
                    let other = self.other_row(table, after, &error).await?;
                    self.park(plan, before, Some(after), error, other.as_ref()).await
                }
            };
        }
        let other = self.other_row(table, after, &error).await?;
        self.park(plan, before, Some(after), error, other.as_ref()).await
    }

    // ---- idempotent ----

    /// Makes the target hold `after` under its key.
    async fn put(&mut self, table: &ApplyTable, after: RowRef<'_>) -> Result<()> {
        let plan = &table.plan;
        if self.queued(plan, after, Some(after)).await? {
            return Ok(());
        }
        if table.loose_key && self.other_under_key(table, after).await? {
            return self.defer(table, after, "the row key", false).await;
        }
        let updated = overwrite(self.session.writer.as_mut(), plan, after).await;
        let written = match updated {
            Ok(0) => self.session.writer.insert(plan, &[after], InsertMode::Plain).await,
            other => other,
        };
        match written {
            Ok(_) => Ok(()),
            Err(error) => match error.kind.clone() {
                ErrorKind::DuplicateKey { key } => self.defer(table, after, &key, true).await,
                _ => self.park(plan, None, Some(after), error, None).await,
            },
        }
    }

    /// Makes sure that the target holds no row with this key.
    async fn clear(&mut self, table: &ApplyTable, loc: Loc, before: RowRef<'_>) -> Result<()> {
        let plan = &table.plan;
        if self.queued(plan, before, None).await? {
            return Ok(());
        }
        if table.loose_key && self.other_under_key(table, before).await? {
            return Ok(());
        }
        if self.cascades(table, loc) {
            self.restore(table, before).await?;
            self.follow_foreign_keys(loc).await?;
        }
        match self.session.writer.delete(plan, &[before]).await {
            Ok(_) => Ok(()),
            Err(error) if error.policy() == Policy::Park => {
                // A child in a later state still points here: its own changes come, or it is wrong as it is.
                self.session.check_foreign_keys(false).await?;
                self.session.writer.delete(plan, &[before]).await.map(drop)
            }
            Err(error) => Err(error),
        }
    }

    async fn follow(
        &mut self,
        table: &ApplyTable,
        loc: Loc,
        before: RowRef<'_>,
        after: RowRef<'_>,
    ) -> Result<()> {
        let moves = !table.same_key(before, after);
        if !self.cascades(table, loc) {
            if moves {
                self.clear(table, loc, before).await?;
            }
            return self.put(table, after).await;
        }
        // The rows that point here may still be as they were before this change, and the source doesn't log
        // what happened to them: bring the row back as it was, so that the target carries out the action.
        if moves {
            self.session.check_foreign_keys(false).await?;
            self.clear_silently(table, after).await?;
        }
        self.restore(table, before).await?;
        self.follow_foreign_keys(loc).await?;
        match self.session.writer.update(&table.plan, before, after).await {
            Ok(1..) => Ok(()),
            Err(error) if error.policy() != Policy::Park => Err(error),
            _ => {
                self.session.check_foreign_keys(false).await?;
                if moves {
                    self.clear_silently(table, before).await?;
                }
                self.put(table, after).await
            }
        }
    }

    /// True where a change of this row makes the target change others.
    fn cascades(&self, table: &ApplyTable, loc: Loc) -> bool {
        table.group.is_some_and(|group| group.parent) && !self.window.part(loc).batch.foreign_keys_off
    }

    /// Makes the target hold an older image, without any check; what can't be is left.
    async fn restore(&mut self, table: &ApplyTable, before: RowRef<'_>) -> Result<()> {
        self.session.check_foreign_keys(false).await?;
        let item = item_of(&table.plan, before);
        match self.aside_of(&item) {
            Some(Aside::Parked) => return Ok(()),
            Some(Aside::Deferred) => self.drop_deferred(item).await?,
            None => {}
        }
        let writer = self.session.writer.as_mut();
        let restored = match overwrite(writer, &table.plan, before).await {
            Ok(0) => writer.insert(&table.plan, &[before], InsertMode::Plain).await,
            other => other,
        };
        match restored {
            Err(error) if error.policy() != Policy::Park => Err(error),
            _ => Ok(()),
        }
    }

    async fn clear_silently(&mut self, table: &ApplyTable, row: RowRef<'_>) -> Result<()> {
        let item = item_of(&table.plan, row);
        if self.aside_of(&item) == Some(Aside::Deferred) {
            self.drop_deferred(item).await?;
        }
        self.session.writer.delete(&table.plan, &[row]).await.map(drop)
    }

    /// Keeps a row that meets another one; the target holds no older version of it.
    async fn defer(
        &mut self,
        table: &ApplyTable,
        after: RowRef<'_>,
        clash: &str,
        delete: bool,
    ) -> Result<()> {
        if !self.window.idempotent {
            let kind = ErrorKind::DuplicateKey { key: clash.to_owned() };
            let error =
                ConnectorError::new(kind, table.target().to_string(), format!("duplicate entry for {clash}"));
            let other = self.other_row(table, after, &error).await?;
            return self.park(&table.plan, None, Some(after), error, other.as_ref()).await;
        }
        if delete {
            self.session.check_foreign_keys(false).await?;
            self.session.writer.delete(&table.plan, &[after]).await?;
        }
        let row = DeferredRow::new(&table.plan, after, self.at.clone(), clash);
        let key = row.state_key();
        self.session.writer.state_put(&key, &row.encode()).await?;
        self.effects.set_aside(key.item, Some(Aside::Deferred));
        Ok(())
    }

    // ---- both ----

    fn is_parked(&self, plan: &TablePlan, row: RowRef<'_>) -> bool {
        self.aside_of(&item_of(plan, row)) == Some(Aside::Parked)
    }

    /// True where the row is parked and the change has queued. A deferred row is superseded.
    async fn queued(&mut self, plan: &TablePlan, row: RowRef<'_>, after: Option<RowRef<'_>>) -> Result<bool> {
        let item = item_of(plan, row);
        match self.aside_of(&item) {
            None => Ok(false),
            Some(Aside::Deferred) => self.drop_deferred(item).await.map(|()| false),
            Some(Aside::Parked) => self.queue(plan, item, after, 1).await,
        }
    }

    /// Sets a refused row aside; any other error is the caller's.
    async fn park(
        &mut self,
        plan: &TablePlan,
        before: Option<RowRef<'_>>,
        after: Option<RowRef<'_>>,
        error: ConnectorError,
        other: Option<&RowBatch>,
    ) -> Result<()> {
        if error.policy() != Policy::Park {
            return Err(error);
        }
        let (parked, _) = self.shared.aside.counts();
        if parked + self.effects.aside().len() >= self.shared.options.max_parked {
            return Err(ConnectorError::new(
                ErrorKind::Other,
                plan.target.name.to_string(),
                format!("{parked} rows are parked, more than the task may set aside"),
            )
            .with_hint("the target refuses too many rows; correct it, retry the parked rows, then resume")
            .with_source(error));
        }
        tracing::warn!(table = %plan.target.name, code = error.code(), "a row was parked");
        let at = Some(self.at.clone());
        let row =
            ParkedRow::new(plan, before, after, &error, at).meeting(other.and_then(|row| row.rows().next()));
        let key = row.state_key();
        self.session.writer.state_put(&key, &row.encode()).await?;
        self.effects.set_aside(key.item, Some(Aside::Parked));
        Ok(())
    }

    /// Reports a difference that somebody else made, and says what to do.
    async fn foreign(
        &mut self,
        table: &ApplyTable,
        row: RowRef<'_>,
        what: ForeignKind,
    ) -> Result<ForeignAction> {
        let key = crate::parked::key_text(&table.plan, row);
        let action = match self.shared.options.foreign {
            ForeignPolicy::Repair => ForeignAction::Repaired,
            ForeignPolicy::Ignore => ForeignAction::Ignored,
            ForeignPolicy::Stop => {
                let key: Vec<String> =
                    key.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
                return Err(ConnectorError::new(
                    ErrorKind::ForeignChange,
                    format!("{} {}", table.target(), key.join(", ")),
                    match what {
                        ForeignKind::UpdateMissing => "the row to update isn't at the target",
                        ForeignKind::DeleteMissing => "the row to delete isn't at the target",
                        ForeignKind::InsertPresent => "the row to insert is at the target already",
                    },
                ));
            }
        };
        let record = ForeignRecord::new(table.target().clone(), key, what, action, Some(self.at.clone()));
        if self.shared.may_record_foreign() {
            let key = whimbrel_connector::StateKey::new(ForeignRecord::KIND, item_of(&table.plan, row));
            self.session.writer.state_put(&key, &encode(&record)).await?;
        }
        self.effects.add_foreign(record);
        Ok(action)
    }

    /// True where the target holds a row with this very key.
    async fn own_row(&mut self, table: &ApplyTable, row: RowRef<'_>) -> Result<bool> {
        let found = self.session.writer.fetch(&table.plan, &[row]).await?;
        let key = comparable_key(&table.plan, row, false);
        Ok(found.rows().any(|found| !table.loose_key || comparable_key(&table.plan, found, true) == key))
    }

    /// True where the target holds a row that it calls by this key although the key is another.
    async fn other_under_key(&mut self, table: &ApplyTable, row: RowRef<'_>) -> Result<bool> {
        let found = self.session.writer.fetch(&table.plan, &[row]).await?;
        let key = comparable_key(&table.plan, row, false);
        Ok(found.rows().any(|found| comparable_key(&table.plan, found, true) != key))
    }

    /// The row that `row` met, where the error is a duplicate key.
    async fn other_row(
        &mut self,
        table: &ApplyTable,
        row: RowRef<'_>,
        error: &ConnectorError,
    ) -> Result<Option<RowBatch>> {
        let ErrorKind::DuplicateKey { key } = &error.kind else { return Ok(None) };
        other_row(self.session.writer.as_mut(), table, key, row).await
    }
}

/// A row that isn't at the target can be kept or inserted only with all its columns.
fn refuse_partial(table: &ApplyTable, after: RowRef<'_>) -> Result<()> {
    if !table.has_unknown(after) {
        return Ok(());
    }
    let message = "a row that isn't at the target changed, and the log doesn't hold all of its columns";
    Err(ConnectorError::new(ErrorKind::LogUnusable, table.source().to_string(), message)
        .with_hint("set binlog_row_image=FULL for every session at the source and begin anew"))
}

/// The row of the target that a row clashes with on a unique key, or on the row key.
pub async fn other_row(
    writer: &mut dyn whimbrel_connector::Writer,
    table: &ApplyTable,
    key: &str,
    row: RowRef<'_>,
) -> Result<Option<RowBatch>> {
    let plan = &table.plan;
    let named = |name: &str| {
        // Servers name a key with or without its table in front.
        name == key || key.rsplit('.').next() == Some(name)
    };
    let known = plan.unique_keys.iter().find(|unique| named(&unique.name));
    let found = match known {
        Some(unique) => writer.fetch_by_unique_key(plan, &unique.name, row).await?,
        None if plan.is_keyless() => return Ok(None),
        None => writer.fetch(plan, &[row]).await?,
    };
    Ok((!found.is_empty()).then_some(found))
}

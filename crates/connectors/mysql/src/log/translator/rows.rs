//! Row events: tables by their numbers, rows into batches.

use std::sync::Arc;

use whimbrel_model::{ChangeBatch, LogRecord, RowOp, TableName};

use super::{BATCH_BYTES, Mapped, NO_TABLE, Outcome, TABLES_MAX, Translator};
use crate::binlog::{EventError, EventHeader, RowsEvent, TableMapEvent, TablePlan};
use crate::log::error::LogError;
use crate::log::xa;

impl Translator {
    pub(super) fn table_map(&mut self, header: &EventHeader, map: &TableMapEvent<'_>) -> Outcome {
        self.open(header);
        if let Some(known) = self.tables.get(&map.table_id)
            && known.body == map.body
            && known.plan.as_ref().is_none_or(|plan| self.is_current(plan))
        {
            return Ok(());
        }
        let plan = self.plan(header, map)?;
        if self.tables.len() >= TABLES_MAX {
            self.tables.clear();
        }
        self.tables.insert(map.table_id, Mapped { body: map.body.to_vec(), plan: plan.map(Arc::new) });
        Ok(())
    }

    pub(super) fn is_current(&self, plan: &TablePlan) -> bool {
        let version = plan.version();
        self.history.table(&version.schema.name).is_some_and(|current| current.id == version.id)
    }

    /// The plan of a table, `None` for one that the filter leaves out.
    pub(super) fn plan(
        &mut self,
        header: &EventHeader,
        map: &TableMapEvent<'_>,
    ) -> Outcome<Option<TablePlan>> {
        let failed = |translator: &Self, cause: EventError| {
            LogError::Binlog(translator.decoder.error_at(header, cause))
        };
        let (schema, table) = map.names().map_err(|cause| failed(self, cause.into()))?;
        let name = TableName::new(String::from_utf8_lossy(schema), String::from_utf8_lossy(table));
        if !self.history.wants(&name) {
            return Ok(None);
        }
        let described = map.read_table(self.decoder.is_mariadb()).map_err(|cause| failed(self, cause))?;
        let version = match self.history.table(&name) {
            Some(version) => version.clone(),
            None => self
                .history
                .learn(&described)
                .ok_or_else(|| LogError::UnknownTable { table: name.to_string(), at: self.at(header) })?,
        };
        TablePlan::new(&described, &version, self.decoder.is_mariadb())
            .map(Some)
            .map_err(|source| LogError::Mismatch { at: self.at(header), source })
    }

    pub(super) fn rows(&mut self, header: &EventHeader, mut rows: RowsEvent<'_>) -> Outcome {
        if rows.table_id == NO_TABLE {
            return Ok(());
        }
        let Some(mapped) = self.tables.get(&rows.table_id) else {
            return Err(self.out_of_order("rows of a table that no event has named"));
        };
        let Some(plan) = mapped.plan.clone() else { return Ok(()) };
        self.ensure_begun(header);
        while !rows.is_done() {
            let fits = self.batch.as_ref().is_some_and(|batch| {
                Arc::ptr_eq(&batch.table, plan.version())
                    && batch.foreign_keys_off == rows.foreign_keys_off()
                    && batch.byte_len() < BATCH_BYTES
            });
            if !fits {
                self.flush(header)?;
                self.batch = Some(ChangeBatch::new(plan.version().clone(), rows.foreign_keys_off()));
            }
            if let Some(batch) = &mut self.batch
                && let Err(cause) = rows.decode_into(&plan, batch, BATCH_BYTES)
            {
                self.batch = None;
                return Err(self.decoder.error_at(header, cause).into());
            }
        }
        Ok(())
    }

    /// Sends the batch at hand.
    pub(super) fn flush(&mut self, header: &EventHeader) -> Outcome {
        let Some(batch) = self.batch.take().filter(|batch| !batch.ops.is_empty()) else { return Ok(()) };
        debug_assert!(batch.ops.first() != Some(&RowOp::UpdateAfter), "a batch begins with a whole change");
        let record = LogRecord::Rows(batch);
        let Some(collected) = self.group.as_mut().and_then(|group| group.xa.as_mut()) else {
            self.ready.push_back(record);
            return Ok(());
        };
        collected.bytes += xa::record_bytes(&record);
        collected.records.push(record);
        if collected.bytes + self.prepared.bytes() > self.xa_limit {
            return Err(LogError::XaTooLarge { at: self.at(header), limit: self.xa_limit });
        }
        Ok(())
    }
}

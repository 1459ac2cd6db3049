//! XA transactions in the stream: where they are prepared, and where they count.

use whimbrel_model::LogRecord;
use whimbrel_model::gtid::Gtid;

use super::{Outcome, STATEMENT_EXCERPT, Translator};
use crate::binlog::{EventHeader, Xid};
use crate::log::error::{LogError, excerpt};
use crate::log::xa::{self, Prepared};

impl Translator {
    pub(super) fn xa_prepare(&mut self, header: &EventHeader, one_phase: bool, xid: Xid) -> Outcome {
        self.flush(header)?;
        let Some(group) = self.group.as_mut() else {
            return Err(self.out_of_order("XA PREPARE outside of a transaction"));
        };
        let collected = group.xa.take().unwrap_or_default();
        if one_phase {
            self.deliver(header, collected.records);
            return self.commit(header);
        }
        let gtid = group.gtid.clone();
        self.group = None;
        let (file, offset) = (self.decoder.file(), self.decoder.offset());
        self.position.advance(file, offset, gtid.as_ref());
        // MariaDB's GTIDs of a domain have no holes; there a restart relies on file and offset alone.
        let held = matches!(gtid, Some(Gtid::Mysql(_)));
        self.reported.advance(file, offset, gtid.as_ref().filter(|_| !held));
        self.prepared.put(xid, Prepared { records: collected.records, bytes: collected.bytes, gtid });
        Ok(())
    }

    /// XA COMMIT and XA ROLLBACK of a prepared transaction.
    pub(super) fn xa_end(&mut self, header: &EventHeader, sql: &str, commit: bool) -> Outcome {
        let xid = xa::parse_xid(sql).ok_or_else(|| LogError::Unparsable {
            at: self.at(header),
            statement: excerpt(sql, STATEMENT_EXCERPT),
            source: None,
        })?;
        let prepared = self.prepared.take(&xid);
        self.open(header).xa = None;
        match prepared {
            Some(prepared) => {
                if let Some(gtid) = &prepared.gtid {
                    self.reported.gtids.add(gtid);
                }
                if commit {
                    self.deliver(header, prepared.records);
                }
            }
            None if commit => {
                self.missing_xa = Some((xid, *header));
                return Ok(());
            }
            None => {}
        }
        self.commit(header)
    }

    /// The XA transaction that has to be found before anything else is read.
    pub(crate) fn missing_xa(&self) -> Option<&Xid> {
        self.missing_xa.as_ref().map(|(xid, _)| xid)
    }

    /// The error where it can't be found.
    pub(crate) fn missing_xa_error(&self) -> LogError {
        let (at, xid) = self
            .missing_xa
            .as_ref()
            .map_or_else(Default::default, |(xid, header)| (self.at(header), xa::show(xid)));
        LogError::XaPreparedBefore { at, xid }
    }

    /// Commits the XA transaction that was missing.
    pub(crate) fn provide_xa(&mut self, prepared: Prepared) -> Outcome {
        let Some((_, header)) = self.missing_xa.take() else { return Ok(()) };
        self.deliver(&header, prepared.records);
        self.commit(&header)
    }

    /// Sends the changes of an XA transaction as those of the group at hand.
    pub(super) fn deliver(&mut self, header: &EventHeader, records: Vec<LogRecord>) {
        if !records.is_empty() {
            self.ensure_begun(header);
            self.ready.extend(records);
        }
    }
}

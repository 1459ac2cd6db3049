//! Finding an XA transaction that was prepared before the start of reading.
//!
//! Its changes stand in the log before the place where reading began, and count where it commits. They are read
//! with the definitions of the moment of the commit: an XA transaction that is prepared keeps its tables locked
//! against DDL.

use whimbrel_model::LogRecord;

use super::{Collected, Outcome, Translator};
use crate::binlog::{Decoder, Event, EventData, PayloadStream, Xid};
use crate::log::error::LogError;
use crate::log::xa::{self, Prepared};

/// Reads a log for one prepared transaction; everything else passes.
pub(crate) struct XaSearch {
    translator: Translator,
    xid: Xid,
    active: bool,
    found: Option<Vec<LogRecord>>,
}

impl XaSearch {
    /// A search with the definitions that `reader` knows.
    pub(crate) fn new(reader: &Translator, decoder: Decoder, xid: Xid) -> Self {
        let mut history = reader.history.clone();
        // Numbers of table versions stay those of the reader: no definition changes here.
        history.freeze();
        let translator = Translator::new(decoder, history, reader.position.clone(), reader.xa_limit);
        Self { translator, xid, active: false, found: None }
    }

    /// The file that is being read, and the offset reached.
    pub(crate) fn place(&self) -> (&str, u64) {
        (self.translator.decoder.file(), self.translator.decoder.offset())
    }

    /// The changes of the last transaction of this identifier that came by.
    pub(crate) fn into_found(self) -> Option<Prepared> {
        let records = self.found?;
        let bytes = records.iter().map(xa::record_bytes).sum();
        Some(Prepared { records, bytes, gtid: None })
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Outcome {
        let event = self.translator.decoder.feed(bytes)?;
        if let EventData::TransactionPayload(payload) = &event.data {
            let limit = self.translator.decoder.limits().transaction;
            let failed = |search: &Self, cause| {
                LogError::Binlog(search.translator.decoder.error_at(&event.header, cause))
            };
            let mut stream = PayloadStream::new(payload, limit).map_err(|cause| failed(self, cause))?;
            while let Some(bytes) = stream.next_event().map_err(|cause| failed(self, cause))? {
                let inner = self.translator.decoder.feed_inner(bytes)?;
                // The borrow of the decoder ends with what the event says of itself.
                Self::event(&mut self.translator, &mut self.active, &mut self.found, &self.xid, inner)?;
            }
            return Ok(());
        }
        Self::event(&mut self.translator, &mut self.active, &mut self.found, &self.xid, event)
    }

    fn event(
        translator: &mut Translator,
        active: &mut bool,
        found: &mut Option<Vec<LogRecord>>,
        wanted: &Xid,
        event: Event<'_>,
    ) -> Outcome {
        let Event { header, data } = event;
        match data {
            EventData::Gtid(gtid) => {
                (translator.group, translator.batch) = (None, None);
                let named = gtid.mariadb.and_then(|group| group.xid.filter(|_| group.prepared_xa));
                *active = named.as_ref() == Some(wanted);
            }
            EventData::Query(query) if xa::starts(&query.sql) => {
                *active = xa::parse_xid(&query.sql).as_ref() == Some(wanted);
            }
            EventData::TableMap(map) if *active => {
                translator.open(&header).xa.get_or_insert_with(Collected::default);
                translator.table_map(&header, &map)?;
            }
            EventData::Rows(rows) if *active => translator.rows(&header, rows)?,
            EventData::XaPrepare { xid, .. } if *active && xid == *wanted => {
                translator.flush(&header)?;
                let collected = translator.group.take().and_then(|group| group.xa).unwrap_or_default();
                *found = Some(collected.records);
                *active = false;
            }
            EventData::Xid(_) => *active = false,
            _ => {}
        }
        Ok(())
    }
}

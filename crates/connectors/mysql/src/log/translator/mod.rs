//! From events to records: groups events into transactions, follows definitions and positions. No I/O.
//!
//! A group is what the server committed at once:
//!
//! | server | begins with | ends with |
//! |---|---|---|
//! | MySQL 5.5 | BEGIN, or a statement alone | XID, COMMIT, ROLLBACK; the statement |
//! | MySQL from 5.6 | GTID (5.7: also anonymous), then as above | as above; XA_PREPARE |
//! | MariaDB | GTID; marked "standalone" for a statement alone | as above |
//!
//! Nothing comes out for a group until a change of a table of the filter does.

mod rows;
mod search;
mod statements;
mod xa;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use whimbrel_model::gtid::Gtid;
use whimbrel_model::position::LogPoint;
use whimbrel_model::{Begin, BinlogPosition, ChangeBatch, Commit, LogRecord, Position};

use crate::binlog::{
    Decoder, Event, EventData, EventHeader, GtidEvent, MariaDbGroup, PayloadStream, TablePlan, Xid,
};
use crate::log::error::LogError;
use crate::log::schema_history::{SchemaHistory, Snapshot};
use crate::log::xa::PreparedStore;

/// Bytes after which a batch of changes goes out.
const BATCH_BYTES: usize = 256 << 10;

/// Longest time without a record while other tables change.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);

/// Tables in the log that are remembered at once.
const TABLES_MAX: usize = 10_000;

/// Bytes of a statement in an error.
const STATEMENT_EXCERPT: usize = 1024;

/// The table number that closes a statement without naming a table.
const NO_TABLE: u64 = 0xff_ffff;

/// The group at hand.
struct Group {
    gtid: Option<Gtid>,
    commit_time_us: u64,
    /// Whether the log had the time to the microsecond, so that the end doesn't correct it.
    exact_time: bool,
    start: LogPoint,
    /// BEGIN came, or MariaDB's GTID said that an end will come: a statement doesn't end the group.
    explicit: bool,
    /// `Begin` went out.
    begun: bool,
    mariadb: Option<MariaDbGroup>,
    /// Changes of an XA transaction, which wait for its end.
    xa: Option<Collected>,
    /// Definitions before the first DDL of the group.
    before_ddl: Option<Snapshot>,
}

#[derive(Default)]
struct Collected {
    records: Vec<LogRecord>,
    bytes: usize,
}

/// A table number of the log.
struct Mapped {
    /// The TABLE_MAP's body: as long as it stays the same, so does the plan.
    body: Vec<u8>,
    plan: Option<Arc<TablePlan>>,
}

/// Turns events into records.
pub(crate) struct Translator {
    decoder: Decoder,
    history: SchemaHistory,
    server: Arc<str>,
    /// Behind the last whole group, with all GTIDs.
    position: BinlogPosition,
    /// As `position`, without the GTIDs of XA transactions that are prepared only.
    reported: BinlogPosition,
    group: Option<Group>,
    tables: HashMap<u64, Mapped>,
    batch: Option<ChangeBatch>,
    ready: VecDeque<LogRecord>,
    payload: Option<(PayloadStream, EventHeader)>,
    prepared: PreparedStore,
    xa_limit: usize,
    /// An XA COMMIT whose transaction was prepared before the start.
    missing_xa: Option<(Xid, EventHeader)>,
    last_record: Instant,
    last_time_us: u64,
}

pub(crate) use search::XaSearch;

type Outcome<T = ()> = Result<T, LogError>;

impl Translator {
    pub(crate) fn new(
        decoder: Decoder,
        history: SchemaHistory,
        start: BinlogPosition,
        xa_limit: usize,
    ) -> Self {
        Self {
            decoder,
            history,
            server: start.server.as_str().into(),
            reported: start.clone(),
            position: start,
            group: None,
            tables: HashMap::new(),
            batch: None,
            ready: VecDeque::new(),
            payload: None,
            prepared: PreparedStore::default(),
            xa_limit,
            missing_xa: None,
            last_record: Instant::now(),
            last_time_us: 0,
        }
    }

    /// The position to read on from, behind the last whole group.
    pub(crate) fn position(&self) -> &BinlogPosition {
        &self.position
    }

    /// File and offset behind the last event.
    pub(crate) fn place(&self) -> (&str, u64) {
        (self.decoder.file(), self.decoder.offset())
    }

    pub(crate) fn history_mut(&mut self) -> &mut SchemaHistory {
        &mut self.history
    }

    /// A record that is ready.
    pub(crate) fn take_record(&mut self) -> Option<LogRecord> {
        let record = self.ready.pop_front()?;
        self.last_record = Instant::now();
        Some(record)
    }

    /// Forgets the group at hand (it will come again) and starts with another stream of events.
    pub(crate) fn restart(&mut self, decoder: Decoder, server: &str) {
        self.abandon_group();
        self.decoder = decoder;
        self.tables.clear();
        self.payload = None;
        if *self.server != *server {
            self.server = server.into();
            for position in [&mut self.position, &mut self.reported] {
                server.clone_into(&mut position.server);
                position.file.clear();
                position.offset = 0;
            }
        }
    }

    /// Drops what came of a group whose end will not come.
    pub(crate) fn abandon_group(&mut self) {
        self.batch = None;
        self.payload = None;
        self.missing_xa = None;
        if let Some(group) = self.group.take() {
            if let Some(before) = group.before_ddl {
                self.history.restore(before);
            }
            if group.begun {
                self.ready.push_back(LogRecord::Abort);
            }
        }
    }

    /// Takes an event as it comes from the server.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Outcome {
        let before = self.decoder.offset();
        let event = self.decoder.feed(bytes)?;
        self.check_gap(&event, before)?;
        self.event(event)
    }

    /// Takes the next event out of a compressed transaction; false where none is left.
    pub(crate) fn feed_inner(&mut self) -> Outcome<bool> {
        let Some((mut stream, header)) = self.payload.take() else { return Ok(false) };
        let inner = stream.next_event().map_err(|cause| self.decoder.error_at(&header, cause))?;
        let Some(bytes) = inner else { return Ok(false) };
        let event = self.decoder.feed_inner(bytes)?;
        if matches!(event.data, EventData::TransactionPayload(_)) {
            return Err(self.out_of_order("a compressed transaction in another one"));
        }
        self.event(event)?;
        self.payload = Some((stream, header));
        Ok(true)
    }

    /// Events of a group follow each other without holes. MariaDB leaves out events that a replica doesn't ask
    /// for, so there it can't be told.
    fn check_gap(&self, event: &Event<'_>, before: u64) -> Outcome {
        let skips = self.decoder.is_mariadb() || event.header.is_artificial() || self.group.is_none();
        if skips || matches!(event.data, EventData::Heartbeat { .. } | EventData::Rotate { .. }) {
            return Ok(());
        }
        let start = self.decoder.offset().saturating_sub(u64::from(event.header.length));
        if start == before {
            return Ok(());
        }
        Err(LogError::Gap { at: format!("{}:{start}", self.decoder.file()), expected: before })
    }

    fn event(&mut self, event: Event<'_>) -> Outcome {
        let Event { header, data } = event;
        match data {
            EventData::Rows(rows) => self.rows(&header, rows),
            EventData::TableMap(map) => self.table_map(&header, &map),
            EventData::Gtid(gtid) => self.gtid(&header, gtid),
            EventData::Query(query) => self.query(&header, &query),
            EventData::Xid(_) => self.commit(&header),
            EventData::XaPrepare { one_phase, xid } => self.xa_prepare(&header, one_phase, xid),
            EventData::TransactionPayload(payload) => {
                let limit = self.decoder.limits().transaction;
                let stream = PayloadStream::new(&payload, limit)
                    .map_err(|cause| self.decoder.error_at(&header, cause))?;
                self.payload = Some((stream, header));
                Ok(())
            }
            EventData::LoadData(query) => self.statement_dml(&header, &query),
            EventData::OldLoadData => {
                let statement = "LOAD DATA (of a server before 5.0.3)".to_owned();
                Err(LogError::StatementDml { at: self.at(&header), statement })
            }
            EventData::Rotate { file, position } => self.rotate(&header, &file, position),
            EventData::Heartbeat { file, position } => {
                self.heartbeat(&file, position);
                Ok(())
            }
            EventData::FormatDescription => self.format(),
            EventData::Stop
            | EventData::PreviousGtids(_)
            | EventData::GtidList(_)
            | EventData::RowsQuery(_)
            | EventData::StatementContext
            | EventData::LoadDataBlock
            | EventData::Nothing => {
                self.pass(&header);
                Ok(())
            }
        }
    }

    /// An event between groups moves the position.
    fn pass(&mut self, header: &EventHeader) {
        if self.group.is_none() && !header.is_artificial() {
            self.move_to(None);
        }
    }

    /// Table numbers begin anew with a new log file of a restarted server; a group can't go on in one.
    fn format(&mut self) -> Outcome {
        self.tables.clear();
        if self.group.is_some() {
            // The server died within the group: what it wrote of it was never committed.
            self.abandon_group();
        }
        Ok(())
    }

    fn rotate(&mut self, header: &EventHeader, file: &str, position: u64) -> Outcome {
        if self.group.is_some() {
            if header.is_artificial() {
                return Ok(());
            }
            return Err(self.out_of_order("a log file ends within a transaction"));
        }
        self.advance_place(file, position);
        Ok(())
    }

    /// Moves file and offset, never back on the same server.
    fn advance_place(&mut self, file: &str, offset: u64) {
        let there = BinlogPosition {
            server: self.position.server.clone(),
            file: file.to_owned(),
            offset,
            gtids: whimbrel_model::GtidState::None,
        };
        if self.position.log_order(&there).is_none_or(std::cmp::Ordering::is_lt) {
            self.position.advance(file, offset, None);
            self.reported.advance(file, offset, None);
        }
    }

    fn heartbeat(&mut self, file: &str, position: u64) {
        if self.group.is_some() {
            return;
        }
        self.advance_place(file, position);
        let time_us = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(self.last_time_us, |now| now.as_micros() as u64);
        self.ready.push_back(LogRecord::Heartbeat { position: self.here(), time_us });
    }

    fn here(&self) -> Position {
        Position::Binlog(self.reported.clone())
    }

    /// Moves both positions behind the event that was read last.
    fn move_to(&mut self, gtid: Option<&Gtid>) {
        let (file, offset) = (self.decoder.file(), self.decoder.offset());
        self.position.advance(file, offset, gtid);
        self.reported.advance(file, offset, gtid);
    }

    fn at(&self, header: &EventHeader) -> String {
        let start = self.decoder.offset().saturating_sub(u64::from(header.length));
        // An event of a compressed transaction has the payload's place.
        format!("{}:{start}", self.decoder.file())
    }

    fn out_of_order(&self, what: &'static str) -> LogError {
        LogError::OutOfOrder { at: format!("{}:{}", self.decoder.file(), self.decoder.offset()), what }
    }

    // ---- begin and end of groups ----

    fn open(&mut self, header: &EventHeader) -> &mut Group {
        let start = LogPoint {
            server: self.server.clone(),
            file: self.decoder.file().into(),
            offset: self.decoder.offset().saturating_sub(u64::from(header.length)),
        };
        self.group.get_or_insert_with(|| Group {
            gtid: None,
            commit_time_us: u64::from(header.timestamp) * 1_000_000,
            exact_time: false,
            start,
            explicit: false,
            begun: false,
            mariadb: None,
            xa: None,
            before_ddl: None,
        })
    }

    fn gtid(&mut self, header: &EventHeader, event: GtidEvent) -> Outcome {
        if self.group.is_some() {
            return Err(self.out_of_order("a transaction begins within another one"));
        }
        let group = self.open(header);
        group.gtid = event.gtid;
        if let Some(time) = event.commit_time_us {
            (group.commit_time_us, group.exact_time) = (time, true);
        }
        if let Some(mariadb) = event.mariadb {
            group.explicit = !mariadb.standalone;
            if mariadb.prepared_xa {
                group.xa = Some(Collected::default());
            }
            group.mariadb = Some(mariadb);
        }
        Ok(())
    }

    fn begin(&mut self, header: &EventHeader) -> Outcome {
        if self.group.as_ref().is_some_and(|group| group.explicit && group.mariadb.is_none()) {
            return Err(self.out_of_order("BEGIN within a transaction"));
        }
        self.open(header).explicit = true;
        Ok(())
    }

    /// Sends `Begin` if it has not been sent.
    fn ensure_begun(&mut self, header: &EventHeader) {
        self.open(header);
        if let Some(group) = self.group.as_mut().filter(|group| !group.begun && group.xa.is_none()) {
            group.begun = true;
            self.ready.push_back(LogRecord::Begin(Begin {
                gtid: group.gtid.clone(),
                commit_time_us: group.commit_time_us,
                start: Some(group.start.clone()),
            }));
        }
    }

    fn commit(&mut self, header: &EventHeader) -> Outcome {
        self.flush(header)?;
        let Some(group) = self.group.take() else {
            return Err(self.out_of_order("a transaction ends that did not begin"));
        };
        if group.xa.is_some_and(|collected| !collected.records.is_empty()) {
            return Err(self.out_of_order("an XA transaction ends like an ordinary one"));
        }
        self.move_to(group.gtid.as_ref());
        let end_us = u64::from(header.timestamp) * 1_000_000;
        let commit_time_us =
            if group.exact_time { group.commit_time_us } else { group.commit_time_us.max(end_us) };
        self.last_time_us = commit_time_us;
        if group.begun {
            self.ready.push_back(LogRecord::Commit(Commit { position: self.here(), commit_time_us }));
        } else if self.last_record.elapsed() >= HEARTBEAT_EVERY && self.ready.is_empty() {
            self.last_record = Instant::now();
            self.ready.push_back(LogRecord::Heartbeat { position: self.here(), time_us: commit_time_us });
        }
        Ok(())
    }

    fn rollback(&mut self, header: &EventHeader) -> Outcome {
        let changed =
            |group: &Group| group.begun || group.xa.as_ref().is_some_and(|xa| !xa.records.is_empty());
        if self.batch.is_some() || self.group.as_ref().is_some_and(changed) {
            return Err(LogError::RolledBack { at: self.at(header) });
        }
        if let Some(group) = &mut self.group {
            group.xa = None;
        }
        self.commit(header)
    }
}

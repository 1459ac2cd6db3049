//! [`LogReader`] in memory: it reconnects by itself, and begins a transaction again that was cut off.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use whimbrel_connector::{ConnectorError, ErrorKind, LogReader, LogStart, Result, TableFilter};
use whimbrel_model::{
    Begin, ChangeBatch, Commit, Ddl, LogRecord, Position, RowOp, TableName, TableSchema, TableVersion,
};

use crate::database::Database;
use crate::log::{Content, LogTransaction};
use crate::row::{Row, push};
use crate::server::SimServer;
use crate::transaction::RowChange;

/// How often an idle source says so.
const HEARTBEAT: Duration = Duration::from_secs(10);

pub(crate) struct SimLogReader {
    server: Arc<SimServer>,
    filter: TableFilter,
    versions: BTreeMap<TableName, Arc<TableVersion>>,
    next_version: u64,
    /// The next transaction, and how many of its changes were given, once it has begun.
    at: usize,
    given: Option<usize>,
    /// Versions before the transaction that is being read.
    before: Option<BTreeMap<TableName, Arc<TableVersion>>>,
    /// Transactions were left out since the last position that was told.
    left_out: bool,
}

/// What there is to read.
enum Next {
    Record(LogRecord),
    /// Transactions of other tables were passed.
    Passed(Position),
    Nothing,
}

impl SimLogReader {
    pub fn new(server: Arc<SimServer>, start: LogStart) -> Result<Self> {
        let at = server.db().log.find(&start.position).ok_or_else(|| {
            let message = format!("the log has no position {}", start.position);
            ConnectorError::new(ErrorKind::PositionPurged, &server.name, message)
        })?;
        let mut reader = Self {
            server,
            filter: start.filter,
            versions: BTreeMap::new(),
            next_version: start.next_table_version,
            at,
            given: None,
            before: None,
            left_out: false,
        };
        for schema in start.tables {
            reader.define(schema);
        }
        Ok(reader)
    }

    fn define(&mut self, schema: TableSchema) -> Arc<TableVersion> {
        let version = Arc::new(TableVersion::new(self.next_version, schema));
        self.next_version += 1;
        self.versions.insert(version.schema.name.clone(), version.clone());
        version
    }

    /// The next record that is there.
    fn step(&mut self, db: &Database) -> Result<Next> {
        loop {
            let Some(transaction) = db.log.transactions.get(self.at) else {
                let passed = std::mem::take(&mut self.left_out);
                return Ok(if passed { Next::Passed(db.log.end()) } else { Next::Nothing });
            };
            let Some(given) = self.given else {
                if !transaction.touches(self.filter.as_ref()) {
                    self.at += 1;
                    self.left_out = true;
                    continue;
                }
                self.given = Some(0);
                self.before = Some(self.versions.clone());
                let start = Some(db.log.point(transaction.start));
                let begin = Begin { gtid: None, commit_time_us: transaction.time_us, start };
                return Ok(Next::Record(LogRecord::Begin(begin)));
            };
            return self.within(db, transaction, given).map(Next::Record);
        }
    }

    fn within(&mut self, db: &Database, transaction: &LogTransaction, given: usize) -> Result<LogRecord> {
        match &transaction.content {
            Content::Ddl(ddl) if given == 0 => {
                self.given = Some(1);
                Ok(LogRecord::Ddl(self.follow(ddl)))
            }
            Content::Rows(changes) => {
                let wanted = |change: &&RowChange| (self.filter)(&change.schema.name);
                let rest: Vec<&RowChange> = changes.iter().filter(wanted).skip(given).collect();
                match rest.first() {
                    Some(first) => self.batch(first, &rest, given),
                    None => Ok(self.commit(db, transaction)),
                }
            }
            Content::Ddl(_) => Ok(self.commit(db, transaction)),
        }
    }

    fn follow(&mut self, ddl: &Ddl) -> Ddl {
        for effect in &ddl.effects {
            if let Some(before) = &effect.before {
                self.versions.remove(before);
            }
            if let Some(after) = &effect.after
                && (self.filter)(&after.name)
            {
                self.define(after.clone());
            }
        }
        ddl.clone()
    }

    fn batch(&mut self, first: &RowChange, rest: &[&RowChange], given: usize) -> Result<LogRecord> {
        let name = &first.schema.name;
        let known = self.versions.get(name).filter(|known| known.schema.columns == first.schema.columns);
        let Some(version) = known else {
            let message = format!("its rows at change {given} don't fit the definition that was known");
            return Err(ConnectorError::new(ErrorKind::SchemaMismatch, format!("table {name}"), message));
        };
        let mut batch = ChangeBatch::new(version.clone(), false);
        let mut taken = 0;
        for change in rest.iter().take_while(|change| change.schema.name == *name) {
            let mut add = |op: RowOp, row: &Row| {
                batch.ops.push(op);
                row.iter().for_each(|cell| push(&mut batch.rows, cell));
                batch.rows.end_row();
            };
            match (&change.before, &change.after) {
                (None, Some(after)) => add(RowOp::Insert, after),
                (Some(before), None) => add(RowOp::Delete, before),
                (Some(before), Some(after)) => {
                    add(RowOp::UpdateBefore, before);
                    add(RowOp::UpdateAfter, after);
                }
                (None, None) => {}
            }
            taken += 1;
            if batch.byte_len() >= self.server.log_batch_bytes {
                break;
            }
        }
        self.given = Some(given + taken);
        Ok(LogRecord::Rows(batch))
    }

    fn commit(&mut self, db: &Database, transaction: &LogTransaction) -> LogRecord {
        self.at += 1;
        (self.given, self.before, self.left_out) = (None, None, false);
        let position = db.log.position(transaction.end);
        LogRecord::Commit(Commit { position, commit_time_us: transaction.time_us })
    }

    /// The connection was lost: what was begun comes again.
    fn reconnect(&mut self) -> Option<LogRecord> {
        self.given.take()?;
        if let Some(before) = self.before.take() {
            self.versions = before;
        }
        Some(LogRecord::Abort)
    }
}

#[async_trait]
impl LogReader for SimLogReader {
    async fn next(&mut self) -> Result<LogRecord> {
        loop {
            let server = self.server.clone();
            let mut grown = std::pin::pin!(server.grown.notified());
            grown.as_mut().enable();
            let called = async {
                let after = server.enter("next_record", format!("{} {:?}", self.at, self.given)).await?;
                server.leave(after).await
            };
            match called.await {
                Ok(()) => {}
                Err(error) if error.kind == ErrorKind::ConnectionLost => match self.reconnect() {
                    Some(abort) => return Ok(abort),
                    None => continue,
                },
                Err(error) => return Err(error),
            }
            let next = self.step(&server.db())?;
            match next {
                Next::Record(record) => return Ok(record),
                Next::Passed(position) => {
                    return Ok(LogRecord::Heartbeat { position, time_us: server.clock.wall_us() });
                }
                Next::Nothing => {}
            }
            tokio::select! {
                biased;
                () = grown => {}
                () = tokio::time::sleep(HEARTBEAT) => {
                    // Something may have come at the same moment.
                    if self.at >= server.db().log.transactions.len() {
                        let position = server.db().log.end();
                        return Ok(LogRecord::Heartbeat { position, time_us: server.clock.wall_us() });
                    }
                }
            }
        }
    }
}

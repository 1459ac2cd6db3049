//! The log of committed transactions, in memory for ever.
//!
//! Positions are those of a binary log: file and offset. Every [`FILE_TRANSACTIONS`]th transaction begins a new file, so
//! that positions in different files are compared all the time.

use std::sync::Arc;

use whimbrel_model::{BinlogPosition, Ddl, GtidState, LogPoint, Position, TableName};

use crate::transaction::RowChange;

/// Transactions in one file.
const FILE_TRANSACTIONS: usize = 16;
/// Where the first event of a file stands.
const FIRST_OFFSET: u64 = 4;

#[derive(Debug)]
pub enum Content {
    Rows(Vec<RowChange>),
    Ddl(Ddl),
}

#[derive(Debug)]
pub struct LogTransaction {
    pub start: (u64, u64),
    pub end: (u64, u64),
    pub time_us: u64,
    pub content: Content,
}

impl LogTransaction {
    /// True where it concerns a table that `wanted` names.
    pub fn touches(&self, wanted: &dyn Fn(&TableName) -> bool) -> bool {
        match &self.content {
            Content::Rows(rows) => rows.iter().any(|change| wanted(&change.schema.name)),
            Content::Ddl(ddl) => ddl.effects.iter().any(|effect| {
                effect.before.as_ref().is_some_and(wanted)
                    || effect.after.as_ref().is_some_and(|after| wanted(&after.name))
            }),
        }
    }
}

#[derive(Debug)]
pub struct Log {
    server: Arc<str>,
    pub transactions: Vec<LogTransaction>,
    /// File and offset of the next event.
    next: (u64, u64),
}

impl Log {
    pub fn new(server: &str) -> Self {
        Self { server: server.into(), transactions: Vec::new(), next: (1, FIRST_OFFSET) }
    }

    pub fn append(&mut self, content: Content, time_us: u64) {
        let size = match &content {
            Content::Rows(rows) => 100 + 40 * rows.len() as u64,
            Content::Ddl(ddl) => 100 + ddl.sql.len() as u64,
        };
        let start = self.next;
        let end = (start.0, start.1 + size);
        self.transactions.push(LogTransaction { start, end, time_us, content });
        let full = self.transactions.len().is_multiple_of(FILE_TRANSACTIONS);
        self.next = if full { (end.0 + 1, FIRST_OFFSET) } else { end };
    }

    pub fn position(&self, at: (u64, u64)) -> Position {
        Position::Binlog(BinlogPosition {
            server: self.server.to_string(),
            file: file_name(at.0),
            offset: at.1,
            gtids: GtidState::None,
        })
    }

    pub fn point(&self, at: (u64, u64)) -> LogPoint {
        LogPoint { server: self.server.clone(), file: file_name(at.0).into(), offset: at.1 }
    }

    /// After everything that is there.
    pub fn end(&self) -> Position {
        self.position(self.next)
    }

    /// The first transaction at or after a position; `None` where the position isn't of this log.
    pub fn find(&self, position: &Position) -> Option<usize> {
        let Position::Binlog(position) = position;
        let number = position.file.rsplit('.').next()?.parse::<u64>().ok()?;
        let at = (number, position.offset);
        let known = *position.server == *self.server && at <= self.next;
        known.then(|| self.transactions.partition_point(|transaction| transaction.start < at))
    }
}

fn file_name(number: u64) -> String {
    format!("sim.{number:06}")
}

//! What a log says, in order: the records that a `LogReader` yields, the Store keeps, and consumers get.
//!
//! A transaction is `Begin`, any number of `Rows` and `Ddl`, and `Commit`. It is never assembled: a large
//! one is many `Rows`. A transaction whose `Commit` never came (the connection was cut) ends with `Abort`
//! and is read again from its begin. Between transactions there may be `Heartbeat`s.

use std::sync::Arc;

use crate::batch::{CellKind, RowBatch, RowRef};
use crate::gtid::Gtid;
use crate::position::{LogPoint, Position};
use crate::schema::{TableName, TableSchema};

/// One record of a log.
#[derive(Clone, Debug)]
pub enum LogRecord {
    Begin(Begin),
    Rows(ChangeBatch),
    Ddl(Ddl),
    Commit(Commit),
    /// What came since the last `Begin` doesn't count.
    Abort,
    /// Nothing to read: the source's log ends (or only held transactions of other tables) up to here.
    Heartbeat {
        position: Position,
        time_us: u64,
    },
}

/// The begin of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begin {
    pub gtid: Option<Gtid>,
    /// Commit time at the source, microseconds since 1970; seconds' precision where the log has no more.
    pub commit_time_us: u64,
    /// Where the transaction's first event (its GTID event, where there is one) begins in the log. Decides
    /// together with `gtid` on which side of a position the transaction is before its end is known; see
    /// [`Position::includes`]. `None` where a log has no such thing.
    pub start: Option<LogPoint>,
}

/// The end of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The position after the transaction.
    pub position: Position,
    /// As [`Begin::commit_time_us`], corrected where the log has it only at the end.
    pub commit_time_us: u64,
}

/// A table as it was at some position, known by a number that is unique within one reader or Store.
#[derive(Clone, Debug)]
pub struct TableVersion {
    pub id: u64,
    pub schema: TableSchema,
    pub kinds: Arc<[CellKind]>,
}

impl TableVersion {
    pub fn new(id: u64, schema: TableSchema) -> Self {
        let kinds = schema.cell_kinds();
        Self { id, schema, kinds }
    }
}

/// What happened to a row. An update is two rows, `UpdateBefore` and right after it `UpdateAfter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RowOp {
    Insert = 0,
    Delete = 1,
    UpdateBefore = 2,
    UpdateAfter = 3,
}

impl RowOp {
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Insert, Self::Delete, Self::UpdateBefore, Self::UpdateAfter].get(usize::from(code)).copied()
    }
}

/// Row changes of one table version, in order, within one transaction.
#[derive(Clone, Debug)]
pub struct ChangeBatch {
    pub table: Arc<TableVersion>,
    /// One entry per row of `rows`.
    pub ops: Vec<RowOp>,
    pub rows: RowBatch,
    /// The session had `foreign_key_checks = 0`.
    pub foreign_keys_off: bool,
}

/// One change of one row, borrowed from a [`ChangeBatch`].
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    Insert { after: RowRef<'a> },
    Update { before: RowRef<'a>, after: RowRef<'a> },
    Delete { before: RowRef<'a> },
}

impl ChangeBatch {
    pub fn new(table: Arc<TableVersion>, foreign_keys_off: bool) -> Self {
        let rows = RowBatch::new(table.kinds.clone());
        Self { table, ops: Vec::new(), rows, foreign_keys_off }
    }

    /// Bytes held in memory.
    pub fn byte_len(&self) -> usize {
        self.rows.byte_len() + self.ops.len()
    }

    /// The changes in order. An `UpdateBefore` without its `UpdateAfter` can't come out of the constructors
    /// of this workspace (the decoder and the Store's reader both check); it is passed over.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        self.ops.iter().enumerate().filter_map(|(index, op)| match op {
            RowOp::Insert => Some(Change::Insert { after: self.rows.row(index) }),
            RowOp::Delete => Some(Change::Delete { before: self.rows.row(index) }),
            RowOp::UpdateBefore => (self.ops.get(index + 1) == Some(&RowOp::UpdateAfter))
                .then(|| Change::Update { before: self.rows.row(index), after: self.rows.row(index + 1) }),
            RowOp::UpdateAfter => None,
        })
    }

    /// True where every `UpdateBefore` is followed by its `UpdateAfter`, and there is one operation a row.
    pub fn is_well_formed(&self) -> bool {
        let mut expect_after = false;
        let paired = self.ops.iter().all(|op| {
            let after = *op == RowOp::UpdateAfter;
            let fits = after == expect_after;
            expect_after = *op == RowOp::UpdateBefore;
            fits
        });
        paired && !expect_after && self.ops.len() == self.rows.len()
    }
}

/// A statement that changes structures, as the log has it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ddl {
    /// The session's default schema, empty where there was none.
    pub default_schema: String,
    /// The statement in UTF-8.
    pub sql: String,
    /// MySQL's `sql_mode` bits of the session (`Q_SQL_MODE_CODE`).
    pub sql_mode: u64,
    /// What it does to each table, in the order in which it happens. Empty where it touches no table.
    pub effects: Vec<TableEffect>,
}

/// What a statement does to one table: a creation has no `before`, a removal no `after`, a rename two
/// different names. TRUNCATE is an effect that leaves the schema as it was.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TableEffect {
    pub before: Option<TableName>,
    pub after: Option<TableSchema>,
}

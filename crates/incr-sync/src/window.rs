//! A window: consecutive changes that are applied together.
//!
//! A window is a run of whole source transactions, or a piece of one that is too large to be held. It owns
//! the batches as they came; everything else refers to changes by [`Loc`].

use std::sync::Arc;

use whimbrel_connector::Mutation;
use whimbrel_model::{Change, ChangeBatch, Position, RowOp};

use crate::table::{ApplyTable, Tokens};

/// The end of the last whole transaction that something covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub position: Position,
    /// The Store's number of the record that brought the position.
    pub sequence: u64,
    /// Microseconds since 1970; of the source's clock.
    pub commit_time_us: u64,
}

/// A batch of changes of one table, with what is known of the table.
#[derive(Debug)]
pub struct Part {
    pub table: Arc<ApplyTable>,
    pub batch: ChangeBatch,
}

/// A change of a window: the part and the row of its (first) image there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loc {
    pub part: u32,
    pub row: u32,
}

/// Changes to be applied together, in the source's order.
#[derive(Debug, Default)]
pub struct Window {
    pub parts: Vec<Part>,
    /// Some of the changes may have been applied before.
    pub idempotent: bool,
    /// `None` for a piece of a transaction other than its last.
    pub end: Option<End>,
    /// The Store's number of the last record in the window.
    pub last_sequence: u64,
    /// Whole transactions that end in this window.
    pub transactions: u64,
}

impl Window {
    /// All changes in the source's order.
    pub fn locs(&self) -> impl Iterator<Item = Loc> {
        self.parts.iter().enumerate().flat_map(|(part, one)| {
            let rows = one.batch.ops.iter().enumerate().filter(|(_, op)| **op != RowOp::UpdateAfter);
            rows.map(move |(row, _)| Loc { part: part as u32, row: row as u32 })
        })
    }

    /// Number of changes.
    pub fn change_count(&self) -> usize {
        self.parts.iter().map(|part| count_changes(&part.batch)).sum()
    }

    pub fn part(&self, loc: Loc) -> &Part {
        &self.parts[loc.part as usize]
    }

    /// The change at a place that [`Window::locs`] gave.
    pub fn change(&self, loc: Loc) -> Change<'_> {
        let (batch, row) = (&self.part(loc).batch, loc.row as usize);
        match batch.ops[row] {
            RowOp::Insert => Change::Insert { after: batch.rows.row(row) },
            RowOp::Delete => Change::Delete { before: batch.rows.row(row) },
            RowOp::UpdateBefore | RowOp::UpdateAfter => {
                Change::Update { before: batch.rows.row(row), after: batch.rows.row(row + 1) }
            }
        }
    }

    /// Replaces `tokens` by the conflict tokens of a change: of the row before and after.
    pub fn tokens(&self, loc: Loc, tokens: &mut Tokens) {
        tokens.clear();
        let table = &self.part(loc).table;
        match self.change(loc) {
            Change::Insert { after: row } | Change::Delete { before: row } => table.add_tokens(row, tokens),
            Change::Update { before, after } => {
                if !Mutation::ForgetBeforeImage.active() {
                    table.add_tokens(before, tokens);
                }
                table.add_tokens(after, tokens);
            }
        }
    }
}

/// Number of changes in a batch (an update is one).
pub fn count_changes(batch: &ChangeBatch) -> usize {
    batch.ops.iter().filter(|op| **op != RowOp::UpdateAfter).count()
}

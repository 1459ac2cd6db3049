//! Finding the record to begin at.

use std::sync::Arc;

use whimbrel_model::{Begin, LogRecord, Position};

use crate::cursor::{Cursor, durable_anchors, removed};
use crate::decode::{Rows, Step};
use crate::error::StoreError;
use crate::format::flags;
use crate::segment::{IndexAnchor, SegmentStart};
use crate::sequence::Sequence;
use crate::shared::Shared;

/// Where a reader begins.
#[derive(Clone, Debug, PartialEq)]
pub enum StartAt {
    /// With the first transaction that is there from its begin on.
    Start,
    /// With this record, whatever it is.
    Sequence(Sequence),
    /// With the first transaction that a reader at this position hasn't seen.
    Position(Position),
    /// With the first transaction, in the log's order, committed at or after this time (microseconds since
    /// 1970).
    Time(u64),
}

/// Which transaction is looked for.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Any,
    Position(Position),
    Time(u64),
}

/// A search that hasn't ended yet.
#[derive(Debug)]
pub(crate) struct Search {
    cursor: Cursor,
    target: Target,
    /// The begin of the transaction that the cursor is in.
    begin: Option<u64>,
}

pub(crate) enum Found {
    /// Reading begins at this record.
    At(u64),
    /// The end of what is durable was reached; the transaction may still come.
    NotYet,
}

/// The record to begin at where that is known at once, otherwise the search for it.
pub(crate) fn start(shared: &Arc<Shared>, from: &StartAt) -> Result<Result<u64, Search>, StoreError> {
    let target = match from {
        StartAt::Sequence(sequence) => return Ok(Ok(sequence.0)),
        StartAt::Start => {
            let oldest = shared.oldest().ok_or_else(|| StoreError::NotFound { path: shared.dir.clone() })?;
            if !oldest.start(shared.fs.as_ref())?.in_transaction {
                return Ok(Ok(oldest.first_sequence));
            }
            Target::Any
        }
        StartAt::Position(position) => Target::Position(position.clone()),
        StartAt::Time(time_us) => Target::Time(*time_us),
    };
    let cursor = anchor_before(shared, &target)?;
    Ok(Err(Search { cursor, target, begin: None }))
}

impl Target {
    /// True where everything before a place with this position and latest commit time can be passed over.
    fn is_after(&self, position: &Position, max_time_us: u64) -> Result<bool, StoreError> {
        match self {
            Self::Any => Ok(false),
            Self::Position(wanted) => reached(wanted, position),
            Self::Time(wanted) => Ok(max_time_us < *wanted),
        }
    }

    /// As [`Target::wants`], before the transaction's end is known; `None` where only that tells.
    fn wants_begin(&self, begin: &Begin) -> Option<bool> {
        match self {
            Self::Any => Some(true),
            Self::Position(wanted) => wanted.includes(begin).map(|included| !included),
            // The commit may correct the time.
            Self::Time(_) => None,
        }
    }

    /// True where the transaction with this end is the one to begin with, if none before was.
    fn wants(&self, position: &Position, commit_time_us: u64) -> Result<bool, StoreError> {
        match self {
            Self::Any => Ok(true),
            Self::Position(wanted) => reached(wanted, position).map(|reached| !reached),
            Self::Time(wanted) => Ok(commit_time_us >= *wanted),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Any => "its first transaction".to_owned(),
            Self::Position(position) => format!("position {position}"),
            Self::Time(time_us) => format!("transactions since {}", crate::inspect::time_text(*time_us)),
        }
    }

    /// Whether the oldest file may serve this target although it doesn't begin before it.
    fn allows_first(&self, start: &SegmentStart) -> bool {
        match self {
            Self::Any => true,
            Self::Position(_) => false,
            // Before the very first file nothing was removed; it is all there ever was.
            Self::Time(_) => start.header.previous_end == 0,
        }
    }
}

fn reached(reader: &Position, other: &Position) -> Result<bool, StoreError> {
    reader.has_reached(other).ok_or_else(|| StoreError::PositionIncomparable {
        wanted: Box::new(reader.clone()),
        found: Box::new(other.clone()),
    })
}

/// A cursor at the last anchor outside of a transaction before the target. Files are asked from the newest
/// back, so that a damaged old one doesn't matter to who doesn't need it.
fn anchor_before(shared: &Arc<Shared>, target: &Target) -> Result<Cursor, StoreError> {
    let fs = shared.fs.as_ref();
    let gone = |error| removed(shared, error, || target.name());
    let tail = shared.tail();
    let mut oldest = None;
    for segment in shared.segments().into_iter().rev().filter(|s| s.first_sequence <= tail.segment) {
        let start = segment.start(fs).map_err(gone)?;
        if target.is_after(&start.position, start.max_time_us)? {
            for anchor in durable_anchors(shared, &segment).map_err(gone)?.iter().rev() {
                if !anchor.in_transaction && target.is_after(&anchor.position, anchor.max_time_us)? {
                    return Cursor::at_anchor(shared, segment, anchor).map_err(gone);
                }
            }
        }
        oldest = Some((segment, start));
    }
    let Some((segment, start)) = oldest else { return Err(shared.gone(target.name())) };
    // A file that begins within a transaction serves what comes after that transaction.
    if !target.allows_first(&start) && !target.is_after(&start.position, start.max_time_us)? {
        return Err(shared.gone(target.name()));
    }
    let first = IndexAnchor {
        offset: crate::format::SEGMENT_HEADER as u64,
        sequence: segment.first_sequence,
        max_time_us: start.max_time_us,
        position: start.position.clone(),
        in_transaction: start.in_transaction,
    };
    Cursor::at_anchor(shared, segment, &first).map_err(gone)
}

impl Search {
    pub fn run(&mut self, shared: &Shared) -> Result<Found, StoreError> {
        while let Some(header) = self.cursor.advance()? {
            // Blocks full of rows of one transaction say nothing that matters here.
            if !header.has(flags::BOUNDARY | flags::SCHEMA | flags::ANCHOR) {
                continue;
            }
            let Self { cursor, target, begin } = self;
            let (begin_before, mut outcome) = (*begin, Ok(None));
            cursor
                .decode(&header, Rows::Skip, |_, step| {
                    let Step::Record(sequence, record) = step else { return Ok(()) };
                    match record {
                        _ if !matches!(outcome, Ok(None)) => {}
                        LogRecord::Begin(found) => {
                            *begin = Some(sequence);
                            if target.wants_begin(&found) == Some(true) {
                                outcome = Ok(Some(sequence));
                            }
                        }
                        LogRecord::Abort => *begin = None,
                        LogRecord::Commit(commit) => {
                            let begun = begin.take();
                            outcome = match target.wants(&commit.position, commit.commit_time_us) {
                                Ok(true) => match (begun, &target) {
                                    (Some(begun), _) => Ok(Some(begun)),
                                    (None, Target::Any) => Ok(None),
                                    (None, _) => Err(shared.gone(target.name())),
                                },
                                Ok(false) => Ok(None),
                                Err(error) => Err(error),
                            };
                        }
                        LogRecord::Rows(_) | LogRecord::Ddl(_) | LogRecord::Heartbeat { .. } => {}
                    }
                    Ok(())
                })
                .inspect_err(|_| *begin = begin_before)?;
            if let Some(found) = outcome? {
                return Ok(Found::At(found));
            }
        }
        Ok(Found::NotYet)
    }
}

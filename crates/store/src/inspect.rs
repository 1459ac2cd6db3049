//! Listing, checking and printing a Store for people, also while another process writes it.
//!
//! Nothing here takes the lock or writes. What another process is writing at the moment is read up to the
//! last whole block. All calls block.

mod dump;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use whimbrel_model::{DateTime, LogRecord};

pub use self::dump::{Printer, dump};
use crate::consumers::Consumers;
use crate::cursor::Cursor;
use crate::decode::{Rows, Step};
use crate::error::StoreError;
use crate::format::SEGMENT_HEADER;
use crate::fs::{Fs, RealFs};
use crate::options::StoreOptions;
use crate::pack::Unpacker;
use crate::recover::check_not_durable;
use crate::scan::{BlockScanner, Scanned};
use crate::segment::{Segment, SegmentStart};
use crate::sequence::Sequence;
use crate::shared::{Shared, Tail, list_segments as list_files};

/// What is expected where a damaged block stands.
const WAS_WHOLE: &str = "a block that was whole once";

/// A time as `YYYY-MM-DD hh:mm:ss.ffffff UTC`.
pub fn time_text(time_us: u64) -> String {
    match DateTime::from_unix(time_us / 1_000_000, (time_us % 1_000_000) as u32) {
        Some(time) => format!("{time} UTC"),
        None => format!("{time_us} us"),
    }
}

/// One segment file.
#[derive(Clone, Debug)]
pub struct SegmentSummary {
    pub path: PathBuf,
    pub bytes: u64,
    pub first: Sequence,
    /// The number after its last record that can be read.
    pub end: Sequence,
    /// The position before its first record.
    pub position: String,
    /// When the file was begun, microseconds since 1970.
    pub created_us: u64,
    /// The latest commit time up to its end, microseconds since 1970; 0 before there was one.
    pub max_time_us: u64,
    /// The file is full and ends with an index.
    pub complete: bool,
    /// What can't be read, in words.
    pub problem: Option<String>,
}

/// What a check of all files found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub segments: Vec<SegmentSummary>,
    pub blocks: u64,
    pub records: u64,
    /// Transactions whose commit was read.
    pub transactions: u64,
    pub rows: u64,
    /// Bytes at the end of the last file that are no whole block: a write in progress, or a torn tail that
    /// the next start cuts off.
    pub torn_bytes: u64,
    /// One sentence for everything that is wrong, with file, offset, records and what to do. Empty is good.
    pub problems: Vec<String>,
}

/// The segment files of a directory, the oldest first. A file that can't be read is listed with the reason.
pub fn list_segments(dir: &Path) -> Result<Vec<SegmentSummary>, StoreError> {
    let (segments, _) = list_files(&RealFs, dir)?;
    if segments.is_empty() {
        return Err(StoreError::NotFound { path: dir.to_owned() });
    }
    Ok(segments.values().map(|segment| summary(&RealFs, segment)).collect())
}

/// The registered consumers of a Store and the lowest record that each still needs.
pub fn list_consumers(dir: &Path) -> Result<Vec<(String, Sequence)>, StoreError> {
    Ok(Consumers::load(&RealFs, dir)?.all())
}

fn summary(fs: &dyn Fs, segment: &Segment) -> SegmentSummary {
    let mut summary = SegmentSummary {
        path: segment.path.clone(),
        bytes: 0,
        first: Sequence(segment.first_sequence),
        end: Sequence(segment.first_sequence),
        position: String::new(),
        created_us: 0,
        max_time_us: 0,
        complete: false,
        problem: None,
    };
    let read = segment
        .open(fs)
        .and_then(|file| segment.len(file.as_ref()))
        .and_then(|bytes| Ok((bytes, segment.start(fs)?, segment.index(fs)?)));
    match read {
        Ok((bytes, start, loaded)) => {
            summary.bytes = bytes;
            summary.end = Sequence(loaded.index.end_sequence);
            summary.position = start.position.to_string();
            summary.created_us = start.header.created_us;
            summary.max_time_us = loaded.index.max_time_us;
            summary.complete = loaded.complete;
            summary.problem = loaded.damage.as_ref().map(ToString::to_string);
        }
        Err(error) => {
            summary.bytes = std::fs::metadata(&segment.path).map_or(0, |metadata| metadata.len());
            summary.problem = Some(error.to_string());
        }
    }
    summary
}

/// Reads and decodes every record of every file.
pub fn verify(dir: &Path) -> Result<Report, StoreError> {
    let (segments, _) = list_files(&RealFs, dir)?;
    let Some(last) = segments.values().next_back() else {
        return Err(StoreError::NotFound { path: dir.to_owned() });
    };
    let mut report = Report::default();
    let mut previous: Option<(Arc<SegmentStart>, u64)> = None;
    for segment in segments.values() {
        let is_last = segment.first_sequence == last.first_sequence;
        let start = match segment.start(&RealFs) {
            Ok(start) => start,
            Err(error) => {
                report.problems.push(error.to_string());
                report.segments.push(summary(&RealFs, segment));
                previous = None;
                continue;
            }
        };
        if let Some((before, end)) = &previous {
            if before.header.store_id != start.header.store_id {
                report.problems.push(StoreError::ForeignSegment { path: segment.path.clone() }.to_string());
            } else if *end != start.header.previous_end {
                let (from, to) = (Sequence(*end), Sequence(segment.first_sequence));
                report
                    .problems
                    .push(StoreError::SegmentMissing { dir: dir.to_owned(), from, to }.to_string());
            }
        }
        let end = verify_file(segment, is_last, &mut report)?;
        previous = Some((start, end));
        let mut summary = summary(&RealFs, segment);
        if is_last && report.torn_bytes > 0 {
            // A torn tail isn't a damage.
            summary.problem = None;
        }
        report.segments.push(summary);
    }
    Ok(report)
}

/// Checks one file and returns the sequence after its last record, as far as later files can tell.
fn verify_file(segment: &Arc<Segment>, is_last: bool, report: &mut Report) -> Result<u64, StoreError> {
    let file = segment.open(&RealFs)?;
    let len = segment.len(file.as_ref())?;
    let (end, next) = whole_blocks(&RealFs, segment)?;
    let tail = Tail {
        segment: segment.first_sequence,
        offset: if is_last { end } else { len },
        next_sequence: next,
    };
    let start = segment.start(&RealFs)?;
    let alone = BTreeMap::from([(segment.first_sequence, segment.clone())]);
    let dir = segment.path.parent().unwrap_or(Path::new("."));
    let shared = Arc::new(view(dir, start.header.store_id, alone, tail)?);
    let mut cursor = Cursor::at_sequence(&shared, segment.first_sequence)?;
    let complete = segment.index(&RealFs)?.complete;
    if is_last && !complete && end < len {
        let mut scanner = BlockScanner::new(file, &segment.path);
        match check_not_durable(&mut scanner, end, len, next, WAS_WHOLE) {
            Ok(()) => report.torn_bytes = len - end,
            Err(StoreError::Damaged(damage)) => report.problems.push(StoreError::Damaged(damage).to_string()),
            Err(error) => return Err(error),
        }
    }
    loop {
        let mut counted = (0, 0, 0);
        let step = cursor.advance().and_then(|header| {
            let Some(header) = header else { return Ok(false) };
            cursor.decode(&header, Rows::From(0), |_, step| {
                if let Step::Record(_, record) = step {
                    counted.0 += 1;
                    match record {
                        LogRecord::Commit(_) => counted.1 += 1,
                        LogRecord::Rows(batch) => counted.2 += batch.ops.len() as u64,
                        _ => {}
                    }
                }
                Ok(())
            })?;
            Ok(true)
        });
        match step {
            Ok(true) => {
                report.blocks += 1;
                report.records += counted.0;
                report.transactions += counted.1;
                report.rows += counted.2;
            }
            Ok(false) => return Ok(next),
            Err(error) => {
                report.problems.push(error.to_string());
                // The file after this one knows where this one ended.
                return Ok(next_start(segment)?.unwrap_or(next));
            }
        }
    }
}

fn next_start(segment: &Segment) -> Result<Option<u64>, StoreError> {
    let dir = segment.path.parent().unwrap_or(Path::new("."));
    let (segments, _) = list_files(&RealFs, dir)?;
    let next = segments.range(segment.first_sequence.saturating_add(1)..).next();
    Ok(next.and_then(|(_, next)| next.start(&RealFs).ok()).map(|start| start.header.previous_end))
}

/// Where the last whole block of a file ends, and the sequence after it.
fn whole_blocks(fs: &dyn Fs, segment: &Segment) -> Result<(u64, u64), StoreError> {
    let file = segment.open(fs)?;
    let limit = segment.len(file.as_ref())?;
    let mut scanner = BlockScanner::new(file, &segment.path);
    let (mut at, mut next) = (SEGMENT_HEADER as u64, segment.first_sequence);
    let mut unpacker = Unpacker::default();
    while let Scanned::Block(header) = scanner.block_at(at, limit)? {
        if header.first_sequence != next || unpacker.unpack(&header, scanner.payload()).is_err() {
            break;
        }
        next = header.end_sequence();
        at += header.total_len();
    }
    Ok((at, next))
}

fn view(
    dir: &Path,
    store_id: [u8; 16],
    segments: BTreeMap<u64, Arc<Segment>>,
    tail: Tail,
) -> Result<Shared, StoreError> {
    let consumers = Consumers::load(&RealFs, dir)?;
    Ok(Shared::new(Arc::new(RealFs), dir, StoreOptions::default(), store_id, segments, tail, consumers))
}

/// Fails where the last file holds something behind its last whole block that was durable once: what ends
/// there is damaged, not torn.
fn check_tail(dir: &Path) -> Result<(), StoreError> {
    let (segments, _) = list_files(&RealFs, dir)?;
    let Some(last) = segments.values().next_back() else { return Ok(()) };
    if last.index(&RealFs)?.complete {
        return Ok(());
    }
    let file = last.open(&RealFs)?;
    let len = last.len(file.as_ref())?;
    let (end, next) = whole_blocks(&RealFs, last)?;
    check_not_durable(&mut BlockScanner::new(file, &last.path), end, len, next, WAS_WHOLE)
}

/// All that can be read of a directory.
fn view_all(dir: &Path) -> Result<Arc<Shared>, StoreError> {
    let (segments, _) = list_files(&RealFs, dir)?;
    let Some(last) = segments.values().next_back().cloned() else {
        return Err(StoreError::NotFound { path: dir.to_owned() });
    };
    let start = last.start(&RealFs)?;
    let (offset, next_sequence) = whole_blocks(&RealFs, &last)?;
    let tail = Tail { segment: last.first_sequence, offset, next_sequence };
    Ok(Arc::new(view(dir, start.header.store_id, segments, tail)?))
}

//! Opening the last segment file after whatever happened.
//!
//! All blocks of the last file are read and their checksums checked; what the records say about positions,
//! table versions and an open transaction becomes the writer's state. The first block that can't be read is
//! either a torn tail (the process or machine died before `fdatasync` returned) and is cut off, or a damage:
//! a later block of the file says that these bytes were on disk once. A damage is an error and nothing is
//! cut. A damage within what the last flush wrote can't be told from a torn tail and is cut; the source's
//! log has it still, and the pull goes on from the transaction before.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use whimbrel_connector::Mutation;
use whimbrel_model::LogRecord;

use crate::active::ActiveFile;
use crate::catalogue::Catalogue;
use crate::consumers::write_full;
use crate::decode::{Decoder, Fault, Rows, Step};
use crate::error::{Damage, StoreError};
use crate::format::{BlockHeader, Payload, SEGMENT_HEADER, SegmentHeader, TRAILER, flags, read_trailer};
use crate::fs::{Fs, FsFile, read_full};
use crate::pack::Unpacker;
use crate::scan::{BlockScanner, Scanned};
use crate::segment::{Segment, SparseIndex, anchor_state, read_segment_header};
use crate::sequence::Sequence;
use crate::writer::LogState;

/// What was found and done when a Store was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The file whose torn tail was cut off, and how many bytes.
    pub cut: Option<(PathBuf, u64)>,
    /// A transaction was open at the end; the next pull ends it with an abort.
    pub open_transaction: bool,
    /// Consumers had acknowledged records that the disk lost; numbering goes on after them.
    pub lost_acknowledged: bool,
}

/// The last segment file, read.
pub(crate) struct RecoveredTail {
    pub header: SegmentHeader,
    pub state: LogState,
    pub cut_bytes: u64,
    /// Bytes of the file, all durable.
    pub len: u64,
    /// `None` where the file is full.
    pub active: Option<ActiveFile>,
}

/// The records of a file as they become a writer's state.
struct Replay {
    decoder: Decoder,
    catalogue: Catalogue,
    index: SparseIndex,
    last_block: u64,
    /// As much of the file was on disk for certain.
    synced: u64,
}

enum Ending {
    /// The last whole block ends here, with what comes after it.
    Open { at: u64, bad: Option<Fault> },
    /// The index block was reached.
    Full { index_at: u64, header: BlockHeader },
}

/// Reads the last segment file, cuts off a torn tail, and makes the rest durable.
pub(crate) fn recover(fs: &dyn Fs, segment: &Arc<Segment>) -> Result<RecoveredTail, StoreError> {
    let path = &segment.path;
    let file = fs.open(path).map_err(StoreError::io("open", path))?;
    let header = read_segment_header(path, file.as_ref(), segment.first_sequence)?;
    let len = segment.len(file.as_ref())?;
    let mut scanner = BlockScanner::new(file.clone(), path);
    let mut replay = Replay {
        decoder: Decoder::default(),
        catalogue: Catalogue::default(),
        index: SparseIndex { v: 1, end_sequence: header.first_sequence, ..SparseIndex::default() },
        last_block: SEGMENT_HEADER as u64,
        synced: SEGMENT_HEADER as u64,
    };
    let ending = replay.run(path, &mut scanner, len)?;
    let (end, full) = match ending {
        Ending::Full { index_at, header } if trailer_is_whole(file.as_ref(), index_at, &header, len) => {
            (len, true)
        }
        Ending::Full { index_at, .. } => (index_at, false),
        Ending::Open { at, bad } => {
            if let Some(what) = bad {
                check_not_durable(&mut scanner, at, len, replay.index.end_sequence, what)?;
            }
            (at, false)
        }
    };
    if replay.decoder.position.is_none() {
        // A file gets its name only with a whole snapshot in it.
        let what = "the file doesn't begin with a snapshot";
        return Err(StoreError::Damaged(scanner.damage(end, len, header.first_sequence, what)?));
    }
    if end < len {
        file.set_len(end).map_err(StoreError::io("truncate", path))?;
    }
    // The process may have died between write and fdatasync: the pages may still be only in memory. And where an
    // fdatasync had failed before it died, the kernel calls them clean and would never write them: only what is written
    // anew is.
    if !Mutation::NoRewriteAtRecovery.active() {
        write_again(file.as_ref(), replay.synced.min(end), end).map_err(StoreError::io("write", path))?;
    }
    file.sync_data().map_err(StoreError::io("sync", path))?;
    replay.finish(segment, file, header, end, len, full)
}

impl Replay {
    fn run(&mut self, path: &Path, scanner: &mut BlockScanner, limit: u64) -> Result<Ending, StoreError> {
        let mut at = SEGMENT_HEADER as u64;
        let mut unpacker = Unpacker::default();
        loop {
            let block = match scanner.block_at(at, limit)? {
                Scanned::Block(block) => block,
                Scanned::Index(header) => return Ok(Ending::Full { index_at: at, header }),
                Scanned::End => return Ok(Ending::Open { at, bad: None }),
                Scanned::Bad(what) => return Ok(Ending::Open { at, bad: Some(what) }),
            };
            let payload = match unpacker.unpack(&block, scanner.payload()) {
                Ok(payload) => payload,
                Err(what) => return Ok(Ending::Open { at, bad: Some(what) }),
            };
            // With its checksum right, a block that can't be understood was written so: never cut it.
            self.block(&block, payload, at).map_err(|what| {
                StoreError::Damaged(Damage {
                    path: path.to_owned(),
                    offset: at,
                    first: Sequence(self.index.end_sequence),
                    readable_again: None,
                    what: what.to_owned(),
                })
            })?;
            self.last_block = at;
            self.synced = self.synced.max(block.synced);
            at += block.total_len();
        }
    }

    fn block(&mut self, block: &BlockHeader, payload: Payload<'_>, at: u64) -> Result<(), Fault> {
        if block.first_sequence != self.index.end_sequence {
            return Err("sequence of a block");
        }
        if block.has(flags::ANCHOR) {
            let (position, in_transaction) = anchor_state(payload.records).ok_or("an anchor record")?;
            if self.index.anchors.is_empty() {
                self.index.max_time_us = block.max_time_us;
            }
            self.index.add_anchor(at, block.first_sequence, position, in_transaction);
        }
        let catalogue = &mut self.catalogue;
        self.decoder.block(block, payload, Rows::Skip, |_, step| {
            match step {
                Step::Define { version, current } => catalogue.restore(&version, current),
                Step::Pending(effects) => catalogue.restore_pending(effects),
                Step::Record(_, LogRecord::Ddl(ddl)) => drop(catalogue.ddl_versions(&ddl)),
                Step::Record(_, LogRecord::Commit(_)) => catalogue.commit(),
                Step::Record(_, LogRecord::Abort) => catalogue.abort(),
                Step::Record(..) | Step::Skipped | Step::Anchor => {}
            }
            Ok::<(), Fault>(())
        })?;
        self.index.add_block(at, block.flags, block.end_sequence(), block.max_time_us);
        Ok(())
    }

    fn finish(
        self,
        segment: &Arc<Segment>,
        file: Arc<dyn FsFile>,
        header: SegmentHeader,
        end: u64,
        len: u64,
        full: bool,
    ) -> Result<RecoveredTail, StoreError> {
        let Self { decoder, catalogue, index, last_block, .. } = self;
        let (max_time_us, next_sequence) = (index.max_time_us, index.end_sequence);
        let active = if full {
            None
        } else {
            segment.grow(index);
            Some(ActiveFile::new(segment.clone(), header.version, file, end, last_block))
        };
        let position = decoder.position.ok_or_else(|| StoreError::NotFound { path: segment.path.clone() })?;
        let state = LogState { catalogue, position, open: decoder.open, max_time_us, next_sequence };
        Ok(RecoveredTail { header, state, cut_bytes: len - end, len: end, active })
    }
}

/// Writes a part of a file as it is.
fn write_again(file: &dyn FsFile, mut from: u64, to: u64) -> std::io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    while from < to {
        let wanted = usize::try_from(to - from).unwrap_or(usize::MAX).min(buffer.len());
        let Some(part) = buffer.get_mut(..wanted) else { break };
        let read = read_full(file, part, from)?;
        if read < wanted {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        write_full(file, part, from)?;
        from += wanted as u64;
    }
    Ok(())
}

/// True where the index block at `index_at` is whole and the trailer that ends the file points to it. The
/// index is made anew where it isn't.
fn trailer_is_whole(file: &dyn FsFile, index_at: u64, header: &BlockHeader, len: u64) -> bool {
    let trailer_at = index_at + header.total_len();
    let mut bytes = [0; TRAILER];
    trailer_at + TRAILER as u64 == len
        && read_full(file, &mut bytes, trailer_at).is_ok_and(|read| read == TRAILER)
        && read_trailer(&bytes) == Some(index_at)
}

/// Fails where a block behind `at` says that what is at `at` was durable once.
pub(crate) fn check_not_durable(
    scanner: &mut BlockScanner,
    at: u64,
    limit: u64,
    first: u64,
    what: Fault,
) -> Result<(), StoreError> {
    let mut from = at;
    while let Some((found, header)) = scanner.block_after(from, limit)? {
        if header.synced > at {
            return Err(StoreError::Damaged(scanner.damage(at, limit, first, what)?));
        }
        from = found;
    }
    Ok(())
}

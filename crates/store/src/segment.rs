//! One segment file as readers see it: its header, its first anchor, and the sparse index.
//!
//! The index has an entry about every mebibyte of the file, where an anchor stands, and the offsets of the
//! blocks that define table versions. A full file ends with it; for a file that is being written, or whose
//! index is missing or damaged, it is made by a scan. Payload of the index block:
//!
//! ```text
//! JSON {"v":1, "end_sequence", "max_time_us", "anchors":[{"offset","sequence","max_time_us","position",
//!       "in_transaction"}], "schema_blocks":[offset]}
//! ```

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use whimbrel_model::Position;

use crate::decode::{Decoder, Fault, Rows};
use crate::error::{Damage, StoreError};
use crate::format::{
    BLOCK_HEADER, HeaderFault, SEGMENT_HEADER, SegmentHeader, TRAILER, VERSION, flags, read_trailer,
};
use crate::fs::{Fs, FsFile, read_full};
use crate::pack::Unpacker;
use crate::scan::{BlockScanner, Scanned};
use crate::sequence::Sequence;

/// A place where reading can begin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct IndexAnchor {
    pub offset: u64,
    /// First sequence of the anchor's block.
    pub sequence: u64,
    /// The latest commit time before the anchor.
    pub max_time_us: u64,
    /// The position before the anchor.
    pub position: Position,
    /// The anchor stands within a transaction, whose begin is before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_transaction: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SparseIndex {
    pub v: u32,
    /// The sequence after the last record.
    pub end_sequence: u64,
    pub max_time_us: u64,
    pub anchors: Vec<IndexAnchor>,
    pub schema_blocks: Vec<u64>,
}

/// A file's index as far as it could be read.
#[derive(Debug)]
pub(crate) struct LoadedIndex {
    pub index: SparseIndex,
    /// It was in the file, which is full then.
    pub complete: bool,
    /// What ended a scan before the file's end.
    pub damage: Option<Damage>,
}

/// A segment file of a Store.
#[derive(Debug)]
pub(crate) struct Segment {
    pub first_sequence: u64,
    pub path: PathBuf,
    start: OnceLock<Arc<SegmentStart>>,
    /// Of a file that isn't written any more.
    loaded: OnceLock<Arc<LoadedIndex>>,
    /// Bytes of a file that isn't written any more.
    sealed_len: OnceLock<u64>,
    /// Of the file that is being written.
    growing: Mutex<Option<SparseIndex>>,
}

/// How a segment file begins.
#[derive(Clone, Debug)]
pub(crate) struct SegmentStart {
    pub header: SegmentHeader,
    /// The latest commit time before this file.
    pub max_time_us: u64,
    pub position: Position,
    pub in_transaction: bool,
}

impl Segment {
    pub fn new(dir: &Path, name: &str, first_sequence: u64) -> Self {
        Self {
            first_sequence,
            path: dir.join(name),
            start: OnceLock::new(),
            loaded: OnceLock::new(),
            sealed_len: OnceLock::new(),
            growing: Mutex::new(None),
        }
    }

    pub fn open(&self, fs: &dyn Fs) -> Result<Arc<dyn FsFile>, StoreError> {
        fs.open_read(&self.path).map_err(StoreError::io("open", &self.path))
    }

    pub fn len(&self, file: &dyn FsFile) -> Result<u64, StoreError> {
        file.len().map_err(StoreError::io("read", &self.path))
    }

    /// Bytes of a file that isn't written any more; kept once asked for.
    pub fn sealed_len(&self, fs: &dyn Fs) -> Result<u64, StoreError> {
        if let Some(len) = self.sealed_len.get() {
            return Ok(*len);
        }
        let len = self.len(self.open(fs)?.as_ref())?;
        Ok(*self.sealed_len.get_or_init(|| len))
    }

    /// Header and first anchor; kept once read.
    pub fn start(&self, fs: &dyn Fs) -> Result<Arc<SegmentStart>, StoreError> {
        if let Some(start) = self.start.get() {
            return Ok(start.clone());
        }
        let file = self.open(fs)?;
        let start = Arc::new(self.read_start(&file)?);
        Ok(self.start.get_or_init(|| start).clone())
    }

    fn read_start(&self, file: &Arc<dyn FsFile>) -> Result<SegmentStart, StoreError> {
        let header = read_segment_header(&self.path, file.as_ref(), self.first_sequence)?;
        let limit = self.len(file.as_ref())?;
        let mut scanner = BlockScanner::new(file.clone(), &self.path);
        let offset = SEGMENT_HEADER as u64;
        let bad = |scanner: &mut BlockScanner, what: &str| {
            Err(StoreError::Damaged(scanner.damage(offset, limit, self.first_sequence, what)?))
        };
        let block = match scanner.block_at(offset, limit)? {
            Scanned::Block(block) if block.has(flags::ANCHOR) => block,
            Scanned::Bad(what) => return bad(&mut scanner, what),
            _ => return bad(&mut scanner, "the file doesn't begin with a snapshot"),
        };
        let (mut unpacker, mut decoder) = (Unpacker::default(), Decoder::default());
        let decoded = unpacker
            .unpack(&block, scanner.payload())
            .and_then(|payload| decoder.block(&block, payload, Rows::Skip, |_, _| Ok::<(), Fault>(())));
        match (decoded, decoder.position) {
            (Ok(()), Some(position)) => {
                let in_transaction = decoder.open.is_some();
                Ok(SegmentStart { header, max_time_us: block.max_time_us, position, in_transaction })
            }
            (Err(what), _) => bad(&mut scanner, what),
            (Ok(()), None) => bad(&mut scanner, "the file doesn't begin with a snapshot"),
        }
    }

    /// The index: of a growing file a copy of what is known, else read or made and kept.
    pub fn index(&self, fs: &dyn Fs) -> Result<Arc<LoadedIndex>, StoreError> {
        if let Some(index) = self.growing().as_ref() {
            return Ok(Arc::new(LoadedIndex { index: index.clone(), complete: false, damage: None }));
        }
        if let Some(loaded) = self.loaded.get() {
            return Ok(loaded.clone());
        }
        let file = self.open(fs)?;
        let loaded = match self.read_index(&file)? {
            Some(index) => LoadedIndex { index, complete: true, damage: None },
            None => self.scan_index(&file)?,
        };
        Ok(self.loaded.get_or_init(|| Arc::new(loaded)).clone())
    }

    fn growing(&self) -> std::sync::MutexGuard<'_, Option<SparseIndex>> {
        self.growing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes this the file that is being written, with the index of what is in it.
    pub fn grow(&self, index: SparseIndex) {
        *self.growing() = Some(index);
    }

    pub fn update_index(&self, update: impl FnOnce(&mut SparseIndex)) {
        if let Some(index) = self.growing().as_mut() {
            update(index);
        }
    }

    /// The file is full: its index doesn't change any more.
    pub fn seal(&self) {
        if let Some(index) = self.growing().take() {
            self.loaded.get_or_init(|| Arc::new(LoadedIndex { index, complete: true, damage: None }));
        }
    }

    /// The index block of a full file; `None` where it is missing or damaged.
    fn read_index(&self, file: &Arc<dyn FsFile>) -> Result<Option<SparseIndex>, StoreError> {
        let len = self.len(file.as_ref())?;
        let mut trailer = [0; TRAILER];
        let Some(at) = len.checked_sub(TRAILER as u64) else { return Ok(None) };
        read_full(file.as_ref(), &mut trailer, at).map_err(StoreError::io("read", &self.path))?;
        let Some(offset) = read_trailer(&trailer) else { return Ok(None) };
        let mut scanner = BlockScanner::new(file.clone(), &self.path);
        let Scanned::Index(header) = scanner.block_at(offset, at)? else { return Ok(None) };
        let mut unpacker = Unpacker::default();
        let Ok(payload) = unpacker.unpack(&header, scanner.payload()) else { return Ok(None) };
        Ok(serde_json::from_slice(payload.records).ok().filter(|index: &SparseIndex| index.v == 1))
    }

    /// Makes the index from the blocks, up to the first one that can't be read.
    fn scan_index(&self, file: &Arc<dyn FsFile>) -> Result<LoadedIndex, StoreError> {
        let limit = self.len(file.as_ref())?;
        let start =
            self.start.get().cloned().map_or_else(|| self.read_start(file), |start| Ok((*start).clone()))?;
        let mut index = SparseIndex {
            v: 1,
            end_sequence: start.header.first_sequence,
            max_time_us: start.max_time_us,
            ..SparseIndex::default()
        };
        let mut scanner = BlockScanner::new(file.clone(), &self.path);
        let (mut offset, mut unpacker) = (SEGMENT_HEADER as u64, Unpacker::default());
        let damage = loop {
            let header = match scanner.block_at(offset, limit)? {
                Scanned::Block(header) if header.first_sequence == index.end_sequence => header,
                Scanned::Block(_) => break Some("sequence of a block"),
                Scanned::Index(_) | Scanned::End => break None,
                Scanned::Bad(what) => break Some(what),
            };
            let payload = match unpacker.unpack(&header, scanner.payload()) {
                Ok(payload) => payload,
                Err(what) => break Some(what),
            };
            if header.has(flags::ANCHOR) {
                match anchor_state(payload.records) {
                    Some((position, open)) => {
                        index.add_anchor(offset, header.first_sequence, position, open);
                    }
                    None => break Some("an anchor record"),
                }
            }
            index.add_block(offset, header.flags, header.end_sequence(), header.max_time_us);
            offset += header.total_len();
        };
        let damage = match damage {
            Some(what) => Some(scanner.damage(offset, limit, index.end_sequence, what)?),
            None => None,
        };
        Ok(LoadedIndex { index, complete: false, damage })
    }
}

/// The position of the anchor that a block's records begin with, and whether it is within a transaction.
pub(crate) fn anchor_state(records: &[u8]) -> Option<(Position, bool)> {
    let mut decoder = Decoder::default();
    decoder.first_anchor(records)?;
    let in_transaction = decoder.open.is_some();
    decoder.position.map(|position| (position, in_transaction))
}

impl SparseIndex {
    /// Notes the anchor of a block, before the block itself.
    pub fn add_anchor(&mut self, offset: u64, sequence: u64, position: Position, in_transaction: bool) {
        let max_time_us = self.max_time_us;
        self.anchors.push(IndexAnchor { offset, sequence, max_time_us, position, in_transaction });
    }

    pub fn add_block(&mut self, offset: u64, block_flags: u8, end_sequence: u64, max_time_us: u64) {
        if block_flags & flags::SCHEMA != 0 {
            self.schema_blocks.push(offset);
        }
        self.end_sequence = end_sequence;
        self.max_time_us = max_time_us;
    }
}

pub(crate) fn read_segment_header(
    path: &Path,
    file: &dyn FsFile,
    first_sequence: u64,
) -> Result<SegmentHeader, StoreError> {
    let mut bytes = [0; SEGMENT_HEADER];
    let read = read_full(file, &mut bytes, 0).map_err(StoreError::io("read", path))?;
    let header = match SegmentHeader::read(bytes.get(..read).unwrap_or_default()) {
        Ok(header) => header,
        Err(HeaderFault::Version(version)) => {
            return Err(StoreError::UnknownFormat { path: path.to_owned(), version, supported: VERSION });
        }
        Err(HeaderFault::Damaged(what)) => return Err(damaged_header(path, first_sequence, what)),
    };
    if header.first_sequence != first_sequence {
        return Err(damaged_header(
            path,
            first_sequence,
            "the file's name and header name different records",
        ));
    }
    Ok(header)
}

fn damaged_header(path: &Path, first_sequence: u64, what: &str) -> StoreError {
    StoreError::Damaged(Damage {
        path: path.to_owned(),
        offset: 0,
        first: Sequence(first_sequence),
        readable_again: None,
        what: what.to_owned(),
    })
}

const _: () = assert!(BLOCK_HEADER > TRAILER, "a trailer is never taken for a block");

//! Walking through the blocks of a Store from some record on, over file ends, up to what is durable.
//!
//! Blocking; one block is in memory at a time.

use std::sync::Arc;

use crate::decode::{Decoder, Fault, Rows, Step};
use crate::error::StoreError;
use crate::format::{BlockHeader, SEGMENT_HEADER};
use crate::fs::FsFile;
use crate::pack::Unpacker;
use crate::scan::{BlockScanner, Scanned};
use crate::segment::{IndexAnchor, Segment};
use crate::sequence::Sequence;
use crate::shared::Shared;

#[derive(Debug)]
pub(crate) struct Cursor {
    shared: Arc<Shared>,
    segment: Arc<Segment>,
    file: Arc<dyn FsFile>,
    scanner: BlockScanner,
    /// Of the next block.
    offset: u64,
    /// First sequence of the next block.
    expected: u64,
    pub decoder: Decoder,
    unpacker: Unpacker,
}

impl Cursor {
    /// Stands at the last anchor at or before a record.
    pub fn at_sequence(shared: &Arc<Shared>, sequence: u64) -> Result<Self, StoreError> {
        let next = shared.tail().next_sequence;
        if sequence > next {
            return Err(StoreError::SequenceAhead { wanted: Sequence(sequence), next: Sequence(next) });
        }
        let wanted = || format!("record {sequence}");
        let segment = shared.segment_of(sequence).ok_or_else(|| shared.gone(wanted()))?;
        let anchors = durable_anchors(shared, &segment).map_err(|error| removed(shared, error, wanted))?;
        let before = anchors.iter().rev().find(|anchor| anchor.sequence <= sequence);
        match before.or(anchors.first()) {
            Some(anchor) => {
                Self::at_anchor(shared, segment, anchor).map_err(|error| removed(shared, error, wanted))
            }
            // Not even the first block can be read; this names what is wrong.
            None => match segment.start(shared.fs.as_ref()) {
                Err(error) => Err(error),
                Ok(_) => Err(shared.gone(wanted())),
            },
        }
    }

    /// Stands at an anchor, knowing the table versions that the file defines before it.
    pub fn at_anchor(
        shared: &Arc<Shared>,
        segment: Arc<Segment>,
        anchor: &IndexAnchor,
    ) -> Result<Self, StoreError> {
        let file = segment.open(shared.fs.as_ref())?;
        let mut cursor = Self {
            shared: shared.clone(),
            scanner: BlockScanner::new(file.clone(), &segment.path),
            file,
            offset: anchor.offset,
            expected: anchor.sequence,
            decoder: Decoder::default(),
            unpacker: Unpacker::default(),
            segment,
        };
        let loaded = cursor.segment.index(shared.fs.as_ref())?;
        for &offset in loaded.index.schema_blocks.iter().filter(|offset| **offset < anchor.offset) {
            cursor.load_definitions(offset)?;
        }
        Ok(cursor)
    }

    fn load_definitions(&mut self, offset: u64) -> Result<(), StoreError> {
        let limit = self.limit()?.unwrap_or(offset);
        let fault = match self.scanner.block_at(offset, limit)? {
            Scanned::Block(header) => self
                .unpacker
                .unpack(&header, self.scanner.payload())
                .and_then(|payload| self.decoder.definitions(payload.records)),
            Scanned::Bad(what) => Err(what),
            Scanned::Index(_) | Scanned::End => Err("a block that the index names"),
        };
        fault.or_else(|what| {
            Err(StoreError::Damaged(self.scanner.damage(offset, limit, self.expected, what)?))
        })
    }

    /// How far this file may be read; `None` before the writer has made it known.
    fn limit(&self) -> Result<Option<u64>, StoreError> {
        let tail = self.shared.tail();
        match self.segment.first_sequence.cmp(&tail.segment) {
            std::cmp::Ordering::Less => self.segment.len(self.file.as_ref()).map(Some),
            std::cmp::Ordering::Equal => Ok(Some(tail.offset)),
            std::cmp::Ordering::Greater => Ok(None),
        }
    }

    /// Reads the next block; `None` at the end of what is durable. After an error the same place is tried
    /// again.
    pub fn advance(&mut self) -> Result<Option<BlockHeader>, StoreError> {
        loop {
            // Asked before the block is looked for: the file after this one exists only once it is full.
            let next = self.shared.segment_after(self.segment.first_sequence);
            let Some(limit) = self.limit()? else { return Ok(None) };
            match self.scanner.block_at(self.offset, limit)? {
                Scanned::Block(header) if header.first_sequence == self.expected => {
                    self.offset += header.total_len();
                    self.expected = header.end_sequence();
                    return Ok(Some(header));
                }
                Scanned::Block(_) => return Err(self.damaged(limit, "sequence of a block")?),
                Scanned::Bad(what) => return Err(self.damaged(limit, what)?),
                Scanned::Index(_) | Scanned::End => match next {
                    Some(next) => self.enter(next)?,
                    None => return Ok(None),
                },
            }
        }
    }

    fn damaged(&mut self, limit: u64, what: &str) -> Result<StoreError, StoreError> {
        Ok(StoreError::Damaged(self.scanner.damage(self.offset, limit, self.expected, what)?))
    }

    /// Goes on with the next file.
    fn enter(&mut self, next: Arc<Segment>) -> Result<(), StoreError> {
        let wanted = || format!("record {}", self.expected);
        let fs = self.shared.fs.as_ref();
        let opened = next.start(fs).and_then(|start| Ok((start, next.open(fs)?)));
        let (start, file) = opened.map_err(|error| removed(&self.shared, error, wanted))?;
        if start.header.store_id != self.shared.store_id {
            return Err(StoreError::ForeignSegment { path: next.path.clone() });
        }
        if start.header.previous_end != self.expected {
            let oldest = self.shared.oldest().map(|oldest| oldest.first_sequence);
            if oldest == Some(next.first_sequence) {
                return Err(self.shared.gone(wanted()));
            }
            return Err(StoreError::SegmentMissing {
                dir: self.shared.dir.clone(),
                from: Sequence(self.expected),
                to: Sequence(next.first_sequence),
            });
        }
        self.scanner = BlockScanner::new(file.clone(), &next.path);
        self.file = file;
        self.offset = SEGMENT_HEADER as u64;
        self.expected = start.header.first_sequence;
        self.segment = next;
        Ok(())
    }

    /// Decodes the block that [`Cursor::advance`] read. Where that fails, the cursor stands before it again.
    pub fn decode(
        &mut self,
        header: &BlockHeader,
        rows: Rows,
        step: impl FnMut(&Decoder, Step) -> Result<(), Fault>,
    ) -> Result<(), StoreError> {
        let decoded = self
            .unpacker
            .unpack(header, self.scanner.payload())
            .and_then(|payload| self.decoder.block(header, payload, rows, step));
        decoded.or_else(|what| {
            self.offset -= header.total_len();
            self.expected = header.first_sequence;
            let limit = self.limit()?.unwrap_or(self.offset);
            Err(self.damaged(limit, what)?)
        })
    }

    /// Header and stored payload of the block that [`Cursor::advance`] read.
    pub fn raw_block(&self) -> &[u8] {
        self.scanner.raw_block()
    }
}

/// The anchors of a file that readers may use.
pub(crate) fn durable_anchors(shared: &Shared, segment: &Segment) -> Result<Vec<IndexAnchor>, StoreError> {
    let tail = shared.tail();
    let loaded = segment.index(shared.fs.as_ref())?;
    let durable = |anchor: &&IndexAnchor| {
        segment.first_sequence < tail.segment
            || (segment.first_sequence == tail.segment && anchor.offset < tail.offset)
    };
    Ok(loaded.index.anchors.iter().filter(durable).cloned().collect())
}

/// A file that retention removed while it was being opened is gone, not broken.
pub(crate) fn removed(shared: &Shared, error: StoreError, wanted: impl FnOnce() -> String) -> StoreError {
    match &error {
        StoreError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            shared.gone(wanted())
        }
        _ => error,
    }
}

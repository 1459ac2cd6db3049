//! Reading blocks out of one segment file, in order, with as few system calls as small blocks allow.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Damage, StoreError};
use crate::format::{BLOCK_HEADER, BLOCK_MAGIC, BlockHeader, flags};
use crate::fs::{FsFile, read_full};
use crate::sequence::Sequence;

/// Small reads are rounded up to this many bytes.
const READ_AHEAD: usize = 128 << 10;

/// What stands at an offset.
#[derive(Debug)]
pub(crate) enum Scanned {
    /// A block, whose payload [`BlockScanner::payload`] now holds. Its checksum isn't checked yet.
    Block(BlockHeader),
    /// The index block of a full file: no more records.
    Index(BlockHeader),
    /// Nothing more up to the limit.
    End,
    /// No block that can be read.
    Bad(&'static str),
}

#[derive(Debug)]
pub(crate) struct BlockScanner {
    file: Arc<dyn FsFile>,
    path: PathBuf,
    buffer: Vec<u8>,
    /// Offset in the file of the buffer's first byte.
    buffer_at: u64,
    /// Where in the buffer the last block's payload is.
    payload: std::ops::Range<usize>,
}

impl BlockScanner {
    pub fn new(file: Arc<dyn FsFile>, path: &Path) -> Self {
        Self { file, path: path.to_owned(), buffer: Vec::new(), buffer_at: 0, payload: 0..0 }
    }

    /// Reads the block at an offset; `limit` is the end of what may be read.
    pub fn block_at(&mut self, offset: u64, limit: u64) -> Result<Scanned, StoreError> {
        let Some(header) = self.header_at(offset, limit)? else { return Ok(Scanned::End) };
        let header = match header {
            Ok(header) => header,
            Err(what) => return Ok(Scanned::Bad(what)),
        };
        let end = offset.saturating_add(header.total_len());
        if end > limit {
            return Ok(Scanned::Bad("a block is cut short"));
        }
        let from = self.fill(offset, header.total_len() as usize, limit)?;
        self.payload = from + BLOCK_HEADER..from + header.total_len() as usize;
        if self.buffer.len() < self.payload.end {
            return Ok(Scanned::Bad("a block is cut short"));
        }
        Ok(if header.has(flags::INDEX) { Scanned::Index(header) } else { Scanned::Block(header) })
    }

    /// Reads only the header of the block at an offset; `None` at the limit.
    pub fn header_at(
        &mut self,
        offset: u64,
        limit: u64,
    ) -> Result<Option<Result<BlockHeader, &'static str>>, StoreError> {
        if offset >= limit {
            return Ok(None);
        }
        let from = self.fill(offset, BLOCK_HEADER, limit)?;
        Ok(Some(BlockHeader::read(self.buffer.get(from..).unwrap_or_default())))
    }

    /// The stored payload of the block that was read last.
    pub fn payload(&self) -> &[u8] {
        self.buffer.get(self.payload.clone()).unwrap_or_default()
    }

    /// Header and stored payload of the block that was read last.
    pub fn raw_block(&self) -> &[u8] {
        self.buffer.get(self.payload.start.saturating_sub(BLOCK_HEADER)..self.payload.end).unwrap_or_default()
    }

    /// Makes the buffer hold `len` bytes at `offset` (fewer at the limit) and says where in the buffer.
    fn fill(&mut self, offset: u64, len: usize, limit: u64) -> Result<usize, StoreError> {
        let buffered = offset >= self.buffer_at
            && offset.saturating_add(len as u64) <= self.buffer_at + self.buffer.len() as u64;
        if !buffered {
            let wanted = len.max(READ_AHEAD).min(usize::try_from(limit - offset).unwrap_or(usize::MAX));
            if self.buffer.capacity() > 4 * READ_AHEAD && wanted <= READ_AHEAD {
                self.buffer = Vec::new();
            }
            self.buffer.resize(wanted, 0);
            self.buffer_at = offset;
            let read = read_full(self.file.as_ref(), &mut self.buffer, offset)
                .map_err(StoreError::io("read", &self.path));
            self.buffer.truncate(*read.as_ref().unwrap_or(&0));
            read?;
        }
        Ok((offset - self.buffer_at) as usize)
    }

    /// Looks behind a bad place for a whole block.
    pub fn block_after(&mut self, offset: u64, limit: u64) -> Result<Option<(u64, BlockHeader)>, StoreError> {
        let mut at = offset.saturating_add(1);
        while at.saturating_add(BLOCK_HEADER as u64) <= limit {
            let from = self.fill(at, READ_AHEAD.min((limit - at) as usize), limit)?;
            let window = self.buffer.get(from..).unwrap_or_default();
            if window.len() < BLOCK_HEADER {
                return Ok(None);
            }
            let found = window.windows(BLOCK_MAGIC.len()).position(|bytes| bytes == BLOCK_MAGIC);
            let Some(found) = found else {
                // The magic may lie across the window's end.
                at += (window.len() - (BLOCK_MAGIC.len() - 1)) as u64;
                continue;
            };
            at += found as u64;
            if let Scanned::Block(header) | Scanned::Index(header) = self.block_at(at, limit)?
                && crc32fast::hash(self.payload()) == header.payload_crc
            {
                return Ok(Some((at, header)));
            }
            at += 1;
        }
        Ok(None)
    }

    /// Describes a bad place, with the first record that can be read again.
    pub fn damage(&mut self, offset: u64, limit: u64, first: u64, what: &str) -> Result<Damage, StoreError> {
        let again = self.block_after(offset, limit)?;
        Ok(Damage {
            path: self.path.clone(),
            offset,
            first: Sequence(first),
            readable_again: again.map(|(_, header)| Sequence(header.first_sequence)),
            what: what.to_owned(),
        })
    }
}

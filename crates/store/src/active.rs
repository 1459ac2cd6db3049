//! The segment file that is being written.
//!
//! Everything that was written since the last good `fdatasync` is also kept in memory (the options bound
//! it). So a full disk or a failed write loses nothing: what doesn't fit is written again later. After a
//! failed `fdatasync` the kernel may have dropped the pages and call the file clean, so the descriptor is
//! thrown away, the file is cut back to what is known to be durable, that part's last block is read back and
//! checked, and the rest is written again through a new descriptor.

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::StoreError;
use crate::fs::{Fs, FsFile, is_full};
use crate::scan::{BlockScanner, Scanned};
use crate::segment::Segment;
use crate::sequence::Sequence;
use whimbrel_connector::{FailPoint, Mutation};

#[derive(Debug)]
pub(crate) struct ActiveFile {
    pub segment: Arc<Segment>,
    /// The format version of the file's header: what is appended must be of it.
    pub format: u32,
    file: Arc<dyn FsFile>,
    /// Bytes that are on disk for certain.
    durable: u64,
    /// Bytes that were handed to the operating system.
    written: u64,
    /// The bytes from `durable` on.
    kept: Vec<u8>,
    /// Where the last durable block begins and each block after it.
    blocks: Vec<u64>,
    /// `fdatasync` or a cut failed: the descriptor isn't trusted any more.
    suspect: bool,
    /// The index was appended: nothing comes after it.
    pub finished: bool,
}

impl ActiveFile {
    /// A file of which everything up to `durable` is on disk; `last_block` is where its last block begins.
    pub fn new(
        segment: Arc<Segment>,
        format: u32,
        file: Arc<dyn FsFile>,
        durable: u64,
        last_block: u64,
    ) -> Self {
        Self {
            segment,
            format,
            file,
            durable,
            written: durable,
            kept: Vec::new(),
            blocks: vec![last_block],
            suspect: false,
            finished: false,
        }
    }

    fn path(&self) -> PathBuf {
        self.segment.path.clone()
    }

    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// Where the next block goes.
    pub fn end(&self) -> u64 {
        self.durable + self.kept.len() as u64
    }

    /// Bytes that aren't durable yet.
    pub fn kept_len(&self) -> usize {
        self.kept.len()
    }

    /// Lets `append` add a block (the index with its trailer) to what is to be written.
    pub fn append(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        self.blocks.push(self.end());
        append(&mut self.kept);
    }

    /// Hands everything to the operating system. Where that fails, what was written of a block that isn't
    /// whole is cut off, and the next call tries again.
    pub fn write_out(&mut self, fs: &dyn Fs, min_free_bytes: u64) -> Result<(), StoreError> {
        if self.suspect {
            self.reopen(fs)?;
        }
        let todo = self.end() - self.written;
        if todo == 0 {
            return Ok(());
        }
        check_room(fs, &self.path(), todo, min_free_bytes)?;
        while self.written < self.end() {
            let from = (self.written - self.durable) as usize;
            let rest = self.kept.get(from..).unwrap_or_default();
            match self.file.write_at(rest, self.written) {
                Ok(0) => return Err(self.write_failed(fs, std::io::ErrorKind::WriteZero.into())),
                Ok(count) => self.written = self.end().min(self.written + count as u64),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.write_failed(fs, error)),
            }
        }
        Ok(())
    }

    fn write_failed(&mut self, fs: &dyn Fs, error: std::io::Error) -> StoreError {
        let whole = self.blocks.iter().copied().filter(|start| *start <= self.written).max();
        let whole = whole.unwrap_or(self.durable).max(self.durable);
        self.written = whole;
        self.suspect |= self.file.set_len(whole).is_err();
        if is_full(&error) {
            disk_full(fs, &self.path(), self.end() - whole)
        } else {
            StoreError::io("write", self.path())(error)
        }
    }

    /// Makes all that was written durable.
    pub fn sync(&mut self, fs: &dyn Fs, min_free_bytes: u64) -> Result<(), StoreError> {
        self.write_out(fs, min_free_bytes)?;
        if self.kept.is_empty() {
            return Ok(());
        }
        FailPoint::BlocksWritten.reached();
        let synced = if Mutation::SkipBlockSync.active() { Ok(()) } else { self.file.sync_data() };
        if let Err(error) = synced
            && !Mutation::IgnoreFailedSync.active()
        {
            self.suspect = true;
            return Err(if is_full(&error) {
                disk_full(fs, &self.path(), self.kept.len() as u64)
            } else {
                StoreError::io("sync", self.path())(error)
            });
        }
        FailPoint::BlocksSynced.reached();
        self.durable = self.written;
        self.kept.clear();
        // One giant row must not keep its memory for ever.
        if self.kept.capacity() > 64 << 20 {
            self.kept = Vec::new();
        }
        let last = self.blocks.last().copied();
        self.blocks.clear();
        self.blocks.extend(last);
        Ok(())
    }

    fn reopen(&mut self, fs: &dyn Fs) -> Result<(), StoreError> {
        let path = self.path();
        let file = fs.open(&path).map_err(StoreError::io("open", &path))?;
        let len = file.len().map_err(StoreError::io("read", &path))?;
        let mut scanner = BlockScanner::new(file.clone(), &path);
        let last = self.blocks.first().copied().unwrap_or_default();
        let intact = match scanner.block_at(last, self.durable.min(len))? {
            Scanned::Block(header) | Scanned::Index(header) => {
                crc32fast::hash(scanner.payload()) == header.payload_crc
            }
            Scanned::End | Scanned::Bad(_) => false,
        };
        if !intact {
            return Err(StoreError::Damaged(crate::error::Damage {
                path,
                offset: last,
                first: Sequence(self.segment.first_sequence),
                readable_again: None,
                what: "what was durable changed after a failed write".to_owned(),
            }));
        }
        file.set_len(self.durable).map_err(StoreError::io("truncate", &path))?;
        self.file = file;
        self.written = self.durable;
        self.suspect = false;
        Ok(())
    }
}

/// Refuses where writing would leave less than `min_free_bytes`.
pub(crate) fn check_room(
    fs: &dyn Fs,
    path: &std::path::Path,
    needed: u64,
    min_free_bytes: u64,
) -> Result<(), StoreError> {
    if min_free_bytes == 0 {
        return Ok(());
    }
    let dir = path.parent().unwrap_or(path);
    let free = fs.free_space(dir).map_err(StoreError::io("ask for the free space of", dir))?;
    let needed_bytes = min_free_bytes.saturating_add(needed);
    if free >= needed_bytes {
        return Ok(());
    }
    Err(StoreError::DiskFull { path: dir.to_owned(), free_bytes: free, needed_bytes })
}

/// The error for a write that found no room.
pub(crate) fn disk_full(fs: &dyn Fs, path: &std::path::Path, needed_bytes: u64) -> StoreError {
    let dir = path.parent().unwrap_or(path);
    let free_bytes = fs.free_space(dir).unwrap_or(0);
    StoreError::DiskFull { path: dir.to_owned(), free_bytes, needed_bytes }
}

//! The writing end of a Store: one at a time, guarded by a lock on the directory.
//!
//! [`StoreWriter::append`] takes a record or refuses it: an error means that the record isn't in the Store
//! and may be appended again. What was accepted stays accepted; where the disk is full it waits in memory
//! (bounded by the options) and goes out by the next call that finds room. Consumers see a record only when
//! it is durable, that is after a [`StoreWriter::flush`] or after the options' `sync_bytes`.
//!
//! All calls block; the puller runs them on a thread of their own.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use whimbrel_connector::{FailPoint, Mutation};
use whimbrel_model::{Begin, ChangeBatch, LogRecord, Position, TableSchema};

use crate::active::{ActiveFile, check_room, disk_full};
use crate::catalogue::Catalogue;
use crate::consumers::write_full;
use crate::error::StoreError;
use crate::format::{MAX_PAYLOAD, Payload, SegmentHeader, VERSION, flags, segment_name, write_trailer};
use crate::fs::{Fs, LockGuard, is_full};
use crate::options::StoreOptions;
use crate::pack::{BlockFacts, Packer};
use crate::record::BlockBuilder;
use crate::segment::{Segment, SparseIndex};
use crate::sequence::Sequence;
use crate::shared::{Shared, Tail, now_us};

/// Where and with what a reader of the source's log goes on.
#[derive(Clone, Debug)]
pub struct ResumePoint {
    /// After the last transaction in the Store.
    pub position: Position,
    /// The definitions, valid there, of all tables that the Store knows.
    pub tables: Vec<TableSchema>,
    /// For `LogStart::next_table_version`.
    pub next_table_version: u64,
}

/// What the last record left behind.
#[derive(Debug)]
pub(crate) struct LogState {
    pub catalogue: Catalogue,
    /// After the last commit or heartbeat.
    pub position: Position,
    pub open: Option<Begin>,
    pub max_time_us: u64,
    pub next_sequence: u64,
}

/// The writing end of a Store.
#[derive(Debug)]
pub struct StoreWriter {
    shared: Arc<Shared>,
    _lock: LockGuard,
    state: LogState,
    block: BlockBuilder,
    /// Sequence of the first record of `block`.
    block_first: u64,
    /// The position before `block` and whether it is within a transaction, where it begins with an anchor.
    block_anchor: Option<(Position, bool)>,
    /// The sequence after the last record of the last block that was made.
    sealed_sequence: u64,
    active: Option<ActiveFile>,
    /// Where the last anchor of the active file stands.
    last_anchor: u64,
    /// The sequence jumps: the active file ends here.
    must_roll: bool,
    packer: Packer,
    last_sync: Instant,
    stored_bytes: u64,
}

impl StoreWriter {
    pub(crate) fn new(
        shared: Arc<Shared>,
        lock: LockGuard,
        state: LogState,
        sealed_sequence: u64,
        active: Option<ActiveFile>,
    ) -> Self {
        let packer = Packer::new(shared.options.compression);
        let last_anchor = active.as_ref().map_or(0, |active| last_anchor(shared.fs.as_ref(), active));
        Self {
            packer,
            shared,
            _lock: lock,
            block: BlockBuilder::default(),
            block_first: state.next_sequence,
            block_anchor: None,
            must_roll: state.next_sequence > sealed_sequence,
            sealed_sequence,
            state,
            active,
            last_anchor,
            last_sync: Instant::now(),
            stored_bytes: 0,
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The sequence that the next record gets.
    pub fn next_sequence(&self) -> Sequence {
        Sequence(self.state.next_sequence)
    }

    /// All records before this one are durable, and readers get them.
    pub fn durable_sequence(&self) -> Sequence {
        Sequence(self.shared.tail().next_sequence)
    }

    /// The position after the last commit or heartbeat that was accepted.
    pub fn position(&self) -> &Position {
        &self.state.position
    }

    /// True between a begin and its commit or abort.
    pub fn in_transaction(&self) -> bool {
        self.state.open.is_some()
    }

    /// Bytes that were made into blocks since this writer was opened, headers and compression included.
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// True where something was accepted that isn't durable.
    pub fn has_unsynced(&self) -> bool {
        !self.block.is_empty() || self.active.as_ref().is_some_and(|active| active.kept_len() > 0)
    }

    /// Time since the last `fdatasync`.
    pub fn since_sync(&self) -> Duration {
        self.last_sync.elapsed()
    }

    pub fn resume_point(&self) -> ResumePoint {
        ResumePoint {
            position: self.state.position.clone(),
            tables: self.state.catalogue.current_schemas(),
            next_table_version: self.state.catalogue.next_id(),
        }
    }

    /// Takes a record into the Store. On an error it isn't taken.
    pub fn append(&mut self, record: &LogRecord) -> Result<Sequence, StoreError> {
        self.check(record)?;
        self.make_room()?;
        if self.block.is_empty() {
            self.start_block();
        }
        self.encode(record);
        let sequence = Sequence(self.state.next_sequence);
        self.state.next_sequence += 1;
        Ok(sequence)
    }

    /// Ends a transaction that was left open (by a reader of the source's log that is gone).
    pub fn abort_open_transaction(&mut self) -> Result<(), StoreError> {
        if self.in_transaction() { self.append(&LogRecord::Abort).map(drop) } else { Ok(()) }
    }

    /// Makes all that was accepted durable and lets readers have it.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        if !self.block.is_empty() {
            self.seal_block();
        }
        self.sync()
    }

    fn check(&self, record: &LogRecord) -> Result<(), StoreError> {
        let open = self.in_transaction();
        let (name, needs_open) = match record {
            LogRecord::Begin(_) => ("a begin", false),
            LogRecord::Rows(batch) => {
                check_batch(batch)?;
                ("a batch of rows", true)
            }
            LogRecord::Ddl(_) => ("a DDL statement", true),
            LogRecord::Commit(_) => ("a commit", true),
            LogRecord::Abort => ("an abort", true),
            LogRecord::Heartbeat { .. } => ("a heartbeat", false),
        };
        match (open, needs_open) {
            (true, false) => Err(StoreError::OutOfOrder { record: name, state: "within a transaction" }),
            (false, true) => Err(StoreError::OutOfOrder { record: name, state: "outside of a transaction" }),
            _ => Ok(()),
        }
    }

    /// Gets full blocks out of the way, and an open file with room for the next one.
    fn make_room(&mut self) -> Result<(), StoreError> {
        if self.block.len() >= self.shared.options.block_bytes {
            self.seal_block();
        }
        let (min_free, sync_bytes) = (self.shared.options.min_free_bytes, self.shared.options.sync_bytes);
        if let Some(active) = &mut self.active {
            active.write_out(self.shared.fs.as_ref(), min_free)?;
            if active.kept_len() >= sync_bytes {
                self.sync()?;
            }
        }
        if self.block.is_empty() { self.roll() } else { Ok(()) }
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        let Some(active) = &mut self.active else { return Ok(()) };
        active.sync(self.shared.fs.as_ref(), self.shared.options.min_free_bytes)?;
        self.last_sync = Instant::now();
        let tail = Tail {
            segment: active.segment.first_sequence,
            offset: active.durable(),
            next_sequence: self.sealed_sequence,
        };
        self.shared.tail.send_if_modified(|old| std::mem::replace(old, tail) != tail);
        Ok(())
    }

    /// Ends the active file where it is full, and begins the next one where there is none.
    fn roll(&mut self) -> Result<(), StoreError> {
        let full = self.active.as_ref().is_some_and(|active| {
            let has_records = self.sealed_sequence > active.segment.first_sequence;
            let is_large = active.end() >= self.shared.options.segment_bytes;
            !active.finished && ((has_records && is_large) || self.must_roll)
        });
        if full {
            self.finish_file();
        }
        if self.active.as_ref().is_some_and(|active| active.finished) {
            self.sync()?;
            if let Some(active) = self.active.take() {
                active.segment.seal();
            }
        }
        if self.active.is_none() {
            self.begin_file()?;
        }
        Ok(())
    }

    /// Appends index and trailer.
    fn finish_file(&mut self) {
        let Some(active) = &mut self.active else { return };
        let mut index = SparseIndex::default();
        active.segment.update_index(|growing| index.clone_from(growing));
        let payload = serde_json::to_vec(&index).expect("the model's types have text keys");
        let facts = BlockFacts {
            flags: flags::INDEX,
            first_sequence: self.sealed_sequence,
            count: 0,
            max_time_us: self.state.max_time_us,
            synced: active.durable(),
        };
        let offset = active.end();
        let packer = &mut self.packer;
        active.append(|out| {
            packer.pack(Payload { records: &payload, values: &[] }, facts, out);
            write_trailer(out, offset);
        });
        active.finished = true;
    }

    fn begin_file(&mut self) -> Result<(), StoreError> {
        let new = NewFile {
            fs: self.shared.fs.as_ref(),
            dir: &self.shared.dir,
            options: &self.shared.options,
            store_id: self.shared.store_id,
            previous_end: self.sealed_sequence,
        };
        let active = new.create(&mut self.state, &mut self.packer)?;
        self.last_anchor = active.end();
        self.must_roll = false;
        self.sealed_sequence = self.state.next_sequence;
        let tail = Tail {
            segment: active.segment.first_sequence,
            offset: active.durable(),
            next_sequence: self.state.next_sequence,
        };
        self.shared.add_segment(active.segment.clone());
        self.active = Some(active);
        self.shared.tail.send_replace(tail);
        Ok(())
    }

    fn start_block(&mut self) {
        self.block_first = self.state.next_sequence;
        let end = self.active.as_ref().map_or(0, ActiveFile::end);
        if end.saturating_sub(self.last_anchor) >= self.shared.options.anchor_bytes {
            self.block.anchor(false, &self.state.position, self.state.open.as_ref());
            self.block_anchor = Some((self.state.position.clone(), self.in_transaction()));
            self.last_anchor = end;
        }
    }

    /// Moves the block that was being filled to what is to be written. Nothing here can fail.
    fn seal_block(&mut self) {
        let active = self.active.as_mut().expect("a block is begun only after its file");
        let open = if self.state.open.is_some() { flags::OPEN } else { 0 };
        let facts = BlockFacts {
            flags: self.block.flags | open,
            first_sequence: self.block_first,
            count: self.block.count,
            max_time_us: self.state.max_time_us,
            synced: active.durable(),
        };
        let offset = active.end();
        let anchor = self.block_anchor.take();
        let end_sequence = self.state.next_sequence;
        active.segment.update_index(|index| {
            if let Some((position, in_transaction)) = anchor {
                index.add_anchor(offset, facts.first_sequence, position, in_transaction);
            }
            index.add_block(offset, facts.flags, end_sequence, facts.max_time_us);
        });
        let (packer, payload) = (&mut self.packer, self.block.payload());
        active.append(|out| packer.pack(payload, facts, out));
        self.stored_bytes += active.end() - offset;
        self.sealed_sequence = end_sequence;
        self.block.clear();
    }

    fn encode(&mut self, record: &LogRecord) {
        let state = &mut self.state;
        let format = self.active.as_ref().map_or(VERSION, |active| active.format);
        match record {
            LogRecord::Begin(begin) => {
                self.block.begin(format, begin, &state.position);
                state.open = Some(begin.clone());
            }
            LogRecord::Rows(batch) => {
                let version = state.catalogue.rows_version(&batch.table);
                if version.must_define {
                    self.block.define(version.id, true, &batch.table.schema);
                }
                self.block.rows(format, version.id, batch);
            }
            LogRecord::Ddl(ddl) => {
                for version in state.catalogue.ddl_versions(ddl).iter().filter(|version| version.must_define)
                {
                    if let Some(schema) = state.catalogue.schema(version.id) {
                        self.block.define(version.id, false, schema);
                    }
                }
                self.block.ddl(ddl);
            }
            LogRecord::Commit(commit) => {
                let own = state.open.take().and_then(|begin| begin.gtid);
                self.block.commit(format, commit, &mut state.position, own.as_ref());
                state.max_time_us = state.max_time_us.max(commit.commit_time_us);
                state.catalogue.commit();
            }
            LogRecord::Abort => {
                self.block.abort();
                state.open = None;
                state.catalogue.abort();
            }
            LogRecord::Heartbeat { position, time_us } => {
                self.block.heartbeat(*time_us, &mut state.position, position);
            }
        }
    }
}

fn check_batch(batch: &ChangeBatch) -> Result<(), StoreError> {
    let bytes = batch.rows.encoded_limit() + batch.ops.len() as u64;
    // What is in the block already is at most `block_bytes`, far below what is left here.
    if bytes > MAX_PAYLOAD / 4 * 3 {
        return Err(StoreError::RecordTooLarge { bytes });
    }
    let state = "with operations that don't fit its rows";
    if batch.is_well_formed() { Ok(()) } else { Err(StoreError::OutOfOrder { record: "a batch", state }) }
}

fn last_anchor(fs: &dyn Fs, active: &ActiveFile) -> u64 {
    let index = active.segment.index(fs).ok();
    index.and_then(|loaded| loaded.index.anchors.last().map(|anchor| anchor.offset)).unwrap_or(0)
}

/// What a new segment file needs to know besides the state of the log.
pub(crate) struct NewFile<'a> {
    pub fs: &'a dyn Fs,
    pub dir: &'a std::path::Path,
    pub options: &'a StoreOptions,
    pub store_id: [u8; 16],
    pub previous_end: u64,
}

impl NewFile<'_> {
    /// Makes a segment file with a snapshot of `state`. It gets its name only when it is durable, so that a
    /// file with a name always has a whole header and snapshot.
    pub fn create(&self, state: &mut LogState, packer: &mut Packer) -> Result<ActiveFile, StoreError> {
        let first_sequence = state.next_sequence;
        let header = SegmentHeader {
            version: VERSION,
            store_id: self.store_id,
            first_sequence,
            previous_end: self.previous_end,
            created_us: now_us(),
        };
        let mut bytes = Vec::new();
        header.write(&mut bytes);
        let offset = bytes.len() as u64;
        let block = snapshot(state);
        let open = if state.open.is_some() { flags::OPEN } else { 0 };
        let facts = BlockFacts {
            flags: block.flags | open,
            first_sequence,
            count: 0,
            max_time_us: state.max_time_us,
            synced: 0,
        };
        packer.pack(block.payload(), facts, &mut bytes);
        let name = segment_name(first_sequence);
        let segment = Arc::new(Segment::new(self.dir, &name, first_sequence));
        let mut index = SparseIndex { v: 1, max_time_us: state.max_time_us, ..SparseIndex::default() };
        index.add_anchor(offset, first_sequence, state.position.clone(), state.open.is_some());
        index.add_block(offset, facts.flags, first_sequence, state.max_time_us);
        let file = self.write_file(&segment.path, &bytes)?;
        segment.grow(index);
        Ok(ActiveFile::new(segment, header.version, file, bytes.len() as u64, offset))
    }

    fn write_file(
        &self,
        path: &std::path::Path,
        bytes: &[u8],
    ) -> Result<Arc<dyn crate::fs::FsFile>, StoreError> {
        let temporary = path.with_extension("wseg.tmp");
        let len = bytes.len() as u64;
        check_room(self.fs, path, len, self.options.min_free_bytes)?;
        let written = self.fs.create(&temporary).and_then(|file| {
            write_full(file.as_ref(), bytes, 0)?;
            if !Mutation::SkipSegmentSync.active() {
                file.sync_data()?;
            }
            Ok(file)
        });
        let file = match written {
            Ok(file) => file,
            Err(error) => {
                // It may be gone or never have been there; what is left is removed at the next start.
                drop(self.fs.remove(&temporary));
                return Err(if is_full(&error) {
                    disk_full(self.fs, path, len)
                } else {
                    StoreError::io("write", temporary)(error)
                });
            }
        };
        FailPoint::SegmentWritten.reached();
        self.fs.rename(&temporary, path).map_err(StoreError::io("rename", path))?;
        FailPoint::SegmentRenamed.reached();
        if !Mutation::SkipDirectorySync.active() {
            self.fs.sync_dir(self.dir).map_err(StoreError::io("sync", self.dir))?;
        }
        Ok(file)
    }
}

fn snapshot(state: &mut LogState) -> BlockBuilder {
    let mut block = BlockBuilder::default();
    block.anchor(true, &state.position, state.open.as_ref());
    for (version, current) in state.catalogue.snapshot() {
        block.define(version.id, current, &version.schema);
    }
    if !state.catalogue.pending().is_empty() {
        block.pending(state.catalogue.pending());
    }
    block
}

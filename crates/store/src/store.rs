//! A Store: the handle by which everything else is reached.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use whimbrel_model::{Position, TableSchema};

use crate::catalogue::Catalogue;
use crate::consumers::Consumers;
use crate::error::StoreError;
use crate::fs::{Fs, LockGuard, RealFs};
use crate::options::StoreOptions;
use crate::pack::Packer;
use crate::reader::StoreReader;
use crate::recover::{Recovery, recover};
use crate::seek::StartAt;
use crate::sequence::Sequence;
use crate::shared::{Shared, Tail, Trimmed, list_segments, now_us};
use crate::writer::{LogState, NewFile, ResumePoint, StoreWriter};

const LOCK_FILE: &str = "lock";

/// An open Store; clones are the same Store. The directory stays locked until the last clone is dropped.
///
/// Calls that say so block on the disk; in async code they belong into `spawn_blocking`.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Shared>,
    writer: Arc<Mutex<Option<StoreWriter>>>,
}

/// What is known of a Store without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreSize {
    /// The oldest record that is there.
    pub oldest: Sequence,
    /// The next record that readers will get.
    pub next: Sequence,
    pub segments: usize,
    /// Bytes of all segment files.
    pub bytes: u64,
}

impl Store {
    /// True where a directory holds a Store.
    pub fn exists(dir: &Path) -> Result<bool, StoreError> {
        Self::exists_on(&RealFs, dir)
    }

    pub fn exists_on(fs: &dyn Fs, dir: &Path) -> Result<bool, StoreError> {
        Ok(!list_segments(fs, dir)?.0.is_empty())
    }

    /// Makes a Store that begins at `position`, where `tables` are defined as given. When it returns, both
    /// are durable: from now on no later change can be missed. Blocks.
    pub fn create(
        dir: &Path,
        options: StoreOptions,
        position: &Position,
        tables: &[TableSchema],
    ) -> Result<Self, StoreError> {
        Self::create_on(Arc::new(RealFs), dir, options, position, tables)
    }

    /// As [`Store::create`], on another file system.
    pub fn create_on(
        fs: Arc<dyn Fs>,
        dir: &Path,
        options: StoreOptions,
        position: &Position,
        tables: &[TableSchema],
    ) -> Result<Self, StoreError> {
        fs.create_dir(dir).map_err(StoreError::io("create", dir))?;
        let lock = take_lock(fs.as_ref(), dir)?;
        if Self::exists_on(fs.as_ref(), dir)? {
            return Err(StoreError::AlreadyExists { path: dir.to_owned() });
        }
        let mut store_id = [0; 16];
        getrandom::fill(&mut store_id)
            .map_err(|error| StoreError::Random(io::Error::other(error.to_string())))?;
        let mut state = LogState {
            catalogue: Catalogue::new(tables),
            position: position.clone(),
            open: None,
            max_time_us: 0,
            next_sequence: Sequence::FIRST.0,
        };
        let new = NewFile { fs: fs.as_ref(), dir, options: &options, store_id, previous_end: 0 };
        let active = new.create(&mut state, &mut Packer::new(options.compression))?;
        let first = active.segment.first_sequence;
        let tail = Tail { segment: first, offset: active.durable(), next_sequence: state.next_sequence };
        let segments = BTreeMap::from([(first, active.segment.clone())]);
        let consumers = Consumers::load(fs.as_ref(), dir)?;
        let shared = Arc::new(Shared::new(fs, dir, options, store_id, segments, tail, consumers));
        let sealed = state.next_sequence;
        let writer = StoreWriter::new(shared.clone(), lock, state, sealed, Some(active));
        Ok(Self { shared, writer: Arc::new(Mutex::new(Some(writer))) })
    }

    /// Opens a Store for writing and reading, after a crash too. Blocks for as long as reading the last
    /// segment file takes.
    pub fn open(dir: &Path, options: StoreOptions) -> Result<(Self, Recovery), StoreError> {
        Self::open_on(Arc::new(RealFs), dir, options)
    }

    /// As [`Store::open`], on another file system.
    pub fn open_on(
        fs: Arc<dyn Fs>,
        dir: &Path,
        options: StoreOptions,
    ) -> Result<(Self, Recovery), StoreError> {
        if !Self::exists_on(fs.as_ref(), dir)? {
            return Err(StoreError::NotFound { path: dir.to_owned() });
        }
        let lock = take_lock(fs.as_ref(), dir)?;
        let (segments, left_over) = list_segments(fs.as_ref(), dir)?;
        for path in left_over {
            fs.remove(&path).map_err(StoreError::io("remove", path))?;
        }
        let Some(last) = segments.values().next_back().cloned() else {
            return Err(StoreError::NotFound { path: dir.to_owned() });
        };
        let mut tail = recover(fs.as_ref(), &last)?;
        fs.sync_dir(dir).map_err(StoreError::io("sync", dir))?;
        let consumers = Consumers::load(fs.as_ref(), dir)?;
        let sealed = tail.state.next_sequence;
        let lost = consumers.furthest().filter(|needs| needs.0 > sealed);
        if let Some(needs) = lost {
            tail.state.next_sequence = needs.0;
        }
        let recovery = Recovery {
            cut: (tail.cut_bytes > 0).then(|| (last.path.clone(), tail.cut_bytes)),
            open_transaction: tail.state.open.is_some(),
            lost_acknowledged: lost.is_some(),
        };
        report(&recovery);
        let end = Tail { segment: last.first_sequence, offset: tail.len, next_sequence: sealed };
        let shared = Arc::new(Shared::new(fs, dir, options, tail.header.store_id, segments, end, consumers));
        let writer = StoreWriter::new(shared.clone(), lock, tail.state, sealed, tail.active);
        Ok((Self { shared, writer: Arc::new(Mutex::new(Some(writer))) }, recovery))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn slot(&self) -> MutexGuard<'_, Option<StoreWriter>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the writing end out of the Store; [`Store::put_writer`] brings it back.
    pub fn take_writer(&self) -> Result<StoreWriter, StoreError> {
        self.slot().take().ok_or(StoreError::PullRunning)
    }

    /// Brings back what [`Store::take_writer`] gave.
    pub fn put_writer(&self, writer: StoreWriter) {
        debug_assert!(Arc::ptr_eq(writer.shared(), &self.shared), "the writer of another Store");
        *self.slot() = Some(writer);
    }

    /// Where the reader of the source's log has to begin. Fails while a pull is running.
    pub fn resume_point(&self) -> Result<ResumePoint, StoreError> {
        self.slot().as_ref().map(StoreWriter::resume_point).ok_or(StoreError::PullRunning)
    }

    /// A reader from some place on. Blocks for a few reads.
    pub fn read_from(&self, from: &StartAt) -> Result<StoreReader, StoreError> {
        StoreReader::new(self.shared.clone(), from)
    }

    /// Registers a consumer, or moves a registered one, so that retention keeps all records from `needs` on.
    /// Fails where they are gone already. Blocks until it is durable.
    pub fn register_consumer(&self, name: &str, needs: Sequence) -> Result<(), StoreError> {
        let mut consumers = self.shared.consumers();
        // Under the lock, which retention takes for each file, nothing can go between check and entry.
        let oldest = self.shared.oldest().map_or(0, |segment| segment.first_sequence);
        if needs.0 < oldest {
            drop(consumers);
            return Err(self.shared.gone(format!("record {needs}")));
        }
        consumers.register(self.shared.fs.as_ref(), name, needs)?;
        drop(consumers);
        self.shared.consumers_moved.notify_waiters();
        Ok(())
    }

    /// Registers a consumer that isn't registered yet; one that is keeps its place, what it doesn't need any more may
    /// be gone. Blocks until it is durable.
    pub fn ensure_consumer(&self, name: &str, needs: Sequence) -> Result<(), StoreError> {
        let known = self.shared.consumers().needs(name).is_some();
        if known { Ok(()) } else { self.register_consumer(name, needs) }
    }

    /// Retention no longer waits for this consumer. Blocks until it is durable.
    pub fn unregister_consumer(&self, name: &str) -> Result<(), StoreError> {
        self.shared.consumers().unregister(self.shared.fs.as_ref(), name)?;
        self.shared.consumers_moved.notify_waiters();
        Ok(())
    }

    /// A consumer has done with all records up to and including `done`, durably. Most calls only note it;
    /// about once a second one blocks until it is written down.
    pub fn acknowledge(&self, name: &str, done: Sequence) -> Result<(), StoreError> {
        self.shared.acknowledge(name, done)
    }

    /// The registered consumers and the lowest record that each still needs.
    pub fn consumers(&self) -> Vec<(String, Sequence)> {
        self.shared.consumers().all()
    }

    /// Removes what retention allows. The puller calls it; so may anybody else. Blocks.
    pub fn trim(&self) -> Result<Trimmed, StoreError> {
        self.shared.trim(now_us())
    }

    pub fn size(&self) -> Result<StoreSize, StoreError> {
        let tail = self.shared.tail();
        Ok(StoreSize {
            oldest: Sequence(self.shared.oldest().map_or(tail.segment, |segment| segment.first_sequence)),
            next: Sequence(tail.next_sequence),
            segments: self.shared.segments().len(),
            bytes: self.shared.total_bytes()?,
        })
    }

    /// The directory of the segment files.
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }
}

fn take_lock(fs: &dyn Fs, dir: &Path) -> Result<LockGuard, StoreError> {
    let path: PathBuf = dir.join(LOCK_FILE);
    let lock = fs.lock(&path).map_err(StoreError::io("lock", &path))?;
    lock.ok_or_else(|| StoreError::Locked { path: dir.to_owned() })
}

fn report(recovery: &Recovery) {
    if let Some((path, bytes)) = &recovery.cut {
        tracing::warn!(path = %path.display(), bytes, "cut the torn tail off the change log");
    }
    if recovery.lost_acknowledged {
        tracing::error!("the disk lost records that consumers had acknowledged; they are pulled again");
    }
}

//! What the writer, the readers and the tools of one Store share.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, watch};

use whimbrel_connector::Mutation;

use crate::consumers::Consumers;
use crate::error::StoreError;
use crate::format::parse_segment_name;
use crate::fs::Fs;
use crate::options::StoreOptions;
use crate::segment::Segment;
use crate::sequence::Sequence;

/// Segment files by their first sequence.
pub(crate) type SegmentMap = BTreeMap<u64, Arc<Segment>>;

/// How far readers may read: everything before is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    /// First sequence of the file that is being written.
    pub segment: u64,
    /// End of what is durable in it.
    pub offset: u64,
    /// The sequence of the next record.
    pub next_sequence: u64,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub fs: Arc<dyn Fs>,
    pub dir: PathBuf,
    pub options: StoreOptions,
    pub store_id: [u8; 16],
    segments: RwLock<SegmentMap>,
    pub tail: watch::Sender<Tail>,
    consumers: Mutex<Consumers>,
    /// A consumer moved, came or went.
    pub consumers_moved: Notify,
}

/// What a run of retention did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Segment files removed.
    pub files: u64,
    pub bytes: u64,
}

impl Shared {
    pub fn new(
        fs: Arc<dyn Fs>,
        dir: &Path,
        options: StoreOptions,
        store_id: [u8; 16],
        segments: SegmentMap,
        tail: Tail,
        consumers: Consumers,
    ) -> Self {
        Self {
            fs,
            dir: dir.to_owned(),
            options,
            store_id,
            segments: RwLock::new(segments),
            tail: watch::Sender::new(tail),
            consumers: Mutex::new(consumers),
            consumers_moved: Notify::new(),
        }
    }

    pub fn consumers(&self) -> MutexGuard<'_, Consumers> {
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn tail(&self) -> Tail {
        *self.tail.borrow()
    }

    /// All segments, the oldest first.
    pub fn segments(&self) -> Vec<Arc<Segment>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub fn add_segment(&self, segment: Arc<Segment>) {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        segments.insert(segment.first_sequence, segment);
    }

    /// The last segment that begins at or before a record.
    pub fn segment_of(&self, sequence: u64) -> Option<Arc<Segment>> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments.range(..=sequence).next_back().map(|(_, segment)| segment.clone())
    }

    /// The segment after the one that begins at `first_sequence`.
    pub fn segment_after(&self, first_sequence: u64) -> Option<Arc<Segment>> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments.range(first_sequence.saturating_add(1)..).next().map(|(_, segment)| segment.clone())
    }

    pub fn oldest(&self) -> Option<Arc<Segment>> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments.values().next().cloned()
    }

    /// The error for something older than the oldest segment.
    pub fn gone(&self, wanted: String) -> StoreError {
        let Some(oldest) = self.oldest() else { return StoreError::NotFound { path: self.dir.clone() } };
        match oldest.start(self.fs.as_ref()) {
            Ok(start) => StoreError::PositionGone {
                wanted,
                oldest: Sequence(oldest.first_sequence),
                oldest_position: start.position.to_string(),
            },
            Err(error) => error,
        }
    }

    /// Bytes of all segment files, as far as they are durable.
    pub fn total_bytes(&self) -> Result<u64, StoreError> {
        let tail = self.tail();
        let mut total = tail.offset;
        for segment in self.segments().iter().filter(|segment| segment.first_sequence < tail.segment) {
            total += segment.sealed_len(self.fs.as_ref())?;
        }
        Ok(total)
    }

    pub fn acknowledge(&self, name: &str, done: Sequence) -> Result<(), StoreError> {
        let next = Sequence(self.tail().next_sequence);
        if done >= next {
            return Err(StoreError::SequenceAhead { wanted: done, next });
        }
        let done = if Mutation::AcknowledgeAhead.active() { Sequence(next.0 - 1) } else { done };
        let mut consumers = self.consumers();
        let needs =
            consumers.needs(name).ok_or_else(|| StoreError::UnknownConsumer { name: name.to_owned() })?;
        let segment = |sequence: Sequence| self.segment_of(sequence.0).map(|segment| segment.first_sequence);
        let crosses_file = segment(needs) != segment(done.next());
        consumers.advance(self.fs.as_ref(), name, done.next(), crosses_file)?;
        drop(consumers);
        self.consumers_moved.notify_waiters();
        Ok(())
    }

    /// Removes what retention allows.
    pub fn trim(&self, now_us: u64) -> Result<Trimmed, StoreError> {
        let retention = self.options.retention;
        let mut trimmed = Trimmed::default();
        if retention.max_age.is_none() && retention.max_bytes.is_none() {
            return Ok(trimmed);
        }
        let mut total = self.total_bytes()?;
        loop {
            let Some(oldest) = self.oldest() else { return Ok(trimmed) };
            let Some(next) = self.segment_after(oldest.first_sequence) else { return Ok(trimmed) };
            let too_large = retention.max_bytes.is_some_and(|max| total > max);
            let completed_us = next.start(self.fs.as_ref())?.header.created_us;
            let age = Duration::from_micros(now_us.saturating_sub(completed_us));
            let too_old = retention.max_age.is_some_and(|max| age > max);
            let len = oldest.sealed_len(self.fs.as_ref())?;
            // Held while the file goes, so that nobody registers for it in between.
            let consumers = self.consumers();
            let needed = consumers.slowest().is_some_and(|(_, needs)| needs.0 < next.first_sequence);
            let needed = needed && !Mutation::TrimUnread.active();
            if needed || !(too_large || too_old) {
                return Ok(trimmed);
            }
            self.remove_oldest(&oldest)?;
            drop(consumers);
            trimmed = Trimmed { files: trimmed.files + 1, bytes: trimmed.bytes + len };
            total = total.saturating_sub(len);
        }
    }

    fn remove_oldest(&self, segment: &Segment) -> Result<(), StoreError> {
        let path = &segment.path;
        match self.fs.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io("remove", path)(error));
            }
            _ => {}
        }
        self.segments.write().unwrap_or_else(PoisonError::into_inner).remove(&segment.first_sequence);
        // Each removal by itself: after a crash no file may be missing between two that are there.
        self.fs.sync_dir(&self.dir).map_err(StoreError::io("sync", &self.dir))
    }

    /// The slowest consumer and the bytes of the files that it needs, if that is more than `limit` and it hasn't done
    /// with `last_end`.
    pub fn lagging_consumer(
        &self,
        limit: u64,
        last_end: Sequence,
    ) -> Result<Option<(String, u64)>, StoreError> {
        let Some((name, needs)) = self.consumers().slowest().map(|(name, needs)| (name.to_owned(), needs))
        else {
            return Ok(None);
        };
        let tail = self.tail();
        let mut behind = tail.offset;
        let segments = self.segments();
        for (segment, next) in segments.iter().zip(segments.iter().skip(1)) {
            if needs.0 < next.first_sequence {
                behind += segment.sealed_len(self.fs.as_ref())?;
            }
        }
        Ok((needs <= last_end && behind > limit).then_some((name, behind)))
    }
}

/// Segment files of a directory by their first sequence, and the temporary files that a crash left.
pub(crate) fn list_segments(fs: &dyn Fs, dir: &Path) -> Result<(SegmentMap, Vec<PathBuf>), StoreError> {
    let names = match fs.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        other => other.map_err(StoreError::io("list", dir))?,
    };
    let (mut segments, mut left_over) = (SegmentMap::new(), Vec::new());
    for name in names {
        if let Some(first) = parse_segment_name(&name) {
            segments.insert(first, Arc::new(Segment::new(dir, &name, first)));
        } else if name.ends_with(".wseg.tmp") {
            left_over.push(dir.join(name));
        }
    }
    Ok((segments, left_over))
}

/// Microseconds since 1970.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

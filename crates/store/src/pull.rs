//! The puller: drives a reader of the source's log into a Store.
//!
//! Two tasks and a queue bounded in bytes: one awaits records, the other (on a thread of its own) encodes,
//! compresses, writes and syncs. So decoding the source's log and writing go on at the same time, and
//! whatever arrives during an `fdatasync` goes out with the next one. Records are synced when a transaction
//! has ended and nothing waits, else every `sync_interval` or `sync_bytes` of the options.
//!
//! A full disk or a failed write stops the pull, not the process: the records wait, the state says so, and
//! the pull tries again with a growing delay until there is room. A consumer that lags too far behind makes
//! it wait in the same way.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use whimbrel_connector::{ConnectorError, LogReader, Mutation};
use whimbrel_model::{LogRecord, Position};

use crate::error::StoreError;
use crate::sequence::Sequence;
use crate::shared::now_us;
use crate::store::Store;
use crate::writer::StoreWriter;

/// Records that may wait in the queue, however small.
const QUEUE_RECORDS: usize = 1024;
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);
const TRIM_EVERY: Duration = Duration::from_secs(10);

/// What the pull is doing.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreState {
    Running,
    /// No room; goes on by itself when there is.
    DiskFull {
        since: SystemTime,
        path: std::path::PathBuf,
        free: u64,
    },
    /// Writing fails for another reason; tried again.
    WriteFailed {
        since: SystemTime,
        error: String,
    },
    /// A registered consumer is further behind than the options allow.
    WaitingForConsumer {
        since: SystemTime,
        consumer: String,
        bytes: u64,
    },
    /// Ended by an error of the source: code, object with cause chain, and what to do.
    SourceFailed {
        code: &'static str,
        error: String,
        hint: String,
    },
    /// Ended by an error of the Store that doesn't pass.
    StoreFailed {
        code: &'static str,
        error: String,
        hint: String,
    },
    Stopped,
}

/// How far the pull is. All of it is durable.
#[derive(Clone, Debug, PartialEq)]
pub struct PullStatus {
    pub state: StoreState,
    /// After the last transaction.
    pub position: Position,
    /// Commit time at the source of the last transaction or time of the last heartbeat, microseconds since
    /// 1970; 0 before there was one.
    pub time_us: u64,
    /// The next record's number.
    pub next: Sequence,
    /// Since this pull began.
    pub records: u64,
    /// Bytes written to segment files since this pull began.
    pub bytes: u64,
}

/// Why a pull ended without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    #[error("reading the source's log")]
    Source(#[source] ConnectorError),
    #[error("writing the change log")]
    Store(#[source] StoreError),
}

impl From<PullError> for ConnectorError {
    fn from(error: PullError) -> Self {
        match error {
            PullError::Source(error) => error,
            PullError::Store(error) => error.into(),
        }
    }
}

/// A running pull. Dropping it stops the pull without waiting for it.
#[derive(Debug)]
pub struct Puller {
    status: watch::Receiver<PullStatus>,
    cancel: CancellationToken,
    /// `None` once its result was given.
    task: Option<JoinHandle<Result<(), PullError>>>,
}

struct Queued {
    record: LogRecord,
    /// Gives the record's bytes back to the queue when the record is in the Store.
    _room: OwnedSemaphorePermit,
}

impl Puller {
    /// Starts a pull. `reader` must begin at the Store's [`Store::resume_point`]. A transaction that was
    /// left open by an earlier pull is ended with an abort first. Only one pull runs at a time.
    ///
    /// Has to be called within a tokio runtime with timers. Cancelling `cancel` (or [`Puller::stop`]) drops the reader, makes durable what was accepted, and
    /// ends the pull; the Store can be pulled again then.
    pub fn start(
        store: &Store,
        reader: Box<dyn LogReader>,
        cancel: &CancellationToken,
    ) -> Result<Self, StoreError> {
        let writer = store.take_writer()?;
        let cancel = cancel.child_token();
        let (status, receiver) = watch::channel(PullStatus {
            state: StoreState::Running,
            position: writer.position().clone(),
            time_us: 0,
            next: writer.durable_sequence(),
            records: 0,
            bytes: 0,
        });
        let task = tokio::spawn(run(store.clone(), writer, reader, status, cancel.clone()));
        Ok(Self { status: receiver, cancel, task: Some(task) })
    }

    pub fn status(&self) -> watch::Receiver<PullStatus> {
        self.status.clone()
    }

    /// Waits until the pull ends by itself or by its token. May be dropped. The result is given once; a pull
    /// that has ended is `Ok` after that.
    pub async fn ended(&mut self) -> Result<(), PullError> {
        let Some(task) = &mut self.task else { return Ok(()) };
        let result = task.await;
        self.task = None;
        result.unwrap_or(Err(PullError::Store(StoreError::TaskLost("pulls"))))
    }

    /// Ends the pull and waits for it. While the disk refuses writes, what isn't durable yet can't be made
    /// so: that error is returned, and the next pull begins before it.
    pub async fn stop(mut self) -> Result<(), PullError> {
        self.cancel.cancel();
        self.ended().await
    }
}

impl Drop for Puller {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

async fn run(
    store: Store,
    writer: StoreWriter,
    mut reader: Box<dyn LogReader>,
    status: watch::Sender<PullStatus>,
    cancel: CancellationToken,
) -> Result<(), PullError> {
    let (sender, queue) = mpsc::channel(QUEUE_RECORDS);
    let start_bytes = writer.stored_bytes();
    let mut thread = WriterThread {
        store: store.clone(),
        writer,
        queue,
        status,
        cancel: cancel.clone(),
        start_bytes,
        time_us: 0,
        records: 0,
        trimmed: None,
        last_end: None,
        durable_end: None,
        check_lag: true,
    };
    let writing = store.shared().options.blocking.spawn(async move {
        let result = thread.run().await;
        (thread.writer, thread.status, result)
    });
    let read = feed(reader.as_mut(), &sender, store_queue_bytes(&store), &cancel).await;
    drop(sender);
    drop(reader);
    let (writer, status, written) =
        writing.await.map_err(|_| PullError::Store(StoreError::TaskLost("writes the change log")))?;
    store.put_writer(writer);
    let result = written.map_err(PullError::Store).and(read.map_err(PullError::Source));
    status.send_modify(|status| status.state = final_state(&result));
    result
}

fn store_queue_bytes(store: &Store) -> usize {
    store.shared().options.queue_bytes
}

fn final_state(result: &Result<(), PullError>) -> StoreState {
    match result {
        Ok(()) => StoreState::Stopped,
        Err(PullError::Source(error)) => StoreState::SourceFailed {
            code: error.code(),
            error: format!("{}: {}", error.object, error.chain()),
            hint: error.hint().to_owned(),
        },
        Err(PullError::Store(error)) => {
            let kind = error.kind();
            StoreState::StoreFailed { code: kind.code(), error: chain(error), hint: error.hint().to_owned() }
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Moves records from the reader to the queue until either ends.
async fn feed(
    reader: &mut dyn LogReader,
    sender: &mpsc::Sender<Queued>,
    queue_bytes: usize,
    cancel: &CancellationToken,
) -> Result<(), ConnectorError> {
    const UNIT: usize = 1024;
    let units = u32::try_from(queue_bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).max(1);
    let room = Arc::new(Semaphore::new(units as usize));
    loop {
        let record = tokio::select! {
            biased;
            () = cancel.cancelled() => return Ok(()),
            record = reader.next() => record?,
        };
        let bytes = match &record {
            LogRecord::Rows(batch) => batch.byte_len(),
            LogRecord::Ddl(ddl) => ddl.sql.len(),
            _ => UNIT,
        };
        // A record larger than the whole queue goes through alone.
        let wanted = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, units);
        let permit = tokio::select! {
            biased;
            () = cancel.cancelled() => return Ok(()),
            permit = room.clone().acquire_many_owned(wanted) => permit,
        };
        let Ok(room) = permit else { return Ok(()) };
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Ok(()),
            // The writing thread is gone only after an error of its own, which is reported instead.
            sent = sender.send(Queued { record, _room: room }) => if sent.is_err() { return Ok(()) },
        }
    }
}

struct WriterThread {
    store: Store,
    writer: StoreWriter,
    queue: mpsc::Receiver<Queued>,
    status: watch::Sender<PullStatus>,
    cancel: CancellationToken,
    start_bytes: u64,
    time_us: u64,
    records: u64,
    trimmed: Option<tokio::time::Instant>,
    /// The last record of this pull that a consumer can have done with: a commit or a heartbeat.
    last_end: Option<Sequence>,
    /// The last such that is durable, so that consumers have it.
    durable_end: Option<Sequence>,
    /// More has become durable since the consumers' lag was looked at.
    check_lag: bool,
}

impl WriterThread {
    async fn run(&mut self) -> Result<(), StoreError> {
        if !Mutation::NoAbortAtRestart.active() {
            self.keep_trying(StoreWriter::abort_open_transaction).await?;
        }
        self.sync().await?;
        while let Some(queued) = self.queue.recv().await {
            self.take(&queued.record).await?;
            drop(queued);
            let idle = self.queue.is_empty() && !self.writer.in_transaction();
            if idle || self.writer.since_sync() >= self.store.shared().options.sync_interval {
                self.sync().await?;
            }
        }
        self.sync().await
    }

    async fn take(&mut self, record: &LogRecord) -> Result<(), StoreError> {
        // Within a transaction nobody is waited for: it may be larger than the limit, and no consumer can have done with
        // the half of it.
        if !self.writer.in_transaction() && std::mem::take(&mut self.check_lag) {
            self.wait_for_consumers().await?;
        }
        let sequence = self.writer.next_sequence();
        self.keep_trying(|writer| writer.append(record).map(drop)).await?;
        self.records += 1;
        match record {
            LogRecord::Commit(commit) => self.time_us = commit.commit_time_us,
            LogRecord::Heartbeat { time_us, .. } => self.time_us = *time_us,
            _ => return Ok(()),
        }
        self.last_end = Some(sequence);
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), StoreError> {
        self.keep_trying(StoreWriter::flush).await?;
        self.check_lag = true;
        self.durable_end = self.last_end;
        self.status.send_modify(|status| {
            status.position.clone_from(self.writer.position());
            status.time_us = self.time_us;
            status.next = self.writer.durable_sequence();
            status.records = self.records;
            status.bytes = self.writer.stored_bytes() - self.start_bytes;
        });
        if self.trimmed.is_none_or(|trimmed| trimmed.elapsed() >= TRIM_EVERY) {
            self.trim();
        }
        Ok(())
    }

    /// What can't be removed now is tried again later; the pull doesn't depend on it.
    fn trim(&mut self) {
        self.trimmed = Some(tokio::time::Instant::now());
        match self.store.shared().trim(now_us()) {
            Ok(trimmed) if trimmed.files > 0 => {
                tracing::info!(
                    files = trimmed.files,
                    bytes = trimmed.bytes,
                    "retention removed segment files"
                );
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(error = chain(&error), "retention can't remove segment files"),
        }
    }

    /// Repeats what failed for a reason that may pass. Gives up when the pull is cancelled: what was
    /// accepted stays in the writer.
    async fn keep_trying(
        &mut self,
        mut action: impl FnMut(&mut StoreWriter) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let since = SystemTime::now();
        let mut delay = FIRST_RETRY;
        let mut failed = false;
        loop {
            match action(&mut self.writer) {
                Err(error) if error.passes() && !self.cancel.is_cancelled() => {
                    if !failed {
                        tracing::warn!(
                            error = chain(&error),
                            "the change log can't be written; trying again"
                        );
                    }
                    failed = true;
                    self.set_state(match error {
                        StoreError::DiskFull { path, free_bytes, .. } => {
                            StoreState::DiskFull { since, path, free: free_bytes }
                        }
                        error => StoreState::WriteFailed { since, error: chain(&error) },
                    });
                    // Retention may make the room that is missing.
                    self.trim();
                    self.pause(delay).await;
                    delay = (delay * 2).min(LAST_RETRY);
                }
                result => {
                    if failed && result.is_ok() {
                        tracing::info!("the change log can be written again");
                        self.set_state(StoreState::Running);
                    }
                    return result;
                }
            }
        }
    }

    async fn wait_for_consumers(&mut self) -> Result<(), StoreError> {
        let Some(limit) = self.store.shared().options.lag_limit_bytes else { return Ok(()) };
        // Who has done with all that can be done with isn't behind, whatever came after it and doesn't count.
        let Some(mut durable_end) = self.durable_end else { return Ok(()) };
        let since = SystemTime::now();
        let mut waiting = false;
        let shared = self.store.shared().clone();
        loop {
            // Listening begins before the look, so that no move in between is missed.
            let mut moved = std::pin::pin!(shared.consumers_moved.notified());
            moved.as_mut().enable();
            let Some((consumer, bytes)) = shared.lagging_consumer(limit, durable_end)? else { break };
            if self.cancel.is_cancelled() {
                break;
            }
            if !waiting && self.writer.has_unsynced() {
                // A consumer may have the begin of a transaction whose end is still here, and wait for it.
                self.sync().await?;
                durable_end = self.durable_end.unwrap_or(durable_end);
                continue;
            }
            waiting = true;
            self.set_state(StoreState::WaitingForConsumer { since, consumer, bytes });
            self.trim();
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => {}
                () = moved => {}
                () = tokio::time::sleep(LAST_RETRY) => {}
            }
        }
        if waiting {
            self.set_state(StoreState::Running);
        }
        Ok(())
    }

    async fn pause(&self, delay: Duration) {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => {}
            () = tokio::time::sleep(delay) => {}
        }
    }

    fn set_state(&self, state: StoreState) {
        self.status.send_if_modified(|status| {
            let changed = status.state != state;
            status.state = state;
            changed
        });
    }
}

//! A Store of this process as the source of changes, with a valve between the two.
//!
//! What is at the Store when its pull ends with an error is given first, then the error. The valve lets a comparison
//! hold the changes, and let exactly those through that are at or before a position.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use whimbrel_connector::{ConnectorError, ErrorKind, Mutation, Result};
use whimbrel_model::{LogRecord, Position};
use whimbrel_store::{PullStatus, Sequence, StartAt, Store, StoreItem, StoreReader, StoreState};

use crate::source::ChangeSource;

/// Why a pull will bring nothing more; `None` while it runs.
fn pull_failure(pull: &PullStatus) -> Option<ConnectorError> {
    let (code, error, hint) = match &pull.state {
        StoreState::SourceFailed { code, error, hint } | StoreState::StoreFailed { code, error, hint } => {
            (*code, error, hint)
        }
        _ => return None,
    };
    let kind = ErrorKind::from_code(code).unwrap_or(ErrorKind::Other);
    Some(
        ConnectorError::new(kind, format!("source log at {}", pull.position), error.clone())
            .with_hint(hint.clone()),
    )
}

/// What a [`Valve`] lets through.
#[derive(Clone, Debug, PartialEq)]
enum Flow {
    Open,
    Closed,
    /// Transactions at or before this position.
    Until(Position),
}

/// Holds the changes on their way from the Store to Incr-Sync.
#[derive(Debug)]
pub struct Valve {
    flow: watch::Sender<Flow>,
    /// With [`Flow::Until`]: the last commit before the position, when everything before it has been given.
    passed: watch::Sender<Option<u64>>,
}

impl Default for Valve {
    fn default() -> Self {
        Self { flow: watch::Sender::new(Flow::Open), passed: watch::Sender::new(None) }
    }
}

impl Valve {
    /// Nothing more is given.
    pub fn close(&self) {
        self.flow.send_replace(Flow::Closed);
    }

    pub fn open(&self) {
        self.flow.send_replace(Flow::Open);
    }

    /// True while not everything is let through.
    pub fn holds(&self) -> bool {
        *self.flow.borrow() != Flow::Open
    }

    /// Gives what is at or before `position`, and tells the number of the last commit among it.
    pub async fn open_until(&self, position: &Position) -> u64 {
        self.passed.send_replace(None);
        let mut passed = self.passed.subscribe();
        self.flow.send_replace(Flow::Until(position.clone()));
        loop {
            if let Some(sequence) = *passed.borrow_and_update() {
                return sequence;
            }
            passed.changed().await.expect("this valve holds the sender");
        }
    }
}

/// Reads the Store for Incr-Sync; an ended pull becomes an error once everything before it has been read.
pub struct Feed {
    store: Store,
    consumer: String,
    reader: Option<StoreReader>,
    pull: watch::Receiver<PullStatus>,
    valve: Arc<Valve>,
    /// Read, but not to be given yet.
    waiting: Option<StoreItem>,
    /// Number of the last commit that was given.
    committed: u64,
}

impl Feed {
    /// Reads `store`, which the pull of `pull` fills, as the registered consumer `consumer`.
    pub fn new(
        store: Store,
        consumer: impl Into<String>,
        pull: watch::Receiver<PullStatus>,
        valve: Arc<Valve>,
    ) -> Self {
        Self { store, consumer: consumer.into(), reader: None, pull, valve, waiting: None, committed: 0 }
    }

    /// The next record that the Store has, or `None` where the pull has passed `until` and there is none.
    async fn read(&mut self, until: Option<&Position>) -> Result<Option<StoreItem>> {
        if let Some(item) = self.waiting.take() {
            return Ok(Some(item));
        }
        let Some(reader) = self.reader.as_mut() else {
            return Err(ConnectorError::new(
                ErrorKind::Other,
                "Store",
                "it was read before a place was chosen",
            ));
        };
        loop {
            let pull = self.pull.borrow_and_update().clone();
            // What was written before the pull said so comes first.
            if let Some(item) = reader.try_next().await? {
                return Ok(Some(item));
            }
            if let Some(failure) = pull_failure(&pull) {
                return Err(failure);
            }
            if until.is_some_and(|until| pull.position.has_reached(until) == Some(true)) {
                return Ok(None);
            }
            tokio::select! {
                biased;
                item = reader.next() => return Ok(Some(item?)),
                changed = self.pull.changed() => {
                    if changed.is_err() {
                        return Err(ConnectorError::new(ErrorKind::Cancelled, "Store", "the pull was stopped"));
                    }
                }
            }
        }
    }
}

#[async_trait]
impl ChangeSource for Feed {
    async fn next(&mut self) -> Result<(u64, LogRecord)> {
        let valve = self.valve.clone();
        let mut flow = valve.flow.subscribe();
        loop {
            let now = flow.borrow_and_update().clone();
            let until = match &now {
                Flow::Open => None,
                Flow::Until(position) => Some(position),
                Flow::Closed => {
                    // The sender lives as long as this feed.
                    let _ = flow.changed().await;
                    continue;
                }
            };
            let item = tokio::select! {
                biased;
                item = self.read(until) => item?,
                _ = flow.changed() => continue,
            };
            let behind = match (&item, until) {
                (None, _) => true,
                (Some(item), Some(position)) => {
                    matches!(&item.record, LogRecord::Begin(begin) if position.includes(begin) == Some(false))
                }
                (Some(_), None) => false,
            };
            let changed = flow.has_changed().unwrap_or(false);
            match item {
                Some(item) if !behind && !changed => {
                    if matches!(item.record, LogRecord::Commit(_)) {
                        self.committed = item.sequence.0;
                    }
                    return Ok((item.sequence.0, item.record));
                }
                item => self.waiting = item,
            }
            if behind && !changed {
                valve.passed.send_replace(Some(self.committed));
                let _ = flow.changed().await;
            }
        }
    }

    async fn seek(&mut self, after: Option<u64>) -> Result<()> {
        let from = match after {
            Some(sequence) if Mutation::ResumeLate.active() => StartAt::Sequence(Sequence(sequence + 2)),
            Some(sequence) => StartAt::Sequence(Sequence(sequence).next()),
            None => StartAt::Start,
        };
        self.waiting = None;
        self.reader = Some(self.store.read_from(&from)?);
        Ok(())
    }

    async fn acknowledge(&mut self, sequence: u64) -> Result<()> {
        Ok(self.store.acknowledge(&self.consumer, Sequence(sequence))?)
    }
}

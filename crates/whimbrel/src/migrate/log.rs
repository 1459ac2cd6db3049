//! The task's Store: opened or made, filled by a puller, read by Incr-Sync.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use whimbrel_connector::{ConnectorError, ErrorKind, FailPoint, LogStart, Result, Source};
use whimbrel_incr_sync::ChangeSource;
use whimbrel_model::{LogRecord, Position};
use whimbrel_store::{
    PullStatus, Puller, Retention, Sequence, StartAt, Store, StoreItem, StoreOptions, StoreReader, StoreState,
};

use crate::board::Board;
use crate::cli::StoreSettings;
use crate::failure::Failure;
use crate::followed::Followed;
use crate::home::StartTables;
use crate::store_socket::StoreSocket;

/// The name under which Incr-Sync is registered, so that retention keeps what it needs.
const CONSUMER: &str = "incr-sync";

/// An open Store with a running pull.
pub struct Log {
    pub store: Store,
    puller: Option<Puller>,
    status: watch::Receiver<PullStatus>,
    pub valve: Arc<Valve>,
    socket: Option<StoreSocket>,
}

impl Log {
    /// Opens the task's Store, or makes it at `start`, begins to pull, and to serve it where the settings say so.
    pub async fn open(
        dir: &Path,
        start: &StartTables,
        source: &dyn Source,
        followed: &Followed,
        settings: &StoreSettings,
    ) -> std::result::Result<Self, Failure> {
        let store = open_store(dir, start, settings).await?;
        FailPoint::StoreCreated.reached();
        store.register_consumer(CONSUMER, Sequence::FIRST).map_err(ConnectorError::from)?;
        let resume = store.resume_point().map_err(ConnectorError::from)?;
        let followed = followed.clone();
        let reader = source
            .log_reader(LogStart {
                position: resume.position,
                tables: resume.tables,
                filter: Arc::new(move |name| followed.follows(name)),
                next_table_version: resume.next_table_version,
            })
            .await?;
        let socket = match &settings.store_listen {
            Some(listen) => Some(StoreSocket::start(listen, store.clone()).await?),
            None => None,
        };
        let puller =
            Puller::start(&store, reader, &CancellationToken::new()).map_err(ConnectorError::from)?;
        let status = puller.status();
        Ok(Self { store, puller: Some(puller), status, valve: Arc::new(Valve::new()), socket })
    }

    /// A reader for Incr-Sync.
    pub fn feed(&self) -> Feed {
        Feed {
            store: self.store.clone(),
            reader: None,
            pull: self.status.clone(),
            valve: self.valve.clone(),
            waiting: None,
            committed: 0,
        }
    }

    /// Shows how far the pull is.
    pub fn show(&self, board: &Board) {
        let pull = self.status.borrow().clone();
        let bytes = self.store.size().map(|size| size.bytes).unwrap_or_default();
        board.update(|status| {
            status.source_position = Some(pull.position.to_string());
            status.store_bytes = bytes;
            status.store_state = Some(state_text(&pull.state));
        });
    }

    /// Ends the pull; what was accepted is made durable.
    pub async fn close(mut self) -> Result<()> {
        if let Some(socket) = self.socket.take() {
            socket.stop().await;
        }
        match self.puller.take() {
            Some(puller) => puller.stop().await.map_err(ConnectorError::from),
            None => Ok(()),
        }
    }
}

async fn open_store(
    dir: &Path,
    start: &StartTables,
    settings: &StoreSettings,
) -> std::result::Result<Store, Failure> {
    let (dir, position, tables) = (dir.to_owned(), start.position.clone(), start.tables.clone());
    let retention = Retention { max_age: Some(settings.store_keep), max_bytes: settings.store_limit };
    let opened = tokio::task::spawn_blocking(move || {
        let options = StoreOptions { retention, ..StoreOptions::default() };
        if !Store::exists(&dir)? {
            return Store::create(&dir, options, &position, &tables);
        }
        let (store, recovery) = Store::open(&dir, options)?;
        tracing::info!(?recovery, "the Store was opened");
        Ok(store)
    });
    let store = opened.await.map_err(|error| Failure::storage("Store", "opening it broke", error))?;
    Ok(store.map_err(ConnectorError::from)?)
}

fn state_text(state: &StoreState) -> String {
    match state {
        StoreState::Running => "running".to_owned(),
        StoreState::DiskFull { path, free, .. } => {
            format!(
                "disk full at {} ({} MB free); goes on when there is room",
                path.display(),
                free / 1_000_000
            )
        }
        StoreState::WriteFailed { error, .. } => format!("writing fails: {error}; tried again"),
        StoreState::WaitingForConsumer { consumer, bytes, .. } => {
            format!("waiting for {consumer}, which is {} MB behind", bytes / 1_000_000)
        }
        StoreState::SourceFailed { code, error, .. } | StoreState::StoreFailed { code, error, .. } => {
            format!("{code} {error}")
        }
        StoreState::Stopped => "stopped".to_owned(),
    }
}

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
pub struct Valve {
    flow: watch::Sender<Flow>,
    /// With [`Flow::Until`]: the last commit before the position, when everything before it has been given.
    passed: watch::Sender<Option<u64>>,
}

impl Valve {
    fn new() -> Self {
        Self { flow: watch::Sender::new(Flow::Open), passed: watch::Sender::new(None) }
    }

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
    reader: Option<StoreReader>,
    pull: watch::Receiver<PullStatus>,
    valve: Arc<Valve>,
    /// Read, but not to be given yet.
    waiting: Option<StoreItem>,
    /// Number of the last commit that was given.
    committed: u64,
}

impl Feed {
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
            Some(sequence) => StartAt::Sequence(Sequence(sequence).next()),
            None => StartAt::Start,
        };
        self.waiting = None;
        self.reader = Some(self.store.read_from(&from)?);
        Ok(())
    }

    async fn acknowledge(&mut self, sequence: u64) -> Result<()> {
        Ok(self.store.acknowledge(CONSUMER, Sequence(sequence))?)
    }
}

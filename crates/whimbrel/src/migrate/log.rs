//! The task's Store: opened or made, filled by a puller, read by Incr-Sync.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use whimbrel_connector::{ConnectorError, FailPoint, LogStart, Result, Source};
use whimbrel_incr_sync::{Feed, Valve};
use whimbrel_store::{PullStatus, Puller, Retention, Sequence, Store, StoreOptions, StoreState};

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
        store.ensure_consumer(CONSUMER, Sequence::FIRST).map_err(ConnectorError::from)?;
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
        Ok(Self { store, puller: Some(puller), status, valve: Arc::default(), socket })
    }

    /// A reader for Incr-Sync.
    pub fn feed(&self) -> Feed {
        Feed::new(self.store.clone(), CONSUMER, self.status.clone(), self.valve.clone())
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

//! How a reader connects and when it gives up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::binlog::Limits;
use crate::wire::ConnectOptions;

/// Default of [`ReaderConfig::xa_bytes`].
pub(super) const XA_BYTES: usize = 64 << 20;

/// What the link to the server is doing, for status pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// The dump runs, from this file and offset (or GTIDs) on.
    Connected { from: String },
    /// The connection was lost or can't be made; the next attempt comes after the delay.
    Waiting { cause: String, attempt: u32, delay: Duration },
}

/// Called at every change of the link's state, from within `next`; must not block.
pub type StateCallback = Arc<dyn Fn(&LinkState) + Send + Sync>;

/// What of a position decides where a dump begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartBy {
    /// GTIDs where the position has them, else file and offset.
    #[default]
    Gtid,
    /// File and offset where the server is the position's, else GTIDs.
    FileOnSameServer,
}

/// Settings of a [`super::BinlogReader`].
#[derive(Clone)]
pub struct ReaderConfig {
    pub options: ConnectOptions,
    /// The id under which the reader registers; must be unique among the source's replicas. `None` picks one at
    /// random above 2^31.
    pub server_id: Option<u32>,
    pub start_by: StartBy,
    /// How often the server reports when it has nothing to send. At most five seconds keep the promise of
    /// `LogReader`.
    pub heartbeat: Duration,
    /// How long connecting again is tried before the error comes out; `None` is without end.
    pub give_up_after: Option<Duration>,
    /// Bytes that prepared XA transactions may hold in memory together.
    pub xa_bytes: usize,
    pub limits: Limits,
    pub on_state: Option<StateCallback>,
}

impl ReaderConfig {
    /// The defaults: heartbeat every five seconds, reconnecting without end, 64 MiB for XA transactions.
    pub fn new(options: ConnectOptions) -> Self {
        Self {
            options,
            server_id: None,
            start_by: StartBy::default(),
            heartbeat: Duration::from_secs(5),
            give_up_after: None,
            xa_bytes: XA_BYTES,
            limits: Limits::default(),
            on_state: None,
        }
    }
}

impl fmt::Debug for ReaderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReaderConfig")
            .field("options", &self.options)
            .field("server_id", &self.server_id)
            .field("start_by", &self.start_by)
            .field("heartbeat", &self.heartbeat)
            .field("give_up_after", &self.give_up_after)
            .field("xa_bytes", &self.xa_bytes)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

//! The connector's `LogReader`: a dump, its translation, and connecting again.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use whimbrel_connector::{ConnectorError, ErrorKind, LogReader, LogStart, Policy};
use whimbrel_model::{LogRecord, Position};

use super::config::{LinkState, ReaderConfig};
use super::schema_history::SchemaHistory;
use super::session::{self, Dump, Identity, dump_error};
use super::translator::Translator;
use crate::binlog::{Xid, kind};
use crate::wire::Connection;

const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// Longest silence is this many heartbeats, and at least a few seconds.
const SILENT_HEARTBEATS: u32 = 4;
const SHORTEST_SILENCE: Duration = Duration::from_secs(5);

/// Longest silence before the first event that stands in the log. To find a GTID the server reads its log file from
/// the beginning, and MariaDB says nothing meanwhile.
const SEARCH_SILENCE: Duration = Duration::from_secs(900);

/// Events that tell where a dump begins.
const BEFORE_THE_LOG: [u8; 4] =
    [kind::ROTATE, kind::FORMAT_DESCRIPTION, kind::GTID_LIST, kind::START_ENCRYPTION];

/// Reads the binary log of a MySQL or MariaDB server.
///
/// `next` may be dropped at any await: an event that has not been taken from the connection comes with the next
/// call, and connecting begins anew.
pub struct BinlogReader {
    config: ReaderConfig,
    identity: Identity,
    endpoint: String,
    translator: Translator,
    connection: Option<Connection>,
    /// When connecting began to fail, how often it has, and when to try again.
    failing: Option<Failing>,
    /// No event of the log itself has come over this connection.
    searching: bool,
    finished: bool,
}

struct Failing {
    since: Instant,
    attempts: u32,
    next: Instant,
}

impl BinlogReader {
    /// Connects and asks for the log from the start position on. Nothing is tried twice here: a server that
    /// can't be reached, a position that is gone and a missing privilege come out at once.
    ///
    /// # Errors
    /// What connecting can meet; [`ErrorKind::LogUnusable`] where the log is off, [`ErrorKind::PositionPurged`]
    /// where it can't start at the position (some servers say so only at the first `next`).
    pub async fn open(config: ReaderConfig, start: LogStart) -> Result<Self, ConnectorError> {
        let identity = Identity::choose(config.server_id)?;
        let Position::Binlog(position) = start.position;
        let dump = session::open(&config, &identity, &position).await?;
        let Dump { connection, decoder, server, defaults, from } = dump;
        let history = SchemaHistory::new(start.tables, start.filter, start.next_table_version, defaults);
        let mut translator = Translator::new(decoder.clone(), history, position, config.xa_bytes);
        translator.restart(decoder, &server);
        let reader = Self {
            endpoint: config.options.to_string(),
            config,
            identity,
            translator,
            connection: Some(connection),
            failing: None,
            searching: true,
            finished: false,
        };
        reader.report(&LinkState::Connected { from });
        Ok(reader)
    }

    fn report(&self, state: &LinkState) {
        match state {
            LinkState::Connected { from } => {
                tracing::info!(source = %self.endpoint, %from, "reading the binary log");
            }
            LinkState::Waiting { cause, attempt, delay } => {
                tracing::warn!(source = %self.endpoint, %cause, attempt, ?delay, "the binary log's connection is lost");
            }
        }
        if let Some(on_state) = &self.config.on_state {
            on_state(state);
        }
    }

    async fn step(&mut self) -> Result<Option<LogRecord>, ConnectorError> {
        if let Some(record) = self.translator.take_record() {
            return Ok(Some(record));
        }
        if let Some(xid) = self.translator.missing_xa().cloned() {
            return self.find_xa(&xid).await;
        }
        if self.translator.feed_inner().map_err(|error| error.into_connector(&self.endpoint))? {
            return Ok(None);
        }
        let Some(connection) = &mut self.connection else {
            self.reconnect().await?;
            return Ok(None);
        };
        let patience = if self.searching {
            SEARCH_SILENCE
        } else {
            self.config.heartbeat.saturating_mul(SILENT_HEARTBEATS).max(SHORTEST_SILENCE)
        };
        let Ok(packet) = tokio::time::timeout(patience, connection.next_binlog_packet()).await else {
            let message = format!("the server has sent neither an event nor a heartbeat for {patience:?}");
            return self.lose(ConnectorError::new(ErrorKind::ConnectionLost, &self.endpoint, message));
        };
        let lost = match packet {
            Ok(Some(event)) => {
                self.failing = None;
                // The place and the format come at once, whatever the server has to look for.
                self.searching &= event.get(4).is_some_and(|event_type| BEFORE_THE_LOG.contains(event_type));
                self.translator.feed(event).map_err(|error| error.into_connector(&self.endpoint))?;
                return Ok(None);
            }
            Ok(None) => {
                ConnectorError::new(ErrorKind::ConnectionLost, &self.endpoint, "the server ended the log")
            }
            Err(error) => dump_error(&self.endpoint, error),
        };
        self.lose(lost)
    }

    /// Brings an XA transaction that was prepared before the start. Heartbeats of the dump wait meanwhile.
    async fn find_xa(&mut self, xid: &Xid) -> Result<Option<LogRecord>, ConnectorError> {
        let search = session::find_prepared(&self.config, &self.identity, &self.translator, xid);
        let done = match Box::pin(search).await {
            Ok(Some(prepared)) => self.translator.provide_xa(prepared),
            Ok(None) => Err(self.translator.missing_xa_error()),
            Err(error) => return self.lose(error),
        };
        done.map_err(|error| error.into_connector(&self.endpoint))?;
        Ok(None)
    }

    /// Gives up the connection, and what came of the transaction at hand.
    fn lose(&mut self, error: ConnectorError) -> Result<Option<LogRecord>, ConnectorError> {
        self.connection = None;
        self.translator.abandon_group();
        self.wait_or_give_up(error)?;
        Ok(None)
    }

    /// Plans the next attempt, or hands out the error where it can't pass by itself or has lasted too long.
    fn wait_or_give_up(&mut self, error: ConnectorError) -> Result<(), ConnectorError> {
        if error.policy() != Policy::Retry {
            return Err(error);
        }
        let now = Instant::now();
        let (since, attempts) =
            self.failing.as_ref().map_or((now, 0), |failing| (failing.since, failing.attempts));
        if self.config.give_up_after.is_some_and(|limit| now.duration_since(since) >= limit) {
            return Err(error);
        }
        let delay = (FIRST_DELAY * 2u32.saturating_pow(attempts.min(16))).min(LONGEST_DELAY);
        let delay = if attempts == 0 { Duration::ZERO } else { delay };
        self.failing = Some(Failing { since, attempts: attempts + 1, next: now + delay });
        self.report(&LinkState::Waiting { cause: error.chain(), attempt: attempts + 1, delay });
        Ok(())
    }

    async fn reconnect(&mut self) -> Result<(), ConnectorError> {
        if let Some(failing) = &self.failing {
            tokio::time::sleep_until(failing.next.into()).await;
        }
        let position = self.translator.position().clone();
        match session::open(&self.config, &self.identity, &position).await {
            Ok(Dump { connection, decoder, server, defaults, from }) => {
                self.translator.restart(decoder, &server);
                self.translator.history_mut().set_server(defaults);
                self.connection = Some(connection);
                self.searching = true;
                self.report(&LinkState::Connected { from });
                Ok(())
            }
            Err(error) => self.wait_or_give_up(error),
        }
    }
}

#[async_trait]
impl LogReader for BinlogReader {
    async fn next(&mut self) -> Result<LogRecord, ConnectorError> {
        if self.finished {
            let message = "the reader has ended with an error before";
            return Err(ConnectorError::new(ErrorKind::Other, &self.endpoint, message));
        }
        loop {
            match self.step().await {
                Ok(Some(record)) => return Ok(record),
                Ok(None) => {}
                Err(error) => {
                    self.finished = true;
                    self.connection = None;
                    return Err(error);
                }
            }
        }
    }
}

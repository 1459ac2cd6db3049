//! The session of a writer: its connection, its transaction, and one reused statement buffer.
//!
//! Round trips are saved where that changes nothing: `BEGIN` goes out with the first statement, and what
//! [`Session::defer`] was given goes out with the next one, in one multi-statement command. The server stops at the
//! first statement that fails, so `COMMIT` never follows a failure.
//!
//! Transactions:
//!
//! ```text
//! None --begin--> Begun --first statement--> Open --commit/rollback--> None
//!                   \________________________/ |
//!                     conflict, lost connection -> Lost --rollback--> None
//! ```

mod load;

use whimbrel_connector::{ConnectorError, ErrorKind, Result};

use crate::error::{During, ddl_error, key_without_table, statement_error};
use crate::sql::session;
use crate::wire::{
    ConnectOptions, Connection, Flavor, OkInfo, QueryResult, RowStream, Scheme, ServerVersion,
    StatementError, WireError, push_identifier,
};

pub(super) use load::{Loaded, Loading};

/// Bytes of a statement that the server's limit doesn't leave for its text (the protocol's own).
const PACKET_MARGIN: usize = 1024;
const SAVEPOINT: &[u8] = b"SAVEPOINT whimbrel;";
const BEGIN: &[u8] = b"BEGIN;";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transaction {
    None,
    /// Wanted, but nothing has been sent.
    Begun,
    Open,
    /// The server has ended it; only `rollback` is of use.
    Lost,
}

/// What belongs to the statements of one call besides the call's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Frame {
    /// Statements before the call's own.
    prefix: usize,
    begins: bool,
    /// The call's statements are a transaction of their own.
    own_transaction: bool,
}

/// Where a failure takes an open transaction back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Savepoint {
    None,
    /// In the command that is being built.
    Written,
    Set,
}

#[derive(Debug)]
pub(super) struct Session {
    options: ConnectOptions,
    pub(super) endpoint: String,
    connection: Option<Connection>,
    pub(super) version: ServerVersion,
    transaction: Transaction,
    /// The text of the statements that are being built; see [`Session::start`].
    pub(super) sql: Vec<u8>,
    /// What a `LOAD DATA` loads; see [`Session::load`].
    pub(super) file: Vec<u8>,
    pub(super) loading: Loading,
    frame: Frame,
    savepoint: Savepoint,
    /// Statements that go out with the next ones, each ended by a semicolon.
    deferred: Vec<u8>,
    deferred_count: usize,
    /// The session's default schema; empty for none.
    default_schema: String,
    /// Longest command that the server takes, in bytes.
    pub(super) max_packet: usize,
    foreign_key_checks: bool,
    /// A command was sent and its end not seen: still true where its future was dropped.
    busy: bool,
}

impl Session {
    pub(super) async fn connect(mut options: ConnectOptions, endpoint: &str) -> Result<Self> {
        options.multi_statements = true;
        options.found_rows = true;
        options.local_files = options.scheme != Scheme::OceanBase;
        options.database = None;
        let Opened { connection, max_packet, loading } = open(&options, endpoint, false).await?;
        Ok(Self {
            options,
            endpoint: endpoint.to_owned(),
            version: connection.server_version().clone(),
            connection: Some(connection),
            transaction: Transaction::None,
            sql: Vec::new(),
            file: Vec::new(),
            loading,
            frame: Frame::default(),
            savepoint: Savepoint::None,
            deferred: Vec::new(),
            deferred_count: 0,
            default_schema: String::new(),
            max_packet,
            foreign_key_checks: false,
            busy: false,
        })
    }

    /// Another session at the same server.
    pub(super) async fn beside(&self) -> Result<Self> {
        Self::connect(self.options.clone(), &self.endpoint).await
    }

    pub(super) fn in_transaction(&self) -> bool {
        matches!(self.transaction, Transaction::Begun | Transaction::Open)
    }

    pub(super) fn foreign_key_checks(&self) -> bool {
        self.foreign_key_checks
    }

    // ---- transactions ----

    pub(super) fn begin(&mut self) -> Result<()> {
        match self.transaction {
            Transaction::None => {
                self.transaction = Transaction::Begun;
                Ok(())
            }
            Transaction::Lost => Err(self.gone()),
            Transaction::Begun | Transaction::Open => Err(self.misuse("a transaction is open already")),
        }
    }

    pub(super) async fn commit(&mut self) -> Result<()> {
        self.notice_cancelled();
        match self.transaction {
            Transaction::None => return Err(self.misuse("no transaction is open")),
            Transaction::Lost => return Err(self.gone()),
            Transaction::Begun if self.deferred.is_empty() => {
                self.transaction = Transaction::None;
                return Ok(());
            }
            Transaction::Begun | Transaction::Open => {}
        }
        self.start();
        self.sql.extend_from_slice(b"COMMIT");
        let done = self.run("committing", "").await;
        match &done {
            Ok(_) => self.transaction = Transaction::None,
            // Whatever the reason, nothing of the transaction may be used any more.
            Err(_) => self.abandon().await,
        }
        done.map(drop)
    }

    pub(super) async fn rollback(&mut self) -> Result<()> {
        self.notice_cancelled();
        self.deferred.clear();
        self.deferred_count = 0;
        self.savepoint = Savepoint::None;
        let was = std::mem::replace(&mut self.transaction, Transaction::None);
        let usable = self.connection.as_mut().filter(|connection| connection.is_usable());
        let Some(connection) = usable else {
            self.connection = None;
            return Ok(());
        };
        if was == Transaction::Open
            && let Err(error) = connection.query_drop("ROLLBACK").await
        {
            // Closing the session ends the transaction just as well.
            tracing::debug!(%error, "rolling back");
            self.connection = None;
        }
        Ok(())
    }

    /// Ends the transaction at the server; only `rollback` leads out of here.
    async fn abandon(&mut self) {
        if self.transaction == Transaction::Open
            && let Some(connection) = self.connection.as_mut().filter(|connection| connection.is_usable())
            && connection.query_drop("ROLLBACK").await.is_err()
        {
            self.connection = None;
        }
        self.deferred.clear();
        self.deferred_count = 0;
        self.transaction = Transaction::Lost;
    }

    // ---- statements ----

    /// Begins a command in `self.sql`, to which the caller appends statements with semicolons between them.
    pub(super) fn start(&mut self) {
        self.sql.clear();
        self.frame = Frame::default();
        if self.savepoint == Savepoint::Written {
            self.savepoint = Savepoint::None;
        }
        if self.transaction == Transaction::Begun {
            self.sql.extend_from_slice(BEGIN);
            self.frame.begins = true;
            self.frame.prefix += 1;
        }
        self.sql.extend_from_slice(&self.deferred);
        self.frame.prefix += self.deferred_count;
    }

    /// As [`Session::start`], for statements that must all happen or none: in a transaction behind a savepoint, which
    /// covers the commands that follow until [`Session::end_atomic`]; outside in one of their own.
    pub(super) fn start_atomic(&mut self) {
        self.start();
        if !self.in_transaction() {
            self.sql.extend_from_slice(BEGIN);
            self.frame.own_transaction = true;
            self.frame.prefix += 1;
        } else if self.savepoint == Savepoint::None {
            self.sql.extend_from_slice(SAVEPOINT);
            self.savepoint = Savepoint::Written;
            self.frame.prefix += 1;
        }
    }

    /// Ends what [`Session::start_atomic`] began. `failed`: what was done since is taken back, if it isn't yet.
    pub(super) async fn end_atomic(&mut self, failed: bool) {
        let savepoint = std::mem::replace(&mut self.savepoint, Savepoint::None);
        if failed && savepoint == Savepoint::Set && self.transaction == Transaction::Open {
            self.undo_to_savepoint().await;
        }
    }

    /// Keeps so many statements, each ended by a semicolon, for the next command of the open transaction.
    pub(super) fn defer(&mut self, sql: &[u8], statements: usize) {
        self.deferred.extend_from_slice(sql);
        self.deferred_count += statements;
    }

    pub(super) fn deferred_len(&self) -> usize {
        self.deferred.len()
    }

    /// Sends the command in `self.sql`; returns the results of the caller's own statements. `table` is the table's
    /// name without schema, for the names of its keys.
    pub(super) async fn run(&mut self, doing: &str, table: &str) -> Result<Vec<OkInfo>> {
        let object = if table.is_empty() { self.endpoint.clone() } else { table.to_owned() };
        self.run_as(doing, &object, During::Statement).await
    }

    /// Sends the DDL in `self.sql`.
    pub(super) async fn run_ddl(&mut self, object: &str) -> Result<()> {
        self.run_as("running DDL", object, During::Ddl).await.map(drop)
    }

    async fn run_as(&mut self, doing: &str, object: &str, during: During) -> Result<Vec<OkInfo>> {
        if self.frame.own_transaction {
            self.sql.extend_from_slice(b";COMMIT");
        }
        if self.sql.len() > self.max_packet {
            return Err(self.too_large());
        }
        self.ready().await?;
        let Some(connection) = self.connection.as_mut() else { return Err(self.gone()) };
        self.busy = true;
        let outcome = connection.execute_multi(&self.sql).await;
        self.busy = false;
        self.shrink();
        match outcome {
            Ok(mut results) => {
                self.sent(self.frame.prefix);
                results.drain(..self.frame.prefix.min(results.len()));
                if self.frame.own_transaction {
                    results.pop();
                }
                Ok(results)
            }
            Err(error) => Err(self.failed(error, doing, object, during).await),
        }
    }

    /// Runs the query in `self.sql`, before which nothing may be left to send ([`Session::flush`]).
    pub(super) async fn stream(&mut self, doing: &str, object: &str) -> Result<RowStream<'_>> {
        if self.sql.len() > self.max_packet {
            return Err(self.too_large());
        }
        self.ready().await?;
        let Some(connection) = self.connection.as_mut() else { return Err(self.gone()) };
        self.busy = true;
        // Paused, so that the error's arm may use the session.
        let rows = connection.query_stream(&self.sql).await.map(RowStream::pause);
        self.busy = false;
        match rows {
            Ok(rows) => match self.connection.as_mut() {
                Some(connection) => Ok(rows.resume(connection)),
                None => Err(ConnectorError::new(
                    ErrorKind::ConnectionLost,
                    &self.endpoint,
                    "the connection is gone",
                )),
            },
            Err(error) => Err(self.query_failed(error, doing, object).await),
        }
    }

    /// All rows of the query in `self.sql`; see [`Session::stream`].
    pub(super) async fn rows(&mut self, doing: &str) -> Result<QueryResult> {
        if self.sql.len() > self.max_packet {
            return Err(self.too_large());
        }
        self.ready().await?;
        let Some(connection) = self.connection.as_mut() else { return Err(self.gone()) };
        self.busy = true;
        let rows = connection.query_rows(&self.sql).await;
        self.busy = false;
        match rows {
            Ok(rows) => Ok(rows),
            Err(error) => {
                let endpoint = self.endpoint.clone();
                Err(self.query_failed(error, doing, &endpoint).await)
            }
        }
    }

    async fn query_failed(&mut self, source: WireError, doing: &str, object: &str) -> ConnectorError {
        let error = StatementError { index: 0, done: Vec::new(), source };
        self.failed(error, doing, object, During::Statement).await
    }

    /// Sends what is to go before the next statement, so that a query can be its command's only one.
    pub(super) async fn flush(&mut self) -> Result<()> {
        self.start();
        if self.frame.prefix > 0 {
            self.run("opening a transaction", "").await?;
        }
        self.start();
        Ok(())
    }

    /// Sets the session's checks, now and after every reconnect.
    pub(super) async fn set_foreign_key_checks(&mut self, on: bool) -> Result<()> {
        self.start();
        let sql = if on { "SET foreign_key_checks=1" } else { "SET foreign_key_checks=0" };
        self.sql.extend_from_slice(sql.as_bytes());
        self.run("setting foreign_key_checks", "").await?;
        self.foreign_key_checks = on;
        Ok(())
    }

    /// Makes a schema the default one, or none where it isn't there.
    pub(super) async fn use_schema(&mut self, schema: &str) -> Result<()> {
        self.ready().await?;
        if self.default_schema == schema {
            return Ok(());
        }
        if !schema.is_empty() {
            self.start();
            self.sql.extend_from_slice(b"USE ");
            push_identifier(&mut self.sql, schema);
            match self.run("choosing the default schema", "").await {
                Ok(_) => {
                    schema.clone_into(&mut self.default_schema);
                    return Ok(());
                }
                // CREATE DATABASE is run before there is one.
                Err(error) if super::has_server_code(&error, &[1049]) => {}
                Err(error) => return Err(error),
            }
        }
        if !self.default_schema.is_empty() {
            // No statement takes a default schema away, and a statement must not meet another schema's tables.
            self.connection = None;
        }
        Ok(())
    }

    /// Closes the connection; outside of a transaction only. The next call opens another one.
    pub(super) fn forget_connection(&mut self) {
        self.connection = None;
    }

    /// After a call whose future was dropped it isn't known what the server has done; closing the connection takes all
    /// of it back that belongs to a transaction.
    fn notice_cancelled(&mut self) {
        if std::mem::take(&mut self.busy) {
            self.connection = None;
            self.savepoint = Savepoint::None;
            if self.in_transaction() {
                self.transaction = Transaction::Lost;
            }
        }
    }

    /// Makes sure of a usable connection.
    async fn ready(&mut self) -> Result<()> {
        self.notice_cancelled();
        if self.transaction == Transaction::Lost {
            return Err(self.gone());
        }
        if self.connection.as_ref().is_some_and(Connection::is_usable) {
            return Ok(());
        }
        self.connection = None;
        if self.transaction == Transaction::Open {
            self.transaction = Transaction::Lost;
            return Err(self.gone());
        }
        let Opened { connection, max_packet, loading } =
            open(&self.options, &self.endpoint, self.foreign_key_checks).await?;
        self.loading.reconnected(&loading);
        self.version = connection.server_version().clone();
        self.default_schema.clear();
        self.max_packet = max_packet;
        self.connection = Some(connection);
        Ok(())
    }

    /// So many statements of the command have had an effect.
    fn sent(&mut self, statements: usize) {
        let begins = usize::from(self.frame.begins);
        if statements > 0 && self.frame.begins && self.transaction == Transaction::Begun {
            self.transaction = Transaction::Open;
        }
        if statements >= begins + self.deferred_count {
            self.deferred.clear();
            self.deferred_count = 0;
        }
        if statements >= self.frame.prefix && self.savepoint == Savepoint::Written {
            self.savepoint = Savepoint::Set;
        }
    }

    /// Brings transaction and connection into the state that an error leaves them in, and says what it is.
    async fn failed(
        &mut self,
        error: StatementError,
        doing: &str,
        object: &str,
        during: During,
    ) -> ConnectorError {
        let begins = usize::from(self.frame.begins);
        let in_deferred = (begins..begins + self.deferred_count).contains(&error.index);
        let null_epoch = error.source.server_code() == Some(1048);
        self.sent(error.index);
        let mut mapped = map_error(object, doing, error.source, during);
        if in_deferred && null_epoch {
            mapped = super::state::fenced(&self.endpoint).with_source(mapped);
        }
        let usable = self.connection.as_ref().is_some_and(Connection::is_usable);
        if !usable {
            self.connection = None;
        }
        let savepoint = std::mem::replace(&mut self.savepoint, Savepoint::None);
        if std::mem::take(&mut self.frame.own_transaction) {
            self.undo(b"ROLLBACK").await;
        } else if self.in_transaction() && (in_deferred || !usable || ends_transaction(&mapped.kind)) {
            self.abandon().await;
        } else if savepoint == Savepoint::Set {
            self.undo_to_savepoint().await;
        }
        mapped
    }

    async fn undo_to_savepoint(&mut self) {
        if !self.undo(b"ROLLBACK TO SAVEPOINT whimbrel").await {
            self.abandon().await;
        }
    }

    async fn undo(&mut self, sql: &[u8]) -> bool {
        let Some(connection) = self.connection.as_mut() else { return false };
        let undone = connection.query_drop(sql).await.is_ok();
        if !undone {
            self.connection = None;
        }
        undone
    }

    /// One huge row shouldn't hold its memory for ever.
    fn shrink(&mut self) {
        const KEEP: usize = 4 << 20;
        for buffer in [&mut self.sql, &mut self.file] {
            if buffer.capacity() > KEEP {
                *buffer = Vec::with_capacity(KEEP / 4);
            }
        }
    }

    fn gone(&self) -> ConnectorError {
        ConnectorError::new(
            ErrorKind::ConnectionLost,
            &self.endpoint,
            "the transaction is gone: it must be rolled back and started again",
        )
    }

    fn misuse(&self, message: &str) -> ConnectorError {
        ConnectorError::new(ErrorKind::Other, &self.endpoint, message)
    }

    fn too_large(&self) -> ConnectorError {
        let message = format!(
            "a statement of {} bytes is larger than the server accepts ({} bytes)",
            self.sql.len(),
            self.max_packet
        );
        ConnectorError::new(ErrorKind::TooLarge, &self.endpoint, message)
    }
}

/// Errors after which the server holds no transaction, or one that can't go on.
fn ends_transaction(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TransactionConflict
            | ErrorKind::ConnectionLost
            | ErrorKind::Timeout
            | ErrorKind::Overloaded
    )
}

fn map_error(object: &str, doing: &str, error: WireError, during: During) -> ConnectorError {
    let mut mapped = match during {
        During::Ddl => ddl_error(object, doing, error),
        During::Statement | During::Connect => statement_error(object, doing, error),
    };
    if let ErrorKind::DuplicateKey { key } = &mut mapped.kind {
        *key = key_without_table(key, object).to_owned();
    }
    mapped
}

/// A new connection.
struct Opened {
    connection: Connection,
    /// The longest command.
    max_packet: usize,
    loading: Loading,
}

async fn open(options: &ConnectOptions, endpoint: &str, foreign_key_checks: bool) -> Result<Opened> {
    let mut connection = session::prepare(options, endpoint, &session::WRITER).await?;
    let doing = "preparing a session for writing";
    let failed = |error| statement_error(endpoint, doing, error);
    if foreign_key_checks {
        connection.query_drop("SET foreign_key_checks=1").await.map_err(failed)?;
    }
    let row = connection.query_first("SELECT @@max_allowed_packet").await.map_err(failed)?;
    let max_packet = row.and_then(|row| row.parse::<usize>(0)).unwrap_or(1 << 20);
    // READ COMMITTED spares other writers gap locks. A server that logs statements refuses it for writes.
    let logs_statements = connection.server_version().flavor != Flavor::OceanBase && {
        let row = connection.query_first("SELECT @@binlog_format").await.ok().flatten();
        row.is_some_and(|row| row.text(0) == Some("STATEMENT"))
    };
    if !logs_statements {
        let sql = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
        connection.query_drop(sql).await.map_err(failed)?;
    }
    let max_packet = max_packet.saturating_sub(PACKET_MARGIN);
    let loading = Loading::ask(&mut connection, max_packet, logs_statements).await;
    Ok(Opened { connection, max_packet, loading })
}

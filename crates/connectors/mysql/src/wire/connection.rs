//! A session with a server: commands and their results.

use super::cursor::Cursor;
use super::error::{StatementError, WireError};
use super::framing::{Framing, Span};
use super::login;
use super::options::ConnectOptions;
use super::packet::{self, Column, OkInfo, StatusFlags, is_end, parse_err};
use super::rows::{QueryResult, Row, RowStream};
use super::version::{Flavor, ServerVersion};

const COM_QUIT: u8 = 0x01;
pub(super) const COM_QUERY: u8 = 0x03;
const COM_PING: u8 = 0x0e;

/// MySQL's limit is 4096 columns in a table; a join can show more, a damaged count far more.
const COLUMNS_MAX: u64 = 0xffff;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    /// A command was begun and its answer is not read to the end.
    Busy,
    /// The server sends binlog events until the end of the connection.
    Dumping,
    /// Out of step or closed.
    Broken,
}

/// How an answer begins.
pub(super) enum Head {
    /// No rows.
    Done(OkInfo),
    /// Rows of so many columns follow.
    Rows(u64),
}

/// A session with a MySQL, MariaDB or OceanBase server.
///
/// One command runs at a time. Dropping the future of a command before it is done, or a [`RowStream`] before its end,
/// makes the connection unusable ([`WireError::Poisoned`]); the server notices when the connection is dropped.
/// Errors other than [`WireError::Server`] and [`WireError::LocalInfile`] do so too.
pub struct Connection {
    pub(super) framing: Framing,
    pub(super) state: State,
    pub(super) deprecate_eof: bool,
    pub(super) status: StatusFlags,
    version: ServerVersion,
    connection_id: u32,
    tls_warning: Option<String>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("server", &self.framing.server())
            .field("version", &self.version.text)
            .field("connection_id", &self.connection_id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects and logs in, all within [`ConnectOptions::connect_timeout`].
    pub async fn connect(options: &ConnectOptions) -> Result<Self, WireError> {
        let session = Box::pin(login::open(options)).await?;
        Ok(Self {
            framing: session.framing,
            state: State::Ready,
            deprecate_eof: session.deprecate_eof,
            status: session.status,
            version: ServerVersion::parse(&session.version),
            connection_id: session.connection_id,
            tls_warning: session.tls_warning,
        })
    }

    /// Ends the statement that runs on another connection (`KILL QUERY`), through a connection of its own.
    pub async fn kill_query(options: &ConnectOptions, connection_id: u32) -> Result<(), WireError> {
        let mut connection = Self::connect(options).await?;
        connection.query_drop(format!("KILL QUERY {connection_id}")).await?;
        connection.close().await;
        Ok(())
    }

    /// From the greeting; after [`probe_flavor`](Self::probe_flavor) from `version()`.
    pub fn server_version(&self) -> &ServerVersion {
        &self.version
    }

    /// Asks the server's `version()`, which alone tells OceanBase from MySQL 5.7.
    pub async fn probe_flavor(&mut self) -> Result<Flavor, WireError> {
        let row = self.query_first("SELECT version()").await?;
        if let Some(text) = row.as_ref().and_then(|row| row.text(0)) {
            self.version = ServerVersion::parse(text);
        }
        Ok(self.version.flavor)
    }

    /// The server's id of this session, as `KILL` takes it. Behind a proxy it may be the proxy's.
    pub fn connection_id(&self) -> u32 {
        self.connection_id
    }

    /// Status after the last result.
    pub fn status(&self) -> StatusFlags {
        self.status
    }

    /// True if a transaction was open after the last result.
    pub fn in_transaction(&self) -> bool {
        self.status.in_transaction()
    }

    pub fn is_encrypted(&self) -> bool {
        self.framing.is_tls()
    }

    /// Why a connection with `tls=prefer` is in clear although the server offers TLS.
    pub fn tls_warning(&self) -> Option<&str> {
        self.tls_warning.as_deref()
    }

    /// True if the next command can be sent.
    pub fn is_usable(&self) -> bool {
        self.state == State::Ready
    }

    /// Runs statements and discards their rows. Returns the result of the last one.
    pub async fn execute(&mut self, sql: impl AsRef<[u8]>) -> Result<OkInfo, WireError> {
        self.begin()?;
        let mut last = OkInfo::default();
        let outcome = self.run(sql.as_ref(), |ok| last = ok).await;
        self.settle(outcome)?;
        Ok(last)
    }

    /// Like [`execute`](Self::execute), for statements whose result does not matter.
    pub async fn query_drop(&mut self, sql: impl AsRef<[u8]>) -> Result<(), WireError> {
        self.execute(sql).await.map(drop)
    }

    /// Runs several statements in one command, which needs [`ConnectOptions::multi_statements`]; returns one result
    /// for each. The server stops at the first that fails, and what went before has taken effect.
    pub async fn execute_multi(&mut self, sql: impl AsRef<[u8]>) -> Result<Vec<OkInfo>, StatementError> {
        let mut done = Vec::new();
        if let Err(source) = self.begin() {
            return Err(StatementError { index: 0, done, source });
        }
        let outcome = self.run(sql.as_ref(), |ok| done.push(ok)).await;
        match self.settle(outcome) {
            Ok(()) => Ok(done),
            Err(source) => Err(StatementError { index: done.len(), done, source }),
        }
    }

    /// Sends all statements at once, then reads their results in order; rows are discarded. Unlike with
    /// [`execute_multi`](Self::execute_multi), a statement that the server refuses does not stop the next ones.
    /// The outer error is a failure of the connection, after which nothing is known of statements without result.
    pub async fn pipeline<S: AsRef<[u8]>>(
        &mut self,
        statements: &[S],
    ) -> Result<Vec<Result<OkInfo, WireError>>, WireError> {
        self.begin()?;
        let outcome = self.run_pipeline(statements).await;
        self.settle(outcome)
    }

    async fn run_pipeline<S: AsRef<[u8]>>(
        &mut self,
        statements: &[S],
    ) -> Result<Vec<Result<OkInfo, WireError>>, WireError> {
        let mut answers = Vec::with_capacity(statements.len());
        for statement in statements {
            self.framing.set_sequence(0);
            self.framing.queue(&[COM_QUERY], statement.as_ref()).await?;
            answers.push(self.framing.sequence());
        }
        self.framing.flush().await?;
        let mut results = Vec::with_capacity(statements.len());
        for sequence in answers {
            self.framing.set_sequence(sequence);
            let mut last = OkInfo::default();
            match self.read_results(|ok| last = ok).await {
                Ok(()) => results.push(Ok(last)),
                Err(error) if error.leaves_in_step() && !self.framing.is_dead() => results.push(Err(error)),
                Err(error) => return Err(error),
            }
        }
        Ok(results)
    }

    /// All rows of a small result, owned. Of several result sets the first counts.
    pub async fn query_rows(&mut self, sql: impl AsRef<[u8]>) -> Result<QueryResult, WireError> {
        let mut stream = self.query_stream(sql).await?;
        let columns = stream.take_columns();
        let mut rows = Vec::new();
        while let Some(row) = stream.next().await? {
            let cells = row.iter().map(|cell| cell.map(<[u8]>::to_vec)).collect();
            rows.push(Row::new(columns.clone(), cells));
        }
        Ok(QueryResult { columns, rows })
    }

    /// The first row, `None` if there is none. The others are read and discarded.
    pub async fn query_first(&mut self, sql: impl AsRef<[u8]>) -> Result<Option<Row>, WireError> {
        let mut stream = self.query_stream(sql).await?;
        let columns = stream.take_columns();
        let first = stream.next().await?.map(|row| row.iter().map(|cell| cell.map(<[u8]>::to_vec)).collect());
        stream.finish().await?;
        Ok(first.map(|cells| Row::new(columns, cells)))
    }

    /// Rows one by one, borrowed from the receive buffer. Of several result sets the first counts.
    pub async fn query_stream(&mut self, sql: impl AsRef<[u8]>) -> Result<RowStream<'_>, WireError> {
        self.begin()?;
        let head = self.begin_rows(sql.as_ref()).await;
        match head {
            Ok((columns, None)) => Ok(RowStream::new(self, columns)),
            Ok((_, Some(ok))) => {
                self.state = State::Ready;
                Ok(RowStream::without_rows(self, ok))
            }
            Err(error) => self.settle(Err(error)),
        }
    }

    async fn begin_rows(&mut self, sql: &[u8]) -> Result<(Vec<Column>, Option<OkInfo>), WireError> {
        self.framing.send(&[COM_QUERY], sql).await?;
        match self.read_head().await? {
            Head::Done(mut ok) => {
                if ok.status.more_results() {
                    self.read_results(|next| ok = next).await?;
                }
                Ok((Vec::new(), Some(ok)))
            }
            Head::Rows(count) => Ok((self.read_columns(count).await?, None)),
        }
    }

    /// Asks the server for a sign of life.
    pub async fn ping(&mut self) -> Result<(), WireError> {
        self.command(COM_PING, &[]).await.map(drop)
    }

    /// Says goodbye and closes. Dropping the connection closes it too, which the server counts as aborted.
    pub async fn close(mut self) {
        if self.begin().is_ok() && self.framing.send(&[COM_QUIT], &[]).await.is_err() {
            tracing::debug!(server = %self.framing.server(), "the server closed the connection first");
        }
        self.framing.shutdown().await;
    }

    /// Sends a command whose answer has no rows.
    pub(super) async fn command(&mut self, command: u8, body: &[u8]) -> Result<OkInfo, WireError> {
        self.begin()?;
        let outcome = self.run_command(command, body).await;
        self.settle(outcome)
    }

    async fn run_command(&mut self, command: u8, body: &[u8]) -> Result<OkInfo, WireError> {
        self.framing.send(&[command], body).await?;
        match self.read_head().await? {
            Head::Done(ok) => Ok(ok),
            Head::Rows(_) => Err(WireError::Protocol { what: "rows where none can be", at: 0 }),
        }
    }

    /// Marks the connection as busy until [`settle`](Self::settle).
    pub(super) fn begin(&mut self) -> Result<(), WireError> {
        if self.state != State::Ready {
            return Err(WireError::Poisoned);
        }
        self.state = State::Busy;
        self.framing.shrink();
        self.framing.set_sequence(0);
        Ok(())
    }

    /// Records whether the connection can go on after a command.
    pub(super) fn settle<T>(&mut self, outcome: Result<T, WireError>) -> Result<T, WireError> {
        let in_step = match &outcome {
            Ok(_) => true,
            Err(error) => error.leaves_in_step(),
        };
        self.state = if in_step && !self.framing.is_dead() { State::Ready } else { State::Broken };
        outcome
    }

    async fn run(&mut self, sql: &[u8], each: impl FnMut(OkInfo)) -> Result<(), WireError> {
        self.framing.send(&[COM_QUERY], sql).await?;
        self.read_results(each).await
    }

    /// Reads all results of a command and discards rows.
    pub(super) async fn read_results(&mut self, mut each: impl FnMut(OkInfo)) -> Result<(), WireError> {
        loop {
            let head = self.read_head().await?;
            let ok = self.read_rest(head).await?;
            let more = ok.status.more_results();
            each(ok);
            if !more {
                return Ok(());
            }
        }
    }

    /// Reads a result to its end and discards its rows.
    pub(super) async fn read_rest(&mut self, head: Head) -> Result<OkInfo, WireError> {
        let count = match head {
            Head::Done(ok) => return Ok(ok),
            Head::Rows(count) => count,
        };
        for _ in 0..count {
            self.framing.packet().await?;
        }
        self.end_of_columns().await?;
        loop {
            if let Err(ok) = self.row_or_end().await? {
                return Ok(ok);
            }
        }
    }

    /// Reads the first packet of an answer.
    pub(super) async fn read_head(&mut self) -> Result<Head, WireError> {
        let span = self.framing.packet().await?;
        self.head_of(span).await
    }

    /// What the first packet of an answer says.
    pub(super) async fn head_of(&mut self, span: Span) -> Result<Head, WireError> {
        match self.framing.bytes(span) {
            payload @ [packet::OK, ..] => {
                let ok = OkInfo::parse(payload)?;
                self.status = ok.status;
                Ok(Head::Done(ok))
            }
            payload @ [packet::ERR, ..] => Err(parse_err(payload)),
            [packet::LOCAL_INFILE, ..] => self.refuse_file().await,
            payload => {
                let mut cursor = Cursor::new(payload);
                let count = cursor.lenenc("column count")?;
                if count == 0 || count > COLUMNS_MAX || !cursor.is_empty() {
                    return Err(WireError::Protocol { what: "column count", at: 0 });
                }
                Ok(Head::Rows(count))
            }
        }
    }

    /// An empty packet means "no file"; the server then ends the statement, mostly with an error of its own.
    async fn refuse_file(&mut self) -> Result<Head, WireError> {
        self.framing.send(&[], &[]).await?;
        let span = self.framing.packet().await?;
        match self.framing.bytes(span) {
            [packet::ERR, ..] => Err(WireError::LocalInfile),
            payload @ [packet::OK, ..] if !OkInfo::parse(payload)?.status.more_results() => {
                Err(WireError::LocalInfile)
            }
            _ => Err(WireError::Protocol { what: "answer to a refused local file", at: 0 }),
        }
    }

    async fn read_columns(&mut self, count: u64) -> Result<Vec<Column>, WireError> {
        let mut columns = Vec::new();
        for _ in 0..count {
            let span = self.framing.packet().await?;
            match self.framing.bytes(span) {
                payload @ [packet::ERR, ..] => return Err(parse_err(payload)),
                payload => columns.push(Column::parse(payload)?),
            }
        }
        self.end_of_columns().await?;
        Ok(columns)
    }

    async fn end_of_columns(&mut self) -> Result<(), WireError> {
        if self.deprecate_eof {
            return Ok(());
        }
        let span = self.framing.packet().await?;
        match self.framing.bytes(span) {
            payload if is_end(payload, false) => Ok(()),
            payload @ [packet::ERR, ..] => Err(parse_err(payload)),
            _ => Err(WireError::Protocol { what: "end of the column list", at: 0 }),
        }
    }

    /// A row, or in the inner `Err` the end of the result set.
    pub(super) async fn row_or_end(&mut self) -> Result<Result<Span, OkInfo>, WireError> {
        let span = self.framing.packet().await?;
        match self.framing.bytes(span) {
            payload if is_end(payload, self.deprecate_eof) => {
                let ok = OkInfo::parse_end(payload, self.deprecate_eof)?;
                self.status = ok.status;
                Ok(Err(ok))
            }
            payload @ [packet::ERR, ..] => Err(parse_err(payload)),
            _ => Ok(Ok(span)),
        }
    }
}

//! The catalogue's connection: opened when needed, opened again after it was lost, every statement with a
//! deadline.

use std::time::Duration;

use tokio::time::timeout;
use whimbrel_connector::{Flavor, Result};

use crate::error::{connect_error, statement_error, timeout_error};
use crate::wire::{self, ConnectOptions, Connection, Row, TextRow, WireError};

/// A server that doesn't greet, or doesn't finish the login.
const CONNECT: Duration = Duration::from_secs(5);
/// Statements that answer at once on any healthy server.
pub(super) const STATEMENT: Duration = Duration::from_secs(10);
/// Reads of `information_schema` over all tables of a schema: MySQL before 8.0 and MariaDB open every table
/// for them before the first row comes.
pub(super) const CATALOGUE: Duration = Duration::from_secs(120);

/// The server's answer to a statement that a server may lack or refuse.
pub(super) enum Answer {
    Rows(Vec<Row>),
    Refused { code: u16, message: String },
}

impl Answer {
    /// The rows; none where the server refused.
    pub(super) fn rows(self) -> Vec<Row> {
        match self {
            Self::Rows(rows) => rows,
            Self::Refused { .. } => Vec::new(),
        }
    }
}

/// What the connected server is.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) flavor: Flavor,
    /// OceanBase: its own version.
    pub(super) version: (u16, u16, u16),
    pub(super) version_text: String,
    /// `lower_case_table_names` isn't 0: names of schemas and tables compare without regard to case.
    pub(super) folds_names: bool,
}

impl Identity {
    /// The form in which names of schemas and tables compare.
    pub(super) fn fold(&self, name: &str) -> String {
        if self.folds_names { name.to_lowercase() } else { name.to_owned() }
    }

    /// True for MySQL (not MariaDB, not OceanBase) of at least this version.
    pub(super) fn is_mysql(&self, at_least: (u16, u16, u16)) -> bool {
        self.flavor == Flavor::Mysql && self.version >= at_least
    }

    pub(super) fn is_mariadb(&self, at_least: (u16, u16, u16)) -> bool {
        self.flavor == Flavor::MariaDb && self.version >= at_least
    }
}

pub(super) struct Session {
    options: ConnectOptions,
    endpoint: String,
    live: Option<(Connection, Identity)>,
}

impl Session {
    pub(super) fn new(options: &ConnectOptions) -> Self {
        let mut options = options.clone();
        // An explicit connect-timeout of the URL stands; the default of the protocol layer is too patient for
        // a precheck.
        if options.connect_timeout == Duration::from_secs(10) {
            options.connect_timeout = CONNECT;
        }
        options.database = None;
        options.multi_statements = false;
        let endpoint = options.to_string();
        Self { options, endpoint, live: None }
    }

    /// The endpoint's name, without password.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What the server is; connects where that is needed.
    pub(super) async fn identity(&mut self) -> Result<Identity> {
        Ok(self.live().await?.1.clone())
    }

    async fn live(&mut self) -> Result<&mut (Connection, Identity)> {
        let usable = self.live.as_ref().is_some_and(|(connection, _)| connection.is_usable());
        if !usable {
            self.live = None;
            let opened =
                Box::pin(timeout(self.options.connect_timeout + STATEMENT, open(&self.options))).await;
            let opened =
                opened.map_err(|_| timeout_error(&self.endpoint, "preparing the session", STATEMENT))?;
            self.live = Some(opened.map_err(|error| connect_error(&self.endpoint, error))?);
        }
        Ok(self.live.as_mut().expect("opened above"))
    }

    /// All rows of a statement. `doing` says for what, in the -ing form.
    pub(super) async fn rows(&mut self, sql: &str, doing: &str) -> Result<Vec<Row>> {
        self.rows_within(sql, doing, STATEMENT).await
    }

    pub(super) async fn rows_within(&mut self, sql: &str, doing: &str, limit: Duration) -> Result<Vec<Row>> {
        let outcome = self.run(sql, doing, limit).await?;
        outcome.map_err(|error| statement_error(&self.endpoint, doing, error))
    }

    /// Hands every row of a large result to `each`, without keeping any.
    pub(super) async fn each_row(
        &mut self,
        sql: &str,
        doing: &str,
        mut each: impl FnMut(TextRow<'_>) + Send,
    ) -> Result<()> {
        let (connection, _) = self.live().await?;
        let reading = async {
            let mut stream = connection.query_stream(sql).await?;
            while let Some(row) = stream.next().await? {
                each(row);
            }
            Ok(())
        };
        match Box::pin(timeout(CATALOGUE, reading)).await {
            Ok(outcome) => outcome.map_err(|error| statement_error(&self.endpoint, doing, error)),
            Err(_) => {
                self.live = None;
                Err(timeout_error(&self.endpoint, doing, CATALOGUE))
            }
        }
    }

    /// The first row, where there is one.
    pub(super) async fn first(&mut self, sql: &str, doing: &str) -> Result<Option<Row>> {
        Ok(self.rows(sql, doing).await?.into_iter().next())
    }

    /// Runs a statement that this server may lack, or this user may not run.
    pub(super) async fn ask(&mut self, sql: &str, doing: &str) -> Result<Answer> {
        self.ask_within(sql, doing, STATEMENT).await
    }

    pub(super) async fn ask_within(&mut self, sql: &str, doing: &str, limit: Duration) -> Result<Answer> {
        match self.run(sql, doing, limit).await? {
            Ok(rows) => Ok(Answer::Rows(rows)),
            Err(WireError::Server { code, message, .. }) if self.is_usable() => {
                Ok(Answer::Refused { code, message })
            }
            Err(error) => Err(statement_error(&self.endpoint, doing, error)),
        }
    }

    async fn run(&mut self, sql: &str, doing: &str, limit: Duration) -> Result<Result<Vec<Row>, WireError>> {
        let (connection, _) = self.live().await?;
        match Box::pin(timeout(limit, connection.query_rows(sql))).await {
            Ok(result) => Ok(result.map(|result| result.rows)),
            Err(_) => {
                // The answer may still come: this connection is out of step for good.
                self.live = None;
                Err(timeout_error(&self.endpoint, doing, limit))
            }
        }
    }

    fn is_usable(&self) -> bool {
        self.live.as_ref().is_some_and(|(connection, _)| connection.is_usable())
    }
}

async fn open(options: &ConnectOptions) -> Result<(Connection, Identity), WireError> {
    let mut connection = Connection::connect(options).await?;
    let flavor = connection.probe_flavor().await?;
    // An empty sql_mode makes SHOW CREATE TABLE quote with backticks and backslashes; the expiry makes
    // MySQL 8 show the present AUTO_INCREMENT instead of one up to a day old.
    for statement in [
        "SET NAMES utf8mb4",
        "SET SESSION sql_mode = ''",
        "SET SESSION lock_wait_timeout = 5",
        "SET SESSION information_schema_stats_expiry = 0",
        "SET SESSION ob_query_timeout = 120000000",
    ] {
        match connection.query_drop(statement).await {
            Ok(()) | Err(WireError::Server { code: 1193 | 1235 | 1238 | 1621, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let version = connection.server_version().clone();
    let mut identity = Identity {
        flavor: match flavor {
            wire::Flavor::Mysql => Flavor::Mysql,
            wire::Flavor::MariaDb => Flavor::MariaDb,
            wire::Flavor::OceanBase => Flavor::OceanBase,
        },
        version: (version.major, version.minor, version.patch),
        version_text: version.text,
        folds_names: false,
    };
    let row = connection.query_first("SELECT @@lower_case_table_names").await?;
    identity.folds_names = row.is_some_and(|row| row.text(0) != Some("0"));
    if identity.flavor == Flavor::OceanBase
        && let Ok(Some(row)) = connection.query_first("SELECT ob_version()").await
        && let Some(text) = row.text(0)
    {
        let own = wire::ServerVersion::parse(text);
        identity.version = (own.major, own.minor, own.patch);
    }
    Ok((connection, identity))
}

/// A name as an SQL string literal, for comparisons in `information_schema`.
pub(super) fn literal(name: &str) -> String {
    let mut out = Vec::with_capacity(name.len() + 2);
    wire::push_string(&mut out, name.as_bytes());
    String::from_utf8(out).expect("escaping adds ASCII only")
}

/// A name in backticks.
pub(super) fn identifier(name: &str) -> String {
    let mut out = Vec::with_capacity(name.len() + 2);
    wire::push_identifier(&mut out, name);
    String::from_utf8(out).expect("quoting adds ASCII only")
}

/// `schema`.`table` in backticks.
pub(super) fn qualified(name: &whimbrel_model::TableName) -> String {
    format!("{}.{}", identifier(&name.schema), identifier(&name.table))
}

//! Questions about data, answered by the server that has it: [`MysqlInspector`].
//!
//! All questions about a table are one statement and one pass over its rows. A bound on rows is a `LIMIT` within the
//! statement, a bound on time the server's own (`max_execution_time`, `max_statement_time`, `ob_query_timeout`), with a
//! `KILL QUERY` where the server doesn't keep it. Nothing is locked.

mod condition;
mod key_trial;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::time::timeout;
use whimbrel_connector::inspect::{Bound, Collisions, Cost, Question, Scan};
use whimbrel_connector::{Inspector, Result};
use whimbrel_model::{Column, Key, TableSchema};

use self::condition::{condition, identifier};
pub(crate) use self::key_trial::MysqlKeyTrial;
use crate::error::statement_error;
use crate::sql::session;
use crate::wire::{ConnectOptions, Connection, Flavor, Row, WireError};

/// What a server needs to end a statement by itself.
const GRACE: Duration = Duration::from_secs(5);
/// Examples of keys that become equal.
const SAMPLES: usize = 3;

/// See [`Inspector`].
pub(crate) struct MysqlInspector {
    options: ConnectOptions,
    endpoint: String,
    connection: Connection,
}

/// A statement's rows, or why there are none.
enum Asked {
    Rows(Vec<Row>),
    Stopped(String),
}

impl MysqlInspector {
    pub(crate) async fn connect(options: &ConnectOptions, endpoint: &str) -> Result<Self> {
        let connection = session::prepare(options, endpoint, &[]).await?;
        Ok(Self { options: options.clone(), endpoint: endpoint.to_owned(), connection })
    }

    /// Runs one statement within the bound; the session's limit is set first.
    async fn ask(&mut self, sql: &str, doing: &str, limit: Option<Duration>) -> Result<Asked> {
        if !self.connection.is_usable() {
            self.connection = session::prepare(&self.options, &self.endpoint, &[]).await?;
        }
        self.limit(limit).await;
        let id = self.connection.connection_id();
        let outcome = match limit {
            None => self.connection.query_rows(sql).await,
            Some(limit) => match Box::pin(timeout(limit + GRACE, self.connection.query_rows(sql))).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    // The answer may still come, so this connection is out of step; the statement must not go on.
                    if let Err(error) = Connection::kill_query(&self.options, id).await {
                        tracing::warn!(%error, "a statement that took too long could not be ended");
                    }
                    self.connection = session::prepare(&self.options, &self.endpoint, &[]).await?;
                    return Ok(Asked::Stopped(too_long(limit)));
                }
            },
        };
        match outcome {
            Ok(result) => Ok(Asked::Rows(result.rows)),
            // Out of time: MySQL, MariaDB, OceanBase.
            Err(WireError::Server { code: 3024 | 1969 | 4012, .. }) => {
                Ok(Asked::Stopped(too_long(limit.unwrap_or_default())))
            }
            Err(WireError::Server { code, message, .. }) if self.connection.is_usable() => {
                Ok(Asked::Stopped(format!("server error {code}: {message}")))
            }
            Err(error) => Err(statement_error(&self.endpoint, doing, error)),
        }
    }

    /// A server that doesn't know its variable is ended by the client.
    async fn limit(&mut self, limit: Option<Duration>) {
        let milliseconds = limit.map_or(0, |limit| limit.as_millis());
        let set = match self.connection.server_version().flavor {
            Flavor::Mysql => format!("SET SESSION max_execution_time = {milliseconds}"),
            Flavor::MariaDb => format!("SET SESSION max_statement_time = {}", milliseconds as f64 / 1e3),
            Flavor::OceanBase if limit.is_none() => "SET SESSION ob_query_timeout = 86400000000".to_owned(),
            Flavor::OceanBase => format!("SET SESSION ob_query_timeout = {}", milliseconds * 1000),
        };
        if let Err(error) = self.connection.query_drop(set).await {
            tracing::debug!(%error, "the server sets no limit for a statement");
        }
    }
}

fn too_long(limit: Duration) -> String {
    format!("it took longer than {} s", limit.as_secs_f64())
}

/// The table, or its first rows, with these expressions as `q0`, `q1`, ...
fn derived(table: &TableSchema, expressions: &[String], bound: Bound) -> String {
    let list: Vec<String> =
        expressions.iter().enumerate().map(|(number, text)| format!("{text} AS q{number}")).collect();
    let name = &table.name;
    let from = format!("{}.{}", identifier(&name.schema), identifier(&name.table));
    let limit = bound.rows.map_or_else(String::new, |rows| format!(" LIMIT {rows}"));
    format!("(SELECT {} FROM {from}{limit}) d", list.join(", "))
}

fn number(row: &Row, column: usize) -> u64 {
    // A SUM is a DECIMAL.
    row.text(column)
        .and_then(|text| text.split('.').next())
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

fn cost(rows_read: u64, began: Instant, bound: Bound) -> Cost {
    Cost {
        rows_read,
        milliseconds: began.elapsed().as_millis() as u64,
        complete: bound.rows.is_none_or(|most| rows_read < most),
        stopped: None,
    }
}

fn stopped(began: Instant, why: String) -> Cost {
    Cost { stopped: Some(why), milliseconds: began.elapsed().as_millis() as u64, ..Cost::default() }
}

#[async_trait]
impl Inspector for MysqlInspector {
    async fn scan(&mut self, table: &TableSchema, questions: &[Question], bound: Bound) -> Result<Scan> {
        let began = Instant::now();
        let conditions: Vec<String> = questions
            .iter()
            .map(|question| {
                condition(table, question).map_or_else(|| "NULL".to_owned(), |sql| format!("({sql})"))
            })
            .collect();
        let sums: Vec<String> =
            (0..conditions.len()).map(|number| format!("COALESCE(SUM(q{number} = 1), 0)")).collect();
        let sql = format!("SELECT COUNT(*), {} FROM {}", sums.join(", "), derived(table, &conditions, bound));
        Ok(match self.ask(&sql, "looking into the data", bound.time).await? {
            Asked::Stopped(why) => Scan { cost: stopped(began, why), rows: Vec::new() },
            Asked::Rows(rows) => {
                let row = rows.first();
                let of = |column| row.map_or(0, |row| number(row, column));
                Scan { cost: cost(of(0), began, bound), rows: (1..=questions.len()).map(of).collect() }
            }
        })
    }

    async fn can_collate(&mut self, collation: &str) -> Result<bool> {
        let name = collation.replace('\'', "");
        // MariaDB 10.10 lists its newer collations without charset; only trying tells.
        let charset = name.split('_').next().unwrap_or_default().to_owned();
        let sql = format!("SELECT CONVERT('a' USING {charset}) COLLATE {name}");
        Ok(matches!(self.ask(&sql, "asking for a collation", None).await?, Asked::Rows(_)))
    }

    async fn collisions(
        &mut self,
        table: &TableSchema,
        key: &Key,
        columns: &[Column],
        bound: Bound,
    ) -> Result<Collisions> {
        let began = Instant::now();
        let parts: Vec<String> = key.parts.iter().filter_map(|part| key_part(part, columns)).collect();
        let groups = derived(table, &parts, bound);
        let names: Vec<String> = (0..parts.len()).map(|number| format!("q{number}")).collect();
        let known: Vec<String> = names.iter().map(|name| format!("{name} IS NOT NULL")).collect();
        let grouped = format!("FROM {groups} WHERE {} GROUP BY {}", known.join(" AND "), names.join(", "));
        let sql = format!(
            "SELECT COALESCE(SUM(n), 0), COALESCE(SUM(n > 1), 0), COALESCE(SUM(n - 1), 0) FROM \
             (SELECT COUNT(*) AS n {grouped}) g"
        );
        let mut found = match self.ask(&sql, "looking for keys that become equal", bound.time).await? {
            Asked::Stopped(why) => {
                return Ok(Collisions { cost: stopped(began, why), ..Collisions::default() });
            }
            Asked::Rows(rows) => {
                let of = |column| rows.first().map_or(0, |row| number(row, column));
                Collisions { cost: cost(of(0), began, bound), keys: of(1), rows: of(2), samples: Vec::new() }
            }
        };
        if found.keys > 0 {
            let shown: Vec<String> = names
                .iter()
                .map(|name| format!("MIN(CAST({name} AS BINARY)), MAX(CAST({name} AS BINARY))"))
                .collect();
            let sql = format!("SELECT {} {grouped} HAVING COUNT(*) > 1 LIMIT {SAMPLES}", shown.join(", "));
            if let Asked::Rows(rows) = self.ask(&sql, "looking for examples", bound.time).await? {
                found.samples = rows.iter().map(sample).collect();
            }
        }
        found.cost.milliseconds = began.elapsed().as_millis() as u64;
        Ok(found)
    }
}

/// A part of a key as the target's column would compare it.
fn key_part(part: &whimbrel_model::KeyPart, columns: &[Column]) -> Option<String> {
    let column = columns.iter().find(|column| Some(column.name.as_str()) == part.column())?;
    let mut sql = identifier(&column.name);
    if let Some(collation) = column.data_type.collation().filter(|name| !name.is_empty()) {
        let charset = column.data_type.charset();
        sql = format!("CONVERT({sql} USING {charset}) COLLATE {collation}");
    }
    Some(match part.prefix {
        Some(length) => format!("LEFT({sql}, {length})"),
        None => sql,
    })
}

/// `'a' and 'A'`: the two ends of what became one key.
fn sample(row: &Row) -> String {
    let text = |column| {
        let bytes = row.bytes(column).unwrap_or_default();
        let text = String::from_utf8_lossy(bytes).chars().take(60).collect::<String>();
        format!("{text:?}")
    };
    let pairs = (0..row.cells().len() / 2).map(|part| match (text(2 * part), text(2 * part + 1)) {
        (low, high) if low == high => low,
        (low, high) => format!("{low} and {high}"),
    });
    pairs.collect::<Vec<_>>().join(", ")
}

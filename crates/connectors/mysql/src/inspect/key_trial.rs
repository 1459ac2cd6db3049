//! Keys of a source in a scratch table of the target: which of them the target takes for equal.

use std::time::Instant;

use async_trait::async_trait;
use whimbrel_connector::inspect::{Collisions, Cost};
use whimbrel_connector::{KeyTrial, Result, TablePlan};
use whimbrel_model::RowBatch;

use super::condition::identifier;
use super::{SAMPLES, number, sample};
use crate::error::statement_error;
use crate::sql::keys::ListForm;
use crate::sql::session;
use crate::wire::{ConnectOptions, Connection};
use crate::writer::rows::RowFormat;

/// A statement is sent when it has grown to this.
const STATEMENT_BYTES: usize = 256 << 10;

/// See [`KeyTrial`].
pub(crate) struct MysqlKeyTrial {
    connection: Connection,
    endpoint: String,
    plan: TablePlan,
    rows: u64,
    began: Instant,
}

impl MysqlKeyTrial {
    pub(crate) async fn begin(
        options: &ConnectOptions,
        endpoint: &str,
        plan: TablePlan,
        create: &str,
    ) -> Result<Self> {
        let connection = session::prepare(options, endpoint, &session::WRITER).await?;
        let mut trial =
            Self { connection, endpoint: endpoint.to_owned(), plan, rows: 0, began: Instant::now() };
        let schema = identifier(&trial.plan.target.name.schema);
        trial.run(format!("CREATE DATABASE {schema}").as_bytes()).await?;
        if let Err(error) = trial.run(create.as_bytes()).await {
            trial.discard().await?;
            return Err(error);
        }
        Ok(trial)
    }

    async fn run(&mut self, sql: &[u8]) -> Result<()> {
        let outcome = self.connection.query_drop(sql).await;
        outcome.map_err(|error| statement_error(&self.endpoint, "trying keys in a scratch table", error))
    }
}

#[async_trait]
impl KeyTrial for MysqlKeyTrial {
    async fn add(&mut self, rows: &RowBatch) -> Result<()> {
        let plan = self.plan.clone();
        let format = RowFormat::new(&plan, ListForm::Rows);
        let mut sql = Vec::new();
        for row in rows.rows() {
            if sql.is_empty() {
                format.push_insert(&mut sql);
            } else {
                sql.push(b',');
            }
            format.push_values(&mut sql, row)?;
            self.rows += 1;
            if sql.len() >= STATEMENT_BYTES {
                self.run(&std::mem::take(&mut sql)).await?;
            }
        }
        if sql.is_empty() { Ok(()) } else { self.run(&sql).await }
    }

    async fn collisions(&mut self) -> Result<Collisions> {
        let name = &self.plan.target.name;
        let table = format!("{}.{}", identifier(&name.schema), identifier(&name.table));
        let columns: Vec<String> =
            self.plan.target.columns.iter().map(|column| identifier(&column.name)).collect();
        let known: Vec<String> = columns.iter().map(|name| format!("{name} IS NOT NULL")).collect();
        let grouped = format!("FROM {table} WHERE {} GROUP BY {}", known.join(" AND "), columns.join(", "));
        let sql = format!(
            "SELECT COALESCE(SUM(n > 1), 0), COALESCE(SUM(n - 1), 0) FROM (SELECT COUNT(*) AS n {grouped}) g"
        );
        let failed = |error| statement_error("scratch table", "looking for keys that are equal", error);
        let row = self.connection.query_first(sql).await.map_err(failed)?;
        let of = |column| row.as_ref().map_or(0, |row| number(row, column));
        let (keys, rows) = (of(0), of(1));
        let shown: Vec<String> = columns
            .iter()
            .map(|name| format!("MIN(CAST({name} AS BINARY)), MAX(CAST({name} AS BINARY))"))
            .collect();
        let sql = format!("SELECT {} {grouped} HAVING COUNT(*) > 1 LIMIT {SAMPLES}", shown.join(", "));
        let samples = self.connection.query_rows(sql).await.map_err(failed)?;
        Ok(Collisions {
            cost: Cost {
                rows_read: self.rows,
                milliseconds: self.began.elapsed().as_millis() as u64,
                complete: true,
                stopped: None,
            },
            keys,
            rows,
            samples: samples.rows.iter().map(sample).collect(),
        })
    }

    async fn discard(&mut self) -> Result<()> {
        let sql = format!("DROP DATABASE IF EXISTS {}", identifier(&self.plan.target.name.schema));
        self.run(sql.as_bytes()).await
    }
}

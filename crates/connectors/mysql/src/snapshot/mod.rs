//! Reading the rows that are there: [`MysqlSnapshotReader`], the connector's `SnapshotReader` and `Digest`.
//!
//! Rows stream as text from the server's packets straight into the caller's batch. What to select for a column and
//! how to read it is in [`crate::sql::cell`]; ranges are in [`crate::sql::keys`].
//!
//! What it guarantees: values are exact and text is in the column's own charset, so that a row is byte for byte what
//! the binary log holds for it; one statement reads one range.
//!
//! What it does not do: take locks, except for the moment of [`SnapshotReader::hold_table`]; read two ranges at once.

mod digest;
mod hold;
mod log_end;
mod ranges;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use whimbrel_connector::{
    ConnectorError, Digest, ErrorKind, Flavor, KeyBound, KeyRange, RangeDigest, Result, SnapshotReader,
    TableEstimate,
};
use whimbrel_model::{Position, RowBatch, TableName, TableSchema, TableVersion};

use crate::error::statement_error;
use crate::sql::cell::{CellReader, UnexpectedText};
use crate::sql::keys::ListForm;
use crate::sql::session;
use crate::wire::{self, ConnectOptions, Connection, PausedRows, RowStream, WireError, push_string};

use hold::HeldTable;
use ranges::TableSql;

/// Keys asked for in one statement.
const FETCH_KEYS: usize = 1000;

/// Reads rows from a MySQL, MariaDB or OceanBase server. The contract is the trait's.
#[derive(Debug)]
pub struct MysqlSnapshotReader {
    options: ConnectOptions,
    endpoint: String,
    connection: Option<Connection>,
    flavor: Flavor,
    /// The server computes SHA2 (MySQL 5.5 does only in some builds).
    hashes: bool,
    open: Option<OpenRange>,
    held: Option<HeldTable>,
    /// The view of a held table was lost with its connection.
    hold_lost: bool,
    sql: Vec<u8>,
    /// Conditions of the rows that are there for this reader.
    restrictions: HashMap<TableName, Arc<str>>,
}

/// A range that is being read.
#[derive(Debug)]
struct OpenRange {
    table: TableName,
    columns: Arc<[CellReader]>,
    rows: PausedRows,
}

impl MysqlSnapshotReader {
    /// Connects. `endpoint` names the server in errors, without password.
    pub async fn connect(options: ConnectOptions, endpoint: &str) -> Result<Self> {
        let connection = session::prepare(&options, endpoint, &session::READER).await?;
        let version = connection.server_version();
        let flavor = session::server_flavor(version);
        let hashes = flavor != Flavor::Mysql || version.at_least(5, 6, 0);
        Ok(Self {
            options,
            endpoint: endpoint.to_owned(),
            connection: Some(connection),
            flavor,
            hashes,
            open: None,
            held: None,
            hold_lost: false,
            sql: Vec::new(),
            restrictions: HashMap::new(),
        })
    }

    /// The connection, made anew where the last one was lost.
    async fn connection(&mut self) -> Result<&mut Connection> {
        self.open = None;
        if self.connection.as_ref().is_none_or(|connection| !connection.is_usable()) {
            self.connection = None;
            self.hold_lost |= self.held.is_some();
            if self.hold_lost {
                return Err(ConnectorError::new(
                    ErrorKind::ConnectionLost,
                    &self.endpoint,
                    "the view of the table was lost with its connection",
                ));
            }
            self.connection = Some(session::prepare(&self.options, &self.endpoint, &session::READER).await?);
        }
        self.connection.as_mut().ok_or_else(|| lost(&self.endpoint))
    }

    /// Takes the statement buffer; it is given back by whoever ran it.
    fn statement(&mut self) -> Vec<u8> {
        let mut sql = std::mem::take(&mut self.sql);
        sql.clear();
        sql
    }

    /// Runs a statement of which the first row's cells are wanted.
    async fn first_row(&mut self, table: &TableName, doing: &str, sql: Vec<u8>) -> Result<Option<wire::Row>> {
        let connection = self.connection().await?;
        let row = connection.query_first(&sql).await;
        self.sql = sql;
        row.map_err(|error| read_error(table, doing, error))
    }

    /// Runs a statement that selects the row key's columns.
    async fn key_of_first_row(
        &mut self,
        table: &TableSchema,
        doing: &str,
        sql: Vec<u8>,
        columns: &[CellReader],
    ) -> Result<Option<KeyBound>> {
        let Some(row) = self.first_row(&table.name, doing, sql).await? else { return Ok(None) };
        let mut batch = RowBatch::new(self.table_sql(table).row_key()?.kinds());
        for (column, cell) in columns.iter().zip(row.cells()) {
            column.push(&mut batch, cell.as_deref()).map_err(|error| cell_error(&table.name, error))?;
        }
        batch.end_row();
        let mut encoded = Vec::new();
        batch.encode(&mut encoded);
        Ok(Some(KeyBound { row: encoded }))
    }

    fn table_sql<'a>(&self, table: &'a TableSchema) -> TableSql<'a> {
        TableSql::new(table, self.flavor, self.restrictions.get(&table.name).cloned())
    }

    fn list_form(&self) -> ListForm {
        match &self.connection {
            Some(connection) if !session::finds_row_lists(connection.server_version()) => {
                ListForm::Conditions
            }
            _ => ListForm::Rows,
        }
    }
}

#[async_trait]
impl SnapshotReader for MysqlSnapshotReader {
    fn restrict(&mut self, table: &TableName, condition: &str) -> Result<()> {
        self.restrictions.insert(table.clone(), condition.into());
        Ok(())
    }

    async fn estimate(&mut self, table: &TableSchema) -> Result<TableEstimate> {
        let mut sql = self.statement();
        sql.extend_from_slice(
            b"SELECT TABLE_ROWS, DATA_LENGTH FROM information_schema.TABLES WHERE TABLE_SCHEMA=",
        );
        push_string(&mut sql, table.name.schema.as_bytes());
        sql.extend_from_slice(b" AND TABLE_NAME=");
        push_string(&mut sql, table.name.table.as_bytes());
        let row = self.first_row(&table.name, "estimating the table's size", sql).await?;
        let row = row.ok_or_else(|| {
            ConnectorError::new(ErrorKind::UnknownTable, table.name.to_string(), "the table does not exist")
        })?;
        Ok(TableEstimate { rows: row.parse(0).unwrap_or_default(), bytes: row.parse(1).unwrap_or_default() })
    }

    async fn last_bound(&mut self, table: &TableSchema) -> Result<Option<KeyBound>> {
        let mut sql = self.statement();
        let columns = self.table_sql(table).push_last_bound(&mut sql)?;
        self.key_of_first_row(table, "looking for the end of the table", sql, &columns).await
    }

    async fn next_bound(
        &mut self,
        table: &TableSchema,
        range: &KeyRange,
        rows: u64,
    ) -> Result<Option<KeyBound>> {
        let mut sql = self.statement();
        let columns = self.table_sql(table).push_next_bound(&mut sql, range, rows)?;
        self.key_of_first_row(table, "looking for the end of a chunk", sql, &columns).await
    }

    async fn open_range(&mut self, table: &Arc<TableVersion>, range: &KeyRange) -> Result<()> {
        let parts = self.table_sql(&table.schema);
        let mut sql = self.statement();
        let columns = parts.push_select_range(&mut sql, range)?;
        let name = table.schema.name.clone();
        let connection = self.connection().await?;
        let rows = match connection.query_stream(&sql).await {
            Ok(stream) => stream.pause(),
            Err(error) => return Err(read_error(&name, "reading rows", error)),
        };
        self.sql = sql;
        self.open = Some(OpenRange { table: name, columns: columns.into(), rows });
        Ok(())
    }

    async fn next_batch(&mut self, batch: &mut RowBatch, max_bytes: usize) -> Result<bool> {
        let Some(open) = self.open.take() else { return Ok(false) };
        let connection = self.connection.as_mut().ok_or_else(|| lost(&self.endpoint))?;
        if batch.columns() != open.columns.len() {
            return Err(ConnectorError::new(
                ErrorKind::SchemaMismatch,
                open.table.to_string(),
                "the batch has other columns than the range",
            ));
        }
        let mut stream = open.rows.resume(connection);
        let more = fill(&mut stream, &open.columns, &open.table, batch, max_bytes).await?;
        if more {
            let rows = stream.pause();
            self.open = Some(OpenRange { rows, ..open });
        }
        Ok(more)
    }

    async fn close_range(&mut self) -> Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        if self.held.is_none() {
            // A new connection costs less than the rest of a table.
            self.connection = None;
            return Ok(());
        }
        // The view lives in this session: the statement is ended, the transaction isn't.
        let Some(connection) = self.connection.as_mut() else { return Ok(()) };
        let killed = Connection::kill_query(&self.options, connection.connection_id()).await;
        killed.map_err(|error| read_error(&open.table, "ending a read", error))?;
        match open.rows.resume(connection).finish().await {
            Ok(_) | Err(WireError::Server { code: 1317, .. }) => Ok(()),
            Err(error) => Err(read_error(&open.table, "ending a read", error)),
        }
    }

    async fn fetch(&mut self, table: &Arc<TableVersion>, keys: &RowBatch) -> Result<RowBatch> {
        let parts = self.table_sql(&table.schema);
        let mut batch = RowBatch::new(table.kinds.clone());
        let mut start = 0;
        while start < keys.len() {
            let end = (start + FETCH_KEYS).min(keys.len());
            let mut sql = self.statement();
            // Which form of list the server wants is known once it is connected.
            self.connection().await?;
            let form = self.list_form();
            let rows = (start..end).map(|index| keys.row(index));
            let columns = parts.push_select_keys(&mut sql, rows, form)?;
            let name = &table.schema.name;
            let connection = self.connection().await?;
            let mut stream = connection
                .query_stream(&sql)
                .await
                .map_err(|error| read_error(name, "reading rows by key", error))?;
            fill(&mut stream, &columns, name, &mut batch, usize::MAX).await?;
            self.sql = sql;
            start = end;
        }
        Ok(batch)
    }

    async fn extremes(&mut self, table: &Arc<TableVersion>, column: usize) -> Result<RowBatch> {
        let parts = self.table_sql(&table.schema);
        let mut batch = RowBatch::new(table.kinds.clone());
        let name = &table.schema.name;
        for extreme in ranges::extremes(&table.schema, column) {
            let mut sql = self.statement();
            let columns = parts.push_extreme(&mut sql, &table.schema.columns[column].name, *extreme);
            let connection = self.connection().await?;
            let mut stream = connection
                .query_stream(&sql)
                .await
                .map_err(|error| read_error(name, "looking for extreme values", error))?;
            fill(&mut stream, &columns, name, &mut batch, usize::MAX).await?;
            self.sql = sql;
        }
        Ok(batch)
    }

    async fn count(&mut self, table: &TableSchema, range: &KeyRange) -> Result<u64> {
        let parts = self.table_sql(table);
        let mut sql = self.statement();
        parts.push_aggregate(&mut sql, b"COUNT(*)", range)?;
        let row = self.first_row(&table.name, "counting rows", sql).await?;
        row.and_then(|row| row.parse(0)).ok_or_else(|| no_answer(&table.name, "counting rows"))
    }

    async fn hold_table(&mut self, table: &TableSchema) -> Result<Position> {
        if self.held.is_some() {
            self.release_table().await?;
        }
        self.connection().await?;
        let Some(connection) = self.connection.as_mut() else { return Err(lost(&self.endpoint)) };
        match hold::hold(&self.options, &self.endpoint, connection, table).await {
            Ok((held, position)) => {
                self.held = Some(held);
                Ok(position)
            }
            Err(error) => {
                // The session may be in a transaction, whose view isn't the one wanted.
                self.connection = None;
                Err(error)
            }
        }
    }

    async fn release_table(&mut self) -> Result<()> {
        self.hold_lost = false;
        let Some(held) = self.held.take() else { return Ok(()) };
        if self.open.take().is_some() {
            self.connection = None;
        }
        let usable = self.connection.as_mut().filter(|connection| connection.is_usable());
        if let Some(connection) = usable
            && let Err(error) = connection.query_drop("COMMIT").await
        {
            // The view ends with the session at the latest.
            tracing::debug!(%error, "ending the view of a held table");
            self.connection = None;
        }
        held.release().await;
        Ok(())
    }

    fn digest(&mut self) -> Option<&mut dyn Digest> {
        Some(self)
    }
}

#[async_trait]
impl Digest for MysqlSnapshotReader {
    fn comparable(&self, table: &TableSchema, other: &TableSchema, other_flavor: Flavor) -> bool {
        self.hashes && digest::comparable(table, self.flavor, other, other_flavor)
    }

    async fn range_digest(
        &mut self,
        table: &TableSchema,
        columns: &[String],
        range: &KeyRange,
    ) -> Result<RangeDigest> {
        let parts = self.table_sql(table);
        let mut expression = Vec::new();
        digest::push_expression(&mut expression, table, self.flavor, columns)?;
        let mut sql = self.statement();
        parts.push_aggregate(&mut sql, &expression, range)?;
        let row = self.first_row(&table.name, "computing a digest", sql).await?;
        row.as_ref().and_then(digest::read).ok_or_else(|| no_answer(&table.name, "computing a digest"))
    }
}

/// Appends rows until the batch holds `max_bytes`; false at the end of the rows.
async fn fill(
    stream: &mut RowStream<'_>,
    columns: &[CellReader],
    table: &TableName,
    batch: &mut RowBatch,
    max_bytes: usize,
) -> Result<bool> {
    loop {
        let row = match stream.next().await {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(false),
            Err(error) => return Err(read_error(table, "reading rows", error)),
        };
        for (column, cell) in columns.iter().zip(row.iter()) {
            if let Err(error) = column.push(batch, cell) {
                batch.abandon_row();
                return Err(cell_error(table, error));
            }
        }
        batch.end_row();
        if batch.byte_len() >= max_bytes {
            return Ok(true);
        }
    }
}

fn read_error(table: &TableName, doing: &str, error: WireError) -> ConnectorError {
    // Unknown column: the table isn't as its definition says any more.
    let mismatch = error.server_code() == Some(1054);
    let mut mapped = statement_error(&table.to_string(), doing, error);
    if mismatch {
        mapped.kind = ErrorKind::SchemaMismatch;
    }
    mapped
}

fn cell_error(table: &TableName, error: UnexpectedText) -> ConnectorError {
    ConnectorError::new(ErrorKind::SchemaMismatch, table.to_string(), "reading rows").with_source(error)
}

fn no_answer(table: &TableName, doing: &str) -> ConnectorError {
    ConnectorError::new(
        ErrorKind::Other,
        table.to_string(),
        format!("{doing}: the server gave no usable answer"),
    )
}

fn lost(endpoint: &str) -> ConnectorError {
    ConnectorError::new(ErrorKind::ConnectionLost, endpoint, "the connection is gone")
}

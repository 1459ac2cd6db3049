//! [`SnapshotReader`] in memory: a range holds what was committed when it was opened, however late it is read.

use std::sync::Arc;

use async_trait::async_trait;
use whimbrel_connector::{
    ConnectorError, Digest, ErrorKind, KeyBound, KeyRange, Result, SnapshotReader, TableEstimate,
};
use whimbrel_model::{CellKind, Position, RowBatch, TableName, TableSchema, TableVersion};

use crate::locks::{Mode, Token};
use crate::row::{Row, key_of_ref, push};
use crate::server::SimServer;
use crate::session::{Open, TABLE_PATIENCE};
use crate::table::{Place, Table};

/// Rows of an open range, and where each of the wanted columns is in them.
struct OpenRange {
    rows: std::vec::IntoIter<Row>,
    columns: Vec<usize>,
}

/// A consistent view of one table.
enum View {
    None,
    Held(TableName, Box<Table>),
    /// It went with its connection.
    Lost,
}

pub(crate) struct SimSnapshotReader {
    server: Arc<SimServer>,
    open: Option<OpenRange>,
    view: View,
}

fn bound(table: &Table, row: &Row) -> KeyBound {
    let mut batch = RowBatch::new(table.key.iter().map(|at| table.kinds[*at]).collect());
    table.key.iter().for_each(|at| push(&mut batch, &row[*at]));
    batch.end_row();
    let mut bytes = Vec::new();
    batch.encode(&mut bytes);
    KeyBound { row: bytes }
}

fn damaged(name: &TableName) -> ConnectorError {
    ConnectorError::new(ErrorKind::Other, format!("table {name}"), "the bound isn't one of its key")
}

fn bound_place(table: &Table, bound: &KeyBound) -> Result<Place> {
    let kinds: Arc<[CellKind]> = table.key.iter().map(|at| table.kinds[*at]).collect();
    let batch = RowBatch::decode(kinds.clone(), &bound.row).map_err(|_| damaged(&table.schema.name))?;
    let columns: Vec<usize> = (0..kinds.len()).collect();
    let place = batch.rows().next().and_then(|row| key_of_ref(&kinds, row, &columns));
    place.ok_or_else(|| damaged(&table.schema.name))
}

/// The rows of a range in order.
fn range(table: &Table, range: &KeyRange) -> Result<Vec<Row>> {
    let after = range.after.as_ref().map(|bound| bound_place(table, bound)).transpose()?;
    let until = range.until.as_ref().map(|bound| bound_place(table, bound)).transpose()?;
    let within = |place: &Place| {
        after.as_ref().is_none_or(|after| place > after) && until.as_ref().is_none_or(|until| place <= until)
    };
    Ok(table.rows.iter().filter(|(place, _)| within(place)).map(|(_, row)| row.clone()).collect())
}

/// Where the columns of a definition are in a table.
fn columns(table: &Table, wanted: &TableSchema) -> Result<Vec<usize>> {
    let find = |name: &String| {
        table.schema.column_index(name).ok_or_else(|| {
            let what = format!("table {}, column {name}", wanted.name);
            ConnectorError::new(ErrorKind::SchemaMismatch, what, "it doesn't exist")
        })
    };
    wanted.columns.iter().map(|column| find(&column.name)).collect()
}

impl SimSnapshotReader {
    pub fn new(server: Arc<SimServer>) -> Self {
        Self { server, open: None, view: View::None }
    }

    /// A call, with what a lost connection takes along.
    async fn call<T>(
        &mut self,
        name: &'static str,
        table: &TableName,
        work: impl FnOnce(&Table) -> Result<T> + Send,
    ) -> Result<T>
    where
        T: Send,
    {
        let outcome = async {
            let after = self.server.enter(name, format!("{table}")).await?;
            let done = match &self.view {
                View::Held(held, view) if held == table => work(view),
                View::Lost => Err(self.view_lost()),
                _ => work(self.server.db().table(table)?),
            }?;
            self.server.leave(after).await?;
            Ok(done)
        };
        let outcome = outcome.await;
        self.notice(&outcome);
        outcome
    }

    fn view_lost(&self) -> ConnectorError {
        let message = "the view of the table was lost with its connection";
        ConnectorError::new(ErrorKind::ConnectionLost, &self.server.name, message)
    }

    fn notice<T>(&mut self, outcome: &Result<T>) {
        let lost = matches!(outcome, Err(error) if error.kind == ErrorKind::ConnectionLost);
        if lost {
            self.open = None;
            if matches!(self.view, View::Held(..)) {
                self.view = View::Lost;
            }
        }
    }
}

#[async_trait]
impl SnapshotReader for SimSnapshotReader {
    async fn estimate(&mut self, table: &TableSchema) -> Result<TableEstimate> {
        self.open = None;
        let estimate = |table: &Table| {
            let rows = table.rows.len() as u64;
            Ok(TableEstimate { rows, bytes: rows * 32 })
        };
        self.call("estimate", &table.name, estimate).await
    }

    async fn last_bound(&mut self, table: &TableSchema) -> Result<Option<KeyBound>> {
        self.open = None;
        let last = |table: &Table| Ok(table.rows.values().next_back().map(|row| bound(table, row)));
        self.call("last_bound", &table.name, last).await
    }

    async fn next_bound(
        &mut self,
        table: &TableSchema,
        within: &KeyRange,
        rows: u64,
    ) -> Result<Option<KeyBound>> {
        self.open = None;
        let nth = |table: &Table| {
            let found = range(table, within)?;
            let at = usize::try_from(rows.max(1) - 1).unwrap_or(usize::MAX);
            Ok(found.get(at).map(|row| bound(table, row)))
        };
        self.call("next_bound", &table.name, nth).await
    }

    async fn open_range(&mut self, table: &Arc<TableVersion>, within: &KeyRange) -> Result<()> {
        self.open = None;
        let open = |found: &Table| {
            let columns = columns(found, &table.schema)?;
            Ok(OpenRange { rows: range(found, within)?.into_iter(), columns })
        };
        self.open = Some(self.call("open_range", &table.schema.name, open).await?);
        Ok(())
    }

    async fn next_batch(&mut self, batch: &mut RowBatch, max_bytes: usize) -> Result<bool> {
        let outcome = async {
            let after = self.server.enter("next_batch", format!("{max_bytes}")).await?;
            self.server.leave(after).await
        };
        let outcome = outcome.await;
        self.notice(&outcome);
        if outcome.is_err() {
            self.open = None;
        }
        outcome?;
        let Some(open) = &mut self.open else { return Ok(false) };
        for row in open.rows.by_ref() {
            open.columns.iter().for_each(|at| push(batch, &row[*at]));
            batch.end_row();
            if batch.byte_len() >= max_bytes {
                break;
            }
        }
        Ok(open.rows.len() > 0)
    }

    async fn close_range(&mut self) -> Result<()> {
        self.open = None;
        Ok(())
    }

    async fn fetch(&mut self, table: &Arc<TableVersion>, keys: &RowBatch) -> Result<RowBatch> {
        self.open = None;
        let find = |found: &Table| {
            let columns = columns(found, &table.schema)?;
            let key: Vec<usize> = (0..keys.columns()).collect();
            let mut batch = RowBatch::new(table.kinds.clone());
            let places: std::collections::BTreeSet<Place> =
                keys.rows().filter_map(|row| key_of_ref(keys.kinds(), row, &key)).collect();
            for row in places.iter().filter_map(|place| found.rows.get(place)) {
                columns.iter().for_each(|at| push(&mut batch, &row[*at]));
                batch.end_row();
            }
            Ok(batch)
        };
        self.call("fetch_rows", &table.schema.name, find).await
    }

    async fn count(&mut self, table: &TableSchema, within: &KeyRange) -> Result<u64> {
        self.open = None;
        let count = |table: &Table| Ok(range(table, within)?.len() as u64);
        self.call("count", &table.name, count).await
    }

    async fn hold_table(&mut self, table: &TableSchema) -> Result<Position> {
        if matches!(self.view, View::Held(..)) {
            return Err(ConnectorError::new(
                ErrorKind::Other,
                table.name.to_string(),
                "a view is held already",
            ));
        }
        (self.view, self.open) = (View::None, None);
        let after = self.server.enter("hold_table", format!("{}", table.name)).await?;
        let (view, position) = {
            let open = Open::begin(&self.server);
            let id = self.server.db().table(&table.name)?.id;
            self.server.lock(open.id, &Token::Table(id), Mode::Exclusive, TABLE_PATIENCE).await?;
            let db = self.server.db();
            (db.table(&table.name)?.clone(), db.log.end())
        };
        self.server.leave(after).await?;
        self.view = View::Held(table.name.clone(), Box::new(view));
        Ok(position)
    }

    async fn release_table(&mut self) -> Result<()> {
        (self.view, self.open) = (View::None, None);
        let after = self.server.enter("release_table", String::new()).await?;
        self.server.leave(after).await
    }

    fn digest(&mut self) -> Option<&mut dyn Digest> {
        None
    }
}

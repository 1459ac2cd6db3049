//! A source and a target in memory. Every call of a seam is counted; one of them fails as the test says.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use whimbrel_connector::{
    AccountCatalogue, Catalog, ConnectorError, Correction, Digest, ErrorKind, Finding, InsertMode, KeyBound,
    KeyRange, LogReader, LogStart, ObjectCatalogue, Pressure, Result, ServerInfo, SnapshotReader, Source,
    StateEntry, StateKey, TableEstimate, TableKind, TablePlan, TableSummary, Target, Writer,
};
use whimbrel_model::schema::Key;
use whimbrel_model::{
    BinlogPosition, Column, DataType, GtidState, Position, RowBatch, RowRef, TableName, TableSchema,
    TableVersion, ValueRef,
};

/// What happens at the call with the number that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is lost before the call has had an effect.
    LostBefore,
    /// The connection is lost after it.
    LostAfter,
    /// A commit goes on at the server after the connection was lost; other calls: as `LostBefore`.
    Late,
    /// The import is asked to stop.
    Stop,
    /// The call never returns: the test drops the import.
    Vanish,
}

#[derive(Default)]
pub struct Server {
    calls: AtomicU64,
    fault: Mutex<Option<(u64, Fault)>>,
    /// Fires with `Fault::Stop`.
    pub stop: CancellationToken,
    /// Fires with `Fault::Vanish`.
    pub vanished: CancellationToken,
    /// A table that grows behind its last row, by more rows than a chunk has, whenever a bound is asked for.
    growing: Mutex<Option<TableName>>,
    /// The source's tables have lost a column since the task began.
    pub altered: AtomicBool,
    db: Mutex<Db>,
}

#[derive(Default)]
struct Db {
    source: BTreeMap<TableName, Vec<(i64, i64)>>,
    target: BTreeMap<TableName, Vec<(i64, i64)>>,
    state: BTreeMap<StateKey, Vec<u8>>,
    epoch: u64,
    /// Transactions whose commit is still under way.
    late: Vec<Vec<Op>>,
}

#[derive(Clone, Debug)]
enum Op {
    Row(TableName, i64, i64),
    Put(StateKey, Vec<u8>),
}

/// `id` (the key, or just a column) and `u` (unique).
pub fn schema(name: &str, keyed: bool) -> TableSchema {
    let int = DataType::Int { bytes: 8, unsigned: false, zerofill: None };
    TableSchema {
        primary_key: keyed.then(|| Key::on_columns("PRIMARY", ["id"])),
        ..TableSchema::new(
            TableName::new("d", name),
            vec![Column::new("id", int.clone(), false), Column::new("u", int, true)],
        )
    }
}

pub fn plan(name: &str, keyed: bool) -> Arc<TablePlan> {
    let schema = schema(name, keyed);
    let version = TableVersion::new(1, schema.clone());
    Arc::new(TablePlan::new(Arc::new(version), Arc::new(schema)).unwrap())
}

impl Server {
    pub fn with_rows(tables: &[(&str, Vec<(i64, i64)>)]) -> Arc<Self> {
        let server = Self::default();
        let source = tables.iter().map(|(name, rows)| (TableName::new("d", *name), rows.clone())).collect();
        server.db.lock().unwrap().source = source;
        Arc::new(server)
    }

    pub fn fail(&self, call: u64, fault: Fault) {
        *self.fault.lock().unwrap() = Some((call, fault));
    }

    pub fn let_grow(&self, table: &str) {
        *self.growing.lock().unwrap() = Some(TableName::new("d", table));
    }

    fn grow(&self) {
        let Some(name) = self.growing.lock().unwrap().clone() else { return };
        let mut db = self.db.lock().unwrap();
        let rows = db.source.entry(name).or_default();
        let last = rows.iter().map(|row| row.0).max().unwrap_or(0);
        assert!(rows.len() < 10_000, "the import follows a table that grows without an end");
        rows.extend((1..=10).map(|n| (last + n, n)));
    }

    /// Rows of a table of the source in key order.
    fn rows_in(&self, table: &TableName, range: &KeyRange) -> Vec<(i64, i64)> {
        let (after, until) = (range.after.as_ref().map(bound_id), range.until.as_ref().map(bound_id));
        let mut rows = self.db.lock().unwrap().source.get(table).cloned().unwrap_or_default();
        rows.sort_unstable();
        rows.retain(|(id, _)| {
            after.is_none_or(|after| *id > after) && until.is_none_or(|until| *id <= until)
        });
        rows
    }

    /// The same databases, seen by a process that starts anew.
    pub fn restarted(self: &Arc<Self>) -> Arc<Self> {
        let db = std::mem::take(&mut *self.db.lock().unwrap());
        Arc::new(Self { db: Mutex::new(db), ..Self::default() })
    }

    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    pub fn target_rows(&self, table: &str) -> Vec<(i64, i64)> {
        let db = self.db.lock().unwrap();
        let mut rows = db.target.get(&TableName::new("d", table)).cloned().unwrap_or_default();
        rows.sort_unstable();
        rows
    }

    pub fn fill_target(&self, table: &str, rows: Vec<(i64, i64)>) {
        self.db.lock().unwrap().target.insert(TableName::new("d", table), rows);
    }

    /// Number of state entries of a kind.
    pub fn entries(&self, kind: &str) -> usize {
        self.db.lock().unwrap().state.keys().filter(|key| key.kind == kind).count()
    }

    /// Counts a call. `Ok(true)`: the call must have its effect and then fail.
    async fn call(&self) -> Result<Option<Fault>> {
        // Lets the other parts of the import run in between, as a network would.
        tokio::task::yield_now().await;
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let fault = self.fault.lock().unwrap().filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        match fault {
            Some(Fault::LostBefore) => Err(lost()),
            Some(Fault::Stop) => {
                self.stop.cancel();
                Ok(None)
            }
            Some(Fault::Vanish) => {
                self.vanished.cancel();
                std::future::pending().await
            }
            other => Ok(other),
        }
    }

    async fn plain_call(&self) -> Result<()> {
        match self.call().await? {
            None => Ok(()),
            Some(_) => Err(lost()),
        }
    }
}

impl Db {
    fn apply(&mut self, ops: Vec<Op>) {
        for op in ops {
            match op {
                Op::Row(table, id, u) => self.target.entry(table).or_default().push((id, u)),
                Op::Put(key, payload) => {
                    self.state.insert(key, payload);
                }
            }
        }
    }

    /// Transactions under way that hold one of these end now; whoever asks has waited for their locks.
    fn wait_for(&mut self, holds: impl Fn(&Op) -> bool) {
        let (waited, rest) =
            std::mem::take(&mut self.late).into_iter().partition(|ops| ops.iter().any(&holds));
        self.late = rest;
        let waited: Vec<Vec<Op>> = waited;
        waited.into_iter().for_each(|ops| self.apply(ops));
    }
}

fn lost() -> ConnectorError {
    ConnectorError::new(ErrorKind::ConnectionLost, "memory", "the test cut the connection")
}

fn unsupported() -> ConnectorError {
    ConnectorError::new(ErrorKind::Unsupported, "memory", "not part of these tests")
}

pub struct Endpoint(pub Arc<Server>);

#[async_trait]
impl Source for Endpoint {
    fn name(&self) -> &str {
        "memory"
    }

    async fn catalog(&self) -> Result<Box<dyn Catalog>> {
        Ok(Box::new(MemoryCatalog(self.0.clone())))
    }

    async fn snapshot_reader(&self) -> Result<Box<dyn SnapshotReader>> {
        self.0.plain_call().await?;
        Ok(Box::new(Reader { server: self.0.clone(), open: None }))
    }

    async fn log_reader(&self, _: LogStart) -> Result<Box<dyn LogReader>> {
        Err(unsupported())
    }
}

#[async_trait]
impl Target for Endpoint {
    fn name(&self) -> &str {
        "memory"
    }

    async fn catalog(&self) -> Result<Box<dyn Catalog>> {
        Ok(Box::new(MemoryCatalog(self.0.clone())))
    }

    async fn snapshot_reader(&self) -> Result<Box<dyn SnapshotReader>> {
        Err(unsupported())
    }

    async fn writer(&self, _: &str, epoch: u64) -> Result<Box<dyn Writer>> {
        self.0.plain_call().await?;
        Ok(Box::new(MemoryWriter { server: self.0.clone(), epoch, transaction: None }))
    }

    async fn take_over(&self, _: &str) -> Result<u64> {
        let mut db = self.0.db.lock().unwrap();
        // Waits for the transactions of the old owner that have written state.
        db.wait_for(|op| matches!(op, Op::Put(..)));
        db.late.clear();
        db.epoch += 1;
        Ok(db.epoch)
    }

    fn correction(
        &self,
        _: &TablePlan,
        _: &TableVersion,
        _: Option<RowRef<'_>>,
        _: Option<RowRef<'_>>,
    ) -> Result<Correction> {
        Err(unsupported())
    }
}

struct MemoryCatalog(Arc<Server>);

#[async_trait]
impl Catalog for MemoryCatalog {
    async fn server(&mut self) -> Result<ServerInfo> {
        Err(unsupported())
    }

    async fn schemas(&mut self) -> Result<Vec<String>> {
        Ok(vec!["d".to_owned()])
    }

    async fn schema_collations(&mut self) -> Result<BTreeMap<String, String>> {
        Ok(BTreeMap::new())
    }

    async fn tables(&mut self, _: &str) -> Result<Vec<TableSummary>> {
        self.0.plain_call().await?;
        let db = self.0.db.lock().unwrap();
        let summary = |(name, rows): (&TableName, &Vec<_>)| TableSummary {
            name: name.clone(),
            kind: TableKind::Table,
            engine: None,
            estimate: TableEstimate { rows: rows.len() as u64, bytes: rows.len() as u64 * 16 },
        };
        Ok(db.source.iter().map(summary).collect())
    }

    async fn table_schemas(&mut self, names: &[TableName]) -> Result<Vec<TableSchema>> {
        let mut schemas: Vec<_> = names.iter().map(|name| schema(&name.table, false)).collect();
        let columns = if self.0.altered.load(Ordering::SeqCst) { 1 } else { 2 };
        schemas.iter_mut().for_each(|schema| schema.columns.truncate(columns));
        Ok(schemas)
    }

    async fn existing_tables(&mut self, _: &[TableName]) -> Result<Vec<TableSchema>> {
        Ok(Vec::new())
    }

    async fn objects(&mut self, _: &[String]) -> Result<ObjectCatalogue> {
        Ok(ObjectCatalogue::default())
    }

    async fn accounts(&mut self) -> Result<AccountCatalogue> {
        Ok(AccountCatalogue::default())
    }

    async fn has_rows(&mut self, table: &TableName) -> Result<bool> {
        Ok(self.0.db.lock().unwrap().target.get(table).is_some_and(|rows| !rows.is_empty()))
    }

    async fn position_before_reads(&mut self) -> Result<Position> {
        self.position_after_reads().await
    }

    async fn position_after_reads(&mut self) -> Result<Position> {
        self.0.plain_call().await?;
        Ok(position(1))
    }

    async fn check_source(&mut self, _: &[TableSchema], _: bool) -> Result<Vec<Finding>> {
        Ok(Vec::new())
    }

    async fn check_target(&mut self, _: &[String]) -> Result<Vec<Finding>> {
        Ok(Vec::new())
    }
}

fn position(offset: u64) -> Position {
    Position::Binlog(BinlogPosition {
        server: "memory".into(),
        file: "log.000001".into(),
        offset,
        gtids: GtidState::None,
    })
}

struct Reader {
    server: Arc<Server>,
    open: Option<std::vec::IntoIter<(i64, i64)>>,
}

fn bound(id: i64) -> KeyBound {
    let mut batch = RowBatch::new([whimbrel_model::CellKind::Int].into());
    batch.push_int(id);
    batch.end_row();
    let mut row = Vec::new();
    batch.encode(&mut row);
    KeyBound { row }
}

fn bound_id(bound: &KeyBound) -> i64 {
    let kinds = [whimbrel_model::CellKind::Int].into();
    let batch = RowBatch::decode(kinds, &bound.row).unwrap();
    match batch.row(0).get(0) {
        ValueRef::Int(id) => id,
        other => panic!("a bound of another kind: {other:?}"),
    }
}

#[async_trait]
impl SnapshotReader for Reader {
    async fn estimate(&mut self, _: &TableSchema) -> Result<TableEstimate> {
        Err(unsupported())
    }

    async fn last_bound(&mut self, table: &TableSchema) -> Result<Option<KeyBound>> {
        self.server.plain_call().await?;
        Ok(self.server.rows_in(&table.name, &KeyRange::default()).last().map(|row| bound(row.0)))
    }

    async fn next_bound(
        &mut self,
        table: &TableSchema,
        range: &KeyRange,
        rows: u64,
    ) -> Result<Option<KeyBound>> {
        self.server.plain_call().await?;
        let found = self.server.rows_in(&table.name, range).get(rows as usize - 1).map(|row| bound(row.0));
        self.server.grow();
        Ok(found)
    }

    async fn open_range(&mut self, table: &Arc<TableVersion>, range: &KeyRange) -> Result<()> {
        self.server.plain_call().await?;
        self.open = Some(self.server.rows_in(&table.schema.name, range).into_iter());
        Ok(())
    }

    async fn next_batch(&mut self, batch: &mut RowBatch, max_bytes: usize) -> Result<bool> {
        self.server.plain_call().await?;
        let Some(rows) = &mut self.open else { return Ok(false) };
        for (id, u) in rows.by_ref() {
            batch.push_int(id);
            batch.push_int(u);
            batch.end_row();
            if batch.byte_len() >= max_bytes {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn close_range(&mut self) -> Result<()> {
        Err(unsupported())
    }

    async fn fetch(&mut self, _: &Arc<TableVersion>, _: &RowBatch) -> Result<RowBatch> {
        Err(unsupported())
    }

    async fn count(&mut self, _: &TableSchema, _: &KeyRange) -> Result<u64> {
        Err(unsupported())
    }

    async fn hold_table(&mut self, _: &TableSchema) -> Result<Position> {
        self.server.plain_call().await?;
        Ok(position(self.server.calls()))
    }

    async fn release_table(&mut self) -> Result<()> {
        self.server.plain_call().await
    }

    fn digest(&mut self) -> Option<&mut dyn Digest> {
        None
    }
}

struct MemoryWriter {
    server: Arc<Server>,
    epoch: u64,
    transaction: Option<Vec<Op>>,
}

impl MemoryWriter {
    fn int(row: RowRef<'_>, column: usize) -> i64 {
        match row.get(column) {
            ValueRef::Int(value) => value,
            other => panic!("a cell of another kind: {other:?}"),
        }
    }

    fn fence(&self, db: &Db) -> Result<()> {
        if db.epoch == self.epoch {
            return Ok(());
        }
        Err(ConnectorError::new(ErrorKind::Fenced, "memory", "another process has taken over"))
    }
}

#[async_trait]
impl Writer for MemoryWriter {
    async fn begin(&mut self) -> Result<()> {
        assert!(self.transaction.is_none(), "a transaction within a transaction");
        self.transaction = Some(Vec::new());
        Ok(())
    }

    async fn commit(&mut self) -> Result<()> {
        let fault = self.server.call().await?;
        let ops = self.transaction.take().expect("only an open transaction is committed");
        let mut db = self.server.db.lock().unwrap();
        self.fence(&db)?;
        match fault {
            Some(Fault::Late) => db.late.push(ops),
            _ => db.apply(ops),
        }
        if fault.is_some() { Err(lost()) } else { Ok(()) }
    }

    async fn rollback(&mut self) -> Result<()> {
        self.transaction = None;
        Ok(())
    }

    async fn insert(&mut self, plan: &TablePlan, rows: &[RowRef<'_>], mode: InsertMode) -> Result<u64> {
        self.server.plain_call().await?;
        let mut db = self.server.db.lock().unwrap();
        let table = &plan.target.name;
        let mut ids = HashSet::new();
        if !plan.is_keyless() {
            // A row that an unfinished transaction has written is waited for.
            let new: HashSet<i64> = rows.iter().map(|row| Self::int(*row, 0)).collect();
            db.wait_for(|op| matches!(op, Op::Row(name, id, _) if name == table && new.contains(id)));
            ids.extend(db.target.get(table).into_iter().flatten().map(|row| row.0));
        }
        let own = self.transaction.as_mut().expect("rows are written in transactions");
        ids.extend(own.iter().filter_map(|op| match op {
            Op::Row(name, id, _) if name == table && !plan.is_keyless() => Some(*id),
            _ => None,
        }));
        assert_eq!(mode, InsertMode::Plain, "the only mode of these tests");
        if rows.iter().any(|row| !plan.is_keyless() && !ids.insert(Self::int(*row, 0))) {
            let kind = ErrorKind::DuplicateKey { key: "PRIMARY".into() };
            return Err(ConnectorError::new(kind, "memory", "duplicate key"));
        }
        if rows.iter().any(|row| Self::int(*row, 1) < 0) {
            return Err(ConnectorError::new(ErrorKind::RowRefused, "memory", "u is negative"));
        }
        own.extend(rows.iter().map(|row| Op::Row(table.clone(), Self::int(*row, 0), Self::int(*row, 1))));
        Ok(rows.len() as u64)
    }

    async fn delete(&mut self, _: &TablePlan, _: &[RowRef<'_>]) -> Result<u64> {
        Err(unsupported())
    }

    async fn update(&mut self, _: &TablePlan, _: RowRef<'_>, _: RowRef<'_>) -> Result<u64> {
        Err(unsupported())
    }

    async fn fetch(&mut self, _: &TablePlan, _: &[RowRef<'_>]) -> Result<RowBatch> {
        Err(unsupported())
    }

    async fn fetch_by_unique_key(&mut self, _: &TablePlan, _: &str, _: RowRef<'_>) -> Result<RowBatch> {
        Err(unsupported())
    }

    async fn execute(&mut self, _: &str, _: &str) -> Result<u64> {
        Err(unsupported())
    }

    async fn execute_ddl(&mut self, _: &str, _: &str) -> Result<()> {
        self.server.plain_call().await?;
        self.fence(&self.server.db.lock().unwrap())
    }

    async fn execute_ddl_with(&mut self, schema: &str, _: &[String], sql: &str) -> Result<()> {
        self.execute_ddl(schema, sql).await
    }

    async fn truncate(&mut self, plan: &TablePlan) -> Result<()> {
        let fault = self.server.call().await?;
        let mut db = self.server.db.lock().unwrap();
        self.fence(&db)?;
        let table = &plan.target.name;
        db.wait_for(|op| matches!(op, Op::Row(name, ..) if name == table));
        db.target.remove(table);
        if fault.is_some() { Err(lost()) } else { Ok(()) }
    }

    async fn set_foreign_key_checks(&mut self, _: bool) -> Result<()> {
        Err(unsupported())
    }

    async fn state_put(&mut self, key: &StateKey, payload: &[u8]) -> Result<()> {
        let fault = self.server.call().await?;
        let mut db = self.server.db.lock().unwrap();
        self.fence(&db)?;
        db.wait_for(|op| matches!(op, Op::Put(held, _) if held == key));
        let op = Op::Put(key.clone(), payload.to_vec());
        match &mut self.transaction {
            Some(ops) => ops.push(op),
            None => db.apply(vec![op]),
        }
        if fault.is_some() { Err(lost()) } else { Ok(()) }
    }

    async fn state_delete(&mut self, key: &StateKey) -> Result<()> {
        self.server.plain_call().await?;
        self.server.db.lock().unwrap().state.remove(key);
        Ok(())
    }

    async fn state_get(&mut self, key: &StateKey) -> Result<Option<Vec<u8>>> {
        self.server.plain_call().await?;
        Ok(self.server.db.lock().unwrap().state.get(key).cloned())
    }

    async fn state_list(&mut self, kind: &str, prefix: &[u8]) -> Result<Vec<StateEntry>> {
        self.server.plain_call().await?;
        let db = self.server.db.lock().unwrap();
        let found = db.state.iter().filter(|(key, _)| key.kind == kind && key.item.starts_with(prefix));
        Ok(found.map(|(key, payload)| StateEntry { key: key.clone(), payload: payload.clone() }).collect())
    }

    async fn pressure(&mut self) -> Result<Pressure> {
        Ok(Pressure::default())
    }
}

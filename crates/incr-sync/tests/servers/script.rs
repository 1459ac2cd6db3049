//! A made log, and a run over it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use whimbrel_connector::{Result, Target};
use whimbrel_incr_sync::{
    ApplyBounds, ApplyMode, ApplyOptions, ApplyStatus, ChangeSource, Control, DdlConverter, DdlStep,
    IncrSync, Router,
};
use whimbrel_model::{
    Begin, BinlogPosition, ChangeBatch, Commit, Ddl, GtidState, LogPoint, LogRecord, Position, RowBatch,
    RowOp, TableEffect, TableName, TableVersion, ValueRef,
};

use crate::server::Scene;

/// The position after `transactions` transactions of a script.
pub fn position(transactions: usize) -> Position {
    Position::Binlog(BinlogPosition {
        server: "9".into(),
        file: "binlog.000001".into(),
        offset: 4 + 100 * transactions as u64,
        gtids: GtidState::None,
    })
}

/// A cell of a made row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cell {
    Null,
    Int(i64),
    Text(String),
}

pub type Row = Vec<Cell>;

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl From<Option<i64>> for Cell {
    fn from(value: Option<i64>) -> Self {
        value.map_or(Self::Null, Self::Int)
    }
}

/// `row![1, "a", None]`.
#[macro_export]
macro_rules! row {
    ($($cell:expr),* $(,)?) => { vec![$($crate::script::Cell::from($cell)),*] };
}

#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    Insert(Row),
    Update(Row, Row),
    Delete(Row),
}

pub fn push(rows: &mut RowBatch, row: &Row) {
    for cell in row {
        match cell {
            Cell::Null => rows.push_null(),
            Cell::Int(value) => rows.push_value(ValueRef::Int(*value)),
            Cell::Text(value) => rows.push_bytes(value.as_bytes()),
        }
    }
    rows.end_row();
}

pub fn batch(table: &Arc<TableVersion>, edits: &[Edit]) -> ChangeBatch {
    let mut batch = ChangeBatch::new(table.clone(), false);
    for edit in edits {
        let images: &[(RowOp, &Row)] = match edit {
            Edit::Insert(row) => &[(RowOp::Insert, row)],
            Edit::Delete(row) => &[(RowOp::Delete, row)],
            Edit::Update(before, after) => &[(RowOp::UpdateBefore, before), (RowOp::UpdateAfter, after)],
        };
        for (op, row) in images {
            batch.ops.push(*op);
            push(&mut batch.rows, row);
        }
    }
    batch
}

/// A log under construction; transactions are numbered from 0 and commit at [`position`] of their number + 1.
#[derive(Clone, Default)]
pub struct Script {
    records: Vec<LogRecord>,
    transactions: usize,
    /// Only so many records are there yet; `None`: all.
    released: Option<tokio::sync::watch::Receiver<usize>>,
}

impl Script {
    /// Adds a transaction of edits; runs of one table share a batch of at most `batch_rows` changes.
    pub fn transaction(&mut self, edits: &[(&Arc<TableVersion>, Edit)]) {
        self.begin();
        for run in edits.chunk_by(|a, b| Arc::ptr_eq(a.0, b.0)) {
            for part in run.chunks(500) {
                let edits: Vec<Edit> = part.iter().map(|(_, edit)| edit.clone()).collect();
                self.records.push(LogRecord::Rows(batch(part[0].0, &edits)));
            }
        }
        self.commit();
    }

    pub fn begin(&mut self) {
        let offset = 4 + 100 * self.transactions as u64;
        let start = Some(LogPoint { server: "9".into(), file: "binlog.000001".into(), offset });
        self.records.push(LogRecord::Begin(Begin { gtid: None, commit_time_us: 1, start }));
    }

    pub fn rows(&mut self, batch: ChangeBatch) {
        self.records.push(LogRecord::Rows(batch));
    }

    pub fn abort(&mut self) {
        self.records.push(LogRecord::Abort);
    }

    pub fn commit(&mut self) {
        self.transactions += 1;
        let position = position(self.transactions);
        self.records.push(LogRecord::Commit(Commit {
            position,
            commit_time_us: 1_000_000 * self.transactions as u64,
        }));
    }

    pub fn ddl(&mut self, sql: &str, effects: Vec<TableEffect>) {
        self.begin();
        let ddl = Ddl { default_schema: String::new(), sql: sql.into(), sql_mode: 0, effects };
        self.records.push(LogRecord::Ddl(ddl));
        self.commit();
    }

    /// Ends, for now, with what is there; the sender lets more come, by the number of records.
    pub fn pause(&mut self) -> tokio::sync::watch::Sender<usize> {
        let (sender, receiver) = tokio::sync::watch::channel(self.records.len());
        self.released = Some(receiver);
        sender
    }

    /// The position at the end.
    pub fn end(&self) -> Position {
        position(self.transactions)
    }

    pub fn transactions(&self) -> usize {
        self.transactions
    }

    pub fn records(&self) -> &[LogRecord] {
        &self.records
    }

    fn source(&self) -> ScriptSource {
        ScriptSource {
            records: Arc::new(self.records.clone()),
            next: 0,
            acknowledged: Arc::default(),
            released: self.released.clone(),
        }
    }
}

struct ScriptSource {
    records: Arc<Vec<LogRecord>>,
    next: usize,
    acknowledged: Arc<Mutex<u64>>,
    released: Option<tokio::sync::watch::Receiver<usize>>,
}

#[async_trait]
impl ChangeSource for ScriptSource {
    async fn next(&mut self) -> Result<(u64, LogRecord)> {
        if let Some(released) = &mut self.released {
            let next = self.next;
            released.wait_for(|released| *released > next).await.expect("the test holds the sender");
        }
        match self.records.get(self.next) {
            None => std::future::pending().await,
            Some(record) => {
                self.next += 1;
                Ok((self.next as u64, record.clone()))
            }
        }
    }

    async fn seek(&mut self, after: Option<u64>) -> Result<()> {
        let after = after.unwrap_or(0);
        assert!(after >= *self.acknowledged.lock().unwrap(), "what was acknowledged isn't read again");
        self.next = after as usize;
        Ok(())
    }

    async fn acknowledge(&mut self, sequence: u64) -> Result<()> {
        *self.acknowledged.lock().unwrap() = sequence;
        Ok(())
    }
}

struct SameNames(String);

impl Router for SameNames {
    fn target(&self, source: &TableName) -> Option<TableName> {
        (source.schema == self.0).then(|| source.clone())
    }

    fn target_schemas(&self) -> Vec<String> {
        vec![self.0.clone()]
    }
}

/// Runs statements as they are; `SHOW COLUMNS` tells whether an added column is there.
struct SameSql {
    schema: String,
    target: Arc<dyn Target>,
}

#[async_trait]
impl DdlConverter for SameSql {
    async fn convert(&self, ddl: &Ddl) -> Result<Vec<DdlStep>> {
        let table = ddl.effects.iter().find_map(|effect| effect.before.clone());
        let table = table.unwrap_or_else(|| TableName::new(&self.schema, ""));
        let clears_rows = ddl.sql.starts_with("TRUNCATE");
        Ok(vec![DdlStep {
            table,
            default_schema: self.schema.clone(),
            sql: ddl.sql.clone(),
            clears_rows,
            merged: false,
        }])
    }

    async fn already_applied(&self, step: &DdlStep) -> Result<bool> {
        let Some((_, column)) = step.sql.split_once("ADD COLUMN ") else { return Ok(false) };
        let column = column.split(' ').next().unwrap_or_default();
        let mut catalog = self.target.catalog().await?;
        let tables = catalog.existing_tables(std::slice::from_ref(&step.table)).await?;
        Ok(tables.iter().any(|table| table.column_index(column).is_some()))
    }
}

/// How a script is run.
#[derive(Clone)]
pub struct Run {
    pub options: ApplyOptions,
    pub overlap_until: Option<Position>,
    pub table_start: HashMap<TableName, Position>,
}

impl Run {
    /// Small windows, so that short scripts have many.
    pub fn new(mode: ApplyMode) -> Self {
        let mut options = ApplyOptions::new(mode);
        options.lanes = 4;
        options.limits.window_changes = 40;
        options.retry_for = Duration::from_secs(20);
        Self { options, overlap_until: None, table_start: HashMap::new() }
    }

    pub fn sync(&self, scene: &Scene, epoch: u64, stop_at: Option<Position>) -> IncrSync {
        let target = scene.target();
        IncrSync::new(
            target.clone(),
            &scene.task,
            epoch,
            Arc::new(SameNames(scene.schema.clone())),
            Arc::new(SameSql { schema: scene.schema.clone(), target }),
            ApplyBounds {
                start: position(0),
                overlap_until: self.overlap_until.clone(),
                table_start: self.table_start.clone(),
                stop_at,
            },
            self.options.clone(),
        )
    }

    /// Applies a script to its end.
    pub async fn to_end(&self, scene: &Scene, script: &Script) -> Result<ApplyStatus> {
        self.with_abort(scene, script, CancellationToken::new()).await
    }

    pub async fn with_abort(
        &self,
        scene: &Scene,
        script: &Script,
        abort: CancellationToken,
    ) -> Result<ApplyStatus> {
        let epoch = scene.target().take_over(&scene.task).await?;
        let sync = self.sync(scene, epoch, Some(script.end()));
        Self::finish(sync, script, abort).await
    }

    /// Runs what [`Run::sync`] made.
    pub async fn run_sync(&self, sync: IncrSync, script: &Script) -> Result<ApplyStatus> {
        Self::finish(sync, script, CancellationToken::new()).await
    }

    async fn finish(sync: IncrSync, script: &Script, abort: CancellationToken) -> Result<ApplyStatus> {
        let run = sync.run(Box::new(script.source()), CancellationToken::new(), abort);
        match tokio::time::timeout(Duration::from_secs(120), run).await {
            Ok(result) => result,
            Err(_) => panic!("the run did not come to its end in two minutes"),
        }
    }

    /// Starts a run without an end and hands its status and requests to `body`; then stops it.
    pub async fn following<T>(
        &self,
        scene: &Scene,
        script: &Script,
        body: impl AsyncFnOnce(tokio::sync::watch::Receiver<ApplyStatus>, tokio::sync::mpsc::Sender<Control>) -> T,
    ) -> (T, Result<ApplyStatus>) {
        let epoch = scene.target().take_over(&scene.task).await.unwrap();
        let sync = self.sync(scene, epoch, None);
        let (status, control, stop) = (sync.status(), sync.control(), CancellationToken::new());
        let run = tokio::spawn(sync.run(Box::new(script.source()), stop.clone(), CancellationToken::new()));
        let value = body(status, control).await;
        stop.cancel();
        (value, run.await.unwrap())
    }
}

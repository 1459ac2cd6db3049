//! Applying changes: first up to the end of the import's reads, then beside the verification, then until a signal.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use whimbrel_connector::{ConnectorError, ErrorKind, Result, Target};
use whimbrel_full_import::ImportReport;
use whimbrel_incr_sync::{
    ApplyBounds, ApplyMode, ApplyOptions, ApplyStatus, DdlErrors, Following, ForeignPolicy, IncrSync,
    ParkedEntry, Valve, parked,
};
use whimbrel_model::{Position, RowBatch, TableName, TableSchema, ValueRef};
use whimbrel_mysql_ddl::Dialect;

use super::ddl::{DbcatConverter, RuleRouter, dialect};
use super::log::Log;
use super::schema::MigratedTable;
use super::selected::SelectedChanges;
use super::{SHOW_EVERY, Task};
use crate::board::{Board, ErrorStatus, RowNote, StatementNote};
use crate::cli;
use crate::ddl_policy::DdlRules;
use crate::failure::Failure;
use crate::followed::Followed;
use crate::parked::control::Desk;
use crate::precheck::Prechecked;

/// Longest value of a row that is shown, in characters.
const LONGEST_VALUE: usize = 60;
/// How often the list of parked rows is read again.
const LIST_EVERY: Duration = Duration::from_secs(5);

/// The tables of a task.
#[derive(Clone, Copy)]
pub struct Tables<'a> {
    /// The source's, as they were at the start.
    pub start: &'a [TableSchema],
    pub migrated: &'a [MigratedTable],
}

/// The incremental step of a task.
pub struct Incremental<'a> {
    task: &'a Task,
    id: &'a str,
    epoch: u64,
    desk: Arc<Desk>,
    router: Arc<RuleRouter>,
    converter: Arc<DbcatConverter>,
    bounds: ApplyBounds,
    dialect: Dialect,
    /// The source's tables at the start.
    start_tables: &'a [TableSchema],
    /// As the last run left it.
    last: Arc<Mutex<Option<ApplyStatus>>>,
    /// Counters of runs before the last one.
    base: Mutex<Counters>,
}

/// The task as this process owns it.
pub struct Owned<'a> {
    pub task: &'a Task,
    pub id: &'a str,
    pub epoch: u64,
    pub followed: Followed,
    pub desk: Arc<Desk>,
}

/// Sums over the runs of this process.
#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    transactions: u64,
    changes: u64,
    foreign: u64,
}

impl<'a> Incremental<'a> {
    pub fn new(
        owned: Owned<'a>,
        checked: &Prechecked,
        tables: Tables<'a>,
        imported: Option<&ImportReport>,
        (start, overlap_until): (Position, Position),
    ) -> Self {
        let Owned { task, id, epoch, followed, desk } = owned;
        let mut schemas: Vec<String> =
            tables.migrated.iter().map(|table| table.plan.target.name.schema.clone()).collect();
        schemas.sort();
        schemas.dedup();
        let target: Arc<dyn Target> = task.target.clone();
        Self {
            task,
            id,
            epoch,
            desk,
            router: Arc::new(RuleRouter { followed: followed.clone(), schemas }),
            converter: Arc::new(DbcatConverter::new(
                followed,
                DdlRules::new(&task.args.ddl),
                target,
                &checked.source,
                task.profile(&checked.target),
            )),
            dialect: dialect(&checked.source),
            start_tables: tables.start,
            bounds: ApplyBounds {
                start,
                overlap_until: Some(overlap_until),
                table_start: exact_positions(tables.migrated, imported),
                stop_at: None,
            },
            last: Arc::default(),
            base: Mutex::default(),
        }
    }

    /// Applies everything up to the end of the import's reads.
    pub async fn catch_up(
        &self,
        log: &Log,
        board: &Arc<Board>,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let stop_at = self.bounds.overlap_until.clone();
        let running = self.run(log, stop_at, stop.child_token());
        let waiting = async {
            running.ended().await;
            Ok::<(), Failure>(())
        };
        running.beside(waiting, log, board).await?;
        Ok(running.stop().await?)
    }

    /// Applies what comes until it is stopped.
    pub fn start(&self, log: &Log) -> Running<'_, 'a> {
        self.run(log, None, CancellationToken::new())
    }

    /// What the target holds.
    pub fn applied(&self) -> Option<Position> {
        self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner).as_ref()?.applied.clone()
    }

    fn run(&self, log: &Log, stop_at: Option<Position>, stop: CancellationToken) -> Running<'_, 'a> {
        let mode = match self.task.args.apply {
            cli::ApplyMode::Transaction => ApplyMode::Transaction,
            cli::ApplyMode::Convergent => ApplyMode::Convergent,
        };
        let options = ApplyOptions {
            foreign: match self.task.args.foreign_changes {
                cli::ForeignPolicy::Stop => ForeignPolicy::Stop,
                cli::ForeignPolicy::Repair => ForeignPolicy::Repair,
                cli::ForeignPolicy::Ignore => ForeignPolicy::Ignore,
            },
            on_ddl_error: match self.task.args.on_ddl_error {
                cli::OnDdlError::Park => DdlErrors::Park,
                cli::OnDdlError::Stop => DdlErrors::Stop,
            },
            lanes: usize::from(self.task.args.workers) * 2,
            ..ApplyOptions::new(mode)
        };
        let bounds = ApplyBounds { stop_at, ..self.bounds.clone() };
        let target: Arc<dyn Target> = self.task.target.clone();
        let sync = IncrSync::new(
            target,
            self.id,
            self.epoch,
            self.router.clone(),
            self.converter.clone(),
            bounds,
            options,
        );
        let status = sync.status();
        self.desk.applying(Some(sync.control()));
        let feed = SelectedChanges::new(
            log.feed(),
            self.task.selection.clone(),
            self.dialect,
            self.task.source.clone(),
            self.start_tables,
        );
        let (feed, token) = (Box::new(feed), stop.clone());
        let task = tokio::spawn(sync.run(feed, token, CancellationToken::new()));
        Running {
            step: self,
            status,
            stop,
            valve: log.valve.clone(),
            task: tokio::sync::Mutex::new(Some(task)),
        }
    }
}

/// Keyless tables were read at a position of their own.
fn exact_positions(
    tables: &[MigratedTable],
    imported: Option<&ImportReport>,
) -> HashMap<TableName, Position> {
    let Some(report) = imported else { return HashMap::new() };
    tables
        .iter()
        .zip(&report.tables)
        .filter_map(|(table, result)| {
            Some((table.plan.source.schema.name.clone(), result.exact_position.clone()?))
        })
        .collect()
}

/// A running Incr-Sync.
pub struct Running<'r, 'a> {
    step: &'r Incremental<'a>,
    status: watch::Receiver<ApplyStatus>,
    stop: CancellationToken,
    valve: Arc<Valve>,
    task: tokio::sync::Mutex<Option<JoinHandle<Result<ApplyStatus>>>>,
}

impl Running<'_, '_> {
    /// For the verification: how far the changes are.
    pub fn following(&self) -> Following {
        Following::new(self.status.clone(), self.valve.clone())
    }

    /// Waits until it has ended by itself: the sender of its status is gone then.
    async fn ended(&self) {
        let mut status = self.status.clone();
        while status.changed().await.is_ok() {}
    }

    /// Does other work while changes are applied, showing both; the end of the applying ends the work too.
    pub async fn beside(
        &self,
        work: impl Future<Output = Result<(), Failure>>,
        log: &Log,
        board: &Arc<Board>,
    ) -> Result<(), Failure> {
        tokio::pin!(work);
        let ended = self.ended();
        tokio::pin!(ended);
        let mut listed = tokio::time::Instant::now() - LIST_EVERY;
        let result = loop {
            tokio::select! {
                biased;
                result = &mut work => break result,
                // Its error is told by `stop`.
                () = &mut ended => break Ok(()),
                () = tokio::time::sleep(SHOW_EVERY) => {}
            }
            log.show(board);
            self.show(board);
            if listed.elapsed() >= LIST_EVERY {
                self.list_parked(board).await;
                listed = tokio::time::Instant::now();
            }
        };
        log.show(board);
        self.show(board);
        self.list_parked(board).await;
        result
    }

    /// Stops after the last whole transaction.
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.step.desk.applying(None);
        let Some(task) = self.task.lock().await.take() else { return Ok(()) };
        let ended = task.await.unwrap_or_else(|panic| {
            Err(ConnectorError::new(ErrorKind::Other, "incr-sync", "applying changes broke")
                .with_source(panic))
        });
        let last = self.status.borrow().clone();
        let mut base = self.step.base.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        base.transactions += last.transactions;
        base.changes += last.changes;
        base.foreign += last.foreign_changes;
        *self.step.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(last);
        ended.map(drop)
    }

    fn show(&self, board: &Board) {
        let now = self.status.borrow().clone();
        let base = *self.step.base.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        board.update(|status| {
            status.applied_position = now.applied.as_ref().map(ToString::to_string);
            status.lag_seconds = Some(now.lag_seconds());
            status.applied_transactions = base.transactions + now.transactions;
            status.applied_changes = base.changes + now.changes;
            status.foreign_changes = base.foreign + now.foreign_changes;
            status.parked_statements = now
                .held
                .iter()
                .map(|held| StatementNote {
                    id: held.statement.clone(),
                    statement: held.sql.clone(),
                    tables: held.tables.clone(),
                    reason: format!("{} {}", held.code, held.reason),
                })
                .collect();
            if let Some(error) = &now.last_error {
                status.last_error = Some(ErrorStatus::passing(error));
            }
        });
    }

    /// Lists parked rows on the board; a target that can't be asked now is asked again later.
    async fn list_parked(&self, board: &Board) {
        if self.status.borrow().parked == 0 {
            board.update(|status| {
                status.parked.clear();
                status.conflicts.clear();
            });
            return;
        }
        let listed = async {
            let target: &dyn Target = self.step.task.target.as_ref();
            let mut writer = target.writer(self.step.id, self.step.epoch).await?;
            parked::list(writer.as_mut()).await
        };
        match listed.await {
            Ok(entries) => {
                let (conflicts, parked): (Vec<_>, Vec<_>) =
                    entries.iter().partition(|entry| entry.row.other.is_some());
                board.update(|status| {
                    status.parked = parked.iter().map(|entry| note(entry)).collect();
                    status.conflicts = conflicts.iter().map(|entry| note(entry)).collect();
                });
            }
            Err(error) => tracing::warn!(error = %error.chain(), "parked rows can't be listed now"),
        }
    }
}

fn note(entry: &ParkedEntry) -> RowNote {
    let parked = &entry.row;
    let image = parked.current().or(parked.refused.as_ref()).or(parked.before.as_ref());
    let key = image.and_then(|image| image.rows().next()).map(|row| {
        let parts = parked
            .owner
            .key
            .iter()
            .map(|at| format!("{}={}", parked.owner.columns[*at].name, value_text(row.get(*at))));
        parts.collect::<Vec<_>>().join(", ")
    });
    let row = |image: Option<&RowBatch>| {
        let row = image?.rows().next()?;
        let cells = parked.owner.columns.iter().zip(0..row.len()).map(|(column, at)| {
            let text = value_text(row.get(at));
            match text.char_indices().nth(LONGEST_VALUE) {
                Some((cut, _)) => format!("{}={}...", column.name, &text[..cut]),
                None => format!("{}={text}", column.name),
            }
        });
        Some(cells.collect::<Vec<_>>().join(", "))
    };
    let mut reason = format!("{} {}", parked.code, parked.reason);
    if let Some(text) = row(image) {
        reason += &format!("; the row: {{{text}}}");
    }
    if let Some(text) = row(parked.other.as_ref()) {
        reason += &format!("; the other row: {{{text}}}");
    }
    RowNote { table: parked.owner.source.to_string(), key: key.unwrap_or_default(), reason }
}

/// A key's value for a person.
fn value_text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Int(v) => v.to_string(),
        ValueRef::UInt(v) | ValueRef::Bit(v) | ValueRef::Set(v) => v.to_string(),
        ValueRef::Year(v) | ValueRef::Enum(v) => v.to_string(),
        ValueRef::Text(v) | ValueRef::Decimal(v) | ValueRef::Json(v) => {
            String::from_utf8_lossy(v).into_owned()
        }
        ValueRef::Bytes(v) | ValueRef::Geometry(v) => v.iter().fold("0x".to_owned(), |mut out, byte| {
            out.push_str(&format!("{byte:02x}"));
            out
        }),
        ValueRef::Date(v) => v.to_string(),
        ValueRef::Time(v) => v.to_string(),
        ValueRef::DateTime(v) | ValueRef::Timestamp(v) => v.to_string(),
        ValueRef::Float(v) => v.to_string(),
        ValueRef::Double(v) => v.to_string(),
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Unknown => "unknown".to_owned(),
    }
}

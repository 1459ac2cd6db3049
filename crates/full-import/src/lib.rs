//! Full-Import: moves the rows that are already there, in parallel chunks, resumable.
//!
//! What it guarantees:
//! - Every row that was in a table when its chunk was read, and that nobody changed since, is at the target
//!   when the import is done, or is listed as *deferred* (it met another row on a unique key) or *parked*
//!   (the target refuses its values). Rows that changed while the import ran are put right by the increments,
//!   which start at a position fixed before the first read.
//! - A chunk's rows and the record that they are there are one target transaction, so a killed import resumes
//!   where it stood and writes nothing twice.
//! - No row of the target is ever deleted or replaced to make room for another row.
//! - Several source tables may go into one target table ([`TablePlan::merged`]): each is read in one view with an exact
//!   position, and what a broken-off load has written is taken back row by row (`undo`), so its siblings' rows stay.
//! - Memory: at most `workers * 3` batches of `batch_bytes` (two of rows, one of statements), plus one row each
//!   where a row is larger.
//!
//! What it doesn't do: apply changes, or compare. Chunks are read at different moments without locks; a
//! keyless table is read in one consistent view whose position is exact ([`TableResult::exact_position`]).
//!
//! The life of a chunk: `planner` walks the key and records the chunk's range, a `worker` takes it, a `mover` reads
//! it and writes it together with its `state` entry, in statements whose size `sizing` finds out and at the `pace`
//! that the user and the target allow; rows that the target doesn't take go through `setaside`. When the last chunk
//! of a table is done, `indexes` builds its secondary indexes.

mod indexes;
mod keyless;
mod mover;
mod pace;
mod planner;
mod progress;
mod queue;
mod setaside;
mod sizing;
mod state;
mod undo;
mod worker;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use whimbrel_connector::{Catalog, ConnectorError, ErrorKind, Result, Source, TablePlan, Target};
use whimbrel_model::{Position, TableName};

pub use progress::{ImportProgress, TableProgress, TableStage};
pub use state::TableResult;

use crate::pace::Pace;
use crate::sizing::StatementSize;
use crate::state::ImportState;
use crate::worker::Retry;

/// What to do about rows that are in the target before the import begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Refuse to start.
    #[default]
    Stop,
    /// Keep the target's row where the key is there already.
    Ignore,
    /// The source's row wins.
    Overwrite,
}

/// One table to import.
#[derive(Clone)]
pub struct ImportTable {
    pub plan: Arc<TablePlan>,
    /// Built after the load: the index's name and its DDL.
    pub indexes: Vec<IndexDdl>,
}

/// A secondary index that is built once the rows are there.
#[derive(Clone, Debug)]
pub struct IndexDdl {
    pub name: String,
    pub sql: String,
}

/// How an import runs.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    pub existing: Existing,
    /// Chunks in flight; each has one source and one target connection. Planning takes up to four more of each,
    /// building indexes two of the target.
    pub workers: usize,
    /// Bytes of rows in one chunk, from which its number of rows is estimated.
    pub chunk_bytes: u64,
    /// Most rows of one chunk.
    pub chunk_rows: u64,
    /// Bytes of rows in one batch between reader and writer.
    pub batch_bytes: usize,
    /// Limits, 0 is none.
    pub rows_per_second: u64,
    pub bytes_per_second: u64,
    /// How long a lost server is waited for before the import fails.
    pub retry_for: Duration,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            existing: Existing::Stop,
            workers: 4,
            chunk_bytes: 8 << 20,
            chunk_rows: 50_000,
            batch_bytes: 1 << 20,
            rows_per_second: 0,
            bytes_per_second: 0,
            retry_for: Duration::from_secs(600),
        }
    }
}

/// What an import did.
#[derive(Clone, Debug)]
pub struct ImportReport {
    /// In the order of the tables given.
    pub tables: Vec<TableResult>,
    /// A position at or after the moment of every read: once the increments have passed it, the target is as
    /// if all had been read at once.
    pub overlap_until: Position,
}

/// An import, to be run once.
pub struct FullImport {
    source: Arc<dyn Source>,
    target: Arc<dyn Target>,
    task: String,
    epoch: u64,
    tables: Vec<ImportTable>,
    options: ImportOptions,
    progress: Arc<ImportProgress>,
}

/// What every part of a running import shares.
pub(crate) struct Shared {
    pub source: Arc<dyn Source>,
    pub target: Arc<dyn Target>,
    pub task: String,
    pub epoch: u64,
    pub tables: Vec<ImportTable>,
    pub options: ImportOptions,
    pub progress: Arc<ImportProgress>,
    pub pace: Pace,
    pub statement_size: StatementSize,
    pub state: ImportState,
    pub parked: setaside::ParkedLimit,
    pub waiting: indexes::Waiting,
    /// For the rare questions about positions.
    pub catalog: Mutex<Box<dyn Catalog>>,
    pub cancel: CancellationToken,
}

impl Shared {
    /// A position at or after everything that has been read until now.
    pub async fn read_position(&self) -> Result<Position> {
        self.catalog.lock().await.position_after_reads().await
    }

    pub fn check_cancelled(&self) -> Result<()> {
        if self.cancel.is_cancelled() {
            return Err(ConnectorError::new(
                ErrorKind::Cancelled,
                &self.task,
                "the import was asked to stop",
            ));
        }
        Ok(())
    }
}

impl FullImport {
    /// `task` and `epoch` are those of [`Target::take_over`].
    pub fn new(
        source: Arc<dyn Source>,
        target: Arc<dyn Target>,
        task: &str,
        epoch: u64,
        tables: Vec<ImportTable>,
        options: ImportOptions,
    ) -> Self {
        let progress = Arc::new(ImportProgress::new(tables.iter().map(|table| table_names(&table.plan))));
        Self { source, target, task: task.to_owned(), epoch, tables, options, progress }
    }

    /// Counters that can be read while the import runs.
    pub fn progress(&self) -> Arc<ImportProgress> {
        self.progress.clone()
    }

    /// Imports all tables, or what is left of them.
    ///
    /// # Errors
    /// The first error that can't be cured by trying again; the others' work is stopped, and what has been
    /// committed stays. [`ErrorKind::Cancelled`] when `cancel` fired.
    pub async fn run(self, cancel: &CancellationToken) -> Result<ImportReport> {
        let mut writer = self.target.writer(&self.task, self.epoch).await?;
        let state = ImportState::load(writer.as_mut(), &self.tables).await?;
        drop(writer);
        self.progress.restore(&state);
        let shared = Arc::new(Shared {
            catalog: Mutex::new(self.source.catalog().await?),
            pace: Pace::new(self.options.rows_per_second, self.options.bytes_per_second),
            statement_size: StatementSize::new(),
            source: self.source,
            target: self.target,
            task: self.task,
            epoch: self.epoch,
            tables: self.tables,
            options: self.options,
            progress: self.progress,
            state,
            parked: setaside::ParkedLimit::default(),
            waiting: indexes::Waiting::default(),
            cancel: cancel.child_token(),
        });
        refuse_shared_targets(&shared)?;
        refuse_filled_targets(&shared).await?;
        run_parts(&shared).await?;
        let mut retry = Retry::new(&shared);
        let overlap_until = loop {
            match shared.read_position().await {
                Ok(position) => break position,
                Err(error) => retry.wait(error).await?,
            }
        };
        Ok(ImportReport { tables: shared.state.results()?, overlap_until })
    }
}

fn table_names(plan: &TablePlan) -> (String, String) {
    (plan.source.schema.name.to_string(), plan.target.name.to_string())
}

/// True for a table that is loaded in one piece: rows can't be told apart at the source, so chunks can't be cut, or
/// at the target, so nothing may be written twice; or the target's rows can't be told from those of other tables.
pub(crate) fn loads_whole(plan: &TablePlan) -> bool {
    plan.is_keyless() || plan.source.schema.row_key().is_none() || plan.merged
}

/// A table that isn't known to share its target may be emptied, or have its rows replaced. What is taken back of one
/// that does is named by its key.
fn refuse_shared_targets(shared: &Shared) -> Result<()> {
    let mut seen = HashMap::new();
    for table in &shared.tables {
        let plan = &table.plan;
        let keyed = !plan.is_keyless() && plan.source.schema.row_key().is_some();
        let shares = plan.merged && keyed;
        let other = seen.insert(&plan.target.name, shares);
        if (plan.merged && !keyed) || other.is_some_and(|other| !(shares && other)) {
            return Err(ConnectorError::new(
                ErrorKind::Configuration,
                format!("table {}", plan.target.name),
                "a table without a key can't be merged with another one in the same target table",
            )
            .with_hint("map each table without a key to a target table of its own"));
        }
    }
    Ok(())
}

/// `--existing stop`: a table that this task hasn't begun to load must be empty; of those that share a target, the
/// first one that was begun speaks for all.
async fn refuse_filled_targets(shared: &Arc<Shared>) -> Result<()> {
    let begun: HashSet<&TableName> = (0..shared.tables.len())
        .filter(|index| shared.state.has_begun(*index))
        .map(|index| &shared.tables[index].plan.target.name)
        .collect();
    let mut asked = HashSet::new();
    let to_ask: Vec<usize> = (0..shared.tables.len())
        .filter(|index| {
            let plan = &shared.tables[*index].plan;
            let whole = loads_whole(plan);
            !begun.contains(&plan.target.name)
                && (whole || shared.options.existing == Existing::Stop)
                && asked.insert(&plan.target.name)
        })
        .collect();
    if to_ask.is_empty() {
        return Ok(());
    }
    // One question for each table: several connections ask, and the first table in order is named.
    let share = to_ask.len().div_ceil(shared.options.workers.max(1));
    let mut askers = JoinSet::new();
    for part in to_ask.chunks(share) {
        askers.spawn(first_filled(shared.clone(), part.to_vec()));
    }
    let mut filled = None;
    while let Some(ended) = askers.join_next().await {
        let found = ended.map_err(|panic| {
            ConnectorError::new(ErrorKind::Other, &shared.task, "asking for rows broke").with_source(panic)
        })??;
        filled = match (filled, found) {
            (Some(one), Some(other)) => Some(std::cmp::min(one, other)),
            (one, other) => one.or(other),
        };
    }
    let Some(index) = filled else { return Ok(()) };
    // Whoever has taken the task over may have filled it.
    shared.target.writer(&shared.task, shared.epoch).await?.refuse_taken_over().await?;
    let plan = &shared.tables[index].plan;
    let hint = if plan.merged {
        "empty the table: whose rows they are couldn't be told once those of several tables are in it"
    } else if loads_whole(plan) {
        "empty the table: rows of a table without a key can't be told apart"
    } else {
        "empty the table, or choose --existing ignore or --existing overwrite"
    };
    Err(ConnectorError::new(
        ErrorKind::Configuration,
        format!("table {} at {}", shared.tables[index].plan.target.name, shared.target.name()),
        "the target table holds rows already",
    )
    .with_hint(hint))
}

async fn first_filled(shared: Arc<Shared>, tables: Vec<usize>) -> Result<Option<usize>> {
    let mut catalog = shared.target.catalog().await?;
    for index in tables {
        if catalog.has_rows(&shared.tables[index].plan.target.name).await? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

/// Planner, workers, index builder and the pressure watch, until all is done or one fails.
async fn run_parts(shared: &Arc<Shared>) -> Result<()> {
    let workers = shared.options.workers.max(1);
    let (pieces, queue) = queue::new(workers);
    let (finished, finished_tables) = mpsc::unbounded_channel();
    let mut parts = JoinSet::new();
    parts.spawn(planner::run(shared.clone(), pieces, finished.clone()));
    for number in 0..workers as u32 {
        parts.spawn(worker::run(shared.clone(), number, queue.clone(), finished.clone()));
    }
    drop((finished, queue));
    let finished_tables = Arc::new(Mutex::new(finished_tables));
    for _ in 0..indexes::BUILDERS {
        parts.spawn(indexes::run(shared.clone(), finished_tables.clone()));
    }
    // Ends with this function, also where its future is dropped.
    let mut watch = JoinSet::new();
    watch.spawn(pace::watch_pressure(shared.clone()));
    let mut first_error = None;
    while let Some(ended) = parts.join_next().await {
        let result = ended.unwrap_or_else(|panic| {
            Err(ConnectorError::new(ErrorKind::Other, &shared.task, "a part of the import broke")
                .with_source(panic))
        });
        if let Err(error) = result
            && first_error.as_ref().is_none_or(|first: &ConnectorError| first.kind == ErrorKind::Cancelled)
        {
            // One part failed: the others stop at their next statement.
            shared.cancel.cancel();
            first_error = Some(error);
        }
    }
    first_error.map_or(Ok(()), Err)
}

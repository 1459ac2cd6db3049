//! Full-Verification: compares all fields of all rows of both sides, while both are written.
//!
//! What it guarantees:
//! - Both directions: every row of the source is looked for at the target, and every row of the target at the
//!   source.
//! - All columns, by value: text in UTF-8 whatever its charset, JSON by meaning, decimals by number. A digest
//!   computed by the servers replaces reading only where the connector proves that it is comparable.
//! - A difference counts only if it is still there after the target has applied everything that was committed
//!   when the source row was read, and the source row didn't change meanwhile. A row that changes in every
//!   round is reported as undecided, never as equal.
//! - Source tables that share a target table ([`TablePlan::merged`]) are compared as their union: each row of each of
//!   them is looked for at the target, and each row of the target in all of them.
//! - Nothing is changed at either side. Correction SQL is written, not run; each statement carries the row that it
//!   expects and its inverse stands beside it.
//!
//! What it doesn't do: compare schemas, or lock anything (but see keyless tables in `keyless`).
//!
//! Memory: each worker holds at most four times [`VerifyOptions::chunk_bytes`] of rows (twice that of one side while
//! it looks for partners, then the rows that differ), plus one row where a row is larger.
//!
//! How: `keyed` walks the source's key in chunks and compares by range or by key; `approach` finds out whether a digest
//! or reading takes less time; `side_by_side` reads a range of both sides at once; `loaded` holds a chunk's rows until they
//! have a partner, where the two sides' order isn't the same; `recheck` asks again about every row that differed; `keyless` compares tables without keys as
//! multisets; `canonical` says when two values are the same; `pairing` how keys find each other; `output` writes what
//! was found.

mod approach;
mod canonical;
mod dense;
mod keyed;
mod keyless;
mod loaded;
mod output;
mod pairing;
mod progress;
mod recheck;
mod side_by_side;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use whimbrel_connector::{
    AppliedPosition, Catalog, ConnectorError, ErrorKind, Flavor, KeyRange, Result, SnapshotReader, Source,
    TablePlan, Target,
};
use whimbrel_model::{Position, TableVersion};

pub use approach::CompareBy;
pub use canonical::same as is_same_value;
pub use output::DifferenceKind;
pub use progress::{TableVerification, VerifyProgress};

use crate::approach::Approach;
use crate::keyed::TableRun;
use crate::pairing::Side;

/// Tables planned at the same time.
const PLANNERS: usize = 4;

/// Nobody applies changes, or nobody who could be asked: each round waits a little, so that what is on its way
/// may arrive.
pub struct Unattended {
    pub pause: Duration,
}

#[async_trait]
impl AppliedPosition for Unattended {
    async fn wait_for(&self, _: &Position) -> Result<()> {
        tokio::time::sleep(self.pause).await;
        Ok(())
    }
}

/// One table to compare.
#[derive(Clone)]
pub struct VerifyTable {
    pub plan: Arc<TablePlan>,
    /// The target's table, as its own reader reads it.
    pub target: Arc<TableVersion>,
}

/// How a verification runs.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// Tables or chunks compared at the same time; each takes one connection to each side.
    pub workers: usize,
    /// Most rows of one chunk, and the bytes from which its number of rows is estimated.
    pub chunk_rows: u64,
    pub chunk_bytes: u64,
    /// How often a row that differs is read again before it counts as undecided.
    pub rounds: u32,
    /// Rounds in a row that must find the same difference before it counts, at least: 1 where [`AppliedPosition`]
    /// knows what it says (rows are looked at three times anyway).
    pub confirmations: u32,
    /// Differences of one table after which it isn't read further.
    pub most_differences: u64,
    /// Where difference files and correction SQL go.
    pub corrections: PathBuf,
    pub compare_by: CompareBy,
    /// Flavours of both sides, for digests.
    pub source_flavor: Flavor,
    pub target_flavor: Flavor,
    /// How long a lost server is waited for.
    pub retry_for: Duration,
}

/// What was found, per table in the order given.
#[derive(Clone, Debug)]
pub struct VerifyReport {
    pub tables: Vec<TableVerification>,
}

impl VerifyReport {
    /// True where no row differs and none is undecided.
    pub fn is_equal(&self) -> bool {
        self.tables.iter().all(|table| table.differences() == 0 && table.undecided == 0)
    }
}

/// A verification, to be run once.
pub struct FullVerification {
    shared: Arc<Shared>,
}

/// What every worker shares.
pub(crate) struct Shared {
    pub source: Arc<dyn Source>,
    pub target: Arc<dyn Target>,
    pub tables: Vec<VerifyTable>,
    pub applied: Arc<dyn AppliedPosition>,
    pub options: VerifyOptions,
    pub progress: Arc<VerifyProgress>,
    pub cancel: CancellationToken,
    pub approach: Approach,
    /// Held by the table for which the applying is held. Two at a time would let each other's changes through.
    pub holding: Mutex<()>,
}

impl FullVerification {
    pub fn new(
        source: Arc<dyn Source>,
        target: Arc<dyn Target>,
        tables: Vec<VerifyTable>,
        applied: Arc<dyn AppliedPosition>,
        options: VerifyOptions,
        cancel: CancellationToken,
    ) -> Self {
        let names = tables
            .iter()
            .map(|table| (table.plan.source.schema.name.to_string(), table.target.schema.name.to_string()));
        let progress = Arc::new(VerifyProgress::new(names));
        let (approach, holding) = (Approach::new(options.compare_by), Mutex::new(()));
        let shared = Shared { source, target, tables, applied, options, progress, cancel, approach, holding };
        Self { shared: Arc::new(shared) }
    }

    /// Counters that can be read while the verification runs.
    pub fn progress(&self) -> Arc<VerifyProgress> {
        self.shared.progress.clone()
    }

    /// Compares all tables.
    ///
    /// # Errors
    /// The first error that can't be cured by trying again; [`ErrorKind::Cancelled`] when the token fired.
    pub async fn run(self) -> Result<VerifyReport> {
        let shared = self.shared;
        output::prepare(&shared.options.corrections)?;
        let (chunks, queue) = mpsc::channel(shared.options.workers.max(1));
        let queue = Arc::new(Mutex::new(queue));
        let next = Arc::new(AtomicUsize::new(0));
        let mut parts = JoinSet::new();
        for _ in 0..PLANNERS.min(shared.tables.len()) {
            parts.spawn(plan(shared.clone(), next.clone(), chunks.clone()));
        }
        drop(chunks);
        for _ in 0..shared.options.workers.max(1) {
            parts.spawn(work(shared.clone(), queue.clone()));
        }
        loop {
            // Dropping the set stops the others, wherever they wait.
            let ended = tokio::select! {
                biased;
                () = shared.cancel.cancelled() => {
                    shared.check_cancelled()?;
                    continue;
                }
                ended = parts.join_next() => ended,
            };
            let Some(ended) = ended else { break };
            ended.map_err(|panic| {
                ConnectorError::new(ErrorKind::Other, "verification", "a worker broke").with_source(panic)
            })??;
        }
        Ok(VerifyReport { tables: shared.progress.results() })
    }
}

/// One piece of work.
pub(crate) enum Work {
    Chunk {
        run: Arc<TableRun>,
        /// Whose key is walked: `Target` looks for rows that the source lacks.
        side: Side,
        range: KeyRange,
        /// Made for finding out which way of comparing is faster.
        for_trial: bool,
    },
    Keyless {
        index: usize,
    },
}

/// Hands out tables, piece by piece, until there is no other.
async fn plan(shared: Arc<Shared>, next: Arc<AtomicUsize>, chunks: mpsc::Sender<Work>) -> Result<()> {
    let mut sides = Sides::default();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(table) = shared.tables.get(index) else { return Ok(()) };
        if table.plan.is_keyless() || table.plan.source.schema.row_key().is_none() {
            if chunks.send(Work::Keyless { index }).await.is_err() {
                // The workers are gone only where one has failed, and says so itself.
                return Ok(());
            }
            continue;
        }
        let run = Arc::new(TableRun::new(&shared, index)?);
        keyed::plan(&shared, &mut sides, &run, &chunks).await?;
        run.complete(&shared).await?;
    }
}

async fn work(shared: Arc<Shared>, queue: Arc<Mutex<mpsc::Receiver<Work>>>) -> Result<()> {
    let mut sides = Sides::default();
    loop {
        let next = queue.lock().await.recv().await;
        match next {
            None => return Ok(()),
            Some(Work::Chunk { run, side, range, for_trial }) => {
                keyed::chunk(&shared, &mut sides, &run, side, &range, for_trial).await?;
            }
            Some(Work::Keyless { index }) => keyless::verify(&shared, &mut sides, index).await?,
        }
    }
}

/// A worker's connections, made when first needed and again after they were lost.
#[derive(Default)]
pub(crate) struct Sides {
    source: Option<Box<dyn SnapshotReader>>,
    target: Option<Box<dyn SnapshotReader>>,
    catalog: Option<Box<dyn Catalog>>,
}

impl Sides {
    pub async fn source(&mut self, shared: &Shared) -> Result<&mut dyn SnapshotReader> {
        if self.source.is_none() {
            self.source = Some(shared.source.snapshot_reader().await?);
        }
        Ok(self.source.as_mut().expect("it was set above").as_mut())
    }

    pub async fn target(&mut self, shared: &Shared) -> Result<&mut dyn SnapshotReader> {
        if self.target.is_none() {
            self.target = Some(shared.target.snapshot_reader().await?);
        }
        Ok(self.target.as_mut().expect("it was set above").as_mut())
    }

    /// Both at once, for reading them side by side.
    pub async fn both(
        &mut self,
        shared: &Shared,
    ) -> Result<(&mut dyn SnapshotReader, &mut dyn SnapshotReader)> {
        self.source(shared).await?;
        self.target(shared).await?;
        match (&mut self.source, &mut self.target) {
            (Some(source), Some(target)) => Ok((source.as_mut(), target.as_mut())),
            _ => unreachable!("both were set above"),
        }
    }

    /// A position at or after everything that was read from the source until now.
    pub async fn read_position(&mut self, shared: &Shared) -> Result<Position> {
        if self.catalog.is_none() {
            self.catalog = Some(shared.source.catalog().await?);
        }
        self.catalog.as_mut().expect("it was set above").position_after_reads().await
    }

    /// After an error: all connections are made anew.
    pub fn drop_all(&mut self) {
        *self = Self::default();
    }
}

impl Shared {
    /// The other tables that share this one's target.
    pub fn siblings(&self, index: usize) -> impl Iterator<Item = usize> {
        let plan = &self.tables[index].plan;
        let shares = move |other: &usize| {
            let sibling = &self.tables[*other].plan;
            *other != index && plan.merged && sibling.merged && sibling.target.name == plan.target.name
        };
        (0..self.tables.len()).filter(shares)
    }

    /// The rows of a shared target that no table has are looked for, and counted, once.
    pub fn looks_for_extra(&self, index: usize) -> bool {
        self.siblings(index).all(|other| other > index)
    }

    pub fn check_cancelled(&self) -> Result<()> {
        if self.cancel.is_cancelled() {
            return Err(ConnectorError::new(
                ErrorKind::Cancelled,
                "verification",
                "the verification was asked to stop",
            ));
        }
        Ok(())
    }

    /// Bytes of rows of one side that a worker holds.
    pub fn part_bytes(&self) -> usize {
        usize::try_from(self.options.chunk_bytes * 2).unwrap_or(usize::MAX)
    }

    /// Waits before another attempt, for which all connections are made anew.
    pub async fn wait(&self, sides: &mut Sides, delay: Duration) -> Result<()> {
        sides.drop_all();
        tracing::warn!("a server went away; reading again in {delay:?}");
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => self.check_cancelled(),
            () = tokio::time::sleep(delay) => Ok(()),
        }
    }
}

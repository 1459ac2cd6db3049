//! One process of the task: the steps of `whimbrel migrate`, in their order, resumable as they are there.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use whimbrel_connector::{
    AppliedPosition, ConnectorError, ErrorKind, Flavor, LogStart, Result, Source, StateKey, TablePlan, Target,
};
use whimbrel_full_import::{FullImport, ImportReport, ImportTable};
use whimbrel_full_verification::{
    CompareBy, FullVerification, Unattended, VerifyOptions, VerifyReport, VerifyTable,
};
use whimbrel_incr_sync::{ApplyBounds, ApplyStatus, Feed, Following, IncrSync, Valve};
use whimbrel_model::{Position, TableName, TableVersion};
use whimbrel_store::{PullStatus, Puller, Sequence, Store, StoreOptions};

use crate::application::Application;
use crate::route::{SameSql, ToCopy};
use crate::world::{Start, World, target_name};

const TASK: &str = "task";
const CONSUMER: &str = "incr-sync";
const STORE: &str = "/store";

/// A running process of the task.
pub struct Life {
    pub world: Arc<World>,
    pub stop: CancellationToken,
    /// It begins while the last one may still be running.
    pub takes_over: bool,
}

/// An open Store with a running pull.
struct Log {
    store: Store,
    puller: Puller,
    status: watch::Receiver<PullStatus>,
    valve: Arc<Valve>,
}

fn broken(what: &str, why: impl std::fmt::Display) -> ConnectorError {
    ConnectorError::new(ErrorKind::Other, what, why.to_string())
}

impl Life {
    /// Runs until everything that the application ever writes is at the target.
    ///
    /// # Errors
    /// What ends the process; the next one goes on.
    pub async fn live(self) -> Result<()> {
        let start = self.start_point().await?;
        let epoch = self.world.target.take_over(TASK).await?;
        if self.takes_over {
            // The old process can't move the checkpoint any more, so the copy has all that was applied.
            self.world.move_to_copy();
        }
        let log = self.open_log(&start).await?;
        let worked = self.move_rows(&start, epoch, &log).await;
        let closed = log.puller.stop().await.map_err(ConnectorError::from);
        worked?;
        closed
    }

    async fn start_point(&self) -> Result<Start> {
        if let Some(start) = self.world.start() {
            return Ok(start);
        }
        let mut catalog = Source::catalog(&self.world.source).await?;
        let mut tables = catalog.table_schemas(&self.world.names).await?;
        loop {
            let position = catalog.position_before_reads().await?;
            let again = catalog.table_schemas(&self.world.names).await?;
            if tables == again {
                let start = Start { position, tables };
                self.world.keep_start(start.clone());
                return Ok(start);
            }
            tables = again;
        }
    }

    async fn open_log(&self, start: &Start) -> Result<Log> {
        let store = open_store(&self.world, start)?;
        store.ensure_consumer(CONSUMER, Sequence::FIRST)?;
        let resume = store.resume_point()?;
        let names = self.world.names.clone();
        let reader = self
            .world
            .source
            .log_reader(LogStart {
                position: resume.position,
                tables: resume.tables,
                filter: Arc::new(move |name| names.contains(name)),
                next_table_version: resume.next_table_version,
            })
            .await?;
        let puller = Puller::start(&store, reader, &CancellationToken::new())?;
        let status = puller.status();
        Ok(Log { store, puller, status, valve: Arc::default() })
    }

    async fn move_rows(&self, start: &Start, epoch: u64, log: &Log) -> Result<()> {
        let report = self.import(start, epoch).await?;
        self.world.director.application(Application::imported);
        let overlap_until = self.overlap_end(epoch, &report).await?;
        let exact = start
            .tables
            .iter()
            .zip(&report.tables)
            .filter_map(|(table, result)| Some((table.name.clone(), result.exact_position.clone()?)));
        let bounds = ApplyBounds {
            start: start.position.clone(),
            overlap_until: Some(overlap_until.clone()),
            table_start: exact.collect(),
            stop_at: Some(overlap_until),
        };
        self.apply(epoch, log, bounds.clone(), self.stop.child_token()).0.await?;
        if self.stop.is_cancelled() {
            return Err(ConnectorError::new(ErrorKind::Cancelled, TASK, "it was stopped"));
        }
        self.follow(epoch, log, ApplyBounds { stop_at: None, ..bounds }).await
    }

    async fn import(&self, start: &Start, epoch: u64) -> Result<ImportReport> {
        let targets: Vec<TableName> = self.world.names.iter().map(target_name).collect();
        let found = Target::catalog(&self.world.target).await?.table_schemas(&targets).await?;
        let mut tables = Vec::new();
        for (source, target) in start.tables.iter().zip(found) {
            let version = Arc::new(TableVersion::new(0, source.clone()));
            let plan = TablePlan::new(version, Arc::new(target)).map_err(|error| broken("import", error))?;
            tables.push(ImportTable { plan: Arc::new(plan), indexes: Vec::new() });
        }
        let (source, target) = (Arc::new(self.world.source.clone()), Arc::new(self.world.target.clone()));
        let options = self.world.plan.import.clone();
        FullImport::new(source, target, TASK, epoch, tables, options).run(&self.stop).await
    }

    /// Fixed once, like the start.
    async fn overlap_end(&self, epoch: u64, report: &ImportReport) -> Result<Position> {
        let mut writer = Target::writer(&self.world.target, TASK, epoch).await?;
        let key = StateKey::new("import", b"overlap");
        if let Some(payload) = writer.state_get(&key).await? {
            return serde_json::from_slice(&payload).map_err(|error| broken("overlap", error));
        }
        let payload = serde_json::to_vec(&report.overlap_until).map_err(|error| broken("overlap", error))?;
        writer.state_put(&key, &payload).await?;
        Ok(report.overlap_until.clone())
    }

    fn apply(
        &self,
        epoch: u64,
        log: &Log,
        bounds: ApplyBounds,
        stop: CancellationToken,
    ) -> (impl Future<Output = Result<ApplyStatus>> + Send + use<>, watch::Receiver<ApplyStatus>) {
        let target = Arc::new(self.world.target.clone());
        let converter = Arc::new(SameSql(self.world.target.clone()));
        let options = self.world.plan.apply.clone();
        let sync = IncrSync::new(target, TASK, epoch, Arc::new(ToCopy), converter, bounds, options);
        let status = sync.status();
        let feed = Feed::new(log.store.clone(), CONSUMER, log.status.clone(), log.valve.clone());
        let running = async move {
            let ended = sync.run(Box::new(feed), stop, CancellationToken::new()).await?;
            if ended.foreign_changes > 0 {
                let what = format!("{:?}", ended.recent_foreign);
                return Err(ConnectorError::new(ErrorKind::ForeignChange, what, "nobody else writes"));
            }
            Ok(ended)
        };
        (running, status)
    }

    /// Applies what comes, until the application has nothing more to write and all of it is at the target.
    async fn follow(&self, epoch: u64, log: &Log, bounds: ApplyBounds) -> Result<()> {
        let stop = CancellationToken::new();
        let (running, status) = self.apply(epoch, log, bounds, stop.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(running);
        let following = Following::new(status.clone(), log.valve.clone());
        let worked = tokio::select! {
            biased;
            ended = tasks.join_next() => {
                let ended = ended.ok_or_else(|| broken("incr-sync", "it never ran"))?;
                ended.map_err(|error| broken("incr-sync", error))??;
                return Err(broken("incr-sync", "it ended by itself"));
            }
            worked = self.beside(following) => worked,
        };
        stop.cancel();
        while let Some(ended) = tasks.join_next().await {
            ended.map_err(|error| broken("incr-sync", error))??;
        }
        worked
    }

    async fn beside(&self, following: Following) -> Result<()> {
        let director = &self.world.director;
        let ready = self.world.plan.verifies_live
            && director.application(|application| !application.changes_structures()) == Some(true);
        if ready {
            following.wait_for(&self.world.source.0.log_end()).await?;
            let applied = Arc::new(following);
            let report = verify(&self.world, applied.clone()).await?;
            if report.tables.iter().any(|table| table.differences() > 0) {
                return Err(broken("verification beside the application", format!("{:?}", report.tables)));
            }
            return self.last(&applied).await;
        }
        self.last(&following).await
    }

    async fn last(&self, following: &Following) -> Result<()> {
        while self.world.director.application(|application| application.is_done()) != Some(true) {
            if self.stop.is_cancelled() {
                return Err(ConnectorError::new(ErrorKind::Cancelled, TASK, "it was stopped"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        following.wait_for(&self.world.source.0.log_end()).await
    }
}

fn open_store(world: &World, start: &Start) -> Result<Store> {
    let disk = Arc::new(world.disk());
    let dir = Path::new(STORE);
    let options: StoreOptions = world.plan.store.clone();
    if !Store::exists_on(disk.as_ref(), dir)? {
        return Ok(Store::create_on(disk, dir, options, &start.position, &start.tables)?);
    }
    Ok(Store::open_on(disk, dir, options)?.0)
}

/// Compares all tables as both sides have them now.
///
/// # Errors
/// What the verification couldn't cure.
pub async fn verify(world: &World, applied: Arc<dyn AppliedPosition>) -> Result<VerifyReport> {
    let sources = Source::catalog(&world.source).await?.table_schemas(&world.names).await?;
    let targets: Vec<TableName> = world.names.iter().map(target_name).collect();
    let targets = Target::catalog(&world.target).await?.table_schemas(&targets).await?;
    let mut tables = Vec::new();
    for (source, target) in sources.into_iter().zip(targets) {
        let version = Arc::new(TableVersion::new(0, source));
        let plan =
            TablePlan::new(version, Arc::new(target)).map_err(|error| broken("verification", error))?;
        let target = Arc::new(TableVersion::new(0, plan.target.as_ref().clone()));
        tables.push(VerifyTable { plan: Arc::new(plan), target });
    }
    let options = VerifyOptions {
        workers: world.plan.verify_workers,
        chunk_rows: world.plan.verify_chunk_rows,
        chunk_bytes: 300,
        rounds: 20,
        confirmations: 1,
        most_differences: 1000,
        corrections: world.corrections.clone(),
        compare_by: CompareBy::Fastest,
        source_flavor: Flavor::Mysql,
        target_flavor: Flavor::Mysql,
        retry_for: Duration::from_secs(120),
    };
    let (source, target) = (Arc::new(world.source.clone()), Arc::new(world.target.clone()));
    FullVerification::new(source, target, tables, applied, options, CancellationToken::new()).run().await
}

/// Nobody applies anything any more.
pub fn at_rest() -> Arc<dyn AppliedPosition> {
    Arc::new(Unattended { pause: Duration::from_millis(1) })
}

//! `whimbrel migrate`: the steps of a task in their order, in one process.
//!
//! ```text
//! precheck -> start position -> Store -> schema -> full import -> catch up -> foreign keys
//!          -> incremental beside verification -> (--follow) incremental until a signal
//! ```
//! Every step can be repeated: what it did is recorded where it was done (state entries at the target, files of
//! the task folder), so a run that was killed goes on where it stood.

pub mod compared;
pub mod ddl;
mod incremental;
mod log;
pub mod objects;
mod patience;
mod plans;
mod schema;
mod selected;
mod shown;
mod start;
pub mod verification;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use whimbrel_connector::{ConnectorError, ErrorKind, FailPoint, Source, Target};
use whimbrel_filter::{SelectedSource, Selection, ViewNote};
use whimbrel_full_import::{Existing, FullImport, ImportOptions, ImportReport};
use whimbrel_full_verification::VerifyReport;
use whimbrel_incr_sync::Following;
use whimbrel_model::{TableName, TableSchema};

use self::incremental::{Incremental, Owned, Tables};
use self::log::Log;
use self::objects::Objects;
use self::patience::Patience;
use self::plans::unseen;
pub use self::plans::{current_plans, selection};
use self::schema::MigratedTable;
use crate::board::{Board, Phase, TableStatus};
use crate::cli::{ExistingMode, MigrateArgs, Step};
use crate::conversions::Conversions;
use crate::endpoints::{self, Endpoint, Role};
use crate::failure::{Exit, Failure};
use crate::followed::Followed;
use crate::home::{StartTables, TaskDefinition, TaskHome};
use crate::parked::control::{ControlServer, Desk};
use crate::precheck::{self, Filters, Needs, Prechecked};
use crate::report::{Positions, Report, StepTime, TableReport};
use crate::rules::Rules;
use crate::table_rules::PatternRules;
use crate::web::WebServer;
use crate::{display, signals};

/// How often the board takes the counters of a running step.
const SHOW_EVERY: Duration = Duration::from_millis(250);

/// What the flags mean, before anything is connected.
pub struct Task {
    pub args: MigrateArgs,
    pub rules: Arc<Rules>,
    /// Rows and columns that take part.
    pub selection: Arc<Selection>,
    pub table_rules: PatternRules,
    pub conversions: Arc<Conversions>,
    pub source: Endpoint,
    pub target: Endpoint,
}

impl Task {
    /// # Errors
    /// Flags or URLs that can't be understood.
    pub fn new(args: MigrateArgs) -> Result<Self, Failure> {
        let rules = Rules::parse(&args.ends.include, &args.ends.exclude, &args.ends.map)
            .map_err(|error| Failure::usage("--include, --exclude, --map", error.to_string()))?;
        for (given, step) in args.steps.iter().enumerate() {
            if args.steps[..given].contains(step) {
                return Err(Failure::usage("--steps", "a step is named twice"));
            }
        }
        if args.follow && !args.steps.contains(&Step::Incr) {
            return Err(Failure::usage("--follow", "it needs the step incr"));
        }
        let conversions = Conversions::parse(&args.conversions.convert, &args.conversions.accept_loss)?;
        let source = endpoints::open(&args.ends.source, Role::Source)?;
        let target = endpoints::open(&args.ends.target, Role::Target)?;
        let (table_rules, selection) = selection(&args.ends)?;
        Ok(Self {
            args,
            rules: Arc::new(rules),
            selection,
            table_rules,
            conversions: Arc::new(conversions),
            source,
            target,
        })
    }

    /// The source with only what the task selects.
    pub fn selected_source(&self) -> Arc<dyn Source> {
        Arc::new(SelectedSource::new(self.source.clone(), self.selection.clone()))
    }

    /// The tables as the task sees them, and what they lose by that.
    ///
    /// # Errors
    /// A table that doesn't fit the flags (the precheck has refused those that never did).
    pub fn views(&self, tables: &[TableSchema]) -> Result<(Vec<TableSchema>, Vec<ViewNote>), Failure> {
        let mut schemas = Vec::with_capacity(tables.len());
        let mut notes = Vec::new();
        for table in tables {
            let view = self.selection.view(table, false).map_err(unseen)?;
            schemas.push(view.schema);
            notes.extend(view.notes);
        }
        Ok((schemas, notes))
    }

    pub fn has(&self, step: Step) -> bool {
        self.args.steps.contains(&step)
    }

    pub fn filters(&self) -> Filters<'_> {
        Filters { selection: &self.selection, rules: &self.table_rules }
    }

    /// What a precheck has to ask for.
    pub fn needs(&self, fresh: bool) -> Needs {
        Needs {
            log: self.has(Step::Incr) || self.has(Step::Full),
            write: self.has(Step::Schema) || self.has(Step::Full) || self.has(Step::Incr),
            empty: fresh && self.has(Step::Full) && self.args.existing == ExistingMode::Stop,
            target_tables: fresh && !self.has(Step::Schema),
        }
    }

    fn definition(&self) -> TaskDefinition {
        let mut steps = self.args.steps.clone();
        steps.sort_by_key(|step| *step as u8);
        TaskDefinition {
            source: Source::name(self.source.as_ref()).to_owned(),
            target: Target::name(self.target.as_ref()).to_owned(),
            include: self.args.ends.include.clone(),
            exclude: self.args.ends.exclude.clone(),
            map: self.args.ends.map.clone(),
            rows: self.args.ends.rows.clone(),
            columns: self.args.ends.columns.clone(),
            rename_column: self.args.ends.rename_column.clone(),
            steps,
            apply: self.args.apply,
            existing: self.args.existing,
            foreign_changes: self.args.foreign_changes,
            convert: self.args.conversions.convert.clone(),
            accept_loss: self.args.conversions.accept_loss.clone(),
        }
    }
}

/// Runs the task and says how it ended.
///
/// # Errors
/// Failures before the first step; a failure within the steps is printed here, after the report.
pub async fn run(args: MigrateArgs) -> Result<Exit, Failure> {
    let task = Task::new(args)?;
    let home = TaskHome::open(task.args.home.as_deref(), &task.args.name, &task.definition())?;
    let stop = signals::listen()?;
    let names = (Source::name(task.source.as_ref()), Target::name(task.target.as_ref()));
    let board = Arc::new(Board::new(&task.args.name, names.0, names.1));
    let web = match &task.args.listen {
        Some(listen) => Some(WebServer::start(listen, board.clone()).await?),
        None => None,
    };
    if let Some(web) = &web {
        eprintln!("status page: http://{}/", web.address);
    }
    let desk = Arc::new(Desk::new(task.target.clone(), &home.id));
    let control = ControlServer::start(home.dir(), desk.clone())?;
    let shown = CancellationToken::new();
    let display = tokio::spawn(display::show(board.clone(), shown.clone()));
    let mut run = Run::new(task, home, board, stop, desk);
    let ended = run.steps().await;
    drop(control);
    shown.cancel();
    if display.await.is_err() {
        tracing::warn!("the display broke");
    }
    let exit = run.finish(ended)?;
    if let Some(web) = web {
        web.stop();
    }
    Ok(exit)
}

/// A running task.
struct Run {
    task: Arc<Task>,
    home: TaskHome,
    board: Arc<Board>,
    stop: CancellationToken,
    desk: Arc<Desk>,
    epoch: u64,
    begun: Instant,
    steps: Vec<StepTime>,
    positions: Positions,
    tables: Vec<TableReport>,
}

impl Run {
    fn new(task: Task, home: TaskHome, board: Arc<Board>, stop: CancellationToken, desk: Arc<Desk>) -> Self {
        Self {
            task: Arc::new(task),
            home,
            board,
            stop,
            desk,
            epoch: 0,
            begun: Instant::now(),
            steps: Vec::new(),
            positions: Positions::default(),
            tables: Vec::new(),
        }
    }

    /// All steps; the exit code of one that came to its end.
    async fn steps(&mut self) -> Result<Exit, Failure> {
        let began = Instant::now();
        let checked = self.precheck().await?;
        let start = self.start_point(&checked).await?;
        self.positions.start = Some(start.position.clone());
        let take_over = async || Ok(self.task.target.take_over(&self.home.id).await?);
        let epoch = self.patience().with(take_over).await?;
        FailPoint::EpochTaken.reached();
        self.epoch = epoch;
        self.desk.taken_over(epoch);
        let merging = self.task.merging(&start.tables);
        let followed = Followed::new(merging.clone(), self.task.rules.clone(), start.outside.clone());
        let log = if self.task.has(Step::Incr) {
            let source: &dyn Source = self.task.source.as_ref();
            let (dir, settings) = (self.home.store_dir(), &self.task.args.store);
            Some(Log::open(&dir, &start, source, &followed, settings).await?)
        } else {
            None
        };
        self.time("precheck", began);
        let began = Instant::now();
        self.board.set_phase(Phase::Schema);
        let (views, notes) = self.task.views(&start.tables)?;
        for note in notes {
            tracing::info!(object = note.object, "{}", note.text);
        }
        let mut objects = Objects::new(self.task.clone(), &self.home.id, epoch, self.board.clone());
        self.patience().with(async || objects.before_tables(&checked).await).await?;
        let server = (&checked.target, &merging);
        let prepare = async || schema::prepare(&self.task, &self.home.id, epoch, &views, server).await;
        let tables = self.patience().with(prepare).await?;
        self.show_tables(&tables);
        self.time("schema", began);
        let result =
            self.move_rows(&checked, followed, &start.tables, &tables, &mut objects, log.as_ref()).await;
        let closed = match log {
            Some(log) => log.close().await,
            None => Ok(()),
        };
        let exit = result?;
        closed?;
        Ok(exit)
    }

    async fn precheck(&mut self) -> Result<Prechecked, Failure> {
        self.board.set_phase(Phase::Precheck);
        let fresh = self.home.start_tables()?.is_none();
        let needs = self.task.needs(fresh);
        let task = &self.task;
        let patience = self.patience().unless(fresh);
        let check =
            async || precheck::run(&task.source, &task.target, &task.rules, task.filters(), needs).await;
        let mut checked = patience.with(check).await?;
        checked.add_proof(self.task.args.home.as_deref());
        task.examine_merging(&mut checked, fresh).await?;
        checked.print();
        checked.refuse_errors()?;
        patience.with(async || task.examine_target(&mut checked, fresh).await).await?;
        Ok(checked)
    }

    fn patience(&self) -> Patience<'_> {
        Patience::new(&self.board, &self.stop)
    }

    /// Position and tables at the begin of the task: fixed once, kept for ever.
    async fn start_point(&self, checked: &Prechecked) -> Result<StartTables, Failure> {
        if let Some(start) = self.home.start_tables()? {
            return Ok(start);
        }
        let mut catalog = Source::catalog(self.task.source.as_ref()).await?;
        let names: Vec<TableName> = checked.tables.iter().map(|table| table.name.clone()).collect();
        let start = start::fix_start(catalog.as_mut(), &names, &self.task.rules).await?;
        self.home.write_start_tables(&start)?;
        FailPoint::StartWritten.reached();
        Ok(start)
    }

    fn show_tables(&mut self, tables: &[MigratedTable]) {
        self.tables = tables
            .iter()
            .map(|table| TableReport {
                source: table.plan.source.schema.name.to_string(),
                target: table.plan.target.name.to_string(),
                ..TableReport::default()
            })
            .collect();
        let status = tables
            .iter()
            .map(|table| TableStatus {
                source: table.plan.source.schema.name.to_string(),
                target: table.plan.target.name.to_string(),
                stage: "waiting",
                ..TableStatus::default()
            })
            .collect();
        self.board.update(|board| board.tables = status);
    }

    /// Everything after the schema step.
    async fn move_rows(
        &mut self,
        checked: &Prechecked,
        followed: Followed,
        start_tables: &[TableSchema],
        tables: &[MigratedTable],
        objects: &mut Objects,
        log: Option<&Log>,
    ) -> Result<Exit, Failure> {
        let epoch = self.epoch;
        let both = Tables { start: start_tables, migrated: tables };
        let imported = if self.task.has(Step::Full) {
            let began = Instant::now();
            let imported = self.import(epoch, tables, log).await?;
            self.time("full", began);
            Some(imported)
        } else {
            None
        };
        let Some(log) = log else {
            schema::add_foreign_keys(&self.task, &self.home.id, epoch, tables).await?;
            self.patience().with(async || objects.after_tables(checked).await).await?;
            let exit = self.verify_alone(checked).await?;
            self.end_objects(objects, checked, tables).await?;
            return Ok(exit);
        };
        let end = async || schema::overlap_end(&self.task, &self.home.id, epoch, imported.as_ref()).await;
        let overlap_until = self.patience().with(end).await?;
        self.positions.import_end = Some(overlap_until.clone());
        let start = self.positions.start.clone().unwrap_or_else(|| overlap_until.clone());
        let bounds = (start, overlap_until);
        let task = self.task.clone();
        let id = self.home.id.clone();
        let owned = Owned { task: &task, id: &id, epoch, followed, desk: self.desk.clone() };
        let incremental = Incremental::new(owned, checked, both, imported.as_ref(), bounds);
        let began = Instant::now();
        self.board.set_phase(Phase::CatchUp);
        let caught_up = incremental.catch_up(log, &self.board, &self.stop).await;
        self.positions.applied = incremental.applied();
        caught_up?;
        self.refuse_stop()?;
        schema::add_foreign_keys(&self.task, &self.home.id, epoch, tables).await?;
        self.patience().with(async || objects.after_tables(checked).await).await?;
        self.time("incr", began);
        let file = self.home.switchover_file();
        self.patience().with(async || objects.before_following(checked, &file).await).await?;
        let exit = self.follow(checked, &incremental, log).await?;
        self.end_objects(objects, checked, tables).await?;
        Ok(exit)
    }

    async fn end_objects(
        &self,
        objects: &mut Objects,
        checked: &Prechecked,
        tables: &[MigratedTable],
    ) -> Result<(), Failure> {
        let file = self.home.switchover_file();
        self.patience().with(async || objects.end(checked, tables, &file).await).await
    }

    /// Applies what comes while the verification runs and, with `--follow`, until a signal.
    async fn follow(
        &mut self,
        checked: &Prechecked,
        incremental: &Incremental<'_>,
        log: &Log,
    ) -> Result<Exit, Failure> {
        let verify = self.task.has(Step::Verify);
        if !verify && !self.task.args.follow {
            self.positions.applied = incremental.applied();
            return Ok(Exit::Done);
        }
        let running = incremental.start(log);
        let mut exit = Exit::Done;
        let board = self.board.clone();
        let work = async {
            if verify {
                let began = Instant::now();
                board.set_phase(Phase::Verification);
                let cancel = self.stop.clone();
                let verified = async {
                    let setup = self.verification(checked, Some(running.following())).await?;
                    Ok(verification::run(setup, &board, &cancel).await?)
                };
                match verified.await {
                    Ok(found) => exit = self.take_verification(&found),
                    Err(Failure { error, .. })
                        if error.kind == ErrorKind::Cancelled && self.task.args.follow => {}
                    Err(failure) => return Err(failure),
                }
                self.time("verify", began);
            }
            if self.task.args.follow {
                board.set_phase(Phase::Incremental);
                self.stop.cancelled().await;
            }
            Ok(())
        };
        let worked = running.beside(work, log, &board).await;
        let applied = running.stop().await;
        self.positions.applied = incremental.applied();
        applied?;
        worked?;
        Ok(exit)
    }

    async fn import(
        &mut self,
        epoch: u64,
        tables: &[MigratedTable],
        log: Option<&Log>,
    ) -> Result<ImportReport, Failure> {
        self.board.set_phase(Phase::FullImport);
        let args = &self.task.args;
        let options = ImportOptions {
            existing: match args.existing {
                ExistingMode::Stop => Existing::Stop,
                ExistingMode::Ignore => Existing::Ignore,
                ExistingMode::Overwrite => Existing::Overwrite,
            },
            workers: usize::from(args.workers),
            rows_per_second: args.rate_limit,
            ..ImportOptions::default()
        };
        let import_tables = tables.iter().map(MigratedTable::import).collect();
        let (source, target): (Arc<dyn Source>, Arc<dyn Target>) =
            (self.task.selected_source(), self.task.target.clone());
        let import = FullImport::new(source, target, &self.home.id, epoch, import_tables, options);
        let progress = import.progress();
        let running = import.run(&self.stop);
        tokio::pin!(running);
        let report = loop {
            tokio::select! {
                report = &mut running => break report,
                () = tokio::time::sleep(SHOW_EVERY) => {}
            }
            shown::import(&self.board, &progress, log);
        };
        shown::import(&self.board, &progress, log);
        let report = report?;
        for (table, result) in self.tables.iter_mut().zip(&report.tables) {
            table.rows = result.rows;
            table.bytes = result.bytes;
            table.seconds = result.milliseconds as f64 / 1e3;
            table.deferred = result.deferred;
            table.parked = result.parked;
        }
        Ok(report)
    }

    async fn verify_alone(&mut self, checked: &Prechecked) -> Result<Exit, Failure> {
        if !self.task.has(Step::Verify) {
            return Ok(Exit::Done);
        }
        let began = Instant::now();
        self.board.set_phase(Phase::Verification);
        let setup = self.verification(checked, None).await?;
        let found = verification::run(setup, &self.board, &self.stop).await?;
        self.time("verify", began);
        Ok(self.take_verification(&found))
    }

    async fn verification(
        &self,
        checked: &Prechecked,
        following: Option<Following>,
    ) -> Result<verification::Setup, Failure> {
        let plans = self.patience().with(async || self.compared_plans(following.as_ref()).await).await?;
        let corrections = self.task.args.corrections.clone();
        Ok(verification::Setup {
            source: self.task.selected_source(),
            target: self.task.target.clone(),
            flavors: (checked.source.flavor, checked.target.flavor),
            tables: plans.iter().map(verification::table).collect(),
            workers: usize::from(self.task.args.workers),
            corrections: corrections.unwrap_or_else(|| self.home.differences_dir()),
            following,
        })
    }

    fn take_verification(&mut self, found: &VerifyReport) -> Exit {
        for result in &found.tables {
            let report = Some(verification::table_report(result));
            match self.tables.iter_mut().find(|table| table.source == result.source) {
                Some(table) => table.verification = report,
                None => self.tables.push(TableReport {
                    source: result.source.clone(),
                    target: result.target.clone(),
                    verification: report,
                    ..TableReport::default()
                }),
            }
        }
        if found.is_equal() { Exit::Done } else { Exit::Different }
    }

    /// A signal before the task reached its end leaves it unfinished.
    fn refuse_stop(&self) -> Result<(), Failure> {
        if !self.stop.is_cancelled() {
            return Ok(());
        }
        let object = format!("task {}", self.task.args.name);
        Err(ConnectorError::new(ErrorKind::Cancelled, object, "it was stopped before it was done").into())
    }

    fn time(&mut self, step: &'static str, began: Instant) {
        self.steps.push(StepTime { step, seconds: began.elapsed().as_secs_f64() });
    }

    /// Prints and writes the report.
    fn finish(&mut self, ended: Result<Exit, Failure>) -> Result<Exit, Failure> {
        // Tables that wait behind a statement aren't as at the source.
        let waits = !self.board.snapshot().parked_statements.is_empty();
        let ended = ended.map(|exit| if waits && exit == Exit::Done { Exit::Different } else { exit });
        let exit = match &ended {
            Ok(exit) => *exit,
            Err(failure) => failure.exit,
        };
        let error = ended.as_ref().err().map(|failure| (&failure.error).into());
        self.board.update(|status| {
            status.phase = if ended.is_ok() { Phase::Done } else { Phase::Failed };
            status.last_error = error;
        });
        let status = self.board.snapshot();
        let mut report = Report {
            version: Report::VERSION,
            task: status.task,
            source: status.source,
            target: status.target,
            result: crate::report::result_word(exit, self.stop.is_cancelled()),
            exit_code: exit as i32,
            seconds: self.begun.elapsed().as_secs_f64(),
            steps: std::mem::take(&mut self.steps),
            tables: std::mem::take(&mut self.tables),
            objects: status.objects,
            positions: std::mem::take(&mut self.positions),
            applied_transactions: status.applied_transactions,
            applied_changes: status.applied_changes,
            parked: status.parked,
            parked_statements: status.parked_statements,
            conflicts: status.conflicts,
            foreign_changes: status.foreign_changes,
            peak_memory_bytes: 0,
            cpu_seconds: 0.0,
            error: status.last_error,
        };
        report.measure();
        if exit != Exit::Precheck {
            report.print();
        }
        if let Some(path) = &self.task.args.report {
            report.write(path)?;
        }
        ended
    }
}

/// Where `whimbrel verify` writes by default.
pub fn default_corrections() -> PathBuf {
    PathBuf::from("whimbrel-differences")
}

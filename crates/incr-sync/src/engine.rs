//! The loop: takes steps from the reader, gives windows to lanes, keeps barriers.
//!
//! Windows are numbered in the source's order. In `transaction` mode each occupies one session, several are
//! under way, and their commits follow the numbers. In `convergent` mode one window at a time occupies all
//! sessions while the next one is being read. Everything else (DDL, the end of the overlap, pieces of large
//! transactions, requests) happens when nothing is under way.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use whimbrel_connector::{ConnectorError, ErrorKind, Mutation, Result, Target};

use crate::checkpoint::{self, ForeignRecord, InFlight, decode};
use crate::conflict::Tracker;
use crate::convergent;
use crate::hold::{self, Decision, Gate, Holds, Scope};
use crate::large::Large;
use crate::parked;
use crate::plans::Plans;
use crate::reader::{Bounds, RawWindow, Reader, Step};
use crate::run::{Committed, Shared, Turn, Work, commit_work};
use crate::session::{Backoff, Session};
use crate::source::{ChangeSource, DdlConverter, Router};
use crate::status::{ApplyStatus, Phase};
use crate::window::{End, Loc, Part, Window};
use crate::{ApplyBounds, ApplyMode, Control, IncrSync, settle};

/// A window that has ended: its sessions come back.
pub(crate) struct Done {
    number: u64,
    sessions: Vec<Session>,
    end: Option<End>,
    result: Result<()>,
}

/// What engines are made of.
pub(crate) struct Parts {
    pub(crate) shared: Arc<Shared>,
    pub(crate) target: Arc<dyn Target>,
    pub(crate) bounds: ApplyBounds,
    pub(crate) router: Arc<dyn Router>,
    pub(crate) converter: Arc<dyn DdlConverter>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) control: mpsc::Receiver<Control>,
}

pub(crate) struct Engine {
    pub(crate) shared: Arc<Shared>,
    pub(crate) reader: Reader,
    pub(crate) sessions: Vec<Session>,
    pub(crate) target: Arc<dyn Target>,
    pub(crate) bounds: ApplyBounds,
    pub(crate) plans: Plans,
    pub(crate) router: Arc<dyn Router>,
    pub(crate) converter: Arc<dyn DdlConverter>,
    pub(crate) running: JoinSet<Done>,
    tracker: Tracker,
    /// The last window's number, and the last one committed.
    number: u64,
    committed: Arc<Committed>,
    /// The first position of the task, until something is applied.
    pub(crate) applied: End,
    /// Something has been applied: `applied` is more than where the log begins.
    pub(crate) begun: bool,
    /// The sequence of the checkpoint at the target.
    pub(crate) persisted: u64,
    persisted_at: Instant,
    /// Changes up to here may have been applied before (`convergent` mode).
    pub(crate) resume_until: u64,
    pub(crate) pending: Option<Step>,
    /// The reader has handed out all that there is.
    pub(crate) idle: bool,
    pub(crate) large: Option<Large>,
    /// Pieces of the large transaction under way that have to be done row by row.
    pub(crate) careful_pieces: BTreeSet<usize>,
    control: mpsc::Receiver<Control>,
    /// Waits until nothing is under way.
    request: Option<Control>,
    /// A queue has come to another statement that waits.
    pub(crate) parked_again: bool,
    /// When the target's keys were looked at last.
    pub(crate) looked_at: Instant,
    /// How long that took.
    pub(crate) look_cost: Duration,
    /// How long the source of changes has failed without a break.
    source_backoff: Backoff,
    /// Some decision about a parked statement is to be carried out.
    pub(crate) decided: bool,
}

impl Engine {
    pub async fn run(
        sync: IncrSync,
        source: Box<dyn ChangeSource>,
        stop: CancellationToken,
        abort: CancellationToken,
    ) -> Result<ApplyStatus> {
        let task = sync.task.clone();
        let status = sync.status();
        let work = Box::pin(async {
            let mut engine = Self::start(sync, source, stop.clone()).await?;
            let result = engine.work(&stop).await;
            engine.running.shutdown().await;
            if let Err(error) = &result {
                engine.shared.board.failed(error);
            }
            engine.shared.board.phase(Phase::Ended);
            result
        });
        tokio::select! {
            biased;
            () = abort.cancelled() => {
                Err(ConnectorError::new(ErrorKind::Cancelled, task, "the incremental apply was asked to stop at once"))
            }
            result = work => result.map(|()| status.borrow().clone()),
        }
    }

    async fn start(sync: IncrSync, source: Box<dyn ChangeSource>, stop: CancellationToken) -> Result<Self> {
        let IncrSync { target, task, epoch, router, converter, bounds, options, board, control } = sync;
        let shared = Arc::new(Shared {
            options,
            aside: Default::default(),
            board,
            settled: AtomicBool::new(false),
            attempts: AtomicU64::new(0),
            foreign_records: AtomicUsize::new(0),
            stop,
            holds: Arc::new(Holds::default()),
            scope: Scope::Task,
        });
        let mut sessions = Vec::new();
        for _ in 0..shared.options.lanes.max(1) {
            let writer = target.writer(&task, epoch).await?;
            sessions.push(Session::new(writer, shared.options.retry_for));
        }
        let applied = End { position: bounds.start.clone(), sequence: 0, commit_time_us: 0 };
        let read = Bounds {
            table_start: bounds.table_start.clone(),
            overlap_until: bounds.overlap_until.clone(),
            stop_at: bounds.stop_at.clone(),
            stop_after: None,
        };
        let parts = Parts { shared, target, bounds, router, converter, sessions, control: control.1 };
        let mut engine = Self::assemble(parts, source, read, applied).await?;
        engine.resume().await?;
        Ok(engine)
    }

    pub(crate) async fn assemble(
        parts: Parts,
        source: Box<dyn ChangeSource>,
        read: Bounds,
        applied: End,
    ) -> Result<Self> {
        let Parts { shared, target, bounds, router, converter, sessions, control } = parts;
        let replayed = match shared.scope {
            Scope::Task => None,
            Scope::Hold(number) => Some(number),
        };
        let source_backoff = shared.backoff();
        let gate = Gate { holds: shared.holds.clone(), replayed };
        Ok(Self {
            plans: Plans::new(target.catalog().await?, router.clone()),
            reader: Reader::new(source, router.clone(), gate, read, shared.options.limits),
            shared,
            sessions,
            target,
            bounds,
            router,
            converter,
            running: JoinSet::new(),
            tracker: Tracker::default(),
            number: 0,
            committed: Arc::default(),
            applied,
            begun: false,
            persisted: 0,
            persisted_at: Instant::now(),
            resume_until: 0,
            pending: None,
            idle: false,
            large: None,
            careful_pieces: BTreeSet::new(),
            control,
            request: None,
            parked_again: false,
            looked_at: Instant::now(),
            look_cost: Duration::ZERO,
            source_backoff,
            decided: true,
        })
    }

    /// Reads the task's state at the target, and begins to read after its checkpoint.
    pub(crate) async fn resume(&mut self) -> Result<()> {
        let Some(session) = self.sessions.first_mut() else { return Ok(()) };
        let writer = session.writer.as_mut();
        self.shared.aside.load(writer).await?;
        self.shared.holds.load(writer).await?;
        self.shared.board.held(&self.shared.holds);
        self.plans.load_left_out(writer).await?;
        let foreign = writer.state_list(ForeignRecord::KIND, b"").await?;
        self.shared.foreign_records.store(foreign.len(), Ordering::Relaxed);
        let scope = self.shared.scope;
        let prefix = scope.in_flight_prefix();
        for entry in writer.state_list(InFlight::KIND, &prefix).await? {
            if entry.key.item.len() != prefix.len() + 1 {
                continue;
            }
            let in_flight: InFlight = decode(InFlight::KIND, &entry.payload)?;
            if !Mutation::IgnoreInFlight.active() {
                self.resume_until = self.resume_until.max(in_flight.until);
            }
            // Attempts go on growing, so that entries of different runs differ too.
            self.shared.attempts.fetch_max(in_flight.attempt + 1, Ordering::Relaxed);
        }
        if let Some(checkpoint) = checkpoint::read_of(writer, scope).await? {
            self.applied = checkpoint.end();
            self.begun = true;
            self.persisted = checkpoint.sequence;
            self.shared.settled.store(checkpoint.settled, Ordering::Relaxed);
            self.shared.board.applied(&self.applied);
        }
        let (parked, deferred) = self.shared.aside.counts();
        self.shared.board.aside(parked, deferred);
        if let Err(error) = self.restart_reader().await {
            self.refuse_taken_over().await?;
            return Err(error);
        }
        if self.reader.is_idempotent() {
            self.shared.settled.store(false, Ordering::Relaxed);
            self.shared.board.phase(Phase::Overlap);
            Ok(())
        } else {
            self.become_strict().await
        }
    }

    /// A checkpoint may be that of a process that has taken over, and this one's log may not have come that far.
    async fn refuse_taken_over(&mut self) -> Result<()> {
        let Some(session) = self.sessions.first_mut() else { return Ok(()) };
        let owns = session.writer.refuse_taken_over().await;
        session.rollback().await;
        owns
    }

    pub(crate) async fn restart_reader(&mut self) -> Result<()> {
        self.pending = None;
        let after = self.begun.then_some(&self.applied);
        self.reader.start(after, self.resume_until).await
    }

    pub(crate) async fn work(&mut self, stop: &CancellationToken) -> Result<()> {
        let mut stopping = false;
        loop {
            if self.running.is_empty() && self.large.is_none() {
                self.carry_out_decisions().await?;
                if let Some(request) = self.request.take() {
                    self.serve(request).await?;
                }
                self.look_at_keys().await?;
                self.persist_now_and_then().await?;
            }
            if let Some(step) = self.pending.take() {
                if !self.is_ready_for(&step) {
                    self.pending = Some(step);
                } else if self.handle(step).await? {
                    return Ok(());
                }
            }
            let (eager, look) = (self.has_room(), self.until_look());
            let looks = self.shared.scope == Scope::Task && self.running.is_empty() && self.large.is_none();
            tokio::select! {
                biased;
                Some(done) = self.running.join_next(), if !self.running.is_empty() => {
                    self.finish(done).await?;
                }
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    self.reader.stop();
                }
                Some(request) = self.control.recv(), if self.request.is_none() => {
                    self.request = Some(request);
                }
                step = self.reader.next_step(eager), if self.pending.is_none() => {
                    self.pending = Some(step);
                }
                // An idle task looks too.
                () = tokio::time::sleep(look), if looks => {}
            }
        }
    }

    fn has_room(&self) -> bool {
        if self.large.is_none()
            && (self.request.is_some() || self.wants_to_look())
            && !self.running.is_empty()
        {
            return false;
        }
        match self.shared.options.mode {
            ApplyMode::Transaction => !self.sessions.is_empty(),
            ApplyMode::Convergent => self.running.is_empty(),
        }
    }

    fn is_ready_for(&self, step: &Step) -> bool {
        match step {
            Step::Window(_) => self.has_room(),
            Step::Failed(_) => self.running.is_empty(),
            Step::Idle => true,
            Step::Ddl { .. } if Mutation::DdlWithoutBarrier.active() => self.has_room(),
            _ => self.running.is_empty(),
        }
    }

    /// True at the end of the run.
    async fn handle(&mut self, step: Step) -> Result<bool> {
        if !matches!(step, Step::Failed(_) | Step::Idle) {
            self.source_backoff = self.shared.backoff();
        }
        match step {
            Step::Window(window) => self.dispatch(window).await?,
            Step::Piece { window, first } => {
                let window = self.plan(window).await?;
                self.apply_piece(window, first).await?;
            }
            Step::Abandon => self.abandon_large().await,
            Step::Ddl { ddl, sequence, read_later } => {
                return self.statement(&ddl, sequence, read_later).await;
            }
            Step::Strict => self.become_strict().await?,
            Step::Idle => {
                self.idle = true;
                self.shared.board.caught_up(self.running.is_empty());
            }
            Step::Failed(error) => {
                self.shared.board.retried(&error);
                self.source_backoff.wait(error, &self.shared.stop).await?;
            }
            Step::End => {
                self.persist().await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Adds the plans of the tables.
    async fn plan(&mut self, raw: RawWindow) -> Result<Window> {
        let mut parts = Vec::with_capacity(raw.batches.len());
        let mut backoff = self.shared.backoff();
        for batch in raw.batches {
            let table = loop {
                match self.plans.get(&batch.table).await {
                    Ok(table) => break table,
                    Err(error) => backoff.wait(error, &self.shared.stop).await?,
                }
            };
            parts.push(Part { table, batch });
        }
        Ok(Window {
            parts,
            idempotent: raw.idempotent,
            end: raw.end,
            last_sequence: raw.last_sequence,
            transactions: raw.transactions,
        })
    }

    async fn dispatch(&mut self, raw: RawWindow) -> Result<()> {
        if raw.batches.is_empty() && self.running.is_empty() {
            return match raw.end {
                Some(end) => self.passed(end).await,
                None => Ok(()),
            };
        }
        let window = Arc::new(self.plan(raw).await?);
        self.idle = false;
        self.shared.board.caught_up(false);
        self.number += 1;
        let (number, shared) = (self.number, self.shared.clone());
        match self.shared.options.mode {
            ApplyMode::Transaction => {
                let Some(session) = self.sessions.pop() else { return Ok(()) };
                let turn = Turn {
                    number,
                    after: self.tracker.admit(number, &window),
                    committed: self.committed.clone(),
                    patience: self.shared.options.lock_patience,
                };
                self.running.spawn(run_in_turn(session, shared, window, turn));
            }
            ApplyMode::Convergent => {
                self.resume_until = self.resume_until.max(window.last_sequence);
                let mut sessions = std::mem::take(&mut self.sessions);
                self.running.spawn(async move {
                    let result = convergent::run_window(&mut sessions, &shared, &window).await;
                    Done { number, sessions, end: window.end.clone(), result }
                });
            }
        }
        Ok(())
    }

    /// Nothing but the position moved on.
    async fn passed(&mut self, end: End) -> Result<()> {
        self.set_applied(end);
        self.persist_now_and_then().await
    }

    /// Also without a further record: the Store may wait for the acknowledgement before it takes one.
    async fn persist_now_and_then(&mut self) -> Result<()> {
        if self.persisted_at.elapsed() >= self.shared.options.idle_checkpoint {
            self.persist().await?;
        }
        Ok(())
    }

    pub(crate) fn set_applied(&mut self, end: End) {
        self.shared.board.applied(&end);
        self.applied = end;
        self.begun = true;
    }

    /// The checkpoint at the target is the one of what was applied.
    pub(crate) async fn set_persisted(&mut self) -> Result<()> {
        self.persisted = self.applied.sequence;
        self.persisted_at = Instant::now();
        match (self.shared.scope, self.shared.holds.needs_after()) {
            (Scope::Task, None) => self.reader.acknowledge(self.persisted).await,
            // What is held will be read again.
            (Scope::Task, Some(Some(after))) => self.reader.acknowledge(after.min(self.persisted)).await,
            _ => Ok(()),
        }
    }

    /// Writes the checkpoint by itself.
    pub(crate) async fn persist(&mut self) -> Result<()> {
        if !self.begun || self.persisted == self.applied.sequence {
            return Ok(());
        }
        let window = Window::default();
        let work = Work {
            window: &window,
            locs: &[],
            key: self.shared.scope.checkpoint_key(),
            payload: self.shared.checkpoint(&self.applied),
            at: &self.applied.position,
            transactions: 0,
            beside_others: false,
        };
        let Some(session) = self.sessions.first_mut() else { return Ok(()) };
        commit_work(session, &self.shared, &work, None).await?;
        self.set_persisted().await
    }

    async fn finish(&mut self, done: Result<Done, tokio::task::JoinError>) -> Result<()> {
        let done = done.map_err(|error| {
            ConnectorError::new(ErrorKind::Other, "incr-sync", "a lane ended unexpectedly").with_source(error)
        })?;
        self.sessions.extend(done.sessions);
        done.result?;
        self.tracker.forget(done.number);
        if let Some(end) = done.end
            && end.sequence > self.applied.sequence
        {
            self.set_applied(end);
            self.set_persisted().await?;
        }
        self.shared.board.caught_up(self.idle && self.running.is_empty());
        Ok(())
    }

    /// Nothing can have been applied before from here on: deferred rows are settled.
    async fn become_strict(&mut self) -> Result<()> {
        let Some(session) = self.sessions.first_mut() else { return Ok(()) };
        let (_, deferred) = self.shared.aside.counts();
        if deferred > 0 {
            let mut backoff = self.shared.backoff();
            loop {
                match settle::settle(session.writer.as_mut(), self.plans.catalog()).await {
                    Ok(settled) => {
                        tracing::info!(?settled, "deferred rows were settled");
                        break;
                    }
                    Err(error) => {
                        session.rollback().await;
                        backoff.wait(error, &self.shared.stop).await?;
                    }
                }
            }
            self.shared.aside.load(session.writer.as_mut()).await?;
            let (parked, deferred) = self.shared.aside.counts();
            self.shared.board.aside(parked, deferred);
        }
        self.shared.settled.store(true, Ordering::Relaxed);
        self.shared.board.phase(Phase::Strict);
        self.persist().await
    }

    /// Serves a request; nothing is under way.
    async fn serve(&mut self, request: Control) -> Result<()> {
        let (sequence, decision, reply) = match request {
            Control::RetryStatement { sequence, reply } => (sequence, Decision::Retry, reply),
            Control::SkipStatement { sequence, reply } => (sequence, Decision::Skip, reply),
            Control::EditStatement { sequence, sql, reply } => (sequence, Decision::Edit(sql), reply),
            row => return self.serve_row(row).await,
        };
        match self.decide(sequence, decision).await {
            Ok(decided) => {
                // A requester that no longer waits for the answer doesn't matter.
                let _ = reply.send(Ok(decided));
                Ok(())
            }
            Err(error) => {
                let told = ConnectorError::new(error.kind.clone(), error.object.clone(), error.chain());
                let _ = reply.send(Err(told));
                Err(error)
            }
        }
    }

    async fn serve_row(&mut self, request: Control) -> Result<()> {
        let Some(session) = self.sessions.first_mut() else { return Ok(()) };
        let writer = session.writer.as_mut();
        // A requester that no longer waits for the answer doesn't matter.
        match request {
            Control::RetryParked { item, reply } => {
                let answer = parked::retry(writer, self.plans.catalog(), &item).await;
                let _ = reply.send(answer);
            }
            Control::SkipParked { item, reply } => {
                let _ = reply.send(parked::skip(writer, &item).await);
            }
            Control::EditParked { item, sql, reply } => {
                let _ = reply.send(parked::edit(writer, &item, &sql).await);
            }
            Control::ListParked { reply } => {
                let _ = reply.send(parked::list(writer).await);
            }
            Control::ListStatements { reply } => {
                let _ = reply.send(hold::list(writer).await);
            }
            Control::RetryStatement { .. }
            | Control::SkipStatement { .. }
            | Control::EditStatement { .. } => {}
        }
        session.rollback().await;
        if let Err(error) = self.shared.aside.load(session.writer.as_mut()).await {
            self.shared.board.failed(&error);
        }
        let (parked, deferred) = self.shared.aside.counts();
        self.shared.board.aside(parked, deferred);
        Ok(())
    }
}

/// One window of `transaction` mode.
async fn run_in_turn(mut session: Session, shared: Arc<Shared>, window: Arc<Window>, mut turn: Turn) -> Done {
    let number = turn.number;
    let locs: Vec<Loc> = window.locs().collect();
    let result = match &window.end {
        None => Ok(()),
        Some(end) => {
            let work = Work {
                window: &window,
                locs: &locs,
                key: shared.scope.checkpoint_key(),
                payload: shared.checkpoint(end),
                at: &end.position,
                transactions: window.transactions,
                beside_others: false,
            };
            commit_work(&mut session, &shared, &work, Some(&mut turn)).await.map(drop)
        }
    };
    if result.is_ok() {
        turn.committed.advance_to(number);
    }
    Done { number, sessions: vec![session], end: window.end.clone(), result }
}

//! Statements of the log: carried over, left out, or parked with their tables; and the way back of held tables.
//!
//! A queue is applied by an engine of its own over the same sessions and the same log, while nothing else is under
//! way: its gate lets in what the task's own gate kept out, its progress has keys of its own ([`Scope`]), and it
//! ends where the task stands. Then the hold is removed and the task goes on with all tables. A crash in between
//! leaves the decision in the hold's entry, and the progress with the changes; the next run goes on with it.

use std::collections::{BTreeSet, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use whimbrel_connector::{ConnectorError, ErrorKind, FailPoint, Policy, Result};
use whimbrel_model::{Ddl, TableName};

use crate::DdlErrors;
use crate::checkpoint::{DdlProgress, LeftOut, encode};
use crate::ddl::{self, Carried, DdlRecord, Refusal};
use crate::engine::{Engine, Parts};
use crate::hold::{Decided, Decision, Hold, ParkedStatement, Scope};
use crate::reader::Bounds;
use crate::run::Shared;
use crate::source::{DdlConverter, DdlPolicy, DdlStep};
use crate::window::End;

impl Engine {
    /// A statement of the log, at its barrier. True where the run ends with it: the queue has come to another
    /// statement that waits.
    pub(crate) async fn statement(
        &mut self,
        ddl: &Ddl,
        sequence: u64,
        read_later: HashSet<TableName>,
    ) -> Result<bool> {
        let touched = self.touched(ddl);
        if touched.is_empty() && !ddl.effects.is_empty() {
            return Ok(false);
        }
        let holds: BTreeSet<u64> = touched
            .iter()
            .filter_map(|table| self.shared.holds.of(table))
            .filter(|(_, since)| *since <= sequence)
            .map(|(number, _)| number)
            .collect();
        let decision = match (self.shared.scope, holds.first()) {
            (Scope::Task, None) => None,
            (Scope::Task, Some(first)) => {
                self.queue(*first, &touched, sequence).await?;
                return Ok(false);
            }
            (Scope::Hold(number), _) if !holds.contains(&number) => return Ok(false),
            (Scope::Hold(number), _) => {
                if let Some(refusal) = self.meet_others(number, &holds, sequence).await? {
                    return self.park(ddl, sequence, &touched, refusal).await;
                }
                let hold = self.shared.holds.get(number);
                hold.filter(|hold| hold.statement.sequence == sequence).and_then(|hold| hold.decision)
            }
        };
        let policy = match &decision {
            Some(Decision::Skip) => DdlPolicy::Skip,
            Some(Decision::Retry | Decision::Edit(_)) => DdlPolicy::Apply,
            None => self.converter.policy(ddl)?,
        };
        let edited = match decision {
            Some(Decision::Edit(sql)) => Some(sql),
            _ => None,
        };
        let record = Record { ddl, sequence, touched: &touched, read_later, edited };
        let Some(refusal) = self.carry_out(record, policy).await? else { return Ok(false) };
        let parks = self.shared.options.on_ddl_error == DdlErrors::Park || policy == DdlPolicy::Ask;
        if !parks || refusal.error.policy() == Policy::Retry {
            return Err(refusal.error);
        }
        self.park(ddl, sequence, &touched, refusal).await
    }

    /// Does what the policy says; why a statement can't be carried over, where it can't.
    async fn carry_out(&mut self, record: Record<'_>, policy: DdlPolicy) -> Result<Option<Refusal>> {
        let ddl = record.ddl;
        match policy {
            DdlPolicy::Apply | DdlPolicy::Partly => {
                let goes_without = policy == DdlPolicy::Partly || record.edited.is_some();
                let read_later = self.read_later(&record);
                match self.carry(record).await? {
                    // The copy of the table is of a later moment, and what it shares its target with isn't meant.
                    Carried::Refused(_) if read_later => return Ok(None),
                    Carried::Refused(refusal) => return Ok(Some(refusal)),
                    Carried::Done => self.schema_changed(ddl).await?,
                    Carried::Nothing => {}
                }
                if goes_without {
                    self.leave_out(ddl).await?;
                }
                self.leave_out_dropped(ddl).await?;
                Ok(None)
            }
            DdlPolicy::Skip => {
                tracing::warn!(sql = ddl.sql, "a statement was left out");
                self.leave_out(ddl).await?;
                Ok(None)
            }
            DdlPolicy::Ask => Ok(Some(waits(ddl, self.converter.clone().as_ref()).await)),
            DdlPolicy::Stop => Err(ConnectorError::new(
                ErrorKind::UnsupportedStatement,
                ddl.sql.clone(),
                "the task stops at statements of this kind",
            )
            .with_hint("run again with another --ddl for it: apply, skip or ask")),
        }
    }

    /// Target tables that a statement is about, under their names before and after; without those that the target
    /// was told to go without, unless it makes them anew.
    fn touched(&self, ddl: &Ddl) -> Vec<TableName> {
        let names = ddl
            .effects
            .iter()
            .flat_map(|effect| effect.before.iter().chain(effect.after.as_ref().map(|after| &after.name)));
        let tables: BTreeSet<TableName> = names.filter_map(|name| self.router.target(name)).collect();
        let made: Vec<TableName> = self.made(ddl).collect();
        tables
            .into_iter()
            .filter(|table| made.contains(table) || !self.shared.holds.leaves_out(table))
            .collect()
    }

    /// Target tables that a statement makes.
    fn made<'d>(&'d self, ddl: &'d Ddl) -> impl Iterator<Item = TableName> + 'd {
        let effects = ddl.effects.iter().filter(|effect| effect.before.is_none());
        effects.filter_map(|effect| self.router.target(&effect.after.as_ref()?.name))
    }

    async fn carry(&mut self, record: Record<'_>) -> Result<Carried> {
        let Record { ddl, sequence, touched, read_later, edited } = record;
        let router = self.router.clone();
        let clears_later = move |step: &DdlStep| {
            step.clears_rows
                && read_later.iter().any(|table| router.target(table).as_ref() == Some(&step.table))
        };
        let record = DdlRecord {
            ddl,
            sequence,
            overlap: self.reader.is_idempotent(),
            skip: &clears_later,
            tables: touched,
            edited: edited.as_deref(),
        };
        let Some(session) = self.sessions.first_mut() else { return Ok(Carried::Nothing) };
        let converter = self.converter.clone();
        ddl::run(session, self.plans.catalog(), &self.shared, converter.as_ref(), &record).await
    }

    async fn schema_changed(&mut self, ddl: &Ddl) -> Result<()> {
        self.plans.clear();
        let made: Vec<TableName> =
            self.made(ddl).filter(|table| self.shared.holds.leaves_out(table)).collect();
        let Some(session) = self.sessions.first_mut() else { return Ok(()) };
        let writer = session.writer.as_mut();
        for table in made {
            writer.state_delete(&LeftOut::key_of(&table)).await?;
            self.shared.holds.load(writer).await?;
        }
        self.shared.aside.load(writer).await
    }

    /// The target lacks what a statement would have made: its columns are left out of the rows.
    async fn leave_out(&mut self, ddl: &Ddl) -> Result<()> {
        let Some(session) = self.sessions.first_mut() else { return Ok(()) };
        for after in ddl.effects.iter().filter_map(|effect| effect.after.as_ref()) {
            if let Some(target) = self.router.target(&after.name) {
                self.plans.leave_out(session.writer.as_mut(), &target, after).await?;
            }
        }
        self.plans.clear();
        let Some(session) = self.sessions.first_mut() else { return Ok(()) };
        self.shared.holds.load(session.writer.as_mut()).await
    }

    /// True where a statement is only about tables that share their targets and were copied after it.
    fn read_later(&self, record: &Record<'_>) -> bool {
        let mut tables = record.ddl.effects.iter().map(|effect| effect.before.as_ref());
        !record.ddl.effects.is_empty()
            && tables.all(|table| {
                table.is_some_and(|table| self.router.merges(table) && record.read_later.contains(table))
            })
    }

    /// A column that one of several tables has dropped is gone at their common target.
    async fn leave_out_dropped(&mut self, ddl: &Ddl) -> Result<()> {
        for (target, column) in self.converter.dropped_columns(ddl) {
            let Some(session) = self.sessions.first_mut() else { return Ok(()) };
            self.plans.leave_out_columns(session.writer.as_mut(), &target, &[column]).await?;
        }
        Ok(())
    }

    /// A statement queues behind another one; what else it touches is held from here on.
    async fn queue(&mut self, number: u64, touched: &[TableName], sequence: u64) -> Result<()> {
        let free: Vec<TableName> =
            touched.iter().filter(|table| self.shared.holds.of(table).is_none()).cloned().collect();
        if free.is_empty() {
            return Ok(());
        }
        let Some(mut hold) = self.shared.holds.get(number) else { return Ok(()) };
        hold.join(&self.free_with_groups(&free), sequence);
        let Some(session) = self.sessions.first_mut() else { return Ok(()) };
        self.shared.holds.put(session.writer.as_mut(), hold).await
    }

    /// The tables, and those that change each other's rows with them, as far as nothing holds them.
    fn free_with_groups(&self, tables: &[TableName]) -> Vec<TableName> {
        let all = self.plans.with_groups(tables);
        all.into_iter().filter(|table| self.shared.holds.of(table).is_none()).collect()
    }

    /// A statement of a queue that touches tables of other queues too: all of them have to have come to it.
    async fn meet_others(
        &mut self,
        number: u64,
        holds: &BTreeSet<u64>,
        sequence: u64,
    ) -> Result<Option<Refusal>> {
        let others: Vec<Hold> = holds
            .iter()
            .filter(|other| **other != number)
            .filter_map(|other| self.shared.holds.get(*other))
            .collect();
        if let Some(other) = others.iter().find(|other| other.statement.sequence != sequence) {
            let error = ConnectorError::new(
                ErrorKind::UnsupportedStatement,
                other.tables.keys().cloned().collect::<Vec<_>>().join(", "),
                format!("the statement also concerns tables that wait behind {}", other.statement.id()),
            );
            return Ok(Some(Refusal { error, steps: Vec::new(), done: 0 }));
        }
        let Some(mut hold) = self.shared.holds.get(number) else { return Ok(None) };
        let Some(session) = self.sessions.first_mut() else { return Ok(None) };
        let writer = session.writer.as_mut();
        for other in others {
            writer.begin().await?;
            Scope::Hold(other.number).forget(writer).await?;
            for table in other.tables.keys() {
                hold.tables.insert(table.clone(), sequence);
            }
            self.shared.holds.put(writer, hold.clone()).await?;
            writer.commit().await?;
            self.shared.holds.load(writer).await?;
        }
        Ok(None)
    }

    /// Sets a statement aside with its tables. True where a queue has come to its end with that.
    async fn park(
        &mut self,
        ddl: &Ddl,
        sequence: u64,
        touched: &[TableName],
        refusal: Refusal,
    ) -> Result<bool> {
        let Refusal { error, steps, done } = refusal;
        tracing::warn!(sql = ddl.sql, code = error.code(), reason = error.chain(), "a statement was parked");
        let mut statement = ParkedStatement::new(ddl, sequence, &error, &self.applied.position);
        (statement.steps, statement.done) = (steps, done);
        let begun = self.begun.then_some(&self.applied);
        let (hold, ends) = match self.shared.scope {
            Scope::Task => (Hold::new(statement, begun, &self.free_with_groups(touched)), false),
            Scope::Hold(number) => {
                let applied = begun.map(Into::into);
                self.persist().await?;
                let Some(mut hold) = self.shared.holds.get(number) else { return Ok(true) };
                // All that the statement touches was held when the task came by it.
                (hold.statement, hold.decision) = (statement, None);
                hold.after = applied.or(hold.after);
                (hold, true)
            }
        };
        let Some(session) = self.sessions.first_mut() else { return Ok(true) };
        let writer = session.writer.as_mut();
        writer.begin().await?;
        if !ends {
            // What the target has done of it, for the engine that goes on with it.
            let begun = done < hold.statement.steps.len();
            let mut progress = DdlProgress::new(sequence);
            (progress.done, progress.begun) = (done, begun);
            writer.state_put(&Scope::Hold(hold.number).ddl_key(), &encode(&progress)).await?;
        }
        let number = hold.number;
        self.shared.holds.put(writer, hold).await?;
        FailPoint::ParkWritten.reached();
        writer.commit().await?;
        FailPoint::ParkCommitted.reached();
        self.plans.clear();
        self.shared.holds.load(writer).await?;
        tracing::debug!(number, "tables are held");
        self.shared.board.held(&self.shared.holds);
        self.parked_again = ends;
        Ok(ends)
    }

    /// True where it is time to see whether somebody has changed the target's keys.
    pub(crate) fn wants_to_look(&self) -> bool {
        self.shared.scope == Scope::Task && self.until_look().is_zero()
    }

    /// How long until then.
    pub(crate) fn until_look(&self) -> std::time::Duration {
        const SHARE: u32 = 50;
        let pause = self.shared.options.look_at_keys.max(self.look_cost * SHARE);
        pause.saturating_sub(self.looked_at.elapsed())
    }

    /// Follows unique keys that were made or dropped at the target by others. Until they are noticed, changes that meet
    /// on such a key are done one after another as soon as they show (`run.rs`, `convergent.rs`).
    pub(crate) async fn look_at_keys(&mut self) -> Result<()> {
        if !self.wants_to_look() {
            return Ok(());
        }
        let began = tokio::time::Instant::now();
        match self.plans.keys_have_changed().await {
            Ok(true) => {
                tracing::warn!("the keys of the target's tables have changed");
                self.shared.board.keys_changed();
            }
            Ok(false) => {}
            Err(error) if error.policy() == Policy::Retry => self.shared.board.retried(&error),
            Err(error) => return Err(error),
        }
        self.looked_at = tokio::time::Instant::now();
        // A catalogue of many tables answers slowly, and must not keep the changes waiting.
        self.look_cost = began.elapsed();
        Ok(())
    }

    /// Carries out what was decided before this run began, as soon as the task has come to it: a crash may have taken
    /// it back before the statement.
    pub(crate) async fn carry_out_decisions(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.decided) || self.shared.scope != Scope::Task {
            return Ok(());
        }
        for hold in self.shared.holds.all() {
            if hold.decision.is_none() || self.shared.stop.is_cancelled() {
                continue;
            }
            if self.has_come_to(&hold) {
                self.replay(hold.number).await?;
            } else {
                self.decided = true;
            }
        }
        Ok(())
    }

    fn has_come_to(&self, hold: &Hold) -> bool {
        self.begun && self.applied.sequence >= hold.statement.sequence
    }

    /// Notes a decision, and carries it out; nothing is under way.
    pub(crate) async fn decide(&mut self, sequence: u64, decision: Decision) -> Result<Decided> {
        let found = self.shared.holds.all().into_iter().find(|hold| hold.statement.sequence == sequence);
        let Some(mut hold) = found.filter(|hold| hold.decision.is_none()) else {
            return Ok(Decided::Unknown);
        };
        let Some(session) = self.sessions.first_mut() else { return Ok(Decided::Unknown) };
        let writer = session.writer.as_mut();
        writer.begin().await?;
        crate::hold::note(writer, &mut hold, decision).await?;
        writer.commit().await?;
        FailPoint::DecisionNoted.reached();
        self.shared.holds.load(writer).await?;
        if self.has_come_to(&hold) {
            return self.replay(hold.number).await;
        }
        self.decided = true;
        Ok(Decided::Noted)
    }

    /// An engine for the queue of a hold, up to a record; it borrows sessions and log of this one.
    async fn for_queue(&mut self, hold: &Hold, until: u64) -> Result<Self> {
        let shared = Arc::new(Shared {
            options: self.shared.options.clone(),
            aside: Default::default(),
            board: Default::default(),
            settled: AtomicBool::new(false),
            attempts: AtomicU64::new(0),
            foreign_records: AtomicUsize::new(self.shared.foreign_records.load(Ordering::Relaxed)),
            stop: self.shared.stop.clone(),
            holds: self.shared.holds.clone(),
            scope: Scope::Hold(hold.number),
        });
        let start = End { position: self.bounds.start.clone(), sequence: 0, commit_time_us: 0 };
        let applied = hold.after.as_ref().map_or(start, End::from);
        let read = Bounds {
            table_start: self.bounds.table_start.clone(),
            overlap_until: self.bounds.overlap_until.clone(),
            stop_at: None,
            stop_after: Some(until),
        };
        let parts = Parts {
            shared,
            target: self.target.clone(),
            bounds: self.bounds.clone(),
            router: self.router.clone(),
            converter: self.converter.clone(),
            sessions: std::mem::take(&mut self.sessions),
            control: mpsc::channel(1).1,
        };
        let mut queue = Self::assemble(parts, self.reader.lend_source(), read, applied).await?;
        queue.begun = hold.after.is_some();
        Ok(queue)
    }

    /// Applies the queue of a hold up to where the task stands.
    async fn replay(&mut self, number: u64) -> Result<Decided> {
        let Some(hold) = self.shared.holds.get(number) else { return Ok(Decided::Unknown) };
        // From here on the task doesn't read again what the queue is about to apply.
        self.persist().await?;
        let until = self.applied.sequence;
        let mut queue = self.for_queue(&hold, until).await?;
        let stop = self.shared.stop.clone();
        let ran = match queue.resume().await {
            Ok(()) => run_boxed(&mut queue, &stop).await,
            Err(error) => Err(error),
        };
        queue.running.shutdown().await;
        let (through, parked_again) = (queue.applied.sequence >= until, queue.parked_again);
        let counted = queue.shared.board.subscribe().borrow().clone();
        self.reader.give_back(queue.reader.lend_source());
        self.sessions = queue.sessions;
        self.shared.board.absorb(&counted);
        ran?;
        let Some(session) = self.sessions.first_mut() else { return Ok(Decided::Stopped) };
        let writer = session.writer.as_mut();
        let decided = if parked_again {
            let statement =
                self.shared.holds.get(number).map(|hold| hold.statement).unwrap_or(hold.statement);
            Decided::WaitsAgain { id: statement.id(), code: statement.code, reason: statement.reason }
        } else if through {
            FailPoint::QueueApplied.reached();
            writer.begin().await?;
            Scope::Hold(number).forget(writer).await?;
            writer.commit().await?;
            Decided::Done
        } else {
            Decided::Stopped
        };
        self.shared.holds.load(writer).await?;
        self.shared.aside.load(writer).await?;
        self.plans.clear();
        self.plans.load_left_out(writer).await?;
        let (parked, deferred) = self.shared.aside.counts();
        self.shared.board.aside(parked, deferred);
        self.shared.board.held(&self.shared.holds);
        self.restart_reader().await?;
        Ok(decided)
    }
}

/// A statement of the log with what is known of it.
struct Record<'a> {
    ddl: &'a Ddl,
    sequence: u64,
    /// Target tables that it is about.
    touched: &'a [TableName],
    /// Tables that were read after it.
    read_later: HashSet<TableName>,
    /// What a person wants run instead.
    edited: Option<String>,
}

/// A statement that needs a person's word; what would run is shown as far as it can be told.
async fn waits(ddl: &Ddl, converter: &dyn DdlConverter) -> Refusal {
    let error = ConnectorError::new(
        ErrorKind::UnsupportedStatement,
        ddl.sql.clone(),
        "the statement waits for approval",
    );
    let steps = converter.convert(ddl).await.unwrap_or_default();
    Refusal { error, steps: steps.into_iter().map(|step| step.sql).collect(), done: 0 }
}

/// An engine within an engine: the compiler needs a type whose size doesn't depend on itself.
fn run_boxed<'a>(
    engine: &'a mut Engine,
    stop: &'a CancellationToken,
) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
    Box::pin(engine.work(stop))
}

//! Cuts the stream of records into steps for the engine.
//!
//! Nothing is lost when a call of [`Reader::next_step`] is dropped: all progress is in the reader. Memory is
//! bounded: a window is handed out when it is full, and a transaction larger than
//! [`crate::Limits::transaction_changes`] or [`crate::Limits::transaction_bytes`] in pieces.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use whimbrel_connector::{ConnectorError, ErrorKind, Mutation, Policy, Result};
use whimbrel_model::{Begin, ChangeBatch, Commit, Ddl, LogRecord, Position, TableName};

use crate::Limits;
use crate::hold::Gate;
use crate::source::{ChangeSource, Router};
use crate::window::{End, count_changes};

/// After this time without a record the source counts as idle.
const IDLE: Duration = Duration::from_millis(20);

/// Changes as they came; the engine adds what it knows of the tables.
#[derive(Debug, Default)]
pub struct RawWindow {
    pub batches: Vec<ChangeBatch>,
    pub idempotent: bool,
    pub end: Option<End>,
    pub last_sequence: u64,
    pub transactions: u64,
}

/// What the engine has to do next.
#[derive(Debug)]
pub enum Step {
    /// Whole transactions; without any batch where only the position moved on.
    Window(RawWindow),
    /// A part of a large transaction; the last one has an end.
    Piece { window: RawWindow, first: bool },
    /// The large transaction under way doesn't count: it comes again.
    Abandon,
    /// Barrier: a DDL record; `restored` are tables that were read after it.
    Ddl { ddl: Ddl, sequence: u64, read_later: HashSet<TableName> },
    /// Barrier: from here on nothing can have been applied before.
    Strict,
    /// All that there is has been handed out.
    Idle,
    /// The end that was asked for.
    End,
    /// The source failed; everything before has been handed out.
    Failed(ConnectorError),
}

/// Where reading starts and ends.
#[derive(Debug)]
pub struct Bounds {
    /// Tables that were read at an exact position: changes at or before it are in the target.
    pub table_start: HashMap<TableName, Position>,
    /// Changes up to here may have been seen by the import.
    pub overlap_until: Option<Position>,
    /// The run ends here.
    pub stop_at: Option<Position>,
    /// The run ends with this record.
    pub stop_after: Option<u64>,
}

#[derive(Debug, Default)]
struct Transaction {
    skip: HashSet<TableName>,
    changes: usize,
    bytes: usize,
    /// Number of batches of the window before this transaction.
    first_batch: usize,
    /// Pieces handed out.
    pieces: usize,
    large: bool,
    /// A DDL was part of it.
    ddl: bool,
    /// Its DDL, not handed out: until the commit is read the transaction may be aborted and come again, and what a
    /// statement has done can't be taken back.
    statements: Vec<Step>,
}

pub struct Reader {
    source: Box<dyn ChangeSource>,
    router: Arc<dyn Router>,
    gate: Gate,
    bounds: Bounds,
    limits: Limits,
    window: RawWindow,
    changes: usize,
    bytes: usize,
    transaction: Option<Transaction>,
    ready: VecDeque<Step>,
    idempotent: bool,
    /// Records up to this number may have been applied before; until the next commit after it.
    resume_until: u64,
    announced_idle: bool,
    ended: bool,
    /// It was asked to end.
    stopped: bool,
}

impl Reader {
    pub fn new(
        source: Box<dyn ChangeSource>,
        router: Arc<dyn Router>,
        gate: Gate,
        bounds: Bounds,
        limits: Limits,
    ) -> Self {
        Self {
            source,
            router,
            gate,
            bounds,
            limits,
            window: RawWindow::default(),
            changes: 0,
            bytes: 0,
            transaction: None,
            ready: VecDeque::new(),
            idempotent: false,
            resume_until: 0,
            announced_idle: false,
            ended: false,
            stopped: false,
        }
    }

    /// Starts (again) after a committed end; `resume_until` is the last record that may have been applied.
    pub async fn start(&mut self, after: Option<&End>, resume_until: u64) -> Result<()> {
        let sequence = after.map(|end| end.sequence);
        self.source.seek(sequence).await?;
        self.window = RawWindow::default();
        (self.changes, self.bytes) = (0, 0);
        self.transaction = None;
        self.ready.clear();
        self.announced_idle = false;
        // What was read to the end may not have been applied.
        self.ended = false;
        self.resume_until = if resume_until > sequence.unwrap_or(0) { resume_until } else { 0 };
        let overlap = match (&self.bounds.overlap_until, after) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(until), Some(end)) => !reached(&end.position, until)?,
        };
        self.idempotent = overlap || self.resume_until > 0;
        if self.stopped {
            self.end();
        } else if let (Some(stop), Some(end)) = (&self.bounds.stop_at, after)
            && reached(&end.position, stop)?
        {
            self.end();
        } else if self.bounds.stop_after.is_some_and(|stop| sequence.unwrap_or(0) >= stop) {
            self.end();
        }
        Ok(())
    }

    /// Lends the source to another reader; until it is given back this one has nothing to read.
    pub fn lend_source(&mut self) -> Box<dyn ChangeSource> {
        std::mem::replace(&mut self.source, Box::new(Lent))
    }

    pub fn give_back(&mut self, source: Box<dyn ChangeSource>) {
        self.source = source;
    }

    pub fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    pub async fn acknowledge(&mut self, sequence: u64) -> Result<()> {
        self.source.acknowledge(sequence).await
    }

    /// Ends after the whole transactions read so far; one that isn't complete is left for another run.
    pub fn stop(&mut self) {
        self.stopped = true;
        if self.ended {
            return;
        }
        if let Some(transaction) = self.transaction.take() {
            if transaction.pieces > 0 {
                self.ready.push_back(Step::Abandon);
            }
            self.window.batches.truncate(transaction.first_batch);
        }
        self.flush();
        self.end();
    }

    fn end(&mut self) {
        self.ended = true;
        self.ready.push_back(Step::End);
    }

    /// The next step. `eager`: somebody waits for work, so a window isn't kept open for more.
    pub async fn next_step(&mut self, eager: bool) -> Step {
        loop {
            if let Some(step) = self.ready.pop_front() {
                return step;
            }
            if self.ended {
                return std::future::pending().await;
            }
            let whole = self.transaction.is_none();
            let wait = match (whole, self.window.end.is_some()) {
                (true, true) if eager => Some(self.limits.linger),
                (true, false) if !self.announced_idle => Some(IDLE),
                _ => None,
            };
            let next = self.source.next();
            let record = match wait {
                None => next.await,
                Some(wait) => match tokio::time::timeout(wait, next).await {
                    Ok(record) => record,
                    Err(_) if self.window.end.is_some() => {
                        self.flush();
                        continue;
                    }
                    Err(_) => {
                        self.announced_idle = true;
                        return Step::Idle;
                    }
                },
            };
            let taken = match record {
                Ok((sequence, record)) => self.take(sequence, record),
                Err(error) => Err(error),
            };
            if let Err(error) = taken {
                self.fail(error);
            }
        }
    }

    fn fail(&mut self, error: ConnectorError) {
        if self.transaction.is_none() || error.policy() != Policy::Retry {
            if let Some(transaction) = self.transaction.take() {
                self.window.batches.truncate(transaction.first_batch);
            }
            self.flush();
            self.ended = error.policy() != Policy::Retry;
        }
        self.ready.push_back(Step::Failed(error));
    }

    fn take(&mut self, sequence: u64, record: LogRecord) -> Result<()> {
        self.announced_idle = false;
        match record {
            LogRecord::Begin(begin) => self.begin(&begin),
            LogRecord::Rows(batch) => {
                self.rows(sequence, batch);
                Ok(())
            }
            LogRecord::Ddl(ddl) => self.ddl(sequence, ddl),
            LogRecord::Commit(commit) => self.commit(sequence, commit),
            LogRecord::Abort => {
                self.abort();
                Ok(())
            }
            LogRecord::Heartbeat { position, time_us } => {
                if self.transaction.is_some() {
                    return Ok(());
                }
                self.passed(&End { position, sequence, commit_time_us: time_us })
            }
        }
    }

    fn begin(&mut self, begin: &Begin) -> Result<()> {
        let mut skip = HashSet::new();
        for (table, start) in &self.bounds.table_start {
            let includes = start.includes(begin).ok_or_else(|| {
                ConnectorError::new(
                    ErrorKind::Configuration,
                    table.to_string(),
                    "a transaction can't be compared with the position at which the table was read",
                )
                .with_hint("the source's log began anew or another server took over without GTIDs; start the task anew")
            })?;
            if includes && !Mutation::IgnoreExactPosition.active() {
                skip.insert(table.clone());
            }
        }
        if self.idempotent && self.resume_until == 0 {
            let after =
                self.bounds.overlap_until.as_ref().is_none_or(|until| until.includes(begin) == Some(false));
            if after {
                self.become_strict();
            }
        }
        let first_batch = self.window.batches.len();
        self.transaction = Some(Transaction { skip, first_batch, ..Transaction::default() });
        Ok(())
    }

    fn rows(&mut self, sequence: u64, batch: ChangeBatch) {
        let Some(transaction) = &mut self.transaction else { return };
        let table = &batch.table.schema.name;
        let wanted = self.router.target(table).is_some_and(|target| self.gate.admits(&target, sequence));
        if transaction.skip.contains(table) || !wanted {
            return;
        }
        let (changes, bytes) = (count_changes(&batch), batch.byte_len());
        transaction.changes += changes;
        transaction.bytes += bytes;
        self.changes += changes;
        self.bytes += bytes;
        self.window.batches.push(batch);
        self.window.last_sequence = sequence;
        let over = transaction.changes > self.limits.transaction_changes
            || transaction.bytes > self.limits.transaction_bytes;
        if over && !transaction.large {
            self.become_large();
        }
        let full = self.changes >= self.limits.window_changes || self.bytes >= self.limits.window_bytes;
        if full && self.transaction.as_ref().is_some_and(|transaction| transaction.large) {
            self.hand_out_piece();
        }
    }

    /// What came before the transaction goes first; from here on it comes in pieces.
    fn become_large(&mut self) {
        let Some(transaction) = &mut self.transaction else { return };
        transaction.large = true;
        let own = self.window.batches.split_off(transaction.first_batch);
        transaction.first_batch = 0;
        let last_sequence = self.window.last_sequence;
        self.flush();
        self.window.last_sequence = last_sequence;
        self.changes = own.iter().map(count_changes).sum();
        self.bytes = own.iter().map(ChangeBatch::byte_len).sum();
        self.window.batches = own;
    }

    fn hand_out_piece(&mut self) {
        let Some(transaction) = &mut self.transaction else { return };
        let first = transaction.pieces == 0;
        transaction.pieces += 1;
        self.ready.extend(transaction.statements.drain(..));
        let window = self.take_window();
        self.ready.push_back(Step::Piece { window, first });
    }

    fn ddl(&mut self, sequence: u64, ddl: Ddl) -> Result<()> {
        let Some(transaction) = &mut self.transaction else { return Ok(()) };
        if self.window.batches.len() > transaction.first_batch || transaction.pieces > 0 {
            return Err(ConnectorError::new(
                ErrorKind::UnsupportedStatement,
                ddl.sql,
                "a statement that changes structures follows row changes in one transaction",
            ));
        }
        transaction.ddl = true;
        transaction.first_batch = 0;
        let read_later = transaction.skip.clone();
        transaction.statements.push(Step::Ddl { ddl, sequence, read_later });
        self.flush();
        self.window.last_sequence = sequence;
        Ok(())
    }

    fn commit(&mut self, sequence: u64, commit: Commit) -> Result<()> {
        let Some(transaction) = self.transaction.take() else { return Ok(()) };
        self.ready.extend(transaction.statements);
        let end = End { position: commit.position, sequence, commit_time_us: commit.commit_time_us };
        self.window.transactions += 1;
        if transaction.large {
            self.window.end = Some(end.clone());
            self.window.last_sequence = sequence;
            let window = self.take_window();
            self.ready.push_back(Step::Piece { window, first: transaction.pieces == 0 });
            return self.check_bounds(&end);
        }
        self.passed(&end)?;
        let full = self.changes >= self.limits.window_changes || self.bytes >= self.limits.window_bytes;
        if full || transaction.ddl {
            self.flush();
        }
        Ok(())
    }

    fn abort(&mut self) {
        let Some(transaction) = self.transaction.take() else { return };
        if !Mutation::ApplyAborted.active() {
            self.window.batches.truncate(transaction.first_batch);
        }
        self.changes = self.window.batches.iter().map(count_changes).sum();
        self.bytes = self.window.batches.iter().map(ChangeBatch::byte_len).sum();
        if transaction.pieces > 0 {
            self.ready.push_back(Step::Abandon);
            // In convergent mode the pieces may be committed: the repetition meets them.
            self.resume_until = self.resume_until.max(self.window.last_sequence);
            self.idempotent = true;
        }
    }

    /// All before `end` is complete.
    fn passed(&mut self, end: &End) -> Result<()> {
        self.window.last_sequence = end.sequence;
        self.window.end = Some(end.clone());
        self.check_bounds(end)
    }

    fn check_bounds(&mut self, end: &End) -> Result<()> {
        if self.idempotent {
            if end.sequence >= self.resume_until {
                self.resume_until = 0;
            }
            let overlap = match &self.bounds.overlap_until {
                Some(until) => !reached(&end.position, until)? && !Mutation::StrictEarly.active(),
                None => false,
            };
            if !overlap && self.resume_until == 0 {
                self.become_strict();
            }
        }
        let stops = match (&self.bounds.stop_at, self.bounds.stop_after) {
            (Some(stop), _) if reached(&end.position, stop)? => true,
            (_, after) => after.is_some_and(|after| end.sequence >= after),
        };
        if stops && !self.ended {
            self.flush();
            self.end();
        }
        Ok(())
    }

    fn become_strict(&mut self) {
        self.flush();
        self.idempotent = false;
        self.ready.push_back(Step::Strict);
    }

    /// Hands out what is complete.
    fn flush(&mut self) {
        if self.window.end.is_some() {
            let window = self.take_window();
            self.ready.push_back(Step::Window(window));
        }
    }

    fn take_window(&mut self) -> RawWindow {
        (self.changes, self.bytes) = (0, 0);
        let last_sequence = self.window.last_sequence;
        let next = RawWindow { last_sequence, ..RawWindow::default() };
        let mut window = std::mem::replace(&mut self.window, next);
        window.idempotent = self.idempotent;
        window
    }
}

/// In place of a source that another reader has.
struct Lent;

#[async_trait]
impl ChangeSource for Lent {
    async fn next(&mut self) -> Result<(u64, LogRecord)> {
        std::future::pending().await
    }

    async fn seek(&mut self, _: Option<u64>) -> Result<()> {
        Ok(())
    }

    async fn acknowledge(&mut self, _: u64) -> Result<()> {
        Ok(())
    }
}

fn reached(position: &Position, target: &Position) -> Result<bool> {
    position.has_reached(target).ok_or_else(|| {
        ConnectorError::new(
            ErrorKind::Configuration,
            position.to_string(),
            format!("the position can't be compared with {target}"),
        )
        .with_hint(
            "the source's log began anew or another server took over without GTIDs; start the task anew",
        )
    })
}

#[cfg(test)]
mod tests;

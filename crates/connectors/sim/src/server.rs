//! One database in memory, and what tests ask it and do to it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use whimbrel_connector::{ConnectorError, ErrorKind, Result};
use whimbrel_model::{Position, TableName, TableSchema};

use crate::clock::SimClock;
use crate::database::Database;
use crate::hook::{Call, Fate, Hook, NoFaults};
use crate::locks::{Attempt, Mode, Token};
use crate::row::{Row, check};
use crate::session::SimSession;
use crate::table::Table;
use crate::{parse, sql};

/// A database in memory. Cheap to share.
pub struct SimServer {
    pub(crate) name: String,
    pub(crate) clock: Arc<SimClock>,
    database: Mutex<Database>,
    hook: Mutex<Arc<dyn Hook>>,
    /// Locks were given back.
    released: Notify,
    /// The log has grown.
    pub(crate) grown: Notify,
    /// Bytes of rows in one batch of the log.
    pub(crate) log_batch_bytes: usize,
}

/// One change of an application's transaction. Rows are named by the values of all their columns.
#[derive(Clone, Debug)]
pub enum Edit {
    Insert(TableName, Row),
    Update(TableName, Row, Row),
    Delete(TableName, Row),
}

/// What was done before the answer to a call.
#[must_use]
pub(crate) enum After {
    Answer,
    Lost,
    Slow(Duration),
    Never,
}

impl fmt::Debug for SimServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimServer").field("name", &self.name).finish_non_exhaustive()
    }
}

pub(crate) fn lost(server: &str) -> ConnectorError {
    ConnectorError::new(ErrorKind::ConnectionLost, server, "the connection was cut")
}

impl SimServer {
    /// An empty database. `log_batch_bytes` bounds the batches in which the log is read.
    pub fn new(name: &str, clock: Arc<SimClock>, log_batch_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            clock,
            database: Mutex::new(Database::new(name)),
            hook: Mutex::new(Arc::new(NoFaults)),
            released: Notify::new(),
            grown: Notify::new(),
            log_batch_bytes,
        })
    }

    /// From now on this decides about calls.
    pub fn set_hook(&self, hook: Arc<dyn Hook>) {
        *self.hook.lock().unwrap_or_else(PoisonError::into_inner) = hook;
    }

    pub fn create_schema(&self, name: &str) {
        self.db().schemas.insert(name.to_owned());
    }

    /// Makes a table without a record in the log, for the begin of a test.
    pub fn create_table(&self, schema: TableSchema) {
        let mut db = self.db();
        let id = db.next_table_id();
        db.schemas.insert(schema.name.schema.clone());
        db.names.insert(schema.name.clone(), id);
        db.tables.insert(id, Table::new(id, schema));
    }

    /// A connection for statements.
    pub fn session(self: &Arc<Self>) -> SimSession {
        SimSession::new(self.clone())
    }

    /// All committed rows of a table, in the order of its key.
    pub fn rows(&self, table: &TableName) -> Vec<Row> {
        let db = self.db();
        db.table(table).map(|table| table.rows.values().cloned().collect()).unwrap_or_default()
    }

    /// A table's definition.
    pub fn schema(&self, table: &TableName) -> Option<Arc<TableSchema>> {
        self.db().table(table).ok().map(|table| table.schema.clone())
    }

    /// After everything that was committed.
    pub fn log_end(&self) -> Position {
        self.db().log.end()
    }

    /// Number of state entries of a kind, of all tasks.
    pub fn entries(&self, kind: &str) -> usize {
        self.db().state.keys().filter(|(_, key)| key.kind == kind).count()
    }

    /// Puts a row into a table or removes one, past transactions and log: what nobody knows of.
    pub fn tamper(&self, table: &TableName, before: Option<&Row>, after: Option<&Row>) {
        let mut db = self.db();
        let Some(table) = db.names.get(table).copied().and_then(|id| db.tables.get_mut(&id)) else { return };
        if let Some(before) = before
            && let Some(place) = place_of(table, before)
        {
            table.put(&place, None);
        }
        if let Some(after) = after {
            let place = table.place_of(after).unwrap_or_else(|| table.new_place());
            table.put(&place, Some(after));
        }
    }

    /// One transaction of an application, at once. Where one of its changes can't be done (a key is taken, a lock is
    /// held, the row isn't there), nothing is.
    ///
    /// # Errors
    /// Why it can't be done.
    pub fn transact(&self, edits: &[Edit]) -> Result<()> {
        let wall = self.clock.wall_us();
        let mut db = self.db();
        let id = db.begin();
        let done = edits.iter().try_for_each(|edit| edit_now(&mut db, id, edit));
        match done.and_then(|()| db.commit(id, wall)) {
            Ok(()) => {
                drop(db);
                self.grown.notify_waiters();
                Ok(())
            }
            Err(error) => {
                db.abort(id);
                Err(error)
            }
        }
    }

    /// One statement that changes the structure of a table, at once.
    ///
    /// # Errors
    /// Somebody holds a lock of the table; what isn't understood.
    pub fn run_now(self: &Arc<Self>, text: &str) -> Result<()> {
        let statement = parse::statement("", text)?;
        sql::change_structure_now(self, text, &statement)
    }

    pub fn clock(&self) -> &SimClock {
        &self.clock
    }

    // ---- for the seams ----

    /// The database, after everything that was to happen by now.
    pub(crate) fn db(&self) -> MutexGuard<'_, Database> {
        let mut db = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        if db.next_late().is_some_and(|due| due <= self.clock.elapsed())
            && db.end_late(self.clock.elapsed(), self.clock.wall_us())
        {
            self.released.notify_waiters();
            self.grown.notify_waiters();
        }
        db
    }

    /// A call comes in. An error: it ends here.
    pub(crate) async fn enter(&self, name: &'static str, detail: String) -> Result<After> {
        // Lets others run in between, as a network would.
        tokio::task::yield_now().await;
        let hook = self.hook.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let fate = hook.decide(&Call { server: &self.name, name, detail: &detail });
        self.settle(fate).await
    }

    /// As [`SimServer::enter`] for calls of a session that may have an open transaction; the second is what a late
    /// server needs.
    pub(crate) async fn enter_session(
        &self,
        name: &'static str,
        detail: String,
    ) -> Result<(After, Option<Duration>)> {
        tokio::task::yield_now().await;
        let hook = self.hook.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let call = Call { server: &self.name, name, detail: &detail };
        match hook.decide(&call) {
            Fate::Late(time) => Ok((After::Lost, Some(time))),
            fate => {
                drop(hook);
                self.settle(fate).await.map(|after| (after, None))
            }
        }
    }

    async fn settle(&self, fate: Fate) -> Result<After> {
        match fate {
            Fate::Pass => Ok(After::Answer),
            Fate::LostBefore | Fate::Late(_) => Err(lost(&self.name)),
            Fate::LostAfter => Ok(After::Lost),
            Fate::SlowBefore(time) => {
                tokio::time::sleep(time).await;
                Ok(After::Answer)
            }
            Fate::SlowAfter(time) => Ok(After::Slow(time)),
            Fate::Refused(kind) => {
                Err(ConnectorError::new(kind, &self.name, "the server refuses, by the test's will"))
            }
            Fate::Hang => std::future::pending().await,
            Fate::HangAfter => Ok(After::Never),
        }
    }

    /// The answer to a call.
    pub(crate) async fn leave(&self, after: After) -> Result<()> {
        match after {
            After::Answer => Ok(()),
            After::Lost => Err(lost(&self.name)),
            After::Slow(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            After::Never => std::future::pending().await,
        }
    }

    /// Locks for a transaction, waiting at most `patience`.
    pub(crate) async fn lock(&self, id: u64, token: &Token, mode: Mode, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            let mut released = std::pin::pin!(self.released.notified());
            released.as_mut().enable();
            let until = {
                let mut db = self.db();
                match db.locks.try_lock(id, token, mode) {
                    Attempt::Locked => return Ok(()),
                    Attempt::Deadlock => {
                        db.locks.stop_waiting(id);
                        return Err(conflict(&self.name, "deadlock"));
                    }
                    Attempt::Wait => {}
                }
                let late = db.next_late().map(|due| due.saturating_sub(self.clock.elapsed()));
                late.map_or(deadline, |late| deadline.min(Instant::now() + late))
            };
            tokio::select! {
                biased;
                () = released => {}
                () = tokio::time::sleep_until(until) => {}
            }
            if Instant::now() >= deadline {
                let mut db = self.db();
                if db.locks.try_lock(id, token, mode) == Attempt::Locked {
                    return Ok(());
                }
                db.locks.stop_waiting(id);
                return Err(conflict(&self.name, "lock wait timeout"));
            }
        }
    }

    pub(crate) fn commit(&self, id: u64) -> Result<()> {
        let committed = self.db().commit(id, self.clock.wall_us());
        self.released.notify_waiters();
        self.grown.notify_waiters();
        committed
    }

    pub(crate) fn abort(&self, id: u64) {
        self.db().abort(id);
        self.released.notify_waiters();
    }

    /// The connection of a transaction is gone; the server notices later.
    pub(crate) fn detach(&self, id: u64, after: Duration, commits: bool) {
        let due = self.clock.elapsed() + after;
        self.db().detach(id, due, commits);
        // Who waits for its locks has to look when it ends.
        self.released.notify_waiters();
    }
}

fn conflict(server: &str, what: &str) -> ConnectorError {
    ConnectorError::new(ErrorKind::TransactionConflict, server, what)
}

/// The place of a row that is equal in all columns.
fn place_of(table: &Table, row: &Row) -> Option<Vec<u8>> {
    match table.place_of(row) {
        Some(place) => table.rows.contains_key(&place).then_some(place),
        None => table.rows.iter().find(|(_, found)| *found == row).map(|(place, _)| place.clone()),
    }
}

fn lock_now(db: &mut Database, id: u64, token: &Token) -> Result<()> {
    let mode = if matches!(token, Token::Table(_)) { Mode::Shared } else { Mode::Exclusive };
    match db.locks.try_lock(id, token, mode) {
        Attempt::Locked => Ok(()),
        Attempt::Wait | Attempt::Deadlock => Err(conflict("application", "a lock is held")),
    }
}

fn edit_now(db: &mut Database, id: u64, edit: &Edit) -> Result<()> {
    let (name, before, after) = match edit {
        Edit::Insert(name, row) => (name, None, Some(row)),
        Edit::Update(name, before, after) => (name, Some(before), Some(after)),
        Edit::Delete(name, row) => (name, Some(row), None),
    };
    let table = db.table(name)?.id;
    lock_now(db, id, &Token::Table(table))?;
    let missing = || ConnectorError::new(ErrorKind::Other, format!("table {name}"), "no such row");
    let old = match before {
        None => None,
        Some(before) => {
            let found = db.all_rows(id, table)?.into_iter().find(|(_, row)| row == before);
            Some(found.ok_or_else(missing)?.0)
        }
    };
    if let Some(old) = &old {
        lock_now(db, id, &Token::Row(table, old.clone()))?;
    }
    let Some(after) = after else {
        return old.map_or(Ok(()), |old| db.write(id, table, &old, None));
    };
    let definition = db.by_id(table)?;
    for (column, cell) in definition.schema.columns.iter().zip(after.iter()) {
        check(column, cell)?;
    }
    let place = match definition.place_of(after) {
        Some(place) => place,
        None => match &old {
            Some(old) => old.clone(),
            None => db.tables.get_mut(&table).map(Table::new_place).unwrap_or_default(),
        },
    };
    let taken = |key: &str| {
        let kind = ErrorKind::DuplicateKey { key: key.to_owned() };
        ConnectorError::new(kind, format!("table {name}"), "duplicate key")
    };
    if old.as_ref() != Some(&place) {
        lock_now(db, id, &Token::Row(table, place.clone()))?;
        if db.row(id, table, &place)?.is_some() {
            return Err(taken("PRIMARY"));
        }
    }
    let definition = db.by_id(table)?;
    let keys: Vec<(usize, String, Vec<u8>)> = definition
        .uniques
        .iter()
        .enumerate()
        .filter_map(|(at, unique)| {
            Some((at, unique.name.clone(), definition.key_of(&unique.columns, after)?))
        })
        .collect();
    for (at, key_name, key) in keys {
        lock_now(db, id, &Token::Unique(table, at, key.clone()))?;
        let holder = db.holder(id, table, at, &key)?;
        if holder.is_some() && holder != old {
            return Err(taken(&key_name));
        }
    }
    match old {
        Some(old) if old != place => {
            // The log has one update, whatever became of the key.
            db.move_row(id, table, &old, &place, after.clone())
        }
        _ => db.write(id, table, &place, Some(after.clone())),
    }
}

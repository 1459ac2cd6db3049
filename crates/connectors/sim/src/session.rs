//! A connection that writes: its open transaction, and what a fault does to it.

use std::sync::Arc;
use std::time::Duration;

use whimbrel_connector::{ConnectorError, ErrorKind, Result};

use crate::database::gone;
use crate::server::{After, SimServer, lost};
use crate::{parse, sql};

/// An open transaction; dropping it rolls it back.
pub(crate) struct Open {
    server: Arc<SimServer>,
    pub id: u64,
}

impl Open {
    pub fn begin(server: &Arc<SimServer>) -> Self {
        Self { server: server.clone(), id: server.db().begin() }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.server.abort(self.id);
    }
}

enum State {
    None,
    Open(Open),
    /// The transaction is gone; `rollback` or `begin` goes on.
    Broken,
}

/// A statement under way.
pub(crate) struct Statement {
    open: Open,
    /// A transaction of its own.
    own: bool,
    mark: usize,
    after: After,
}

impl Statement {
    pub fn id(&self) -> u64 {
        self.open.id
    }
}

/// A connection. A call that is dropped takes its open transaction with it.
pub struct SimSession {
    pub(crate) server: Arc<SimServer>,
    state: State,
}

/// After these the whole transaction is gone.
fn ends_transaction(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TransactionConflict
            | ErrorKind::ConnectionLost
            | ErrorKind::Unreachable
            | ErrorKind::Timeout
            | ErrorKind::Overloaded
    )
}

impl SimSession {
    pub(crate) fn new(server: Arc<SimServer>) -> Self {
        Self { server, state: State::None }
    }

    pub(crate) fn in_transaction(&self) -> bool {
        !matches!(self.state, State::None)
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// One is open.
    pub async fn begin(&mut self) -> Result<()> {
        if matches!(self.state, State::Open(_)) {
            return Err(ConnectorError::new(ErrorKind::Other, &self.server.name, "a transaction is open"));
        }
        self.state = State::None;
        let after = self.server.enter("begin", String::new()).await?;
        let open = Open::begin(&self.server);
        self.server.leave(after).await?;
        self.state = State::Open(open);
        Ok(())
    }

    /// Commits the open transaction.
    ///
    /// # Errors
    /// There is none, or its connection is lost: then it may have happened.
    pub async fn commit(&mut self) -> Result<()> {
        let State::Open(open) = std::mem::replace(&mut self.state, State::Broken) else { return Err(gone()) };
        let (after, late) = self.server.enter_session("commit", format!("{}", open.id)).await?;
        if let Some(late) = late {
            self.server.detach(open.id, late, true);
            return Err(lost(&self.server.name));
        }
        self.server.commit(open.id)?;
        drop(open);
        self.server.leave(after).await?;
        self.state = State::None;
        Ok(())
    }

    /// Ends an open transaction, whatever became of it.
    ///
    /// # Errors
    /// None but those of a fault.
    pub async fn rollback(&mut self) -> Result<()> {
        let was_open = matches!(self.state, State::Open(_));
        self.state = State::None;
        if was_open {
            let after = self.server.enter("rollback", String::new()).await?;
            self.server.leave(after).await?;
        }
        Ok(())
    }

    /// Begins a statement, in the open transaction or one of its own.
    pub(crate) async fn start(&mut self, name: &'static str, detail: String) -> Result<Statement> {
        let (open, own) = match std::mem::replace(&mut self.state, State::Broken) {
            State::Open(open) => (open, false),
            State::Broken => return Err(gone()),
            State::None => {
                self.state = State::None;
                (Open::begin(&self.server), true)
            }
        };
        match self.server.enter_session(name, detail).await {
            Ok((_, Some(late))) => {
                self.server.detach(open.id, late, false);
                Err(lost(&self.server.name))
            }
            Ok((after, None)) => {
                let mark = self.server.db().transaction(open.id)?.mark();
                Ok(Statement { open, own, mark, after })
            }
            Err(error) => {
                if !own && !ends_transaction(&error.kind) {
                    self.state = State::Open(open);
                }
                Err(error)
            }
        }
    }

    /// Ends a statement.
    pub(crate) async fn end<T>(&mut self, statement: Statement, done: Result<T>) -> Result<T> {
        let Statement { open, own, mark, after } = statement;
        let value = match done {
            Ok(value) => value,
            Err(error) => {
                if !own && !ends_transaction(&error.kind) {
                    self.server.db().transaction(open.id)?.back_to(mark);
                    self.state = State::Open(open);
                }
                return Err(error);
            }
        };
        if own {
            self.server.commit(open.id)?;
        }
        self.server.leave(after).await?;
        if !own {
            self.state = State::Open(open);
        }
        Ok(value)
    }

    /// Runs one statement of the little SQL that is understood; returns how many rows it concerned.
    ///
    /// # Errors
    /// What isn't understood, and what any server refuses.
    pub async fn run(&mut self, default_schema: &str, text: &str) -> Result<u64> {
        let parsed = parse::statement(default_schema, text)?;
        if parsed.is_ddl() {
            if self.in_transaction() {
                let message = "structures aren't changed within a transaction";
                return Err(ConnectorError::new(ErrorKind::Other, &self.server.name, message));
            }
            let after = self.server.enter("ddl", text.to_owned()).await?;
            let open = Open::begin(&self.server);
            sql::change_structure(&self.server, open.id, (default_schema, text), &parsed).await?;
            drop(open);
            self.server.leave(after).await?;
            return Ok(0);
        }
        let statement = self.start("execute", text.to_owned()).await?;
        let done = sql::change_rows(&self.server, statement.id(), &parsed).await;
        self.end(statement, done).await
    }
}

/// How long a row's lock is waited for.
pub(crate) const ROW_PATIENCE: Duration = Duration::from_secs(5);
/// How long a consistent view, or a statement that changes structures, waits for writers.
pub(crate) const TABLE_PATIENCE: Duration = Duration::from_millis(500);
/// How long a take-over waits for the transactions of the old owner.
pub(crate) const TAKE_OVER_PATIENCE: Duration = Duration::from_secs(60);

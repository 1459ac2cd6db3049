//! A writer with what is known about its session, and the rules for trying again.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use whimbrel_connector::{ConnectorError, ErrorKind, Mutation, Policy, Result, StateKey, Writer};

/// Why changes weren't applied.
#[derive(Debug)]
pub enum ApplyError {
    /// The target doesn't hold what the log says, or refuses a row: the transaction has to be rolled back and
    /// done row by row, to find out which.
    Mismatch,
    Failed(ConnectorError),
}

impl From<ConnectorError> for ApplyError {
    fn from(error: ConnectorError) -> Self {
        Self::Failed(error)
    }
}

/// One connection to the target.
pub struct Session {
    pub writer: Box<dyn Writer>,
    /// What the server checks; `None` where that isn't known (a new connection has it off).
    foreign_keys: Option<bool>,
    /// How long a server is waited for.
    patience: Duration,
}

impl Session {
    pub fn new(writer: Box<dyn Writer>, patience: Duration) -> Self {
        Self { writer, foreign_keys: None, patience }
    }

    pub async fn begin(&mut self) -> Result<()> {
        self.check_foreign_keys(false).await?;
        self.writer.begin().await
    }

    /// Gives up the open transaction. Errors don't matter: a server that can't be reached rolls back itself.
    pub async fn rollback(&mut self) {
        self.foreign_keys = None;
        if let Err(error) = self.writer.rollback().await {
            tracing::debug!(error = %error.chain(), "rollback at the target failed");
        }
    }

    pub async fn check_foreign_keys(&mut self, on: bool) -> Result<()> {
        if self.foreign_keys != Some(on) {
            self.writer.set_foreign_key_checks(on).await?;
            self.foreign_keys = Some(on);
        }
        Ok(())
    }

    /// Commits. Where the answer was lost, finds out whether it happened: `key` was written with `payload` by
    /// this transaction, and nobody else writes it so. False: it didn't happen, start again.
    pub async fn commit(&mut self, key: &StateKey, payload: &[u8]) -> Result<bool> {
        let error = match self.writer.commit().await {
            Ok(()) => return Ok(true),
            Err(error) => error,
        };
        match error.kind {
            ErrorKind::ConnectionLost | ErrorKind::Timeout | ErrorKind::Unreachable => {}
            _ => return Err(error),
        }
        tracing::warn!(error = %error.chain(), "the answer to a commit was lost, looking whether it happened");
        self.rollback().await;
        if Mutation::RepeatLostCommit.active() || Mutation::TrustLostCommit.active() {
            return Ok(Mutation::TrustLostCommit.active());
        }
        let mut backoff = Backoff::new(self.patience);
        let never = CancellationToken::new();
        loop {
            match self.look_up(key, payload).await {
                Ok(happened) => return Ok(happened),
                Err(error) => {
                    self.rollback().await;
                    backoff.wait(error, &never).await?;
                }
            }
        }
    }

    /// The server may still be at work on the old transaction. Writing the same entry waits for its lock on
    /// it, and rolling back leaves no trace; what is there then is the truth.
    async fn look_up(&mut self, key: &StateKey, payload: &[u8]) -> Result<bool> {
        if !Mutation::LookWithoutLock.active() {
            self.writer.begin().await?;
            self.writer.state_put(key, payload).await?;
            // A writer may hold an entry back until the next statement; this is it.
            self.writer.state_get(key).await?;
            self.writer.rollback().await?;
        }
        Ok(self.writer.state_get(key).await?.is_some_and(|entry| entry == payload))
    }
}

/// Growing delays while a server is away or busy.
pub struct Backoff {
    started: Option<Instant>,
    delay: Duration,
    give_up_after: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(20);
    const LONGEST: Duration = Duration::from_secs(5);
    const LONGEST_CONFLICT: Duration = Duration::from_millis(200);

    pub fn new(give_up_after: Duration) -> Self {
        Self { started: None, delay: Self::FIRST, give_up_after }
    }

    /// Waits before the next attempt, or returns the error where it isn't one that passes, or has been there
    /// for too long.
    pub async fn wait(&mut self, error: ConnectorError, stop: &CancellationToken) -> Result<()> {
        let started = *self.started.get_or_insert_with(Instant::now);
        if error.policy() != Policy::Retry || started.elapsed() > self.give_up_after {
            return Err(error);
        }
        tracing::warn!(error = %error.chain(), object = error.object, "trying again in {:?}", self.delay);
        // A conflict passes at once and must not keep a stopping task from finishing its windows.
        let may_stop = error.kind != ErrorKind::TransactionConflict;
        tokio::select! {
            biased;
            () = stop.cancelled(), if may_stop => {
                return Err(ConnectorError::new(ErrorKind::Cancelled, error.object, "asked to stop"));
            }
            () = tokio::time::sleep(self.delay) => {}
        }
        let longest = if may_stop { Self::LONGEST } else { Self::LONGEST_CONFLICT };
        self.delay = (self.delay * 2).min(longest);
        Ok(())
    }
}

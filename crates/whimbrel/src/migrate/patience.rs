//! Waiting for a server that is away while the steps of a task read catalogues and state.
//!
//! Whoever moves rows or applies changes waits by itself. What stands between (the precheck of a resumed task, taking
//! over, making objects, planning a comparison) can all be repeated, and waits as long here, so that a server that
//! restarts doesn't end a task. A task that has never begun doesn't wait: most of its errors are a wrong host or password.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use whimbrel_connector::{Backoff, ConnectorError, ErrorKind};

use crate::board::{Board, ErrorStatus};
use crate::failure::Failure;

/// As long as the import and the applying of changes wait.
const LONGEST: Duration = Duration::from_secs(600);

/// Tries again what fails because a server is away, and says so on the board.
pub struct Patience<'a> {
    board: &'a Board,
    stop: &'a CancellationToken,
    longest: Duration,
}

impl<'a> Patience<'a> {
    pub fn new(board: &'a Board, stop: &'a CancellationToken) -> Self {
        Self { board, stop, longest: LONGEST }
    }

    /// Has none where the task has never begun.
    pub fn unless(self, fresh: bool) -> Self {
        Self { longest: if fresh { Duration::ZERO } else { self.longest }, ..self }
    }

    /// # Errors
    /// What doesn't pass, or hasn't for long enough; a task that is asked to stop meanwhile.
    pub async fn with<T>(&self, mut step: impl AsyncFnMut() -> Result<T, Failure>) -> Result<T, Failure> {
        let mut backoff = Backoff::new(self.longest);
        loop {
            let Failure { exit, error } = match step().await {
                Ok(done) => return Ok(done),
                Err(failure) => failure,
            };
            let passing =
                ErrorStatus::passing(&format!("{} {}: {}", error.code(), error.object, error.chain()));
            let delay = backoff.after(error).map_err(|error| Failure { exit, error })?;
            tracing::warn!(code = passing.code, object = passing.object, "{}; trying again", passing.cause);
            self.board.update(|status| status.last_error = Some(passing));
            tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    let message = "it was stopped while a server was away";
                    return Err(ConnectorError::new(ErrorKind::Cancelled, "the task", message).into());
                }
                () = tokio::time::sleep(delay) => {}
            }
        }
    }
}

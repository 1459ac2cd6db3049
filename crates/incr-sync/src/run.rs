//! What all parts of a running Incr-Sync share, and one unit of work: changes that commit together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use whimbrel_connector::{FailPoint, Mutation, Result, StateKey};
use whimbrel_model::Position;

use crate::ApplyOptions;
use crate::apply::Applier;
use crate::aside::AsideIndex;
use crate::checkpoint::{Checkpoint, encode};
use crate::effects::Effects;
use crate::hold::{Holds, Scope};
use crate::session::{ApplyError, Backoff, Session};
use crate::status::StatusBoard;
use crate::window::{End, Loc, Window};

/// Shared by all lanes.
pub struct Shared {
    pub options: ApplyOptions,
    pub aside: AsideIndex,
    pub board: StatusBoard,
    /// The overlap is over and no deferred row is left.
    pub settled: AtomicBool,
    /// Numbers the commits ahead of the checkpoint.
    pub attempts: AtomicU64,
    /// Entries about foreign changes at the target.
    pub foreign_records: AtomicUsize,
    /// Asked to stop after what is under way.
    pub stop: CancellationToken,
    /// Whose progress is written.
    pub scope: Scope,
    /// Tables whose changes wait.
    pub holds: Arc<Holds>,
}

impl Shared {
    /// Counts one more entry about a foreign change; false where there are enough.
    pub fn may_record_foreign(&self) -> bool {
        self.foreign_records.fetch_add(1, Ordering::Relaxed) < self.options.max_foreign_records
    }

    pub fn backoff(&self) -> Backoff {
        Backoff::new(self.options.retry_for)
    }

    pub fn checkpoint(&self, end: &End) -> Vec<u8> {
        encode(&Checkpoint::new(end, self.options.mode, self.settled.load(Ordering::Relaxed)))
    }
}

/// Changes that commit together with one state entry.
pub struct Work<'a> {
    pub window: &'a Window,
    pub locs: &'a [Loc],
    pub key: StateKey,
    pub payload: Vec<u8>,
    /// As [`Applier::at`].
    pub at: &'a Position,
    /// Source transactions that are complete with this commit.
    pub transactions: u64,
    /// Others are at work on the same window: what has to be done row by row waits until they are done.
    pub beside_others: bool,
}

/// The place of a window in the order of commits.
pub struct Turn {
    pub number: u64,
    /// The last window that it conflicts with; 0 is none.
    pub after: u64,
    /// The last window that has committed.
    pub committed: Arc<Committed>,
    /// How long a window that is ready holds its locks while it waits for earlier ones.
    pub patience: Duration,
}

/// The last window that has committed. Who waits is woken in the order of waiting, so that a run can be repeated step
/// by step (a `watch` wakes in an order of its own).
#[derive(Debug, Default)]
pub struct Committed {
    last: AtomicU64,
    moved: Notify,
}

impl Committed {
    pub fn advance_to(&self, number: u64) {
        self.last.store(number, Ordering::Release);
        self.moved.notify_waiters();
    }

    async fn wait_for(&self, number: u64) {
        loop {
            // Listening begins before the look, so that no move in between is missed.
            let mut moved = std::pin::pin!(self.moved.notified());
            moved.as_mut().enable();
            if self.last.load(Ordering::Acquire) >= number {
                return;
            }
            moved.await;
        }
    }
}

enum Outcome {
    Committed,
    /// The commit is known not to have happened.
    Lost,
    /// Ready, but the windows before it aren't: they may be waiting for locks of this one.
    Yield,
}

/// Applies and commits, until it has happened or can't. With a turn, the changes are applied as soon as the
/// windows that they conflict with have committed, and committed when all earlier ones have. False: nothing was
/// written, it has to be done when the others are done ([`Work::beside_others`]).
pub async fn commit_work(
    session: &mut Session,
    shared: &Shared,
    work: &Work<'_>,
    mut turn: Option<&mut Turn>,
) -> Result<bool> {
    let mut backoff = shared.backoff();
    let mut careful = false;
    let mut alone = false;
    loop {
        if let Some(turn) = turn.as_deref_mut() {
            turn.committed.wait_for(if alone { turn.number - 1 } else { turn.after }).await;
        }
        let mut effects = Effects::default();
        let outcome = attempt(session, shared, work, careful, &mut effects, turn.as_deref_mut()).await;
        match outcome {
            Ok(Outcome::Committed) => {
                publish(shared, &effects, work.transactions);
                return Ok(true);
            }
            Ok(Outcome::Lost) => session.rollback().await,
            Ok(Outcome::Yield) => {
                session.rollback().await;
                alone = true;
            }
            Err(ApplyError::Mismatch) => {
                session.rollback().await;
                if work.beside_others {
                    return Ok(false);
                }
                careful = true;
                // Whom a change meets is only known when everything before it is there: the target may have a
                // unique key that the conflict graph doesn't know yet.
                alone = true;
                shared.board.careful();
            }
            Err(ApplyError::Failed(error)) => {
                session.rollback().await;
                shared.board.retried(&error);
                // Whatever it was, it won't be because of the windows around.
                alone = true;
                backoff.wait(error, &shared.stop).await?;
            }
        }
    }
}

/// Makes known what a committed transaction did.
pub fn publish(shared: &Shared, effects: &Effects, transactions: u64) {
    shared.aside.apply(effects);
    let (parked, deferred) = shared.aside.counts();
    shared.board.aside(parked, deferred);
    shared.board.committed(effects, transactions);
}

async fn attempt(
    session: &mut Session,
    shared: &Shared,
    work: &Work<'_>,
    careful: bool,
    effects: &mut Effects,
    turn: Option<&mut Turn>,
) -> Result<Outcome, ApplyError> {
    session.begin().await?;
    if Mutation::CheckpointFirst.active() {
        session.writer.state_put(&work.key, &work.payload).await?;
        session.writer.commit().await?;
        session.writer.begin().await?;
    }
    let mut applier = Applier { session, shared, window: work.window, effects, at: work.at };
    applier.apply(work.locs, careful).await?;
    if let Some(turn) = turn
        && !Mutation::CommitOutOfOrder.active()
    {
        let before = turn.number - 1;
        let patience = turn.patience;
        if tokio::time::timeout(patience, turn.committed.wait_for(before)).await.is_err() {
            return Ok(Outcome::Yield);
        }
    }
    if Mutation::CheckpointApart.active() {
        session.writer.commit().await?;
        session.writer.begin().await?;
    }
    FailPoint::ChangesWritten.reached();
    session.writer.state_put(&work.key, &work.payload).await?;
    FailPoint::CheckpointWritten.reached();
    let committed = session.commit(&work.key, &work.payload).await?;
    FailPoint::ChangesCommitted.reached();
    Ok(if committed { Outcome::Committed } else { Outcome::Lost })
}

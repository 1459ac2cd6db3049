//! `convergent` mode: the connected components of a large window on all lanes at once.
//!
//! Every lane commits on its own, with an [`InFlight`] entry that says how far beyond the checkpoint the
//! target may be. At the barrier, when all lanes have committed, one more transaction carries the checkpoint and
//! the changes of keyless tables and of those that share a target, which thereby happen exactly once. After a crash in between, the changes from
//! the checkpoint to the entries' furthest `until` are applied idempotently.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinSet;
use whimbrel_connector::{ConnectorError, ErrorKind, FailPoint, Result};
use whimbrel_model::Position;

use crate::checkpoint::{InFlight, encode};
use crate::conflict::split;
use crate::run::{Shared, Work, commit_work};
use crate::session::Session;
use crate::window::{Loc, Window};

/// Fewer changes than this aren't worth several commits.
const WORTH_SPLITTING: usize = 256;

/// Changes that may be repeated, and those that may not.
pub fn by_repeatability(window: &Window) -> (Vec<Loc>, Vec<Loc>) {
    window.locs().partition(|loc| window.part(*loc).table.is_repeatable())
}

/// Applies a window that ends with a whole transaction, checkpoint included.
pub async fn run_window(
    sessions: &mut Vec<Session>,
    shared: &Arc<Shared>,
    window: &Arc<Window>,
) -> Result<()> {
    let Some(end) = &window.end else { return Ok(()) };
    let (repeatable, once) = by_repeatability(window);
    let rest = if repeatable.len() < WORTH_SPLITTING || sessions.len() < 2 {
        window.locs().collect()
    } else {
        run_repeatable(sessions, shared, window, &repeatable, &end.position).await?;
        once
    };
    let Some(session) = sessions.first_mut() else { return Err(no_session()) };
    let work = Work {
        window,
        locs: &rest,
        key: shared.scope.checkpoint_key(),
        payload: shared.checkpoint(end),
        at: &end.position,
        transactions: window.transactions,
        beside_others: false,
    };
    commit_work(session, shared, &work, None).await.map(drop)
}

/// Applies changes on all lanes; when it returns, all have committed.
pub async fn run_repeatable(
    sessions: &mut Vec<Session>,
    shared: &Arc<Shared>,
    window: &Arc<Window>,
    locs: &[Loc],
    at: &Position,
) -> Result<()> {
    let mut lanes = JoinSet::new();
    for (lane, locs) in split(window, locs, sessions.len()).into_iter().enumerate() {
        let Some(mut session) = sessions.pop() else { return Err(no_session()) };
        let (shared, window, at) = (shared.clone(), window.clone(), at.clone());
        lanes.spawn(async move {
            let attempt = shared.attempts.fetch_add(1, Ordering::Relaxed);
            let work = Work {
                window: &window,
                locs: &locs,
                key: shared.scope.in_flight_key(lane),
                payload: encode(&InFlight::new(window.last_sequence, attempt)),
                at: &at,
                transactions: 0,
                beside_others: true,
            };
            let done = commit_work(&mut session, &shared, &work, None).await;
            FailPoint::LaneCommitted.reached();
            (session, done.map(|committed| if committed { Vec::new() } else { locs }))
        });
    }
    let (mut failed, mut late) = (None, Vec::new());
    while let Some(joined) = lanes.join_next().await {
        match joined {
            Ok((session, done)) => {
                sessions.push(session);
                match done {
                    Ok(left) => late.extend(left),
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            Err(error) => {
                let error = ConnectorError::new(ErrorKind::Other, "incr-sync", "a lane ended unexpectedly")
                    .with_source(error);
                failed = failed.or(Some(error));
            }
        }
    }
    match failed {
        Some(error) => Err(error),
        None => run_late(sessions, shared, window, late, at).await,
    }
}

/// What met something that it can't explain, while other lanes were at work: done when they are done, in the source's
/// order. A unique key of the target that the split didn't know shows here as a duplicate, and is none any more.
async fn run_late(
    sessions: &mut [Session],
    shared: &Arc<Shared>,
    window: &Arc<Window>,
    mut late: Vec<Loc>,
    at: &Position,
) -> Result<()> {
    if late.is_empty() {
        return Ok(());
    }
    late.sort_unstable_by_key(|loc| (loc.part, loc.row));
    let Some(session) = sessions.first_mut() else { return Err(no_session()) };
    let attempt = shared.attempts.fetch_add(1, Ordering::Relaxed);
    let work = Work {
        window,
        locs: &late,
        key: shared.scope.in_flight_key(0),
        payload: encode(&InFlight::new(window.last_sequence, attempt)),
        at,
        transactions: 0,
        beside_others: false,
    };
    commit_work(session, shared, &work, None).await.map(drop)
}

fn no_session() -> ConnectorError {
    ConnectorError::new(ErrorKind::Other, "incr-sync", "no connection to the target is left")
}

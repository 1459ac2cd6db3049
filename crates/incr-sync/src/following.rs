//! How far a running Incr-Sync is, and holding it for a comparison.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, MutexGuard, Notify, watch};
use tokio::time::timeout;
use whimbrel_connector::{AppliedPosition, ConnectorError, ErrorKind, Result};
use whimbrel_model::Position;

use crate::feed::Valve;
use crate::status::ApplyStatus;

/// Longest wait for the increments to come nearer to a moment of reading.
const APPLY_DEADLINE: Duration = Duration::from_secs(300);

/// Asks a running Incr-Sync how far it is.
pub struct Following {
    status: watch::Receiver<ApplyStatus>,
    valve: Arc<Valve>,
    /// Whoever holds it watches the status for all that wait; the others are woken in the order of waiting, which a
    /// `watch` doesn't do.
    watched: Mutex<watch::Receiver<ApplyStatus>>,
    moved: Notify,
}

/// Watches the status for all that wait. Whoever watched no longer does: another one has to, and is woken when it can, not
/// before: it would find the place taken, and then nobody watched.
struct Watching<'a> {
    status: Option<MutexGuard<'a, watch::Receiver<ApplyStatus>>>,
    moved: &'a Notify,
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        if self.status.take().is_some() {
            self.moved.notify_waiters();
        }
    }
}

impl Following {
    pub fn new(status: watch::Receiver<ApplyStatus>, valve: Arc<Valve>) -> Self {
        let watched = Mutex::new(status.clone());
        Self { status, valve, watched, moved: Notify::new() }
    }

    /// The last status.
    pub fn status(&self) -> ApplyStatus {
        self.status.borrow().clone()
    }

    /// Waits until the status is so; false where the applying has ended before.
    async fn until(&self, mut reached: impl FnMut(&ApplyStatus) -> bool) -> bool {
        loop {
            // Listening begins before the look, so that no change in between is missed.
            let mut moved = std::pin::pin!(self.moved.notified());
            moved.as_mut().enable();
            let mut watching = Watching { status: self.watched.try_lock().ok(), moved: &self.moved };
            let Some(watched) = watching.status.as_mut() else {
                if reached(&self.status.borrow()) {
                    return true;
                }
                moved.await;
                continue;
            };
            if reached(&watched.borrow_and_update()) {
                return true;
            }
            if watched.changed().await.is_err() {
                return reached(&self.status.borrow());
            }
        }
    }

    /// Waits as long as something is applied within each [`APPLY_DEADLINE`], or `excused` says that nothing can be.
    async fn patiently<T>(
        &self,
        what: &str,
        excused: impl Fn() -> bool,
        waiting: impl Future<Output = T>,
    ) -> Result<T> {
        tokio::pin!(waiting);
        let mut seen = self.status.borrow().applied_sequence;
        loop {
            if let Ok(done) = timeout(APPLY_DEADLINE, &mut waiting).await {
                return Ok(done);
            }
            let now = self.status.borrow().applied_sequence;
            if now == seen && !excused() {
                let seconds = APPLY_DEADLINE.as_secs();
                let message = format!("{what} were not applied: nothing was within the last {seconds} s");
                return Err(ConnectorError::new(ErrorKind::Timeout, "verification", message));
            }
            seen = now;
        }
    }

    async fn reach(
        &self,
        what: &str,
        excused: impl Fn() -> bool,
        reached: impl FnMut(&ApplyStatus) -> bool,
    ) -> Result<()> {
        if self.patiently(what, excused, self.until(reached)).await? {
            return Ok(());
        }
        Err(ConnectorError::new(
            ErrorKind::Cancelled,
            "verification",
            "applying changes has ended, so differences can't be told from changes under way",
        ))
    }
}

#[async_trait]
impl AppliedPosition for Following {
    async fn wait_for(&self, position: &Position) -> Result<()> {
        let reached = |status: &ApplyStatus| {
            status.applied.as_ref().is_some_and(|applied| applied.has_reached(position) == Some(true))
        };
        // While another table's comparison holds the changes, nobody waits in vain.
        self.reach(&format!("the changes up to {position}"), || self.valve.holds(), reached).await
    }

    async fn hold(&self) -> Result<bool> {
        self.valve.close();
        Ok(true)
    }

    async fn advance_to(&self, position: &Position) -> Result<()> {
        let what = format!("exactly the changes up to {position}");
        let last = self.patiently(&what, || false, self.valve.open_until(position)).await?;
        self.reach(&what, || false, |status| status.applied_sequence >= last).await
    }

    fn release(&self) {
        self.valve.open();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Many wait at once, each for the same moments; whenever one of them stops watching another one has to begin.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nobody_is_left_waiting() {
        const WAITING: usize = 8;
        const MOMENTS: u64 = 3_000;
        let (status, seen) = watch::channel(ApplyStatus::default());
        let following = Arc::new(Following::new(seen, Arc::default()));
        let (reached, mut all) = tokio::sync::mpsc::channel(WAITING);
        for _ in 0..WAITING {
            let (following, reached) = (following.clone(), reached.clone());
            tokio::spawn(async move {
                for moment in 1..=MOMENTS {
                    following.until(|status| status.applied_sequence >= moment).await;
                    reached.send(()).await.expect("the test goes on");
                }
            });
        }
        for moment in 1..=MOMENTS {
            status.send_modify(|status| status.applied_sequence = moment);
            for _ in 0..WAITING {
                let arrived = timeout(Duration::from_secs(20), all.recv()).await;
                assert!(arrived.is_ok(), "somebody was not woken at moment {moment}");
            }
        }
    }
}

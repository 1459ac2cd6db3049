//! How far the applying of changes is: what a comparison has to know of it.

use async_trait::async_trait;
use whimbrel_model::Position;

use crate::Result;

/// Tells how far the target is. Implemented by whoever applies changes.
#[async_trait]
pub trait AppliedPosition: Send + Sync {
    /// Waits until all changes up to `position` are at the target.
    ///
    /// # Errors
    /// They didn't get there in time, or the applying has failed.
    async fn wait_for(&self, position: &Position) -> Result<()>;

    /// Stops the applying after what is under way, so that a table without a key can be compared at one exact
    /// position while it is being written. False where nobody applies changes, or they can't be stopped. Each true
    /// is followed by one [`AppliedPosition::release`], before the next call: one table at a time is held.
    async fn hold(&self) -> Result<bool> {
        Ok(false)
    }

    /// While held: lets exactly the transactions at or before `position` through, and waits until they are at the
    /// target.
    ///
    /// # Errors
    /// As [`AppliedPosition::wait_for`].
    async fn advance_to(&self, position: &Position) -> Result<()> {
        self.wait_for(position).await
    }

    /// The applying goes on.
    fn release(&self) {}
}

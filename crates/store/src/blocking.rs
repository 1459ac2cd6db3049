//! Where blocking work is done.

use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Where the Store does what blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlockingWork {
    /// On threads of their own, so that nothing else waits for the disk.
    #[default]
    Threads,
    /// In the tasks of the runtime. For a file system in memory and tests that repeat a run step by step: the order in
    /// which threads get on is nobody's to choose.
    Inline,
}

impl BlockingWork {
    /// Begins work that blocks now and then; where it has to wait for anything else, it awaits.
    pub(crate) fn spawn<F>(self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match self {
            Self::Threads => {
                let runtime = Handle::current();
                tokio::task::spawn_blocking(move || runtime.block_on(work))
            }
            Self::Inline => tokio::spawn(work),
        }
    }

    /// Begins work that blocks and awaits nothing.
    pub(crate) fn spawn_short<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        match self {
            Self::Threads => tokio::task::spawn_blocking(work),
            Self::Inline => tokio::spawn(async move { work() }),
        }
    }
}

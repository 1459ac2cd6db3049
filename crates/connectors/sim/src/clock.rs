//! Time that goes on over several runtimes.
//!
//! A paused clock of tokio begins with each runtime at the machine's own time. What is kept here counts only how far
//! the clocks of the runtimes have moved, so the same schedule sees the same times wherever it is repeated.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Microseconds since 1970 at which simulated time begins.
const BEGIN_US: u64 = 1_700_000_000_000_000;

/// A clock that servers share.
#[derive(Debug, Default)]
pub struct SimClock {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Of runtimes that have ended.
    passed: Duration,
    running: Option<Instant>,
    /// What the wall clock is ahead of the time that has passed; may jump.
    ahead_us: i64,
}

impl SimClock {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the time from the runtime in which it is called, until [`SimClock::pause`].
    pub fn resume(&self) {
        self.state().running = Some(Instant::now());
    }

    /// Keeps what has passed. To be called in the runtime that is about to end.
    pub fn pause(&self) {
        let mut state = self.state();
        if let Some(begun) = state.running.take() {
            state.passed += begun.elapsed();
        }
    }

    /// Time since the begin; never goes back.
    pub fn elapsed(&self) -> Duration {
        let state = self.state();
        state.passed + state.running.map_or(Duration::ZERO, |begun| begun.elapsed())
    }

    /// Sets the wall clock forward, or back.
    pub fn jump(&self, us: i64) {
        self.state().ahead_us += us;
    }

    /// The wall clock: microseconds since 1970.
    pub fn wall_us(&self) -> u64 {
        let passed = u64::try_from(self.elapsed().as_micros()).unwrap_or(u64::MAX);
        (BEGIN_US + passed).saturating_add_signed(self.state().ahead_us)
    }
}

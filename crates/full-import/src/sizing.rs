//! How large statements are: what the target takes fastest, found out while loading.
//!
//! Sizes are steps of a factor of two. Every [`SAMPLES`] statements the bytes per second of the present step are
//! compared with those of the step before: as long as a step pays it goes on in the same direction, otherwise it
//! goes back and stays for a while before it tries the neighbours again. A statement that the target found too
//! large, or that ran into a time-out, takes the size down at once and keeps it below for a long while.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes of rows in a statement, by step.
const STEPS: [u64; 7] = [16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20];
/// 256 KiB: on OceanBase 1000 rows of 200 bytes are near the best.
const FIRST: usize = 4;
/// Statements that a step is judged by.
const SAMPLES: u32 = 16;
/// Statements until a step that was found best is put in question again.
const STAY: u32 = 256;
/// Statements for which a size that failed isn't tried again.
const BAN: u32 = 4096;
/// A step has to gain this much to be worth taking.
const GAIN: f64 = 1.05;

/// Shared by all workers of an import.
#[derive(Debug)]
pub(crate) struct StatementSize(Mutex<Search>);

#[derive(Debug)]
struct Search {
    step: usize,
    up: bool,
    /// Bytes per second of the step that this one has to beat; `None` where it is the one to beat.
    to_beat: Option<f64>,
    bytes: u64,
    time: Duration,
    samples: u32,
    /// Statements to be done before judging begins again.
    stay: u32,
    /// Steps from here on are banned for so many statements.
    banned: (usize, u32),
}

impl StatementSize {
    pub fn new() -> Self {
        Self(Mutex::new(Search {
            step: FIRST,
            up: true,
            to_beat: None,
            bytes: 0,
            time: Duration::ZERO,
            samples: 0,
            stay: 0,
            banned: (STEPS.len(), 0),
        }))
    }

    /// Bytes of rows that the next statement should have.
    pub fn bytes(&self) -> u64 {
        STEPS[self.lock().step]
    }

    /// A statement with so many bytes of rows took so long. Those that were small for lack of rows say nothing.
    pub fn took(&self, bytes: u64, time: Duration) {
        let mut search = self.lock();
        if bytes * 2 >= STEPS[search.step] {
            search.took(bytes, time);
        }
    }

    /// The target took a statement of about the present size for too large, or was too slow for it.
    pub fn too_large(&self) {
        let mut search = self.lock();
        let step = search.step;
        search.banned = (step.max(1), BAN);
        search.go_to(step.saturating_sub(1), None);
        search.stay = STAY;
    }

    fn lock(&self) -> MutexGuard<'_, Search> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Search {
    fn took(&mut self, bytes: u64, time: Duration) {
        self.banned.1 = self.banned.1.saturating_sub(1);
        if self.stay > 0 {
            self.stay -= 1;
            return;
        }
        self.bytes += bytes;
        self.time += time;
        self.samples += 1;
        if self.samples < SAMPLES {
            return;
        }
        let rate = self.bytes as f64 / self.time.as_secs_f64().max(1e-6);
        match self.to_beat {
            // The step is the one to beat: try its neighbour.
            None => match self.neighbour() {
                Some(step) => self.go_to(step, Some(rate)),
                None => self.turn(),
            },
            Some(other) if rate > other * GAIN => match self.neighbour() {
                Some(step) => self.go_to(step, Some(rate)),
                None => self.turn(),
            },
            Some(_) => {
                // Back to where it was better; next time the other neighbour is tried.
                let back = if self.up { self.step.saturating_sub(1) } else { self.step + 1 };
                self.go_to(back.min(STEPS.len() - 1), None);
                self.turn();
            }
        }
    }

    fn neighbour(&self) -> Option<usize> {
        let step = if self.up { self.step + 1 } else { self.step.checked_sub(1)? };
        let banned = self.banned.1 > 0 && step >= self.banned.0;
        (step < STEPS.len() && !banned).then_some(step)
    }

    fn turn(&mut self) {
        self.up = !self.up;
        self.stay = STAY;
        self.go_to(self.step, None);
    }

    fn go_to(&mut self, step: usize, to_beat: Option<f64>) {
        self.step = step;
        self.to_beat = to_beat;
        self.bytes = 0;
        self.time = Duration::ZERO;
        self.samples = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs statements on a server whose time for a statement is `cost`; returns how often each size was used.
    fn run(size: &StatementSize, statements: u32, cost: impl Fn(u64) -> f64) -> Vec<(u64, u32)> {
        let mut used: Vec<(u64, u32)> = STEPS.iter().map(|bytes| (*bytes, 0)).collect();
        for _ in 0..statements {
            let bytes = size.bytes();
            used.iter_mut().filter(|(step, _)| *step == bytes).for_each(|(_, count)| *count += 1);
            size.took(bytes, Duration::from_secs_f64(cost(bytes)));
        }
        used
    }

    fn mostly(used: &[(u64, u32)]) -> u64 {
        used.iter().max_by_key(|(_, count)| *count).map_or(0, |(bytes, _)| *bytes)
    }

    #[test]
    fn the_size_with_the_best_throughput_is_used_most() {
        // A fixed cost a statement: the larger the better.
        let used = run(&StatementSize::new(), 5000, |bytes| 0.01 + bytes as f64 / 50e6);
        assert_eq!(mostly(&used), 1 << 20, "{used:?}");
        // Cost that grows faster than the size: small ones are better.
        let used = run(&StatementSize::new(), 5000, |bytes| {
            0.0005 + bytes as f64 / 50e6 * (bytes as f64 / 65536.0).max(1.0)
        });
        assert!([32 << 10, 64 << 10].contains(&mostly(&used)), "{used:?}");
    }

    #[test]
    fn a_size_that_failed_is_left_alone_for_long() {
        let size = StatementSize::new();
        size.too_large();
        assert_eq!(size.bytes(), 128 << 10);
        let used = run(&size, BAN - 1, |bytes| 0.01 + bytes as f64 / 50e6);
        assert!(used.iter().all(|(bytes, count)| *bytes <= 128 << 10 || *count == 0), "{used:?}");
        for _ in 0..20 {
            size.too_large();
        }
        assert_eq!(size.bytes(), 16 << 10);
    }

    #[test]
    fn statements_that_were_small_for_lack_of_rows_say_nothing() {
        let size = StatementSize::new();
        for _ in 0..1000 {
            size.took(100, Duration::from_secs(1));
        }
        assert_eq!(size.bytes(), 256 << 10);
    }
}

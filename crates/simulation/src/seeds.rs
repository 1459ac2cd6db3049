//! Many seeds on some threads.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::schedule::{Failed, run};

/// What many schedules were.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub schedules: u64,
    pub calls: u64,
    pub lives: u64,
    pub simulated: Duration,
    pub took: Duration,
    /// The failure with the lowest seed.
    pub failed: Option<Box<Failed>>,
}

/// Runs `count` seeds from `first` on; ends early where one fails.
pub fn run_many(first: u64, count: u64, threads: usize) -> Summary {
    let next = AtomicU64::new(0);
    let summary = Mutex::new(Summary::default());
    // Who repeats one wants to see all of it.
    let kept_lines = if count == 1 { usize::MAX } else { 100 };
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads.max(1) {
            let (next, summary) = (&next, &summary);
            scope.spawn(move || {
                let corrections = corrections(thread);
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    let ended = run(first + number, &corrections, kept_lines);
                    let mut sum = summary.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    sum.schedules += 1;
                    match ended {
                        Ok(passed) => {
                            sum.calls += passed.calls;
                            sum.lives += u64::from(passed.lives);
                            sum.simulated += passed.simulated;
                        }
                        Err(failed) => {
                            if sum.failed.as_ref().is_none_or(|other| failed.seed < other.seed) {
                                sum.failed = Some(failed);
                            }
                            next.store(count, Ordering::Relaxed);
                        }
                    }
                }
                drop(std::fs::remove_dir_all(&corrections));
            });
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    summary.took = begun.elapsed();
    summary
}

/// A folder for what a verification writes.
pub fn corrections(thread: usize) -> PathBuf {
    std::env::temp_dir().join(format!("whimbrel-simulation-{}-{thread}", std::process::id()))
}

/// What a person needs to know of a failure.
pub fn explain(failed: &Failed) -> String {
    format!(
        "{}\n\nplan: {}\n\nseed {} failed: {}\nagain: make simulate FROM={} SEEDS=1\n",
        failed.lines.join("\n"),
        failed.plan,
        failed.seed,
        failed.what,
        failed.seed
    )
}

//! Thousands of schedules, and that a seed is one schedule.

use whimbrel_simulation::run;
use whimbrel_simulation::seeds::{corrections, explain, run_many};

/// As many run in each test of the whole; `make simulate` runs more.
const SCHEDULES: u64 = 10_000;

#[test]
fn every_schedule_ends_with_equal_sides() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let summary = run_many(1, SCHEDULES, threads);
    if let Some(failed) = &summary.failed {
        panic!("{}", explain(failed));
    }
    assert_eq!(summary.schedules, SCHEDULES);
    assert!(summary.lives > SCHEDULES * 2, "processes die and go on: {summary:?}");
}

/// The same seed twice: every call, with its arguments, its outcome and its moment, is the same.
#[test]
fn a_seed_is_one_exact_schedule() {
    let folder = corrections(1000);
    for seed in 1..300 {
        let first = run(seed, &folder, 0).map_err(|failed| failed.what);
        let second = run(seed, &folder, 0).map_err(|failed| failed.what);
        assert_eq!(first, second, "seed {seed}");
    }
    let hashes: std::collections::BTreeSet<u64> =
        (1..50).filter_map(|seed| run(seed, &folder, 0).ok()).map(|passed| passed.hash).collect();
    assert!(hashes.len() > 40, "different seeds are different schedules");
    drop(std::fs::remove_dir_all(folder));
}

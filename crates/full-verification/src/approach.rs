//! Which way of comparing a range takes less time: a digest that both servers compute, or reading the rows.
//!
//! A digest saves the network and costs the servers more than giving the rows away does; so it wins over a slow line, and
//! reading wins beside the servers. It is found out by trying: the first [`TRIALS`] chunks each way, then the one that took
//! less time for a byte, and the other again every [`AGAIN`] chunks. Chunks for trying are small ([`TRIAL_BYTES`]), since
//! one of the two ways costs several times as much as the other. Until it is known the rows are read.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Chunks by which a way is judged before the other one is given up.
const TRIALS: u64 = 2;
/// Chunks after which the slower way is tried again.
const AGAIN: u64 = 64;
/// Of fewer bytes the time is mostly that of asking.
const LEAST_BYTES: u64 = 256 << 10;
/// Size of a chunk by which a way is tried.
pub(crate) const TRIAL_BYTES: u64 = 2 * LEAST_BYTES;
/// How much of what is known of a way the last chunk makes up.
const WEIGHT: f64 = 0.25;

/// How ranges are compared that both sides order alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CompareBy {
    /// The way that takes less time.
    #[default]
    Fastest,
    /// By digest, wherever digests can be compared.
    Digest,
    /// By reading the rows.
    Rows,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Digest,
    Rows,
}

/// Shared by all workers, for all tables whose digests can be compared.
#[derive(Debug)]
pub(crate) struct Approach {
    by: CompareBy,
    trial: Mutex<Trial>,
}

#[derive(Debug, Default)]
struct Trial {
    /// Chunks handed out, and trials begun before it was known which way is faster.
    planned: u64,
    begun: u64,
    digest: Cost,
    rows: Cost,
}

#[derive(Debug, Default)]
struct Cost {
    trials: u64,
    seconds_per_byte: f64,
}

impl Approach {
    pub fn new(by: CompareBy) -> Self {
        Self { by, trial: Mutex::default() }
    }

    /// Whether the next chunk to be handed out should serve for trying; `bytes` is how large it would be then.
    pub fn plans_trial(&self, bytes: u64) -> bool {
        if self.by != CompareBy::Fastest || bytes < LEAST_BYTES {
            return false;
        }
        let mut trial = self.lock();
        let number = trial.planned;
        trial.planned += 1;
        number < 2 * TRIALS || number.is_multiple_of(AGAIN)
    }

    /// How a chunk should be compared.
    pub fn way(&self, for_trial: bool) -> Way {
        match self.by {
            CompareBy::Fastest => {}
            CompareBy::Digest => return Way::Digest,
            CompareBy::Rows => return Way::Rows,
        }
        let mut trial = self.lock();
        let (digest, rows) = (&trial.digest, &trial.rows);
        let known = digest.trials.min(rows.trials) >= TRIALS;
        let digest_is_faster = known && digest.seconds_per_byte <= rows.seconds_per_byte;
        let digests = if for_trial && !known {
            trial.begun += 1;
            trial.begun % 2 == 1
        } else {
            digest_is_faster != for_trial
        };
        if digests { Way::Digest } else { Way::Rows }
    }

    /// Rows of so many bytes took so long one way, a digest that differed and the reading after it included.
    pub fn took(&self, way: Way, bytes: u64, time: Duration) {
        if bytes < LEAST_BYTES {
            return;
        }
        let mut trial = self.lock();
        let cost = if way == Way::Digest { &mut trial.digest } else { &mut trial.rows };
        let new = time.as_secs_f64() / bytes as f64;
        let weight = if cost.trials == 0 { 1.0 } else { WEIGHT };
        cost.seconds_per_byte += (new - cost.seconds_per_byte) * weight;
        cost.trials += 1;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Trial> {
        self.trial.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of so many chunks of 8 MiB that are compared by digest, in trials of it, and of the other way's trials, where
    /// a byte takes so long.
    fn digested(approach: &Approach, chunks: u64, digest_ns: u64, reading_ns: u64) -> (u64, u64) {
        let (mut digested, mut read) = (0, 0);
        for _ in 0..chunks {
            let for_trial = approach.plans_trial(TRIAL_BYTES);
            let bytes = if for_trial { TRIAL_BYTES } else { 8 << 20 };
            let way = approach.way(for_trial);
            let (ns, count) =
                if way == Way::Digest { (digest_ns, &mut digested) } else { (reading_ns, &mut read) };
            approach.took(way, bytes, Duration::from_nanos(ns * bytes));
            *count += bytes;
        }
        (digested, read)
    }

    #[test]
    fn what_takes_less_time_is_used_and_the_other_tried_now_and_then() {
        let approach = Approach::new(CompareBy::Fastest);
        let (digested_bytes, _) = digested(&approach, 2 * AGAIN, 9, 4);
        assert_eq!(digested_bytes, (TRIALS + 1) * TRIAL_BYTES);
        // The line has become slow.
        let (digested_bytes, read) = digested(&approach, 40 * AGAIN, 9, 50);
        assert!(digested_bytes > 8 * read, "{digested_bytes} {read}");
    }

    #[test]
    fn what_is_decided_stays() {
        for (by, way) in [(CompareBy::Digest, Way::Digest), (CompareBy::Rows, Way::Rows)] {
            let approach = Approach::new(by);
            assert!(!approach.plans_trial(TRIAL_BYTES));
            assert_eq!(approach.way(false), way);
        }
    }

    #[test]
    fn small_chunks_say_nothing() {
        let approach = Approach::new(CompareBy::Fastest);
        assert!(!approach.plans_trial(1000));
        for _ in 0..10 {
            let way = approach.way(true);
            approach.took(way, 1000, Duration::from_secs(if way == Way::Rows { 9 } else { 0 }));
        }
        assert_eq!(approach.way(false), Way::Rows);
    }
}

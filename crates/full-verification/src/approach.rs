//! Which way of comparing a range takes less time: a digest that both servers compute, or reading the rows.
//!
//! A digest saves the network and costs the servers more than giving the rows away does; so it wins over a slow line, and
//! reading wins beside the servers. It is found out by trying: [`TRIALS`] chunks each way, then the one that took less time
//! for a byte, and the other again every [`AGAIN`] chunks.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Chunks by which a way is judged before the other one is given up.
const TRIALS: u64 = 2;
/// Chunks after which the slower way is tried again.
const AGAIN: u64 = 64;
/// Of fewer bytes the time is mostly that of asking.
const LEAST_BYTES: u64 = 256 << 10;
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

    /// How the next chunk should be compared.
    pub fn next(&self) -> Way {
        match self.by {
            CompareBy::Fastest => {}
            CompareBy::Digest => return Way::Digest,
            CompareBy::Rows => return Way::Rows,
        }
        let mut trial = self.lock();
        let number = trial.begun;
        trial.begun += 1;
        let (digest, rows) = (&trial.digest, &trial.rows);
        let digest_is_next = if digest.trials.min(rows.trials) < TRIALS {
            number.is_multiple_of(2)
        } else {
            (digest.seconds_per_byte <= rows.seconds_per_byte) != number.is_multiple_of(AGAIN)
        };
        if digest_is_next { Way::Digest } else { Way::Rows }
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

    /// Of so many chunks, how many are compared by digest, where a byte takes so long.
    fn digested(approach: &Approach, chunks: u64, digest_ns: u64, reading_ns: u64) -> u64 {
        let mut digested = 0;
        for _ in 0..chunks {
            let way = approach.next();
            let ns = if way == Way::Digest { digest_ns } else { reading_ns };
            approach.took(way, 1 << 20, Duration::from_nanos(ns << 20));
            digested += u64::from(way == Way::Digest);
        }
        digested
    }

    #[test]
    fn what_takes_less_time_is_used_and_the_other_tried_now_and_then() {
        let approach = Approach::new(CompareBy::Fastest);
        assert_eq!(digested(&approach, 2 * AGAIN, 9, 4), TRIALS + 1);
        // The line has become slow.
        let more = digested(&approach, 40 * AGAIN, 9, 50);
        assert!(more > 35 * AGAIN, "{more}");
    }

    #[test]
    fn small_chunks_say_nothing() {
        let approach = Approach::new(CompareBy::Fastest);
        for _ in 0..10 {
            let way = approach.next();
            approach.took(way, 1000, Duration::from_secs(if way == Way::Rows { 9 } else { 0 }));
        }
        assert_eq!(digested(&approach, AGAIN / 2, 9, 4), TRIALS);
    }
}

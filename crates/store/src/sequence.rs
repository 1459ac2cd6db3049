//! The number of a record in a Store.

use std::fmt;

use serde::{Deserialize, Serialize};
use whimbrel_model::LogRecord;

/// A record's place in the total order of a Store. Grows by one from record to record; after a tail that
/// the disk lost it jumps, so that a number that was ever acknowledged never names another record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The first record of every Store.
    pub const FIRST: Self = Self(1);

    /// The number after this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A record with its number.
#[derive(Clone, Debug)]
pub struct StoreItem {
    pub sequence: Sequence,
    pub record: LogRecord,
}

//! Counters of a running verification, read by status pages while it runs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What was found in one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableVerification {
    pub source: String,
    pub target: String,
    /// Source rows compared.
    pub rows: u64,
    /// Rows of the source that the target lacks.
    pub missing: u64,
    /// Rows of the target that the source lacks.
    pub extra: u64,
    /// Rows whose columns differ.
    pub different: u64,
    /// Rows that changed in every round.
    pub undecided: u64,
    /// Chunks that were compared by digest alone.
    pub digested_chunks: u64,
    /// True where reading stopped because there were too many differences.
    pub truncated: bool,
    pub milliseconds: u64,
}

impl TableVerification {
    pub fn differences(&self) -> u64 {
        self.missing + self.extra + self.different
    }
}

/// Running counters of one table.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub rows: AtomicU64,
    pub missing: AtomicU64,
    pub extra: AtomicU64,
    pub different: AtomicU64,
    pub undecided: AtomicU64,
    pub digested_chunks: AtomicU64,
    pub truncated: AtomicBool,
    pub milliseconds: AtomicU64,
    done: AtomicBool,
}

impl Counters {
    pub fn differences(&self) -> u64 {
        [&self.missing, &self.extra, &self.different].iter().map(|n| n.load(Ordering::Relaxed)).sum()
    }
}

/// All tables, in the order given.
#[derive(Debug)]
pub struct VerifyProgress {
    names: Vec<(String, String)>,
    pub(crate) counters: Vec<Counters>,
}

impl VerifyProgress {
    pub(crate) fn new(names: impl Iterator<Item = (String, String)>) -> Self {
        let names: Vec<_> = names.collect();
        let counters = names.iter().map(|_| Counters::default()).collect();
        Self { names, counters }
    }

    /// What has been found until now.
    pub fn results(&self) -> Vec<TableVerification> {
        self.names
            .iter()
            .zip(&self.counters)
            .map(|((source, target), counters)| {
                let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
                TableVerification {
                    source: source.clone(),
                    target: target.clone(),
                    rows: load(&counters.rows),
                    missing: load(&counters.missing),
                    extra: load(&counters.extra),
                    different: load(&counters.different),
                    undecided: load(&counters.undecided),
                    digested_chunks: load(&counters.digested_chunks),
                    truncated: counters.truncated.load(Ordering::Relaxed),
                    milliseconds: load(&counters.milliseconds),
                }
            })
            .collect()
    }

    /// Tables that have been compared.
    pub fn done(&self) -> usize {
        self.counters.iter().filter(|counters| counters.done.load(Ordering::Relaxed)).count()
    }

    pub(crate) fn finish(&self, index: usize) {
        self.counters[index].done.store(true, Ordering::Relaxed);
    }
}

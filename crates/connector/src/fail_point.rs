//! Places at which a debug build can be told to die: something has been done, and isn't recorded yet, or the other way
//! round.
//!
//! `WHIMBREL_FAIL_POINT=NAME` or `NAME:COUNT` in the environment makes the process abort when it comes to the place the
//! first (the `COUNT`th) time, without unwinding or writing anything more. The end-to-end tests go through all of
//! them. A release build has none of this: [`FailPoint::reached`] is empty there.

/// A place. Its name in the environment is that of the variant, in lower case with hyphens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailPoint {
    /// The task's definition is written; its start position isn't fixed.
    TaskWritten,
    /// The start position is fixed; there is no Store.
    StartWritten,
    /// The target knows the task's new epoch; nothing else has begun.
    EpochTaken,
    /// A new segment file is written and synced under its temporary name.
    SegmentWritten,
    /// It has its name; the directory isn't synced.
    SegmentRenamed,
    /// The Store is made; no consumer is registered.
    StoreCreated,
    /// The consumers are written beside their place.
    ConsumersWritten,
    /// Blocks are written; they aren't synced.
    BlocksWritten,
    /// Blocks are synced; no reader has been told.
    BlocksSynced,
    /// A table is recorded as the task's; it isn't made.
    OwnTableRecorded,
    /// A table is made; no row is in it.
    TableCreated,
    /// Chunks are written to the target's state; they aren't committed.
    ChunksPlanned,
    /// Rows and the chunk's record are written; they aren't committed.
    ChunkWritten,
    /// They are committed; this process doesn't know yet.
    ChunkCommitted,
    /// A keyless table is emptied; it isn't read.
    KeylessCleared,
    /// Its rows and its position are written; they aren't committed.
    KeylessWritten,
    /// They are committed; this process doesn't know yet.
    KeylessCommitted,
    /// An index is built; the table isn't recorded as done.
    IndexBuilt,
    /// The end of the overlap is recorded; no change is applied.
    OverlapRecorded,
    /// A foreign key is made; others may not be.
    ForeignKeyAdded,
    /// Changes are written; their checkpoint isn't.
    ChangesWritten,
    /// Changes and checkpoint are written; they aren't committed.
    CheckpointWritten,
    /// They are committed; this process doesn't know yet.
    ChangesCommitted,
    /// A piece of a large transaction is written, its end isn't.
    PieceWritten,
    /// A large transaction is committed; this process doesn't know yet.
    LargeCommitted,
    /// A lane of a window is committed; others, and the checkpoint, may not be.
    LaneCommitted,
    /// A row that was deferred is settled; others may not be.
    RowSettled,
    /// A statement is recorded as begun; the target hasn't got it.
    DdlBegun,
    /// The target has carried it out; that isn't recorded.
    DdlDone,
    /// It is recorded; the checkpoint stands before it.
    DdlRecorded,
    /// A parked statement is written; it isn't committed.
    ParkWritten,
    /// It is committed; this process doesn't know yet.
    ParkCommitted,
    /// A person's decision is committed; it isn't carried out.
    DecisionNoted,
    /// The queue behind a parked statement is applied; its hold is there still.
    QueueApplied,
}

impl FailPoint {
    pub const ALL: [Self; 34] = [
        Self::TaskWritten,
        Self::StartWritten,
        Self::EpochTaken,
        Self::SegmentWritten,
        Self::SegmentRenamed,
        Self::StoreCreated,
        Self::ConsumersWritten,
        Self::BlocksWritten,
        Self::BlocksSynced,
        Self::OwnTableRecorded,
        Self::TableCreated,
        Self::ChunksPlanned,
        Self::ChunkWritten,
        Self::ChunkCommitted,
        Self::KeylessCleared,
        Self::KeylessWritten,
        Self::KeylessCommitted,
        Self::IndexBuilt,
        Self::OverlapRecorded,
        Self::ForeignKeyAdded,
        Self::ChangesWritten,
        Self::CheckpointWritten,
        Self::ChangesCommitted,
        Self::PieceWritten,
        Self::LargeCommitted,
        Self::LaneCommitted,
        Self::RowSettled,
        Self::DdlBegun,
        Self::DdlDone,
        Self::DdlRecorded,
        Self::ParkWritten,
        Self::ParkCommitted,
        Self::DecisionNoted,
        Self::QueueApplied,
    ];

    pub fn name(self) -> String {
        let mut name = String::new();
        for c in format!("{self:?}").chars() {
            if c.is_ascii_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.push(c.to_ascii_lowercase());
        }
        name
    }

    /// Dies here where the environment says so.
    #[cfg(debug_assertions)]
    pub fn reached(self) {
        use std::sync::LazyLock;
        use std::sync::atomic::{AtomicU64, Ordering};

        static WANTED: LazyLock<Option<(FailPoint, u64)>> =
            LazyLock::new(|| std::env::var("WHIMBREL_FAIL_POINT").ok().and_then(|text| parse(&text)));
        static SEEN: AtomicU64 = AtomicU64::new(0);
        if let Some((point, count)) = *WANTED
            && point == self
            && SEEN.fetch_add(1, Ordering::SeqCst) + 1 == count
        {
            std::process::abort();
        }
    }

    #[cfg(not(debug_assertions))]
    #[inline(always)]
    pub fn reached(self) {}
}

/// `NAME` or `NAME:COUNT`.
#[cfg(debug_assertions)]
fn parse(text: &str) -> Option<(FailPoint, u64)> {
    let (name, count) = text.split_once(':').unwrap_or((text, "1"));
    let point = FailPoint::ALL.into_iter().find(|point| point.name() == name)?;
    Some((point, count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_named_and_counted_in_the_environment() {
        assert_eq!(parse("chunk-committed"), Some((FailPoint::ChunkCommitted, 1)));
        assert_eq!(parse("ddl-done:3"), Some((FailPoint::DdlDone, 3)));
        for wrong in ["", "ddl", "ddl-done:", "ddl-done:x"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        let mut names: Vec<String> = FailPoint::ALL.into_iter().map(FailPoint::name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), FailPoint::ALL.len());
    }
}

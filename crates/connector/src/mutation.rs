//! Deliberate bugs, one at a time, that show whether the simulation would find such a bug.
//!
//! Each variant stands at one place of a component or connector, where it makes the code wrong while it is active. The
//! simulation must fail with each of them; `docs/dev/simulation.md` has the list with the seeds that are needed.
//!
//! Only a build with the feature `mutations` can activate one, and only by a call. In any other build
//! [`Mutation::active`] is constantly false and the places cost nothing.

macro_rules! mutations {
    ($($variant:ident: $breaks:literal,)*) => {
        /// A deliberate bug. The text says what is wrong while it is active.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutation {
            $(#[doc = $breaks] $variant,)*
        }

        impl Mutation {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// What is wrong while it is active.
            pub fn breaks(self) -> &'static str {
                match self {
                    $(Self::$variant => $breaks,)*
                }
            }
        }
    };
}

mutations! {
    // Store
    SkipBlockSync: "blocks count as durable without fdatasync",
    IgnoreFailedSync: "blocks count as durable after an fdatasync that failed",
    SkipSegmentSync: "a new segment file gets its name before it is durable",
    SkipDirectorySync: "the directory isn't synced after a new segment file got its name",
    SkipConsumersSync: "the list of consumers is replaced by a file that isn't durable",
    TrimUnread: "retention doesn't ask whether a consumer needs the file",
    AcknowledgeAhead: "an acknowledgement counts for all that the Store has",
    NoAbortAtRestart: "a transaction left open by a pull that ended isn't aborted",
    NoRewriteAtRecovery: "what may be in memory only isn't written again at the start",
    // Full-Import
    ChunkDoneEarly: "a chunk is recorded as done, and that committed, before its rows",
    ForgetOpenChunks: "chunks that were planned and not written aren't handed out after a restart",
    LoseLastChunk: "the last chunk of a table isn't handed out",
    KeylessPositionLate: "the exact position of a keyless table is taken after its rows were read",
    KeylessNotEmptied: "a keyless table isn't emptied before it is loaded again",
    // Incr-Sync
    ResumeLate: "reading goes on one record too late after a restart",
    IgnoreExactPosition: "changes that are in what was read of a keyless table are applied again",
    StrictEarly: "the overlap with the import ends with its first transaction",
    CheckpointApart: "the checkpoint is written in a transaction after that of its changes",
    CheckpointFirst: "the checkpoint is committed before its changes",
    ForgetRowKey: "the conflict graph doesn't know the row key",
    ForgetUniqueKey: "the conflict graph doesn't know the unique keys besides the row key",
    ForgetBeforeImage: "the conflict graph doesn't know the row before an update",
    CommitOutOfOrder: "windows commit as they become ready",
    RepeatLostCommit: "a commit whose answer was lost counts as one that didn't happen",
    TrustLostCommit: "a commit whose answer was lost counts as one that happened",
    LookWithoutLock: "whether a lost commit happened is looked up while it may be under way",
    KeepSuperseded: "a deferred row isn't forgotten when a later change supersedes it",
    DdlWithoutBarrier: "a statement doesn't wait for the windows before it",
    RepeatDdl: "a statement that may have happened is run again without looking",
    ApplyAborted: "changes of an aborted transaction stay in the window",
    IgnoreInFlight: "what lanes committed ahead of the checkpoint is forgotten at a restart",
    // Connector
    SkipEpochCheck: "a writer doesn't look whether another process has taken over",
    UnfencedDdl: "a statement that changes structures doesn't look whether another process has taken over",
    // Full-Verification
    IgnoreExtra: "rows that only the target has don't count",
    IgnoreLastColumn: "the last column isn't compared",
    CertainAtOnce: "the first look at two rows that differ decides",
    CompareWithoutWaiting: "the target is read before it has what the source had",
    KeylessWithoutAdvance: "a keyless table is compared at two different positions",
}

#[cfg(feature = "mutations")]
mod switch {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::Mutation;

    /// One more than the number of the active one; 0 is none.
    static ACTIVE: AtomicUsize = AtomicUsize::new(0);

    impl Mutation {
        /// Makes this one active in the whole process, or none.
        pub fn activate(mutation: Option<Self>) {
            ACTIVE.store(mutation.map_or(0, |mutation| mutation as usize + 1), Ordering::SeqCst);
        }

        pub fn active(self) -> bool {
            ACTIVE.load(Ordering::Relaxed) == self as usize + 1
        }
    }
}

#[cfg(not(feature = "mutations"))]
impl Mutation {
    #[inline(always)]
    pub const fn active(self) -> bool {
        false
    }
}

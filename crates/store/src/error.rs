//! What can go wrong in a Store, one variant per thing that a caller or operator can act on.

use std::io;
use std::path::PathBuf;

use whimbrel_connector::{ConnectorError, ErrorKind};
use whimbrel_model::Position;

use crate::sequence::Sequence;

/// A place in a segment file that can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub path: PathBuf,
    /// Byte offset in the file.
    pub offset: u64,
    /// The first record that can't be read.
    pub first: Sequence,
    /// The first record after the damage that can be read again, where one was found.
    pub readable_again: Option<Sequence>,
    /// What is wrong there.
    pub what: String,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} is damaged at byte {} ({}): records from {}",
            self.path.display(),
            self.offset,
            self.what,
            self.first
        )?;
        match self.readable_again {
            Some(next) => write!(f, " to before {next} can't be read"),
            None => write!(f, " on can't be read in this file"),
        }
    }
}

/// Errors of the Store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{action} {path}")]
    Io {
        /// What was being done, as a verb: `read`, `write`, `sync`.
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The disk is full, or fuller than the options allow. Writing goes on when there is room.
    #[error("no room for the change log in {path}: {free_bytes} bytes free, {needed_bytes} needed")]
    DiskFull { path: PathBuf, free_bytes: u64, needed_bytes: u64 },
    #[error("{path} is in use by another process")]
    Locked { path: PathBuf },
    #[error("{path} already holds a change log")]
    AlreadyExists { path: PathBuf },
    #[error("{path} holds no change log")]
    NotFound { path: PathBuf },
    #[error("{path} is written in format {version}, this program reads up to {supported}")]
    UnknownFormat { path: PathBuf, version: u32, supported: u32 },
    #[error("{0}; put back a copy of the file, or start the consumer anew behind the damage")]
    Damaged(Damage),
    /// A whole segment file is missing between two others.
    #[error("the segment file with records {from} to before {to} is missing in {dir}; put back a copy of it")]
    SegmentMissing { dir: PathBuf, from: Sequence, to: Sequence },
    /// A segment file of another Store lies in the directory.
    #[error("{path} belongs to another change log; move it out of the directory")]
    ForeignSegment { path: PathBuf },
    /// Retention has removed what was asked for.
    #[error(
        "the change log no longer has {wanted}; it begins at record {oldest}, position {oldest_position}"
    )]
    PositionGone { wanted: String, oldest: Sequence, oldest_position: String },
    /// The position is of another server and has no GTIDs to compare by.
    #[error("position {wanted} can't be compared with {found} of the change log")]
    PositionIncomparable { wanted: Box<Position>, found: Box<Position> },
    #[error("the change log has no record {wanted} yet; the next one is {next}")]
    SequenceAhead { wanted: Sequence, next: Sequence },
    /// The source broke the contract of `LogReader`.
    #[error("{record} came {state}")]
    OutOfOrder { record: &'static str, state: &'static str },
    #[error("a record of {bytes} bytes is more than a block holds")]
    RecordTooLarge { bytes: u64 },
    #[error("consumer {name} isn't registered")]
    UnknownConsumer { name: String },
    #[error("consumer list {path} can't be read; remove it to forget all consumers")]
    Consumers {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("a pull into this change log is already running")]
    PullRunning,
    #[error("making an identifier for the change log")]
    Random(#[source] io::Error),
    /// A task of this process was cut off while it was reading or writing.
    #[error("the task that {0} ended without an answer")]
    TaskLost(&'static str),
}

impl StoreError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// True where writing may work later without anything being done to the files.
    pub fn passes(&self) -> bool {
        matches!(self, Self::DiskFull { .. } | Self::Io { .. })
    }

    /// The kind among the errors of the seams, which gives the stable code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { .. } | Self::DiskFull { .. } | Self::Random(_) | Self::TaskLost(_) => {
                ErrorKind::LocalStorage
            }
            Self::Locked { .. }
            | Self::AlreadyExists { .. }
            | Self::NotFound { .. }
            | Self::PullRunning
            | Self::UnknownConsumer { .. } => ErrorKind::Configuration,
            Self::UnknownFormat { .. }
            | Self::Damaged(_)
            | Self::SegmentMissing { .. }
            | Self::ForeignSegment { .. }
            | Self::Consumers { .. } => ErrorKind::LocalCorrupt,
            Self::PositionGone { .. } | Self::PositionIncomparable { .. } | Self::SequenceAhead { .. } => {
                ErrorKind::PositionPurged
            }
            Self::OutOfOrder { .. } | Self::RecordTooLarge { .. } => ErrorKind::Other,
        }
    }

    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } | Self::Random(_) => "check the disk and the permissions of --home",
            Self::DiskFull { .. } => "make room on the disk of --home; the pull goes on by itself",
            Self::Locked { .. } | Self::PullRunning => {
                "stop the other process that uses this --home and --name"
            }
            Self::AlreadyExists { .. } => "resume the task, or choose another --name",
            Self::NotFound { .. } => "check --home and --name; a task that never ran has no change log",
            Self::UnknownFormat { .. } => "use the program version that wrote it, or a newer one",
            Self::Damaged(_) | Self::SegmentMissing { .. } => {
                "put back a copy of the file; without one, start the task anew with another --name"
            }
            Self::ForeignSegment { .. } => "move the file out of the directory",
            Self::PositionGone { .. } => "raise the change log's retention and start the task anew",
            Self::PositionIncomparable { .. } => "give a position of the server that was read",
            Self::SequenceAhead { .. } => "give a record that is there, or a position",
            Self::UnknownConsumer { .. } => "register the consumer first",
            Self::Consumers { .. } => "restore or remove the file",
            Self::OutOfOrder { .. } | Self::RecordTooLarge { .. } | Self::TaskLost(_) => {
                "the position is kept; run again to resume, and report the error if it comes back"
            }
        }
    }
}

/// The Store's errors as the errors of the seams, with code, policy and hint.
impl From<StoreError> for ConnectorError {
    fn from(error: StoreError) -> Self {
        let hint = error.hint();
        Self::new(error.kind(), "change log", "can't be used").with_hint(hint).with_source(error)
    }
}

//! The seams between components and databases: few traits, each with a contract in its documentation.
//!
//! Components (`store`, `full-import`, `incr-sync`, `full-verification`) know databases only through these
//! traits. A connector implements them; `whimbrel` wires the two together. The `conformance` feature holds
//! the suite that every connector must pass.
//!
//! | trait | what for | file |
//! |---|---|---|
//! | [`Source`], [`Target`] | one endpoint of a migration: hands out the others | `endpoint.rs` |
//! | [`Catalog`] | schemas, settings, privileges, positions | `catalog.rs` |
//! | [`SnapshotReader`] | rows that are there, by key range | `snapshot.rs` |
//! | [`Digest`] | digest of a key range, computed by the server | `snapshot.rs` |
//! | [`Inspector`], [`KeyTrial`] | questions about data before it is moved | `inspect.rs` |
//! | [`LogReader`] | transactions from a position on | `log.rs` |
//! | [`Writer`] | rows, changes, DDL and state into a target | `writer.rs` |
//! | [`AppliedPosition`] | how far the applying of changes is | `applied.rs` |
//!
//! Rows that a target doesn't take (now) are kept in the task's state in one format for all components:
//! [`DeferredRow`] (`deferred.rs`) and [`ParkedRow`] (`parked.rs`), both made of the frames of `image.rs`.

pub mod ability;
pub mod applied;
pub mod catalog;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod deferred;
pub mod endpoint;
pub mod error;
pub mod fail_point;
pub mod image;
pub mod inspect;
pub mod log;
pub mod mutation;
pub mod parked;
pub mod plan;
pub mod retry;
pub mod snapshot;
pub mod text;
pub mod writer;

pub use ability::{Abilities, Ability};
pub use applied::AppliedPosition;
pub use catalog::{
    AccountCatalogue, Catalog, Finding, Flavor, ObjectCatalogue, ServerInfo, Severity, TableEstimate,
    TableKind, TableSummary, UnreadObjects,
};
pub use deferred::DeferredRow;
pub use endpoint::{Correction, Source, Target};
pub use error::{ConnectorError, ErrorKind, Policy};
pub use fail_point::FailPoint;
pub use image::{ImageColumn, ImageError, RowOwner};
pub use inspect::{Inspector, KeyTrial};
pub use log::{LogReader, LogStart, TableFilter};
pub use mutation::Mutation;
pub use parked::{ParkedRow, ParkedState, RefusedOp};
pub use plan::{ColumnMap, PlanError, TablePlan, UniqueKey};
pub use retry::Backoff;
pub use snapshot::{Digest, KeyBound, KeyRange, RangeDigest, SnapshotReader};
pub use writer::{InsertMode, Pressure, StateEntry, StateKey, Writer};

/// What every seam returns.
pub type Result<T, E = ConnectorError> = std::result::Result<T, E>;

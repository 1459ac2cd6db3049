//! Persistent change log in one unified format.
//!
//! A Store is a directory of append-only segment files that hold the records of a source's log
//! ([`whimbrel_model::LogRecord`]) in order, together with the table definitions that they need. A
//! [`Puller`] fills it from a `LogReader`; any number of [`StoreReader`]s read it, from the start, a record,
//! a position or a time on, in this process or, through [`protocol`], in another.
//!
//! What it guarantees:
//!
//! - Readers get durable records only, in the source's order, each exactly once per reader; a batch of rows
//!   always comes with the table definition of its moment.
//! - After a crash the Store holds a prefix of what was appended that contains all that was durable. What
//!   can't be read is an error or, at the very end, cut off; never wrong data.
//! - A transaction is never assembled: memory is bounded by the options, whatever its size.
//! - Retention removes whole files, the oldest first, and never what a registered consumer still needs.
//! - A full disk stops the pull, keeps what is there, and lets the pull go on when there is room.
//! - One writer at a time, by a lock on the directory.
//!
//! What it doesn't do: it knows no database, applies nothing, and doesn't decide what a consumer's position
//! is: a consumer keeps that with its data and tells the Store only what it no longer needs.
//!
//! | file | what for |
//! |---|---|
//! | `store.rs` | [`Store`]: create, open, readers, consumers |
//! | `writer.rs`, `active.rs`, `pack.rs` | appending records, making them durable |
//! | `pull.rs` | [`Puller`] |
//! | `reader.rs`, `cursor.rs`, `seek.rs`, `scan.rs` | reading, finding the place to begin |
//! | `format.rs`, `record.rs`, `decode.rs`, `segment.rs` | byte layout |
//! | `recover.rs` | opening after a crash |
//! | `consumers.rs`, `shared.rs` | registered consumers, retention |
//! | `protocol/` | serving a Store over a socket |
//! | `inspect.rs` | listing, checking and printing for people |
//! | `fs.rs`, `blocking.rs` | the file system, and where blocking work is done; both replaceable in tests |

mod active;
mod blocking;
mod catalogue;
mod consumers;
mod cursor;
mod decode;
mod error;
mod format;
pub mod fs;
pub mod inspect;
mod options;
mod pack;
pub mod protocol;
mod pull;
mod reader;
mod record;
mod recover;
mod scan;
mod seek;
mod segment;
mod sequence;
mod shared;
mod store;
mod writer;

pub use blocking::BlockingWork;
pub use error::{Damage, StoreError};
pub use format::VERSION as FORMAT_VERSION;
pub use options::{Compression, Retention, StoreOptions};
pub use pull::{PullError, PullStatus, Puller, StoreState};
pub use reader::StoreReader;
pub use recover::Recovery;
pub use seek::StartAt;
pub use sequence::{Sequence, StoreItem};
pub use shared::Trimmed;
pub use store::{Store, StoreSize};
pub use writer::{ResumePoint, StoreWriter};

//! Reading a server's binary log as a stream of transactions.
//!
//! What it is for: [`BinlogReader`] is the connector's `LogReader`. It asks a server for its log from a position
//! on, reads events with [`crate::binlog`], follows definitions ([`schema_history`]) and hands out transactions.
//!
//! What it guarantees:
//! - Nothing is skipped: what can't be decoded, changes that the log holds as statements, and definitions that
//!   can't be followed stop it with an error that names the place.
//! - A lost connection is made again from the end of the last whole transaction; one that was cut is taken back
//!   with `Abort` and comes again.
//! - Positions are those behind whole transactions, with file, offset and GTIDs.
//!
//! XA transactions: the log has the changes where they are prepared, and they count where they are committed.
//! They wait in memory, up to a limit. With MySQL's GTIDs a position leaves out the GTIDs of transactions that
//! are prepared only, so a reader that starts there gets them again, and nothing else twice. Where a commit comes
//! whose prepare was before the start (a position without GTIDs, MariaDB's GTIDs, which have no holes, or one
//! that was taken in between), the reader looks for it in the log files that are still there, backwards.
//!
//! What it does not do: rows of filtered tables aren't decoded; a statement that changes only tables outside of
//! the filter is passed over, even where a trigger of theirs would change others.

mod config;
mod error;
mod reader;
pub mod schema_history;
mod session;
mod statement;
mod translator;
mod xa;

pub use config::{LinkState, ReaderConfig, StartBy, StateCallback};
pub use error::LogError;
pub use reader::BinlogReader;

use whimbrel_model::{BinlogPosition, LogRecord};

use crate::binlog::{Checksum, Decoder, FileEvents, Limits};
use schema_history::SchemaHistory;

/// Reads a log file's content as the reader would read it from the server, and hands out its records. For tests
/// and tools.
///
/// # Errors
/// As the reader's. Records of transactions before the error have been handed out.
pub fn read_file(
    content: &[u8],
    name: &str,
    history: SchemaHistory,
    each: &mut dyn FnMut(LogRecord),
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut decoder = Decoder::new(Limits::default(), Checksum::None);
    decoder.set_position(name, 4);
    let start = BinlogPosition {
        server: String::new(),
        file: name.to_owned(),
        offset: 4,
        gtids: whimbrel_model::GtidState::None,
    };
    let mut translator = translator::Translator::new(decoder, history, start, config::XA_BYTES);
    for event in FileEvents::new(content)? {
        translator.feed(event?)?;
        loop {
            while let Some(record) = translator.take_record() {
                each(record);
            }
            if translator.missing_xa().is_some() {
                return Err(translator.missing_xa_error().into());
            }
            if !translator.feed_inner()? {
                break;
            }
        }
    }
    Ok(())
}

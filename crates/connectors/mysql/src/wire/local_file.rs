//! Rows that a server loads from this side: the answer to its request for a local file.
//!
//! ```text
//! server:  1 0xfb   s name of the file
//! client:  n bytes of the file, in any number of packets, then an empty packet
//! server:  OK or ERR, as to any statement
//! ```
//!
//! The request is the server's to make at any moment, also to a statement that loads nothing, and a hostile server
//! names files that it would like to have. So the name is not even read: what is sent is the [`LocalFile`] that the
//! caller gave with the command, once, at the statement that the caller said it is for. Every other request is refused
//! ([`WireError::LocalInfile`]).

use super::connection::{COM_QUERY, Connection};
use super::error::{StatementError, WireError};
use super::packet::{self, OkInfo};

/// Most bytes of a packet of the file. A server whose `max_allowed_packet` is smaller takes none.
pub const FILE_PART: usize = 256 << 10;

/// What a server gets that asks for a file.
#[derive(Clone, Copy, Debug)]
pub struct LocalFile<'a> {
    /// Index of the statement that loads it, in its command.
    pub statement: usize,
    pub bytes: &'a [u8],
}

impl Connection {
    /// As [`execute_multi`](Self::execute_multi), with a statement among them that loads `file` (`LOAD DATA LOCAL`);
    /// the session needs [`ConnectOptions::local_files`](super::ConnectOptions::local_files).
    pub async fn execute_multi_with(
        &mut self,
        sql: impl AsRef<[u8]>,
        file: LocalFile<'_>,
    ) -> Result<Vec<OkInfo>, StatementError> {
        let mut done = Vec::new();
        if let Err(source) = self.begin() {
            return Err(StatementError { index: 0, done, source });
        }
        let outcome = self.run_with(sql.as_ref(), file, &mut done).await;
        match self.settle(outcome) {
            Ok(()) => Ok(done),
            Err(source) => Err(StatementError { index: done.len(), done, source }),
        }
    }

    async fn run_with(
        &mut self,
        sql: &[u8],
        file: LocalFile<'_>,
        done: &mut Vec<OkInfo>,
    ) -> Result<(), WireError> {
        self.framing.send(&[COM_QUERY], sql).await?;
        loop {
            let mut span = self.framing.packet().await?;
            let asks = self.framing.bytes(span).first() == Some(&packet::LOCAL_INFILE);
            if asks && done.len() == file.statement {
                self.send_file(file.bytes).await?;
                span = self.framing.packet().await?;
            }
            let head = self.head_of(span).await?;
            let ok = self.read_rest(head).await?;
            let more = ok.status.more_results();
            done.push(ok);
            if !more {
                return Ok(());
            }
        }
    }

    async fn send_file(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        for part in bytes.chunks(FILE_PART) {
            self.framing.queue(&[], part).await?;
        }
        self.framing.send(&[], &[]).await
    }
}

//! The header that every event begins with (format 4), and the numbers of event types.
//!
//! ```text
//! 4 timestamp, seconds   1 type   4 server id   4 length with header and checksum
//! 4 offset of the next event (0 in an artificial event; the low half of it in files over 4 GiB)   2 flags
//! ```

use super::bytes::{Bytes, Truncated};

/// Bytes of a header.
pub const HEADER_LEN: usize = 19;

/// The numbers of event types: MySQL's `Log_event_type` to 9.7, MariaDB's from 160.
#[allow(missing_docs)]
pub mod kind {
    pub const START_V3: u8 = 1;
    pub const QUERY: u8 = 2;
    pub const STOP: u8 = 3;
    pub const ROTATE: u8 = 4;
    pub const INTVAR: u8 = 5;
    pub const LOAD: u8 = 6;
    pub const CREATE_FILE: u8 = 8;
    pub const APPEND_BLOCK: u8 = 9;
    pub const EXEC_LOAD: u8 = 10;
    pub const DELETE_FILE: u8 = 11;
    pub const NEW_LOAD: u8 = 12;
    pub const RAND: u8 = 13;
    pub const USER_VAR: u8 = 14;
    pub const FORMAT_DESCRIPTION: u8 = 15;
    pub const XID: u8 = 16;
    pub const BEGIN_LOAD_QUERY: u8 = 17;
    pub const EXECUTE_LOAD_QUERY: u8 = 18;
    pub const TABLE_MAP: u8 = 19;
    pub const WRITE_ROWS_V0: u8 = 20;
    pub const UPDATE_ROWS_V0: u8 = 21;
    pub const DELETE_ROWS_V0: u8 = 22;
    pub const WRITE_ROWS_V1: u8 = 23;
    pub const UPDATE_ROWS_V1: u8 = 24;
    pub const DELETE_ROWS_V1: u8 = 25;
    pub const INCIDENT: u8 = 26;
    pub const HEARTBEAT: u8 = 27;
    pub const IGNORABLE: u8 = 28;
    pub const ROWS_QUERY: u8 = 29;
    pub const WRITE_ROWS_V2: u8 = 30;
    pub const UPDATE_ROWS_V2: u8 = 31;
    pub const DELETE_ROWS_V2: u8 = 32;
    pub const GTID: u8 = 33;
    pub const ANONYMOUS_GTID: u8 = 34;
    pub const PREVIOUS_GTIDS: u8 = 35;
    pub const TRANSACTION_CONTEXT: u8 = 36;
    pub const VIEW_CHANGE: u8 = 37;
    pub const XA_PREPARE: u8 = 38;
    pub const PARTIAL_UPDATE_ROWS: u8 = 39;
    pub const TRANSACTION_PAYLOAD: u8 = 40;
    pub const HEARTBEAT_V2: u8 = 41;
    pub const GTID_TAGGED: u8 = 42;
    pub const ANNOTATE_ROWS: u8 = 160;
    pub const BINLOG_CHECKPOINT: u8 = 161;
    pub const MARIADB_GTID: u8 = 162;
    pub const GTID_LIST: u8 = 163;
    pub const START_ENCRYPTION: u8 = 164;
    pub const QUERY_COMPRESSED: u8 = 165;
    pub const WRITE_ROWS_COMPRESSED_V1: u8 = 166;
    pub const UPDATE_ROWS_COMPRESSED_V1: u8 = 167;
    pub const DELETE_ROWS_COMPRESSED_V1: u8 = 168;
    pub const WRITE_ROWS_COMPRESSED: u8 = 169;
    pub const UPDATE_ROWS_COMPRESSED: u8 = 170;
    pub const DELETE_ROWS_COMPRESSED: u8 = 171;
}

/// The file was not closed when the event was read; not part of the checksum of a format description.
pub(crate) const FLAG_IN_USE: u16 = 0x01;
/// Made by the server for this connection; not in the file.
pub(crate) const FLAG_ARTIFICIAL: u16 = 0x20;
/// May be passed over by who doesn't know its type.
pub(crate) const FLAG_IGNORABLE: u16 = 0x80;

/// An event's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventHeader {
    /// Seconds since 1970 at the source when the statement began; 0 in artificial events.
    pub timestamp: u32,
    /// One of [`kind`].
    pub event_type: u8,
    /// Where the event was first written.
    pub server_id: u32,
    /// Bytes of the event with header and checksum.
    pub length: u32,
    /// Low 32 bits of the offset of the next event in the file; 0 where the event is in no file, and within
    /// transactions of MariaDB from 11.7 on.
    pub log_pos: u32,
    pub flags: u16,
}

impl EventHeader {
    pub(crate) fn read(bytes: &mut Bytes<'_>) -> Result<Self, Truncated> {
        Ok(Self {
            timestamp: bytes.u32("event header")?,
            event_type: bytes.u8("event header")?,
            server_id: bytes.u32("event header")?,
            length: bytes.u32("event header")?,
            log_pos: bytes.u32("event header")?,
            flags: bytes.u16("event header")?,
        })
    }

    /// True where the event is in no file: made by the server for this connection. Descriptions of a file's
    /// format that are sent again at the start of a dump have no flag but no offset either.
    pub fn is_artificial(&self) -> bool {
        let describes = matches!(
            self.event_type,
            kind::FORMAT_DESCRIPTION | kind::ROTATE | kind::GTID_LIST | kind::START_ENCRYPTION
        );
        self.flags & FLAG_ARTIFICIAL != 0 || self.log_pos == 0 && describes
    }
}

/// Cuts a binlog file's content into events.
///
/// Yields the bytes of each event. A file that ends within an event (the server died, or is writing) ends
/// with an error that holds the offset.
pub struct FileEvents<'a> {
    file: &'a [u8],
    offset: usize,
}

/// Why a file's content can't be cut into events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    #[error("the file does not begin with the four bytes of a binlog")]
    NotABinlog,
    #[error("the file is encrypted")]
    Encrypted,
    #[error("the file ends within the event at offset {0}")]
    EndsWithin(usize),
}

impl<'a> FileEvents<'a> {
    /// # Errors
    /// Bytes that don't begin with `0xfe 'b' 'i' 'n'`.
    pub fn new(file: &'a [u8]) -> Result<Self, FileError> {
        match file {
            [0xfe, b'b', b'i', b'n', ..] => Ok(Self { file, offset: 4 }),
            [0xfd, b'b', b'i', b'n', ..] => Err(FileError::Encrypted),
            _ => Err(FileError::NotABinlog),
        }
    }
}

impl<'a> Iterator for FileEvents<'a> {
    type Item = Result<&'a [u8], FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.file.get(self.offset..).filter(|rest| !rest.is_empty())?;
        let failed = FileError::EndsWithin(self.offset);
        let event = EventHeader::read(&mut Bytes::new(rest))
            .ok()
            .map(|header| header.length as usize)
            .filter(|length| *length >= HEADER_LEN)
            .and_then(|length| rest.get(..length));
        // After damage there is no telling where the next event begins.
        self.offset = event.map_or(self.file.len(), |event| self.offset + event.len());
        Some(event.ok_or(failed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_at_the_lengths_in_the_headers() {
        let mut file = b"\xfebin".to_vec();
        for body in [&b"abc"[..], b""] {
            file.extend_from_slice(&[0; 9]);
            file.extend_from_slice(&((HEADER_LEN + body.len()) as u32).to_le_bytes());
            file.extend_from_slice(&[0; 6]);
            file.extend_from_slice(body);
        }
        let lengths: Vec<usize> = FileEvents::new(&file).unwrap().map(|event| event.unwrap().len()).collect();
        assert_eq!(lengths, [22, 19]);
        file.pop();
        assert_eq!(FileEvents::new(&file).unwrap().last(), Some(Err(FileError::EndsWithin(26))));
        assert_eq!(FileEvents::new(b"PK").err(), Some(FileError::NotABinlog));
    }
}

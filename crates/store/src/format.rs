//! Byte layout of segment files: what is outside the records.
//!
//! All numbers are little endian. A segment file is a header, blocks, and, once it is full, an index block
//! with a trailer. A block's payload is records one after another ([`crate::record`]) and then, in one piece, the
//! values of their rows: short records between long values would make the compressor slow.
//!
//! Segment header, 64 bytes, written once, with the first block, before the file gets its name:
//!
//! ```text
//!  0  8  magic "WHIMSEG\0"
//!  8  4  format version: 2, or 1 (begins, rows and commits are records of other kinds, with the values in the
//!        rows; a file that was begun so is written on so)
//! 12  4  zero
//! 16 16  store id (random, the same in all files of a Store)
//! 32  8  first sequence: no record of this file has a lower one
//! 40  8  previous end: the sequence after the last record of the file before, 0 in the very first file
//! 48  8  created, microseconds since 1970
//! 56  4  zero
//! 60  4  crc32 of bytes 0..60
//! ```
//!
//! Block, 56 bytes of header and then the stored payload:
//!
//! ```text
//!  0  4  magic "WBLK"
//!  4  4  stored length of the payload
//!  8  4  plain length of the payload
//! 12  1  codec: 0 stored as it is, 1 zstd
//! 13  1  flags: 1 begins with an anchor, 2 defines or changes table versions, 4 has a begin, commit, abort
//!        or heartbeat, 8 ends within a transaction, 16 is the index (the last block of a full file)
//! 14  2  zero
//! 16  8  first sequence
//! 24  4  number of records that have a sequence
//! 28  4  crc32 of the stored payload
//! 32  8  the latest commit time up to the end of this block, microseconds since 1970
//! 40  8  synced: as many bytes of this file were on disk for certain when this block was made
//! 48  4  how many of the payload's plain bytes, its last ones, are values (0 in version 1)
//! 52  4  crc32 of bytes 0..52
//! ```
//!
//! `synced` is what tells a torn tail from a damaged middle: a bad block that a later block calls synced was
//! whole once.
//!
//! Trailer, the last 16 bytes of a full file:
//!
//! ```text
//!  0  8  offset of the index block
//!  8  4  magic "WEND"
//! 12  4  crc32 of bytes 0..12
//! ```

/// The newest format version, which new files get.
pub const VERSION: u32 = 2;
/// The oldest format version that is read.
const OLDEST_VERSION: u32 = 1;
/// The first format version with values behind the records, and differences.
pub(crate) const COMPACT_SINCE: u32 = 2;
pub(crate) const SEGMENT_HEADER: usize = 64;
pub(crate) const BLOCK_HEADER: usize = 56;
pub(crate) const TRAILER: usize = 16;
pub(crate) const BLOCK_MAGIC: [u8; 4] = *b"WBLK";
const SEGMENT_MAGIC: [u8; 8] = *b"WHIMSEG\0";
const TRAILER_MAGIC: [u8; 4] = *b"WEND";
/// The largest payload of a block, stored or plain: it must fit the length fields with room for zstd's own.
pub(crate) const MAX_PAYLOAD: u64 = 0xf000_0000;

pub(crate) mod flags {
    pub const ANCHOR: u8 = 1;
    pub const SCHEMA: u8 = 2;
    pub const BOUNDARY: u8 = 4;
    pub const OPEN: u8 = 8;
    pub const INDEX: u8 = 16;
}

/// Takes an array from the front of `input`.
pub(crate) fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = input.split_first_chunk::<N>()?;
    *input = rest;
    Some(*head)
}

pub(crate) fn take_u8(input: &mut &[u8]) -> Option<u8> {
    take::<1>(input).map(|[byte]| byte)
}

pub(crate) fn take_u32(input: &mut &[u8]) -> Option<u32> {
    take(input).map(u32::from_le_bytes)
}

pub(crate) fn take_u64(input: &mut &[u8]) -> Option<u64> {
    take(input).map(u64::from_le_bytes)
}

/// Takes `len` bytes from the front of `input`.
pub(crate) fn take_bytes<'a>(input: &mut &'a [u8], len: u64) -> Option<&'a [u8]> {
    let (head, rest) = input.split_at_checked(usize::try_from(len).ok()?)?;
    *input = rest;
    Some(head)
}

/// True where the last four bytes are the crc32 of those before.
fn crc_holds(bytes: &[u8]) -> bool {
    bytes.split_last_chunk::<4>().is_some_and(|(body, crc)| crc32fast::hash(body) == u32::from_le_bytes(*crc))
}

fn append_crc(out: &mut Vec<u8>, from: usize) {
    let crc = crc32fast::hash(out.get(from..).unwrap_or_default());
    out.extend_from_slice(&crc.to_le_bytes());
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub version: u32,
    pub store_id: [u8; 16],
    pub first_sequence: u64,
    pub previous_end: u64,
    pub created_us: u64,
}

/// Why the first bytes of a file are no segment header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    Damaged(&'static str),
    Version(u32),
}

impl SegmentHeader {
    pub fn write(&self, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend_from_slice(&SEGMENT_MAGIC);
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.store_id);
        out.extend_from_slice(&self.first_sequence.to_le_bytes());
        out.extend_from_slice(&self.previous_end.to_le_bytes());
        out.extend_from_slice(&self.created_us.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        append_crc(out, from);
    }

    pub fn read(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let fault = HeaderFault::Damaged;
        let bytes = bytes.get(..SEGMENT_HEADER).ok_or(fault("the file header is cut short"))?;
        let mut input = bytes;
        let mut fields = || {
            let magic: [u8; 8] = take(&mut input)?;
            let version = take_u32(&mut input)?;
            take_u32(&mut input)?;
            let store_id = take(&mut input)?;
            let first_sequence = take_u64(&mut input)?;
            let previous_end = take_u64(&mut input)?;
            let created_us = take_u64(&mut input)?;
            Some((magic, Self { version, store_id, first_sequence, previous_end, created_us }))
        };
        let (magic, header) = fields().ok_or(fault("the file header is cut short"))?;
        if magic != SEGMENT_MAGIC {
            return Err(fault("the file doesn't begin as a segment file"));
        }
        if !crc_holds(bytes) {
            return Err(fault("checksum of the file header"));
        }
        if !(OLDEST_VERSION..=VERSION).contains(&header.version) {
            return Err(HeaderFault::Version(header.version));
        }
        Ok(header)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockHeader {
    pub stored_len: u32,
    pub plain_len: u32,
    pub values_len: u32,
    pub codec: u8,
    pub flags: u8,
    pub first_sequence: u64,
    pub count: u32,
    pub payload_crc: u32,
    pub max_time_us: u64,
    pub synced: u64,
}

impl BlockHeader {
    pub fn write(&self, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend_from_slice(&BLOCK_MAGIC);
        out.extend_from_slice(&self.stored_len.to_le_bytes());
        out.extend_from_slice(&self.plain_len.to_le_bytes());
        out.extend_from_slice(&[self.codec, self.flags, 0, 0]);
        out.extend_from_slice(&self.first_sequence.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.payload_crc.to_le_bytes());
        out.extend_from_slice(&self.max_time_us.to_le_bytes());
        out.extend_from_slice(&self.synced.to_le_bytes());
        out.extend_from_slice(&self.values_len.to_le_bytes());
        append_crc(out, from);
    }

    pub fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let bytes = bytes.get(..BLOCK_HEADER).ok_or("a block header is cut short")?;
        let mut input = bytes;
        let mut fields = || {
            let magic: [u8; 4] = take(&mut input)?;
            let stored_len = take_u32(&mut input)?;
            let plain_len = take_u32(&mut input)?;
            let [codec, flags, _, _] = take(&mut input)?;
            let first_sequence = take_u64(&mut input)?;
            let count = take_u32(&mut input)?;
            let payload_crc = take_u32(&mut input)?;
            let max_time_us = take_u64(&mut input)?;
            let synced = take_u64(&mut input)?;
            let values_len = take_u32(&mut input)?;
            let header = Self {
                stored_len,
                plain_len,
                values_len,
                codec,
                flags,
                first_sequence,
                count,
                payload_crc,
                max_time_us,
                synced,
            };
            Some((magic, header))
        };
        let (magic, header) = fields().ok_or("a block header is cut short")?;
        if magic != BLOCK_MAGIC {
            return Err("no block begins here");
        }
        if !crc_holds(bytes) {
            return Err("checksum of a block header");
        }
        if u64::from(header.plain_len) > MAX_PAYLOAD || u64::from(header.stored_len) > MAX_PAYLOAD {
            return Err("length of a block");
        }
        if header.values_len > header.plain_len {
            return Err("length of a block's values");
        }
        Ok(header)
    }

    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Header and payload together.
    pub fn total_len(&self) -> u64 {
        BLOCK_HEADER as u64 + u64::from(self.stored_len)
    }

    /// The sequence after this block's last record.
    pub fn end_sequence(&self) -> u64 {
        self.first_sequence.saturating_add(u64::from(self.count))
    }
}

pub(crate) fn write_trailer(out: &mut Vec<u8>, index_offset: u64) {
    let from = out.len();
    out.extend_from_slice(&index_offset.to_le_bytes());
    out.extend_from_slice(&TRAILER_MAGIC);
    append_crc(out, from);
}

/// The offset of the index block, if these are a trailer's bytes.
pub(crate) fn read_trailer(bytes: &[u8; TRAILER]) -> Option<u64> {
    let mut input = bytes.as_slice();
    let offset = take_u64(&mut input)?;
    let magic: [u8; 4] = take(&mut input)?;
    (magic == TRAILER_MAGIC && crc_holds(bytes)).then_some(offset)
}

/// The name of the segment file whose first sequence is given.
pub(crate) fn segment_name(first_sequence: u64) -> String {
    format!("{first_sequence:020}.wseg")
}

/// The first sequence in a segment file's name, `None` for other files.
pub(crate) fn parse_segment_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wseg")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// The plain payload of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Payload<'a> {
    pub records: &'a [u8],
    /// The values of the records' rows, in order.
    pub values: &'a [u8],
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> BlockHeader {
        BlockHeader {
            stored_len: 5,
            plain_len: 5,
            values_len: 2,
            codec: 0,
            flags: flags::BOUNDARY,
            first_sequence: 42,
            count: 3,
            payload_crc: crc32fast::hash(b"hello"),
            max_time_us: 7,
            synced: 64,
        }
    }

    #[test]
    fn headers_read_back_and_every_flipped_bit_is_noticed() {
        let segment = SegmentHeader {
            version: VERSION,
            store_id: [9; 16],
            first_sequence: 42,
            previous_end: 40,
            created_us: 1,
        };
        let mut bytes = Vec::new();
        segment.write(&mut bytes);
        assert_eq!(bytes.len(), SEGMENT_HEADER);
        assert_eq!(SegmentHeader::read(&bytes), Ok(segment));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::read(&damaged).is_err(), "bit {bit}");
        }
        let mut bytes = Vec::new();
        block().write(&mut bytes);
        assert_eq!(bytes.len(), BLOCK_HEADER);
        assert_eq!(BlockHeader::read(&bytes), Ok(block()));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(BlockHeader::read(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_format_is_named_and_not_called_damaged() {
        let mut bytes = Vec::new();
        let version = VERSION + 1;
        SegmentHeader { version, store_id: [0; 16], first_sequence: 1, previous_end: 0, created_us: 0 }
            .write(&mut bytes);
        assert_eq!(SegmentHeader::read(&bytes), Err(HeaderFault::Version(version)));
    }

    #[test]
    fn values_longer_than_the_payload_are_refused() {
        let mut bytes = Vec::new();
        BlockHeader { values_len: 6, ..block() }.write(&mut bytes);
        assert_eq!(BlockHeader::read(&bytes), Err("length of a block's values"));
    }

    #[test]
    fn file_names_carry_the_first_sequence() {
        assert_eq!(segment_name(42), "00000000000000000042.wseg");
        assert_eq!(parse_segment_name(&segment_name(u64::MAX)), Some(u64::MAX));
        for other in ["42.wseg", "00000000000000000042.wseg.tmp", "0000000000000000004x.wseg", "lock"] {
            assert_eq!(parse_segment_name(other), None, "{other}");
        }
    }
}

//! What servers compress: whole transactions (MySQL, zstd), statements, row events and columns (MariaDB, zlib).
//!
//! TRANSACTION_PAYLOAD (MySQL 8.0.20), fields of lenenc type, lenenc length, value:
//! ```text
//! 2 compression (0 zstd, 255 none)   3 bytes when unpacked   1 bytes of the payload; then 0 and the payload itself
//! ```
//! The payload is a run of events without checksums, in one zstd frame or several.
//!
//! MariaDB's compressed events: `1 0x80 | algorithm (0) << 4 | n   n length when unpacked, big endian   zlib stream`.
//! Compressed columns: nothing for an empty value, else `1 method << 4 | raw << 3 | n   n length, big endian
//! zlib stream, or where raw is set a deflate stream` with method 8, or method 0 and the value itself.

use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer};

use super::bytes::Bytes;
use super::error::{CellError, EventError};
use super::header::{EventHeader, HEADER_LEN};

/// A compressed transaction, not unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionPayload<'a> {
    pub compression: PayloadCompression,
    /// Bytes of all its events together, as the server says.
    pub uncompressed_len: u64,
    pub data: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadCompression {
    Zstd,
    None,
}

impl<'a> TransactionPayload<'a> {
    pub(crate) fn read(body: &mut Bytes<'a>) -> Result<Self, EventError> {
        let (mut compression, mut uncompressed_len, mut size) = (None, None, None);
        loop {
            let field = body.lenenc("payload field")?;
            if field == 0 {
                break;
            }
            let mut value = Bytes::new(body.lenenc_bytes("payload field")?);
            match field {
                1 => size = Some(value.lenenc("payload size")?),
                2 => {
                    compression = Some(match value.lenenc("payload compression")? {
                        0 => PayloadCompression::Zstd,
                        255 => PayloadCompression::None,
                        other => return Err(EventError::Compression(other)),
                    });
                }
                3 => uncompressed_len = Some(value.lenenc("payload size")?),
                // Later servers may add fields; none may change what the known ones mean.
                _ => {}
            }
        }
        let data = body.take(body.len(), "payload")?;
        if size != Some(data.len() as u64) {
            return Err(EventError::Invalid("payload doesn't fill its event"));
        }
        let compression = compression.ok_or(EventError::Invalid("payload without compression type"))?;
        Ok(Self { compression, uncompressed_len: uncompressed_len.unwrap_or(data.len() as u64), data })
    }
}

/// Unpacks a compressed transaction event by event; holds the compressed bytes and the event at hand.
pub struct PayloadStream {
    compressed: Vec<u8>,
    taken: usize,
    decoder: Option<ZstdDecoder<'static>>,
    /// Unpacked and not yet handed out: `ready[start..]`.
    ready: Vec<u8>,
    start: usize,
    produced: u64,
    expected: u64,
    limit: u64,
}

/// Bytes unpacked at once.
const STEP: usize = 64 << 10;

impl PayloadStream {
    /// # Errors
    /// A payload that says it is larger than `limit` bytes when unpacked; zstd failing to start.
    pub fn new(payload: &TransactionPayload<'_>, limit: u64) -> Result<Self, EventError> {
        if payload.uncompressed_len > limit {
            return Err(EventError::TooLarge { what: "unpacked transaction", limit });
        }
        let decoder = match payload.compression {
            PayloadCompression::Zstd => Some(ZstdDecoder::new().map_err(EventError::Decompress)?),
            PayloadCompression::None => None,
        };
        Ok(Self {
            compressed: payload.data.to_vec(),
            taken: 0,
            decoder,
            ready: Vec::new(),
            start: 0,
            produced: 0,
            expected: payload.uncompressed_len,
            limit,
        })
    }

    /// The next event, header included and without checksum; `None` at the end.
    ///
    /// # Errors
    /// Damaged data, more data than stated or allowed, an event that the data ends within.
    pub fn next_event(&mut self) -> Result<Option<&[u8]>, EventError> {
        if !self.fill(HEADER_LEN)? {
            if self.start < self.ready.len() {
                return Err(EventError::Invalid("payload ends within an event"));
            }
            if self.produced != self.expected {
                return Err(EventError::Invalid("payload has another length than stated"));
            }
            return Ok(None);
        }
        let header = EventHeader::read(&mut Bytes::new(self.ready.get(self.start..).unwrap_or_default()))?;
        let length = header.length as usize;
        if length < HEADER_LEN {
            return Err(EventError::Length { stated: header.length, actual: HEADER_LEN });
        }
        if !self.fill(length)? {
            return Err(EventError::Invalid("payload ends within an event"));
        }
        let event = self.start..self.start + length;
        self.start = event.end;
        Ok(self.ready.get(event))
    }

    /// Unpacks until `len` bytes are ready; false where the payload ends before.
    fn fill(&mut self, len: usize) -> Result<bool, EventError> {
        if self.ready.len() - self.start >= len {
            return Ok(true);
        }
        self.ready.drain(..self.start);
        self.start = 0;
        while self.ready.len() < len {
            let before = self.ready.len();
            let more = self.step()?;
            self.produced += (self.ready.len() - before) as u64;
            if self.produced > self.limit.min(self.expected) {
                return Err(EventError::TooLarge {
                    what: "unpacked transaction",
                    limit: self.limit.min(self.expected),
                });
            }
            if !more && self.ready.len() < len {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Unpacks a little more into `ready`; false where nothing more can come.
    fn step(&mut self) -> Result<bool, EventError> {
        let input = self.compressed.get(self.taken..).unwrap_or_default();
        let Some(decoder) = &mut self.decoder else {
            let (chunk, _) = input.split_at(input.len().min(STEP));
            self.ready.extend_from_slice(chunk);
            self.taken += chunk.len();
            return Ok(!chunk.is_empty());
        };
        let start = self.ready.len();
        self.ready.resize(start + STEP, 0);
        let (consumed, produced) = {
            let mut source = InBuffer::around(input);
            let mut sink = OutBuffer::around(self.ready.get_mut(start..).unwrap_or_default());
            decoder.run(&mut source, &mut sink).map_err(EventError::Decompress)?;
            (source.pos(), sink.pos())
        };
        self.ready.truncate(start + produced);
        self.taken += consumed;
        Ok(consumed > 0 || produced > 0)
    }
}

/// Unpacks a statement or the rows of a MariaDB compressed event.
pub(crate) fn unpack_event(packed: &[u8], limit: u64) -> Result<Vec<u8>, EventError> {
    let mut bytes = Bytes::new(packed);
    let head = bytes.u8("compression header")?;
    if head & 0x80 == 0 {
        return Err(EventError::Invalid("compressed event without compression header"));
    }
    if head >> 4 & 7 != 0 {
        return Err(EventError::Compression(u64::from(head >> 4 & 7)));
    }
    let len = bytes.big(usize::from(head & 7), "unpacked length")?;
    if len > limit {
        return Err(EventError::TooLarge { what: "unpacked event", limit });
    }
    inflate(bytes.rest(), len as usize, true).map_err(EventError::Decompress)
}

/// Appends the value of a MariaDB compressed column.
pub(crate) fn unpack_column(packed: &[u8], limit: u64, out: &mut Vec<u8>) -> Result<(), CellError> {
    let mut bytes = Bytes::new(packed);
    if bytes.is_empty() {
        return Ok(());
    }
    let head = bytes.u8("compression header")?;
    match head >> 4 {
        0 => out.extend_from_slice(bytes.rest()),
        8 => {
            let len = bytes.big(usize::from(head & 7), "unpacked length")?;
            if len > limit {
                return Err(CellError::TooLarge(limit));
            }
            let value = inflate(bytes.rest(), len as usize, head & 8 == 0).map_err(CellError::Compressed)?;
            out.extend_from_slice(&value);
        }
        _ => return Err(CellError::Invalid("compression method of a column is unknown")),
    }
    Ok(())
}

/// Inflates exactly `len` bytes; grows with what is there, so that a damaged length allocates nothing.
fn inflate(packed: &[u8], len: usize, wrapped: bool) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    if wrapped {
        let limit = len as u64 + 1;
        flate2::read::ZlibDecoder::new(packed).take(limit).read_to_end(&mut out)?;
    } else {
        let mut inflater = Decompress::new(false);
        out.reserve(len.min(packed.len().saturating_mul(1032)));
        let status = inflater.decompress_vec(packed, &mut out, FlushDecompress::Finish)?;
        if status != Status::StreamEnd {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
    }
    if out.len() == len { Ok(out) } else { Err(io::Error::from(io::ErrorKind::InvalidData)) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn event(len: usize) -> Vec<u8> {
        let mut event = vec![0xab; len];
        if let Some(length) = event.get_mut(9..13) {
            length.copy_from_slice(&(len as u32).to_le_bytes());
        }
        event
    }

    fn payload(compression: u8, data: &[u8], uncompressed: usize) -> Vec<u8> {
        let mut body = vec![2, 1, compression];
        if compression == 255 {
            body = vec![2, 3, 252, 255, 0];
        }
        for (field, value) in [(3u8, uncompressed), (1, data.len())] {
            body.extend_from_slice(&[field, 9, 254]);
            body.extend_from_slice(&(value as u64).to_le_bytes());
        }
        body.push(0);
        body.extend_from_slice(data);
        body
    }

    fn unpack(body: &[u8], limit: u64) -> Result<Vec<usize>, EventError> {
        let payload = TransactionPayload::read(&mut Bytes::new(body))?;
        let mut stream = PayloadStream::new(&payload, limit)?;
        let mut lengths = Vec::new();
        while let Some(event) = stream.next_event()? {
            lengths.push(event.len());
        }
        Ok(lengths)
    }

    #[test]
    fn a_transaction_is_unpacked_event_by_event() {
        let events = [event(19), event(300_000), event(40)].concat();
        let packed = zstd::bulk::compress(&events, 3).unwrap();
        for (compression, data) in [(0, &packed), (255, &events)] {
            let body = payload(compression, data, events.len());
            assert_eq!(unpack(&body, 1 << 20).unwrap(), [19, 300_000, 40]);
            assert!(matches!(unpack(&body, 1000), Err(EventError::TooLarge { .. })));
        }
    }

    #[test]
    fn a_damaged_or_lying_payload_is_an_error() {
        let events = [event(19), event(4000)].concat();
        let mut packed = zstd::bulk::compress(&events, 3).unwrap();
        let lying = payload(0, &packed, 100);
        assert!(matches!(unpack(&lying, 1 << 20), Err(EventError::TooLarge { .. })));
        let short = payload(0, &packed, events.len() + 1);
        assert!(unpack(&short, 1 << 20).is_err());
        packed.pop();
        assert!(unpack(&payload(0, &packed, events.len()), 1 << 20).is_err());
        assert!(unpack(&payload(0, b"nonsense", 8), 1 << 20).is_err());
        assert!(unpack(&payload(255, events.get(..100).unwrap(), 100), 1 << 20).is_err());
        assert!(matches!(
            TransactionPayload::read(&mut Bytes::new(&payload(7, &[], 0))),
            Err(EventError::Compression(7))
        ));
    }

    #[test]
    fn mariadb_values_inflate_with_and_without_zlib_header() {
        let text = vec![b'x'; 5000];
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        zlib.write_all(&text).unwrap();
        let zlib = zlib.finish().unwrap();
        let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        raw.write_all(&text).unwrap();
        let raw = raw.finish().unwrap();
        let length = [0x13, 0x88];
        assert_eq!(unpack_event(&[&[0x82][..], &length, &zlib].concat(), 1 << 20).unwrap(), text);
        assert!(unpack_event(&[&[0x82][..], &length, &zlib].concat(), 100).is_err());
        assert!(unpack_event(&[&[0x82][..], &[0x13, 0x87], &zlib].concat(), 1 << 20).is_err());
        for packed in [[&[0x82][..], &length, &zlib].concat(), [&[0x8a][..], &length, &raw].concat()] {
            let mut out = Vec::new();
            unpack_column(&packed, 1 << 20, &mut out).unwrap();
            assert_eq!(out, text);
        }
        let mut out = Vec::new();
        unpack_column(b"\0plain", 1 << 20, &mut out).unwrap();
        unpack_column(b"", 1 << 20, &mut out).unwrap();
        assert_eq!(out, b"plain");
        assert!(unpack_column(&[0x82, 0x13, 0x88, 1, 2], 1 << 20, &mut out).is_err());
    }
}

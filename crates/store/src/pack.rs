//! Making a block out of a payload, and back.

use crate::format::{BLOCK_HEADER, BlockHeader, Payload};
use crate::options::Compression;

/// Compresses payloads and puts the header before them.
pub(crate) struct Packer {
    compressor: Option<zstd::bulk::Compressor<'static>>,
    /// A payload in one piece.
    joined: Vec<u8>,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").field("compresses", &self.compressor.is_some()).finish()
    }
}

/// What a block's header says besides what follows from the payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockFacts {
    pub flags: u8,
    pub first_sequence: u64,
    pub count: u32,
    pub max_time_us: u64,
    pub synced: u64,
}

impl Packer {
    pub fn new(compression: Compression) -> Self {
        let compressor = match compression {
            Compression::None => None,
            // Without memory for a compressor blocks are stored as they are.
            Compression::Zstd(level) => zstd::bulk::Compressor::new(level).ok(),
        };
        Self { compressor, joined: Vec::new() }
    }

    /// Appends a block.
    pub fn pack(&mut self, payload: Payload<'_>, facts: BlockFacts, out: &mut Vec<u8>) {
        let Payload { records, values } = payload;
        let plain_len = records.len() + values.len();
        let header_at = out.len();
        let payload_at = header_at + BLOCK_HEADER;
        let joined = &mut self.joined;
        let packed = self.compressor.as_mut().and_then(|compressor| {
            joined.extend_from_slice(records);
            joined.extend_from_slice(values);
            out.resize(payload_at + zstd::zstd_safe::compress_bound(plain_len), 0);
            let len = compressor.compress_to_buffer(joined.as_slice(), out.get_mut(payload_at..)?).ok()?;
            (len < plain_len).then_some(len)
        });
        clear(joined);
        if let Some(len) = packed {
            out.truncate(payload_at + len);
        } else {
            out.resize(payload_at, 0);
            out.extend_from_slice(records);
            out.extend_from_slice(values);
        }
        let stored = out.get(payload_at..).unwrap_or_default();
        let length = |len: usize| u32::try_from(len).expect("the writer refuses payloads above 3.75 GiB");
        let header = BlockHeader {
            stored_len: length(stored.len()),
            plain_len: length(plain_len),
            values_len: length(values.len()),
            codec: u8::from(packed.is_some()),
            flags: facts.flags,
            first_sequence: facts.first_sequence,
            count: facts.count,
            payload_crc: crc32fast::hash(stored),
            max_time_us: facts.max_time_us,
            synced: facts.synced,
        };
        let mut bytes = Vec::with_capacity(BLOCK_HEADER);
        header.write(&mut bytes);
        if let Some(place) = out.get_mut(header_at..payload_at) {
            place.copy_from_slice(&bytes);
        }
    }
}

/// Takes payloads out of blocks.
#[derive(Default)]
pub(crate) struct Unpacker {
    decompressor: zstd::bulk::Decompressor<'static>,
    plain: Vec<u8>,
}

impl std::fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacker").finish_non_exhaustive()
    }
}

impl Unpacker {
    /// The payload of a block, whose checksum is checked.
    pub fn unpack<'a>(
        &'a mut self,
        header: &BlockHeader,
        stored: &'a [u8],
    ) -> Result<Payload<'a>, &'static str> {
        if crc32fast::hash(stored) != header.payload_crc {
            return Err("checksum of a block");
        }
        let plain = match header.codec {
            0 => stored,
            1 => {
                clear(&mut self.plain);
                self.plain.reserve_exact(header.plain_len as usize);
                self.decompressor
                    .decompress_to_buffer(stored, &mut self.plain)
                    .map_err(|_| "compressed data of a block")?;
                self.plain.as_slice()
            }
            _ => return Err("codec of a block"),
        };
        if plain.len() as u64 != u64::from(header.plain_len) {
            return Err("plain length of a block");
        }
        let records_len = plain.len().checked_sub(header.values_len as usize);
        let (records, values) = plain.split_at(records_len.ok_or("length of a block's values")?);
        Ok(Payload { records, values })
    }
}

/// Empties a buffer. One giant row must not keep its memory for ever.
pub(crate) fn clear(buffer: &mut Vec<u8>) {
    if buffer.capacity() > 16 << 20 {
        *buffer = Vec::new();
    }
    buffer.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_compressed_only_where_that_makes_it_smaller() {
        let facts = BlockFacts { flags: 0, first_sequence: 1, count: 1, max_time_us: 0, synced: 0 };
        for (plain, codec) in [(vec![7u8; 10_000], 1), (vec![1, 2, 3], 0), (vec![5, 6], 0)] {
            for compression in [Compression::Zstd(1), Compression::None] {
                let mut out = b"before".to_vec();
                let (records, values) = plain.split_at(plain.len() - 2);
                let payload = Payload { records, values };
                Packer::new(compression).pack(payload, facts, &mut out);
                let header = BlockHeader::read(&out[6..]).unwrap();
                assert_eq!(header.codec, if compression == Compression::None { 0 } else { codec });
                let stored = &out[6 + BLOCK_HEADER..];
                assert_eq!(Unpacker::default().unpack(&header, stored).unwrap(), payload);
            }
        }
    }

    #[test]
    fn a_payload_is_unpacked_only_if_it_is_whole() {
        let mut packed = Vec::new();
        let facts = BlockFacts { flags: 0, first_sequence: 1, count: 1, max_time_us: 0, synced: 0 };
        let payload = Payload { records: b"hel", values: b"lo" };
        Packer::new(Compression::None).pack(payload, facts, &mut packed);
        let header = BlockHeader::read(&packed).unwrap();
        let mut unpacker = Unpacker::default();
        assert_eq!(unpacker.unpack(&header, b"hello"), Ok(payload));
        assert!(unpacker.unpack(&header, b"hellO").is_err());
        for plain_len in [5, 200_000] {
            let bomb = zstd::bulk::compress(&[0; 100_000], 1).unwrap();
            let payload_crc = crc32fast::hash(&bomb);
            let header = BlockHeader { codec: 1, payload_crc, plain_len, ..header };
            assert!(unpacker.unpack(&header, &bomb).is_err());
        }
    }
}

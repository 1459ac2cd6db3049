//! Making a block out of a payload.

use crate::format::{BLOCK_HEADER, BlockHeader};
use crate::options::Compression;

/// Compresses payloads and puts the header before them.
pub(crate) struct Packer {
    compressor: Option<zstd::bulk::Compressor<'static>>,
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
        Self { compressor }
    }

    /// Appends a block.
    pub fn pack(&mut self, payload: &[u8], facts: BlockFacts, out: &mut Vec<u8>) {
        let header_at = out.len();
        let payload_at = header_at + BLOCK_HEADER;
        let packed = self.compressor.as_mut().and_then(|compressor| {
            out.resize(payload_at + zstd::zstd_safe::compress_bound(payload.len()), 0);
            let len = compressor.compress_to_buffer(payload, out.get_mut(payload_at..)?).ok()?;
            (len < payload.len()).then_some(len)
        });
        if let Some(len) = packed {
            out.truncate(payload_at + len);
        } else {
            out.resize(payload_at, 0);
            out.extend_from_slice(payload);
        }
        let stored = out.get(payload_at..).unwrap_or_default();
        let length = |len: usize| u32::try_from(len).expect("the writer refuses payloads above 3.75 GiB");
        let header = BlockHeader {
            stored_len: length(stored.len()),
            plain_len: length(payload.len()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::unpack;

    #[test]
    fn a_block_is_compressed_only_where_that_makes_it_smaller() {
        let facts = BlockFacts { flags: 0, first_sequence: 1, count: 1, max_time_us: 0, synced: 0 };
        for (payload, codec) in [(vec![7u8; 10_000], 1), (vec![1, 2, 3], 0), (Vec::new(), 0)] {
            for compression in [Compression::Zstd(1), Compression::None] {
                let mut out = b"before".to_vec();
                Packer::new(compression).pack(&payload, facts, &mut out);
                let header = BlockHeader::read(&out[6..]).unwrap();
                assert_eq!(header.codec, if compression == Compression::None { 0 } else { codec });
                let stored = &out[6 + BLOCK_HEADER..];
                assert_eq!(unpack(&header, stored, &mut Vec::new()).unwrap(), payload);
            }
        }
    }
}

//! Damaged logs: never a panic, and with checksums always an error.

use std::sync::LazyLock;

use proptest::prelude::*;
use whimbrel_connector_mysql::binlog::{Checksum, Decoder, EventData, FileEvents, Limits};
use whimbrel_connector_mysql::log::read_file;

use crate::sample::{Sample, all};

/// Feeds the events of a sample up to the one that is to be damaged, so that the decoder knows the format.
fn decoder_before(sample: &Sample, index: usize) -> Decoder {
    let mut decoder = Decoder::new(Limits::default(), Checksum::None);
    for event in FileEvents::new(&sample.content).unwrap().take(index) {
        decoder.feed(event.unwrap()).unwrap();
    }
    decoder
}

fn has_checksums(sample: &Sample) -> bool {
    decoder_before(sample, 1).format().is_some_and(|format| format.checksum == Checksum::Crc32)
}

#[test]
fn every_event_of_every_sample_cut_anywhere_is_an_error() {
    for sample in all() {
        let mut decoder = Decoder::new(Limits::default(), Checksum::None);
        for event in FileEvents::new(&sample.content).unwrap() {
            let event = event.unwrap();
            // All cuts of small events, a sample of large ones'.
            for end in (0..event.len()).step_by(1 + event.len() / 97) {
                let cut = decoder.clone().feed(&event[..end]).map(|event| event.header);
                assert!(cut.is_err(), "{}: {} of {} bytes", sample.name(), end, event.len());
            }
            decoder.feed(event).unwrap();
        }
    }
}

#[test]
fn an_event_whose_stated_length_is_that_of_the_cut_is_noticed() {
    for sample in all().iter().filter(|sample| has_checksums(sample)) {
        let mut decoder = Decoder::new(Limits::default(), Checksum::None);
        for event in FileEvents::new(&sample.content).unwrap() {
            let event = event.unwrap();
            for end in (19..event.len()).step_by(1 + event.len() / 31) {
                let mut cut = event[..end].to_vec();
                cut[9..13].copy_from_slice(&(end as u32).to_le_bytes());
                assert!(decoder.clone().feed(&cut).is_err(), "{}: {end}", sample.name());
            }
            decoder.feed(event).unwrap();
        }
    }
}

#[test]
fn every_flipped_bit_is_noticed_by_the_checksum() {
    for sample in all().iter().filter(|sample| has_checksums(sample)) {
        let mut decoder = Decoder::new(Limits::default(), Checksum::None);
        for (number, event) in FileEvents::new(&sample.content).unwrap().enumerate() {
            let event = event.unwrap();
            for byte in (0..event.len()).step_by(1 + event.len() / 41) {
                let mut damaged = event.to_vec();
                damaged[byte] ^= 1 << (number % 8);
                let in_use_flag = number == 0 && byte == 17 && number % 8 == 0;
                let error = decoder.clone().feed(&damaged).map(|event| event.header);
                assert!(error.is_err() || in_use_flag, "{}: event {number}, byte {byte}", sample.name());
            }
            decoder.feed(event).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Without checksums damage can go unnoticed, but never panic, run away or allocate without bound.
    #[test]
    fn damage_behind_the_checksum_never_panics(seed: u64, flips in prop::collection::vec((any::<u32>(), 0u8..8), 1..6)) {
        static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(|| {
            all().into_iter().filter(|sample| sample.content.len() < 40_000).collect()
        });
        let sample = &SAMPLES[seed as usize % SAMPLES.len()];
        let mut content = sample.content.clone();
        let events: Vec<std::ops::Range<usize>> = {
            let mut start = 4;
            FileEvents::new(&sample.content).unwrap().map(|event| {
                let range = start..start + event.unwrap().len();
                start = range.end;
                range
            }).collect()
        };
        let tail = if has_checksums(sample) { 4 } else { 0 };
        for (place, bit) in flips {
            // Bodies only: the headers' lengths are checked elsewhere.
            let event = &events[1 + place as usize % (events.len() - 1)];
            let body = event.start + 19..event.end - tail;
            if !body.is_empty() {
                content[body.start + place as usize / 7 % body.len()] ^= 1 << bit;
            }
        }
        if tail > 0 {
            for event in &events[1..] {
                let sum = crc32fast::hash(&content[event.start..event.end - 4]);
                content[event.end - 4..event.end].copy_from_slice(&sum.to_le_bytes());
            }
        }
        let _ = read_file(&content, &sample.log_name, sample.history(), &mut drop);
    }

    #[test]
    fn bytes_that_are_no_event_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), event_type: u8) {
        static DECODER: LazyLock<Decoder> = LazyLock::new(|| {
            decoder_before(&all().into_iter().find(|sample| sample.server == "mysql55").unwrap(), 1)
        });
        let mut decoder = DECODER.clone();
        if bytes.len() >= 19 {
            let length = (bytes.len() as u32).to_le_bytes();
            bytes[9..13].copy_from_slice(&length);
            bytes[4] = event_type;
        }
        if let Ok(event) = decoder.feed(&bytes)
            && let EventData::TableMap(map) = event.data
        {
            let _ = map.read_table(event_type % 2 == 0);
        }
    }
}

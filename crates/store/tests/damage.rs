//! Segment files that were cut or changed: what is read is right, or it is an error.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helper may panic")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use support::faulty::{Faults, FaultyFs};
use support::logs::{LogMaker, describe, start_position};
use whimbrel_store::{Compression, Sequence, StartAt, Store, StoreError, StoreOptions};

const DIR: &str = "/store";

fn options() -> StoreOptions {
    StoreOptions {
        segment_bytes: 6_000,
        block_bytes: 500,
        anchor_bytes: 2_000,
        min_free_bytes: 0,
        ..StoreOptions::default()
    }
}

fn create(fs: &FaultyFs, options: StoreOptions) -> (Store, LogMaker) {
    let maker = LogMaker::new(3);
    let fs = Arc::new(fs.clone());
    let store = Store::create_on(fs, Path::new(DIR), options, &start_position(), &maker.schemas()).unwrap();
    (store, maker)
}

/// Writes `transactions`, a flush after each third, and returns what readers have to give.
fn write(store: &Store, maker: &mut LogMaker, transactions: usize) -> Vec<(u64, String)> {
    let mut writer = store.take_writer().unwrap();
    let mut written = Vec::new();
    for number in 0..transactions {
        for record in maker.any() {
            written.push((writer.append(&record).unwrap().0, describe(&record)));
        }
        if number % 3 == 2 {
            writer.flush().unwrap();
        }
    }
    writer.flush().unwrap();
    store.put_writer(writer);
    written
}

fn open(fs: &FaultyFs, options: StoreOptions) -> Result<Store, StoreError> {
    Store::open_on(Arc::new(fs.clone()), Path::new(DIR), options).map(|(store, _)| store)
}

/// What can be read from a record on, and the error that ended it.
fn read(store: &Store, from: u64) -> (Vec<(u64, String)>, Option<StoreError>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut items = Vec::new();
    let mut reader = match store.read_from(&StartAt::Sequence(Sequence(from))) {
        Ok(reader) => reader,
        Err(error) => return (items, Some(error)),
    };
    runtime.block_on(async {
        loop {
            match reader.try_next().await {
                Ok(Some(item)) => items.push((item.sequence.0, describe(&item.record))),
                Ok(None) => return (items, None),
                Err(error) => return (items, Some(error)),
            }
        }
    })
}

fn segments(fs: &FaultyFs) -> Vec<PathBuf> {
    fs.paths().into_iter().filter(|path| path.extension().is_some_and(|end| end == "wseg")).collect()
}

#[test]
fn every_prefix_of_the_last_file_opens_with_a_prefix_of_the_records() {
    let fs = FaultyFs::default();
    let (store, mut maker) = create(&fs, options());
    let written = write(&store, &mut maker, 64);
    drop(store);
    let last = segments(&fs).pop().unwrap();
    let whole = fs.content(&last);
    let mut lengths = std::collections::BTreeSet::new();
    for length in 0..=whole.len() {
        let torn = fs.copy();
        torn.set_content(&last, &whole[..length]);
        match open(&torn, options()) {
            Ok(store) => {
                let (items, error) = read(&store, 1);
                assert!(error.is_none(), "cut at {length}: {error:?}");
                assert_eq!(items, written[..items.len()], "cut at {length}");
                lengths.insert(items.len());
                // It can be written on.
                let mut writer = store.take_writer().unwrap();
                writer.abort_open_transaction().unwrap();
                writer.append(&LogMaker::new(1).heartbeat()).unwrap();
                writer.flush().unwrap();
            }
            // A file gets its name only with a whole header and snapshot: shorter is no torn tail.
            Err(StoreError::Damaged(damage)) => {
                assert!(lengths.is_empty(), "cut at {length}: {damage}");
                assert_eq!(damage.path, last);
            }
            Err(error) => panic!("cut at {length}: {error}"),
        }
    }
    assert!(lengths.len() > 3 && lengths.contains(&written.len()), "{lengths:?}");
}

#[test]
fn a_flipped_bit_is_an_error_or_a_clean_cut_at_the_end_never_wrong_data() {
    for compression in [Compression::Zstd(1), Compression::None] {
        let options = StoreOptions { compression, segment_bytes: 3_000, ..options() };
        let fs = FaultyFs::default();
        let (store, mut maker) = create(&fs, options.clone());
        let written = write(&store, &mut maker, 24);
        drop(store);
        let files = segments(&fs);
        assert!(files.len() > 2);
        let (mut failed, mut cut) = (0, 0);
        for path in [&files[0], files.last().unwrap()] {
            let content = fs.content(path);
            for at in 0..content.len() {
                let damaged = fs.copy();
                let mut bytes = content.clone();
                bytes[at] ^= 1 << (at % 8);
                damaged.set_content(path, &bytes);
                let (items, error) = match open(&damaged, options.clone()) {
                    Ok(store) => read(&store, 1),
                    Err(error) => (Vec::new(), Some(error)),
                };
                assert_eq!(items, written[..items.len()], "bit {} of {}", at * 8, path.display());
                match error {
                    Some(StoreError::Damaged(damage)) => {
                        assert_eq!(damage.path, *path);
                        failed += 1;
                    }
                    Some(error) => panic!("byte {at} of {}: {error}", path.display()),
                    // Only the end of the last file may be cut; an index is made anew.
                    None if items.len() < written.len() => {
                        assert_eq!(path, files.last().unwrap(), "byte {at}");
                        cut += 1;
                    }
                    None => {}
                }
            }
        }
        assert!(failed > 1000 && cut > 10, "{failed} failed, {cut} cut");
    }
}

#[test]
fn a_damaged_middle_names_file_place_and_records_and_the_rest_can_be_read() {
    let fs = FaultyFs::default();
    let (store, mut maker) = create(&fs, options());
    let written = write(&store, &mut maker, 60);
    drop(store);
    let files = segments(&fs);
    let path = &files[1];
    let mut bytes = fs.content(path);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs.set_content(path, &bytes);
    let store = open(&fs, options()).unwrap();
    let (items, error) = read(&store, 1);
    let Some(StoreError::Damaged(damage)) = error else { panic!("{error:?}") };
    assert_eq!((&damage.path, damage.first), (path, Sequence(items.len() as u64 + 1)));
    assert!(damage.offset <= middle as u64 && damage.offset > 64);
    let text = StoreError::Damaged(damage.clone()).to_string();
    for part in [path.to_str().unwrap(), "byte", "records from", "put back a copy"] {
        assert!(text.contains(part), "{text}");
    }
    // Behind the damage, in the same file, and in the next file, reading goes on.
    let again = damage.readable_again.unwrap();
    let next_file = written.len() as u64 - 5;
    let (rest, error) = read(&store, next_file);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(rest, written[next_file as usize - 1..]);
    assert!(again > damage.first);
}

#[test]
fn a_missing_file_between_two_is_named() {
    let fs = FaultyFs::default();
    let (store, mut maker) = create(&fs, options());
    write(&store, &mut maker, 60);
    drop(store);
    let files = segments(&fs);
    let without = FaultyFs::default();
    for path in files.iter().filter(|path| **path != files[1]) {
        without.set_content(path, &fs.content(path));
    }
    let store = open(&without, options()).unwrap();
    let (items, error) = read(&store, 1);
    let Some(StoreError::SegmentMissing { from, .. }) = error else { panic!("{error:?}") };
    assert_eq!(from, Sequence(items.len() as u64 + 1));
}

#[test]
fn a_full_disk_refuses_records_keeps_what_is_there_and_takes_them_when_there_is_room() {
    let fs = FaultyFs::default();
    let (store, mut maker) = create(&fs, options());
    let mut written = write(&store, &mut maker, 5);
    let mut writer = store.take_writer().unwrap();
    fs.set_faults(Faults { capacity: Some(fs.used() + 700), ..Faults::default() });
    let records: Vec<_> = (0..40).flat_map(|_| maker.any()).collect();
    let mut refused = None;
    let mut rest = records.iter();
    for record in rest.by_ref() {
        match writer.append(record) {
            Ok(sequence) => written.push((sequence.0, describe(record))),
            Err(error) => {
                refused = Some((error, record));
                break;
            }
        }
    }
    let (error, record) = refused.expect("the disk is full");
    assert!(matches!(&error, StoreError::DiskFull { .. }), "{error}");
    assert!(matches!(writer.append(record), Err(StoreError::DiskFull { .. })));
    assert!(matches!(writer.flush(), Err(StoreError::DiskFull { .. })));
    let (items, error) = read(&store, 1);
    assert!(error.is_none() && !items.is_empty());
    assert_eq!(items, written[..items.len()]);
    fs.set_faults(Faults::default());
    for record in std::iter::once(record).chain(rest) {
        written.push((writer.append(record).unwrap().0, describe(record)));
    }
    writer.flush().unwrap();
    assert_eq!(read(&store, 1).0, written);
}

#[test]
fn records_that_a_consumer_acknowledged_are_never_numbered_again() {
    let fs = FaultyFs::default();
    let (store, mut maker) = create(&fs, options());
    store.register_consumer("incr", Sequence(1)).unwrap();
    let written = write(&store, &mut maker, 20);
    let last = Sequence(written.len() as u64);
    store.register_consumer("incr", last.next()).unwrap();
    drop(store);
    // The disk loses what it had promised to keep.
    let file = segments(&fs).pop().unwrap();
    let content = fs.content(&file);
    fs.set_content(&file, &content[..content.len() - 40]);
    let (store, recovery) = Store::open_on(Arc::new(fs), Path::new(DIR), options()).unwrap();
    assert!(recovery.lost_acknowledged && recovery.cut.is_some());
    let mut writer = store.take_writer().unwrap();
    writer.abort_open_transaction().unwrap();
    let sequence = writer.append(&maker.heartbeat()).unwrap();
    writer.flush().unwrap();
    assert!(sequence > last, "{sequence}");
    let (items, error) = read(&store, 1);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(items.last().unwrap().0, sequence.0);
}

/// After a failed `sync_data` the kernel calls the pages clean although they are only in memory. A process that finds them
/// there must not count on them until they are written again.
#[test]
fn what_a_failed_sync_left_in_memory_survives_a_later_power_cut() {
    for seed in 0..20 {
        let fs = FaultyFs::default();
        let (store, mut maker) = create(&fs, options());
        let mut writer = store.take_writer().unwrap();
        for record in maker.transaction(2, 3, 50) {
            writer.append(&record).unwrap();
        }
        fs.set_faults(Faults { fail_syncs: 1, ..Faults::default() });
        assert!(writer.flush().is_err());
        // The process is killed, the machine goes on.
        drop((writer, store));
        let found = open(&fs, options()).unwrap();
        let next = found.size().unwrap().next;
        assert!(next > Sequence(1), "the records were in memory");
        drop(found);
        fs.crash(seed);
        assert_eq!(open(&fs, options()).unwrap().size().unwrap().next, next, "seed {seed}");
    }
}

//! Writing and reading on a real disk.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helper may panic")]

mod support;

use std::path::Path;
use std::time::Duration;

use support::logs::{LogMaker, describe, start_position};
use whimbrel_model::{LogRecord, Position};
use whimbrel_store::{
    Compression, Retention, Sequence, StartAt, Store, StoreError, StoreItem, StoreOptions, StoreReader,
    inspect,
};

fn options() -> StoreOptions {
    StoreOptions {
        segment_bytes: 20_000,
        block_bytes: 2_000,
        anchor_bytes: 2_000,
        min_free_bytes: 0,
        ..StoreOptions::default()
    }
}

fn create(dir: &Path, options: StoreOptions) -> (Store, LogMaker) {
    let maker = LogMaker::new(7);
    let store = Store::create(dir, options, &start_position(), &maker.schemas()).unwrap();
    (store, maker)
}

/// Writes records and returns what readers have to give.
fn write(store: &Store, records: &[LogRecord]) -> Vec<(u64, String)> {
    let mut writer = store.take_writer().unwrap();
    let written = records.iter().map(|record| (writer.append(record).unwrap().0, describe(record))).collect();
    writer.flush().unwrap();
    store.put_writer(writer);
    written
}

async fn drain(reader: &mut StoreReader) -> Vec<StoreItem> {
    let mut items = Vec::new();
    while let Some(item) = reader.try_next().await.unwrap() {
        items.push(item);
    }
    items
}

async fn read(store: &Store, from: &StartAt) -> Vec<(u64, String)> {
    let items = drain(&mut store.read_from(from).unwrap()).await;
    items.iter().map(|item| (item.sequence.0, describe(&item.record))).collect()
}

fn some_log(maker: &mut LogMaker, transactions: usize) -> Vec<LogRecord> {
    (0..transactions).flat_map(|_| maker.any()).collect()
}

/// A call that is dropped leaves its look at the files behind; the next call doesn't take that for its own.
#[test]
fn what_is_durable_is_found_also_after_a_dropped_call() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let (store, mut maker) = create(dir.path(), options());
        let mut reader = store.read_from(&StartAt::Start).unwrap();
        assert!(tokio::time::timeout(Duration::ZERO, reader.next()).await.is_err());
        // The only blocking thread does one thing after the other: now the dropped call has looked.
        tokio::task::spawn_blocking(|| {}).await.unwrap();
        let written = write(&store, &some_log(&mut maker, 1));
        let first = reader.try_next().await.unwrap().map(|item| item.sequence.0);
        assert_eq!(first, Some(written[0].0));
    });
}

#[tokio::test]
async fn everything_reads_back_over_many_files_before_and_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    for compression in [Compression::Zstd(1), Compression::None] {
        let dir = dir.path().join(format!("{compression:?}"));
        let (store, mut maker) = create(&dir, StoreOptions { compression, ..options() });
        let mut written = write(&store, &some_log(&mut maker, 200));
        assert!(store.size().unwrap().segments > 3, "{:?}", store.size());
        assert_eq!(read(&store, &StartAt::Start).await, written);
        drop(store);
        let (store, recovery) = Store::open(&dir, options()).unwrap();
        assert_eq!(recovery, whimbrel_store::Recovery::default());
        let resume = store.resume_point().unwrap();
        assert_eq!((resume.position, resume.tables), (maker.position(), maker.schemas()));
        written.extend(write(&store, &some_log(&mut maker, 50)));
        assert_eq!(read(&store, &StartAt::Start).await, written);
        let report = inspect::verify(&dir).unwrap();
        assert_eq!((report.problems, report.records, report.torn_bytes), (vec![], written.len() as u64, 0));
    }
}

#[tokio::test]
async fn reading_begins_at_any_record_position_or_time() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut maker) = create(dir.path(), options());
    let records = some_log(&mut maker, 150);
    let written = write(&store, &records);
    for from in (1..=written.len()).step_by(17) {
        let read = read(&store, &StartAt::Sequence(Sequence(from as u64))).await;
        assert_eq!(read, written[from - 1..]);
    }
    // Where the last transaction began, and its first attempt (the source's connection may have been cut).
    let (mut begin, mut first_attempt) = (None, None);
    let mut checked = 0;
    let mut previous: Position = start_position();
    let mut latest = 0;
    for (index, record) in records.iter().enumerate() {
        match record {
            LogRecord::Begin(_) => {
                begin = Some(index);
                first_attempt = first_attempt.or(begin);
            }
            LogRecord::Commit(commit) => {
                let (begin, first_attempt) = (begin.unwrap(), first_attempt.take().unwrap());
                checked += 1;
                if checked % 10 == 0 {
                    let read_at = read(&store, &StartAt::Position(previous.clone())).await;
                    assert_eq!(read_at.first(), written.get(first_attempt), "after {previous}");
                    if commit.commit_time_us > latest {
                        let read_at = read(&store, &StartAt::Time(commit.commit_time_us)).await;
                        assert_eq!(read_at.first(), written.get(begin), "at {}", commit.commit_time_us);
                    }
                }
                previous = commit.position.clone();
                latest = latest.max(commit.commit_time_us);
            }
            _ => {}
        }
    }
    assert!(checked > 50);
    assert!(read(&store, &StartAt::Position(maker.position())).await.is_empty());
    let ahead = Sequence(written.len() as u64 + 2);
    assert!(matches!(store.read_from(&StartAt::Sequence(ahead)), Err(StoreError::SequenceAhead { .. })));
}

#[tokio::test]
async fn a_reader_waits_for_durable_records_and_survives_being_dropped_while_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut maker) = create(dir.path(), options());
    let mut reader = store.read_from(&StartAt::Start).unwrap();
    let mut writer = store.take_writer().unwrap();
    let records = maker.transaction(2, 2, 10);
    for record in &records {
        writer.append(record).unwrap();
        // Accepted but not durable: nobody sees it.
        let seen = tokio::time::timeout(Duration::from_millis(5), reader.next()).await;
        assert!(seen.is_err(), "{seen:?}");
    }
    let expected: Vec<_> = records.iter().map(describe).collect();
    let reading = tokio::spawn(async move {
        let mut seen = Vec::new();
        while seen.len() < expected.len() {
            seen.push(describe(&reader.next().await.unwrap().record));
        }
        assert_eq!(seen, expected);
    });
    writer.flush().unwrap();
    tokio::time::timeout(Duration::from_secs(10), reading).await.unwrap().unwrap();
}

#[tokio::test]
async fn retention_removes_whole_files_but_nothing_that_a_consumer_needs() {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention { max_bytes: Some(50_000), max_age: None };
    let (store, mut maker) = create(dir.path(), StoreOptions { retention, ..options() });
    let written = write(&store, &some_log(&mut maker, 250));
    let last = Sequence(written.len() as u64);
    store.register_consumer("incr", Sequence(30)).unwrap();
    store.trim().unwrap();
    let oldest = store.size().unwrap().oldest;
    assert!(oldest <= Sequence(30));
    store.acknowledge("incr", Sequence(last.0 / 2)).unwrap();
    let trimmed = store.trim().unwrap();
    assert!(trimmed.files > 0);
    let oldest = store.size().unwrap().oldest;
    assert!(oldest > Sequence(30) && oldest.0 <= last.0 / 2 + 1);
    let gone = store.read_from(&StartAt::Position(start_position())).unwrap_err();
    assert!(matches!(gone, StoreError::PositionGone { .. }), "{gone}");
    let gone = store.read_from(&StartAt::Sequence(Sequence(1))).unwrap_err();
    assert!(matches!(gone, StoreError::PositionGone { .. }), "{gone}");
    let gone = store.read_from(&StartAt::Time(1)).unwrap_err();
    assert!(matches!(gone, StoreError::PositionGone { .. }), "{gone}");
    let gone = store.register_consumer("late", Sequence(2)).unwrap_err();
    assert!(matches!(gone, StoreError::PositionGone { .. }), "{gone}");
    let rest = read(&store, &StartAt::Sequence(oldest)).await;
    assert_eq!(rest, written[oldest.0 as usize - 1..]);
    drop(store);
    // The consumer's place survives, and so does what it needs.
    let (store, _) = Store::open(dir.path(), StoreOptions { retention, ..options() }).unwrap();
    assert_eq!(store.consumers().len(), 1);
    assert!(store.consumers()[0].1 >= oldest);
    let first_whole = read(&store, &StartAt::Start).await;
    assert!(first_whole[0].1.starts_with("Begin") || first_whole[0].1.starts_with("Heartbeat"));
    store.unregister_consumer("incr").unwrap();
    store.trim().unwrap();
    assert!(store.size().unwrap().bytes <= 50_000 + 20_000);
}

#[test]
fn old_files_go_by_age_and_the_one_being_written_stays() {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention { max_bytes: None, max_age: Some(Duration::ZERO) };
    let (store, mut maker) = create(dir.path(), StoreOptions { retention, ..options() });
    write(&store, &some_log(&mut maker, 250));
    assert!(store.size().unwrap().segments > 2);
    store.trim().unwrap();
    assert_eq!(store.size().unwrap().segments, 1);
}

#[test]
fn one_writer_at_a_time_and_one_store_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let (store, maker) = create(dir.path(), options());
    let second = Store::open(dir.path(), options()).unwrap_err();
    assert!(matches!(second, StoreError::Locked { .. }), "{second}");
    drop(store);
    let again = Store::create(dir.path(), options(), &start_position(), &maker.schemas()).unwrap_err();
    assert!(matches!(again, StoreError::AlreadyExists { .. }), "{again}");
    let nothing = Store::open(&dir.path().join("other"), options()).unwrap_err();
    assert!(matches!(nothing, StoreError::NotFound { .. }), "{nothing}");
}

#[test]
fn records_out_of_order_are_refused_and_leave_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut maker) = create(dir.path(), options());
    let mut writer = store.take_writer().unwrap();
    let records = maker.transaction(1, 1, 1);
    for wrong in [&records[1], &records[2], &LogRecord::Abort] {
        let refused = writer.append(wrong).unwrap_err();
        assert!(matches!(refused, StoreError::OutOfOrder { .. }), "{refused}");
    }
    writer.append(&records[0]).unwrap();
    assert!(writer.append(&records[0]).is_err());
    assert!(writer.append(&maker.heartbeat()).is_err());
    assert_eq!(writer.append(&records[1]).unwrap(), Sequence(2));
}

#[test]
fn a_file_is_listed_checked_and_printed_while_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut maker) = create(dir.path(), options());
    let written = write(&store, &some_log(&mut maker, 100));
    let listed = inspect::list_segments(dir.path()).unwrap();
    assert_eq!(listed.len(), store.size().unwrap().segments);
    assert_eq!(listed.last().unwrap().end, Sequence(written.len() as u64 + 1));
    assert!(listed.windows(2).all(|pair| pair[0].end == pair[1].first && pair[0].complete));
    let mut text = Vec::new();
    let lines = inspect::dump(dir.path(), &StartAt::Start, &mut text, None).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.lines().count() as u64, lines);
    assert!(text.contains(" update shop.") && text.contains(" ddl [shop] ALTER TABLE"), "{text}");
    let mut few = Vec::new();
    let from = StartAt::Sequence(Sequence(10));
    assert_eq!(inspect::dump(dir.path(), &from, &mut few, Some(3)).unwrap(), 3);
    assert!(String::from_utf8(few).unwrap().starts_with("10 "));
    assert_eq!(inspect::verify(dir.path()).unwrap().problems, Vec::<String>::new());
}

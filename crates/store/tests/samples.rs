//! Persisted forms: the files under `samples/` must be readable for ever.
//!
//! `samples/v1`, `samples/v2` and so on were each written once by [`write_sample`], when the format was new, and hold a
//! record of every kind; `samples/v1.txt` is what has to be read from it. A new format gets a new directory, the old ones
//! stay.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helper may panic")]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use support::logs::{LogMaker, describe, start_position};
use whimbrel_model::gtid::{Gtid, MariaDbGtidSet};
use whimbrel_model::{
    Begin, BinlogPosition, Commit, Ddl, GtidState, LogPoint, LogRecord, Position, TableEffect, TableName,
    TableSchema,
};
use whimbrel_store::{Compression, FORMAT_VERSION, Sequence, StartAt, Store, StoreOptions, inspect};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples")
}

/// Everything that is in a Store, as text: what people see, and what records say word for word.
fn text_of(dir: &Path) -> String {
    let mut text = Vec::new();
    inspect::dump(dir, &StartAt::Start, &mut text, None).unwrap();
    let mut text = String::from_utf8(text).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let (store, recovery) = Store::open(copy.path(), StoreOptions::default()).unwrap();
    assert_eq!(recovery, whimbrel_store::Recovery { open_transaction: true, ..Default::default() });
    let mut reader = store.read_from(&StartAt::Start).unwrap();
    runtime.block_on(async {
        while let Some(item) = reader.try_next().await.unwrap() {
            text.push_str(&format!("{} {}\n", item.sequence, details(&item.record)));
        }
    });
    let resume = store.resume_point().unwrap();
    text.push_str(&format!("resume at {}\n", resume.position));
    for table in resume.tables {
        text.push_str(&format!("table {}\n", columns(&table)));
    }
    text.push_str(&format!("consumers {:?}\n", store.consumers()));
    text
}

/// What the printed lines don't show. In words of this test, so that no change elsewhere changes them.
fn details(record: &LogRecord) -> String {
    match record {
        LogRecord::Begin(Begin { start: Some(start), .. }) => format!("begins at server {}", start.server),
        LogRecord::Rows(batch) => format!(
            "{} rows, foreign keys off {}, of {}",
            batch.ops.len(),
            batch.foreign_keys_off,
            columns(&batch.table.schema)
        ),
        LogRecord::Ddl(ddl) => {
            let effect = |effect: &TableEffect| {
                let before = effect.before.as_ref().map_or("nothing".into(), TableName::to_string);
                format!("{before} becomes {}", effect.after.as_ref().map_or("nothing".into(), columns))
            };
            let effects = ddl.effects.iter().map(effect).collect::<Vec<_>>().join(", ");
            format!("mode {}: {effects}", ddl.sql_mode)
        }
        LogRecord::Commit(Commit { position: Position::Binlog(position), .. })
        | LogRecord::Heartbeat { position: Position::Binlog(position), .. } => {
            format!("server {}", position.server)
        }
        LogRecord::Begin(_) | LogRecord::Abort => String::new(),
    }
}

fn columns(table: &TableSchema) -> String {
    let names: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
    format!("{}({})", table.name, names.join(" "))
}

#[test]
fn the_frozen_files_of_each_format_read_as_they_were_written() {
    for format in 1..=FORMAT_VERSION {
        let sample = samples().join(format!("v{format}"));
        let expected = std::fs::read_to_string(sample.with_extension("txt")).unwrap();
        let text = text_of(&sample);
        for (line, expected) in text.lines().zip(expected.lines()) {
            assert_eq!(line, expected, "format {format}");
        }
        assert_eq!(text.lines().count(), expected.lines().count(), "format {format}");
        assert_eq!(inspect::verify(&sample).unwrap().problems, Vec::<String>::new());
    }
}

/// The format of a segment file and the kinds of its records, of blocks that aren't compressed.
fn format_and_kinds(file: &[u8]) -> (u32, BTreeSet<u8>) {
    let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let (mut block, mut kinds) = (64, BTreeSet::new());
    while file.get(block..block + 4) == Some(b"WBLK") {
        let end = block + 56 + number(block + 4) as usize;
        let values = end - number(block + 48) as usize;
        let (compressed, is_index) = (file[block + 12] == 1, file[block + 13] & 16 != 0);
        let mut record = block + 56;
        while record < values && !compressed && !is_index {
            kinds.insert(file[record]);
            record += 5 + number(record + 1) as usize;
        }
        block = end;
    }
    (number(8), kinds)
}

/// Programs of the old format can go on reading a file that they began.
#[test]
fn a_file_of_format_1_is_written_on_as_it_is_and_the_next_one_is_of_the_new_format() {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(samples().join("v1")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    let options = || StoreOptions {
        segment_bytes: 12_000,
        min_free_bytes: 0,
        compression: Compression::None,
        ..StoreOptions::default()
    };
    let (store, _) = Store::open(dir.path(), options()).unwrap();
    let mut written = read(&store);
    let old = written.len();
    let mut writer = store.take_writer().unwrap();
    writer.abort_open_transaction().unwrap();
    let mut maker = LogMaker::new(43);
    for record in (0..6).flat_map(|_| maker.transaction(6, 8, 100)) {
        writer.append(&record).unwrap();
        written.push(describe(&record));
        writer.flush().unwrap();
    }
    written.insert(old, describe(&LogRecord::Abort));
    store.put_writer(writer);
    assert_eq!(read(&store), written);
    drop(store);
    let (store, _) = Store::open(dir.path(), options()).unwrap();
    assert_eq!(read(&store), written);
    let mut files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "wseg"));
    files.sort();
    let seen: Vec<_> = files.iter().map(|path| format_and_kinds(&std::fs::read(path).unwrap())).collect();
    let rows = |kinds: &BTreeSet<u8>| (kinds.contains(&2), kinds.contains(&7));
    let seen: Vec<_> = seen.iter().map(|(format, kinds)| (*format, rows(kinds))).collect();
    assert_eq!(seen[1], (1, (true, false)), "the last file of the sample");
    assert!(seen.len() > 2 && seen[2..].iter().all(|file| *file == (2, (false, true))), "{seen:?}");
}

fn read(store: &Store) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut reader = store.read_from(&StartAt::Start).unwrap();
    let mut records = Vec::new();
    runtime.block_on(async {
        while let Some(item) = reader.try_next().await.unwrap() {
            records.push(describe(&item.record));
        }
    });
    records
}

/// A server without GTIDs, one of MariaDB, tagged GTIDs, and DDL that is open when a file ends.
fn special_records(maker: &LogMaker) -> Vec<LogRecord> {
    let point = |server: &str, offset| {
        Some(LogPoint { server: server.into(), file: "mariadb-bin.000007".into(), offset })
    };
    let position = |server: &str, offset, gtids| {
        let file = "mariadb-bin.000007".into();
        Position::Binlog(BinlogPosition { server: server.into(), file, offset, gtids })
    };
    let maria = |text: &str| GtidState::MariaDb(text.parse::<MariaDbGtidSet>().unwrap());
    let begin = |gtid: Option<&str>, start| {
        let gtid = gtid.map(|gtid| gtid.parse::<Gtid>().unwrap());
        LogRecord::Begin(Begin { gtid, commit_time_us: 1_700_000_900_000_000, start })
    };
    let commit = |position| LogRecord::Commit(Commit { position, commit_time_us: 1_700_000_900_000_001 });
    let tagged = "3e11fa47-71ca-11e1-9e33-c80aa9429562:blue:7";
    let tagged_set =
        GtidState::Mysql(format!("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-99,{tagged}").parse().unwrap());
    let schema = maker.schemas().remove(0);
    let ddl = LogRecord::Ddl(Ddl {
        default_schema: "shop".into(),
        sql: "CREATE TABLE other LIKE items".into(),
        sql_mode: 1_411_383_296,
        effects: vec![
            TableEffect { before: Some(TableName::new("shop", "gone")), after: None },
            TableEffect { before: None, after: Some(support::logs::table("other", 1)) },
            TableEffect { before: Some(schema.name.clone()), after: Some(schema) },
        ],
    });
    vec![
        begin(None, None),
        commit(position("two", 500, GtidState::None)),
        begin(Some("0-1-77"), point("three", 400)),
        commit(position("three", 600, maria("0-1-77,5-2-9"))),
        begin(Some("0-1-78"), None),
        commit(position("three", 700, maria("0-1-78,5-2-12"))),
        begin(Some(tagged), point("four", 800)),
        commit(position("four", 900, tagged_set)),
        begin(None, point("four", 901)),
        ddl,
    ]
}

#[test]
fn the_format_that_is_written_has_a_sample() {
    let dir = samples().join(format!("v{FORMAT_VERSION}"));
    // A sample is never written again.
    if !dir.exists() && std::env::var_os("WHIMBREL_WRITE_SAMPLE").is_some() {
        write_sample(&dir);
    }
    assert!(
        dir.exists(),
        "write it once: WHIMBREL_WRITE_SAMPLE=1 cargo test -p whimbrel-store --test samples"
    );
}

fn write_sample(dir: &Path) {
    let mut maker = LogMaker::new(42);
    let options = StoreOptions { segment_bytes: 4_000, block_bytes: 900, ..StoreOptions::default() };
    let store = Store::create(dir, options, &start_position(), &maker.schemas()).unwrap();
    let mut writer = store.take_writer().unwrap();
    let mut records = Vec::new();
    for _ in 0..4 {
        records.extend(maker.aborted());
        records.extend(maker.ddl());
        records.push(maker.heartbeat());
        records.extend(maker.transaction(2, 3, 40));
    }
    records.extend(special_records(&maker));
    let mut rows = maker.transaction(6, 8, 200);
    rows.retain(|record| matches!(record, LogRecord::Rows(_)));
    records.extend(rows);
    for record in &records {
        writer.append(record).unwrap();
    }
    writer.flush().unwrap();
    store.register_consumer("incr-sync", Sequence(5)).unwrap();
    drop((writer, store));
    std::fs::remove_file(dir.join("lock")).unwrap();
    std::fs::write(samples().join(format!("v{FORMAT_VERSION}.txt")), text_of(dir)).unwrap();
}

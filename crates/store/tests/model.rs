//! The real code on a file system that fails, against a list of records.
//!
//! Any sequence of operations must leave the Store with what the list says: after a crash a prefix of what
//! was accepted that holds everything that was durable, otherwise exactly what is durable. A failing case
//! prints its operations, seeds included.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helper may panic")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use support::faulty::{Faults, FaultyFs, Random};
use support::logs::{LogMaker, describe, start_position};
use whimbrel_model::{LogRecord, Position, TableSchema};
use whimbrel_store::{
    Compression, Retention, Sequence, StartAt, Store, StoreError, StoreOptions, StoreWriter,
};

#[derive(Clone, Debug)]
enum Action {
    /// Records of whole transactions, statements and heartbeats.
    Append {
        count: usize,
    },
    /// A transaction that stays open, until the next action that needs it closed.
    Cut {
        batches: usize,
    },
    Flush,
    Crash {
        seed: u64,
    },
    Reopen,
    DiskFull {
        spare: usize,
    },
    FailSync {
        times: u32,
    },
    FailWrite {
        times: u32,
    },
    ShortWrites {
        bytes: usize,
    },
    Room,
    Read {
        place: u64,
    },
    ReadPosition {
        place: u64,
    },
    ReadTime {
        place: u64,
    },
    Acknowledge {
        place: u64,
    },
    Trim,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        8 => (1..8usize).prop_map(|count| Action::Append { count }),
        1 => (0..6usize).prop_map(|batches| Action::Cut { batches }),
        4 => Just(Action::Flush),
        2 => any::<u64>().prop_map(|seed| Action::Crash { seed }),
        1 => Just(Action::Reopen),
        1 => (0..4000usize).prop_map(|spare| Action::DiskFull { spare }),
        1 => (1..3u32).prop_map(|times| Action::FailSync { times }),
        1 => (1..3u32).prop_map(|times| Action::FailWrite { times }),
        1 => (1..700usize).prop_map(|bytes| Action::ShortWrites { bytes }),
        2 => Just(Action::Room),
        2 => any::<u64>().prop_map(|place| Action::Read { place }),
        1 => any::<u64>().prop_map(|place| Action::ReadPosition { place }),
        1 => any::<u64>().prop_map(|place| Action::ReadTime { place }),
        1 => any::<u64>().prop_map(|place| Action::Acknowledge { place }),
        1 => Just(Action::Trim),
    ];
    prop::collection::vec(action, 1..60)
}

/// A record as the model keeps it.
#[derive(Clone, Debug)]
struct Kept {
    sequence: u64,
    text: String,
    /// Of a commit: where the transaction began in the list, its end and time.
    commit: Option<(usize, Position, u64)>,
    /// Position and definitions of the source after this record, where no transaction is open.
    resume: Option<(Position, Vec<TableSchema>)>,
}

struct Model {
    fs: FaultyFs,
    dir: PathBuf,
    options: StoreOptions,
    store: Option<Store>,
    writer: Option<StoreWriter>,
    maker: LogMaker,
    /// The maker as it was when the list had this many records, to go on from after a loss.
    makers: Vec<(usize, LogMaker)>,
    records: Vec<Kept>,
    begin: Option<usize>,
    consumer: u64,
    runtime: tokio::runtime::Runtime,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let options = StoreOptions {
            segment_bytes: 2_000 + random.below(8_000) as u64,
            block_bytes: 200 + random.below(2_000),
            compression: if random.below(2) == 0 { Compression::None } else { Compression::Zstd(1) },
            anchor_bytes: 300 + random.below(3_000) as u64,
            sync_bytes: 1_000 + random.below(6_000),
            min_free_bytes: random.below(2) as u64 * 500,
            retention: Retention { max_age: None, max_bytes: Some(15_000) },
            ..StoreOptions::default()
        };
        let (fs, dir) = (FaultyFs::default(), PathBuf::from("/store"));
        let maker = LogMaker::new(seed);
        let store = Store::create_on(
            Arc::new(fs.clone()),
            &dir,
            options.clone(),
            &start_position(),
            &maker.schemas(),
        );
        let store = store.unwrap();
        store.register_consumer("model", Sequence(1)).unwrap();
        let writer = Some(store.take_writer().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Self {
            fs,
            dir,
            options,
            store: Some(store),
            writer,
            makers: vec![(0, maker.clone())],
            maker,
            records: Vec::new(),
            begin: None,
            consumer: 1,
            runtime,
        }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn writer(&mut self) -> &mut StoreWriter {
        self.writer.as_mut().unwrap()
    }

    /// Appends a record; false where the disk doesn't take it now.
    fn append(&mut self, record: &LogRecord) -> bool {
        let sequence = match self.writer().append(record) {
            Ok(sequence) => sequence.0,
            Err(StoreError::DiskFull { .. } | StoreError::Io { .. }) => return false,
            Err(error) => panic!("append: {error}"),
        };
        let index = self.records.len();
        let mut commit = None;
        match record {
            LogRecord::Begin(_) => self.begin = Some(index),
            LogRecord::Commit(end) => {
                commit = self.begin.take().map(|begin| (begin, end.position.clone(), end.commit_time_us));
            }
            LogRecord::Abort => self.begin = None,
            _ => {}
        }
        self.records.push(Kept { sequence, text: describe(record), commit, resume: None });
        true
    }

    /// Appends records that belong together; where the disk stops in the middle the source comes again.
    fn append_all(&mut self, before: LogMaker, records: &[LogRecord]) {
        for record in records {
            if !self.append(record) {
                self.maker = before;
                self.close();
                return;
            }
        }
        let resume = (self.maker.position(), self.maker.schemas());
        if let Some(last) = self.records.last_mut().filter(|_| !records.is_empty()) {
            last.resume = Some(resume);
        }
        self.makers.push((self.records.len(), self.maker.clone()));
    }

    /// Ends an open transaction as the next pull would, if the disk takes it.
    fn close(&mut self) -> bool {
        self.begin.is_none() || self.append(&LogRecord::Abort)
    }

    fn durable(&self) -> usize {
        let next = self.writer.as_ref().unwrap().durable_sequence().0;
        self.records.iter().take_while(|kept| kept.sequence < next).count()
    }

    /// What a reader gives from some place on.
    fn read(&self, from: &StartAt) -> Result<Vec<(u64, String)>, StoreError> {
        let mut reader = self.store().read_from(from)?;
        self.runtime.block_on(async {
            let mut items = Vec::new();
            while let Some(item) = reader.try_next().await? {
                items.push((item.sequence.0, describe(&item.record)));
            }
            Ok(items)
        })
    }

    fn oldest(&self) -> u64 {
        self.store().size().unwrap().oldest.0
    }

    fn expect_from(&self, index: usize) -> Vec<(u64, String)> {
        let durable = &self.records[..self.durable()];
        durable.iter().skip(index).map(|kept| (kept.sequence, kept.text.clone())).collect()
    }

    fn check_read(&self, place: u64) {
        let durable = self.durable();
        let index = place as usize % (durable + 1);
        let sequence = self.records.get(index).map_or(self.next_durable(), |kept| kept.sequence);
        match self.read(&StartAt::Sequence(Sequence(sequence))) {
            Ok(items) => assert_eq!(items, self.expect_from(index), "from record {sequence}"),
            Err(StoreError::PositionGone { .. }) => assert!(sequence < self.oldest(), "{sequence} is there"),
            Err(error) => panic!("read from {sequence}: {error}"),
        }
    }

    fn next_durable(&self) -> u64 {
        self.writer.as_ref().unwrap().durable_sequence().0
    }

    /// From a transaction's end on, the next transaction comes first.
    fn check_read_position(&self, place: u64) {
        let durable = self.durable();
        let commits: Vec<_> =
            self.records[..durable].iter().filter_map(|kept| kept.commit.as_ref()).collect();
        let Some((_, position, _)) = commits.get(place as usize % commits.len().max(1)) else { return };
        match self.read(&StartAt::Position(position.clone())) {
            Ok(items) => {
                // An open or aborted transaction may come first; whole ones must be the right ones.
                let first = items.first().map(|(sequence, _)| *sequence);
                let next = commits.iter().find(|(_, end, _)| position.has_reached(end) == Some(false));
                if let Some((begin, ..)) = next {
                    let begin = self.records[*begin].sequence;
                    assert!(
                        first.is_some_and(|first| first <= begin),
                        "{first:?}, not {begin} after {position}"
                    );
                }
                let passed = commits.iter().filter(|(_, end, _)| position.has_reached(end) == Some(true));
                let passed = passed.map(|(begin, ..)| self.records[*begin].sequence).max();
                assert!(passed.is_none_or(|passed| first.is_none_or(|first| first > passed)));
            }
            Err(StoreError::PositionGone { .. }) => assert!(self.oldest() > 1),
            Err(error) => panic!("read from {position}: {error}"),
        }
    }

    fn check_read_time(&self, place: u64) {
        let durable = self.durable();
        let commits: Vec<_> =
            self.records[..durable].iter().filter_map(|kept| kept.commit.as_ref()).collect();
        let Some((_, _, time)) = commits.get(place as usize % commits.len().max(1)) else { return };
        match self.read(&StartAt::Time(*time)) {
            Ok(items) => {
                let (begin, ..) = commits.iter().find(|(_, _, other)| other >= time).unwrap();
                assert_eq!(items.first().map(|item| item.0), Some(self.records[*begin].sequence));
            }
            Err(StoreError::PositionGone { .. }) => assert!(self.oldest() > 1),
            Err(error) => panic!("read from {time}: {error}"),
        }
    }

    /// Opens what is there and compares it with the list, which is cut to what survived.
    fn reopen(&mut self, crashed: bool, durable: usize) {
        let accepted = self.records.len();
        let (store, recovery) =
            Store::open_on(Arc::new(self.fs.clone()), &self.dir, self.options.clone()).unwrap();
        assert!(!recovery.lost_acknowledged);
        self.writer = Some(store.take_writer().unwrap());
        self.store = Some(store);
        let survived = self.durable();
        assert!(survived >= durable, "{durable} records were durable, {survived} survived");
        assert!(crashed || survived == accepted || survived >= durable);
        self.records.truncate(survived);
        let next = self.writer().next_sequence().0;
        assert_eq!(next, self.records.last().map_or(1, |kept| kept.sequence + 1));
        // The source is read again from the last transaction that survived.
        let open = self.writer().in_transaction();
        let (kept, maker) = self.makers.iter().rev().find(|(kept, _)| *kept <= survived).unwrap().clone();
        self.makers.retain(|(records, _)| *records <= kept);
        self.maker = maker;
        self.begin = open.then_some(survived.saturating_sub(1));
        assert_eq!(recovery.open_transaction, open);
        let resume = self.store().resume_point();
        assert!(matches!(resume, Err(StoreError::PullRunning)));
        let resume = self.writer().resume_point();
        assert_eq!((resume.position, resume.tables), (self.maker.position(), self.maker.schemas()));
        self.check_read(u64::from(u32::MAX));
        self.check_all();
    }

    /// Everything that is there reads as the list says.
    fn check_all(&self) {
        let oldest = self.oldest();
        let items = self.read(&StartAt::Sequence(Sequence(oldest))).unwrap();
        let index =
            self.records.iter().position(|kept| kept.sequence >= oldest).unwrap_or(self.records.len());
        assert_eq!(items, self.expect_from(index));
    }

    fn acknowledge(&mut self, place: u64) {
        let durable = self.durable();
        if durable == 0 {
            return;
        }
        let done = self.records[place as usize % durable].sequence;
        match self.store().acknowledge("model", Sequence(done)) {
            Ok(()) => self.consumer = self.consumer.max(done + 1),
            Err(StoreError::Io { .. }) => {}
            Err(error) => panic!("acknowledge {done}: {error}"),
        }
    }

    fn faults(&self, action: &Action) -> Faults {
        let none = Faults::default();
        match *action {
            Action::DiskFull { spare } => Faults { capacity: Some(self.fs.used() + spare), ..none },
            Action::FailSync { times } => Faults { fail_syncs: times, ..none },
            Action::FailWrite { times } => Faults { fail_writes: times, ..none },
            Action::ShortWrites { bytes } => Faults { short_writes: Some(bytes), ..none },
            _ => none,
        }
    }

    fn run(&mut self, action: &Action) {
        match *action {
            Action::Append { count } => {
                for _ in 0..count {
                    if !self.close() {
                        return;
                    }
                    let before = self.maker.clone();
                    let records = self.maker.any();
                    self.append_all(before, &records);
                }
            }
            Action::Cut { batches } => {
                if self.close() {
                    let mut records = self.maker.clone().transaction(batches, 3, 60);
                    records.pop();
                    for record in &records {
                        if !self.append(record) {
                            return;
                        }
                    }
                }
            }
            Action::Flush => match self.writer().flush() {
                Ok(()) => assert_eq!(self.durable(), self.records.len()),
                Err(StoreError::DiskFull { .. } | StoreError::Io { .. }) => {}
                Err(error) => panic!("flush: {error}"),
            },
            Action::Crash { seed } => {
                let durable = self.durable();
                self.writer = None;
                self.store = None;
                self.fs.crash(seed);
                self.reopen(true, durable);
            }
            Action::Reopen => {
                self.fs.set_faults(Faults::default());
                self.writer().flush().unwrap();
                let durable = self.durable();
                assert_eq!(durable, self.records.len());
                self.writer = None;
                self.store = None;
                self.reopen(false, durable);
            }
            Action::DiskFull { .. }
            | Action::FailSync { .. }
            | Action::FailWrite { .. }
            | Action::ShortWrites { .. }
            | Action::Room => self.fs.set_faults(self.faults(action)),
            Action::Read { place } => self.check_read(place),
            Action::ReadPosition { place } => self.check_read_position(place),
            Action::ReadTime { place } => self.check_read_time(place),
            Action::Acknowledge { place } => self.acknowledge(place),
            Action::Trim => {
                self.store().trim().unwrap();
                assert!(self.oldest() <= self.consumer || self.consumer == 1);
            }
        }
    }
}

fn run(seed: u64, actions: &[Action]) {
    let mut model = Model::new(seed);
    for action in actions {
        model.run(action);
    }
    model.fs.set_faults(Faults::default());
    model.writer().flush().unwrap();
    assert_eq!(model.durable(), model.records.len());
    model.check_all();
    assert!(!model.fs.paths().iter().any(|path: &PathBuf| is_stray(path)), "{:?}", model.fs.paths());
}

fn is_stray(path: &Path) -> bool {
    !matches!(path.extension().and_then(|e| e.to_str()), Some("wseg" | "json" | "tmp"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_the_list_whatever_happens(seed: u64, actions in actions()) {
        run(seed, &actions);
    }
}

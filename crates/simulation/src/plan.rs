//! What a seed decides beforehand: tables, sizes, modes, how bad the weather is.

use std::time::Duration;

use whimbrel_connector_sim::Random;
use whimbrel_full_import::ImportOptions;
use whimbrel_incr_sync::{ApplyMode, ApplyOptions, Limits};
use whimbrel_store::{BlockingWork, Compression, Retention, StoreOptions};

/// How a process of the task ends before its work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Killed: what it wrote to the disk stays.
    Killed,
    /// The machine loses power: so does the disk with what wasn't synced.
    PowerLost,
    /// It goes on beside the one that takes over.
    TakenOver,
    /// It is asked to stop.
    Stopped,
}

/// A schedule before it runs.
#[derive(Clone, Debug)]
pub struct Plan {
    pub tables: Vec<usize>,
    pub rows: u64,
    /// Transactions of the application.
    pub transactions: u64,
    /// One of as many calls lets the application do something.
    pub busy: u64,
    /// One of as many calls goes wrong; 0 is none.
    pub faults_every: u64,
    /// One of as many operations of the disk goes wrong; 0 is none.
    pub disk_faults_every: u64,
    /// What may go wrong at all, so that a schedule comes to its end.
    pub most_faults: u32,
    pub endings: Vec<(u64, Ending)>,
    pub ddl: bool,
    /// The target has a column of its own in one of the tables.
    pub own_column: bool,
    /// Compares while the application writes.
    pub verifies_live: bool,
    pub store: StoreOptions,
    pub import: ImportOptions,
    pub apply: ApplyOptions,
    pub verify_workers: usize,
    pub verify_chunk_rows: u64,
    pub log_batch_bytes: usize,
}

impl Plan {
    pub fn new(random: &mut Random) -> Self {
        let mut tables: Vec<usize> = (0..crate::tables::KINDS).filter(|_| !random.one_in(3)).collect();
        if tables.is_empty() {
            tables.push(usize::try_from(random.below(crate::tables::KINDS as u64)).unwrap_or(0));
        }
        let crashes = *random.pick(&[0, 0, 1, 1, 2, 3]);
        let endings = (0..crashes)
            .map(|_| {
                let kinds =
                    [Ending::Killed, Ending::Killed, Ending::PowerLost, Ending::TakenOver, Ending::Stopped];
                (10 + random.below(*random.clone().pick(&[60, 300, 900])), *random.pick(&kinds))
            })
            .collect();
        Self {
            tables,
            rows: random.below(28),
            transactions: 10 + random.below(50),
            busy: *random.pick(&[2, 4, 8, 20]),
            faults_every: *random.pick(&[0, 25, 60, 150, 400]),
            disk_faults_every: *random.pick(&[0, 0, 15, 60]),
            most_faults: 25,
            endings,
            ddl: random.one_in(4),
            own_column: random.one_in(5),
            verifies_live: random.one_in(2),
            store: store_options(random),
            import: import_options(random),
            apply: apply_options(random),
            verify_workers: 1 + random.below(3) as usize,
            verify_chunk_rows: 3 + random.below(10),
            log_batch_bytes: *random.pick(&[1, 150, 100_000]),
        }
    }
}

fn store_options(random: &mut Random) -> StoreOptions {
    StoreOptions {
        segment_bytes: 1500 + random.below(6000),
        block_bytes: 100 + random.below(900) as usize,
        compression: if random.one_in(3) { Compression::Zstd(1) } else { Compression::None },
        anchor_bytes: 300 + random.below(2000),
        sync_bytes: 600 + random.below(4000) as usize,
        sync_interval: Duration::from_millis(random.below(60)),
        min_free_bytes: random.below(2) * 500,
        retention: Retention {
            max_age: None,
            max_bytes: if random.one_in(2) { Some(random.below(6000)) } else { None },
        },
        lag_limit_bytes: if random.one_in(4) { Some(6000 + random.below(8000)) } else { None },
        queue_bytes: 1024 * (1 + random.below(8) as usize),
        blocking: BlockingWork::Inline,
    }
}

fn import_options(random: &mut Random) -> ImportOptions {
    ImportOptions {
        workers: 1 + random.below(3) as usize,
        chunk_rows: 2 + random.below(9),
        chunk_bytes: 60 + random.below(400),
        batch_bytes: 20 + random.below(200) as usize,
        retry_for: Duration::from_secs(120),
        ..ImportOptions::default()
    }
}

fn apply_options(random: &mut Random) -> ApplyOptions {
    let mode = if random.one_in(2) { ApplyMode::Transaction } else { ApplyMode::Convergent };
    ApplyOptions {
        lanes: 1 + random.below(4) as usize,
        limits: Limits {
            window_changes: *random.pick(&[3, 10, 40, 300]),
            window_bytes: 300 + random.below(4000) as usize,
            linger: Duration::from_millis(1),
            transaction_changes: *random.pick(&[8, 30, 1000]),
            transaction_bytes: 1000 + random.below(20_000) as usize,
        },
        retry_for: Duration::from_secs(120),
        ..ApplyOptions::new(mode)
    }
}

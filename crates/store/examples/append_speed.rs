//! How fast a Store takes and gives sysbench-like rows, against plain writes of the same bytes.
//!
//! ```text
//! cargo run --release -p whimbrel-store --example append_speed [MEGABYTES] [DIRECTORY]
//! ```
//!
//! Transactions of one update each (two row images in a batch) and of 250 inserts each. "Plain" writes the
//! encoded batches, uncompressed, to one file with the same `fdatasync` calls.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use whimbrel_model::{
    Begin, BinlogPosition, ChangeBatch, Charset, Column, Commit, DataType, GtidState, Key, LogRecord,
    Position, RowOp, TableName, TableSchema, TableVersion,
};
use whimbrel_store::{Compression, StartAt, Store, StoreOptions};

/// Between two calls of `fdatasync`.
const SYNC_BYTES: usize = 8 << 20;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let megabytes: usize = arguments.next().map_or(Ok(256), |text| text.parse()).context("megabytes")?;
    let directory = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let directory = directory.join(format!("whimbrel-append-speed-{}", std::process::id()));
    std::fs::create_dir(&directory)?;
    let result = measure(megabytes << 20, &directory);
    std::fs::remove_dir_all(&directory)?;
    result
}

fn measure(total: usize, directory: &Path) -> Result<()> {
    let table = Arc::new(TableVersion::new(1, sysbench_table()));
    for (name, rows) in [("250 inserts", 250), ("1 update", 1)] {
        let pool = transactions(&table, rows);
        let bytes: usize = pool.iter().map(|transaction| encoded(transaction).len()).sum();
        let rounds = total.div_ceil(bytes);
        let megabytes = (bytes * rounds) as f64 / 1e6;
        println!("transactions of {name}: {megabytes:.0} MB, {} transactions", pool.len() * rounds);
        let plain = plain_write(&pool, rounds, &directory.join("plain"))?;
        println!("  plain        {}", speed(megabytes, plain));
        for compression in [Compression::Zstd(1), Compression::None] {
            let dir = directory.join(format!("{name}-{compression:?}").replace(' ', "-"));
            let options = StoreOptions {
                compression,
                sync_bytes: SYNC_BYTES,
                min_free_bytes: 0,
                ..StoreOptions::default()
            };
            let store = Store::create(&dir, options, &position(4), std::slice::from_ref(&table.schema))?;
            let taken = append(&store, &pool, rounds)?;
            let stored = store.size()?.bytes as f64 / 1e6;
            println!(
                "  {compression:?}  append {}  {:.2} of plain, ratio {:.2}",
                speed(megabytes, taken),
                plain.0.as_secs_f64() / taken.0.as_secs_f64(),
                megabytes / stored
            );
            println!("  {compression:?}  read   {}", speed(megabytes, read(&store)?));
            drop(store);
            std::fs::remove_dir_all(&dir)?;
        }
    }
    Ok(())
}

/// Wall and CPU time.
type Taken = (Duration, Duration);

fn speed(megabytes: f64, (wall, cpu): Taken) -> String {
    let (wall, cpu) = (wall.as_secs_f64(), cpu.as_secs_f64());
    format!("{:7.1} MB/s wall, {:7.1} MB per CPU-second", megabytes / wall, megabytes / cpu)
}

fn timed<T>(action: impl FnOnce() -> Result<T>) -> Result<Taken> {
    let (start, cpu) = (Instant::now(), cpu_time());
    action()?;
    Ok((start.elapsed(), cpu_time() - cpu))
}

/// CPU time of this process, all threads.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn plain_write(pool: &[Vec<LogRecord>], rounds: usize, path: &Path) -> Result<Taken> {
    let buffers: Vec<Vec<u8>> = pool.iter().map(|transaction| encoded(transaction)).collect();
    let taken = timed(|| {
        let file = File::create(path)?;
        let mut writer = std::io::BufWriter::with_capacity(256 << 10, &file);
        let mut unsynced = 0;
        for buffer in std::iter::repeat_n(&buffers, rounds).flatten() {
            writer.write_all(buffer)?;
            unsynced += buffer.len();
            if unsynced >= SYNC_BYTES {
                writer.flush()?;
                file.sync_data()?;
                unsynced = 0;
            }
        }
        writer.flush()?;
        Ok(file.sync_data()?)
    })?;
    std::fs::remove_file(path)?;
    Ok(taken)
}

fn append(store: &Store, pool: &[Vec<LogRecord>], rounds: usize) -> Result<Taken> {
    let mut writer = store.take_writer()?;
    let taken = timed(|| {
        for record in std::iter::repeat_n(pool, rounds).flatten().flatten() {
            writer.append(record)?;
        }
        Ok(writer.flush()?)
    });
    store.put_writer(writer);
    taken
}

fn read(store: &Store) -> Result<Taken> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    timed(|| {
        runtime.block_on(async {
            let mut reader = store.read_from(&StartAt::Start)?;
            while reader.try_next().await?.is_some() {}
            Ok(())
        })
    })
}

fn encoded(transaction: &[LogRecord]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in transaction {
        if let LogRecord::Rows(batch) = record {
            batch.rows.encode(&mut bytes);
        }
    }
    bytes
}

fn position(offset: u64) -> Position {
    let file = "binlog.000001".to_owned();
    Position::Binlog(BinlogPosition { server: "one".into(), file, offset, gtids: GtidState::None })
}

fn sysbench_table() -> TableSchema {
    let int = DataType::Int { bytes: 4, unsigned: false, zerofill: None };
    let text =
        |chars| DataType::Char { chars, charset: Charset::Utf8mb4, collation: "utf8mb4_0900_ai_ci".into() };
    TableSchema {
        primary_key: Some(Key::on_columns("PRIMARY", ["id"])),
        ..TableSchema::new(
            TableName::new("sbtest", "sbtest1"),
            vec![
                Column::new("id", int.clone(), false),
                Column::new("k", int, false),
                Column::new("c", text(120), false),
                Column::new("pad", text(60), false),
            ],
        )
    }
}

/// Enough different transactions that the compressor sees no repetition.
fn transactions(table: &Arc<TableVersion>, rows: usize) -> Vec<Vec<LogRecord>> {
    let mut random = 88_172_645_463_325_252u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    // sysbench fills `c` and `pad` with groups of eleven digits.
    let digits = |groups: usize, next: &mut dyn FnMut() -> u64| {
        (0..groups).map(|_| format!("{:011}", next() % 100_000_000_000)).collect::<Vec<_>>().join("-")
    };
    let count = 100_000 / rows;
    (0..count)
        .map(|number| {
            let mut batch = ChangeBatch::new(table.clone(), false);
            let update = rows == 1;
            for row in 0..rows {
                let (id, pad) = ((number * rows + row) as i64, digits(5, &mut next));
                let ops: &[RowOp] =
                    if update { &[RowOp::UpdateBefore, RowOp::UpdateAfter] } else { &[RowOp::Insert] };
                for op in ops {
                    batch.ops.push(*op);
                    batch.rows.push_int(id);
                    batch.rows.push_int((next() % 1_000_000) as i64);
                    batch.rows.push_bytes(digits(10, &mut next).as_bytes());
                    batch.rows.push_bytes(pad.as_bytes());
                    batch.rows.end_row();
                }
            }
            let commit_time_us = 1_700_000_000_000_000 + number as u64;
            let position = position(number as u64 * 500 + 504);
            vec![
                LogRecord::Begin(Begin { gtid: None, commit_time_us, start: None }),
                LogRecord::Rows(batch),
                LogRecord::Commit(Commit { position, commit_time_us }),
            ]
        })
        .collect()
}

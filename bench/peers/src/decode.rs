//! The peer of our binlog decoder: the crate `mysql_common`, which every Rust client of MySQL reads binlogs with.

use std::time::Instant;

use anyhow::{Context as _, Result};
use mysql_common::binlog::BinlogFile;
use mysql_common::binlog::consts::BinlogVersion;
use mysql_common::binlog::events::EventData;

/// Reads every column of every row of the file, which is in memory before the clock starts.
pub fn run(path: &str) -> Result<String> {
    let content = std::fs::read(path).with_context(|| format!("reading {path}"))?;
    let (began, cpu) = (Instant::now(), cpu_seconds()?);
    let (mut rows, mut values) = (0u64, 0u64);
    let mut file = BinlogFile::new(BinlogVersion::Version4, content.as_slice())?;
    while let Some(event) = file.next() {
        let event = event?;
        let Some(EventData::RowsEvent(event)) = event.read_data()? else { continue };
        let table = file.reader().get_tme(event.table_id()).context("a row event without its table map")?;
        for row in event.rows(table) {
            let (before, after) = row?;
            rows += 1;
            for image in [before, after].into_iter().flatten() {
                values += image.unwrap().len() as u64;
            }
        }
    }
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    let bytes = content.len();
    Ok(format!(r#"{{"rows":{rows},"values":{values},"bytes":{bytes},"seconds":{wall:.4},"cpu":{cpu:.4}}}"#))
}

/// CPU time of this thread.
fn cpu_seconds() -> Result<f64> {
    let text =
        std::fs::read_to_string("/proc/thread-self/schedstat").context("reading the thread's run time")?;
    let nanoseconds: u64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds as f64 / 1e9)
}

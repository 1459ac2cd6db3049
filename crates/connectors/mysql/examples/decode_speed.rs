//! How fast a binlog file is read into batches: `decode_speed FILE [ROUNDS]`.
//!
//! The file must hold the CREATE TABLE of the tables whose rows are counted. Everything that the reader does is
//! measured but the network: checksums, decoding, definitions, positions. Prints rows and bytes of the file per
//! second of CPU time.

use std::sync::Arc;

use anyhow::{Context, bail};
use whimbrel_connector_mysql::binlog::{Checksum, Decoder, FileEvents, Limits};
use whimbrel_connector_mysql::log::read_file;
use whimbrel_connector_mysql::log::schema_history::{SchemaHistory, ServerDefaults};
use whimbrel_model::{LogRecord, TableName};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(file) = arguments.next() else { bail!("usage: decode_speed FILE [ROUNDS]") };
    let rounds: u32 = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let content = std::fs::read(&file).with_context(|| format!("reading {file}"))?;
    let mut decoder = Decoder::new(Limits::default(), Checksum::None);
    let first = FileEvents::new(&content)?.next().context("a file without events")??;
    decoder.feed(first)?;
    let version = decoder.format().context("a file without format description")?.version();
    for round in 1..=rounds {
        let defaults = ServerDefaults::of_version(decoder.is_mariadb(), version);
        let wanted = |name: &TableName| !matches!(name.schema.as_str(), "mysql" | "sys");
        let history = SchemaHistory::new(Vec::new(), Arc::new(wanted), 1, defaults);
        let (mut rows, mut batches, mut transactions) = (0u64, 0u64, 0u64);
        let before = cpu_seconds()?;
        let outcome = read_file(&content, "binlog.000001", history, &mut |record| match record {
            LogRecord::Rows(batch) => {
                rows += batch.rows.len() as u64;
                batches += 1;
            }
            LogRecord::Commit(_) => transactions += 1,
            _ => {}
        });
        if let Err(error) = outcome {
            bail!("{error}");
        }
        let seconds = (cpu_seconds()? - before).max(1e-6);
        println!(
            "round {round}: {rows} rows in {batches} batches, {transactions} transactions, {:.1} MB, {seconds:.4} CPU-s: \
             {:.2} million rows/CPU-s, {:.0} MB/CPU-s",
            content.len() as f64 / 1e6,
            rows as f64 / seconds / 1e6,
            content.len() as f64 / seconds / 1e6,
        );
    }
    Ok(())
}

/// CPU time of this thread, which does all the work.
fn cpu_seconds() -> anyhow::Result<f64> {
    let text =
        std::fs::read_to_string("/proc/thread-self/schedstat").context("reading the thread's run time")?;
    Ok(text.split(' ').next().unwrap_or_default().parse::<u64>()? as f64 / 1e9)
}

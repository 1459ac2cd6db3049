//! What reading and writing a row costs this process: nanoseconds of its own CPU per row.
//!
//! ```text
//! eval "$(dev/servers env mysql97 seekdb)"
//! cargo run --release -p whimbrel-connector-mysql --example copy_speed -- "$WHIMBREL_MYSQL97_ROOT_URL" [TARGET_URL] [ROWS] [BATCH_BYTES]
//! ```
//!
//! Rows are those of sysbench (two integers, CHAR(120), CHAR(60): about 200 bytes). Three measures: reading from the
//! source into batches; formatting batches as INSERT statements; and, with a target, inserting them there. The time
//! of the servers isn't in the numbers, waiting for them isn't either: it is the time that this thread ran. A batch is
//! one statement, of 200 KiB of rows (about 1000) unless said otherwise; a MySQL or MariaDB target loads them, or
//! inserts them where its `local_infile` is OFF.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use whimbrel_connector::{InsertMode, KeyRange, TablePlan, Target as _};
use whimbrel_connector_mysql::MysqlEndpoint;
use whimbrel_connector_mysql::sql::literal::Literal;
use whimbrel_connector_mysql::wire::Connection;
use whimbrel_model::{RowBatch, TableName, TableSchema, TableVersion};

const SCHEMA: &str = "whimbrel_copy_speed";
const COLUMNS: &str =
    "id BIGINT NOT NULL PRIMARY KEY, k INT NOT NULL, c CHAR(120) NOT NULL, pad CHAR(60) NOT NULL";
const BATCH_BYTES: usize = 200 << 10;

/// Nanoseconds that this thread has run.
fn cpu() -> anyhow::Result<u64> {
    let text =
        std::fs::read_to_string("/proc/thread-self/schedstat").context("reading the thread's run time")?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}

/// Runs `work` and prints what it cost per row.
async fn measure<T>(
    what: &str,
    rows: u64,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let (start, wall) = (cpu()?, Instant::now());
    let done = work.await?;
    let (spent, wall) = (cpu()? - start, wall.elapsed());
    println!("{what}: {} ns of CPU per row, {:.0} rows/s", spent / rows, rows as f64 / wall.as_secs_f64());
    Ok(done)
}

async fn fill(endpoint: &MysqlEndpoint, rows: u64) -> anyhow::Result<()> {
    let mut connection = Connection::connect(endpoint.options()).await?;
    for sql in [
        format!("DROP DATABASE IF EXISTS {SCHEMA}"),
        format!("CREATE DATABASE {SCHEMA} DEFAULT CHARACTER SET utf8mb4"),
        format!("CREATE TABLE {SCHEMA}.t ({COLUMNS})"),
    ] {
        connection.execute(&sql).await?;
    }
    let mut state = 42u64;
    let mut digits = |length: usize| -> String {
        let mut text = String::with_capacity(length);
        while text.len() < length {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(&format!("{:011}-", state >> 28));
        }
        text.truncate(length - 1);
        text
    };
    for start in (0..rows).step_by(1000) {
        let values: Vec<String> = (start..(start + 1000).min(rows))
            .map(|id| {
                format!("({id},{},'{}','{}')", id.wrapping_mul(7919) % 1_000_000, digits(120), digits(60))
            })
            .collect();
        connection.execute(format!("INSERT INTO {SCHEMA}.t VALUES {}", values.join(","))).await?;
    }
    connection.close().await;
    Ok(())
}

async fn schema(endpoint: &MysqlEndpoint) -> anyhow::Result<TableSchema> {
    let mut catalog = whimbrel_connector::Source::catalog(endpoint).await?;
    Ok(catalog.table_schemas(&[TableName::new(SCHEMA, "t")]).await?.remove(0))
}

/// Reads the table in batches as an import would, and keeps them.
async fn read(
    endpoint: &MysqlEndpoint,
    table: &Arc<TableVersion>,
    batch_bytes: usize,
) -> anyhow::Result<Vec<RowBatch>> {
    let mut reader = whimbrel_connector::Source::snapshot_reader(endpoint).await?;
    reader.open_range(table, &KeyRange::default()).await?;
    let mut batches = Vec::new();
    loop {
        let mut batch = RowBatch::new(table.kinds.clone());
        let more = reader.next_batch(&mut batch, batch_bytes).await?;
        batches.push(batch);
        if !more {
            return Ok(batches);
        }
    }
}

/// Formats every row as the writer does; returns the bytes made.
fn format(table: &TableVersion, batches: &[RowBatch]) -> anyhow::Result<usize> {
    let columns = &table.schema.columns;
    let literals: Vec<Literal<'_>> =
        columns.iter().map(|column| Literal::new(&column.data_type, &column.data_type)).collect();
    let (mut sql, mut bytes) = (Vec::new(), 0);
    for batch in batches {
        sql.clear();
        for row in batch.rows() {
            sql.push(b'(');
            for (at, literal) in literals.iter().enumerate() {
                literal.push(&mut sql, row.get(at))?;
                sql.push(b',');
            }
            sql.push(b')');
        }
        bytes += sql.len();
    }
    Ok(bytes)
}

async fn write(endpoint: &MysqlEndpoint, plan: &TablePlan, batches: &[RowBatch]) -> anyhow::Result<()> {
    let epoch = endpoint.take_over(SCHEMA).await?;
    let mut writer = endpoint.writer(SCHEMA, epoch).await?;
    for batch in batches {
        let rows: Vec<_> = batch.rows().collect();
        writer.insert(plan, &rows, InsertMode::Plain).await?;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let source = arguments.next().context("the first argument is the source's URL")?;
    let target = arguments.next().filter(|target| !target.is_empty());
    let rows: u64 = arguments.next().map_or(Ok(200_000), |rows| rows.parse())?;
    let batch_bytes: usize = arguments.next().map_or(Ok(BATCH_BYTES), |bytes| bytes.parse())?;
    let source = MysqlEndpoint::new(source.parse()?);
    fill(&source, rows).await?;
    let table = Arc::new(TableVersion::new(1, schema(&source).await?));
    // The second pass: the first one warms the server's cache.
    read(&source, &table, batch_bytes).await?;
    let batches = measure("read", rows, read(&source, &table, batch_bytes)).await?;
    let bytes = measure("format", rows, async { format(&table, &batches) }).await?;
    println!("{} bytes of SQL per row", bytes as u64 / rows);
    if let Some(target) = target {
        let target = MysqlEndpoint::new(target.parse()?);
        fill(&target, 0).await?;
        let plan = TablePlan::new(table.clone(), Arc::new(schema(&target).await?))?;
        measure("insert", rows, write(&target, &plan, &batches)).await?;
    }
    Ok(())
}

//! The dumb client of a full import: INSERT statements that are ready in a file, sent over some connections; and the
//! dumb client of a verification: one that reads a table and looks at nothing.
//!
//! The file is a row of statements, each `u32 length, u32 rows` (little endian) and the statement's bytes.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;
use whimbrel_connector_mysql::wire::{Column, push_string};

use crate::connect;

/// `MYSQL_TYPE_*` of the integers and decimals, which stand in a statement without quotes.
const NUMBERS: [u8; 9] = [0, 1, 2, 3, 4, 5, 8, 9, 246];

pub async fn make(source: &str, path: &str, rows_each: u32, tables: &[&str]) -> Result<String> {
    let mut connection = connect(source).await?;
    let mut out = BufWriter::new(File::create(path).with_context(|| format!("creating {path}"))?);
    let (mut rows, mut bytes) = (0u64, 0u64);
    for table in tables {
        let mut stream = connection.query_stream(format!("SELECT * FROM {table}")).await?;
        let bare: Vec<bool> = stream.columns().iter().map(is_number).collect();
        let mut statement = Vec::new();
        let mut held = 0u32;
        while let Some(row) = stream.next().await? {
            statement.extend_from_slice(if held == 0 { b"INSERT INTO " } else { b"," });
            if held == 0 {
                statement.extend_from_slice(table.as_bytes());
                statement.extend_from_slice(b" VALUES ");
            }
            push_row(&mut statement, row.iter(), &bare);
            held += 1;
            if held == rows_each {
                bytes += put(&mut out, &mut statement, &mut held)?;
            }
            rows += 1;
        }
        if held > 0 {
            bytes += put(&mut out, &mut statement, &mut held)?;
        }
    }
    out.flush()?;
    connection.close().await;
    Ok(format!(r#"{{"rows":{rows},"bytes":{bytes}}}"#))
}

fn is_number(column: &Column) -> bool {
    NUMBERS.contains(&column.type_code)
}

fn push_row<'a>(statement: &mut Vec<u8>, cells: impl Iterator<Item = Option<&'a [u8]>>, bare: &[bool]) {
    statement.push(b'(');
    for (at, (cell, bare)) in cells.zip(bare).enumerate() {
        if at > 0 {
            statement.push(b',');
        }
        match cell {
            None => statement.extend_from_slice(b"NULL"),
            Some(bytes) if *bare => statement.extend_from_slice(bytes),
            Some(bytes) => push_string(statement, bytes),
        }
    }
    statement.push(b')');
}

fn put(out: &mut impl std::io::Write, statement: &mut Vec<u8>, rows: &mut u32) -> Result<u64> {
    let length = u32::try_from(statement.len()).context("a statement of 4 GB")?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&rows.to_le_bytes())?;
    out.write_all(statement)?;
    statement.clear();
    *rows = 0;
    Ok(u64::from(length))
}

/// Every connection takes the next statement as soon as it has an answer to the last one.
pub async fn send(target: &str, path: &str, connections: usize) -> Result<String> {
    let file = File::open(path).with_context(|| format!("opening {path}"))?;
    let file = Arc::new(Mutex::new(BufReader::with_capacity(1 << 20, file)));
    let mut ready = Vec::new();
    for _ in 0..connections {
        ready.push(connect(target).await?);
    }
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for mut connection in ready {
        let file = file.clone();
        senders.spawn(async move {
            let (mut rows, mut statement) = (0u64, Vec::new());
            while let Some(held) = take(&file, &mut statement)? {
                connection.execute(&statement).await?;
                rows += u64::from(held);
            }
            connection.close().await;
            anyhow::Ok(rows)
        });
    }
    let mut rows = 0;
    while let Some(done) = senders.join_next().await {
        rows += done??;
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(format!(r#"{{"rows":{rows},"seconds":{seconds:.4}}}"#))
}

/// The next statement and its rows, or `None` at the end of the file.
fn take(file: &Mutex<BufReader<File>>, statement: &mut Vec<u8>) -> Result<Option<u32>> {
    let mut file = file.lock().map_err(|_| anyhow::anyhow!("a sender has panicked"))?;
    let mut head = [0; 8];
    if file.read(&mut head[..1])? == 0 {
        return Ok(None);
    }
    file.read_exact(&mut head[1..])?;
    let [length, rows] =
        [0, 4].map(|at| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
    statement.resize(length as usize, 0);
    file.read_exact(statement)?;
    Ok(Some(rows))
}

pub async fn scan(url: &str, tables: &[&str]) -> Result<String> {
    let mut connection = connect(url).await?;
    let (mut rows, mut bytes) = (0u64, 0u64);
    let began = Instant::now();
    for table in tables {
        let mut stream = connection.query_stream(format!("SELECT * FROM {table}")).await?;
        while let Some(row) = stream.next().await? {
            rows += 1;
            bytes += row.wire_len() as u64;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    connection.close().await;
    Ok(format!(r#"{{"rows":{rows},"bytes":{bytes},"seconds":{seconds:.4}}}"#))
}

//! The changes of the incremental measurements: what an application might send, the same statements for every server.
//!
//! A pattern has a table of its own, with sysbench's columns. Each connection works on keys of its own (key modulo
//! connections), so no two of them meet but on the hot row, which one connection writes alone.

use std::fmt::Write as _;
use std::ops::Range;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::task::JoinSet;
use tokio::time::interval;
use whimbrel_connector_mysql::wire::Connection;

use crate::connect;

const SCHEMA: &str = "bench_changes";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// A transaction of one INSERT.
    One,
    /// A transaction of ten INSERTs.
    Ten,
    /// A transaction of one INSERT with 1000 rows.
    Thousand,
    /// A transaction of one UPDATE, always of the same row.
    Hot,
    /// A transaction of eight UPDATEs of random keys, a DELETE and an INSERT.
    Updates,
    /// A transaction of nine DELETEs and an INSERT.
    Deletes,
}

impl FromStr for Pattern {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        Ok(match name {
            "one" => Self::One,
            "ten" => Self::Ten,
            "thousand" => Self::Thousand,
            "hot" => Self::Hot,
            "updates" => Self::Updates,
            "deletes" => Self::Deletes,
            _ => bail!("no such pattern: {name}"),
        })
    }
}

impl Pattern {
    fn table(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Ten => "ten",
            Self::Thousand => "thousand",
            Self::Hot => "hot",
            Self::Updates => "updates",
            Self::Deletes => "deletes",
        }
    }

    /// Changes of one transaction.
    fn changes(self) -> u64 {
        match self {
            Self::One | Self::Hot => 1,
            Self::Ten | Self::Updates | Self::Deletes => 10,
            Self::Thousand => 1000,
        }
    }

    /// Keys that are there before the first change.
    fn has_keys(self) -> bool {
        matches!(self, Self::Updates | Self::Deletes)
    }
}

/// xorshift64: the same numbers on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Groups of eleven digits, as sysbench fills its text columns.
    fn digits(&mut self, groups: usize) -> String {
        let mut text = String::with_capacity(groups * 12);
        for group in 0..groups {
            let dash = if group == 0 { "" } else { "-" };
            let _ = write!(text, "{dash}{:011}", self.next() % 100_000_000_000);
        }
        text
    }
}

/// One connection's share of a pattern.
struct Share {
    pattern: Pattern,
    random: Random,
    step: u64,
    /// The next key that isn't there yet, and the next one to delete.
    fresh: u64,
    oldest: u64,
}

impl Share {
    /// `keys` is the range of keys that are there.
    fn new(pattern: Pattern, number: u64, connections: u64, keys: &Range<u64>) -> Self {
        let keys = if pattern.has_keys() { keys.clone() } else { 0..0 };
        let [oldest, fresh] = [keys.start, keys.end].map(|key| key.next_multiple_of(connections) + number);
        let random = Random(0x9e37_79b9_7f4a_7c15 ^ (number + 1).wrapping_mul(0x2545_f491_4f6c_dd1d));
        Self { pattern, random, step: connections, fresh, oldest }
    }

    fn insert(&mut self, rows: u64) -> String {
        let mut sql = format!("INSERT INTO {SCHEMA}.{} VALUES ", self.pattern.table());
        for row in 0..rows {
            let key = self.fresh;
            self.fresh += self.step;
            push_row(&mut sql, row == 0, key, &mut self.random);
        }
        sql
    }

    fn update(&mut self) -> String {
        // Deleted keys are the oldest ones; an UPDATE meets only those that are there.
        let there = (self.fresh - self.oldest) / self.step;
        let key = self.oldest + self.random.next() % there * self.step;
        let (k, c) = (self.random.next() % 1_000_000, self.random.digits(10));
        format!("UPDATE {SCHEMA}.{} SET k = {k}, c = '{c}' WHERE id = {key}", self.pattern.table())
    }

    fn delete(&mut self) -> Result<String> {
        let key = self.oldest;
        if key >= self.fresh {
            bail!("all keys of {} are deleted: it needs more of them", self.pattern.table());
        }
        self.oldest += self.step;
        Ok(format!("DELETE FROM {SCHEMA}.{} WHERE id = {key}", self.pattern.table()))
    }

    /// The statements of the next transaction.
    fn transaction(&mut self) -> Result<Vec<String>> {
        let mut statements = vec!["BEGIN".to_owned()];
        match self.pattern {
            Pattern::One => return Ok(vec![self.insert(1)]),
            Pattern::Thousand => return Ok(vec![self.insert(1000)]),
            Pattern::Hot => return Ok(vec![format!("UPDATE {SCHEMA}.hot SET k = k + 1 WHERE id = 1")]),
            Pattern::Ten => statements.extend((0..10).map(|_| self.insert(1))),
            Pattern::Updates => {
                statements.extend((0..8).map(|_| self.update()));
                statements.extend([self.delete()?, self.insert(1)]);
            }
            Pattern::Deletes => {
                for _ in 0..9 {
                    statements.push(self.delete()?);
                }
                statements.push(self.insert(1));
            }
        }
        statements.push("COMMIT".to_owned());
        Ok(statements)
    }
}

fn push_row(sql: &mut String, first: bool, key: u64, random: &mut Random) {
    let comma = if first { "" } else { "," };
    let k = random.next() % 1_000_000;
    let _ = write!(sql, "{comma}({key},{k},'{}','{}')", random.digits(10), random.digits(5));
}

/// Makes the tables anew, and a marker and a heartbeat beside them.
pub async fn tables(url: &str, keys: u64) -> Result<String> {
    let mut connection = connect(url).await?;
    connection.execute(format!("DROP DATABASE IF EXISTS {SCHEMA}")).await?;
    connection
        .execute(format!("CREATE DATABASE {SCHEMA} DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"))
        .await?;
    for table in ["one", "ten", "thousand", "hot", "updates", "deletes", "marker", "heartbeat"] {
        let sql = format!(
            "CREATE TABLE {SCHEMA}.{table} (id BIGINT NOT NULL PRIMARY KEY, k INT NOT NULL, c CHAR(120) NOT NULL, \
             pad CHAR(60) NOT NULL, KEY k_1 (k))"
        );
        connection.execute(sql).await?;
    }
    for table in ["hot", "heartbeat"] {
        connection.execute(format!("INSERT INTO {SCHEMA}.{table} VALUES (1, 0, '', '')")).await?;
    }
    for pattern in [Pattern::Updates, Pattern::Deletes] {
        let mut random = Random(7);
        for start in (0..keys).step_by(1000) {
            let mut sql = format!("INSERT INTO {SCHEMA}.{} VALUES ", pattern.table());
            for key in start..keys.min(start + 1000) {
                push_row(&mut sql, key == start, key, &mut random);
            }
            connection.execute(sql).await?;
        }
    }
    connection.close().await;
    Ok(format!(r#"{{"keys":{keys}}}"#))
}

/// The keys of a pattern's table, of which some may be missing at both ends.
async fn keys_of(connection: &mut Connection, pattern: Pattern) -> Result<Range<u64>> {
    let sql = format!("SELECT MIN(id), MAX(id) + 1 FROM {SCHEMA}.{}", pattern.table());
    let row = connection.query_first(sql).await?;
    let at = |column| row.as_ref().and_then(|row| row.parse(column)).unwrap_or(0);
    Ok(at(0)..at(1))
}

/// Connections with their shares. The hot row has one.
async fn shares(url: &str, pattern: Pattern, connections: u64) -> Result<Vec<(Connection, Share)>> {
    let connections = if pattern == Pattern::Hot { 1 } else { connections };
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(connect(url).await?);
    }
    let keys = match open.first_mut() {
        Some(first) => keys_of(first, pattern).await?,
        None => bail!("no connections"),
    };
    let shares = (0..connections)
        .zip(open)
        .map(|(number, connection)| (connection, Share::new(pattern, number, connections, &keys)));
    Ok(shares.collect())
}

/// Sends all changes of a pattern as fast as the server takes them.
pub async fn replay(url: &str, pattern: Pattern, changes: u64, connections: u64) -> Result<String> {
    let shares = shares(url, pattern, connections).await?;
    let each = changes.div_ceil(pattern.changes()).div_ceil(shares.len() as u64);
    let transactions = each * shares.len() as u64;
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for (mut connection, mut share) in shares {
        senders.spawn(async move {
            for _ in 0..each {
                for statement in share.transaction()? {
                    connection
                        .execute(&statement)
                        .await
                        .with_context(|| statement.chars().take(80).collect::<String>())?;
                }
            }
            connection.close().await;
            anyhow::Ok(())
        });
    }
    while let Some(done) = senders.join_next().await {
        done??;
    }
    report(pattern, transactions, began)
}

/// Sends transactions of a pattern at a rate, for some seconds.
pub async fn pace(url: &str, pattern: Pattern, seconds: u64, connections: u64, rate: f64) -> Result<String> {
    let shares = shares(url, pattern, connections).await?;
    let gap = Duration::from_secs_f64(shares.len() as f64 / rate.max(0.1));
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let mut senders = JoinSet::new();
    for (mut connection, mut share) in shares {
        senders.spawn(async move {
            let (mut ticks, mut sent) = (interval(gap), 0u64);
            while Instant::now() < until {
                ticks.tick().await;
                for statement in share.transaction()? {
                    connection.execute(&statement).await?;
                }
                sent += 1;
            }
            connection.close().await;
            anyhow::Ok(sent)
        });
    }
    let mut transactions = 0;
    while let Some(done) = senders.join_next().await {
        transactions += done??;
    }
    report(pattern, transactions, began)
}

fn report(pattern: Pattern, transactions: u64, began: Instant) -> Result<String> {
    let (changes, seconds) = (transactions * pattern.changes(), began.elapsed().as_secs_f64());
    Ok(format!(r#"{{"transactions":{transactions},"changes":{changes},"seconds":{seconds:.4}}}"#))
}

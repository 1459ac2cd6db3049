//! What Whimbrel is measured beside, and the load that it is measured under: `whimbrel-bench COMMAND ...`, run by
//! `bench/run`. Every command prints one line of JSON on standard output.
//!
//! It is as dumb as can be: it knows no schema, keeps no state, checks nothing of what it moves.

mod changes;
mod decode;
mod heartbeat;
mod statements;

use anyhow::{Context as _, Result, bail};
use whimbrel_connector_mysql::wire::{ConnectOptions, Connection};

const USAGE: &str = "usage:
    decode FILE                                    every row of a binlog file by mysql_common
    make SOURCE_URL FILE ROWS TABLE...             the tables as ready INSERTs of so many rows each
    send TARGET_URL FILE CONNECTIONS               sends what make has made
    scan URL TABLE...                              SELECT * by one client
    tables URL KEYS                                makes the tables of all patterns, filled with so many keys
    replay URL PATTERN CHANGES CONNECTIONS [RATE]  changes of a pattern; RATE is transactions a second, for CHANGES seconds
    heartbeat SOURCE_URL TARGET_URL SECONDS        the time from a commit at the source to its sight at the target";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let line = match arguments.as_slice() {
        ["decode", file] => decode::run(file)?,
        ["make", source, file, rows, tables @ ..] => {
            statements::make(source, file, rows.parse()?, tables).await?
        }
        ["send", target, file, connections] => statements::send(target, file, connections.parse()?).await?,
        ["scan", url, tables @ ..] => statements::scan(url, tables).await?,
        ["tables", url, keys] => changes::tables(url, keys.parse()?).await?,
        ["replay", url, pattern, count, connections] => {
            changes::replay(url, pattern.parse()?, count.parse()?, connections.parse()?).await?
        }
        ["replay", url, pattern, seconds, connections, rate] => {
            changes::pace(url, pattern.parse()?, seconds.parse()?, connections.parse()?, rate.parse()?)
                .await?
        }
        ["heartbeat", source, target, seconds] => heartbeat::run(source, target, seconds.parse()?).await?,
        _ => bail!(USAGE),
    };
    println!("{line}");
    Ok(())
}

/// Connects as every program of a measurement does: in clear, as all are on one machine.
async fn connect(url: &str) -> Result<Connection> {
    let options: ConnectOptions = url.parse().with_context(|| format!("reading the URL {url}"))?;
    Connection::connect(&options).await.with_context(|| format!("connecting to {options}"))
}

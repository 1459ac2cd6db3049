//! `whimbrel store ls | dump | verify | tail`: what is in a task's Store. Only reads, also while the task runs.

use std::io::{BufWriter, ErrorKind, Write, stdout};
use std::path::Path;

use whimbrel_model::{BinlogPosition, GtidState, Position};
use whimbrel_store::{StartAt, StoreError, inspect};

use crate::cli::{StoreArgs, StoreCommand};
use crate::display::count;
use crate::failure::{Exit, Failure};
use crate::home::task_dir;
use crate::store_socket::{Tail, remote_start};

/// Runs the command.
pub async fn run(args: StoreArgs) -> Result<Exit, Failure> {
    let dir = task_dir(args.home.as_deref(), &args.name)?.join("store");
    match args.command {
        StoreCommand::Ls => blocking(move || list(&dir)).await,
        StoreCommand::Dump { from, limit } => blocking(move || dump(&dir, from.as_deref(), limit)).await,
        StoreCommand::Verify => blocking(move || verify(&dir)).await,
        StoreCommand::Tail { connect, from, consumer, limit } => {
            let from = remote_start(from.as_deref())?;
            Tail { connect: &connect, from, consumer: consumer.as_deref(), limit }.run().await
        }
    }
}

async fn blocking(command: impl FnOnce() -> Result<Exit, Failure> + Send + 'static) -> Result<Exit, Failure> {
    tokio::task::spawn_blocking(command)
        .await
        .map_err(|error| Failure::storage("Store", "the command broke", error))?
}

fn failed(error: StoreError) -> Failure {
    Failure { exit: Exit::Failed, error: error.into() }
}

fn list(dir: &Path) -> Result<Exit, Failure> {
    println!("{:<28} {:>14} {:>12} {:>12}  {:<30} state", "segment", "bytes", "first", "end", "begins at");
    for segment in inspect::list_segments(dir).map_err(failed)? {
        let name = segment.path.file_name().unwrap_or_default().to_string_lossy();
        let state = match (&segment.problem, segment.complete) {
            (Some(problem), _) => problem.as_str(),
            (None, true) => "complete",
            (None, false) => "growing",
        };
        let position = segment.position.split(' ').next().unwrap_or_default();
        println!(
            "{name:<28} {:>14} {:>12} {:>12}  {position:<30} {state}",
            count(segment.bytes),
            segment.first.0,
            segment.end.0,
        );
    }
    for (consumer, needs) in inspect::list_consumers(dir).map_err(failed)? {
        println!("consumer {consumer} needs records from {needs}");
    }
    Ok(Exit::Done)
}

fn dump(dir: &Path, from: Option<&str>, limit: u64) -> Result<Exit, Failure> {
    let from = match from {
        None => StartAt::Start,
        Some(text) => start_at(dir, text)?,
    };
    let mut out = BufWriter::new(stdout().lock());
    let done = inspect::dump(dir, &from, &mut out, Some(limit));
    let flushed = out.flush();
    match (done, flushed) {
        // A reader that has seen enough (`| head`) is no failure.
        (_, Err(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(Exit::Done),
        (Err(error), _) if broken_pipe(&error) => Ok(Exit::Done),
        (Err(error), _) => Err(failed(error)),
        (Ok(_), Err(error)) => Err(Failure::storage("standard output", "writing failed", error)),
        (Ok(_), Ok(())) => Ok(Exit::Done),
    }
}

fn broken_pipe(error: &StoreError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == ErrorKind::BrokenPipe) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// `file:offset` as positions are shown, or a time such as `2026-11-23T10:00:00Z`.
fn start_at(dir: &Path, text: &str) -> Result<StartAt, Failure> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        let micros = u64::try_from(time.as_microsecond())
            .map_err(|_| Failure::usage(format!("--from {text}"), "the time is before 1970"))?;
        return Ok(StartAt::Time(micros));
    }
    let position = text.rsplit_once(':').and_then(|(file, offset)| Some((file, offset.parse::<u64>().ok()?)));
    let Some((file, offset)) = position.filter(|(file, _)| !file.is_empty()) else {
        return Err(Failure::usage(
            format!("--from {text}"),
            "neither a position (binlog.000042:157) nor a time (2026-11-23T10:00:00Z)",
        ));
    };
    Ok(StartAt::Position(Position::Binlog(BinlogPosition {
        server: server_of(dir)?,
        file: file.to_owned(),
        offset,
        gtids: GtidState::None,
    })))
}

/// File and offset mean something on one server only: the one that the task began with.
fn server_of(dir: &Path) -> Result<String, Failure> {
    let tables = dir.parent().unwrap_or(dir).join("tables.json");
    let start = crate::home::read_start_tables(&tables)?;
    match start.map(|start| start.position) {
        Some(Position::Binlog(position)) => Ok(position.server),
        None => {
            Err(Failure::corrupt(tables.display().to_string(), "the file that names the server is missing"))
        }
    }
}

fn verify(dir: &Path) -> Result<Exit, Failure> {
    let report = inspect::verify(dir).map_err(failed)?;
    println!(
        "{} segments, {} blocks, {} records, {} transactions, {} rows",
        count(report.segments.len() as u64),
        count(report.blocks),
        count(report.records),
        count(report.transactions),
        count(report.rows)
    );
    if report.torn_bytes > 0 {
        println!(
            "{} bytes at the end are no whole block: a write under way, or what a crash left; the next start cuts \
             them off",
            count(report.torn_bytes)
        );
    }
    if report.problems.is_empty() {
        println!("all checksums hold");
        return Ok(Exit::Done);
    }
    for problem in &report.problems {
        eprintln!("{problem}");
    }
    Err(Failure::corrupt(
        dir.display().to_string(),
        format!("{} problems were found", count(report.problems.len() as u64)),
    ))
}

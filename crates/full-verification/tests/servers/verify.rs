//! Running a verification in a test.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use whimbrel_connector::{AppliedPosition, Result, Source, Target};
use whimbrel_full_verification::{
    CompareBy, FullVerification, TableVerification, Unattended, VerifyOptions, VerifyReport, VerifyTable,
};
use whimbrel_model::TableVersion;

use crate::pair::{Pair, Session};

impl Session {
    /// Runs one statement; returns how many rows it found or changed.
    pub async fn execute(&mut self, sql: &str) -> u64 {
        let done = self.0.execute(sql).await;
        done.unwrap_or_else(|error| panic!("{error}\n{sql}")).affected_rows
    }
}

/// Small chunks, so that a few hundred rows go through everything.
pub async fn options(pair: &Pair, corrections: &Path) -> VerifyOptions {
    let (source, target) = pair.ends();
    VerifyOptions {
        workers: 3,
        chunk_rows: 50,
        chunk_bytes: 1 << 20,
        rounds: 20,
        confirmations: 1,
        most_differences: 1000,
        corrections: corrections.to_owned(),
        compare_by: CompareBy::Fastest,
        source_flavor: Source::catalog(source.as_ref()).await.unwrap().server().await.unwrap().flavor,
        target_flavor: Target::catalog(target.as_ref()).await.unwrap().server().await.unwrap().flavor,
        retry_for: Duration::from_secs(60),
    }
}

pub async fn run_with(
    pair: &Pair,
    options: VerifyOptions,
    applied: Arc<dyn AppliedPosition>,
) -> Result<VerifyReport> {
    let tables = pair.plans().await.into_iter().map(|plan| {
        let target = Arc::new(TableVersion::new(0, plan.target.as_ref().clone()));
        VerifyTable { plan, target }
    });
    let (source, target) = pair.ends();
    let cancel = CancellationToken::new();
    FullVerification::new(source, target, tables.collect(), applied, options, cancel).run().await
}

/// A verification of two sides that nobody writes to.
pub async fn run(pair: &Pair, corrections: &Path) -> VerifyReport {
    let quiet = Arc::new(Unattended { pause: Duration::ZERO });
    run_with(pair, options(pair, corrections).await, quiet).await.unwrap()
}

/// `missing`, `extra`, `different`, `undecided` of a table.
pub fn counts(report: &VerifyReport, table: &str) -> [u64; 4] {
    let found = of(report, table);
    [found.missing, found.extra, found.different, found.undecided]
}

pub fn of<'a>(report: &'a VerifyReport, table: &str) -> &'a TableVerification {
    let ending = format!(".{table}");
    report.tables.iter().find(|found| found.target.ends_with(&ending)).unwrap()
}

/// The lines of a table's difference file.
pub fn lines(pair: &Pair, corrections: &Path, table: &str) -> Vec<serde_json::Value> {
    let path = corrections.join(format!("{}.{table}.differences.jsonl", pair.target.database));
    let Ok(text) = std::fs::read_to_string(&path) else { return Vec::new() };
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Statements and inverses of a table's correction file, settings of the session left out.
pub fn statements(pair: &Pair, corrections: &Path, table: &str) -> Vec<(String, String)> {
    let path = corrections.join(format!("{}.{table}.corrections.sql", pair.target.database));
    let Ok(text) = std::fs::read_to_string(&path) else { return Vec::new() };
    let mut made = Vec::new();
    let mut undo = None;
    for line in text.lines() {
        if let Some(text) = line.strip_prefix("-- undo: ") {
            undo = Some(text.to_owned());
        } else if let Some(undo) = undo.take() {
            made.push((line.to_owned(), undo));
        }
    }
    made
}

/// Runs the corrections of a table; returns the rows that each changed.
pub async fn correct(pair: &Pair, session: &mut Session, corrections: &Path, table: &str) -> Vec<u64> {
    let mut changed = Vec::new();
    for (statement, _) in statements(pair, corrections, table) {
        changed.push(session.execute(statement.trim_end_matches(';')).await);
    }
    changed
}

//! The verification step, and `whimbrel verify`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use whimbrel_connector::{AppliedPosition, Flavor, Result, Source, TablePlan, Target};
use whimbrel_full_verification::{
    CompareBy, FullVerification, TableVerification, VerifyOptions, VerifyProgress, VerifyReport, VerifyTable,
};
use whimbrel_incr_sync::Following;
use whimbrel_model::TableVersion;

use crate::board::{Board, VerificationStatus};
use crate::endpoints::Endpoint;
use crate::report::TableVerificationReport;

/// Chunks small enough to be read again cheaply, large enough for few questions.
const CHUNK_ROWS: u64 = 20_000;
const CHUNK_BYTES: u64 = 8 << 20;
/// Differences of one table after which it isn't read further.
const MOST_DIFFERENCES: u64 = 1_000_000;

/// How a verification is set up.
pub struct Setup {
    /// Shows what the task selects, and nothing else.
    pub source: Arc<dyn Source>,
    pub target: Endpoint,
    pub flavors: (Flavor, Flavor),
    pub tables: Vec<VerifyTable>,
    pub workers: usize,
    pub corrections: PathBuf,
    /// `None` where nobody applies changes.
    pub following: Option<Following>,
}

/// Compares all tables, showing the progress on the board.
pub async fn run(setup: Setup, board: &Arc<Board>, cancel: &CancellationToken) -> Result<VerifyReport> {
    // Where nobody can say how far the changes are, a difference has to outlive several looks.
    let confirmations = if setup.following.is_some() { 1 } else { 5 };
    let applied: Arc<dyn AppliedPosition> = match setup.following {
        Some(following) => Arc::new(following),
        None => Arc::new(whimbrel_full_verification::Unattended { pause: Duration::from_millis(500) }),
    };
    let options = VerifyOptions {
        workers: setup.workers,
        chunk_rows: CHUNK_ROWS,
        chunk_bytes: CHUNK_BYTES,
        rounds: 20,
        confirmations,
        most_differences: MOST_DIFFERENCES,
        corrections: setup.corrections,
        compare_by: CompareBy::Fastest,
        source_flavor: setup.flavors.0,
        target_flavor: setup.flavors.1,
        retry_for: Duration::from_secs(600),
    };
    let target: Arc<dyn Target> = setup.target;
    let verification =
        FullVerification::new(setup.source, target, setup.tables, applied, options, cancel.child_token());
    let progress = verification.progress();
    let showing = tokio::spawn(show(progress.clone(), board.clone()));
    let report = verification.run().await;
    showing.abort();
    put_on_board(&progress, board, report.is_ok());
    report
}

async fn show(progress: Arc<VerifyProgress>, board: Arc<Board>) {
    loop {
        put_on_board(&progress, &board, false);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn put_on_board(progress: &VerifyProgress, board: &Board, done: bool) {
    let results = progress.results();
    board.update(|status| {
        let mut sum = VerificationStatus { done, ..VerificationStatus::default() };
        for found in &results {
            sum.rows += found.rows;
            sum.differences += found.differences();
            if let Some(table) = status.tables.iter_mut().find(|table| table.source == found.source) {
                table.verified_rows = found.rows;
                table.differences = found.differences();
            }
        }
        status.verification = Some(sum);
    });
}

/// A table's result for the report.
pub fn table_report(found: &TableVerification) -> TableVerificationReport {
    let result = match (found.differences(), found.undecided) {
        (0, 0) => "equal",
        (0, _) => "undecided",
        _ => "different",
    };
    TableVerificationReport {
        result: result.to_owned(),
        rows: found.rows,
        missing: found.missing,
        extra: found.extra,
        different: found.different,
        undecided: found.undecided,
        seconds: found.milliseconds as f64 / 1e3,
    }
}

/// What is compared for one migrated table.
pub fn table(plan: &Arc<TablePlan>) -> VerifyTable {
    VerifyTable { plan: plan.clone(), target: Arc::new(TableVersion::new(0, plan.target.as_ref().clone())) }
}

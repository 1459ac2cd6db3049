//! `whimbrel verify`: compares both sides, whoever moved the rows.

use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;
use whimbrel_connector::{Source, Target};
use whimbrel_filter::SelectedSource;

use crate::board::{Board, Phase, TableStatus};
use crate::cli::VerifyArgs;
use crate::endpoints::{self, Role};
use crate::failure::{Exit, Failure};
use crate::migrate::compared::Exceptions;
use crate::migrate::verification::{self, Setup};
use crate::migrate::{current_plans, default_corrections, selection};
use crate::precheck::{self, Filters, Needs};
use crate::report::{Positions, Report, StepTime, TableReport};
use crate::rules::Rules;
use crate::{display, signals};

/// Compares, prints and writes the report.
pub async fn run(args: VerifyArgs) -> Result<Exit, Failure> {
    let rules = Rules::parse(&args.ends.include, &args.ends.exclude, &args.ends.map)
        .map_err(|error| Failure::usage("--include, --exclude, --map", error.to_string()))?;
    let rules = Arc::new(rules);
    let (table_rules, selection) = selection(&args.ends)?;
    let source = endpoints::open(&args.ends.source, Role::Source)?;
    let target = endpoints::open(&args.ends.target, Role::Target)?;
    let stop = signals::listen()?;
    let begun = Instant::now();
    let filters = Filters { selection: &selection, rules: &table_rules };
    let needs = Needs { log: false, write: false, empty: false, target_tables: true };
    let checked = precheck::run(&source, &target, &rules, filters, needs).await?;
    checked.print();
    checked.refuse_errors()?;
    let plans = current_plans(&source, &target, &rules, &selection, &Exceptions::default()).await?;
    let board = Arc::new(Board::new("verify", Source::name(source.as_ref()), Target::name(target.as_ref())));
    board.update(|status| {
        status.tables = plans
            .iter()
            .map(|plan| TableStatus {
                source: plan.source.schema.name.to_string(),
                target: plan.target.name.to_string(),
                stage: "done",
                ..TableStatus::default()
            })
            .collect();
    });
    board.set_phase(Phase::Verification);
    let shown = CancellationToken::new();
    let display = tokio::spawn(display::show(board.clone(), shown.clone()));
    let corrections = args.corrections.clone().unwrap_or_else(default_corrections);
    let setup = Setup {
        source: Arc::new(SelectedSource::new(source, selection)),
        target,
        flavors: (checked.source.flavor, checked.target.flavor),
        tables: plans.iter().map(verification::table).collect(),
        workers: usize::from(args.workers),
        corrections: corrections.clone(),
        following: None,
    };
    let found = verification::run(setup, &board, &stop).await;
    shown.cancel();
    if display.await.is_err() {
        tracing::warn!("the display broke");
    }
    let found = found?;
    let exit = if found.is_equal() { Exit::Done } else { Exit::Different };
    let status = board.snapshot();
    let mut report = Report {
        version: Report::VERSION,
        task: status.task,
        source: status.source,
        target: status.target,
        result: crate::report::result_word(exit, false),
        exit_code: exit as i32,
        seconds: begun.elapsed().as_secs_f64(),
        steps: vec![StepTime { step: "verify", seconds: begun.elapsed().as_secs_f64() }],
        tables: found.tables.iter().map(table_report).collect(),
        objects: Vec::new(),
        positions: Positions::default(),
        applied_transactions: 0,
        applied_changes: 0,
        parked: Vec::new(),
        parked_statements: Vec::new(),
        conflicts: Vec::new(),
        foreign_changes: 0,
        peak_memory_bytes: 0,
        cpu_seconds: 0.0,
        error: None,
    };
    report.measure();
    report.print();
    if exit == Exit::Different {
        println!("  differences and correction SQL: {}", corrections.display());
    }
    if let Some(path) = &args.report {
        report.write(path)?;
    }
    Ok(exit)
}

fn table_report(found: &whimbrel_full_verification::TableVerification) -> TableReport {
    TableReport {
        source: found.source.clone(),
        target: found.target.clone(),
        rows: found.rows,
        seconds: found.milliseconds as f64 / 1e3,
        verification: Some(verification::table_report(found)),
        ..TableReport::default()
    }
}

//! An assessment for a terminal.

use std::fmt::Write;

use whimbrel_dbcat::{Effort, Loss};

use super::report::{Assessment, ObjectReport, Risk, cost_words};
use crate::cli::DataChecks;
use crate::display::count;

pub(super) fn render(assessment: &Assessment) -> String {
    let mut out = String::new();
    let sum = &assessment.summary;
    let _ = writeln!(out, "{} -> {}", assessment.source, assessment.target);
    let _ = writeln!(
        out,
        "{} objects: {} moved, {} changed, {} not possible",
        count(assessment.objects.len() as u64),
        count(sum.moved),
        count(sum.changed),
        count(sum.not_possible)
    );
    let _ = writeln!(out, "data checks: {}", checks_words(assessment));
    let _ = writeln!(out, "effort:");
    for (effort, objects) in [
        (Effort::High, sum.effort_high),
        (Effort::Medium, sum.effort_medium),
        (Effort::Low, sum.effort_low),
        (Effort::None, sum.effort_none),
    ] {
        let _ = writeln!(out, "  {:6} {:>7}  {}", effort.word(), count(objects), effort.meaning());
    }
    for object in &assessment.objects {
        describe(object, &mut out);
    }
    if !assessment.accounts.is_empty() {
        let names: Vec<&str> = assessment.accounts.iter().map(|account| account.name.as_str()).collect();
        let _ = writeln!(out, "\naccounts, which are not moved\n  {}", names.join(", "));
    }
    if let Some(why) = &assessment.accounts_unread {
        let _ = writeln!(out, "\naccounts could not all be read: {why}");
    }
    if !assessment.findings.is_empty() {
        let _ = writeln!(out, "\nprechecks");
        for finding in &assessment.findings {
            let _ = writeln!(out, "  {} {}: {}", finding.code, finding.object, finding.cause);
            if !finding.hint.is_empty() {
                let _ = writeln!(out, "      to do: {}", finding.hint);
            }
        }
    }
    out
}

/// How far the data was looked into, and what it cost.
pub(super) fn checks_words(assessment: &Assessment) -> String {
    let limits = &assessment.data_checks;
    let cost = format!("{} rows read in {:.1} s", count(limits.rows_read), limits.milliseconds as f64 / 1e3);
    match (limits.mode, limits.rows, limits.seconds) {
        (DataChecks::Off, _, _) => "off".to_owned(),
        (_, Some(rows), Some(seconds)) => {
            format!("sampled, at most {} rows of a table and {seconds} s a statement; {cost}", count(rows))
        }
        _ => format!("full, without a limit; {cost}"),
    }
}

fn describe(object: &ObjectReport, out: &mut String) {
    let quiet =
        object.effort == Effort::None && object.changes.iter().all(|change| change.loss == Loss::None);
    let arrow = if object.source == object.target { String::new() } else { format!(" -> {}", object.target) };
    let _ = writeln!(
        out,
        "\n{} {}{arrow}: {}, effort {}",
        object.kind,
        object.source,
        object.verdict.words(),
        object.effort.word()
    );
    if !quiet {
        for change in &object.changes {
            let loss = match change.loss {
                Loss::Data => "DATA     ",
                Loss::Behaviour => "behaviour",
                Loss::None => "-        ",
            };
            let _ = writeln!(out, "  {loss} {:6} {}: {}", change.effort.word(), change.object, change.why);
            if !change.to_do.is_empty() {
                let _ = writeln!(out, "                   to do: {}", change.to_do);
            }
        }
    }
    for risk in &object.risks {
        match risk.rows {
            Some(0) => {}
            _ => describe_risk(risk, out),
        }
    }
    let clear = object.risks.iter().filter(|risk| risk.rows == Some(0)).count();
    if clear > 0 {
        let cost = object.costs().map(cost_words).collect::<Vec<_>>().join("; ");
        let _ = writeln!(out, "  data      {clear} checks found nothing ({cost})");
    }
}

fn describe_risk(risk: &Risk, out: &mut String) {
    let rows = risk.rows.map_or_else(|| "not known".to_owned(), |rows| format!("{} rows", count(rows)));
    let cost = cost_words(&risk.cost);
    let _ = writeln!(
        out,
        "  data      {:6} {} {}: {rows} ({cost}); {}",
        risk.effort.word(),
        risk.check,
        risk.object,
        risk.why
    );
    for sample in &risk.samples {
        let _ = writeln!(out, "                   for example {sample}");
    }
    let _ = writeln!(out, "                   to do: {}", risk.to_do);
}

//! What a run did, for `--report` and for the summary at the end.

use std::path::Path;

use serde::{Deserialize, Serialize};
use whimbrel_model::Position;

use crate::board::{ErrorStatus, RowNote, StatementNote};
use crate::display::{count, duration};
use crate::failure::{Exit, Failure};
use crate::home::write_json;

/// The report. Fields are only ever added; `version` changes where one gets another meaning.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub version: u32,
    pub task: String,
    pub source: String,
    pub target: String,
    /// `done`, `different`, `stopped` or `failed`.
    pub result: &'static str,
    pub exit_code: i32,
    pub seconds: f64,
    pub steps: Vec<StepTime>,
    pub tables: Vec<TableReport>,
    /// Views, routines, sequences, triggers, events.
    pub objects: Vec<ObjectReport>,
    pub positions: Positions,
    pub applied_transactions: u64,
    pub applied_changes: u64,
    pub parked: Vec<RowNote>,
    pub parked_statements: Vec<StatementNote>,
    pub conflicts: Vec<RowNote>,
    pub foreign_changes: u64,
    /// Largest resident memory of this process, bytes.
    pub peak_memory_bytes: u64,
    /// User and system CPU time of this process.
    pub cpu_seconds: f64,
    pub error: Option<ErrorStatus>,
}

#[derive(Clone, Debug, Serialize)]
pub struct StepTime {
    pub step: &'static str,
    pub seconds: f64,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Positions {
    /// Fixed before the first row was read.
    pub start: Option<Position>,
    /// At or after the last read of full import.
    pub import_end: Option<Position>,
    pub applied: Option<Position>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct TableReport {
    pub source: String,
    pub target: String,
    pub rows: u64,
    pub bytes: u64,
    pub seconds: f64,
    /// Rows set aside during full import because they met another row on a unique key.
    pub deferred: u64,
    pub parked: u64,
    pub verification: Option<TableVerificationReport>,
}

/// An object that isn't a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectReport {
    /// `view`, `procedure`, `function`, `trigger`, `event`, `sequence`, `package`, `package body`.
    pub kind: String,
    /// `schema.name` at the source; `*` where it is not known which objects there are.
    pub name: String,
    pub target: String,
    pub status: ObjectStatus,
    /// The target's own error number and text, where it refused the object.
    pub error_code: Option<u16>,
    pub error: Option<String>,
    /// What is different at the target, or why the object isn't there.
    pub note: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectStatus {
    Created,
    /// Created, and different in what the note says.
    Changed,
    NotPossible,
    /// To be made by a person after the switchover.
    Deferred,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TableVerificationReport {
    /// `equal`, `different` or `undecided`.
    pub result: String,
    pub rows: u64,
    pub missing: u64,
    pub extra: u64,
    pub different: u64,
    pub undecided: u64,
    pub seconds: f64,
}

impl Report {
    pub const VERSION: u32 = 1;

    /// Takes what the operating system says about this process.
    pub fn measure(&mut self) {
        self.peak_memory_bytes = peak_memory();
        self.cpu_seconds = cpu_seconds();
    }

    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        write_json(path, self)
    }

    /// The summary for a person.
    pub fn print(&self) {
        println!();
        println!("{} {} -> {}", self.task, self.source, self.target);
        let width = self.tables.iter().map(|table| table.source.len()).max().unwrap_or(5).clamp(5, 40);
        println!("  {:<width$} {:>12} {:>10} {:>9}  verification", "table", "rows", "MB", "seconds");
        for table in &self.tables {
            let verification = match &table.verification {
                None => "not compared".to_owned(),
                Some(v) if v.result == "equal" => format!("equal ({} rows)", count(v.rows)),
                Some(v) => format!(
                    "{}: {} missing, {} extra, {} different, {} undecided",
                    v.result, v.missing, v.extra, v.different, v.undecided
                ),
            };
            println!(
                "  {:<width$} {:>12} {:>10.1} {:>9.1}  {verification}",
                table.source,
                count(table.rows),
                table.bytes as f64 / 1e6,
                table.seconds,
            );
        }
        for step in &self.steps {
            println!("  step {:<14} {:>8.1} s", step.step, step.seconds);
        }
        println!(
            "  {} changes in {} transactions applied; peak memory {} MB; CPU {:.1} s",
            count(self.applied_changes),
            count(self.applied_transactions),
            self.peak_memory_bytes / 1_000_000,
            self.cpu_seconds
        );
        print_objects(&self.objects);
        for parked in &self.parked_statements {
            println!("  parked: {} {}", parked.id, parked.statement);
            println!("    its tables wait: {}; {}", parked.tables.join(", "), parked.reason);
        }
        notes("parked", &self.parked);
        notes("in conflict", &self.conflicts);
        if self.foreign_changes > 0 {
            println!(
                "  {} rows of the target had been changed by somebody else",
                count(self.foreign_changes)
            );
        }
        println!("  {} after {}", self.result, duration(self.seconds));
    }
}

fn print_objects(objects: &[ObjectReport]) {
    let of = |status| objects.iter().filter(move |object| object.status == status);
    if objects.is_empty() {
        return;
    }
    println!(
        "  objects: {} created, {} changed, {} not possible, {} for after the switchover",
        of(ObjectStatus::Created).count(),
        of(ObjectStatus::Changed).count(),
        of(ObjectStatus::NotPossible).count(),
        of(ObjectStatus::Deferred).count()
    );
    for object in of(ObjectStatus::NotPossible).take(20) {
        let error = match (&object.error_code, &object.error) {
            (Some(code), Some(text)) => format!("{code} {text}; "),
            _ => String::new(),
        };
        let line = format!("{error}{}", object.note);
        println!("    {} {}: {}", object.kind, object.name, line.trim_end_matches("; "));
    }
}

fn notes(what: &str, rows: &[RowNote]) {
    if !rows.is_empty() {
        println!("  {} rows {what}:", count(rows.len() as u64));
        for row in rows.iter().take(20) {
            println!("    {} {}: {}", row.table, row.key, row.reason);
        }
    }
}

/// The word for an exit code in `result`.
pub fn result_word(exit: Exit, stopped: bool) -> &'static str {
    match exit {
        Exit::Done if stopped => "stopped",
        Exit::Done => "done",
        Exit::Different => "different",
        _ => "failed",
    }
}

/// `VmHWM` of `/proc/self/status`; 0 where there is none.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Fields 14 and 15 of `/proc/self/stat`, in ticks of 1/100 s (`USER_HZ`, fixed by the kernel's ABI).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field, the program's name in parentheses, may hold spaces.
    let rest = stat.rsplit(") ").next().unwrap_or_default();
    let ticks: u64 = rest.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_measures_itself() {
        assert!(peak_memory() > 100_000);
        let mut sum = 0u64;
        while cpu_seconds() == 0.0 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(cpu_seconds() > 0.0);
    }
}

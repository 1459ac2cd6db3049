//! What an assessment found. The JSON form is a contract: version 1.

use serde::Serialize;
use whimbrel_connector::Finding;
use whimbrel_connector::inspect::Cost;
use whimbrel_dbcat::{Effort, Loss};
use whimbrel_model::TableName;

use super::objects::AccountReport;
use crate::cli::DataChecks;

/// The whole report.
#[derive(Debug, Serialize)]
pub struct Assessment {
    pub version: u32,
    pub source: String,
    pub target: String,
    pub data_checks: DataCheckLimits,
    pub summary: Summary,
    pub objects: Vec<ObjectReport>,
    /// Users and roles of the source: they are not moved.
    pub accounts: Vec<AccountReport>,
    /// Why accounts are missing from the list; null where none is.
    pub accounts_unread: Option<String>,
    /// What the prechecks of both servers say.
    pub findings: Vec<Finding>,
}

impl Assessment {
    pub const VERSION: u32 = 1;
}

/// How far the data was looked into.
#[derive(Debug, Serialize)]
pub struct DataCheckLimits {
    pub mode: DataChecks,
    /// Most rows of one table; null is all.
    pub rows: Option<u64>,
    /// Longest time of one statement; null is no limit.
    pub seconds: Option<u64>,
    pub rows_read: u64,
    pub milliseconds: u64,
}

/// Objects by what becomes of them and by the work they leave.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    pub moved: u64,
    pub changed: u64,
    pub not_possible: u64,
    pub effort_none: u64,
    pub effort_low: u64,
    pub effort_medium: u64,
    pub effort_high: u64,
}

/// What becomes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is the same at the target.
    Moved,
    /// Something about it is different.
    Changed,
    /// It can't be made at the target as things stand.
    NotPossible,
}

impl Verdict {
    pub fn words(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Changed => "changed",
            Self::NotPossible => "not possible",
        }
    }
}

/// One table, or whatever else is moved.
#[derive(Debug, Serialize)]
pub struct ObjectReport {
    /// `table`, `view`, ...
    pub kind: &'static str,
    pub source: String,
    pub target: String,
    /// As the source's server believes; 0 where it doesn't know.
    pub estimated_rows: u64,
    pub estimated_bytes: u64,
    pub verdict: Verdict,
    pub effort: Effort,
    pub changes: Vec<Change>,
    pub risks: Vec<Risk>,
    /// What reading its rows cost; null where they weren't read.
    pub scan: Option<Cost>,
}

/// One difference.
#[derive(Debug, Serialize)]
pub struct Change {
    /// The rule that was followed; an error's code where none was.
    pub rule: String,
    /// `schema.table`, `schema.table.column` or `schema.table, key name`.
    pub object: String,
    pub loss: Loss,
    pub effort: Effort,
    pub why: String,
    pub to_do: String,
}

/// One question about the data, with its answer.
#[derive(Debug, Serialize)]
pub struct Risk {
    /// Stable name of the check.
    pub check: &'static str,
    pub object: String,
    /// How many rows it holds for; null where the check has no answer.
    pub rows: Option<u64>,
    pub effort: Effort,
    pub why: String,
    pub to_do: String,
    /// Examples.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<String>,
    pub cost: Cost,
}

impl ObjectReport {
    /// An object of which nothing is known yet.
    pub fn new(kind: &'static str, source: &TableName, target: &TableName) -> Self {
        Self {
            kind,
            source: source.to_string(),
            target: target.to_string(),
            estimated_rows: 0,
            estimated_bytes: 0,
            verdict: Verdict::Moved,
            effort: Effort::None,
            changes: Vec::new(),
            risks: Vec::new(),
            scan: None,
        }
    }

    /// What was read of it: the one pass for all questions about rows, and one for each key.
    pub fn costs(&self) -> impl Iterator<Item = &Cost> {
        let keys = self.risks.iter().filter(|risk| risk.check == "keys-collide").map(|risk| &risk.cost);
        self.scan.iter().chain(keys)
    }

    /// Grades the object by its changes and by the risks that were found.
    pub fn grade(&mut self) {
        let of_changes = self.changes.iter().map(|change| change.effort);
        let found = self.risks.iter().filter(|risk| risk.rows.is_some_and(|rows| rows > 0));
        self.effort = of_changes.chain(found.map(|risk| risk.effort)).max().unwrap_or_default();
        if self.verdict != Verdict::NotPossible
            && self.changes.iter().any(|change| change.loss > Loss::None || change.rule == "override")
        {
            self.verdict = Verdict::Changed;
        }
    }
}

impl Summary {
    pub fn of(objects: &[ObjectReport]) -> Self {
        let mut sum = Self::default();
        for object in objects {
            *match object.verdict {
                Verdict::Moved => &mut sum.moved,
                Verdict::Changed => &mut sum.changed,
                Verdict::NotPossible => &mut sum.not_possible,
            } += 1;
            *match object.effort {
                Effort::None => &mut sum.effort_none,
                Effort::Low => &mut sum.effort_low,
                Effort::Medium => &mut sum.effort_medium,
                Effort::High => &mut sum.effort_high,
            } += 1;
        }
        sum
    }
}

/// What a check read, for people: `120,000 rows in 0.5 s`.
pub fn cost_words(cost: &Cost) -> String {
    if let Some(why) = &cost.stopped {
        return format!("no answer after {:.1} s: {why}", cost.milliseconds as f64 / 1e3);
    }
    let all = if cost.complete { "all" } else { "the first" };
    let rows = crate::display::count(cost.rows_read);
    format!("{all} {rows} rows in {:.1} s", cost.milliseconds as f64 / 1e3)
}

//! `whimbrel check` and `whimbrel plan`: what a migration needs and what it would do. Neither changes anything.
//!
//! A plan is written table by table and never held whole, so that ten thousand tables cost no more memory than their
//! definitions. Three forms: text for people (`text.rs`), a script that can be run as it is (`script.rs`), and JSON
//! (`json.rs`).

mod json;
mod script;
mod text;

use std::io::{self, BufWriter, Write};

use whimbrel_connector::Severity;
use whimbrel_dbcat::{ConvertedTable, Note, TargetProfile, convert_table};
use whimbrel_model::{Column, TableName, TableSchema};

use crate::cli::{MigrateArgs, PlanArgs, PlanFormat, Step};
use crate::display::count;
use crate::failure::{Exit, Failure};
use crate::merging::Merging;
use crate::migrate::Task;
use crate::precheck::{self, Prechecked};

/// Prints the findings of the precheck.
pub async fn check(args: MigrateArgs) -> Result<Exit, Failure> {
    let task = Task::new(args)?;
    let mut checked =
        precheck::run(&task.source, &task.target, &task.rules, task.filters(), task.needs(true)).await?;
    checked.add_proof(task.args.home.as_deref());
    task.examine_merging(&mut checked, true).await?;
    checked.print();
    checked.refuse_errors()?;
    let (views, _) = task.views(&checked.tables)?;
    task.conversions.check(&views, &task.profile(&checked.target), &task.rules)?;
    let warnings = checked.findings.iter().filter(|finding| finding.severity == Severity::Warning).count();
    println!(
        "ready: {} tables from {} to {}, {warnings} warnings",
        count(checked.tables.len() as u64),
        checked.source.version_text,
        checked.target.version_text
    );
    Ok(Exit::Done)
}

/// Prints the statements and what will be different.
pub async fn plan(args: PlanArgs) -> Result<Exit, Failure> {
    let task = Task::new(args.migrate)?;
    let mut needs = task.needs(true);
    // A plan may be read before the target is prepared.
    (needs.empty, needs.target_tables) = (false, false);
    let mut checked = precheck::run(&task.source, &task.target, &task.rules, task.filters(), needs).await?;
    checked.add_proof(task.args.home.as_deref());
    // It is printed whatever the servers lack.
    checked.print();
    let merging = task.merging(&checked.tables);
    // The plan is about the tables as the task sees them; both forms at once would be twice the memory.
    checked.tables = task.views(&std::mem::take(&mut checked.tables))?.0;
    if !merging.groups(&checked.tables).is_empty() {
        checked.tables = merging.with_common_numbers(&checked.tables);
        let findings = merging.findings(&checked.tables, &task.profile(&checked.target));
        precheck::print_findings(&findings);
        checked.add(findings);
    }
    let profile = task.profile(&checked.target);
    task.conversions.check(&checked.tables, &profile, &task.rules)?;
    let plan = Plan { task: &task, checked: &checked, profile: &profile, merging: &merging };
    let mut out = BufWriter::new(io::stdout().lock());
    let written = match args.format {
        PlanFormat::Text => text::write(&plan, &mut out),
        PlanFormat::Sql => script::write(&plan, &mut out),
        PlanFormat::Json => json::write(&plan, &mut out),
    };
    match written.and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => {
            written
                .map_err(|error| Failure::storage("standard output", "the plan can't be written", error))?;
        }
    }
    checked.refuse_errors()?;
    Ok(Exit::Done)
}

/// All that a plan is made of.
struct Plan<'a> {
    task: &'a Task,
    checked: &'a Prechecked,
    profile: &'a TargetProfile,
    merging: &'a Merging,
}

impl Plan<'_> {
    fn convert(&self, table: &TableSchema) -> ConvertedTable {
        convert_table(table, self.profile, &|name: &TableName| self.task.rules.target_name(name))
    }

    /// Every table with what becomes of it, in the order of their names.
    fn tables(&self) -> impl Iterator<Item = (&TableSchema, ConvertedTable)> {
        self.checked.tables.iter().map(|table| (table, self.convert(table)))
    }

    /// The table that stands for all that become this one, where that is another one.
    fn made_with(&self, table: &TableSchema) -> Option<&TableSchema> {
        if !self.merging.merges(&table.name) {
            return None;
        }
        let target = self.task.rules.target_name(&table.name);
        let of_target = |other: &&TableSchema| self.task.rules.target_name(&other.name) == target;
        self.checked.tables.iter().find(of_target).filter(|first| first.name != table.name)
    }

    /// How the rows of a table are copied.
    fn chunks_by(&self, table: &TableSchema) -> String {
        match table.row_key() {
            Some(_) if self.merging.merges(&table.name) => {
                "one of several: one consistent view, locked for a moment".to_owned()
            }
            Some(key) => format!("chunks by {}", key.name),
            None => "no key: one consistent view, locked for a moment".to_owned(),
        }
    }

    /// The steps that the task has, in words.
    fn steps(&self) -> Vec<&'static str> {
        let words = [
            (Step::Schema, "schema"),
            (Step::Full, "full import"),
            (Step::Incr, "incremental"),
            (Step::Verify, "verification"),
        ];
        words.iter().filter(|(step, _)| self.task.has(*step)).map(|(_, word)| *word).collect()
    }
}

/// The conditions on the rows of a table.
fn conditions(plan: &Plan<'_>, table: &TableName) -> Vec<String> {
    let rules = plan.task.selection.rules(table);
    rules.conditions.iter().map(|condition| condition.trim().to_owned()).collect()
}

/// Schemas of the target that the plan needs, in order.
fn target_schemas(plan: &Plan<'_>) -> Vec<String> {
    let names = plan.checked.tables.iter().map(|table| plan.task.rules.target_name(&table.name).schema);
    let mut schemas: Vec<String> = names.collect();
    schemas.sort();
    schemas.dedup();
    schemas
}

/// The notes about one column.
pub fn notes_of<'a>(
    table: &TableSchema,
    column: &Column,
    converted: &'a ConvertedTable,
) -> impl Iterator<Item = &'a Note> {
    let object = format!("{}.{}", table.name, column.name);
    converted.notes.iter().filter(move |note| note.object == object)
}

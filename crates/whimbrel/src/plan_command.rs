//! `whimbrel check` and `whimbrel plan`: what a migration needs and what it would do. Neither changes anything.

use whimbrel_connector::Severity;
use whimbrel_dbcat::{Loss, TargetProfile, convert_table};
use whimbrel_model::TableName;

use crate::cli::{MigrateArgs, Step};
use crate::display::count;
use crate::failure::{Exit, Failure};
use crate::migrate::Task;
use crate::precheck;

/// Prints the findings of the precheck.
pub async fn check(args: MigrateArgs) -> Result<Exit, Failure> {
    let task = Task::new(args)?;
    let mut checked =
        precheck::run(&task.source, &task.target, &task.rules, task.filters(), task.needs(true)).await?;
    checked.add_proof(task.args.home.as_deref());
    checked.print();
    checked.refuse_errors()?;
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
pub async fn plan(args: MigrateArgs) -> Result<Exit, Failure> {
    let task = Task::new(args)?;
    let mut needs = task.needs(true);
    // A plan may be read before the target is prepared.
    (needs.empty, needs.target_tables) = (false, false);
    let mut checked = precheck::run(&task.source, &task.target, &task.rules, task.filters(), needs).await?;
    checked.add_proof(task.args.home.as_deref());
    checked.print();
    // A plan is printed whatever the servers lack; only one that can't be made isn't.
    let (views, _) = task.views(&checked.tables)?;
    let profile = TargetProfile::new(&checked.target);
    let rename = |name: &TableName| task.rules.target_name(name);
    let converted: Vec<_> = views.iter().map(|table| convert_table(table, &profile, &rename)).collect();
    println!("-- {} -> {}", checked.source.version_text, checked.target.version_text);
    if task.has(Step::Schema) {
        println!("\n-- before the load");
        for table in &converted {
            println!("{};", table.create);
        }
        println!("\n-- after the load of each table");
        for ddl in converted.iter().flat_map(|table| &table.indexes) {
            println!("{};", ddl.sql);
        }
        println!("\n-- after the increments have passed the load");
        for ddl in converted.iter().flat_map(|table| &table.foreign_keys) {
            println!("{};", ddl.sql);
        }
    }
    println!("\n-- what will be different");
    let mut notes: Vec<_> = converted.iter().flat_map(|table| &table.notes).collect();
    notes.sort_by_key(|note| std::cmp::Reverse(note.loss));
    for note in &notes {
        let loss = match note.loss {
            Loss::Data => "DATA     ",
            Loss::Behaviour => "behaviour",
            Loss::None => "spelling ",
        };
        println!("-- {loss} {}: {}", note.object, note.text);
    }
    if notes.is_empty() {
        println!("-- nothing");
    }
    println!("\n-- steps: {}", steps(&task));
    for table in &views {
        let how = match table.row_key() {
            Some(key) => format!("chunks by {}", key.name),
            None => "no key: one consistent view, locked for a moment".to_owned(),
        };
        println!("-- {} -> {}: {how}", table.name, task.rules.target_name(&table.name));
        for condition in task.selection.rules(&table.name).conditions {
            println!("--   only rows where {}", condition.trim());
        }
    }
    checked.refuse_errors()?;
    Ok(Exit::Done)
}

fn steps(task: &Task) -> String {
    let words = [
        (Step::Schema, "schema"),
        (Step::Full, "full import"),
        (Step::Incr, "incremental"),
        (Step::Verify, "verification"),
    ];
    let named: Vec<&str> = words.iter().filter(|(step, _)| task.has(*step)).map(|(_, word)| *word).collect();
    named.join(", ")
}

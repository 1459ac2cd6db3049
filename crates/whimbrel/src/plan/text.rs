//! A plan for people. Everything but statements stands in comments, so any part of it may be pasted into a client.

use std::io::{self, Write};

use whimbrel_dbcat::{Loss, Note, render};
use whimbrel_model::{TableName, TableSchema};

use super::{Plan, conditions, notes_of};
use crate::cli::Step;
use crate::display::count;

pub(super) fn write(plan: &Plan<'_>, out: &mut impl Write) -> io::Result<()> {
    let (source, target) = (&plan.checked.source.version_text, &plan.checked.target.version_text);
    writeln!(out, "-- {source} -> {target}")?;
    writeln!(
        out,
        "-- {} tables; steps: {}",
        count(plan.checked.tables.len() as u64),
        plan.steps().join(", ")
    )?;
    differences(plan, out)?;
    writeln!(out, "\n-- tables")?;
    for (table, converted) in plan.tables() {
        heading(plan, table, &converted.schema.name, out)?;
        for condition in conditions(plan, &table.name) {
            writeln!(out, "--   only rows where {}", condition.replace('\n', " "))?;
        }
        for column in &table.columns {
            let now = converted.schema.columns.iter().find(|other| other.name == column.name);
            let (from, to) = (
                render::data_type(&column.data_type),
                now.map_or_else(|| "left out".to_owned(), |now| render::data_type(&now.data_type)),
            );
            if from != to {
                let rules: Vec<&str> = notes_of(table, column, &converted).map(|note| note.rule).collect();
                writeln!(out, "--   {}: {from} -> {to} ({})", column.name, rules.join(", "))?;
            }
        }
        if let Some(first) = plan.made_with(table) {
            writeln!(out, "--   the same table as {}", first.name)?;
        } else if plan.task.has(Step::Schema) {
            writeln!(out, "{};", converted.create)?;
            for ddl in &converted.indexes {
                writeln!(out, "{}; -- after the load", ddl.sql)?;
            }
            for ddl in &converted.foreign_keys {
                writeln!(out, "{}; -- when the changes have passed the load", ddl.sql)?;
            }
        }
    }
    Ok(())
}

fn heading(plan: &Plan<'_>, table: &TableSchema, target: &TableName, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n-- {} -> {target}: {}", table.name, plan.chunks_by(table))
}

/// What will be different, the gravest first; what is only spelled otherwise is counted.
fn differences(plan: &Plan<'_>, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n-- what will be different")?;
    let mut notes: Vec<Note> = Vec::new();
    let mut spelled = 0u64;
    for (_, converted) in plan.tables() {
        for note in converted.notes {
            if note.loss == Loss::None && note.rule != "override" {
                spelled += 1;
            } else {
                notes.push(note);
            }
        }
    }
    notes.sort_by_key(|note| std::cmp::Reverse(note.loss));
    for note in &notes {
        let loss = match note.loss {
            Loss::Data => "DATA     ",
            Loss::Behaviour => "behaviour",
            Loss::None => "by choice",
        };
        writeln!(out, "-- {loss} {}: {}", note.object, note.text)?;
        let to_do = note.rule().map_or("", |rule| rule.to_do);
        if note.loss == Loss::Data && !to_do.is_empty() {
            writeln!(out, "--             to do: {to_do}")?;
        }
    }
    if notes.is_empty() {
        writeln!(out, "-- nothing")?;
    }
    if spelled > 0 {
        writeln!(
            out,
            "-- and {} things are the same in other words (--format json lists them)",
            count(spelled)
        )?;
    }
    Ok(())
}

//! A plan as a script that a client of the target can run as it is: all tables with all their indexes, then all foreign
//! keys. (A migration makes indexes after the load and foreign keys at the end; the result is the same.)

use std::io::{self, Write};

use whimbrel_dbcat::render;

use super::{Plan, target_schemas};

pub(super) fn write(plan: &Plan<'_>, out: &mut impl Write) -> io::Result<()> {
    let (source, target) = (&plan.checked.source.version_text, &plan.checked.target.version_text);
    writeln!(out, "-- Tables of {source} for {target}, by whimbrel plan --format sql.")?;
    writeln!(out, "SET NAMES utf8mb4;")?;
    // Defaults with zero dates are values like any other, and zero is no request for a number.
    writeln!(out, "SET sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES';\n")?;
    for schema in target_schemas(plan) {
        writeln!(out, "CREATE DATABASE IF NOT EXISTS {};", render::quoted(&schema))?;
    }
    for (table, converted) in plan.tables() {
        writeln!(out, "\n-- {}", one_line(&table.name.to_string()))?;
        if let Some(first) = plan.made_with(table) {
            writeln!(out, "-- the same table as {}", one_line(&first.name.to_string()))?;
            continue;
        }
        for note in &converted.notes {
            writeln!(out, "-- {}: {}", one_line(&note.object), one_line(&note.text))?;
        }
        writeln!(out, "{};", converted.create)?;
        for ddl in &converted.indexes {
            writeln!(out, "{};", ddl.sql)?;
        }
    }
    let mut first = true;
    let made = plan.tables().filter(|(table, _)| plan.made_with(table).is_none());
    for (_, converted) in made {
        for ddl in &converted.foreign_keys {
            if std::mem::take(&mut first) {
                writeln!(out, "\n-- foreign keys")?;
            }
            writeln!(out, "{};", ddl.sql)?;
        }
    }
    Ok(())
}

/// A comment ends with its line, whatever a name holds.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

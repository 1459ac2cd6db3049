//! One table, converted.

use std::collections::HashSet;

use whimbrel_connector::Flavor;
use whimbrel_model::schema::KeyKind;
use whimbrel_model::{Column, ColumnDefault, DataType, Key, TableName, TableSchema, TextSize};

use crate::profile::TargetProfile;
use crate::rules::Rule;
use crate::{Loss, Note, collation, render};

/// A table as it will be at the target, with the statements that make it.
#[derive(Clone, Debug)]
pub struct ConvertedTable {
    pub schema: TableSchema,
    /// CREATE TABLE with primary and unique keys.
    pub create: String,
    /// Secondary indexes, for after the load.
    pub indexes: Vec<NamedDdl>,
    /// Foreign keys, for the very end.
    pub foreign_keys: Vec<NamedDdl>,
    pub notes: Vec<Note>,
}

/// A statement that makes one named thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedDdl {
    pub name: String,
    pub sql: String,
}

/// Converts a table. `rename` gives each source table its name at the target.
pub fn convert_table(
    source: &TableSchema,
    target: &TargetProfile,
    rename: &dyn Fn(&TableName) -> TableName,
) -> ConvertedTable {
    let mut notes = Vec::new();
    let schema = convert_schema(source, target, rename, &mut notes);
    let create = render::create_table(&schema, target);
    let table = render::quoted_table(&schema.name);
    let indexes = schema
        .indexes
        .iter()
        .map(|key| NamedDdl {
            name: key.name.clone(),
            sql: format!("ALTER TABLE {table} ADD {}", render::key(key, false, target)),
        })
        .collect();
    let foreign_keys = schema
        .foreign_keys
        .iter()
        .map(|key| NamedDdl {
            name: key.name.clone(),
            sql: format!("ALTER TABLE {table} ADD {}", render::foreign_key(key)),
        })
        .collect();
    ConvertedTable { schema, create, indexes, foreign_keys, notes }
}

fn convert_schema(
    source: &TableSchema,
    target: &TargetProfile,
    rename: &dyn Fn(&TableName) -> TableName,
    notes: &mut Vec<Note>,
) -> TableSchema {
    let mut table = source.clone();
    table.name = rename(&source.name);
    let unique: HashSet<String> = source
        .primary_key
        .iter()
        .chain(&source.unique_keys)
        .flat_map(|key| &key.parts)
        .filter_map(|part| part.column().map(str::to_lowercase))
        .collect();
    for column in &mut table.columns {
        let object = format!("{}.{}", source.name, column.name);
        convert_column(column, target, unique.contains(&column.name.to_lowercase()), &object, notes);
    }
    table.collation = source.collation.as_deref().and_then(|name| {
        let charset = whimbrel_model::Charset::of_collation(name)?;
        // The table's default matters only for columns to come, so it needs no note.
        Some(collation::map(target, (charset, name), false, "", &mut Vec::new()).collation)
    });
    if table.collation.as_deref() == Some("binary") && target.is_oceanbase() {
        table.collation = None;
    }
    convert_keys(&mut table, source, target, notes);
    for key in &mut table.foreign_keys {
        key.parent = rename(&key.parent);
    }
    if !target.has_checks() && !table.checks.is_empty() {
        note(
            notes,
            Loss::Behaviour,
            source,
            "check constraints are not enforced by this target and left out",
        );
        table.checks.clear();
    }
    if let Some(text) = &source.partitioning {
        table.partitioning = Some(partitioning(text, source, target, notes));
    }
    if source.engine.as_deref().is_some_and(|engine| !engine.eq_ignore_ascii_case("innodb")) {
        let engine = source.engine.as_deref().unwrap_or_default();
        note(
            notes,
            Loss::Behaviour,
            source,
            &format!("engine {engine} becomes the target's own, with transactions"),
        );
    }
    table
}

fn note(notes: &mut Vec<Note>, loss: Loss, table: &TableSchema, text: &str) {
    notes.push(Note { loss, object: table.name.to_string(), text: text.to_owned() });
}

fn convert_column(
    column: &mut Column,
    target: &TargetProfile,
    unique: bool,
    object: &str,
    notes: &mut Vec<Note>,
) {
    let mut say = |loss, text: String| notes.push(Note { loss, object: object.to_owned(), text });
    if let Some((rule, converted)) = Rule::find(&column.data_type, target) {
        say(rule.loss, format!("{} becomes {}: {}", rule.from, rule.to, rule.why));
        column.data_type = converted;
        // Functions of the source's own type say nothing at the target.
        if matches!(column.default, Some(ColumnDefault::Expression(_))) && target.flavor != Flavor::MariaDb {
            say(Loss::Behaviour, "its default expression is left out".to_owned());
            column.default = None;
        }
    }
    if column.default.as_ref().is_some_and(|d| *d != ColumnDefault::Null)
        && is_large(&column.data_type)
        && !target.has_defaults_for_large_types()
    {
        say(Loss::Behaviour, "the target allows no default for this type; it is left out".to_owned());
        column.default = None;
    }
    if column.invisible && !target.has_invisible_columns() {
        say(Loss::Behaviour, "the target has no invisible columns; it becomes visible".to_owned());
        column.invisible = false;
    }
    if target.is_oceanbase() {
        for expression in column.generated.iter_mut().map(|generated| &mut generated.expression) {
            *expression = without_introducers(expression);
        }
        if let Some(ColumnDefault::Expression(expression)) = &mut column.default {
            *expression = without_introducers(expression);
        }
    }
    if let Some(collation) = column.data_type.collation().map(str::to_owned) {
        let charset = column.data_type.charset();
        let mapped = collation::map(target, (charset, &collation), unique, object, notes);
        set_collation(&mut column.data_type, mapped);
    }
}

fn is_large(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Text { .. } | DataType::Blob { .. } | DataType::Json | DataType::Geometry { .. }
    )
}

fn set_collation(data_type: &mut DataType, mapped: collation::Mapped) {
    let widened = mapped.charset != data_type.charset();
    match data_type {
        DataType::Char { charset, collation, .. }
        | DataType::VarChar { charset, collation, .. }
        | DataType::Enum { charset, collation, .. }
        | DataType::Set { charset, collation, .. } => {
            (*charset, *collation) = (mapped.charset, mapped.collation);
        }
        DataType::Text { size, charset, collation } => {
            (*charset, *collation) = (mapped.charset, mapped.collation);
            // TEXT sizes count bytes, and the same text may take more of them in UTF-8.
            if widened {
                *size = match size {
                    TextSize::Tiny => TextSize::Regular,
                    TextSize::Regular => TextSize::Medium,
                    TextSize::Medium | TextSize::Long => TextSize::Long,
                };
            }
        }
        _ => {}
    }
}

/// `_latin1'x'` is taken for a column's name by OceanBase, which knows `_utf8mb4` and `_binary` only.
fn without_introducers(expression: &str) -> String {
    let mut out = String::with_capacity(expression.len());
    let mut rest = expression;
    while let Some(at) = rest.find('_') {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        let word: String = tail.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let after = &tail[word.len()..];
        let begins = !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '`' | '$'));
        let introducer = begins && (after.starts_with('\'') || after.starts_with("\\'"));
        let known = matches!(word.as_str(), "_utf8mb4" | "_binary" | "_utf8" | "_utf8mb3");
        if !introducer || known {
            out.push_str(&word);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn convert_keys(
    table: &mut TableSchema,
    source: &TableSchema,
    target: &TargetProfile,
    notes: &mut Vec<Note>,
) {
    let name = source.name.clone();
    let mut say = |loss, key: &Key, text: String| {
        notes.push(Note { loss, object: format!("{name}, key {}", key.name), text });
    };
    let prefixed = |key: &Key| key.parts.iter().any(|part| part.prefix.is_some());
    if let Some(key) = table.primary_key.as_mut().filter(|key| target.is_oceanbase() && prefixed(key)) {
        // OceanBase has no prefix primary keys (1064). The whole column tells more rows apart than its prefix, so
        // no two rows become one.
        say(Loss::Behaviour, key, "a primary key over a prefix becomes one over the whole column".to_owned());
        key.parts.iter_mut().for_each(|part| part.prefix = None);
    }
    let functional = |key: &Key| key.parts.iter().any(|part| part.column().is_none());
    let mut keep = |key: &Key| {
        if functional(key) && !target.has_functional_keys() {
            say(Loss::Behaviour, key, "the target has no keys over expressions; left out".to_owned());
            return false;
        }
        if key.kind == KeyKind::Vector {
            say(Loss::Behaviour, key, "vector indexes are not converted; left out".to_owned());
            return false;
        }
        if key.parts.iter().any(|part| part.descending) && !target.has_descending_keys() {
            say(Loss::Behaviour, key, "the target drops DESC: the key is ascending".to_owned());
        }
        true
    };
    table.unique_keys.retain(&mut keep);
    table.indexes.retain(&mut keep);
}

/// A PARTITION BY clause in the target's words.
fn partitioning(text: &str, source: &TableSchema, target: &TargetProfile, notes: &mut Vec<Note>) -> String {
    let mut out = text.trim().to_owned();
    // SHOW CREATE TABLE wraps the clause in an executable comment.
    if let Some(inner) = out.strip_prefix("/*!").and_then(|rest| rest.strip_suffix("*/")) {
        out = inner.trim_start_matches(|c: char| c.is_ascii_digit()).trim().to_owned();
    }
    for engine in [" ENGINE = InnoDB", " ENGINE=InnoDB"] {
        out = out.replace(engine, "");
    }
    if target.is_oceanbase() {
        for (word, plain) in [("LINEAR HASH", "HASH"), ("LINEAR KEY", "KEY")] {
            if out.contains(word) {
                out = out.replace(word, plain);
                note(notes, Loss::Behaviour, source, &format!("{word} partitioning becomes {plain}"));
            }
        }
        for algorithm in ["ALGORITHM = 1 ", "ALGORITHM = 2 "] {
            out = out.replace(algorithm, "");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn introducers_that_the_target_takes_for_names_go() {
        for (from, to) in [
            ("concat(_latin1'a',`b_c`)", "concat('a',`b_c`)"),
            ("concat(_utf8mb4'a',x_y)", "concat(_utf8mb4'a',x_y)"),
            (r"_cp1252\'a\'", r"\'a\'"),
            ("`_gbk` + 1", "`_gbk` + 1"),
        ] {
            assert_eq!(without_introducers(from), to);
        }
    }
}

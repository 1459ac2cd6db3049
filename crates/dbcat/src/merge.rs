//! Several source tables that become one table of the target.
//!
//! Their definitions must become the same: columns by name, keys by what they are over. Names of keys, comments and where
//! a column stands may differ.
//!
//! A statement about one of them is a statement about the common table. It is carried over once, with the first of them;
//! so each of its clauses is a statement of its own, for which it can be seen whether the target has its result already.
//! What can't be said of the common table is refused by name.

use std::collections::BTreeSet;

use whimbrel_model::schema::ForeignKey;
use whimbrel_model::{Column, Key, TableEffect, TableName, TableSchema};
use whimbrel_mysql_ddl::ast::{AlterClause, Body, IndexDef, IndexKind, Statement};

use crate::kind::DdlKind;
use crate::render;
use crate::statement::{Routes, StatementError};

/// What keeps two tables, as they will be at the target, from being one; `None` where nothing does.
pub fn difference(one: &TableSchema, other: &TableSchema) -> Option<String> {
    // Keys before types: a column without its unique key may get another collation.
    lacking_column(one, other)
        .or_else(|| lacking_column(other, one))
        .or_else(|| sets_differ(row_keys(one), row_keys(other)))
        .or_else(|| one.columns.iter().find_map(|column| columns_differ(column, other)))
        .or_else(|| sets_differ(belongings(one), belongings(other)))
}

type Texts = BTreeSet<String>;

fn row_keys(table: &TableSchema) -> [(&'static str, Texts); 2] {
    [
        ("the primary keys", table.primary_key.iter().map(key_text).collect()),
        ("the unique keys", table.unique_keys.iter().map(key_text).collect()),
    ]
}

fn belongings(table: &TableSchema) -> [(&'static str, Texts); 4] {
    [
        ("the indexes", table.indexes.iter().map(key_text).collect()),
        ("the foreign keys", table.foreign_keys.iter().map(foreign_key_text).collect()),
        ("the checks", table.checks.iter().map(|check| check.expression.to_lowercase()).collect()),
        ("the partitions", table.partitioning.iter().map(|text| text.to_lowercase()).collect()),
    ]
}

fn sets_differ<const N: usize>(
    one: [(&'static str, Texts); N],
    other: [(&'static str, Texts); N],
) -> Option<String> {
    one.into_iter().zip(other).find_map(|((what, one), (_, other))| {
        let differing: Vec<String> = one.symmetric_difference(&other).cloned().collect();
        (!differing.is_empty()).then(|| format!("{what} differ: {}", differing.join("; ")))
    })
}

/// As far as a catalogue shows it alike whoever made the table: columns with their types, and the row key.
fn visible_difference(one: &TableSchema, other: &TableSchema) -> Option<String> {
    let lacks = |table: &TableSchema, other: &TableSchema| {
        let missing = table.columns.iter().find(|column| other.column_index(&column.name).is_none())?;
        Some(format!("{} has no column {}", other.name, missing.name))
    };
    let types = || {
        one.columns.iter().find_map(|column| {
            let there = &other.columns[other.column_index(&column.name)?].data_type;
            let (a, b) = (render::data_type(&column.data_type), render::data_type(there));
            (a != b).then(|| format!("column {}: {a} and {b}", column.name))
        })
    };
    let key = |table: &TableSchema| table.row_key().map(key_text);
    lacks(one, other).or_else(|| lacks(other, one)).or_else(types).or_else(|| {
        (key(one) != key(other)).then(|| format!("the keys differ: {:?} and {:?}", key(one), key(other)))
    })
}

fn lacking_column(table: &TableSchema, other: &TableSchema) -> Option<String> {
    let column = table.columns.iter().find(|column| other.column_index(&column.name).is_none())?;
    Some(format!("column {} is only in one of them", column.name))
}

fn columns_differ(column: &Column, other: &TableSchema) -> Option<String> {
    let there = &other.columns[other.column_index(&column.name)?];
    let (a, b) = (column_text(column), column_text(there));
    (a != b).then(|| format!("column {}: {a} and {b}", column.name))
}

fn column_text(column: &Column) -> String {
    let mut text = render::data_type(&column.data_type);
    text.push_str(if column.nullable { " NULL" } else { " NOT NULL" });
    if let Some(default) = &column.default {
        text.push_str(&format!(" DEFAULT {default:?}"));
    }
    if let Some(on_update) = &column.on_update {
        text.push_str(&format!(" ON UPDATE {on_update}"));
    }
    if column.auto_increment {
        text.push_str(" AUTO_INCREMENT");
    }
    if let Some(generated) = &column.generated {
        text.push_str(&format!(" GENERATED {generated:?}"));
    }
    text
}

fn key_text(key: &Key) -> String {
    let parts = key.parts.iter().map(|part| format!("{part:?}").to_lowercase());
    let columns: Vec<String> = key
        .parts
        .iter()
        .zip(parts)
        .map(|(part, text)| match part.column() {
            Some(name) if part.prefix.is_none() && !part.descending => name.to_lowercase(),
            _ => text,
        })
        .collect();
    format!("({})", columns.join(", "))
}

fn foreign_key_text(key: &ForeignKey) -> String {
    let text = format!(
        "({}) to {} ({}) on update {} on delete {}",
        key.columns.join(", "),
        key.parent,
        key.parent_columns.join(", "),
        key.on_update,
        key.on_delete
    );
    text.to_lowercase()
}

/// What a statement would do to the rows of the other tables.
const EMPTIED: &str = "emptying it would take the other tables' rows along";
const GONE: &str = "dropping it would take the other tables' rows along";
const RENAMED: &str = "renaming it would take the other tables' rows along";
const PARTITIONS: &str = "its partitions hold the other tables' rows too";
const REPLACED: &str =
    "whether a column or key was replaced by one of the same name can't be seen, so it might be done again";
const COLUMN_RENAMED: &str = "rows of the other tables come with the old name of the column";

/// Refuses what can't be said of a table that others become too.
pub(crate) fn refuse(
    statement: &Statement,
    effects: &[TableEffect],
    routes: &Routes<'_>,
) -> Result<(), StatementError> {
    for effect in effects {
        let Some(before) = &effect.before else { continue };
        let merged = (routes.merged)(before);
        let what = match &effect.after {
            None if merged => Some(GONE),
            Some(after) if *before != after.name && (merged || (routes.merged)(&after.name)) => Some(RENAMED),
            Some(_) | None if merged => match &statement.body {
                Body::TruncateTable(_) => Some(EMPTIED),
                Body::AlterTable(alter) => clauses(&alter.clauses),
                _ => None,
            },
            _ => None,
        };
        if let Some(what) = what {
            return Err(refusal(before, routes, what));
        }
    }
    Ok(())
}

fn refusal(table: &TableName, routes: &Routes<'_>, what: &'static str) -> StatementError {
    let target = (routes.route)(table).unwrap_or_else(|| table.clone());
    StatementError::Merged { table: table.clone(), target, what }
}

fn clauses(clauses: &[AlterClause]) -> Option<&'static str> {
    use AlterClause as A;
    let of_partitions =
        |clause: &A| matches!(DdlKind::of_clause(clause), Some(DdlKind::Partition | DdlKind::DropPartition));
    if clauses.iter().any(of_partitions) {
        return Some(PARTITIONS);
    }
    let added = |index: &IndexDef| match (index.kind, index.given_name()) {
        (IndexKind::Primary, _) => "primary".to_owned(),
        (_, name) => name.map(|name| name.value.to_lowercase()).unwrap_or_default(),
    };
    let replaced = |clause: &A| {
        match clause {
        A::DropColumn { name, .. } => clauses.iter().any(
            |other| matches!(other, A::AddColumn { column, .. } if column.name.value.eq_ignore_ascii_case(&name.value)),
        ),
        A::DropIndex { name, .. } => clauses
            .iter()
            .any(|other| matches!(other, A::AddIndex(index) if added(index) == name.value.to_lowercase())),
        A::DropPrimaryKey => {
            clauses.iter().any(|other| matches!(other, A::AddIndex(index) if index.kind == IndexKind::Primary))
        }
        _ => false,
    }
    };
    clauses.iter().any(replaced).then_some(REPLACED)
}

/// Refuses to rename a column, unless the target's has been renamed.
pub(crate) fn refuse_renamed_column(
    table: &TableName,
    clause: &AlterClause,
    sql: &str,
    routes: &Routes<'_>,
) -> Result<(), StatementError> {
    let renames = match clause {
        AlterClause::RenameColumn { .. } => true,
        AlterClause::ChangeColumn { old, column, .. } => !old.value.eq_ignore_ascii_case(&column.name.value),
        _ => false,
    };
    let target = (routes.route)(table);
    let there = target.and_then(|target| (routes.current)(&target));
    if renames && !crate::applied::is_applied(sql, there.as_ref()) {
        return Err(refusal(table, routes, COLUMN_RENAMED));
    }
    Ok(())
}

/// Refuses a new table that isn't like the one that it would go into.
pub(crate) fn refuse_unlike(
    source: &TableName,
    converted: &TableSchema,
    there: &TableSchema,
) -> Result<(), StatementError> {
    match visible_difference(converted, there) {
        None => Ok(()),
        Some(difference) => {
            Err(StatementError::Unlike { table: source.clone(), target: there.name.clone(), difference })
        }
    }
}

/// Columns that a statement drops.
pub fn dropped_columns(statement: &Statement) -> Vec<String> {
    let Body::AlterTable(alter) = &statement.body else { return Vec::new() };
    let dropped = alter.clauses.iter().filter_map(|clause| match clause {
        AlterClause::DropColumn { name, .. } => Some(name.value.clone()),
        _ => None,
    });
    dropped.collect()
}

#[cfg(test)]
mod tests {
    use whimbrel_model::DataType;

    use super::*;

    fn table(name: &str) -> TableSchema {
        let int = DataType::Int { bytes: 4, unsigned: false, zerofill: None };
        TableSchema {
            primary_key: Some(Key::on_columns("PRIMARY", ["id"])),
            unique_keys: vec![Key::on_columns("u", ["v"])],
            ..TableSchema::new(
                TableName::new("d", name),
                vec![Column::new("id", int.clone(), false), Column::new("v", int, true)],
            )
        }
    }

    #[test]
    fn names_of_keys_places_and_comments_may_differ() {
        let (one, mut other) = (table("a"), table("b"));
        other.columns.reverse();
        other.columns[0].name = "V".into();
        other.unique_keys[0].name = "other".into();
        other.comment = "the second".into();
        assert_eq!(difference(&one, &other), None);
    }

    #[test]
    fn a_difference_is_named() {
        let one = table("a");
        let other = |change: &dyn Fn(&mut TableSchema)| {
            let mut other = table("b");
            change(&mut other);
            difference(&one, &other).unwrap()
        };
        assert!(other(&|t| t.columns[1].nullable = false).contains("column v: int NULL and int NOT NULL"));
        assert!(other(&|t| drop(t.columns.pop())).contains("column v is only in one"));
        assert!(other(&|t| t.columns[0].auto_increment = true).contains("AUTO_INCREMENT"));
        assert!(other(&|t| t.unique_keys.clear()).contains("the unique keys differ: (v)"));
        assert!(other(&|t| t.primary_key = None).contains("the primary keys differ: (id)"));
    }
}

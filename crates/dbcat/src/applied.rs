//! Whether a statement that this crate wrote has had its effect already.
//!
//! Servers of the MySQL family commit each DDL statement whole, so it has been applied where everything in it that can be
//! seen is there, and something can be. Statements that may simply run again (MODIFY, TRUNCATE, DROP ... IF EXISTS) count
//! as not applied. This is the answer of last resort: what a table looked like before a statement tells more, where
//! somebody has written it down.

use std::collections::BTreeMap;

use whimbrel_model::{Key, TableName, TableSchema};
use whimbrel_mysql_ddl::ast::{
    AlterClause, Body, ColumnDef, CreateTableBody, IndexDef, IndexKind, IndexVisibility, KeyPartTarget,
    TableElement,
};
use whimbrel_mysql_ddl::{Dialect, ParseOptions};

use crate::render;

/// `current` is the target's table now, by the name that the statement is about; `None` where there is none.
pub fn is_applied(sql: &str, current: Option<&TableSchema>) -> bool {
    let options = ParseOptions::new(Dialect::mysql(90_700));
    match whimbrel_mysql_ddl::parse(sql, &options).map(|statement| statement.body) {
        Ok(Body::CreateTable(create)) => current.is_some_and(|table| is_created(&create.body, table)),
        Ok(Body::AlterTable(alter)) => current.is_some_and(|table| {
            let tells = |clause: &&AlterClause| !is_replaced(clause, &alter.clauses);
            let clauses = alter.clauses.iter().filter(tells);
            let mut seen = clauses.filter_map(|clause| clause_applied(clause, table)).peekable();
            seen.peek().is_some() && seen.all(|applied| applied)
        }),
        _ => false,
    }
}

/// As [`is_applied`], for a statement of one clause that another table may have brought to the common target: there a key
/// may have another name.
pub fn is_there(sql: &str, current: Option<&TableSchema>) -> bool {
    let options = ParseOptions::new(Dialect::mysql(90_700));
    let parsed = whimbrel_mysql_ddl::parse(sql, &options).map(|statement| statement.body);
    if let (Ok(Body::AlterTable(alter)), Some(table)) = (&parsed, current)
        && let [clause] = alter.clauses.as_slice()
    {
        let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
        match clause {
            AlterClause::AddIndex(index) if index.kind == IndexKind::Unique => {
                return table.unique_keys.iter().any(|key| has_parts(key, index));
            }
            AlterClause::AddIndex(index) if index.kind != IndexKind::Primary => {
                return table.indexes.iter().any(|key| has_parts(key, index));
            }
            AlterClause::AddForeignKey(key) => {
                let parent = &key.references.table.name.value;
                return table.foreign_keys.iter().any(|there| {
                    same(&there.parent.table, parent)
                        && there.columns.len() == key.columns.len()
                        && there.columns.iter().zip(&key.columns).all(|(a, b)| same(a, &b.value))
                });
            }
            _ => {}
        }
    }
    is_applied(sql, current)
}

/// True for a column that the same statement drops and adds, and for the dropping of a key that it adds: such a name
/// is there before and after.
fn is_replaced(clause: &AlterClause, all: &[AlterClause]) -> bool {
    use AlterClause as A;
    let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
    let adds_key = |name: &str| {
        all.iter().any(|other| match other {
            A::AddIndex(index) => match index.given_name() {
                Some(given) => same(&given.value, name),
                None => index.kind == IndexKind::Primary && name == "PRIMARY",
            },
            _ => false,
        })
    };
    match clause {
        A::DropColumn { name, .. } => all.iter().any(
            |other| matches!(other, A::AddColumn { column, .. } if same(&column.name.value, &name.value)),
        ),
        A::AddColumn { column, .. } => all.iter().any(
            |other| matches!(other, A::DropColumn { name, .. } if same(&column.name.value, &name.value)),
        ),
        A::DropIndex { name, .. } => adds_key(&name.value),
        A::DropPrimaryKey => adds_key("PRIMARY"),
        _ => false,
    }
}

/// Whether RENAME TABLE has happened, by which names are there; `false` where they don't tell.
pub fn is_renamed(renames: &[(TableName, TableName)], exists: impl Fn(&TableName) -> bool) -> bool {
    let mut after: BTreeMap<&TableName, (bool, bool)> = BTreeMap::new();
    for (from, to) in renames {
        after.entry(from).or_insert((true, true)).1 = false;
        after.entry(to).or_insert((false, false)).1 = true;
    }
    let tells = after.values().any(|(before, after)| before != after);
    tells && after.iter().all(|(name, (_, after))| exists(name) == *after)
}

/// A table of the name that isn't the statement's is somebody else's.
fn is_created(body: &CreateTableBody, table: &TableSchema) -> bool {
    let CreateTableBody::Definition(definition) = body else { return false };
    let columns = definition.elements.iter().filter_map(|element| match element {
        TableElement::Column(column) => Some(column.name.value.to_lowercase()),
        _ => None,
    });
    columns.eq(table.columns.iter().map(|column| column.name.to_lowercase()))
}

/// The same columns in the same order; expressions count as equal.
fn has_parts(key: &Key, index: &IndexDef) -> bool {
    key.parts.iter().map(|part| part.column().map(str::to_lowercase)).eq(index.parts.iter().map(|part| {
        match &part.target {
            KeyPartTarget::Column(name) => Some(name.value.to_lowercase()),
            KeyPartTarget::Expr(_) => None,
        }
    }))
}

/// A column of the name that has another type is somebody else's.
fn is_as_defined(column: &ColumnDef, table: &TableSchema) -> bool {
    let Some(at) = table.column_index(&column.name.value) else { return false };
    let sql = format!("ALTER TABLE t ADD COLUMN c {}", render::data_type(&table.columns[at].data_type));
    let there = match whimbrel_mysql_ddl::parse(sql, &ParseOptions::new(Dialect::mysql(90_700)))
        .map(|one| one.body)
    {
        Ok(Body::AlterTable(alter)) => alter.clauses.into_iter().find_map(|clause| match clause {
            AlterClause::AddColumn { column, .. } => column.data_type,
            _ => None,
        }),
        _ => None,
    };
    there == column.data_type
}

/// `None` where the clause doesn't show.
fn clause_applied(clause: &AlterClause, table: &TableSchema) -> Option<bool> {
    use AlterClause as A;
    let has_column = |name: &str| table.column_index(name).is_some();
    let has_key = |name: &str| {
        table
            .primary_key
            .iter()
            .chain(&table.unique_keys)
            .chain(&table.indexes)
            .any(|key| key.name.eq_ignore_ascii_case(name))
    };
    let has_foreign_key =
        |name: &str| table.foreign_keys.iter().any(|key| key.name.eq_ignore_ascii_case(name));
    let has_check = |name: &str| table.checks.iter().any(|check| check.name.eq_ignore_ascii_case(name));
    match clause {
        A::AddColumn { column, .. } => Some(is_as_defined(column, table)),
        A::AddElements { elements, .. } => elements.iter().find_map(|element| match element {
            TableElement::Column(column) => Some(is_as_defined(column, table)),
            _ => None,
        }),
        A::DropColumn { name, .. } => Some(!has_column(&name.value)),
        A::ChangeColumn { old, column, .. } if old.value != column.name.value => {
            Some(is_as_defined(column, table) && !has_column(&old.value))
        }
        A::AddIndex(index) => {
            let mut keys = table.unique_keys.iter().chain(&table.indexes);
            match index.given_name() {
                _ if index.kind == IndexKind::Primary => {
                    Some(table.primary_key.as_ref().is_some_and(|key| has_parts(key, index)))
                }
                Some(name) => {
                    Some(keys.any(|key| key.name.eq_ignore_ascii_case(&name.value) && has_parts(key, index)))
                }
                None => None,
            }
        }
        A::DropIndex { name, .. } => Some(!has_key(&name.value)),
        A::DropPrimaryKey => Some(table.primary_key.is_none()),
        A::RenameIndex { from, to, .. } => Some(has_key(&to.value) && !has_key(&from.value)),
        A::AlterIndex { name, visibility, .. } => {
            let hidden = matches!(visibility, IndexVisibility::Invisible | IndexVisibility::Ignored);
            let mut keys = table.unique_keys.iter().chain(&table.indexes);
            Some(keys.any(|key| key.name.eq_ignore_ascii_case(&name.value) && key.invisible == hidden))
        }
        A::AddForeignKey(key) => key.constraint.as_ref().map(|name| has_foreign_key(&name.value)),
        A::AddCheck(check) => check.constraint.as_ref().map(|name| has_check(&name.value)),
        A::DropCheck { name, .. } => Some(!has_check(&name.value)),
        // OceanBase and MySQL drop any constraint by this; a check is what this crate writes it for.
        A::DropConstraint { name, .. } => {
            Some(!has_check(&name.value) && !has_foreign_key(&name.value) && !has_key(&name.value))
        }
        A::DropForeignKey { name, .. } => Some(!has_foreign_key(&name.value)),
        _ => None,
    }
}

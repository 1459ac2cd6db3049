//! Whether a statement that this crate wrote has had its effect already.
//!
//! Servers of the MySQL family commit each DDL statement whole, so one clause whose effect can be seen tells for all.
//! Statements that may simply run again (MODIFY, TRUNCATE, DROP ... IF EXISTS) count as not applied.

use whimbrel_model::TableSchema;
use whimbrel_mysql_ddl::ast::{
    AlterClause, Body, CreateTableBody, IndexVisibility, KeyPartTarget, TableElement,
};
use whimbrel_mysql_ddl::{Dialect, ParseOptions};

/// `current` is the target's table now, by the name that the statement is about (for RENAME: the new name); `None`
/// where there is none. `old_exists`: for RENAME, whether the old name is still there.
pub fn is_applied(sql: &str, current: Option<&TableSchema>, old_exists: bool) -> bool {
    let options = ParseOptions::new(Dialect::mysql(90_700));
    match whimbrel_mysql_ddl::parse(sql, &options).map(|statement| statement.body) {
        Ok(Body::CreateTable(create)) => {
            current.is_some() && !matches!(create.body, CreateTableBody::Like(_))
        }
        Ok(Body::RenameTable(_)) => current.is_some() && !old_exists,
        Ok(Body::AlterTable(alter)) => current.is_some_and(|table| {
            alter.clauses.iter().find_map(|clause| clause_applied(clause, table)).unwrap_or(false)
        }),
        _ => false,
    }
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
        A::AddColumn { column, .. } => Some(has_column(&column.name.value)),
        A::AddElements { elements, .. } => elements.iter().find_map(|element| match element {
            TableElement::Column(column) => Some(has_column(&column.name.value)),
            _ => None,
        }),
        A::DropColumn { name, .. } => Some(!has_column(&name.value)),
        A::ChangeColumn { old, column, .. } if old.value != column.name.value => {
            Some(has_column(&column.name.value) && !has_column(&old.value))
        }
        A::AddIndex(index) => match index.given_name() {
            Some(name) => Some(has_key(&name.value)),
            None if index.kind == whimbrel_mysql_ddl::ast::IndexKind::Primary => {
                Some(table.primary_key.as_ref().is_some_and(|key| {
                    key.parts.iter().map(|part| part.column()).eq(index.parts.iter().map(|part| match &part
                        .target
                    {
                        KeyPartTarget::Column(name) => Some(name.value.as_str()),
                        KeyPartTarget::Expr(_) => None,
                    }))
                }))
            }
            None => None,
        },
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

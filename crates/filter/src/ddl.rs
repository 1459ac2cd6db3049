//! Statements of the source's log as statements about views.
//!
//! Clauses about columns that don't take part go, names become those of the target; what a statement leaves of a table is
//! given as the view's schema. A statement after which the view can't be as the settings want it is an error: the
//! condition's column is dropped or renamed, the key would be lost, a column comes into the view by a rename.

use std::collections::HashMap;
use std::sync::Arc;

use whimbrel_model::{Ddl, TableEffect, TableName, TableSchema};
use whimbrel_mysql_ddl::ast::{AlterClause, Body, ColumnPosition, Ident, KeyPartTarget, TableElement};
use whimbrel_mysql_ddl::{ParseError, ParseOptions};

use crate::names::{folded, mentions, renamed};
use crate::selection::Selection;
use crate::view::{TableRules, View, ViewError};

/// Why a statement can't be seen through the settings.
#[derive(Debug, thiserror::Error)]
pub enum DdlViewError {
    #[error("the statement can't be read")]
    Parse(#[from] ParseError),
    #[error("after the statement the table doesn't fit --where, --columns or --rename-column any more")]
    View(#[from] ViewError),
    #[error("column {column} comes into the migration by a new name, and its values are not at the target")]
    ComesIn { column: String },
    #[error("table {from} becomes {to}, for which --where, --columns or --rename-column say something else")]
    OtherRules { from: TableName, to: TableName },
}

/// The statement as a log of the views would have it, and the views after it. `before` gives the newest view that is
/// known of a table.
///
/// # Errors
/// See [`DdlViewError`].
pub fn view_statement(
    ddl: &Ddl,
    options: &ParseOptions,
    selection: &Selection,
    before: &dyn Fn(&TableName) -> Option<Arc<View>>,
) -> Result<(Ddl, Vec<Arc<View>>), DdlViewError> {
    let mut seen = ddl.clone();
    let mut views = Vec::new();
    for effect in &mut seen.effects {
        let Some(after) = &mut effect.after else { continue };
        if let Some(from) = effect.before.as_ref().filter(|from| **from != after.name)
            && selection.rules(from) != selection.rules(&after.name)
        {
            return Err(DdlViewError::OtherRules { from: from.clone(), to: after.name.clone() });
        }
        let view = Arc::new(selection.view(after, false)?);
        *after = view.schema.clone();
        views.push(view);
    }
    let mut statement = whimbrel_mysql_ddl::parse(&ddl.sql, options)?;
    match (&mut statement.body, ddl.effects.first()) {
        (Body::AlterTable(alter), Some(TableEffect { before: Some(table), after: Some(after) })) => {
            let rules = selection.rules(table);
            let Some(view) = views.first() else { return Ok((seen, views)) };
            let old = before(table);
            let alteration = Alteration::new(&rules, old.as_deref(), view, after);
            let mut clauses = Vec::new();
            for clause in std::mem::take(&mut alter.clauses) {
                clauses.extend(alteration.clause(clause)?);
            }
            alter.clauses = clauses;
            seen.sql = statement.to_string();
            // The tree is printed for the default mode.
            seen.sql_mode = 0;
        }
        (Body::DropIndex(drop), Some(TableEffect { before: Some(table), .. }))
            if before(table).is_some_and(|view| !has_key(&view.schema, &drop.name.value)) =>
        {
            seen.effects.clear();
        }
        _ => {}
    }
    Ok((seen, views))
}

fn has_key(schema: &TableSchema, name: &str) -> bool {
    let mut keys = schema.primary_key.iter().chain(&schema.unique_keys).chain(&schema.indexes);
    keys.any(|key| key.name.eq_ignore_ascii_case(name))
}

/// What one ALTER TABLE does to a view.
struct Alteration<'a> {
    rules: &'a TableRules,
    old: Option<&'a View>,
    new: &'a View,
    /// The source's table after the statement.
    after: &'a TableSchema,
    renames: HashMap<String, String>,
}

impl<'a> Alteration<'a> {
    fn new(rules: &'a TableRules, old: Option<&'a View>, new: &'a View, after: &'a TableSchema) -> Self {
        let renames = rules.renames.iter().map(|(old, new)| (folded(old), new.clone())).collect();
        Self { rules, old, new, after, renames }
    }

    /// A column of the table before the statement is in the view.
    fn was_in(&self, column: &str) -> bool {
        let name = self.rules.target_name(column);
        self.rules.keeps(column) && self.old.is_none_or(|view| view.schema.column_index(name).is_some())
    }

    fn is_in(&self, column: &str) -> bool {
        self.new.schema.column_index(self.rules.target_name(column)).is_some() && self.rules.keeps(column)
    }

    fn named(&self, ident: &Ident) -> Ident {
        Ident { value: self.rules.target_name(&ident.value).to_owned(), span: ident.span }
    }

    /// A place beside a column that isn't there is no place.
    fn place(&self, position: Option<ColumnPosition>) -> Option<ColumnPosition> {
        match position {
            Some(ColumnPosition::After(column)) if self.is_in(&column.value) => {
                Some(ColumnPosition::After(self.named(&column)))
            }
            Some(ColumnPosition::After(_)) => None,
            other => other,
        }
    }

    fn clause(&self, clause: AlterClause) -> Result<Option<AlterClause>, DdlViewError> {
        use AlterClause as A;
        Ok(match clause {
            A::AddColumn { if_not_exists, mut column, position } => {
                self.is_in(&column.name.value).then(|| {
                    column.name = self.named(&column.name);
                    A::AddColumn { if_not_exists, column, position: self.place(position) }
                })
            }
            A::AddElements { if_not_exists, elements } => {
                let elements: Vec<TableElement> =
                    elements.into_iter().filter_map(|element| self.element(element)).collect();
                (!elements.is_empty()).then_some(A::AddElements { if_not_exists, elements })
            }
            A::DropColumn { if_exists, name } => {
                self.was_in(&name.value).then(|| A::DropColumn { if_exists, name: self.named(&name) })
            }
            A::ModifyColumn { if_exists, mut column, position } => {
                self.is_in(&column.name.value).then(|| {
                    column.name = self.named(&column.name);
                    A::ModifyColumn { if_exists, column, position: self.place(position) }
                })
            }
            A::ChangeColumn { if_exists, old, mut column, position } => {
                match (self.was_in(&old.value), self.is_in(&column.name.value)) {
                    (true, true) => {
                        column.name = self.named(&column.name);
                        let position = self.place(position);
                        Some(A::ChangeColumn { if_exists, old: self.named(&old), column, position })
                    }
                    (true, false) => Some(A::DropColumn { if_exists, name: self.named(&old) }),
                    (false, true) => return Err(DdlViewError::ComesIn { column: column.name.value }),
                    (false, false) => None,
                }
            }
            A::RenameColumn { if_exists, from, to } => {
                match (self.was_in(&from.value), self.is_in(&to.value)) {
                    (true, true) => {
                        Some(A::RenameColumn { if_exists, from: self.named(&from), to: self.named(&to) })
                    }
                    (true, false) => Some(A::DropColumn { if_exists, name: self.named(&from) }),
                    (false, true) => return Err(DdlViewError::ComesIn { column: to.value }),
                    (false, false) => None,
                }
            }
            A::AlterColumn { if_exists, name, action } => self.was_in(&name.value).then(|| A::AlterColumn {
                if_exists,
                name: self.named(&name),
                action,
            }),
            other => self.other(other),
        })
    }

    /// Clauses about keys and checks.
    fn other(&self, clause: AlterClause) -> Option<AlterClause> {
        use AlterClause as A;
        let had_key = |name: &Ident| self.old.is_none_or(|view| has_key(&view.schema, &name.value));
        match clause {
            A::AddIndex(_) | A::AddForeignKey(_) | A::AddCheck(_) => {
                let element = match clause {
                    A::AddIndex(index) => TableElement::Index(index),
                    A::AddForeignKey(key) => TableElement::ForeignKey(key),
                    A::AddCheck(check) => TableElement::Check(check),
                    other => return Some(other),
                };
                Some(match self.element(element)? {
                    TableElement::Index(index) => A::AddIndex(index),
                    TableElement::ForeignKey(key) => A::AddForeignKey(key),
                    TableElement::Check(check) => A::AddCheck(check),
                    TableElement::Column(_) | TableElement::Period(_) => return None,
                })
            }
            A::DropIndex { if_exists, name } => had_key(&name).then_some(A::DropIndex { if_exists, name }),
            A::RenameIndex { if_exists, from, to } => {
                had_key(&from).then_some(A::RenameIndex { if_exists, from, to })
            }
            A::AlterIndex { if_exists, name, visibility } => {
                had_key(&name).then_some(A::AlterIndex { if_exists, name, visibility })
            }
            A::DropForeignKey { if_exists, name } => {
                let had = |view: &View| {
                    view.schema.foreign_keys.iter().any(|key| key.name.eq_ignore_ascii_case(&name.value))
                };
                self.old.is_none_or(had).then_some(A::DropForeignKey { if_exists, name })
            }
            A::DropCheck { if_exists, name } => {
                let had = |view: &View| {
                    view.schema.checks.iter().any(|key| key.name.eq_ignore_ascii_case(&name.value))
                };
                self.old.is_none_or(had).then_some(A::DropCheck { if_exists, name })
            }
            A::PartitionBy(_) if self.new.schema.partitioning.is_none() => None,
            other => Some(other),
        }
    }

    fn element(&self, element: TableElement) -> Option<TableElement> {
        match element {
            TableElement::Column(mut column) => self.is_in(&column.name.value).then(|| {
                column.name = self.named(&column.name);
                TableElement::Column(column)
            }),
            TableElement::Index(mut index) => {
                for part in &mut index.parts {
                    match &mut part.target {
                        KeyPartTarget::Column(name) if !self.is_in(&name.value) => return None,
                        KeyPartTarget::Column(name) => *name = self.named(name),
                        KeyPartTarget::Expr(expr) if mentions(&expr.text, &self.hidden()) => return None,
                        KeyPartTarget::Expr(expr) => expr.text = renamed(&expr.text, &self.renames),
                    }
                }
                Some(TableElement::Index(index))
            }
            TableElement::ForeignKey(mut key) => {
                for column in &mut key.columns {
                    *column = self.named(column);
                }
                let there = self.new.schema.foreign_keys.iter().any(|known| {
                    let same = known.columns.iter().map(|name| folded(name));
                    same.eq(key.columns.iter().map(|name| folded(&name.value)))
                });
                there.then_some(TableElement::ForeignKey(key))
            }
            TableElement::Check(mut check) => {
                if mentions(&check.expr.text, &self.hidden()) {
                    return None;
                }
                check.expr.text = renamed(&check.expr.text, &self.renames);
                Some(TableElement::Check(check))
            }
            period @ TableElement::Period(_) => Some(period),
        }
    }

    /// Columns of the source's table that aren't in the view.
    fn hidden(&self) -> std::collections::HashSet<String> {
        let columns = self.after.columns.iter().filter(|column| !self.is_in(&column.name));
        columns.map(|column| folded(&column.name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_model::schema::Key;
    use whimbrel_model::{Column, DataType};
    use whimbrel_mysql_ddl::Dialect;

    use super::*;
    use crate::view::ColumnChoice;

    fn table(columns: &[&str]) -> TableSchema {
        let int = || DataType::Int { bytes: 4, unsigned: false, zerofill: None };
        TableSchema {
            primary_key: Some(Key::on_columns("PRIMARY", ["id"])),
            ..TableSchema::new(
                TableName::new("d", "t"),
                columns.iter().map(|name| Column::new(*name, int(), *name != "id")).collect(),
            )
        }
    }

    fn altered(clauses: &str, after: &[&str]) -> Result<String, DdlViewError> {
        let rules = TableRules {
            conditions: vec!["a > 0".into()],
            columns: ColumnChoice::Without(vec!["secret".into(), "notes".into()]),
            renames: vec![("b".into(), "beta".into())],
        };
        let selection = Selection::new(move |_| rules.clone());
        let old = Arc::new(selection.view(&table(&["id", "a", "b", "secret"]), false).unwrap());
        let effect = TableEffect { before: Some(TableName::new("d", "t")), after: Some(table(after)) };
        let sql = format!("ALTER TABLE d.t {clauses}");
        let ddl = Ddl { default_schema: String::new(), sql, sql_mode: 0, effects: vec![effect] };
        let options = ParseOptions::new(Dialect::mysql(90_700));
        let (ddl, _) = view_statement(&ddl, &options, &selection, &|_| Some(old.clone()))?;
        Ok(ddl.sql.trim_start_matches("ALTER TABLE `d`.`t`").trim().to_owned())
    }

    #[test]
    fn clauses_about_columns_that_are_left_out_go() {
        let sql = altered(
            "ADD c INT AFTER secret, ADD notes INT, DROP COLUMN secret, MODIFY b BIGINT AFTER c, ADD KEY (notes)",
            &["id", "a", "c", "b", "notes"],
        );
        assert_eq!(sql.unwrap(), "ADD COLUMN `c` INT, MODIFY COLUMN `beta` BIGINT AFTER `c`");
    }

    #[test]
    fn a_column_may_leave_by_its_new_name_but_not_come_in() {
        let sql = altered("RENAME COLUMN b TO notes", &["id", "a", "notes", "secret"]);
        assert_eq!(sql.unwrap(), "DROP COLUMN `beta`");
        let error = altered("RENAME COLUMN secret TO open", &["id", "a", "b", "open"]);
        assert!(matches!(error, Err(DdlViewError::ComesIn { .. })));
    }

    #[test]
    fn the_conditions_column_cant_be_dropped_or_renamed() {
        for (clauses, after) in
            [("DROP COLUMN a", ["id", "b", "secret"]), ("CHANGE a a2 INT", ["id", "a2", "secret"])]
        {
            assert!(matches!(altered(clauses, &after), Err(DdlViewError::View(ViewError::Condition { .. }))));
        }
    }
}

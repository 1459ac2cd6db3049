//! The clauses of ALTER TABLE, one by one, in the target's words.
//!
//! Column definitions are rendered from the table as it is after the statement, converted by the rules of the full
//! migration; so an added column is at the target what it would have been had it been there from the start.

use whimbrel_connector::Flavor;
use whimbrel_model::{Column, TableSchema};
use whimbrel_mysql_ddl::ast::{
    AlterClause, AlterColumnAction, ColumnPosition, IndexDef, IndexKind, IndexVisibility, PartitionDef,
    PartitionSelection, TableElement,
};

use crate::profile::TargetProfile;
use crate::render::{self, quoted};
use crate::statement::StatementError;

/// Order in which the parts of one ALTER run where the target can't do them all at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Keys go before the columns that they stand on.
    DropKeys,
    Columns,
    AddKeys,
    /// OceanBase takes no heed of INVISIBLE in ADD KEY.
    HideKeys,
    Partitions,
}

/// One clause for the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetClause {
    pub stage: Stage,
    pub sql: String,
}

/// Converts clauses of one table.
pub(crate) struct Clauses<'a> {
    pub target: &'a TargetProfile,
    /// The table as it is after the statement, converted.
    pub after: &'a TableSchema,
    pub out: Vec<TargetClause>,
}

impl Clauses<'_> {
    fn push(&mut self, stage: Stage, sql: String) {
        self.out.push(TargetClause { stage, sql });
    }

    fn column(&self, name: &str) -> Result<&Column, StatementError> {
        let at = self.after.column_index(name).ok_or_else(|| {
            StatementError::Inconsistent(format!("column {name} is not in the table after the statement"))
        })?;
        Ok(&self.after.columns[at])
    }

    fn definition(&self, name: &str, place: Option<&ColumnPosition>) -> Result<String, StatementError> {
        let mut sql = render::column(self.column(name)?, self.target);
        match place {
            Some(ColumnPosition::First) => sql.push_str(" FIRST"),
            Some(ColumnPosition::After(other)) => sql.push_str(&format!(" AFTER {}", quoted(&other.value))),
            None => {}
        }
        Ok(sql)
    }

    /// Converts one clause; clauses that mean nothing to the target add nothing.
    pub fn add(&mut self, clause: &AlterClause) -> Result<(), StatementError> {
        use AlterClause as A;
        match clause {
            A::AddColumn { column, position, .. } => {
                let sql = self.definition(&column.name.value, position.as_ref())?;
                self.push(Stage::Columns, format!("ADD COLUMN {sql}"));
                self.inline_keys(&column.name.value);
            }
            A::AddElements { elements, .. } => {
                for element in elements {
                    self.element(element)?;
                }
            }
            A::AddIndex(index) => self.add_index(index)?,
            A::AddForeignKey(key) => {
                let columns: Vec<&str> = key.columns.iter().map(|column| column.value.as_str()).collect();
                self.add_foreign_key(key.constraint.as_ref().map(|name| name.value.as_str()), &columns)?;
            }
            A::AddCheck(check) => {
                let enforced = check.enforced.unwrap_or(true);
                let name = check.constraint.as_ref().map(|name| name.value.clone()).unwrap_or_default();
                let check =
                    whimbrel_model::schema::Check { name, expression: check.expr.text.clone(), enforced };
                self.push(Stage::AddKeys, format!("ADD {}", render::check(&check, self.target)));
            }
            A::DropColumn { name, .. } => {
                self.push(Stage::Columns, format!("DROP COLUMN {}", quoted(&name.value)));
            }
            A::ModifyColumn { column, position, .. } => {
                let sql = self.definition(&column.name.value, position.as_ref())?;
                self.push(Stage::Columns, format!("MODIFY COLUMN {sql}"));
                self.inline_keys(&column.name.value);
            }
            A::ChangeColumn { old, column, position, .. } => {
                let sql = self.definition(&column.name.value, position.as_ref())?;
                self.push(Stage::Columns, format!("CHANGE COLUMN {} {sql}", quoted(&old.value)));
            }
            // OceanBase and MariaDB 10.5 know RENAME COLUMN; CHANGE is understood by all.
            A::RenameColumn { from, to, .. } => {
                let sql = self.definition(&to.value, None)?;
                self.push(Stage::Columns, format!("CHANGE COLUMN {} {sql}", quoted(&from.value)));
            }
            A::AlterColumn { name, action, .. } => self.alter_column(&name.value, action)?,
            A::ConvertTo { .. } => self.text_columns(),
            _ => return self.add_other(clause),
        }
        Ok(())
    }

    fn add_other(&mut self, clause: &AlterClause) -> Result<(), StatementError> {
        use AlterClause as A;
        match clause {
            A::DropPrimaryKey => self.push(Stage::DropKeys, "DROP PRIMARY KEY".to_owned()),
            A::DropIndex { name, .. } => {
                self.push(Stage::DropKeys, format!("DROP INDEX {}", quoted(&name.value)));
            }
            A::DropForeignKey { name, .. } => {
                self.push(Stage::DropKeys, format!("DROP FOREIGN KEY {}", quoted(&name.value)));
            }
            A::DropCheck { name, .. } | A::DropConstraint { name, .. } => {
                self.push(Stage::DropKeys, format!("DROP CONSTRAINT {}", quoted(&name.value)));
            }
            A::RenameIndex { from, to, .. } => {
                self.push(
                    Stage::AddKeys,
                    format!("RENAME INDEX {} TO {}", quoted(&from.value), quoted(&to.value)),
                );
            }
            A::AlterIndex { name, visibility, .. } => {
                let visible = matches!(visibility, IndexVisibility::Visible | IndexVisibility::NotIgnored);
                let word = match (self.target.flavor, visible) {
                    (Flavor::MariaDb, true) => "NOT IGNORED",
                    (Flavor::MariaDb, false) => "IGNORED",
                    (_, true) => "VISIBLE",
                    (_, false) => "INVISIBLE",
                };
                self.push(Stage::AddKeys, format!("ALTER INDEX {} {word}", quoted(&name.value)));
            }
            A::Option(option) => self.option(&option.to_string(), clause),
            A::AddPartition { definitions, .. } => {
                self.push(Stage::Partitions, format!("ADD PARTITION ({})", partitions(definitions)));
            }
            A::DropPartition { names, .. } => {
                let names: Vec<String> = names.iter().map(|name| quoted(&name.value)).collect();
                self.push(Stage::Partitions, format!("DROP PARTITION {}", names.join(", ")));
            }
            A::TruncatePartition(PartitionSelection::Names(names)) => {
                let names: Vec<String> = names.iter().map(|name| quoted(&name.value)).collect();
                self.push(Stage::Partitions, format!("TRUNCATE PARTITION {}", names.join(", ")));
            }
            // How a table is stored and locked, and what runs beside the statement, is the source's own affair; a
            // rename has been seen to by the statement.
            A::RenameTo(_)
            | A::OrderBy(_)
            | A::DisableKeys
            | A::EnableKeys
            | A::Force
            | A::Algorithm(_)
            | A::Lock(_)
            | A::WithValidation
            | A::WithoutValidation
            | A::SecondaryLoad
            | A::SecondaryUnload
            | A::MaintainPartition { .. } => {}
            unsupported => return Err(StatementError::Clause(unsupported.to_string())),
        }
        Ok(())
    }

    fn element(&mut self, element: &TableElement) -> Result<(), StatementError> {
        match element {
            TableElement::Column(column) => {
                let sql = self.definition(&column.name.value, None)?;
                self.push(Stage::Columns, format!("ADD COLUMN {sql}"));
                self.inline_keys(&column.name.value);
                Ok(())
            }
            TableElement::Index(index) => self.add_index(index),
            TableElement::ForeignKey(key) => self.add(&AlterClause::AddForeignKey(key.clone())),
            TableElement::Check(check) => self.add(&AlterClause::AddCheck(check.clone())),
            TableElement::Period(period) => Err(StatementError::Clause(format!("{period:?}"))),
        }
    }

    /// `ADD COLUMN a INT UNIQUE` makes a key that no clause names: it stands on this column alone.
    fn inline_keys(&mut self, column: &str) {
        let alone = |key: &&whimbrel_model::Key| {
            key.parts.len() == 1
                && key.parts[0].column().is_some_and(|name| name.eq_ignore_ascii_case(column))
        };
        let keys: Vec<_> = self.after.unique_keys.iter().filter(alone).cloned().collect();
        for key in keys {
            let named = self.after.columns.iter().any(|c| c.name.eq_ignore_ascii_case(&key.name));
            // Keys that MySQL names itself are called after their column.
            if named && key.name.eq_ignore_ascii_case(column) {
                let sql = format!("ADD {}", render::key(&key, true, self.target));
                let known = self.out.iter().any(|clause| clause.sql == sql);
                if !known {
                    self.push(Stage::AddKeys, sql);
                }
            }
        }
    }

    /// The key as the table has it after the statement: by its name, or the newest over the same columns.
    fn add_index(&mut self, index: &IndexDef) -> Result<(), StatementError> {
        let unique = matches!(index.kind, IndexKind::Primary | IndexKind::Unique);
        let keys: Vec<&whimbrel_model::Key> = match index.kind {
            IndexKind::Primary => self.after.primary_key.iter().collect(),
            IndexKind::Unique => self.after.unique_keys.iter().collect(),
            _ => self.after.indexes.iter().collect(),
        };
        let name = index.given_name().map(|name| name.value.as_str());
        let found = match (index.kind, name) {
            (IndexKind::Primary, _) => keys.first().copied(),
            (_, Some(name)) => keys.iter().rev().copied().find(|key| key.name.eq_ignore_ascii_case(name)),
            (_, None) => keys.iter().rev().copied().find(|key| same_parts(key, index)),
        };
        // A key that the rules leave out (no vectors, no expressions at the target) is none to add.
        if let Some(key) = found {
            let sql = format!("ADD {}", render::key(key, unique, self.target));
            let hide = (key.invisible && self.target.is_oceanbase()).then(|| quoted(&key.name));
            self.push(Stage::AddKeys, sql);
            if let Some(name) = hide {
                self.push(Stage::HideKeys, format!("ALTER INDEX {name} INVISIBLE"));
            }
        }
        Ok(())
    }

    fn add_foreign_key(&mut self, name: Option<&str>, columns: &[&str]) -> Result<(), StatementError> {
        let found = self.after.foreign_keys.iter().rev().find(|key| match name {
            Some(name) => key.name.eq_ignore_ascii_case(name),
            None => key.columns.iter().map(String::as_str).eq(columns.iter().copied()),
        });
        let key = found.ok_or_else(|| {
            StatementError::Inconsistent("the foreign key is not in the table after the statement".to_owned())
        })?;
        let sql = format!("ADD {}", render::foreign_key(key));
        self.push(Stage::AddKeys, sql);
        Ok(())
    }

    fn alter_column(&mut self, name: &str, action: &AlterColumnAction) -> Result<(), StatementError> {
        if let AlterColumnAction::DropDefault = action {
            self.push(Stage::Columns, format!("ALTER COLUMN {} DROP DEFAULT", quoted(name)));
            return Ok(());
        }
        let sql = self.definition(name, None)?;
        self.push(Stage::Columns, format!("MODIFY COLUMN {sql}"));
        Ok(())
    }

    /// CONVERT TO CHARACTER SET: every text column as it is afterwards.
    fn text_columns(&mut self) {
        let columns: Vec<String> = self
            .after
            .columns
            .iter()
            .filter(|column| column.data_type.collation().is_some())
            .map(|column| format!("MODIFY COLUMN {}", render::column(column, self.target)))
            .collect();
        for sql in columns {
            self.push(Stage::Columns, sql);
        }
    }

    /// Of the table's options only its comment says anything to the target. AUTO_INCREMENT follows the rows.
    fn option(&mut self, text: &str, clause: &AlterClause) {
        let is_comment =
            matches!(clause, AlterClause::Option(_)) && text.to_uppercase().starts_with("COMMENT");
        if is_comment {
            self.push(Stage::Columns, format!("COMMENT = {}", render::string(&self.after.comment)));
        }
    }
}

fn same_parts(key: &whimbrel_model::Key, index: &IndexDef) -> bool {
    use whimbrel_mysql_ddl::ast::KeyPartTarget;
    key.parts.len() == index.parts.len()
        && key.parts.iter().zip(&index.parts).all(|(ours, theirs)| match (&theirs.target, ours.column()) {
            (KeyPartTarget::Column(name), Some(column)) => name.value.eq_ignore_ascii_case(column),
            (KeyPartTarget::Expr(_), None) => true,
            _ => false,
        })
}

fn partitions(definitions: &[PartitionDef]) -> String {
    definitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

//! DDL statements of a source's log in the target's words.

use std::collections::BTreeMap;

use whimbrel_model::{Ddl, TableEffect, TableName};
use whimbrel_mysql_ddl::ast::{AlterClause, AlterTable, Body};
use whimbrel_mysql_ddl::{ParseError, ParseOptions};

use crate::clause::{Clauses, Stage, TargetClause};
use crate::profile::TargetProfile;
use crate::render::{quoted, quoted_table};
use crate::table::convert_table;

/// One statement for the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetStatement {
    /// The table that it is about, as the target calls it.
    pub table: TableName,
    pub sql: String,
    /// All rows of the table are gone afterwards.
    pub clears_rows: bool,
}

/// Why a statement can't be carried over.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    #[error("the statement can't be read")]
    Parse(#[from] ParseError),
    #[error("this clause can't be carried over: {0}")]
    Clause(String),
    #[error("the statement doesn't fit the table: {0}")]
    Inconsistent(String),
    #[error("table {0} comes from outside of the migration, so its rows are not at the target")]
    RenamedIn(TableName),
    #[error("table {from} leaves the migration as {to}")]
    RenamedOut { from: TableName, to: TableName },
}

/// Converts a statement. `route` gives a source table's name at the target, `None` for tables that aren't
/// migrated.
///
/// # Errors
/// What can't be carried over is named; nothing is guessed.
pub fn convert_statement(
    ddl: &Ddl,
    options: &ParseOptions,
    target: &TargetProfile,
    route: &dyn Fn(&TableName) -> Option<TableName>,
) -> Result<Vec<TargetStatement>, StatementError> {
    if ddl.effects.is_empty() {
        return Ok(Vec::new());
    }
    let converter = Converter { target, route, out: Vec::new() };
    converter.convert(ddl, options)
}

struct Converter<'a> {
    target: &'a TargetProfile,
    route: &'a dyn Fn(&TableName) -> Option<TableName>,
    out: Vec<TargetStatement>,
}

impl Converter<'_> {
    fn convert(mut self, ddl: &Ddl, options: &ParseOptions) -> Result<Vec<TargetStatement>, StatementError> {
        let statement = whimbrel_mysql_ddl::parse(&ddl.sql, options)?;
        match &statement.body {
            Body::TruncateTable(_) => {
                for effect in &ddl.effects {
                    if let Some(table) = effect.before.as_ref().and_then(self.route) {
                        let sql = format!("TRUNCATE TABLE {}", quoted_table(&table));
                        self.push(table, sql, true);
                    }
                }
            }
            Body::AlterTable(alter) => self.alter(alter, &ddl.effects)?,
            Body::CreateIndex(create) => {
                let clause = AlterClause::AddIndex(create.index.clone());
                self.clauses(&ddl.effects, &[clause])?;
            }
            Body::DropIndex(drop) => {
                let clause = if drop.name.value.eq_ignore_ascii_case("PRIMARY") {
                    AlterClause::DropPrimaryKey
                } else {
                    AlterClause::DropIndex { if_exists: false, name: drop.name.clone() }
                };
                self.clauses(&ddl.effects, &[clause])?;
            }
            _ => self.by_effects(&ddl.effects)?,
        }
        Ok(self.out)
    }

    fn push(&mut self, table: TableName, sql: String, clears_rows: bool) {
        self.out.push(TargetStatement { table, sql, clears_rows });
    }

    /// CREATE, DROP and RENAME are said by what they do.
    fn by_effects(&mut self, effects: &[TableEffect]) -> Result<(), StatementError> {
        let mut renames = Vec::new();
        for effect in effects {
            match (&effect.before, &effect.after) {
                (None, Some(after)) if (self.route)(&after.name).is_some() => self.create(after),
                (Some(before), None) => {
                    if let Some(table) = (self.route)(before) {
                        let sql = format!("DROP TABLE IF EXISTS {}", quoted_table(&table));
                        self.push(table, sql, true);
                    }
                }
                (Some(before), Some(after)) if *before != after.name => {
                    renames.extend(self.rename(before, &after.name)?);
                }
                _ => {}
            }
        }
        // Swaps need their names exchanged in one statement.
        if let Some((_, first)) = renames.first().cloned() {
            let list: Vec<String> = renames
                .iter()
                .map(|(from, to)| format!("{} TO {}", quoted_table(from), quoted_table(to)))
                .collect();
            self.push(first, format!("RENAME TABLE {}", list.join(", ")), false);
        }
        Ok(())
    }

    fn rename(
        &self,
        from: &TableName,
        to: &TableName,
    ) -> Result<Option<(TableName, TableName)>, StatementError> {
        match ((self.route)(from), (self.route)(to)) {
            (Some(old), Some(new)) => Ok(Some((old, new))),
            (None, None) => Ok(None),
            (None, Some(_)) => Err(StatementError::RenamedIn(to.clone())),
            (Some(_), None) => Err(StatementError::RenamedOut { from: from.clone(), to: to.clone() }),
        }
    }

    fn create(&mut self, after: &whimbrel_model::TableSchema) {
        let route = self.route;
        let rename = |name: &TableName| route(name).unwrap_or_else(|| name.clone());
        let converted = convert_table(after, self.target, &rename);
        let table = converted.schema.name.clone();
        let schema = format!("CREATE DATABASE IF NOT EXISTS {}", quoted(&table.schema));
        self.push(table.clone(), schema, false);
        self.push(table.clone(), converted.create, false);
        for ddl in converted.indexes.into_iter().chain(converted.foreign_keys) {
            self.push(table.clone(), ddl.sql, false);
        }
    }

    fn alter(&mut self, alter: &AlterTable, effects: &[TableEffect]) -> Result<(), StatementError> {
        self.clauses(effects, &alter.clauses)?;
        // ALTER TABLE ... RENAME TO, after everything else.
        self.by_effects(effects)
    }

    fn clauses(&mut self, effects: &[TableEffect], clauses: &[AlterClause]) -> Result<(), StatementError> {
        for effect in effects {
            let (Some(before), Some(after)) = (&effect.before, &effect.after) else { continue };
            let Some(table) = (self.route)(before) else { continue };
            let route = self.route;
            let rename = |name: &TableName| route(name).unwrap_or_else(|| name.clone());
            let converted = convert_table(after, self.target, &rename);
            let mut converter = Clauses { target: self.target, after: &converted.schema, out: Vec::new() };
            for clause in clauses {
                converter.add(clause)?;
            }
            let clauses = converter.out;
            self.alter_statements(&table, clauses);
        }
        Ok(())
    }

    /// One ALTER with all clauses, as the source had it; OceanBase can't mix columns, keys and partitions in one.
    fn alter_statements(&mut self, table: &TableName, clauses: Vec<TargetClause>) {
        let mut stages: BTreeMap<Stage, Vec<String>> = BTreeMap::new();
        for clause in clauses {
            let stage = if self.target.is_oceanbase() || clause.stage == Stage::Partitions {
                clause.stage
            } else {
                Stage::Columns
            };
            stages.entry(stage).or_default().push(clause.sql);
        }
        for clauses in stages.into_values() {
            let sql = format!("ALTER TABLE {} {}", quoted_table(table), clauses.join(", "));
            self.push(table.clone(), sql, false);
        }
    }
}

//! DDL statements of a source's log in the target's words.

use std::collections::BTreeMap;

use whimbrel_model::{Ddl, TableEffect, TableName, TableSchema};
use whimbrel_mysql_ddl::ast::{AlterClause, AlterTable, Body};
use whimbrel_mysql_ddl::{ParseError, ParseOptions};

use crate::clause::{Clauses, Stage, TargetClause};
use crate::kind::DdlKind;
use crate::merge;
use crate::overrides::{self, OverrideRefused};
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
    /// Other source tables become this table too, and may have brought the same statement before.
    pub merged: bool,
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
    #[error("an override of the project can't be followed")]
    Override(#[from] OverrideRefused),
    #[error(
        "column {from} of {table} is converted by --convert {rule}, and no override names it as {to}; name both in one \
         pattern"
    )]
    RenamedOverride { table: TableName, from: String, to: String, rule: String },
    #[error("table {0} comes from outside of the migration, so its rows are not at the target")]
    RenamedIn(TableName),
    #[error("{table} is one of several tables that become {target}: {what}")]
    Merged { table: TableName, target: TableName, what: &'static str },
    #[error("{table} would become part of {target}, but they differ: {difference}")]
    Unlike { table: TableName, target: TableName, difference: String },
}

/// What a migration has to say about a statement.
#[derive(Clone, Copy)]
pub struct Routes<'a> {
    /// A source table's name at the target, `None` for tables that aren't migrated.
    pub route: &'a dyn Fn(&TableName) -> Option<TableName>,
    /// What a table that leaves the migration is called at the target, where it stays.
    pub away: &'a dyn Fn(&TableName) -> TableName,
    /// Which clauses of ALTER TABLE are carried over.
    pub keeps: &'a dyn Fn(DdlKind) -> bool,
    /// Source tables of which several become one at the target.
    pub merged: &'a dyn Fn(&TableName) -> bool,
    /// Such a table of the target as it is now, `None` where it isn't there.
    pub current: &'a dyn Fn(&TableName) -> Option<TableSchema>,
}

/// Converts a statement with all its clauses; a table that leaves the migration keeps its new name at the target.
///
/// # Errors
/// As [`convert_routed`].
pub fn convert_statement(
    ddl: &Ddl,
    options: &ParseOptions,
    target: &TargetProfile,
    route: &dyn Fn(&TableName) -> Option<TableName>,
) -> Result<Vec<TargetStatement>, StatementError> {
    let routes =
        Routes { route, away: &TableName::clone, keeps: &|_| true, merged: &|_| false, current: &|_| None };
    convert_routed(ddl, options, target, routes)
}

/// Converts a statement.
///
/// # Errors
/// What can't be carried over is named; nothing is guessed.
pub fn convert_routed(
    ddl: &Ddl,
    options: &ParseOptions,
    target: &TargetProfile,
    routes: Routes<'_>,
) -> Result<Vec<TargetStatement>, StatementError> {
    if ddl.effects.is_empty() {
        return Ok(Vec::new());
    }
    let converter = Converter { target, routes, route: routes.route, out: Vec::new() };
    converter.convert(ddl, options)
}

/// True where some name is there before or after the renames, but not both.
fn leaves_a_trace(renames: &[(TableName, TableName)]) -> bool {
    let mut there: BTreeMap<&TableName, (bool, bool)> = BTreeMap::new();
    for (from, to) in renames {
        // A name that is met first as an old one was there before, one that is met first as a new one wasn't.
        there.entry(from).or_insert((true, true)).1 = false;
        there.entry(to).or_insert((false, false)).1 = true;
    }
    there.values().any(|(before, after)| before != after)
}

struct Converter<'a> {
    target: &'a TargetProfile,
    routes: Routes<'a>,
    route: &'a dyn Fn(&TableName) -> Option<TableName>,
    out: Vec<TargetStatement>,
}

impl Converter<'_> {
    fn convert(mut self, ddl: &Ddl, options: &ParseOptions) -> Result<Vec<TargetStatement>, StatementError> {
        let statement = whimbrel_mysql_ddl::parse(&ddl.sql, options)?;
        merge::refuse(&statement, &ddl.effects, &self.routes)?;
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
        self.out.push(TargetStatement { table, sql, clears_rows, merged: false });
    }

    fn push_merged(&mut self, table: TableName, sql: String) {
        self.out.push(TargetStatement { table, sql, clears_rows: false, merged: true });
    }

    /// CREATE, DROP and RENAME are said by what they do.
    fn by_effects(&mut self, effects: &[TableEffect]) -> Result<(), StatementError> {
        let mut renames = Vec::new();
        for effect in effects {
            match (&effect.before, &effect.after) {
                (None, Some(after)) if (self.route)(&after.name).is_some() => self.create(after)?,
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
        self.rename_all(&renames);
        Ok(())
    }

    /// One statement, so that others see all names changed at once; unless the names are the same before and after:
    /// whether tables have changed places couldn't be seen after a crash, so each rename is a statement of its own.
    fn rename_all(&mut self, renames: &[(TableName, TableName)]) {
        let at_once = if leaves_a_trace(renames) { renames.len() } else { 1 };
        for renames in renames.chunks(at_once.max(1)) {
            let Some((_, first)) = renames.first() else { continue };
            let list: Vec<String> = renames
                .iter()
                .map(|(from, to)| format!("{} TO {}", quoted_table(from), quoted_table(to)))
                .collect();
            self.push(first.clone(), format!("RENAME TABLE {}", list.join(", ")), false);
        }
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
            (Some(old), None) => Ok(Some((old, (self.routes.away)(to)))),
        }
    }

    fn create(&mut self, after: &whimbrel_model::TableSchema) -> Result<(), StatementError> {
        self.check_overrides(after)?;
        let route = self.route;
        let rename = |name: &TableName| route(name).unwrap_or_else(|| name.clone());
        let converted = convert_table(after, self.target, &rename);
        let table = converted.schema.name.clone();
        let schema = format!("CREATE DATABASE IF NOT EXISTS {}", quoted(&table.schema));
        self.push(table.clone(), schema, false);
        if (self.routes.merged)(&after.name) {
            if let Some(there) = (self.routes.current)(&table) {
                merge::refuse_unlike(&after.name, &converted.schema, &there)?;
            }
            let create = converted.create.replacen("CREATE TABLE ", "CREATE TABLE IF NOT EXISTS ", 1);
            self.push_merged(table.clone(), create);
            for ddl in converted.indexes.into_iter().chain(converted.foreign_keys) {
                self.push_merged(table.clone(), ddl.sql);
            }
            return Ok(());
        }
        self.push(table.clone(), converted.create, false);
        for ddl in converted.indexes.into_iter().chain(converted.foreign_keys) {
            self.push(table.clone(), ddl.sql, false);
        }
        Ok(())
    }

    /// Columns that come with a statement are held to the same rules as those that were there at the start.
    fn check_overrides(&self, after: &whimbrel_model::TableSchema) -> Result<(), StatementError> {
        overrides::check(after, self.target).into_iter().next().map_or(Ok(()), |refused| Err(refused.into()))
    }

    /// An override goes by the column's name, so a renamed column would silently get another type.
    fn check_renames(
        &self,
        before: &TableName,
        after: &whimbrel_model::TableSchema,
        clauses: &[AlterClause],
    ) -> Result<(), StatementError> {
        for clause in clauses {
            let (from, to) = match clause {
                AlterClause::RenameColumn { from, to, .. } => (&from.value, &to.value),
                AlterClause::ChangeColumn { old, column, .. } => (&old.value, &column.name.value),
                _ => continue,
            };
            let Some(at) = after.column_index(to) else { continue };
            let named = self.target.overrides().of(&after.name, &after.columns[at]);
            let mut old = after.columns[at].clone();
            old.name.clone_from(from);
            if let Some(chosen) = self.target.overrides().of(before, &old)
                && named.is_none_or(|named| named.given != chosen.given)
            {
                return Err(StatementError::RenamedOverride {
                    table: before.clone(),
                    from: from.clone(),
                    to: to.clone(),
                    rule: chosen.text.clone(),
                });
            }
        }
        Ok(())
    }

    fn alter(&mut self, alter: &AlterTable, effects: &[TableEffect]) -> Result<(), StatementError> {
        let keeps = |clause: &&AlterClause| DdlKind::of_clause(clause).is_none_or(self.routes.keeps);
        let clauses: Vec<AlterClause> = alter.clauses.iter().filter(keeps).cloned().collect();
        self.clauses(effects, &clauses)?;
        // ALTER TABLE ... RENAME TO, after everything else.
        if (self.routes.keeps)(DdlKind::Rename) { self.by_effects(effects) } else { Ok(()) }
    }

    fn clauses(&mut self, effects: &[TableEffect], clauses: &[AlterClause]) -> Result<(), StatementError> {
        for effect in effects {
            let (Some(before), Some(after)) = (&effect.before, &effect.after) else { continue };
            let Some(table) = (self.route)(before) else { continue };
            let route = self.route;
            let rename = |name: &TableName| route(name).unwrap_or_else(|| name.clone());
            self.check_overrides(after)?;
            self.check_renames(before, after, clauses)?;
            let converted = convert_table(after, self.target, &rename);
            if (self.routes.merged)(before) {
                self.merged_clauses(before, &table, &converted.schema, clauses)?;
                continue;
            }
            let mut converter = Clauses { target: self.target, after: &converted.schema, out: Vec::new() };
            for clause in clauses {
                converter.add(clause)?;
            }
            let clauses = converter.out;
            self.alter_statements(&table, clauses);
        }
        Ok(())
    }

    /// Each clause by itself, so that those are found which the target has from another table.
    fn merged_clauses(
        &mut self,
        source: &TableName,
        table: &TableName,
        after: &TableSchema,
        clauses: &[AlterClause],
    ) -> Result<(), StatementError> {
        let mut stages: BTreeMap<Stage, Vec<String>> = BTreeMap::new();
        for clause in clauses {
            let mut converter = Clauses { target: self.target, after, out: Vec::new() };
            converter.add(clause)?;
            for part in converter.out {
                let sql = format!("ALTER TABLE {} {}", quoted_table(table), part.sql);
                merge::refuse_renamed_column(source, clause, &sql, &self.routes)?;
                stages.entry(part.stage).or_default().push(sql);
            }
        }
        for sql in stages.into_values().flatten() {
            self.push_merged(table.clone(), sql);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tables_that_change_places_leave_no_trace() {
        let table = |name: &str| TableName::new("d", name);
        let trace = |pairs: &[(&str, &str)]| {
            leaves_a_trace(&pairs.iter().map(|(from, to)| (table(from), table(to))).collect::<Vec<_>>())
        };
        assert!(trace(&[("a", "b")]));
        assert!(trace(&[("t", "_t_del"), ("_t_gho", "t")]));
        assert!(trace(&[("a", "b"), ("b", "c")]));
        assert!(!trace(&[("a", "tmp"), ("b", "a"), ("tmp", "b")]));
        assert!(!trace(&[("a", "tmp"), ("tmp", "a")]));
    }
}

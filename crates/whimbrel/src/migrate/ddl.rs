//! Names and statements for Incr-Sync: the task's rules and DBCat.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use whimbrel_connector::{ConnectorError, ErrorKind, Flavor, Result, ServerInfo, Target};
use whimbrel_dbcat::{
    DdlKind, Routes, StatementError, TargetProfile, convert_routed, dropped_columns, is_applied, is_renamed,
    is_there,
};
use whimbrel_incr_sync::{DdlConverter, DdlPolicy, DdlStep, Router};
use whimbrel_model::{Ddl, TableName, TableSchema};
use whimbrel_mysql_ddl::ast::Body;
use whimbrel_mysql_ddl::{Dialect, ParseOptions, SqlMode};

use crate::ddl_policy::DdlRules;
use crate::followed::Followed;

/// The rules as Incr-Sync asks for them.
pub struct RuleRouter {
    pub followed: Followed,
    /// Schemas of the target that the task's tables are in.
    pub schemas: Vec<String>,
}

impl Router for RuleRouter {
    fn target(&self, source: &TableName) -> Option<TableName> {
        self.followed.target(source)
    }

    fn merges(&self, source: &TableName) -> bool {
        self.followed.merges(source)
    }

    fn target_schemas(&self) -> Vec<String> {
        self.schemas.clone()
    }
}

/// Bits of `sql_mode` in the log (`sql/sql_class.h`, stable since MySQL 5.0).
const REAL_AS_FLOAT: u64 = 1;
const ANSI_QUOTES: u64 = 4;
const NO_BACKSLASH_ESCAPES: u64 = 1 << 20;

/// The language of a server's statements.
pub fn dialect(server: &ServerInfo) -> Dialect {
    let (major, minor, patch) = server.version;
    let version = u32::from(major) * 10_000 + u32::from(minor) * 100 + u32::from(patch);
    match server.flavor {
        Flavor::Mysql => Dialect::mysql(version),
        Flavor::MariaDb => Dialect::mariadb(version),
        Flavor::OceanBase => Dialect::oceanbase(version),
    }
}

/// How the session that logged a statement read it.
pub fn sql_mode(ddl: &Ddl) -> SqlMode {
    SqlMode {
        ansi_quotes: ddl.sql_mode & ANSI_QUOTES != 0,
        no_backslash_escapes: ddl.sql_mode & NO_BACKSLASH_ESCAPES != 0,
        real_as_float: ddl.sql_mode & REAL_AS_FLOAT != 0,
    }
}

/// DBCat as Incr-Sync asks for it.
pub struct DbcatConverter {
    followed: Followed,
    policies: DdlRules,
    target: Arc<dyn Target>,
    profile: TargetProfile,
    dialect: Dialect,
}

impl DbcatConverter {
    pub fn new(
        followed: Followed,
        policies: DdlRules,
        target: Arc<dyn Target>,
        from: &ServerInfo,
        profile: TargetProfile,
    ) -> Self {
        Self { followed, policies, target, profile, dialect: dialect(from) }
    }

    /// How the session at the source has read the statement.
    fn options(&self, ddl: &Ddl) -> ParseOptions {
        ParseOptions { dialect: self.dialect, sql_mode: sql_mode(ddl) }
    }

    /// Targets of several tables that a statement is about, as they are.
    async fn merged_targets(&self, ddl: &Ddl) -> Result<Vec<TableSchema>> {
        let names = ddl
            .effects
            .iter()
            .flat_map(|effect| effect.before.iter().chain(effect.after.as_ref().map(|after| &after.name)));
        let merged = names.filter(|name| self.followed.merges(name));
        let targets: BTreeSet<TableName> = merged.filter_map(|name| self.followed.target(name)).collect();
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        let targets: Vec<TableName> = targets.into_iter().collect();
        self.target.catalog().await?.existing_tables(&targets).await
    }
}

#[async_trait]
impl DdlConverter for DbcatConverter {
    fn policy(&self, ddl: &Ddl) -> Result<DdlPolicy> {
        // One that can't be read has no kind; what to do about it is decided when it can't be converted either.
        let parsed = whimbrel_mysql_ddl::parse(&ddl.sql, &self.options(ddl));
        Ok(parsed.map_or(DdlPolicy::Apply, |statement| self.policies.of_statement(&statement)))
    }

    async fn convert(&self, ddl: &Ddl) -> Result<Vec<DdlStep>> {
        let there = self.merged_targets(ddl).await?;
        let lower = |name: &TableName| name.to_string().to_lowercase();
        let routes = Routes {
            route: &|name| self.followed.target(name),
            away: &|name| self.followed.away(name),
            keeps: &|kind| self.policies.of(kind) != DdlPolicy::Skip,
            merged: &|name| self.followed.merges(name),
            current: &|target| there.iter().find(|table| lower(&table.name) == lower(target)).cloned(),
        };
        let statements = convert_routed(ddl, &self.options(ddl), &self.profile, routes).map_err(|error| {
            let object = format!("statement {}", shortened(&ddl.sql));
            let merged = matches!(error, StatementError::Merged { .. });
            let refused = ConnectorError::new(
                ErrorKind::UnsupportedStatement,
                object,
                "it can't be carried over to the target",
            )
            .with_source(error);
            if merged { refused.with_hint(OF_ONE_TABLE) } else { refused }
        })?;
        Ok(statements
            .into_iter()
            .map(|statement| DdlStep {
                default_schema: String::new(),
                table: statement.table,
                sql: statement.sql,
                clears_rows: statement.clears_rows,
                merged: statement.merged,
            })
            .collect())
    }

    async fn already_applied(&self, step: &DdlStep) -> Result<bool> {
        let mut catalog = self.target.catalog().await?;
        if let Some(renames) = renames(&step.sql) {
            let names: Vec<TableName> =
                renames.iter().flat_map(|(from, to)| [from.clone(), to.clone()]).collect();
            let there = catalog.existing_tables(&names).await?;
            return Ok(is_renamed(&renames, |name| there.iter().any(|table| table.name == *name)));
        }
        let tables = catalog.existing_tables(std::slice::from_ref(&step.table)).await?;
        let applied = if step.merged { is_there } else { is_applied };
        Ok(applied(&step.sql, tables.first()))
    }

    fn dropped_columns(&self, ddl: &Ddl) -> Vec<(TableName, String)> {
        let merged = ddl.effects.iter().filter_map(|effect| effect.before.as_ref());
        let merged: Vec<TableName> = merged
            .filter(|name| self.followed.merges(name))
            .filter_map(|name| self.followed.target(name))
            .collect();
        if merged.is_empty() || self.policies.of(DdlKind::DropColumn) == DdlPolicy::Skip {
            return Vec::new();
        }
        let columns = whimbrel_mysql_ddl::parse(&ddl.sql, &self.options(ddl))
            .map(|statement| dropped_columns(&statement))
            .unwrap_or_default();
        merged
            .iter()
            .flat_map(|target| columns.iter().map(|column| (target.clone(), column.clone())))
            .collect()
    }
}

/// What a person can do about a statement that is about one of several tables.
const OF_ONE_TABLE: &str = "put a statement of your own in its place (whimbrel parked edit), such as a DELETE of this table's \
                            rows or the ALTER of the common table, or leave it out (whimbrel parked skip)";

/// The pairs of a RENAME TABLE that DBCat has written.
fn renames(sql: &str) -> Option<Vec<(TableName, TableName)>> {
    let options = ParseOptions::new(Dialect::mysql(90_700));
    let Body::RenameTable(rename) = whimbrel_mysql_ddl::parse(sql, &options).ok()?.body else { return None };
    let full =
        |name: whimbrel_mysql_ddl::ast::TableName| Some(TableName::new(name.schema?.value, name.name.value));
    rename.renames.into_iter().map(|(from, to)| Some((full(from)?, full(to)?))).collect()
}

fn shortened(sql: &str) -> String {
    const LONGEST: usize = 200;
    let mut text: String = sql.chars().take(LONGEST).collect();
    if text.len() < sql.len() {
        text.push_str("...");
    }
    text
}

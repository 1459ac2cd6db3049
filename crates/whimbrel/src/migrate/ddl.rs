//! Names and statements for Incr-Sync: the task's rules and DBCat.

use std::sync::Arc;

use async_trait::async_trait;
use whimbrel_connector::{ConnectorError, ErrorKind, Flavor, Result, ServerInfo, Target};
use whimbrel_dbcat::{TargetProfile, convert_statement, is_applied};
use whimbrel_incr_sync::{DdlConverter, DdlStep, Router};
use whimbrel_model::{Ddl, TableName};
use whimbrel_mysql_ddl::{Dialect, ParseOptions, SqlMode};

use crate::rules::Rules;

/// The rules as Incr-Sync asks for them.
pub struct RuleRouter {
    pub rules: Arc<Rules>,
    /// Schemas of the target that the task's tables are in.
    pub schemas: Vec<String>,
}

impl Router for RuleRouter {
    fn target(&self, source: &TableName) -> Option<TableName> {
        self.rules.selects(source).then(|| self.rules.target_name(source))
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
    rules: Arc<Rules>,
    target: Arc<dyn Target>,
    profile: TargetProfile,
    dialect: Dialect,
}

impl DbcatConverter {
    pub fn new(rules: Arc<Rules>, target: Arc<dyn Target>, from: &ServerInfo, to: &ServerInfo) -> Self {
        Self { rules, target, profile: TargetProfile::new(to), dialect: dialect(from) }
    }
}

#[async_trait]
impl DdlConverter for DbcatConverter {
    async fn convert(&self, ddl: &Ddl) -> Result<Vec<DdlStep>> {
        let options = ParseOptions { dialect: self.dialect, sql_mode: sql_mode(ddl) };
        let route = |name: &TableName| self.rules.selects(name).then(|| self.rules.target_name(name));
        let statements = convert_statement(ddl, &options, &self.profile, &route).map_err(|error| {
            let object = format!("statement {}", shortened(&ddl.sql));
            ConnectorError::new(
                ErrorKind::UnsupportedStatement,
                object,
                "it can't be carried over to the target",
            )
            .with_source(error)
        })?;
        Ok(statements
            .into_iter()
            .map(|statement| DdlStep {
                default_schema: String::new(),
                table: statement.table,
                sql: statement.sql,
                clears_rows: statement.clears_rows,
            })
            .collect())
    }

    async fn already_applied(&self, step: &DdlStep) -> Result<bool> {
        let mut catalog = self.target.catalog().await?;
        let tables = catalog.existing_tables(std::slice::from_ref(&step.table)).await?;
        // A rename is over when the old name is gone; renames of this crate name the new table first.
        let old_exists = match renamed_from(&step.sql) {
            Some(old) => !catalog.existing_tables(std::slice::from_ref(&old)).await?.is_empty(),
            None => false,
        };
        Ok(is_applied(&step.sql, tables.first(), old_exists))
    }
}

/// The old name of the first pair of a RENAME TABLE.
fn renamed_from(sql: &str) -> Option<TableName> {
    let options = ParseOptions::new(Dialect::mysql(90_700));
    match whimbrel_mysql_ddl::parse(sql, &options).ok()?.body {
        whimbrel_mysql_ddl::ast::Body::RenameTable(rename) => {
            let (from, _) = rename.renames.into_iter().next()?;
            Some(TableName::new(from.schema?.value, from.name.value))
        }
        _ => None,
    }
}

fn shortened(sql: &str) -> String {
    const LONGEST: usize = 200;
    let mut text: String = sql.chars().take(LONGEST).collect();
    if text.len() < sql.len() {
        text.push_str("...");
    }
    text
}

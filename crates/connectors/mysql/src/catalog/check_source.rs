//! Whether a server can be the source: log settings, privileges, tables.

use std::collections::{BTreeMap, BTreeSet};

use whimbrel_connector::{ErrorKind, Finding, Flavor, Result, Severity};
use whimbrel_model::{TableName, TableSchema};

use super::position::{owns_until_commit, status_statement};
use super::privileges::{self, Privileges};
use super::probe;
use super::session::{Answer, Identity, Session, identifier, qualified};

/// Logs that are kept for less than this make a pause of the migration its end.
const COMFORTABLE_LOG_SECONDS: u64 = 86_400;

pub(super) async fn check(
    session: &mut Session,
    tables: &[TableSchema],
    with_log: bool,
) -> Result<Vec<Finding>> {
    let identity = session.identity().await?;
    let mut findings = Vec::new();
    let user = Privileges::read(session).await?;
    if with_log {
        if identity.flavor == Flavor::OceanBase {
            findings.push(finding(
                Severity::Error,
                &ErrorKind::LogUnusable,
                session.endpoint(),
                "OceanBase's log can't be read over SQL",
                "migrate without changes (--steps schema,full,verify)",
            ));
            return Ok(findings);
        }
        let variables = probe::variables(session).await?;
        log_settings(&identity, &variables, &mut findings);
        log_access(session, &identity, &user, tables, &mut findings).await?;
    }
    select_privileges(session, &user, tables, &mut findings).await?;
    if with_log {
        lock_privileges(session, &identity, &user, tables, &mut findings).await?;
    }
    for table in tables {
        table_properties(&identity, table, with_log, &mut findings);
    }
    if identity.is_mariadb((10, 3, 4)) {
        versioned_tables(session, tables, with_log, &mut findings).await?;
    }
    Ok(findings)
}

fn finding(
    severity: Severity,
    kind: &ErrorKind,
    object: impl Into<String>,
    cause: impl Into<String>,
    hint: impl Into<String>,
) -> Finding {
    let code = kind.code().to_owned();
    Finding { severity, code, object: object.into(), cause: cause.into(), hint: hint.into() }
}

/// Variables that decide what the log holds. MySQL 5.5 has no row image setting: it writes whole rows.
fn log_settings(identity: &Identity, variables: &BTreeMap<String, String>, findings: &mut Vec<Finding>) {
    let value = |name: &str| variables.get(name).map_or("", String::as_str);
    let mut add = |severity, object: &str, cause: &str, hint: &str| {
        findings.push(finding(severity, &ErrorKind::LogUnusable, object, cause, hint));
    };
    if value("log_bin") != "ON" {
        add(
            Severity::Error,
            "log_bin",
            "the binary log is off",
            "start the server with --log-bin --binlog-format=ROW --server-id=N (N not 0)",
        );
        return;
    }
    if value("server_id") == "0" {
        add(
            Severity::Error,
            "server_id",
            "the server refuses replicas with server_id 0",
            "SET GLOBAL server_id = 1;",
        );
    }
    if !value("binlog_format").eq_ignore_ascii_case("ROW") {
        let cause =
            format!("binlog_format is {}: changes may be logged as statements", value("binlog_format"));
        let hint = "SET GLOBAL binlog_format = 'ROW'; and let the applications connect again";
        add(Severity::Error, "binlog_format", &cause, hint);
    }
    if !matches!(value("binlog_row_image").to_ascii_uppercase().as_str(), "" | "FULL") {
        let cause =
            format!("binlog_row_image is {}: rows in the log lack columns", value("binlog_row_image"));
        let hint = "SET GLOBAL binlog_row_image = 'FULL'; and let the applications connect again";
        add(Severity::Error, "binlog_row_image", &cause, hint);
    }
    if value("binlog_row_metadata").starts_with("MINIMAL") || value("binlog_row_metadata") == "NO_LOG" {
        add(
            Severity::Info,
            "binlog_row_metadata",
            "the log doesn't name columns; they are followed through the log's own DDL",
            "SET GLOBAL binlog_row_metadata = 'FULL'; makes damage easier to notice",
        );
    }
    if identity.flavor == Flavor::Mysql && value("gtid_mode") != "ON" {
        add(
            Severity::Info,
            "gtid_mode",
            "without GTIDs the task can't follow the log to another server",
            "nothing to do unless the source is to be replaced by a replica during the task",
        );
    }
    let seconds = |name: &str| value(name).parse::<f64>().unwrap_or(0.0);
    let kept = if seconds("binlog_expire_logs_seconds") > 0.0 {
        seconds("binlog_expire_logs_seconds")
    } else {
        seconds("expire_logs_days") * 86_400.0
    };
    if kept > 0.0 && kept < COMFORTABLE_LOG_SECONDS as f64 {
        let cause = format!("the server keeps its log for {kept:.0} s; a longer pause ends the migration");
        add(
            Severity::Warning,
            "binlog_expire_logs_seconds",
            &cause,
            "keep the log for some days while the task runs",
        );
    }
}

/// Privileges on the log, and whether the tables' schemas are in it.
async fn log_access(
    session: &mut Session,
    identity: &Identity,
    user: &Privileges,
    tables: &[TableSchema],
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let status = session.ask(status_statement(identity), "asking for the end of the binary log").await?;
    if privileges::denied(&status) {
        findings.push(user.missing("REPLICATION CLIENT", "*.*", "to know where the log stands"));
    }
    if let Some(row) = status.rows().first() {
        let list = |name: &str| -> Vec<String> {
            let text = row.text_of(name).unwrap_or_default();
            text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        let (logged, ignored) = (list("Binlog_Do_DB"), list("Binlog_Ignore_DB"));
        for schema in schemas(tables) {
            if !logged.is_empty() && !logged.iter().any(|name| name == schema)
                || ignored.iter().any(|name| name == schema)
            {
                let cause = "binlog-do-db or binlog-ignore-db keeps this schema's changes out of the log";
                let hint = "take the option away and restart the server";
                findings.push(finding(Severity::Error, &ErrorKind::LogUnusable, schema, cause, hint));
            }
        }
    }
    let dump = "REPLICATION SLAVE";
    // SHOW SLAVE HOSTS needs the same privilege as a dump and only lists; MariaDB 10.5.2 gave it another one.
    let may_dump = if identity.is_mariadb((10, 5, 2)) {
        user.has_global(dump)
    } else {
        let sql = if identity.is_mysql((8, 0, 22)) { "SHOW REPLICAS" } else { "SHOW SLAVE HOSTS" };
        !privileges::denied(&session.ask(sql, "trying what the user may do").await?)
    };
    if !may_dump {
        findings.push(user.missing(dump, "*.*", "to read the log"));
    }
    let needs_lock = identity.flavor == Flavor::Mysql && !owns_until_commit(session, identity).await?;
    if needs_lock && !user.has_global("RELOAD") {
        let why = "to lock all tables for the moment in which the log's start is fixed (there are no GTIDs to go by)";
        findings.push(user.missing("RELOAD", "*.*", why));
    }
    Ok(())
}

fn schemas(tables: &[TableSchema]) -> BTreeSet<&str> {
    tables.iter().map(|table| table.name.schema.as_str()).collect()
}

/// From so many tables on, a grant on all tables of a schema is believed: trying opens each table at the server.
const MANY_TABLES: usize = 1_000;

/// Tries to read every column of every table.
async fn select_privileges(
    session: &mut Session,
    user: &Privileges,
    tables: &[TableSchema],
    findings: &mut Vec<Finding>,
) -> Result<()> {
    for table in tables {
        if tables.len() >= MANY_TABLES && user.may_certainly_read(&table.name.schema) {
            continue;
        }
        let columns: Vec<String> = table.columns.iter().map(|column| identifier(&column.name)).collect();
        let sql = format!("SELECT {} FROM {} LIMIT 0", columns.join(", "), qualified(&table.name));
        match session.ask(&sql, "trying to read the tables").await? {
            answer if privileges::denied(&answer) => {
                findings.push(user.missing("SELECT", &qualified(&table.name), "to read the table"));
            }
            Answer::Refused { code, message } => findings.push(finding(
                Severity::Error,
                &ErrorKind::UnknownTable,
                table.name.to_string(),
                format!("the table can't be read: server error {code}: {message}"),
                "repair or exclude the table",
            )),
            Answer::Rows(_) => {}
        }
    }
    Ok(())
}

async fn lock_privileges(
    session: &mut Session,
    identity: &Identity,
    user: &Privileges,
    tables: &[TableSchema],
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let keyless = tables.iter().filter(|table| table.row_key().is_none());
    let in_schemas: BTreeSet<&str> = keyless.map(|table| table.name.schema.as_str()).collect();
    for schema in in_schemas {
        let wanted = ["LOCK TABLES"];
        let missing = privileges::missing_on_schema(session, identity, user, schema, &wanted).await?;
        for privilege in missing {
            let on = format!("{}.*", identifier(schema));
            let why = "to fix a moment for tables without a key";
            findings.push(user.missing(privilege, &on, why));
        }
    }
    Ok(())
}

fn table_properties(identity: &Identity, table: &TableSchema, with_log: bool, findings: &mut Vec<Finding>) {
    let name = table.name.to_string();
    let transactional = ["innodb", "xtradb", "rocksdb", "tokudb"];
    if let Some(engine) = &table.engine
        && !transactional.contains(&engine.to_lowercase().as_str())
    {
        let cause = format!(
            "engine {engine} has no transactions: what is logged and what is read may differ for moments, and a failed statement leaves a part of its changes"
        );
        let hint = format!(
            "ALTER TABLE {} ENGINE = InnoDB; or verify again when writes have paused",
            qualified(&table.name)
        );
        findings.push(finding(Severity::Warning, &ErrorKind::Unsupported, name.as_str(), cause, hint));
    }
    if table.row_key().is_none() {
        let cause = "no primary key and no unique key without NULLs: read in one piece under a short lock, changes applied one after the other";
        let hint = "add a primary key if the table is large or busy";
        findings.push(finding(Severity::Info, &ErrorKind::Configuration, name.as_str(), cause, hint));
    }
    let logs_cascades = identity.is_mysql((9, 6, 0));
    if with_log && !logs_cascades {
        for key in &table.foreign_keys {
            let changes = |action: &str| matches!(action, "CASCADE" | "SET NULL" | "SET DEFAULT");
            if changes(&key.on_delete) || changes(&key.on_update) {
                let cause = format!(
                    "the log doesn't hold what foreign key {} changes in this table (ON DELETE {}, ON UPDATE {})",
                    key.name, key.on_delete, key.on_update
                );
                let hint = "keep the foreign key at the target, where it does the same, and verify before switching over";
                findings.push(finding(
                    Severity::Warning,
                    &ErrorKind::Unsupported,
                    name.as_str(),
                    cause,
                    hint,
                ));
            }
        }
    }
}

/// MariaDB logs the rows of a system-versioned table with two columns that no catalogue shows, and its history as
/// inserts of rows that nobody inserted.
async fn versioned_tables(
    session: &mut Session,
    tables: &[TableSchema],
    with_log: bool,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let wanted: BTreeSet<&TableName> = tables.iter().map(|table| &table.name).collect();
    let sql = "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'SYSTEM VERSIONED'";
    for row in session.rows_within(sql, "looking for system-versioned tables", super::CATALOGUE).await? {
        let (Some(schema), Some(table)) = (row.text(0), row.text(1)) else { continue };
        let name = TableName::new(schema, table);
        if !wanted.contains(&name) {
            continue;
        }
        let (severity, cause) = if with_log {
            (Severity::Error, "the log of a system-versioned table holds hidden columns and history rows")
        } else {
            (
                Severity::Warning,
                "the table is system-versioned: only present rows are moved, not their history",
            )
        };
        let hint = format!("exclude the table, or ALTER TABLE {} DROP SYSTEM VERSIONING;", qualified(&name));
        findings.push(finding(severity, &ErrorKind::Unsupported, name.to_string(), cause, hint));
    }
    Ok(())
}

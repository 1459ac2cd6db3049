//! What a statement in the log is: the begin or end of a transaction, DDL, or a change of rows that should have
//! been rows.

use whimbrel_model::TableName;
use whimbrel_mysql_ddl::ast::{Body, Classified, Statement, StatementClass, StatementKind};
use whimbrel_mysql_ddl::{Dialect, ParseError, ParseOptions, SqlMode, parse};

use super::schema_history::SchemaHistory;
use crate::binlog::QueryEvent;

/// What a statement means to a reader of changes.
pub(super) enum Meaning {
    Begin,
    Commit,
    Rollback,
    RollbackToSavepoint,
    XaStart,
    XaCommit,
    XaRollback,
    /// Changes definitions.
    Schema(Box<Statement>),
    /// Changes a view, trigger or routine.
    Program(Classified),
    /// Changes rows, or may.
    Data,
    /// Says nothing about tables.
    Nothing,
}

/// Tells what a statement means. Begin and end of transactions are told without parsing.
///
/// # Errors
/// A statement that can't be read, unless its first words say that it is about no table.
pub(super) fn meaning(query: &QueryEvent<'_>, history: &SchemaHistory) -> Result<Meaning, ParseError> {
    let sql = query.sql.trim();
    if let Some(known) = transaction_statement(sql) {
        return Ok(known);
    }
    let statement = match parse(sql, &parse_options(query, history)) {
        Ok(statement) => statement,
        Err(error) if concerns_no_table(sql) => {
            tracing::warn!(%error, "a statement about no table can't be parsed and is passed over");
            return Ok(Meaning::Nothing);
        }
        Err(error) => return Err(error),
    };
    Ok(match (statement.kind(), statement.kind().class()) {
        (StatementKind::CreateTableSelect, _) => Meaning::Schema(Box::new(statement)),
        (_, StatementClass::Schema) if !matches!(statement.body, Body::Classified(_)) => {
            Meaning::Schema(Box::new(statement))
        }
        // FLASHBACK, RECOVER and IMPORT TABLE bring rows along that no event holds.
        (_, StatementClass::Schema | StatementClass::Data) => Meaning::Data,
        (_, StatementClass::Program) => match statement.body {
            Body::Classified(classified) => Meaning::Program(classified),
            _ => Meaning::Nothing,
        },
        _ => Meaning::Nothing,
    })
}

fn transaction_statement(sql: &str) -> Option<Meaning> {
    let begins = |prefix: &str| sql.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
    let is = |text: &str| sql.eq_ignore_ascii_case(text);
    Some(match sql.as_bytes().first()?.to_ascii_uppercase() {
        b'B' if is("BEGIN") => Meaning::Begin,
        b'S' if begins("START TRANSACTION") => Meaning::Begin,
        b'S' if begins("SAVEPOINT") => Meaning::Nothing,
        b'C' if is("COMMIT") => Meaning::Commit,
        b'R' if is("ROLLBACK") => Meaning::Rollback,
        b'R' if begins("ROLLBACK TO") => Meaning::RollbackToSavepoint,
        b'R' if begins("RELEASE SAVEPOINT") => Meaning::Nothing,
        b'X' if begins("XA START") || begins("XA BEGIN") => Meaning::XaStart,
        b'X' if begins("XA COMMIT") => Meaning::XaCommit,
        b'X' if begins("XA ROLLBACK") => Meaning::XaRollback,
        b'X' if begins("XA END") || begins("XA PREPARE") => Meaning::Nothing,
        _ => return None,
    })
}

pub(super) fn parse_options(query: &QueryEvent<'_>, history: &SchemaHistory) -> ParseOptions {
    let server = history.server();
    let (major, minor, patch) = server.version;
    let version = u32::from(major) * 10_000 + u32::from(minor) * 100 + u32::from(patch);
    let dialect = if server.mariadb { Dialect::mariadb(version) } else { Dialect::mysql(version) };
    let sql_mode = SqlMode {
        ansi_quotes: query.session.ansi_quotes(),
        no_backslash_escapes: query.session.no_backslash_escapes(),
        real_as_float: query.session.real_as_float(),
    };
    ParseOptions { dialect, sql_mode }
}

/// True for statements whose first words make them about accounts, sessions or maintenance.
fn concerns_no_table(sql: &str) -> bool {
    let mut words = sql.split_ascii_whitespace().map(str::to_ascii_uppercase);
    match (words.next().as_deref(), words.next().as_deref()) {
        (Some("GRANT" | "REVOKE" | "FLUSH" | "SET" | "ANALYZE" | "OPTIMIZE" | "KILL"), _) => true,
        (Some("CREATE" | "ALTER" | "DROP" | "RENAME"), Some(object)) => {
            matches!(object, "USER" | "ROLE" | "SERVER" | "FUNCTION" | "PROCEDURE" | "EVENT" | "TABLESPACE")
        }
        _ => false,
    }
}

/// True where a statement may change rows of a table that the filter lets in.
///
/// Tables are those that its head names. A trigger on one of them that changes yet another isn't seen: a
/// statement on tables outside of the filter passes.
pub(super) fn may_change_rows(query: &QueryEvent<'_>, history: &SchemaHistory) -> bool {
    let Ok(statement) = parse(query.sql.trim(), &parse_options(query, history)) else { return true };
    let tables = statement.tables();
    tables.is_empty()
        || tables.iter().any(|name| {
            let schema = name.schema.as_ref().map_or(query.schema.as_ref(), |schema| &schema.value);
            history.wants(&TableName::new(schema, &name.name.value))
        })
}

/// True where a view, or a trigger's table, is one that the filter lets in.
pub(super) fn concerns_program(classified: &Classified, schema: &str, history: &SchemaHistory) -> bool {
    classified.tables.iter().chain(&classified.objects).any(|name| {
        let schema = name.schema.as_ref().map_or(schema, |schema| &schema.value);
        history.wants(&TableName::new(schema, &name.name.value))
    })
}

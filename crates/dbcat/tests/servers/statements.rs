//! Statements: what one does to a table of the source, the converted ones do to its copy.

use whimbrel_dbcat::{convert_statement, convert_table, is_applied};
use whimbrel_model::{Ddl, TableEffect, TableName, TableSchema};
use whimbrel_mysql_ddl::{Dialect, ParseOptions};

use crate::server::{empty_schema, profile, run, session, tables};

const BEFORE: &str = "CREATE TABLE t (id int NOT NULL AUTO_INCREMENT, a int, b varchar(20) COLLATE utf8mb4_0900_ai_ci, c varchar(20) CHARACTER SET latin1, PRIMARY KEY (id), KEY ka (a))";

/// Each leaves a table that the next one changes.
const STATEMENTS: [&str; 16] = [
    "ALTER TABLE t ADD COLUMN d datetime(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) COMMENT 'it''s' AFTER id, ADD COLUMN e enum('x','y') FIRST",
    "ALTER TABLE t ADD (f int, g int), ADD KEY kf (f, g), ADD UNIQUE KEY ub (b)",
    "ALTER TABLE t CHANGE COLUMN f f2 bigint unsigned NOT NULL DEFAULT 7, DROP COLUMN g",
    "ALTER TABLE t RENAME COLUMN f2 TO f3, RENAME INDEX kf TO kf3",
    "ALTER TABLE t MODIFY COLUMN a varchar(10) DEFAULT 'z' AFTER d",
    "CREATE INDEX kc ON t (c(5))",
    "CREATE UNIQUE INDEX ue ON t (e, id)",
    "DROP INDEX ka ON t",
    "ALTER TABLE t ALTER COLUMN a SET DEFAULT 'q', ALTER INDEX kc INVISIBLE",
    "ALTER TABLE t ALTER COLUMN a DROP DEFAULT",
    "ALTER TABLE t ADD COLUMN v int GENERATED ALWAYS AS (f3 + 1) VIRTUAL, ADD KEY kv (v)",
    "ALTER TABLE t DROP KEY ub, ADD UNIQUE KEY ub (b, a)",
    "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (id, f3)",
    "ALTER TABLE t COMMENT = 'after''wards'",
    "ALTER TABLE t ADD COLUMN u int UNIQUE",
    "ALTER TABLE t ADD CONSTRAINT pos CHECK (u > 0)",
];

/// What can be seen of a table on either side.
fn shape(table: &TableSchema) -> String {
    let mut lines: Vec<String> = table
        .columns
        .iter()
        .map(|c| {
            let kind = serde_json::to_value(&c.data_type).unwrap()["type"].to_string();
            let expression = c.generated.is_some();
            format!("{} {kind} {} {:?} {expression} {}", c.name, c.nullable, c.default, c.comment)
        })
        .collect();
    let key = |key: &whimbrel_model::Key| {
        let parts: Vec<_> =
            key.parts.iter().map(|part| (part.column().unwrap_or("?"), part.prefix)).collect();
        format!("{} {parts:?} {}", key.name, key.invisible)
    };
    let mut keys: Vec<String> = table.primary_key.iter().chain(&table.unique_keys).map(key).collect();
    keys.extend(table.indexes.iter().map(key));
    keys.sort();
    lines.extend(keys);
    lines.push(format!("{} checks, {}", table.checks.len(), table.comment));
    lines.join("\n")
}

async fn only_table(server: &str, schema: &str) -> TableSchema {
    let mut found = tables(server, schema).await;
    assert_eq!(found.len(), 1);
    found.remove(0)
}

async fn statements_do_the_same(target: &str) {
    let (schema, copy) = (format!("dbcat_ddl_for_{target}"), format!("dbcat_ddl_at_{target}"));
    let mut source = session("mysql97").await;
    let mut at_target = session(target).await;
    empty_schema(&mut source, &schema).await;
    empty_schema(&mut at_target, &copy).await;
    run(&mut source, &format!("USE {schema}; {BEFORE}")).await;
    let profile = profile(target).await;
    let route =
        |name: &TableName| (name.schema == schema).then(|| TableName::new(copy.clone(), name.table.clone()));
    let rename = |name: &TableName| route(name).unwrap_or_else(|| name.clone());
    let mut before = only_table("mysql97", &schema).await;
    let converted = convert_table(&before, &profile, &rename);
    run(&mut at_target, &converted.create).await;
    for index in &converted.indexes {
        run(&mut at_target, &index.sql).await;
    }
    let options = ParseOptions::new(Dialect::mysql(90_704));
    for sql in STATEMENTS {
        run(&mut source, sql).await;
        let after = only_table("mysql97", &schema).await;
        let effect = TableEffect { before: Some(before.name.clone()), after: Some(after.clone()) };
        let ddl =
            Ddl { default_schema: schema.clone(), sql: sql.to_owned(), sql_mode: 0, effects: vec![effect] };
        let statements = convert_statement(&ddl, &options, &profile, &route);
        let statements = statements.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert!(!statements.is_empty(), "{sql}");
        for statement in &statements {
            assert_eq!(statement.table, TableName::new(copy.clone(), "t"));
            let now = only_table(target, &copy).await;
            assert!(!is_applied(&statement.sql, Some(&now)), "{target}: not yet applied: {}", statement.sql);
            run(&mut at_target, &statement.sql).await;
            let now = only_table(target, &copy).await;
            if !is_applied(&statement.sql, Some(&now)) {
                // What doesn't show must be safe to run again: that is what happens after a crash.
                run(&mut at_target, &statement.sql).await;
            }
        }
        let wanted = convert_table(&after, &profile, &rename).schema;
        let found = only_table(target, &copy).await;
        assert_eq!(shape(&found), shape(&wanted), "{target}: after {sql}\nby {statements:#?}");
        before = after;
    }
    run(&mut at_target, &format!("DROP DATABASE {copy}")).await;
    run(&mut source, &format!("DROP DATABASE {schema}")).await;
}

#[tokio::test]
async fn alter_table_does_the_same_on_oceanbase() {
    statements_do_the_same("seekdb").await;
}

#[tokio::test]
async fn alter_table_does_the_same_on_mysql() {
    statements_do_the_same("mysql97").await;
}

#[tokio::test]
async fn alter_table_does_the_same_on_mariadb() {
    statements_do_the_same("mariadb1011").await;
}

/// RENAME swaps, CREATE, DROP, TRUNCATE.
#[tokio::test]
async fn tables_are_made_renamed_emptied_and_dropped() {
    let (schema, copy) = ("dbcat_swap", "dbcat_swap_copy");
    let mut at_target = session("seekdb").await;
    empty_schema(&mut at_target, copy).await;
    let profile = profile("seekdb").await;
    let route = |name: &TableName| (name.schema == schema).then(|| TableName::new(copy, name.table.clone()));
    let options = ParseOptions::new(Dialect::mysql(90_704));
    let mut source = session("mysql97").await;
    empty_schema(&mut source, schema).await;
    run(&mut source, &format!("USE {schema}; CREATE TABLE a (id int PRIMARY KEY, x int); CREATE TABLE b (id int PRIMARY KEY, y int);")).await;
    let found = tables("mysql97", schema).await;
    let named = |table: &TableSchema, name: &str| {
        let mut table = table.clone();
        table.name.table = name.to_owned();
        table
    };
    let (a, b) = (found[0].clone(), found[1].clone());
    let made = |table: &TableSchema| TableEffect { before: None, after: Some(table.clone()) };
    let moved = |table: &TableSchema, to: &str| TableEffect {
        before: Some(table.name.clone()),
        after: Some(named(table, to)),
    };
    let temporary = named(&a, "tmp");
    let steps = [
        ("CREATE TABLE a (id int PRIMARY KEY, x int)", vec![made(&a)], "a:x"),
        ("CREATE TABLE b (id int PRIMARY KEY, y int)", vec![made(&b)], "a:x b:y"),
        (
            "RENAME TABLE a TO tmp, b TO a, tmp TO b",
            vec![moved(&a, "tmp"), moved(&b, "a"), moved(&temporary, "b")],
            "a:y b:x",
        ),
        (
            "TRUNCATE TABLE a",
            vec![TableEffect { before: Some(a.name.clone()), after: Some(named(&b, "a")) }],
            "a:y b:x",
        ),
        ("DROP TABLE a", vec![TableEffect { before: Some(a.name.clone()), after: None }], "b:x"),
    ];
    for (sql, effects, expected) in steps {
        let ddl = Ddl { default_schema: schema.to_owned(), sql: sql.to_owned(), sql_mode: 0, effects };
        for statement in convert_statement(&ddl, &options, &profile, &route).unwrap() {
            run(&mut at_target, &statement.sql).await;
        }
        let found: Vec<String> = tables("seekdb", copy)
            .await
            .iter()
            .map(|table| format!("{}:{}", table.name.table, table.columns[1].name))
            .collect();
        assert_eq!(found.join(" "), expected, "after {sql}");
    }
    run(&mut at_target, &format!("DROP DATABASE {copy}")).await;
    run(&mut source, &format!("DROP DATABASE {schema}")).await;
}

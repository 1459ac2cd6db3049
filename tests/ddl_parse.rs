//! `whimbrel ddl parse`: trees and places of errors, for people and scripts.

use tempfile::TempDir;

use crate::harness::{Outcome, Task};

async fn parse(sql: &str, dialect: &str) -> Outcome {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("statements.sql");
    std::fs::write(&file, sql).expect("the file can be written");
    Task::bare(&["ddl", "parse", "--dialect", dialect, &file.display().to_string()]).run().await
}

#[tokio::test]
async fn statements_become_trees_with_their_names() {
    let outcome =
        parse("CREATE TABLE shop.t (id INT PRIMARY KEY);\n\nRENAME TABLE a TO b, c TO a;", "mysql").await;
    let outcome =
        outcome.expect(0).says(&["CreateTable", "name: \"shop\".\"t\"", "statement 2, line 3: RenameTable"]);
    let renames = outcome.stdout.rsplit("RenameTable\n").next().expect("a tree of the second statement");
    assert!(renames.contains("\"a\"") && renames.contains("\"c\""), "{renames}");
}

#[tokio::test]
async fn what_cannot_be_read_is_named_with_its_place_and_the_rest_goes_on() {
    let sql = "CREATE TABLE t (id INT);\nALTER TABLE t ADD COLUMN\n  x NO_SUCH TYPE HERE;\nDROP TABLE t;";
    parse(sql, "mysql").await.expect(1).says(&[
        "statement 2, line 3, column",
        "ALTER TABLE t ADD COLUMN",
        "statement 3, line 4: DropTable",
        "1 of 3 statements",
    ]);
}

#[tokio::test]
async fn a_dialect_decides_what_is_a_statement() {
    let sql = "ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT, ADD SYSTEM VERSIONING";
    parse(sql, "mariadb").await.expect(0);
    parse("CREATE TABLEGROUP g", "oceanbase").await.expect(0);
    parse("ALTER TABLE t SET TIFLASH REPLICA 1", "tidb").await.expect(0);
    parse("FROBNICATE t", "mysql").await.expect(1).says(&["unknown statement FROBNICATE"]);
}

#[tokio::test]
async fn usage_mistakes_end_with_code_2() {
    Task::bare(&["ddl", "parse", "/no/such/file.sql"]).run().await.expect(2).says(&["/no/such/file.sql"]);
    Task::bare(&["ddl", "parse", "--dialect", "cobol", "-"]).run().await.expect(2);
}

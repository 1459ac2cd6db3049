//! The parser's corpus on the servers of each dialect: what a statement does, its printed form does too.
//!
//! `mysql-ddl/tests/applied/FAMILY/*.sql` are scripts that run from an empty database; `mysql-ddl/tests/corpus` holds single
//! statements, of which those that make tables are tried, each in an empty database. Each runs as it is in one database and
//! as printed in another; both must be taken, or refused with the same code, and leave the same tables, as the server
//! itself shows them.

use std::collections::BTreeMap;
use std::path::Path;

use whimbrel_connector_mysql::wire::Connection;
use whimbrel_mysql_ddl::ast::{Body, CreateTable, Statement, StatementClass};
use whimbrel_mysql_ddl::{Dialect, ParseOptions, parse_many};

use crate::server::{empty_schema, run, session};

/// The files of a folder, in order.
fn files(folder: &str, family: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mysql-ddl/tests").join(folder).join(family);
    let entries = std::fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut files: Vec<(String, String)> = entries
        .map(|entry| {
            let path = entry.expect("the folder can be listed").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (format!("{family}/{name}"), std::fs::read_to_string(&path).expect("corpus files are UTF-8"))
        })
        .collect();
    files.sort();
    files
}

/// Two databases on one server.
struct Pair {
    sessions: [Connection; 2],
    names: [String; 2],
}

impl Pair {
    async fn new(server: &str, test: &str) -> Self {
        let names = ["as_is", "printed"].map(|side| format!("ddl_{test}_{side}_{}", std::process::id()));
        Self { sessions: [session(server).await, session(server).await], names }
    }

    async fn empty(&mut self) {
        for (session, name) in self.sessions.iter_mut().zip(&self.names) {
            empty_schema(session, name).await;
            run(session, &format!("USE {name}")).await;
            // As a user's session is, so that old dumps load.
            run(session, "SET sql_mode = 'NO_ENGINE_SUBSTITUTION'").await;
        }
    }

    /// The code of a refusal for each, 0 where it is taken.
    async fn execute(&mut self, as_is: &str, printed: &str) -> [u16; 2] {
        let mut codes = [0, 0];
        for ((session, sql), code) in self.sessions.iter_mut().zip([as_is, printed]).zip(&mut codes) {
            if let Err(error) = session.execute(sql).await {
                *code = error.server_code().unwrap_or_else(|| panic!("{sql}: {error}"));
            }
        }
        codes
    }

    /// What the server shows of all tables, by name.
    async fn tables(&mut self) -> [BTreeMap<String, String>; 2] {
        let mut both = [BTreeMap::new(), BTreeMap::new()];
        for (index, shown) in both.iter_mut().enumerate() {
            let session = &mut self.sessions[index];
            let tables = session.query_rows("SHOW TABLES").await.expect("tables can be listed");
            let names: Vec<String> =
                tables.rows.iter().filter_map(|row| row.text(0).map(str::to_owned)).collect();
            for name in names {
                let sql = format!("SHOW CREATE TABLE `{}`", name.replace('`', "``"));
                // A table over others that aren't there can't be shown on either side.
                let text = match session.query_first(&sql).await {
                    Ok(row) => row.and_then(|row| row.text(1).map(str::to_owned)).unwrap_or_default(),
                    Err(error) => format!("refused: {:?}", error.server_code()),
                };
                // OceanBase shows the columns of partitions as they were written, with quotes or without.
                shown.insert(name, text.replace(&self.names[index], "the_database").replace('`', ""));
            }
        }
        both
    }

    async fn drop(mut self) {
        for (session, name) in self.sessions.iter_mut().zip(&self.names) {
            run(session, &format!("DROP DATABASE IF EXISTS {name}")).await;
        }
    }
}

async fn scripts_apply_as_printed(server: &str, family: &str, dialect: Dialect) {
    let options = ParseOptions::new(dialect);
    let mut pair = Pair::new(server, "script").await;
    let mut failures = Vec::new();
    for (file, script) in files("applied", family) {
        pair.empty().await;
        for statement in parse_many(&script, &options) {
            let statement = statement.unwrap_or_else(|error| panic!("{file}: {error}"));
            let (as_is, printed) = (statement.span.text(&script), statement.to_string());
            let codes = pair.execute(as_is, &printed).await;
            let [left, right] = pair.tables().await;
            if codes != [0, 0] || left != right {
                failures
                    .push(format!("{file}: {codes:?}\n  {as_is}\n  {printed}\n  {left:#?}\n  {right:#?}"));
                break;
            }
        }
    }
    pair.drop().await;
    assert!(failures.is_empty(), "{server}:\n{}", failures.join("\n"));
}

/// A statement that makes a table in the session's database.
fn makes_a_table(statement: &Statement) -> Option<&CreateTable> {
    match &statement.body {
        Body::CreateTable(create) if create.name.schema.is_none() && !create.temporary => Some(create),
        _ => None,
    }
}

/// Files that tell nothing on their server: seekdb 1.4 leaves out the code of all comments where one holds what it
/// can't read.
const SET_ASIDE: [&str; 1] = ["oceanbase/executable_comments.sql"];

/// `at_least`: so many statements of the corpus the server takes at least; the others need what isn't there.
async fn creations_apply_as_printed(server: &str, family: &str, dialect: Dialect, at_least: usize) {
    let options = ParseOptions::new(dialect);
    let mut pair = Pair::new(server, "corpus").await;
    pair.empty().await;
    let (mut failures, mut taken) = (Vec::new(), 0);
    for (file, script) in files("corpus", family) {
        if SET_ASIDE.contains(&file.as_str()) {
            continue;
        }
        for statement in parse_many(&script, &options).into_iter().flatten() {
            let Some(create) = makes_a_table(&statement) else { continue };
            let (as_is, printed) = (statement.span.text(&script), statement.to_string());
            if as_is.contains("START TRANSACTION") {
                // What the server writes into its log; no session can go on after it.
                continue;
            }
            let codes = pair.execute(as_is, &printed).await;
            let [left, right] = pair.tables().await;
            // What is refused as it is (another database's name, the words of Oracle mode) may be taken in plain words.
            if codes[0] == 0 && (codes[1] != 0 || left != right) {
                failures
                    .push(format!("{file}: {codes:?}\n  {as_is}\n  {printed}\n  {left:#?}\n  {right:#?}"));
            }
            taken += usize::from(codes == [0, 0]);
            let drop = format!("DROP TABLE IF EXISTS {}", create.name);
            pair.execute(&drop, &drop).await;
        }
    }
    pair.drop().await;
    assert!(failures.is_empty(), "{server}:\n{}", failures.join("\n"));
    assert!(taken >= at_least, "{server} took only {taken} statements of the corpus");
}

#[tokio::test]
async fn mysql_scripts_apply_as_printed() {
    scripts_apply_as_printed("mysql97", "mysql", Dialect::mysql(90_704)).await;
}

#[tokio::test]
async fn mariadb_scripts_apply_as_printed() {
    scripts_apply_as_printed("mariadb1011", "mariadb", Dialect::mariadb(101_119)).await;
    scripts_apply_as_printed("mariadb118", "mariadb", Dialect::mariadb(110_806)).await;
}

#[tokio::test]
async fn oceanbase_scripts_apply_as_printed() {
    scripts_apply_as_printed("seekdb", "oceanbase", Dialect::oceanbase(40_305)).await;
}

#[tokio::test]
async fn mysql_creations_apply_as_printed() {
    creations_apply_as_printed("mysql97", "mysql", Dialect::mysql(90_704), 50).await;
}

#[tokio::test]
async fn mariadb_creations_apply_as_printed() {
    creations_apply_as_printed("mariadb1011", "mariadb", Dialect::mariadb(101_119), 20).await;
    creations_apply_as_printed("mariadb118", "mariadb", Dialect::mariadb(110_806), 20).await;
}

#[tokio::test]
async fn oceanbase_creations_apply_as_printed() {
    creations_apply_as_printed("seekdb", "oceanbase", Dialect::oceanbase(40_305), 4).await;
}

/// A script in which nothing makes or changes a table would prove nothing.
#[test]
fn the_scripts_are_about_tables() {
    for (family, dialect) in [
        ("mysql", Dialect::mysql(90_704)),
        ("mariadb", Dialect::mariadb(101_119)),
        ("oceanbase", Dialect::oceanbase(40_305)),
    ] {
        for (file, script) in files("applied", family) {
            let statements: Vec<Statement> = parse_many(&script, &ParseOptions::new(dialect))
                .into_iter()
                .map(|one| one.expect(&file))
                .collect();
            assert!(statements.iter().any(|one| one.kind().class() == StatementClass::Schema), "{file}");
        }
    }
}

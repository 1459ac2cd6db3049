//! Two databases on real servers, made anew for a test, and what a test asks of them. Full-Verification's tests use
//! this file too.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};

use whimbrel_connector::{Catalog, Source, TablePlan, Target};
use whimbrel_connector_mysql::MysqlEndpoint;
use whimbrel_connector_mysql::catalog::MysqlCatalog;
use whimbrel_connector_mysql::wire::{ConnectOptions, Connection};
use whimbrel_model::{TableName, TableSchema, TableVersion};

/// Source and target of a test, by the names that `dev/servers` gives them.
pub const PAIRS: [(&str, &str); 3] =
    [("mysql97", "seekdb"), ("mariadb1011", "seekdb"), ("mysql97", "mysql97")];

/// Variables of the servers that were asked for, by server.
static KNOWN: LazyLock<Mutex<HashMap<String, HashMap<String, String>>>> = LazyLock::new(Mutex::default);

/// A variable of a server: from `WHIMBREL_<NAME>_<VARIABLE>` in the environment, else from `dev/servers env NAME`.
fn variable(server: &str, name: &str) -> String {
    let full = format!("WHIMBREL_{}_{name}", server.to_uppercase());
    if let Ok(value) = std::env::var(&full) {
        return value;
    }
    let mut known = KNOWN.lock().expect("no test panics while it holds the lock");
    let variables = known.entry(server.to_owned()).or_insert_with(|| ask(server));
    variables.get(&full).cloned().unwrap_or_default()
}

fn ask(server: &str) -> HashMap<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dev/servers");
    let output = Command::new(&script).args(["env", server]).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {}: {error}", script.display()));
    assert!(output.status.success(), "{}", hint(server, &String::from_utf8_lossy(&output.stderr)));
    let text = String::from_utf8(output.stdout).expect("variables are UTF-8");
    let lines = text.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
    lines.map(|(name, value)| (name.to_owned(), value.trim_matches(['\'', '"']).to_owned())).collect()
}

fn hint(server: &str, why: &str) -> String {
    format!("this test needs the server {server} ({why}); start it with: dev/servers up {server}")
}

/// The administrator's account, without password.
pub fn root(server: &str) -> ConnectOptions {
    let url = variable(server, "ROOT_URL");
    url.parse().unwrap_or_else(|error| panic!("{}", hint(server, &format!("ROOT_URL: {error}"))))
}

/// One side of a test.
pub struct Side {
    pub server: String,
    pub database: String,
    pub endpoint: Arc<MysqlEndpoint>,
    pub admin: Connection,
}

impl Side {
    async fn new(server: &str, database: &str) -> Self {
        let options = root(server);
        let mut admin = admin(server).await;
        let sql = format!(
            "DROP DATABASE IF EXISTS {database};CREATE DATABASE {database} CHARACTER SET utf8mb4;USE {database}"
        );
        admin.execute_multi(&sql).await.unwrap_or_else(|error| panic!("{}: {sql}", error.source));
        let endpoint = Arc::new(MysqlEndpoint::new(options));
        Self { server: server.to_owned(), database: database.to_owned(), endpoint, admin }
    }

    /// Runs a script in the side's database.
    pub async fn run(&mut self, script: &str) {
        if let Err(error) = self.admin.execute_multi(script).await {
            let (index, error) = (error.index, anyhow::Error::new(error.source));
            panic!("{}: statement {index}: {error:#}\n{script}", self.server);
        }
    }

    /// Rows of a query, each cell as text; NULL is `NULL`.
    pub async fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        let found = self.admin.query_rows(sql).await;
        let found = found.unwrap_or_else(|error| panic!("{}: {error}\n{sql}", self.server));
        let cell = |cell: &Option<Vec<u8>>| match cell {
            None => "NULL".to_owned(),
            Some(bytes) => bytes.escape_ascii().to_string(),
        };
        found.rows.iter().map(|row| row.cells().iter().map(cell).collect()).collect()
    }

    /// Another session in the side's database.
    pub async fn session(&self) -> Session {
        let mut session = admin(&self.server).await;
        session.query_drop(&format!("USE {}", self.database)).await.unwrap();
        Session(session)
    }

    /// The definitions of all tables, by name.
    pub async fn tables(&self) -> Vec<TableSchema> {
        let mut catalog = MysqlCatalog::new(&root(&self.server));
        let summaries = catalog.tables(&self.database).await.unwrap();
        let names: Vec<TableName> = summaries.into_iter().map(|table| table.name).collect();
        catalog.table_schemas(&names).await.unwrap()
    }
}

async fn admin(server: &str) -> Connection {
    let options = ConnectOptions { multi_statements: true, ..root(server) };
    let connected = Connection::connect(&options).await;
    let mut admin = connected.unwrap_or_else(|error| panic!("{}", hint(server, &error.to_string())));
    // As a migration's own sessions have it, so that every value can be written.
    let sql = "SET NAMES utf8mb4;SET time_zone='+00:00';\
               SET sql_mode='STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'";
    admin.execute_multi(sql).await.unwrap();
    admin
}

/// A session of its own, for writers that run beside a test.
pub struct Session(pub Connection);

impl Session {
    /// Runs a script; an error is the test's.
    pub async fn run(&mut self, script: &str) {
        if let Err(error) = self.0.execute_multi(script).await {
            panic!("statement {}: {}\n{script}", error.index, error.source);
        }
    }
}

/// A source and a target.
pub struct Pair {
    pub source: Side,
    pub target: Side,
    pub task: String,
}

impl Pair {
    /// Makes both databases anew and forgets what the task of this test has left.
    pub async fn new(source: &str, target: &str, test: &str) -> Self {
        let task = format!("{test}_{}", &source[..4]);
        let (from, to) = (format!("whimbrel_{task}_s"), format!("whimbrel_{task}_t"));
        let mut pair =
            Self { source: Side::new(source, &from).await, target: Side::new(target, &to).await, task };
        let target: Arc<dyn Target> = pair.target.endpoint.clone();
        target.take_over(&pair.task).await.unwrap();
        let forget = format!("DELETE FROM whimbrel.state WHERE task='{}'", pair.task);
        pair.target.run(&forget).await;
        pair
    }

    /// The same tables on both sides; `target` says what is written otherwise there.
    pub async fn create(&mut self, ddl: &str, target: &[(&str, &str)]) {
        self.source.run(ddl).await;
        let other = target.iter().fold(ddl.to_owned(), |ddl, (from, to)| ddl.replace(from, to));
        self.target.run(&other).await;
    }

    /// A plan for each table of the source, in name order.
    pub async fn plans(&self) -> Vec<Arc<TablePlan>> {
        let targets: HashMap<String, TableSchema> =
            self.target.tables().await.into_iter().map(|table| (table.name.table.clone(), table)).collect();
        let sources = self.source.tables().await.into_iter().enumerate();
        sources
            .map(|(index, source)| {
                let target = targets[&source.name.table].clone();
                let version = TableVersion::new(index as u64 + 1, source);
                Arc::new(TablePlan::new(Arc::new(version), Arc::new(target)).unwrap())
            })
            .collect()
    }

    pub fn ends(&self) -> (Arc<dyn Source>, Arc<dyn Target>) {
        (self.source.endpoint.clone(), self.target.endpoint.clone())
    }

    /// Fails unless both sides answer a query alike.
    pub async fn same(&mut self, sql: &str) {
        let (ours, theirs) = (self.source.rows(sql).await, self.target.rows(sql).await);
        if ours == theirs {
            return;
        }
        let first = ours.iter().zip(&theirs).find(|(a, b)| a != b);
        panic!(
            "{} has {} rows, {} has {}; first that differ: {first:?}\n{sql}",
            self.source.server,
            ours.len(),
            self.target.server,
            theirs.len()
        );
    }
}

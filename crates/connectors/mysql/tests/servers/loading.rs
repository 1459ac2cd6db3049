//! Plain inserts by `LOAD DATA LOCAL` into MySQL and MariaDB: the same rows and the same errors as by INSERT.
//!
//! Every test looks which statements the writer's session really sent, so that none passes because the rows went by
//! INSERT after all.

mod values;
mod wiretap;

use std::sync::Arc;

use tokio::sync::RwLock;
use whimbrel_connector::conformance::rows::{assert_same_rows, batch, plan, read_all, refs, sorted};
use whimbrel_connector::conformance::{Playground, create_table, must, schema_of, version_of};
use whimbrel_connector::{
    ConnectorError, ErrorKind, InsertMode, KeyRange, StateKey, TablePlan, Target as _, Writer,
};
use whimbrel_connector_mysql::MysqlEndpoint;
use whimbrel_connector_mysql::wire::Connection;
use whimbrel_model::{RowBatch, TableVersion, Value};

use crate::conformance::playground::{Kind, MysqlPlayground};
use crate::server::{connect, root};
use wiretap::Wiretap;

const SERVERS: [(&str, Kind); 6] = [
    ("mysql55", Kind::Mysql),
    ("mysql56", Kind::Mysql),
    ("mysql97", Kind::Mysql),
    ("mariadb102", Kind::MariaDb),
    ("mariadb1011", Kind::MariaDb),
    ("mariadb118", Kind::MariaDb),
];

/// Written by who turns `local_infile` off for a moment, read by who needs it.
static LOCAL_INFILE: RwLock<()> = RwLock::const_new(());

/// A server with a writer's session, and a connection of an administrator.
struct Target {
    server: &'static str,
    playground: MysqlPlayground,
    writer: Box<dyn Writer>,
    wiretap: Wiretap,
    connection: Connection,
}

impl Target {
    async fn new(server: &'static str, kind: Kind, case: &str) -> Self {
        let playground = MysqlPlayground::new(server, kind, case).await;
        let connection = connect(server, &root(server)).await;
        let (writer, wiretap) = open_writer(server, case).await;
        Self { server, playground, writer, wiretap, connection }
    }

    /// How many LOAD DATA and how many INSERT statements the writer's session has sent since this was last asked.
    fn ways(&mut self) -> (usize, usize) {
        let [loads, inserts] = self.wiretap.heard(["LOAD DATA LOCAL", "INSERT INTO `conformance_load"]);
        (loads, inserts)
    }

    async fn insert(&mut self, plan: &TablePlan, rows: &RowBatch) -> Result<u64, ConnectorError> {
        self.writer.insert(plan, &refs(rows), InsertMode::Plain).await
    }

    /// As many statements as it takes, each with so few rows that it is an INSERT.
    async fn insert_few(&mut self, plan: &TablePlan, rows: &RowBatch) {
        for part in refs(rows).chunks(20) {
            must(self.writer.insert(plan, part, InsertMode::Plain).await);
        }
    }

    /// A table read whole, in the order of its bytes.
    async fn content(&self, name: &whimbrel_model::TableName) -> RowBatch {
        let mut reader = must(whimbrel_connector::Source::snapshot_reader(&self.endpoint()).await);
        let table = version_of(&self.playground, name).await;
        sorted(&read_all(&mut *reader, &table, &KeyRange::default()).await)
    }

    fn endpoint(&self) -> MysqlEndpoint {
        MysqlEndpoint::new(root(self.server))
    }

    /// Two tables, and the plan from the first to the second.
    async fn tables(&self, name: &str, from: &str, to: &str) -> (Arc<TableVersion>, TablePlan) {
        let source = create_table(&self.playground, name, from).await;
        let target = create_table(&self.playground, &format!("{name}_target"), to).await;
        let table = version_of(&self.playground, &source).await;
        let plan = plan(&table, schema_of(&self.playground, &target).await);
        (table, plan)
    }
}

async fn open_writer(server: &str, case: &str) -> (Box<dyn Writer>, Wiretap) {
    let (wiretap, options) = Wiretap::new(&root(server)).await;
    let endpoint = MysqlEndpoint::new(options);
    let epoch = must(endpoint.take_over(case).await);
    (must(endpoint.writer(case, epoch).await), wiretap)
}

fn row(id: i64, unique: i64, text: &str) -> Vec<Value> {
    vec![Value::Int(id), Value::Int(unique), Value::Text(text.as_bytes().to_vec())]
}

const KEYED: &str = "id INT NOT NULL PRIMARY KEY, u INT NOT NULL, v VARCHAR(20), UNIQUE KEY uu (u)";

#[tokio::test]
async fn duplicates_are_errors_and_nothing_is_written() {
    let _on = LOCAL_INFILE.read().await;
    for (server, kind) in SERVERS {
        let mut target = Target::new(server, kind, "load_duplicates").await;
        let (table, plan) = target.tables("t", KEYED, KEYED).await;
        let there = batch(&table, &(0..60).map(|id| row(id, id, "there")).collect::<Vec<_>>());
        must(target.insert(&plan, &there).await);
        let more: Vec<_> = (100..180).map(|id| row(id, id, "more")).collect();
        for (clash, key) in
            [(row(7, 99, "x"), "PRIMARY"), (row(99, 7, "x"), "uu"), (more[0].clone(), "PRIMARY")]
        {
            let mut rows = more.clone();
            rows.push(clash);
            let rows = batch(&table, &rows);
            for in_transaction in [false, true] {
                if in_transaction {
                    must(target.writer.begin().await);
                    must(target.insert(&plan, &batch(&table, &[row(-1, -1, "first")])).await);
                }
                target.ways();
                let error = target.insert(&plan, &rows).await.expect_err("a duplicate");
                assert_eq!(error.kind, ErrorKind::DuplicateKey { key: key.to_owned() }, "{server}");
                assert_eq!(target.ways(), (1, 1), "{server}: loaded, taken back, inserted");
                if in_transaction {
                    // The transaction is as it was, and of use.
                    must(target.insert(&plan, &batch(&table, &more)).await);
                    assert_eq!(target.ways(), (1, 0), "{server}");
                    must(target.writer.commit().await);
                    assert_eq!(target.content(&plan.target.name).await.len(), 60 + 1 + 80, "{server}");
                    let sql = format!("DELETE FROM {} WHERE id NOT BETWEEN 0 AND 59", plan.target.name);
                    target.playground.run(&sql).await;
                }
                let found = target.content(&plan.target.name).await;
                assert_same_rows(&plan.target, &found, &sorted(&there), server);
            }
        }
    }
}

/// Tables whose target doesn't take a value of the source: what it is, and the two columns.
const REFUSED: [(&str, &str, &str, &str); 12] = [
    ("no_partition", "INT", "INT", "7"),
    ("no_parent", "INT", "INT, FOREIGN KEY (v) REFERENCES conformance_load_refused.parent (id)", "2"),
    ("check_constraint", "INT", "INT CHECK (v < 100)", "100"),
    ("out_of_range", "BIGINT", "TINYINT", "128"),
    ("below_zero", "INT", "INT UNSIGNED", "-1"),
    ("too_many_digits", "DECIMAL(20,2)", "DECIMAL(5,2)", "1000"),
    ("too_large", "DOUBLE", "DOUBLE(5,2)", "1e10"),
    ("too_long", "VARCHAR(20)", "VARCHAR(5)", "'abcdef'"),
    ("too_long_bytes", "VARBINARY(20)", "BINARY(5)", "'abcdef'"),
    ("not_null", "INT", "INT NOT NULL", "NULL"),
    ("no_such_character", "VARCHAR(20)", "VARCHAR(20) CHARACTER SET latin1", "'漢'"),
    ("too_wide_a_character", "VARCHAR(20)", "VARCHAR(20) CHARACTER SET utf8", "'😀'"),
];

#[tokio::test]
async fn refused_values_give_the_errors_of_insert() {
    let _on = LOCAL_INFILE.read().await;
    for (server, kind) in SERVERS {
        let mut target = Target::new(server, kind, "load_refused").await;
        let parent = create_table(&target.playground, "parent", "id INT NOT NULL PRIMARY KEY").await;
        target.playground.run(&format!("INSERT INTO {parent} VALUES (1)")).await;
        must(target.writer.set_foreign_key_checks(true).await);
        // Whoever set these for the server hides no warning by it.
        must(target.writer.execute("", "SET SESSION max_error_count=0, sql_notes=0").await);
        for (name, from, to, value) in REFUSED {
            if name == "check_constraint" && ["mysql55", "mysql56"].contains(&server) {
                continue;
            }
            let what = format!("{server}: {name}");
            let columns = |data_type| format!("id INT NOT NULL PRIMARY KEY, v {data_type}");
            let (table, plan) = target.tables(name, &columns(from), &columns(to)).await;
            if name == "no_partition" {
                // All but the row 0.
                let partitions = "PARTITION BY RANGE (id * -1) (PARTITION p VALUES LESS THAN (0))";
                target.playground.run(&format!("ALTER TABLE {} {partitions}", plan.target.name)).await;
            }
            let source = &table.schema.name;
            target.playground.run(&format!("INSERT INTO {source} VALUES (0,{value})")).await;
            for id in 1..60 {
                let good = if from.starts_with("VAR") { "'a'" } else { "1" };
                target.playground.run(&format!("INSERT INTO {source} VALUES ({id},{good})")).await;
            }
            let rows = target.content(source).await;
            let bad = refs(&rows)[0];
            let alone = target.writer.insert(&plan, &[bad], InsertMode::Plain).await.expect_err(&what);
            target.ways();
            let error = target.insert(&plan, &rows).await.expect_err(&what);
            let (loads, _) = target.ways();
            // What has no form in a file isn't even tried.
            let tried = !["not_null", "no_such_character", "too_wide_a_character"].contains(&name);
            assert_eq!(loads, usize::from(tried), "{what}");
            assert_eq!(error.kind, alone.kind, "{what}");
            assert_eq!(error.chain(), alone.chain(), "{what}");
            assert_eq!(target.content(&plan.target.name).await.len(), 0, "{what}");
            // The others are taken.
            let others = &refs(&rows)[1..];
            must(target.writer.insert(&plan, others, InsertMode::Plain).await);
            assert_eq!(target.ways(), (1, 0), "{what}");
        }
    }
}

#[tokio::test]
async fn state_goes_before_the_rows_and_a_fence_holds_them_off() {
    let _on = LOCAL_INFILE.read().await;
    for (server, kind) in SERVERS {
        let case = "load_state";
        let mut target = Target::new(server, kind, case).await;
        let (table, plan) = target.tables("t", KEYED, KEYED).await;
        let rows =
            |from: i64| batch(&table, &(from..from + 60).map(|id| row(id, id, "x")).collect::<Vec<_>>());
        let key = StateKey::new("chunk", "1");
        must(target.writer.begin().await);
        must(target.writer.state_put(&key, b"done").await);
        must(target.insert(&plan, &rows(0)).await);
        must(target.insert(&plan, &rows(60)).await);
        must(target.writer.commit().await);
        assert_eq!(target.ways().0, 2, "{server}");
        assert_eq!(must(target.writer.state_get(&key).await).as_deref(), Some(&b"done"[..]), "{server}");
        must(target.writer.begin().await);
        must(target.writer.state_put(&key, b"undone").await);
        must(target.insert(&plan, &rows(200)).await);
        must(target.writer.rollback().await);
        assert_eq!(target.content(&plan.target.name).await.len(), 120, "{server}");

        must(target.playground.target().take_over(case).await);
        must(target.writer.begin().await);
        must(target.writer.state_put(&key, b"late").await);
        let error = target.insert(&plan, &rows(300)).await.expect_err("fenced");
        assert_eq!(error.kind, ErrorKind::Fenced, "{server}: {}", error.chain());
        must(target.writer.rollback().await);
        assert_eq!(target.content(&plan.target.name).await.len(), 120, "{server}");
    }
}

/// What LOAD DATA would do in another way than INSERT, or couldn't take back, goes by INSERT.
#[tokio::test]
async fn tables_that_are_not_certain_are_inserted() {
    let _on = LOCAL_INFILE.read().await;
    for (server, kind) in SERVERS {
        let mut target = Target::new(server, kind, "load_uncertain").await;
        let plain = "id INT NOT NULL PRIMARY KEY, v INT";
        let own = format!("{plain}, own INT NOT NULL DEFAULT 7");
        let counted = "id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT";
        for (name, from, to) in [
            ("own", plain, own.as_str()),
            ("counted", plain, counted),
            ("bits", "id INT PRIMARY KEY, v BIT(8)", "id INT PRIMARY KEY, v BIT(8)"),
            ("shown", plain, "id INT NOT NULL PRIMARY KEY, v VARCHAR(20)"),
            ("engine", plain, plain),
        ] {
            let (table, mut plan) = target.tables(name, from, to).await;
            if name == "engine" {
                target.playground.run(&format!("ALTER TABLE {} ENGINE=MyISAM", plan.target.name)).await;
                plan = self::plan(&table, schema_of(&target.playground, &plan.target.name).await);
            }
            let source = &table.schema.name;
            for id in -2..60 {
                target.playground.run(&format!("INSERT INTO {source} VALUES ({id},{})", id + 2)).await;
            }
            let rows = target.content(source).await;
            target.ways();
            assert_eq!(must(target.insert(&plan, &rows).await), 62, "{server}: {name}");
            // Where the server doesn't lock the counter, it is no reason.
            let loaded = name == "counted" && server == "mysql97";
            let expected = if loaded { (1, 0) } else { (0, 1) };
            let at_once = target.writer.rows_at_once(&plan, InsertMode::Plain);
            assert_eq!(at_once, if loaded { 5000 } else { 1000 }, "{server}: {name}");
            assert_eq!(target.ways(), expected, "{server}: {name}");
            let found = target.content(&plan.target.name).await;
            assert_eq!(found.len(), 62, "{server}: {name}");
            if name == "counted" {
                assert_same_rows(&plan.target, &found, &rows, &format!("{server}: {name}"));
            }
        }
    }
}

/// Decimals that are rounded are noted by the server, row by row, which is no error of INSERT.
#[tokio::test]
async fn a_table_that_always_warns_is_inserted_in_the_end() {
    let _on = LOCAL_INFILE.read().await;
    for (server, kind) in SERVERS {
        let mut target = Target::new(server, kind, "load_notes").await;
        let (table, plan) = target
            .tables("t", "id INT PRIMARY KEY, d DECIMAL(10,4)", "id INT PRIMARY KEY, d DECIMAL(10,2)")
            .await;
        let rows = |from: i64| {
            let rows = (from..from + 60).map(|id| vec![Value::Int(id), Value::Decimal(b"1.2355".to_vec())]);
            batch(&table, &rows.collect::<Vec<_>>())
        };
        target.ways();
        for round in 0..12 {
            assert_eq!(must(target.insert(&plan, &rows(round * 60)).await), 60, "{server}");
        }
        assert_eq!(target.ways(), (8, 12), "{server}");
        let found = target.content(&plan.target.name).await;
        assert_eq!(found.len(), 720, "{server}");
        assert!(found.rows().all(|row| row.get(1) == whimbrel_model::ValueRef::Decimal(b"1.24")), "{server}");
    }
}

#[tokio::test]
async fn a_server_that_takes_no_files_gets_inserts() {
    let _changes = LOCAL_INFILE.write().await;
    for (server, kind) in [("mysql56", Kind::Mysql), ("mysql97", Kind::Mysql), ("mariadb118", Kind::MariaDb)]
    {
        let case = "load_off";
        let mut target = Target::new(server, kind, case).await;
        let (table, plan) = target.tables("t", KEYED, KEYED).await;
        let rows =
            |from: i64| batch(&table, &(from..from + 60).map(|id| row(id, id, "x")).collect::<Vec<_>>());
        target.connection.execute("SET GLOBAL local_infile=OFF").await.expect("it can be set");
        target.ways();
        let mut done = Vec::new();
        must(target.writer.begin().await);
        for round in 0..3 {
            done.push((target.insert(&plan, &rows(round * 60)).await, target.ways().0));
        }
        must(target.writer.commit().await);
        (target.writer, target.wiretap) = open_writer(server, case).await;
        done.push((target.insert(&plan, &rows(600)).await, target.ways().0));
        target.connection.execute("SET GLOBAL local_infile=ON").await.expect("it can be set");
        let done: Vec<_> = done.into_iter().map(|(done, loads)| (must(done), loads)).collect();
        // Tried once, by a session that was told otherwise when it began.
        assert_eq!(done, [(60, 1), (60, 0), (60, 0), (60, 0)], "{server}");
        assert_eq!(target.content(&plan.target.name).await.len(), 240, "{server}");
    }
}

//! Plain inserts by `LOAD DATA LOCAL` into MySQL and MariaDB: the same rows and the same errors as by INSERT.
//!
//! Every test looks which statements the writer's session really sent, so that none passes because the rows went by
//! INSERT after all.

mod wiretap;

use std::sync::Arc;

use tokio::sync::RwLock;
use whimbrel_connector::conformance::rows::{
    all_values, assert_same_rows, batch, plan, read_all, refs, sorted,
};
use whimbrel_connector::conformance::{
    Playground, Sample, create_sample, create_table, must, schema_of, version_of,
};
use whimbrel_connector::{
    ConnectorError, ErrorKind, InsertMode, KeyRange, StateKey, TablePlan, Target as _, Writer,
};
use whimbrel_connector_mysql::MysqlEndpoint;
use whimbrel_connector_mysql::wire::Connection;
use whimbrel_model::{RowBatch, TableVersion, Value};

use crate::conformance::playground::{Kind, MysqlPlayground};
use crate::conformance::samples;
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

/// The sample's rows again and again under other ids, so that they are worth a LOAD DATA; very long ones only once.
fn many(sample: &Sample) -> Sample {
    let mut rows = sample.rows.clone();
    for round in 1.. {
        if rows.len() >= 60 {
            break;
        }
        for row in sample.rows.iter().filter(|row| !row.contains("REPEAT")) {
            let (id, rest) = row[1..].split_once(',').expect("a row begins with its id");
            let id: u64 = id.trim().parse().expect("an id is a number");
            rows.push(format!("({},{rest}", 1000 * round + id));
        }
    }
    Sample { rows, ..sample.clone() }
}

/// The samples of the classes that are loaded, with the columns that are not.
fn classes(server: &str, kind: Kind) -> Vec<(Sample, &'static [&'static str])> {
    let left_out = |name: &str| -> Option<&'static [&'static str]> {
        match name {
            "numbers" => Some(&["bit1", "bit64"]),
            "charsets" => Some(&["v_ucs2", "v_utf16", "v_utf16le", "v_utf32"]),
            "floats" | "temporal" | "text" | "bytes" => Some(&[]),
            _ => None,
        }
    };
    let mut found: Vec<_> = samples::all(kind)
        .into_iter()
        .filter_map(|sample| left_out(sample.name).map(|left_out| (many(&sample), left_out)))
        .collect();
    if server == "mysql55" {
        // It has neither fractions of seconds nor utf16le.
        found.retain(|(sample, _)| sample.name != "temporal" && sample.name != "charsets");
        let old = Sample::new(
            "old_temporal",
            "id INT NOT NULL PRIMARY KEY, d DATE, t TIME, dt DATETIME, ts TIMESTAMP NULL",
            &[
                "(1,'0000-00-00','-838:59:59','0000-00-00','0000-00-00')",
                "(2,'9999-12-31','838:59:59','9999-12-31 23:59:59','2038-01-19 03:14:07')",
                "(3,'2021-02-30','-00:00:01','2020-00-15 00:00:00','1970-01-01 00:00:01')",
                "(4,NULL,NULL,NULL,NULL)",
            ],
        );
        found.push((many(&old), &[]));
    }
    found
}

#[tokio::test]
async fn every_class_arrives_as_by_insert() {
    let _on = LOCAL_INFILE.read().await;
    for (server, kind) in SERVERS {
        let mut target = Target::new(server, kind, "load_classes").await;
        for (sample, left_out) in classes(server, kind) {
            let name = create_sample(&target.playground, sample.name, &sample).await;
            for column in left_out {
                target.playground.run(&format!("ALTER TABLE {name} DROP COLUMN {column}")).await;
            }
            let table = version_of(&target.playground, &name).await;
            let rows = target.content(&name).await;
            let mut copies = Vec::new();
            for way in ["loaded", "inserted"] {
                let copy = format!("{}_{way}", sample.name);
                target
                    .playground
                    .run(&format!("CREATE TABLE {}.{copy} LIKE {name}", target.playground.schema()))
                    .await;
                let copy = whimbrel_model::TableName::new(target.playground.schema(), copy);
                copies.push(plan(&table, schema_of(&target.playground, &copy).await));
            }
            let what = format!("{server}: {}", sample.name);
            target.ways();
            assert_eq!(must(target.insert(&copies[0], &rows).await), rows.len() as u64, "{what}");
            assert_eq!(target.ways(), (1, 0), "{what}: loaded in one statement and not again");
            target.insert_few(&copies[1], &rows).await;
            // A megabyte ends a statement too.
            let (loads, inserts) = target.ways();
            assert!(loads == 0 && inserts >= rows.len().div_ceil(20), "{what}: inserted");
            for (plan, way) in copies.iter().zip(["loaded", "inserted"]) {
                let found = target.content(&plan.target.name).await;
                assert_same_rows(&plan.target, &found, &rows, &format!("{what}: {way}"));
            }
        }
    }
}

#[tokio::test]
async fn bytes_of_every_kind_arrive_in_every_place() {
    let _on = LOCAL_INFILE.read().await;
    for (server, kind) in SERVERS {
        let mut target = Target::new(server, kind, "load_bytes").await;
        let columns = "a VARBINARY(9), b VARCHAR(9) CHARACTER SET latin1, c VARCHAR(9) CHARACTER SET utf8mb4";
        let (table, plan) = target.tables("t", columns, columns).await;
        let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
        let text = |text: &str| Value::Text(text.as_bytes().to_vec());
        let mut rows: Vec<Vec<Value>> =
            (0..=255).map(|byte| vec![bytes(&[byte]), Value::Text(vec![byte, b'x']), Value::Null]).collect();
        for value in
            ["", "N", "\\N", "\\", "\\\\", "\t", "\n", "\r\n", "\0", "NULL", "'", "\"", "\u{1a}", "\\t"]
        {
            rows.push(vec![bytes(value.as_bytes()), text(value), text(value)]);
            rows.push(vec![Value::Null, text(value), Value::Null]);
            rows.push(
                vec![text(""), text(""), text(value)]
                    .into_iter()
                    .map(|value| match value {
                        Value::Text(text) if text.is_empty() => Value::Null,
                        other => other,
                    })
                    .collect(),
            );
        }
        let rows = batch(&table, &rows);
        target.ways();
        must(target.insert(&plan, &rows).await);
        assert_eq!(target.ways(), (1, 0), "{server}");
        let found = target.content(&plan.target.name).await;
        assert_same_rows(&plan.target, &found, &sorted(&rows), server);

        let (table, plan) = target.tables("single", "v VARCHAR(9)", "v VARCHAR(9)").await;
        let rows: Vec<Vec<Value>> =
            (0..60).map(|at| vec![if at % 3 == 0 { Value::Null } else { text("") }]).collect();
        let rows = batch(&table, &rows);
        must(target.insert(&plan, &rows).await);
        assert_eq!(target.ways(), (1, 0), "{server}: lines without a byte");
        assert_same_rows(&plan.target, &target.content(&plan.target.name).await, &sorted(&rows), server);
    }
}

/// Text goes out in the target column's charset, whatever the source's is.
#[tokio::test]
async fn text_is_converted_as_the_server_converts_it() {
    let _on = LOCAL_INFILE.read().await;
    let pairs = [
        ("latin1", "utf8mb4", "é€ß"),
        ("utf8mb4", "latin1", "é€ß"),
        ("utf8mb3", "utf8mb4", "ü漢"),
        ("utf8mb4", "utf8", "ü漢"),
        ("gbk", "utf8mb4", "你好"),
        ("utf8mb4", "gbk", "你好"),
        ("utf8mb4", "sjis", "ソ\\"),
        ("utf8mb4", "cp932", "ⅰソ"),
        ("ujis", "sjis", "テスト"),
        ("ucs2", "utf8mb4", "ü漢"),
        ("cp1251", "koi8r", "Жы"),
        ("latin1", "ascii", "plain"),
        ("utf8mb4", "swe7", "smörgås"),
    ];
    for (server, kind) in SERVERS {
        let mut target = Target::new(server, kind, "load_charsets").await;
        for (at, (from, to, text)) in pairs.iter().enumerate() {
            let from = if *from == "utf8mb3" { "utf8" } else { from };
            let columns = |charset| format!("id INT PRIMARY KEY, v VARCHAR(20) CHARACTER SET {charset}");
            let (table, loads) = target.tables(&format!("t{at}"), &columns(from), &columns(to)).await;
            let (_, inserts) = target.tables(&format!("u{at}"), &columns(from), &columns(to)).await;
            let inserts = plan(&table, (*inserts.target).clone());
            let name = &table.schema.name;
            for id in 0..60 {
                target
                    .playground
                    .run(&format!("INSERT INTO {name} VALUES ({id},'{}')", text.replace('\\', "\\\\")))
                    .await;
            }
            let rows = target.content(name).await;
            target.ways();
            must(target.insert(&loads, &rows).await);
            assert_eq!(target.ways(), (1, 0), "{server}: {from} to {to}");
            target.insert_few(&inserts, &rows).await;
            let loaded = target.content(&loads.target.name).await;
            let inserted = target.content(&inserts.target.name).await;
            assert_same_rows(&loads.target, &loaded, &inserted, &format!("{server}: {from} to {to}"));
        }
    }
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
const REFUSED: [(&str, &str, &str, &str); 9] = [
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
        for (name, from, to, value) in REFUSED {
            let what = format!("{server}: {name}");
            let columns = |data_type| format!("id INT NOT NULL PRIMARY KEY, v {data_type}");
            let (table, plan) = target.tables(name, &columns(from), &columns(to)).await;
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
            assert_eq!(error.chain().to_string(), alone.chain().to_string(), "{what}");
            assert_eq!(target.content(&plan.target.name).await.len(), 0, "{what}");
            // The others are taken.
            let others = &refs(&rows)[1..];
            must(target.writer.insert(&plan, others, InsertMode::Plain).await);
            assert_eq!(target.ways(), (1, 0), "{what}");
        }
    }
}

/// Bytes that are no text: what a server stores of a charset is its affair, as long as it is what INSERT gives.
#[tokio::test]
async fn invalid_text_is_treated_as_by_insert() {
    let _on = LOCAL_INFILE.read().await;
    for (server, kind) in SERVERS {
        let mut target = Target::new(server, kind, "load_invalid").await;
        let bad: [(&str, &[u8]); 6] = [
            ("utf8mb4", b"a\xff"),
            ("utf8", b"\xed\xa0\x80"),
            ("ascii", b"a\x80"),
            ("gbk", b"a\xff"),
            ("sjis", b"\x83"),
            ("latin1", b"\x81\x8d"),
        ];
        for (charset, bytes) in bad {
            let what = format!("{server}: {charset}");
            let columns = format!("id INT NOT NULL PRIMARY KEY, v VARCHAR(20) CHARACTER SET {charset}");
            let (table, loads) = target.tables(&format!("a_{charset}"), &columns, &columns).await;
            let (_, inserts) = target.tables(&format!("b_{charset}"), &columns, &columns).await;
            let inserts = plan(&table, (*inserts.target).clone());
            let rows: Vec<_> = (0..60)
                .map(|id| vec![Value::Int(id), Value::Text(if id == 0 { bytes } else { b"a" }.to_vec())])
                .collect();
            let rows = batch(&table, &rows);
            let loaded = target.insert(&loads, &rows).await.map_err(|error| error.chain().to_string());
            let first = target.writer.insert(&inserts, &refs(&rows)[..1], InsertMode::Plain).await;
            assert_eq!(
                loaded.map(|_| ()),
                first.map(|_| ()).map_err(|error| error.chain().to_string()),
                "{what}"
            );
            let (loaded, inserted) =
                (target.content(&loads.target.name).await, target.content(&inserts.target.name).await);
            assert_eq!(all_values(&loaded).first(), all_values(&inserted).first(), "{what}");
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

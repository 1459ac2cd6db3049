//! Tables by the kind of their key: each is copied in chunks and changed afterwards.

use crate::harness::workload::{allow_recursion, numbers};
use crate::harness::{Scene, Server, Sql};

/// Bytes that make a few thousand rows several chunks.
const PAD: &str = "REPEAT('p', 2500)";

/// A table, how it is filled, and changes of some rows and keys.
struct Keyed {
    create: String,
    fill: Vec<String>,
    changes: Vec<String>,
}

impl Keyed {
    fn new(create: impl Into<String>, fill: &[&str], changes: &[&str]) -> Self {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self { create: create.into(), fill: own(fill), changes: own(changes) }
    }

    /// `n` is a table of numbers with some thousand rows.
    fn counted(table: &str, key: &str, definition: &str, value: &str, changes: &[&str]) -> Self {
        Self::new(
            format!("CREATE TABLE {table} ({key} {definition}, pad TEXT CHARACTER SET ascii, x INT)"),
            &[&format!("INSERT INTO {table} SELECT {value}, IF(i % 50, 'short', {PAD}), i FROM n")],
            changes,
        )
    }
}

fn number_keys() -> Vec<Keyed> {
    vec![
        Keyed::new(
            "CREATE TABLE k_sparse (id BIGINT NOT NULL PRIMARY KEY, pad TEXT)",
            &[
                &format!("INSERT INTO k_sparse SELECT i * 1000000007, {PAD} FROM n WHERE i < 1500"),
                &format!("INSERT INTO k_sparse SELECT 5000000000000000000 + i, {PAD} FROM n WHERE i < 3000"),
                "INSERT INTO k_sparse VALUES (-9223372036854775808, 'min'), (9223372036854775807, 'max'), (0, 'zero'), (-1, 'm')",
            ],
            &[
                "UPDATE k_sparse SET id = -id WHERE id BETWEEN 1 AND 100000000000",
                "DELETE FROM k_sparse WHERE id = 9223372036854775807",
            ],
        ),
        Keyed::counted(
            "k_unsigned",
            "id",
            "BIGINT UNSIGNED NOT NULL PRIMARY KEY",
            "18446744073709551615 - i * i",
            &["UPDATE k_unsigned SET x = x + 1 WHERE x % 5 = 0", "DELETE FROM k_unsigned WHERE x % 7 = 0"],
        ),
        Keyed::counted(
            "k_decimal",
            "id",
            "DECIMAL(20,5) NOT NULL PRIMARY KEY",
            "(i - 2000) / 8",
            &[
                "UPDATE k_decimal SET id = id + 0.00001 WHERE x % 4 = 0",
                "DELETE FROM k_decimal WHERE x % 9 = 0",
            ],
        ),
        Keyed::counted(
            "k_double",
            "id",
            "DOUBLE NOT NULL PRIMARY KEY",
            "(i - 2000) / 7",
            &[
                "UPDATE k_double SET x = -x WHERE x % 4 = 0",
                "UPDATE k_double SET id = id * 1.5e10 WHERE x = 5",
                "DELETE FROM k_double WHERE x % 9 = 0",
            ],
        ),
        Keyed::counted(
            "k_float",
            "id",
            "FLOAT NOT NULL PRIMARY KEY",
            "i / 3",
            &["UPDATE k_float SET x = -x WHERE x % 4 = 0", "DELETE FROM k_float WHERE x % 9 = 0"],
        ),
        Keyed::counted(
            "k_bit",
            "id",
            "BIT(40) NOT NULL PRIMARY KEY",
            "i * 65537",
            &["DELETE FROM k_bit WHERE x % 9 = 0", "UPDATE k_bit SET x = 0 WHERE x % 5 = 1"],
        ),
        Keyed::counted(
            "k_year_like",
            "id",
            "SMALLINT UNSIGNED NOT NULL PRIMARY KEY",
            "i",
            &["DELETE FROM k_year_like WHERE id > 3000"],
        ),
    ]
}

fn text_keys() -> Vec<Keyed> {
    let words = "CONCAT(ELT(1 + i % 5, 'a', 'B', 'c', 'D', 'zz'), i, ELT(1 + i % 3, 'x', 'Y', '\u{fc}'))";
    vec![
        Keyed::counted(
            "k_text_ci",
            "name",
            "VARCHAR(60) NOT NULL PRIMARY KEY",
            words,
            &[
                "UPDATE k_text_ci SET name = UPPER(name) WHERE x % 5 = 0",
                "UPDATE k_text_ci SET name = CONCAT(name, '!') WHERE x % 6 = 0",
                "DELETE FROM k_text_ci WHERE x % 7 = 0",
            ],
        ),
        Keyed::new(
            "CREATE TABLE k_text_bin (name VARCHAR(60) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY, pad TEXT, x INT)",
            &[
                &format!("INSERT INTO k_text_bin SELECT {words}, {PAD}, i FROM n"),
                "INSERT INTO k_text_bin VALUES ('a', '', 1), ('A', '', 2), ('\u{e1}', '', 3), ('\u{c1}', '', 4), ('', '', 5), \
                 ('\u{1f426}', '', 6), ('\u{1f985}', '', 7), ('it''s \\\\ ', '', 8)",
            ],
            &[
                "UPDATE k_text_bin SET name = CONCAT('\u{1f426}', name) WHERE x % 11 = 0",
                "DELETE FROM k_text_bin WHERE name IN ('a', '\u{c1}')",
            ],
        ),
        Keyed::counted(
            "k_latin1",
            "name",
            "VARCHAR(60) CHARACTER SET latin1 NOT NULL PRIMARY KEY",
            words,
            &["UPDATE k_latin1 SET x = 1 WHERE x % 5 = 0", "DELETE FROM k_latin1 WHERE x % 7 = 2"],
        ),
        Keyed::counted(
            "k_char",
            "name",
            "CHAR(20) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL PRIMARY KEY",
            "CONCAT(IF(i % 2, 'k', 'K'), i)",
            &["UPDATE k_char SET name = LOWER(name) WHERE x % 4 = 0", "DELETE FROM k_char WHERE x % 7 = 1"],
        ),
        Keyed::counted(
            "k_enum",
            "e",
            "ENUM('zebra','ape','mule') NOT NULL, id INT NOT NULL, PRIMARY KEY (e, id)",
            "1 + i % 3, i",
            &["UPDATE k_enum SET e = 'ape' WHERE x % 5 = 0", "DELETE FROM k_enum WHERE e = 'mule' AND x % 2"],
        ),
    ]
}

fn other_keys() -> Vec<Keyed> {
    vec![
        Keyed::counted(
            "k_binary",
            "id",
            "BINARY(8) NOT NULL PRIMARY KEY",
            "UNHEX(LPAD(HEX(i * 7919), 16, '0'))",
            &[
                "UPDATE k_binary SET id = UNHEX(CONCAT('EE', LPAD(HEX(x), 14, '0'))) WHERE x % 5 = 0",
                "DELETE FROM k_binary WHERE x % 7 = 0",
            ],
        ),
        Keyed::new(
            "CREATE TABLE k_varbinary (id VARBINARY(40) NOT NULL PRIMARY KEY, x INT)",
            &[
                "INSERT INTO k_varbinary SELECT UNHEX(SHA2(i, 256)), i FROM n",
                "INSERT INTO k_varbinary VALUES ('', 1), (x'00', 2), (x'0000', 3), (x'ff', 4), (x'ff00', 5), (x'275c', 6)",
            ],
            &[
                "UPDATE k_varbinary SET id = CONCAT(id, x'00') WHERE LENGTH(id) < 40 AND x % 3 = 0",
                "DELETE FROM k_varbinary WHERE x % 7 = 1",
            ],
        ),
        Keyed::counted(
            "k_datetime",
            "at_time",
            "DATETIME(6) NOT NULL PRIMARY KEY",
            "'1999-12-31 23:00:00.000001' + INTERVAL i MINUTE",
            &[
                "UPDATE k_datetime SET at_time = at_time + INTERVAL 1 MICROSECOND WHERE x % 5 = 0",
                "DELETE FROM k_datetime WHERE x % 7 = 0",
            ],
        ),
        Keyed::counted(
            "k_timestamp",
            "at_time",
            "TIMESTAMP(3) NOT NULL PRIMARY KEY DEFAULT '2000-01-01 00:00:00'",
            "'2024-03-30 00:00:00.5' + INTERVAL i MINUTE",
            &["UPDATE k_timestamp SET x = 0 WHERE x % 5 = 0", "DELETE FROM k_timestamp WHERE x % 7 = 0"],
        ),
        Keyed::counted(
            "k_date",
            "d",
            "DATE NOT NULL PRIMARY KEY",
            "'1500-01-01' + INTERVAL i DAY",
            &["DELETE FROM k_date WHERE x % 7 = 0"],
        ),
        Keyed::counted(
            "k_time",
            "t",
            "TIME(2) NOT NULL PRIMARY KEY",
            "SEC_TO_TIME(i * 60 - 100000)",
            &["DELETE FROM k_time WHERE x % 7 = 0"],
        ),
        Keyed::new(
            "CREATE TABLE k_composite (a INT NOT NULL, b VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, c DATE NOT NULL, pad TEXT, PRIMARY KEY (b, c, a))",
            &[&format!(
                "INSERT INTO k_composite SELECT i % 13, CONCAT('b', i % 17), '2024-01-01' + INTERVAL i DAY, {PAD} FROM n"
            )],
            &[
                "UPDATE k_composite SET a = a + 100 WHERE b = 'b3'",
                "DELETE FROM k_composite WHERE b = 'b4'",
                "UPDATE k_composite SET pad = NULL WHERE a = 5",
            ],
        ),
        Keyed::new(
            "CREATE TABLE k_unique_only (a INT NOT NULL, b VARCHAR(20) NULL, x INT, UNIQUE KEY u_a (a), UNIQUE KEY u_b (b))",
            &["INSERT INTO k_unique_only SELECT i, IF(i % 3, CONCAT('b', i), NULL), i FROM n"],
            &[
                "UPDATE k_unique_only SET a = a + 1000000 WHERE x % 5 = 0",
                "UPDATE k_unique_only SET b = CONCAT('n', a) WHERE b IS NULL",
                "DELETE FROM k_unique_only WHERE x % 7 = 0",
            ],
        ),
        Keyed::new(
            "CREATE TABLE k_key_last (pad TEXT, x INT, y INT, id INT NOT NULL, PRIMARY KEY (id))",
            &["INSERT INTO k_key_last SELECT 'p', i, NULL, i FROM n"],
            &[
                "UPDATE k_key_last SET y = x, x = NULL WHERE id % 3 = 0",
                "DELETE FROM k_key_last WHERE id % 7 = 0",
            ],
        ),
    ]
}

async fn every_kind_of_key(scene: Scene, mode: &str) {
    let tables: Vec<Keyed> = number_keys().into_iter().chain(text_keys()).chain(other_keys()).collect();
    let mut sql = scene.source().await;
    prepare_numbers(&mut sql).await;
    for table in &tables {
        sql.run(&table.create).await;
        for fill in &table.fill {
            sql.run(fill).await;
        }
    }
    sql.run("DROP TABLE n").await;
    scene.make_marker().await;
    let mut running = scene.migrate().arg("--apply", mode).flag("--follow").start();
    running.wait_phase("incremental").await;
    scene.assert_equal().await;
    for change in tables.iter().flat_map(|table| &table.changes) {
        sql.run(change).await;
    }
    scene.drain(&mut running).await;
    let outcome = running.stop().await.expect(0);
    scene.assert_equal().await;
    for table in outcome.report["tables"].as_array().expect("tables in the report") {
        assert_eq!(table["verification"]["result"], "equal", "{}", outcome.text());
    }
    for nothing in ["parked", "conflicts"] {
        assert_eq!(
            outcome.report[nothing].as_array().map(Vec::len),
            Some(0),
            "{nothing}: {}",
            outcome.text()
        );
    }
    assert_eq!(outcome.report["foreign_changes"], 0, "{}", outcome.text());
}

/// A table with 4000 numbers.
async fn prepare_numbers(sql: &mut Sql) {
    allow_recursion(sql).await;
    sql.run("CREATE TABLE n (i INT NOT NULL PRIMARY KEY)").await;
    sql.run(&format!("INSERT INTO n {} SELECT i FROM n", numbers(4000))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_mysql_by_transaction() {
    every_kind_of_key(Scene::mysql("keys_my").await, "transaction").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_mariadb_convergent() {
    every_kind_of_key(Scene::mariadb("keys_ma").await, "convergent").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_mysql_at_mysql_convergent() {
    let scene = Scene::new("keys_mm", Server::mysql(), Server::mysql()).await;
    every_kind_of_key(scene, "convergent").await;
}

/// Keys that the source's collation tells apart and a coarser one would not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_differ_in_accents_case_and_spaces_stay_apart() {
    let scene = Scene::mysql("collations").await;
    let mut sql = scene.source().await;
    let keys = "('a', 1), ('\u{e1}', 2), ('A', 3), ('\u{c1}', 4), ('ss', 5), ('\u{df}', 6), ('\u{1f426}', 7), ('\u{1f985}', 8)";
    for collation in ["utf8mb4_0900_as_cs", "utf8mb4_bin", "utf8mb4_0900_bin", "utf8mb4_cs_0900_as_cs"] {
        sql.run(&format!(
            "CREATE TABLE t_{collation} (name VARCHAR(30) CHARACTER SET utf8mb4 COLLATE {collation} NOT NULL PRIMARY KEY, x INT)"
        ))
        .await;
        sql.run(&format!("INSERT INTO t_{collation} VALUES {keys}")).await;
    }
    sql.run("CREATE TABLE t_ai (name VARCHAR(30) COLLATE utf8mb4_0900_ai_ci NOT NULL PRIMARY KEY, x INT)")
        .await;
    sql.run("INSERT INTO t_ai VALUES ('a', 1), ('e', 2), ('\u{df}', 3), ('s', 4), ('\u{1f426}', 5), ('\u{1f985}', 6)").await;
    scene.make_marker().await;
    let mut running = scene.migrate().flag("--follow").start();
    running.wait_phase("incremental").await;
    scene.assert_equal().await;
    for collation in ["utf8mb4_0900_as_cs", "utf8mb4_bin", "utf8mb4_0900_bin"] {
        sql.run(&format!(
            "UPDATE t_{collation} SET x = x + 10 WHERE name IN ('\u{c1}', '\u{df}', '\u{1f985}')"
        ))
        .await;
        sql.run(&format!("DELETE FROM t_{collation} WHERE name = 'A'")).await;
        sql.run(&format!("UPDATE t_{collation} SET name = 'A' WHERE name = 'a'")).await;
    }
    sql.run("UPDATE t_ai SET x = x + 10 WHERE name = '\u{1f426}'").await;
    scene.drain(&mut running).await;
    let outcome = running.stop().await.expect(0);
    scene.assert_equal().await;
    assert_eq!(outcome.report["conflicts"].as_array().map(Vec::len), Some(0), "{}", outcome.text());
}

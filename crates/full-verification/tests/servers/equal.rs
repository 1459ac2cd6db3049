//! What is equal is found equal, whatever the types, charsets and orders of the two sides.

use std::sync::Arc;
use std::time::Duration;

use whimbrel_full_verification::{CompareBy, Unattended, VerifyOptions};

use crate::pair::{PAIRS, Pair};
use crate::verify::{counts, lines, of, options, run_with};

const TABLES: &str = "
    CREATE TABLE ints (id INT PRIMARY KEY, v BIGINT UNSIGNED, d DECIMAL(20,5), s VARCHAR(20), t DATETIME(3));
    CREATE TABLE json (id INT PRIMARY KEY, j JSON);
    CREATE TABLE folded (s VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY, v INT);
    CREATE TABLE latin (s VARCHAR(20) CHARACTER SET latin1 PRIMARY KEY, v TEXT CHARACTER SET latin1);
    CREATE TABLE bin (s VARCHAR(20) COLLATE utf8mb4_bin, n INT, v INT, PRIMARY KEY (s, n));
    CREATE TABLE dbl (x DOUBLE PRIMARY KEY, f FLOAT);
    CREATE TABLE enums (e ENUM('b','a','c') PRIMARY KEY, st SET('x','y','z'));
    CREATE TABLE times (t TIMESTAMP(6) PRIMARY KEY, ti TIME(2), y YEAR, da DATE);
    CREATE TABLE bytes (b VARBINARY(20) PRIMARY KEY, bl BLOB, bt BIT(13));
    CREATE TABLE heap (a INT, s VARCHAR(20), j JSON);
    CREATE TABLE nothing (id INT PRIMARY KEY);
    CREATE TABLE nothing_heap (a INT)";

const ROWS: &str = "
    INSERT INTO ints VALUES (1,0,1.5,'a',NULL),(2,18446744073709551615,-0.00001,'it''s',0),(3,NULL,NULL,NULL,'2024-02-29 01:02:03.004');
    INSERT INTO json VALUES (1,'{\"b\": 1, \"aa\": [1.10, 2e1, null, \"\u{e9}\"]}'),(2,'[]'),(3,NULL),(4,'12345678901234567890');
    INSERT INTO folded VALUES ('a',1),('B',2),('\u{e9}t\u{e9}',3),('',4),('x y',5);
    INSERT INTO latin VALUES ('caf\u{e9}','\u{fc}ber'),('z',''),('A',NULL);
    INSERT INTO bin VALUES ('a',1,1),('a ',2,2),('A',1,3),('\u{1f600}',1,4);
    INSERT INTO dbl VALUES (0.1,0.1),(-2.5e-300,3.4028234e38),(1e15,16777217),(1.7976931348623157e308,1.1754944e-38);
    INSERT INTO enums VALUES ('a','x,z'),('b',''),('c','y');
    INSERT INTO times VALUES ('1970-01-01 00:00:01','-838:59:59',0,'0000-00-00'),('2038-01-19 03:14:07.999999','00:00:00.01',2155,'2021-02-30');
    INSERT INTO bytes VALUES ('',NULL,0),(x'00','',b'1'),(x'ff27','\\\\',8191);
    INSERT INTO heap VALUES (1,'x','{\"a\": 1}'),(1,'x','{\"a\": 1}'),(2,NULL,NULL),(2,NULL,NULL),(3,'','[1]')";

#[tokio::test]
async fn equal_sides_are_equal_in_every_type() {
    for (source, target) in PAIRS {
        let mut pair = Pair::new(source, target, "equal").await;
        // Members in another order, text in another charset and collation, other widths.
        let other = [
            ("CHARACTER SET latin1", "COLLATE utf8mb4_general_ci"),
            ("ENUM('b','a','c')", "ENUM('a','b','c')"),
            ("TIMESTAMP(6)", "DATETIME(6)"),
            ("f FLOAT", "f DOUBLE"),
        ];
        pair.create(TABLES, &other).await;
        pair.source.run(ROWS).await;
        // A FLOAT's exact value as a DOUBLE.
        let rows = [
            ("(0.1,0.1)", "(0.1,0.10000000149011612)"),
            ("3.4028234e38", "3.4028234663852886e38"),
            ("16777217", "16777216"),
            ("1.1754944e-38", "1.1754943508222875e-38"),
        ];
        let rows = rows.iter().fold(ROWS.to_owned(), |sql, (from, to)| sql.replace(from, to));
        pair.target.run(&rows).await;
        for by in [CompareBy::Digest, CompareBy::Rows] {
            assert_equal(&pair, by).await;
        }
    }
}

async fn assert_equal(pair: &Pair, by: CompareBy) {
    let folder = tempfile::tempdir().unwrap();
    let options = VerifyOptions { compare_by: by, ..options(pair, folder.path()).await };
    let report = run_with(pair, options, Arc::new(Unattended { pause: Duration::ZERO })).await.unwrap();
    for table in &report.tables {
        let name = table.target.rsplit('.').next().unwrap();
        let found = lines(pair, folder.path(), name);
        assert_eq!(table.differences() + table.undecided, 0, "{} {by:?}: {found:?}", table.source);
    }
    assert!(report.is_equal());
    let rows: u64 = report.tables.iter().map(|table| table.rows).sum();
    assert_eq!(rows, 36, "{:?}", report.tables);
    // The servers' digests do where they may, and nowhere else.
    assert_eq!(of(&report, "ints").digested_chunks > 0, by == CompareBy::Digest);
    for table in ["json", "folded", "latin", "dbl", "enums"] {
        assert_eq!(of(&report, table).digested_chunks, 0, "{table}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no files where nothing differs");
}

/// A chunk of rows that are larger than its share of memory is compared in parts.
#[tokio::test]
async fn chunks_of_large_rows_are_compared_in_parts() {
    let (source, target) = PAIRS[0];
    let mut pair = Pair::new(source, target, "parts").await;
    // JSON keeps the digest away.
    pair.create("CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT, j JSON)", &[]).await;
    let rows: Vec<String> = (1..=40).map(|n| format!("({n},REPEAT('x',{}),'[]')", n * 3000)).collect();
    let insert = format!("INSERT INTO t VALUES {}", rows.join(","));
    pair.source.run(&insert).await;
    pair.target.run(&insert).await;
    pair.target.run("DELETE FROM t WHERE id=17;UPDATE t SET v='y' WHERE id=33;INSERT INTO t VALUES (99,'','[]'),(-1,'','[]')").await;
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&pair, folder.path()).await;
    options.chunk_bytes = 20_000;
    options.chunk_rows = 1000;
    let quiet = Arc::new(Unattended { pause: Duration::ZERO });
    let report = run_with(&pair, options, quiet).await.unwrap();
    assert_eq!(counts(&report, "t"), [1, 2, 1, 0]);
    assert_eq!(of(&report, "t").rows, 40);
}

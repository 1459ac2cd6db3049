//! Every kind of key and value arrives, whatever the chunks are.

use whimbrel_full_import::ImportOptions;

use crate::import::{run, small};
use crate::pair::{PAIRS, Pair};

/// Numbers 1 to `n`, on every server.
pub fn numbers(n: u32) -> String {
    format!(
        "(SELECT a.d+10*b.d+100*c.d+1 AS n FROM {digits} a, {digits} b, {digits} c WHERE a.d+10*b.d+100*c.d<{n}) numbers",
        digits = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 \
                  UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
    )
}

const KEYS: &str = "
    CREATE TABLE k_int (id INT PRIMARY KEY, v VARCHAR(20));
    CREATE TABLE k_sparse (id BIGINT UNSIGNED PRIMARY KEY, v INT);
    CREATE TABLE k_skewed (a INT, b INT, v INT, PRIMARY KEY (a, b));
    CREATE TABLE k_folded (s VARCHAR(40) COLLATE utf8mb4_general_ci PRIMARY KEY, v INT);
    CREATE TABLE k_latin (s VARCHAR(40) CHARACTER SET latin1 PRIMARY KEY, v INT);
    CREATE TABLE k_mixed (a INT, s VARCHAR(30) COLLATE utf8mb4_bin, d DATE, v INT, PRIMARY KEY (a, s, d));
    CREATE TABLE k_bytes (b VARBINARY(20) PRIMARY KEY, v INT);
    CREATE TABLE k_double (x DOUBLE PRIMARY KEY, v INT);
    CREATE TABLE k_float (x FLOAT PRIMARY KEY, v INT);
    CREATE TABLE k_moment (t DATETIME(6) PRIMARY KEY, v INT);
    CREATE TABLE k_time (t TIME(3) PRIMARY KEY, v INT);
    CREATE TABLE k_decimal (x DECIMAL(30,10) PRIMARY KEY, v INT);
    CREATE TABLE k_enum (e ENUM('z','a','m'), n INT, v INT, PRIMARY KEY (e, n));
    CREATE TABLE k_unique (u INT NOT NULL, n INT, v INT, UNIQUE KEY (n), UNIQUE KEY u (u));
    CREATE TABLE k_none (a INT, b VARCHAR(10));
    CREATE TABLE k_empty (id INT PRIMARY KEY);
    CREATE TABLE k_empty_none (a INT);";

const TABLES: [(&str, &str, &str); 17] = [
    ("k_int", "n-200, CONCAT('v', n)", "*"),
    ("k_sparse", "18446744073709551615 - n*n*46116860184273, n", "*"),
    ("k_skewed", "IF(n<380, 7, n), n, n", "*"),
    ("k_folded", "CONCAT(CHAR(65+n%26 USING utf8mb4), IF(n%2, 'x', 'Y'), '\u{e9}', n), n", "*"),
    ("k_latin", "CONCAT(CHAR(192+n%60 USING latin1), n), n", "*"),
    ("k_mixed", "n%5, CONCAT('s''\\\\', n%37), '2024-01-01' + INTERVAL n DAY, n", "*"),
    ("k_bytes", "UNHEX(LEFT(SHA2(n, 256), 40)), n", "HEX(b), v"),
    ("k_double", "(n-200)/7e0, n", "x+0e0, v"),
    ("k_float", "(n-200)/7e0, n", "x*1e0, v"),
    ("k_moment", "'2024-01-01' + INTERVAL n*1000003 MICROSECOND, n", "*"),
    ("k_time", "SEC_TO_TIME((n-200)*7501.25), n", "*"),
    ("k_decimal", "(n-200)/3, n", "*"),
    ("k_enum", "1+n%3, n, n", "*"),
    ("k_unique", "n*3, IF(n%2, NULL, n), n", "*"),
    ("k_none", "n%7, IF(n%3, NULL, 'dup')", "*"),
    ("k_empty", "", "*"),
    ("k_empty_none", "", "*"),
];

#[tokio::test]
async fn every_kind_of_key_is_cut_and_put_together_again() {
    for (source, target) in PAIRS {
        let mut pair = Pair::new(source, target, "kinds").await;
        // Other types and collations at the target, as a conversion would choose them.
        pair.create(KEYS, &[("CHARACTER SET latin1", "COLLATE utf8mb4_general_ci")]).await;
        for (table, values, _) in TABLES.iter().filter(|(_, values, _)| !values.is_empty()) {
            let insert = format!("INSERT INTO {table} SELECT {values} FROM {}", numbers(400));
            pair.source.run(&insert).await;
        }
        let report = run(&pair, small()).await.unwrap();
        for (table, _, columns) in TABLES {
            pair.same(
                &format!("SELECT {columns} FROM {table} ORDER BY v, 1")
                    .replace("k_none ORDER BY v", "k_none ORDER BY b")
                    .replace("k_empty ORDER BY v", "k_empty ORDER BY 1")
                    .replace("k_empty_none ORDER BY v", "k_empty_none ORDER BY 1"),
            )
            .await;
        }
        let results: Vec<u64> = report.tables.iter().map(|table| table.rows).collect();
        assert_eq!(results.iter().filter(|rows| **rows == 400).count(), 15, "{results:?}");
        assert!(report.tables.iter().all(|table| table.deferred + table.parked == 0));
        let chunks = pair.state("chunk").await.len();
        assert!(chunks >= 14 * (400 / 23), "{chunks} chunks");
        let exact = report.tables.iter().filter(|table| table.exact_position.is_some()).count();
        assert_eq!(exact, 2, "tables without a key have an exact position");
        // A second run of the same task finds everything done.
        run(&pair, small()).await.unwrap();
        assert_eq!(pair.target.cell("SELECT COUNT(*) FROM k_none").await, "400");
    }
}

/// Values that are easily damaged on their way.
#[tokio::test]
async fn values_arrive_as_they_are() {
    let ddl = "CREATE TABLE v (id INT PRIMARY KEY, f FLOAT, d DOUBLE, x DECIMAL(65,30), b BIT(64), t TIMESTAMP(6) NULL,
               dt DATETIME(6), ti TIME(6), da DATE, y YEAR, s TEXT, bl BLOB, e ENUM('a','b'), st SET('x','y','z'), j JSON)";
    for (source, target) in PAIRS {
        let mut pair = Pair::new(source, target, "values").await;
        pair.create(ddl, &[]).await;
        pair.source
            .run(
                "INSERT INTO v VALUES
                 (1, 16777217, 0.1, 1.000000000000000000000000000001, b'1', '1970-01-01 00:00:01.000001',
                  '0000-00-00 00:00:00', '-838:59:59', '0000-00-00', 0, 'it''s \\\\ \\n \\0 \u{1f600}', x'00ff27', 'a', 'x,z', '{\"b\": [1, 2.5, null]}'),
                 (2, 3.4028234e38, 1.7976931348623157e308, -99999999999999999999999999999999999.999999999999999999999999999999, b'0',
                  '2038-01-19 03:14:07.999999', '9999-12-31 23:59:59.999999', '838:59:59', '2021-02-30', 2155, '', '', 'b', '', '[]'),
                 (3, 1.1754944e-38, 5e-324, 0, x'ffffffffffffffff', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
                 (4, 0.1, 2.5e-3, 0.5, 1, '2001-01-01 00:00:00', '2020-00-15 00:00:00', '00:00:00.5', '2020-01-00', 1901, ' a ', ' ', 'a', 'y', '\"x\"')",
            )
            .await;
        run(&pair, small()).await.unwrap();
        pair.same(
            "SELECT id, f*1e0, d, x, b+0, t, dt, ti, da, y, HEX(s), HEX(bl), e, st, REPLACE(j, ' ', '') FROM v ORDER BY id",
        )
        .await;
    }
}

/// Rows that are much larger than the server's estimate says are written in several transactions.
#[tokio::test]
async fn chunks_of_large_rows_are_committed_in_parts() {
    let (source, target) = PAIRS[0];
    let mut pair = Pair::new(source, target, "large").await;
    pair.create("CREATE TABLE l (id INT PRIMARY KEY, v LONGBLOB)", &[]).await;
    pair.source.run(&format!("INSERT INTO l SELECT n, REPEAT(CHAR(n), 1000*n) FROM {}", numbers(120))).await;
    let options = ImportOptions { chunk_bytes: 100_000, chunk_rows: 1000, ..small() };
    let report = run(&pair, options).await.unwrap();
    assert_eq!(report.tables[0].rows, 120);
    pair.same("SELECT id, SHA2(v, 256) FROM l ORDER BY id").await;
}

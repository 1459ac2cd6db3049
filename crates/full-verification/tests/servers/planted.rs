//! Differences that were planted are found: each kind, in both directions, and none besides.

use crate::pair::{PAIRS, Pair};
use crate::verify::{correct, counts, lines, run, statements};

/// Every column type, once with columns that the servers' digests can take and once with one that they can't.
const TYPES: [(&str, &str, &str); 18] = [
    ("TINYINT", "1", "2"),
    ("BIGINT UNSIGNED", "18446744073709551615", "18446744073709551614"),
    ("DECIMAL(30,10)", "0.0000000001", "0.0000000002"),
    ("FLOAT", "16777216", "16777218"),
    ("DOUBLE", "0.1", "0.10000000000000002"),
    ("BIT(9)", "256", "257"),
    ("DATE", "'2024-01-01'", "'0000-00-00'"),
    ("TIME(6)", "'00:00:00.000001'", "'-00:00:00.000001'"),
    ("DATETIME(6)", "'2024-01-01 00:00:00.000001'", "'2024-01-01 00:00:00.000002'"),
    ("TIMESTAMP", "'2024-01-01 00:00:00'", "'2024-01-01 01:00:00'"),
    ("YEAR", "2024", "0"),
    ("VARCHAR(20)", "'a'", "'A'"),
    ("VARCHAR(21)", "'a'", "'a '"),
    ("TEXT", "''", "NULL"),
    ("VARBINARY(20)", "x'00'", "x'0000'"),
    ("BLOB", "x'ff'", "''"),
    ("ENUM('a','b')", "'a'", "'b'"),
    ("SET('a','b')", "'a,b'", "'b'"),
];

#[tokio::test]
async fn a_change_in_any_type_is_found_by_digest_and_by_row_alike() {
    for (source, target) in PAIRS {
        let mut pair = Pair::new(source, target, "types").await;
        for (index, (data_type, value, other)) in TYPES.iter().enumerate() {
            // The first can be digested, the second not.
            for (kind, more) in [("d", ""), ("r", ", j JSON")] {
                pair.create(
                    &format!("CREATE TABLE {kind}{index:02} (id INT PRIMARY KEY, v {data_type} NULL{more})"),
                    &[],
                )
                .await;
                let rows = |changed: &str| {
                    let rows: Vec<String> = (1..=120)
                        .map(|id| format!("({id},{})", if id == 77 { changed } else { value }))
                        .collect();
                    format!("INSERT INTO {kind}{index:02} (id, v) VALUES {}", rows.join(","))
                };
                pair.source.run(&rows(value)).await;
                pair.target.run(&rows(other)).await;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let report = run(&pair, folder.path()).await;
        for (index, (data_type, ..)) in TYPES.iter().enumerate() {
            for kind in ["d", "r"] {
                let table = format!("{kind}{index:02}");
                assert_eq!(counts(&report, &table), [0, 0, 1, 0], "{target}: {data_type} {table}");
                let found = lines(&pair, folder.path(), &table).swap_remove(0);
                assert_eq!(found["kind"], "different");
                assert_eq!(
                    (&found["key"]["id"], &found["columns"]),
                    (&"77".into(), &serde_json::json!(["v"]))
                );
            }
        }
        // What corrects one side makes them equal.
        let mut session = pair.target.session().await;
        for (index, (data_type, ..)) in TYPES.iter().enumerate() {
            for kind in ["d", "r"] {
                let changed = correct(&pair, &mut session, folder.path(), &format!("{kind}{index:02}")).await;
                assert_eq!(changed, [1], "{target}: {data_type}");
            }
        }
        assert!(run(&pair, folder.path()).await.is_equal(), "{target}");
    }
}

const KEYED: [&str; 5] = [
    "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(30))",
    "CREATE TABLE t (id VARCHAR(30) COLLATE utf8mb4_general_ci PRIMARY KEY, v VARCHAR(30))",
    "CREATE TABLE t (id VARCHAR(30) CHARACTER SET latin1 PRIMARY KEY, v VARCHAR(30))",
    "CREATE TABLE t (x INT NOT NULL DEFAULT 3, id INT NOT NULL, v VARCHAR(30), UNIQUE KEY (x, id))",
    "CREATE TABLE t (id INT, v VARCHAR(30), w INT NOT NULL DEFAULT 1, PRIMARY KEY (id DESC))",
];

#[tokio::test]
async fn missing_extra_and_changed_rows_are_found_and_corrected() {
    for (source, target) in PAIRS {
        for ddl in KEYED.iter().filter(|ddl| !(ddl.contains("DESC") && source == "mariadb1011")) {
            let mut pair = Pair::new(source, target, "rows").await;
            // A descending key of the source meets an ascending one.
            let other = [("CHARACTER SET latin1", "COLLATE utf8mb4_bin"), (" DESC", "")];
            pair.create(ddl, &other).await;
            let rows = |ids: std::ops::RangeInclusive<u32>| {
                let rows: Vec<String> = ids.map(|id| format!("({},'v{id}')", 1000 + id)).collect();
                format!("INSERT INTO t (id, v) VALUES {}", rows.join(","))
            };
            pair.source.run(&rows(1..=300)).await;
            pair.target.run(&rows(1..=300)).await;
            // At the begin, in the middle and at the end.
            pair.target.run("DELETE FROM t WHERE id IN (1001, 1150, 1151, 1300)").await;
            pair.target.run("UPDATE t SET v=NULL WHERE id IN (1002, 1175)").await;
            pair.target.run("INSERT INTO t (id, v) VALUES (1000,'e'),(5555,'it''s')").await;
            pair.source.run("DELETE FROM t WHERE id=1180").await;
            let folder = tempfile::tempdir().unwrap();
            let report = run(&pair, folder.path()).await;
            assert_eq!(counts(&report, "t"), [4, 3, 2, 0], "{target}: {ddl}");
            assert_eq!(lines(&pair, folder.path(), "t").len(), 9);
            // Deletions come first, insertions last.
            let made = statements(&pair, folder.path(), "t");
            let verbs: Vec<&str> = made.iter().map(|(sql, _)| &sql[..3]).collect();
            assert_eq!(verbs, ["DEL", "DEL", "DEL", "UPD", "UPD", "INS", "INS", "INS", "INS"]);
            let mut session = pair.target.session().await;
            assert_eq!(correct(&pair, &mut session, folder.path(), "t").await, [1; 9], "{target}: {ddl}");
            let folder = tempfile::tempdir().unwrap();
            assert!(run(&pair, folder.path()).await.is_equal(), "{target}: {ddl}");
            pair.same("SELECT id, v FROM t ORDER BY id").await;
        }
    }
}

/// Keys that a collation of the target takes for one, and keys whose case or spaces were changed.
#[tokio::test]
async fn keys_that_are_one_under_a_collation_are_told_apart() {
    for (source, target) in [PAIRS[0], PAIRS[1]] {
        let mut pair = Pair::new(source, target, "folds").await;
        let ddl = "CREATE TABLE t (s VARCHAR(20) COLLATE utf8mb4_bin PRIMARY KEY, v INT)";
        pair.create(ddl, &[("utf8mb4_bin", "utf8mb4_general_ci")]).await;
        pair.source.run("INSERT INTO t VALUES ('a',1),('A',2),('b',3),('C',4),('d',5)").await;
        // 'A' can't be there beside 'a'; 'B', 'c ' and 'd' are not what the source has but for the last.
        pair.target.run("INSERT INTO t VALUES ('a',1),('B',3),('c ',4),('d',5)").await;
        let folder = tempfile::tempdir().unwrap();
        let report = run(&pair, folder.path()).await;
        assert_eq!(counts(&report, "t"), [3, 2, 0, 0], "{target}");
        let mut keys: Vec<String> = lines(&pair, folder.path(), "t")
            .iter()
            .map(|line| format!("{} {}", line["kind"], line["key"]["s"]).replace('"', ""))
            .collect();
        keys.sort_unstable();
        assert_eq!(keys, ["extra B", "extra c ", "missing A", "missing C", "missing b"]);
        let mut session = pair.target.session().await;
        let mut changed = correct(&pair, &mut session, folder.path(), "t").await;
        changed.sort_unstable();
        // The row that can't be there isn't forced in.
        assert_eq!(changed, [0, 1, 1, 1, 1]);
        let report = run(&pair, folder.path()).await;
        assert_eq!(counts(&report, "t"), [1, 0, 0, 0]);
        assert_eq!(
            pair.target.rows("SELECT s, v FROM t ORDER BY v").await,
            [["a", "1"], ["b", "3"], ["C", "4"], ["d", "5"]]
        );
    }
}

#[tokio::test]
async fn tables_without_a_key_are_compared_as_multisets() {
    for (source, target) in PAIRS {
        for more in ["", ", j JSON"] {
            let mut pair = Pair::new(source, target, "multi").await;
            pair.create(&format!("CREATE TABLE t (a INT, s VARCHAR(20){more})"), &[]).await;
            let rows: Vec<String> = (0..400).map(|n| format!("({},'s{}')", n % 7, n % 3)).collect();
            let insert = format!("INSERT INTO t (a, s) VALUES {}", rows.join(","));
            pair.source.run(&insert).await;
            pair.target.run(&insert).await;
            let folder = tempfile::tempdir().unwrap();
            assert!(run(&pair, folder.path()).await.is_equal());
            // One row too few of one kind, two too many of another, one that differs in case only.
            pair.target.run("DELETE FROM t WHERE a=1 AND s='s1' LIMIT 1").await;
            pair.target.run("INSERT INTO t (a, s) VALUES (2,'s2'),(2,'s2'),(NULL,NULL)").await;
            pair.target.run("UPDATE t SET s='S0' WHERE a=3 AND s='s0' LIMIT 1").await;
            let report = run(&pair, folder.path()).await;
            assert_eq!(counts(&report, "t"), [2, 4, 0, 0], "{target} {more}");
            let mut session = pair.target.session().await;
            assert_eq!(correct(&pair, &mut session, folder.path(), "t").await, [1; 6], "{target} {more}");
            let folder = tempfile::tempdir().unwrap();
            assert!(run(&pair, folder.path()).await.is_equal(), "{target} {more}");
        }
    }
}

#[tokio::test]
async fn a_table_with_too_many_differences_is_cut_short_and_says_so() {
    let (source, target) = PAIRS[0];
    let mut pair = Pair::new(source, target, "most").await;
    pair.create("CREATE TABLE t (id INT PRIMARY KEY);CREATE TABLE h (a INT)", &[]).await;
    let rows: Vec<String> = (1..=500).map(|id| format!("({id})")).collect();
    pair.source.run(&format!("INSERT INTO t VALUES {r};INSERT INTO h VALUES {r}", r = rows.join(","))).await;
    let folder = tempfile::tempdir().unwrap();
    let mut options = crate::verify::options(&pair, folder.path()).await;
    options.most_differences = 20;
    let quiet =
        std::sync::Arc::new(whimbrel_full_verification::Unattended { pause: std::time::Duration::ZERO });
    let report = crate::verify::run_with(&pair, options, quiet).await.unwrap();
    assert_eq!((counts(&report, "t"), counts(&report, "h")), ([20, 0, 0, 0], [20, 0, 0, 0]));
    assert!(report.tables.iter().all(|table| table.truncated));
    assert_eq!(lines(&pair, folder.path(), "t").len(), 20);
}

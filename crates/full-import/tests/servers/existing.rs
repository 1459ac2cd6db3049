//! Rows that are in the target before the import begins, and indexes that are built after it.

use tokio_util::sync::CancellationToken;
use whimbrel_connector::ErrorKind;
use whimbrel_full_import::{Existing, ImportOptions, TableStage};

use crate::import::{prepare, run, small};
use crate::kinds::numbers;
use crate::pair::{PAIRS, Pair};

const DDL: &str = "CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(20));
                   CREATE TABLE b (id INT PRIMARY KEY, u INT, v VARCHAR(20), UNIQUE KEY uk (u))";

async fn filled(source: &str, target: &str, test: &str) -> Pair {
    let mut pair = Pair::new(source, target, test).await;
    pair.create(DDL, &[]).await;
    pair.source
        .run(&format!(
            "INSERT INTO a SELECT n, 'source' FROM {n};INSERT INTO b SELECT n, n, 'source' FROM {n}",
            n = numbers(100)
        ))
        .await;
    // Every tenth row, and one that the source doesn't have.
    pair.target
        .run(&format!(
            "INSERT INTO a SELECT n*10, 'target' FROM {n};INSERT INTO b SELECT n*10, n*10, 'target' FROM {n};\
             INSERT INTO a VALUES (1000, 'own');INSERT INTO b VALUES (1000, 1000, 'own')",
            n = numbers(10)
        ))
        .await;
    pair
}

#[tokio::test]
async fn a_filled_target_is_refused_unless_the_user_says_what_to_do() {
    for (source, target) in PAIRS {
        let mut pair = filled(source, target, "existing").await;
        let error = run(&pair, small()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Configuration);
        assert!(error.object.contains(&format!("{}.a", pair.target.database)), "{error}");
        assert!(error.hint().contains("--existing"), "{}", error.hint());
        assert!(pair.state("table").await.is_empty(), "nothing was begun");

        let options = ImportOptions { existing: Existing::Ignore, ..small() };
        let report = run(&pair, options).await.unwrap();
        assert_eq!(report.tables.iter().map(|t| (t.rows, t.deferred)).collect::<Vec<_>>(), [(100, 0); 2]);
        for table in ["a", "b"] {
            let counts = format!("SELECT v, COUNT(*) FROM {table} GROUP BY v ORDER BY v");
            assert_eq!(pair.target.rows(&counts).await, [["own", "1"], ["source", "90"], ["target", "10"]]);
        }

        let mut pair = filled(source, target, "existing").await;
        let options = ImportOptions { existing: Existing::Overwrite, ..small() };
        let report = run(&pair, options).await.unwrap();
        assert_eq!(report.tables.iter().map(|t| (t.rows, t.deferred)).collect::<Vec<_>>(), [(100, 0); 2]);
        for table in ["a", "b"] {
            let counts = format!("SELECT v, COUNT(*) FROM {table} GROUP BY v ORDER BY v");
            assert_eq!(pair.target.rows(&counts).await, [["own", "1"], ["source", "100"]]);
        }
    }
}

/// Overwriting never removes a row of another key, even if that is in the way.
#[tokio::test]
async fn a_row_of_another_key_is_never_removed() {
    for (source, target) in [PAIRS[0], PAIRS[2]] {
        for existing in [Existing::Ignore, Existing::Overwrite] {
            let mut pair = Pair::new(source, target, "inway").await;
            pair.create(DDL, &[]).await;
            pair.source.run("INSERT INTO b VALUES (1, 1, 'source'), (2, 2, 'source')").await;
            pair.target.run("INSERT INTO b VALUES (7, 2, 'in the way')").await;
            let report = run(&pair, ImportOptions { existing, ..small() }).await.unwrap();
            assert_eq!((report.tables[1].rows, report.tables[1].deferred), (2, 1), "{existing:?}");
            let rows = pair.target.rows("SELECT id, v FROM b ORDER BY id").await;
            assert_eq!(rows, [["1", "source"], ["7", "in the way"]], "{existing:?}");
        }
    }
}

#[tokio::test]
async fn a_table_without_a_key_has_to_be_empty_in_every_mode() {
    let (source, target) = PAIRS[0];
    let mut pair = Pair::new(source, target, "heap").await;
    pair.create("CREATE TABLE t (a INT)", &[]).await;
    pair.source.run("INSERT INTO t VALUES (1),(1)").await;
    pair.target.run("INSERT INTO t VALUES (2)").await;
    for existing in [Existing::Stop, Existing::Ignore, Existing::Overwrite] {
        let error = run(&pair, ImportOptions { existing, ..small() }).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Configuration, "{existing:?}");
        assert!(error.hint().contains("can't be told apart"), "{}", error.hint());
    }
    assert_eq!(pair.target.cell("SELECT COUNT(*) FROM t").await, "1");
}

#[tokio::test]
async fn secondary_indexes_are_built_after_the_rows() {
    for (source, target) in [PAIRS[0], PAIRS[2]] {
        let mut pair = Pair::new(source, target, "indexes").await;
        pair.create(
            "CREATE TABLE t (id INT PRIMARY KEY, a INT, s VARCHAR(20));CREATE TABLE u (id INT PRIMARY KEY)",
            &[],
        )
        .await;
        pair.source.run(&format!("INSERT INTO t SELECT n, n%10, CONCAT('s', n) FROM {}", numbers(300))).await;
        // An earlier run may have built one.
        pair.target.run("CREATE INDEX there ON t (a)").await;
        let indexes = [
            ("t", "there", "CREATE INDEX there ON t (a)"),
            ("t", "i_s", "CREATE INDEX i_s ON t (s)"),
            ("t", "i_as", "CREATE INDEX i_as ON t (a, s)"),
        ];
        let (import, progress) = prepare(&pair, small(), &indexes).await;
        import.run(&CancellationToken::new()).await.unwrap();
        assert!(progress.tables.iter().all(|table| table.stage() == TableStage::Done));
        let table = pair.target.tables().await.swap_remove(0);
        let mut names: Vec<&str> = table.indexes.iter().map(|index| index.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["i_as", "i_s", "there"]);

        // An index that can't be built says which and why, and the rows stay.
        let mut pair = Pair::new(source, target, "indexes").await;
        pair.create("CREATE TABLE t (id INT PRIMARY KEY, a INT)", &[]).await;
        pair.source.run(&format!("INSERT INTO t SELECT n, n%10 FROM {}", numbers(30))).await;
        let (import, _) = prepare(&pair, small(), &[("t", "i_u", "CREATE UNIQUE INDEX i_u ON t (a)")]).await;
        let error = import.run(&CancellationToken::new()).await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::DuplicateKey { .. }), "{error}: {}", error.chain());
        assert!(error.object.contains("i_u"), "{error}");
        assert_eq!(pair.target.cell("SELECT COUNT(*) FROM t").await, "30");
    }
}

//! Rows that the target doesn't take.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use whimbrel_connector::{DeferredRow, ParkedRow};
use whimbrel_full_import::ImportOptions;
use whimbrel_model::ValueRef;

use crate::import::{prepare, rows_moved, run, small};
use crate::kinds::numbers;
use crate::pair::{PAIRS, Pair};

/// Two rows swap a unique value between the readings of their chunks: they meet at the target though they were never
/// there together.
#[tokio::test]
async fn rows_that_meet_because_of_a_swap_are_deferred_and_the_other_row_stays() {
    for (source, target) in PAIRS {
        let mut pair = Pair::new(source, target, "swap").await;
        pair.create("CREATE TABLE t (id INT PRIMARY KEY, u INT NOT NULL, UNIQUE KEY uk (u))", &[]).await;
        pair.source.run(&format!("INSERT INTO t SELECT n, n FROM {}", numbers(60))).await;
        // Slow enough for the swap to come between.
        let options = ImportOptions { workers: 1, chunk_rows: 10, rows_per_second: 40, ..small() };
        let (import, progress) = prepare(&pair, options, &[]).await;
        let cancel = CancellationToken::new();
        let swap = async {
            rows_moved(&progress, 10).await;
            pair.source
                .run(
                    "BEGIN;UPDATE t SET u=-1 WHERE id=1;UPDATE t SET u=1 WHERE id=60;\
                     UPDATE t SET u=60 WHERE id=1;COMMIT",
                )
                .await;
        };
        let (report, ()) = tokio::join!(import.run(&cancel), swap);
        let report = report.unwrap();
        assert_eq!((report.tables[0].rows, report.tables[0].deferred, report.tables[0].parked), (60, 1, 0));
        let deferred = pair.state(DeferredRow::KIND).await;
        let [entry] = deferred.as_slice() else { panic!("{} deferred rows", deferred.len()) };
        let row = DeferredRow::decode(&entry.payload).unwrap();
        assert_eq!(row.clash, "uk");
        assert_eq!(row.row.row(0).get(0), ValueRef::Int(60));
        assert_eq!(row.row.row(0).get(1), ValueRef::Int(1));
        assert_eq!(report.overlap_until.has_reached(&row.read_at), Some(true));
        // The row that was there first is as it was read.
        assert_eq!(pair.target.rows("SELECT id, u FROM t WHERE u=1 OR id IN (1,60)").await, [["1", "1"]]);
        assert_eq!(pair.target.cell("SELECT COUNT(*) FROM t").await, "59");
    }
}

/// Keys that a coarser collation of the target takes for one.
#[tokio::test]
async fn keys_that_are_one_at_the_target_are_deferred() {
    let (source, target) = PAIRS[0];
    let mut pair = Pair::new(source, target, "coarse").await;
    let ddl = "CREATE TABLE t (s VARCHAR(10) COLLATE utf8mb4_0900_bin PRIMARY KEY, v INT)";
    pair.create(ddl, &[("utf8mb4_0900_bin", "utf8mb4_general_ci")]).await;
    pair.source.run("INSERT INTO t VALUES ('a',1),('A',2),('a ',3),('b',4),('\u{e4}',5),('c',6)").await;
    let report = run(&pair, small()).await.unwrap();
    assert_eq!((report.tables[0].rows, report.tables[0].deferred), (6, 3));
    let found = pair.target.rows("SELECT v FROM t ORDER BY v").await.concat();
    // One of a, A, a-with-a-space and a-umlaut is there; the others are kept.
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found.iter().filter(|v| ["4", "6"].contains(&v.as_str())).count(), 2, "{found:?}");
    assert_eq!(pair.state(DeferredRow::KIND).await.len(), 3);
}

#[tokio::test]
async fn values_that_the_target_refuses_are_parked_and_the_rest_arrives() {
    for (source, target) in PAIRS {
        let mut pair = Pair::new(source, target, "refused").await;
        let ddl = "CREATE TABLE t (id INT PRIMARY KEY, s VARCHAR(30), n BIGINT);\
                   CREATE TABLE u (a VARCHAR(30))";
        pair.create(ddl, &[("VARCHAR(30)", "VARCHAR(8)"), ("BIGINT", "INT")]).await;
        pair.source
            .run(&format!(
                "INSERT INTO t SELECT n, IF(n%50=0, 'much too long for it', 'ok'), IF(n%90=0, n*100000000, n) FROM {n};
                 INSERT INTO u SELECT IF(n=7, 'much too long for it', 'ok') FROM {n}",
                n = numbers(400)
            ))
            .await;
        let report = run(&pair, small()).await.unwrap();
        // 50, 100, ..., 400 and 90, 180, 270, 360; none of them is both.
        assert_eq!(
            report.tables.iter().map(|t| (t.rows, t.parked)).collect::<Vec<_>>(),
            [(400, 12), (400, 1)]
        );
        let mut keys = Vec::new();
        for entry in pair.state(ParkedRow::KIND).await {
            let parked = ParkedRow::decode(&entry.payload).unwrap();
            assert_eq!(parked.code, "WB-3002", "{}", parked.reason);
            match parked.current().unwrap().row(0).get(0) {
                ValueRef::Int(id) => keys.push(id),
                other => assert_eq!(other, ValueRef::Text(b"much too long for it")),
            }
        }
        keys.sort_unstable();
        assert_eq!(keys, [50, 90, 100, 150, 180, 200, 250, 270, 300, 350, 360, 400]);
        assert_eq!(pair.target.cell("SELECT COUNT(*) FROM t").await, "388");
        assert_eq!(pair.target.cell("SELECT COUNT(*) FROM u").await, "399");
    }
}

/// Everything moves while chunks are read: no row is lost without a trace, none is there that never was.
#[tokio::test]
async fn under_live_writes_each_row_is_there_or_set_aside_or_changed_after_its_reading() {
    let (source, target) = PAIRS[0];
    let mut pair = Pair::new(source, target, "live").await;
    pair.create("CREATE TABLE t (id INT PRIMARY KEY, u INT NOT NULL, s VARCHAR(20), UNIQUE KEY uk (u))", &[])
        .await;
    pair.source.run(&format!("INSERT INTO t SELECT n, n, 'still' FROM {}", numbers(1000))).await;
    let options = ImportOptions { workers: 2, chunk_rows: 50, rows_per_second: 500, ..small() };
    let (import, _) = prepare(&pair, options, &[]).await;
    let cancel = CancellationToken::new();
    let stop = CancellationToken::new();
    let mut writer = pair.source.session().await;
    let writes = async {
        let mut round = 0;
        while !stop.is_cancelled() {
            // Swaps of unique values among the first and the last rows, key changes, new and removed rows.
            let (a, b) = (round % 100 + 1, 1000 - round % 100);
            writer
                .run(&format!(
                    "BEGIN;UPDATE t SET u=-u, s='moved' WHERE id IN ({a},{b});\
                     UPDATE t SET u=IF(id={a},{b},{a}) WHERE id IN ({a},{b});COMMIT;\
                     INSERT INTO t VALUES ({new},{new},'new');\
                     DELETE FROM t WHERE id={old}",
                    new = 2000 + round,
                    old = 1500 + round,
                ))
                .await;
            round += 1;
        }
        round
    };
    let importing = async {
        let report = import.run(&cancel).await;
        stop.cancel();
        report.unwrap()
    };
    let (report, rounds) = tokio::join!(importing, writes);
    assert!(rounds > 20, "{rounds} rounds of writes while the import ran");
    let result = &report.tables[0];
    assert_eq!(result.parked, 0);
    let there: u64 = pair.target.cell("SELECT COUNT(*) FROM t").await.parse().unwrap();
    assert_eq!(there + result.deferred, result.rows);
    assert_eq!(pair.state(DeferredRow::KIND).await.len() as u64, result.deferred);
    // Rows that nobody touched are all there.
    let still = "SELECT COUNT(*), SUM(id), SUM(u) FROM t WHERE s='still' AND id BETWEEN 101 AND 900";
    pair.same(still).await;
    assert_eq!(pair.target.rows(still).await[0][0], "800");
}

#[tokio::test]
async fn the_rate_limit_is_kept_and_can_be_interrupted() {
    let (source, target) = PAIRS[0];
    let mut pair = Pair::new(source, target, "rate").await;
    pair.create("CREATE TABLE t (id INT PRIMARY KEY, v INT)", &[]).await;
    pair.source.run(&format!("INSERT INTO t SELECT n, n FROM {}", numbers(300))).await;
    let options = ImportOptions { rows_per_second: 100, ..small() };
    let (import, progress) = prepare(&pair, options, &[]).await;
    let cancel = CancellationToken::new();
    let stop = async {
        rows_moved(&progress, 40).await;
        cancel.cancel();
    };
    let begun = std::time::Instant::now();
    let (report, ()) = tokio::join!(import.run(&cancel), stop);
    assert_eq!(report.unwrap_err().kind, whimbrel_connector::ErrorKind::Cancelled);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let options = ImportOptions { rows_per_second: 100, ..small() };
    let left = 300 - pair.target.cell("SELECT COUNT(*) FROM t").await.parse::<u64>().unwrap();
    let begun = std::time::Instant::now();
    run(&pair, options).await.unwrap();
    // The last statement's rows are paid for by whoever comes next.
    let least = Duration::from_millis((left - 25) * 10);
    assert!(begun.elapsed() >= least, "{left} rows in {:?}", begun.elapsed());
    pair.same("SELECT * FROM t ORDER BY id").await;
}

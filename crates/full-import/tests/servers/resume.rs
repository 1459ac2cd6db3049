//! Imports that are stopped, dropped or cut off, and go on.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use whimbrel_connector::ErrorKind;
use whimbrel_full_import::ImportOptions;

use crate::import::{prepare, rows_moved, run, small};
use crate::kinds::numbers;
use crate::pair::{PAIRS, Pair};

const DDL: &str = "CREATE TABLE a (id INT PRIMARY KEY, u INT NOT NULL, s VARCHAR(40) COLLATE utf8mb4_general_ci, UNIQUE KEY uk (u));
                   CREATE TABLE b (s VARCHAR(40) COLLATE utf8mb4_general_ci PRIMARY KEY, v INT);
                   CREATE TABLE h (a INT, s VARCHAR(40))";

async fn filled(source: &str, target: &str, test: &str) -> Pair {
    let mut pair = Pair::new(source, target, test).await;
    pair.create(DDL, &[]).await;
    pair.source
        .run(&format!(
            "INSERT INTO a SELECT n*7, 1000-n, CONCAT('row ', n) FROM {n};
             INSERT INTO b SELECT CONCAT(CHAR(65+n%26 USING utf8mb4), CHAR(97+n%25 USING utf8mb4), n), n FROM {n};
             INSERT INTO h SELECT n%5, 'the same' FROM {n}",
            n = numbers(300)
        ))
        .await;
    pair
}

async fn equal(pair: &mut Pair) {
    for sql in ["SELECT * FROM a ORDER BY id", "SELECT * FROM b ORDER BY v", "SELECT * FROM h ORDER BY a"] {
        pair.same(sql).await;
    }
    assert!(pair.state("deferred").await.is_empty() && pair.state("parked").await.is_empty());
}

/// Slow enough to be met in the middle.
fn slow() -> ImportOptions {
    ImportOptions { rows_per_second: 400, ..small() }
}

#[tokio::test]
async fn an_import_stopped_again_and_again_ends_complete() {
    for (source, target) in PAIRS {
        let mut pair = filled(source, target, "stopped").await;
        // Each time a little further: before anything, in the first chunks, in the keyless table, near the end.
        for more in [0, 40, 90, 150, 200] {
            let (import, progress) = prepare(&pair, slow(), &[]).await;
            let before: u64 = progress.tables.iter().map(|table| table.rows()).sum();
            let cancel = CancellationToken::new();
            let stop = async {
                rows_moved(&progress, before + more).await;
                cancel.cancel();
            };
            let (report, ()) = tokio::join!(import.run(&cancel), stop);
            if let Err(error) = report {
                assert_eq!(error.kind, ErrorKind::Cancelled, "{}", error.chain());
            }
        }
        let report = run(&pair, small()).await.unwrap();
        assert_eq!(report.tables.iter().map(|table| table.rows).collect::<Vec<_>>(), [300; 3]);
        equal(&mut pair).await;
    }
}

#[tokio::test]
async fn an_import_that_is_dropped_leaves_nothing_half_done() {
    for (source, target) in PAIRS {
        let mut pair = filled(source, target, "dropped").await;
        for more in [30, 100, 250] {
            let (import, progress) = prepare(&pair, slow(), &[]).await;
            let never = CancellationToken::new();
            tokio::select! {
                report = import.run(&never) => drop(report.unwrap()),
                () = rows_moved(&progress, more) => {}
            }
        }
        run(&pair, small()).await.unwrap();
        equal(&mut pair).await;
    }
}

/// Nobody else's sessions are ended.
const USER: &str = "whimbrel_killed";

/// Kills the import's connections on both sides, several times.
#[tokio::test]
async fn an_import_survives_the_loss_of_its_connections() {
    for (source, target) in PAIRS {
        let mut pair = filled(source, target, "killed").await;
        for side in [&mut pair.source, &mut pair.target] {
            side.log_in_as(USER).await;
        }
        let (import, progress) = prepare(&pair, slow(), &[]).await;
        let (cancel, ended) = (CancellationToken::new(), CancellationToken::new());
        let mut times = 0;
        let kills = async {
            for rows in [50, 200, 350, 500] {
                rows_moved(&progress, rows).await;
                // All may be gone for a moment: the import waits before it connects again. On a busy machine it may
                // have come to its end meanwhile.
                while !ended.is_cancelled() && kill(&mut pair).await == 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                times += u32::from(!ended.is_cancelled());
            }
        };
        let importing = async {
            let report = import.run(&cancel).await;
            ended.cancel();
            report
        };
        let (report, ()) = tokio::join!(importing, kills);
        let report = report.unwrap();
        assert!(times > 1, "{source}, {target}: connections were cut {times} times");
        assert_eq!(report.tables.iter().map(|table| table.rows).collect::<Vec<_>>(), [300; 3]);
        assert_eq!(progress.tables.iter().map(|table| table.rows()).sum::<u64>(), 900);
        equal(&mut pair).await;
    }
}

/// Ends all sessions of the import's own user; returns how many.
async fn kill(pair: &mut Pair) -> usize {
    let mut killed = 0;
    for side in [&mut pair.source, &mut pair.target] {
        // The table in information_schema can't be read while a statement with binary literals is under way at MySQL.
        for row in side.rows("SHOW PROCESSLIST").await.iter().filter(|row| row[1] == USER) {
            // It may have ended by itself.
            killed += usize::from(side.try_run(&format!("KILL {}", row[0])).await);
        }
    }
    killed
}

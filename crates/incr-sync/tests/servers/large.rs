//! Transactions that are streamed.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use whimbrel_connector::ErrorKind;
use whimbrel_incr_sync::ApplyMode;
use whimbrel_model::TableVersion;

use crate::faults::Fault;
use crate::row;
use crate::script::{Edit, Row, Run, Script, batch};
use crate::server::{Scene, TARGETS};
use crate::workload::Random;

const TABLES: [&str; 2] = [
    "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, s VARCHAR(5) NULL)",
    "CREATE TABLE notes (a BIGINT NULL, s VARCHAR(20) NULL)",
];

struct Two {
    t: Arc<TableVersion>,
    notes: Arc<TableVersion>,
}

async fn tables(scene: &Scene) -> Two {
    Two {
        t: Arc::new(TableVersion::new(1, scene.table("t").await)),
        notes: Arc::new(TableVersion::new(2, scene.table("notes").await)),
    }
}

fn run(mode: ApplyMode) -> Run {
    let mut run = Run::new(mode);
    run.options.limits.window_changes = 300;
    run.options.limits.transaction_changes = 500;
    run
}

/// A small transaction, one of `rows` rows in both tables that also changes rows that it inserted, a small one.
fn script(tables: &Two, rows: i64, value: impl Fn(i64) -> &'static str) -> Script {
    let mut script = Script::default();
    script.transaction(&[
        (&tables.t, Edit::Insert(row![-1, "a"])),
        (&tables.notes, Edit::Insert(row![1, "n"])),
    ]);
    script.begin();
    for id in (0..rows).step_by(50) {
        let ids = || id..id + 50;
        let edits: Vec<Edit> = ids().map(|id| Edit::Insert(row![id, "new"])).collect();
        script.rows(batch(&tables.t, &edits));
        let edits: Vec<Edit> = ids().map(|id| Edit::Update(row![id, "new"], row![id, value(id)])).collect();
        script.rows(batch(&tables.t, &edits));
        script.rows(batch(&tables.notes, &[Edit::Insert(row![id, "n"]), Edit::Insert(row![id, "n"])]));
        script.rows(batch(&tables.notes, &[Edit::Delete(row![id, "n"])]));
    }
    script.commit();
    script.transaction(&[(&tables.t, Edit::Update(row![-1, "a"], row![-1, "b"]))]);
    script
}

async fn expect(scene: &mut Scene, rows: i64, what: &str) {
    let query = "SELECT COUNT(*), COUNT(DISTINCT id), MIN(s), MAX(s) FROM t WHERE id >= 0";
    assert_eq!(scene.rows(query).await, [format!("{rows}|{rows}|done|done")], "{what}");
    let notes = rows / 50 + 1;
    let query = "SELECT COUNT(*), COUNT(DISTINCT a) FROM notes";
    assert_eq!(scene.rows(query).await, [format!("{notes}|{notes}")], "{what}");
    assert_eq!(scene.rows("SELECT s FROM t WHERE id = -1").await, ["b"], "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_transactions_are_streamed_whole_in_both_modes() {
    for server in TARGETS {
        for mode in [ApplyMode::Transaction, ApplyMode::Convergent] {
            let mut scene = Scene::new(server, "large", &TABLES).await;
            let tables = tables(&scene).await;
            let script = script(&tables, 5_000, |_| "done");
            let status = run(mode).to_end(&scene, &script).await.unwrap();
            expect(&mut scene, 5_000, &format!("{server} {mode:?}")).await;
            assert_eq!((status.transactions, status.careful_windows, status.foreign_changes), (3, 0, 0));
            scene.drop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_within_a_large_transaction_leaves_it_whole_or_repeats_it() {
    for server in TARGETS {
        for mode in [ApplyMode::Transaction, ApplyMode::Convergent] {
            let mut scene = Scene::new(server, "cut", &TABLES).await;
            let tables = tables(&scene).await;
            let script = script(&tables, 1_500, |_| "done");
            let mut random = Random::new(7);
            for _ in 0..8 {
                let abort = CancellationToken::new();
                scene.faults.plan(vec![(5 + random.below(60), Fault::Crash)], &abort);
                match run(mode).with_abort(&scene, &script, abort).await {
                    Ok(_) => {}
                    Err(error) => assert_eq!(error.kind, ErrorKind::Cancelled, "{}", error.chain()),
                }
                if mode == ApplyMode::Transaction {
                    let count = scene.rows("SELECT COUNT(*) FROM t WHERE id >= 0").await;
                    assert!(count == ["0"] || count == ["1500"], "{server}: a part is visible: {count:?}");
                }
            }
            scene.faults.plan(vec![(20, Fault::Cut), (40, Fault::Conflict)], &CancellationToken::new());
            let status = run(mode).to_end(&scene, &script).await.unwrap();
            expect(&mut scene, 1_500, &format!("{server} {mode:?}")).await;
            assert_eq!(status.foreign_changes, 0);
            scene.drop().await;
        }
    }
}

/// A refused row in the middle: everything is read again, and only its piece goes row by row.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_row_of_a_large_transaction_is_parked_and_the_rest_committed() {
    for server in TARGETS {
        for mode in [ApplyMode::Transaction, ApplyMode::Convergent] {
            let mut scene = Scene::new(server, "refused", &TABLES).await;
            let tables = tables(&scene).await;
            let long = |id| if id == 777 { "too long" } else { "done" };
            let script = script(&tables, 1_500, long);
            let status = run(mode).to_end(&scene, &script).await.unwrap();
            assert_eq!((status.parked, status.foreign_changes), (1, 0), "{server} {mode:?}");
            let query = "SELECT COUNT(*), MIN(s), MAX(s) FROM t WHERE id >= 0 AND id <> 777";
            assert_eq!(scene.rows(query).await, ["1499|done|done"]);
            assert_eq!(scene.rows("SELECT COUNT(*) FROM notes").await, ["31"]);
            scene.drop().await;
        }
    }
}

/// A reader that was cut off in the middle of a transaction reads it again from its begin.
#[tokio::test(flavor = "multi_thread")]
async fn an_aborted_large_transaction_comes_again() {
    for server in TARGETS {
        for mode in [ApplyMode::Transaction, ApplyMode::Convergent] {
            let mut scene = Scene::new(server, "abort", &TABLES).await;
            let tables = tables(&scene).await;
            let rows = |ids: std::ops::Range<i64>| -> Vec<Row> { ids.map(|id| row![id, "done"]).collect() };
            let edits = |ids| -> Vec<Edit> { rows(ids).into_iter().map(Edit::Insert).collect() };
            let mut script = Script::default();
            script.begin();
            for id in (0..1_000).step_by(100) {
                script.rows(batch(&tables.t, &edits(id..id + 100)));
                script.rows(batch(&tables.notes, &[Edit::Insert(row![id, "n"])]));
            }
            script.abort();
            script.begin();
            for id in (0..1_200).step_by(100) {
                script.rows(batch(&tables.t, &edits(id..id + 100)));
                script.rows(batch(&tables.notes, &[Edit::Insert(row![id, "n"])]));
            }
            script.commit();
            let status = run(mode).to_end(&scene, &script).await.unwrap();
            assert_eq!(scene.rows("SELECT COUNT(*) FROM t").await, ["1200"], "{server} {mode:?}");
            assert_eq!(scene.rows("SELECT COUNT(*) FROM notes").await, ["12"], "{server} {mode:?}");
            assert_eq!(status.foreign_changes, 0);
            scene.drop().await;
        }
    }
}

//! How fast changes are applied. Prints; only asserts that everything arrives.

use std::sync::Arc;
use std::time::Instant;

use whimbrel_incr_sync::ApplyMode;
use whimbrel_model::TableVersion;

use crate::row;
use crate::script::{Edit, Run, Script};
use crate::server::{Scene, TARGETS};
use crate::workload::Random;

const TABLE: &str =
    "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, k BIGINT NULL, c VARCHAR(120) NULL, KEY k_idx (k))";

/// sysbench's write mix: two updates, a deletion and an insertion a transaction, over 10,000 rows.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, run by hand"]
async fn measures_small_transactions_under_backlog() {
    for server in TARGETS {
        for mode in [ApplyMode::Transaction, ApplyMode::Convergent] {
            let mut scene = Scene::new(server, "speed", &[TABLE]).await;
            let table = Arc::new(TableVersion::new(1, scene.table("t").await));
            let (script, changes) = mix(&table);
            let mut run = Run::new(mode);
            run.options = whimbrel_incr_sync::ApplyOptions::new(mode);
            let started = Instant::now();
            let status = run.to_end(&scene, &script).await.unwrap();
            let seconds = started.elapsed().as_secs_f64();
            let rate = changes as f64 / seconds;
            println!(
                "{server} {mode:?}: {changes} changes in {seconds:.1} s, {rate:.0}/s, {} retries",
                status.retries
            );
            assert_eq!(scene.rows("SELECT COUNT(*) FROM t").await, ["10000"]);
            assert_eq!(status.careful_windows, 0);
            scene.drop().await;
        }
    }
}

fn mix(table: &Arc<TableVersion>) -> (Script, u64) {
    let pad = "sixty characters of padding, as a benchmark has them ......";
    let mut random = Random::new(1);
    let mut values = vec![0i64; 10_000];
    let mut script = Script::default();
    for ids in (0..10_000).collect::<Vec<i64>>().chunks(100) {
        let rows: Vec<_> = ids.iter().map(|id| (table, Edit::Insert(row![*id, 0, pad]))).collect();
        script.transaction(&rows);
    }
    for round in 1..=20_000 {
        let mut edits = Vec::new();
        for _ in 0..2 {
            let id = random.below(10_000) as usize;
            let before = std::mem::replace(&mut values[id], round);
            edits.push((table, Edit::Update(row![id as i64, before, pad], row![id as i64, round, pad])));
        }
        let id = random.below(10_000) as usize;
        edits.push((table, Edit::Delete(row![id as i64, values[id], pad])));
        values[id] = -round;
        edits.push((table, Edit::Insert(row![id as i64, -round, pad])));
        script.transaction(&edits);
    }
    (script, 10_000 + 80_000)
}

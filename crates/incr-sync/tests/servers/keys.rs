//! Unique keys that somebody makes at the target while changes are applied.

use std::sync::Arc;
use std::time::Duration;

use whimbrel_incr_sync::ApplyMode;
use whimbrel_model::TableVersion;

use crate::row;
use crate::script::{Edit, Run, Script, position};
use crate::server::{Scene, TARGETS};

const TABLE: &str = "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, u BIGINT NULL)";
const ROWS: i64 = 300;

/// Rows; then a pause; then values of `u` move from row to row, each taking the one that the row before it has just
/// given up. `together`: in one transaction, else each in its own. The number of transactions before the pause.
fn script(table: &Arc<TableVersion>, together: bool) -> (Script, tokio::sync::watch::Sender<usize>, usize) {
    let mut script = Script::default();
    let all: Vec<_> = (0..ROWS).map(|id| (table, Edit::Insert(row![id, id]))).collect();
    script.transaction(&all);
    let before = script.transactions();
    let released = script.pause();
    let mut moves = vec![(table, Edit::Update(row![0, 0], row![0, None]))];
    moves.extend((1..ROWS).map(|id| (table, Edit::Update(row![id, id], row![id, id - 1]))));
    if together {
        script.transaction(&moves);
    } else {
        moves.chunks(1).for_each(|one| script.transaction(one));
    }
    (script, released, before)
}

/// With `look` the new key is noticed before the moves come; without it, it shows by what meets on it.
async fn a_new_key_keeps_the_order(server: &str, mode: ApplyMode, look: bool) {
    let mut scene = Scene::new(server, "keys", &[TABLE]).await;
    let table = Arc::new(TableVersion::new(1, scene.table("t").await));
    let (script, released, before) = script(&table, mode == ApplyMode::Convergent);
    let mut run = Run::new(mode);
    run.options.limits.window_changes = if mode == ApplyMode::Convergent { 1000 } else { 2 };
    // A server that builds an index refuses transactions for a while.
    run.options.retry_for = Duration::from_secs(100);
    run.options.look_at_keys = if look { Duration::from_millis(20) } else { Duration::from_secs(3600) };
    let schema = scene.schema.clone();
    let mut admin = scene.session().await;
    let (_, ended) = run
        .following(&scene, &script, async |mut status, _| {
            status.wait_for(|now| now.applied.as_ref() == Some(&position(before))).await.unwrap();
            admin.query_drop(format!("ALTER TABLE {schema}.t ADD UNIQUE KEY uk (u)")).await.unwrap();
            if look {
                let noticed = status.wait_for(|now| now.key_changes > 0);
                tokio::time::timeout(Duration::from_secs(60), noticed).await.unwrap().unwrap();
            }
            released.send_replace(usize::MAX);
            let end = script.end();
            let through = status.wait_for(|now| now.applied.as_ref() == Some(&end));
            // OceanBase lets connections that wait for each other wait for the 50 s of its lock wait timeout.
            tokio::time::timeout(Duration::from_secs(300), through).await.unwrap().unwrap();
        })
        .await;
    let status = ended.unwrap();
    assert_eq!((status.parked, status.foreign_changes), (0, 0), "{server} {mode:?} {look}");
    let mut expected: Vec<String> =
        std::iter::once("0|~".to_owned()).chain((1..ROWS).map(|id| format!("{id}|{}", id - 1))).collect();
    expected.sort();
    assert_eq!(scene.rows("SELECT * FROM t").await, expected, "{server} {mode:?} {look}");
    scene.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_noticed_orders_the_changes() {
    for server in TARGETS {
        a_new_key_keeps_the_order(server, ApplyMode::Transaction, true).await;
        a_new_key_keeps_the_order(server, ApplyMode::Convergent, true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nobody_has_noticed_yet_parks_nothing() {
    for server in TARGETS {
        a_new_key_keeps_the_order(server, ApplyMode::Transaction, false).await;
        a_new_key_keeps_the_order(server, ApplyMode::Convergent, false).await;
    }
}

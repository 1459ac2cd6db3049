//! Rows that the target refuses.

use std::sync::Arc;

use tokio::sync::oneshot;
use whimbrel_connector::ErrorKind;
use whimbrel_incr_sync::{ApplyMode, Control, Retried, parked};
use whimbrel_model::TableVersion;

use crate::row;
use crate::script::{Edit, Run, Script};
use crate::server::{Scene, TARGETS};

const TABLE: &str = "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, s VARCHAR(5) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, u BIGINT NULL, UNIQUE KEY uk (u))";

/// A log in which row 2 gets a value that is too long, and goes on; the others have nothing to do with it.
fn script(table: &Arc<TableVersion>) -> Script {
    let mut script = Script::default();
    script.transaction(&[
        (table, Edit::Insert(row![1, "one", 1])),
        (table, Edit::Insert(row![2, "two", 2])),
        (table, Edit::Insert(row![3, "far too long", 3])),
    ]);
    script.transaction(&[(table, Edit::Update(row![2, "two", 2], row![2, "much too long", 2]))]);
    script.transaction(&[(table, Edit::Update(row![1, "one", 1], row![1, "uno", 1]))]);
    script.transaction(&[(table, Edit::Update(row![2, "much too long", 2], row![2, "still too long", 22]))]);
    script.transaction(&[(table, Edit::Delete(row![3, "far too long", 3]))]);
    script.transaction(&[(table, Edit::Insert(row![4, "four", 4]))]);
    script
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_row_stops_only_its_own_key_and_can_be_retried() {
    for (server, mode) in TARGETS.into_iter().zip([ApplyMode::Transaction, ApplyMode::Convergent]) {
        let mut scene = Scene::new(server, "parked", &[TABLE]).await;
        let table = Arc::new(TableVersion::new(1, scene.table("t").await));
        let script = script(&table);
        let mut run = Run::new(mode);
        run.options.limits.window_changes = 1;
        let status = run.to_end(&scene, &script).await.unwrap();
        assert_eq!(scene.rows("SELECT * FROM t").await, ["1|uno|1", "2|two|2", "4|four|4"], "{server}");
        assert_eq!((status.parked, status.foreign_changes), (2, 0), "{server}: {:?}", status.recent_foreign);

        let (mut writer, _) = scene.writer().await;
        let mut catalog = whimbrel_connector::Target::catalog(scene.target().as_ref()).await.unwrap();
        let entries = parked::list(writer.as_mut()).await.unwrap();
        let (mut two, mut three) = (None, None);
        for entry in &entries {
            match entry.row.refused.as_ref().unwrap().row(0).get(0) {
                whimbrel_model::ValueRef::Int(2) => two = Some(entry),
                whimbrel_model::ValueRef::Int(3) => three = Some(entry),
                other => panic!("{other:?} is parked"),
            }
        }
        let (two, three) = (two.unwrap(), three.unwrap());
        assert_eq!((two.row.code.as_str(), two.row.queued), ("WB-3002", 1));
        assert_eq!((three.row.queued, three.row.current().is_none()), (1, true));

        let again = parked::retry(writer.as_mut(), catalog.as_mut(), &two.item).await.unwrap();
        assert!(
            matches!(&again, Retried::Refused(error) if error.kind == ErrorKind::RowRefused),
            "{again:?}"
        );
        scene.execute("ALTER TABLE t MODIFY s VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin").await;
        let again = parked::retry(writer.as_mut(), catalog.as_mut(), &two.item).await.unwrap();
        assert!(matches!(again, Retried::Applied), "{again:?}");
        let again = parked::retry(writer.as_mut(), catalog.as_mut(), &two.item).await.unwrap();
        assert!(matches!(again, Retried::Unknown), "{again:?}");
        assert!(parked::skip(writer.as_mut(), &three.item).await.unwrap());
        assert!(!parked::skip(writer.as_mut(), &three.item).await.unwrap());
        assert_eq!(scene.rows("SELECT * FROM t").await, ["1|uno|1", "2|still too long|22", "4|four|4"]);
        drop(writer);
        scene.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_task_retries_on_request_and_goes_on_with_the_row() {
    let mut scene = Scene::new("mysql97", "control", &[TABLE]).await;
    let table = Arc::new(TableVersion::new(1, scene.table("t").await));
    let mut script = Script::default();
    script.transaction(&[(&table, Edit::Insert(row![1, "far too long", 1]))]);
    let run = Run::new(ApplyMode::Transaction);
    let item = {
        let end = script.end();
        let (item, result) = run
            .following(&scene, &script, async |mut status, control| {
                status.wait_for(|status| status.applied.as_ref() == Some(&end)).await.unwrap();
                let (reply, answer) = oneshot::channel();
                control.send(Control::ListParked { reply }).await.unwrap();
                answer.await.unwrap().unwrap().remove(0).item
            })
            .await;
        result.unwrap();
        item
    };
    scene.execute("ALTER TABLE t MODIFY s VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin").await;
    script.transaction(&[(&table, Edit::Update(row![1, "far too long", 1], row![1, "queued", 1]))]);
    let (end, after) = (script.end(), item);
    let (_, result) = run
        .following(&scene, &script, async |mut status, control| {
            status.wait_for(|status| status.applied.as_ref() == Some(&end)).await.unwrap();
            let (reply, answer) = oneshot::channel();
            control.send(Control::RetryParked { item: after, reply }).await.unwrap();
            assert!(matches!(answer.await.unwrap().unwrap(), Retried::Applied));
            status.wait_for(|status| status.parked == 0).await.unwrap();
        })
        .await;
    result.unwrap();
    assert_eq!(scene.rows("SELECT * FROM t").await, ["1|queued|1"]);
    script.transaction(&[(&table, Edit::Update(row![1, "queued", 1], row![1, "after", 1]))]);
    let status = run.to_end(&scene, &script).await.unwrap();
    assert_eq!(
        (scene.rows("SELECT * FROM t").await, status.foreign_changes),
        (vec!["1|after|1".to_owned()], 0)
    );
    scene.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_refused_rows_stop_the_task() {
    let scene = Scene::new("mysql97", "many", &[TABLE]).await;
    let table = Arc::new(TableVersion::new(1, scene.table("t").await));
    let mut script = Script::default();
    for id in 0..10 {
        script.transaction(&[(&table, Edit::Insert(row![id, "far too long", id]))]);
    }
    let mut run = Run::new(ApplyMode::Transaction);
    run.options.max_parked = 5;
    let error = run.to_end(&scene, &script).await.unwrap_err();
    assert!(error.message.contains("parked"), "{error}");
    scene.drop().await;
}

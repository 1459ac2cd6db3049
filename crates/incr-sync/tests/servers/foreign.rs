//! Rows that somebody else changed at the target.

use std::sync::Arc;

use whimbrel_connector::ErrorKind;
use whimbrel_incr_sync::{ApplyMode, ForeignAction, ForeignKind, ForeignPolicy};
use whimbrel_model::TableVersion;

use crate::row;
use crate::script::{Edit, Run, Script};
use crate::server::{Scene, TARGETS};

const TABLE: &str = "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, n BIGINT NULL)";

async fn prepared(server: &str, run: &Run) -> (Scene, Arc<TableVersion>, Script) {
    let mut scene = Scene::new(server, "foreign", &[TABLE]).await;
    let table = Arc::new(TableVersion::new(1, scene.table("t").await));
    let mut script = Script::default();
    let rows: Vec<_> = (1..=5).map(|id| (&table, Edit::Insert(row![id, 0]))).collect();
    script.transaction(&rows);
    run.to_end(&scene, &script).await.unwrap();
    scene.execute("DELETE FROM t WHERE id IN (1, 2)").await;
    scene.execute("INSERT INTO t VALUES (9, 99)").await;
    script.transaction(&[
        (&table, Edit::Update(row![1, 0], row![1, 10])),
        (&table, Edit::Delete(row![2, 0])),
        (&table, Edit::Update(row![3, 0], row![3, 30])),
        (&table, Edit::Insert(row![9, 90])),
    ]);
    drop(rows);
    (scene, table, script)
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_changes_are_repaired_and_reported() {
    for server in TARGETS {
        let run = Run::new(ApplyMode::Transaction);
        let (mut scene, _, script) = prepared(server, &run).await;
        let status = run.to_end(&scene, &script).await.unwrap();
        assert_eq!(scene.rows("SELECT * FROM t").await, ["1|10", "3|30", "4|0", "5|0", "9|90"]);
        let found: Vec<_> =
            status.recent_foreign.iter().map(|one| (one.key[0].1.as_str(), one.what)).collect();
        let expected = [
            ("1", ForeignKind::UpdateMissing),
            ("2", ForeignKind::DeleteMissing),
            ("9", ForeignKind::InsertPresent),
        ];
        assert_eq!((status.foreign_changes, found), (3, expected.to_vec()));
        assert!(status.recent_foreign.iter().all(|one| one.action == ForeignAction::Repaired));
        let (mut writer, _) = scene.writer().await;
        assert_eq!(writer.state_list("foreign", b"").await.unwrap().len(), 3);
        drop(writer);
        scene.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_changes_are_left_or_stop_the_task_if_the_policy_says_so() {
    for server in TARGETS {
        let mut run = Run::new(ApplyMode::Convergent);
        run.options.foreign = ForeignPolicy::Ignore;
        let (mut scene, _, script) = prepared(server, &run).await;
        let status = run.to_end(&scene, &script).await.unwrap();
        assert_eq!(scene.rows("SELECT * FROM t").await, ["3|30", "4|0", "5|0", "9|99"]);
        assert_eq!(status.foreign_changes, 3);
        scene.drop().await;

        let mut run = Run::new(ApplyMode::Transaction);
        run.options.foreign = ForeignPolicy::Stop;
        let (mut scene, _, script) = prepared(server, &run).await;
        let error = run.to_end(&scene, &script).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::ForeignChange);
        assert!(error.object.contains("id=1"), "{error}");
        assert_eq!(scene.rows("SELECT * FROM t").await, ["3|0", "4|0", "5|0", "9|99"], "nothing was written");
        run.options.foreign = ForeignPolicy::Repair;
        run.to_end(&scene, &script).await.unwrap();
        assert_eq!(scene.rows("SELECT * FROM t").await, ["1|10", "3|30", "4|0", "5|0", "9|90"]);
        scene.drop().await;
    }
}

//! Foreign keys that change rows: most sources don't log what a cascade did, the target has to do it too.

use std::sync::Arc;

use whimbrel_incr_sync::ApplyMode;
use whimbrel_model::TableVersion;

use crate::row;
use crate::script::{Edit, Run, Script};
use crate::server::{Scene, TARGETS};

const TABLES: [&str; 3] = [
    "CREATE TABLE parent (id BIGINT NOT NULL PRIMARY KEY, n BIGINT NULL)",
    "CREATE TABLE child (id BIGINT NOT NULL PRIMARY KEY, p BIGINT NULL, CONSTRAINT c_fk FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE)",
    "CREATE TABLE loose (id BIGINT NOT NULL PRIMARY KEY, p BIGINT NULL, CONSTRAINT l_fk FOREIGN KEY (p) REFERENCES parent (id) ON DELETE SET NULL)",
];

struct Family {
    parent: Arc<TableVersion>,
    child: Arc<TableVersion>,
    loose: Arc<TableVersion>,
}

async fn family(scene: &Scene) -> Family {
    let mut versions = Vec::new();
    for (id, name) in (1..).zip(["parent", "child", "loose"]) {
        versions.push(Arc::new(TableVersion::new(id, scene.table(name).await)));
    }
    let [parent, child, loose] = versions.try_into().unwrap_or_else(|_| panic!("three tables"));
    Family { parent, child, loose }
}

/// Two parents with children; one is deleted, the other gets another key: the children's changes aren't logged.
fn script(tables: &Family) -> Script {
    let mut script = Script::default();
    script.transaction(&[
        (&tables.parent, Edit::Insert(row![1, 0])),
        (&tables.child, Edit::Insert(row![11, 1])),
        (&tables.loose, Edit::Insert(row![21, 1])),
        (&tables.parent, Edit::Insert(row![2, 0])),
        (&tables.child, Edit::Insert(row![12, 2])),
        (&tables.child, Edit::Insert(row![13, 2])),
    ]);
    script.transaction(&[(&tables.parent, Edit::Delete(row![1, 0]))]);
    script.transaction(&[(&tables.parent, Edit::Update(row![2, 0], row![5, 1]))]);
    script.transaction(&[(&tables.child, Edit::Update(row![12, 5], row![14, 5]))]);
    script
}

async fn expect(scene: &mut Scene, what: &str) {
    assert_eq!(scene.rows("SELECT * FROM parent").await, ["5|1"], "{what}");
    assert_eq!(scene.rows("SELECT * FROM child").await, ["13|5", "14|5"], "{what}");
    assert_eq!(scene.rows("SELECT * FROM loose").await, ["21|~"], "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_target_carries_out_cascades_that_the_log_does_not_show() {
    for server in TARGETS {
        for mode in [ApplyMode::Transaction, ApplyMode::Convergent] {
            let mut scene = Scene::new(server, "cascade", &TABLES).await;
            let script = script(&family(&scene).await);
            let status = Run::new(mode).to_end(&scene, &script).await.unwrap();
            expect(&mut scene, &format!("{server} {mode:?}")).await;
            assert_eq!((status.parked, status.foreign_changes), (0, 0));
            scene.drop().await;
        }
    }
}

/// A source of MySQL 9.6 or newer logs them: they are found done.
#[tokio::test(flavor = "multi_thread")]
async fn cascades_that_the_log_shows_are_not_foreign_changes() {
    for server in TARGETS {
        let mut scene = Scene::new(server, "logged", &TABLES).await;
        let tables = family(&scene).await;
        let mut script = Script::default();
        script.transaction(&[
            (&tables.parent, Edit::Insert(row![1, 0])),
            (&tables.child, Edit::Insert(row![11, 1])),
            (&tables.loose, Edit::Insert(row![21, 1])),
        ]);
        script.transaction(&[
            (&tables.parent, Edit::Delete(row![1, 0])),
            (&tables.child, Edit::Delete(row![11, 1])),
            (&tables.loose, Edit::Update(row![21, 1], row![21, None])),
        ]);
        let status = Run::new(ApplyMode::Transaction).to_end(&scene, &script).await.unwrap();
        assert_eq!(scene.rows("SELECT * FROM child").await, [""; 0]);
        assert_eq!(scene.rows("SELECT * FROM loose").await, ["21|~"]);
        assert_eq!((status.parked, status.foreign_changes), (0, 0), "{:?}", status.recent_foreign);
        scene.drop().await;
    }
}

/// Children were imported as they were before the parent's change, parents as they were after it: the cascade
/// has to be carried out although the parent's change is there already.
#[tokio::test(flavor = "multi_thread")]
async fn cascades_in_the_overlap_reach_children_that_were_read_earlier() {
    for server in TARGETS {
        let mut scene = Scene::new(server, "fkover", &TABLES).await;
        let script = script(&family(&scene).await);
        scene.execute("SET foreign_key_checks=0").await;
        scene.execute("INSERT INTO parent VALUES (5, 1)").await;
        scene.execute("INSERT INTO child VALUES (11, 1), (12, 2), (13, 2)").await;
        scene.execute("INSERT INTO loose VALUES (21, 1)").await;
        let mut run = Run::new(ApplyMode::Transaction);
        run.overlap_until = Some(script.end());
        let status = run.to_end(&scene, &script).await.unwrap();
        expect(&mut scene, server).await;
        assert_eq!((status.parked, status.deferred, status.foreign_changes), (0, 0, 0));
        scene.drop().await;
    }
}

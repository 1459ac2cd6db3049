//! `whimbrel parked` for rows: shown, tried again, given up, replaced, while the task runs and while it doesn't.

use std::time::Duration;

use serde_json::Value as Json;

use crate::harness::servers::Server;
use crate::harness::{Running, Scene, Sql, Task};

/// A target whose column is narrower than the source's.
async fn prepared(name: &'static str) -> (Scene, Sql, Task) {
    let scene = Scene::mysql(name).await;
    let mut sql = scene.source().await;
    sql.run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, s VARCHAR(50))").await;
    sql.run("INSERT INTO t VALUES (1, 'one')").await;
    scene.make_marker().await;
    scene.make_target().await.run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, s VARCHAR(5))").await;
    let task = scene.migrate().flag("--follow");
    (scene, sql, task)
}

/// IDs by the row's own key.
async fn ids(task: &Task) -> Vec<(i64, String)> {
    let outcome = task.parked(&["list", "--json"]).await.expect(0);
    let items: Vec<Json> =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.text()));
    let mut ids: Vec<(i64, String)> = items
        .iter()
        .map(|item| {
            let details = item["details"].to_string();
            let key = details.split("id=").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok());
            (key.unwrap_or_default(), item["id"].as_str().unwrap_or_default().to_owned())
        })
        .collect();
    ids.sort();
    ids
}

/// Three rows that are too long: 2, 3 and 4, with changes that queue behind them.
async fn refuse_three(scene: &Scene, sql: &mut Sql, running: &mut Running) {
    running.wait_phase("incremental").await;
    for statement in [
        "INSERT INTO t VALUES (2, 'much too long'), (3, 'much too long'), (4, 'much too long')",
        "UPDATE t SET s = 'still much too long' WHERE id = 2",
        "INSERT INTO t VALUES (5, 'five')",
    ] {
        sql.run(statement).await;
    }
    scene.drain(running).await;
    assert_eq!(scene.target().await.column("SELECT id FROM t ORDER BY id").await, ["1", "5"]);
}

async fn settle_all(scene: &Scene, task: &Task) {
    let ids = ids(task).await;
    assert_eq!(ids.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [2, 3, 4], "{ids:?}");
    let id = |key: usize| ids[key - 2].1.as_str();
    task.parked(&["show", id(2)]).await.expect(0).says(&[
        "still much too long",
        "WB-3002",
        "1 later changes",
    ]);
    task.parked(&["retry", id(2)]).await.expect(1).says(&["WB-3002"]);
    task.parked(&["edit", id(3), "--sql", "DROP TABLE t"]).await.expect(1).says(&["only INSERT, UPDATE"]);
    task.parked(&["edit", id(3), "--sql", "INSERT INTO t VALUES (3, 'much longer than five')"])
        .await
        .expect(1);
    task.parked(&["edit", id(3), "--sql", "INSERT INTO t VALUES (3, 'three')"]).await.expect(0);
    task.parked(&["skip", id(4)]).await.expect(0).says(&["given up"]);
    task.parked(&["skip", id(4)]).await.expect(1).says(&["nothing that waits"]);
    scene.target().await.run("ALTER TABLE t MODIFY COLUMN s VARCHAR(50)").await;
    task.parked(&["retry", id(2)]).await.expect(0).says(&["the row is at the target"]);
    assert!(self::ids(task).await.is_empty());
    let rows = scene.target().await.column("SELECT CONCAT(id, ' ', s) FROM t ORDER BY id").await;
    assert_eq!(rows, ["1 one", "2 still much too long", "3 three", "5 five"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_a_running_task_are_settled_while_it_applies() {
    let (scene, mut sql, task) = prepared("park_on").await;
    let mut running = task.start();
    refuse_three(&scene, &mut sql, &mut running).await;
    settle_all(&scene, &task).await;
    // The task knows: changes of these rows are applied again.
    sql.run("UPDATE t SET s = 'later' WHERE id IN (2, 3)").await;
    scene.drain(&mut running).await;
    let rows = scene.target().await.column("SELECT s FROM t WHERE id IN (2, 3)").await;
    assert_eq!(rows, ["later", "later"]);
    running.stop().await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_a_stopped_task_are_settled_under_its_lock() {
    let (scene, mut sql, task) = prepared("park_off").await;
    let mut running = task.start();
    refuse_three(&scene, &mut sql, &mut running).await;
    // A kill leaves a socket behind at which nobody listens.
    running.kill().await;
    assert!(task.home().join("default/control").exists());
    settle_all(&scene, &task).await;
    let mut running = task.start();
    running.wait_phase("incremental").await;
    sql.run("UPDATE t SET s = 'later' WHERE id IN (2, 3)").await;
    scene.drain(&mut running).await;
    let rows = scene.target().await.column("SELECT s FROM t WHERE id IN (2, 3)").await;
    assert_eq!(rows, ["later", "later"]);
    // The verification finds what was given up and what was replaced.
    running.stop().await.expect(3);
    assert!(!task.home().join("default/control").exists());
}

/// Between catching up and following a task adds foreign keys; a request in that moment is served after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_between_two_steps_waits_for_the_next_one() {
    let scene = Scene::new("park_gap", Server::mysql(), Server::mysql()).await;
    let mut sql = scene.source().await;
    for statement in [
        "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, s VARCHAR(50))",
        "INSERT INTO t VALUES (1, 'one'), (2, 'much too long')",
        "CREATE TABLE parent (id INT NOT NULL PRIMARY KEY)",
        "CREATE TABLE child (id INT NOT NULL PRIMARY KEY, CONSTRAINT of_parent FOREIGN KEY (id) REFERENCES parent (id))",
    ] {
        sql.run(statement).await;
    }
    let mut target = scene.make_target().await;
    target.run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, s VARCHAR(5))").await;
    // The foreign key's other side is held, so that adding the key has to wait.
    target.run("CREATE TABLE parent (id INT NOT NULL PRIMARY KEY)").await;
    target.run("BEGIN").await;
    assert_eq!(target.value::<u64>("SELECT COUNT(*) FROM parent FOR UPDATE").await, 0);
    let task = scene.migrate().flag("--follow");
    let mut running = task.start();
    let look = tokio::sync::Mutex::new(scene.target().await);
    let adding = format!(
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE id <> CONNECTION_ID() \
         AND info LIKE 'ALTER TABLE%{}%FOREIGN KEY%'",
        scene.target_db
    );
    let waits = async || look.lock().await.value::<u64>(&adding).await == 1;
    running.wait_for("the foreign key to be added", waits).await;
    let ids = ids(&task).await;
    assert_eq!(ids.len(), 1, "{ids:?}");
    let words = ["skip", ids[0].1.as_str()];
    let skipping = task.parked(&words);
    tokio::pin!(skipping);
    let early = tokio::time::timeout(Duration::from_secs(1), &mut skipping).await;
    target.run("COMMIT").await;
    assert!(early.is_err(), "it was answered while nothing was applied");
    skipping.await.expect(0).says(&["given up"]);
    running.wait_phase("incremental").await;
    running.stop().await.expect(3);
}

#[tokio::test]
async fn a_task_that_is_not_there_is_named() {
    Task::bare(&["parked", "list"]).run().await.expect(1).says(&["no task is there"]);
    Task::bare(&["parked", "edit", "d1"]).run().await.expect(2).says(&["--sql"]);
}

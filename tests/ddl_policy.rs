//! What is done about the source's statements: policies, statements that are parked with their tables, and the way back.

use serde_json::Value as Json;

use crate::harness::compare::tables;
use crate::harness::{Running, Scene, Sql, Task};

const SETUP: [&str; 4] = [
    "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a VARCHAR(20))",
    "INSERT INTO t VALUES (1, 'one'), (2, 'two')",
    "CREATE TABLE other (id INT NOT NULL PRIMARY KEY, a INT)",
    "INSERT INTO other VALUES (1, 1)",
];

async fn prepared(name: &'static str) -> (Scene, Sql) {
    let scene = Scene::mysql(name).await;
    let mut sql = scene.source().await;
    for statement in SETUP {
        sql.run(statement).await;
    }
    scene.make_marker().await;
    (scene, sql)
}

async fn listed(task: &Task) -> Vec<Json> {
    let outcome = task.parked(&["list", "--json"]).await.expect(0);
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.text()))
}

async fn wait_parked(running: &mut Running, statements: usize) -> String {
    let status = running
        .wait_until("a parked statement", |status| {
            status["parked_statements"].as_array().is_some_and(|all| all.len() == statements)
        })
        .await;
    status["parked_statements"][0]["id"].as_str().unwrap_or_default().to_owned()
}

async fn target_columns(scene: &Scene, table: &str) -> String {
    let query = format!(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = '{table}' \
         ORDER BY ordinal_position"
    );
    scene.target().await.column(&query).await.join(",")
}

/// Every clause by its own policy; tables whose statements are left out go on with the columns that they have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kinds_are_applied_or_left_out_as_told() {
    let (scene, mut sql) = prepared("ddlp_skip").await;
    let mut task = scene.migrate().flag("--follow");
    for rule in ["alter-add-column=skip", "truncate=skip", "create-table=skip"] {
        task = task.arg("--ddl", rule);
    }
    let mut running = task.start();
    running.wait_phase("incremental").await;
    sql.run("ALTER TABLE t ADD COLUMN b INT DEFAULT 5, MODIFY COLUMN a VARCHAR(200)").await;
    sql.run("INSERT INTO t VALUES (3, REPEAT('long', 40), 7)").await;
    sql.run("UPDATE t SET b = 8, a = 'uno' WHERE id = 1").await;
    sql.run("TRUNCATE TABLE other").await;
    sql.run("INSERT INTO other VALUES (2, 2)").await;
    sql.run("CREATE TABLE unwanted (id INT NOT NULL PRIMARY KEY)").await;
    sql.run("INSERT INTO unwanted VALUES (1)").await;
    sql.run("ALTER TABLE unwanted ADD KEY (id)").await;
    scene.drain(&mut running).await;
    assert_eq!(tables(&mut scene.target().await).await, ["marker", "other", "t"]);
    assert_eq!(target_columns(&scene, "t").await, "id,a");
    let mut target = scene.target().await;
    let rows = target.column("SELECT CONCAT(id, LEFT(a, 4)) FROM t ORDER BY id").await;
    assert_eq!(rows, ["1uno", "2two", "3long"]);
    assert_eq!(target.column("SELECT id FROM other ORDER BY id").await, ["1", "2"]);
    // What is left out is known to the next run too.
    running.kill().await;
    sql.run("UPDATE t SET a = 'dos' WHERE id = 2").await;
    sql.run("INSERT INTO unwanted VALUES (2)").await;
    let mut running = task.start();
    running.wait_phase("incremental").await;
    scene.drain(&mut running).await;
    assert_eq!(target.column("SELECT a FROM t WHERE id = 2").await, ["dos"]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_stops_at_a_kind_and_goes_on_when_told_otherwise() {
    let (scene, mut sql) = prepared("ddlp_stop").await;
    let task = scene.migrate().flag("--follow");
    let mut running = task.clone().arg("--ddl", "drop-table=stop").start();
    running.wait_phase("incremental").await;
    sql.run("INSERT INTO other VALUES (2, 2)").await;
    sql.run("DROP TABLE other").await;
    sql.run("INSERT INTO t VALUES (3, 'three')").await;
    running.finish().await.expect(1).says(&["DROP TABLE", "the task stops at statements of this kind"]);
    assert_eq!(scene.target().await.count("other").await, 2);
    let mut running = task.start();
    running.wait_phase("incremental").await;
    scene.drain(&mut running).await;
    running.stop().await.expect(0);
    scene.assert_equal().await;
}

/// A statement that needs approval holds its table, rows and statements, while the others flow; after it has been
/// given everything has happened in its order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_approval_holds_its_table_only() {
    let (scene, mut sql) = prepared("ddlp_ask").await;
    let task = scene.migrate().flag("--follow").arg("--ddl", "alter-drop-column=ask");
    let mut running = task.start();
    running.wait_phase("incremental").await;
    for statement in [
        "INSERT INTO t VALUES (3, 'before')",
        "ALTER TABLE t DROP COLUMN a",
        "INSERT INTO t VALUES (4)",
        "ALTER TABLE t ADD COLUMN b VARCHAR(10)",
        "UPDATE t SET b = 'late' WHERE id = 1",
        "DELETE FROM t WHERE id = 2",
        "INSERT INTO other VALUES (9, 9)",
    ] {
        sql.run(statement).await;
    }
    scene.drain(&mut running).await;
    let id = wait_parked(&mut running, 1).await;
    assert_eq!(target_columns(&scene, "t").await, "id,a");
    let mut target = scene.target().await;
    assert_eq!(target.column("SELECT id FROM t ORDER BY id").await, ["1", "2", "3"]);
    assert_eq!(target.count("other").await, 2);
    let items = listed(&task).await;
    assert_eq!((items.len(), items[0]["id"].as_str()), (1, Some(id.as_str())));
    task.parked(&["show", &id]).await.expect(0).says(&["DROP COLUMN", "waits for approval"]);
    task.parked(&["retry", "d999999"]).await.expect(1).says(&["nothing that waits has this ID"]);

    // It survives a kill, and so does its queue.
    running.kill().await;
    let mut running = task.start();
    running.wait_phase("incremental").await;
    assert_eq!(wait_parked(&mut running, 1).await, id);
    task.parked(&["retry", &id]).await.expect(0);
    sql.run("INSERT INTO t VALUES (5, 'new')").await;
    scene.drain(&mut running).await;
    assert!(listed(&task).await.is_empty());
    running.stop().await.expect(0);
    scene.assert_equal().await;
}

/// What the target refuses waits with the target's own words; another statement in its place lets the queue through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_statement_waits_until_it_is_edited() {
    let (scene, mut sql) = prepared("ddlp_edit").await;
    let task = scene.migrate().flag("--follow");
    let mut running = task.start();
    running.wait_phase("incremental").await;
    // Somebody has made a column of this name at the target.
    scene.target().await.run("ALTER TABLE t ADD COLUMN b INT NOT NULL DEFAULT 1").await;
    for statement in [
        "ALTER TABLE t ADD COLUMN b VARCHAR(10)",
        "INSERT INTO t VALUES (3, 'three', 'x')",
        "INSERT INTO other VALUES (5, 5)",
    ] {
        sql.run(statement).await;
    }
    scene.drain(&mut running).await;
    let id = wait_parked(&mut running, 1).await;
    task.parked(&["show", &id]).await.expect(0).says(&["1060", "to do: ALTER TABLE"]);
    assert_eq!(scene.target().await.count("other").await, 2);
    // Nothing has changed, so neither does the answer.
    task.parked(&["retry", &id]).await.expect(1).says(&["1060"]);
    task.parked(&["edit", &id, "--sql", "SELECT 1; SELECT 2"])
        .await
        .expect(1)
        .says(&["has to be one statement"]);
    let edited = format!("ALTER TABLE `{}`.t MODIFY COLUMN b VARCHAR(10) NULL DEFAULT NULL", scene.target_db);
    task.parked(&["edit", &id, "--sql", &edited]).await.expect(0);
    scene.drain(&mut running).await;
    // Rows that were there have the default of somebody's column; their next change makes them the source's.
    sql.run("UPDATE t SET b = CONCAT('b', id)").await;
    scene.drain(&mut running).await;
    running.stop().await.expect(0);
    scene.assert_equal().await;
}

/// A task that nobody runs takes decisions too, and carries them out when it runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_task_is_told_what_to_do() {
    let (scene, mut sql) = prepared("ddlp_off").await;
    let task = scene.migrate().flag("--follow").arg("--ddl", "index=ask").arg("--ddl", "drop-table=ask");
    let mut running = task.start();
    running.wait_phase("incremental").await;
    sql.run("CREATE INDEX by_a ON t (a)").await;
    sql.run("INSERT INTO t VALUES (3, 'three')").await;
    sql.run("DROP TABLE other").await;
    sql.run("CREATE TABLE other (id VARCHAR(5) NOT NULL PRIMARY KEY)").await;
    sql.run("INSERT INTO other VALUES ('k')").await;
    scene.drain(&mut running).await;
    wait_parked(&mut running, 2).await;
    running.stop().await.expect(3);
    let items = listed(&task).await;
    let id = |what: &str| {
        let found = items.iter().find(|item| item["what"].as_str().is_some_and(|text| text.contains(what)));
        found
            .and_then(|item| item["id"].as_str())
            .unwrap_or_else(|| panic!("no {what} in {items:?}"))
            .to_owned()
    };
    task.parked(&["skip", &id("CREATE INDEX")]).await.expect(0).says(&["the task carries it out"]);
    task.parked(&["retry", &id("DROP TABLE")]).await.expect(0);
    task.parked(&["retry", &id("DROP TABLE")]).await.expect(1);
    let mut running = task.start();
    running.wait_phase("incremental").await;
    scene.drain(&mut running).await;
    wait_parked_none(&mut running).await;
    running.stop().await.expect(0);
    scene.assert_equal().await;
    let mut target = scene.target().await;
    let indexes = "SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = DATABASE() AND \
                   table_name = 't'";
    assert_eq!(target.column(indexes).await, ["PRIMARY"]);
}

async fn wait_parked_none(running: &mut Running) {
    running
        .wait_until("nothing parked", |status| {
            status["parked_statements"].as_array().is_some_and(Vec::is_empty)
        })
        .await;
}

/// With `--on-ddl-error stop` a refusal ends the run; what was done by hand is recognised by the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_stops_the_task_where_that_is_wanted() {
    let (scene, mut sql) = prepared("ddlp_onerr").await;
    let task = scene.migrate().flag("--follow").arg("--on-ddl-error", "stop");
    let mut running = task.start();
    running.wait_phase("incremental").await;
    scene.target().await.run("CREATE TABLE made (x INT)").await;
    sql.run("CREATE TABLE made (id INT NOT NULL PRIMARY KEY)").await;
    sql.run("INSERT INTO made VALUES (1)").await;
    running.finish().await.expect(1).says(&["1050"]);
    scene.target().await.run("DROP TABLE made").await;
    let mut running = task.start();
    running.wait_phase("incremental").await;
    scene.drain(&mut running).await;
    running.stop().await.expect(0);
    scene.assert_equal().await;
}

#[tokio::test]
async fn policies_that_nobody_knows_are_usage_mistakes() {
    for policy in ["drop-tables=ask", "drop-table=maybe", "drop-table"] {
        Task::new("plan", "mysql://u@127.0.0.1:1/", "mysql://u@127.0.0.1:1/")
            .include("a.*")
            .arg("--ddl", policy)
            .run()
            .await
            .expect(2)
            .says(&["--ddl"]);
    }
}

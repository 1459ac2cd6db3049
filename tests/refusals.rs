//! Rows that the target refuses, rows that meet there, rows that somebody else changed.

use serde_json::Value as Json;

use crate::harness::{Outcome, Running, Scene};

fn notes<'a>(report: &'a Json, what: &str) -> Vec<&'a Json> {
    report[what].as_array().into_iter().flatten().collect()
}

fn mentions(note: &Json, texts: &[&str]) -> bool {
    texts.iter().all(|text| note.to_string().contains(text))
}

/// A target table that is narrower than the source's.
async fn narrow_target(test: &str) -> Scene {
    let scene = Scene::mysql(test).await;
    let mut sql = scene.source().await;
    sql.run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, name VARCHAR(50), n INT)").await;
    sql.run(
        "INSERT INTO t VALUES (1, 'short', 1), (2, 'much too long for it', 2), (3, 'ok', 3), (4, 'fine', 4)",
    )
    .await;
    scene.make_marker().await;
    let mut target = scene.make_target().await;
    target.run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, name VARCHAR(8), n INT)").await;
    scene
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_row_of_the_copy_is_parked_and_the_rest_flows() {
    let scene = narrow_target("park_copy").await;
    let outcome = scene.migrate().run().await.expect(3);
    let parked = notes(&outcome.report, "parked");
    assert_eq!(parked.len(), 1, "{}", outcome.text());
    assert!(mentions(parked[0], &["t", "2", "name"]), "table, key and reason: {}", parked[0]);
    assert_eq!(outcome.table("t")["verification"]["missing"], 1, "{}", outcome.text());
    let mut target = scene.target().await;
    assert_eq!(target.column("SELECT id FROM t ORDER BY id").await, ["1", "3", "4"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_changes_of_a_refused_key_queue_and_others_flow() {
    for mode in ["transaction", "convergent"] {
        let scene = narrow_target(&format!("park_{}", &mode[..2])).await;
        let mut sql = scene.source().await;
        sql.run("DELETE FROM t WHERE id = 2").await;
        let mut running = scene.migrate().arg("--apply", mode).flag("--follow").start();
        running.wait_phase("incremental").await;
        for change in [
            "UPDATE t SET name = 'this is far too long' WHERE id = 1",
            "UPDATE t SET n = 11 WHERE id = 1",
            "INSERT INTO t VALUES (10, 'ten', 10)",
            "INSERT INTO t VALUES (11, 'eleven is too long', 11)",
            "UPDATE t SET n = 33 WHERE id = 3",
            "BEGIN; UPDATE t SET n = 44 WHERE id = 4; INSERT INTO t VALUES (12, 'twelve is too long', 12); COMMIT",
            "DELETE FROM t WHERE id = 11",
        ] {
            sql.run(change).await;
        }
        scene.drain(&mut running).await;
        let status = running.wait_until("parked rows", |status| !notes(status, "parked").is_empty()).await;
        let outcome = running.stop().await;
        assert!(matches!(outcome.code, Some(0 | 3)), "{}", outcome.text());
        let mut target = scene.target().await;
        let rows = target.column("SELECT CONCAT(id, ' ', name, ' ', n) FROM t ORDER BY id").await;
        assert_eq!(rows, ["1 short 1", "3 ok 33", "4 fine 44", "10 ten 10"], "{mode}: {}", outcome.text());
        let parked = notes(&outcome.report, "parked");
        assert!(parked.len() >= 2, "{mode}: {}", outcome.text());
        for key in ["1", "12"] {
            assert!(
                parked.iter().any(|note| note["key"].as_str().is_some_and(|text| text.contains(key))
                    && mentions(note, &["name"])),
                "{mode}: key {key} is not among the parked rows: {parked:?}"
            );
        }
        assert!(notes(&status, "parked").iter().all(|note| note["reason"].is_string()), "{status}");
    }
}

/// Two rows of the source that are one for the target's coarser collation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_meet_under_a_coarser_collation_are_reported_both() {
    let scene = Scene::mysql("conflict").await;
    let mut sql = scene.source().await;
    sql.run(
        "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, name VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_as_cs, \
         UNIQUE KEY t_name (name))",
    )
    .await;
    sql.run("INSERT INTO t VALUES (1, 'pear'), (2, 'Pear'), (3, 'plum')").await;
    scene.make_marker().await;
    let mut target = scene.make_target().await;
    target
        .run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, name VARCHAR(20) COLLATE utf8mb4_general_ci, UNIQUE KEY t_name (name))")
        .await;
    let mut running = scene.migrate().flag("--follow").start();
    running.wait_phase("incremental").await;
    sql.run("INSERT INTO t VALUES (4, 'PLUM'), (5, 'fig')").await;
    scene.drain(&mut running).await;
    let outcome = running.stop().await;
    assert!(matches!(outcome.code, Some(0 | 3)), "{}", outcome.text());
    let rows = target.column("SELECT CONCAT(id, ' ', name) FROM t ORDER BY id").await;
    // Of two that meet one is there; the other was neither lost silently nor did it push the first out.
    assert!(
        rows == ["1 pear", "3 plum", "5 fig"] || rows == ["2 Pear", "3 plum", "5 fig"],
        "{rows:?}\n{}",
        outcome.text()
    );
    let notes: Vec<&Json> =
        ["conflicts", "parked"].iter().flat_map(|what| notes(&outcome.report, what)).collect();
    assert!(
        notes.iter().any(|note| mentions(note, &["pear", "Pear"])),
        "both rows are shown: {}",
        outcome.text()
    );
    assert!(
        notes.iter().any(|note| mentions(note, &["plum", "PLUM"])),
        "both rows are shown: {}",
        outcome.text()
    );
}

/// What the tests on foreign changes begin with.
async fn followed(test: &str, policy: &str) -> (Scene, Running) {
    let scene = Scene::mysql(test).await;
    let mut sql = scene.source().await;
    sql.run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, name VARCHAR(50), n INT)").await;
    sql.run(
        "INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3), (4, 'four', 4), (5, 'five', 5)",
    )
    .await;
    scene.make_marker().await;
    let mut running = scene.migrate().arg("--foreign-changes", policy).flag("--follow").start();
    running.wait_phase("incremental").await;
    (scene, running)
}

/// Somebody deletes, changes and inserts rows of the target; then the source changes the same rows.
async fn meddle_and_change(scene: &Scene) {
    let mut target = scene.target().await;
    target.run("DELETE FROM t WHERE id IN (1, 2)").await;
    target.run("INSERT INTO t VALUES (6, 'foreign', 0)").await;
    let mut sql = scene.source().await;
    sql.run("UPDATE t SET n = 10 WHERE id = 1").await;
    sql.run("DELETE FROM t WHERE id = 2").await;
    sql.run("INSERT INTO t VALUES (6, 'six', 6)").await;
    sql.run("UPDATE t SET n = 30 WHERE id = 3").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_changes_are_repaired_and_reported() {
    let (scene, mut running) = followed("foreign_repair", "repair").await;
    meddle_and_change(&scene).await;
    scene.drain(&mut running).await;
    let outcome = running.stop().await.expect(0);
    scene.assert_equal().await;
    assert_eq!(outcome.report["foreign_changes"], 3, "{}", outcome.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_changes_can_be_left_alone() {
    let (scene, mut running) = followed("foreign_ignore", "ignore").await;
    meddle_and_change(&scene).await;
    scene.drain(&mut running).await;
    let outcome = running.stop().await.expect(0);
    assert_eq!(outcome.report["foreign_changes"], 3, "{}", outcome.text());
    let rows = scene.target().await.column("SELECT CONCAT(id, ' ', name, ' ', n) FROM t ORDER BY id").await;
    assert_eq!(rows, ["3 three 30", "4 four 4", "5 five 5", "6 foreign 0"], "{}", outcome.text());
}

fn assert_stopped_by_a_foreign_change(outcome: &Outcome) {
    assert_eq!(outcome.code, Some(1), "{}", outcome.text());
    let output = outcome.all_output();
    for text in ["WB-3008", "cause", "to do"] {
        assert!(output.contains(text), "the output lacks {text}\n{}", outcome.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_change_can_stop_the_task() {
    let (scene, running) = followed("foreign_stop", "stop").await;
    meddle_and_change(&scene).await;
    let outcome = running.finish().await;
    assert_stopped_by_a_foreign_change(&outcome);
    // The position was kept: what came after the foreign change is not applied.
    let rows = scene.target().await.column("SELECT CONCAT(id, ' ', n) FROM t WHERE id = 3").await;
    assert_eq!(rows, ["3 3"], "{}", outcome.text());
}

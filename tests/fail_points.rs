//! The process dies at every place where something has been done and isn't recorded yet, while the source is being written
//! to; run again, the task neither loses nor repeats anything.

use whimbrel_connector::FailPoint;

use crate::harness::workload::{self, Load, Workload, numbers};
use crate::harness::{Outcome, Running, Scene, Server, Sql, Task};

/// Up to the first change, in the order in which a task comes by.
const BEGINNING: [FailPoint; 15] = [
    FailPoint::TaskWritten,
    FailPoint::StartWritten,
    FailPoint::EpochTaken,
    FailPoint::SegmentWritten,
    FailPoint::SegmentRenamed,
    FailPoint::StoreCreated,
    FailPoint::ConsumersWritten,
    FailPoint::OwnTableRecorded,
    FailPoint::TableCreated,
    FailPoint::ChunksPlanned,
    FailPoint::ChunkWritten,
    FailPoint::ChunkCommitted,
    FailPoint::IndexBuilt,
    FailPoint::OverlapRecorded,
    FailPoint::ForeignKeyAdded,
];
const KEYLESS: [FailPoint; 3] =
    [FailPoint::KeylessCleared, FailPoint::KeylessWritten, FailPoint::KeylessCommitted];
/// Wherever changes are applied, at the first and at a later passage.
const CHANGES: [FailPoint; 5] = [
    FailPoint::BlocksWritten,
    FailPoint::BlocksSynced,
    FailPoint::ChangesWritten,
    FailPoint::CheckpointWritten,
    FailPoint::ChangesCommitted,
];
const LARGE: [FailPoint; 2] = [FailPoint::PieceWritten, FailPoint::LargeCommitted];
const DDL: [FailPoint; 3] = [FailPoint::DdlBegun, FailPoint::DdlDone, FailPoint::DdlRecorded];
const PARKING: [FailPoint; 2] = [FailPoint::ParkWritten, FailPoint::ParkCommitted];
/// Each has a test of its own.
const OTHERS: [FailPoint; 4] =
    [FailPoint::LaneCommitted, FailPoint::RowSettled, FailPoint::DecisionNoted, FailPoint::QueueApplied];

#[test]
fn every_point_is_tried() {
    let tried = [&BEGINNING[..], &KEYLESS, &CHANGES, &LARGE, &DDL, &PARKING, &OTHERS].concat();
    for point in FailPoint::ALL {
        assert!(tried.contains(&point), "{}", point.name());
    }
}

fn armed(task: &Task, point: FailPoint, count: u64) -> Task {
    task.clone().env("WHIMBREL_FAIL_POINT", &format!("{}:{count}", point.name()))
}

fn assert_died(outcome: &Outcome, point: FailPoint) {
    assert_eq!(outcome.code, None, "the task didn't die at {}\n{}", point.name(), outcome.text());
}

/// Runs the task until it dies at the `count`th passage of a point.
async fn dies_at(task: &Task, point: FailPoint, count: u64) {
    let outcome = armed(task, point, count).run().await;
    println!("{}:{count} after {:.1} s", point.name(), outcome.seconds);
    assert_died(&outcome, point);
}

/// Lets the task come to its end after all that; both sides have to be equal.
async fn ends_equal(scene: &Scene, task: &Task, work: Option<Workload>) {
    let mut running = task.start();
    running.wait_phase("incremental").await;
    if let Some(work) = work {
        work.stop().await;
    }
    scene.drain(&mut running).await;
    let outcome = running.stop().await.expect(0);
    scene.assert_equal().await;
    assert_eq!(outcome.report["foreign_changes"], 0, "{}", outcome.text());
    for nothing in ["parked", "conflicts", "parked_statements"] {
        let found = outcome.report[nothing].as_array().map(Vec::len);
        assert_eq!(found, Some(0), "{nothing}: {}", outcome.text());
    }
}

/// Tables and live writers of the workload, and tables for what a test does itself.
async fn busy(scene: &Scene, seed: u64) -> (Sql, Workload) {
    let mut sql = scene.source().await;
    workload::prepare(&mut sql, 2_000).await;
    for statement in [
        "CREATE TABLE parent (id INT NOT NULL PRIMARY KEY)",
        "CREATE TABLE child (id INT NOT NULL PRIMARY KEY, parent INT, KEY (parent), FOREIGN KEY (parent) REFERENCES parent (id))",
        "INSERT INTO parent VALUES (1), (2)",
        "INSERT INTO child VALUES (1, 1), (2, 2), (3, 1)",
        "CREATE TABLE shaped (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT, note VARCHAR(20))",
        "INSERT INTO shaped (v) VALUES (1), (2), (3)",
        "CREATE TABLE big (id INT NOT NULL PRIMARY KEY, v INT)",
    ] {
        sql.run(statement).await;
    }
    scene.make_marker().await;
    let load = Load { writers: 2, ..Load::modest(seed) };
    let work = Workload::start(&scene.source, &scene.db, load).await;
    (sql, work)
}

/// A transaction that is too large for one window, in rows of their own.
async fn large_transaction(sql: &mut Sql, number: usize) {
    let from = number * 100_000;
    sql.run(&format!("INSERT INTO big {} SELECT {from} + i, i FROM n", numbers(60_000))).await;
}

/// As many transactions, each of more changes than one lane of a window gets.
async fn wide_transactions(sql: &mut Sql, count: u64) {
    for number in 0..count {
        let from = 10_000_000 + 100_000 * count + 2_000 * number;
        sql.run(&format!("INSERT INTO big {} SELECT {from} + i, i FROM n", numbers(2_000))).await;
    }
}

async fn change_shape(sql: &mut Sql, number: usize) {
    sql.run(&format!(
        "ALTER TABLE shaped ADD COLUMN c{number} INT DEFAULT {number}, ADD KEY k{number} (v, c{number})"
    ))
    .await;
    sql.run(&format!("INSERT INTO shaped (v, c{number}) VALUES ({number}, 7)")).await;
    sql.run(&format!("UPDATE shaped SET note = 'after {number}' WHERE id <= 2")).await;
}

/// Brings the task to where it follows.
async fn follows(task: &Task) {
    let mut running = task.start();
    running.wait_phase("incremental").await;
    running.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn up_to_the_first_change() {
    // At MySQL: seekdb 1.4 never comes back from a DDL statement whose client goes, here the building of another table's
    // index, and then all DDL of the server waits.
    let scene = Scene::new("fp_begin", Server::mysql(), Server::mysql()).await;
    let (_sql, work) = busy(&scene, 61).await;
    let task = scene.migrate().flag("--follow");
    for point in BEGINNING {
        dies_at(&task, point, 1).await;
    }
    ends_equal(&scene, &task, Some(work)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_tables_without_a_key_are_copied() {
    let scene = Scene::mariadb("fp_keyless").await;
    let mut sql = scene.source().await;
    workload::allow_recursion(&mut sql).await;
    for table in ["one", "two", "three"] {
        sql.run(&format!("CREATE TABLE {table} (a INT, b VARCHAR(20))")).await;
        sql.run(&format!("INSERT INTO {table} {} SELECT i % 9, 'same' FROM n", numbers(500))).await;
    }
    scene.make_marker().await;
    let task = scene.migrate().flag("--follow").arg("--workers", "1");
    // One table after the other: each point is passed once for each.
    for point in KEYLESS {
        dies_at(&task, point, 1).await;
        sql.run("DELETE FROM two WHERE a = 4 LIMIT 3").await;
        sql.run("INSERT INTO one VALUES (1, 'same'), (1, 'same')").await;
    }
    ends_equal(&scene, &task, None).await;
}

async fn while_changes_are_applied(scene: Scene, mode: &str) {
    let (mut sql, work) = busy(&scene, 62).await;
    let task = scene.migrate().flag("--follow").arg("--apply", mode);
    follows(&task).await;
    for point in CHANGES {
        for count in [1, 7] {
            dies_at(&task, point, count).await;
        }
    }
    if mode == "convergent" {
        // Small windows aren't split: a machine that keeps up with the writers never comes by here without these.
        for count in [1, 7] {
            wide_transactions(&mut sql, count).await;
            dies_at(&task, FailPoint::LaneCommitted, count).await;
        }
    }
    for (number, point) in LARGE.into_iter().enumerate() {
        large_transaction(&mut sql, number).await;
        dies_at(&task, point, 1).await;
    }
    for (number, point) in DDL.into_iter().enumerate() {
        // Several steps at OceanBase: the second is tried too.
        for count in [1, 2] {
            change_shape(&mut sql, 2 * number + count as usize).await;
            dies_at(&task, point, count).await;
        }
    }
    ends_equal(&scene, &task, Some(work)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_transactions_are_applied() {
    let scene = Scene::new("fp_tx", Server::mysql(), Server::oceanbase()).await;
    while_changes_are_applied(scene, "transaction").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_net_changes_are_applied() {
    let scene = Scene::mariadb("fp_cv").await;
    while_changes_are_applied(scene, "convergent").await;
}

/// Rows that meet under a coarser collation of the target's unique keys: set aside when they are copied, settled (here:
/// reported) when the overlap has passed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_rows_that_met_are_settled() {
    let scene = Scene::mysql("fp_settle").await;
    let mut sql = scene.source().await;
    sql.run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, name VARCHAR(20) COLLATE utf8mb4_0900_as_cs, UNIQUE KEY (name))")
        .await;
    sql.run(
        "INSERT INTO t VALUES (1, 'pear'), (2, 'plum'), (3, 'fig'), (11, 'Pear'), (12, 'Plum'), (13, 'Fig')",
    )
    .await;
    scene.make_marker().await;
    let mut target = scene.make_target().await;
    target
        .run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, name VARCHAR(20) COLLATE utf8mb4_general_ci, UNIQUE KEY (name))")
        .await;
    let task = scene.migrate().flag("--follow");
    dies_at(&task, FailPoint::RowSettled, 1).await;
    dies_at(&task, FailPoint::RowSettled, 2).await;
    let mut running = task.start();
    running.wait_phase("incremental").await;
    scene.drain(&mut running).await;
    let outcome = running.stop().await;
    let rows = target.column("SELECT LOWER(name) FROM t ORDER BY name").await;
    assert_eq!(rows, ["fig", "pear", "plum"], "one of each pair\n{}", outcome.text());
    let conflicts = outcome.report["conflicts"].as_array().map(Vec::len);
    assert_eq!(conflicts, Some(3), "the other of each pair, once\n{}", outcome.text());
}

async fn waiting_statement(running: &mut Running) -> String {
    let status = running
        .wait_until("a parked statement", |status| status["parked_statements"][0]["id"].is_string())
        .await;
    status["parked_statements"][0]["id"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_statements_are_parked_and_decided() {
    let scene = Scene::mysql("fp_park").await;
    let (mut sql, work) = busy(&scene, 63).await;
    let task = scene.migrate().flag("--follow").arg("--ddl", "truncate=ask");
    follows(&task).await;
    sql.run("TRUNCATE TABLE shaped").await;
    sql.run("INSERT INTO shaped (v) VALUES (7), (8)").await;
    for point in PARKING {
        dies_at(&task, point, 1).await;
    }
    let mut running = armed(&task, FailPoint::DecisionNoted, 1).start();
    running.wait_phase("incremental").await;
    let id = waiting_statement(&mut running).await;
    sql.run("UPDATE shaped SET v = v + 1").await;
    // The task dies before it can answer.
    task.parked(&["retry", &id]).await;
    assert_died(&running.finish().await, FailPoint::DecisionNoted);
    dies_at(&task, FailPoint::QueueApplied, 1).await;
    ends_equal(&scene, &task, Some(work)).await;
}

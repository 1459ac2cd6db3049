//! Tables without any key: every row as often as at the source, whatever happens meanwhile.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::harness::workload::{allow_recursion, numbers};
use crate::harness::{Random, Scene, Server, Sql};

const SCHEMA: &str = "
CREATE TABLE plain (a INT, b VARCHAR(30));
CREATE TABLE mixed (f FLOAT, d DOUBLE, t TEXT, r VARBINARY(20), j JSON, at_time DATETIME(3), n DECIMAL(8,3));
CREATE TABLE nullable_unique (a INT NULL, b VARCHAR(10) NULL, UNIQUE KEY a_b (a, b));
CREATE TABLE empty_one (a INT)";

async fn prepare(sql: &mut Sql) {
    sql.run(SCHEMA).await;
    allow_recursion(sql).await;
    let numbers = numbers(9000);
    sql.run(&format!("INSERT INTO plain {numbers} SELECT i % 10, CONCAT('dup ', i % 7) FROM n")).await;
    sql.run(&format!(
        "INSERT INTO mixed {numbers} SELECT (i % 5) / 3, (i % 4) / 7, IF(i % 6 = 0, NULL, REPEAT('t', i % 6)), \
         UNHEX(LPAD(HEX(i % 3), 4, '0')), CONCAT('{{\"k\": ', i % 3, '}}'), '2024-01-01 00:00:00.125', i % 8 / 8 FROM n"
    ))
    .await;
    sql.run(&format!(
        "INSERT INTO nullable_unique {numbers} SELECT IF(i % 2, NULL, i), IF(i % 3, 'x', NULL) FROM n"
    ))
    .await;
}

/// One writer of random changes, each of some of the equal rows only.
async fn write(server: Server, db: String, seed: u64, stop: CancellationToken) -> u64 {
    let mut sql = Sql::open(&server, &db).await;
    let mut random = Random::new(seed);
    let mut ticks = interval(Duration::from_millis(12));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut done = 0;
    while !stop.is_cancelled() {
        ticks.tick().await;
        let (a, b, some) = (random.below(10), random.below(7), random.between(1, 5));
        let statement = match random.below(8) {
            0 | 1 => format!("INSERT INTO plain VALUES ({a}, 'dup {b}'), ({a}, 'dup {b}'), (NULL, NULL)"),
            2 => format!("DELETE FROM plain WHERE a = {a} LIMIT {some}"),
            3 => format!("UPDATE plain SET b = 'changed' WHERE a = {a} AND b = 'dup {b}' LIMIT {some}"),
            4 => format!("DELETE FROM mixed WHERE n = {b} / 8 LIMIT {some}"),
            5 => format!("INSERT INTO mixed SELECT * FROM (SELECT * FROM mixed LIMIT {some}) m"),
            6 => format!("UPDATE mixed SET f = f + 1, t = NULL WHERE n = {b} / 8 LIMIT {some}"),
            _ => format!(
                "INSERT INTO nullable_unique VALUES (NULL, 'x'), (NULL, NULL); DELETE FROM nullable_unique WHERE a IS NULL LIMIT {some}"
            ),
        };
        sql.run(&statement).await;
        done += 1;
    }
    done
}

async fn exactly_once(scene: Scene, mode: &str, kill: bool) {
    let mut sql = scene.source().await;
    prepare(&mut sql).await;
    scene.make_marker().await;
    let stop = CancellationToken::new();
    let seed = Random::seed(51);
    let writer = tokio::spawn(write(scene.source.clone(), scene.db.clone(), seed, stop.clone()));
    let task = scene.migrate().arg("--apply", mode).flag("--follow").arg("--rate-limit", "8000");
    if kill {
        for rows in [1, 7_000] {
            let mut running = task.start();
            running.wait_imported(rows).await;
            running.kill().await;
        }
        for applied in [1, 40, 80] {
            let mut running = task.start();
            running.wait_phase("incremental").await;
            running
                .wait_until("some transactions", |status| {
                    status["applied_transactions"].as_u64() >= Some(applied)
                })
                .await;
            running.kill().await;
        }
    }
    let mut running = task.start();
    running.wait_phase("incremental").await;
    running
        .wait_until("some transactions", |status| status["applied_transactions"].as_u64() >= Some(100))
        .await;
    stop.cancel();
    let written = writer.await.expect("the writer doesn't fail");
    assert!(written > 100, "only {written} writes");
    scene.drain(&mut running).await;
    let outcome = running.stop().await.expect(0);
    scene.assert_equal().await;
    assert_eq!(outcome.report["foreign_changes"], 0, "{}", outcome.text());
    assert_eq!(outcome.report["parked"].as_array().map(Vec::len), Some(0), "{}", outcome.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_by_transaction() {
    exactly_once(Scene::mysql("keyless_my").await, "transaction", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_convergent_with_kills() {
    exactly_once(Scene::mysql("keyless_my_kill").await, "convergent", true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_by_transaction_with_kills() {
    exactly_once(Scene::mariadb("keyless_ma_kill").await, "transaction", true).await;
}

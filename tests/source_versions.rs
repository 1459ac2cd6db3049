//! The main job from every version of a source that is supported: live writes during the copy, kills while rows are copied
//! and while changes are applied, table DDL, keyless tables; and from MySQL to MariaDB and back.
//! `make test` takes one old and the newest of each family, `make test-all` all. What a version can't do, and what is done instead, is in `docs/sources.md`.

use crate::harness::workload::{self, Load, Workload};
use crate::harness::{Random, Scene, Server};

async fn moves(scene: Scene, mode: &str) {
    let mut random = Random::new(Random::seed(71));
    let mut sql = scene.source().await;
    workload::prepare(&mut sql, 3_000).await;
    sql.run("CREATE TABLE shaped (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT, note VARCHAR(20)) ENGINE=InnoDB").await;
    sql.run("INSERT INTO shaped (v) VALUES (1), (2), (3)").await;
    scene.make_marker().await;
    let load = Load { writers: 2, ..Load::modest(random.next_u64()) };
    let work = Workload::start(&scene.source, &scene.db, load).await;
    let task = scene
        .migrate()
        .flag("--follow")
        .arg("--apply", mode)
        .arg("--workers", "2")
        .arg("--rate-limit", "6000");
    let mut running = task.start();
    running.wait_imported(random.between(1, 6_000) as u64).await;
    running.kill().await;
    let mut running = task.start();
    running.wait_phase("incremental").await;
    let applied = random.between(20, 80) as u64;
    running
        .wait_until("some transactions", |status| status["applied_transactions"].as_u64() >= Some(applied))
        .await;
    running.kill().await;
    for statement in [
        "ALTER TABLE shaped ADD COLUMN added INT NOT NULL DEFAULT 7, ADD KEY by_v (v)",
        "INSERT INTO shaped (v, added) VALUES (4, 8)",
        "ALTER TABLE shaped CHANGE note remark VARCHAR(40)",
        "UPDATE shaped SET remark = 'changed', v = v + 1",
        "CREATE TABLE later (id INT NOT NULL PRIMARY KEY, v VARCHAR(10)) ENGINE=InnoDB",
        "INSERT INTO later VALUES (1, 'one'), (2, 'two')",
        "DELETE FROM later WHERE id = 1",
    ] {
        sql.run(statement).await;
    }
    let mut running = task.start();
    running.wait_phase("incremental").await;
    work.stop().await;
    scene.drain(&mut running).await;
    let outcome = running.stop().await.expect(0);
    scene.assert_equal().await;
    assert_eq!(outcome.report["foreign_changes"], 0, "{}", outcome.text());
    for nothing in ["parked", "conflicts", "parked_statements"] {
        let found = outcome.report[nothing].as_array().map(Vec::len);
        assert_eq!(found, Some(0), "{nothing}: {}", outcome.text());
    }
}

async fn to_oceanbase(source: &'static str, mode: &str) {
    moves(Scene::new(&format!("from_{source}"), Server::shared(source), Server::oceanbase()).await, mode)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_5_5_by_transaction() {
    to_oceanbase("mysql55", "transaction").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "time: make test-all"]
async fn mysql_5_6_convergent() {
    to_oceanbase("mysql56", "convergent").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "time: make test-all"]
async fn mysql_9_7_convergent() {
    to_oceanbase("mysql97", "convergent").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "time: make test-all"]
async fn mariadb_10_2_convergent() {
    to_oceanbase("mariadb102", "convergent").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "time: make test-all"]
async fn mariadb_10_11_by_transaction() {
    to_oceanbase("mariadb1011", "transaction").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_11_8_by_transaction() {
    to_oceanbase("mariadb118", "transaction").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_to_mariadb() {
    moves(Scene::new("my_to_ma", Server::mysql(), Server::mariadb()).await, "transaction").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_to_mysql() {
    moves(Scene::new("ma_to_my", Server::mariadb(), Server::mysql()).await, "convergent").await;
}

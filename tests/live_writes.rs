//! The source is written all the time: while rows are copied, while changes catch up, while rows are compared.

use crate::harness::workload::{self, Load, Workload};
use crate::harness::{Outcome, Random, Scene, Server};

const TABLES: [&str; 4] = ["account", "entry", "tag", "audit"];

fn assert_reported_equal(outcome: &Outcome) {
    for table in TABLES {
        assert_eq!(outcome.table(table)["verification"]["result"], "equal", "{}", outcome.text());
    }
    for nothing in ["parked", "conflicts"] {
        assert_eq!(
            outcome.report[nothing].as_array().map(Vec::len),
            Some(0),
            "{nothing}: {}",
            outcome.text()
        );
    }
    assert_eq!(outcome.report["foreign_changes"], 0, "{}", outcome.text());
}

/// Writes go on until a part of the rows is copied; the run ends by itself, with both sides equal.
async fn writes_during_the_copy(scene: Scene, mode: &str) {
    let mut sql = scene.source().await;
    workload::prepare(&mut sql, 12_000).await;
    let load = Load { large_rows: 20_000, ..Load::modest(Random::seed(11)) };
    let work = Workload::start(&scene.source, &scene.db, load).await;
    let task = scene.migrate().arg("--apply", mode).arg("--rate-limit", "6000").arg("--workers", "2");
    let mut running = task.start();
    running.wait_imported(20_000).await;
    let done = work.stop().await;
    assert!(done.values().sum::<u64>() > 100, "too few writes to mean anything: {done:?}");
    let outcome = running.finish().await.expect(0);
    scene.assert_equal().await;
    assert_reported_equal(&outcome);
    assert_eq!(outcome.report["result"], "done");
    assert!(outcome.report["applied_changes"].as_u64() > Some(100), "{}", outcome.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_is_copied_while_written_by_transaction() {
    writes_during_the_copy(Scene::mysql("live_my_tx").await, "transaction").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_is_copied_while_written_convergent() {
    writes_during_the_copy(Scene::mysql("live_my_cv").await, "convergent").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_is_copied_while_written_by_transaction() {
    writes_during_the_copy(Scene::mariadb("live_ma_tx").await, "transaction").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_is_copied_while_written_convergent() {
    writes_during_the_copy(Scene::mariadb("live_ma_cv").await, "convergent").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_is_copied_to_mysql_while_written() {
    let scene = Scene::new("live_mm", Server::mysql(), Server::mysql()).await;
    writes_during_the_copy(scene, "transaction").await;
}

/// Writes never pause until the task follows; it ends with SIGINT.
async fn writes_all_the_time(scene: Scene, mode: &str, large_rows: u64) {
    let mut sql = scene.source().await;
    workload::prepare(&mut sql, 4_000).await;
    scene.make_marker().await;
    let load = Load { large_rows, ..Load::modest(Random::seed(23)) };
    let work = Workload::start(&scene.source, &scene.db, load).await;
    let mut running = scene.migrate().arg("--apply", mode).flag("--follow").start();
    running.wait_phase("incremental").await;
    let before =
        running.status().await.and_then(|status| status["applied_transactions"].as_u64()).unwrap_or(0);
    running
        .wait_until("200 more transactions", |status| {
            status["applied_transactions"].as_u64() > Some(before + 200)
        })
        .await;
    let done = work.stop().await;
    if large_rows > 0 {
        assert!(done.get("large") > Some(&0), "no large transaction: {done:?}");
    }
    scene.drain(&mut running).await;
    let outcome = running.stop().await.expect(0);
    scene.assert_equal().await;
    assert_reported_equal(&outcome);
    assert_eq!(outcome.report["result"], "stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follows_mysql_with_large_transactions_by_transaction() {
    writes_all_the_time(Scene::mysql("follow_my").await, "transaction", 100_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follows_mariadb_with_large_transactions_convergent() {
    writes_all_the_time(Scene::mariadb("follow_ma").await, "convergent", 100_000).await;
}

/// A second signal doesn't wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_stops_at_once_and_the_task_resumes() {
    let scene = Scene::mysql("two_signals").await;
    let mut sql = scene.source().await;
    workload::prepare(&mut sql, 8_000).await;
    let slow = scene.migrate().arg("--rate-limit", "1000").arg("--workers", "1");
    let mut running = slow.start();
    running.wait_imported(500).await;
    running.interrupt().await;
    running.signal("TERM").await;
    let begun = std::time::Instant::now();
    let outcome = running.finish().await;
    assert!(begun.elapsed().as_secs() < 5, "{}", outcome.text());
    assert!(outcome.code != Some(0), "{}", outcome.text());
    slow.without("--rate-limit").arg("--rate-limit", "0").run().await.expect(0);
    scene.assert_equal().await;
}

/// All connections are cut again and again; the task goes on by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_are_made_again() {
    use crate::harness::proxy::Proxy;
    use crate::harness::whimbrel::Task;
    let scene = Scene::mysql("cuts").await;
    let mut sql = scene.source().await;
    workload::prepare(&mut sql, 6_000).await;
    scene.make_marker().await;
    let (to_source, to_target) = (Proxy::to(scene.source.port()).await, Proxy::to(scene.target.port()).await);
    let url = |url: String, from: u16, to: u16| url.replace(&format!(":{from}/"), &format!(":{to}/"));
    let source_url = url(scene.source.url(), scene.source.port(), to_source.port);
    let target_url = url(scene.target.target_url(), scene.target.port(), to_target.port);
    let task = Task::new("migrate", &source_url, &target_url).include(&format!("{}.*", scene.db));
    let work = Workload::start(&scene.source, &scene.db, Load::modest(Random::seed(31))).await;
    let mut running = task.flag("--follow").arg("--rate-limit", "4000").arg("--workers", "2").start();
    for rows in [1_000, 5_000, 9_000] {
        running.wait_imported(rows).await;
        to_source.cut_now();
        scene.target().await.wait_without_ddl().await;
        to_target.cut_now();
    }
    running.wait_phase("incremental").await;
    for _ in 0..3 {
        let status = running.status().await.unwrap_or_default();
        let before = status["applied_transactions"].as_u64().unwrap_or(0);
        to_source.cut_now();
        to_target.cut_now();
        running
            .wait_until("50 transactions after the cut", |status| {
                status["applied_transactions"].as_u64() > Some(before + 50)
            })
            .await;
    }
    work.stop().await;
    scene.drain(&mut running).await;
    let outcome = running.stop().await.expect(0);
    assert!(to_source.cuts() + to_target.cuts() > 6, "the proxies cut nothing");
    scene.assert_equal().await;
    assert_reported_equal(&outcome);
}

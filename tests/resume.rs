//! Killed at any moment, the task goes on where it stood when it is run again, and repeats nothing.

use crate::harness::proxy::Proxy;
use crate::harness::servers::Server;
use crate::harness::whimbrel::imported;
use crate::harness::workload::{self, Load, Workload};
use crate::harness::{Random, Scene, Task};

/// Kills the task in each phase, several times while rows are copied and while changes are applied, with writes going
/// on all the time.
async fn killed_in_every_phase(scene: Scene, mode: &str, seed: u64) {
    let mut random = Random::new(Random::seed(seed));
    let mut sql = scene.source().await;
    workload::prepare(&mut sql, 8_000).await;
    scene.make_marker().await;
    let total: u64 = 8_000 + 8_000 + 2_000 + 8_000;
    let load = Load { large_rows: 20_000, writers: 2, ..Load::modest(random.next_u64()) };
    let work = Workload::start(&scene.source, &scene.db, load).await;
    let task = scene
        .migrate()
        .arg("--apply", mode)
        .flag("--follow")
        .arg("--workers", "2")
        .arg("--rate-limit", "5000");
    kill_in_phase(&task, "schema").await;
    let mut copied = 0;
    for kill in 0..4 {
        let mut running = task.start();
        let first = running.wait_until("full import", |status| status["phase"] == "full_import").await;
        assert!(
            imported(&first) == 0 || imported(&first) >= copied,
            "rows were forgotten: {} of {copied}",
            imported(&first)
        );
        let until = random.between(total as i64 * kill / 5, total as i64 * (kill + 1) / 5) as u64;
        copied = imported(&running.wait_imported(until).await);
        running.kill().await;
    }
    for phase in ["catch_up", "verification", "incremental"] {
        kill_in_phase(&task, phase).await;
    }
    for _ in 0..3 {
        let mut running = task.start();
        running.wait_phase("incremental").await;
        let more = random.between(1, 150) as u64;
        running
            .wait_until("some transactions", |status| status["applied_transactions"].as_u64() >= Some(more))
            .await;
        running.kill().await;
    }
    let mut running = task.start();
    running.wait_phase("incremental").await;
    work.stop().await;
    scene.drain(&mut running).await;
    let outcome = running.stop().await.expect(0);
    scene.assert_equal().await;
    assert_eq!(outcome.report["foreign_changes"], 0, "{}", outcome.text());
    for nothing in ["parked", "conflicts"] {
        assert_eq!(
            outcome.report[nothing].as_array().map(Vec::len),
            Some(0),
            "{nothing}: {}",
            outcome.text()
        );
    }
}

/// Starts it, waits for the phase or a later one, and kills it.
async fn kill_in_phase(task: &Task, phase: &str) {
    const ORDER: [&str; 6] = ["precheck", "schema", "full_import", "catch_up", "verification", "incremental"];
    let wanted = ORDER.iter().position(|name| *name == phase).unwrap_or(0);
    let mut running = task.start();
    running
        .wait_until(&format!("phase {phase}"), |status| {
            ORDER.iter().position(|name| status["phase"] == *name) >= Some(wanted)
        })
        .await;
    running.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn survives_kills_in_every_phase_from_mysql_by_transaction() {
    killed_in_every_phase(Scene::mysql("kill_my_tx").await, "transaction", 41).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn survives_kills_in_every_phase_from_mysql_convergent() {
    killed_in_every_phase(Scene::mysql("kill_my_cv").await, "convergent", 42).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn survives_kills_in_every_phase_from_mariadb_by_transaction() {
    killed_in_every_phase(Scene::mariadb("kill_ma_tx").await, "transaction", 43).await;
}

/// A chunk that was committed isn't read again: rows that were put into the target's copied part afterwards stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn committed_chunks_are_not_copied_again() {
    let scene = Scene::mysql("chunks_once").await;
    let mut sql = scene.source().await;
    workload::allow_recursion(&mut sql).await;
    sql.run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, pad VARCHAR(2000) CHARACTER SET ascii)").await;
    let numbers = workload::numbers(20_000);
    sql.run(&format!("INSERT INTO t {numbers} SELECT i, REPEAT('x', 1500) FROM n")).await;
    // Without statistics the whole table is taken for one chunk.
    sql.run("ANALYZE TABLE t").await;
    let task =
        scene.migrate().arg("--steps", "schema,full").arg("--rate-limit", "2500").arg("--workers", "1");
    let mut running = task.start();
    running.wait_imported(6_000).await;
    running.kill().await;
    let mut target = scene.target().await;
    let copied: u64 = target.count("t").await;
    assert!((5_000..20_000).contains(&copied), "{copied} rows at the kill");
    target.run("UPDATE t SET pad = 'changed by the test' WHERE id <= 100").await;
    let fast = task.without("--rate-limit").arg("--rate-limit", "0");
    let outcome = fast.run().await.expect(0);
    assert_eq!(outcome.table("t")["rows"], 20_000, "{}", outcome.text());
    assert_eq!(target.count("t").await, 20_000);
    assert_eq!(
        target.count("t WHERE pad = 'changed by the test'").await,
        100,
        "copied chunks were written again"
    );
    // A task that is done has nothing left to do.
    fast.run().await.expect(0);
    assert_eq!(target.count("t WHERE pad = 'changed by the test'").await, 100, "a finished task wrote again");
}

/// Run again after it was done, the task takes up the changes since then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_task_goes_on_with_what_changed_since() {
    let scene = Scene::mysql("again").await;
    let mut sql = scene.source().await;
    workload::prepare(&mut sql, 500).await;
    let task = scene.migrate();
    task.run().await.expect(0);
    scene.assert_equal().await;
    for change in [
        "DELETE FROM account WHERE id % 3 = 0",
        "UPDATE account SET balance = balance + 1, id = id + 100000 WHERE id % 3 = 1",
        "INSERT INTO audit SELECT * FROM (SELECT * FROM audit LIMIT 50) a",
        "DELETE FROM audit WHERE actor = 3",
    ] {
        sql.run(change).await;
    }
    let mut running = task.flag("--follow").start();
    running.wait_phase("incremental").await;
    let mut difference = Some(String::new());
    running
        .wait_for("both sides to be equal", async || {
            let (mut source, mut target) = (scene.source().await, scene.target().await);
            difference =
                crate::harness::compare::difference(&mut source, "account", &mut target, "account").await;
            difference.is_none()
        })
        .await;
    running.stop().await.expect(0);
    scene.assert_equal().await;
}

/// A server that can't be reached ends a task at its very first start. A task that has begun waits for it, says so, and
/// can be stopped while it waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resumed_task_waits_for_a_source_that_is_away() {
    let scene = Scene::new("away", Server::mysql(), Server::mysql()).await;
    let mut sql = scene.source().await;
    sql.run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY)").await;
    sql.run("INSERT INTO t VALUES (1), (2)").await;
    let proxy = Proxy::to(scene.source.port()).await;
    let url = scene
        .source
        .url()
        .replace(&format!(":{}/", scene.source.port()), &format!(":{}/?tls=off", proxy.port));
    let task = Task::new("migrate", &url, &scene.target.target_url())
        .include(&format!("{}.*", scene.db))
        .arg("--map", &format!("{}.*={}.*", scene.db, scene.target_db))
        .flag("--follow");
    let away = |status: &serde_json::Value| {
        let error = &status["last_error"];
        status["phase"] == "precheck"
            && (error["code"] == "WB-1001" || error["code"] == "WB-1008")
            && error["hint"].as_str().is_some_and(|hint| hint.contains("goes on by itself"))
    };
    proxy.cut_after(0);
    task.run().await.expect(4).says(&[&proxy.port.to_string()]);

    proxy.heal();
    let mut running = task.start();
    running.wait_phase("incremental").await;
    running.stop().await.expect(0);
    proxy.cut_after(0);
    let mut running = task.start();
    running.wait_until("it waits for the source", away).await;
    running.stop().await.expect(1).says(&["WB-9001"]);
    let mut running = task.start();
    running.wait_until("it waits for the source", away).await;
    sql.run("INSERT INTO t VALUES (3)").await;
    proxy.heal();
    running.wait_phase("incremental").await;
    let target = tokio::sync::Mutex::new(scene.target().await);
    let there = async || target.lock().await.value::<u64>("SELECT COUNT(*) FROM t").await == 3;
    running.wait_for("the row that came meanwhile", there).await;
    running.stop().await.expect(0);
    // A wrong password doesn't pass by waiting.
    task.without("--source").arg("--source", &url.replace(":whimbrel@", ":wrong@")).run().await.expect(4);
}

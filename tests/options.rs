//! What the flags of the command line promise.

use std::path::Path;

use crate::harness::compare::{self, tables};
use crate::harness::workload;
use crate::harness::{Scene, Server, Sql, Task};

async fn three_rows(scene: &Scene) -> Sql {
    let mut sql = scene.source().await;
    sql.run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, name VARCHAR(20))").await;
    sql.run("INSERT INTO t VALUES (1, 'source'), (2, 'source'), (3, 'source')").await;
    sql
}

/// A target that holds one row of another and one of its own.
async fn filled_target(test: &str) -> Scene {
    let scene = Scene::mysql(test).await;
    three_rows(&scene).await;
    let mut target = scene.make_target().await;
    target.run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, name VARCHAR(20))").await;
    target.run("INSERT INTO t VALUES (2, 'target'), (9, 'target')").await;
    scene
}

async fn rows(scene: &Scene) -> Vec<String> {
    scene.target().await.column("SELECT CONCAT(id, ' ', name) FROM t ORDER BY id").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn existing_rows_stop_the_task_by_default() {
    let scene = filled_target("existing_stop").await;
    let outcome = scene.migrate().run().await.expect(4);
    outcome.says(&["WB-4001", &format!("{}.t", scene.db), "not empty", "--existing"]);
    assert_eq!(rows(&scene).await, ["2 target", "9 target"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn existing_rows_can_be_kept() {
    let scene = filled_target("existing_ignore").await;
    let outcome = scene.migrate().arg("--existing", "ignore").run().await.expect(3);
    assert_eq!(rows(&scene).await, ["1 source", "2 target", "3 source", "9 target"], "{}", outcome.text());
    let verification = &outcome.table("t")["verification"];
    assert_eq!(
        (&verification["extra"], &verification["different"]),
        (&1.into(), &1.into()),
        "{}",
        outcome.text()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn existing_rows_can_be_overwritten() {
    let scene = filled_target("existing_over").await;
    let outcome = scene.migrate().arg("--existing", "overwrite").run().await.expect(3);
    assert_eq!(rows(&scene).await, ["1 source", "2 source", "3 source", "9 target"], "{}", outcome.text());
    assert_eq!(outcome.table("t")["verification"]["extra"], 1, "{}", outcome.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn includes_excludes_and_maps_select_and_rename() {
    let scene = Scene::mysql("maps").await;
    let mut sql = scene.source().await;
    for table in ["orders", "log_jan", "log_feb", "tmp_1", "tmp_22", "Keep"] {
        sql.run(&format!("CREATE TABLE {table} (id INT NOT NULL PRIMARY KEY, x INT)")).await;
        sql.run(&format!("INSERT INTO {table} VALUES (1, {})", table.len())).await;
    }
    let db = &scene.db;
    let task = Task::new("migrate", &scene.source.url(), &scene.target.target_url())
        .include(&format!("{db}.log_*"))
        .include(&format!("{db}.[ok]*"))
        .include(&format!("{db}.tmp_?"))
        .arg("--exclude", &format!("{db}.log_feb"))
        .arg("--map", &format!("{db}.log_*={db}.old_*"))
        .arg("--map", &format!("{db}.orders={db}.purchases"))
        .flag("--follow");
    let mut running = task.start();
    running.wait_phase("incremental").await;
    sql.run("INSERT INTO log_jan VALUES (2, 2)").await;
    sql.run("INSERT INTO log_feb VALUES (2, 2)").await;
    sql.run("INSERT INTO orders VALUES (3, 3)").await;
    let target = tokio::sync::Mutex::new(scene.target().await);
    running
        .wait_for("the last change", async || {
            target.lock().await.value::<u64>("SELECT COUNT(*) FROM purchases").await == 2
        })
        .await;
    running.stop().await.expect(0);
    let mut target = scene.target().await;
    assert_eq!(tables(&mut target).await, ["old_jan", "purchases", "tmp_1"]);
    compare::assert_tables_equal(&mut sql, "log_jan", &mut target, "old_jan").await;
    compare::assert_tables_equal(&mut sql, "orders", &mut target, "purchases").await;
}

/// Files of a folder, with their contents.
fn contents(dir: &Path) -> Vec<String> {
    let mut found: Vec<String> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_and_plan_change_nothing() {
    let scene = Scene::mysql("dry").await;
    let mut sql = scene.source().await;
    sql.run(
        "CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20) CHARACTER SET latin1, KEY by_name (name))",
    )
    .await;
    sql.run("INSERT INTO t (name) VALUES ('a')").await;
    let task = scene.migrate();
    task.clone().command(&["check"]).run().await.expect(0);
    let plan = task.clone().command(&["plan"]).run().await.expect(0);
    for text in ["CREATE TABLE", "`t`", "by_name", &scene.db] {
        assert!(plan.stdout.contains(text), "the plan lacks {text}\n{}", plan.text());
    }
    let databases = Sql::open(&scene.target, "").await.column("SHOW DATABASES").await;
    assert!(!databases.contains(&scene.target_db), "the target database was made");
    assert_eq!(contents(task.home()), Vec::<String>::new(), "files were written to --home");
    // What the plan says is what the migration makes.
    task.run().await.expect(0);
    scene.assert_equal().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_task_is_refused_and_the_difference_shown() {
    let scene = Scene::mysql("changed").await;
    three_rows(&scene).await;
    let task = scene.migrate();
    task.run().await.expect(0);
    let outcome = task.clone().arg("--apply", "convergent").run().await.expect(1);
    outcome.says(&["WB-4001", "apply", "transaction", "convergent", "--name"]);
    let outcome = task.clone().arg("--exclude", "x.*").run().await.expect(1);
    outcome.says(&["exclude", "x.*"]);
    task.run().await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_one_task_is_refused() {
    let scene = Scene::mysql("second").await;
    three_rows(&scene).await;
    let task = scene.migrate();
    let mut running = task.clone().flag("--follow").start();
    running.wait_phase("incremental").await;
    let other = scene.migrate().flag("--follow").at_home(Some(task.home().to_owned()));
    other.run().await.expect(1).says(&["WB-4001", "another process", "to do"]);
    running.stop().await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_with_a_copied_home_fences_the_first() {
    let scene = Scene::mysql("fence").await;
    let mut sql = three_rows(&scene).await;
    scene.make_marker().await;
    let task = scene.migrate().flag("--follow");
    let mut first = task.start();
    first.wait_phase("incremental").await;
    let copy = scene.folder().join("copied-home");
    let copied = std::process::Command::new("cp").arg("-r").arg(task.home()).arg(&copy).status();
    assert!(copied.is_ok_and(|status| status.success()));
    let mut second = scene.migrate().flag("--follow").at_home(Some(copy)).start();
    second.wait_phase("incremental").await;
    sql.run("INSERT INTO t VALUES (4, 'after')").await;
    scene.drain(&mut second).await;
    first.finish().await.expect(1).says(&["WB-3007"]);
    second.stop().await.expect(0);
    scene.assert_equal().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_can_be_run_one_by_one() {
    let scene = Scene::mysql("steps").await;
    let mut sql = scene.source().await;
    workload::prepare(&mut sql, 300).await;
    scene.migrate().arg("--steps", "schema").run().await.expect(0);
    let mut target = scene.target().await;
    assert_eq!(target.count("account").await, 0);
    assert_eq!(tables(&mut target).await, ["account", "audit", "entry", "tag"]);
    scene.migrate().arg("--steps", "full").arg("--name", "copy").run().await.expect(0);
    scene.assert_equal().await;
    scene.migrate().arg("--steps", "verify").arg("--name", "compare").run().await.expect(0);
}

/// `store ls`, `dump` and `verify` on a task's home, also while it runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_can_be_looked_into() {
    let scene = Scene::mysql("store").await;
    let mut sql = three_rows(&scene).await;
    scene.make_marker().await;
    let task = scene.migrate().flag("--follow");
    let mut running = task.start();
    running.wait_phase("incremental").await;
    sql.run("UPDATE t SET name = 'needle in the log' WHERE id = 2").await;
    sql.run("ALTER TABLE t ADD COLUMN haystack INT").await;
    scene.drain(&mut running).await;
    let store = |words: &[&str]| Task::bare(words).at_home(Some(task.home().to_owned()));
    let list = store(&["store", "ls"]).run().await.expect(0);
    assert!(list.stdout.lines().count() >= 2, "{}", list.text());
    let dump = store(&["store", "dump"]).run().await.expect(0);
    for text in ["needle in the log", "haystack", &scene.db] {
        assert!(dump.stdout.contains(text), "the dump lacks {text}\n{}", dump.text());
    }
    running.stop().await.expect(0);
    let verify = store(&["store", "verify"]).run().await.expect(0);
    assert!(verify.stdout.contains("all checksums hold"), "{}", verify.text());
    let late = store(&["store", "dump", "--from", "2100-01-01T00:00:00Z"]).run().await;
    assert!(!late.stdout.contains("needle"), "{}", late.text());
    store(&["store", "dump", "--from", "nonsense"]).run().await.expect(2);
}

/// The Store of a running task, read over its socket by another process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_is_served_to_other_processes() {
    let scene = Scene::mysql("store_socket").await;
    let mut sql = three_rows(&scene).await;
    let address = format!("unix:{}/store.sock", scene.folder().display());
    let token = "t0ken-of-the-store";
    let task = scene.migrate().flag("--follow").arg("--store-listen", &address);
    let mut running = task.env("WHIMBREL_STORE_TOKEN", token).secret(token).start();
    running.wait_phase("incremental").await;
    let tail = |limit: &str| Task::bare(&["store", "tail"]).arg("--connect", &address).arg("--limit", limit);
    tail("1").run().await.expect(1).says(&["WB-4001", "token", "to do"]);
    sql.run("UPDATE t SET name = 'needle of the socket' WHERE id = 2").await;
    // By time it begins with a transaction, not with a heartbeat.
    let known = tail("3").env("WHIMBREL_STORE_TOKEN", token).arg("--consumer", "test");
    let known = known.arg("--from", "2000-01-01T00:00:00Z").run().await.expect(0);
    assert!(known.stdout.contains("needle of the socket"), "{}", known.text());
    assert_eq!(known.stdout.lines().count(), 3, "{}", known.text());
    running.stop().await.expect(0);
    tail("1").run().await.expect(1).says(&["WB-1001", "to do"]);
}

/// Login by environment, over TLS with a checked certificate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_and_passwords_of_the_environment() {
    let scene = Scene::mariadb("tls").await;
    three_rows(&scene).await;
    let password = "s3cr3t-of-the-environment";
    let user = format!("tls_{}", std::process::id());
    let mut root = Sql::open(&scene.source, "").await;
    root.run(&format!("CREATE USER {user} IDENTIFIED BY '{password}' REQUIRE SSL")).await;
    root.run(&format!(
        "GRANT SELECT, REPLICATION SLAVE, BINLOG MONITOR, RELOAD, LOCK TABLES ON *.* TO {user}"
    ))
    .await;
    let base = format!("mariadb://{user}@127.0.0.1:{}/", scene.source.port());
    let migrate = |url: &str| {
        Task::new("migrate", url, &scene.target.target_url())
            .include(&format!("{}.*", scene.db))
            .env("WHIMBREL_SOURCE_PASSWORD", password)
            .secret(password)
    };
    let with_ca = format!("{base}?tls=verify-full&tls-ca={}", scene.source.authority());
    migrate(&with_ca).run().await.expect(0);
    scene.assert_equal().await;
    let other_ca = format!("{base}?tls=verify-full&tls-ca={}", Server::mysql().authority());
    migrate(&other_ca).run().await.expect(4).says(&["WB-1003", "to do"]);
    migrate(&format!("{base}?tls=off")).run().await.expect(4);
    root.run(&format!("DROP USER {user}")).await;
}

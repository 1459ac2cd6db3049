//! `--where`: only rows that fulfil a condition are at the target, whatever happens to them at the source.

use crate::harness::compare;
use crate::harness::workload::{self, Load, Workload};
use crate::harness::{Random, Scene, Task};

/// Conditions that the live writers make true and false all the time: by updates, by changes of keys, by swaps.
const CONDITIONS: [(&str, &str); 4] = [
    ("account", "(id % 2 = 0 OR note IS NULL) AND balance > -900000"),
    ("entry", "kind <> 'fee' AND amount BETWEEN -50 AND 5000"),
    ("tag", "flags LIKE '%b%' OR uses < 25"),
    ("audit", "actor < 5 AND NOT (what <=> 'event 3')"),
];

fn filtered(scene: &Scene) -> Task {
    CONDITIONS.iter().fold(scene.migrate(), |task, (table, condition)| {
        task.arg("--where", &format!("{}.{table}={condition}", scene.db))
    })
}

/// Views of what has to be at the target, by the source's own evaluation.
async fn make_views(scene: &Scene) {
    let mut sql = scene.source().await;
    for (table, condition) in CONDITIONS {
        sql.run(&format!("CREATE VIEW seen_{table} AS SELECT * FROM {table} WHERE {condition}")).await;
    }
}

async fn assert_filtered(scene: &Scene) {
    let (mut source, mut target) = (scene.source().await, scene.target().await);
    for (table, _) in CONDITIONS {
        compare::assert_tables_equal(&mut source, &format!("seen_{table}"), &mut target, table).await;
        let (all, seen) = (source.count(table).await, target.count(table).await);
        assert!(0 < seen && seen < all, "{table}: {seen} of {all} rows, so nothing was shown");
    }
}

async fn rows_come_and_go(scene: Scene, mode: &str, seed: u64) {
    let mut random = Random::new(Random::seed(seed));
    workload::prepare(&mut scene.source().await, 6_000).await;
    scene.make_marker().await;
    make_views(&scene).await;
    let load = Load { large_rows: 10_000, writers: 2, ..Load::modest(random.next_u64()) };
    let work = Workload::start(&scene.source, &scene.db, load).await;
    let task = filtered(&scene)
        .arg("--apply", mode)
        .arg("--rate-limit", "5000")
        .arg("--workers", "2")
        .flag("--follow");
    let mut running = task.start();
    running.wait_imported(random.below(8_000)).await;
    running.kill().await;
    for phase in ["catch_up", "incremental"] {
        let mut running = task.start();
        running
            .wait_until(phase, |status| status["phase"] == phase || status["phase"] == "incremental")
            .await;
        running.kill().await;
    }
    let mut running = task.start();
    running
        .wait_until("50 transactions", |status| {
            status["phase"] == "incremental" && status["applied_transactions"].as_u64() >= Some(50)
        })
        .await;
    work.stop().await;
    scene.drain(&mut running).await;
    let outcome = running.stop().await.expect(0);
    assert_filtered(&scene).await;
    assert_eq!(outcome.report["foreign_changes"], 0, "{}", outcome.text());
    for nothing in ["parked", "conflicts"] {
        assert_eq!(outcome.report[nothing].as_array().map(Vec::len), Some(0), "{}", outcome.text());
    }
    let verify = CONDITIONS.iter().fold(scene.verify(), |task, (table, condition)| {
        task.arg("--where", &format!("{}.{table}={condition}", scene.db))
    });
    verify.run().await.expect(0);
    // Without the conditions the rows that were left out are missing.
    scene.verify().run().await.expect(3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filtered_rows_of_mysql_come_and_go_by_transaction() {
    rows_come_and_go(Scene::mysql("where_my_tx").await, "transaction", 31).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filtered_rows_of_mariadb_come_and_go_convergent() {
    rows_come_and_go(Scene::mariadb("where_ma_cv").await, "convergent", 32).await;
}

/// Text beyond ASCII under a collation of the server's own: the source is asked while changes are applied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_on_text_follows_the_columns_collation() {
    for scene in [Scene::mysql("where_text_my").await, Scene::mariadb("where_text_ma").await] {
        let mut sql = scene.source().await;
        sql.run(
            "CREATE TABLE shop (id INT PRIMARY KEY, city VARCHAR(40) NOT NULL, secret INT) DEFAULT CHARSET utf8mb4; \
             INSERT INTO shop VALUES (1, 'Köln', 1), (2, 'koln', 1), (3, 'KÖLN ', 1), (4, 'Bonn', 1), (5, 'Kölns', 1)",
        )
        .await;
        scene.make_marker().await;
        let condition = "city = 'köln' OR city LIKE 'ß%'";
        sql.run(&format!("CREATE VIEW seen_shop AS SELECT * FROM shop WHERE {condition}")).await;
        let task = scene.migrate().arg("--where", &format!("{}.shop={condition}", scene.db)).flag("--follow");
        let mut running = task.start();
        running.wait_phase("incremental").await;
        sql.run(
            "INSERT INTO shop VALUES (6, 'kÖlN', 1), (7, 'ßlingen', 1), (8, 'SSlingen', 1), (9, '科隆', 1); \
             UPDATE shop SET city = 'Bonn' WHERE id = 1; UPDATE shop SET city = 'Köln' WHERE id = 4; \
             UPDATE shop SET secret = 2; UPDATE shop SET id = id + 100 WHERE id IN (3, 5)",
        )
        .await;
        scene.drain(&mut running).await;
        running.stop().await.expect(0);
        let mut target = scene.target().await;
        compare::assert_tables_equal(&mut sql, "seen_shop", &mut target, "shop").await;
        assert!(target.count("shop").await >= 4);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_that_cant_be_used_is_refused_with_its_place() {
    let scene = Scene::mysql("where_wrong").await;
    let mut sql = scene.source().await;
    sql.run("CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(20), doc JSON, f FLOAT(7,3))").await;
    for (condition, says) in [
        ("nope > 1", "has no column nope, at character 1"),
        ("id > 1 AND SLEEP(1)", "function SLEEP can't be evaluated exactly on changes"),
        ("id = '1'", "write the number without quotes, at character 6"),
        ("name REGEXP 'a'", "regular expressions differ between servers"),
        ("doc IS NOT NULL", "column doc: only IS NULL would be exact for this type"),
        ("f = 1", "FLOAT(M,D)"),
        ("id = (SELECT 1)", "subqueries can't be evaluated"),
        ("id / 2 = 1", "division depends on settings"),
        ("id > 1 AND", "expected a value, found the end, at character 11"),
        ("name = 'a' || 'b'", "write OR or CONCAT()"),
    ] {
        let check = scene.task("check").arg("--where", &format!("{}.t={condition}", scene.db));
        check.run().await.expect(4).says(&["WB-4001", "--where", says]);
    }
    let check = scene.task("check").arg("--where", &format!("{}.u=id > 1", scene.db));
    check.run().await.expect(4).says(&["the pattern fits no table that is moved"]);
    scene.migrate().arg("--where", "id > 1").run().await.expect(2).says(&["--where id > 1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_of_the_condition_that_is_dropped_stops_the_task_before_the_statement() {
    let scene = Scene::mysql("where_ddl").await;
    let mut sql = scene.source().await;
    sql.run("CREATE TABLE t (id INT PRIMARY KEY, region INT, note VARCHAR(20)); INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b')")
        .await;
    let task = scene.migrate().arg("--where", &format!("{}.t=region = 1", scene.db)).flag("--follow");
    let mut running = task.start();
    running.wait_phase("incremental").await;
    sql.run("ALTER TABLE t ADD COLUMN more INT; INSERT INTO t VALUES (3, 1, 'c', 3), (4, 2, 'd', 4); ALTER TABLE t DROP COLUMN region")
        .await;
    let outcome = running.finish().await.expect(1);
    outcome.says(&["WB-2006", "DROP COLUMN region", "has no column region"]);
    let rows = scene.target().await.rows("SELECT id, more FROM t ORDER BY id").await;
    assert_eq!(rows, [[Some("1".into()), None], [Some("3".into()), Some("3".into())]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_with_another_condition_is_refused() {
    let scene = Scene::mysql("where_changed").await;
    scene.source().await.run("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1), (2)").await;
    let task = scene.migrate().arg("--where", &format!("{}.t=id > 1", scene.db));
    task.run().await.expect(0);
    assert_eq!(scene.target().await.count("t").await, 1);
    let other = task.without("--where").run().await.expect(1);
    other.says(&["begun with another definition", "where was"]);
}

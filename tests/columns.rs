//! `--columns` and `--rename-column`: which columns are at the target, and what they are called there.

use crate::harness::compare;
use crate::harness::workload::{self, Load, Workload};
use crate::harness::{Random, Scene, Task};

/// What the target's tables have to hold, as the source's own server says it.
const SEEN: [(&str, &str); 4] = [
    ("account", "SELECT id, slot, email, balance AS saldo, touched, rating FROM account"),
    ("entry", "SELECT account_id AS konto, seq, amount, kind FROM entry"),
    ("tag", "SELECT name AS bezeichnung, uses AS `times used` FROM tag"),
    ("audit", "SELECT at_time, what FROM audit"),
];

fn narrowed(task: Task, db: &str) -> Task {
    task.arg("--columns", &format!("{db}.account=-note,-raw_bytes"))
        .arg("--columns", &format!("{db}.tag=-flags"))
        .arg("--columns", &format!("{db}.audit=at_time,what"))
        .arg("--rename-column", &format!("{db}.account.balance=saldo"))
        .arg("--rename-column", &format!("{db}.entry.account_id=konto"))
        .arg("--rename-column", &format!("{db}.tag.name=bezeichnung"))
        .arg("--rename-column", &format!("{db}.tag.uses=times used"))
}

async fn columns_are_left_out_and_renamed(scene: Scene, mode: &str, seed: u64) {
    let mut random = Random::new(Random::seed(seed));
    let mut sql = scene.source().await;
    workload::prepare(&mut sql, 6_000).await;
    scene.make_marker().await;
    for (table, query) in SEEN {
        sql.run(&format!("CREATE VIEW seen_{table} AS {query}")).await;
    }
    let load = Load { large_rows: 10_000, writers: 2, ..Load::modest(random.next_u64()) };
    let work = Workload::start(&scene.source, &scene.db, load).await;
    let task = narrowed(scene.migrate(), &scene.db)
        .arg("--apply", mode)
        .arg("--rate-limit", "5000")
        .arg("--workers", "2")
        .flag("--follow");
    let mut running = task.start();
    running.wait_imported(random.below(8_000)).await;
    running.kill().await;
    let mut running = task.start();
    running
        .wait_until("50 transactions", |status| {
            status["phase"] == "incremental" && status["applied_transactions"].as_u64() >= Some(50)
        })
        .await;
    work.stop().await;
    scene.drain(&mut running).await;
    let outcome = running.stop().await.expect(0);
    assert_eq!(outcome.report["foreign_changes"], 0, "{}", outcome.text());
    let mut target = scene.target().await;
    for (table, _) in SEEN {
        compare::assert_tables_equal(&mut sql, &format!("seen_{table}"), &mut target, table).await;
    }
    let verify = narrowed(scene.verify(), &scene.db);
    verify.run().await.expect(0);
    // A difference is named, and corrected, in the target's names.
    target.run("UPDATE account SET saldo = saldo + 1 ORDER BY id LIMIT 1; DELETE FROM entry ORDER BY konto, seq LIMIT 1").await;
    verify.run().await.expect(3);
    for (table, name) in [("account", "`saldo`"), ("entry", "`konto`")] {
        let file = scene.corrections().join(format!("{}.{table}.corrections.sql", scene.target_db));
        let text = std::fs::read_to_string(&file).expect("corrections were written");
        assert!(text.contains(name), "{text}");
        target.run(&text).await;
    }
    verify.run().await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_of_mysql_are_left_out_and_renamed_convergent() {
    columns_are_left_out_and_renamed(Scene::mysql("columns_my").await, "convergent", 41).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_of_mariadb_are_left_out_and_renamed_by_transaction() {
    columns_are_left_out_and_renamed(Scene::mariadb("columns_ma").await, "transaction", 42).await;
}

/// Names of the columns of a table at the target, in order.
async fn target_columns(scene: &Scene, table: &str) -> Vec<String> {
    let query = format!(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = '{}' AND table_name = '{table}' \
         ORDER BY ordinal_position",
        scene.target_db
    );
    scene.target().await.column(&query).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_expressions_and_statements_follow_the_columns() {
    let scene = Scene::mysql("columns_ddl").await;
    let mut sql = scene.source().await;
    sql.run(
        "CREATE TABLE parent (id INT PRIMARY KEY, code INT NOT NULL UNIQUE); \
         CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, secret INT, parent_code INT, z INT, \
           sum_ab INT AS (a + b) STORED, doubled INT AS (secret * 2), \
           UNIQUE KEY ua (a), KEY ks (secret), KEY kb (b, secret), KEY kab (a, b), \
           CONSTRAINT positive CHECK (a > 0), CONSTRAINT hidden CHECK (secret <> 13), \
           CONSTRAINT fk FOREIGN KEY (parent_code) REFERENCES parent (code)); \
         INSERT INTO parent VALUES (1, 10), (2, 20); \
         INSERT INTO t (id, a, b, secret, parent_code) VALUES (1, 1, 1, 1, 10), (2, 2, 2, 2, 20)",
    )
    .await;
    scene.make_marker().await;
    let db = &scene.db;
    let flags = |task: Task| {
        task.arg("--columns", &format!("{db}.t=-secret,-later"))
            .arg("--rename-column", &format!("{db}.t.a=alpha"))
            .arg("--rename-column", &format!("{db}.parent.code=kode"))
    };
    // `later` isn't there yet, so the precheck takes it for a mistake.
    flags(scene.task("check")).run().await.expect(4).says(&["no column later"]);
    let flags = |task: Task| {
        task.arg("--columns", &format!("{db}.t=-secret"))
            .arg("--rename-column", &format!("{db}.t.a=alpha"))
            .arg("--rename-column", &format!("{db}.parent.code=kode"))
    };
    let plan = flags(scene.task("plan")).run().await.expect(0);
    let plan = plan.says(&["key ks", "key kb", "check hidden", "doubled", "REFERENCES", "`kode`", "`alpha`"]);
    assert!(!plan.stdout.contains("secret"), "{}", plan.text());
    let mut running = flags(scene.migrate()).flag("--follow").start();
    running.wait_phase("incremental").await;
    assert_eq!(target_columns(&scene, "t").await, ["id", "alpha", "b", "parent_code", "z", "sum_ab"]);
    sql.run(
        "ALTER TABLE t ADD COLUMN c VARCHAR(10) DEFAULT 'x' AFTER secret, ADD KEY kc (c), ADD KEY ksc (secret, c); \
         UPDATE t SET secret = 100, a = a + 10; \
         ALTER TABLE t MODIFY COLUMN z BIGINT, DROP KEY ks; \
         INSERT INTO t (id, a, b, secret, parent_code, c) VALUES (3, 3, 3, 3, 10, 'y'); \
         ALTER TABLE t DROP COLUMN doubled; ALTER TABLE t DROP CHECK hidden; ALTER TABLE t DROP COLUMN secret; \
         ALTER TABLE t RENAME COLUMN z TO zeta; DELETE FROM t WHERE id = 1",
    )
    .await;
    scene.drain(&mut running).await;
    running.stop().await.expect(0);
    sql.run("CREATE VIEW seen AS SELECT id, a AS alpha, b, parent_code, zeta, sum_ab, c FROM t").await;
    compare::assert_tables_equal(&mut sql, "seen", &mut scene.target().await, "t").await;
    let verify = scene.verify().arg("--columns", &format!("{db}.t=-nothing"));
    verify.run().await.expect(4).says(&["no column nothing"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_without_which_rows_have_no_identity_cant_be_left_out() {
    let scene = Scene::mysql("columns_key").await;
    let mut sql = scene.source().await;
    sql.run("CREATE TABLE t (id INT PRIMARY KEY, a INT); CREATE TABLE u (a INT NOT NULL UNIQUE, b INT)")
        .await;
    for (flag, value, says) in [
        ("--columns", "t=-id", "the identity of rows would be lost"),
        ("--columns", "u=b", "the identity of rows would be lost"),
        ("--columns", "t=-nope", "has no column nope"),
        ("--rename-column", "t.id=A", "which another column is called"),
    ] {
        let check = scene.task("check").arg(flag, &format!("{}.{value}", scene.db));
        check.run().await.expect(4).says(&["WB-4001", says]);
    }
    let wrong = scene.task("check").arg("--columns", &format!("{}.t=a,-id", scene.db));
    wrong.run().await.expect(2).says(&["either name the columns that are moved"]);
}

/// A column that only the target has keeps its default, whatever happens at the source.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_of_the_targets_own_keeps_its_value() {
    let scene = Scene::mysql("columns_own").await;
    let mut sql = scene.source().await;
    sql.run(
        "CREATE TABLE t (id INT PRIMARY KEY, a INT, secret INT); INSERT INTO t VALUES (1, 1, 1), (2, 2, 2)",
    )
    .await;
    scene.make_marker().await;
    let mut target = scene.make_target().await;
    target
        .run("CREATE TABLE t (id INT PRIMARY KEY, a INT, origin VARCHAR(9) NOT NULL DEFAULT 'moved')")
        .await;
    let task = scene.migrate().arg("--columns", &format!("{}.t=-secret", scene.db)).flag("--follow");
    let mut running = task.start();
    running.wait_phase("incremental").await;
    target.run("UPDATE t SET origin = 'touched' WHERE id = 1").await;
    sql.run("UPDATE t SET a = a + 10, secret = 7; INSERT INTO t VALUES (3, 3, 3)").await;
    scene.drain(&mut running).await;
    running.stop().await.expect(0);
    let rows = target.rows("SELECT id, a, origin FROM t ORDER BY id").await;
    let text = |row: &[Option<String>]| row.iter().flatten().cloned().collect::<Vec<_>>().join(" ");
    let rows: Vec<String> = rows.iter().map(|row| text(row)).collect();
    assert_eq!(rows, ["1 11 touched", "2 12 moved", "3 3 moved"]);
}

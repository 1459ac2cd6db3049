//! DDL of the source while changes are applied: it takes effect in its place between the changes.

use crate::harness::compare::tables;
use crate::harness::{Running, Scene, Sql};

async fn follow(scene: &Scene, mode: &str) -> Running {
    scene.make_marker().await;
    let mut running = scene.migrate().arg("--apply", mode).flag("--follow").start();
    running.wait_phase("incremental").await;
    running
}

/// Statements with changes of rows between them, all without waiting.
async fn run_all(sql: &mut Sql, statements: &[&str]) {
    for statement in statements {
        sql.run(statement).await;
    }
}

async fn columns_come_and_go(scene: Scene, mode: &str) {
    let mut sql = scene.source().await;
    run_all(
        &mut sql,
        &[
            "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT, b VARCHAR(20), c INT)",
            "INSERT INTO t VALUES (1, 1, 'one', 1), (2, 2, 'two', 2), (3, 3, 'three', 3)",
        ],
    )
    .await;
    let mut running = follow(&scene, mode).await;
    run_all(
        &mut sql,
        &[
            "INSERT INTO t VALUES (4, 4, 'four', 4)",
            "ALTER TABLE t ADD COLUMN d DATETIME(3) NULL, ADD COLUMN e VARCHAR(10) NOT NULL DEFAULT 'dflt'",
            "INSERT INTO t VALUES (5, 5, 'five', 5, '2024-01-01 00:00:00.125', 'e')",
            "UPDATE t SET d = '2025-01-01', e = 'upd' WHERE id = 1",
            "ALTER TABLE t ADD COLUMN f INT DEFAULT 9 AFTER a",
            "INSERT INTO t (id, f) VALUES (6, 66)",
            "ALTER TABLE t DROP COLUMN c",
            "UPDATE t SET a = a + 10",
            "ALTER TABLE t MODIFY COLUMN b VARCHAR(200)",
            "UPDATE t SET b = REPEAT('long', 40) WHERE id = 2",
            "ALTER TABLE t MODIFY COLUMN a BIGINT",
            "UPDATE t SET a = 9000000000 WHERE id = 3",
            "ALTER TABLE t CHANGE COLUMN f g INT",
            "UPDATE t SET g = 77 WHERE id = 4",
            "ALTER TABLE t RENAME COLUMN e TO h",
            "UPDATE t SET h = 'renamed' WHERE id = 5",
            "ALTER TABLE t ALTER COLUMN h SET DEFAULT 'new'",
            "INSERT INTO t (id) VALUES (7)",
            "DELETE FROM t WHERE id = 6",
        ],
    )
    .await;
    scene.drain(&mut running).await;
    running.stop().await.expect(0);
    scene.assert_equal().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_come_and_go_at_mysql_by_transaction() {
    columns_come_and_go(Scene::mysql("ddl_my_tx").await, "transaction").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_come_and_go_at_mariadb_convergent() {
    columns_come_and_go(Scene::mariadb("ddl_ma_cv").await, "convergent").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn indexes_come_and_go() {
    let scene = Scene::mysql("ddl_index").await;
    let mut sql = scene.source().await;
    run_all(
        &mut sql,
        &[
            "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT, b VARCHAR(20), KEY old (a))",
            "INSERT INTO t VALUES (1, 1, 'one'), (2, 2, 'two')",
        ],
    )
    .await;
    let mut running = follow(&scene, "transaction").await;
    run_all(
        &mut sql,
        &[
            "CREATE INDEX by_b ON t (b)",
            "ALTER TABLE t ADD UNIQUE KEY both_of (a, b), DROP INDEX old",
            "INSERT INTO t VALUES (3, 1, 'two')",
            // Unique values change places: the new key counts in the order of the changes.
            "UPDATE t SET b = 'x' WHERE id = 3",
            "UPDATE t SET a = 2, b = 'swap' WHERE id = 1",
            "UPDATE t SET b = 'one', a = 1 WHERE id = 2",
            "ALTER TABLE t RENAME INDEX by_b TO by_b2",
            "INSERT INTO t VALUES (4, 4, 'four')",
            "DROP INDEX both_of ON t",
            "INSERT INTO t VALUES (5, 4, 'four')",
        ],
    )
    .await;
    scene.drain(&mut running).await;
    running.stop().await.expect(0);
    scene.assert_equal().await;
    let query = "SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = DATABASE() AND \
                 table_name = 't' ORDER BY 1";
    let mut found = scene.target().await.column(query).await;
    found.sort();
    assert_eq!(found, ["PRIMARY", "by_b2"]);
}

async fn tables_come_and_go(scene: Scene, mode: &str) {
    let mut sql = scene.source().await;
    run_all(
        &mut sql,
        &[
            "CREATE TABLE first (id INT NOT NULL PRIMARY KEY, x INT)",
            "INSERT INTO first VALUES (1, 1), (2, 2)",
            "CREATE TABLE second (id INT NOT NULL PRIMARY KEY, x INT)",
            "INSERT INTO second VALUES (1, 1)",
            "CREATE TABLE emptied (id INT NOT NULL PRIMARY KEY, x INT)",
            "INSERT INTO emptied VALUES (1, 1), (2, 2)",
        ],
    )
    .await;
    let mut running = follow(&scene, mode).await;
    run_all(
        &mut sql,
        &[
            "CREATE TABLE fresh (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(30), UNIQUE KEY n (name))",
            "INSERT INTO fresh (name) VALUES ('a'), ('b')",
            "UPDATE fresh SET name = 'c' WHERE name = 'a'",
            "CREATE TABLE copy_of LIKE first",
            "INSERT INTO copy_of SELECT * FROM first",
            "TRUNCATE TABLE emptied",
            "INSERT INTO emptied VALUES (1, 100)",
            "RENAME TABLE first TO renamed",
            "INSERT INTO renamed VALUES (3, 3)",
            "UPDATE renamed SET x = -1 WHERE id = 1",
            "DROP TABLE second",
            "CREATE TABLE second (id VARCHAR(10) NOT NULL PRIMARY KEY, y DATE)",
            "INSERT INTO second VALUES ('k', '2024-01-01')",
            "CREATE TABLE first (id INT NOT NULL PRIMARY KEY, z TEXT)",
            "INSERT INTO first VALUES (9, 'another table of an old name')",
            "RENAME TABLE first TO swapped, copy_of TO first",
            "DELETE FROM first WHERE id = 2",
            "ALTER TABLE swapped RENAME TO swapped2",
            "INSERT INTO swapped2 VALUES (10, 'x')",
        ],
    )
    .await;
    scene.drain(&mut running).await;
    running.stop().await.expect(0);
    scene.assert_equal().await;
    let expected = ["emptied", "first", "fresh", "marker", "renamed", "second", "swapped2"];
    assert_eq!(tables(&mut scene.target().await).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_come_and_go_at_mysql_convergent() {
    tables_come_and_go(Scene::mysql("ddl_tab_my").await, "convergent").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_come_and_go_at_mariadb_by_transaction() {
    tables_come_and_go(Scene::mariadb("ddl_tab_ma").await, "transaction").await;
}

/// Killed right after DDL, the task doesn't apply it twice, and doesn't skip it.
/// `CREATE TABLE ... SELECT`: definition and rows come together in the log, in a form that differs between servers.
async fn tables_are_made_from_queries(scene: Scene, mode: &str) {
    let mut sql = scene.source().await;
    run_all(
        &mut sql,
        &[
            "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a VARCHAR(20), n DECIMAL(8,2) DEFAULT 1.5, KEY (a))",
            "INSERT INTO t VALUES (1, 'one', 1), (2, 'two', NULL), (3, 'three', 3.25)",
        ],
    )
    .await;
    let mut running = follow(&scene, mode).await;
    run_all(
        &mut sql,
        &[
            "CREATE TABLE copied AS SELECT * FROM t",
            "INSERT INTO copied VALUES (4, 'four', 4)",
            "CREATE TABLE keyed (PRIMARY KEY (id)) SELECT id, CONCAT(a, '!') AS loud, n * 2 AS twice FROM t",
            "UPDATE keyed SET loud = 'changed' WHERE id = 2",
            "CREATE TABLE IF NOT EXISTS keyed SELECT 99 AS id",
            "CREATE TABLE nothing AS SELECT id FROM t WHERE id < 0",
            "INSERT INTO nothing VALUES (7)",
            "DELETE FROM copied WHERE id = 1",
        ],
    )
    .await;
    scene.drain(&mut running).await;
    let outcome = running.stop().await.expect(0);
    scene.assert_equal().await;
    assert_eq!(outcome.report["foreign_changes"], 0, "{}", outcome.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_are_made_from_queries_at_mysql() {
    tables_are_made_from_queries(Scene::mysql("ctas_my").await, "transaction").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_are_made_from_queries_at_mariadb() {
    tables_are_made_from_queries(Scene::mariadb("ctas_ma").await, "convergent").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_around_ddl_neither_repeats_nor_skips_it() {
    let scene = Scene::mysql("ddl_kill").await;
    let mut sql = scene.source().await;
    run_all(
        &mut sql,
        &[
            "CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT)",
            "INSERT INTO t (a) VALUES (1), (2)",
        ],
    )
    .await;
    scene.make_marker().await;
    let task = scene.migrate().flag("--follow");
    let mut columns = 1;
    for _ in 0..4 {
        let mut running = task.start();
        running.wait_phase("incremental").await;
        for _ in 0..3 {
            columns += 1;
            sql.run(&format!("ALTER TABLE t ADD COLUMN c{columns} INT DEFAULT {columns}")).await;
            sql.run("INSERT INTO t (a) VALUES (3)").await;
        }
        let target = tokio::sync::Mutex::new(scene.target().await);
        let query = "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 't'";
        let wanted = columns as u64;
        running
            .wait_for("some of the columns", async || target.lock().await.value::<u64>(query).await >= wanted)
            .await;
        running.kill().await;
    }
    let mut running = task.start();
    running.wait_phase("incremental").await;
    scene.drain(&mut running).await;
    running.stop().await.expect(0);
    scene.assert_equal().await;
}

/// DDL of tables that aren't migrated is none of the task's business, even where nobody could parse it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ddl_of_other_tables_is_left_alone() {
    let scene = Scene::mysql("ddl_other").await;
    let mut sql = scene.source().await;
    run_all(
        &mut sql,
        &["CREATE TABLE t (id INT NOT NULL PRIMARY KEY)", "CREATE TABLE other (id INT NOT NULL PRIMARY KEY)"],
    )
    .await;
    scene.make_marker().await;
    let mut running =
        scene.migrate().arg("--exclude", &format!("{}.other*", scene.db)).flag("--follow").start();
    running.wait_phase("incremental").await;
    run_all(
        &mut sql,
        &[
            "ALTER TABLE other ADD COLUMN x INT",
            "CREATE TABLE other_new (id INT NOT NULL PRIMARY KEY)",
            "CREATE TRIGGER tr BEFORE INSERT ON other FOR EACH ROW SET NEW.x = 1",
            "CREATE PROCEDURE p() SELECT 1",
            "CREATE VIEW v AS SELECT * FROM t",
            "INSERT INTO other VALUES (1, 2)",
            "DROP TABLE other",
            "INSERT INTO t VALUES (1)",
        ],
    )
    .await;
    scene.drain(&mut running).await;
    running.stop().await.expect(0);
    scene.assert_tables_equal(&["t"]).await;
    assert_eq!(tables(&mut scene.target().await).await, ["marker", "t"]);
}

//! Many tables into one: `--map 'shop.orders_*=shop.orders'`.

use std::time::Duration;

use serde_json::Value as Json;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::harness::workload::{allow_recursion, numbers};
use crate::harness::{Outcome, Random, Running, Scene, Server, Sql, Task};

const SHARDS: u64 = 3;
/// Rows of each table at the start.
const ROWS: u64 = 4000;

fn columns(name: &str) -> String {
    format!(
        "CREATE TABLE {name} (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, code VARCHAR(40) NOT NULL, \
         kind INT NULL, note VARCHAR(60) NULL, UNIQUE KEY {name}_code (code), KEY {name}_kind (kind))"
    )
}

/// Row `n` of the table `shard` has the id `n * SHARDS + shard`.
async fn prepare(sql: &mut Sql, rows: u64) {
    allow_recursion(sql).await;
    for shard in 1..=SHARDS {
        sql.run(&columns(&format!("orders_{shard}"))).await;
        sql.run(&format!(
            "INSERT INTO orders_{shard} {} SELECT i * {SHARDS} + {shard}, CONCAT('c', i, '-{shard}'), i % 10, 'first' FROM n",
            numbers(rows)
        ))
        .await;
    }
}

fn merging(scene: &Scene, command: &str) -> Task {
    let (from, to) = (&scene.db, &scene.target_db);
    scene.task(command).arg("--map", &format!("{from}.orders_*={to}.orders"))
}

/// What the source has in all tables is what the target has in one.
async fn assert_union(scene: &Scene, shards: &[&str], columns: &str) {
    let (mut source, mut target) = (scene.source().await, scene.target().await);
    let selects: Vec<String> = shards.iter().map(|shard| format!("SELECT {columns} FROM {shard}")).collect();
    let ours = source.rows(&format!("{} ORDER BY 1", selects.join(" UNION ALL "))).await;
    let theirs = target.rows(&format!("SELECT {columns} FROM orders ORDER BY 1")).await;
    let missing: Vec<_> = ours.iter().filter(|row| !theirs.contains(row)).take(5).collect();
    let extra: Vec<_> = theirs.iter().filter(|row| !ours.contains(row)).take(5).collect();
    assert!(ours == theirs, "{} and {} rows; missing {missing:?}, extra {extra:?}", ours.len(), theirs.len());
}

const ALL: [&str; 3] = ["orders_1", "orders_2", "orders_3"];
const COLUMNS: &str = "id, code, kind, note";

/// One writer: rows come, change, get other keys, go, and move from one table to another.
async fn write(server: Server, db: String, number: u64, seed: u64, stop: CancellationToken) -> u64 {
    let mut sql = Sql::open(&server, &db).await;
    let mut random = Random::new(seed);
    let mut ticks = interval(Duration::from_millis(8));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut done = 0;
    while !stop.is_cancelled() {
        ticks.tick().await;
        done += 1;
        let shard = random.below(SHARDS) + 1;
        let other = shard % SHARDS + 1;
        // Each writer has rows of its own, so that no statement of one waits for another's.
        let id = (random.below(ROWS / 2) * 2 + number) * SHARDS + shard;
        let new = 1_000_000 + (done * 2 + number) * SHARDS + shard;
        let statement = match random.below(7) {
            0 | 1 => format!(
                "INSERT INTO orders_{shard} (id, code, kind, note) VALUES ({new}, 'n{new}', {done} % 9, 'new')"
            ),
            2 => format!("UPDATE orders_{shard} SET note = 'changed {done}', kind = NULL WHERE id = {id}"),
            3 => format!("DELETE FROM orders_{shard} WHERE id = {id}"),
            4 => format!("UPDATE orders_{shard} SET id = {new} + 50000000 WHERE id = {id}"),
            5 => format!("UPDATE orders_{shard} SET code = CONCAT('u{done}-{number}-', id) WHERE id = {id}"),
            _ => {
                let moved = format!("SELECT id, code, kind, note FROM orders_{shard} WHERE id = {id}");
                format!(
                    "BEGIN; CREATE TEMPORARY TABLE moved {moved}; DELETE FROM orders_{shard} WHERE id = {id}; \
                     INSERT INTO orders_{other} (id, code, kind, note) SELECT * FROM moved; \
                     DROP TEMPORARY TABLE moved; COMMIT"
                )
            }
        };
        if let Err(error) = sql.try_run(&statement).await {
            // Rows that move in opposite directions may wait for each other.
            assert!(error.to_string().contains("1213"), "{statement}: {error}");
            sql.run("ROLLBACK; DROP TEMPORARY TABLE IF EXISTS moved").await;
        }
    }
    done
}

struct Writers {
    stop: CancellationToken,
    tasks: Vec<tokio::task::JoinHandle<u64>>,
}

impl Writers {
    fn start(scene: &Scene, seed: u64) -> Self {
        let stop = CancellationToken::new();
        let writer = |number| {
            tokio::spawn(write(scene.source.clone(), scene.db.clone(), number, seed + number, stop.clone()))
        };
        Self { tasks: (0..2).map(writer).collect(), stop }
    }

    async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            assert!(task.await.expect("a writer that doesn't fail") > 0);
        }
    }
}

fn list<'j>(report: &'j Json, name: &str) -> &'j [Json] {
    report[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn assert_nothing_aside(outcome: &Outcome) {
    for nothing in ["parked", "conflicts", "parked_statements"] {
        assert!(list(&outcome.report, nothing).is_empty(), "{nothing}\n{}", outcome.text());
    }
    assert_eq!(outcome.report["foreign_changes"], 0, "{}", outcome.text());
}

async fn wait_applied(running: &mut Running, transactions: u64) {
    running
        .wait_until("applied transactions", |status| {
            status["phase"] == "incremental" && status["applied_transactions"].as_u64() >= Some(transactions)
        })
        .await;
}

/// Live writes and moves, kills in every phase, then an ALTER of one table after the other.
async fn become_one(scene: Scene, mode: &str, seed: u64) {
    let seed = Random::seed(seed);
    let mut sql = scene.source().await;
    prepare(&mut sql, ROWS).await;
    sql.run("ALTER TABLE orders_2 AUTO_INCREMENT = 90000000").await;
    scene.make_marker().await;
    let writers = Writers::start(&scene, seed);
    let task = merging(&scene, "migrate")
        .arg("--apply", mode)
        // Slow enough that a table is written in several transactions, so that a kill leaves a part of it.
        .arg("--rate-limit", "1000")
        .arg("--workers", "2")
        .flag("--follow");
    for rows in [1, 6_000] {
        let mut running = task.start();
        running.wait_imported(rows).await;
        running.kill().await;
    }
    for phase in ["catch_up", "incremental"] {
        let mut running = task.start();
        running
            .wait_until(phase, |status| status["phase"] == phase || status["phase"] == "incremental")
            .await;
        running.kill().await;
    }
    let mut running = task.start();
    wait_applied(&mut running, 40).await;
    for shard in ALL {
        sql.run(&format!(
            "ALTER TABLE {shard} ADD COLUMN extra INT NOT NULL DEFAULT 7, ADD KEY {shard}_note (note)"
        ))
        .await;
        let now = running.status().await.and_then(|status| status["applied_transactions"].as_u64());
        wait_applied(&mut running, now.unwrap_or_default() + 20).await;
    }
    sql.run("UPDATE orders_3 SET extra = 8 WHERE kind = 3").await;
    for shard in ALL {
        sql.run(&format!("ALTER TABLE {shard} MODIFY COLUMN note VARCHAR(90)")).await;
    }
    writers.stop().await;
    scene.drain(&mut running).await;
    let outcome = running.stop().await.expect(0);
    assert_nothing_aside(&outcome);
    assert_union(&scene, &ALL, "id, code, kind, note, extra").await;
    let verified: u64 = ALL
        .iter()
        .map(|shard| {
            let verification = &outcome.table(shard)["verification"];
            assert_eq!(verification["result"], "equal", "{}", outcome.text());
            verification["rows"].as_u64().unwrap_or_default()
        })
        .sum();
    assert!(verified > ROWS, "{}", outcome.text());
    let mut target = scene.target().await;
    let made = target.rows("SHOW CREATE TABLE orders").await;
    let made = made[0][1].clone().unwrap_or_default();
    for part in ["orders_1_code", "orders_1_kind", "varchar(90)"] {
        assert!(made.contains(part), "{made}");
    }
    assert!(!made.contains("orders_2_"), "{made}");
    target.run("INSERT INTO orders (code) VALUES ('the next number')").await;
    let next: u64 = target.value("SELECT id FROM orders WHERE code = 'the next number'").await;
    assert!(next >= 90_000_000, "{next}");
    target.run("DELETE FROM orders WHERE code = 'the next number'").await;
    find_differences(&scene).await;
}

/// A row that one table has and the target lacks, one that differs, and one that no table has.
async fn find_differences(scene: &Scene) {
    let corrections = scene.corrections().display().to_string();
    let verify = merging(scene, "verify").arg("--corrections", &corrections);
    verify.run().await.expect(0);
    let (mut source, mut target) = (scene.source().await, scene.target().await);
    let missing: u64 = source.value("SELECT MIN(id) FROM orders_2").await;
    let different: u64 = source.value("SELECT MAX(id) FROM orders_3").await;
    target.run(&format!("DELETE FROM orders WHERE id = {missing}")).await;
    target.run(&format!("UPDATE orders SET note = 'planted' WHERE id = {different}")).await;
    target.run("INSERT INTO orders (id, code) VALUES (77000001, 'nobody''s')").await;
    let outcome = verify.run().await.expect(3);
    let found = |table: &str| {
        let verification = &outcome.table(table)["verification"];
        ["missing", "different", "extra"].map(|kind| verification[kind].as_u64().unwrap_or_default())
    };
    assert_eq!([found("orders_1"), found("orders_2"), found("orders_3")], [[0, 0, 1], [1, 0, 0], [0, 1, 0]]);
    let file = |shard: &str, kind: &str| {
        let name = format!("{db}.orders+{from}.{shard}.{kind}", db = scene.target_db, from = scene.db);
        std::fs::read_to_string(scene.corrections().join(name)).unwrap_or_default()
    };
    let line = file("orders_2", "differences.jsonl");
    assert!(line.contains(&format!(r#""table":"{}.orders_2""#, scene.db)), "{line}");
    for shard in ALL {
        target.run(&file(shard, "corrections.sql")).await;
    }
    verify.run().await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_tables_become_one_by_transaction() {
    become_one(Scene::mysql("merge_tx").await, "transaction", 71).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_tables_become_one_convergent() {
    become_one(Scene::mysql("merge_cv").await, "convergent", 72).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_tables_of_mariadb_become_one_of_mysql() {
    let scene = Scene::new("merge_ma", Server::mariadb(), Server::mysql()).await;
    become_one(scene, "convergent", 73).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_cannot_become_one_are_refused_before_anything_is_written() {
    let scene = Scene::mysql("merge_refused").await;
    let mut sql = scene.source().await;
    prepare(&mut sql, 20).await;
    for (change, back, says) in [
        (
            "ALTER TABLE orders_2 MODIFY COLUMN kind BIGINT NULL",
            "ALTER TABLE orders_2 MODIFY COLUMN kind INT NULL",
            vec!["orders_1 and", "orders_2 can't become one table: column kind: int NULL and bigint NULL"],
        ),
        (
            "ALTER TABLE orders_3 DROP KEY orders_3_code",
            "ALTER TABLE orders_3 ADD UNIQUE KEY orders_3_code (code)",
            vec!["orders_3 can't become one table: the unique keys differ: (code)"],
        ),
        (
            "INSERT INTO orders_3 VALUES (7, 'another', 1, 'x')",
            "DELETE FROM orders_3 WHERE id = 7",
            vec!["orders_1 and", "orders_3 both have a row with id=7"],
        ),
        (
            "INSERT INTO orders_2 VALUES (1000, 'c2-1', 1, 'x')",
            "DELETE FROM orders_2 WHERE id = 1000",
            vec!["orders_1 and", "orders_2 both have a row with code=c2-1"],
        ),
        ("CREATE TABLE orders_4 (id INT, code INT)", "DROP TABLE orders_4", vec!["orders_4 has no key"]),
    ] {
        sql.run(change).await;
        for command in ["check", "migrate"] {
            merging(&scene, command).run().await.expect(4).says(&["WB-4001", "--map", "target"]).says(&says);
        }
        sql.run(back).await;
    }
    let schemas = "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE schema_name = ";
    let there: u64 =
        Sql::open(&scene.target, "").await.value(&format!("{schemas}'{}'", scene.target_db)).await;
    assert_eq!(there, 0, "something was written");
    let steps = merging(&scene, "migrate").arg("--steps", "schema,incr");
    steps.run().await.expect(4).says(&["--steps", "add the step full"]);
    merging(&scene, "check").run().await.expect(0).says(&[
        "3 tables become this one",
        "orders_1, ",
        "orders_3",
    ]);
    let plan = merging(&scene, "plan").run().await.expect(0).says(&[
        "3 tables become this one",
        "the same table as",
        "one of several: one consistent view",
    ]);
    assert_eq!(plan.stdout.matches("CREATE TABLE").count(), 1, "{}", plan.text());
}

/// What is parked, rows and statements: ID and details.
async fn items(task: &Task) -> Vec<(String, String)> {
    let outcome = task.parked(&["list", "--json"]).await.expect(0);
    let items: Vec<Json> =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.text()));
    let text = |item: &Json| (item["id"].as_str().unwrap_or_default().to_owned(), item.to_string());
    items.iter().map(text).collect()
}

async fn wait_items(running: &mut Running, task: &Task, count: usize) -> Vec<(String, String)> {
    running.wait_for("what is to be parked", async || items(task).await.len() == count).await;
    items(task).await
}

/// A row of one table meets one of another. Neither is written over, both are reported, and each table's later changes
/// reach its own row only.
async fn rows_meet(scene: Scene, mode: &str) {
    let mut sql = scene.source().await;
    prepare(&mut sql, 50).await;
    scene.make_marker().await;
    let task = merging(&scene, "migrate").arg("--apply", mode).flag("--follow");
    let mut running = task.start();
    running.wait_phase("incremental").await;
    let row = |id: u64| format!("SELECT CONCAT_WS(',', id, code, note) FROM orders WHERE id = {id}");
    for statement in [
        // The keys of rows of orders_1 and, by its unique key, of orders_3.
        "INSERT INTO orders_2 VALUES (4, 'two', 1, 'of two'), (6000, 'c2-3', 1, 'of two')",
        "UPDATE orders_1 SET note = 'of one' WHERE id = 4",
        "UPDATE orders_2 SET note = 'of two, later' WHERE id = 4",
        "UPDATE orders_3 SET note = 'of three' WHERE code = 'c2-3'",
    ] {
        sql.run(statement).await;
    }
    scene.drain(&mut running).await;
    let mut target = scene.target().await;
    assert_eq!(target.column(&row(4)).await, ["4,c1-1,of one"]);
    assert_eq!(target.column("SELECT note FROM orders WHERE code = 'c2-3'").await, ["of three"]);
    let waiting = wait_items(&mut running, &task, 2).await;
    let of_key = |key: &str| waiting.iter().find(|(_, text)| text.contains(key)).expect("the row is listed");
    let (id, details) = of_key("id=4");
    for part in ["WB-3001", "orders_2", "of two, later", "c1-1"] {
        assert!(details.contains(part), "{part}: {details}");
    }
    assert!(of_key("id=6000").1.contains("c2-3"));
    task.parked(&["retry", id]).await.expect(1).says(&["WB-3001"]);
    task.parked(&["skip", id]).await.expect(1).says(&["can't be given up"]);
    let edit = "UPDATE orders SET note = NULL WHERE id = 4";
    task.parked(&["edit", id, "--sql", edit]).await.expect(1).says(&["can't be given up"]);
    // A deletion takes the entry along and leaves the other table's row.
    sql.run("DELETE FROM orders_2 WHERE id = 6000").await;
    scene.drain(&mut running).await;
    assert_eq!(target.column("SELECT note FROM orders WHERE code = 'c2-3'").await, ["of three"]);
    wait_items(&mut running, &task, 1).await;
    // The row that was there goes; the other one can be written.
    sql.run("DELETE FROM orders_1 WHERE id = 4").await;
    scene.drain(&mut running).await;
    assert!(target.column(&row(4)).await.is_empty());
    task.parked(&["retry", id]).await.expect(0).says(&["the row is at the target"]);
    assert_eq!(target.column(&row(4)).await, ["4,two,of two, later"]);
    sql.run("UPDATE orders_2 SET note = 'at last' WHERE id = 4").await;
    // Both in one transaction: the source never shows two rows of this key.
    sql.run(
        "BEGIN; INSERT INTO orders_3 SELECT * FROM orders_1 WHERE id = 7; DELETE FROM orders_1 WHERE id = 7; COMMIT",
    )
    .await;
    scene.drain(&mut running).await;
    assert_nothing_aside(&running.stop().await.expect(0));
    assert_union(&scene, &ALL, COLUMNS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_meet_are_reported_by_transaction() {
    rows_meet(Scene::mysql("merge_meet_tx").await, "transaction").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_meet_are_reported_convergent() {
    rows_meet(Scene::mysql("merge_meet_cv").await, "convergent").await;
}

/// They meet while the tables are being copied, and the task is killed in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_meet_while_the_tables_are_copied_are_reported() {
    let scene = Scene::mysql("merge_early").await;
    let mut sql = scene.source().await;
    prepare(&mut sql, ROWS).await;
    scene.make_marker().await;
    let task = merging(&scene, "migrate").arg("--rate-limit", "3000").arg("--workers", "1").flag("--follow");
    let mut running = task.start();
    running.wait_imported(1).await;
    // One table is being copied, so one of these two is in its view and the other one comes after it.
    for shard in ALL {
        sql.run(&format!("INSERT INTO {shard} VALUES (88000001, 'meets {shard}', 1, 'of {shard}')")).await;
    }
    running.wait_imported(ROWS + 1000).await;
    running.kill().await;
    sql.run("UPDATE orders_1 SET note = 'changed' WHERE id = 88000001").await;
    let mut running = task.start();
    running.wait_phase("incremental").await;
    scene.drain(&mut running).await;
    let waiting = wait_items(&mut running, &task, 2).await;
    let there = scene.target().await.column("SELECT code FROM orders WHERE id = 88000001").await;
    assert_eq!(there.len(), 1, "{there:?}");
    for shard in ALL {
        let at_target = there[0] == format!("meets {shard}");
        let listed = waiting.iter().any(|(_, text)| text.contains(&format!("code='meets {shard}'")));
        assert!(at_target || listed, "{shard} is nowhere: {waiting:?}");
    }
    // The source is put right: whatever was set aside is there or goes.
    for shard in &ALL[..2] {
        sql.run(&format!("DELETE FROM {shard} WHERE id = 88000001")).await;
    }
    scene.drain(&mut running).await;
    for (id, _) in items(&task).await {
        task.parked(&["retry", &id]).await.expect(0);
    }
    scene.drain(&mut running).await;
    running.stop().await;
    assert_union(&scene, &ALL, COLUMNS).await;
}

/// Statements about one table must not do it to all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_about_one_table_spares_the_others() {
    let scene = Scene::mysql("merge_ddl").await;
    let mut sql = scene.source().await;
    prepare(&mut sql, 50).await;
    scene.make_marker().await;
    let task = merging(&scene, "migrate").flag("--follow");
    let mut running = task.start();
    running.wait_phase("incremental").await;
    let mut target = scene.target().await;
    for (statement, what, instead) in [
        ("TRUNCATE TABLE orders_2", "emptying it", Some("DELETE FROM orders WHERE id % 3 = 2")),
        ("ALTER TABLE orders_3 RENAME COLUMN note TO remark", "the old name of the column", None),
        (
            "RENAME TABLE orders_3 TO away",
            "renaming it",
            Some("DELETE FROM orders WHERE id % 3 = 0 AND id > 0"),
        ),
        ("DROP TABLE orders_2", "dropping it", None),
    ] {
        let before: u64 = target.count("orders").await;
        sql.run(statement).await;
        scene.drain(&mut running).await;
        let waiting = wait_items(&mut running, &task, 1).await;
        let (id, details) = &waiting[0];
        assert!(details.contains("WB-2006") && details.contains(what), "{details}");
        assert_eq!(target.count("orders").await, before, "{statement}");
        match instead {
            Some(sql) => task.parked(&["edit", id, "--sql", sql]).await.expect(0),
            None => task.parked(&["skip", id]).await.expect(0),
        };
        assert!(items(&task).await.is_empty());
    }
    assert_union(&scene, &["orders_1"], COLUMNS).await;
    // New tables join, if they are like the others.
    sql.run(&columns("orders_5")).await;
    sql.run("INSERT INTO orders_5 VALUES (5000, 'five', 1, 'x')").await;
    sql.run("UPDATE orders_1 SET note = 'goes on'").await;
    scene.drain(&mut running).await;
    assert!(items(&task).await.is_empty());
    assert_union(&scene, &["orders_1", "orders_5"], COLUMNS).await;
    sql.run("CREATE TABLE orders_6 (id BIGINT PRIMARY KEY, code VARCHAR(40))").await;
    scene.drain(&mut running).await;
    let waiting = wait_items(&mut running, &task, 1).await;
    assert!(waiting[0].1.contains("has no column"), "{}", waiting[0].1);
    running.stop().await;
}

/// A column goes with the first table that drops it; the others' rows are written without it until they do too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_goes_with_the_first_table_that_drops_it() {
    let scene = Scene::mysql("merge_drop").await;
    let mut sql = scene.source().await;
    prepare(&mut sql, 50).await;
    scene.make_marker().await;
    let task = merging(&scene, "migrate").flag("--follow");
    let mut running = task.start();
    running.wait_phase("incremental").await;
    sql.run("ALTER TABLE orders_1 DROP COLUMN kind").await;
    sql.run("INSERT INTO orders_2 VALUES (9002, 'still has it', 3, 'x')").await;
    sql.run("UPDATE orders_2 SET kind = 5, note = 'both' WHERE id < 20").await;
    scene.drain(&mut running).await;
    running.kill().await;
    let mut running = task.start();
    running.wait_phase("incremental").await;
    sql.run("UPDATE orders_3 SET kind = 6, note = 'again' WHERE id < 20").await;
    for shard in ["orders_2", "orders_3"] {
        sql.run(&format!("ALTER TABLE {shard} DROP COLUMN kind")).await;
    }
    scene.drain(&mut running).await;
    assert_nothing_aside(&running.stop().await.expect(0));
    assert_union(&scene, &ALL, "id, code, note").await;
    merging(&scene, "verify").run().await.expect(0);
}

/// Tables of several schemas, with a condition and a column left out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_several_schemas_become_one_with_filters() {
    let scene = Scene::mysql("merge_schemas").await;
    let mut sql = scene.source().await;
    for part in ["a", "b"] {
        sql.run(&format!("DROP DATABASE IF EXISTS {}_{part}; CREATE DATABASE {}_{part}", scene.db, scene.db))
            .await;
        sql.run(&format!("USE {}_{part}", scene.db)).await;
        sql.run(&format!(
            "{}; INSERT INTO orders VALUES (1, '{part}', 1, 'x'), ({}, 'two {part}', 2, 'y')",
            columns("orders"),
            if part == "a" { 2 } else { 3 }
        ))
        .await;
    }
    let map = format!("{db}_*.orders={db}.orders", db = scene.db);
    let task = |command: &str| {
        Task::new(command, &scene.source.url(), &scene.target.target_url())
            .include(&format!("{}_*.orders", scene.db))
            .arg("--map", &map)
            .arg("--columns", "*.orders=-kind")
    };
    task("migrate").run().await.expect(4).says(&["both have a row with id=1"]);
    let filtered = |command: &str| task(command).arg("--where", "*.orders=id > 1");
    filtered("migrate").run().await.expect(0);
    filtered("verify").run().await.expect(0);
    let rows =
        scene.target().await.column("SELECT CONCAT_WS(',', id, code, note) FROM orders ORDER BY id").await;
    for part in ["a", "b"] {
        sql.run(&format!("DROP DATABASE {}_{part}", scene.db)).await;
    }
    assert_eq!(rows, ["2,two a,y", "3,two b,y"]);
}

//! Killed before, between and after the steps of DDL, again and again, the task neither repeats nor skips anything.

use crate::harness::{Random, Scene, Server, Sql, Task};

/// Statements whose repetition, or whose omission, would show.
const SETUP: [&str; 7] = [
    "CREATE TABLE a (id INT NOT NULL PRIMARY KEY, x INT, y INT, note VARCHAR(20), KEY kx (x))",
    "INSERT INTO a VALUES (1, 10, 100, 'a'), (2, 20, 200, 'a')",
    // Both of one structure: only their rows tell them apart.
    "CREATE TABLE p (id INT NOT NULL PRIMARY KEY, who VARCHAR(5))",
    "CREATE TABLE q (id INT NOT NULL PRIMARY KEY, who VARCHAR(5))",
    "INSERT INTO p VALUES (1, 'p')",
    "INSERT INTO q VALUES (1, 'q'), (2, 'q')",
    "CREATE TABLE gone (id INT NOT NULL PRIMARY KEY)",
];

/// One round; `n` makes names and values of its own.
fn round(n: u32) -> Vec<String> {
    vec![
        format!("INSERT INTO a (id, x, y) VALUES ({0}, {0}, {0})", 100 + n),
        // Columns, keys and partitions can't share a statement at OceanBase: several steps.
        format!(
            "ALTER TABLE a ADD COLUMN c{n} INT DEFAULT {n}, DROP KEY kx, ADD UNIQUE KEY u{n} (id, c{n}), ADD KEY kx (y, x)"
        ),
        format!("UPDATE a SET c{n} = id + {n}"),
        // Names change places: what `x` was is `y` now.
        "ALTER TABLE a RENAME COLUMN x TO y, RENAME COLUMN y TO x".to_owned(),
        format!("UPDATE a SET x = x + {n} WHERE id = 1"),
        "RENAME TABLE p TO tmp, q TO p, tmp TO q".to_owned(),
        format!("INSERT INTO p VALUES ({}, 'p')", 10 + n),
        "DROP TABLE gone".to_owned(),
        format!("CREATE TABLE gone (id INT NOT NULL PRIMARY KEY, v{n} VARCHAR(20), KEY kv (v{n}))"),
        format!("INSERT INTO gone VALUES ({n}, 'made in {n}')"),
        format!("ALTER TABLE a DROP KEY kx, DROP KEY u{n}, ADD KEY kx (x)"),
        format!(
            "CREATE TABLE fresh{n} (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT, UNIQUE KEY (v), KEY (v, id))"
        ),
        format!("INSERT INTO fresh{n} (v) VALUES (1), (2)"),
        format!("CREATE TABLE like{n} LIKE fresh{n}"),
        format!("INSERT INTO like{n} SELECT * FROM fresh{n}"),
        format!("TRUNCATE TABLE fresh{n}"),
        format!("INSERT INTO fresh{n} (v) VALUES (7)"),
    ]
}

async fn killed_around_ddl(scene: Scene, mode: &str) {
    let mut sql = scene.source().await;
    for statement in SETUP {
        sql.run(statement).await;
    }
    scene.make_marker().await;
    let mut random = Random::new(Random::seed(11));
    let task = scene
        .migrate()
        .arg("--apply", mode)
        .flag("--follow")
        .arg("--on-ddl-error", "stop")
        .arg("--name", &scene.db);
    let mut running = task.start();
    running.wait_phase("incremental").await;
    running.kill().await;
    for n in 0..4 {
        run_all(&mut sql, &round(n)).await;
        kill_within(&task, &scene, &mut random, n).await;
    }
    let mut running = task.start();
    running.wait_phase("incremental").await;
    scene.drain(&mut running).await;
    let outcome = running.stop().await.expect(0);
    assert_eq!(outcome.report["foreign_changes"], 0, "{}", outcome.text());
    scene.assert_equal().await;
}

async fn run_all(sql: &mut Sql, statements: &[String]) {
    for statement in statements {
        sql.run(statement).await;
    }
}

/// Lets the task run until it has gone somewhat further into the statements, and kills it there: the moment is that at
/// which the target shows so many entries of progress, whatever the machine's speed, or the end of the round.
async fn kill_within(task: &Task, scene: &Scene, random: &mut Random, n: u32) {
    let entry = format!(
        "SELECT COALESCE(MAX(CAST(payload AS CHAR)), '') FROM whimbrel.state WHERE kind = 'ddl' AND task LIKE '{}-%'",
        scene.db
    );
    let end = format!(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'like{n}'"
    );
    for _ in 0..4 {
        let mut running = task.start();
        let wanted = random.below(8) + 1;
        let target = tokio::sync::Mutex::new((scene.target().await, String::new(), 0));
        running
            .wait_for("some steps of DDL", async || {
                let mut guard = target.lock().await;
                let (sql, last, steps) = &mut *guard;
                let now = sql.value::<String>(&entry).await;
                if now != *last {
                    *steps += 1;
                    *last = now;
                }
                *steps > wanted || sql.value::<u64>(&end).await > 0
            })
            .await;
        running.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_around_ddl_at_oceanbase_change_nothing() {
    killed_around_ddl(Scene::mysql("ddlc_ob").await, "convergent").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_around_ddl_at_mysql_change_nothing() {
    killed_around_ddl(Scene::new("ddlc_my", Server::mysql(), Server::mysql()).await, "transaction").await;
}

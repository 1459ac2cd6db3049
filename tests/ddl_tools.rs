//! Online schema changes at the source, statement by statement as gh-ost and pt-online-schema-change run them, with the
//! application writing all the while. The rules select the table only, not what the tools make beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::compare::tables;
use crate::harness::{Running, Scene, Server, Sql};

const ROWS: u32 = 400;

async fn filled(scene: &Scene) -> Sql {
    let mut sql = scene.source().await;
    sql.run(
        "CREATE TABLE orders (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, email VARCHAR(60) NOT NULL, n INT NOT NULL DEFAULT 0, \
         old_note VARCHAR(20))",
    )
    .await;
    let rows: Vec<String> = (1..=ROWS).map(|id| format!("({id}, 'user{id}@x', 0, 'note')")).collect();
    sql.run(&format!("INSERT INTO orders VALUES {}", rows.join(","))).await;
    scene.make_marker().await;
    sql
}

async fn follow(scene: &Scene) -> Running {
    let db = &scene.db;
    let mut running = scene
        .migrate()
        .without("--include")
        .include(&format!("{db}.orders"))
        .include(&format!("{db}.marker"))
        .arg("--exclude", &format!("{db}._*"))
        .flag("--follow")
        .start();
    running.wait_phase("incremental").await;
    running
}

/// An application that writes to the table until it is told to stop; it never names the column that the change drops.
struct Application {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<u64>,
}

impl Application {
    async fn start(scene: &Scene) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, mut sql) = (stop.clone(), scene.source().await);
        let task = tokio::spawn(async move {
            let mut round = 0;
            while !stopped.load(Ordering::Relaxed) {
                round += 1;
                let id = round * 7 % u64::from(ROWS) + 1;
                retried(&mut sql, &format!("UPDATE orders SET n = n + 1 WHERE id = {id}")).await;
                retried(&mut sql, &format!("INSERT INTO orders (email, n) VALUES ('new{round}@x', {round})"))
                    .await;
                if round % 5 == 0 {
                    let id = round * 3 % u64::from(ROWS) + 1;
                    retried(&mut sql, &format!("DELETE FROM orders WHERE id = {id}")).await;
                }
            }
            round
        });
        Self { stop, task }
    }

    async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("the application's statements are taken")
    }
}

async fn end(scene: &Scene, mut running: Running, application: Application) {
    assert!(application.stop().await > 10, "the application wrote during the change");
    scene.drain(&mut running).await;
    let outcome = running.stop().await.expect(0);
    assert_eq!(outcome.report["parked"].as_array().map(Vec::len), Some(0), "{}", outcome.text());
    assert_eq!(outcome.report["foreign_changes"], 0, "{}", outcome.text());
    scene.assert_tables_equal(&["orders", "marker"]).await;
    let mut target = scene.target().await;
    let columns = "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'orders' \
                   ORDER BY ordinal_position";
    assert_eq!(target.column(columns).await, ["id", "email", "n", "state", "made"]);
    let unique = "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE() AND \
                  table_name = 'orders' AND index_name = 'by_email' AND non_unique = 0";
    assert_eq!(target.value::<u64>(unique).await, 1);
}

/// What both tools are asked for: a column whose default is a moment, one that goes, one that gets wider, a unique key.
const CHANGE: &str = "ADD COLUMN state ENUM('new','old') NOT NULL DEFAULT 'old', ADD COLUMN made TIMESTAMP(6) NOT NULL DEFAULT \
                      CURRENT_TIMESTAMP(6), DROP COLUMN old_note, MODIFY COLUMN n BIGINT NOT NULL DEFAULT 0, ADD UNIQUE KEY by_email (email)";

/// gh-ost: changelog and ghost tables; chunks copied under shared locks while the log's changes are replayed; then the
/// cut-over, in which a rename waits behind a lock for the moment in which the ghost table is complete.
async fn gh_ost(scene: Scene) {
    let mut sql = filled(&scene).await;
    let running = follow(&scene).await;
    let application = Application::start(&scene).await;
    for statement in [
        "CREATE /* gh-ost */ TABLE `_orders_ghc` (id bigint unsigned auto_increment, last_update timestamp not null DEFAULT \
         CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, hint varchar(64) charset ascii not null, value varchar(4096) charset ascii \
         not null, primary key(id), unique key hint_uidx(hint)) auto_increment=256",
        "create /* gh-ost */ table `_orders_gho` like `orders`",
        &format!("alter /* gh-ost */ table `_orders_gho` {CHANGE}"),
        "insert /* gh-ost */ into `_orders_ghc` (id, hint, value) values (NULLIF(2, 0), 'state', 'GhostTableMigrated') on duplicate \
         key update last_update=NOW(), value=VALUES(value)",
    ] {
        sql.run(statement).await;
    }
    for from in (0..ROWS).step_by(100) {
        sql.run(&format!(
            "insert /* gh-ost */ ignore into `_orders_gho` (id, email, n) (select id, email, n from `orders` force index (`PRIMARY`) \
             where id > {from} and id <= {} lock in share mode)",
            from + 100
        ))
        .await;
        sql.run("insert /* gh-ost */ into `_orders_ghc` (hint, value) values ('heartbeat', NOW(6)) on duplicate key update value=VALUES(value)")
            .await;
    }
    // The lock of the cut-over; what gh-ost has read from the log until then is replayed under it.
    let (mut locker, mut renamer) = (scene.source().await, scene.source().await);
    locker.run("create /* gh-ost */ table `_orders_del` (id int auto_increment primary key) comment='ghost-cut-over-sentry'").await;
    locker.run("lock /* gh-ost */ tables `orders` write, `_orders_del` write, `_orders_gho` write").await;
    for statement in [
        "delete /* gh-ost */ from `_orders_gho` where id not in (select id from `orders`)",
        "replace /* gh-ost */ into `_orders_gho` (id, email, n) select id, email, n from `orders`",
    ] {
        // gh-ost does this row by row in another session; here it is done by the one that holds the lock.
        locker.run(statement).await;
    }
    let renaming = tokio::spawn(async move {
        renamer.run("rename /* gh-ost */ table `orders` to `_orders_del`, `_orders_gho` to `orders`").await;
        renamer
    });
    let mut watcher = scene.source().await;
    let waiting =
        "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'rename /* gh-ost */%'";
    while watcher.value::<u64>(waiting).await == 0 {
        tokio::task::yield_now().await;
    }
    locker.run("drop /* gh-ost */ table if exists `_orders_del`").await;
    locker.run("unlock /* gh-ost */ tables").await;
    let mut sql = renaming.await.expect("the rename goes through");
    sql.run("drop /* gh-ost */ table if exists `_orders_ghc`").await;
    sql.run("drop /* gh-ost */ table if exists `_orders_del`").await;
    end(&scene, running, application).await;
    assert_eq!(tables(&mut scene.target().await).await, ["marker", "orders"]);
}

/// pt-online-schema-change: triggers keep the new table up to date while chunks are copied, then one RENAME swaps both.
async fn pt_osc(scene: Scene) {
    let mut sql = filled(&scene).await;
    let running = follow(&scene).await;
    let application = Application::start(&scene).await;
    let db = &scene.db;
    let create = sql.rows("SHOW CREATE TABLE orders").await;
    let create =
        create[0][1].clone().expect("a definition").replacen("`orders`", &format!("`{db}`.`_orders_new`"), 1);
    let mut statements = vec![
        create,
        format!("ALTER TABLE `{db}`.`_orders_new` {CHANGE}"),
        format!(
            "CREATE TRIGGER `pt_osc_orders_del` AFTER DELETE ON `{db}`.`orders` FOR EACH ROW DELETE IGNORE FROM `{db}`.`_orders_new` \
             WHERE `{db}`.`_orders_new`.`id` <=> OLD.`id`"
        ),
        format!(
            "CREATE TRIGGER `pt_osc_orders_upd` AFTER UPDATE ON `{db}`.`orders` FOR EACH ROW BEGIN DELETE IGNORE FROM \
             `{db}`.`_orders_new` WHERE !(OLD.`id` <=> NEW.`id`) AND `{db}`.`_orders_new`.`id` <=> OLD.`id`; REPLACE INTO \
             `{db}`.`_orders_new` (`id`, `email`, `n`) VALUES (NEW.`id`, NEW.`email`, NEW.`n`); END"
        ),
        format!(
            "CREATE TRIGGER `pt_osc_orders_ins` AFTER INSERT ON `{db}`.`orders` FOR EACH ROW REPLACE INTO `{db}`.`_orders_new` (`id`, \
             `email`, `n`) VALUES (NEW.`id`, NEW.`email`, NEW.`n`)"
        ),
    ];
    statements.extend((0..ROWS).step_by(100).map(|from| {
        format!(
            "INSERT LOW_PRIORITY IGNORE INTO `{db}`.`_orders_new` (`id`, `email`, `n`) SELECT `id`, `email`, `n` FROM `{db}`.`orders` \
             FORCE INDEX(`PRIMARY`) WHERE `id` > {from} AND `id` <= {} LOCK IN SHARE MODE /*pt-online-schema-change copy nibble*/",
            from + 100
        )
    }));
    statements.extend([
        format!("ANALYZE TABLE `{db}`.`_orders_new` /* pt-online-schema-change */"),
        format!(
            "RENAME TABLE `{db}`.`orders` TO `{db}`.`_orders_old`, `{db}`.`_orders_new` TO `{db}`.`orders`"
        ),
        format!("DROP TABLE IF EXISTS `{db}`.`_orders_old`"),
    ]);
    statements.extend(
        ["del", "upd", "ins"].map(|what| format!("DROP TRIGGER IF EXISTS `{db}`.`pt_osc_orders_{what}`")),
    );
    for statement in &statements {
        if statement.starts_with("ANALYZE") {
            sql.rows(statement).await;
        } else {
            retried(&mut sql, statement).await;
        }
    }
    end(&scene, running, application).await;
    assert_eq!(tables(&mut scene.target().await).await, ["marker", "orders"]);
}

/// Tool and application try again after a deadlock with each other.
async fn retried(sql: &mut Sql, statement: &str) {
    for _ in 0..20 {
        match sql.try_run(statement).await {
            Ok(_) => return,
            Err(error) if matches!(error.server_code(), Some(1213 | 1205)) => {}
            Err(error) => panic!("{statement}: {error}"),
        }
    }
    panic!("always a deadlock: {statement}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gh_ost_at_mysql_changes_the_target_too() {
    gh_ost(Scene::mysql("gho_my").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pt_online_schema_change_at_mysql_changes_the_target_too() {
    pt_osc(Scene::new("pto_my", Server::mysql(), Server::mysql()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pt_online_schema_change_at_mariadb_changes_the_target_too() {
    pt_osc(Scene::mariadb("pto_ma").await).await;
}

/// A table that nobody selected takes the selected one's place: its rows were never copied, so the statement waits for
/// a person; the rest goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_from_outside_waits_for_a_person() {
    let scene = Scene::mysql("gho_out").await;
    let mut sql = filled(&scene).await;
    let mut running = follow(&scene).await;
    for statement in [
        "CREATE TABLE orders_v2 LIKE orders",
        "INSERT INTO orders_v2 VALUES (2, 'none of ours', 1, 'x')",
        "RENAME TABLE orders TO orders_v1, orders_v2 TO orders",
        "INSERT INTO orders VALUES (3, 'later', 1, 'x')",
    ] {
        sql.run(statement).await;
    }
    scene.drain(&mut running).await;
    let status = running
        .wait_until("the parked rename", |status| status["parked_statements"][0]["id"].is_string())
        .await;
    let reason = status["parked_statements"][0]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("comes from outside of the migration"), "{reason}");
    assert_eq!(scene.target().await.count("orders").await, u64::from(ROWS));
    running.stop().await.expect(3);
}

/// One with the name of a shadow table that was there before the task is none, and nobody knows its definition.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_was_there_is_not_taken_for_a_shadow() {
    let scene = Scene::mysql("gho_old").await;
    let mut sql = filled(&scene).await;
    sql.run("CREATE TABLE _orders_new LIKE orders").await;
    sql.run("INSERT INTO _orders_new VALUES (1, 'other', 1, 'x')").await;
    let mut running = follow(&scene).await;
    sql.run("INSERT INTO _orders_new VALUES (2, 'none of ours', 1, 'x')").await;
    sql.run("INSERT INTO orders (email) VALUES ('ours')").await;
    scene.drain(&mut running).await;
    assert_eq!(tables(&mut scene.target().await).await, ["marker", "orders"]);
    sql.run("RENAME TABLE orders TO _orders_old, _orders_new TO orders").await;
    running.finish().await.expect(1).says(&["_orders_new is not known"]);
}

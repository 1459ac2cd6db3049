//! Views, routines, triggers, events, sequences and foreign keys in a circle: what can be at the target is there and
//! works, and what can't is in the report, with the target's own error.

use serde_json::Value as Json;

use crate::harness::{Scene, Server, Sql, Task};

/// For MySQL and MariaDB. `{db}` is the scene's database, `{other}` one beside it.
const OBJECTS: &[&str] = &[
    "CREATE TABLE orders (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, customer INT NOT NULL, total DECIMAL(10,2) NOT NULL DEFAULT 0)",
    "CREATE TABLE audit (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, what VARCHAR(50) NOT NULL)",
    "CREATE TABLE team (id INT NOT NULL PRIMARY KEY, lead_id INT NULL, KEY team_lead (lead_id))",
    "CREATE TABLE person (id INT NOT NULL PRIMARY KEY, team_id INT NULL, KEY person_team (team_id), CONSTRAINT person_in_team FOREIGN KEY (team_id) REFERENCES team (id) ON DELETE SET NULL)",
    "ALTER TABLE team ADD CONSTRAINT team_led_by FOREIGN KEY (lead_id) REFERENCES person (id) ON UPDATE CASCADE",
    "CREATE TABLE {other}.rates (customer INT NOT NULL PRIMARY KEY, rate DECIMAL(5,2) NOT NULL)",
    "CREATE FUNCTION doubled(x DECIMAL(10,2)) RETURNS DECIMAL(10,2) DETERMINISTIC NO SQL COMMENT 'twice; it''s' RETURN x * 2",
    "CREATE PROCEDURE add_order(IN c INT, IN t DECIMAL(10,2), OUT n INT) MODIFIES SQL DATA BEGIN DECLARE found INT; INSERT INTO orders (customer, total) VALUES (c, t); SELECT COUNT(*) INTO found FROM {db}.orders; SET n = found; END",
    "CREATE VIEW with_rate AS SELECT o.id, o.customer, o.total, r.rate AS rate FROM orders o LEFT JOIN {other}.rates r ON r.customer = o.customer",
    "CREATE VIEW all_twice (number, twice) AS SELECT id, doubled(total) FROM with_rate WHERE total > 0",
    "CREATE VIEW above AS SELECT a.number AS number, a.twice AS twice FROM all_twice a JOIN with_rate w ON w.id = a.number WHERE w.customer < 100",
    "CREATE VIEW {other}.from_here AS SELECT number FROM {db}.above",
    "CREATE SQL SECURITY INVOKER VIEW small AS SELECT id, total FROM orders WHERE total < 50 WITH CHECK OPTION",
    "CREATE TRIGGER order_made AFTER INSERT ON orders FOR EACH ROW INSERT INTO audit (what) VALUES (CONCAT('order ', NEW.id))",
    "CREATE TRIGGER order_gone AFTER DELETE ON orders FOR EACH ROW BEGIN DECLARE w VARCHAR(50); SET w = CONCAT('gone ', OLD.id); INSERT INTO {db}.audit (what) VALUES (w); END",
    "CREATE EVENT cleaning ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' COMMENT 'it''s' DO DELETE FROM audit WHERE id < 0",
    "INSERT INTO orders (customer, total) VALUES (1, 10), (2, 20), (200, 300)",
    "INSERT INTO team VALUES (1, NULL), (2, NULL)",
    "INSERT INTO person VALUES (10, 1), (20, 2)",
    "UPDATE team SET lead_id = id * 10",
    "INSERT INTO {other}.rates VALUES (1, 1.5), (2, 0)",
];

/// MariaDB only.
const SEQUENCE: &[&str] = &[
    "CREATE SEQUENCE numbers START WITH 100 INCREMENT BY 10 CACHE 5",
    "CREATE TABLE numbered (id INT NOT NULL DEFAULT NEXTVAL({db}.numbers) PRIMARY KEY, what VARCHAR(10))",
    "INSERT INTO numbered (what) VALUES ('a'), ('b')",
];

/// A scene with a second database beside the source's and the target's.
struct Place {
    scene: Scene,
    other: String,
    target_other: String,
}

impl Place {
    async fn new(test: &str, source: Server, target: Server, statements: &[&[&str]]) -> Self {
        let scene = Scene::new(test, source, target).await;
        let other = format!("{}_other", scene.db);
        let target_other = format!("{}_other", scene.target_db);
        let place = Self { scene, other, target_other };
        place.drop_others().await;
        let mut sql = place.scene.source().await;
        sql.run(&format!("CREATE DATABASE {} CHARACTER SET utf8mb4", place.other)).await;
        for statement in statements.iter().copied().flatten() {
            sql.run(&statement.replace("{db}", &place.scene.db).replace("{other}", &place.other)).await;
        }
        place.scene.make_marker().await;
        place
    }

    /// As administrator of the source, who sees triggers and events.
    fn migrate(&self) -> Task {
        let task = Task::new("migrate", &self.scene.source.root_url(), &self.scene.target.target_url())
            .include(&format!("{}.*", self.scene.db))
            .include(&format!("{}.*", self.other));
        if self.scene.db == self.scene.target_db {
            return task;
        }
        task.arg("--map", &format!("{}.*={}.*", self.scene.db, self.scene.target_db))
            .arg("--map", &format!("{}.*={}.*", self.other, self.target_other))
    }

    async fn drop_others(&self) {
        let mut sql = Sql::open(&self.scene.source, "").await;
        sql.run(&format!("DROP DATABASE IF EXISTS {}", self.other)).await;
        let mut sql = Sql::open(&self.scene.target, "").await;
        sql.run(&format!("DROP DATABASE IF EXISTS {}", self.target_other)).await;
    }

    /// The source's name of one of the scene's objects.
    fn named(&self, name: &str) -> String {
        format!("{}.{name}", self.scene.db)
    }
}

fn object<'a>(report: &'a Json, kind: &str, name: &str) -> &'a Json {
    let objects = report["objects"].as_array().expect("the report has objects");
    let found = objects.iter().find(|object| object["kind"] == kind && object["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name} in {objects:#?}"))
}

#[track_caller]
fn assert_status(report: &Json, kind: &str, name: &str, status: &str) {
    let object = object(report, kind, name);
    assert_eq!(object["status"], status, "{object:#}");
}

/// What an application does with views and routines after the switch.
async fn assert_views_and_routines_work(place: &Place, target: &mut Sql) {
    assert_eq!(
        target.column("SELECT CONCAT(number, ' ', twice) FROM above ORDER BY number").await,
        ["1 20.00", "2 40.00"]
    );
    let from_here = format!("SELECT COUNT(*) FROM {}.from_here", place.target_other);
    assert_eq!(target.value::<u64>(&from_here).await, 2);
    assert_eq!(target.value::<String>("SELECT rate FROM with_rate WHERE id = 1").await, "1.50");
    assert_eq!(target.value::<String>("SELECT doubled(1.25)").await, "2.50");
    target.run("UPDATE small SET total = 11 WHERE id = 1").await;
    target.run("UPDATE small SET total = 10 WHERE id = 1").await;
    let refused = target.try_run("UPDATE small SET total = 60 WHERE id = 1").await;
    assert!(refused.is_err(), "WITH CHECK OPTION is not there");
    let orders = target.count("orders").await;
    target.run("CALL add_order(7, 1.00, @n)").await;
    assert_eq!(target.value::<u64>("SELECT @n").await, orders + 1);
    assert!(
        target.try_run("UPDATE person SET team_id = 99 WHERE id = 10").await.is_err(),
        "a foreign key of the circle is not there"
    );
    assert!(
        target.try_run("UPDATE team SET lead_id = 99 WHERE id = 1").await.is_err(),
        "the other foreign key of the circle is not there"
    );
}

/// Triggers of the target write, and only once for what was migrated.
async fn assert_triggers_work(target: &mut Sql) {
    let before = target.count("audit").await;
    target.run("INSERT INTO orders (id, customer) VALUES (900000, 3)").await;
    target.run("DELETE FROM orders WHERE id = 900000").await;
    assert_eq!(target.count("audit").await, before + 2);
    assert_eq!(target.count("audit WHERE what IN ('order 900000', 'gone 900000')").await, 2);
}

/// A run that ends: everything is made, a second run applies what came since without any trigger at the target.
async fn a_run_that_ends_makes_everything(source: Server, target: Server, test: &str) {
    let place = Place::new(test, source, target, &[OBJECTS]).await;
    let scene = &place.scene;
    let task = place.migrate();
    let outcome = task.run().await.expect(0);
    scene.assert_equal().await;
    let report = &outcome.report;
    for (kind, name) in [
        ("function", "doubled"),
        ("procedure", "add_order"),
        ("view", "with_rate"),
        ("view", "all_twice"),
        ("view", "above"),
        ("view", "small"),
        ("trigger", "order_made"),
        ("trigger", "order_gone"),
    ] {
        let status =
            object(report, kind, &place.named(name))["status"].as_str().unwrap_or_default().to_owned();
        assert!(
            ["created", "changed"].contains(&status.as_str()),
            "{kind} {name}: {status}\n{}",
            outcome.text()
        );
    }
    let event = object(report, "event", &place.named("cleaning"));
    if scene.target.is_oceanbase() {
        assert_eq!(
            (&event["status"], &event["error_code"]),
            (&"not_possible".into(), &1064.into()),
            "{event:#}"
        );
        assert!(event["error"].as_str().is_some_and(|text| text.contains("OceanBase version")), "{event:#}");
        let note = &object(report, "view", &place.named("small"))["note"];
        assert!(note.as_str().is_some_and(|note| note.contains("INVOKER")), "{note}");
        assert!(
            outcome.text().contains("1 not possible") && outcome.text().contains("1064"),
            "{}",
            outcome.text()
        );
    } else {
        assert_eq!(event["status"], "created", "{event:#}");
    }
    // Changes that a trigger of the target would act upon a second time.
    let mut sql = scene.source().await;
    sql.run("INSERT INTO orders (customer, total) VALUES (500, 50), (500, 70)").await;
    sql.run("DELETE FROM orders WHERE customer = 500 AND total = 70").await;
    let again = task.run().await.expect(0);
    scene.assert_equal().await;
    assert_status(
        &again.report,
        "function",
        &place.named("doubled"),
        made(&outcome.report, "function", &place.named("doubled")),
    );
    assert_status(
        &again.report,
        "trigger",
        &place.named("order_made"),
        made(&outcome.report, "trigger", &place.named("order_made")),
    );
    let mut target = scene.target().await;
    assert_views_and_routines_work(&place, &mut target).await;
    assert_triggers_work(&mut target).await;
    place.drop_others().await;
}

/// An object's status.
fn made<'a>(report: &'a Json, kind: &str, name: &str) -> &'a str {
    object(report, kind, name)["status"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ends_from_mysql_to_oceanbase() {
    a_run_that_ends_makes_everything(Server::mysql(), Server::oceanbase(), "objects_end_yo").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ends_from_mariadb_to_oceanbase() {
    a_run_that_ends_makes_everything(Server::mariadb(), Server::oceanbase(), "objects_end_ao").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ends_from_mysql_to_mysql() {
    a_run_that_ends_makes_everything(Server::mysql(), Server::mysql(), "objects_end_yy").await;
}

/// The statements of `after-switchover.sql`, as the `mysql` client would take them.
fn statements_of(file: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut delimiter = ";".to_owned();
    let mut statement = String::new();
    for line in file.lines().filter(|line| !line.starts_with("--") && !line.is_empty()) {
        if let Some(word) = line.strip_prefix("DELIMITER ") {
            word.clone_into(&mut delimiter);
            continue;
        }
        statement.push_str(line);
        match statement.strip_suffix(&delimiter) {
            Some(whole) => {
                statements.push(whole.to_owned());
                statement.clear();
            }
            None => statement.push('\n'),
        }
    }
    assert!(statement.is_empty(), "a statement without its end: {statement}");
    statements
}

/// A run that follows: views and routines are there from the start, triggers and events wait in a file that works.
async fn a_run_that_follows_defers_what_acts(source: Server, target: Server, test: &str) {
    let sequences: &[&str] = if source.is_mysql() { &[] } else { SEQUENCE };
    let place = Place::new(test, source, target, &[OBJECTS, sequences]).await;
    let scene = &place.scene;
    let task = place.migrate().flag("--follow");
    let mut running = task.start();
    let status = running.wait_phase("incremental").await;
    assert_status(&status, "trigger", &place.named("order_made"), "deferred");
    let mut sql = scene.source().await;
    sql.run("INSERT INTO orders (id, customer, total) VALUES (50000, 500, 5), (50001, 500, 6)").await;
    sql.run("DELETE FROM orders WHERE id >= 50000").await;
    if !sequences.is_empty() {
        sql.run("INSERT INTO numbered (what) SELECT 'c' FROM orders").await;
    }
    scene.drain(&mut running).await;
    scene.assert_equal().await;
    let outcome = running.stop().await.expect(0);
    let file = task.home().join("default/objects/after-switchover.sql");
    let file = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let statements = statements_of(&file);
    let oceanbase = scene.target.is_oceanbase();
    assert_eq!(statements.iter().any(|text| text.contains(" EVENT ")), !oceanbase, "{file}");
    let event = if oceanbase { "not_possible" } else { "deferred" };
    assert_status(&outcome.report, "event", &place.named("cleaning"), event);
    let mut target = scene.target().await;
    assert_eq!(target.count("orders").await, 3);
    assert_eq!(target.count("audit").await, scene.source().await.count("audit").await);
    // AUTO_INCREMENT goes on behind rows that are no more.
    let id = target.run("INSERT INTO orders (customer, total) VALUES (600, 0)").await.last_insert_id;
    assert!(id >= 50002, "AUTO_INCREMENT was not carried over: {id}");
    target.run("DELETE FROM orders WHERE customer = 600").await;
    if !sequences.is_empty() {
        assert_sequence(&place, &outcome.report, &mut target).await;
    }
    assert_views_and_routines_work(&place, &mut target).await;
    for statement in &statements {
        target.run(statement).await;
    }
    target.run(&format!("USE {}", scene.target_db)).await;
    assert_triggers_work(&mut target).await;
    let trials = target.column("SHOW DATABASES LIKE 'whimbrel\\_trial\\_%'").await;
    assert!(trials.is_empty(), "trials are left behind: {trials:?}");
    place.drop_others().await;
}

async fn assert_sequence(place: &Place, report: &Json, target: &mut Sql) {
    if place.scene.target.is_oceanbase() {
        let sequence = object(report, "sequence", &place.named("numbers"));
        assert_eq!((&sequence["status"], &sequence["error_code"]), (&"not_possible".into(), &1064.into()));
        return;
    }
    assert_status(report, "sequence", &place.named("numbers"), "created");
    let highest: u64 = target.value("SELECT MAX(id) FROM numbered").await;
    target.run("INSERT INTO numbered (what) VALUES ('new')").await;
    let new: u64 = target.value("SELECT id FROM numbered WHERE what = 'new'").await;
    assert!(new > highest && new.is_multiple_of(10), "the sequence gave {new}, the highest was {highest}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_follows_from_mysql_to_oceanbase() {
    a_run_that_follows_defers_what_acts(Server::mysql(), Server::oceanbase(), "objects_follow_yo").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_follows_from_mariadb_to_oceanbase() {
    a_run_that_follows_defers_what_acts(Server::mariadb(), Server::oceanbase(), "objects_follow_ao").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_follows_from_mariadb_to_mariadb() {
    a_run_that_follows_defers_what_acts(Server::mariadb(), Server::mariadb(), "objects_follow_aa").await;
}

/// Objects are selected by their names, and what is at the target already is left alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_are_selected_by_name_and_nothing_is_overwritten() {
    let place = Place::new("objects_select", Server::mysql(), Server::mysql(), &[OBJECTS]).await;
    let scene = &place.scene;
    let mut target = scene.make_target().await;
    target.run("CREATE VIEW with_rate AS SELECT 'theirs' AS id").await;
    let task = Task::new("migrate", &scene.source.root_url(), &scene.target.target_url())
        .include(&place.named("orders"))
        .include(&place.named("audit"))
        .include(&place.named("with_*"))
        .include(&place.named("small"))
        .include(&place.named("above"))
        .arg("--exclude", &place.named("order_gone"))
        .arg("--map", &format!("{}.*={}.*", scene.db, scene.target_db));
    let outcome = task.run().await.expect(0);
    let report = &outcome.report;
    let names: Vec<&str> =
        report["objects"].as_array().unwrap().iter().filter_map(|object| object["name"].as_str()).collect();
    let wanted = ["above", "small", "with_rate", "order_made"].map(|name| place.named(name));
    assert_eq!(names.len(), wanted.len(), "{names:?}");
    assert!(wanted.iter().all(|name| names.contains(&name.as_str())), "{names:?}");
    assert_status(report, "view", &place.named("small"), "created");
    let theirs = object(report, "view", &place.named("with_rate"));
    assert!(
        theirs["status"] == "not_possible" && theirs["note"].as_str().unwrap().contains("already"),
        "{theirs}"
    );
    assert_eq!(target.value::<String>("SELECT id FROM with_rate").await, "theirs");
    // It stands on a view that isn't moved.
    let above = object(report, "view", &place.named("above"));
    assert_eq!((&above["status"], &above["error_code"]), (&"not_possible".into(), &1146.into()), "{above:#}");
    place.drop_others().await;
}

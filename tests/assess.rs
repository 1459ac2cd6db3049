//! `whimbrel assess`: what is different, what is risky, and what nobody needs to worry about.

use serde_json::Value as Json;

use crate::harness::{Outcome, Scene, Server, Sql, Task};

/// The report of a run with `--format json`.
fn report(outcome: &Outcome) -> Json {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{}", outcome.text()))
}

fn object<'a>(report: &'a Json, table: &str) -> &'a Json {
    let all = report["objects"].as_array().expect("a list of objects");
    let found = all.iter().find(|object| {
        object["source"]
            .as_str()
            .is_some_and(|name| name.rsplit_once('.').is_some_and(|(_, last)| last == table))
    });
    found.unwrap_or_else(|| panic!("no object {table} in {report:#}"))
}

/// The rows that a check about an object found; null where it has no answer.
fn rows<'a>(object: &'a Json, check: &str, about: &str) -> &'a Json {
    let all = object["risks"].as_array().expect("a list of risks");
    let found = all.iter().find(|risk| {
        risk["check"] == check && risk["object"].as_str().is_some_and(|name| name.ends_with(about))
    });
    &found.unwrap_or_else(|| panic!("no check {check} of {about} in {object:#}"))["rows"]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn risks_in_the_data_are_counted() {
    let scene = Scene::mysql("assess").await;
    let mut sql = scene.source().await;
    let run = async |sql: &mut Sql, statements: &[&str]| {
        for statement in statements {
            sql.run(statement).await;
        }
    };
    run(
        &mut sql,
        &[
            "CREATE TABLE same (id INT PRIMARY KEY, n INT, KEY (n))",
            "INSERT INTO same VALUES (1, 1), (2, 2)",
            // NO PAD at the source; the target's utf8mb4_bin pads.
            "CREATE TABLE padded (k VARCHAR(20) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, v TEXT COLLATE utf8mb4_0900_ai_ci)",
            "INSERT INTO padded VALUES ('a', 'plain'), ('a ', 'two'), ('a  ', NULL), ('b', '\u{1f600}'), ('c', '\u{20000}x')",
            "CREATE TABLE dated (id INT PRIMARY KEY, d DATE, t DATETIME)",
            "SET sql_mode = 'ALLOW_INVALID_DATES'",
            "INSERT INTO dated VALUES (1, '0000-00-00', '2020-01-01'), (2, '2021-02-30', '2021-01-00'), (3, '2021-02-28', NULL)",
            "SET sql_mode = DEFAULT",
            "CREATE TABLE large (id INT PRIMARY KEY, b LONGBLOB)",
            "INSERT INTO large VALUES (1, REPEAT('x', 9000000)), (2, 'small'), (3, NULL)",
            "CREATE TABLE keyless (a INT, b VARCHAR(10))",
            "CREATE TABLE numbers (id INT PRIMARY KEY, n BIGINT, v VARCHAR(50), g GEOMETRY NOT NULL)",
            "INSERT INTO numbers VALUES (1, 1, 'short', ST_GeomFromText('POINT(1 1)')), (2, 3000000000, 'a long text', \
             ST_GeomFromText('POINT(1 1)', 4326)), (3, NULL, NULL, ST_GeomFromText('POINT(2 2)', 4326))",
        ],
    )
    .await;
    let db = &scene.db;
    let task = scene
        .task("assess")
        .arg("--convert", &format!("{db}.numbers.n=INT"))
        .arg("--convert", &format!("{db}.numbers.v=VARCHAR(8)"))
        .arg("--accept-loss", &format!("{db}.numbers.*"))
        .arg("--format", "json");
    let full = task.clone().arg("--data-checks", "full").run().await.expect(0);
    let found = report(&full);
    assert_eq!(found["version"], 1);
    let same = object(&found, "same");
    assert_eq!((&same["verdict"], &same["effort"]), (&"moved".into(), &"none".into()), "{same:#}");
    let padded = object(&found, "padded");
    assert_eq!(*rows(padded, "keys-collide", "key PRIMARY"), 2, "{padded:#}");
    assert!(padded["risks"].to_string().contains(r#"\"a\""#), "examples are shown: {padded:#}");
    assert_eq!(*rows(padded, "four-byte-characters", "padded.v"), 2);
    assert_eq!(*rows(padded, "invalid-text", "padded.v"), 0);
    assert_eq!(padded["effort"], "high");
    let dated = object(&found, "dated");
    assert_eq!(*rows(dated, "unreal-dates", "dated.d"), 2, "{dated:#}");
    assert_eq!(*rows(dated, "unreal-dates", "dated.t"), 1);
    assert_eq!(dated["effort"], "low");
    let large = object(&found, "large");
    let packet: u64 = Sql::open(&scene.target, "").await.value("SELECT @@global.max_allowed_packet").await;
    let too_large = u64::from(9_000_000 > packet / 2);
    assert_eq!(*rows(large, "row-larger-than-packet", "large"), too_large, "{large:#}");
    assert_eq!(large["scan"]["rows_read"], 3);
    assert_eq!(large["scan"]["complete"], true);
    assert!(object(&found, "keyless")["changes"].to_string().contains("no-key"));
    let numbers = object(&found, "numbers");
    assert_eq!(*rows(numbers, "value-does-not-fit", "numbers.n"), 1, "{numbers:#}");
    assert_eq!(*rows(numbers, "value-does-not-fit", "numbers.v"), 1);
    assert_eq!(*rows(numbers, "spatial-reference", "numbers.g"), 2);
    assert_eq!(numbers["verdict"], "changed");
    // What has to be done comes first.
    assert_eq!(found["objects"][0]["effort"], "high");
    assert_eq!(
        found["summary"]["moved"].as_u64().unwrap() + found["summary"]["changed"].as_u64().unwrap(),
        6
    );

    let off = report(&task.clone().arg("--data-checks", "off").run().await.expect(0));
    assert_eq!(object(&off, "padded")["risks"], Json::Array(Vec::new()));
    assert_eq!(off["data_checks"]["rows_read"], 0);
    let sampled = report(&task.run().await.expect(0));
    assert_eq!(sampled["data_checks"]["rows"], 100_000);
    assert_eq!(*rows(object(&sampled, "padded"), "keys-collide", "key PRIMARY"), 2);
}

/// MariaDB has collations that MySQL hasn't, and the other way round: the target's own is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_compared_by_the_target_where_the_source_lacks_its_collation() {
    let scene = Scene::new("assess_trial", Server::mariadb(), Server::mysql()).await;
    let mut sql = scene.source().await;
    sql.run(
        "CREATE TABLE t (k VARCHAR(20) COLLATE utf8mb4_bin NOT NULL, n INT NOT NULL, PRIMARY KEY (k, n))",
    )
    .await;
    sql.run("INSERT INTO t VALUES ('a', 1), ('A', 1), ('\u{e1}', 1), ('a', 2), ('b', 1)").await;
    let convert = format!("{}.t.k=VARCHAR(20) COLLATE utf8mb4_0900_ai_ci", scene.db);
    let outcome = scene
        .task("assess")
        .arg("--convert", &convert)
        .arg("--accept-loss", &format!("{}.t.k", scene.db))
        .arg("--format", "json")
        .run()
        .await
        .expect(0);
    let found = report(&outcome);
    let table = object(&found, "t");
    assert_eq!(*rows(table, "keys-collide", "key PRIMARY"), 2, "{table:#}");
    let mut target = Sql::open(&scene.target, "").await;
    let left = target.column("SHOW DATABASES LIKE 'whimbrel_scratch_%'").await;
    assert!(left.is_empty(), "the scratch schema stays: {left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_and_programs_are_in_the_report() {
    let scene = Scene::new("assess_objects", Server::mysql(), Server::oceanbase()).await;
    let mut sql = scene.source().await;
    for statement in [
        "CREATE TABLE t (id INT PRIMARY KEY, n INT)",
        "CREATE VIEW seen AS SELECT id, n FROM t WHERE n > 0",
        "CREATE SQL SECURITY INVOKER VIEW invoked AS SELECT id FROM t",
        "CREATE TRIGGER touched BEFORE INSERT ON t FOR EACH ROW SET NEW.n = COALESCE(NEW.n, 1)",
        "CREATE PROCEDURE twice(IN x INT) SELECT x * 2",
        "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM t WHERE n = 0",
    ] {
        sql.run(statement).await;
    }
    // An account that may not look at triggers and events: that is said and not passed over.
    let blind = format!("blind_{}", std::process::id());
    sql.run(&format!("CREATE USER {blind} IDENTIFIED BY 'eyes shut'")).await;
    sql.run(&format!("GRANT SELECT, SHOW VIEW, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO {blind}"))
        .await;
    let limited =
        Task::new("assess", &scene.source.url_of(&blind, "eyes%20shut"), &scene.target.target_url())
            .include(&format!("{}.*", scene.db))
            .arg("--data-checks", "off");
    limited.run().await.expect(0).says(&["GRANT TRIGGER", "GRANT EVENT"]);
    sql.run(&format!("DROP USER {blind}")).await;
    let whole = Task::new("assess", &scene.source.root_url(), &scene.target.target_url())
        .include(&format!("{}.*", scene.db))
        .arg("--data-checks", "off");
    let found = report(&whole.clone().arg("--format", "json").run().await.expect(0));
    assert_eq!(object(&found, "seen")["kind"], "view");
    assert_eq!(object(&found, "touched")["kind"], "trigger");
    assert_eq!(object(&found, "twice")["kind"], "procedure");
    assert_eq!(object(&found, "invoked")["verdict"], "changed", "{found:#}");
    let nightly = object(&found, "nightly");
    assert_eq!(nightly["verdict"], "not_possible", "{nightly:#}");
    assert!(nightly["changes"].to_string().contains("events-left-out"), "{nightly:#}");
    whole.run().await.expect(0).says(&["event ", "the target has no events", "scheduler outside"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_complete_in_itself_and_holds_no_markup_of_the_servers() {
    let scene = Scene::mysql("assess_page").await;
    let mut sql = scene.source().await;
    sql.run("CREATE TABLE odd (id INT PRIMARY KEY, `<b>&` TEXT CHARACTER SET gbk)").await;
    sql.run("CREATE TABLE fine (id INT PRIMARY KEY, t TIMESTAMP(3) NULL)").await;
    let page = scene.folder().join("page.html");
    let to_file = scene.task("assess").arg("--format", "html").arg("--out", &page.display().to_string());
    let outcome = to_file.run().await.expect(0);
    assert_eq!(outcome.stdout, "");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("odd.&lt;b&gt;&amp;"), "{page}");
    assert!(!page.contains("<script") && !page.contains("http") && !page.contains("<b>&"), "{page}");
}

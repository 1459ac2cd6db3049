//! `whimbrel prove`: which values a target holds.

use serde_json::Value as Json;

use crate::harness::{Outcome, Scene, Server, Sql, Task};

fn prove_all(target: &Server) -> Task {
    Task::bare(&["prove"]).arg("--target", &target.target_url()).arg("--types", "all").arg("--format", "json")
}

fn proof(outcome: &Outcome) -> Json {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.text()))
}

/// The result of a type, by its SQL at the source.
fn type_of<'p>(proof: &'p Json, source: &str) -> &'p Json {
    let types = proof["types"].as_array().expect("types");
    let found =
        types.iter().find(|found| found["source"].as_str().is_some_and(|text| text.starts_with(source)));
    found.unwrap_or_else(|| panic!("no type {source}"))
}

fn class_of<'p>(proof: &'p Json, source: &str, class: &str) -> &'p Json {
    let found = type_of(proof, source);
    let classes = found["classes"].as_array().expect("classes");
    classes
        .iter()
        .find(|found| found["class"] == class)
        .unwrap_or_else(|| panic!("{source} has no class {class}: {found:#}"))
}

/// Scratch schemas and state of the process with this number.
async fn left_behind(target: &Server, pid: u32) -> Vec<String> {
    let mut sql = Sql::open(target, "").await;
    let mine = format!("whimbrel\\_prove\\_{pid:x}\\_%");
    let mut left = sql
        .column(&format!(
            "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE '{mine}'"
        ))
        .await;
    for table in ["owner", "state"] {
        left.extend(
            sql.column(&format!("SELECT DISTINCT task FROM whimbrel.{table} WHERE task LIKE '{mine}'")).await,
        );
    }
    left
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_is_tried_at_oceanbase() {
    let target = Server::oceanbase();
    let running = prove_all(&target).start();
    let pid = running.pid();
    let outcome = running.finish().await.expect(3);
    let proof = proof(&outcome);
    for found in proof["types"].as_array().expect("types") {
        let source = found["source"].as_str().expect("a type");
        // What is known of seekdb 1.4 stands in the reference; nothing else may be lost.
        let known =
            ["geometry", "point", "linestring", "polygon", "multi", "geom", "enum", "varchar", "vector"];
        let worst =
            found["classes"].as_array().expect("classes").iter().find(|class| class["outcome"] != "lossless");
        assert!(
            known.iter().any(|begin| source.starts_with(begin))
                || (worst.is_none() && found["error"].is_null()),
            "{found:#}"
        );
    }
    for (source, class, outcome) in [
        ("int", "smallest", "lossless"),
        ("decimal(65,30)", "largest", "lossless"),
        ("double", "smallest denormal", "lossless"),
        ("float", "more than six digits", "lossless"),
        ("time(6)", "longest negative", "lossless"),
        ("timestamp", "last of 31 bits", "lossless"),
        ("datetime", "zero date", "lossless"),
        ("datetime", "day that the month hasn't", "lossless"),
        ("bit(64)", "all", "lossless"),
        ("varchar(255) character set gbk ", "every character", "lossless"),
        ("varchar(255) character set cp932 ", "every character", "lossless"),
        ("varchar(255) character set utf8mb4 ", "beyond U+FFFF", "lossless"),
        ("varchar(255) character set ascii ", "bytes without a character", "refused"),
        ("point", "SRID 4326", "refused"),
        ("json", "decimal of 38 digits", "lossless"),
    ] {
        let found = class_of(&proof, source, class);
        assert_eq!(found["outcome"], outcome, "{source}: {found:#}");
        assert_eq!(outcome != "lossless", !found["example"]["written"].is_null(), "{source}: {found:#}");
    }
    assert_eq!(left_behind(&target, pid).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projects_columns_are_tried_with_their_real_values_and_the_precheck_warns() {
    let scene = Scene::mysql("prove").await;
    let mut sql = scene.source().await;
    sql.run("CREATE TABLE plain (id INT NOT NULL PRIMARY KEY, name VARCHAR(20) CHARACTER SET latin1, price DECIMAL(9,2), at DATETIME(3))").await;
    sql.run("INSERT INTO plain VALUES (1, 'café', 1.5, '2020-02-29 12:00:00.125'), (77, 'zzz', -3, NULL)")
        .await;
    let task = Task::bare(&["prove"])
        .arg("--source", &scene.source.url())
        .arg("--target", &scene.target.target_url())
        .include(&format!("{}.plain", scene.db));
    let outcome = task.clone().run().await.expect(0).says(&[
        "lossless  varchar(20)",
        "lossless  decimal(9,2)",
        "4 lossless",
    ]);
    assert!(!outcome.stdout.contains("refused "), "{}", outcome.text());
    let outcome = task.arg("--format", "json").run().await.expect(0);
    let real = class_of(&proof(&outcome), "varchar(20)", "extremes of the real values").clone();
    assert_eq!(real["outcome"], "lossless", "{real:#}");
    assert_eq!(real["values"], 2, "{real:#}");

    sql.run("CREATE TABLE places (id INT NOT NULL PRIMARY KEY, place POINT)").await;
    let task = task_for(&scene, "places");
    task.run().await.expect(3).says(&["refused", "SRID 4326", &format!("{}.places.place", scene.db)]);
    let check = Task::new("check", &scene.source.url(), &scene.target.target_url())
        .include(&format!("{}.places", scene.db))
        .at_home(Some(task.home().to_owned()));
    check.run().await.expect(0).says(&["warning", "places.place", "does not hold every value", "SRID 4326"]);
}

fn task_for(scene: &Scene, table: &str) -> Task {
    Task::bare(&["prove"])
        .arg("--source", &scene.source.url())
        .arg("--target", &scene.target.target_url())
        .include(&format!("{}.{table}", scene.db))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_proof_leaves_nothing_behind() {
    let target = Server::oceanbase();
    let mut running = prove_all(&target).start();
    let pid = running.pid();
    running.wait_for("the scratch schema", async || !left_behind(&target, pid).await.is_empty()).await;
    running.stop().await.expect(1).says(&["interrupted"]);
    assert_eq!(left_behind(&target, pid).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_is_tried_at_mysql_and_mariadb() {
    for (server, kept) in
        [(Server::mysql(), "varchar(255) character set gb18030 "), (Server::mariadb(), "inet6")]
    {
        let outcome = prove_all(&server).run().await.expect(3);
        let proof = proof(&outcome);
        for source in [kept, "varchar(255) character set cp932 ", "decimal(65,0)", "bigint"] {
            let found = type_of(&proof, source);
            let lost = found["classes"]
                .as_array()
                .expect("classes")
                .iter()
                .find(|class| class["outcome"] != "lossless");
            assert!(lost.is_none() && found["error"].is_null(), "{}: {found:#}", server.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flags_that_do_not_go_together_are_a_usage_error() {
    let target = Server::oceanbase();
    let bare = || Task::bare(&["prove"]).arg("--target", &target.target_url());
    bare().run().await.expect(2);
    bare().arg("--types", "some").run().await.expect(2);
    bare().arg("--source", "mysql://127.0.0.1/").run().await.expect(2);
    bare().arg("--types", "all").arg("--source", "mysql://127.0.0.1/").include("a.*").run().await.expect(2);
}

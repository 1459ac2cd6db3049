//! `whimbrel verify`: finds what was planted, and its corrections make both sides equal.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value as Json;

use crate::harness::workload::{self, Load, Workload};
use crate::harness::{Outcome, Random, Scene, Sql};
use crate::type_tables::{TypeTable, mariadb_tables, mysql_tables};

/// The lines of a table's difference file.
fn differences(scene: &Scene, table: &str) -> Vec<Json> {
    let path = scene.corrections().join(format!("{}.{table}.differences.jsonl", scene.db));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// Runs all correction files at the target, as a person would.
async fn correct(scene: &Scene, sql: &mut Sql) {
    let mut ran = 0;
    for entry in fs::read_dir(scene.corrections()).expect("the folder of corrections") {
        let path = entry.expect("an entry of the folder").path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            let text = fs::read_to_string(&path).expect("correction SQL is text");
            let statements =
                text.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
            sql.run(statements.trim().trim_end_matches(';')).await;
            ran += 1;
        }
    }
    assert!(ran > 0, "no correction file");
}

fn found(outcome: &Outcome, table: &str) -> BTreeMap<&'static str, u64> {
    let verification = &outcome.table(table)["verification"];
    ["missing", "extra", "different"]
        .map(|kind| (kind, verification[kind].as_u64().unwrap_or(u64::MAX)))
        .into_iter()
        .collect()
}

/// Both sides equal, by the schema and full steps.
async fn migrated(scene: &Scene) {
    scene.migrate().arg("--steps", "schema,full").run().await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_differences_are_found_and_corrected() {
    let scene = Scene::mysql("planted").await;
    let mut sql = scene.source().await;
    workload::prepare(&mut sql, 3000).await;
    migrated(&scene).await;
    scene.verify().run().await.expect(0);
    let mut target = scene.target().await;
    for plant in [
        "DELETE FROM account WHERE id IN (1, 77, 3000)",
        "INSERT INTO account (id, slot, email, balance) VALUES (-5, -5, 'extra@x', 0), (900000, 900000, 'extra2@x', 1)",
        "UPDATE account SET note = CONCAT(note, ' ') WHERE id = 100",
        "UPDATE account SET note = NULL WHERE id = 101",
        "UPDATE account SET balance = balance + 0.01 WHERE id = 102",
        "UPDATE account SET touched = touched + INTERVAL 1 MICROSECOND WHERE id = 103",
        "UPDATE account SET rating = rating * (1 + 1e-15) WHERE id = 104",
        "UPDATE account SET raw_bytes = CONCAT(raw_bytes, x'00') WHERE id = 105",
        "UPDATE account SET email = UPPER(email) WHERE id = 106",
        "DELETE FROM entry WHERE account_id = 5 AND seq = 1",
        "UPDATE entry SET kind = 'fee' WHERE account_id = 6",
        "INSERT INTO tag VALUES ('extra', 1, 'a')",
        "DELETE FROM audit LIMIT 2",
        "INSERT INTO audit VALUES ('1999-01-01', 1, 'never there')",
    ] {
        target.run(plant).await;
    }
    let outcome = scene.verify().run().await.expect(3);
    let counts = |missing, extra, different| {
        BTreeMap::from([("missing", missing), ("extra", extra), ("different", different)])
    };
    assert_eq!(found(&outcome, "account"), counts(3, 2, 7), "{}", outcome.text());
    assert_eq!(found(&outcome, "tag"), counts(0, 1, 0), "{}", outcome.text());
    assert_eq!(found(&outcome, "audit"), counts(2, 1, 0), "{}", outcome.text());
    let by_id: BTreeMap<String, Json> = differences(&scene, "account")
        .into_iter()
        .map(|line| (line["key"]["id"].to_string().replace('"', ""), line))
        .collect();
    for (id, column) in [
        (100, "note"),
        (101, "note"),
        (102, "balance"),
        (103, "touched"),
        (104, "rating"),
        (105, "raw_bytes"),
        (106, "email"),
    ] {
        let line = &by_id[&id.to_string()];
        assert_eq!(
            (&line["kind"], &line["columns"]),
            (&Json::from("different"), &Json::from(vec![column])),
            "{line}"
        );
    }
    assert_eq!(by_id["77"]["kind"], "missing");
    assert_eq!(by_id["900000"]["kind"], "extra");
    // A row that has changed since the verification is not touched by its correction.
    target.run("UPDATE account SET note = 'changed since' WHERE id = 102").await;
    correct(&scene, &mut target).await;
    assert_eq!(target.value::<String>("SELECT note FROM account WHERE id = 102").await, "changed since");
    let outcome = scene.verify().run().await.expect(3);
    assert_eq!(found(&outcome, "account"), counts(0, 0, 1), "{}", outcome.text());
    correct(&scene, &mut target).await;
    scene.assert_equal().await;
    scene.verify().run().await.expect(0);
}

/// One changed value in each column of each type.
async fn a_change_in_each_type_is_found(scene: Scene, tables: Vec<TypeTable>) {
    let mut sql = scene.source().await;
    sql.run("SET sql_mode = 'NO_ENGINE_SUBSTITUTION'").await;
    for table in &tables {
        sql.run(&table.create()).await;
        sql.run(&table.insert(0)).await;
        // One more row for each column, equal to the first one, to be changed in this column only.
        for (number, _) in table.column_names().enumerate() {
            let columns: Vec<&str> = table.column_names().collect();
            let list = columns.join(", ");
            sql.run(&format!(
                "INSERT INTO {0} (id, {list}) SELECT {1}, {list} FROM {0} WHERE id = 1",
                table.name,
                500 + number
            ))
            .await;
        }
    }
    migrated(&scene).await;
    scene.verify().run().await.expect(0);
    let mut target = scene.target().await;
    for table in &tables {
        for (number, column) in table.column_names().enumerate() {
            target
                .run(&format!("UPDATE {} SET {column} = NULL WHERE id = {}", table.name, 500 + number))
                .await;
        }
    }
    let outcome = scene.verify().run().await.expect(3);
    for table in &tables {
        let lines = differences(&scene, table.name);
        for (number, column) in table.column_names().enumerate() {
            let id = (500 + number).to_string();
            let line = lines.iter().find(|line| line["key"]["id"].to_string().replace('"', "") == id);
            let line = line.unwrap_or_else(|| {
                panic!("{} {}: {lines:?}\n{}", table.name, table.data_type(column), outcome.text())
            });
            assert_eq!(
                line["columns"],
                Json::from(vec![column]),
                "{} {}: {line}",
                table.name,
                table.data_type(column)
            );
        }
        assert_eq!(lines.len(), table.column_names().count(), "{}: {lines:?}", table.name);
    }
    target.run("SET sql_mode = 'NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES'").await;
    correct(&scene, &mut target).await;
    scene.assert_equal().await;
    scene.verify().run().await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_in_each_type_of_mysql_is_found() {
    a_change_in_each_type_is_found(Scene::mysql("planted_my").await, mysql_tables()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_in_each_type_of_mariadb_is_found() {
    a_change_in_each_type_is_found(Scene::mariadb("planted_ma").await, mariadb_tables()).await;
}

/// Rows that move between source and target while they are compared are no differences; a planted one is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_under_way_are_no_differences() {
    let scene = Scene::mysql("verify_live").await;
    let mut sql = scene.source().await;
    workload::prepare(&mut sql, 3000).await;
    scene.make_marker().await;
    let mut running = scene.migrate().arg("--steps", "schema,full,incr").flag("--follow").start();
    running.wait_phase("incremental").await;
    let mut target = scene.target().await;
    target.run("UPDATE tag SET uses = uses + 1000 WHERE name = 'tag7'").await;
    let load = Load { writers: 2, rate: 30, ..Load::modest(Random::seed(61)) };
    let work = Workload::start(&scene.source, &scene.db, load).await;
    let outcome = scene.verify().run().await;
    let done = work.stop().await;
    assert!(done.values().sum::<u64>() > 20, "{done:?}");
    assert_eq!(outcome.code, Some(3), "{}", outcome.text());
    let planted: u64 =
        differences(&scene, "tag").iter().filter(|line| line["key"]["name"] == "tag7").count() as u64;
    let all: u64 = ["account", "entry", "tag", "audit"]
        .iter()
        .map(|table| found(&outcome, table).values().sum::<u64>())
        .sum();
    assert_eq!((planted, all), (1, 1), "{}", outcome.text());
    running.stop().await.expect(0);
}

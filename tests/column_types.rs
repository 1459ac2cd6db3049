//! Every column type with edge values, copied and as increments.

use crate::harness::{Scene, Server, Sql};
use crate::type_tables::{TypeTable, mariadb_tables, mysql_tables};

/// Values that strict mode refuses (zero dates) are what the tests are about.
const LENIENT: &str = "SET sql_mode = 'NO_ENGINE_SUBSTITUTION'";

async fn fill(sql: &mut Sql, tables: &[TypeTable]) {
    sql.run(LENIENT).await;
    for table in tables {
        sql.run(&table.create()).await;
        sql.run(&table.insert(0)).await;
    }
}

/// Inserts, updates and deletes with all values.
async fn change(sql: &mut Sql, tables: &[TypeTable]) {
    sql.run(LENIENT).await;
    for table in tables {
        sql.run(&table.insert(1000)).await;
        for update in table.rotate() {
            sql.run(&update).await;
        }
        sql.run(&format!("DELETE FROM {} WHERE id IN (1, 1002)", table.name)).await;
    }
}

async fn every_type_arrives(scene: Scene, tables: Vec<TypeTable>) {
    let mut sql = scene.source().await;
    fill(&mut sql, &tables).await;
    scene.make_marker().await;
    let mut running = scene.migrate().flag("--follow").start();
    running.wait_phase("incremental").await;
    scene.assert_equal().await;
    change(&mut sql, &tables).await;
    scene.drain(&mut running).await;
    let outcome = running.stop().await.expect(0);
    scene.assert_equal().await;
    for table in outcome.report["tables"].as_array().expect("tables in the report") {
        assert_eq!(table["verification"]["result"], "equal", "{}", outcome.text());
    }
    assert_eq!(outcome.report["foreign_changes"], 0, "{}", outcome.text());
    // The target's sessions see the same as an independent verification.
    scene.verify().run().await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_of_mysql_arrives_at_oceanbase() {
    every_type_arrives(Scene::mysql("types_my").await, mysql_tables()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_of_mariadb_arrives_at_oceanbase() {
    every_type_arrives(Scene::mariadb("types_ma").await, mariadb_tables()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_of_mysql_arrives_at_mysql_under_another_name() {
    let scene = Scene::new("types_mm", Server::mysql(), Server::mysql()).await;
    every_type_arrives(scene, mysql_tables()).await;
}

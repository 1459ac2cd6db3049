//! Changes that the source logs as statements: they stop the task, with the statement and its position.

use crate::harness::{Scene, Server, Sql};

/// On a server of its own, since such a statement would stop the tasks of other tests as well.
async fn a_statement_stops_the_task(server: Server, test: &str, change: &str, format: &str) {
    let scene = Scene::new(test, server, Server::oceanbase()).await;
    let mut sql = scene.source().await;
    sql.run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT)").await;
    sql.run("INSERT INTO t VALUES (1, 1), (2, 2)").await;
    scene.make_marker().await;
    let task = scene.migrate().flag("--follow");
    let mut running = task.start();
    running.wait_phase("incremental").await;
    sql.run("INSERT INTO t VALUES (3, 3)").await;
    scene.drain(&mut running).await;
    let mut careless = scene.source().await;
    careless.run(&format!("SET SESSION binlog_format = '{format}'")).await;
    careless.run(change).await;
    sql.run("INSERT INTO t VALUES (4, 4)").await;
    let outcome = running.finish().await.expect(1);
    let outcome = outcome.says(&["WB-2004", change, "binlog.0", "to do", "ROW"]);
    // What came before it is there, what came after it is not.
    let ids = scene.target().await.column("SELECT id FROM t ORDER BY id").await;
    assert_eq!(ids, ["1", "2", "3"], "{}", outcome.text());
    // The task doesn't slip past it when it is run again.
    task.run().await.expect(1).says(&["WB-2004"]);
    assert_eq!(scene.target().await.count("t").await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_of_mysql_stops_the_task() {
    let server = Server::own("mysql97", "");
    a_statement_stops_the_task(server, "stmt_my", "UPDATE t SET n = n + 1 WHERE id < 3", "STATEMENT").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_of_mariadb_stops_the_task() {
    let server = Server::own("mariadb1011", "");
    a_statement_stops_the_task(server.clone(), "stmt_ma", "DELETE FROM t WHERE n = 2", "STATEMENT").await;
    a_statement_stops_the_task(server.clone(), "mixed_ma", "INSERT INTO t VALUES (9, 9)", "MIXED").await;
    load_data_stops_the_task(server).await;
}

/// LOAD DATA under STATEMENT is logged as events of its own.
async fn load_data_stops_the_task(server: Server) {
    let scene = Scene::new("load_ma", server, Server::oceanbase()).await;
    let mut sql: Sql = scene.source().await;
    sql.run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT)").await;
    let mut running = scene.migrate().flag("--follow").start();
    running.wait_phase("incremental").await;
    let file = scene.folder().join("rows.txt");
    std::fs::write(&file, "1\t1\n2\t2\n").expect("a file of rows");
    sql.run("SET SESSION binlog_format = 'STATEMENT'").await;
    sql.run(&format!("LOAD DATA INFILE '{}' INTO TABLE t", file.display())).await;
    running.finish().await.expect(1).says(&["WB-2004", "LOAD DATA"]);
    assert_eq!(scene.target().await.count("t").await, 0);
}

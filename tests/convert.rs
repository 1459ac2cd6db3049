//! Columns that are converted by choice: in the schema, the copy, the changes, the verification and later statements.

use crate::harness::{Scene, Server, Sql};

/// Source column, its type, and the type that the target's column shall have.
const COLUMNS: [(&str, &str, &str); 17] = [
    ("id", "INT NOT NULL", "BIGINT"),
    ("n", "INT", "VARCHAR(20)"),
    ("e", "ENUM('a','b c','\u{fc}')", "VARCHAR(10)"),
    ("d", "DATE", "DATETIME"),
    ("dt", "DATETIME(3)", "VARCHAR(30)"),
    ("f", "FLOAT", "DOUBLE"),
    ("f2", "FLOAT", "VARCHAR(40)"),
    ("g", "DOUBLE", "VARCHAR(40)"),
    ("m", "DECIMAL(8,2)", "DECIMAL(12,4)"),
    ("y", "YEAR", "VARCHAR(4)"),
    ("b", "BIT(4)", "INT UNSIGNED"),
    ("tm", "TIME(2)", "VARCHAR(20)"),
    ("ts", "TIMESTAMP NULL", "DATETIME"),
    ("v", "VARCHAR(20)", "TEXT"),
    ("i", "INT", "DECIMAL(12,2)"),
    ("s", "SET('x','y','z')", "VARCHAR(20)"),
    ("j", "JSON", "LONGTEXT"),
];

const ROWS: [&str; 5] = [
    "(1, 7, 'a', '2021-02-03', '2021-02-03 04:05:06.789', 0.1, 0.1, 0.1, 12.5, 2021, 5, '10:11:12.13', \
     '2021-02-03 04:05:06', 'text', 42, 'x,z', '{\"a\": [1, 2.5]}')",
    "(2, -2147483648, 'b c', '9999-12-31', '1000-01-01 00:00:00', -3.5e30, 3.4e-30, -1.7976931348623157e308, -999999.99, 1901, 15, \
     '-838:59:59', '1970-01-01 00:00:01', '', -2147483648, '', '[]')",
    "(3, 2147483647, '\u{fc}', '1000-01-01', '9999-12-31 23:59:59.999', 0, 1e15, 1e15, 0, 2155, 0, '00:00:00', \
     '2038-01-19 03:14:07', ' padded ', 2147483647, 'x,y,z', '\"\u{e9}\"')",
    "(4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "(5, 0, 'a', '2000-02-29', '2000-02-29 12:00:00.5', 16777216, 0.3333333, 2.5, 0.01, 2000, 1, '00:00:00.01', \
     '2000-02-29 12:00:00', '\u{1f600}', 0, 'y', 'null')",
];

/// The columns of all rows in words that both sides show alike; `f2` is left to the verification, because a source
/// shows a FLOAT with six digits.
async fn shown(sql: &mut Sql, table: &str) -> Vec<Vec<Option<String>>> {
    let expression = |name: &str| match name {
        "b" => "b+0".to_owned(),
        "d" | "ts" => format!("CAST({name} AS DATETIME)"),
        "f" | "g" => format!("{name}*1e0"),
        "m" | "i" => format!("CAST({name} AS DECIMAL(20,4))"),
        "j" => "JSON_EXTRACT(j, '$')".to_owned(),
        name => name.to_owned(),
    };
    let columns = COLUMNS.iter().map(|(name, _, _)| *name).filter(|name| *name != "f2");
    let list: Vec<String> = columns.map(expression).collect();
    sql.rows(&format!("SELECT {} FROM {table} ORDER BY id+0", list.join(", "))).await
}

fn with_conversions(scene: &Scene, table: &str, task: crate::harness::Task) -> crate::harness::Task {
    let db = &scene.db;
    let task = COLUMNS
        .iter()
        .fold(task, |task, (name, _, to)| task.arg("--convert", &format!("{db}.{table}.{name}={to}")));
    task.arg("--accept-loss", &format!("{db}.{table}.ts"))
}

fn definition(table: &str, key: &str) -> String {
    let columns: Vec<String> = COLUMNS.iter().map(|(name, from, _)| format!("{name} {from}")).collect();
    format!("CREATE TABLE {table} ({}{key})", columns.join(", "))
}

async fn fill(sql: &mut Sql) {
    for (table, key) in [
        ("wide", ", PRIMARY KEY (id)"),
        ("keyless", ""),
        ("by_key", ", PRIMARY KEY (id), UNIQUE KEY u (n, d)"),
    ] {
        sql.run(&definition(table, key)).await;
        for row in ROWS {
            sql.run(&format!("INSERT INTO {table} VALUES {row}")).await;
        }
    }
    // The row key itself is converted: to text, whose order is another one, and to another moment's type.
    sql.run("CREATE TABLE keyed (n INT NOT NULL, d DATE NOT NULL, x INT, PRIMARY KEY (n, d))").await;
    for n in [-3, 1, 2, 9, 10, 11, 100, 2_000_000] {
        sql.run(&format!("INSERT INTO keyed VALUES ({n}, '2024-01-01', {n}), ({n}, '2024-01-02', NULL)"))
            .await;
    }
}

async fn change(sql: &mut Sql) {
    for table in ["wide", "keyless", "by_key"] {
        for statement in [
            "UPDATE {} SET n = n + 1, dt = '2022-01-01 00:00:00.100', e = 'b c', y = 1999, tm = '01:02:03' WHERE id = 1",
            "UPDATE {} SET g = 1.5e-7, f2 = 2.5, s = 'y', b = 7, i = -5, d = '2023-03-03' WHERE id IN (2, 3)",
            "DELETE FROM {} WHERE id = 4",
            "INSERT INTO {} (id, n, e, dt, v) VALUES (6, 66, 'a', '2024-05-06 07:08:09.010', 'new')",
            "UPDATE {} SET id = 70 WHERE id = 5",
        ] {
            sql.run(&statement.replace("{}", table)).await;
        }
    }
    for statement in [
        "UPDATE keyed SET x = 5 WHERE n = 9",
        "UPDATE keyed SET n = 12 WHERE n = 100",
        "DELETE FROM keyed WHERE n = 2 AND d = '2024-01-02'",
        "INSERT INTO keyed VALUES (7, '2024-12-31', 7)",
    ] {
        sql.run(statement).await;
    }
}

async fn type_of(sql: &mut Sql, table: &str, column: &str) -> String {
    sql.value(&format!(
        "SELECT column_type FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = '{table}' \
         AND column_name = '{column}'"
    ))
    .await
}

async fn conversions_hold(scene: Scene) {
    let mut sql = scene.source().await;
    fill(&mut sql).await;
    scene.make_marker().await;
    let db = &scene.db;
    let mut task = scene.migrate().flag("--follow");
    for table in ["wide", "keyless", "by_key"] {
        task = with_conversions(&scene, table, task);
    }
    let task = task
        // `by_key` can't have a TEXT in a key, and has none.
        .arg("--convert", &format!("{db}.keyed.n=VARCHAR(12)"))
        .arg("--convert", &format!("{db}.keyed.d=DATETIME"))
        .arg("--convert", &format!("{db}.later.*:enum=VARCHAR(9)"))
        .arg("--convert", &format!("{db}.*.counted=BIGINT UNSIGNED"))
        .arg("--accept-loss", &format!("{db}.*.counted"));
    sql.run("CREATE TABLE later (id INT PRIMARY KEY, e ENUM('p','q'), counted INT)").await;
    let mut running = task.start();
    running.wait_phase("incremental").await;
    change(&mut sql).await;
    for statement in [
        "ALTER TABLE later ADD COLUMN kind ENUM('one','two') NOT NULL DEFAULT 'two'",
        "INSERT INTO later (id, e) VALUES (1, 'q')",
        "ALTER TABLE later MODIFY e ENUM('p','q','r')",
        "INSERT INTO later (id, e, kind, counted) VALUES (2, 'r', 'one', 5)",
        "CREATE TABLE created (id INT PRIMARY KEY, counted INT NOT NULL DEFAULT 3)",
        "INSERT INTO created (id) VALUES (1)",
    ] {
        sql.run(statement).await;
    }
    scene.drain(&mut running).await;
    running.stop().await.expect(0);
    let mut target = scene.target().await;
    for table in ["wide", "keyless", "by_key"] {
        assert_eq!(shown(&mut sql, table).await, shown(&mut target, table).await, "{table}");
    }
    let text = "SELECT CONCAT_WS('|', n, CAST(d AS DATETIME), x) FROM keyed ORDER BY n+0, d";
    assert_eq!(sql.column(text).await, target.column(text).await);
    assert_eq!(
        target.column("SELECT CONCAT_WS('|', e, kind, counted) FROM later ORDER BY id").await,
        ["q|two", "r|one|5"]
    );
    assert!(type_of(&mut target, "wide", "id").await.starts_with("bigint"));
    assert_eq!(type_of(&mut target, "wide", "v").await, "text");
    assert_eq!(type_of(&mut target, "later", "e").await, "varchar(9)");
    assert_eq!(type_of(&mut target, "later", "kind").await, "varchar(9)");
    assert!(type_of(&mut target, "created", "counted").await.ends_with("unsigned"));
    scene.verify().run().await.expect(0);
    for damage in [
        "UPDATE wide SET n = '8' WHERE id = 2",
        "UPDATE wide SET dt = '2022-01-01 00:00:00.101' WHERE id = 1",
        "UPDATE keyed SET x = 6 WHERE n = '9'",
        "DELETE FROM keyed WHERE n = '12'",
        "INSERT INTO keyed VALUES ('13', '2024-01-01 00:00:01', 1)",
    ] {
        target.run(damage).await;
    }
    let found = scene.verify().run().await.expect(3);
    assert_eq!(found.table("wide")["verification"]["different"], 2, "{}", found.text());
    assert_eq!(found.table("keyed")["verification"]["missing"], 2, "{}", found.text());
    assert_eq!(found.table("keyed")["verification"]["extra"], 1, "{}", found.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conversions_hold_from_mysql_to_oceanbase() {
    conversions_hold(Scene::mysql("convert_my").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conversions_hold_from_mysql_to_mysql() {
    conversions_hold(Scene::new("convert_mm", Server::mysql(), Server::mysql()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_lose_values_is_refused_until_somebody_agrees() {
    let scene = Scene::mysql("convert_no").await;
    let mut sql = scene.source().await;
    for statement in [
        "CREATE TABLE t (id BIGINT PRIMARY KEY AUTO_INCREMENT, n BIGINT, v VARCHAR(50) CHARACTER SET utf8mb4, g POINT, \
         u VARCHAR(20), UNIQUE KEY (u))",
        "CREATE TABLE child (id INT PRIMARY KEY, t BIGINT, FOREIGN KEY (t) REFERENCES t (id))",
    ] {
        sql.run(statement).await;
    }
    let db = scene.db.clone();
    let refused = async |convert: &str, says: &[&str]| {
        let convert = convert.replace("DB", &db);
        let outcome = scene.task("plan").arg("--convert", &convert).run().await.expect(2);
        outcome.says(says);
    };
    refused("DB.t.n=INT", &[&format!("{db}.t.n"), "bigint", "int", "only -2147483648", "--accept-loss"])
        .await;
    refused("DB.t.v=VARCHAR(10)", &["varchar(50)", "varchar(10)", "up to 50 characters"]).await;
    refused("DB.t.v=VARBINARY(200)", &["charset and collation are dropped"]).await;
    refused("DB.t.id=VARCHAR(20)", &["AUTO_INCREMENT is dropped"]).await;
    refused("DB.t.g=DATETIME", &["can't be written as values"]).await;
    refused("DB.t.u=TEXT", &["part of key", "can hold a whole value"]).await;
    refused("DB.t.nothing=INT", &["names no column"]).await;
    refused("DB.t.id=INT UNSIGNED", &["--accept-loss"]).await;
    refused("DB.t.n=NUMBRE", &["can't be read as a type"]).await;
    let torn = scene.task("plan").arg("--convert", &format!("{db}.t.id=BIGINT UNSIGNED"));
    torn.arg("--accept-loss", &format!("{db}.t.id"))
        .run()
        .await
        .expect(2)
        .says(&["foreign key", "convert both"]);
    let rivals = scene.task("plan").arg("--convert", &format!("{db}.t.n*=DECIMAL(20,0)"));
    rivals.arg("--convert", &format!("{db}.t.?n=DECIMAL(19,0)")).run().await.expect(2);
    let accepted = scene.task("plan").arg("--convert", &format!("{db}.t.n=INT"));
    accepted.arg("--accept-loss", &format!("{db}.t.n")).run().await.expect(0).says(&["`n` int NULL"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_with_other_conversions_is_refused() {
    let scene = Scene::mysql("convert_task").await;
    let mut sql = scene.source().await;
    sql.run("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    sql.run("INSERT INTO t VALUES (1, 1)").await;
    let task = scene.migrate();
    let convert = format!("{}.t.n=BIGINT", scene.db);
    task.clone().arg("--convert", &convert).run().await.expect(0);
    task.run().await.expect(1).says(&["another definition", "convert was"]);
    task.clone().arg("--convert", &convert).run().await.expect(0);
}

//! Every character of every charset, copied and as increments.

use crate::harness::{Scene, Server, Sql};

const LENIENT: &str = "SET sql_mode = 'NO_ENGINE_SUBSTITUTION'";

/// The byte sequences that may be a character.
async fn byte_sequences(sql: &mut Sql) {
    sql.run("CREATE TEMPORARY TABLE bytes (b VARBINARY(3) NOT NULL PRIMARY KEY)").await;
    let one = (0..0x100u32).map(|a| format!("(x'{a:02x}')"));
    let two = (0x8000..0x1_0000u32).map(|pair| format!("(x'{pair:04x}')"));
    let three =
        (0x8f_8080..0x90_0000u32).filter(|three| three & 0x80 != 0).map(|three| format!("(x'{three:06x}')"));
    let all: Vec<String> = one.chain(two).chain(three).collect();
    for part in all.chunks(10_000) {
        sql.run(&format!("INSERT INTO bytes VALUES {}", part.join(","))).await;
    }
}

/// The server's charsets but those that hold all of Unicode.
async fn charsets(sql: &mut Sql) -> Vec<String> {
    let all = sql.column("SELECT CHARACTER_SET_NAME FROM information_schema.CHARACTER_SETS ORDER BY 1").await;
    all.into_iter().filter(|name| !name.starts_with("utf") && name != "binary" && name != "ucs2").collect()
}

/// Fills a table with every character of its charset, beside what the server itself makes of it.
fn fill(charset: &str, half: u32) -> String {
    format!(
        "INSERT INTO t_{charset} SELECT b, v, u FROM (SELECT b, CONVERT(b USING {charset}) AS v, \
         CONVERT(CONVERT(b USING {charset}) USING utf8mb4) AS u FROM bytes) AS all_of_them \
         WHERE CAST(v AS BINARY) = b AND CHAR_LENGTH(u) = 1 AND (HEX(u) NOT IN ('3F', 'EFBFBD') OR b = x'3f') \
         AND OCTET_LENGTH(b) <= (SELECT MAXLEN FROM information_schema.CHARACTER_SETS WHERE CHARACTER_SET_NAME = '{charset}') \
         AND CRC32(b) % 2 = {half}"
    )
}

async fn every_character_arrives(scene: Scene) {
    let mut sql = scene.source().await;
    sql.run(LENIENT).await;
    byte_sequences(&mut sql).await;
    let charsets = charsets(&mut sql).await;
    assert!(charsets.len() >= 33, "{charsets:?}");
    for charset in &charsets {
        sql.run(&format!(
            "CREATE TABLE t_{charset} (b VARBINARY(3) NOT NULL PRIMARY KEY, v VARCHAR(1) CHARACTER SET {charset}, \
             u VARCHAR(1) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin)"
        ))
        .await;
        sql.run(&fill(charset, 0)).await;
    }
    scene.make_marker().await;
    let mut running = scene.migrate().flag("--follow").start();
    running.wait_phase("incremental").await;
    for charset in &charsets {
        sql.run(&fill(charset, 1)).await;
    }
    scene.drain(&mut running).await;
    running.stop().await.expect(0);
    let mut target = scene.target().await;
    for charset in &charsets {
        let rows = sql.count(&format!("t_{charset}")).await;
        assert!(rows >= 100, "{charset}: {rows}");
        let same = format!("t_{charset} WHERE HEX(v) = HEX(u)");
        assert_eq!(target.count(&same).await, rows, "{charset}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_character_of_mysql_arrives_at_oceanbase() {
    every_character_arrives(Scene::mysql("chars_my").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_character_of_mariadb_arrives_at_oceanbase() {
    every_character_arrives(Scene::mariadb("chars_ma").await).await;
}

/// Bytes that share a character with others, and bytes that have none.
const OWN_BYTES: [(&str, &[&str]); 8] = [
    ("cp932", &["8790", "81e0", "faf0", "eeef", "fa40", "81ad"]),
    ("sjis", &["5c", "815f", "8140"]),
    ("cp1251", &["41", "98", "ff"]),
    ("latin1", &["81", "8d", "e9"]),
    ("big5", &["a15a", "a1c3", "f9fe"]),
    ("tis620", &["db", "fc", "a1"]),
    ("armscii8", &["27", "ff", "a5"]),
    ("gbk", &["a140", "8140", "fefe"]),
];

/// Between servers that have the charset no byte changes, whatever it means.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_stay_as_they_are_where_the_target_has_the_charset() {
    let scene = Scene::new("chars_mm", Server::mysql(), Server::mysql()).await;
    let mut sql = scene.source().await;
    for (charset, bytes) in OWN_BYTES {
        let v = format!("v VARCHAR(20) CHARACTER SET {charset} COLLATE {charset}_bin NOT NULL");
        sql.run(&format!("CREATE TABLE t_{charset} ({v} PRIMARY KEY, n INT)")).await;
        sql.run(&format!("CREATE TABLE k_{charset} ({v}, n INT)")).await;
        for item in bytes {
            for table in ["t", "k"] {
                sql.run(&format!("INSERT INTO {table}_{charset} VALUES (_{charset} x'{item}', 1)")).await;
            }
        }
    }
    scene.make_marker().await;
    let mut running = scene.migrate().flag("--follow").start();
    running.wait_phase("incremental").await;
    for (charset, bytes) in OWN_BYTES {
        for table in ["t", "k"] {
            let name = format!("{table}_{charset}");
            sql.run(&format!("UPDATE {name} SET n = 2 WHERE v = _{charset} x'{}'", bytes[0])).await;
            sql.run(&format!("DELETE FROM {name} WHERE v = _{charset} x'{}'", bytes[1])).await;
            sql.run(&format!("INSERT INTO {name} SELECT CONCAT(v, v), 3 FROM {name} WHERE n = 1")).await;
        }
    }
    scene.drain(&mut running).await;
    running.stop().await.expect(0);
    let mut target = scene.target().await;
    for (charset, _) in OWN_BYTES {
        for table in ["t", "k"] {
            let rows = format!("SELECT CONCAT(HEX(v), ' ', n) FROM {table}_{charset} ORDER BY HEX(v)");
            assert_eq!(target.column(&rows).await, sql.column(&rows).await, "{table}_{charset}");
        }
    }
    scene.verify().run().await.expect(0);
}

/// What the source stores and has no character for is told, never replaced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_without_a_character_park_their_row() {
    let scene = Scene::mysql("chars_park").await;
    let mut sql = scene.source().await;
    sql.run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v VARCHAR(5) CHARACTER SET cp1251)").await;
    sql.run("INSERT INTO t VALUES (1, 'a'), (2, _cp1251 x'6198'), (3, 'c')").await;
    scene.make_marker().await;
    let mut running = scene.migrate().flag("--follow").start();
    running.wait_phase("incremental").await;
    sql.run("INSERT INTO t VALUES (4, _cp1251 x'98'), (5, 'e')").await;
    scene.drain(&mut running).await;
    let outcome = running.stop().await;
    let parked = outcome.report["parked"].as_array().cloned().unwrap_or_default();
    assert_eq!(parked.len(), 2, "{}", outcome.text());
    assert!(parked.iter().all(|row| row.to_string().contains("not valid cp1251 text")), "{}", outcome.text());
    let mut target = scene.target().await;
    assert_eq!(target.column("SELECT v FROM t ORDER BY id").await, ["a", "c", "e"]);
}

//! Equality under collations, as it is told without a server, against what real servers say.

use std::collections::BTreeMap;

use whimbrel_connector_mysql::wire::Connection;
use whimbrel_model::Equality;

use crate::server::{connect, root};

/// Rows of one statement.
const PART: usize = 10_000;

/// A table of texts, each with its number.
async fn texts(connection: &mut Connection, server: &str, database: &str, texts: &[String]) {
    if server != "seekdb" {
        connection.execute("SET sql_log_bin = 0").await.unwrap();
    }
    for sql in [
        &format!("CREATE DATABASE {database}"),
        &format!("USE {database}"),
        "CREATE TABLE texts (n INT PRIMARY KEY, t VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin)",
    ] {
        connection.execute(sql).await.unwrap();
    }
    let numbered: Vec<(usize, &String)> = texts.iter().enumerate().collect();
    for part in numbered.chunks(PART) {
        let values: Vec<String> = part.iter().map(|(n, text)| format!("({n},x'{}')", hex(text))).collect();
        connection.execute(format!("INSERT INTO texts VALUES {}", values.join(","))).await.unwrap();
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// For each text the number of the first one that the server takes for equal.
async fn groups(connection: &mut Connection, collation: &str) -> BTreeMap<usize, usize> {
    let sql = format!(
        "SELECT t.n, g.first FROM texts t JOIN (SELECT MIN(n) AS first, t COLLATE {collation} AS folded FROM texts \
         GROUP BY t COLLATE {collation}) g ON t.t COLLATE {collation} = g.folded"
    );
    let rows = connection.query_rows(sql).await.unwrap();
    rows.rows.iter().map(|row| (row.parse(0).unwrap(), row.parse(1).unwrap())).collect()
}

/// Every character of the first plane, some beyond it, and short texts of characters that collations treat specially.
fn samples() -> Vec<String> {
    let codes = (0..0x1_0000u32).chain([0x1_0000, 0x1_f600, 0x1_f601, 0x2_0000, 0x10_ffff]);
    let mut samples: Vec<String> = codes.filter_map(char::from_u32).map(String::from).collect();
    let special = [
        "a", "A", "á", "ß", "s", " ", "\t", "\0", "\u{301}", "\u{200b}", "\u{fffd}", "😀", "𝒳", "中", "Ж",
        "ı",
    ];
    for a in special {
        for b in special {
            samples.push(format!("{a}{b}"));
            samples.extend(special.map(|c| format!("{a}{b}{c}")));
        }
    }
    samples.push(String::new());
    samples
}

async fn agrees(server: &str, collations: &[&str]) {
    let mut connection = connect(server, &root(server)).await;
    let database = format!("collations_{}", std::process::id());
    let samples = samples();
    texts(&mut connection, server, &database, &samples).await;
    for collation in collations {
        let equality = Equality::of(collation).unwrap();
        let mut first: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        let theirs = groups(&mut connection, collation).await;
        assert_eq!(theirs.len(), samples.len(), "{server} {collation}");
        for (n, text) in samples.iter().enumerate() {
            let mut folded = Vec::new();
            equality.fold(text, &mut folded);
            let ours = *first.entry(folded).or_insert(n);
            assert_eq!(theirs[&n], ours, "{server} {collation}: {text:?} and {:?}", samples[ours]);
        }
    }
    connection.execute(format!("DROP DATABASE {database}")).await.unwrap();
}

#[tokio::test]
async fn oceanbase_takes_the_same_texts_for_equal() {
    agrees("seekdb", &["utf8mb4_general_ci", "utf8mb4_bin"]).await;
}

#[tokio::test]
async fn mysql_takes_the_same_texts_for_equal() {
    agrees("mysql97", &["utf8mb4_general_ci", "utf8mb4_bin", "utf8mb4_0900_bin"]).await;
}

#[tokio::test]
async fn mariadb_takes_the_same_texts_for_equal() {
    let nopad = ["utf8mb4_general_nopad_ci", "utf8mb4_nopad_bin"];
    agrees("mariadb1011", &[&["utf8mb4_general_ci", "utf8mb4_bin"][..], &nopad].concat()).await;
}

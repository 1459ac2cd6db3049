//! Random changes of tables of all types, read back and compared with SELECT.

use crate::live::{Place, follow};
use crate::replay::Replay;

/// A small generator with a seed that a failure prints (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// Columns behind the key, with values as SQL.
fn columns(server: &str) -> Vec<(&'static str, &'static [&'static str])> {
    let mut columns: Vec<(&str, &[&str])> = vec![
        ("ti TINYINT", &["-128", "127", "0", "NULL"]),
        ("su SMALLINT UNSIGNED", &["65535", "0", "32768"]),
        ("mi MEDIUMINT", &["-8388608", "8388607", "-1"]),
        ("mu MEDIUMINT UNSIGNED", &["16777215", "8388608"]),
        ("bi BIGINT", &["-9223372036854775808", "9223372036854775807", "NULL"]),
        ("bu BIGINT UNSIGNED", &["18446744073709551615", "0"]),
        ("de DECIMAL(30,10)", &["-12345678901234567890.0123456789", "0", "0.0000000001", "-0.5"]),
        ("d0 DECIMAL(9,0)", &["-999999999", "999999999", "7"]),
        ("fl FLOAT", &["1.5", "-3.4e38", "1e-38", "0"]),
        ("db DOUBLE", &["1.7976931348623157e308", "-2.5e-10", "0.1", "NULL"]),
        ("dt DATE", &["'2024-02-29'", "'1000-01-01'", "'9999-12-31'"]),
        ("da DATETIME", &["'2024-02-29 23:59:59'", "'1000-01-01 00:00:00'"]),
        ("tm TIME", &["'-838:59:59'", "'838:59:59'", "'00:00:01'", "'-00:00:01'"]),
        ("ts TIMESTAMP NULL", &["'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'", "NULL"]),
        ("ye YEAR", &["1901", "2155", "0"]),
        ("ch CHAR(10)", &["''", "'a'", "'ü😀'", "NULL"]),
        ("vc VARCHAR(300)", &["REPEAT('x',300)", "''", "'trailing '", "'日本語'"]),
        ("la VARCHAR(20) CHARACTER SET latin1", &["'café'", "''"]),
        ("bn BINARY(8)", &["x'00'", "x'0100000000000000'", "''", "x'ff20'"]),
        ("vb VARBINARY(300)", &["x'0020'", "REPEAT(x'00',300)", "''"]),
        ("tx TEXT", &["REPEAT('ä',1000)", "''", "NULL"]),
        ("mb MEDIUMBLOB", &["REPEAT(x'ff00',40000)", "''"]),
        ("b1 BIT(1)", &["b'1'", "b'0'"]),
        ("bt BIT(33)", &["b'100000000000000000000000000000001'", "0"]),
        ("en ENUM('a','b','c')", &["'a'", "'c'", "NULL"]),
        ("se SET('x','y','z')", &["'x,z'", "''", "'y'"]),
        ("ge POINT", &["POINT(1,2)", "NULL"]),
    ];
    if server != "mysql55" {
        columns.extend_from_slice(&[
            ("d6 DATETIME(6)", &["'2024-02-29 23:59:59.999999'", "'1000-01-01 00:00:00.000001'"][..]),
            ("t3 TIME(3)", &["'-00:00:00.001'", "'838:59:58.999'"]),
            ("s6 TIMESTAMP(6) NULL", &["'2020-01-01 00:00:00.000001'", "NULL"]),
        ]);
    }
    if server == "mysql97" {
        columns.extend_from_slice(&[
            (
                "js JSON",
                &[
                    r#"'{"a": [1, 2.5, "x"], "long key": {"n": null}}'"#,
                    "'[]'",
                    "'1e300'",
                    "'\"\\u00fc\"'",
                    "NULL",
                ][..],
            ),
            ("vv INT GENERATED ALWAYS AS (ti + 1) VIRTUAL", &[]),
            ("iv INT INVISIBLE", &["1", "NULL"]),
            ("ve VECTOR(3)", &["STRING_TO_VECTOR('[1,2,3]')", "NULL"]),
            ("zz VARCHAR(5) CHARACTER SET latin1", &["'zz'"]),
        ]);
    }
    if server == "mariadb1011" || server == "mariadb118" {
        columns.extend_from_slice(&[
            ("uu UUID", &["'123e4567-e89b-12d3-a456-426655440000'", "NULL"][..]),
            ("i6 INET6", &["'2001:db8::1'", "'::'"]),
            ("co TEXT COMPRESSED", &["REPEAT('pack',200)", "''", "'short'"]),
            ("js JSON", &[r#"'{"b": 1, "a":  2}'"#, "NULL"]),
            ("vv INT GENERATED ALWAYS AS (ti + 1) VIRTUAL", &[]),
        ]);
    }
    columns
}

fn value_columns(server: &str) -> Vec<(String, &'static [&'static str])> {
    let named = columns(server).into_iter().filter(|(_, values)| !values.is_empty());
    named.map(|(definition, values)| (definition.split(' ').next().unwrap().to_owned(), values)).collect()
}

/// One random statement on a table.
fn statement(random: &mut Random, table: &str, columns: &[(String, &'static [&'static str])]) -> String {
    let key = random.below(60);
    match random.below(10) {
        0..=4 => {
            let mut names = vec!["id".to_owned()];
            let mut values = vec![key.to_string()];
            for (name, choices) in columns {
                if random.below(4) > 0 {
                    names.push(name.clone());
                    values.push(random.pick(choices).to_owned());
                }
            }
            let verb = random.pick(&["REPLACE", "INSERT IGNORE"]);
            format!("{verb} INTO {table} ({}) VALUES ({})", names.join(","), values.join(","))
        }
        5..=7 => {
            let sets: Vec<String> = (0..1 + random.below(4))
                .map(|_| {
                    let (name, choices) = &columns[random.below(columns.len() as u64) as usize];
                    format!("{name}={}", random.pick(choices))
                })
                .collect();
            format!("UPDATE {table} SET {} WHERE id % 7 = {}", sets.join(","), key % 7)
        }
        8 => format!("UPDATE IGNORE {table} SET id = id + 1 WHERE id = {key}"),
        _ => format!("DELETE FROM {table} WHERE id = {key}"),
    }
}

async fn run(server: &'static str) {
    let mut place = Place::new(server, "random").await;
    let start = place.position().await;
    let mut definitions = vec!["id INT NOT NULL PRIMARY KEY".to_owned()];
    definitions.extend(columns(server).iter().map(|(definition, _)| (*definition).to_owned()));
    for table in ["one", "two"] {
        place.run(&format!("CREATE TABLE {table} ({}) ENGINE=InnoDB", definitions.join(","))).await;
    }
    place.run("CREATE TABLE keyless (a INT, b VARCHAR(10))").await;
    let seed = 0x9e37_79b9_7f4a_7c15;
    let mut random = Random(seed);
    let names = value_columns(server);
    for round in 0..120 {
        place.run("BEGIN").await;
        for _ in 0..random.below(6) {
            let table = random.pick(&["one", "two"]);
            let sql = statement(&mut random, table, &names);
            place.run(&sql).await;
            if random.below(8) == 0 {
                place.run("SAVEPOINT s").await;
                let sql = statement(&mut random, table, &names);
                place.run(&sql).await;
                place.run("ROLLBACK TO SAVEPOINT s").await;
            }
        }
        place.run(&format!("INSERT INTO keyless VALUES ({},'x')", random.below(3))).await;
        place.run(random.pick(&["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"])).await;
        if round == 60 {
            place.run("ALTER TABLE one ADD extra VARCHAR(5) DEFAULT 'e' AFTER id, DROP COLUMN b1").await;
            place.run("ALTER TABLE one ADD b1 BIT(1)").await;
            place.run("DELETE FROM one").await;
        }
    }
    let end = place.position().await;
    let mut reader = place.reader(start).await;
    let mut replay = Replay::default();
    follow(&mut reader, &mut replay, &end).await;
    for table in ["one", "two", "keyless"] {
        place.compare(&replay, table).await;
    }
    assert!(replay.transactions > 50, "{server}: {} transactions", replay.transactions);
    let known = place.schema_of("one").await;
    let followed = &replay.tables[&known.name].0;
    assert_eq!(followed.columns.len(), known.columns.len());
}

macro_rules! servers {
    ($($test:ident $server:literal)*) => {$(
        #[tokio::test]
        async fn $test() {
            run($server).await;
        }
    )*};
}
servers! {
    random_changes_at_mysql97_read_to_what_select_shows "mysql97"
    random_changes_at_mysql56_read_to_what_select_shows "mysql56"
    random_changes_at_mysql55_read_to_what_select_shows "mysql55"
    random_changes_at_mariadb1011_read_to_what_select_shows "mariadb1011"
    random_changes_at_mariadb118_read_to_what_select_shows "mariadb118"
    random_changes_at_mariadb102_read_to_what_select_shows "mariadb102"
}

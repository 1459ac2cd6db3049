//! Values: what is loaded is what is inserted, of every class, byte and charset.

use whimbrel_connector::InsertMode;
use whimbrel_connector::conformance::rows::{all_values, assert_same_rows, batch, plan, refs, sorted};
use whimbrel_connector::conformance::{Playground as _, Sample, create_sample, must, schema_of, version_of};
use whimbrel_model::{TableName, Value};

use super::{LOCAL_INFILE, SERVERS, Target};
use crate::conformance::playground::Kind;
use crate::conformance::samples;

/// The sample's rows again and again under other ids, so that they are worth a LOAD DATA; very long ones only once.
fn many(sample: &Sample) -> Sample {
    let mut rows = sample.rows.clone();
    for round in 1.. {
        if rows.len() >= 60 {
            break;
        }
        for row in sample.rows.iter().filter(|row| !row.contains("REPEAT")) {
            let (id, rest) = row[1..].split_once(',').expect("a row begins with its id");
            let id: u64 = id.trim().parse().expect("an id is a number");
            rows.push(format!("({},{rest}", 1000 * round + id));
        }
    }
    Sample { rows, ..sample.clone() }
}

/// The samples of the classes that are loaded, with the columns that are not.
fn classes(server: &str, kind: Kind) -> Vec<(Sample, &'static [&'static str])> {
    let left_out = |name: &str| -> Option<&'static [&'static str]> {
        match name {
            "numbers" => Some(&["bit1", "bit64"]),
            "charsets" => Some(&["v_ucs2", "v_utf16", "v_utf16le", "v_utf32"]),
            "floats" | "temporal" | "text" | "bytes" => Some(&[]),
            _ => None,
        }
    };
    let mut found: Vec<_> = samples::all(kind)
        .into_iter()
        .filter_map(|sample| left_out(sample.name).map(|left_out| (many(&sample), left_out)))
        .collect();
    if server == "mysql55" {
        // It has neither fractions of seconds nor utf16le.
        found.retain(|(sample, _)| sample.name != "temporal" && sample.name != "charsets");
        let old = Sample::new(
            "old_temporal",
            "id INT NOT NULL PRIMARY KEY, d DATE, t TIME, dt DATETIME, ts TIMESTAMP NULL",
            &[
                "(1,'0000-00-00','-838:59:59','0000-00-00','0000-00-00')",
                "(2,'9999-12-31','838:59:59','9999-12-31 23:59:59','2038-01-19 03:14:07')",
                "(3,'2021-02-30','-00:00:01','2020-00-15 00:00:00','1970-01-01 00:00:01')",
                "(4,NULL,NULL,NULL,NULL)",
            ],
        );
        found.push((many(&old), &[]));
    }
    found
}

#[tokio::test]
async fn every_class_arrives_as_by_insert() {
    let _on = LOCAL_INFILE.read().await;
    for (server, kind) in SERVERS {
        let mut target = Target::new(server, kind, "load_classes").await;
        for (sample, left_out) in classes(server, kind) {
            let name = create_sample(&target.playground, sample.name, &sample).await;
            for column in left_out {
                target.playground.run(&format!("ALTER TABLE {name} DROP COLUMN {column}")).await;
            }
            let table = version_of(&target.playground, &name).await;
            let rows = target.content(&name).await;
            let mut copies = Vec::new();
            for way in ["loaded", "inserted"] {
                let copy = format!("{}_{way}", sample.name);
                target
                    .playground
                    .run(&format!("CREATE TABLE {}.{copy} LIKE {name}", target.playground.schema()))
                    .await;
                let copy = TableName::new(target.playground.schema(), copy);
                copies.push(plan(&table, schema_of(&target.playground, &copy).await));
            }
            let what = format!("{server}: {}", sample.name);
            target.ways();
            assert_eq!(must(target.insert(&copies[0], &rows).await), rows.len() as u64, "{what}");
            assert_eq!(target.ways(), (1, 0), "{what}: loaded in one statement and not again");
            target.insert_few(&copies[1], &rows).await;
            // A megabyte ends a statement too.
            let (loads, inserts) = target.ways();
            assert!(loads == 0 && inserts >= rows.len().div_ceil(20), "{what}: inserted");
            for (plan, way) in copies.iter().zip(["loaded", "inserted"]) {
                let found = target.content(&plan.target.name).await;
                assert_same_rows(&plan.target, &found, &rows, &format!("{what}: {way}"));
            }
        }
    }
}

#[tokio::test]
async fn bytes_of_every_kind_arrive_in_every_place() {
    let _on = LOCAL_INFILE.read().await;
    for (server, kind) in SERVERS {
        let mut target = Target::new(server, kind, "load_bytes").await;
        let columns = "a VARBINARY(9), b VARCHAR(9) CHARACTER SET latin1, c VARCHAR(9) CHARACTER SET utf8mb4";
        let (table, plan) = target.tables("t", columns, columns).await;
        let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
        let text = |text: &str| Value::Text(text.as_bytes().to_vec());
        let mut rows: Vec<Vec<Value>> =
            (0..=255).map(|byte| vec![bytes(&[byte]), Value::Text(vec![byte, b'x']), Value::Null]).collect();
        for value in
            ["", "N", "\\N", "\\", "\\\\", "\t", "\n", "\r\n", "\0", "NULL", "'", "\"", "\u{1a}", "\\t"]
        {
            rows.push(vec![bytes(value.as_bytes()), text(value), text(value)]);
            rows.push(vec![Value::Null, text(value), Value::Null]);
            rows.push(
                vec![text(""), text(""), text(value)]
                    .into_iter()
                    .map(|value| match value {
                        Value::Text(text) if text.is_empty() => Value::Null,
                        other => other,
                    })
                    .collect(),
            );
        }
        let rows = batch(&table, &rows);
        target.ways();
        must(target.insert(&plan, &rows).await);
        assert_eq!(target.ways(), (1, 0), "{server}");
        let found = target.content(&plan.target.name).await;
        assert_same_rows(&plan.target, &found, &sorted(&rows), server);

        let (table, plan) = target.tables("single", "v VARCHAR(9)", "v VARCHAR(9)").await;
        let rows: Vec<Vec<Value>> =
            (0..60).map(|at| vec![if at % 3 == 0 { Value::Null } else { text("") }]).collect();
        let rows = batch(&table, &rows);
        must(target.insert(&plan, &rows).await);
        assert_eq!(target.ways(), (1, 0), "{server}: lines without a byte");
        assert_same_rows(&plan.target, &target.content(&plan.target.name).await, &sorted(&rows), server);
    }
}

/// Text goes out in the target column's charset, whatever the source's is.
#[tokio::test]
async fn text_is_converted_as_the_server_converts_it() {
    let _on = LOCAL_INFILE.read().await;
    let pairs = [
        ("latin1", "utf8mb4", "é€ß"),
        ("utf8mb4", "latin1", "é€ß"),
        ("utf8mb3", "utf8mb4", "ü漢"),
        ("utf8mb4", "utf8", "ü漢"),
        ("gbk", "utf8mb4", "你好"),
        ("utf8mb4", "gbk", "你好"),
        ("utf8mb4", "sjis", "ソ\\"),
        ("utf8mb4", "cp932", "ⅰソ"),
        ("ujis", "sjis", "テスト"),
        ("ucs2", "utf8mb4", "ü漢"),
        ("cp1251", "koi8r", "Жы"),
        ("latin1", "ascii", "plain"),
        ("utf8mb4", "swe7", "smörgås"),
    ];
    for (server, kind) in SERVERS {
        let mut target = Target::new(server, kind, "load_charsets").await;
        for (at, (from, to, text)) in pairs.iter().enumerate() {
            let from = if *from == "utf8mb3" { "utf8" } else { from };
            let columns = |charset| format!("id INT PRIMARY KEY, v VARCHAR(20) CHARACTER SET {charset}");
            let (table, loads) = target.tables(&format!("t{at}"), &columns(from), &columns(to)).await;
            let (_, inserts) = target.tables(&format!("u{at}"), &columns(from), &columns(to)).await;
            let inserts = plan(&table, (*inserts.target).clone());
            let name = &table.schema.name;
            for id in 0..60 {
                target
                    .playground
                    .run(&format!("INSERT INTO {name} VALUES ({id},'{}')", text.replace('\\', "\\\\")))
                    .await;
            }
            let rows = target.content(name).await;
            target.ways();
            must(target.insert(&loads, &rows).await);
            assert_eq!(target.ways(), (1, 0), "{server}: {from} to {to}");
            target.insert_few(&inserts, &rows).await;
            let loaded = target.content(&loads.target.name).await;
            let inserted = target.content(&inserts.target.name).await;
            assert_same_rows(&loads.target, &loaded, &inserted, &format!("{server}: {from} to {to}"));
        }
    }
}

/// What a narrower column makes of a value, where that is no error.
#[tokio::test]
async fn values_are_rounded_as_by_insert() {
    let _on = LOCAL_INFILE.read().await;
    for (server, kind) in SERVERS {
        let mut target = Target::new(server, kind, "load_rounded").await;
        for (at, (from, to, values)) in [
            (
                "DATETIME(6)",
                "DATETIME",
                &["'2021-12-31 23:59:59.500000'", "'2021-02-30 01:02:03.499999'"][..],
            ),
            ("TIME(6)", "TIME(3)", &["'-838:59:58.999500'", "'00:00:00.000499'"]),
            ("TIMESTAMP(6) NULL", "TIMESTAMP(1) NULL", &["'2038-01-19 03:14:06.960000'", "'0000-00-00'"]),
            ("FLOAT", "FLOAT(7,3)", &["9999.9994", "0.0005", "-1.0015"]),
            ("DOUBLE", "DOUBLE(9,4)", &["99999.99994", "0.00005", "-1e-300"]),
            ("DECIMAL(10,4)", "DECIMAL(10,2)", &["1.2350", "-1.2350", "0.0049"]),
            ("VARCHAR(20)", "VARCHAR(3)", &["'abc '", "'abc'"]),
            ("VARCHAR(20)", "CHAR(3)", &["'abc  '", "'a '"]),
        ]
        .into_iter()
        .enumerate()
        {
            if server == "mysql55" && at < 3 {
                continue;
            }
            let columns = |data_type| format!("id INT NOT NULL PRIMARY KEY, v {data_type}");
            let (table, loads) = target.tables(&format!("t{at}"), &columns(from), &columns(to)).await;
            let (_, inserts) = target.tables(&format!("u{at}"), &columns(from), &columns(to)).await;
            let inserts = plan(&table, (*inserts.target).clone());
            for (id, value) in (0..60).zip(values.iter().cycle()) {
                target
                    .playground
                    .run(&format!("INSERT INTO {} VALUES ({id},{value})", table.schema.name))
                    .await;
            }
            let rows = target.content(&table.schema.name).await;
            target.ways();
            must(target.insert(&loads, &rows).await);
            assert_eq!(target.ways().0, 1, "{server}: {from} to {to}");
            target.insert_few(&inserts, &rows).await;
            let loaded = target.content(&loads.target.name).await;
            let inserted = target.content(&inserts.target.name).await;
            assert_same_rows(&loads.target, &loaded, &inserted, &format!("{server}: {from} to {to}"));
        }
    }
}

/// Bytes that are no text: what a server stores of a charset is its affair, as long as it is what INSERT gives.
#[tokio::test]
async fn invalid_text_is_treated_as_by_insert() {
    let _on = LOCAL_INFILE.read().await;
    for (server, kind) in SERVERS {
        let mut target = Target::new(server, kind, "load_invalid").await;
        let bad: [(&str, &[u8]); 6] = [
            ("utf8mb4", b"a\xff"),
            ("utf8", b"\xed\xa0\x80"),
            ("ascii", b"a\x80"),
            ("gbk", b"a\xff"),
            ("sjis", b"\x83"),
            ("latin1", b"\x81\x8d"),
        ];
        for (charset, bytes) in bad {
            let what = format!("{server}: {charset}");
            let columns = format!("id INT NOT NULL PRIMARY KEY, v VARCHAR(20) CHARACTER SET {charset}");
            let (table, loads) = target.tables(&format!("a_{charset}"), &columns, &columns).await;
            let (_, inserts) = target.tables(&format!("b_{charset}"), &columns, &columns).await;
            let inserts = plan(&table, (*inserts.target).clone());
            let rows: Vec<_> = (0..60)
                .map(|id| vec![Value::Int(id), Value::Text(if id == 0 { bytes } else { b"a" }.to_vec())])
                .collect();
            let rows = batch(&table, &rows);
            let loaded = target.insert(&loads, &rows).await.map_err(|error| error.chain());
            let first = target.writer.insert(&inserts, &refs(&rows)[..1], InsertMode::Plain).await;
            assert_eq!(loaded.map(|_| ()), first.map(|_| ()).map_err(|error| error.chain()), "{what}");
            let (loaded, inserted) =
                (target.content(&loads.target.name).await, target.content(&inserts.target.name).await);
            assert_eq!(all_values(&loaded).first(), all_values(&inserted).first(), "{what}");
        }
    }
}

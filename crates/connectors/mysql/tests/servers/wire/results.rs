//! Statements and rows, on all three servers.

use std::time::{Duration, Instant};

use whimbrel_connector_mysql::wire::{
    ConnectOptions, Connection, TlsMode, push_hex, push_identifier, push_string,
};

use crate::server::{connect, root};

const SERVERS: [&str; 3] = ["mysql97", "mariadb1011", "seekdb"];

/// A session in a new, empty database of that name.
async fn session(server: &str, database: &str, change: impl FnOnce(&mut ConnectOptions)) -> Connection {
    let mut options = root(server);
    change(&mut options);
    let mut connection = connect(server, &options).await;
    let database = format!("wire_{database}");
    for sql in ["DROP DATABASE IF EXISTS", "CREATE DATABASE", "USE"] {
        connection.query_drop(format!("{sql} {database}")).await.expect(sql);
    }
    connection
}

#[tokio::test]
async fn rows_and_columns_arrive_as_the_server_has_them() {
    for server in SERVERS {
        let mut connection = session(server, "rows", |_| ()).await;
        connection
            .execute("CREATE TABLE t (id INT UNSIGNED PRIMARY KEY, note VARCHAR(20))")
            .await
            .expect("create");
        let ok =
            connection.execute("INSERT INTO t VALUES (1, 'one'), (2, NULL), (3, '')").await.expect("insert");
        assert_eq!(ok.affected_rows, 3, "{server}");
        let result =
            connection.query_rows("SELECT id AS k, note FROM t AS x ORDER BY id").await.expect("select");
        let names: Vec<_> = result.columns.iter().map(|c| (c.name.as_str(), c.org_name.as_str())).collect();
        assert_eq!(names, [("k", "id"), ("note", "note")], "{server}");
        assert_eq!(
            (result.columns[0].table.as_str(), result.columns[0].org_table.as_str()),
            ("x", "t"),
            "{server}"
        );
        assert_eq!(result.columns[0].type_code, 3, "LONG");
        assert_ne!(result.columns[0].flags & 32, 0, "UNSIGNED");
        let cells: Vec<_> = result.rows.iter().map(|row| (row.parse_of::<u32>("K"), row.bytes(1))).collect();
        assert_eq!(
            cells,
            [(Some(1), Some(&b"one"[..])), (Some(2), None), (Some(3), Some(&b""[..]))],
            "{server}"
        );
        let first =
            connection.query_first("SELECT note FROM t ORDER BY id").await.expect("select").expect("row");
        assert_eq!(first.text_of("note"), Some("one"));
        assert!(connection.query_first("SELECT 1 FROM t WHERE id > 9").await.expect("select").is_none());
        let refused = connection.query_rows("SELECT * FROM missing").await.expect_err("no such table");
        assert_eq!(refused.server_code(), Some(1146), "{server}");
        connection.ping().await.expect("usable after a refusal");
    }
}

#[tokio::test]
async fn literals_and_names_come_back_unchanged() {
    let bytes: Vec<u8> = (0..=255).collect();
    let text = "quote ' backslash \\ percent % newline \n return \r zero \0 sub \x1a tab \t żółw 漢字 🐦";
    for server in SERVERS {
        let mut connection = session(server, "literals", |_| ()).await;
        connection.execute("SET NAMES utf8mb4").await.expect("names");
        let mut sql = b"SELECT ".to_vec();
        push_string(&mut sql, text.as_bytes());
        sql.extend_from_slice(b", _binary ");
        push_string(&mut sql, &bytes);
        sql.push(b',');
        push_hex(&mut sql, &bytes);
        sql.extend_from_slice(b" AS ");
        push_identifier(&mut sql, "we`ird \"name\"");
        let result = connection.query_rows(&sql).await.unwrap_or_else(|error| panic!("{server}: {error}"));
        assert_eq!(result.rows[0].text(0), Some(text), "{server}");
        assert_eq!(result.rows[0].bytes(1), Some(&bytes[..]), "{server}");
        assert_eq!(result.rows[0].bytes(2), Some(&bytes[..]), "{server}");
        assert_eq!(result.columns[2].name, "we`ird \"name\"", "{server}");
    }
}

#[tokio::test]
async fn affected_rows_count_matches_or_changes() {
    for server in SERVERS {
        for (found_rows, expected) in [(true, 1), (false, 0)] {
            let mut connection =
                session(server, &format!("found_{found_rows}"), |o| o.found_rows = found_rows).await;
            connection
                .execute("CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v INT)")
                .await
                .expect("create");
            assert!(
                connection.execute("INSERT INTO t (v) VALUES (7)").await.expect("insert").last_insert_id > 0
            );
            let same = connection.execute("UPDATE t SET v = 7").await.expect("update");
            assert_eq!(same.affected_rows, expected, "{server} found_rows {found_rows}");
            assert!(same.info.contains("Rows matched: 1"), "{server}: {:?}", same.info);
        }
    }
}

#[tokio::test]
async fn multi_statements_name_the_failing_one() {
    for server in SERVERS {
        let mut connection = session(server, "multi", |options| options.multi_statements = true).await;
        let sql = "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1), (2); SELECT * FROM t; DELETE FROM t";
        let done = connection.execute_multi(sql).await.expect("all run");
        assert_eq!(done.iter().map(|ok| ok.affected_rows).collect::<Vec<_>>(), [0, 2, 0, 2], "{server}");
        let sql = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (1); INSERT INTO t VALUES (3)";
        let error = connection.execute_multi(sql).await.expect_err("duplicate");
        assert_eq!(
            (error.index, error.done.len(), error.source.server_code()),
            (1, 1, Some(1062)),
            "{server}"
        );
        let rows = connection.query_rows("SELECT id FROM t; SELECT 1").await.expect("select").rows;
        assert_eq!(rows.len(), 1, "{server}: the third statement did not run");
        connection.ping().await.expect("in step");
    }
    let mut connection = session("mysql97", "single", |_| ()).await;
    assert_eq!(
        connection.execute("SELECT 1; SELECT 2").await.expect_err("off by default").server_code(),
        Some(1064)
    );
}

#[tokio::test]
async fn pipelined_statements_keep_their_order_and_their_errors() {
    for server in SERVERS {
        let mut connection = session(server, "pipeline", |_| ()).await;
        connection.execute("CREATE TABLE t (id INT PRIMARY KEY)").await.expect("create");
        let mut statements: Vec<String> = (0..200).map(|id| format!("INSERT INTO t VALUES ({id})")).collect();
        statements.insert(100, "INSERT INTO t VALUES (5)".into());
        statements.insert(150, "SELECT * FROM t".into());
        let results = connection.pipeline(&statements).await.expect("connection holds");
        assert_eq!(results.len(), 202);
        for (index, result) in results.iter().enumerate() {
            match (index, result) {
                (100, Err(error)) => assert_eq!(error.server_code(), Some(1062), "{server}"),
                (150, Ok(ok)) => assert_eq!(ok.affected_rows, 0),
                (_, Ok(ok)) => assert_eq!(ok.affected_rows, 1, "{server} {index}"),
                (_, Err(error)) => panic!("{server} {index}: {error}"),
            }
        }
        let count = connection.query_first("SELECT COUNT(*) FROM t").await.expect("count").expect("row");
        assert_eq!(count.parse::<u32>(0), Some(200));
    }
}

#[tokio::test]
async fn transactions_show_in_the_status() {
    for server in SERVERS {
        let mut connection = session(server, "status", |_| ()).await;
        connection.execute("CREATE TABLE t (id INT PRIMARY KEY)").await.expect("create");
        assert!(!connection.in_transaction() && connection.status().autocommit(), "{server}");
        connection.execute("BEGIN").await.expect("begin");
        connection.execute("INSERT INTO t VALUES (1)").await.expect("insert");
        assert!(connection.in_transaction(), "{server}");
        connection.query_rows("SELECT * FROM t").await.expect("select");
        assert!(connection.in_transaction(), "{server}: after rows too");
        connection.execute("COMMIT").await.expect("commit");
        assert!(!connection.in_transaction(), "{server}");
    }
}

#[tokio::test]
async fn values_over_16_mib_go_both_ways() {
    const LEN: usize = (16 << 20) + 77;
    for (server, tls) in [("mysql97", TlsMode::Off), ("mysql97", TlsMode::Require), ("seekdb", TlsMode::Off)]
    {
        let mut connection = session(server, &format!("large_{tls:?}"), |options| options.tls = tls).await;
        connection.execute("CREATE TABLE t (id INT PRIMARY KEY, v LONGBLOB)").await.expect("create");
        let value: Vec<u8> = (0..LEN).map(|at| (at * 31 / 7 % 251) as u8 | 0x80).collect();
        let mut sql = b"INSERT INTO t VALUES (1, _binary ".to_vec();
        push_string(&mut sql, &value);
        sql.push(b')');
        connection.execute(&sql).await.unwrap_or_else(|error| panic!("{server}: {error}"));
        let mut rows = connection.query_stream("SELECT v, id FROM t").await.expect("select");
        let row = rows.next().await.expect("row").expect("one row");
        assert!(row.get(0) == Some(&value[..]), "{server}: the value differs");
        assert_eq!(row.get(1), Some(&b"1"[..]));
        rows.finish().await.expect("end");
        connection.execute("DROP TABLE t").await.expect("drop");
    }
}

#[tokio::test]
async fn a_statement_over_the_servers_limit_is_refused_or_cut_and_not_hung() {
    let mut connection = session("mariadb1011", "too_large", |_| ()).await;
    let limit = connection.query_first("SELECT @@max_allowed_packet").await.expect("ask").expect("row");
    let limit: usize = limit.parse(0).expect("a number");
    let sql = format!("SELECT '{}'", "x".repeat(limit));
    let error = connection.execute(sql).await.expect_err("too large");
    assert!(error.server_code() == Some(1153) || error.is_connection_lost(), "{error}");
}

#[tokio::test]
async fn many_rows_stream_through_one_small_buffer() {
    let mut connection = session("mariadb1011", "stream", |_| ()).await;
    let sql = "SELECT seq, REPEAT('x', seq % 300), NULL FROM seq_1_to_300000";
    let mut rows = connection.query_stream(sql).await.expect("select");
    let mut expected = 0u64;
    while let Some(row) = rows.next().await.expect("row") {
        expected += 1;
        let number: u64 = row.get(0).and_then(|b| str::from_utf8(b).ok()?.parse().ok()).expect("a number");
        assert_eq!(number, expected);
        assert_eq!(row.get(1).map(<[u8]>::len), Some((expected % 300) as usize));
        assert_eq!((row.get(2), row.len()), (None, 3));
    }
    assert_eq!(expected, 300_000);
    connection.ping().await.expect("in step");
}

#[tokio::test]
async fn another_connection_can_kill_a_query() {
    for server in ["mysql97", "mariadb1011"] {
        let options = root(server);
        let mut connection = connect(server, &options).await;
        let id = connection.connection_id();
        let sleeper = tokio::spawn(async move {
            // The sum keeps the server busy for hours; SLEEP would end without an error on some servers.
            let slow = "SELECT COUNT(*) FROM information_schema.COLUMNS a, information_schema.COLUMNS b, \
                        information_schema.COLUMNS c WHERE a.COLUMN_NAME < b.COLUMN_NAME AND b.COLUMN_NAME < c.COLUMN_NAME";
            let outcome = connection.query_rows(slow).await;
            (connection, outcome)
        });
        let mut watcher = connect(server, &options).await;
        let running =
            format!("SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = {id} AND COMMAND = 'Query'");
        let deadline = Instant::now() + Duration::from_secs(20);
        while watcher.query_first(&running).await.expect("list").is_none() {
            assert!(Instant::now() < deadline, "{server}: the query never showed");
        }
        Connection::kill_query(&options, id).await.expect("killed");
        let (mut connection, outcome) = sleeper.await.expect("task");
        assert_eq!(outcome.expect_err("interrupted").server_code(), Some(1317), "{server}");
        connection.ping().await.expect("the session lives");
    }
}

#[tokio::test]
async fn the_server_refuses_local_files() {
    for server in ["mysql97", "mariadb1011"] {
        let mut connection = session(server, "infile", |_| ()).await;
        connection.execute("CREATE TABLE t (v TEXT)").await.expect("create");
        let error = connection
            .execute("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t")
            .await
            .expect_err("refused");
        assert!(matches!(error.server_code(), Some(1148 | 3948 | 4166)), "{server}: {error}");
        connection.ping().await.expect("in step");
    }
}

#[tokio::test]
async fn procedures_with_several_results_stay_in_step() {
    for server in ["mysql97", "mariadb1011"] {
        let mut connection = session(server, "procedure", |_| ()).await;
        connection
            .execute("CREATE PROCEDURE p() BEGIN SELECT 1 AS a; SELECT 2, 3; END")
            .await
            .expect("create");
        let result = connection.query_rows("CALL p()").await.expect("call");
        assert_eq!((result.rows.len(), result.columns[0].name.as_str()), (1, "a"), "{server}");
        let row = connection.query_first("SELECT 'next'").await.expect("in step").expect("row");
        assert_eq!(row.text(0), Some("next"));
    }
}

//! The connection: starting places, lost connections, heartbeats, refusals.

use std::time::{Duration, Instant};

use whimbrel_connector::ErrorKind;
use whimbrel_connector_mysql::log::{BinlogReader, StartBy};
use whimbrel_model::{GtidState, LogRecord, Position};

use crate::live::{Place, follow, next};
use crate::replay::Replay;
use crate::server;

const SERVERS: [&str; 2] = ["mysql97", "mariadb1011"];

/// Ids in the order of their inserts, up to a position.
async fn ids(reader: &mut BinlogReader, until: &Position) -> Vec<i64> {
    let mut ids = Vec::new();
    loop {
        match next(reader).await.unwrap_or_else(|error| panic!("{}", error.chain())) {
            LogRecord::Rows(batch) => ids.extend(batch.rows.rows().map(|row| match row.get(0) {
                whimbrel_model::ValueRef::Int(id) => id,
                other => panic!("{other:?}"),
            })),
            LogRecord::Abort => panic!("nothing was cut"),
            LogRecord::Commit(commit) if commit.position.has_reached(until) == Some(true) => return ids,
            LogRecord::Heartbeat { position, .. } if position.has_reached(until) == Some(true) => return ids,
            _ => {}
        }
    }
}

#[tokio::test]
async fn every_commit_is_a_place_to_go_on_from_by_gtid_and_by_file() {
    for server in SERVERS {
        let mut place = Place::new(server, "resume").await;
        let start = place.position().await;
        place.run("CREATE TABLE t (id INT PRIMARY KEY)").await;
        for id in 0..8 {
            place.run(&format!("INSERT INTO t VALUES ({id})")).await;
        }
        let end = place.position().await;
        let mut reader = place.reader(start).await;
        let table = place.schema_of("t").await;
        let (mut seen, mut places) = (0, Vec::new());
        while seen < 8 {
            match next(&mut reader).await.unwrap() {
                LogRecord::Rows(batch) => seen += batch.rows.len() as i64,
                LogRecord::Commit(commit) if seen > 0 => places.push((seen, commit.position)),
                _ => {}
            }
        }
        for (seen, position) in places {
            for start_by in [StartBy::Gtid, StartBy::FileOnSameServer] {
                let mut start = place.start(position.clone());
                start.tables = vec![table.clone()];
                let mut config = place.config();
                config.start_by = start_by;
                let mut reader = BinlogReader::open(config, start).await.unwrap();
                let rest: Vec<i64> = (seen..8).collect();
                assert_eq!(ids(&mut reader, &end).await, rest, "{server} {start_by:?} after {position}");
            }
        }
    }
}

#[tokio::test]
async fn a_connection_killed_again_and_again_loses_and_repeats_nothing() {
    for server in SERVERS {
        let mut place = Place::new(server, "killed").await;
        for sql in [
            "CREATE USER IF NOT EXISTS binlog_killed@'%' IDENTIFIED BY 'binlog_killed'",
            "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO binlog_killed@'%'",
            "CREATE TABLE t (id INT PRIMARY KEY, filler VARCHAR(500))",
        ] {
            place.run(sql).await;
        }
        let table = place.schema_of("t").await;
        let mut start = place.start(place.position().await);
        start.tables = vec![table];
        let mut config = place.config();
        config.options.user = "binlog_killed".to_owned();
        config.options.password = whimbrel_connector_mysql::wire::Secret::new("binlog_killed");
        let mut reader = BinlogReader::open(config, start).await.unwrap();
        let mut replay = Replay::default();
        for round in 0..6 {
            place.run("BEGIN").await;
            for id in 0..400 {
                place.run(&format!("INSERT INTO t VALUES ({}, REPEAT('f',500))", round * 1000 + id)).await;
            }
            place.run("COMMIT").await;
            let end = place.position().await;
            // A few records, then the cut, in the middle of what the server sends.
            for _ in 0..round {
                let record = next(&mut reader).await.unwrap();
                replay.apply(&record);
            }
            let dumps = "SELECT id FROM information_schema.processlist WHERE user='binlog_killed'";
            let rows = place.connection.query_rows(dumps).await.unwrap().rows;
            for row in rows {
                // It may be gone already.
                let _ = place.connection.query_drop(format!("KILL {}", row.text(0).unwrap())).await;
            }
            follow(&mut reader, &mut replay, &end).await;
        }
        place.compare(&replay, "t").await;
        assert_eq!(replay.transactions, 6, "{server}");
    }
}

#[tokio::test]
async fn an_idle_server_sends_heartbeats_and_other_tables_move_the_position() {
    for server in SERVERS {
        let mut place = Place::new(server, "idle").await;
        let start = place.position().await;
        let mut reader = BinlogReader::open(place.config(), {
            let mut start = place.start(start.clone());
            start.filter = std::sync::Arc::new(|_| false);
            start
        })
        .await
        .unwrap();
        place.run("CREATE TABLE t (id INT PRIMARY KEY)").await;
        place.run("INSERT INTO t VALUES (1)").await;
        let end = place.position().await;
        let began = Instant::now();
        loop {
            match next(&mut reader).await.unwrap() {
                LogRecord::Heartbeat { position, time_us } if position.has_reached(&end) == Some(true) => {
                    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
                    assert!(now.as_micros() as u64 - time_us < 60_000_000, "{server}");
                    break;
                }
                LogRecord::Heartbeat { .. } => {}
                other => panic!("{server}: {other:?} of a table that is not wanted"),
            }
            assert!(began.elapsed() < Duration::from_secs(240), "{server}");
        }
    }
}

#[tokio::test]
async fn a_position_that_is_gone_is_told() {
    for server in SERVERS {
        let place = Place::new(server, "gone").await;
        let Position::Binlog(mut position) = place.position().await;
        position.file = "binlog.999999".to_owned();
        position.gtids = GtidState::None;
        let opened = BinlogReader::open(place.config(), place.start(Position::Binlog(position))).await;
        let error = match opened {
            Err(error) => error,
            Ok(mut reader) => next(&mut reader).await.expect_err("the file isn't there"),
        };
        assert_eq!(error.kind, ErrorKind::PositionPurged, "{server}: {}", error.chain());
    }
}

#[tokio::test]
async fn statements_that_change_rows_stop_the_reader_with_their_text() {
    for server in SERVERS {
        let mut place = Place::new(server, "statement").await;
        let start = place.position().await;
        place.run("CREATE TABLE t (id INT PRIMARY KEY)").await;
        place.run("SET SESSION binlog_format='STATEMENT'").await;
        place.run("INSERT INTO t VALUES (77)").await;
        let mut reader = place.reader(start).await;
        let error = loop {
            match next(&mut reader).await {
                Ok(LogRecord::Rows(_)) => panic!("{server}: rows"),
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind, ErrorKind::StatementDml, "{server}: {}", error.chain());
        assert!(error.chain().contains("INSERT INTO t VALUES (77)"), "{}", error.chain());
        assert!(next(&mut reader).await.is_err(), "the reader has ended");
    }
}

/// MySQL with GTIDs: a transaction that is prepared only stays out of positions, and comes again.
#[tokio::test]
async fn an_xa_transaction_prepared_before_a_restart_comes_once_after_it() {
    let mut place = Place::new("mysql97", "xa").await;
    place.run("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let table = place.schema_of("t").await;
    let mut start = place.start(place.position().await);
    start.tables = vec![table.clone()];
    for sql in [
        "XA START 'whimbrel binlog'",
        "INSERT INTO t VALUES (1),(2)",
        "XA END 'whimbrel binlog'",
        "XA PREPARE 'whimbrel binlog'",
    ] {
        place.run(sql).await;
    }
    let mut other = server::connect("mysql97", &place.options).await;
    other.query_drop(format!("INSERT INTO {}.t VALUES (3)", place.schema)).await.unwrap();
    let mut reader = BinlogReader::open(place.config(), start).await.unwrap();
    let middle = loop {
        match next(&mut reader).await.unwrap() {
            LogRecord::Commit(commit) => break commit.position,
            LogRecord::Rows(batch) => assert_eq!(batch.rows.len(), 1, "only the committed row"),
            _ => {}
        }
    };
    drop(reader);
    place.run("XA COMMIT 'whimbrel binlog'").await;
    let end = place.position().await;
    // By GTID the server sends it again; by file and offset the reader has to look for it.
    for start_by in [StartBy::Gtid, StartBy::FileOnSameServer] {
        let mut start = place.start(middle.clone());
        start.tables = vec![table.clone()];
        let mut config = place.config();
        config.start_by = start_by;
        let mut reader = BinlogReader::open(config, start).await.unwrap();
        assert_eq!(ids(&mut reader, &end).await, [1, 2], "{start_by:?}");
    }
}

#[tokio::test]
async fn compressed_transactions_and_tagged_gtids_are_read_over_tls() {
    let mut place = Place::new("mysql97", "compressed").await;
    let start = place.position().await;
    place.run("SET SESSION binlog_transaction_compression=ON, gtid_next='AUTOMATIC:whimbrel_tag'").await;
    place.run("CREATE TABLE t (id INT PRIMARY KEY, filler TEXT)").await;
    place.run("INSERT INTO t WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i+1 FROM n WHERE i<900) SELECT i, REPEAT('x',2000) FROM n").await;
    place.run("SET SESSION gtid_next='AUTOMATIC'").await;
    let end = place.position().await;
    let mut config = place.config();
    config.options.tls = whimbrel_connector_mysql::wire::TlsMode::VerifyCa;
    config.options.tls_ca = Some(server::authority("mysql97"));
    let mut reader = BinlogReader::open(config.clone(), place.start(start)).await.unwrap();
    let mut replay = Replay::default();
    follow(&mut reader, &mut replay, &end).await;
    place.compare(&replay, "t").await;
    // A set with tags is understood as a start, too.
    assert!(format!("{end}").contains("whimbrel_tag"), "{end}");
    place.run("INSERT INTO t VALUES (5000,'')").await;
    let after = place.position().await;
    let mut start = place.start(end);
    start.tables = vec![place.schema_of("t").await];
    let mut reader = BinlogReader::open(config, start).await.unwrap();
    assert_eq!(ids(&mut reader, &after).await, [5000]);
}

/// The account that a migration has.
#[tokio::test]
async fn the_migrations_own_account_may_read() {
    for server in SERVERS {
        let place = Place::new(server, "account").await;
        let mut config = place.config();
        config.options = server::user(server);
        let mut reader = BinlogReader::open(config, place.start(place.position().await)).await.unwrap();
        assert!(matches!(next(&mut reader).await, Ok(LogRecord::Heartbeat { .. })), "{server}");
        assert!(!server::variable(server, "PORT").is_empty());
    }
}
